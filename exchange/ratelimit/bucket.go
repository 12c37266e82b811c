package ratelimit

import (
	"math"
	"time"
)

// slack is how much a level may be off by arithmetic.
const slack = 1e-6

// answer says what becomes of charges on counts that stand at levels, and
// whether they are taken: if each fits, or in any case. script.lua decides the
// same by the same additions.
func answer(charges []Charge, debit bool, level func(i int) float64) (a Answer, taken bool) {
	a.States = make([]State, len(charges))
	taken = true
	for i := range charges {
		a.States[i] = state(&charges[i], level(i))
		taken = taken && a.States[i].Fits
	}
	if taken = taken || debit; !taken {
		return a, false
	}
	for i := range charges {
		if c := &charges[i]; c.Cost > 0 {
			a.States[i] = after(c, risen(c, level(i)))
		}
	}
	return a, true
}

// need is how much must be free for a charge.
func (c *Charge) need() int64 { return min(max(c.Cost, 1), c.Limit.Quota) }

// taken is how much a charge takes.
func (c *Charge) taken() int64 { return min(c.Cost, c.Limit.Quota) }

// risen is a level when the charge is taken.
func risen(c *Charge, level float64) float64 {
	return min(level+float64(c.taken()), float64(c.Limit.Quota))
}

// state is a limit at a level, before anything is taken.
func state(c *Charge, level float64) State {
	missing := level + float64(c.need()) - float64(c.Limit.Quota)
	s := after(c, level)
	if s.Fits = missing <= slack; !s.Fits {
		s.Retry = micros(missing, c.Limit)
	}
	return s
}

// after is a limit at a level, when the charge is done.
func after(c *Charge, level float64) State {
	left := float64(c.Limit.Quota) - level
	return State{Fits: true, Quota: c.Limit.Quota, Remaining: int64(left + slack), Reset: micros(level, c.Limit)}
}

// micros is how long it takes to sink by an amount, in whole microseconds.
func micros(amount float64, l Limit) time.Duration {
	us := amount * float64(l.Window.Microseconds()) / float64(l.Quota)
	return time.Duration(math.Ceil(us-slack)) * time.Microsecond
}
