package ratelimit

import (
	"context"
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// shards is into how many parts the counts are divided, so that parties
// seldom wait for each other.
const shards = 32

// Memory counts in this process. It keeps a bounded number of counts.
type Memory struct {
	clock func() time.Time
	most  int // counts of one shard
	seed  maphash.Seed
	shard [shards]shard
}

type shard struct {
	mu     sync.Mutex
	counts map[key]*count
}

type key struct{ party, key string }

// count is the level at a time, in microseconds of the clock.
type count struct {
	level   float64
	at      int64
	drained int64 // when nothing of it is left: from then on it is as if it were not there
}

// NewMemory returns a limiter that keeps at most the given number of counts;
// where more parties come at a time, those that used least are forgotten.
// clock may be nil: time.Now.
func NewMemory(most int, clock func() time.Time) *Memory {
	if clock == nil {
		clock = time.Now
	}
	m := &Memory{clock: clock, most: max(1, most/shards), seed: maphash.MakeSeed()}
	for i := range m.shard {
		m.shard[i].counts = map[key]*count{}
	}
	return m
}

// Take implements Limiter.
func (m *Memory) Take(_ context.Context, party string, charges []Charge) (Answer, error) {
	return m.count(party, charges, false)
}

// Debit implements Limiter.
func (m *Memory) Debit(_ context.Context, party string, charges []Charge) (Answer, error) {
	return m.count(party, charges, true)
}

// Close does nothing.
func (m *Memory) Close() error { return nil }

func (m *Memory) count(party string, charges []Charge, debit bool) (Answer, error) {
	if err := check(charges); err != nil {
		return Answer{}, err
	}
	s := &m.shard[maphash.String(m.seed, party)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	now := m.clock().UnixMicro()
	level := func(i int) float64 { return s.level(party, &charges[i], now) }
	a, taken := answer(charges, debit, level)
	for i := range charges {
		if c := &charges[i]; taken && c.Cost > 0 {
			s.put(key{party, c.Key}, risen(c, level(i)), now, c.Limit, m.most)
		}
	}
	return a, nil
}

// level is how high the count of a charge stands now. A clock that was set
// back stops time and does not turn it.
func (s *shard) level(party string, c *Charge, now int64) float64 {
	n := s.counts[key{party, c.Key}]
	if n == nil {
		return 0
	}
	sunk := float64(max(0, now-n.at)) * float64(c.Limit.Quota) / float64(c.Limit.Window.Microseconds())
	return min(max(0, n.level-sunk), float64(c.Limit.Quota))
}

func (s *shard) put(k key, level float64, now int64, l Limit, most int) {
	n := s.counts[k]
	if n == nil {
		if len(s.counts) >= most {
			s.forget(now)
		}
		n = &count{}
		s.counts[k] = n
	}
	n.level, n.at, n.drained = level, now, now+micros(level, l).Microseconds()
}

// looked is how many counts are looked at to forget one.
const looked = 64

// forget makes room: for what has drained, and if nothing has, for what will
// be next among some.
func (s *shard) forget(now int64) {
	var next key
	soonest, seen, room := int64(math.MaxInt64), 0, false
	for k, n := range s.counts {
		if n.drained <= now {
			delete(s.counts, k)
			room = true
		} else if n.drained < soonest {
			next, soonest = k, n.drained
		}
		if seen++; seen == looked {
			break
		}
	}
	if !room {
		delete(s.counts, next)
	}
}

// counts is how many counts are kept.
func (m *Memory) counts() (n int) {
	for i := range m.shard {
		s := &m.shard[i]
		s.mu.Lock()
		n += len(s.counts)
		s.mu.Unlock()
	}
	return n
}
