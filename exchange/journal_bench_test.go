package exchange_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// BenchmarkCommit measures a package with its rows (4 KiB of content, two
// deliveries, two decisions) at 1 and at 64 callers: through the journal,
// with three entries, tree, head and receipt; and without a ledger, the same
// rows in the same shared transactions. The difference of cpu-µs/op is what
// the audit costs.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 64} {
		for name, open := range map[string]func(b *testing.B, l ledger) committer{"ledger=on": openLedger, "ledger=off": openFloor} {
			b.Run(fmt.Sprintf("callers=%d/%s", callers, name), func(b *testing.B) { benchmarkCommit(b, callers, open) })
		}
	}
}

// committer commits a change and says what it cost to prove it.
type committer interface {
	commit(ctx context.Context, c exchange.Change, needs ...exchange.Need) error
	close(b *testing.B)
}

func benchmarkCommit(b *testing.B, callers int, open func(*testing.B, ledger) committer) {
	c := open(b, benchLedger(b))
	var left atomic.Int64
	left.Store(int64(b.N))
	var done sync.WaitGroup
	b.ResetTimer()
	began := cpu(b)
	for range callers {
		done.Go(func() {
			for left.Add(-1) >= 0 {
				id := newID()
				if err := c.commit(b.Context(), send(id, "ee/pbgb", "lv/vp", "it/dcpc"), exchange.Need{Package: id}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	done.Wait()
	b.ReportMetric(float64((cpu(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.StopTimer()
	c.close(b)
}

// cpu is what this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchLedger(b *testing.B) ledger {
	b.Helper()
	return newLedger(b, b.TempDir())
}

type withLedger struct {
	*exchange.Journal
	store exchange.Store
}

func openLedger(b *testing.B, l ledger) committer {
	s, err := l.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := l.config(s)
	if err != nil {
		b.Fatal(err)
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	j, err := exchange.OpenJournal(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	return withLedger{j, s}
}

func (w withLedger) commit(ctx context.Context, c exchange.Change, needs ...exchange.Need) error {
	r, err := w.Journal.Commit(ctx, c, needs...)
	if err == nil && len(r.Encode()) == 0 {
		err = fmt.Errorf("no receipt")
	}
	return err
}

func (w withLedger) close(b *testing.B) {
	if err := w.Journal.Close(); err != nil {
		b.Error(err)
	}
	if err := w.store.Close(); err != nil {
		b.Error(err)
	}
}

// withoutLedger shares transactions as the journal does, and writes the
// changes' rows but none of their entries.
type withoutLedger struct {
	store exchange.Store
	queue chan floorRequest
	seq   atomic.Int64
	ended chan struct{}
}

type floorRequest struct {
	change exchange.Change
	need   exchange.Need
	done   chan error
}

func openFloor(b *testing.B, l ledger) committer {
	s, err := l.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	w := &withoutLedger{store: s, queue: make(chan floorRequest, 1024), ended: make(chan struct{})}
	go w.run(context.WithoutCancel(b.Context()))
	return w
}

func (w *withoutLedger) commit(_ context.Context, c exchange.Change, needs ...exchange.Need) error {
	r := floorRequest{c, needs[0], make(chan error, 1)}
	w.queue <- r
	return <-r.done
}

func (w *withoutLedger) run(ctx context.Context) {
	defer close(w.ended)
	for first := range w.queue {
		tx, err := w.store.Begin(ctx)
		batch, needs := []floorRequest{first}, []exchange.Need{first.need}
		for range min(255, len(w.queue)) {
			r := <-w.queue
			batch, needs = append(batch, r), append(needs, r.need)
		}
		if err == nil {
			err = tx.Load(needs)
		}
		for i := 0; err == nil && i < len(batch); i++ {
			_, err = batch[i].change(exchange.NewTx(tx, w.seq.Add(3)))
		}
		if err == nil {
			err = tx.Commit()
		}
		for _, r := range batch {
			r.done <- err
		}
	}
}

func (w *withoutLedger) close(b *testing.B) {
	close(w.queue)
	<-w.ended
	if err := w.store.Close(); err != nil {
		b.Error(err)
	}
}
