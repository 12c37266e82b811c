package search

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/liaison-exchange/liaison/audit"
)

// memoryLog is a log in memory: what the index reads, and nothing else.
type memoryLog struct {
	rows  map[string][]Row
	drops []Drop
}

func (l *memoryLog) Owners() ([]string, error) { return slices.Sorted(maps.Keys(l.rows)), nil }

func (l *memoryLog) Last(owner string) (uint64, audit.Commitment, error) {
	n := len(l.rows[owner])
	if n == 0 {
		return 0, audit.Commitment{}, nil
	}
	return uint64(n), l.rows[owner][n-1].Commitment, nil
}

func (l *memoryLog) Rows(owner string, after uint64, limit int) ([]Row, error) {
	all := l.rows[owner]
	from := min(int(after), len(all))
	return all[from:min(from+limit, len(all))], nil
}

func (l *memoryLog) Drops(after int64, limit int) ([]Drop, error) {
	from := min(int(after), len(l.drops))
	return l.drops[from:min(from+limit, len(l.drops))], nil
}

func (l *memoryLog) add(t failer, e audit.Entry) {
	e.Seq = uint64(len(l.rows[e.Owner]) + 1)
	e.Exchange, e.Prev = "example.org/log", audit.FirstPrev
	if e.Seq > 1 {
		e.Prev = l.rows[e.Owner][e.Seq-2].Commitment.String()
	}
	raw, err := e.Encode()
	if err != nil {
		t.Fatalf("%v", err)
	}
	l.rows[e.Owner] = append(l.rows[e.Owner], Row{Seq: e.Seq, Commitment: audit.Commit(audit.NewSalt(), raw), Entry: raw})
}

func (l *memoryLog) erase(owner string, seq uint64) {
	l.rows[owner][seq-1].Entry = nil
	l.drops = append(l.drops, Drop{int64(len(l.drops) + 1), owner, seq})
}

