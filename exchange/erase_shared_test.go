package exchange_test

import (
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// TestErasureLeavesASharedInput: of two packages that policy was asked the
// same about, to the byte, one is erased: the decision on the other can still
// be replayed. With the other the input goes.
func TestErasureLeavesASharedInput(t *testing.T) {
	t.Parallel()
	x := start(t)
	x.Clock.Freeze() // what policy is asked has the second
	one, two := post(t, x, draft(x, demo.EEtoLV)).ID(), post(t, x, draft(x, demo.EEtoLV)).ID()
	p := x.Parts(exchangetest.PartsConfig{})
	dpo := x.Caller("ee/pbgb", certs.RoleDPO)
	var shared string
	check := func(step, id string, whole bool) {
		t.Helper()
		err := p.Store.View(t.Context(), func(r exchange.Reader) error {
			all, _, err := r.Decisions(0, 99)
			if err != nil {
				return err
			}
			for _, row := range all {
				if row.Package != id {
					continue
				}
				if shared == "" {
					shared = row.Shared
				}
				if row.Shared != shared {
					t.Fatal("the two inputs differ: the test shows nothing")
				}
				kept, err := r.Input(row.Shared)
				if err != nil {
					return err
				}
				if in := (policy.Input{Shared: kept, Own: row.Own}); (in.Digest() == row.InputSHA256) != whole {
					t.Errorf("%s: the input of %s is whole: %t", step, id, !whole)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check("before", one, true)
	check("before", two, true)
	for i, id := range []string{one, two} {
		if _, err := p.Service.Erase(t.Context(), dpo, x.Order("ee/pbgb", ofPackage(id))); err != nil {
			t.Fatal(err)
		}
		check("erased", one, false)
		check("erased", two, i == 0)
	}
	err := p.Store.View(t.Context(), func(r exchange.Reader) error {
		left, err := r.Input(shared)
		if len(left) > 0 {
			t.Errorf("both are erased, and their input is there: %d bytes", len(left))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
