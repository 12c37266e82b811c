// Package loadtest measures a running exchange the way its users load it:
// units that post packages, each waiting for its answer (a closed loop).
// Packages are sealed before the clock starts. At the end every accepted
// package is looked for, and the log is checked for gaps.
package loadtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Options says what to load, and how.
type Options struct {
	Profile  string        // of a unit; required
	DPO      string        // profile of its data-protection officer; empty: the one beside it, if there is one
	Admin    string        // URL of the admin listener, for the server's CPU; empty: from the demo's directory, if it is one
	Clients  int           // that post at the same time; 0: 16
	Packages int           // to post; 0: 2,000. Fewer, if sealing them takes too long
	Rate     int           // packages a second, latency from the moment that each was due; 0: as fast as the clients go
	Size     int           // bytes of each message before sealing; 0: 4 KiB
	To       []string      // recipients; empty: what the samples permit
	Duration time.Duration // the longest that posting may take; 0: 15 s

	Progress func(stage string, done, total int) // may be nil
}

// Result is what was measured.
type Result struct {
	Clients    int            `json:"clients"`
	To         []string       `json:"to"`
	Posted     int            `json:"posted"`
	Accepted   int            `json:"accepted"` // answered with 201
	Found      int            `json:"found"`    // of these, in the outbox and, with a DPO's profile, in the log
	Gaps       int            `json:"gaps"`     // faults of the own log: numbering, chain, tree
	Checked    string         `json:"checked"`  // against what: "outbox, receipts, log" or "outbox, receipts"
	Refused    map[string]int `json:"refused,omitempty"`
	Seconds    float64        `json:"seconds"`
	PerSecond  float64        `json:"per_second"` // accepted
	P50        float64        `json:"p50_ms"`
	P99        float64        `json:"p99_ms"`
	Max        float64        `json:"max_ms"`
	CPU        float64        `json:"server_cpu_us_per_package,omitempty"` // microseconds of one core
	LostOrLied []string       `json:"lost,omitempty"`                      // ids that were accepted and not found, at most ten
}

// Failed tells what is wrong with the result; nil if every accepted package
// was found.
func (r *Result) Failed() error {
	switch {
	case r.Accepted == 0:
		return errors.New("no package was accepted")
	case r.Found != r.Accepted || r.Gaps > 0:
		return fmt.Errorf("accepted %d, found %d, gaps %d", r.Accepted, r.Found, r.Gaps)
	}
	return nil
}

