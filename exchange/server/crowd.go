package server

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// crowd bounds how many connections there are at a time. Who has Each gets no
// more. When All are there, the one who has most gives way to a newcomer who
// has fewer: with its oldest connection, which is most likely to be the one
// that does nothing.
type crowd struct {
	share Share
	shown prometheus.Gauge

	mu     sync.Mutex
	closed bool
	all    int
	came   uint64
	of     map[string][]*guest // by holder, oldest first
}

func newCrowd(s Share, shown prometheus.Gauge) *crowd {
	return &crowd{share: s, shown: shown, of: map[string][]*guest{}}
}

// enter reports whether there is a place for the guest. Whoever gave way is
// for the caller to close.
func (c *crowd) enter(holder string, g *guest) (gaveWay *guest, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	has := len(c.of[holder])
	if c.closed || has >= c.share.Each {
		return nil, false
	}
	if c.all >= c.share.All {
		most := c.greatest()
		if len(c.of[most]) <= has {
			return nil, false
		}
		gaveWay = c.of[most][0]
		c.remove(most, 0)
	}
	c.came++
	g.number = c.came
	c.of[holder] = append(c.of[holder], g)
	c.all++
	c.shown.Inc()
	return gaveWay, true
}

// greatest is the holder who has most; among equals the one that waits longest.
func (c *crowd) greatest() string {
	var greatest string
	for holder, guests := range c.of {
		than := c.of[greatest]
		if len(guests) > len(than) || len(guests) == len(than) && guests[0].number < than[0].number {
			greatest = holder
		}
	}
	return greatest
}

// leave takes a guest out, if it is still there.
func (c *crowd) leave(holder string, g *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.of[holder], g); i >= 0 {
		c.remove(holder, i)
	}
}

func (c *crowd) remove(holder string, i int) {
	c.all--
	c.shown.Dec()
	c.of[holder] = slices.Delete(c.of[holder], i, i+1)
	if len(c.of[holder]) == 0 {
		delete(c.of, holder)
	}
}

// close sends everybody away, and lets nobody in any more.
func (c *crowd) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for _, g := range c.guests() {
		_ = g.Close()
	}
}

// guests are all who are there now.
func (c *crowd) guests() []*guest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(slices.Collect(maps.Values(c.of))...)
}