type failer interface{ Fatalf(string, ...any) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// openSmall opens an index whose blocks are small, so that a short log has
// some of each kind.
func openSmall(t failer, dir string, key Key, log Log) *Index {
	x, err := Open(Config{Dir: dir, Key: key, Log: quiet(), View: func(_ context.Context, f func(Log) error) error { return f(log) }})
	if err != nil {
		t.Fatalf("%v", err)
	}
	x.small, x.large, x.stride = 64, 256, 64
	return x
}

const owner = "ee/pbgb"

var began = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// anyEntry draws entries whose values are few, in times that go on mostly.
func anyEntry(t *rapid.T, n int) audit.Entry {
	one := func(name string, words ...string) string { return rapid.SampledFrom(words).Draw(t, name) }
	at := began.Add(time.Duration(n)*7*time.Minute + time.Duration(rapid.IntRange(-20, 20).Draw(t, "skew"))*time.Minute)
	if rapid.IntRange(0, 9).Draw(t, "jump") == 0 { // the clock was wrong
		at = rapid.SampledFrom([]time.Time{time.UnixMilli(0), time.UnixMilli(-1), at.AddDate(0, 0, -3), at.AddDate(0, 0, 2)}).Draw(t, "jumped")
	}
	e := audit.Entry{Owner: owner, Time: audit.FormatTime(at), Action: one("action", "package.send", "package.show", "audit.list"),
		Outcome: one("outcome", "", "delivered", "denied", "shown"), Purpose: one("purpose", "", "prevention", "investigation"),
		Officer: one("officer", "", "o-1", "o-2"), From: one("from", "", owner, "lv/vp"), CaseRef: one("case", "", "a", "ab"),
		Actor: audit.Actor{Agency: one("agency", owner, "lv/vp"), Role: "unit", Identity: "spiffe://ee/pbgb/unit/" + one("unit", "a", "b")}}
	for range rapid.IntRange(0, 2).Draw(t, "recipients") {
		e.Recipients = append(e.Recipients, one("recipient", "lv/vp", "it/dcpc", "a b"))
	}
	if rapid.Bool().Draw(t, "stated") {
		e.Statement = []byte(`{"subject_refs":["` + one("subject", "a", "ab") + `"],"approvals":[]}`)
	}
	return e
}

// terms that meet those entries.
func meetingQuery() *rapid.Generator[Query] {
	terms := []string{"outcome:denied", "outcome:shown", "outcome:*", "purpose:prevention", "purpose:*", "officer:o-1", "officer:*", "officer:o-9", "case:a", "case:ab",
		"recipient:lv/vp", `recipient:"a b"`, "recipient:it/*", "recipient:*", "counterpart:lv/vp", "subject:a", "subject:*", "unit:a", "action:package.*", "action:audit.list", "code:*", "from:*"}
	return rapid.Custom(func(t *rapid.T) Query {
		var build func(depth int) node
		build = func(depth int) node {
			kind := rapid.IntRange(0, 5).Draw(t, "kind")
			if depth == 0 || kind > 2 {
				return MustParse(rapid.SampledFrom(terms).Draw(t, "term")).root
			}
			if kind == 0 {
				return negate(build(depth - 1))
			}
			parts := []node{build(depth - 1), build(depth - 1)}
			if kind == 1 {
				return both(parts...)
			}
			return oneOf(parts...)
		}
		if rapid.IntRange(0, 9).Draw(t, "empty") == 0 {
			return Query{}
		}
		return Query{build(3)}
	})
}

func anyRange(t *rapid.T, entries int) (r Range) {
	if rapid.Bool().Draw(t, "from") {
		r.From = began.Add(time.Duration(rapid.IntRange(0, 7*entries).Draw(t, "begins")) * time.Minute)
	}
	if rapid.Bool().Draw(t, "to") {
		r.To = began.Add(time.Duration(rapid.IntRange(0, 7*entries).Draw(t, "ends")) * time.Minute)
	}
	return r
}

// definition are the seqs that match by reading every entry.
func (l *memoryLog) definition(t failer, q Query, r Range) (all []uint64) {
	for _, row := range l.rows[owner] {
		ok, err := MatchBytes(row.Entry, q, r)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if ok {
			all = append(all, row.Seq)
		}
	}
	return all
}

func find(t failer, x *Index, log Log, r Request) *Result {
	r.Owner = owner
	for range 5 {
		found, err := x.Search(context.Background(), log, x.Snapshot(owner), r)
		if err == nil {
			return found
		}
		if !errors.Is(err, ErrAgain) {
			t.Fatalf("%v", err)
		}
	}
	t.Fatalf("the index never holds still")
	return nil
}

// pages reads all pages one way.
func pages(t failer, x *Index, log Log, r Request) (all []uint64) {
	for {
		found := find(t, x, log, r)
		all = append(all, found.Seqs...)
		if !found.More {
			return all
		}
		if last := found.Seqs[len(found.Seqs)-1]; r.Newest {
			r.Before = last
		} else {
			r.After = last
		}
	}
}

// TestSearchIsMatch builds random logs in random steps (entries, rounds,
// erasures, restarts) and after each compares every search with the definition.
func TestSearchIsMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "search") //nolint:usetesting // one for each round of rapid
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		var key Key
		key[0] = 1
		log := &memoryLog{rows: map[string][]Row{}}
		x := openSmall(t, dir, key, log)
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				x = openSmall(t, dir, key, log) // a restart
			case 1, 2:
				for range rapid.IntRange(1, 40).Draw(t, "erased") {
					if n := len(log.rows[owner]); n > 0 {
						log.erase(owner, uint64(rapid.IntRange(1, n).Draw(t, "seq")))
					}
				}
			case 3, 4:
				if err := x.Round(context.Background()); err != nil {
					t.Fatal(err)
				}
			case 5:
				key[0]++
				x = openSmall(t, dir, key, log) // another key: nothing on disk counts
			default:
				samples := make([]audit.Entry, 16)
				for i := range samples {
					samples[i] = anyEntry(t, 0)
				}
				for range rapid.IntRange(1, 300).Draw(t, "entries") {
					n := len(log.rows[owner])
					e := samples[(n*7)%16]
					at, _ := audit.ParseTime(e.Time)
					if at.Year() > 1970 {
						e.Time = audit.FormatTime(at.Add(time.Duration(n) * 7 * time.Minute))
					}
					log.add(t, e)
				}
			}
			compareSearch(t, x, log)
		}
	})
}

