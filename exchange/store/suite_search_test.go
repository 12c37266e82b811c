package store_test

import (
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// TestSearchRows: owners, what the search index must take out, and whose logs
// can be read.
func TestSearchRows(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir()})
	view(t, s, func(r exchange.Reader) {
		equal(t, "owners of nothing", len(must[[]string](t)(r.Owners())), 0)
		equal(t, "drops of nothing", len(must[[]search.Drop](t)(r.Drops(0, 10))), 0)
	})
	write(t, s, func(tx exchange.Transaction) {
		tx.PutAgency(exchange.Agency{ID: "ee/dpi", Jurisdiction: "ee", Roles: []string{"supervisor"}, Supervises: []string{"ee/pbgb", "lv/vp"}})
		tx.PutProposal(exchange.Proposal{Agency: "ee/dpi", Standing: exchange.Standing{Supervises: []string{"it/dcpc"}}, At: at(1)})
		entry, salt := []byte("{}"), make([]byte, 32)
		rows := []exchange.EntryRow{{Index: 0, Owner: "lv/vp", Seq: 1, Entry: entry, Salt: salt}, {Index: 1, Owner: "ee/pbgb", Seq: 1, Entry: entry, Salt: salt},
			{Index: 2, Owner: "lv/vp", Seq: 2, Entry: entry, Salt: salt}, {Index: 3, Owner: "lv/vp", Seq: 3, Entry: entry, Salt: salt}}
		if err := tx.Append(rows, 0, nil, exchange.Head{Size: 4, Time: at(1)}); err != nil {
			t.Fatal(err)
		}
	})
	write(t, s, func(tx exchange.Transaction) {
		tx.EraseEntries("lv/vp", []exchange.SeqRange{{From: 2, To: 2}}, 3)
		tx.EraseEntries("ee/pbgb", []exchange.SeqRange{{From: 1, To: 1}}, 3)
		tx.EraseEntries("lv/vp", []exchange.SeqRange{{From: 1, To: 9}}, 3) // 2 is gone already
	})
	view(t, s, func(r exchange.Reader) {
		if got := must[[]string](t)(r.Owners()); !slices.Equal(got, []string{"ee/pbgb", "lv/vp"}) {
			t.Errorf("owners %v", got)
		}
		want := []search.Drop{{Position: 2, Owner: "ee/pbgb", Seq: 1}, {Position: 3, Owner: "lv/vp", Seq: 1}, {Position: 4, Owner: "lv/vp", Seq: 3}}
		if got := must[[]search.Drop](t)(r.Drops(1, 10)); !slices.Equal(got, want) {
			t.Errorf("drops %v, want %v", got, want)
		}
		if got := must[[]search.Drop](t)(r.Drops(0, 1)); len(got) != 1 || got[0].Position != 1 {
			t.Errorf("first drop %v", got)
		}
		a, _ := must[*exchange.Registry](t)(r.Registry()).Agency("ee/dpi")
		if !slices.Equal(a.Supervises, []string{"ee/pbgb", "lv/vp"}) {
			t.Errorf("supervises %v", a.Supervises)
		}
		if p := must[*exchange.Proposal](t)(r.Proposal("ee/dpi")); !slices.Equal(p.Supervises, []string{"it/dcpc"}) {
			t.Errorf("proposed %v", p.Supervises)
		}
	})
}
