package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/server"
	"github.com/liaison-exchange/liaison/exchange/store"
	"github.com/liaison-exchange/liaison/policy"
)

// patience is how long a test waits for what must come; it measures nothing.
const patience = 60 * time.Second

// small is a server with limits of a test's own, on the state of an exchange
// that was stopped.
type small struct {
	*wire
	server *server.Server
	gate   *certs.Gatekeeper
	log    *lines
}

// small starts such a server; the end of the test stops it.
func (w *wire) small(t *testing.T, limits server.Limits, wrap func(server.Exchange) server.Exchange) *small {
	t.Helper()
	cfg, err := w.World.NodeConfig()
	must(t, err)
	s := &small{wire: w.in(t), log: &lines{}}
	trust, err := s.trust(cfg)
	must(t, err)
	s.gate, err = certs.NewGatekeeper(trust, w.Clock.Now)
	must(t, err)
	registry, metrics := prometheus.NewRegistry(), server.NewMetrics()
	registry.MustRegister(metrics)
	s.server, err = server.New(server.Config{Exchange: wrap(s.domain(t, cfg)), Gatekeeper: s.gate, Limits: limits, Metrics: metrics, Gatherer: registry,
		Checks: []server.Check{{Name: "extra", Run: func(context.Context) error { return nil }}},
		Clock:  w.Clock.Now, Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(listener) }()
	t.Cleanup(func() {
		_ = s.server.Shutdown(context.Background()) // some tests leave requests hanging
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

func unwrapped(x server.Exchange) server.Exchange { return x }

// trust is what the stopped exchange's files say.
func (s *small) trust(cfg node.Config) (*certs.Trust, error) {
	return certs.TrustFiles{Anchors: cfg.Anchors, Operator: "exchange", Certificate: cfg.Certificate, Key: cfg.Key,
		Revocations: certs.RevocationConfig{Dir: cfg.Revocations}}.Load(nil, s.Clock.Now())
}

// domain opens the stopped exchange's state.
func (s *small) domain(t *testing.T, cfg node.Config) *exchange.Service {
	t.Helper()
	key, err := os.ReadFile(cfg.LedgerKey)
	must(t, err)
	signer, err := audit.NewSigner(strings.TrimSpace(string(key)))
	must(t, err)
	state, err := store.Open(t.Context(), store.Config{Dir: cfg.State})
	must(t, err)
	t.Cleanup(func() { must(t, state.Close()) })
	blobs, err := store.OpenBlobs(filepath.Join(cfg.State, "blobs"))
	must(t, err)
	journal, err := exchange.OpenJournal(t.Context(), exchange.JournalConfig{Store: state, Signer: signer, AnchorPath: cfg.LedgerKey + ".anchor",
		Clock: s.Clock.Now, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Errorf("journal: %v", err) }})
	must(t, err)
	t.Cleanup(func() { must(t, journal.Close()) })
	service, err := exchange.NewService(t.Context(), exchange.Config{Operator: cfg.Operator, Store: state, Blobs: blobs, Journal: journal,
		Policy: policy.NewEngine(policy.Config{Timeout: patience, AllowSamples: true, Clock: s.Clock.Now}),
		Trust:  s.gate.Trust, Clock: s.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	return service
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entryOf is the entry of a request, from the log of its caller's agency.
func (s *small) entryOf(r reply) audit.Entry {
	s.t.Helper()
	var found audit.Entry
	dpo := s.as("ee/pbgb", "dpo")
	consultation, after := dpo.consult(""), ""
	for {
		var page api.AuditPage
		dpo.get(api.RouteAuditEntries+"?limit=200"+after, api.HeaderConsultation, consultation).want(s.t, http.StatusOK).decode(s.t, &page)
		for _, item := range page.Items {
			raw, err := base64.RawURLEncoding.DecodeString(item.Entry)
			must(s.t, err)
			var e audit.Entry
			must(s.t, json.Unmarshal(raw, &e))
			if e.Request == r.header.Get(api.HeaderRequestID) {
				found = e
			}
		}
		if page.Next == "" {
			return found
		}
		after = "&after=" + page.Next
	}
}

// lines is a log that a test can wait for.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	wake []chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.wake {
		close(c)
	}
	l.wake = nil
	return l.text.Write(b)
}

// await waits until the log has a text.
func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		found, more := strings.Contains(l.text.String(), text), make(chan struct{})
		l.wake = append(l.wake, more)
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("the log never said %q", text)
		}
	}
}

// raw is one connection of HTTP/1.1, byte by byte.
type raw struct {
	*tls.Conn
	t testing.TB
	r *bufio.Reader
}

func (s *small) dial(t testing.TB, agency, role string) *raw {
	t.Helper()
	cfg := s.tlsOf(agency, role).Clone()
	cfg.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", s.address, cfg)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return s.over(t, conn)
}

func (s *small) over(t testing.TB, conn *tls.Conn) *raw {
	t.Helper()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	return &raw{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

// send writes lines as they are, each with CRLF, then what follows as it is.
func (c *raw) send(header []string, body string) {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, strings.Join(append(header, "", body), "\r\n"))
	must(c.t, err)
}

// answer reads one answer; ok is false if the connection ended instead.
func (c *raw) answer() (reply, bool) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("the server neither answered nor closed the connection")
		}
		return reply{}, false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(c.t, err)
	return reply{status: resp.StatusCode, header: resp.Header, body: body, proto: resp.Proto}, true
}

// continued reads the interim answer 100, which says that the handler reads
// the body now.
func (c *raw) continued() {
	c.t.Helper()
	if r, ok := c.answer(); !ok || r.status != http.StatusContinue {
		c.t.Fatalf("instead of 100: %d %s", r.status, r.body)
	}
}

// one is the only answer of a connection, which ends after it.
func (c *raw) one() reply {
	c.t.Helper()
	first, ok := c.answer()
	if !ok {
		c.t.Fatal("the connection ended without an answer")
	}
	if second, ok := c.answer(); ok {
		c.t.Errorf("after %d a second answer came: %d %s", first.status, second.status, second.body)
	}
	return first
}

// head is the header of a request with the lines that every one has.
func head(method, path string, lines ...string) []string {
	return append([]string{method + " " + path + " HTTP/1.1", "Host: localhost"}, lines...)
}

// consulting is a request that opens a consultation of the log.
func consulting(lines ...string) []string {
	return head(http.MethodPost, api.RouteConsultations, append([]string{"Content-Type: " + api.MediaJSON}, lines...)...)
}

const consultationBody = `{"officer":"d.po","justification":"` + theReason + `"}`

func hex(n int) string { return fmt.Sprintf("%x", n) }

func length(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
