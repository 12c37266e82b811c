package store_test

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// TestScatteredHashes: hashes that are read together are those that are read
// one by one, in their order, and one that is missing is missed.
func TestScatteredHashes(t *testing.T) {
	const n = 1500
	s := open(t, store.Config{Dir: t.TempDir()})
	exchangetest.Seed(t, s, searchedOwner, n, func(r *rand.Rand, i int) audit.Entry { return exchangetest.Year(r, searchedOwner, i, n) })
	count := tlog.StoredHashCount(n)
	random := rand.New(rand.NewPCG(1, 1))
	view(t, s, func(r exchange.Reader) {
		for _, lot := range []int{1, 2, 5, 40, 256} {
			var indexes []int64
			for range lot {
				indexes = append(indexes, random.Int64N(count))
			}
			indexes = append(indexes, 0, count-1, 130, 120, 119)
			got := must[[]tlog.Hash](t)(r.ReadHashes(indexes))
			for i, x := range indexes {
				if one := must[[]tlog.Hash](t)(r.ReadHashes([]int64{x})); got[i] != one[0] {
					t.Fatalf("%d of %d: hash %d is another", i, len(indexes), x)
				}
			}
		}
		root := must[tlog.Hash](t)(tlog.TreeHash(n, r))
		for range 50 {
			index := random.Int64N(n)
			proof := must[tlog.RecordProof](t)(audit.ProveRecord(n, index, r))
			row := must[*exchange.EntryRow](t)(r.EntryAt(index))
			if err := tlog.CheckRecord(proof, n, root, index, row.Commitment.Leaf()); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, missing := range []int64{count, count + 1000, -1} {
		view(t, s, func(r exchange.Reader) {
			if _, err := r.ReadHashes([]int64{0, 500, 1000, 1500, missing}); err == nil {
				t.Errorf("hash %d of %d was read", missing, count)
			}
		})
	}
}
