package main

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
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// fedWorld is a world whose exchange tells a security monitor.
func fedWorld(t *testing.T, s *node.SIEM) *demo.World {
	t.Helper()
	w, err := demo.Build(demo.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := w.NodeConfig()
	if err == nil {
		cfg.SIEM = s
		err = node.WriteConfig(filepath.Join(w.Dir, demo.ConfigFile), cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// feedSeen is what a receiver was told, and whether that is as it must be:
// lines of one delivery follow each other, and none begins behind a gap.
type feedSeen struct {
	testing.TB
	mu    sync.Mutex
	next  int64         // all below were told; guarded by mu
	times map[int64]int // how often; guarded by mu
	last  map[string]int64
}

func newFeedSeen(t testing.TB) *feedSeen {
	return &feedSeen{TB: t, times: map[int64]int{}, last: map[string]int64{}}
}

// line notes a line of a delivery.
func (f *feedSeen) line(delivery string, raw []byte) {
	var v struct{ Index int64 }
	if err := json.Unmarshal(raw, &v); err != nil {
		f.Errorf("%s: %v", raw, err)
		return
	}
	if bytes.Contains(raw, []byte("joint investigation")) || bytes.Contains(raw, []byte("officer")) {
		f.Errorf("it says why: %s", raw)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, begun := f.last[delivery]; begun && v.Index != last+1 {
		f.Errorf("delivery %s: %d after %d", delivery, v.Index, last)
	}
	if v.Index > f.next {
		f.Errorf("delivery %s: %d is told before %d", delivery, v.Index, f.next)
	}
	f.last[delivery] = v.Index
	f.next = max(f.next, v.Index+1)
	f.times[v.Index]++
}

func (f *feedSeen) told() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// account: all of the ledger was told, and some of it again.
func (f *feedSeen) account(size int64) {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range size {
		if f.times[i] == 0 {
			f.Errorf("entry %d of %d is lost", i, size)
		}
	}
}

// repeats is how many lines were told that had been told before.
func (f *feedSeen) repeats() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, times := range f.times {
		n += times - 1
	}
	f.Logf("%d entries told, %d of them again", len(f.times), n)
	return n
}

// prepared is a load on a world whose exchange ran once, and was killed.
func prepared(t *testing.T, w *demo.World) *crashLoad {
	t.Helper()
	load := &crashLoad{t: t, world: w, receipts: map[string][]string{}}
	p := startServer(t, w)
	load.prepare()
	p.Kill()
	return load
}

// work posts until it is told to stop, also to a server that has died.
func (l *crashLoad) work(stop <-chan struct{}) {
	l.t.Helper()
	cfg := profileConfig(l.t, l.world, "ee/pbgb", certs.RoleUnit)
	c := newClient(l.t, l.world, "ee/pbgb", certs.RoleUnit)
	for {
		select {
		case <-stop:
			return
		default:
			l.post(context.Background(), c, l.take(cfg))
		}
	}
}

// ledgerSize is how many entries the ledger of a running exchange has.
func ledgerSize(t *testing.T, w *demo.World) int64 {
	t.Helper()
	head, err := newClient(t, w, "ee/pbgb", certs.RoleDPO).Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head.Size
}

// TestSyslogFeedKilled kills the real program in the midst of what it tells a
// receiver over TLS, again and again: every entry arrives, in the order of the
// ledger, some more than once.
func TestSyslogFeedKilled(t *testing.T) {
	r := newSyslogReceiver(t)
	w := fedWorld(t, &node.SIEM{Syslog: "tls://" + r.ln.Addr().String(), Roots: r.roots})
	load := prepared(t, w)
	var p *exchangetest.Process
	for _, frames := range []int64{7, 1, 23} { // how many it may tell in this life
		died := make(chan struct{})
		starts := make(chan struct{})
		r.onFrame(frames, func() {
			<-starts
			p.Kill()
			close(died)
		})
		p = startServer(t, w)
		close(starts)
		working := sync.WaitGroup{}
		working.Go(func() { load.work(died) }) // what is recorded meanwhile
		<-died
		working.Wait()
	}
	r.onFrame(0, nil)
	p = startServer(t, w)
	defer p.Kill()
	stop := make(chan struct{})
	time.AfterFunc(100*time.Millisecond, func() { close(stop) })
	load.work(stop)
	size := ledgerSize(t, w)
	for r.seen.told() < size {
		p.Metrics() // and not a loop that takes the machine
		if t.Context().Err() != nil {
			t.Fatal("the test's time is over")
		}
	}
	r.seen.account(size)
	if repeats := r.seen.repeats(); repeats == 0 {
		t.Error("nothing was told again: nothing was killed within a delivery")
	}
}

// syslogReceiver takes RFC 5424 messages over TLS, octet-counted (RFC 5425).
type syslogReceiver struct {
	testing.TB
	ln    net.Listener
	roots string // file
	seen  *feedSeen

	mu   sync.Mutex
	left int64 // frames until then is called; guarded by mu
	then func()
}

func newSyslogReceiver(t testing.TB) *syslogReceiver {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "receiver"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	r := &syslogReceiver{TB: t, roots: filepath.Join(t.TempDir(), "roots.pem"), seen: newFeedSeen(t)}
	if err := os.WriteFile(r.roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	r.ln, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			conn, err := r.ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { r.serve(conn, fmt.Sprint("connection ", n)) })
		}
	})
	t.Cleanup(func() {
		_ = r.ln.Close()
		all.Wait()
	})
	return r
}

// onFrame calls f after so many frames.
func (r *syslogReceiver) onFrame(n int64, f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left, r.then = n, f
}

// serve reads whole frames until the other side ends; what a crash cut off is
// none.
func (r *syslogReceiver) serve(conn net.Conn, name string) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16) // so that it takes little of what is sent
	for {
		digits, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(digits))
		if err != nil {
			r.Errorf("%q is no length", digits)
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(in, frame); err != nil {
			return
		}
		at := bytes.IndexByte(frame, '{')
		if at < 0 || !bytes.HasPrefix(frame, []byte("<10")) || !bytes.Contains(frame[:at], []byte(" liaison - audit - ")) {
			r.Errorf("%q is no message", frame)
			return
		}
		r.seen.line(name, frame[at:])
		r.mu.Lock()
		then := r.then
		if r.left--; r.left == 0 && then != nil {
			r.then = nil
		} else {
			then = nil
		}
		r.mu.Unlock()
		if then != nil {
			then()
		}
	}
}

