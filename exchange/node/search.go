package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// openIndex opens the search index. Its key lies beside the ledger's key: who
// gets hold of the state alone cannot test names against the index. Key and
// index can be deleted; they are made anew.
func (n *Node) openIndex(state exchange.Store) (*search.Index, error) {
	key, err := search.LoadKey(n.cfg.LedgerKey+".search", rand.Read)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return search.Open(search.Config{Dir: filepath.Join(n.cfg.State, "search"), Key: key, View: exchange.ViewOfLog(state), Log: n.log})
}

// index keeps the search index up to date until the node stops.
func (n *Node) index() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-n.stopped
		cancel()
	}()
	n.search.Run(ctx)
}
