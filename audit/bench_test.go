package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// typical is an entry as a sender's agency gets it for a package to two recipients.
func typical() Entry {
	digest := Commit(Salt{}, nil).String()
	e := minimal()
	e.Action, e.Outcome, e.Officer = "package.send", "delivered", "o-17"
	e.Actor = Actor{"ee/pbgb", "unit", "spiffe://ee/pbgb/unit/gateway", digest}
	e.Justification = "Verification of a suspect vehicle in the investigation named in the case reference"
	e.CaseRef, e.Request, e.Package = "EE-2026-0117", "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6e", "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"
	e.MessageType, e.Purpose, e.Urgency, e.Handling, e.TransferBasis = "spontaneous", "investigation", "routine", "H1", "internal_eu"
	e.CrimeAreas, e.LegalBasis, e.Recipients, e.Originators = []string{"drug_trafficking"}, []string{"ee:ee-police-act:7-46"}, []string{"lv/vp", "it/dcpc"}, []string{"ee/pbgb"}
	e.ManifestSHA256, e.ContentSHA256, e.SigningKey, e.Engine = digest, digest, digest, "opa 1.22.2"
	e.Statement = json.RawMessage(`{"iss":"ee/pbgb","jti":"0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d","officer":"o-17","justification":"Verification of a suspect vehicle in the investigation","approvals":[],"subject_refs":[],"texts":{}}`)
	e.Revisions = map[string]string{"common": digest, "rules/ee": digest, "rules/lv": digest, "rules/it": digest}
	for _, r := range e.Recipients {
		e.Decisions = append(e.Decisions, Decision{ID: e.Package, Recipient: r, Outcome: "delivered", Rules: []string{"R1", "R4", "R20"}, Obligations: []string{"no_onward"}, InputSHA256: digest})
	}
	return e
}

func BenchmarkEncode(b *testing.B) {
	e := typical()
	b.ReportAllocs()
	for b.Loop() {
		out, err := e.Encode()
		must(b, err)
		b.SetBytes(int64(len(out)))
	}
}

func BenchmarkParseEntry(b *testing.B) {
	out, err := typical().Encode()
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := ParseEntry(out)
		must(b, err)
	}
}

func BenchmarkCommit(b *testing.B) {
	out, err := typical().Encode()
	must(b, err)
	for b.Loop() {
		Commit(Salt{}, out)
	}
}

// A batch as the journal commits it: 64 packages with three entries each, with a proof for the first entry of each package.
func BenchmarkGrow(b *testing.B) {
	g, err := EmptyTree().Grow(commitments(999_999))
	must(b, err)
	tree := g.Tree()
	for _, packages := range []int{0, 64} {
		cs := commitments(max(1, 3*packages))
		b.Run(fmt.Sprintf("entries=%d", len(cs)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g, err := tree.Grow(cs)
				must(b, err)
				for i := range max(1, packages) {
					_, err := g.Proof(tree.Size() + int64(3*i))
					must(b, err)
				}
			}
		})
	}
}

func BenchmarkCheckpoint(b *testing.B) {
	l := newLedger(b)
	for b.Loop() {
		_, err := l.signer.Checkpoint(1_000_000, tlog.Hash{})
		must(b, err)
	}
}

func benchReceipt(b *testing.B) (*ledger, Receipt) {
	l := newLedger(b)
	g, err := EmptyTree().Grow(commitments(999_999))
	must(b, err)
	l.tree, l.stored = g.Tree(), g.Stored()
	return l, l.append(typical())[0]
}

func BenchmarkReceiptEncode(b *testing.B) {
	_, r := benchReceipt(b)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(r.Encode())))
	}
}

func BenchmarkReceiptVerify(b *testing.B) {
	l, r := benchReceipt(b)
	text := r.Encode()
	for b.Loop() {
		r, err := ParseReceipt(text)
		must(b, err)
		_, err = r.Verify(l.keys, nil)
		must(b, err)
	}
}

// Verifying an owner's log of 2,000 entries among 4,000, tiles included.
func BenchmarkVerifyOwner(b *testing.B) {
	l := newLedger(b)
	l.fill(2000, "ee/pbgb", "lv/vp")
	for b.Loop() {
		cp := l.checkpoint()
		r, err := VerifyOwner(each(l.items["ee/pbgb"]), OwnerLog{Owner: "ee/pbgb", Checkpoint: cp, Hashes: VerifyTiles(context.Background(), cp, l.fetch)})
		if err != nil || r.Err() != nil {
			b.Fatal(err, r.Err())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/entry")
}

func BenchmarkEncodeOverflow(b *testing.B) {
	e := typical()
	e.Justification = strings.Repeat("\u202e", 5000)
	for range 31 {
		e.Decisions = append(e.Decisions, Decision{ID: e.Package, Rules: strings.Split(strings.Repeat("rule-of-some-length ", 64), " ")})
	}
	for b.Loop() {
		_, err := e.Encode()
		must(b, err)
	}
}

// The whole way of "audit verify --dir": lines of a file, every third leaf of the ledger the owner's, tiles included.
func BenchmarkVerifyExport(b *testing.B) {
	const n = 30_000
	l := newLedger(b)
	file, leaves := exported(b, l, n)
	g, err := EmptyTree().Grow(leaves)
	must(b, err)
	l.tree, l.stored = g.Tree(), g.Stored()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		cp := l.checkpoint()
		r, err := VerifyOwner(ReadItems(bytes.NewReader(file)), OwnerLog{Owner: "ee/pbgb", Checkpoint: cp, Hashes: VerifyTiles(context.Background(), cp, l.fetch)})
		if err != nil || r.Err() != nil || r.Disclosed != n {
			b.Fatal(err, r)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// exported is the log of an owner with n typical entries, and the ledger's leaves.
func exported(t testing.TB, l *ledger, n int) (file []byte, leaves []Commitment) {
	e := typical()
	e.Prev, e.Exchange = FirstPrev, testOrigin
	for e.Seq = 1; e.Seq <= uint64(n); e.Seq++ {
		raw, err := e.Encode()
		must(t, err)
		salt := NewSalt()
		i := Item{Owner: e.Owner, Seq: e.Seq, Index: int64(len(leaves)), Commitment: Commit(salt, raw), Entry: raw, Salt: salt[:]}
		file, err = AppendItem(file, i)
		must(t, err)
		e.Prev = i.Commitment.String()
		leaves = append(leaves, i.Commitment, Commitment(NewSalt()), Commitment(NewSalt()))
	}
	return file, leaves
}