// TestFileFeedKilled does the same with a file: the program is killed at random
// moments, and when lines are in the file and the cursor could not be written.
func TestFileFeedKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "siem.jsonl")
	w := fedWorld(t, &node.SIEM{File: path})
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	load := prepared(t, w)
	cfg, err := w.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(cfg.State, "siem.cursor.new")
	for range 2 {
		if err := os.Mkdir(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		before := size()
		p := startServer(t, w)
		load.post(t.Context(), newClient(t, w, "ee/pbgb", certs.RoleUnit), load.take(profileConfig(t, w, "ee/pbgb", certs.RoleUnit)))
		for size() == before && t.Context().Err() == nil {
			p.Metrics() // and not a loop that takes the machine
		}
		p.Kill()
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		load.round(startServer(t, w), time.Duration(20+mrand.IntN(400))*time.Millisecond)
	}
	p := startServer(t, w)
	defer p.Kill()
	entries := ledgerSize(t, w)
	for {
		seen := newFeedSeen(t)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		delivery := 0
		for line := range bytes.Lines(raw) {
			if !bytes.HasSuffix(line, []byte("}\n")) {
				delivery++ // cut off by a crash: the entry comes again
				continue
			}
			var v struct{ Index int64 }
			if json.Unmarshal(line, &v) == nil && v.Index < seen.next {
				delivery++
			}
			seen.line(strconv.Itoa(delivery), line)
		}
		if seen.next >= entries {
			seen.account(entries)
			if seen.repeats() == 0 {
				t.Error("nothing was told again: nothing was killed within a delivery")
			}
			return
		}
		p.Metrics()
	}
}
