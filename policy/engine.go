package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long one call of Decide may take.
const DefaultTimeout = 50 * time.Millisecond

// Config of an Engine. The zero value is a strict one.
type Config struct {
	Timeout      time.Duration    // 0 means DefaultTimeout
	AllowSamples bool             // false: a Set with a sample in it is not activated
	Clock        func() time.Time // used where Request.Now is zero; nil means time.Now
}

// Engine decides by the active Set. It is safe for concurrent use; an activation swaps the Set atomically, and
// evaluations in flight finish on the one that they began with.
type Engine struct {
	cfg   Config
	set   atomic.Pointer[Set]
	asked atomic.Int64
	slots chan struct{} // as many evaluations at a time as there are processors
}

// NewEngine returns an engine without rules: until Activate, it denies everything.
func NewEngine(cfg Config) *Engine {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Engine{cfg: cfg, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Activate makes s the Set that later calls of Decide use. It refuses a Set with samples unless the config allows
// them; the active Set then stays.
func (e *Engine) Activate(s *Set) error {
	if err := e.Check(s); err != nil {
		return err
	}
	e.set.Store(s)
	return nil
}

// Check tells whether Activate would refuse s.
func (e *Engine) Check(s *Set) error {
	switch {
	case s == nil:
		return errors.New("activate: no set")
	case len(s.sampled) > 0 && !e.cfg.AllowSamples:
		return fmt.Errorf("activate: sample policies of %v are not allowed here", s.sampled)
	}
	return nil
}

// Timeout is how long one evaluation may take.
func (e *Engine) Timeout() time.Duration { return e.cfg.Timeout }

// Asked counts the calls of Decide: what can wait gives way while it moves.
func (e *Engine) Asked() int64 { return e.asked.Load() }

// AllowsSamples tells whether a Set with samples may be activated.
func (e *Engine) AllowsSamples() bool { return e.cfg.AllowSamples }

// Set returns the active Set, nil before the first Activate.
func (e *Engine) Set() *Set { return e.set.Load() }

// Decide returns a decision for each recipient, in their order. An error wraps ErrEngine: the caller answers 503,
// records it and raises an alarm; it is never a permission and never a denial.
//
// The timeout measures an evaluation, not the wait for a processor: under load calls queue before it starts. A ctx that
// ends while one waits is an engine error too.
func (e *Engine) Decide(ctx context.Context, r Request) ([]Decision, error) {
	e.asked.Add(1)
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrEngine, ctx.Err())
	}
	if r.Now.IsZero() {
		r.Now = e.cfg.Clock()
	}
	return e.Set().decide(ctx, e.cfg.Timeout, r)
}
