package siem

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/liaison-exchange/liaison/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ledger is entries that are committed, more and more of them.
type ledger struct {
	mu   sync.Mutex
	rows []Row
}

func (l *ledger) add(t testing.TB, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		i := len(l.rows)
		e := audit.Entry{Owner: "ee/pbgb", Seq: uint64(i + 1), Prev: audit.FirstPrev, Exchange: "exchange.example/ledger", Time: "2026-11-22T08:00:00.000Z", Action: "package.send",
			Outcome: []string{"delivered", "refused"}[i%2], Officer: "CANARY", Justification: "CANARY"}
		if i > 0 {
			e.Prev = audit.Commitment{1}.String()
		}
		raw, err := e.Encode()
		must(t, err)
		l.rows = append(l.rows, Row{Index: int64(i), Owner: e.Owner, Seq: e.Seq, Entry: raw})
	}
}

func (l *ledger) read(_ context.Context, first int64, n int) ([]Row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows[min(int(first), len(l.rows)):min(int(first)+n, len(l.rows))]), nil
}

func (l *ledger) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.rows))
}

// running runs a feed of a ledger until stop is called.
func running(t testing.TB, l *ledger, cfg Config) (f *Feed, stop func()) {
	t.Helper()
	cfg.Read, cfg.Size, cfg.Poll, cfg.Retry, cfg.Log = l.read, l.size, time.Millisecond, 5*time.Millisecond, slog.New(slog.DiscardHandler)
	f, err := Open(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return f, stop
}

// comesTo waits until the feed has delivered all that there is.
func (f *Feed) comesTo(t testing.TB, n int64) {
	t.Helper()
	for ctx := t.Context(); ; wait(ctx, time.Millisecond) {
		f.mu.Lock()
		at := f.delivered
		f.mu.Unlock()
		if at >= n {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("delivered up to %d, not %d", at, n)
		}
	}
}

// indexes are those of lines, each of which must be whole.
func indexes(t testing.TB, lines [][]byte) (all []int64) {
	t.Helper()
	for _, line := range lines {
		var v event
		if err := json.Unmarshal(line, &v); err != nil {
			t.Errorf("line %q: %v", line, err)
			continue
		}
		if bytes.Contains(line, []byte("CANARY")) {
			t.Errorf("it says why: %s", line)
		}
		all = append(all, v.Index)
	}
	return all
}

// eachOnce fails if one of n is missing; more than once is allowed.
func eachOnce(t testing.TB, got []int64, n int64) {
	t.Helper()
	seen := map[int64]bool{}
	for _, i := range got {
		seen[i] = true
	}
	for i := range n {
		if !seen[i] {
			t.Errorf("entry %d is lost", i)
		}
	}
}

// TestFile: a file that is rotated, that ends in half a line, and that comes
// back after it could not be written has each entry.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, cursor := filepath.Join(dir, "out", "siem.jsonl"), filepath.Join(dir, "cursor")
	l := &ledger{}
	l.add(t, 10)
	f, stop := running(t, l, Config{File: path, Cursor: cursor, Batch: 3})
	for f.Status() == nil { // there is no directory
		wait(t.Context(), time.Millisecond)
	}
	if testutil.ToFloat64(only{f, failures.String()}) < 1 || testutil.ToFloat64(only{f, lagging.String()}) != 10 {
		t.Error("nobody is told that it waits")
	}
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	f.comesTo(t, 10)
	for f.Status() != nil {
		wait(t.Context(), time.Millisecond)
	}
	must(t, os.Rename(path, path+".1"))
	l.add(t, 5)
	f.comesTo(t, 15)
	stop()
	torn, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = torn.WriteString(`{"index":15,"own`)
	must(t, errors.Join(err, torn.Close()))
	l.add(t, 2)
	f, stop = running(t, l, Config{File: path, Cursor: cursor})
	f.comesTo(t, 17)
	stop()
	var lines [][]byte
	for _, name := range []string{path + ".1", path} {
		raw, err := os.ReadFile(name)
		must(t, err)
		lines = append(lines, bytes.Split(bytes.TrimSpace(raw), []byte("\n"))...)
	}
	lines = slices.DeleteFunc(lines, func(b []byte) bool { return string(b) == `{"index":15,"own` })
	if got := indexes(t, lines); len(got) != 17 || !slices.IsSorted(got) {
		t.Errorf("%d", got)
	}
}

// only is one metric of a feed.
type only struct {
	*Feed
	desc string
}

