package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// TestLongViewEnds: a view that holds the log while it outgrows its bound is
// ended at its next read; then the log is small again.
func TestLongViewEnds(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir(), MaxLog: mib, ViewTime: 1})
	reads, ended := make(chan struct{}), make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		ended <- s.View(t.Context(), func(rows exchange.Reader) error {
			if _, err := rows.Head(); err != nil {
				return err
			}
			close(begun)
			<-reads
			_, err := rows.Head()
			return err
		})
	}()
	<-begun
	fatten(t, s, 0, 2)
	if s.LogSize() < mib+mib/2 {
		t.Fatalf("the log has %d bytes: the view did not hold it, the test proves nothing", s.LogSize())
	}
	close(reads)
	if err := <-ended; !errors.Is(err, store.ErrViewEnded) {
		t.Errorf("the long view: %v", err)
	}
	fatten(t, s, 2, 1)
	if size := s.LogSize(); size > mib+mib/2 {
		t.Errorf("the log has still %d bytes", size)
	}
	view(t, s, func(exchange.Reader) {})
}

// TestShortViewsGoOn: views that overlap for ever keep the log from starting
// anew by itself. It stays bounded, and none of them fails.
func TestShortViewsGoOn(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir(), MaxLog: mib})
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !stop.Load() {
				err := s.View(t.Context(), func(rows exchange.Reader) error {
					_, err := rows.Head()
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 24 {
		fatten(t, s, n, 1)
		if size := s.LogSize(); size > 4*mib {
			t.Errorf("after %d MiB the log has %d bytes", n+1, size)
			break
		}
	}
	stop.Store(true)
	readers.Wait()
}

const mib = 1 << 20

// fatten commits so many times one MiB in eight transactions.
func fatten(t *testing.T, s *store.SQLite, from, n int) {
	t.Helper()
	for i := from * 8; i < (from+n)*8; i++ {
		write(t, s, func(tx exchange.Transaction) { tx.PutInput(fmt.Sprint("input ", i), make([]byte, mib/8)) })
	}
}
