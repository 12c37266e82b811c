package ratelimit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/liaison-exchange/liaison/exchange/ratelimit/redistest"
)

// rig is a limiter over a Redis with a proxy before it.
type rig struct {
	t      *testing.T
	server *redistest.Server
	proxy  *redistest.Proxy
	*Fallback
	log *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newRig(t *testing.T, args ...string) *rig {
	t.Helper()
	r := &rig{t: t, server: redistest.Start(t, args...), log: &syncBuffer{}}
	r.proxy = redistest.Before(t, r.server.Addr)
	shared, err := NewRedis(RedisConfig{Addresses: []string{r.proxy.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	r.Fallback = NewFallback(FallbackConfig{Shared: shared, Nodes: 2, Probe: 20 * time.Millisecond, Log: slog.New(slog.NewTextHandler(r.log, nil))})
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestFaults: whatever becomes of the store, each charge is decided, by this
// node's share at worst, and when the store is back the nodes count together
// again, by themselves.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]struct {
		args    []string
		on, off func(r *rig)
	}{
		"refused":    {on: func(r *rig) { r.proxy.Set(redistest.Fault{Refuse: true}) }},
		"slow":       {on: func(r *rig) { r.proxy.Set(redistest.Fault{Delay: 5 * time.Second}) }},
		"half-open":  {on: func(r *rig) { r.proxy.Set(redistest.Fault{Silent: true}) }},
		"resets":     {on: func(r *rig) { r.proxy.Set(redistest.Fault{Reset: true}) }},
		"nonsense":   {on: func(r *rig) { r.proxy.Set(redistest.Fault{Answer: []byte("HTTP/1.1 200 OK\r\n\r\n")}) }},
		"yes to all": {on: func(r *rig) { r.proxy.Set(redistest.Fault{Answer: []byte("+OK\r\n")}) }},
		"a lie": {on: func(r *rig) {
			r.proxy.Set(redistest.Fault{Answer: []byte("$8\r\n\xc0\x14\x00\x00\x00\x00\x00\x00\r\n")})
		}},
		"loading": {on: func(r *rig) {
			r.proxy.Set(redistest.Fault{Answer: []byte("-LOADING Redis is loading the dataset in memory\r\n")})
		}},
		"moved": {on: func(r *rig) { r.proxy.Set(redistest.Fault{Answer: []byte("-MOVED 3999 127.0.0.1:1\r\n")}) }},
		"read-only": {
			on:  func(r *rig) { r.server.Do("REPLICAOF 127.0.0.1 1") },
			off: func(r *rig) { r.server.Do("REPLICAOF NO ONE") },
		},
		"full": {
			on:  func(r *rig) { r.server.Do("CONFIG SET maxmemory 1") },
			off: func(r *rig) { r.server.Do("CONFIG SET maxmemory 0") },
		},
		"not let in": {
			on: func(r *rig) {
				r.server.Do("ACL SETUSER default -evalsha -eval")
			},
			off: func(r *rig) { r.server.Do("ACL SETUSER default +@all") },
		},
		"stopped": {on: func(r *rig) { r.server.Stop() }, off: func(r *rig) { r.server.Continue() }},
		"killed":  {on: func(r *rig) { r.server.Down() }, off: func(r *rig) { r.server.Up() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, fault.args...)
			c := Charge{Key: "packages", Limit: Limit{10, MaxWindow}, Cost: 1, Share: true}
			shared := func() bool {
				a, err := r.Take(t.Context(), "warm", []Charge{c})
				if err != nil {
					t.Fatal(err)
				}
				return !a.Alone
			}
			redistest.Await(t, "counted together", shared)
			fault.on(r)
			redistest.Await(t, "counted alone", func() bool { return r.Status() != nil || !shared() && r.Status() != nil })
			passed := 0
			for range 20 {
				a, err := r.Take(t.Context(), "ee", []Charge{c})
				if err != nil || !a.Alone {
					t.Fatalf("%+v, %v", a, err)
				}
				if a.Fits() {
					passed++
				}
			}
			if passed != 5 {
				t.Errorf("%d of a share of 5 passed", passed)
			}
			if _, err := r.Debit(t.Context(), "ee", []Charge{c}); err != nil {
				t.Error(err)
			}
			if n := testutil.ToFloat64(r.alone); n != 1 || !strings.Contains(r.log.String(), "counts its share") {
				t.Errorf("metric %v, log %s", n, r.log)
			}
			if fault.off != nil {
				fault.off(r)
			} else {
				r.proxy.Set(redistest.Fault{})
			}
			redistest.Await(t, "counted together again", func() bool { return r.Status() == nil && shared() })
			if n := testutil.ToFloat64(r.alone); n != 0 || !strings.Contains(r.log.String(), "used again") {
				t.Errorf("metric %v, log %s", n, r.log)
			}
		})
	}
}

// TestOneFailureIsNotAnEnd: a single failure is decided here and the store is
// asked again.
func TestOneFailureIsNotAnEnd(t *testing.T) {
	proxy := redistest.Before(t, redistest.Start(t).Addr)
	f := NewFallback(FallbackConfig{Shared: openRedis(t, proxy.Addr), Nodes: 1, Probe: time.Hour})
	t.Cleanup(func() { _ = f.Close() })
	c := []Charge{{Key: "x", Limit: perHour(10), Cost: 1}}
	for i, fails := range []bool{false, true, true, false, true, true, false} {
		fault := redistest.Fault{}
		if fails {
			fault.Answer = []byte("-ERR once\r\n")
		}
		proxy.Set(fault)
		a, err := f.Take(t.Context(), "ee", c)
		if err != nil || a.Alone != fails || f.Status() != nil {
			t.Fatalf("%d: %+v, %v, %v", i, a, err, f.Status())
		}
	}
}

// TestSpoiltCounts: what somebody wrote over a count is not believed: it
// counts as used up, the node decides by itself, nobody else is touched, and
// it heals.
func TestSpoiltCounts(t *testing.T) {
	server := redistest.Start(t)
	f := NewFallback(FallbackConfig{Shared: openRedis(t, server.Addr), Nodes: 2, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _ = f.Close() })
	c := []Charge{{Key: "x", Limit: perHour(10), Cost: 1, Share: true}}
	for i, spoil := range []string{"SET %s much", "SET %s -5", `SET %s "-1.0 5"`, `SET %s "nan 1"`, `SET %s "1.0 1 1"`, "SET %s 0123456789abcde", "SET %s 0123456789abcdefg",
		"SET %s " + stored(-5, 1), "SET %s " + stored(1, -1), "SET %s " + stored(math.NaN(), 1), "SET %s " + stored(1, math.NaN()),
		"RPUSH %s 1 2", "HSET %s a b", "SADD %s a", "SET %s 0", "SETBIT %s 9 1"} {
		party := fmt.Sprint("ee/spoilt-", i)
		server.Do(fmt.Sprintf(spoil, "liaison::2:{"+party+"}:x"))
		a, err := f.Take(t.Context(), party, c)
		if err != nil || !a.Alone || !a.Fits() || a.States[0].Remaining != 4 {
			t.Errorf("%s: %+v, %v", spoil, a, err)
		}
		if a, err = f.Take(t.Context(), party, c); err != nil || a.Alone || a.Fits() || a.States[0].Retry > 6*time.Minute {
			t.Errorf("%s, again: %+v, %v", spoil, a, err)
		}
		if a, err = f.Take(t.Context(), "ee/other", c[:1]); err != nil || a.Alone {
			t.Errorf("another party: %+v, %v", a, err)
		}
	}
	// A level or a time beyond all bounds is a full count, not a hole.
	for i, count := range []string{stored(1e300, 1), stored(10, 1e300), stored(10, math.Inf(1)), stored(math.Inf(1), 1)} {
		party := fmt.Sprint("ee/beyond-", i)
		server.Do(fmt.Sprintf("SET liaison::2:{%s}:x %s", party, count))
		a, err := f.Take(t.Context(), party, c)
		if err != nil || a.Alone || i > 0 && a.Fits() {
			t.Errorf("%s: %+v, %v", count, a, err)
		}
	}
	if err := f.Status(); err != nil {
		t.Error(err)
	}
}

// stored is a count as it lies in Redis, in the form of its inline commands.
func stored(level, at float64) string {
	b := binary.BigEndian.AppendUint64(nil, math.Float64bits(level))
	var text strings.Builder
	for _, c := range binary.BigEndian.AppendUint64(b, math.Float64bits(at)) {
		fmt.Fprintf(&text, `\x%02x`, c)
	}
	return `"` + text.String() + `"`
}

// TestRedisKeysExpire: nothing is left of who comes no more, a window later.
func TestRedisKeysExpire(t *testing.T) {
	server := redistest.Start(t)
	r := openRedis(t, server.Addr)
	t.Cleanup(func() { _ = r.Close() })
	for _, c := range []Charge{{Key: "a", Limit: perMinute(60), Cost: 1}, {Key: "b", Limit: Limit{1000, day}, Cost: 1000}} {
		take(t, r, "ee", c)
	}
	for key, most := range map[string]time.Duration{"a": time.Minute + time.Millisecond, "b": day + time.Millisecond} {
		reply := server.Do("PTTL liaison::2:{ee}:" + key)
		ms, err := strconv.ParseInt(strings.TrimPrefix(reply, ":"), 10, 64)
		if lives := time.Duration(ms) * time.Millisecond; err != nil || ms == -1 || lives > most { // -2: it is gone already
			t.Errorf("%s lives for %s", key, reply)
		}
	}
}

// TestRepliesOutOfOrder: an answer that came too late for its call is never
// taken for that of another.
func TestRepliesOutOfOrder(t *testing.T) {
	r := newRig(t)
	full := Charge{Key: "x", Limit: Limit{1, MaxWindow}, Cost: 1}
	warm := func() bool { a, _ := r.Take(t.Context(), "warm", []Charge{full}); return !a.Alone }
	redistest.Await(t, "counted together", warm)
	var all sync.WaitGroup
	for round := range 40 {
		delay := time.Duration(round%4) * 8 * time.Millisecond // about the timeout: some answers come just too late
		r.proxy.Set(redistest.Fault{Delay: delay})
		for i := range 8 {
			all.Go(func() {
				// Each asks for a quota of its own, so that another's answer is told by its numbers.
				quota := int64(1000 + round*10 + i)
				a, err := r.Fallback.Take(context.Background(), fmt.Sprint("ee/", round, "-", i), []Charge{{Key: "x", Limit: Limit{quota, MaxWindow}, Cost: 1}})
				if err != nil || a.States[0].Remaining != quota-1 {
					t.Errorf("%d: %+v, %v", quota, a, err)
				}
			})
		}
		all.Wait()
	}
}

// TestRedisOfOneUserOverTLS: TLS, and a user who may do what limits need and
// nothing else.
func TestRedisOfOneUserOverTLS(t *testing.T) {
	dir, pool := certificate(t)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	server := redistest.Start(t, "--tls-port", port, "--tls-cert-file", filepath.Join(dir, "crt"), "--tls-key-file", filepath.Join(dir, "key"),
		"--tls-ca-cert-file", filepath.Join(dir, "crt"), "--tls-auth-clients", "no")
	for _, rule := range []string{"ACL SETUSER liaison on >secret ~liaison:* +evalsha +eval +get +set +time +ping +hello", "ACL SETUSER default off"} {
		if got := server.Do(rule); got != "+OK" {
			t.Fatalf("%s: %s", rule, got)
		}
	}
	for _, c := range []struct {
		name string
		cfg  RedisConfig
		ok   bool
	}{
		{"as it should be", RedisConfig{User: "liaison", Password: "secret", TLS: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}}, true},
		{"a wrong password", RedisConfig{User: "liaison", Password: "guess", TLS: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}}, false},
		{"nobody", RedisConfig{TLS: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}}, false},
		{"another authority", RedisConfig{User: "liaison", Password: "secret", TLS: &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}}, false},
		{"another name", RedisConfig{User: "liaison", Password: "secret", TLS: &tls.Config{RootCAs: pool, ServerName: "elsewhere"}}, false},
	} {
		c.cfg.Addresses = []string{"127.0.0.1:" + port}
		r, err := NewRedis(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.patient()
		a, err := r.Take(t.Context(), "ee", []Charge{{Key: "x", Limit: perHour(10), Cost: 1}})
		if (err == nil && a.Fits()) != c.ok {
			t.Errorf("%s: %+v, %v", c.name, a, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has the password: %v", c.name, err)
		}
		_ = r.Close()
	}
}

// certificate writes a server's certificate and key.
func certificate(t *testing.T) (dir string, pool *x509.CertPool) {
	t.Helper()
	dir = t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(leaf)
	return dir, pool
}

// TestRedisConfig: what cannot be is said at the start.
func TestRedisConfig(t *testing.T) {
	for _, cfg := range []RedisConfig{
		{}, {Addresses: []string{"a:1", "b:1"}}, {Addresses: []string{"a:1"}, Cluster: true, Sentinel: "m"}, {Addresses: []string{"a:1"}, Cluster: true, Database: 1},
	} {
		if r, err := NewRedis(cfg); err == nil {
			_ = r.Close()
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestCluster: counts of one party lie in one slot, so that a cluster takes
// them together.
func TestCluster(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	if got := server.Do("CLUSTER ADDSLOTSRANGE 0 16383"); got != "+OK" {
		t.Fatal(got)
	}
	redistest.Await(t, "the cluster is up", func() bool { return server.Do("SET liaison:x 1") == "+OK" })
	r, err := NewRedis(RedisConfig{Addresses: []string{server.Addr}, Cluster: true})
	if err != nil {
		t.Fatal(err)
	}
	r.patient()
	t.Cleanup(func() { _ = r.Close() })
	exactly(t, 100, r)
}

// TestSentinel: the master is whom the sentinels name.
func TestSentinel(t *testing.T) {
	server := redistest.Start(t)
	host, port, _ := net.SplitHostPort(server.Addr)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "sentinel monitor limits %s %s 1\n", host, port), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := redistest.StartSentinel(t, conf)
	r, err := NewRedis(RedisConfig{Addresses: []string{sentinel.Addr}, Sentinel: "limits"})
	if err != nil {
		t.Fatal(err)
	}
	r.patient()
	t.Cleanup(func() { _ = r.Close() })
	exactly(t, 100, r)
}

// FuzzParseReply: an answer is refused or within its limit.
func FuzzParseReply(f *testing.F) {
	for _, levels := range []string{"", "OK", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x40\x14\x00\x00\x00\x00\x00\x00", "\xc0\x14\x00\x00\x00\x00\x00\x00", "\x7f\xf8\x00\x00\x00\x00\x00\x00", "\x7f\xf0\x00\x00\x00\x00\x00\x00", "sixteen are two."} {
		f.Add(levels, int64(10), int64(3), false)
		f.Add(levels, int64(5), int64(1<<62), true)
	}
	f.Fuzz(func(t *testing.T, levels string, quota, cost int64, debit bool) {
		c := []Charge{{Key: "x", Limit: Limit{quota, time.Hour}, Cost: cost}}
		if check(c) != nil {
			return
		}
		a, err := parseReply(levels, c, debit)
		if err != nil {
			return
		}
		s := a.States[0]
		if s.Remaining < 0 || s.Remaining > quota || s.Retry < 0 || s.Retry > time.Hour+time.Microsecond || s.Reset < 0 || s.Reset > time.Hour+time.Microsecond || s.Fits != (s.Retry == 0) {
			t.Fatalf("%+v of %d", s, quota)
		}
	})
}

// TestReplyOfAnotherKind: only the script's form is an answer.
func TestReplyOfAnotherKind(t *testing.T) {
	one := []Charge{{Key: "x", Limit: perHour(10), Cost: 1}}
	for _, reply := range []any{nil, int64(1), 1.5, true, []any{int64(1), int64(5), int64(0), int64(0)}, "OK", strings.Repeat("\x00", 16)} {
		if a, err := parseReply(reply, one, false); !errors.Is(err, ErrReply) {
			t.Errorf("%v: %+v, %v", reply, a, err)
		}
	}
	if a, err := parseReply(strings.Repeat("\x00", 8), one, false); err != nil || !a.Fits() || a.States[0].Remaining != 9 {
		t.Errorf("%+v, %v", a, err)
	}
}

// asked are the limits that calls are held against: a read, a package before
// anything of it is read, and what it costs by what its sender signed.
var asked = []struct {
	call    string
	charges []Charge
}{
	{"read", []Charge{{Key: "reads", Limit: perMinute(1 << 40), Cost: 1}}},
	{"package", []Charge{{Key: "packages", Limit: perMinute(1 << 40), Cost: 1}, {Key: "packages-of-unit:ee/pbgb/unit/desk", Limit: perMinute(1 << 40), Cost: 1},
		{Key: "bad-signatures:ee/pbgb/unit/desk", Limit: perMinute(300)}}},
	{"cost", []Charge{{Key: "recipients", Limit: perMinute(1 << 40), Cost: 2}, {Key: "bytes", Limit: Limit{1 << 50, day}, Cost: 100_000}}},
}

func BenchmarkMemory(b *testing.B) {
	m := NewMemory(1000, nil)
	for _, a := range asked {
		b.Run(a.call, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = m.Take(b.Context(), "ee/pbgb", a.charges)
			}
		})
	}
}

// BenchmarkRedis reports medians, as an answer that the scheduler delays is
// not what Redis takes: of each kind of call, and of a bare round trip. They
// take turns, so that a slow moment of the machine is one of all.
func BenchmarkRedis(b *testing.B) {
	const turn = 100
	for name, open := range map[string]func() string{
		"tcp":    func() string { return redistest.Start(b).Addr },
		"socket": func() string { return redistest.StartSocket(b) },
	} {
		b.Run(name, func(b *testing.B) {
			r := openRedis(b, open())
			defer r.Close()
			took := map[string][]time.Duration{}
			timed := func(call string, do func() error) {
				for range turn {
					began := time.Now()
					if err := do(); err != nil {
						b.Fatal(err)
					}
					took[call] = append(took[call], time.Since(began))
				}
			}
			for b.Loop() {
				for _, a := range asked {
					timed(a.call, func() error { _, err := r.Take(b.Context(), "ee/pbgb", a.charges); return err })
				}
				timed("ping", func() error { return r.client.Ping(b.Context()).Err() })
			}
			for call, all := range took {
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1000, "us-p50-"+call)
			}
			b.ReportMetric(0, "ns/op") // an op is a turn of each
		})
	}
}