// Run loads the exchange of a profile and returns what it measured. An error
// means that nothing could be measured.
func Run(ctx context.Context, o Options) (*Result, error) {
	r, err := prepare(ctx, o.withDefaults())
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.seal(); err != nil {
		return nil, err
	}
	before, haveCPU := r.cpu(ctx)
	r.post(ctx)
	if after, ok := r.cpu(ctx); ok && haveCPU && r.result.Accepted > 0 {
		r.result.CPU = (after - before) * 1e6 / float64(r.result.Accepted)
	}
	if err := r.find(ctx); err != nil {
		return nil, fmt.Errorf("looking for what was accepted: %w", err)
	}
	return &r.result, nil
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		v *int
		n int
	}{{&o.Clients, 16}, {&o.Packages, 2000}, {&o.Size, 4 << 10}} {
		if *d.v <= 0 {
			*d.v = d.n
		}
	}
	if o.Duration <= 0 {
		o.Duration = 15 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

// run is one load test under way.
type run struct {
	Options
	profile client.Config
	clients []*client.Client
	plan    plan
	sealed  []*envelope.Sealed
	result  Result

	mu       sync.Mutex
	receipts map[string]string // of accepted packages, by id
	latency  *hdrhistogram.Histogram
}

// prepare opens the clients, one connection each, and finds what to send.
func prepare(ctx context.Context, o Options) (*run, error) {
	p, err := client.LoadProfile(o.Profile)
	if err != nil {
		return nil, err
	}
	r := &run{Options: o, receipts: map[string]string{}, latency: hdrhistogram.New(1, time.Minute.Microseconds(), 3)}
	if r.profile, err = p.Config(); err != nil {
		return nil, err
	}
	r.profile.Checkpoints = nil                  // many clients, one file
	r.profile.Retries = client.Retries{Tries: 1} // each answer counts as it comes
	for range o.Clients {
		c, err := client.New(r.profile)
		if err != nil {
			return nil, err
		}
		r.clients = append(r.clients, c)
	}
	r.result = Result{Clients: o.Clients, Refused: map[string]int{}}
	if r.plan, err = makePlan(ctx, r.clients[0], p.Agency, o.To); err != nil {
		return nil, err
	}
	r.result.To = r.plan.to
	return r, nil
}

func (r *run) close() {
	for _, c := range r.clients {
		c.Close()
	}
	for _, s := range r.sealed {
		_ = s.Close()
	}
}

// sealing is the longest that packages are sealed beforehand: what is ready
// by then is posted.
const sealing = 8 * time.Second

// seal makes the packages, on all cores.
func (r *run) seal() error {
	sealed := make([]*envelope.Sealed, r.Packages)
	until := time.Now().Add(sealing)
	err := each(r.Packages, func(i int) (bool, error) {
		s, err := envelope.Seal(r.plan.input(r.profile, r.Size, i))
		sealed[i] = s
		r.Progress("sealing", i+1, r.Packages)
		return time.Now().Before(until), err
	})
	r.sealed = slices.DeleteFunc(sealed, func(s *envelope.Sealed) bool { return s == nil })
	return err
}

// each runs f for 0 to n-1 on all cores until it says no or fails.
func each(n int, f func(i int) (more bool, err error)) error {
	var next atomic.Int64
	var stop atomic.Bool
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !stop.Load(); i = int(next.Add(1)) - 1 {
				more, err := f(i)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
				if !more || err != nil {
					stop.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// post is the measured part: each client posts, waits, posts again.
func (r *run) post(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	r.warm(ctx)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for _, c := range r.clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(r.sealed) {
					return
				}
				if due, ok := r.due(ctx, start, i); ok {
					r.one(ctx, c, r.sealed[i], due)
				}
				r.Progress("posting", i+1, len(r.sealed))
			}
		})
	}
	wg.Wait()
	r.result.Seconds = time.Since(start).Seconds()
	r.result.PerSecond = float64(r.result.Accepted) / r.result.Seconds
	ms := func(us int64) float64 { return float64(us) / 1000 }
	r.result.P50, r.result.P99, r.result.Max = ms(r.latency.ValueAtQuantile(50)), ms(r.latency.ValueAtQuantile(99)), ms(r.latency.Max())
}

// warm opens the connections, so that handshakes are not in the figures.
func (r *run) warm(ctx context.Context) {
	var wg sync.WaitGroup
	for _, c := range r.clients {
		wg.Go(func() { _, _ = c.Agencies(ctx) })
	}
	wg.Wait()
}

// due waits until a package is to be posted, and tells when that was: an
// exchange that is late is late for all that wait. Without a rate it is now.
func (r *run) due(ctx context.Context, start time.Time, i int) (due time.Time, ok bool) {
	if r.Rate == 0 {
		return time.Now(), true
	}
	due = start.Add(time.Duration(i) * time.Second / time.Duration(r.Rate))
	select {
	case <-time.After(time.Until(due)):
		return due, true
	case <-ctx.Done():
		return due, false
	}
}

// one posts one package and notes the answer.
func (r *run) one(ctx context.Context, c *client.Client, s *envelope.Sealed, due time.Time) {
	got, status, err := c.PostRaw(ctx, s, nil)
	took := time.Since(due).Microseconds()
	if ctx.Err() != nil && err != nil {
		return // the time is over; whether it was accepted is nobody's promise
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Posted++
	switch {
	case err != nil:
		r.result.Refused[kind(err)]++
	case status != 201:
		r.result.Refused[fmt.Sprint(status)]++
	default:
		r.result.Accepted++
		r.receipts[got.ID] = got.Receipt
		_ = r.latency.RecordValue(took)
	}
}

// kind names a refusal for the count.
func kind(err error) string {
	for _, t := range api.ProblemTypes() {
		if errors.Is(err, t) {
			return t.Slug
		}
	}
	return "connection"
}

// lost notes packages that were accepted and not found.
func (r *run) lost(id string) {
	if len(r.result.LostOrLied) < 10 && !slices.Contains(r.result.LostOrLied, id) {
		r.result.LostOrLied = append(r.result.LostOrLied, id)
	}
}
