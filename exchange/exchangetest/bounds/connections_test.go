package bounds

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// What a connection costs: the runtime's part of a socket and a goroutine's
// stack while nothing was said; a TLS state with its certificates and buffers;
// the buffers, tables and goroutines of HTTP/2.
const (
	ofSilence   = 24 << 10
	ofHandshake = 96 << 10
	ofHTTP1     = 128 << 10
	ofHTTP2     = 192 << 10
)

// TestConnections: whoever opens connections and does nothing useful with
// them costs what the caps say, gets cut off, and keeps nobody from working.
func TestConnections(t *testing.T) {
	s := besiege(t, nil, nil)
	for _, c := range []struct {
		name       string
		open       func(s *siege, i int) (net.Conn, error)
		most       int // at a time
		goroutines int // of each
		bytes      int64
		drips      bool
	}{
		{"silent", (*siege).silent, most().Handshakes.All, 1, ofSilence, false},
		{"silent, of one source", func(s *siege, _ int) (net.Conn, error) { return s.tcp(0) }, most().Handshakes.Each, 1, ofSilence, false},
		{"hello and silence", (*siege).hello, most().Handshakes.All, 1, ofHandshake, false},
		{"hello byte by byte", (*siege).beginning, most().Handshakes.All, 1, ofHandshake, true},
		{"idle before a request", func(s *siege, i int) (net.Conn, error) { return s.speak(i, "http/1.1") }, most().Connections.Each, 2, ofHTTP1, false},
		{"idle after a request", (*siege).asked, most().Connections.Each, 2, ofHTTP1, false},
		{"idle in HTTP/2", (*siege).quiet2, most().Connections.Each, 4, ofHTTP2, false},
		{"header byte by byte", (*siege).half, most().Connections.Each, 2, ofHTTP1, true},
		{"body byte by byte", (*siege).slowBody, most().Connections.Each, 3, ofHTTP1, true},
		{"body never, after Expect", (*siege).expecting, most().Connections.Each, 3, ofHTTP1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			conns := s.crowd(many(), func(i int) (net.Conn, error) { return c.open(s, i) })
			stop := func() {}
			if c.drips {
				stop = s.drip(conns)
			}
			s.work()
			s.holds(c.most*c.goroutines, int64(c.most)*c.bytes)
			s.ended(conns)
			stop()
			s.recovers()
		})
	}
	s.account()
}

func (s *siege) silent(i int) (net.Conn, error) { return s.tcp(i) }

// hello sends a whole ClientHello and waits for ever.
func (s *siege) hello(i int) (net.Conn, error) { return s.greet(i, func(b []byte) []byte { return b }) }

// beginning sends the first bytes of a ClientHello.
func (s *siege) beginning(i int) (net.Conn, error) {
	return s.greet(i, func(b []byte) []byte { return b[:50] })
}

func (s *siege) greet(i int, cut func([]byte) []byte) (net.Conn, error) {
	c, err := s.tcp(i)
	if err != nil {
		return nil, err
	}
	hello, err := clientHello()
	if err == nil {
		_, err = c.Write(cut(hello))
	}
	return c, err
}

// clientHello is what crypto/tls says first.
func clientHello() ([]byte, error) {
	ours, theirs := net.Pipe()
	go func() {
		_ = tls.Client(ours, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS13}).Handshake()
	}()
	defer theirs.Close()
	defer ours.Close()
	b := make([]byte, 16<<10)
	n, err := theirs.Read(b)
	return b[:n], err
}

// asked has had one answer.
func (s *siege) asked(i int) (net.Conn, error) {
	return s.say(i, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", api.RouteAgencies)
}

// half sends half a header.
func (s *siege) half(i int) (net.Conn, error) {
	return s.say(i, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", api.RouteAgencies)
}

// slowBody begins a body.
func (s *siege) slowBody(i int) (net.Conn, error) {
	return s.say(i, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 60000\r\n\r\n{", api.RouteConsultations, api.MediaJSON)
}

// expecting waits for 100, and goes on waiting.
func (s *siege) expecting(i int) (net.Conn, error) {
	return s.say(i, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s; boundary=b\r\nContent-Length: 60000\r\nExpect: 100-continue\r\n\r\n", api.RoutePackages, api.MediaForm)
}

func (s *siege) say(i int, format string, args ...any) (net.Conn, error) {
	c, err := s.speak(i, "http/1.1")
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(c, format, args...)
	return c, err
}

// quiet2 speaks HTTP/2 and asks nothing.
func (s *siege) quiet2(i int) (net.Conn, error) {
	c, err := s.speak(i, "h2")
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(c, preface)
	return c, err
}

// TestFlood: one source that opens connections as fast as it can, and drops
// them, shuts nobody out and leaves nothing.
func TestFlood(t *testing.T) {
	s := besiege(t, nil, nil).in(t)
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		tick := time.NewTicker(2 * time.Millisecond) // 500 a second
		defer tick.Stop()
		for {
			select {
			case <-stop:
				done <- n
				return
			case <-tick.C:
			}
			if c, err := s.tcp(0); err == nil {
				_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
				_ = c.Close()
				n++
			}
		}
	}()
	for range 3 {
		s.work()
	}
	close(stop)
	s.Attr("connections", fmt.Sprint(<-done))
	s.holds(most().Handshakes.Each, int64(most().Handshakes.Each)*ofHandshake)
	s.recovers()
	s.account()
}
