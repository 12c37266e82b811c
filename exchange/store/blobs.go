package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// ErrBlobName says that a name is none that a blob can have.
var ErrBlobName = errors.New("not the name of a blob")

// Directory is exchange.Blobs in a local directory, one file per blob. It is
// safe for concurrent use by one process.
type Directory struct {
	root   *os.Root
	naming sync.Mutex // so that Sweep does not remove what is named again
}

var _ exchange.Blobs = (*Directory)(nil)

// uploads is where blobs lie until they are whole.
const uploads = "uploads"

// OpenBlobs opens a blob directory, made for its owner alone if it does not
// exist.
func OpenBlobs(path string) (*Directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	d := &Directory{root: root}
	if err := d.makeShards(); err != nil {
		return nil, errors.Join(fmt.Errorf("open blobs: %w", err), root.Close())
	}
	return d, nil
}

// makeShards makes the directories that blobs lie in, so that to name a blob
// changes one directory only.
func (d *Directory) makeShards() error {
	for _, dir := range append(shards(), uploads) {
		if err := d.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return d.sync(".")
}

// shards are the directories of blobs, by the last two digits of the
// package's id: its first ones are the time, and nearly always the same.
func shards() []string {
	all := make([]string, 256)
	for i := range all {
		all[i] = fmt.Sprintf("%02x", i)
	}
	return all
}

// Close ends the use of the directory.
func (d *Directory) Close() error { return d.root.Close() }

// blobName is the only form of a name: a package's id, its part, and the
// SHA-256 of its bytes. None of them can leave the directory.
var blobName = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{10}([0-9a-f]{2}))/([a-z0-9]{1,16}\.[A-Za-z0-9_-]{43})$`)

// blobFile is the form of a blob's file.
var blobFile = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.([a-z0-9]{1,16}\.[A-Za-z0-9_-]{43})$`)

// blobPath maps a name to its directory and file.
func blobPath(name string) (shard, path string, err error) {
	m := blobName.FindStringSubmatch(name)
	if m == nil {
		return "", "", fmt.Errorf("%w: %q", ErrBlobName, name)
	}
	return m[2], filepath.Join(m[2], m[1]+"."+m[3]), nil
}

// Create implements exchange.Blobs.
func (d *Directory) Create(ctx context.Context, name string) (exchange.BlobWriter, error) {
	shard, path, err := blobPath(name)
	if err != nil {
		return nil, err
	}
	upload := filepath.Join(uploads, rand.Text())
	f, err := d.root.OpenFile(upload, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	return &blobWriter{ctx: ctx, dir: d, file: f, upload: upload, shard: shard, path: path}, nil
}

// blobWriter writes a blob beside the others and names it when it is whole.
type blobWriter struct {
	ctx                 context.Context
	dir                 *Directory
	file                *os.File // nil once it is closed
	upload, shard, path string
}

// Write implements io.Writer. It ends with the context.
func (w *blobWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.file == nil {
		return 0, fs.ErrClosed
	}
	return w.file.Write(p)
}

// Commit implements exchange.BlobWriter. A blob that is there already holds
// the same bytes, its name says so; it is replaced all the same, because a
// crash may have taken its directory entry, or Sweep may be about to.
func (w *blobWriter) Commit() error {
	if w.file == nil {
		return fmt.Errorf("commit blob: %w", fs.ErrClosed)
	}
	if err := w.ctx.Err(); err != nil {
		return fmt.Errorf("commit blob: %w", err)
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("commit blob: %w", err)
	}
	err := w.file.Close()
	w.file = nil
	if err == nil {
		err = w.dir.name(w.upload, w.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("commit blob: %w", err), w.dir.remove(w.upload))
	}
	if err := w.dir.sync(w.shard); err != nil {
		return fmt.Errorf("commit blob: %w", err)
	}
	return nil
}

// name gives a whole blob its name. What stands there must be as long.
func (d *Directory) name(upload, path string) error {
	d.naming.Lock()
	defer d.naming.Unlock()
	there, err := d.root.Lstat(path)
	if err == nil {
		here, err := d.root.Lstat(upload)
		if err != nil {
			return err
		}
		if !there.Mode().IsRegular() || there.Size() != here.Size() {
			return fmt.Errorf("%s holds something else", path)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.root.Rename(upload, path)
}

// Close implements exchange.BlobWriter.
func (w *blobWriter) Close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return errors.Join(err, w.dir.remove(w.upload))
}

// Open implements exchange.Blobs. Only a regular file is a blob: no link is
// followed, not even within the directory.
func (d *Directory) Open(_ context.Context, name string) (exchange.Blob, error) {
	_, path, err := blobPath(name)
	if err != nil {
		return nil, err
	}
	info, err := d.root.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open blob: %s is a %v", path, info.Mode().Type())
	}
	f, err := d.root.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	if info, err = f.Stat(); err != nil { // a twin may have been renamed over it meanwhile
		return nil, errors.Join(fmt.Errorf("open blob: %w", err), f.Close())
	}
	return &blob{f, info.Size()}, nil
}

// blob is an open blob.
type blob struct {
	*os.File
	size int64
}

// Size implements exchange.Blob.
func (b *blob) Size() int64 { return b.size }

// Sweep implements exchange.Blobs. It also removes what was never committed.
// Files that are no blobs stay. Age is by the system's clock, as files have it.
func (d *Directory) Sweep(ctx context.Context, age time.Duration, keep func(name string) bool) (removed int, err error) {
	before := time.Now().Add(-age)
	for _, dir := range append(shards(), uploads) {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		n, err := d.sweep(dir, before, keep)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("sweep blobs: %w", err)
		}
	}
	return removed, nil
}

func (d *Directory) sweep(dir string, before time.Time, keep func(name string) bool) (removed int, err error) {
	files, err := fs.ReadDir(d.root.FS(), dir)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		m := blobFile.FindStringSubmatch(f.Name())
		if dir != uploads && (m == nil || keep(m[1]+"/"+m[2])) {
			continue
		}
		gone, err := d.removeOlder(filepath.Join(dir, f.Name()), before)
		if err != nil {
			return removed, err
		}
		if gone {
			removed++
		}
	}
	if removed > 0 {
		err = d.sync(dir)
	}
	return removed, err
}

// removeOlder looks at the file's age when nobody can name it anew.
func (d *Directory) removeOlder(path string, before time.Time) (bool, error) {
	d.naming.Lock()
	defer d.naming.Unlock()
	info, err := d.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
		return false, err
	}
	return true, d.root.Remove(path)
}

// Remove implements exchange.Blobs.
func (d *Directory) Remove(_ context.Context, name string) error {
	shard, path, err := blobPath(name)
	if err != nil {
		return err
	}
	d.naming.Lock()
	defer d.naming.Unlock()
	if err := d.remove(path); err != nil {
		return fmt.Errorf("remove blob: %w", err)
	}
	return d.sync(shard)
}

// remove drops an upload; one that is gone is no error.
func (d *Directory) remove(path string) error {
	if err := d.root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes names in a directory durable.
func (d *Directory) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
