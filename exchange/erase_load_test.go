package exchange_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// TestEraseWhileServing: a tenth of the log is erased while packages come in,
// and none of them fails. LIAISON_TORTURE=1 does it with a million entries.
func TestEraseWhileServing(t *testing.T) {
	t.Parallel()
	entries := torture.Size(12_000, 1_000_000)
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	day := 24 * time.Hour
	fill := func(n int) {
		t.Helper()
		justification := strings.Repeat("why ", 300)
		change := func(*exchange.Tx) ([]audit.Entry, error) {
			var all []audit.Entry
			for _, owner := range demo.Agencies {
				all = append(all, audit.Entry{Owner: owner, Operation: audit.Consultation, Action: "package.show", Outcome: "shown", Justification: justification})
			}
			return all, nil
		}
		each(t, 200, n/len(demo.Agencies), func(ctx context.Context, _ int) error {
			_, err := p.Journal.Commit(ctx, change)
			return err
		})
	}
	fill(entries / 10)
	x.Clock.Advance(400 * day)
	fill(entries - entries/10)
	x.Clock.Advance(699 * day)
	serve := func(stop <-chan struct{}) []time.Duration {
		var mu sync.Mutex
		var took []time.Duration
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					id, begun := newID(), time.Now()
					if _, err := p.Journal.Commit(t.Context(), send(id, "ee/pbgb", "lv/vp", "it/dcpc"), exchange.Need{Package: id}); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					took = append(took, time.Since(begun))
					mu.Unlock()
				}
			})
		}
		all.Wait()
		slices.Sort(took)
		return took
	}
	quiet := make(chan struct{})
	time.AfterFunc(time.Duration(entries/400)*time.Millisecond, func() { close(quiet) })
	before := serve(quiet)
	stop := make(chan struct{})
	var done exchange.Swept
	var err error
	begun := time.Now()
	var lasted time.Duration
	go func() {
		defer close(stop)
		done, err = p.Service.SweepDue(context.WithoutCancel(t.Context()))
		lasted = time.Since(begun)
	}()
	during := serve(stop)
	if err != nil || done[exchange.ClassLog] < entries/10 || done[exchange.ClassLog] > entries/5 {
		t.Fatalf("%v, %v", done, err)
	}
	if len(during) == 0 || len(before) == 0 {
		t.Fatal("nothing was served")
	}
	at := func(all []time.Duration, q int) time.Duration {
		return all[len(all)*q/100].Round(100 * time.Microsecond)
	}
	t.Logf("%d of %d entries erased in %v; commits before: %d, p50 %v, p99 %v; while erasing: %d, p50 %v, p99 %v, longest %v", done[exchange.ClassLog], entries, lasted.Round(time.Millisecond),
		len(before), at(before, 50), at(before, 99), len(during), at(during, 50), at(during, 99), during[len(during)-1].Round(100*time.Microsecond))
}

// each runs n jobs, so many at a time.
func each(t testing.TB, at, n int, job func(ctx context.Context, i int) error) {
	t.Helper()
	var all sync.WaitGroup
	errs, slots := make([]error, n), make(chan struct{}, at)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = job(t.Context(), i)
			<-slots
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
