package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/liaison-exchange/liaison/certs"
)

// What a connection may send without getting anywhere, in bytes. A request
// that begins, and a byte of a body or an answer that passes, is getting
// somewhere; pings, settings, priorities, empty frames and key updates are not.
const (
	maxHello   = 128 << 10 // until the handshake is done: five certificates of 16 KiB, and the rest
	maxChatter = 2 << 20   // between: a body that nobody reads may have 1 MiB on its way (HTTP/2's window)
)

// errChatter ends a connection.
var errChatter = errors.New("the client sends much and asks for nothing")

// guest is a connection that stands in one crowd at a time, until it closes.
type guest struct {
	net.Conn
	door   *door
	number uint64 // in the order of coming; the crowd's

	// Of a connection that has done its handshake.
	peer     certs.Peer
	tls      *tls.ConnectionState
	admitted bool                   // its agency was, when it came
	cut      atomic.Pointer[string] // why it was cut off; nil: it was not

	most int64        // of chatter
	said atomic.Int64 // since it last got somewhere

	mu     sync.Mutex
	crowd  *crowd // where it stands; nil: nowhere
	holder string
	closed bool
}

// join puts the guest into a crowd, out of the one where it was.
func (g *guest) join(c *crowd, holder string) bool {
	gaveWay, ok := g.move(c, holder)
	if gaveWay != nil {
		g.door.refused(refusedCrowded)
		_ = gaveWay.Close()
	}
	return ok
}

func (g *guest) move(c *crowd, holder string) (gaveWay *guest, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	if gaveWay, ok = c.enter(holder, g); !ok {
		return nil, false
	}
	if g.crowd != nil {
		g.crowd.leave(g.holder, g)
	}
	g.crowd, g.holder = c, holder
	return gaveWay, true
}

// Close leaves the crowd and closes the connection.
func (g *guest) Close() error {
	g.mu.Lock()
	if g.crowd != nil {
		g.crowd.leave(g.holder, g)
	}
	g.crowd, g.closed = nil, true
	g.mu.Unlock()
	return g.Conn.Close()
}

// Read reads what the client says; who says too much for nothing is cut off.
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.said.Add(int64(n)) > g.most {
		g.door.refused(refusedChatter)
		return 0, errors.Join(errChatter, g.Close())
	}
	return n, err
}

// progress forgives what was said: the client got somewhere.
func (g *guest) progress() {
	if g != nil {
		g.said.Store(0)
	}
}

// withGuest lets requests find their connection.
func withGuest(ctx context.Context, c net.Conn) context.Context {
	if conn, ok := c.(*tls.Conn); ok {
		if g, ok := conn.NetConn().(*guest); ok {
			return context.WithValue(ctx, guestKey{}, g)
		}
	}
	return ctx
}

type guestKey struct{}

// guestOf is the connection of a request; nil if it came over another door.
func guestOf(ctx context.Context) *guest {
	g, _ := ctx.Value(guestKey{}).(*guest)
	return g
}
