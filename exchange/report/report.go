// Package report computes what is told about a log: statistics, registers and
// exports, and writes them for people. It knows entries only, so that anybody
// who has them computes the same again.
package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Scope is what each figure is about. It stands in every table, since tables
// are cut out and passed on without what stands around them.
const Scope = "this exchange only"

// Query says what a report is about.
type Query struct {
	Report   string
	Owner    string
	From, To time.Time // the time from From on and before To
	Now      time.Time

	// Of the report breach only: a signing key's thumbprint or a certificate's
	// fingerprint, and an identity or a part of one. Empty: any.
	Key, Host string
}

// Facts is what entries do not say by themselves. Each may be nil.
type Facts struct {
	// Protected reports whether Directive (EU) 2016/680, or what stands in its
	// place, protects data at a recipient of the jurisdiction: no third country.
	Protected func(jurisdiction string, at time.Time) bool
	// Directive reports whether Directive (EU) 2023/977 binds the jurisdiction.
	Directive func(jurisdiction string, at time.Time) bool
	// Package describes a package that the owner is a party of, as an entry
	// would; nil if nothing is known of it.
	Package func(id string) *audit.Entry
}

// Column is a column of a report's table. The cells of a count are decimals.
type Column struct {
	Name  string `json:"name"`
	Count bool   `json:"count,omitempty"`
}

// Kind is one of the reports.
type Kind struct {
	Name  string
	Title string
	Basis string // the law that asks for it
	Help  string

	columns []Column
	passes  int  // over the log; 0: one
	whole   bool // it looks at the log from its begin, and picks by other times
	start   func(*computation) collector
}

// Columns are those of the table, the last of them is the scope.
func (k *Kind) Columns() []Column {
	return append(slices.Clone(k.columns), Column{Name: "scope"})
}

// Whole reports whether the report needs the log from its begin, whatever the
// time that it is about.
func (k *Kind) Whole() bool { return k.whole }

// Passes is how often the log is read.
func (k *Kind) Passes() int { return max(k.passes, 1) }

// kinds are all reports, in the order in which they are listed.
var kinds = []*Kind{&directive, &transfers, &derogations, &records, &overdue, &breach, &mismatches, &monthly}

// Kinds are all reports.
func Kinds() []*Kind { return slices.Clone(kinds) }

// Names are the names of all reports.
func Names() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}

// Find returns a report by its name, nil if there is none.
func Find(name string) *Kind {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// ErrQuery says that nobody can compute that.
var ErrQuery = errors.New("no such report")

// collector counts what a report is about. It emits rows as it comes to know
// them: a register while it reads, figures at the end.
type collector interface {
	entry(c *computation, e *audit.Entry) error
	finish(c *computation) error
}

// Summary is what stands under a table.
type Summary struct {
	Rows    int      // of the table
	Entries int      // that were looked at
	Erased  int      // of which nothing is left to count
	Unread  int      // that could not be read
	Notes   []string // what was not counted, and how to read the figures
}

// Computation is one report on its way: each entry of the log in the order of
// seq, once a pass, then the end.
type computation struct {
	Query
	Facts
	kind *Kind
	pass int
	emit func([]string) error
	sum  Summary
}

// Computation is a report on its way. It belongs to one goroutine.
type Computation struct {
	c computation
	r collector
}

// Begin begins a report; emit is called with each row of its table.
func Begin(q Query, facts Facts, emit func(row []string) error) (*Computation, error) {
	k := Find(q.Report)
	if k == nil {
		return nil, fmt.Errorf("%w: %q is none of %s", ErrQuery, q.Report, strings.Join(Names(), ", "))
	}
	if (q.Key != "" || q.Host != "") && k != &breach {
		return nil, fmt.Errorf("%w: only %s takes a key or a host", ErrQuery, breach.Name)
	}
	if !q.From.Before(q.To) {
		return nil, fmt.Errorf("%w: the time ends before it begins", ErrQuery)
	}
	c := &Computation{c: computation{Query: q, Facts: facts, kind: k, emit: emit}}
	c.r = k.start(&c.c)
	return c, nil
}

// Entry takes the next entry of the log; nil for one that is erased, of which
// raw is nil too, or that cannot be read.
func (c *Computation) Entry(raw []byte) error {
	first := c.c.pass == 0
	if raw == nil {
		if first {
			c.c.sum.Erased++
		}
		return nil
	}
	e, err := read(raw)
	if err != nil || e.Owner != c.c.Owner {
		if first {
			c.c.sum.Unread++
		}
		return nil
	}
	if !c.c.kind.whole && !c.c.within(e.Time) {
		return nil
	}
	if first {
		c.c.sum.Entries++
	}
	return c.r.entry(&c.c, e)
}

// NextPass begins the next pass over the log.
func (c *Computation) NextPass() { c.c.pass++ }

// End ends the report.
func (c *Computation) End() (Summary, error) {
	err := c.r.finish(&c.c)
	s := &c.c.sum
	if s.Erased > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d entries of the time are erased and not counted", s.Erased))
	}
	if s.Unread > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d entries could not be read and are not counted: verify the log", s.Unread))
	}
	s.Notes = append(s.Notes, "counted from the entries of "+c.c.Owner+" on "+Scope+": what went over other channels is not in it")
	return *s, err
}

