package bounds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/loadtest"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// TestLoadUnderAttack: units that work lose nothing while others attack, at
// fixed rates: every package that was answered is found, none is refused, and
// no log has a gap. Latencies are reported, not asserted.
func TestLoadUnderAttack(t *testing.T) {
	s := besiege(t, func(c *node.Config) {
		c.Limits = node.Limits{Agencies: map[string]map[string]node.Rate{worker: unlimited()}}
	}, nil)
	s.load("alone")
	a := s.attack(s.attacks())
	s.load("under attack")
	a.end()
	attacks := 0
	for what, n := range a.done {
		t.Logf("attack: %s: %d", what, n.Load())
		attacks += int(n.Load())
		if n.Load() == 0 {
			t.Errorf("no attack of %s was made", what)
		}
	}
	t.Attr("attacks", strconv.Itoa(attacks))
	s.work()
	s.account()
}

// TestOneAtAHundredTimes: an agency that posts at a hundred times its limit is
// refused for nearly all of it, and nobody else for anything (row R8).
// Latencies are reported, not asserted: run it alone.
func TestOneAtAHundredTimes(t *testing.T) {
	const limit = 60 // a minute
	s := besiege(t, func(c *node.Config) {
		c.Limits = node.Limits{Agencies: map[string]map[string]node.Rate{
			worker: unlimited(), "it/dcpc": {exchange.LimitPackages: {Quota: limit, Window: node.Duration(time.Minute)}}}}
	}, nil)
	dcpc := &http.Client{Transport: &http.Transport{TLSClientConfig: s.identity("it/dcpc", certs.RoleUnit), ForceAttemptHTTP2: true}}
	t.Cleanup(dcpc.CloseIdleConnections)
	sealed := s.sealed()
	media, form := exchangetest.Form([]exchangetest.Part{{Name: api.PartManifest, Media: api.MediaJOSE, Body: sealed.Manifest},
		{Name: api.PartStatement, Media: api.MediaJOSE, Body: sealed.Statement}, {Name: api.PartContent, Media: api.MediaJOSEJSON, Body: sealed.Content}})
	posts, refused := 0, s.Metrics()[`liaison_http_limited_total{limit="packages"}`]
	most := 0 // may pass: the quota, and what comes back of it
	for range torture.Size(1, 3) {
		s.load("alone", "--rate", "50")
		begun := time.Now()
		a := s.attack(map[string]flow{"a hundred times the limit": {100 * limit / 60, func(a *attack, _ int) { a.ask(dcpc, http.MethodPost, api.RoutePackages, media, form) }}})
		s.load("beside one", "--rate", "50")
		hundred := a.done["a hundred times the limit"]
		s.await("it has posted three times its limit", func() (string, bool) { return strconv.FormatInt(hundred.Load(), 10), hundred.Load() > 3*limit })
		a.end()
		posts += int(hundred.Load())
		most += limit + int(time.Since(begun)*limit/time.Minute) + 1
	}
	refused = s.Metrics()[`liaison_http_limited_total{limit="packages"}`] - refused
	if passed := posts - int(refused); refused == 0 || passed > most {
		t.Errorf("%d of %d posts passed the limit of %d a minute: %d at most", passed, posts, limit, most)
	}
	s.account()
}

// worker is the agency that posts while others attack.
const worker = "ee/pbgb"

// unlimited are limits that no load of a test reaches.
func unlimited() map[string]node.Rate {
	most := node.Rate{Quota: 10_000_000, Window: node.Duration(time.Minute)}
	return map[string]node.Rate{exchange.LimitPackages: most, exchange.LimitUnitPackages: most, exchange.LimitRecipients: most, exchange.LimitReads: most}
}

// load runs `liaison loadtest` as a unit of the worker.
func (s *siege) load(how string, flags ...string) {
	s.Helper()
	cpu := s.Metrics()["process_cpu_seconds_total"]
	begun := time.Now()
	out, err := s.liaison(append([]string{"loadtest", "--json", "--profile", s.world.Profile(worker, certs.RoleUnit), "--clients", "16",
		"--packages", strconv.Itoa(torture.Size(200, 5000)), "--duration", "5m", "--admin", "http://" + s.Admin}, flags...)...)
	if err != nil {
		s.Fatalf("%s: %v", how, err)
	}
	var r loadtest.Result
	if err := json.Unmarshal(out, &r); err != nil {
		s.Fatalf("%s: %v", out, err)
	}
	if r.Posted == 0 || r.Accepted != r.Posted || r.Found != r.Accepted || r.Gaps != 0 || len(r.Refused) > 0 || len(r.LostOrLied) > 0 {
		s.Errorf("%s: %+v", how, r)
	}
	s.Logf("%s: %d packages, %.0f/s, p50 %.1f ms, p99 %.1f ms; server used %.1f s CPU in %.1f s", how, r.Accepted, r.PerSecond, r.P50, r.P99,
		s.Metrics()["process_cpu_seconds_total"]-cpu, time.Since(begun).Seconds())
	s.Attr("packages-"+strings.ReplaceAll(how, " ", "-"), strconv.Itoa(r.Accepted))
}

// attack is hostile traffic that goes on until its end.
type attack struct {
	*siege
	stop  chan struct{}
	wg    sync.WaitGroup
	done  map[string]*atomic.Int64
	begun time.Time
	cpu   time.Duration
}

