package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the greatest number of entries of a ledger. Bounding it keeps all arithmetic of the tree far from overflow,
// and every number exact in any JSON library.
const MaxSize = 1 << 48

// ErrSize says that a size or an index lies outside the tree or beyond MaxSize.
var ErrSize = errors.New("size or index out of range")

// emptyRoot is the root of the tree without leaves: SHA-256 of nothing, RFC 6962 section 2.1.
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// Tree is the ledger's Merkle tree (RFC 6962) at one size, reduced to what is needed to let it grow: the roots of its complete
// subtrees, from left to right. It is an immutable value: any number of goroutines may use it and its copies.
type Tree struct {
	size     int64
	frontier []tlog.Hash // one for each bit that is set in size, the highest first
	folds    []tlog.Hash // the hash over frontier[i:]; the first one is the root
}

// EmptyTree is the tree of a ledger without entries.
func EmptyTree() Tree { return Tree{} }

// LoadTree reads the tree of the given size from stored hashes (tlog.StoredHashIndex says where each lies).
// It takes them as they are: compare Root with the head that was stored, and CheckExtends with the head that was signed.
func LoadTree(size int64, r tlog.HashReader) (Tree, error) {
	if size < 0 || size > MaxSize {
		return Tree{}, fmt.Errorf("%w: tree of size %d", ErrSize, size)
	}
	if size == 0 {
		return EmptyTree(), nil
	}
	indexes := frontierIndexes(size)
	frontier, err := r.ReadHashes(indexes)
	if err != nil {
		return Tree{}, fmt.Errorf("read the frontier of the tree: %w", err)
	}
	if len(frontier) != len(indexes) {
		return Tree{}, fmt.Errorf("read the frontier of the tree: %d hashes for %d indexes", len(frontier), len(indexes))
	}
	return newTree(size, slices.Clone(frontier)), nil
}

// nodeHash is tlog.NodeHash without the memory that it takes from the heap.
func nodeHash(left, right tlog.Hash) tlog.Hash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 0x01
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// newTree takes over frontier.
func newTree(size int64, frontier []tlog.Hash) Tree {
	folds := slices.Clone(frontier)
	for i := len(folds) - 2; i >= 0; i-- {
		folds[i] = nodeHash(frontier[i], folds[i+1])
	}
	return Tree{size: size, frontier: frontier, folds: folds}
}

// frontierIndexes says where the roots of the complete subtrees of a tree are stored, from left to right.
func frontierIndexes(size int64) []int64 {
	indexes := make([]int64, 0, bits.OnesCount64(uint64(size)))
	for done := int64(0); done < size; {
		level := bits.Len64(uint64(size-done)) - 1
		indexes = append(indexes, tlog.StoredHashIndex(level, done>>level))
		done += 1 << level
	}
	return indexes
}

// Size is the number of entries.
func (t Tree) Size() int64 { return t.size }

// Root is the root hash at this size.
func (t Tree) Root() tlog.Hash {
	if t.size == 0 {
		return emptyRoot
	}
	return t.folds[0]
}

// Grow adds leaves. It reads no storage, and leaves t as it was.
func (t Tree) Grow(cs []Commitment) (*Growth, error) {
	if int64(len(cs)) > MaxSize-t.size {
		return nil, fmt.Errorf("%w: %d entries more than %d", ErrSize, len(cs), t.size)
	}
	g := &Growth{old: t, first: tlog.StoredHashCount(t.size), stored: make([]tlog.Hash, 0, 2*len(cs)+bits.UintSize)}
	size, frontier := t.size, slices.Grow(slices.Clone(t.frontier), 8)
	for _, c := range cs {
		h := c.Leaf()
		g.stored = append(g.stored, h)
		// Each bit that is set at the end of size is a complete subtree that this leaf doubles.
		for n := size; n&1 == 1; n >>= 1 {
			h = nodeHash(frontier[len(frontier)-1], h)
			frontier = frontier[:len(frontier)-1]
			g.stored = append(g.stored, h)
		}
		frontier = append(frontier, h)
		size++
	}
	if g.tree = t; len(cs) > 0 {
		g.tree = newTree(size, frontier)
	}
	return g, nil
}

// Growth is what Grow made: the new tree, the hashes to store, and proofs for the new leaves. It is immutable.
type Growth struct {
	old, tree Tree
	first     int64
	stored    []tlog.Hash
}

// Tree is the tree after the growth.
func (g *Growth) Tree() Tree { return g.tree }

// FirstStored is the index at which the first of Stored belongs: the number of hashes stored before.
func (g *Growth) FirstStored() int64 { return g.first }

// Stored are the hashes to append to the stored ones, in the order of tlog.StoredHashes. The caller must not change them.
func (g *Growth) Stored() []tlog.Hash { return g.stored }

// Proof proves that a leaf just added stands at index in the new tree. It reads no storage and hashes nothing: the path goes up
// within the leaf's complete subtree, takes in all that lies right of it, then the complete subtrees left of it, one by one.
func (g *Growth) Proof(index int64) (tlog.RecordProof, error) {
	t := g.tree
	if index < g.old.size || index >= t.size {
		return nil, fmt.Errorf("%w: leaf %d is not among %d to %d", ErrSize, index, g.old.size, t.size-1)
	}
	// The highest bit in which index and size differ is set in size: that of the leaf's subtree.
	height := bits.Len64(uint64(index^t.size)) - 1
	k := bits.OnesCount64(uint64(t.size) >> (height + 1))
	proof := make(tlog.RecordProof, 0, height+1+k)
	for level := range height {
		proof = append(proof, g.node(level, index>>level^1))
	}
	if k+1 < len(t.folds) {
		proof = append(proof, t.folds[k+1])
	}
	for i := k - 1; i >= 0; i-- {
		proof = append(proof, t.frontier[i])
	}
	return proof, nil
}

// node is the root of a complete subtree beside the path of a new leaf. If it is not new it was one of the old frontier:
// the node above it holds the new leaf, so it was not complete before.
func (g *Growth) node(level int, n int64) tlog.Hash {
	if i := tlog.StoredHashIndex(level, n) - g.first; i >= 0 {
		return g.stored[i]
	}
	return g.old.frontier[bits.OnesCount64(uint64(g.old.size)>>(level+1))]
}

// ProveRecord proves that the tree of the given size has its leaf at index, from stored hashes.
func ProveRecord(size, index int64, r tlog.HashReader) (tlog.RecordProof, error) {
	if size > MaxSize || index < 0 || index >= size {
		return nil, fmt.Errorf("%w: leaf %d of a tree of size %d", ErrSize, index, size)
	}
	return tlog.ProveRecord(size, index, r)
}
