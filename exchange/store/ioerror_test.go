package store_test

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// limitFiles makes every write of this process beyond so many bytes of a file
// fail, as a bad disk does, until the returned function is called.
func limitFiles(t *testing.T, bytes int64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(bytes), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
}

// TestCommitWithAnIOError: after an I/O error at COMMIT nobody knows. The
// error says so, and what the next start finds is nothing or all.
func TestCommitWithAnIOError(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	write(t, s, func(tx exchange.Transaction) { tx.PutInput("kept", []byte("x")) })
	wal, err := os.Stat(filepath.Join(dir, "exchange.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	tx := begin(t, s)
	tx.PutInput("first", bytes.Repeat([]byte("x"), 100<<10))
	tx.PutInput("second", []byte("x"))
	if tx.Err() != nil {
		t.Fatalf("too early: %v", tx.Err())
	}
	restore := limitFiles(t, wal.Size()+20_000) // the log takes a few pages more
	err = tx.Commit()
	restore()
	if !errors.Is(err, exchange.ErrCommitUnknown) {
		t.Fatalf("commit: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	s = open(t, store.Config{Dir: dir})
	view(t, s, func(r exchange.Reader) {
		first, second := must[[]byte](t)(r.Input("first")), must[[]byte](t)(r.Input("second"))
		if (first == nil) != (second == nil) {
			t.Error("half of it is there")
		}
		if must[[]byte](t)(r.Input("kept")) == nil {
			t.Error("what was committed before is gone")
		}
	})
	checkNothing(t, s)
}
