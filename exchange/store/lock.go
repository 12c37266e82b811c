package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockDirectory takes the state directory for this process until the file is
// closed. The kernel lets go of it when the process ends, however that ends.
func lockDirectory(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%w: %s is locked", ErrInUse, path)
	default:
		err = fmt.Errorf("lock the state directory: %w", err)
	}
	return nil, errors.Join(err, f.Close())
}
