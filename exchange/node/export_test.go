package node

import "github.com/liaison-exchange/liaison/exchange"

// Service is the domain of a running node.
func (n *Node) Service() *exchange.Service { return n.service }

// LedgerSize is how many entries the ledger has.
func (n *Node) LedgerSize() int64 { return n.service.LedgerSize() }

// AtEachStep has f called by name after each step of a restoration.
func AtEachStep(f func(step string)) { step = f }

// ClearPlace is how a restoration looks at the place of the state.
func ClearPlace(cfg Config) error { return clearPlace(cfg) }

// Discard throws away what a restoration made.
func Discard(cfg Config) error {
	r := &restoring{cfg: cfg, dir: besideState(cfg)}
	return r.discard()
}
