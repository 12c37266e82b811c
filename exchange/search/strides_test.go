package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// timedLog is a log whose entries have given times, and what is in them.
type timedLog struct {
	*memoryLog
	entries []audit.Entry
	times   []time.Time
}

func timed(t testing.TB, n int, at func(i int) time.Time) *timedLog {
	t.Helper()
	l := &timedLog{memoryLog: &memoryLog{rows: map[string][]Row{}}}
	for i := range n {
		e := denied
		e.Time, e.Officer = audit.FormatTime(at(i)), fmt.Sprint("o-", i%5)
		if i%3 == 0 {
			e.Outcome = "delivered"
		}
		l.add(t, e)
		l.entries, l.times = append(l.entries, e), append(l.times, at(i))
	}
	return l
}

// compare compares a search with the definition: its hits, and how many there
// are by time, by outcome and by action, which all entries have in common.
func (l *timedLog) compare(t testing.TB, x *Index, q Query, r Range, interval Interval) {
	t.Helper()
	var hits []uint64
	bars, outcomes := map[time.Time]uint64{}, map[string]uint64{}
	for i, row := range l.rows[owner] {
		if row.Entry != nil && r.Holds(l.times[i]) && Match(&l.entries[i], q) {
			hits = append(hits, row.Seq)
			from, _ := interval.around(l.times[i].UTC())
			bars[from]++
			outcomes[l.entries[i].Outcome]++
		}
	}
	found := find(t, x, l.memoryLog, Request{Query: q, Range: r, Histogram: interval, Facets: []string{"outcome", "action"}})
	gotBars, gotOutcomes := map[time.Time]uint64{}, map[string]uint64{}
	for _, b := range found.Bars {
		gotBars[b.From] = b.Count
	}
	for _, v := range found.Facets[0].Values {
		gotOutcomes[v.Value] = v.Count
	}
	if all := found.Facets[1].Values; len(hits) > 0 && (len(all) != 1 || all[0].Count != uint64(len(hits))) {
		t.Fatalf("%s in %v: %v, want %d", q, r, all, len(hits))
	}
	if !slices.Equal(found.Seqs, hits) || found.Count != uint64(len(hits)) || !maps.Equal(gotBars, bars) || !maps.Equal(gotOutcomes, outcomes) {
		t.Fatalf("%s in %v by %s: %d hits, %v, %v, by definition %d, %v, %v", q, r, interval, len(found.Seqs), gotBars, gotOutcomes, len(hits), bars, outcomes)
	}
}

// awkward are times that make strides of every kind: in one bar, across one, out
// of order, around 1970, all the same, and a clock that jumped.
func awkward(i int) time.Time {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	minutes := func(n int) time.Time { return day.Add(time.Duration(n) * time.Minute) }
	switch i / 64 {
	case 0:
		return minutes(i)
	case 1:
		return minutes(24*60 - 32 + i%64)
	case 2:
		return minutes(48*60 - 32 + (i*37)%64)
	case 3:
		return time.UnixMilli(int64(i%64 - 32)).UTC()
	case 4:
		return minutes(72 * 60)
	case 5:
		if i%64 == 17 {
			return minutes(5_000_000)
		}
		return minutes(72 * 60).Add(time.Duration(i%64) * time.Millisecond)
	}
	return minutes(73*60 + i)
}

