package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Request is one search in one owner's log.
type Request struct {
	Owner string
	Query Query
	Range Range

	// The page: hits after one seq and before another (0: no bound), in the
	// order of seq or, with Newest, against it; at most Limit (0: none).
	After, Before uint64
	Newest        bool
	Limit         int

	// What is counted besides, over all hits and not only the page's: for each
	// of some fields the Top values, and hits by interval.
	Facets    []string
	Top       int
	Histogram Interval
}

func (r *Request) counts() bool { return len(r.Facets) > 0 || r.Histogram != "" }

// Interval is the width of a histogram's bars, in UTC.
type Interval string

// The intervals.
const (
	Hour  Interval = "hour"
	Day   Interval = "day"
	Week  Interval = "week" // from Monday
	Month Interval = "month"
	Year  Interval = "year"
)

// Intervals are all, the narrowest first.
var Intervals = []Interval{Hour, Day, Week, Month, Year}

// MaxBars is how many bars a histogram can have, MaxFacets how many fields are
// counted at once, MaxTop how many values of each.
const (
	MaxBars   = 2000
	MaxFacets = 8
	MaxTop    = 100
)

// ErrBars says that a histogram would have too many bars.
var ErrBars = fmt.Errorf("the histogram would have more than %d bars: choose a wider interval or a shorter time", MaxBars)

// Result is what a search found.
type Result struct {
	Seqs []uint64 // the page
	More bool     // there are hits behind it

	Count  uint64 // all hits; only if something was counted
	Facets []Facet
	Bars   []Bar // without those of no hits
}

// Facet counts the values of a field. A hit with several values counts for
// each of them.
type Facet struct {
	Field  string
	Values []FacetValue // the most frequent first
	Others int          // how many further values there are
}

// FacetValue is one value and how many hits have it.
type FacetValue struct {
	Value string
	Count uint64
}

// Bar is how many hits there were from a time on, for the interval's width.
type Bar struct {
	From  time.Time
	Count uint64
}

// CheckFacets says whether fields can be counted.
func CheckFacets(names []string) error {
	if len(names) > MaxFacets {
		return fmt.Errorf("at most %d fields are counted at once", MaxFacets)
	}
	for i, name := range names {
		f := fields[name]
		switch {
		case f == nil:
			return fmt.Errorf("there is no field %q: %s", clip(name), suggestion(name, countable(), "what can be counted: "+fmt.Sprint(countable())))
		case f.Token:
			return fmt.Errorf("%s cannot be counted: the index knows its values as tokens only", name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("%s stands twice", name)
		}
	}
	return nil
}

func countable() (all []string) {
	for _, name := range names {
		if !fields[name].Token {
			all = append(all, name)
		}
	}
	return all
}

// Snapshot is what a search takes along of the index. It must be taken before
// the snapshot of the log.
type Snapshot struct {
	shelf *shelf
	mark  int64
}

// Snapshot returns the index of an owner as it is now.
func (x *Index) Snapshot(owner string) Snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return Snapshot{x.owners[owner], x.mark.Position}
}

// Search finds. ErrAgain says that snapshot and log do not fit together any
// more: take both again. Blocks that cannot be read are dropped, and built
// again by Run.
func (x *Index) Search(ctx context.Context, log Log, snap Snapshot, r Request) (*Result, error) {
	if snap.shelf == nil {
		s, err := x.load(log, r.Owner)
		if err != nil {
			return nil, err
		}
		snap.shelf = s
		x.Wake()
	}
	s := &searching{x: x, ctx: ctx, log: log, snap: snap, Request: r, result: &Result{}, facets: map[string]map[string]uint64{}, bars: map[int64]uint64{}}
	err := s.run()
	switch d := (*damaged)(nil); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrAgain // merged meanwhile
	case errors.As(err, &d):
		x.DropOwner(r.Owner, err)
		return nil, ErrAgain
	case err != nil:
		return nil, err
	}
	x.bound()
	return s.result, nil
}

// maxCached bounds the directories in memory.
const maxCached = 128 << 20