// boundsOf holds what directories say of a query against what matches.
func boundsOf(t *rapid.T, x *Index, q Query, want []uint64) {
	s := x.shelf(owner)
	if s == nil || q.root == nil {
		return
	}
	for _, b := range s.blocks {
		o, err := b.open(nil, &scratch{})
		if err != nil {
			t.Fatal(err)
		}
		most, n := o.most(q.root), 0
		o.close()
		for _, seq := range want {
			if seq >= b.First && seq <= b.last() {
				n++
			}
		}
		if n > most {
			t.Fatalf("%s: %d of block %d match, at most %d by its directory", q, n, b.First, most)
		}
	}
}

func compareSearch(t *rapid.T, x *Index, log *memoryLog) {
	n := len(log.rows[owner])
	q, r := meetingQuery().Draw(t, "query"), anyRange(t, n)
	want := log.definition(t, q, r)
	request := Request{Query: q, Range: r, Limit: rapid.IntRange(1, 200).Draw(t, "limit")}
	if got := pages(t, x, log, request); !slices.Equal(got, want) {
		t.Fatalf("%s in %v: %v, by definition %v", q, r, got, want)
	}
	boundsOf(t, x, q, want)
	many := MustParse(rapid.SampledFrom([]string{"action:package.*", "recipient:it/*", "outcome:denied OR outcome:shown", "purpose:* recipient:*"}).Draw(t, "several values"))
	boundsOf(t, x, many, log.definition(t, many, Range{}))
	request.Newest = true
	slices.Reverse(want)
	if got := pages(t, x, log, request); !slices.Equal(got, want) {
		t.Fatalf("%s in %v, newest first: %v, by definition %v", q, r, got, want)
	}
	request.Facets, request.Top, request.Histogram = []string{"outcome", "recipient"}, 2, Day
	request.Before = uint64(rapid.IntRange(0, n+1).Draw(t, "before"))
	got := find(t, x, log, request)
	compareCounts(t, log, request, want, got)
}

func compareCounts(t *rapid.T, log *memoryLog, r Request, hits []uint64, got *Result) {
	bars := map[time.Time]uint64{}
	facets := map[string]map[string]uint64{"outcome": {}, "recipient": {}}
	for _, seq := range hits {
		e, err := audit.ParseEntry(log.rows[owner][seq-1].Entry)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := audit.ParseTime(e.Time)
		bars[time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)]++
		for name := range facets {
			for _, v := range ValuesOf(&e, name) {
				facets[name][v]++
			}
		}
	}
	if got.Count != uint64(len(hits)) {
		t.Fatalf("%s: counted %d of %d", r.Query, got.Count, len(hits))
	}
	found := map[time.Time]uint64{}
	for _, b := range got.Bars {
		found[b.From] = b.Count
	}
	if !maps.Equal(found, bars) {
		t.Fatalf("%s: bars %v, want %v", r.Query, found, bars)
	}
	for _, f := range got.Facets {
		var want []FacetValue
		for v, n := range facets[f.Field] {
			want = append(want, FacetValue{v, n})
		}
		slices.SortFunc(want, func(a, b FacetValue) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
		others := max(0, len(want)-2)
		if want = want[:len(want)-others]; !slices.Equal(f.Values, want) || f.Others != others {
			t.Fatalf("%s: %s %v and %d others, want %v and %d", r.Query, f.Field, f.Values, f.Others, want, others)
		}
	}
}