// TestCursorFollowsDelivery: what a crash between delivery and cursor, or
// within a delivery, leaves open comes again.
func TestCursorFollowsDelivery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := &ledger{}
	l.add(t, 9)
	f, err := Open(Config{File: filepath.Join(dir, "f"), Cursor: filepath.Join(dir, "cursor"), Read: l.read, Size: l.size, Batch: 4})
	must(t, err)
	taken := &flaky{fails: 3}
	f.sink = taken
	for f.next < 9 {
		at := f.next
		before, err := readCursor(f.cfg.Cursor)
		must(t, err)
		if _, err = f.round(t.Context()); err != nil && f.next != at {
			t.Errorf("the cursor moved from %d to %d though nothing was delivered", at, f.next)
		}
		if after, err2 := readCursor(f.cfg.Cursor); err2 != nil || err != nil && after != before {
			t.Errorf("the file moved from %d to %d, %v", before, after, err2)
		}
		again, err2 := Open(f.cfg) // a process that was killed there
		must(t, err2)
		if again.next != f.next {
			t.Errorf("after a crash it goes on at %d, not %d", again.next, f.next)
		}
	}
	eachOnce(t, indexes(t, taken.lines), 9)
	must(t, os.WriteFile(f.cfg.Cursor, []byte("-3\n"), 0o600))
	if _, err := Open(f.cfg); err == nil {
		t.Error("a cursor that is none is taken")
	}
}

// flaky takes half of what it gets, and fails, some times.
type flaky struct {
	fails int
	lines [][]byte
}

func (s *flaky) deliver(_ context.Context, lines []message) error {
	if s.fails > 0 {
		s.fails--
		return io.ErrShortWrite
	}
	for _, m := range lines {
		s.lines = append(s.lines, m.line)
	}
	return nil
}

// receiver is a syslog receiver over TLS that keeps what it was sent, and
// fails as it is told to.
type receiver struct {
	t     testing.TB
	tls   *tls.Config
	roots *x509.CertPool

	mu     sync.Mutex
	lines  [][]byte
	conns  int
	accept func(n int, c *tls.Conn) bool // false: it has dealt with the connection
	ln     net.Listener
	addr   string
	wait   sync.WaitGroup
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "receiver"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	r := &receiver{t: t, roots: x509.NewCertPool()}
	r.roots.AddCert(leaf)
	r.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: r.roots}
	r.listen()
	t.Cleanup(r.down)
	return r
}

func (r *receiver) listen() {
	r.t.Helper()
	at := r.addr
	if at == "" {
		at = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", at)
	must(r.t, err)
	r.ln, r.addr = ln, ln.Addr().String()
	r.wait.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			r.wait.Go(func() { r.serve(tls.Server(raw, r.tls)) })
		}
	})
}

// down closes the listener and waits for what is open.
func (r *receiver) down() {
	_ = r.ln.Close()
	r.wait.Wait()
}

func (r *receiver) serve(c *tls.Conn) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	r.mu.Lock()
	r.conns++
	n, accept := r.conns, r.accept
	r.mu.Unlock()
	if accept != nil && !accept(n, c) {
		return
	}
	in := bufio.NewReader(c)
	for {
		line, err := readFrame(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.lines = append(r.lines, line)
		r.mu.Unlock()
	}
}

// reset closes a connection so that its other end sees a reset.
func reset(c *tls.Conn) {
	_ = c.NetConn().(*net.TCPConn).SetLinger(0)
	_ = c.NetConn().Close()
}

var header = regexp.MustCompile(`^<(108|109)>1 2026-11-22T08:00:00\.000Z exchange\.example liaison - audit - (\{.*\})$`)

// readFrame reads one message, octet-counted, and returns its JSON.
func readFrame(in *bufio.Reader) ([]byte, error) {
	digits, err := in.ReadString(' ')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	m := header.FindSubmatch(b)
	if m == nil {
		return nil, fmt.Errorf("%q is no message", b)
	}
	if refused := bytes.Contains(m[2], []byte(`"refused"`)); refused != (string(m[1]) == "108") {
		return nil, fmt.Errorf("%q has another severity", b)
	}
	return m[2], nil
}

func (r *receiver) got() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

func (r *receiver) feed(dir string) Config {
	return Config{Cursor: filepath.Join(dir, "cursor"), Batch: 7,
		Syslog: &Syslog{Address: "tls://" + r.addr, Roots: r.roots, Certificate: &r.tls.Certificates[0], Host: "exchange.example"}}
}

