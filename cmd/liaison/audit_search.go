package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// ownerFlag says whose log is meant.
type ownerFlag struct{ owner string }

func (o *ownerFlag) add(c *cobra.Command) {
	c.Flags().StringVar(&o.owner, "owner", "", "whose log; a supervisor may read those that the registry grants (default: your own agency's)")
}

// of is the owner: the profile's agency if none is named.
func (o *ownerFlag) of(c *client.Client) string { return cmp.Or(o.owner, c.Agency()) }

// rangeFlags say which part of whose log is meant.
type rangeFlags struct {
	ownerFlag
	since, until string
}

func (r *rangeFlags) add(c *cobra.Command) {
	r.ownerFlag.add(c)
	f := c.Flags()
	f.StringVar(&r.since, "since", "", "from this date or time on, or so long ago: 2026-11-01, 2026-11-22T08:00:00Z, 30d, 12h")
	f.StringVar(&r.until, "until", "", "until the end of this date, until this time, or so long ago")
}

var agoForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([hdw])$`)

// moment reads a date, a time, or how long ago.
func moment(s string, now time.Time) string {
	m := agoForm.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	n, _ := strconv.Atoi(m[1]) // at most five digits
	unit := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
	return now.Add(-time.Duration(n) * unit).UTC().Format(time.RFC3339)
}

// bounds are the two ends as the exchange takes them.
func (r *rangeFlags) bounds(now time.Time) (from, to string, both search.Range, err error) {
	from, to = moment(r.since, now), moment(r.until, now)
	if both, err = search.ParseRange(from, to); err != nil {
		return "", "", both, usageError(err, "give --since and --until a date (2026-11-01), a time (2026-11-22T08:00:00Z) or how long ago (30d, 12h)")
	}
	return from, to, both, nil
}

// searching is what the flags of audit search say.
type searching struct {
	env *environment
	profileFlags
	officerFlags
	rangeFlags
	caseRef   string
	limit     int
	oldest    bool
	full      bool
	facets    []string
	top       int
	histogram string
	check     bool

	query search.Query
	input client.SearchInput
	times search.Range
}

func newAuditSearch(env *environment) *cobra.Command {
	s := &searching{env: env}
	c := &cobra.Command{
		Use:   "search [QUERY] --reason TEXT",
		Short: "Find entries in a log, and count them",
		Long: `search prints the entries that match a query, newest first. It records who
searches and why, with the query and how many entries were shown.

A query is made of terms field:value. Terms side by side must all hold; OR,
parentheses and a minus (or NOT) do what they say. A value with spaces stands in
quotation marks; field:* is every entry that has the field, action:audit.* every
value that begins so. There is no search in free text. The fields:

` + fieldHelp() + `
--facets counts the most frequent values of fields, --histogram the entries by
time; both count everything that matches. Fields marked with a * cannot be
counted: the index of the exchange knows their values as keyed tokens only.

Each entry is held against its commitment, so that one that was changed is not
shown as true. --check goes further: it fetches the whole log, checks that no
number is missing and each entry follows the one before, reads each entry here,
and compares: an entry that the exchange hid from the search, or showed falsely,
is named, and the exit code is 5. It needs as long as reading the log does.

