package search

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// tally is what one worker has counted.
type tally struct {
	*Request
	count  uint64
	facets []map[string]uint64 // by value, for each of the request's
	bars   map[int64]uint64    // by the time from which on
	bar    span                // the last one
}

func newTally(r *Request) *tally {
	t := &tally{Request: r, facets: make([]map[string]uint64, len(r.Facets)), bars: map[int64]uint64{}}
	for i := range t.facets {
		t.facets[i] = map[string]uint64{}
	}
	return t
}

// add adds what another worker has counted.
func (t *tally) add(o *tally) {
	t.count += o.count
	for i, values := range o.facets {
		for v, n := range values {
			t.facets[i][v] += n
		}
	}
	for from, n := range o.bars {
		t.bars[from] += n
	}
}

// entry counts one entry.
func (t *tally) entry(e Stored) {
	t.count++
	for i, name := range t.Facets {
		for _, v := range fields[name].of(e.Entry) {
			t.facets[i][v]++
		}
	}
	if t.Histogram != "" {
		t.bars[t.barOf(e.millis).from]++
	}
}

// count counts a block's hits.
func (w *worker) count(o *opened, hits set) error {
	n := hits.count()
	w.tally.count += uint64(n)
	for i, name := range w.Facets {
		if err := w.facet(o, name, hits, n, w.tally.facets[i]); err != nil {
			return err
		}
	}
	if w.Histogram == "" {
		return nil
	}
	if err := w.histogram(o, hits, n); err != nil {
		return err
	}
	if len(w.tally.bars) > MaxBars {
		return ErrBars
	}
	return nil
}

// facet counts the values that some hits have in a field. A set is read only
// where neither all entries of the block have it nor all are hits.
func (w *worker) facet(o *opened, name string, hits set, n int, into map[string]uint64) error {
	for _, c := range o.dir.codes[name] {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		found := c.count
		switch {
		case c.count == o.Present:
			found = n
		case n < o.Present:
			var err error
			if found, err = o.common(c.posting, hits); err != nil {
				return err
			}
		}
		if found > 0 {
			into[c.value] += uint64(found)
		}
	}
	return nil
}

// histogram counts some hits by time.
func (w *worker) histogram(o *opened, hits set, n int) error {
	t := w.tally
	if bar := t.barOf(o.Min); bar.holds(o.Max) {
		t.bars[bar.from] += uint64(n)
		return nil
	}
	return o.eachStride(hits, func(part set, s stride) error {
		if bar := t.barOf(s.min); bar.holds(s.max) {
			t.bars[bar.from] += uint64(part.count())
			return nil
		}
		times, err := o.loadTimes(s)
		if err != nil {
			return err
		}
		part.each(func(i int) bool {
			t.bars[t.barOf(times[i]).from]++
			return true
		})
		return nil
	})
}

// barOf is the bar that a time lies in.
func (t *tally) barOf(ms int64) span {
	if !t.bar.holds(ms) {
		from, to := t.Histogram.around(time.UnixMilli(ms).UTC())
		t.bar = span{from.UnixMilli(), to.UnixMilli()}
	}
	return t.bar
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
func (t *tally) finish(r *Result) error {
	if len(t.bars) > MaxBars {
		return ErrBars
	}
	r.Count = t.count
	for _, from := range slices.Sorted(maps.Keys(t.bars)) {
		r.Bars = append(r.Bars, Bar{time.UnixMilli(from).UTC(), t.bars[from]})
	}
	for i, name := range t.Facets {
		f := Facet{Field: name}
		for v, n := range t.facets[i] {
			f.Values = append(f.Values, FacetValue{v, n})
		}
		slices.SortFunc(f.Values, func(a, b FacetValue) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
		})
		if top := cmp.Or(t.Top, 10); len(f.Values) > top {
			f.Others, f.Values = len(f.Values)-top, f.Values[:top]
		}
		r.Facets = append(r.Facets, f)
	}
	return nil
}
