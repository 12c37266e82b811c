package authority_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/certs/certstest"
	"github.com/liaison-exchange/liaison/cmd/liaison/authority"
)

const desk = "spiffe://ee/pbgb/unit/desk-1"

// clock is the time of the service and of those who renew.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is an authority that serves, and a pair of files that it issued.
type world struct {
	t       *testing.T
	clock   *clock
	log     *logs
	office  *certs.Office
	service *authority.Service
	url     string
	cert    string
	key     string
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: &clock{now: time.Now().Truncate(time.Second)}, log: &logs{}}
	var err error
	w.office, err = certs.FoundOffice(filepath.Join(t.TempDir(), "ca"), "ee", w.clock.Now, certs.CALifetime)
	must(t, err)
	w.service, err = authority.New(authority.Config{Office: w.office, Hosts: []string{"127.0.0.1"}, Clock: w.clock.Now, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.service.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	w.url = "https://" + l.Addr().String()
	dir := t.TempDir()
	w.cert, w.key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	leaf, key := w.issue(desk)
	must(t, certs.ReplaceKeyPair(w.cert, w.key, []*x509.Certificate{leaf}, key))
	return w
}

func (w *world) issue(id string) (*x509.Certificate, crypto.Signer) {
	w.t.Helper()
	key, err := certs.GenerateKey()
	must(w.t, err)
	csr, err := certs.NewCSR(id, key)
	must(w.t, err)
	leaf, err := w.office.Issue(csr, certs.LeafValidity)
	must(w.t, err)
	return leaf, key
}

func (w *world) renewer() *authority.Renewer {
	return &authority.Renewer{CertFile: w.cert, KeyFile: w.key, URL: w.url, Anchors: []*x509.Certificate{w.office.Certificate()}, Clock: w.clock.Now,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), First: time.Millisecond, Tries: 3}
}

func (w *world) pair() tls.Certificate {
	w.t.Helper()
	pair, err := certs.LoadKeyPair(w.cert, w.key)
	must(w.t, err)
	return pair
}

func TestRenew(t *testing.T) {
	w := newWorld(t)
	before := w.pair()
	leaf, err := w.renewer().Once(t.Context())
	must(t, err)
	after := w.pair()
	if !after.Leaf.Equal(leaf) || after.Leaf.Equal(before.Leaf) || certs.SPKISHA256(after.Leaf) == certs.SPKISHA256(before.Leaf) {
		t.Error("not another pair with another key")
	}
	if _, err := w.renewer().Once(t.Context()); err != nil {
		t.Errorf("with the renewed certificate: %v", err)
	}
	issued, err := w.office.Issued()
	must(t, err)
	if last := issued[len(issued)-1]; last.Identity != desk || last.Renews != leaf.SerialNumber.Text(16) {
		t.Errorf("on record: %+v", last)
	}
	if !strings.Contains(w.log.String(), "identity="+desk) {
		t.Errorf("the log does not say who renewed:\n%s", w.log)
	}
}

// keeps fails unless renewing was refused, and the files are what they were.
func (w *world) keeps(what string, r *authority.Renewer, want func(error) bool) {
	w.t.Helper()
	before := w.pair()
	if _, err := r.Once(w.t.Context()); err == nil || !want(err) {
		w.t.Errorf("%s: %v", what, err)
	}
	if !w.pair().Leaf.Equal(before.Leaf) {
		w.t.Errorf("%s: the pair was replaced", what)
	}
}

func check(want certs.Check) func(error) bool {
	return func(err error) bool { return certs.Failed(err) == want }
}

func isRefused(err error) bool {
	var refused *authority.RefusedError
	return errors.As(err, &refused)
}

