package store_test

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// grow appends entries of the owners to the ledger, one batch.
func grow(t *testing.T, tx exchange.Transaction, owners ...string) exchange.Head {
	t.Helper()
	head := must[exchange.Head](t)(tx.Head())
	tree := must[audit.Tree](t)(audit.LoadTree(head.Size, tx))
	var rows []exchange.EntryRow
	var cs []audit.Commitment
	seqs := map[string]uint64{}
	for i, owner := range owners {
		if _, known := seqs[owner]; !known {
			seq, _, err := tx.Last(owner)
			if err != nil {
				t.Fatal(err)
			}
			seqs[owner] = seq
		}
		seqs[owner]++
		salt, entry := audit.NewSalt(), fmt.Appendf(nil, `{"owner":%q,"seq":%d}`, owner, seqs[owner])
		c := audit.Commit(salt, entry)
		cs = append(cs, c)
		rows = append(rows, exchange.EntryRow{Index: head.Size + int64(i), Owner: owner, Seq: seqs[owner], Commitment: c, Salt: salt[:], Entry: entry})
	}
	g := must[*audit.Growth](t)(tree.Grow(cs))
	next := exchange.Head{Size: g.Tree().Size(), Root: g.Tree().Root(), Time: at(g.Tree().Size())}
	if err := tx.Append(rows, g.FirstStored(), g.Stored(), next); err != nil {
		t.Fatal(err)
	}
	return next
}

func testLedger(t *testing.T, s exchange.Store) {
	var heads []exchange.Head
	var size int64
	for _, n := range []int{1, 1, 2, 7, 33, 100, 300, 1} {
		write(t, s, func(tx exchange.Transaction) {
			owners := make([]string, n)
			for i := range owners {
				owners[i] = fmt.Sprintf("j/%d", i%5)
			}
			heads = append(heads, grow(t, tx, owners...))
		})
		size += int64(n)
	}
	view(t, s, func(r exchange.Reader) {
		equal(t, "head", must[exchange.Head](t)(r.Head()), heads[len(heads)-1])
		batch := 0
		for i := range size {
			if i == heads[batch].Size {
				batch++
			}
			equal(t, fmt.Sprintf("head that covers %d", i), must[exchange.Head](t)(r.HeadCovering(i)), heads[batch])
		}
		if _, err := r.HeadCovering(size); err == nil {
			t.Error("a head covers an entry that is not")
		}
		// Every head is the tree over the commitments, and every stored hash is there.
		all := must[[]audit.Commitment](t)(r.Commitments(0, int(size)+10))
		equal(t, "commitments", int64(len(all)), size)
		for _, h := range heads {
			equal(t, "root", must[tlog.Hash](t)(tlog.TreeHash(h.Size, r)), h.Root)
			equal(t, "root of commitments", must[*audit.Growth](t)(audit.EmptyTree().Grow(all[:h.Size])).Tree().Root(), h.Root)
		}
		equal(t, "part of the commitments", must[[]audit.Commitment](t)(r.Commitments(5, 3)), all[5:8])
		stored := make([]int64, tlog.StoredHashCount(size))
		for i := range stored {
			stored[i] = int64(len(stored) - 1 - i)
		}
		want := must[*audit.Growth](t)(audit.EmptyTree().Grow(all)).Stored()
		slices.Reverse(want)
		equal(t, "stored hashes", must[[]tlog.Hash](t)(r.ReadHashes(stored)), want)
		if _, err := r.ReadHashes([]int64{0, int64(len(stored))}); err == nil {
			t.Error("a stored hash that is not was read")
		}
	})
}

func testChains(t *testing.T, s exchange.Store) {
	write(t, s, func(tx exchange.Transaction) { grow(t, tx, "ee/pbgb", "lv/vp", "ee/pbgb", "ee/pbgb", "lv/vp") })
	view(t, s, func(r exchange.Reader) {
		page := must[[]exchange.EntryRow](t)(r.Entries("ee/pbgb", 1, 5))
		equal(t, "seqs", []uint64{page[0].Seq, page[1].Seq}, []uint64{2, 3})
		equal(t, "indexes", []int64{page[0].Index, page[1].Index}, []int64{2, 3})
		equal(t, "limit", len(must[[]exchange.EntryRow](t)(r.Entries("ee/pbgb", 0, 1))), 1)
		equal(t, "entry by owner", *must[*exchange.EntryRow](t)(r.Entry("ee/pbgb", 2)), page[0])
		equal(t, "entry by index", *must[*exchange.EntryRow](t)(r.EntryAt(2)), page[0])
		equal(t, "entries of all from an index", must[[]exchange.EntryRow](t)(r.EntriesFrom(2, 2)), page)
		equal(t, "entries at the end", len(must[[]exchange.EntryRow](t)(r.EntriesFrom(4, 10))), 1)
		equal(t, "entries behind the end", len(must[[]exchange.EntryRow](t)(r.EntriesFrom(5, 10))), 0)
		if c := audit.Commit(audit.Salt(page[0].Salt), page[0].Entry); c != page[0].Commitment {
			t.Error("entry and salt do not make the commitment")
		}
		seq, prev, err := r.Last("ee/pbgb")
		if seq != 3 || prev != page[1].Commitment || err != nil {
			t.Errorf("last: %d %v %v", seq, prev, err)
		}
	})
	// A gap is not passed over.
	tx := begin(t, s)
	gap := must[*exchange.EntryRow](t)(tx.EntryAt(4))
	gap.Index, gap.Seq = 6, gap.Seq+1
	if err := tx.Append([]exchange.EntryRow{*gap}, 100, nil, exchange.Head{Size: 7, Time: at(0)}); err != nil {
		t.Fatal(err)
	}
	if cs, err := tx.Commitments(3, 10); err == nil {
		t.Errorf("%d commitments over a gap", len(cs))
	}
	tx.Rollback()
	// An owner's seq is taken once.
	tx = begin(t, s)
	defer tx.Rollback()
	twin := must[*exchange.EntryRow](t)(tx.EntryAt(2))
	twin.Index = 5
	if err := tx.Append([]exchange.EntryRow{*twin}, 100, nil, exchange.Head{Size: 6, Time: at(0)}); err == nil {
		t.Error("two entries of one owner have the same seq")
	}
}
