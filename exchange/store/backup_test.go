package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// copied opens a copy and returns how many inputs of fatten it has, which must
// be all up to some moment.
func copied(t *testing.T, path string) (n int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Rename(path, filepath.Join(dir, store.DatabaseFile)); err != nil {
		t.Fatal(err)
	}
	view(t, open(t, store.Config{Dir: dir}), func(r exchange.Reader) {
		for len(must[[]byte](t)(r.Input(fmt.Sprint("input ", n)))) > 0 {
			n++
		}
		if later := must[[]byte](t)(r.Input(fmt.Sprint("input ", n+1))); len(later) > 0 {
			t.Errorf("the copy has input %d and not %d: it is not of one moment", n+1, n)
		}
	})
	return n
}

// TestCopyBesideCommits: a copy that is made while others commit is of one
// moment; then the log is small again.
func TestCopyBesideCommits(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s := open(t, store.Config{Dir: dir, MaxLog: mib})
	fatten(t, s, 0, 24)
	var stop atomic.Bool
	var writer sync.WaitGroup
	begun := make(chan struct{})
	end := 24
	writer.Go(func() {
		for ; !stop.Load(); end++ {
			fatten(t, s, end, 1)
			if end == 25 {
				close(begun)
			}
		}
	})
	<-begun
	var most int64
	err := store.CopyDatabase(t.Context(), dir, to, store.Copying{Progress: func(_, total int64) { most = max(most, total) }})
	stop.Store(true)
	writer.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if n := copied(t, to); n < 26*8 || n > end*8 || most < 26*mib {
		t.Errorf("%d inputs of %d are in the copy of %d bytes", n, end*8, most)
	}
	if size := fattenUntilFolded(t, s, end); size > 4*mib {
		t.Errorf("after the copy the log has %d bytes", size)
	}
}

// fattenUntilFolded goes on committing until the log is small, and not for ever.
func fattenUntilFolded(t *testing.T, s *store.SQLite, from int) (size int64) {
	t.Helper()
	for n := range 40 {
		fatten(t, s, from+n, 1)
		if size = s.LogSize(); size < 2*mib {
			break
		}
	}
	return size
}

// TestCopyGivesWay: a copy under which the log grows over its mark lets go and
// begins anew; if that happens again and again it ends, says so, leaves
// nothing, and the log is small again.
func TestCopyGivesWay(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s := open(t, store.Config{Dir: dir, MaxLog: mib})
	fatten(t, s, 0, 8)
	at, tries, waits := 8, 0, 0
	var others sync.WaitGroup
	defer others.Wait()
	during := func(busy func(try int) bool) store.Copying {
		tries, waits = 0, 0
		how := store.Copying{MaxLog: 3 * mib, Progress: func(done, total int64) {
			if first := done <= mib+mib/2; !first { // a step of one MiB
				return
			}
			if tries++; busy(tries) {
				fatten(t, s, at, 4)
				at += 4
				if size := s.LogSize(); size < 3*mib {
					t.Errorf("the log has %d bytes: the copy did not hold it, the test proves nothing", size)
				}
				from := 1000 + 100*at
				others.Go(func() { fattenUntilFolded(t, s, from) }) // the exchange goes on
			}
		}}
		return how.AtEachStep(func(step string) {
			if step == "wait" {
				waits++
			}
		})
	}
	err := store.CopyDatabase(t.Context(), dir, to, during(func(try int) bool { return try == 1 }))
	if err != nil || tries != 2 {
		t.Fatalf("after one that was given up: %v, %d tries", err, tries)
	}
	if n := copied(t, to); n != at*8 {
		t.Errorf("%d inputs, not the %d of when it began anew", n, at*8)
	}
	err = store.CopyDatabase(t.Context(), dir, to, during(func(int) bool { return true }))
	if !errors.Is(err, store.ErrLogGrew) || tries != 3 || waits != 2 { // not after the last
		t.Errorf("given up again and again: %v, %d tries, %d waits", err, tries, waits)
	}
	for _, end := range []string{"", "-journal", "-wal", "-shm"} {
		if _, err := os.Stat(to + end); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is left of the copy: %s %v", end, err)
		}
	}
	if size := fattenUntilFolded(t, s, 9000); size > 2*mib {
		t.Errorf("after the copies the log has %d bytes", size)
	}
}

// TestCopyLetsGoBeforeItChecks: while a copy is checked, the log of the exchange
// is folded as ever.
func TestCopyLetsGoBeforeItChecks(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s := open(t, store.Config{Dir: dir, MaxLog: mib})
	fatten(t, s, 0, 8)
	checked := false
	how := store.Copying{}.AtEachStep(func(step string) {
		checked = step == "check"
		fatten(t, s, 8, 4)
		if size := fattenUntilFolded(t, s, 12); size > 2*mib {
			t.Errorf("the log has %d bytes during the check", size)
		}
	})
	if err := store.CopyDatabase(t.Context(), dir, to, how); err != nil || !checked {
		t.Error(checked, err)
	}
	if n := copied(t, to); n != 8*8 {
		t.Errorf("%d inputs are in the copy", n)
	}
}

// TestCopyOfADamagedDatabase is refused.
func TestCopyOfADamagedDatabase(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s := open(t, store.Config{Dir: dir})
	fatten(t, s, 0, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, store.DatabaseFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < info.Size(); at += 4096 { // the head of every page but the first
		if _, err := f.WriteAt([]byte("damaged"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.CopyDatabase(t.Context(), dir, to, store.Copying{}); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy is left: %v", err)
	}
}
