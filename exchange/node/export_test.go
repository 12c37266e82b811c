package node

import "github.com/liaison-exchange/liaison/exchange"

// Service is the domain of a running node.
func (n *Node) Service() *exchange.Service { return n.service }

// LedgerSize is how many entries the ledger has.
func (n *Node) LedgerSize() int64 { return n.service.LedgerSize() }