// bound forgets the directories when there are too many.
func (x *Index) bound() {
	if x.cached.Load() < maxCached {
		return
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.cached.Store(0)
	for _, s := range x.owners {
		for _, b := range s.blocks {
			b.dir.Store(nil)
		}
	}
}

// searching is one search on its way.
type searching struct {
	x    *Index
	ctx  context.Context //nolint:containedctx // of one call
	log  Log
	snap Snapshot
	Request
	result *Result
	erased []uint64 // sorted; blocks do not know it yet
	free   map[int][]set
	times  []int64

	facets map[string]map[string]uint64
	bars   map[int64]uint64
	bar    [2]int64 // the one that was counted last
}

func (s *searching) run() error {
	if err := s.pending(); err != nil {
		return err
	}
	parts := s.snap.shelf.blocks
	if s.Newest {
		if err := s.tail(); err != nil {
			return err
		}
		for i := len(parts) - 1; i >= 0 && !s.done(); i-- {
			if err := s.block(parts[i]); err != nil {
				return err
			}
		}
		return s.finish()
	}
	for i := 0; i < len(parts) && !s.done(); i++ {
		if err := s.block(parts[i]); err != nil {
			return err
		}
	}
	if !s.done() {
		if err := s.tail(); err != nil {
			return err
		}
	}
	return s.finish()
}

// done reports whether nothing that follows matters.
func (s *searching) done() bool { return s.result.More && !s.counts() }

// pending reads what was erased and is still in the blocks.
func (s *searching) pending() error {
	const page = 10_000
	for at := s.snap.mark; ; {
		drops, err := s.log.Drops(at, page)
		if err != nil {
			return err
		}
		for _, d := range drops {
			if at = d.Position; d.Owner == s.Owner {
				s.erased = append(s.erased, d.Seq)
			}
		}
		if len(drops) < page {
			slices.Sort(s.erased)
			return s.ctx.Err()
		}
	}
}

// take puts a hit on the page.
func (s *searching) take(seq uint64) bool {
	if s.After > 0 && seq <= s.After || s.Before > 0 && seq >= s.Before {
		return true
	}
	if s.Limit > 0 && len(s.result.Seqs) == s.Limit {
		s.result.More = true
		return false
	}
	s.result.Seqs = append(s.result.Seqs, seq)
	return true
}

// paged reports whether anything between two seqs may be on the page.
func (s *searching) paged(first, last uint64) bool {
	return !s.result.More && (s.After == 0 || last > s.After) && (s.Before == 0 || first < s.Before)
}

// tail reads the entries that no block has yet.
func (s *searching) tail() error {
	const page = 500
	at := s.snap.shelf.covered()
	if !s.counts() && s.After > at {
		at = s.After // nothing before it is shown or counted
	}
	var hits []uint64
	for {
		rows, err := s.log.Rows(s.Owner, at, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if at = row.Seq; s.matches(row.Entry) {
				hits = append(hits, row.Seq)
			}
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if len(rows) < page || !s.counts() && s.Before > 0 && at >= s.Before {
			break
		}
	}
	if s.Newest {
		slices.Reverse(hits)
	}
	for _, seq := range hits {
		if !s.take(seq) {
			break
		}
	}
	return nil
}

// matches decides by the entry itself, and counts it.
func (s *searching) matches(entry []byte) bool {
	e, at, ok := decode(entry)
	if !ok || !s.Range.Holds(time.UnixMilli(at)) || !Match(e, s.Query) {
		return false
	}
	if s.counts() {
		s.countEntry(e, at)
	}
	return true
}

func (s *searching) countEntry(e *audit.Entry, at int64) {
	s.result.Count++
	for _, name := range s.Request.Facets {
		for _, v := range fields[name].of(e) {
			s.facet(name, v, 1)
		}
	}
	if s.Histogram != "" {
		s.bars[s.barOf(at)]++
	}
}

func (s *searching) facet(field, value string, n int) {
	m := s.facets[field]
	if m == nil {
		m = map[string]uint64{}
		s.facets[field] = m
	}
	m[value] += uint64(n)
}

// within compares a block's times with the range.
func (r Range) within(h header) (all, some bool) {
	first, last := time.UnixMilli(h.Min), time.UnixMilli(h.Max)
	all = r.Holds(first) && r.Holds(last)
	some = (r.To.IsZero() || first.Before(r.To)) && (r.From.IsZero() || !last.Before(r.From))
	return all, some
}

// block finds in one block.
func (s *searching) block(b *block) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	all, some := s.Range.within(b.header)
	if !some || b.Present == 0 || !s.counts() && !s.paged(b.First, b.last()) {
		return nil
	}
	o, err := b.open(&s.x.cached)
	if err != nil {
		return err
	}
	defer o.close()
	hits, err := s.hits(o, all)
	if err != nil {
		return err
	}
	defer s.give(hits)
	if hits.empty() {
		return nil
	}
	if s.counts() {
		if err := s.count(o, hits); err != nil {
			return err
		}
	}
	if s.paged(b.First, b.last()) {
		walk := hits.each
		if s.Newest {
			walk = hits.eachDown
		}
		walk(func(i int) bool { return s.take(b.First + uint64(i)) })
	}
	return nil
}

// hits are the positions that match, lie within the range and are not erased.
func (s *searching) hits(o *opened, allInRange bool) (set, error) {
	present := s.borrow(o.Size)
	if err := o.load(o.dir.present, present); err != nil {
		return nil, err
	}
	if holes := holesIn(o.block, s.erased); holes != nil {
		present.without(holes)
	}
	if !allInRange {
		if err := s.narrow(o, present); err != nil {
			return nil, err
		}
	}
	if s.Query.root == nil || present.empty() {
		return present, nil
	}
	hits, err := s.eval(o, s.Query.root, present)
	if err != nil {
		return nil, err
	}
	s.give(present)
	return hits, nil
}

// narrow leaves what lies within the range.
func (s *searching) narrow(o *opened, hits set) error {
	times, err := s.timesOf(o)
	if err != nil {
		return err
	}
	from, to := int64(-1<<62), int64(1<<62)
	if !s.Range.From.IsZero() {
		from = ceilMilli(s.Range.From)
	}
	if !s.Range.To.IsZero() {
		to = ceilMilli(s.Range.To)
	}
	hits.each(func(i int) bool {
		if times[i] < from || times[i] >= to {
			hits.remove(i)
		}
		return true
	})
	return nil
}

// ceilMilli is the first whole millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

func (s *searching) timesOf(o *opened) ([]int64, error) {
	if s.times == nil {
		s.times = make([]int64, largeSize)
	}
	return s.times, o.loadTimes(s.times)
}

// borrow returns an empty set, give takes it back.
func (s *searching) borrow(size int) set {
	if n := len(s.free[size]); n > 0 {
		b := s.free[size][n-1]
		s.free[size] = s.free[size][:n-1]
		b.clear()
		return b
	}
	return newSet(size)
}

func (s *searching) give(b set) {
	if s.free == nil {
		s.free = map[int][]set{}
	}
	s.free[64*len(b)] = append(s.free[64*len(b)], b)
}

// eval returns what of some positions matches.
func (s *searching) eval(o *opened, n node, among set) (set, error) {
	out := s.borrow(o.Size)
	switch n := n.(type) {
	case Term:
		if err := o.loadTerm(&s.x.cfg.Key, n, out); err != nil {
			return nil, err
		}
		out.and(among)
	case not:
		inner, err := s.eval(o, n.node, among)
		if err != nil {
			return nil, err
		}
		out.or(among)
		out.without(inner)
		s.give(inner)
	case anyOf:
		for _, part := range n {
			inner, err := s.eval(o, part, among)
			if err != nil {
				return nil, err
			}
			out.or(inner)
			s.give(inner)
		}
	case allOf:
		out.or(among)
		for _, part := range n {
			inner, err := s.eval(o, part, out)
			if err != nil {
				return nil, err
			}
			out, inner = inner, out
			if s.give(inner); out.empty() {
				break
			}
		}
	}
	return out, nil
}

// count counts a block's hits.
func (s *searching) count(o *opened, hits set) error {
	n := hits.count()
	s.result.Count += uint64(n)
	whole := n == o.Present
	values := s.borrow(o.Size)
	defer s.give(values)
	for _, name := range s.Request.Facets {
		for _, c := range o.dir.codes[name] {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			found := c.count
			if !whole {
				values.clear()
				if err := o.load(c.section, values); err != nil {
					return err
				}
				found = values.common(hits)
			}
			if found > 0 {
				s.facet(name, c.value, found)
			}
		}
	}
	if s.Histogram == "" {
		return nil
	}
	if first := s.barOf(o.Min); first == s.barOf(o.Max) {
		s.bars[first] += uint64(n)
		return nil
	}
	times, err := s.timesOf(o)
	if err != nil {
		return err
	}
	var bar, run int64
	hits.each(func(i int) bool {
		if at := times[i]; run > 0 && at >= s.bar[0] && at < s.bar[1] {
			run++
			return true
		}
		if run > 0 {
			s.bars[bar] += uint64(run)
		}
		bar, run = s.barOf(times[i]), 1
		return true
	})
	if run > 0 {
		s.bars[bar] += uint64(run)
	}
	return nil
}

// barOf is the beginning of the bar that a time lies in.
func (s *searching) barOf(ms int64) int64 {
	if s.bar[0] <= ms && ms < s.bar[1] {
		return s.bar[0]
	}
	from, to := s.Histogram.around(time.UnixMilli(ms).UTC())
	s.bar = [2]int64{from.UnixMilli(), to.UnixMilli()}
	return s.bar[0]
}

// around is the interval that a time lies in.
func (i Interval) around(t time.Time) (from, to time.Time) {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch i {
	case Hour:
		from = t.Truncate(time.Hour)
		return from, from.Add(time.Hour)
	case Week:
		from = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return from, from.AddDate(0, 0, 7)
	case Month:
		from = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 1, 0)
	case Year:
		from = time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(1, 0, 0)
	default:
		return day, day.AddDate(0, 0, 1)
	}
}

// finish orders what was counted.
func (s *searching) finish() error {
	if len(s.bars) > MaxBars {
		return ErrBars
	}
	for _, from := range slices.Sorted(maps.Keys(s.bars)) {
		s.result.Bars = append(s.result.Bars, Bar{time.UnixMilli(from).UTC(), s.bars[from]})
	}
	for _, name := range s.Request.Facets {
		f := Facet{Field: name}
		for v, n := range s.facets[name] {
			f.Values = append(f.Values, FacetValue{v, n})
		}
		slices.SortFunc(f.Values, func(a, b FacetValue) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
		})
		if top := cmp.Or(s.Top, 10); len(f.Values) > top {
			f.Others, f.Values = len(f.Values)-top, f.Values[:top]
		}
		s.result.Facets = append(s.result.Facets, f)
	}
	return nil
}

// Scan is Search without an index: it reads the whole log.
func Scan(ctx context.Context, log Log, r Request) (*Result, error) {
	s := &searching{ctx: ctx, log: log, snap: Snapshot{shelf: &shelf{}}, Request: r, result: &Result{}, facets: map[string]map[string]uint64{}, bars: map[int64]uint64{}}
	return s.result, s.run()
}
