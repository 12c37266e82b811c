package node

import "github.com/liaison-exchange/liaison/exchange"

// Service is the domain of a running node.
func (n *Node) Service() *exchange.Service { return n.service }
