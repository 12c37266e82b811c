// Package store keeps the exchange's state, entries and tree in SQLite, and
// large content and attachments in a directory. It is the only room with SQL.
// It decides nothing about who may see a row.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/liaison-exchange/liaison/exchange"
)

// Errors of Open.
var (
	ErrInUse       = errors.New("another process uses the state directory")
	ErrNewerSchema = errors.New("the database was written by a newer program")
	ErrCheckpoint  = errors.New("the write-ahead log cannot be folded into the database")
)

// Config says where and how the state is kept.
type Config struct {
	// Dir is the state directory; it is made if it does not exist, for its
	// owner alone. It must be on a local file system: locks and fsync of
	// network file systems do not hold what this store promises. Required.
	Dir string

	// Readers is how many views may run at once; 0: 4.
	Readers int

	// BusyTimeout is how long to wait for the lock of another program that
	// reads the database, a backup for instance; 0: 10 s.
	BusyTimeout time.Duration

	// MaxLog is how large the write-ahead log may grow before it is folded at
	// once and views end for it, in bytes; 0: 64 MiB. ViewTime is how long a
	// view is left alone then; 0: 1 s.
	MaxLog   int64
	ViewTime time.Duration

	// MaxPages bounds the database file, in pages of 4 KiB; 0: no bound.
	MaxPages int64
}

// SQLite is the exchange.Store of one process and one state directory. It is
// safe for concurrent use: one writer, several readers beside it.
type SQLite struct {
	lock     *os.File
	writer   *pool // of one
	readers  *pool
	scrubber *pool                             // of one: it waits for nobody
	registry atomic.Pointer[exchange.Registry] // as of some commit
	wal      wal
	busy     string // of the writer, in milliseconds
}

var _ exchange.Store = (*SQLite)(nil)

// Open opens the state directory, which no other process may use: ErrInUse.
// It folds what a crash left in the write-ahead log into the database
// (ErrCheckpoint if that fails) and brings the schema up to date
// (ErrNewerSchema if it is newer than this program).
func Open(ctx context.Context, cfg Config) (*SQLite, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open store: no directory")
	}
	if cfg.Readers <= 0 {
		cfg.Readers = 4
	}
	if cfg.BusyTimeout <= 0 {
		cfg.BusyTimeout = 10 * time.Second
	}
	if cfg.MaxLog <= 0 {
		cfg.MaxLog = 64 << 20
	}
	if cfg.ViewTime <= 0 {
		cfg.ViewTime = time.Second
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := lockDirectory(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &SQLite{lock: lock}
	if err := s.open(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

func (s *SQLite) open(ctx context.Context, cfg Config) (err error) {
	path := filepath.Join(cfg.Dir, "exchange.db")
	if err := makeFile(path); err != nil {
		return err
	}
	s.wal = wal{path: path + "-wal", most: cfg.MaxLog, patience: cfg.ViewTime, views: map[*view]struct{}{}}
	s.busy = strconv.FormatInt(cfg.BusyTimeout.Milliseconds(), 10)
	busy := "busy_timeout(" + s.busy + ")"
	writer := slices.Concat([]string{busy, fmt.Sprintf("max_page_count(%d)", maxPages(cfg))}, writerPragmas, sharedPragmas)
	if s.writer, err = newPool(path, writer, 1); err != nil {
		return err
	}
	if s.readers, err = newPool(path, slices.Concat([]string{busy}, readerPragmas, sharedPragmas), cfg.Readers); err != nil {
		return err
	}
	if s.scrubber, err = newPool(path, slices.Concat([]string{"busy_timeout(25)"}, writerPragmas, sharedPragmas), 1); err != nil {
		return err
	}
	if err := checkpoint(ctx, s.writer.db); err != nil {
		return err
	}
	return migrate(ctx, s.writer.db)
}

// makeFile makes the database file before SQLite does, for its owner alone;
// SQLite gives the files beside it the same mode.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// maxPages is SQLite's own bound if the configuration has none.
func maxPages(cfg Config) int64 {
	if cfg.MaxPages > 0 {
		return cfg.MaxPages
	}
	return 1<<32 - 2
}

// What both kinds of connection need: no memory map (an I/O error would be a
// signal, and a stray write could reach the file), no trust in the schema.
var sharedPragmas = []string{"mmap_size(0)", "trusted_schema(OFF)", "cell_size_check(ON)", "temp_store(MEMORY)", "cache_size(-16000)"}

// A commit is on disk when it returns, and what is deleted is overwritten.
var writerPragmas = []string{"journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)", "wal_autocheckpoint(4000)"}

var readerPragmas = []string{"query_only(ON)"}

// checkpoint folds the write-ahead log into the database and empties it. It
// is the first thing that reads the log after a crash.
func checkpoint(ctx context.Context, db *sql.DB) error {
	var busy, pages, folded int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &folded); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if busy != 0 {
		return fmt.Errorf("%w: another connection holds it", ErrCheckpoint)
	}
	return nil
}

// Scrub implements exchange.Store. The write-ahead log holds the pages as they
// were before something was erased on them, until it is folded into the
// database and cut to nothing. Most is folded while others go on; to cut it,
// nobody may read or write for a moment, and this waits for nobody.
func (s *SQLite) Scrub(ctx context.Context) (bool, error) {
	var busy, pages, folded int
	for _, mode := range []string{"PASSIVE", "TRUNCATE"} {
		err := s.scrubber.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &folded)
		if err != nil {
			var e *sqlite.Error
			if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY {
				return false, nil
			}
			return false, fmt.Errorf("scrub: %w", err)
		}
	}
	return busy == 0, nil
}

// Close ends the store. It waits for views and the transaction to end.
func (s *SQLite) Close() error {
	return errors.Join(s.scrubber.close(), s.readers.close(), s.writer.close(), s.lock.Close())
}
