package exchangetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// YearBegins is when the first entry of Year is.
var YearBegins = time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)

// Year is one of so many entries of 360 days of an agency: its packages,
// answers to them, and who read.
func Year(r *rand.Rand, owner string, n, of int) audit.Entry {
	at := YearBegins.Add(time.Duration(float64(n) / float64(of) * float64(360*24*time.Hour)))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	agencies := []string{"lv/vp", "it/dcpc", "ua/npu", "by/mia", "fi/poliisi", "se/polisen", "de/bka", "fr/dcpj", "europol/eu", "gb/nca"}
	e := audit.Entry{Owner: owner, Exchange: "example.org/log", Time: audit.FormatTime(at),
		Operation: audit.Disclosure, Action: pick("package.send", "package.acknowledged", "content.read", "package.deliver"), Outcome: "delivered",
		Actor:   audit.Actor{Agency: owner, Role: "unit", Identity: fmt.Sprint("spiffe://ee/pbgb/unit/desk-", r.IntN(40)), Certificate: "c0ffee"},
		Officer: fmt.Sprint("EE-", r.IntN(3000)), Justification: "Findings of the joint investigation " + fmt.Sprint(r.IntN(5000)), CaseRef: fmt.Sprint("2026/", r.IntN(200_000)),
		Request: fmt.Sprintf("0199f3a2-7c1e-7b3a-9d52-%012x", n), Package: fmt.Sprintf("0199f3a2-7c1e-7b3a-9d52-%012x", n/4), From: owner,
		Recipients: []string{agencies[r.IntN(10)], agencies[r.IntN(5)]}, Purpose: pick("investigation", "prevention", "prosecution", "detection"), Handling: pick("H0", "H1", "H2"),
		MessageType: pick("request", "answer", "spontaneous"), CrimeAreas: []string{pick("terrorism", "drug_trafficking", "fraud", "computer_crime", "corruption")}, LegalBasis: []string{"ee:police-act:7"},
		Decisions: []audit.Decision{{ID: fmt.Sprint("d", n), Recipient: "lv/vp", Outcome: "delivered", Codes: []string{pick("no_judicial_use", "review_by", "no_onward")}, Rules: []string{pick("R20", "R21", "ee-1", "lv-4")}}}}
	switch {
	case r.IntN(50) == 0:
		e.Outcome, e.Problem, e.Operation = "denied", "policy-denied", ""
	case r.IntN(10_000) == 0:
		e.SpecialCategories = []string{"biometric"}
	case n == 3:
		e.Reason = "one-of-all" // the one hit at the far end
	}
	return e
}

// Seed makes a log of so many entries in a store, as far as the owner has
// fewer: as a journal does, with chain, tree and a head for each batch, but with
// no other row. Nobody else may write. Entry makes one from its number; the
// same numbers are drawn whenever it goes on.
func Seed(tb testing.TB, s exchange.Store, owner string, n int, entry func(r *rand.Rand, i int) audit.Entry) {
	tb.Helper()
	const round = 5000
	y := &seeding{tb: tb, store: s, owner: owner}
	y.begin(n)
	for i := int(y.seq); i < n; {
		random := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // the same entries whenever it goes on
		var entries []audit.Entry
		for end := min(i+round, n); i < end; i++ {
			entries = append(entries, entry(random, i))
		}
		y.add(entries)
	}
}

// seeding is a log that is being made.
type seeding struct {
	tb    testing.TB
	store exchange.Store
	owner string
	tree  audit.Tree
	seq   uint64
	prev  audit.Commitment
}

func (y *seeding) must(err error) {
	y.tb.Helper()
	if err != nil {
		y.tb.Fatal(err)
	}
}

// begin reads where the log ends, and the tree if entries are to follow.
func (y *seeding) begin(n int) {
	y.tb.Helper()
	y.must(y.store.View(context.Background(), func(r exchange.Reader) (err error) {
		if y.seq, y.prev, err = r.Last(y.owner); err != nil || int(y.seq) >= n {
			return err
		}
		head, err := r.Head()
		if err != nil {
			return err
		}
		y.tree, err = audit.LoadTree(head.Size, r)
		return err
	}))
}

// add adds entries in one transaction.
func (y *seeding) add(entries []audit.Entry) {
	y.tb.Helper()
	const batch = 250
	tx, err := y.store.Begin(context.Background())
	y.must(err)
	for len(entries) > 0 {
		y.must(y.batch(tx, entries[:min(batch, len(entries))]))
		entries = entries[min(batch, len(entries)):]
	}
	y.must(tx.Commit())
}

func (y *seeding) batch(tx exchange.Transaction, entries []audit.Entry) error {
	var rows []exchange.EntryRow
	var leaves []audit.Commitment
	for _, e := range entries {
		if e.Prev = audit.FirstPrev; y.seq > 0 {
			e.Prev = y.prev.String()
		}
		y.seq++
		e.Seq = y.seq
		raw, err := e.Encode()
		if err != nil {
			return err
		}
		salt := audit.NewSalt()
		y.prev = audit.Commit(salt, raw)
		leaves = append(leaves, y.prev)
		rows = append(rows, exchange.EntryRow{Index: y.tree.Size() + int64(len(rows)), Owner: y.owner, Seq: e.Seq, Commitment: y.prev, Salt: salt[:], Entry: raw})
	}
	growth, err := y.tree.Grow(leaves)
	if err != nil {
		return err
	}
	y.tree = growth.Tree()
	at, err := audit.ParseTime(entries[len(entries)-1].Time)
	if err != nil {
		return err
	}
	return tx.Append(rows, growth.FirstStored(), growth.Stored(), exchange.Head{Size: y.tree.Size(), Root: y.tree.Root(), Time: at})
}
