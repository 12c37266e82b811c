package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/liaison-exchange/liaison/exchange/ratelimit/redistest"
)

// The rows of attacks on limits, and where each is tried:
//
//	R1  store down, slow, half-open, reset, lying, read-only, full, loading, moved, not let in: TestFaults
//	R2  the clock jumps: TestClockJumps; that of Redis: TestRedisClockSetBack
//	R3  keys without bound: TestMemoryIsBounded; in Redis all expire: TestRedisKeysExpire
//	R4  a spoofed identity: exchange/server, TestWhoIsLimited
//	R5  1,000 at once at a limit of N: suite "exactly"; on three nodes: TestThreeNodes
//	R6  a burst around the edge of a window: TestNoDoubleWindow
//	R7  cost: suite "cost"
//	R8  one at 100 times its limit: exchange/exchangetest/bounds, TestOneAtAHundredTimes
//	R9  handshakes of a source: exchange/server
//	R10 replies out of order: TestRepliesOutOfOrder
//	R11 spoilt counts: TestSpoiltCounts
//	R12 TLS and ACL: TestRedisOfOneUserOverTLS

// The library dials again a second after it could not, and looks only then whether it was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

const day = 24 * time.Hour

func perMinute(n int64) Limit { return Limit{n, time.Minute} }

// TestConformance asks the same of every limiter.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(*testing.T) Limiter{
		"memory":              func(*testing.T) Limiter { return NewMemory(1000, nil) },
		"redis":               func(t *testing.T) Limiter { return openRedis(t, redistest.Start(t).Addr) },
		"redis by its socket": func(t *testing.T) Limiter { return openRedis(t, redistest.StartSocket(t)) },
		"fallback to redis": func(t *testing.T) Limiter {
			return NewFallback(FallbackConfig{Shared: openRedis(t, redistest.Start(t).Addr), Nodes: 3})
		},
		"fallback alone": func(t *testing.T) Limiter {
			return NewFallback(FallbackConfig{Shared: openRedis(t, "127.0.0.1:1"), Nodes: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			t.Cleanup(func() { _ = l.Close() })
			conform(t, l)
		})
	}
}

