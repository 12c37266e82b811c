package server

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// arrive lets somebody come to a crowd.
func arrive(c *crowd, d *door, holder string) (*guest, bool) {
	ours, _ := net.Pipe()
	g := &guest{Conn: ours, door: d}
	return g, g.join(c, holder)
}

func newTestCrowd(s Share) (*crowd, *door) {
	return newCrowd(s, prometheus.NewGauge(prometheus.GaugeOpts{})), &door{metrics: NewMetrics()}
}

func (g *guest) gone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Who has most gives way, with its oldest; never to somebody who has as much.
func TestCrowdGivesWay(t *testing.T) {
	c, d := newTestCrowd(Share{All: 6, Each: 4})
	var greedy []*guest
	for i := range 5 {
		g, ok := arrive(c, d, "greedy")
		if ok != (i < 4) {
			t.Fatalf("guest %d of one holder: %v", i, ok)
		}
		greedy = append(greedy, g)
	}
	for i := range 5 {
		if _, ok := arrive(c, d, fmt.Sprint("modest ", i)); !ok {
			t.Fatalf("modest %d was not let in", i)
		}
	}
	for i, want := range []bool{true, true, true, false} {
		if greedy[i].gone() != want {
			t.Errorf("guest %d of the greedy is gone: %v", i, greedy[i].gone())
		}
	}
	if _, ok := arrive(c, d, "modest 0"); ok {
		t.Error("who has as much as everybody took from another")
	}
	newest, ok := arrive(c, d, "a newcomer")
	if !ok || !greedy[3].gone() || newest.gone() {
		t.Error("among equals the one who waits longest gives way")
	}
	if c.all != 6 {
		t.Errorf("%d in a crowd of 6", c.all)
	}
}

// Moving from one crowd to another counts once, and closing counts out.
func TestCrowdCounts(t *testing.T) {
	strangers, d := newTestCrowd(Share{All: 1, Each: 1})
	known, _ := newTestCrowd(Share{All: 1, Each: 1})
	a, _ := arrive(strangers, d, "here")
	if !a.join(known, "ee/pbgb unit") || strangers.all != 0 || known.all != 1 {
		t.Fatalf("%d strangers, %d known", strangers.all, known.all)
	}
	b, ok := arrive(strangers, d, "here")
	if !ok || b.join(known, "ee/pbgb unit") {
		t.Error("an identity has more than its share")
	}
	for _, g := range []*guest{a, a, b, b} {
		_ = g.Close()
	}
	if strangers.all != 0 || known.all != 0 || len(strangers.of) != 0 || len(known.of) != 0 {
		t.Errorf("left: %v %v", strangers.of, known.of)
	}
	if a.join(known, "ee/pbgb unit") {
		t.Error("a closed connection was let in")
	}
	known.close()
	if _, ok := arrive(known, d, "lv/vp unit"); ok {
		t.Error("somebody came after the end")
	}
}

// Many come and go at once, and make each other give way.
func TestCrowdAtOnce(t *testing.T) {
	c, d := newTestCrowd(Share{All: 8, Each: 3})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 100 {
				if g, ok := arrive(c, d, fmt.Sprint(i%16)); ok {
					_ = g.Close()
				}
			}
		})
	}
	wg.Wait()
	if c.all != 0 || len(c.of) != 0 {
		t.Errorf("%d are left", c.all)
	}
}

func TestSource(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:4711": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::/64", "[2001:db8:1:2:ffff::1]:443": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		if got := source(address(addr)); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if got := source(address("a socket file")); got != "a socket file" {
		t.Errorf("%s", got)
	}
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// No holder takes what is there for all, and what is given back is there.
func TestPlaces(t *testing.T) {
	p := newPlaces(Share{All: 3, Each: 2})
	for i, want := range []bool{true, true, false} {
		if p.take("ee/pbgb") != want {
			t.Errorf("place %d: not %v", i, want)
		}
	}
	if !p.take("lv/vp") || p.take("ua/npu") {
		t.Error("the third place is there for another, the fourth for nobody")
	}
	for _, holder := range []string{"ee/pbgb", "ee/pbgb", "lv/vp"} {
		p.give(holder)
	}
	if p.all != 0 || len(p.held) != 0 {
		t.Errorf("%d left, %v", p.all, p.held)
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	l := Limits{Requests: Share{All: 2}, Uploads: Share{All: 10, Each: 9}}.WithDefaults()
	for name, got := range map[string][2]Share{
		"all of few": {l.Requests, {2, 1}}, "said": {l.Uploads, {10, 9}}, "default": {l.Connections, {4096, 1024}},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
}
