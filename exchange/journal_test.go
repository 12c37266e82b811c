package exchange_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// TestJournalParallel: many callers, and still one ledger without a gap.
func TestJournalParallel(t *testing.T) {
	const callers, each = 64, 8
	l := newLedger(t, t.TempDir())
	var changes, entries atomic.Int64
	j := l.start(t, func(cfg *exchange.JournalConfig) {
		cfg.Batch = 40 // fewer than wait
		cfg.Observe = func(b exchange.Batch) {
			changes.Add(int64(b.Changes))
			entries.Add(int64(b.Entries))
		}
	})
	agencies := []string{"ee/pbgb", "lv/vp", "it/dcpc", "ua/npu", "by/mia", "europol/ops"}
	var mu sync.Mutex
	var receipts []audit.Receipt
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			for range each {
				who := rand.Perm(len(agencies))
				id := newID()
				r, err := j.Commit(t.Context(), send(id, agencies[who[0]], agencies[who[1]], agencies[who[2]]), exchange.Need{Package: id})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				receipts = append(receipts, r)
				mu.Unlock()
			}
		})
	}
	done.Wait()
	again(t, j, receipts)
	j.stop(t)
	if size := l.verify(t, receipts...); size != 3*callers*each+3 || changes.Load() != callers*each+1 || entries.Load() != size {
		t.Errorf("%d entries; observed %d changes with %d entries", size, changes.Load(), entries.Load())
	}
}

// again asks for every receipt again, also on a snapshot that is older than
// the newest signed head, and compares byte for byte.
func again(t *testing.T, j *running, receipts []audit.Receipt) {
	t.Helper()
	err := j.store.View(t.Context(), func(rows exchange.Reader) error {
		if _, err := rows.Head(); err != nil { // the snapshot is taken
			return err
		}
		j.commit(t, send(newID(), "ee/pbgb", "lv/vp", "it/dcpc"))
		for _, r := range receipts {
			twin, err := j.Receipt(rows, r.Index)
			if err != nil {
				return err
			}
			if twin.Encode() != r.Encode() {
				t.Errorf("the receipt of entry %d is another one now", r.Index)
			}
		}
		_, err := j.Receipt(rows, int64(1000000))
		if err == nil {
			t.Error("a receipt of an entry that is not")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// absent says that nothing of a failed change is there.
func (r *running) absent(t *testing.T, ids ...string) {
	t.Helper()
	err := r.store.View(t.Context(), func(rows exchange.Reader) error {
		for _, id := range ids {
			p, err := rows.Package(id)
			input, err2 := rows.Input("of " + id)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			if p != nil || input != nil {
				t.Errorf("something of %s is there", id)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestJournalQueue: the queue is bounded, who has gone is left out, and Close
// commits what waits.
func TestJournalQueue(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t, func(cfg *exchange.JournalConfig) { cfg.Queue = 3 })
	arrived, release := j.batch.hold(exchange.StepBegin)
	var done sync.WaitGroup
	commit := func(ctx context.Context, id string, want error) {
		_, err := j.Commit(ctx, send(id, "ee/pbgb", "lv/vp"))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	wait := func(n int) {
		for j.Waiting() < n {
			runtime.Gosched()
		}
	}
	done.Go(func() { commit(t.Context(), "1", nil) })
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); commit(ctx, "gone", context.Canceled) }()
	wait(1)
	cancel()
	<-gone
	done.Go(func() { commit(t.Context(), "2", nil) })
	done.Go(func() { commit(t.Context(), "3", nil) })
	wait(3)
	commit(t.Context(), "busy", exchange.ErrBusy)
	commit(ctx, "late", context.Canceled)
	closed := make(chan error)
	go func() { closed <- j.Close() }()
	for !errors.Is(j.Health(), exchange.ErrStopped) {
		runtime.Gosched()
	}
	commit(t.Context(), "after", exchange.ErrStopped)
	release()
	done.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	j.absent(t, "gone", "busy", "late", "after")
	j.stop(t)
	if size := l.verify(t); size != 6 {
		t.Errorf("size %d", size)
	}
}

// TestJournalCallerLeaves: a caller that goes in the middle of its batch
// harms nobody, and its change happens.
func TestJournalCallerLeaves(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	arrived, release := j.batch.hold(exchange.StepChanged)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := j.Commit(ctx, send("1", "ee/pbgb", "lv/vp"))
		left <- err
	}()
	<-arrived
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	receipt := j.commit(t, send("2", "ee/pbgb", "lv/vp"))
	if receipt.Index != 2 {
		t.Errorf("index %d: the change of the caller that left did not happen", receipt.Index)
	}
	j.stop(t)
	l.verify(t, receipt)
}

// TestJournalEmpty: a first start anchors the empty ledger, and a journal
// without its parts does not start.
func TestJournalEmpty(t *testing.T) {
	l := newLedger(t, t.TempDir())
	l.start(t).stop(t)
	if _, err := os.Stat(l.anchor); err != nil {
		t.Error(err)
	}
	l.start(t).stop(t)
	if size := l.verify(t); size != 0 {
		t.Errorf("size %d", size)
	}
	if _, err := exchange.OpenJournal(t.Context(), exchange.JournalConfig{}); err == nil {
		t.Error("a journal of nothing")
	}
}