A query that begins with a minus stands behind -- and all flags, or begins with NOT.`,
		Example: `  liaison audit search outcome:denied --since 30d --reason "Weekly look at what was denied"
  liaison audit search 'outcome:denied (recipient:lv/vp OR recipient:it/dcpc) -purpose:prevention' --reason "Complaint 2026-31, access by unit"
  liaison audit search action:content.read --facets unit,counterpart --histogram day --since 2026-11-01 --reason "Monthly figures for the board"
  liaison audit search officer:o-17 --check --reason "Complaint 2026-31, access by o-17"
  liaison audit search 'special:* OR minors:*' --json --reason "List of sensitive packages" | jq .seq`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &s.profileFlags, s.run),
	}
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.rangeFlags.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.IntVar(&s.limit, "limit", 50, "at most so many entries; 0: only count")
	f.BoolVar(&s.oldest, "oldest", false, "oldest first")
	f.BoolVar(&s.full, "full", false, "tell each entry in words")
	f.StringSliceVar(&s.facets, "facets", nil, "count the values of these fields: outcome,counterpart")
	f.IntVar(&s.top, "top", 10, "of each field the most frequent values")
	f.StringVar(&s.histogram, "histogram", "", "count entries by hour, day, week, month or year")
	f.BoolVar(&s.check, "check", false, "read the whole log too, and compare")
	return c
}

// fieldHelp lists the fields of the query language.
func fieldHelp() string {
	var b strings.Builder
	for _, f := range search.Fields() {
		name := f.Name
		if f.Token {
			name += "*"
		}
		fmt.Fprintf(&b, "  %-20s %s\n", name, f.About)
	}
	return b.String()
}

// parse reads the query and flags; what is wrong is told before anything is
// asked.
func (s *searching) parse(args []string) (err error) {
	if err := s.needReason(); err != nil {
		return err
	}
	if s.query, err = parseQuery(args); err != nil {
		return err
	}
	if s.input.From, s.input.To, s.times, err = s.bounds(s.env.Now()); err != nil {
		return err
	}
	if err := search.CheckFacets(s.facets); err != nil {
		return usageError(err, "liaison audit search --help lists the fields; those with a * cannot be counted")
	}
	if s.histogram != "" && !slices.Contains(search.Intervals, search.Interval(s.histogram)) {
		return usageError(fmt.Errorf("--histogram %s", s.histogram), "give hour, day, week, month or year")
	}
	if s.limit < 0 || s.top < 1 || s.top > search.MaxTop {
		return usageError(errors.New("--limit or --top is out of bounds"), fmt.Sprintf("--limit from 0, --top from 1 to %d", search.MaxTop))
	}
	s.input.Owner, s.input.Query, s.input.Newest = s.owner, s.query.String(), !s.oldest
	s.input.Facets, s.input.Histogram = s.facets, s.histogram
	if s.limit == 0 && len(s.facets) == 0 && s.histogram == "" {
		s.input.Facets = []string{"outcome"}
	}
	if len(s.input.Facets) > 0 {
		s.input.Top = s.top
	}
	return nil
}

// parseQuery reads the query of a command's arguments.
func parseQuery(args []string) (search.Query, error) {
	if len(args) == 0 {
		return search.Query{}, nil
	}
	q, err := search.Parse(args[0])
	var syntax *search.SyntaxError
	if errors.As(err, &syntax) {
		fix := syntax.Fix
		if fix == "" {
			fix = "liaison audit search --help describes queries"
		}
		return q, usageError(fmt.Errorf("query, character %d: %s", syntax.At, syntax.Problem), fix)
	}
	return q, err
}

func (s *searching) run(ctx context.Context, c *client.Client, args []string) error {
	if err := s.parse(args); err != nil {
		return err
	}
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: s.officer, Reason: s.reason, CaseRef: s.caseRef})
	if err != nil {
		return err
	}
	if s.check {
		return s.compare(ctx, c, consultation)
	}
	return s.show(ctx, c, consultation.ID)
}

// show prints what the search finds.
func (s *searching) show(ctx context.Context, c *client.Client, consultation string) error {
	t := s.env.output().table("NO", "TIME", "ACTION", "OUTCOME", "OFFICER", "PACKAGE", "WHY")
	left, next := s.limit, uint64(0)
	input := s.input
	for first := true; first || left > 0 && next > 0; first = false {
		input.Limit = max(1, min(left, 200))
		page, err := c.Search(ctx, consultation, input)
		if err != nil {
			return t.fail(err)
		}
		if first && page.Counts != nil {
			if err := s.counts(t, page.Counts); err != nil {
				return err
			}
		}
		for _, item := range page.Items {
			if left == 0 {
				break
			}
			if err := s.hit(t, item); err != nil {
				return t.fail(err)
			}
			left--
		}
		next = page.Next
		input.Facets, input.Histogram, input.Top = nil, "", 0 // counted once
		if input.After = next; input.Newest {
			input.After, input.Before = 0, next
		}
	}
	if s.limit == 0 { // it was asked how many there are
		return t.err
	}
	if err := t.flush(); err != nil || next == 0 || s.env.json {
		return err
	}
	_, err := fmt.Fprintln(s.env.Stderr, "there are more: raise --limit, or narrow the query")
	return err
}

// hit prints one entry, after holding it against its commitment and the query.
func (s *searching) hit(t *table, item audit.Item) error {
	e, err := s.holds(item)
	if err != nil {
		return verificationError(fmt.Errorf("entry %d: %w", item.Seq, err), "run liaison audit verify: it tells everything that is wrong with the log")
	}
	if s.full && !s.env.json {
		return (&showing{env: s.env}).tell(item.Seq, e)
	}
	row := entryJSON{Owner: item.Owner, Seq: item.Seq, Index: item.Index, Entry: item.Entry}
	t.row(row, fmt.Sprint(e.Seq), e.Time, e.Action, e.Outcome, e.Officer, e.Package, e.Justification)
	return t.err
}

// holds says whether an entry is what was recorded, and is a hit.
func (s *searching) holds(item audit.Item) (audit.Entry, error) {
	e, err := readEntry(item)
	if err != nil {
		return e, err
	}
	if ok, err := search.MatchBytes(item.Entry, s.query, s.times); err != nil || !ok {
		return e, errors.Join(errors.New("it does not match the query"), err)
	}
	return e, nil
}

// counts prints what was counted: with --json one value before the entries.
func (s *searching) counts(t *table, c *api.AuditCounts) error {
	if s.env.json {
		t.row(map[string]any{"counts": c})
		return t.err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", entries(c.Hits))
	for _, f := range c.Facets {
		if len(f.Values) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", f.Field)
		for _, v := range f.Values {
			fmt.Fprintf(&b, "  %8d  %s\n", v.Count, printable(v.Value))
		}
		if f.Others > 0 {
			fmt.Fprintf(&b, "            and %s (--top)\n", number(f.Others, "further value"))
		}
	}
	if len(c.Histogram) > 0 {
		b.WriteString("\n" + bars(c.Histogram, search.Interval(s.histogram)))
	}
	if s.limit > 0 {
		b.WriteString("\n")
	}
	_, err := s.env.Stdout.Write([]byte(b.String()))
	return err
}

// bars draws a histogram.
func bars(all []api.AuditBar, width search.Interval) string {
	most := uint64(1)
	for _, bar := range all {
		most = max(most, bar.Count)
	}
	var b strings.Builder
	for _, bar := range all {
		from := bar.From
		if at, err := audit.ParseTime(from); err == nil {
			from = at.Format(time.DateOnly)
			if width == search.Hour {
				from = at.Format("2006-01-02 15:04")
			}
		}
		fmt.Fprintf(&b, "  %s  %8d  %s\n", from, bar.Count, strings.Repeat("#", int(bar.Count*40/most)))
	}
	return b.String()
}

// searchCheck is what a search was compared with.
type searchCheck struct {
	Owner   string   `json:"owner"`
	Query   string   `json:"query"`
	Entries uint64   `json:"entries"` // read
	Erased  uint64   `json:"erased"`
	Hits    int      `json:"hits"`
	Hidden  []uint64 `json:"hidden"` // match, and were not found
	False   []uint64 `json:"false"`  // were found, and do not match
	Broken  []string `json:"broken"` // what is wrong with the log itself
	Verdict string   `json:"verdict"`
}

// entries counts entries in words.
func entries(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// maxNamed is how many faults of the log are told one by one.
const maxNamed = 20

// compare reads the whole log and holds the search against it.
func (s *searching) compare(ctx context.Context, c *client.Client, consultation *client.Consultation) error {
	if s.owner == "" {
		s.owner = c.Agency()
	}
	known, err := s.newest(ctx, c, consultation)
	if err != nil {
		return err
	}
	found := map[uint64]bool{}
	input := s.input
	input.Facets, input.Histogram, input.Top, input.Newest, input.Limit = nil, "", 0, false, 200
	for item, err := range c.Searched(ctx, consultation.ID, input) {
		if err != nil {
			return err
		}
		found[item.Seq] = true
	}
	r := searchCheck{Owner: s.owner, Query: s.query.String(), Hits: len(found), Hidden: []uint64{}, False: []uint64{}, Broken: []string{}}
	if err := s.readAll(ctx, c, consultation, known, found, &r); err != nil {
		return err
	}
	for seq := range found { // that never came
		r.False = append(r.False, seq)
	}
	slices.Sort(r.False)
	return s.conclude(r)
}

// newest is the number of an entry before which the search must find
// everything: of the own log that of the consultation, which its receipt
// proves; of another's what the exchange says.
func (s *searching) newest(ctx context.Context, c *client.Client, consultation *client.Consultation) (uint64, error) {
	if s.owner == c.Agency() {
		return consultation.Receipt.Entry.Seq, nil
	}
	page, err := c.Search(ctx, consultation.ID, client.SearchInput{Owner: s.owner, Newest: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return 0, err
	}
	return page.Items[0].Seq, nil
}

// readAll reads every entry: what matches must have been found, and what was
// found must match. It takes what it has seen out of found. Entries that came
// after the consultation may be younger than the search.
func (s *searching) readAll(ctx context.Context, c *client.Client, consultation *client.Consultation, known uint64, found map[uint64]bool, r *searchCheck) error {
	broken := func(format string, args ...any) {
		if len(r.Broken) < maxNamed {
			r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
		}
	}
	bar := s.env.progress("reading the log", false)
	defer bar.end()
	prev := audit.FirstPrev
	for item, err := range c.EntriesOf(ctx, consultation.ID, s.owner, 0) {
		if err != nil {
			return err
		}
		bar.set(int64(item.Seq), int64(max(known, item.Seq)))
		if item.Owner != s.owner || item.Seq != r.Entries+1 {
			broken("entry %d of %s came in the place of entry %d", item.Seq, printable(item.Owner), r.Entries+1)
			return nil
		}
		r.Entries = item.Seq
		if item.Entry == nil && item.Erased {
			r.Erased++
			prev = item.Commitment.String()
			if found[item.Seq] {
				broken("entry %d was found, and is said to be erased", item.Seq)
			}
			delete(found, item.Seq)
			continue
		}
		e, err := readEntry(item)
		if err != nil {
			broken("entry %d: %v", item.Seq, err)
		}
		if e.Prev != prev && err == nil {
			broken("entry %d does not follow entry %d", item.Seq, item.Seq-1)
		}
		prev = item.Commitment.String()
		s.hold(item, found, known, r)
	}
	if r.Entries < known {
		broken("the log ends at entry %d, before entry %d, which is known", r.Entries, known)
	}
	return nil
}

func (s *searching) hold(item audit.Item, found map[uint64]bool, known uint64, r *searchCheck) {
	matches, err := search.MatchBytes(item.Entry, s.query, s.times)
	switch {
	case err != nil: // told already
	case matches && !found[item.Seq] && item.Seq <= known:
		r.Hidden = append(r.Hidden, item.Seq)
	case !matches && found[item.Seq]:
		r.False = append(r.False, item.Seq)
	}
	delete(found, item.Seq)
}

func (s *searching) conclude(r searchCheck) error {
	r.Verdict = "true and complete"
	faults := len(r.Hidden) + len(r.False) + len(r.Broken)
	if faults > 0 {
		r.Verdict = "faulty"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s of the log of %s read, %d of them erased; the search found %d\n", entries(r.Entries), r.Owner, r.Erased, r.Hits)
	for _, seq := range r.Hidden {
		fmt.Fprintf(&b, "hidden: entry %d matches, and the exchange did not show it\n", seq)
	}
	for _, seq := range r.False {
		fmt.Fprintf(&b, "false: entry %d was shown, and does not match or is not there\n", seq)
	}
	for _, text := range r.Broken {
		fmt.Fprintf(&b, "the log: %s\n", text)
	}
	fmt.Fprintf(&b, "verdict: %s\n", r.Verdict)
	if err := s.env.output().value(r, b.String()); err != nil || faults == 0 {
		return err
	}
	return verificationError(fmt.Errorf("the search does not agree with the log of %s", r.Owner),
		"keep this output and tell the operator; liaison audit verify tells everything that is wrong with the log")
}
