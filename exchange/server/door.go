package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/ratelimit"
)

// Why a connection was not taken, or not kept; labels of a metric.
const (
	refusedSource    = "source"    // its address has too many handshakes
	refusedRate      = "rate"      // its address begins too many, or too many of them fail
	refusedHandshake = "handshake" // it did not finish one
	refusedIdentity  = "identity"  // its identity has too many connections
	refusedCrowded   = "crowded"   // it gave way to a newcomer
	refusedCutOff    = "cut-off"   // its certificate or agency is not accepted any more
	refusedChatter   = "chatter"   // it sent much and asked for nothing
)

// door is a listener whose connections have done their handshake. Who has no
// name yet counts by its address, then by its identity; net/http sees only
// connections whose caller is known and has room.
type door struct {
	net.Listener
	tls       *tls.Config
	gate      *certs.Gatekeeper
	handshake time.Duration
	admitted  func(context.Context, certs.Identity) (bool, error)
	sources   ratelimit.Limiter
	rate      func(agency, limit string) exchange.Rate
	metrics   *Metrics
	log       *slog.Logger

	strangers, known *crowd

	in     chan net.Conn
	failed chan error
	closed chan struct{}
	once   sync.Once
	inside sync.WaitGroup
}

// open puts a door before a listener.
func (s *Server) open(l net.Listener) *door {
	d := &door{
		Listener: l, tls: s.cfg.Gatekeeper.ServerTLS(), gate: s.cfg.Gatekeeper, handshake: s.limits.Header,
		admitted: s.admitted, sources: s.sources, rate: s.cfg.Exchange.Rate, metrics: s.cfg.Metrics, log: s.cfg.Log,
		strangers: newCrowd(s.limits.Handshakes, s.cfg.Metrics.connections.WithLabelValues("handshake")),
		known:     newCrowd(s.limits.Connections, s.cfg.Metrics.connections.WithLabelValues("open")),
		in:        make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{}),
	}
	s.mu.Lock()
	s.doors = append(s.doors, d)
	s.mu.Unlock()
	d.inside.Go(d.run)
	return d
}

// Accept returns the next connection whose caller is known.
func (d *door) Accept() (net.Conn, error) {
	select {
	case conn := <-d.in:
		return conn, nil
	case err := <-d.failed:
		return nil, err
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more and turns away who is not in yet.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	err := d.Listener.Close()
	d.strangers.close()
	d.inside.Wait()
	return err
}

// run accepts until the door closes. A lack of descriptors or memory passes:
// it is waited for.
func (d *door) run() {
	wait := time.Duration(0)
	for {
		conn, err := d.Listener.Accept()
		if err == nil {
			wait = 0
			d.greet(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			d.failed <- err
			return
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		d.log.LogAttrs(context.Background(), slog.LevelWarn, "no connection can be accepted", slog.Any("error", err), slog.Duration("again_in", wait))
		select {
		case <-time.After(wait):
		case <-d.closed:
			return
		}
	}
}

// greet takes a connection that has no name yet.
func (d *door) greet(conn net.Conn) {
	g := &guest{Conn: conn, door: d, most: maxHello}
	from := source(conn.RemoteAddr())
	why := ""
	if !d.knock(from) {
		why = refusedRate
	} else if !g.join(d.strangers, from) {
		why = refusedSource
	}
	if why != "" {
		d.refused(why)
		_ = g.Close()
		return
	}
	d.inside.Go(func() { d.admit(g) })
}

// admit does the handshake and lets the connection in.
func (d *door) admit(g *guest) {
	conn := tls.Server(g, d.tls)
	name, err := d.identify(g, conn)
	switch {
	case err != nil:
		d.refused(refusedHandshake)
		d.failedHandshake(source(g.RemoteAddr()))
		d.log.LogAttrs(context.Background(), slog.LevelDebug, "handshake failed", slog.Any("error", err))
	case !g.join(d.known, name):
		d.refused(refusedIdentity)
		d.log.LogAttrs(context.Background(), slog.LevelWarn, "an identity has too many connections", slog.String("identity", name))
	default:
		g.most = maxChatter
		g.progress()
		select {
		case d.in <- conn:
			return
		case <-d.closed:
		}
	}
	_ = g.Close()
}

// identify does the handshake in the time that it may take, and says as whom
// the connection counts: agency and role, since an agency can give itself as
// many names as it likes.
func (d *door) identify(g *guest, conn *tls.Conn) (string, error) {
	if err := g.SetDeadline(time.Now().Add(d.handshake)); err != nil {
		return "", err
	}
	if err := conn.HandshakeContext(context.Background()); err != nil {
		return "", err
	}
	state := conn.ConnectionState()
	peer, err := d.gate.Peer(&state)
	if err != nil {
		return "", err
	}
	g.peer, g.tls = peer, &state
	g.admitted, _ = d.admitted(context.Background(), peer.Identity) // who cannot be looked up is refused at each request
	return peer.Identity.AgencyID() + " " + peer.Identity.Role, g.SetDeadline(time.Time{})
}

func (d *door) refused(why string) { d.metrics.refused.WithLabelValues(why).Inc() }

// source is whose handshakes are counted together: an IPv4 address, or the
// /64 network that one holder of IPv6 has at least.
func source(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := at.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}
