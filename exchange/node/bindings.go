package node

import (
	"context"
	"log/slog"

	"github.com/liaison-exchange/liaison/certs"
)

// bindings are those of the registry that the anchors bear: what does not
// hold, an anchor that is gone, touches its own agency only.
func (n *Node) bindings(ctx context.Context, anchors *certs.Anchors) *certs.Bindings {
	reg, err := n.service.Registry(ctx)
	if err != nil {
		n.log.ErrorContext(ctx, "the registry's bindings cannot be read; none holds", slog.Any("error", err))
		return nil
	}
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

// bind puts the registry's bindings in force.
func (n *Node) bind(ctx context.Context) { n.gate.Bind(n.bindings(ctx, n.gate.Trust().Anchors)) }
