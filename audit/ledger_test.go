package audit

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const testOrigin = "exchange.example/ledger"

// ledger is a whole ledger in memory, built with the same parts that a server uses.
type ledger struct {
	t      testing.TB
	signer *Signer
	keys   Keys
	tree   Tree
	stored []tlog.Hash
	leaves []Commitment
	items  map[string][]Item // by owner
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	skey, vkey, err := GenerateKey(testOrigin)
	must(t, err)
	signer, err := NewSigner(skey)
	must(t, err)
	keys, err := ParseKeys([]byte(vkey + "\n"))
	must(t, err)
	return &ledger{t: t, signer: signer, keys: keys, tree: EmptyTree(), items: map[string][]Item{}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// next is a minimal valid entry, the next one of the owner.
func (l *ledger) next(owner string) Entry {
	e := Entry{Owner: owner, Seq: 1, Prev: FirstPrev, Exchange: testOrigin, Time: FormatTime(time.Unix(1795312345, 0)),
		Operation: Disclosure, Action: "package.send", Outcome: "delivered", Officer: "o-17"}
	if items := l.items[owner]; len(items) > 0 {
		last := items[len(items)-1]
		e.Seq, e.Prev = last.Seq+1, last.Commitment.String()
	}
	return e
}

// append writes entries in one batch and returns their receipts, made from the growth alone.
func (l *ledger) append(entries ...Entry) []Receipt {
	l.t.Helper()
	var cs []Commitment
	var items []Item
	for _, e := range entries {
		b, err := e.Encode()
		must(l.t, err)
		salt := NewSalt()
		c := Commit(salt, b)
		item := Item{Owner: e.Owner, Seq: e.Seq, Index: l.tree.Size() + int64(len(cs)), Commitment: c, Entry: b, Salt: salt[:]}
		cs, items = append(cs, c), append(items, item)
		l.items[e.Owner] = append(l.items[e.Owner], item)
	}
	g, err := l.tree.Grow(cs)
	must(l.t, err)
	if g.FirstStored() != int64(len(l.stored)) {
		l.t.Fatalf("FirstStored = %d, have %d", g.FirstStored(), len(l.stored))
	}
	l.tree, l.stored, l.leaves = g.Tree(), append(l.stored, g.Stored()...), append(l.leaves, cs...)
	signed := l.checkpoint().Note
	var receipts []Receipt
	for _, i := range items {
		proof, err := g.Proof(i.Index)
		must(l.t, err)
		receipts = append(receipts, Receipt{i.Entry, i.Salt, i.Index, proof, signed})
	}
	return receipts
}

// fill appends n entries of each owner, in turn.
func (l *ledger) fill(n int, owners ...string) {
	for range n {
		for _, o := range owners {
			l.append(l.next(o))
		}
	}
}

func (l *ledger) checkpoint() Checkpoint {
	l.t.Helper()
	signed, err := l.signer.Checkpoint(l.tree.Size(), l.tree.Root())
	must(l.t, err)
	cp, err := OpenCheckpoint(signed, l.keys)
	must(l.t, err)
	return cp
}

// ReadHashes makes the ledger a store of hashes.
func (l *ledger) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(l.stored)) {
			return nil, fmt.Errorf("hash %d is not stored", x)
		}
		hashes[i] = l.stored[x]
	}
	return hashes, nil
}

// fetch serves the ledger's tiles.
func (l *ledger) fetch(_ context.Context, t TilePath) ([]byte, error) {
	return TileData(t, l.tree.Size(), l)
}

// log is what a verifier of the owner's log starts from: proven hashes only.
func (l *ledger) log(owner string) OwnerLog {
	cp := l.checkpoint()
	return OwnerLog{Owner: owner, Checkpoint: cp, Hashes: VerifyTiles(context.Background(), cp, l.fetch)}
}

func each(items []Item) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}
