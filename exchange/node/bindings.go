package node

import (
	"context"
	"log/slog"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
)

// bind puts the registry's bindings in force, if the registry has moved since
// it was last asked: whatever became of the call that moved it.
func (n *Node) bind(ctx context.Context) {
	n.loading.Lock()
	defer n.loading.Unlock()
	n.rebind(ctx)
}

// rebind is bind for who holds the lock; without it, an older reading of the
// registry could follow a newer one.
func (n *Node) rebind(ctx context.Context) {
	reg, err := n.service.Registry(ctx)
	if err != nil {
		n.log.ErrorContext(ctx, "the registry's bindings cannot be read; it is tried again", slog.Any("error", err))
		return
	}
	if reg.Version() != n.bound {
		n.gate.Bind(n.bindings(ctx, reg, n.gate.Trust().Anchors))
		n.bound = reg.Version()
	}
}

// bindings are those of the registry that the anchors bear: what does not
// hold, an anchor that is gone, touches its own agency only.
func (n *Node) bindings(ctx context.Context, reg *exchange.Registry, anchors *certs.Anchors) *certs.Bindings {
	var good []certs.Binding
	for _, a := range reg.Agencies() {
		for _, b := range a.Bindings {
			one := b.Of(a.ID)
			if _, err := certs.NewBindings([]certs.Binding{one}, anchors); err != nil {
				n.log.WarnContext(ctx, "a binding does not hold", slog.Any("error", err))
				continue
			}
			good = append(good, one)
		}
	}
	all, err := certs.NewBindings(good, anchors)
	if err != nil {
		n.log.ErrorContext(ctx, "the registry's bindings contradict each other; none holds", slog.Any("error", err))
	}
	return all
}
