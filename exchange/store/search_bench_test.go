package store_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/exchange/store"
)

var (
	searchEntries = flag.Int("search.entries", 20_000, "entries of the log that BenchmarkSearch searches")
	searchScale   = flag.Int("search.scale", 1300, "entries of the log that TestSearchScale searches")
	searchDir     = flag.String("search.dir", "", "directory that keeps the log for the next run")
)

const searchedOwner = "ee/pbgb"

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
	exchangetest.Seed(tb, s, searchedOwner, n, func(r *rand.Rand, i int) audit.Entry { return exchangetest.Year(r, searchedOwner, i, n) })
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
	all := searches()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r := all[name]
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
// log with small blocks and a tail; with -search.scale 70000 with a large block
// as well.
func TestSearchScale(t *testing.T) {
	s, x := searchedStore(t, *searchScale)
	var log []audit.Entry
	view(t, s, func(rows exchange.Reader) {
		for _, row := range must[[]exchange.EntryRow](t)(rows.Entries(searchedOwner, 0, *searchScale)) {
			log = append(log, must[audit.Entry](t)(audit.ParseEntry(row.Entry)))
		}
	})
	for name, r := range searches() {
		seqs, outcomes, days := []uint64(nil), map[string]uint64{}, map[time.Time]uint64{}
		for i := range log {
			at := must[time.Time](t)(audit.ParseTime(log[i].Time))
			if r.Range.Holds(at) && search.Match(&log[i], r.Query) {
				seqs = append(seqs, log[i].Seq)
				outcomes[log[i].Outcome]++
				days[at.Truncate(24*time.Hour)]++
			}
		}
		slices.Reverse(seqs)
		r.Facets, r.Histogram, r.Limit = []string{"outcome"}, search.Day, 0
		found := oneSearch(t, s, x, r)
		if !slices.Equal(found.Seqs, seqs) || found.Count != uint64(len(seqs)) {
			t.Errorf("%s: %d hits, %d shown, want %d", name, found.Count, len(found.Seqs), len(seqs))
		}
		for _, v := range found.Facets[0].Values {
			outcomes[v.Value] -= v.Count
		}
		for _, b := range found.Bars {
			days[b.From] -= b.Count
		}
		for v, n := range outcomes {
			if n != 0 {
				t.Errorf("%s: %d of outcome %s", name, int64(n), v)
			}
		}
		for day, n := range days {
			if n != 0 {
				t.Errorf("%s: %d on %v", name, int64(n), day)
			}
		}
	}
}
