package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/liaison-exchange/liaison/exchange/store"
)

func stateFile(cfg Config) string { return filepath.Join(cfg.State, store.DatabaseFile) }
func lockFile(cfg Config) string  { return besideState(cfg) + ".lock" }

// there reports whether there is something at a path. What cannot be looked at
// is: whoever uses it then says why not.
func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// stateIsFree: nothing is where the state goes, or an empty directory.
func stateIsFree(cfg Config) error {
	files, err := os.ReadDir(cfg.State)
	if err == nil && len(files) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s: %w", cfg.State, ErrStateThere), err)
	}
	return nil
}

// clearPlace takes away the empty directory where the state goes, since what
// stands beside is to be renamed to it: better to learn now that this cannot be
// than when the plan is half carried out.
func clearPlace(cfg Config) error {
	place := filepath.Clean(cfg.State)
	info, err := os.Lstat(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s: %w: it is a symbolic link", place, ErrNoPlace)
	}
	parent, err := os.Stat(filepath.Dir(place))
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Dev != parent.Sys().(*syscall.Stat_t).Dev {
		return fmt.Errorf("%s: %w: it is a mount point", place, ErrNoPlace)
	}
	if err := os.Remove(place); err != nil { // of the same file system, it is mounted all the same
		return fmt.Errorf("%s: %w: %w", place, ErrNoPlace, err)
	}
	return nil
}

// lockRestoration takes the places of a restoration until unlock is called, or
// the process ends, however that ends. The file goes with the lock: who has
// locked one that is gone looks for the next.
func lockRestoration(cfg Config) (unlock func() error, err error) {
	path := lockFile(cfg)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: %s is locked", ErrRestores, path)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if named, err := os.Lstat(path); err == nil && os.SameFile(mine, named) {
			return func() error { return errors.Join(removeFile(path), f.Close()) }, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}