// flow is one kind of attack, so many times a second.
type flow struct {
	rate int
	do   func(a *attack, i int)
}

// attack begins.
func (s *siege) attack(flows map[string]flow) *attack {
	s.Helper()
	a := &attack{siege: s, stop: make(chan struct{}), done: map[string]*atomic.Int64{}, begun: time.Now(), cpu: ownCPU()}
	for what, f := range flows {
		n := &atomic.Int64{}
		a.done[what] = n
		a.Logf("attack: %s, %d a second", what, f.rate)
		a.wg.Go(func() { a.repeat(f.rate, n, f.do) })
	}
	return a
}

// attacks are all kinds. What they are together is small beside what an
// unbounded attacker could do, and is the same on every machine.
func (s *siege) attacks() map[string]flow {
	s.Helper()
	sealed := s.sealed()
	mia := &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls, ForceAttemptHTTP2: true}}
	dcpc := &http.Client{Transport: &http.Transport{TLSClientConfig: s.identity("it/dcpc", certs.RoleUnit), ForceAttemptHTTP2: true}}
	s.Cleanup(func() { mia.CloseIdleConnections(); dcpc.CloseIdleConnections() })
	good := []exchangetest.Part{{Name: api.PartManifest, Media: api.MediaJOSE, Body: sealed.Manifest},
		{Name: api.PartStatement, Media: api.MediaJOSE, Body: sealed.Statement}, {Name: api.PartContent, Media: api.MediaJOSEJSON, Body: sealed.Content}}
	post := func(a *attack, c *http.Client, parts []exchangetest.Part) {
		media, form := exchangetest.Form(parts)
		a.ask(c, http.MethodPost, api.RoutePackages, media, form)
	}
	with := func(n int, b []byte) []exchangetest.Part {
		parts := append([]exchangetest.Part{}, good...)
		parts[n].Body = b
		return parts
	}
	last := len(sealed.Manifest) - 20
	forged := append(append(bytes.Clone(sealed.Manifest[:last]), "AAAAAAAA"...), sealed.Manifest[last+8:]...)
	return map[string]flow{
		"malformed posts":       {20, func(a *attack, _ int) { post(a, mia, with(0, []byte("not.a.jws"))) }},
		"bad signatures":        {20, func(a *attack, _ int) { post(a, dcpc, with(0, forged)) }},
		"packages of others":    {20, func(a *attack, _ int) { post(a, mia, good) }},
		"oversized bodies":      {4, func(a *attack, _ int) { post(a, dcpc, with(1, make([]byte, mib))) }},
		"unknown paths":         {20, func(a *attack, i int) { a.ask(mia, http.MethodGet, fmt.Sprintf("/v1/packages/%d", i), "", nil) }},
		"connections of nobody": {40, func(a *attack, i int) { a.hold(s.tcp(i)) }},
		"greetings of nobody":   {20, func(a *attack, i int) { a.hold(s.hello(i)) }},
		"slow headers":          {5, func(a *attack, i int) { a.hold(s.half(i)) }},
		"slow bodies":           {5, func(a *attack, i int) { a.hold(s.slowBody(i)) }},
		"floods of pings": {2, func(a *attack, i int) {
			a.hold(s.flood(i, strings.Repeat(frame(framePing, 0, 0, "12345678"), 4000), nil))
		}},
	}
}

// repeat does something at a rate; what takes longer slows it down.
func (a *attack) repeat(rate int, n *atomic.Int64, do func(a *attack, i int)) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-a.stop:
			return
		case <-tick.C:
			do(a, i)
			n.Add(1)
		}
	}
}

// ask sends a request that must not succeed.
func (a *attack) ask(c *http.Client, method, path, media string, body []byte) {
	req, err := http.NewRequestWithContext(a.Context(), method, "https://"+a.Addr+path, bytes.NewReader(body))
	if err != nil {
		a.Error(err)
		return
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := c.Do(req)
	if err != nil {
		return // cut off
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode < 400 {
		a.Errorf("%s %s: %d", method, path, resp.StatusCode)
	}
}

// hold keeps a connection until the attack ends.
func (a *attack) hold(c net.Conn, err error) {
	if err != nil {
		return
	}
	a.wg.Go(func() {
		<-a.stop
		hangUp([]net.Conn{c})
	})
}

func (a *attack) end() {
	close(a.stop)
	a.wg.Wait()
	took := time.Since(a.begun)
	a.Logf("attack: %.1f s, in which this process used %.1f s CPU", took.Seconds(), (ownCPU() - a.cpu).Seconds())
}

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestFewDescriptors: a server that may open few files refuses, goes on, and
// recovers (row E7 of the attack catalogue).
func TestFewDescriptors(t *testing.T) {
	s := besiege(t, func(c *node.Config) { c.Limits.Connections.Each = 0; c.Limits.Handshakes.Each = 0 }, fewFiles).in(t)
	conns := s.crowd(300, s.silent)
	more := s.crowd(100, func(i int) (net.Conn, error) { return s.speak(i, "http/1.1") })
	if n := s.Files(); n > 64 {
		t.Errorf("%d descriptors of 64", n)
	}
	s.work()
	s.ended(append(conns, more...))
	s.recovers()
	s.account()
}