func TestRenewRefused(t *testing.T) {
	w := newWorld(t)
	p := certstest.NewAt(t, w.clock.Now)
	stranger := w.renewer()
	stranger.Anchors = []*x509.Certificate{p.CA("ee").Certificate()}
	w.keeps("a service that the own anchors do not vouch for", stranger, check(certs.CheckChain))

	elsewhere := w.renewer()
	elsewhere.URL = "https://127.0.0.1:1"
	w.keeps("a service that is not there", elsewhere, func(err error) bool { return !isRefused(err) && certs.Failed(err) == "" })

	must(t, w.office.RevokeCertificate(w.pair().Leaf))
	w.keeps("a revoked certificate", w.renewer(), check(certs.CheckRefused))

	leaf, key := w.issue(desk)
	must(t, certs.ReplaceKeyPair(w.cert, w.key, []*x509.Certificate{leaf}, key))
	w.clock.advance(certs.LeafValidity + time.Hour)
	must(t, w.service.Maintain(t.Context()))
	w.keeps("an expired certificate", w.renewer(), isRefused)
}

// call posts to the service with any certificate, as no client of ours would.
func (w *world) call(pair tls.Certificate, method, path string, body []byte) (status int, text string, err error) {
	w.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(w.office.Certificate())
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, Time: w.clock.Now}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, bytes.NewReader(body))
	must(w.t, err)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

func pairOf(leaf *x509.Certificate, key crypto.Signer) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// Who gets in: a client certificate of this very authority; who gets what: the next one of the same identity.
func TestServiceHostile(t *testing.T) {
	w := newWorld(t)
	p := certstest.NewAt(t, w.clock.Now)
	csr := func(id string) []byte {
		key, err := certs.GenerateKey()
		must(t, err)
		data, err := certs.NewCSR(id, key)
		must(t, err)
		return data
	}
	signKey, signer := w.issue("spiffe://ee/pbgb/key/sig/desk-1")
	caLeaf := w.office.Certificate()
	revoked, revokedKey := w.issue(desk)
	must(t, w.office.RevokeCertificate(revoked))
	for name, pair := range map[string]tls.Certificate{
		"no certificate": {}, "the certificate of a key": pairOf(signKey, signer), "the authority's, without its key": pairOf(caLeaf, signer),
		"revoked": pairOf(revoked, revokedKey), "an authority of its name": p.Client("ee/pbgb", certs.RoleUnit, "desk-1"),
		"another jurisdiction": p.Client("lv/vp", certs.RoleUnit, "desk-1"), "self-signed": p.Client("ee/pbgb", certs.RoleUnit, "desk-1", certstest.SelfSigned()),
	} {
		if status, text, err := w.call(pair, http.MethodPost, authority.PathRenew, csr(desk)); err == nil {
			t.Errorf("%s: let in: %d %s", name, status, text)
		}
	}
	issued, err := w.office.Issued()
	must(t, err)
	good := w.pair()
	for name, c := range map[string]struct {
		method, path string
		body         []byte
		want         int
	}{
		"another name":     {"POST", "/renew", csr("spiffe://ee/pbgb/unit/desk-2"), 422},
		"another role":     {"POST", "/renew", csr("spiffe://ee/pbgb/operator/desk-1"), 422},
		"a key":            {"POST", "/renew", csr("spiffe://ee/pbgb/key/sig/desk-1"), 422},
		"nothing":          {"POST", "/renew", nil, 422},
		"two requests":     {"POST", "/renew", append(csr(desk), csr(desk)...), 422},
		"a large request":  {"POST", "/renew", bytes.Repeat([]byte("x"), 1<<20), 413},
		"another method":   {"GET", "/renew", nil, 405},
		"another path":     {"POST", "/issue", csr(desk), 404},
		"the list, posted": {"POST", "/crl", nil, 405},
		"a path above":     {"GET", "/../ca.key", nil, 404},
	} {
		status, text, err := w.call(good, c.method, c.path, c.body)
		if err != nil || status != c.want || strings.Contains(text, "CERTIFICATE-") {
			t.Errorf("%s: %d %s %v, want %d", name, status, text, err, c.want)
		}
	}
	after, err := w.office.Issued()
	must(t, err)
	if len(after) != len(issued) {
		t.Errorf("%d certificates were issued", len(after)-len(issued))
	}
	if status, text, err := w.call(good, "GET", authority.PathCRL, nil); err != nil || status != 200 || !strings.Contains(text, "X509 CRL") {
		t.Errorf("the list: %d %s %v", status, text, err)
	}
}

