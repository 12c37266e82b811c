package exchange_test

import (
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestListedErasuresAreOfTheirEpoch: a line of the list of erasures names
// entries of its own ledger. What has the same numbers in another epoch stays:
// numbers of what was lost were given anew.
func TestListedErasuresAreOfTheirEpoch(t *testing.T) {
	t.Parallel()
	x := start(t)
	for range 4 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	p := x.Parts(exchangetest.PartsConfig{})
	line := func(origin string, from, to uint64) exchange.ListedErasure {
		return exchange.ListedErasure{Origin: origin, Owner: "ee/pbgb", Class: "entries", Entries: []exchange.SeqRange{{From: from, To: to}}}
	}
	var last uint64
	view := func(f func(r exchange.Reader) error) {
		t.Helper()
		if err := p.Store.View(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	view(func(r exchange.Reader) (err error) {
		last, _, err = r.Last("ee/pbgb")
		return err
	})
	if last < 4 {
		t.Fatal("too few entries: the test shows nothing")
	}
	listed := []exchange.ListedErasure{line(demo.Origin+"-of-before", 1, last), line(demo.Origin, 2, 3), line(demo.Origin[:len(demo.Origin)-1], 1, last)}
	if _, _, err := exchange.OpenEpoch(t.Context(), p.Journal, exchange.Epoch{Operator: demo.Operator, Lost: audit.Checkpoint{Origin: demo.Origin}, Listed: listed}); err != nil {
		t.Fatal(err)
	}
	view(func(r exchange.Reader) error {
		for seq := uint64(1); seq <= last; seq++ {
			row, err := r.Entry("ee/pbgb", seq)
			if err != nil {
				return err
			}
			if gone := row.Entry == nil; gone != (seq == 2 || seq == 3) {
				t.Errorf("entry %d is erased: %t", seq, gone)
			}
		}
		return nil
	})
}
