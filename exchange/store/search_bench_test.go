package store_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/exchange/store"
)

var (
	searchEntries = flag.Int("search.entries", 20_000, "entries of the log that BenchmarkSearch and TestSearchScale search")
	searchDir     = flag.String("search.dir", "", "directory that keeps the log for the next run")
)

const searchedOwner = "ee/pbgb"

// seeded is one year of an agency: its packages, answers to them, and who read.
func seeded(r *rand.Rand, n, of int) audit.Entry {
	at := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(float64(n) / float64(of) * float64(360*24*time.Hour)))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	agencies := []string{"lv/vp", "it/dcpc", "ua/npu", "by/mia", "fi/poliisi", "se/polisen", "de/bka", "fr/dcpj", "europol/eu", "gb/nca"}
	e := audit.Entry{Owner: searchedOwner, Seq: uint64(n + 1), Prev: audit.FirstPrev, Exchange: "example.org/log", Time: audit.FormatTime(at),
		Operation: audit.Disclosure, Action: pick("package.send", "package.acknowledged", "content.read", "package.deliver"), Outcome: "delivered",
		Actor:   audit.Actor{Agency: searchedOwner, Role: "unit", Identity: fmt.Sprint("spiffe://ee/pbgb/unit/desk-", r.IntN(40)), Certificate: "c0ffee"},
		Officer: fmt.Sprint("EE-", r.IntN(3000)), Justification: "Findings of the joint investigation " + fmt.Sprint(r.IntN(5000)), CaseRef: fmt.Sprint("2026/", r.IntN(200_000)),
		Request: fmt.Sprintf("0199f3a2-7c1e-7b3a-9d52-%012x", n), Package: fmt.Sprintf("0199f3a2-7c1e-7b3a-9d52-%012x", n/4), From: searchedOwner,
		Recipients: []string{agencies[r.IntN(10)], agencies[r.IntN(5)]}, Purpose: pick("investigation", "prevention", "prosecution", "detection"), Handling: pick("H0", "H1", "H2"),
		MessageType: pick("request", "answer", "spontaneous"), CrimeAreas: []string{pick("terrorism", "drug_trafficking", "fraud", "computer_crime", "corruption")}, LegalBasis: []string{"ee:police-act:7"},
		Decisions: []audit.Decision{{ID: fmt.Sprint("d", n), Recipient: "lv/vp", Outcome: "delivered", Codes: []string{pick("no_judicial_use", "review_by", "no_onward")}, Rules: []string{pick("R20", "R21", "ee-1", "lv-4")}}}}
	if n > 0 {
		e.Prev = audit.Commit(audit.Salt{}, []byte{byte(n)}).String()
	}
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

