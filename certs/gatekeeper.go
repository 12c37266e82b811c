package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Gatekeeper guards a server. It holds the Trust of the moment and is safe for concurrent use.
type Gatekeeper struct {
	clock    func() time.Time
	state    atomic.Pointer[guard]
	refusals refusals
}

// guard is a Trust and what was verified under it. A reload replaces both, so that no answer outlives its reasons.
type guard struct {
	trust  *Trust
	server *x509.Certificate // the Trust's
	known  *knownPeers
}

// NewGatekeeper guards with the given Trust, which must have anchors and a server certificate that is within its dates.
func NewGatekeeper(trust *Trust, clock func() time.Time) (*Gatekeeper, error) {
	g := &Gatekeeper{clock: clock}
	if err := g.Reload(trust); err != nil {
		return nil, err
	}
	return g, nil
}

// Reload puts another Trust in force, for new connections and for the next request of each live one. If it cannot serve, the
// old one stays and the error says why. Requests under way are not disturbed.
func (g *Gatekeeper) Reload(trust *Trust) error {
	if err := trust.checkServer(g.clock()); err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(trust.Server.Certificate[0])
	if err != nil {
		return err
	}
	g.state.Store(&guard{trust: trust, server: leaf, known: &knownPeers{peers: map[[sha256.Size]byte]knownPeer{}}})
	return nil
}

// Trust gives what is in force.
func (g *Gatekeeper) Trust() *Trust { return g.state.Load().trust }

// ServerTLS gives the configuration of a listener: TLS 1.3 only, a client certificate from everybody, verified in each
// handshake, and no session tickets, since a resumed session would skip the handshake's certificate. Key exchange is left to
// Go, whose first choice is the hybrid X25519MLKEM768. It follows each Reload by itself and is never modified.
func (g *Gatekeeper) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2", "http/1.1"},
		Time:       g.clock,
		// The jurisdiction decides whose anchors count, and crypto/tls knows only one pool; VerifyConnection does the rest.
		ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := g.Peer(&state)
			return err
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return g.Trust().Server, nil
		},
		SessionTicketsDisabled: true,
	}
}

// Serves tells whether the server's certificate is for a host, with a port or without.
func (g *Gatekeeper) Serves(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return g.state.Load().server.VerifyHostname(host) == nil
}

// Peer says who is at the other end of a connection, as of now. It must be called for every request, since connections outlive
// certificates: it verifies what the handshake verified, under the Trust in force now. An answer is kept until the next Reload,
// the end of a certificate in the chain or the end of a revocation list, so that a call costs a hash of the certificate.
func (g *Gatekeeper) Peer(state *tls.ConnectionState) (Peer, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Peer{}, &Error{
			Check: CheckForm, Subject: "connection", Err: errors.New("no client certificate"),
			Fix: "connect with TLS and a client certificate",
		}
	}
	now, guard := g.clock(), g.state.Load()
	key := sha256.Sum256(state.PeerCertificates[0].Raw)
	if peer, ok := guard.known.get(key, now); ok {
		return peer, nil
	}
	peer, until, err := guard.trust.verifyClient(state.PeerCertificates, now)
	if err != nil {
		g.refusals.add(Failed(err))
		return Peer{}, err
	}
	guard.known.put(key, knownPeer{peer: peer, from: now, until: until})
	return peer, nil
}

// maxKnown bounds the memory of a guard. When it is full it forgets all and learns again.
const maxKnown = 16384

type knownPeers struct {
	mu    sync.RWMutex
	peers map[[sha256.Size]byte]knownPeer
}

// knownPeer is a verified peer and the time in which that was found to hold; a clock that is set back asks again.
type knownPeer struct {
	peer        Peer
	from, until time.Time
}

func (k *knownPeers) get(key [sha256.Size]byte, now time.Time) (Peer, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	p, ok := k.peers[key]
	if !ok || now.Before(p.from) || now.After(p.until) {
		return Peer{}, false
	}
	return p.peer, true
}

func (k *knownPeers) put(key [sha256.Size]byte, p knownPeer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.peers) >= maxKnown {
		clear(k.peers)
	}
	k.peers[key] = p
}

// checkServerUsage: a server certificate is a leaf and lists serverAuth, which crypto/x509 would not insist on.
func checkServerUsage(leaf *x509.Certificate) error {
	if err := checkLeaf(leaf); err != nil {
		return err
	}
	for _, usage := range leaf.ExtKeyUsage {
		if usage == x509.ExtKeyUsageServerAuth {
			return nil
		}
	}
	return usageError(leaf, errors.New("not a server certificate"), "extended key usage serverAuth, explicitly")
}