// TestSyslog: each entry arrives, in messages as RFC 5424 and 5425 have them.
func TestSyslog(t *testing.T) {
	t.Parallel()
	r, l := newReceiver(t), &ledger{}
	l.add(t, 30)
	f, _ := running(t, l, r.feed(t.TempDir()))
	f.comesTo(t, 30)
	l.add(t, 1)
	f.comesTo(t, 31)
	if got := indexes(t, r.got()); len(got) != 31 || !slices.IsSorted(got) {
		t.Errorf("%d", got)
	}
	if err := f.Status(); err != nil {
		t.Error(err)
	}
}

// TestSyslogFaults: receivers that reset the connection within a frame, behind
// some, before they have read what the kernel took, and that are slow. Nothing
// is lost.
func TestSyslogFaults(t *testing.T) {
	t.Parallel()
	for name, accept := range map[string]func(r *receiver, n int, c *tls.Conn) bool{
		"reset within a frame": func(_ *receiver, n int, c *tls.Conn) bool {
			if n%3 != 0 {
				_, _ = io.ReadFull(c, make([]byte, 100+37*n))
				reset(c)
			}
			return n%3 == 0
		},
		"reset before it has read": func(_ *receiver, n int, c *tls.Conn) bool {
			if n%2 == 1 {
				reset(c)
			}
			return n%2 == 0
		},
		"reset behind some frames": func(r *receiver, n int, c *tls.Conn) bool {
			if n%4 == 0 {
				return true
			}
			in := bufio.NewReaderSize(c, 16)
			for range n % 4 {
				if line, err := readFrame(in); err == nil {
					r.mu.Lock()
					r.lines = append(r.lines, line)
					r.mu.Unlock()
				}
			}
			reset(c)
			return false
		},
		"reads slowly, then not at all": func(r *receiver, n int, c *tls.Conn) bool {
			if n%2 == 0 {
				return true
			}
			_, _ = io.ReadFull(iotest.OneByteReader(c), make([]byte, 700))
			reset(c)
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, l := newReceiver(t), &ledger{}
			r.accept = func(n int, c *tls.Conn) bool { return accept(r, n, c) }
			l.add(t, 40)
			f, _ := running(t, l, r.feed(t.TempDir()))
			f.comesTo(t, 40)
			eachOnce(t, indexes(t, r.got()), 40)
			if testutil.ToFloat64(only{f, failures.String()}) == 0 {
				t.Error("there was no fault")
			}
		})
	}
}

// TestSyslogIsAway: the receiver is down, comes, goes, and comes again at the
// same address; the process dies in between. The ledger goes on meanwhile.
func TestSyslogIsAway(t *testing.T) {
	t.Parallel()
	r, l, dir := newReceiver(t), &ledger{}, t.TempDir()
	r.down()
	l.add(t, 20)
	f, stop := running(t, l, r.feed(dir))
	for f.Status() == nil {
		wait(t.Context(), time.Millisecond)
	}
	l.add(t, 20)
	if err := f.Status(); err == nil || !strings.Contains(err.Error(), "entries wait since") {
		t.Errorf("%v", err)
	}
	stop()
	r.listen()
	f, stop = running(t, l, r.feed(dir))
	f.comesTo(t, 40)
	r.down()
	l.add(t, 5)
	for f.Status() == nil {
		wait(t.Context(), time.Millisecond)
	}
	r.listen()
	f.comesTo(t, 45)
	stop()
	eachOnce(t, indexes(t, r.got()), 45)
}

// TestSyslogIsAnother: what is not the receiver, and a receiver that does not
// know the exchange, get nothing.
func TestSyslogIsAnother(t *testing.T) {
	t.Parallel()
	r, other, l := newReceiver(t), newReceiver(t), &ledger{}
	l.add(t, 3)
	cfg := r.feed(t.TempDir())
	cfg.Syslog.Roots = other.roots
	f, _ := running(t, l, cfg)
	for f.Status() == nil {
		wait(t.Context(), time.Millisecond)
	}
	cfg = r.feed(t.TempDir())
	cfg.Syslog.Certificate = nil
	f, _ = running(t, l, cfg)
	for f.Status() == nil {
		wait(t.Context(), time.Millisecond)
	}
	if n := len(r.got()); n != 0 || f.next != 0 {
		t.Errorf("%d lines went out", n)
	}
	for _, address := range []string{"", "tcp://127.0.0.1:514", "tls://", "tls://h/x", "tls://u@h:1", "h:6514"} {
		if _, err := newSyslog(Syslog{Address: address, Roots: r.roots}); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

func (o only) Describe(ch chan<- *prometheus.Desc) { o.Feed.Describe(ch) }

// Collect gives the one metric.
func (o only) Collect(ch chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric, 8)
	o.Feed.Collect(all)
	close(all)
	for m := range all {
		if m.Desc().String() == o.desc {
			ch <- m
		}
	}
}