// TestPagesWhileTheLogGrows: no hit is lost or shown twice while entries come,
// blocks are made and others are erased.
func TestPagesWhileTheLogGrows(t *testing.T) {
	log := &memoryLog{rows: map[string][]Row{}}
	x := openSmall(t, t.TempDir(), Key{}, log)
	grow := func() {
		for range 50 {
			e := denied
			e.Time = audit.FormatTime(began.Add(time.Duration(len(log.rows[owner])) * time.Minute))
			if len(log.rows[owner])%3 == 0 {
				e.Outcome = "delivered"
			}
			log.add(t, e)
		}
	}
	grow()
	for _, newest := range []bool{true, false} {
		want := log.definition(t, MustParse("outcome:denied"), Range{})
		if newest {
			slices.Reverse(want)
		}
		var all []uint64
		r := Request{Query: MustParse("outcome:denied"), Newest: newest, Limit: 7}
		for {
			found := find(t, x, log, r)
			all = append(all, found.Seqs...)
			grow()
			if err := x.Round(context.Background()); err != nil {
				t.Fatal(err)
			}
			if !found.More || len(all) > len(want) {
				break
			}
			r.After, r.Before = all[len(all)-1], 0
			if newest {
				r.After, r.Before = 0, all[len(all)-1]
			}
		}
		if len(all) < len(want) || !slices.Equal(all[:len(want)], want) {
			t.Errorf("newest first %v: %v, want %v and what came since", newest, all, want)
		}
	}
}

