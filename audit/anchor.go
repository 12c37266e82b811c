package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrNoAnchor says that there is no anchor file. Beside a ledger that has entries it means that the file, or the ledger, was exchanged.
var ErrNoAnchor = errors.New("no anchor file: the last head that was signed is not known")

// The anchor is a file beside the ledger's key with the last checkpoint that the node signed. It lies apart from the store, so a
// store that was rolled back or exchanged is found before anything more is signed.

// ReadAnchor reads and verifies the anchor; ErrNoAnchor if there is none.
func ReadAnchor(path string, k Keys) (Checkpoint, error) {
	signed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{}, fmt.Errorf("%w: %s", ErrNoAnchor, path)
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read anchor: %w", err)
	}
	cp, err := OpenCheckpoint(signed, k)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("anchor %s: %w", path, err)
	}
	return cp, nil
}

// CheckAnchor proves that the store's tree extends the anchored head, and returns that head. A ledger without entries may have no
// anchor yet: then the head is the zero Checkpoint. Otherwise ErrNoAnchor, ErrBehind or ErrFork say what is wrong.
func CheckAnchor(path string, k Keys, t Tree, r tlog.HashReader) (Checkpoint, error) {
	cp, err := ReadAnchor(path, k)
	if errors.Is(err, ErrNoAnchor) && t.Size() == 0 {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	if err := CheckExtends(cp, t, r); err != nil {
		return Checkpoint{}, fmt.Errorf("anchor %s: %w", path, err)
	}
	return cp, nil
}

// WriteAnchor replaces the anchor by a newer signed checkpoint. When it returns nil the file is on disk under its name; after a crash
// the old or the new one is there, whole. One process writes at a time.
func WriteAnchor(path string, signed []byte) error {
	if err := replaceFile(path, signed); err != nil {
		return fmt.Errorf("write anchor: %w", err)
	}
	return nil
}

// replaceFile writes beside the file, syncs, renames, and syncs the directory so that the rename itself lasts.
func replaceFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
