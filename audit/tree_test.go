package audit

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func commitments(n int) []Commitment {
	cs := make([]Commitment, n)
	for i := range cs {
		cs[i] = Commit(NewSalt(), []byte{byte(i)})
	}
	return cs
}

// Whatever the batches, Grow stores what tlog.StoredHashes stores, has tlog.TreeHash's root, reads nothing, leaves the old tree as it
// was, and proves each new leaf; and a tree loaded from storage grows on in the same way.
func TestGrowEqualsTlog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			var hashes []tlog.Hash
			for _, x := range indexes {
				hashes = append(hashes, stored[x])
			}
			return hashes, nil
		})
		tree := EmptyTree()
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 12).Draw(t, "batches") {
			old, oldRoot := tree, tree.Root()
			cs := commitments(n)
			g, err := tree.Grow(cs)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range cs {
				want, err := tlog.StoredHashes(old.Size()+int64(i), c[:], reader)
				if err != nil {
					t.Fatal(err)
				}
				stored = append(stored, want...)
			}
			if !slices.Equal(stored[g.FirstStored():], g.Stored()) {
				t.Fatal("stored hashes differ")
			}
			if tree = g.Tree(); old.Root() != oldRoot || tree.Size() != old.Size()+int64(n) {
				t.Fatal("the old tree changed, or the new one has a wrong size")
			}
			want, err := tlog.TreeHash(tree.Size(), reader)
			if err != nil || want != tree.Root() {
				t.Fatalf("root %s, want %s (%v)", tree.Root(), want, err)
			}
			checkProofs(t, g, cs, reader)
			if loaded, err := LoadTree(tree.Size(), reader); err != nil || loaded.Root() != tree.Root() {
				t.Fatalf("loaded tree differs: %v", err)
			} else if rapid.Bool().Draw(t, "go on with the loaded tree") {
				tree = loaded
			}
		}
	})
}

func checkProofs(t *rapid.T, g *Growth, cs []Commitment, reader tlog.HashReader) {
	tree := g.Tree()
	for i, c := range cs {
		index := tree.Size() - int64(len(cs)) + int64(i)
		p, err := g.Proof(index)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, tree.Size(), tree.Root(), index, c.Leaf()); err != nil {
			t.Fatal(err)
		}
		if q, err := ProveRecord(tree.Size(), index, reader); err != nil || !slices.Equal(p, q) {
			t.Fatalf("proofs from the growth and from storage differ: %v", err)
		}
	}
}

// Every leaf is provable at every later size, and no proof fits another size, index or leaf.
func TestProofsAtEverySize(t *testing.T) {
	l := newLedger(t)
	roots := map[int64]tlog.Hash{}
	for range 70 {
		l.fill(1, "ee/pbgb")
		roots[l.tree.Size()] = l.tree.Root()
	}
	for size := int64(1); size <= l.tree.Size(); size++ {
		for index := range size {
			p, err := ProveRecord(size, index, l)
			must(t, err)
			leaf := l.leaves[index].Leaf()
			must(t, tlog.CheckRecord(p, size, roots[size], index, leaf))
			if tlog.CheckRecord(p, size, roots[size], (index+1)%size, leaf) == nil && size > 1 {
				t.Fatalf("proof of %d fits its neighbour at size %d", index, size)
			}
			if size > 1 && tlog.CheckRecord(p, size-1, roots[size-1], index, leaf) == nil {
				t.Fatalf("proof of %d at size %d fits another size", index, size)
			}
		}
	}
}

// An inner node cannot pass for a leaf, nor two hashes for a commitment (RFC 6962: 0x00 before leaves, 0x01 before nodes).
func TestNodeIsNoLeaf(t *testing.T) {
	left, right := Commit(Salt{1}, nil), Commit(Salt{2}, nil)
	g, err := EmptyTree().Grow([]Commitment{left, right})
	must(t, err)
	l0, l1 := left.Leaf(), right.Leaf()
	node := tlog.NodeHash(l0, l1)
	if g.Tree().Root() != node {
		t.Fatal("root of two leaves is not their node")
	}
	if tlog.RecordHash(append(l0[:], l1[:]...)) == node {
		t.Fatal("a leaf of two hashes has the hash of their node")
	}
	if tlog.CheckRecord(tlog.RecordProof{}, 1, node, 0, Commitment(node).Leaf()) == nil {
		t.Fatal("the root passes for a leaf")
	}
}

func TestTreeBounds(t *testing.T) {
	full := newTree(MaxSize-1, make([]tlog.Hash, 48))
	if _, err := full.Grow(commitments(2)); !errors.Is(err, ErrSize) {
		t.Errorf("growing past MaxSize: %v", err)
	}
	if g, err := full.Grow(commitments(1)); err != nil || g.Tree().Size() != MaxSize || len(g.Stored()) != 49 {
		t.Errorf("growing to MaxSize: %v", err)
	}
	none := tlog.HashReaderFunc(func(x []int64) ([]tlog.Hash, error) { return make([]tlog.Hash, len(x)), nil })
	for _, size := range []int64{-1, MaxSize + 1} {
		if _, err := LoadTree(size, none); !errors.Is(err, ErrSize) {
			t.Errorf("LoadTree(%d): %v", size, err)
		}
	}
	for _, c := range [][2]int64{{0, 0}, {1, 1}, {1, -1}, {MaxSize + 1, 0}, {-1, -2}} {
		if _, err := ProveRecord(c[0], c[1], none); !errors.Is(err, ErrSize) {
			t.Errorf("ProveRecord(%d, %d): %v", c[0], c[1], err)
		}
	}
	g, err := EmptyTree().Grow(commitments(3))
	must(t, err)
	h, err := g.Tree().Grow(commitments(2))
	must(t, err)
	for _, index := range []int64{-1, 2, 5} {
		if _, err := h.Proof(index); !errors.Is(err, ErrSize) {
			t.Errorf("Proof(%d) of leaves 3 and 4: %v", index, err)
		}
	}
	if (Tree{}).Root() != EmptyTree().Root() {
		t.Error("the zero tree is not the empty tree")
	}
	if _, err := LoadTree(3, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return nil, nil })); err == nil {
		t.Error("a reader that returns too little is believed")
	}
}

// Who sees the commitment and guesses the entry learns nothing without the salt; the same entry never has the same commitment.
func TestCommitmentHidesEntry(t *testing.T) {
	guess := []byte(`{"owner":"ee/pbgb"}`)
	c := Commit(NewSalt(), guess)
	if c == Commit(NewSalt(), guess) || c == Commit(Salt{}, guess) {
		t.Fatal("the commitment does not depend on the salt")
	}
	if got, err := ParseCommitment(c.String()); err != nil || got != c {
		t.Fatalf("commitment does not survive its text: %v", err)
	}
	for _, s := range []string{"", c.String()[:42], c.String() + "A", c.String() + "\n", "\r" + c.String(), c.String()[:42] + "_", c.String() + "="} {
		if _, err := ParseCommitment(s); !errors.Is(err, ErrEncoding) {
			t.Errorf("ParseCommitment(%q): %v", s, err)
		}
	}
}
