package search

import (
	"fmt"
	"slices"
	"time"
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