// row emits one row.
func (c *computation) row(cells ...string) error {
	c.sum.Rows++
	return c.emit(append(cells, Scope))
}

func (c *computation) note(format string, args ...any) {
	c.sum.Notes = append(c.sum.Notes, fmt.Sprintf(format, args...))
}

// within reports whether an entry's time is in the query's. Times of entries
// sort as texts do, but for those of whole seconds.
func (c *computation) within(at string) bool {
	t, err := audit.ParseTime(at)
	return err == nil && !t.Before(c.From) && t.Before(c.To)
}

// third reports whether a recipient is outside of what the directive protects.
func (c *computation) third(agency, at string) bool {
	t, err := audit.ParseTime(at)
	return err == nil && c.Protected != nil && !c.Protected(jurisdiction(agency), t)
}

// jurisdiction is the one that an agency is of.
func jurisdiction(agency string) string {
	j, _, _ := strings.Cut(agency, "/")
	return j
}

// tally counts by names. Names beyond its bound are counted together.
type tally map[string]int

const (
	maxTally = 20000
	others   = "(others)"
)

func (t tally) add(n int, names ...string) {
	key := strings.Join(names, "\x00")
	if _, known := t[key]; !known && len(t) >= maxTally {
		key = names[0] + strings.Repeat("\x00"+others, len(names)-1)
	}
	t[key] += n
}

// each calls f for the counts in the order of their names.
func (t tally) each(f func(names []string, n int) error) error {
	keys := make([]string, 0, len(t))
	for k := range t {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := f(strings.Split(k, "\x00"), t[k]); err != nil {
			return err
		}
	}
	return nil
}

func number(n int) string { return strconv.Itoa(n) }

func list(items []string) string { return strings.Join(items, " ") }

// id is a package's id in 16 bytes, so that millions of them can be held; ok
// is false if it has another form.
func id(text string) (b [16]byte, ok bool) {
	if len(text) != 36 {
		return b, false
	}
	n := 0
	for i := 0; i < len(text); {
		if text[i] == '-' {
			i++
			continue
		}
		if i+1 >= len(text) || n == 16 {
			return b, false
		}
		hi, lo := nibble(text[i]), nibble(text[i+1])
		if hi < 0 || lo < 0 {
			return b, false
		}
		b[n] = byte(hi<<4 | lo)
		n, i = n+1, i+2
	}
	return b, n == 16
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// byCount sorts names by what they count, the most first.
func byCount(t tally) []string {
	names := make([]string, 0, len(t))
	for k := range t {
		names = append(names, k)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b)) })
	return names
}

// What entries say of a package, by action. Those of a sender and of a
// recipient describe it; the others name it.
const (
	sent       = "package.send"
	received   = "package.deliver"
	delivered  = "delivered"
	pending    = "pending"
	denied     = "denied"
	request    = "request"
	answers    = "answers" // how an answer relates to its request
	ownRefusal = "refusal"
)

func isSent(e *audit.Entry) bool     { return e.Action == sent && e.Outcome == delivered }
func isReceived(e *audit.Entry) bool { return e.Action == received && e.Outcome == delivered }

// subjects is how many persons the sender counted, 0 if it is not known.
func subjects(e *audit.Entry) int {
	n, _ := strconv.Atoi(e.Details["subjects"])
	return n
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