// TestStrides cuts ranges at and beside every time that begins or ends a
// stride, with and without holes, and counts by every interval.
func TestStrides(t *testing.T) {
	log := timed(t, 600, awkward)
	x := openSmall(t, t.TempDir(), Key{}, log)
	round := func() {
		if err := x.Round(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if s := x.shelf(owner); len(s.blocks) != 3 || s.blocks[0].Size != 256 || s.blocks[1].Size != 256 {
		t.Fatalf("%d blocks", len(s.blocks))
	}
	queries := []Query{{}, MustParse("officer:o-3"), MustParse("outcome:denied")}
	compare := func(what string) {
		t.Helper()
		find(t, x, log, Request{Limit: 1}) // looks at what lies on disk
		before := x.shelf(owner)
		var cuts []time.Time
		for stride := range 7 {
			for _, i := range []int{0, 17, 31, 32, 63} {
				at := awkward(64*stride + i)
				cuts = append(cuts, at.Add(-time.Millisecond), at, at.Add(time.Microsecond), at.Add(time.Millisecond))
			}
		}
		for i, cut := range cuts {
			q, interval := queries[i%len(queries)], Intervals[i%len(Intervals)]
			log.compare(t, x, q, Range{From: cut}, interval)
			log.compare(t, x, q, Range{To: cut}, interval)
			if other := cuts[i*31%len(cuts)]; cut.Before(other) {
				log.compare(t, x, q, Range{From: cut, To: other}, interval)
			}
		}
		if x.shelf(owner) != before {
			t.Fatalf("%s: the index is dropped, and the log itself was read", what)
		}
	}
	compare("full")
	for i := range 600 { // a stride without an entry, some without their first, their last
		if i/64 == 2 || i%64 == 0 || i%64 == 63 || i/64 == 5 && i%64 != 17 {
			log.erase(owner, uint64(i+1))
		}
	}
	compare("holes that the blocks do not have yet")
	round()
	compare("holes")
	x = openSmall(t, x.cfg.Dir, Key{}, log)
	compare("after a restart")
}

// TestBlocksAreInPlace: a log that grew by little has small blocks until they
// make a large one, whatever comes at once behind them; one that grew by much
// has large ones. A restart believes them all.
func TestBlocksAreInPlace(t *testing.T) {
	log := timed(t, 900, awkward)
	all := log.rows[owner]
	x := openSmall(t, t.TempDir(), Key{}, log)
	for _, n := range []int{100, 900} {
		log.rows[owner] = all[:n]
		if err := x.Round(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	firsts := func(x *Index) (all []string) {
		for _, b := range x.shelf(owner).blocks {
			all = append(all, b.name())
		}
		return all
	}
	want := firsts(x)
	if len(want) != 5 { // three large ones, and two small ones
		t.Fatalf("%v", want)
	}
	x = openSmall(t, x.cfg.Dir, Key{}, log)
	log.compare(t, x, MustParse("officer:o-3"), Range{}, Month)
	if got := firsts(x); !slices.Equal(got, want) {
		t.Errorf("after a restart %v, before %v", got, want)
	}
}

// TestPagesOfBlocks: small pages show every hit of large blocks, in order, from
// both ends.
func TestPagesOfBlocks(t *testing.T) {
	log := timed(t, 512, awkward)
	x := openSmall(t, t.TempDir(), Key{}, log)
	if err := x.Round(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, newest := range []bool{false, true} {
		got := pages(t, x, log, Request{Limit: 7, Newest: newest})
		if newest {
			slices.Reverse(got)
		}
		for i := range 512 {
			if len(got) != 512 || got[i] != uint64(i+1) {
				t.Fatalf("newest first %v: %v", newest, got)
			}
		}
	}
}

// TestSetForms: a stored set has its positions again, whatever lies between
// them, and is counted as it is.
func TestSetForms(t *testing.T) {
	const size = 4096
	odd := newSet(size)
	for i := 1; i < size; i += 2 {
		odd.add(i)
	}
	for gap := 1; gap < 1000; gap++ {
		s, common := newSet(size), 0
		for i := gap - 1; i < size; i += gap {
			s.add(i)
			common += i % 2
		}
		b, again := s.encode(nil), newSet(size)
		if err := again.addEncoded(b, 0, size); err != nil || !slices.Equal(again, s) {
			t.Fatalf("every %d: another set (%v)", gap, err)
		}
		if n, err := odd.commonEncoded(b); err != nil || n != common {
			t.Fatalf("every %d: %d in common, want %d (%v)", gap, n, common, err)
		}
		for cut := range len(b) { // what is cut short is no set, or a smaller one
			if n, err := odd.commonEncoded(b[:cut]); err == nil && n > common {
				t.Fatalf("every %d, cut at %d: %d in common", gap, cut, n)
			}
		}
	}
}

// TestTimesAreReadAtBorders: a stride that no border cuts is counted without
// its times; where one is cut, damage is found, and the index heals.
func TestTimesAreReadAtBorders(t *testing.T) {
	log := timed(t, 256, func(i int) time.Time { return began.Add(time.Duration(i) * time.Minute) })
	for _, c := range []struct {
		from, to int // minutes
		interval Interval
		read     bool
	}{{64, 128, "", false}, {0, 256, Year, false}, {63, 129, Month, false}, {128, 256, Week, false}, {64, 127, "", true}, {65, 128, "", true}, {0, 256, Hour, true}, {0, 256, Day, true}} {
		x := openSmall(t, t.TempDir(), Key{}, log)
		if err := x.Round(context.Background()); err != nil {
			t.Fatal(err)
		}
		b := x.shelf(owner).blocks[0]
		flip(t, b, x)
		r := Range{From: began.Add(time.Duration(c.from) * time.Minute), To: began.Add(time.Duration(c.to) * time.Minute)}
		_, err := x.Search(context.Background(), log, x.Snapshot(owner), Request{Owner: owner, Range: r, Histogram: c.interval})
		if read := errors.Is(err, ErrAgain); read != c.read || err != nil && !read {
			t.Errorf("%+v: %v", c, err)
		}
		log.compare(t, x, Query{}, r, cmp.Or(c.interval, Year))
	}
}

// flip changes a byte of the times of a block's second stride.
func flip(t *testing.T, b *block, x *Index) {
	t.Helper()
	o, err := b.open(&x.cached, &scratch{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	raw, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	raw[o.dir.strides[1].at+3] ^= 0x10
	if err := os.WriteFile(b.path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRealSizes: blocks and strides of the sizes that an exchange has, with a
// clock that goes on unevenly and now and then back.
func TestRealSizes(t *testing.T) {
	const n = largeSize + 3*smallSize + 100
	at := func(i int) time.Time {
		ms := i*6007 + (i*i)%90_000
		if i%5000 > 4990 {
			ms -= 3_600_000
		}
		return began.Add(time.Duration(ms) * time.Millisecond)
	}
	log := timed(t, n, at)
	x, err := Open(Config{Dir: t.TempDir(), Log: quiet(), View: func(_ context.Context, f func(Log) error) error { return f(log) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Round(context.Background()); err != nil {
		t.Fatal(err)
	}
	blocks := x.shelf(owner).blocks
	if len(blocks) != 4 || blocks[0].Size != largeSize {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, r := range []Range{{}, {From: at(30_000), To: at(50_001)}, {To: at(largeSize + 1500)}, {From: at(1023)}} {
		for _, q := range []Query{{}, MustParse("officer:o-3 -outcome:denied")} {
			log.compare(t, x, q, r, Hour)
		}
	}
}

// TestSearchEnds: a search whose time is over ends with that, and one whose
// worker breaks ends with an error, not with the process.
func TestSearchEnds(t *testing.T) {
	log := timed(t, 700, awkward)
	x := openSmall(t, t.TempDir(), Key{}, log)
	if err := x.Round(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := Request{Owner: owner, Query: MustParse("officer:nobody"), Limit: 5}
	if _, err := x.Search(ctx, log, x.Snapshot(owner), r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s := begin(context.Background(), log, x.Snapshot(owner), r)
	s.x = x
	w := &walk{searching: s, todo: s.worthwhile()}
	w.known = make([]finding, len(w.todo))
	w.help(&worker{searching: s}) // without what makes tokens
	if w.err == nil || w.left() {
		t.Error("a worker that broke is not seen")
	}
}