// searchedStore returns a store with a log of so many entries, indexed.
func searchedStore(tb testing.TB, n int) (*store.SQLite, *search.Index) {
	tb.Helper()
	dir := *searchDir
	if dir == "" {
		dir = tb.TempDir()
	}
	s, err := store.Open(context.Background(), store.Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	x, err := search.Open(search.Config{Dir: filepath.Join(dir, "search"), View: exchange.ViewOfLog(s)})
	if err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { // beside the seeding, as beside an exchange that serves
		defer close(ran)
		for ctx.Err() == nil && x.Round(ctx) == nil {
		}
	}()
	seed(tb, s, n)
	stop()
	<-ran
	tb.Logf("%d entries seeded in %v", n, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err := x.Round(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Logf("indexed in %v, %.1f MiB", time.Since(began).Round(time.Millisecond), float64(sizeOf(tb, filepath.Join(dir, "search")))/(1<<20))
	return s, x
}

// seed appends what is missing.
func seed(tb testing.TB, s *store.SQLite, n int) {
	tb.Helper()
	const batch = 5000
	var have uint64
	if err := s.View(context.Background(), func(r exchange.Reader) (err error) {
		have, _, err = r.Last(searchedOwner)
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	for from := int(have); from < n; from += batch {
		random := rand.New(rand.NewPCG(uint64(from), 1))
		var rows []exchange.EntryRow
		for i := from; i < min(from+batch, n); i++ {
			e := seeded(random, i, n)
			raw, err := e.Encode()
			if err != nil {
				tb.Fatal(err)
			}
			var salt audit.Salt
			rows = append(rows, exchange.EntryRow{Index: int64(i), Owner: e.Owner, Seq: e.Seq, Commitment: audit.Commit(salt, raw), Salt: salt[:], Entry: raw})
		}
		tx, err := s.Begin(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		if err := tx.Append(rows, 0, nil, exchange.Head{Size: int64(from + len(rows)), Time: time.Now()}); err != nil {
			tb.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			tb.Fatal(err)
		}
	}
}

func sizeOf(tb testing.TB, dir string) (total int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return total
}

// oneSearch is one search as the exchange does it: snapshot, search, rows.
func oneSearch(tb testing.TB, s *store.SQLite, x *search.Index, r search.Request) *search.Result {
	tb.Helper()
	r.Owner = searchedOwner
	var found *search.Result
	snap := x.Snapshot(searchedOwner)
	err := s.View(context.Background(), func(rows exchange.Reader) (err error) {
		if found, err = x.Search(context.Background(), exchange.LogOf(rows), snap, r); err != nil {
			return err
		}
		for _, seq := range found.Seqs {
			row, err := rows.Entry(searchedOwner, seq)
			if err != nil {
				return err
			}
			ok, err := search.MatchBytes(row.Entry, r.Query, r.Range)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("entry %d does not match", seq)
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// searches are the worst that a filter can be.
func searches() map[string]search.Request {
	twenty := ""
	for i := range 20 {
		if i > 0 {
			twenty += " OR "
		}
		twenty += fmt.Sprint("case:2026/", i*977)
	}
	whole := search.Range{From: time.Date(2025, 12, 1, 0, 0, 1, 0, time.UTC), To: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
	narrow := search.Range{From: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)}
	all := map[string]search.Request{}
	for name, q := range map[string]string{
		"everything": "", "matches nothing": "outcome:expired", "nothing by token": "officer:nobody", "all match": "agency:ee/pbgb", "OR of 20 tokens": twenty,
		"OR of 20 codes":    "recipient:lv/vp OR recipient:it/dcpc OR recipient:ua/npu OR recipient:by/mia OR recipient:fi/poliisi OR recipient:se/polisen OR recipient:de/bka OR recipient:fr/dcpj OR recipient:europol/eu OR recipient:gb/nca OR code:no_judicial_use OR code:review_by OR code:no_onward OR rule:R20 OR rule:R21 OR rule:ee-1 OR rule:lv-4 OR handling:H0 OR handling:H1 OR handling:H2",
		"twenty that miss":  "(recipient:lv/vp OR recipient:it/dcpc OR recipient:ua/npu OR recipient:by/mia OR recipient:fi/poliisi OR recipient:se/polisen OR recipient:de/bka OR recipient:fr/dcpj OR recipient:europol/eu OR recipient:gb/nca OR code:no_judicial_use OR code:review_by OR code:no_onward OR rule:R20 OR rule:R21 OR rule:ee-1 OR rule:lv-4 OR handling:H0 OR handling:H1) outcome:expired",
		"NOT of a rare one": "-special:biometric", "one at the far end": "reason:one-of-all", "one officer": "officer:EE-17", "one package": "package:0199f3a2-7c1e-7b3a-9d52-000000000000",
	} {
		for ranged, r := range map[string]search.Range{"": {}, ", whole range": whole, ", narrow range": narrow} {
			all[name+ranged] = search.Request{Query: search.MustParse(q), Range: r, Newest: true, Limit: 50}
		}
	}
	for name, q := range map[string]string{"everything": "", "denied": "outcome:denied", "half": "purpose:investigation OR purpose:prevention", "one officer": "officer:EE-17"} {
		for ranged, r := range map[string]search.Range{"": {}, ", whole range": whole, ", narrow range": narrow} {
			all["facet: "+name+ranged] = search.Request{Query: search.MustParse(q), Range: r, Newest: true, Limit: 50, Facets: []string{"outcome"}}
			all["facets of 3: "+name+ranged] = search.Request{Query: search.MustParse(q), Range: r, Newest: true, Limit: 50, Facets: []string{"outcome", "counterpart", "unit"}}
			all["histogram: "+name+ranged] = search.Request{Query: search.MustParse(q), Range: r, Newest: true, Limit: 50, Histogram: search.Day}
		}
	}
	return all
}

// BenchmarkSearch measures the first page of each search. For the figure over
// 10 million entries: go test -run - -bench Search -search.entries 10000000
// -search.dir DIR ./exchange/store
func BenchmarkSearch(b *testing.B) {
	s, x := searchedStore(b, *searchEntries)
	for name, r := range searches() {
		b.Run(name, func(b *testing.B) {
			worst := time.Duration(0)
			for b.Loop() {
				began := time.Now()
				oneSearch(b, s, x, r)
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
		})
	}
}

// TestSearchScale compares each of these searches with the definition, over a
// log with small blocks and a tail.
func TestSearchScale(t *testing.T) {
	n := min(*searchEntries, 1300)
	s, x := searchedStore(t, n)
	for name, r := range searches() {
		var want uint64
		r.Facets, r.Limit = []string{"outcome"}, 0
		view(t, s, func(rows exchange.Reader) {
			for _, row := range must[[]exchange.EntryRow](t)(rows.Entries(searchedOwner, 0, n)) {
				if must[bool](t)(search.MatchBytes(row.Entry, r.Query, r.Range)) {
					want++
				}
			}
		})
		if found := oneSearch(t, s, x, r); found.Count != want || uint64(len(found.Seqs)) != want {
			t.Errorf("%s: %d hits, %d shown, want %d", name, found.Count, len(found.Seqs), want)
		}
	}
}