// TestIndexSurvivesACrash ends the index at each step of its work, and goes on
// with what lies on disk.
func TestIndexSurvivesACrash(t *testing.T) {
	for _, step := range []string{"build", "written", "swapped", "removed", "punched", "marked"} {
		for _, after := range []int{0, 3, 4, 5, -1, -2} {
			log := &memoryLog{rows: map[string][]Row{}}
			dir := t.TempDir()
			fill := func(n int) {
				for range n {
					e := denied
					e.Time = audit.FormatTime(began.Add(time.Duration(len(log.rows[owner])) * time.Minute))
					e.Officer = fmt.Sprint("o-", len(log.rows[owner])%5)
					log.add(t, e)
				}
			}
			fill(300)
			if after >= 0 { // small blocks, and a large one of them
				log.rows[owner] = log.rows[owner][:100]
			}
			x := openSmall(t, dir, Key{}, log)
			left := max(after, -1-after)
			x.hook = func(at string) {
				if at == step {
					if left--; left < 0 {
						panic(step)
					}
				}
			}
			crash := func() {
				defer func() { _ = recover() }()
				_ = x.Round(context.Background())
				fill(300 - len(log.rows[owner]))
				_ = x.Round(context.Background())
				log.erase(owner, 3)
				log.erase(owner, 255)
				log.erase(owner, 290)
				_ = x.Round(context.Background())
			}
			crash()
			fill(370 - len(log.rows[owner]))
			x = openSmall(t, dir, Key{}, log)
			for range 2 {
				for _, query := range []string{"officer:o-3", "-officer:o-3", ""} {
					q := MustParse(query)
					if got, want := pages(t, x, log, Request{Query: q, Limit: 100}), log.definition(t, q, Range{}); !slices.Equal(got, want) {
						t.Fatalf("ended at %s %d, %s: %d hits, want %d", step, after, query, len(got), len(want))
					}
				}
				if err := x.Round(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			if s := x.shelf(owner); s.covered() != 320 || len(s.blocks) != 2 {
				t.Fatalf("ended at %s %d: %d entries in %d blocks", step, after, s.covered(), len(s.blocks))
			}
			if files, err := os.ReadDir(x.ownerDir(owner)); err != nil || len(files) != 2 {
				t.Fatalf("ended at %s %d: %d files (%v)", step, after, len(files), err)
			}
		}
	}
}

// TestDamagedIndex flips bytes of every file: a search never says anything
// wrong, and the index heals.
func TestDamagedIndex(t *testing.T) {
	log := &memoryLog{rows: map[string][]Row{}}
	for n := range 330 {
		e := denied
		e.Time = audit.FormatTime(began.Add(time.Duration(n) * time.Minute))
		e.Officer = fmt.Sprint("o-", n%5)
		log.add(t, e)
	}
	dir := t.TempDir()
	x := openSmall(t, dir, Key{}, log)
	if err := x.Round(context.Background()); err != nil {
		t.Fatal(err)
	}
	q := MustParse("officer:o-3 OR -outcome:*")
	r := Request{Query: q, Range: Range{From: began.Add(30 * time.Minute)}, Limit: 500, Facets: []string{"outcome"}, Histogram: Hour}
	want := pages(t, x, log, r)
	for _, b := range x.shelf(owner).blocks {
		whole, err := os.ReadFile(b.path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/40 {
			bad := slices.Clone(whole)
			bad[at] ^= 0x41
			if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, fine := range x.shelf(owner).blocks {
				if _, err := os.Stat(fine.path); err != nil {
					t.Fatalf("the index did not heal: %v", err)
				}
			}
			if err := os.WriteFile(b.path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			y := openSmall(t, dir, Key{}, log)
			if got := pages(t, y, log, r); !slices.Equal(got, want) {
				t.Fatalf("byte %d of %s: %d hits, want %d", at, b.path, len(got), len(want))
			}
			if err := y.Round(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(b.path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestIndexOfAnotherLog: an index that was made from another store is not
// believed.
func TestIndexOfAnotherLog(t *testing.T) {
	dir := t.TempDir()
	for _, outcome := range []string{"denied", "delivered"} {
		log := &memoryLog{rows: map[string][]Row{}}
		for n := range 200 {
			e := denied
			e.Outcome, e.Time = outcome, audit.FormatTime(began.Add(time.Duration(n)*time.Minute))
			log.add(t, e)
		}
		log.erase(owner, uint64(len(outcome)))
		x := openSmall(t, dir, Key{}, log)
		for range 2 {
			if got := pages(t, x, log, Request{Query: Is("outcome", outcome), Limit: 500}); len(got) != 199 {
				t.Errorf("%s: %d hits", outcome, len(got))
			}
			if err := x.Round(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestIndexShowsNoName: what is personal, and what names a single thing, is in
// no file of the index.
func TestIndexShowsNoName(t *testing.T) {
	log := &memoryLog{rows: map[string][]Row{}}
	e := denied
	e.Officer, e.CaseRef, e.Justification = "canary-officer", "canary-case", "canary of a justification"
	e.Package, e.Request, e.Consultation = "canary-package", "canary-request", "canary-consultation"
	e.Statement = []byte(`{"subject_refs":["canary-subject"],"approvals":[{"approver":"canary-approver"}]}`)
	for range 300 {
		log.add(t, e)
	}
	dir := t.TempDir()
	var key Key
	if _, err := rand.Read(key[:]); err != nil {
		t.Fatal(err)
	}
	x := openSmall(t, dir, key, log)
	if err := x.Round(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := pages(t, x, log, Request{Query: MustParse(`officer:canary-officer subject:canary-subject approver:canary-approver justification:"canary of a justification"`), Limit: 500}); len(got) != 300 {
		t.Errorf("%d hits", len(got))
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), "canary") {
			t.Errorf("%s shows a name", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files (%v)", files, err)
	}
}

func TestLoadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made, err := LoadKey(path, rand.Read)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadKey(path, rand.Read)
	if err != nil || made != again || made == (Key{}) {
		t.Errorf("another key (%v)", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v (%v)", info, err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path, rand.Read); err == nil {
		t.Error("x is a key")
	}
}
