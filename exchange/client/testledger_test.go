package client

import (
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
)

// testLedger is a ledger in memory, of the parts that a server uses.
type testLedger struct {
	t      testing.TB
	signer *audit.Signer
	vkey   string
	tree   audit.Tree
	stored []tlog.Hash
	items  map[string][]audit.Item
}

func newTestLedger(t testing.TB, skey, vkey string) *testLedger {
	signer, err := audit.NewSigner(skey)
	must(t, err)
	return &testLedger{t: t, signer: signer, vkey: vkey, tree: audit.EmptyTree(), items: map[string][]audit.Item{}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add appends an entry, the next of its owner, and returns its receipt.
func (l *testLedger) add(e audit.Entry) string {
	e.Seq, e.Prev, e.Exchange, e.Time = 1, audit.FirstPrev, testOrigin, audit.FormatTime(time.Unix(1795312345, 0))
	if items := l.items[e.Owner]; len(items) > 0 {
		last := items[len(items)-1]
		e.Seq, e.Prev = last.Seq+1, last.Commitment.String()
	}
	b, err := e.Encode()
	must(l.t, err)
	salt := audit.NewSalt()
	item := audit.Item{Owner: e.Owner, Seq: e.Seq, Index: l.tree.Size(), Commitment: audit.Commit(salt, b), Entry: b, Salt: salt[:]}
	g, err := l.tree.Grow([]audit.Commitment{item.Commitment})
	must(l.t, err)
	proof, err := g.Proof(item.Index)
	must(l.t, err)
	l.tree, l.stored = g.Tree(), append(l.stored, g.Stored()...)
	l.items[e.Owner] = append(l.items[e.Owner], item)
	return audit.Receipt{Entry: b, Salt: salt[:], Index: item.Index, Proof: proof, Checkpoint: l.head()}.Encode()
}

// fill appends entries of somebody else.
func (l *testLedger) fill(n int) {
	for range n {
		l.add(audit.Entry{Owner: "xx/other", Action: "package.send"})
	}
}

func (l *testLedger) head() []byte {
	note, err := l.signer.Checkpoint(l.tree.Size(), l.tree.Root())
	must(l.t, err)
	return note
}

func (l *testLedger) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		hashes[i] = l.stored[x]
	}
	return hashes, nil
}
