package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/liaison-exchange/liaison/certs"
)

// private looks whether others may read the private files that there are.
func (e *examination) private(files ...string) (good bool) {
	good = true
	for _, file := range files {
		err := certs.CheckPrivate(file)
		switch {
		case err == nil:
			e.ok("private file", file, "only its owner may read it")
		case !errors.Is(err, fs.ErrNotExist):
			e.fault("private file", file, err, "chmod 600 "+file)
			good = false
		}
	}
	return good
}

// directory warns of a directory where others may put files of their own in place of ours.
func (e *examination) directory(dir string) {
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		e.warn("directory", dir, fmt.Sprintf("others may write into it (mode %04o), and replace any file in it", info.Mode().Perm()), "chmod go-w "+dir)
	}
}

// disk looks at the free space where dir is, or will be.
func (e *examination) disk(dir string, least uint64) {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		e.fault("disk", dir, err, "see that the directory can be read")
		return
	}
	free := s.Bavail * uint64(s.Bsize)
	text := fmt.Sprintf("%d MiB free", free>>20)
	if free < least {
		e.fault("disk", dir, fmt.Errorf("%s, less than the %d MiB that there should be", text, least>>20), "make room on the disk of "+dir+", or move it to a larger one")
		return
	}
	e.ok("disk", dir, "%s", text)
}
