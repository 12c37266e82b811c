package search

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Match reports whether an entry matches a query. It is what a query means:
// whatever answers faster has to answer the same.
func Match(e *audit.Entry, q Query) bool { return q.root == nil || q.root.match(e) }

func (a allOf) match(e *audit.Entry) bool {
	for _, n := range a {
		if !n.match(e) {
			return false
		}
	}
	return true
}

func (a anyOf) match(e *audit.Entry) bool {
	for _, n := range a {
		if n.match(e) {
			return true
		}
	}
	return false
}

func (n not) match(e *audit.Entry) bool { return !n.node.match(e) }

func (t Term) match(e *audit.Entry) bool {
	found := false
	fields[t.Field].values(e, func(v string) { found = found || v != "" && t.holds(v) })
	return found
}

// holds reports whether a value is the one that the term asks for.
func (t Term) holds(value string) bool {
	if t.Prefix {
		return strings.HasPrefix(value, t.Value)
	}
	return value == t.Value
}

// Range is a time range: From is in it, To is not. A zero time is no bound.
type Range struct{ From, To time.Time }

// Holds reports whether an entry's time lies in the range. An entry's time is
// the exchange's clock, which may go back: the order of a log is seq.
func (r Range) Holds(t time.Time) bool {
	return (r.From.IsZero() || !t.Before(r.From)) && (r.To.IsZero() || t.Before(r.To))
}

// Unbounded reports whether every time lies in the range.
func (r Range) Unbounded() bool { return r.From.IsZero() && r.To.IsZero() }

// ParseRange reads the two ends of a range, each an RFC 3339 time or a date in
// UTC; the empty text is no bound. A date as the end is that whole day.
func ParseRange(from, to string) (r Range, err error) {
	if r.From, _, err = parseTime(from); err != nil {
		return Range{}, fmt.Errorf("from: %w", err)
	}
	end, day, err := parseTime(to)
	if err != nil {
		return Range{}, fmt.Errorf("to: %w", err)
	}
	if r.To = end; day {
		r.To = end.AddDate(0, 0, 1)
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return Range{}, fmt.Errorf("from: the range ends before it begins")
	}
	return r, nil
}

func parseTime(s string) (t time.Time, day bool, err error) {
	if s == "" {
		return time.Time{}, false, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return checkYear(t, true, s)
	}
	t, err = time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%q is neither a date (2026-11-22) nor a time (2026-11-22T08:00:00Z)", clip(s))
	}
	return checkYear(t.UTC(), false, s)
}

// checkYear keeps to times that entries can have: years of four digits.
func checkYear(t time.Time, day bool, s string) (time.Time, bool, error) {
	if t.Year() < 1970 || t.Year() > 9998 {
		return time.Time{}, false, fmt.Errorf("%q is not a year that a log has", clip(s))
	}
	return t, day, nil
}

// Stored is an entry as a log keeps it, quickly read: what Encode wrote.
type Stored struct {
	*audit.Entry
	millis int64
}

// ReadStored reads an entry and its time. It is the quick reverse of Encode,
// and no check: what a search shows is parsed strictly besides, and whoever
// verifies a log does that with all of it. Ok is false for what cannot be read,
// and for an erased entry.
func ReadStored(entry []byte) (e Stored, ok bool) {
	if len(entry) == 0 {
		return Stored{}, false
	}
	read := &audit.Entry{}
	if err := json.Unmarshal(entry, read); err != nil {
		return Stored{}, false
	}
	at, err := audit.ParseTime(read.Time)
	if err != nil {
		return Stored{}, false
	}
	return Stored{read, at.UnixMilli()}, true
}

// Matches reports whether the entry is within a range and matches a query.
func (e Stored) Matches(q Query, r Range) bool {
	return r.span().holds(e.millis) && Match(e.Entry, q)
}

// MatchBytes reports whether the bytes of an entry are within a range and
// match a query. No bytes are an erased entry, which matches nothing.
func MatchBytes(entry []byte, q Query, r Range) (bool, error) {
	if len(entry) == 0 {
		return false, nil
	}
	e, err := audit.ParseEntry(entry)
	if err != nil {
		return false, err
	}
	t, err := audit.ParseTime(e.Time)
	if err != nil {
		return false, err
	}
	return r.Holds(t) && Match(&e, q), nil
}
