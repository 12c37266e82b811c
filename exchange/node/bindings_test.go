package node_test

import (
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
)

// TestBindingsFollowTheRegistry: a binding holds, and ends, at the next look,
// also if the call that changed it was broken off before it could say so.
func TestBindingsFollowTheRegistry(t *testing.T) {
	x, tick := ticking(t, nil)
	card, issuer := x.Nameless("lv")
	holder := x.HTTPWith(card)
	set := func(bindings ...exchange.Binding) {
		t.Helper()
		reg, err := x.Node.Service().Registry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, _ := reg.Agency("lv/vp")
		row.Bindings = bindings
		if err := x.Node.Service().Admit(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if tick(); served(t, x, holder) {
		t.Fatal("served before anybody bound it")
	}
	set(exchange.Binding{Issuer: certs.SPKISHA256(issuer), Key: certs.SPKISHA256(card.Leaf), Role: certs.RoleUnit, Name: "desk-1"})
	if tick(); !served(t, x, holder) {
		t.Error("bound, and not served")
	}
	set()
	if tick(); served(t, x, holder) {
		t.Error("unbound, and served")
	}
}
