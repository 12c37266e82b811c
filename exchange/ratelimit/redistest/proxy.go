package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Fault is what a Proxy does to those who connect.
type Fault struct {
	Refuse bool          // new connections are closed at once
	Reset  bool          // with a reset, and those that are open too
	Silent bool          // what comes is taken, and nothing is answered
	Delay  time.Duration // of each piece of an answer
	Answer []byte        // instead of each answer
}

// Proxy stands between a Redis and who uses it.
type Proxy struct {
	Addr string
	to   string
	l    net.Listener

	mu    sync.Mutex
	fault Fault
	conns map[net.Conn]bool
	done  sync.WaitGroup
}

// Before puts a proxy before an address until the test ends.
func Before(t testing.TB, to string) *Proxy {
	t.Helper()
	l := listen(t)
	p := &Proxy{Addr: l.Addr().String(), to: to, l: l, conns: map[net.Conn]bool{}}
	p.done.Go(p.run)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(false)
		p.done.Wait()
	})
	return p
}

// Set makes the fault the present one; connections that are open stay, but
// for Refuse and Reset.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	p.fault = f
	p.mu.Unlock()
	if f.Refuse || f.Reset {
		p.cut(f.Reset)
	}
}

func (p *Proxy) now() Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

func (p *Proxy) cut(reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		drop(c, reset)
	}
}

func drop(c net.Conn, reset bool) {
	if tcp, ok := c.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) run() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		if f := p.now(); f.Refuse || f.Reset {
			drop(c, f.Reset)
			continue
		}
		p.done.Go(func() { p.carry(c) })
	}
}

// keep notes an open connection, which ends when the proxy does.
func (p *Proxy) keep(c net.Conn) func() {
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		_ = c.Close()
	}
}

func (p *Proxy) carry(c net.Conn) {
	defer p.keep(c)()
	s, err := dial(p.to)
	if err != nil {
		return
	}
	defer p.keep(s)()
	p.done.Go(func() {
		_, _ = io.Copy(s, c)
		_ = s.Close()
	})
	b := make([]byte, 32<<10)
	for {
		n, err := s.Read(b)
		if err != nil {
			return
		}
		f := p.now()
		if f.Silent {
			continue
		}
		if f.Delay > 0 {
			<-time.After(f.Delay) // the fault itself
		}
		out := b[:n]
		if f.Answer != nil {
			out = f.Answer
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}
