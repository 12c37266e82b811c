package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DatabaseFile is the name of the database in the state directory and in a
// copy of it.
const DatabaseFile = "exchange.db"

// BlobsDir is the directory of blobs in both.
const BlobsDir = "blobs"

// Errors of CopyDatabase.
var (
	ErrLogGrew = errors.New("the exchange commits faster than its database is copied: the write-ahead log would outgrow its bound")
	ErrDamaged = errors.New("the database is damaged")
)

// Copying says how a database is copied.
type Copying struct {
	// MaxLog is how large the write-ahead log of the exchange may grow
	// meanwhile, in bytes; 0: 1 GiB. Nothing that is committed can leave the
	// log while a copy reads; so one that meets the bound lets go, and begins
	// anew when the log is folded. Tries is how often; 0: 3.
	MaxLog int64
	Tries  int

	// Progress hears how much of the database is copied, in bytes; it may be
	// nil. A new try begins again at 0.
	Progress func(done, total int64)

	step func(string) // hears of "check" and "wait" before them; a test's
}

// CopyDatabase writes the database of a state directory as it is at one moment
// into a new file, while another process uses it, page by page: what was
// erased before was overwritten on its page, and is not in the copy. The copy
// is checked (ErrDamaged). It gives up if the exchange commits too fast
// (ErrLogGrew).
func CopyDatabase(ctx context.Context, dir, to string, how Copying) (err error) {
	if how.MaxLog <= 0 {
		how.MaxLog = 1 << 30
	}
	if how.Tries <= 0 {
		how.Tries = 3
	}
	if how.Progress == nil {
		how.Progress = func(int64, int64) {}
	}
	if how.step == nil {
		how.step = func(string) {}
	}
	path := filepath.Join(dir, DatabaseFile)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("copy database: %s is there already", to)
	}
	db, err := sql.Open("sqlite", address(path, "busy_timeout(10000)", "mmap_size(0)"))
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := &copying{Copying: how, db: db, log: path + "-wal", to: to}
	for n := range how.Tries {
		if n > 0 {
			c.wait(ctx)
		}
		if err = damaged(c.try(ctx)); !errors.Is(err, ErrLogGrew) {
			break
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copy database: %w", err), removeFile(to))
	}
	return syncFile(to)
}

// damaged says of SQLite's error that the database is damaged, if it is.
func damaged(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// address names a database to the driver.
func address(path string, pragmas ...string) string {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return dsn.String()
}

// copying is a copy on its way.
type copying struct {
	Copying
	db      *sql.DB
	log, to string
	begun   int64 // size of the log's file at the moment of the copy
}

// foldsWithin is how long a next try waits for the exchange to fold its log.
const foldsWithin = 5 * time.Second

// wait waits until the log is small again: the exchange folds it when it next
// commits.
func (c *copying) wait(ctx context.Context) {
	c.step("wait")
	ctx, cancel := context.WithTimeout(ctx, foldsWithin)
	defer cancel()
	tick := time.NewTicker(foldsWithin / 100)
	defer tick.Stop()
	for fileSize(c.log) > c.MaxLog/2 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// copyPages is how many pages are copied between two looks at the log.
const copyPages = 256

// pageSize is that of every database that this package makes.
const pageSize = 4096

// try copies once, and checks the copy when it has let go of the exchange's
// database: to check takes as long again, and the log is to be folded meanwhile.
func (c *copying) try(ctx context.Context) error {
	if err := c.copy(ctx); err != nil {
		return err
	}
	c.step("check")
	return c.check(ctx)
}

// copy copies out of one transaction that reads, so that every page is of the
// same moment.
func (c *copying) copy(ctx context.Context) (err error) {
	if err := errors.Join(removeFile(c.to), makeFile(c.to)); err != nil {
		return err
	}
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, query := range []string{"BEGIN", "SELECT count(*) FROM sqlite_schema"} { // the moment
		if _, err := conn.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	defer func() {
		_, left := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, left)
	}()
	c.begun = fileSize(c.log) // which may be more than is in it
	return conn.Raw(func(driver any) error { return c.pages(ctx, driver) })
}

// pages copies all of them.
func (c *copying) pages(ctx context.Context, driver any) (err error) {
	source, ok := driver.(interface {
		NewBackup(to string) (*sqlite.Backup, error)
	})
	if !ok {
		return fmt.Errorf("a %T copies no database", driver)
	}
	b, err := source.NewBackup(address(c.to, "synchronous(OFF)", "mmap_size(0)")) // syncFile follows
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Finish()) }()
	for more := true; more; {
		if more, err = b.Step(copyPages); err != nil {
			return err
		}
		total := int64(b.PageCount()) * pageSize
		c.Progress(total-int64(b.Remaining())*pageSize, total)
		if err := ctx.Err(); err != nil {
			return err
		}
		if size := fileSize(c.log); more && size > max(c.MaxLog, c.begun) {
			return fmt.Errorf("%w of %d MiB, with %d of %d MiB copied", ErrLogGrew, c.MaxLog>>20, (total-int64(b.Remaining())*pageSize)>>20, total>>20)
		}
	}
	return nil
}

// check looks whether the copy holds together.
func (c *copying) check(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", address(c.to, "mmap_size(0)", "query_only(ON)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, said)
	}
	return nil
}

// fileSize is how large a file is; 0 if there is none.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// removeFile removes a file that may be absent, and what SQLite left beside it.
func removeFile(path string) error {
	var errs []error
	for _, end := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