// openRedis opens a limiter that has all the time of a slow machine.
func openRedis(t testing.TB, addr string) *Redis {
	t.Helper()
	r, err := NewRedis(RedisConfig{Addresses: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	r.patient()
	return r
}

func conform(t *testing.T, l Limiter) {
	t.Run("exactly", func(t *testing.T) { exactly(t, 250, l) })
	t.Run("cost", func(t *testing.T) {
		c := Charge{Key: "recipients", Limit: perHour(10), Cost: 4}
		for i, want := range []State{{Fits: true, Remaining: 6}, {Fits: true, Remaining: 2}, {Remaining: 2}} {
			if got := take(t, l, "ee/cost", c); got.Fits != want.Fits || got.Remaining != want.Remaining {
				t.Errorf("charge %d: %+v, want %+v", i, got, want)
			}
		}
		c.Cost = 2
		if got := take(t, l, "ee/cost", c); !got.Fits || got.Remaining != 0 {
			t.Errorf("what remains: %+v", got)
		}
		if got := take(t, l, "ee/cost", c); got.Fits || got.Retry <= 11*time.Minute || got.Retry > 12*time.Minute || got.Reset <= 59*time.Minute || got.Reset > time.Hour {
			t.Errorf("two more come back in a fifth of the window: %+v", got)
		}
	})
	t.Run("all or none", func(t *testing.T) {
		small, big := Charge{Key: "unit", Limit: perHour(1), Cost: 1}, Charge{Key: "agency", Limit: perHour(10), Cost: 1}
		for i := range 5 {
			a, err := l.Take(t.Context(), "ee/all", []Charge{big, small})
			if err != nil || a.Fits() != (i == 0) || !a.States[0].Fits || a.States[0].Remaining != 9 {
				t.Fatalf("%d: %+v, %v", i, a, err)
			}
		}
	})
	t.Run("more than the quota waits for all of it", func(t *testing.T) {
		c := Charge{Key: "bytes", Limit: Limit{1000, day}, Cost: 5000}
		if got := take(t, l, "ee/large", c); !got.Fits || got.Remaining != 0 {
			t.Errorf("first: %+v", got)
		}
		if got := take(t, l, "ee/large", c); got.Fits || got.Retry <= day-time.Minute || got.Retry > day {
			t.Errorf("second: %+v", got)
		}
	})
	t.Run("nothing is asked", func(t *testing.T) {
		ask := Charge{Key: "penalty", Limit: perHour(2)}
		for range 5 {
			if got := take(t, l, "ee/ask", ask); !got.Fits || got.Remaining != 2 {
				t.Fatalf("%+v", got)
			}
		}
		owed := ask
		owed.Cost = 1
		for i := range 5 {
			a, err := l.Debit(t.Context(), "ee/ask", []Charge{owed})
			if err != nil || !a.Fits() || a.States[0].Remaining != max(0, int64(1-i)) {
				t.Fatalf("%d: %+v, %v", i, a, err)
			}
		}
		if got := take(t, l, "ee/ask", ask); got.Fits || got.Retry <= 29*time.Minute || got.Retry > 30*time.Minute {
			t.Errorf("who owes is refused, and never for longer than one takes to come back: %+v", got)
		}
	})
	t.Run("what is asked and does not fit holds back the rest", func(t *testing.T) {
		penalty, packages := Charge{Key: "penalty", Limit: perHour(1), Cost: 1}, Charge{Key: "packages", Limit: perHour(10), Cost: 4}
		take(t, l, "ee/penalty", penalty)
		penalty.Cost = 0
		for _, count := range []func(context.Context, string, []Charge) (Answer, error){l.Take, l.Debit} {
			a, err := count(t.Context(), "ee/penalty", []Charge{packages, penalty})
			if err != nil || a.Fits() || !a.States[0].Fits || a.States[1].Fits || a.States[1].Retry == 0 {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		packages.Cost = 0
		if got := take(t, l, "ee/penalty", packages); got.Remaining != 6 {
			t.Errorf("only the debit was taken: %+v", got)
		}
	})
	t.Run("nobody owes more than the quota", func(t *testing.T) {
		c := Charge{Key: "x", Limit: Limit{4, 400 * time.Millisecond}, Cost: 3}
		for range 3 {
			if a, err := l.Debit(t.Context(), "ee/owes", []Charge{c}); err != nil || !a.Fits() {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		c.Cost = 0
		got := take(t, l, "ee/owes", c)
		if !got.Fits {
			<-time.After(got.Retry)
			got = take(t, l, "ee/owes", c)
		}
		if !got.Fits {
			t.Errorf("%+v", got)
		}
	})
	t.Run("what is debited counts though it did not fit", func(t *testing.T) {
		c := Charge{Key: "x", Limit: perHour(10), Cost: 6}
		for range 2 {
			if _, err := l.Debit(t.Context(), "ee/debit", []Charge{c}); err != nil {
				t.Fatal(err)
			}
		}
		c.Cost = 1
		if got := take(t, l, "ee/debit", c); got.Fits || got.Remaining != 0 || got.Retry > 6*time.Minute {
			t.Errorf("%+v", got)
		}
	})
	t.Run("parties and keys are apart", func(t *testing.T) {
		for _, party := range []string{"ee/a", "ee/b", "ee/a/c"} {
			for _, key := range []string{"x", "y"} {
				if got := take(t, l, party, Charge{Key: key, Limit: perHour(1), Cost: 1}); !got.Fits {
					t.Errorf("%s %s: %+v", party, key, got)
				}
			}
		}
	})
	t.Run("a lower quota holds at once", func(t *testing.T) {
		c := Charge{Key: "x", Limit: perHour(100), Cost: 50}
		take(t, l, "ee/lower", c)
		c.Limit.Quota, c.Cost = 10, 1
		if got := take(t, l, "ee/lower", c); got.Fits || got.Retry > 6*time.Minute {
			t.Errorf("%+v", got)
		}
	})
	t.Run("it comes back", func(t *testing.T) {
		c := Charge{Key: "x", Limit: Limit{4, 200 * time.Millisecond}, Cost: 4}
		start := time.Now()
		take(t, l, "ee/back", c)
		for first := true; ; first = false {
			got := take(t, l, "ee/back", c)
			if got.Fits {
				if took := time.Since(start); !first && took < 199*time.Millisecond {
					t.Errorf("after %s", took)
				}
				return
			}
			if got.Retry <= 0 || got.Retry > c.Limit.Window {
				t.Fatalf("%+v", got)
			}
			<-time.After(got.Retry) // what it says is exact
		}
	})
	t.Run("what cannot be", func(t *testing.T) {
		for _, c := range []Charge{
			{Limit: perHour(1)}, {Key: "x"}, {Key: "x", Limit: perHour(1), Cost: -1}, {Key: "x", Limit: Limit{1, 0}},
			{Key: "x", Limit: Limit{-1, time.Hour}}, {Key: "x", Limit: Limit{MaxQuota + 1, time.Hour}}, {Key: "x", Limit: Limit{1, MaxWindow + 1}},
		} {
			if _, err := l.Take(t.Context(), "ee/bad", []Charge{c}); !errors.Is(err, ErrCharge) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if a, err := l.Take(t.Context(), "ee/bad", nil); err != nil || !a.Fits() {
			t.Errorf("nothing costs nothing: %+v, %v", a, err)
		}
	})
	t.Run("great numbers", func(t *testing.T) {
		c := Charge{Key: "x", Limit: Limit{MaxQuota, MaxWindow}, Cost: MaxQuota - 1}
		if got := take(t, l, "ee/great", c); !got.Fits || got.Remaining < 1 || got.Remaining > 2+MaxQuota/MaxWindow.Microseconds()*60e6 {
			t.Errorf("%+v", got)
		}
		if got := take(t, l, "ee/great", c); got.Fits {
			t.Errorf("%+v", got)
		}
	})
}

func perHour(n int64) Limit { return Limit{n, time.Hour} }

func take(t testing.TB, l Limiter, party string, c Charge) State {
	t.Helper()
	a, err := l.Take(t.Context(), party, []Charge{c})
	if err != nil {
		t.Fatal(err)
	}
	return a.States[0]
}

// exactly lets 1,000 at once at a limit: so many pass, spread over limiters.
func exactly(t *testing.T, limit int64, nodes ...Limiter) {
	t.Helper()
	var passed atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range 1000 {
		all.Go(func() {
			<-start
			a, err := nodes[i%len(nodes)].Take(context.Background(), "ee/race", []Charge{
				{Key: "packages", Limit: Limit{limit, MaxWindow}, Cost: 1}, {Key: fmt.Sprint("unit", i%2), Limit: Limit{1000, MaxWindow}, Cost: 1}})
			if err != nil {
				t.Error(err)
			}
			if a.Fits() {
				passed.Add(1)
			}
		})
	}
	close(start)
	all.Wait()
	if passed.Load() != limit {
		t.Errorf("%d passed at a limit of %d", passed.Load(), limit)
	}
}

// TestThreeNodes: nodes that share a Redis show one budget.
func TestThreeNodes(t *testing.T) {
	server := redistest.Start(t)
	var nodes []Limiter
	for range 3 {
		n := NewFallback(FallbackConfig{Shared: openRedis(t, server.Addr), Nodes: 3})
		t.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n)
	}
	exactly(t, 300, nodes...)
	for i, n := range nodes {
		if got := take(t, n, "ee/seen", Charge{Key: "x", Limit: perHour(10), Cost: 2}); got.Remaining != int64(8-2*i) {
			t.Errorf("node %d sees %+v", i, got)
		}
	}
}

// TestNoDoubleWindow: there is no edge at which two quotas pass at once, and
// what came back in between is all that passes.
func TestNoDoubleWindow(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for edge := range 60 {
		now := start
		m := NewMemory(100, func() time.Time { return now })
		passed := 0
		for _, at := range []time.Duration{time.Duration(edge) * time.Second, time.Duration(edge)*time.Second + 1500*time.Millisecond} {
			now = start.Add(at)
			for range 100 {
				if take(t, m, "ee", Charge{Key: "x", Limit: perMinute(60), Cost: 1}).Fits {
					passed++
				}
			}
		}
		if passed != 61 {
			t.Errorf("%d passed around second %d", passed, edge)
		}
	}
}

// TestClockJumps: a clock that jumps gives at most one quota, and takes
// nothing for longer than a window.
func TestClockJumps(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := NewMemory(100, func() time.Time { return now })
	c := Charge{Key: "x", Limit: perMinute(60), Cost: 60}
	take(t, m, "ee", c)
	now = now.Add(-time.Hour)
	if got := take(t, m, "ee", c); got.Fits || got.Retry > time.Minute {
		t.Errorf("an hour back: %+v", got)
	}
	c.Cost = 1
	now = now.Add(time.Second)
	// The first look after the jump found the old time ahead: only a charge
	// that is taken moves it, so that a debit is what tells.
	if _, err := m.Debit(t.Context(), "ee", []Charge{c}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Second)
	if got := take(t, m, "ee", c); !got.Fits {
		t.Errorf("time goes on from there: %+v", got)
	}
	now = now.Add(time.Hour)
	c.Cost = 60
	if got := take(t, m, "ee", c); !got.Fits || got.Remaining != 0 {
		t.Errorf("an hour ahead: %+v", got)
	}
	if got := take(t, m, "ee", c); got.Fits {
		t.Errorf("one quota, not more: %+v", got)
	}
}

// TestRedisClockSetBack: a count whose time is yet to come, as one is after the
// server's clock was set back, gives nothing back until then, and takes nothing
// more than what was used.
func TestRedisClockSetBack(t *testing.T) {
	server := redistest.Start(t)
	r := openRedis(t, server.Addr)
	t.Cleanup(func() { _ = r.Close() })
	c := Charge{Key: "x", Limit: perHour(10)}
	for _, ahead := range []time.Duration{time.Minute, 30 * time.Minute, 10 * time.Hour} {
		party := "ee/ahead-" + ahead.String()
		kept := fmt.Sprintf("liaison::2:{%s}:x", party)
		at := time.Now().Add(ahead).UnixMicro()
		if got := server.Do("SET " + kept + " " + stored(7, float64(at))); got != "+OK" {
			t.Fatal(got)
		}
		c.Cost = 0
		if got := take(t, r, party, c); !got.Fits || got.Remaining != 3 || got.Reset != 42*time.Minute {
			t.Errorf("%s ahead, asked: %+v", ahead, got)
		}
		c.Cost = 4
		if got := take(t, r, party, c); got.Fits || got.Remaining != 3 || got.Retry != 6*time.Minute {
			t.Errorf("%s ahead, more than was left: %+v", ahead, got)
		}
		c.Cost = 3
		if got := take(t, r, party, c); !got.Fits || got.Remaining != 0 || got.Reset != time.Hour {
			t.Errorf("%s ahead, what was left: %+v", ahead, got)
		}
		c.Cost = 1
		// What was taken counts from the time that is: it comes back from now on.
		if got := take(t, r, party, c); got.Fits || got.Retry > 6*time.Minute || got.Retry == 0 {
			t.Errorf("%s ahead, used up: %+v", ahead, got)
		}
	}
}

// TestMemoryIsBounded: as many parties as anybody likes are not as many counts,
// and who used most is not forgotten for them.
func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := NewMemory(3200, func() time.Time { return now })
	greedy := Charge{Key: "x", Limit: Limit{100, day}, Cost: 100}
	take(t, m, "ee/greedy", greedy)
	for i := range 20_000 {
		take(t, m, fmt.Sprint("source-", i), Charge{Key: "x", Limit: perMinute(100), Cost: 1})
	}
	if n := m.counts(); n > 3200 {
		t.Errorf("%d counts", n)
	}
	if take(t, m, "ee/greedy", greedy).Fits {
		t.Error("who used most was forgotten")
	}
	now = now.Add(2 * day)
	for i := range 5000 {
		take(t, m, fmt.Sprint("later-", i), Charge{Key: "x", Limit: perMinute(100), Cost: 1})
	}
	if n := m.counts(); n > 3200 {
		t.Errorf("%d counts", n)
	}
}
