package server_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/server"
)

// A request for another host is not for this server, whoever brings it here.
func testHosts(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST": 200, "localhost:1": 200, "127.0.0.1": 200, s.address: 200, "[::1]:443": 200, "[::1]": 200,
		"exchange": 421, "localhost.": 200, "127.0.0.2": 421, "": 421, "localhost.example": 421, "[::2]": 421,
	} {
		c := s.dial(t, "ee/pbgb", "dpo")
		c.send([]string{"GET " + api.RouteAgencies + " HTTP/1.1", "Host: " + host}, "")
		if r, _ := c.answer(); r.status != want {
			t.Errorf("Host %q: %d, want %d: %s", host, r.status, want, r.body)
		}
	}
	for name, want := range map[string]int{"localhost": 200, "console.example": 421} {
		cfg := s.tlsOf("ee/pbgb", "dpo").Clone()
		cfg.ServerName, cfg.NextProtos = name, []string{"http/1.1"}
		cfg.InsecureSkipVerify, cfg.VerifyConnection = true, nil // a client that looks for another server
		conn, err := tls.Dial("tcp", s.address, cfg)
		must(t, err)
		defer conn.Close()
		c := s.over(t, conn)
		c.send(head(http.MethodGet, api.RouteAgencies), "")
		if r, _ := c.answer(); r.status != want {
			t.Errorf("SNI %q: %d, want %d", name, r.status, want)
		}
	}
}

// held begins an upload and leaves it.
func (s *small) held(t *testing.T, agency string) *raw {
	t.Helper()
	c := s.dial(t, agency, "unit")
	c.send(head(http.MethodPost, api.RoutePackages, "Content-Type: "+api.MediaForm+"; boundary=b", length(100), "Expect: 100-continue"), "")
	c.continued()
	return c
}

// One agency cannot take the places of all.
func testShares(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Uploads: server.Share{All: 3, Each: 2}, Requests: server.Share{All: 5, Each: 3}}, unwrapped)
	ee, lv := s.plain("ee/pbgb", "unit"), s.plain("lv/vp", "unit")
	s.held(t, "ee/pbgb")
	last := s.held(t, "ee/pbgb")
	form := []string{"Content-Type", api.MediaForm + "; boundary=b"}
	ee.do(http.MethodPost, api.RoutePackages, []byte("x"), form...).want(t, http.StatusServiceUnavailable)
	lv.do(http.MethodPost, api.RoutePackages, []byte("x"), form...).want(t, http.StatusBadRequest)
	ee.get(api.RouteAgencies).want(t, http.StatusOK)
	dpo := s.dial(t, "ee/pbgb", "dpo") // of the same agency: the same share
	dpo.send(consulting(length(len(consultationBody)), "Expect: 100-continue"), "")
	dpo.continued()
	ee.get(api.RouteAgencies).want(t, http.StatusServiceUnavailable)
	lv.get(api.RouteAgencies).want(t, http.StatusOK)
	must(t, last.Close())
	s.log.await(t, "body-broken")
	ee.get(api.RouteAgencies).want(t, http.StatusOK)
}

// What takes much memory has few places; what takes little goes on.
func testLarge(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Large: server.Share{All: 2, Each: 1}}, decided(t))
	sealed := w.Sealed(demo.EEtoLV)
	a := form(t, part{api.PartManifest, api.MediaJOSE, string(sealed.Manifest)}, part{api.PartStatement, api.MediaJOSE, string(sealed.Statement)},
		part{api.PartContent, api.MediaJOSEJSON, strings.Repeat("x", 600<<10)})
	cut := len(a.body) - 200<<10 // net/http would wait for a small rest before it answers
	answers := make(chan reply, 2)
	var slow [2]*raw
	for i := range slow {
		slow[i] = s.dial(t, "ee/pbgb", "unit")
		slow[i].send(head(http.MethodPost, api.RoutePackages, "Content-Type: "+a.headers[1], length(len(a.body))), string(a.body[:cut]))
		go func() {
			r, _ := slow[i].answer()
			answers <- r
		}()
	}
	if r := <-answers; r.problem() != "unavailable" || r.header.Get("Retry-After") != "1" {
		t.Errorf("the second large package: %d %s", r.status, r.body)
	}
	s.plain("ee/pbgb", "unit").get(api.RoutePackages).want(t, http.StatusOK)
	for _, c := range slow {
		_, _ = c.Write(a.body[cut:]) // one of them was refused
	}
	if r := <-answers; r.problem() != "envelope-malformed" {
		t.Errorf("the first large package: %d %s", r.status, r.body)
	}
	if r := s.plain("ee/pbgb", "unit").ask(a); r.problem() != "envelope-malformed" {
		t.Errorf("the place was not given back: %d %s", r.status, r.body)
	}
}

