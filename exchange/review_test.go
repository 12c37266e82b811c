package exchange_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// TestSample: a sample is what its description says, drawn here again by
// somebody else, whatever the index has by then; each stratum is represented.
func TestSample(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	p := x.Parts(exchangetest.PartsConfig{})
	fill(t, p, 400, func(i int) audit.Entry {
		e := audit.Entry{Owner: "ee/pbgb", Action: "test.read", Outcome: "delivered"}
		switch {
		case i%100 == 7:
			e.Outcome = "denied"
		case i%50 == 3:
			e.Outcome = ""
		}
		return e
	})
	dpo := review(t, p, x.Caller("ee/pbgb", certs.RoleDPO))
	draw := func(r exchange.SampleRequest) *exchange.SampleView {
		t.Helper()
		s, err := p.Service.DrawSample(t.Context(), dpo.who, dpo.consultation, r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain := draw(exchange.SampleRequest{Query: "action:test.read", Size: 20, Seed: "s-1"})
	want := definition(t, p, "ee/pbgb", search.MustParse("action:test.read"))
	slices.SortFunc(want, func(a, b uint64) int {
		digest := func(seq uint64) string {
			return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "s-1\nee/pbgb\n%d", seq)))
		}
		return cmp.Compare(digest(a), digest(b))
	})
	want = want[:20]
	slices.Sort(want)
	if !slices.Equal(plain.Seqs, want) || plain.Population != 400 {
		t.Errorf("%v of %d, want %v", plain.Seqs, plain.Population, want)
	}
	if err := p.Index.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := draw(exchange.SampleRequest{Query: "action:test.read", Size: 20, Seed: "s-1"}); !slices.Equal(again.Seqs, want) {
		t.Errorf("drawn again: %v, want %v", again.Seqs, want)
	}
	if other := draw(exchange.SampleRequest{Query: "action:test.read", Size: 20}); slices.Equal(other.Seqs, want) || other.Seed == "" {
		t.Errorf("another seed %q draws the same", other.Seed)
	}
	count := map[string]int{}
	for _, seq := range draw(exchange.SampleRequest{Query: "action:test.read", Size: 20, Seed: "s-1", Stratum: "outcome"}).Seqs {
		count[entryAt(t, p, "ee/pbgb", seq).Outcome]++
	}
	if count["denied"] != 1 || count[""] != 1 || count["delivered"] != 18 {
		t.Errorf("by outcome: %v", count)
	}
	if all := draw(exchange.SampleRequest{Query: "outcome:denied", Size: 50, Stratum: "outcome"}); len(all.Seqs) != 4 {
		t.Errorf("more than there are: %v", all.Seqs)
	}
}

func entryAt(t testing.TB, p *exchangetest.Parts, owner string, seq uint64) (e audit.Entry) {
	t.Helper()
	err := p.Store.View(t.Context(), func(rows exchange.Reader) error {
		row, err := rows.Entry(owner, seq)
		if err == nil {
			e, err = audit.ParseEntry(row.Entry)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestNotesGoWithTheirEntry: what a reviewer wrote about an entry is gone when
// the entry is; the verdict stays.
func TestNotesGoWithTheirEntry(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	p := x.Parts(exchangetest.PartsConfig{})
	fill(t, p, 5, func(int) audit.Entry { return audit.Entry{Owner: "ee/pbgb", Action: "test.read", Outcome: "delivered"} })
	dpo := review(t, p, x.Caller("ee/pbgb", certs.RoleDPO))
	sample, err := p.Service.DrawSample(t.Context(), dpo.who, dpo.consultation, exchange.SampleRequest{Query: "action:test.read", Size: 5})
	if err != nil {
		t.Fatal(err)
	}
	verdict := exchange.Verdict{Seq: sample.Seqs[0], Verdict: "not-lawful", Note: "what the case file says"}
	if _, err := p.Service.Review(t.Context(), dpo.who, dpo.consultation, sample.ID, verdict); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Journal.Commit(t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		tx.EraseEntries("ee/pbgb", []exchange.SeqRange{{From: verdict.Seq, To: verdict.Seq}}, tx.NextIndex(0))
		return []audit.Entry{{Owner: "ee/pbgb", Operation: audit.Erasure, Action: "test.erase", Outcome: "done"}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	all, err := p.Service.Samples(t.Context(), dpo.who, dpo.consultation)
	if err != nil || len(all) != 1 || len(all[0].Verdicts) != 1 || all[0].Verdicts[0].Verdict != "not-lawful" || all[0].Verdicts[0].Note != "" {
		t.Errorf("%+v (%v)", all, err)
	}
	_, err = p.Service.Review(t.Context(), dpo.who, dpo.consultation, sample.ID, verdict)
	refusedAs(t, err, exchange.NotFound)

	// What a sample says of who drew it goes with the entry of its drawing.
	if all[0].Officer == "" || all[0].Query == "" || all[0].By == "" {
		t.Errorf("%+v", all[0])
	}
	var drawn uint64
	if err := p.Store.View(t.Context(), func(rows exchange.Reader) error {
		for seq := uint64(1); drawn == 0; seq++ {
			row, err := rows.Entry("ee/pbgb", seq)
			if err != nil || row == nil {
				return err
			}
			if bytes.Contains(row.Entry, []byte(`"action":"audit.sample"`)) {
				drawn = seq
			}
		}
		return nil
	}); err != nil || drawn == 0 {
		t.Fatal(drawn, err)
	}
	if _, err := p.Journal.Commit(t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		tx.EraseEntries("ee/pbgb", []exchange.SeqRange{{From: drawn, To: drawn}}, tx.NextIndex(0))
		return []audit.Entry{{Owner: "ee/pbgb", Operation: audit.Erasure, Action: "test.erase", Outcome: "done"}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	all, err = p.Service.Samples(t.Context(), dpo.who, dpo.consultation)
	if err != nil || len(all) != 1 || all[0].Officer != "" || all[0].Query != "" || all[0].By != "" || len(all[0].Seqs) != 5 {
		t.Errorf("%+v (%v)", all, err)
	}
}
