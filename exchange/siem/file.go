package siem

import (
	"bytes"
	"context"
	"errors"
	"os"
)

// file appends lines to a file. It opens the file anew for each batch, so that
// it may be rotated away at any time.
type file struct{ path string }

func (f *file) deliver(_ context.Context, lines []message) (err error) {
	out, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var b bytes.Buffer
	if torn, err := unfinished(out); err != nil {
		return err
	} else if torn {
		b.WriteByte('\n') // what a crash cut off is a line of its own; the entry comes again
	}
	for _, m := range lines {
		b.Write(m.line)
		b.WriteByte('\n')
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return err
	}
	return out.Sync()
}

// unfinished reports whether the last line of a file has no end.
func unfinished(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 || !info.Mode().IsRegular() {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return last[0] != '\n', err
}
