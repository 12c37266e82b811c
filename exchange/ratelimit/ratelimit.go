// Package ratelimit says whether something may happen now, by how much of it
// happened before. It is GCRA with cost, in its form of a leaky bucket: a
// level rises by the cost of what happens and sinks by Quota in each Window;
// what would lift it above Quota does not fit. So a quota may be used at once,
// never twice around the edge of a window, and comes back evenly.
//
// There are three implementations of Limiter: Redis, where several nodes
// count together; Memory, where one node counts for itself; and Fallback,
// which goes from the one to the other and back. None of them is ever open:
// whoever cannot count refuses to go on, and Fallback counts elsewhere.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limit is how much may happen in how long.
type Limit struct {
	Quota  int64
	Window time.Duration // whole microseconds
}

// The greatest limits that all implementations count exactly enough.
const (
	MaxQuota  = 1 << 50
	MaxWindow = 32 * 24 * time.Hour
)

// Check tells what a limit cannot be.
func (l Limit) Check() error {
	switch {
	case l.Quota < 1 || l.Quota > MaxQuota:
		return fmt.Errorf("quota %d: from 1 to %d", l.Quota, int64(MaxQuota))
	case l.Window < time.Millisecond || l.Window > MaxWindow:
		return fmt.Errorf("window %s: from 1ms to %s", l.Window, MaxWindow)
	}
	return nil
}

// Charge is what a happening costs on one limit.
type Charge struct {
	Key   string // which count of the party
	Limit Limit
	// Cost is at least 0. 0 takes nothing and asks whether 1 would fit. More
	// than the quota waits for the whole quota, so that nothing waits for ever.
	Cost int64
	// Share: if nodes cannot count together, each gives its share of the
	// quota only. Otherwise each gives the whole.
	Share bool
}

// State is a limit after a charge.
type State struct {
	Fits      bool
	Quota     int64         // as it was counted: alone, a node may have given its share only
	Remaining int64         // what could be taken at once
	Retry     time.Duration // until the charge fits; 0 if it does
	Reset     time.Duration // until all of the quota is there
}

// Answer says what became of charges.
type Answer struct {
	States []State // one for each charge, in their order
	Alone  bool    // this node counted for itself, though it should not have
}

// Fits reports whether all charges did.
func (a Answer) Fits() bool {
	for _, s := range a.States {
		if !s.Fits {
			return false
		}
	}
	return true
}

// Limiter counts. It is safe for concurrent use. The counts of different
// parties have nothing to do with each other; those of one are changed
// together.
type Limiter interface {
	// Take takes all charges if each fits, else none.
	Take(ctx context.Context, party string, charges []Charge) (Answer, error)

	// Debit takes what has happened already, whether it fits or not; nobody
	// owes more than the quota.
	Debit(ctx context.Context, party string, charges []Charge) (Answer, error)

	Close() error
}

// ErrCharge is a charge that cannot be.
var ErrCharge = errors.New("ratelimit: a charge that cannot be")

func check(charges []Charge) error {
	for i := range charges {
		c := &charges[i]
		if c.Key == "" || c.Cost < 0 || c.Limit.Quota < 1 || c.Limit.Quota > MaxQuota || c.Limit.Window < time.Millisecond || c.Limit.Window > MaxWindow {
			return fmt.Errorf("%w: %+v", ErrCharge, *c)
		}
	}
	return nil
}