// ended waits for the server to close a connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was left open")
	}
}

// tcp connects and says nothing, from a source address.
func (s *small) tcp(t *testing.T, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", s.address)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A source with many half handshakes gets no more of them; another one does.
func testSourceOfHandshakes(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Handshakes: server.Share{All: 4, Each: 3}}, unwrapped)
	var first net.Conn
	for i := range 3 {
		c := s.tcp(t, "127.0.0.9")
		if i == 0 {
			first = c
		}
	}
	ended(t, s.tcp(t, "127.0.0.9"))
	for range 3 {
		s.as("ee/pbgb", "unit").get(api.RouteAgencies).want(t, http.StatusOK)
	}
	s.tcp(t, "127.0.0.10")
	s.tcp(t, "127.0.0.11") // takes the place of the oldest of who has most
	ended(t, first)
	s.as("ee/pbgb", "unit").get(api.RouteAgencies).want(t, http.StatusOK)
	if m := s.admin(api.RouteMetrics).Body.String(); !strings.Contains(m, `refused_total{reason="source"} 1`) || !strings.Contains(m, `refused_total{reason="crowded"}`) {
		t.Error(m)
	}
}

// A handshake has its time, whether it says nothing or trickles.
func testHandshakeTime(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Header: 300 * time.Millisecond}, unwrapped)
	ended(t, s.tcp(t, "127.0.0.1"))
	trickling := s.tcp(t, "127.0.0.1")
	go func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
			if _, err := trickling.Write([]byte{22, 3, 1, 2, 0}[:1]); err != nil {
				return
			}
		}
	}()
	ended(t, trickling)
}

// An identity has so many connections, whichever names it gives itself;
// another one of the same agency has its own.
func testConnectionsOfAnIdentity(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Connections: server.Share{All: 8, Each: 2}}, unwrapped)
	for range 2 {
		c := s.dial(t, "ee/pbgb", "unit")
		c.send(head(http.MethodGet, api.RouteAgencies), "")
		if r, _ := c.answer(); r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	another := s.tlsOf("ee/pbgb", "unit").Clone()
	pair := w.Identity("ee/pbgb", "unit", "another")
	another.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	conn, err := tls.Dial("tcp", s.address, another)
	must(t, err)
	defer conn.Close()
	ended(t, conn)
	s.as("ee/pbgb", "dpo").get(api.RouteAgencies).want(t, http.StatusOK)
	s.as("lv/vp", "unit").get(api.RouteAgencies).want(t, http.StatusOK)
	s.log.await(t, "an identity has too many connections")
}

// Who sends much and asks for nothing is cut off, in HTTP/2; who asks now and
// then is not.
func testChatter(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	conn := s.h2(t, "ee/pbgb", "unit")
	ping := bytes.Repeat([]byte("\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01"), 1000) // WINDOW_UPDATE by one
	go func() {
		for range 1000 {
			if _, err := conn.Write(ping); err != nil {
				return
			}
		}
	}()
	ended(t, conn)
	if m := s.admin(api.RouteMetrics).Body.String(); !strings.Contains(m, `refused_total{reason="chatter"} 1`) {
		t.Error(m)
	}
	large := s.as("ee/pbgb", "unit")
	for range 10 { // of the same connection, each with a body that is not read
		large.do(http.MethodPost, api.RouteConsultations, make([]byte, 900<<10), "Content-Type", "text/plain").want(t, http.StatusUnsupportedMediaType)
	}
}

// h2 is a connection that has begun to speak HTTP/2.
func (s *small) h2(t *testing.T, agency, role string) *tls.Conn {
	t.Helper()
	cfg := s.tlsOf(agency, role).Clone()
	cfg.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", s.address, cfg)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	must(t, err)
	return conn
}
