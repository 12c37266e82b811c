package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// DatabaseFile is the name of the database in the state directory and in a
// copy of it.
const DatabaseFile = "exchange.db"

// BlobsDir is the directory of blobs in both.
const BlobsDir = "blobs"

// CopyDatabase writes the database of a state directory as it is at one moment
// into a new file, while another process uses it. The copy has no free pages:
// nothing that was erased before is in it.
func CopyDatabase(ctx context.Context, dir, to string) (err error) {
	path := filepath.Join(dir, DatabaseFile)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("copy database: %s is there already", to)
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{"_pragma": []string{"busy_timeout(10000)", "mmap_size(0)"}}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := makeFile(to); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", to); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	return syncFile(to)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