// A connection outlives its certificate, its requests do not.
func TestServiceOnLiveConnection(t *testing.T) {
	w := newWorld(t)
	roots := x509.NewCertPool()
	roots.AddCert(w.office.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{w.pair()}, Time: w.clock.Now}}
	defer transport.CloseIdleConnections()
	get := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+authority.PathCRL, nil)
		must(t, err)
		response, err := transport.RoundTrip(request)
		must(t, err)
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		must(t, err)
		return response.StatusCode
	}
	if got := get(); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	must(t, w.office.RevokeCertificate(w.pair().Leaf))
	if got := get(); got != http.StatusForbidden {
		t.Errorf("after: %d", got)
	}
	if text := w.log.String(); !strings.Contains(text, "check=revoked") {
		t.Errorf("the log has no reason:\n%s", text)
	}
}

// The daemon renews at two thirds of each life, later by no more than a twentieth, and goes on when the service was away.
func TestRun(t *testing.T) {
	w := newWorld(t)
	r := w.renewer()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var leaves []*x509.Certificate
	away := true
	r.URL = "https://127.0.0.1:1"
	r.Wait = func(ctx context.Context, d time.Duration) error {
		leaf := w.pair().Leaf
		w.clock.advance(d)
		must(t, w.service.Maintain(ctx))
		if d == time.Hour { // the pause after a failure
			away, r.URL = false, w.url
			return nil
		}
		due, now := certs.RenewAt(leaf), w.clock.Now()
		if !away && (now.Before(due) || now.After(due.Add(leaf.NotAfter.Sub(leaf.NotBefore)/20))) && d > 0 {
			t.Errorf("renewed at %v, due at %v", now, due)
		}
		leaves = append(leaves, leaf)
		if len(leaves) == 5 {
			stop()
			return ctx.Err()
		}
		return nil
	}
	must(t, r.Run(ctx))
	if away || len(leaves) != 5 || leaves[4].Equal(leaves[1]) {
		t.Errorf("%d rounds", len(leaves))
	}
	must(t, w.office.RevokeCertificate(w.pair().Leaf))
	r.Wait = func(_ context.Context, d time.Duration) error { w.clock.advance(d); return nil }
	if err := r.Run(t.Context()); certs.Failed(err) != certs.CheckRefused {
		t.Errorf("a refusal for good: %v", err)
	}
}

// What is due: the list at half of its time and after a revocation, the service's own certificate, a warning once a day.
func TestMaintain(t *testing.T) {
	w := newWorld(t)
	number := func() string {
		list, err := w.office.CRL()
		must(t, err)
		return list.Number.String()
	}
	first := number()
	must(t, w.service.Maintain(t.Context()))
	if number() != first {
		t.Error("a new list though none was due")
	}
	must(t, w.office.RevokeCertificate(w.pair().Leaf))
	must(t, w.service.Maintain(t.Context()))
	second := number()
	if second == first {
		t.Error("no new list after a revocation")
	}
	w.clock.advance(certs.CRLValidity/2 + time.Minute)
	must(t, w.service.Maintain(t.Context()))
	if number() == second {
		t.Error("no new list at half of its time")
	}
	w.clock.advance(certs.CALifetime - 90*24*time.Hour)
	for range 3 {
		must(t, w.service.Maintain(t.Context()))
	}
	if n := strings.Count(w.log.String(), "the authority ends soon"); n != 1 {
		t.Errorf("warned %d times in a day", n)
	}
	leaf, key := w.issue(desk)
	must(t, certs.ReplaceKeyPair(w.cert, w.key, []*x509.Certificate{leaf}, key))
	if _, err := w.renewer().Once(t.Context()); err != nil {
		t.Errorf("the service's own certificate was not renewed: %v", err)
	}
}
