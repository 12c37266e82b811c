package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

func TestDirectory(t *testing.T) {
	blobSuite(t, func(t *testing.T) exchange.Blobs { b, _ := openBlobs(t); return b })
}

func openBlobs(t *testing.T) (*store.Directory, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	b, err := store.OpenBlobs(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, dir
}

func blob(n int, part, content string) string {
	return packageID(n) + "/" + part + "." + digest(content)
}

// blobSuite is what every exchange.Blobs must hold to.
func blobSuite(t *testing.T, open func(t *testing.T) exchange.Blobs) {
	for name, run := range map[string]func(t *testing.T, b exchange.Blobs){
		"round trip": testBlobRoundTrip, "invisible": testBlobInvisible, "twins": testBlobTwins,
		"names": testBlobNamesRefused, "sweep": testSweep, "context": testBlobContext,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func put(t *testing.T, b exchange.Blobs, name, content string) {
	t.Helper()
	w, err := b.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := io.Copy(w, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, b exchange.Blobs, name string) (content string, exists bool) {
	t.Helper()
	f, err := b.Open(t.Context(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil || int64(len(all)) != f.Size() {
		t.Fatalf("%d bytes of %d: %v", len(all), f.Size(), err)
	}
	return string(all), true
}

func testBlobRoundTrip(t *testing.T, b exchange.Blobs) {
	large := strings.Repeat("0123456789abcdef", 1<<16)
	for i, content := range []string{"", "x", large} {
		name := blob(1, fmt.Sprint(i), content)
		put(t, b, name, content)
		if got, exists := get(t, b, name); !exists || got != content {
			t.Errorf("blob of %d bytes: %d bytes, %v", len(content), len(got), exists)
		}
	}
	f, err := b.Open(t.Context(), blob(1, "2", large))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := make([]byte, 5)
	if _, err := f.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(f, part); err != nil || string(part) != "bcdef" {
		t.Errorf("end: %q %v", part, err)
	}
}

func testBlobInvisible(t *testing.T, b exchange.Blobs) {
	name := blob(1, "content", "half")
	w, err := b.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, exists := get(t, b, name); exists {
		t.Error("a blob is visible before Commit")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, exists := get(t, b, name); exists {
		t.Error("a blob that was dropped is visible")
	}
	if err := w.Commit(); err == nil {
		t.Error("Commit after Close")
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close")
	}
	if err := w.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// testBlobTwins: many write the same blob at once, under the eyes of readers.
func testBlobTwins(t *testing.T, b exchange.Blobs) {
	content := strings.Repeat("twin", 1000)
	name := blob(1, "content", content)
	put(t, b, name, content)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w, err := b.Create(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Close()
			if _, err := w.Write([]byte(content)); err != nil {
				t.Error(err)
			}
			if err := w.Commit(); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			f, err := b.Open(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if got, err := io.ReadAll(f); err != nil || string(got) != content {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	// Other bytes under that name are refused where they can be told.
	w, err := b.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write([]byte("shorter")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err == nil {
		t.Error("a blob was replaced by other bytes")
	}
	if got, _ := get(t, b, name); got != content {
		t.Error("the blob changed")
	}
}

func testBlobNamesRefused(t *testing.T, b exchange.Blobs) {
	id, d := packageID(1), digest("x")
	for _, name := range []string{
		"", "/", ".", "..", id, id + "/", id + "/0", id + "/0.", id + "/." + d, id + "/0." + d[1:], id + "/0." + d + "x",
		"../" + id + "/0." + d, id + "/../0." + d, "/" + id + "/0." + d, id + "//0." + d, id + "/0./" + d, id + "\\0." + d,
		strings.ToUpper(id) + "/0." + d, id[1:] + "/0." + d, id + "/A." + d, id + "/0." + d[:42] + "/", id + "/0." + d[:42] + ".",
		id + "/0." + d + "\n", id + "/0." + d + "\x00", "\n" + id + "/0." + d, id + "/" + strings.Repeat("a", 17) + "." + d,
		"uploads/0." + d, "xx/" + id + ".0." + d,
	} {
		if _, err := b.Create(t.Context(), name); !errors.Is(err, store.ErrBlobName) {
			t.Errorf("create %q: %v", name, err)
		}
		if _, err := b.Open(t.Context(), name); !errors.Is(err, store.ErrBlobName) {
			t.Errorf("open %q: %v", name, err)
		}
	}
}

func testSweep(t *testing.T, b exchange.Blobs) {
	kept, orphan := blob(1, "content", "kept"), blob(2, "0", "orphan")
	put(t, b, kept, "kept")
	put(t, b, orphan, "orphan")
	keep := func(name string) bool { return name == kept }
	if n, err := b.Sweep(t.Context(), time.Hour, keep); n != 0 || err != nil {
		t.Errorf("young orphans: %d removed, %v", n, err)
	}
	if n, err := b.Sweep(t.Context(), -time.Hour, keep); n != 1 || err != nil {
		t.Errorf("old orphans: %d removed, %v", n, err)
	}
	if _, exists := get(t, b, orphan); exists {
		t.Error("the orphan is still there")
	}
	if _, exists := get(t, b, kept); !exists {
		t.Error("what was to be kept is gone")
	}
	put(t, b, orphan, "orphan") // it may come again
	if _, exists := get(t, b, orphan); !exists {
		t.Error("a swept blob cannot be made again")
	}
}

func testBlobContext(t *testing.T, b exchange.Blobs) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := b.Create(ctx, blob(1, "0", "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cancel()
	if _, err := w.Write([]byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if _, err := b.Sweep(ctx, 0, func(string) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("sweep: %v", err)
	}
}

// TestDirectoryFollowsNoLinks: a blob is a regular file of the directory.
func TestDirectoryFollowsNoLinks(t *testing.T) {
	b, dir := openBlobs(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := blob(0x10, "0", "inside")
	put(t, b, inside, "secret")
	for i, target := range []string{secret, filepath.Base(fileOf(dir, inside))} {
		name := blob(0x10, fmt.Sprint("link", i), "link")
		if err := os.Symlink(target, fileOf(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Open(t.Context(), name); err == nil {
			t.Errorf("a link to %s was followed", target)
		}
		w, err := b.Create(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("secret")); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err == nil {
			t.Errorf("a link to %s was written through", target)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	pipe := blob(0x10, "dir", "dir")
	if err := os.Mkdir(fileOf(dir, pipe), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(t.Context(), pipe); err == nil {
		t.Error("a directory was opened as a blob")
	}
	if n, err := b.Sweep(t.Context(), -time.Hour, func(name string) bool { return name == inside }); n != 0 || err != nil {
		t.Errorf("sweep removed %d things that are no blobs (%v)", n, err)
	}
}

// fileOf is where a blob lies.
func fileOf(dir, name string) string {
	id, rest, _ := strings.Cut(name, "/")
	return filepath.Join(dir, id[len(id)-2:], id+"."+rest)
}

// TestSweepRemovesUploads: what a crash left half-written goes as well.
func TestSweepRemovesUploads(t *testing.T) {
	b, dir := openBlobs(t)
	w, err := b.Create(t.Context(), blob(1, "0", "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(bytes.Repeat([]byte("x"), 100)); err != nil {
		t.Fatal(err)
	}
	all := func(string) bool { return true }
	if n, err := b.Sweep(t.Context(), time.Hour, all); n != 0 || err != nil {
		t.Errorf("an upload under way was removed: %d %v", n, err)
	}
	if n, err := b.Sweep(t.Context(), -time.Hour, all); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "uploads")); len(left) != 0 || err != nil {
		t.Errorf("left: %v %v", left, err)
	}
	if err := w.Commit(); err == nil {
		t.Error("what was swept away was committed")
	}
}
