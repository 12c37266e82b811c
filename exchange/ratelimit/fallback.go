package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// FallbackConfig is what a Fallback is made of. Shared is required.
type FallbackConfig struct {
	Shared Limiter
	Nodes  int              // that count together; at least 1
	Counts int              // that the node keeps for itself; 0: 100,000
	Clock  func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default
	// Probe is how long the shared limiter is left alone between attempts to
	// reach it again; 0: 200 ms.
	Probe time.Duration
}

// Fallback counts in a shared limiter, and when that fails, in this process,
// each node its share of the quota: strict, and never open. It asks for the
// shared one again until it is there twice in a row. It is a
// prometheus.Collector.
type Fallback struct {
	cfg   FallbackConfig
	local *Memory

	shared   atomic.Pointer[spell] // nil: down
	failures atomic.Int32          // in a row

	mu    sync.Mutex
	since time.Time // guarded by mu, with why; when it went down
	why   error

	stop    context.CancelFunc
	probing sync.WaitGroup

	alone   prometheus.Gauge
	changes *prometheus.CounterVec
	errors  prometheus.Counter
}

// spell is a time in which the shared limiter is used. Its end ends the calls
// that still wait for it.
type spell struct {
	context.Context
	end context.CancelFunc
}

func newSpell() *spell {
	ctx, end := context.WithCancel(context.Background())
	return &spell{ctx, end}
}

// tolerated is how many failures in a row are met one by one, each with a
// decision of this node, before the shared limiter is left alone.
const tolerated = 3

// NewFallback returns a limiter over a shared one, which it closes at its end.
func NewFallback(cfg FallbackConfig) *Fallback {
	cfg.Nodes = max(1, cfg.Nodes)
	if cfg.Counts == 0 {
		cfg.Counts = 100_000
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Probe == 0 {
		cfg.Probe = 200 * time.Millisecond
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Fallback{cfg: cfg, local: NewMemory(cfg.Counts, cfg.Clock), stop: stop,
		alone: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "liaison_ratelimit_alone", Help: "1 while this node counts its share of the limits for itself, since the shared store cannot be used."}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liaison_ratelimit_changes_total", Help: "Changes between the shared store and this node's own counts."}, []string{"to"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liaison_ratelimit_store_errors_total", Help: "Calls of the shared store that failed; each was decided by this node's own counts."}),
	}
	f.shared.Store(newSpell())
	f.probing.Go(func() { f.watch(ctx) })
	return f
}

// Describe implements prometheus.Collector.
func (f *Fallback) Describe(ch chan<- *prometheus.Desc) {
	f.alone.Describe(ch)
	f.changes.Describe(ch)
	f.errors.Describe(ch)
}

// Collect implements prometheus.Collector.
func (f *Fallback) Collect(ch chan<- prometheus.Metric) {
	f.alone.Collect(ch)
	f.changes.Collect(ch)
	f.errors.Collect(ch)
}

// Take implements Limiter.
func (f *Fallback) Take(ctx context.Context, party string, charges []Charge) (Answer, error) {
	return f.count(ctx, party, charges, Limiter.Take)
}

// Debit implements Limiter.
func (f *Fallback) Debit(ctx context.Context, party string, charges []Charge) (Answer, error) {
	return f.count(ctx, party, charges, Limiter.Debit)
}

type counting func(l Limiter, ctx context.Context, party string, charges []Charge) (Answer, error)

func (f *Fallback) count(ctx context.Context, party string, charges []Charge, do counting) (Answer, error) {
	if shared := f.shared.Load(); shared != nil {
		a, err := do(f.cfg.Shared, shared, party, charges) // who goes away is no fault of the store
		if err == nil || errors.Is(err, ErrCharge) {
			if f.failures.Load() != 0 {
				f.failures.Store(0)
			}
			return a, err
		}
		f.failed(shared, err)
	}
	a, err := do(f.local, ctx, party, f.share(charges))
	a.Alone = true
	return a, err
}

// share is what this node alone may give.
func (f *Fallback) share(charges []Charge) []Charge {
	own := make([]Charge, len(charges))
	for i, c := range charges {
		if own[i] = c; c.Share {
			own[i].Limit.Quota = max(1, c.Limit.Quota/int64(f.cfg.Nodes))
		}
	}
	return own
}

// failed notes a failure; with enough of them the store is left alone.
func (f *Fallback) failed(during *spell, err error) {
	f.errors.Inc()
	if during.Err() != nil {
		return // it is known
	}
	if unreadable(err) {
		f.cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "a count of the shared limits was spoilt; it counts as used up", slog.Any("error", err))
		return
	}
	if f.failures.Add(1) < tolerated {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.shared.CompareAndSwap(during, nil) {
		return
	}
	during.end()
	f.since, f.why = f.cfg.Clock(), err
	f.alone.Set(1)
	f.changes.WithLabelValues("own").Inc()
	f.cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "the shared limits cannot be used: this node counts its share for itself",
		slog.Any("error", err), slog.Int("nodes", f.cfg.Nodes))
}

// watch asks for the store while it is down.
func (f *Fallback) watch(ctx context.Context) {
	tick := time.NewTicker(f.cfg.Probe)
	defer tick.Stop()
	answered := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if f.shared.Load() != nil {
			answered = 0
			continue
		}
		if err := f.probe(ctx); err != nil {
			answered = 0
		} else if answered++; answered >= 2 {
			f.recover()
		}
	}
}

// probe does what requests do, on a count that nobody has: a store that can
// be read and not written has not come back.
func (f *Fallback) probe(ctx context.Context) error {
	_, err := f.cfg.Shared.Debit(ctx, "probe", []Charge{{Key: "probe", Limit: Limit{Quota: 1, Window: time.Second}, Cost: 1}})
	return err
}

func (f *Fallback) recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.Store(0)
	f.shared.Store(newSpell())
	f.alone.Set(0)
	f.changes.WithLabelValues("shared").Inc()
	f.cfg.Log.LogAttrs(context.Background(), slog.LevelInfo, "the shared limits are used again", slog.Duration("after", f.cfg.Clock().Sub(f.since)))
}

// Status is nil while nodes count together, else it says since when they do
// not and why.
func (f *Fallback) Status() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shared.Load() != nil {
		return nil
	}
	return fmt.Errorf("shared limits cannot be used since %s: this node counts its share (1 of %d) for itself: %w",
		f.since.UTC().Format(time.RFC3339), f.cfg.Nodes, f.why)
}

// Close stops asking and closes both limiters.
func (f *Fallback) Close() error {
	f.stop()
	f.probing.Wait()
	if shared := f.shared.Load(); shared != nil {
		shared.end()
	}
	return errors.Join(f.cfg.Shared.Close(), f.local.Close())
}
