package certs

import (
	"crypto/sha256"
	"maps"
	"sync"
)

// Renew puts other revocation lists in force, as Reload does with a whole Trust. It never fails: a server certificate that has
// expired keeps no revocation from counting.
func (g *Gatekeeper) Renew(revocations *Revocations) {
	g.replace(func(t *Trust) { t.Revocations = revocations })
}

// Bind puts other bindings in force, as Renew does with revocation lists.
func (g *Gatekeeper) Bind(bindings *Bindings) {
	g.replace(func(t *Trust) { t.Bindings = bindings })
}

// replace puts a Trust in force that differs from the one in force by an edit.
func (g *Gatekeeper) replace(edit func(*Trust)) {
	for {
		old := g.state.Load()
		trust, next := *old.trust, *old
		edit(&trust)
		next.trust, next.known = &trust, &knownPeers{peers: map[[sha256.Size]byte]knownPeer{}}
		if g.state.CompareAndSwap(old, &next) {
			return
		}
	}
}

// Refusals counts the clients that were refused, in a handshake or later, by the check that failed.
func (g *Gatekeeper) Refusals() map[Check]uint64 {
	g.refusals.mu.Lock()
	defer g.refusals.mu.Unlock()
	return maps.Clone(g.refusals.counts)
}

type refusals struct {
	mu     sync.Mutex
	counts map[Check]uint64
}

func (r *refusals) add(check Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[Check]uint64{}
	}
	r.counts[check]++
}
