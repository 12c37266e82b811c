package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // hours are those of the agency's clock, also where the machine knows no time zones

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// hint is something that a reviewer may want to look at, and why.
type hint struct {
	Kind  string `json:"kind"`
	About string `json:"about"` // an officer or a unit
	Why   string `json:"why"`
	Query string `json:"query"` // shows the entries
	Zone  string `json:"zone"`  // of its hours and days
}

// When something is worth a hint.
const (
	hintHistory = 20  // entries before somebody has a habit
	hintVolume  = 10  // entries of a day before it is many
	hintTimes   = 3   // so many times the busiest day, or the usual rate
	hintSends   = 5   // packages before a rate says something
	hintDenied  = 0.3 // rate of denials
)

func newAuditHints(env *environment) *cobra.Command {
	s := &searching{env: env}
	var repeat int
	var before, zone string
	c := &cobra.Command{
		Use:   "hints --since 30d --reason TEXT",
		Short: "Point at what is unusual in a log, and say why",
		Long: `hints compares the entries of a time with those before it, each officer and unit with
their own habits, and says what stands out: an unusual hour, many entries on a day,
an agency that a unit never sent to before, many denials, the same justification
word for word again and again. A hint is no finding: it says why it is there, and
the query that shows the entries. Hours and days are those of the agency's clock: of
the time zone that its jurisdiction declares, or --zone; in UTC if it declares none,
which is said. All other times of the log, and statistics and reports, are in UTC.`,
		Example: `  liaison audit hints --since 30d --reason "Monthly look at unusual access"
  liaison audit hints --since 7d --history 365d --repeat 5 --json --reason "Weekly look at unusual access" | jq .why`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &s.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error {
			if s.since == "" {
				s.since = "30d"
			}
			if err := s.parse(nil); err != nil {
				return err
			}
			if !agoForm.MatchString(before) || repeat < 2 {
				return usageError(errors.New("--history or --repeat"), "--history 90d, --repeat from 2")
			}
			clock, err := s.clockOf(ctx, c, zone)
			if err != nil {
				return err
			}
			return s.hints(ctx, c, clock, before, repeat)
		}),
	}
	s.top = 1
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.rangeFlags.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.StringVar(&before, "history", "90d", "compare with so long before --since")
	f.StringVar(&zone, "zone", "", "judge hours by this time zone: Europe/Tallinn (default: the one that the agency's jurisdiction declares)")
	f.IntVar(&repeat, "repeat", 10, "so often the same justification is worth a hint")
	return c
}

// clockOf is the time zone by which the hours of a log are judged.
func (s *searching) clockOf(ctx context.Context, c *client.Client, asked string) (*time.Location, error) {
	if asked != "" {
		clock := zoneOf(asked)
		if clock == nil {
			return nil, usageError(fmt.Errorf("--zone %q is no time zone", asked), "give it as in Europe/Tallinn, or UTC")
		}
		return clock, nil
	}
	a, err := c.AgencyByID(ctx, s.of(c))
	if err != nil {
		return nil, err
	}
	clock := zoneOf(a.TimeZone)
	if clock != nil {
		return clock, nil
	}
	why := "declares no time zone"
	if a.TimeZone != "" {
		why = fmt.Sprintf("declares the time zone %s, which is not known here", printable(a.TimeZone))
	}
	_, err = fmt.Fprintf(s.env.Stderr, "hours are in UTC: the jurisdiction of %s %s; --zone names another\n", printable(a.ID), why)
	return time.UTC, err
}

// zoneOf is the time zone of a name, nil if there is none. The machine's own
// is none that a log could be judged by.
func zoneOf(name string) *time.Location {
	if name == "" || name == "Local" {
		return nil
	}
	clock, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return clock
}

// hints reads the time and what was before it, and prints what stands out.
func (s *searching) hints(ctx context.Context, c *client.Client, clock *time.Location, before string, repeat int) error {
	began := s.times.From
	past := moment(before, began)
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: s.officer, Reason: s.reason, CaseRef: s.caseRef})
	if err != nil {
		return err
	}
	s.query = search.MustParse("officer:* -role:dpo -role:supervisor")
	both, err := search.ParseRange(past, s.input.To)
	if err != nil {
		return usageError(err, "give --history a shorter time")
	}
	s.times = both
	var earlier, now []audit.Entry
	bar := s.env.progress("reading", false)
	for item, err := range c.Searched(ctx, consultation.ID, client.SearchInput{Owner: s.owner, Query: s.query.String(), From: past, To: s.input.To, Limit: 200}) {
		if err != nil {
			return err
		}
		e, err := s.holds(item)
		if err != nil {
			return verificationError(fmt.Errorf("entry %d: %w", item.Seq, err), "run liaison audit verify: it tells everything that is wrong with the log")
		}
		if at, err := audit.ParseTime(e.Time); err == nil && at.Before(began) {
			earlier = append(earlier, e)
		} else {
			now = append(now, e)
		}
		bar.set(int64(len(earlier)+len(now)), -1)
	}
	bar.end()
	t := s.env.output().table("KIND", "ABOUT", "WHY", "QUERY")
	all := hintsOf(earlier, now, clock, repeat)
	for _, h := range all {
		t.row(h, h.Kind, h.About, h.Why, h.Query)
	}
	if err := t.flush(); err != nil || s.env.json {
		return err
	}
	_, err = fmt.Fprintf(s.env.Stderr, "%s of officers since %s, compared with %s before: %s\n",
		entries(uint64(len(now))), audit.FormatTime(began), entries(uint64(len(earlier))), number(len(all), "hint"))
	return err
}

// habit is what somebody did in a time.
type habit struct {
	entries int
	hours   [24]int
	days    map[string]int
	sends   int
	denied  int
	to      map[string]int
	reasons map[string]int
}

func habits(all []audit.Entry, clock *time.Location, who func(*audit.Entry) string) map[string]*habit {
	by := map[string]*habit{}
	for i := range all {
		e := &all[i]
		name := who(e)
		at, err := audit.ParseTime(e.Time)
		if name == "" || err != nil {
			continue
		}
		at = at.In(clock)
		h := by[name]
		if h == nil {
			h = &habit{days: map[string]int{}, to: map[string]int{}, reasons: map[string]int{}}
			by[name] = h
		}
		h.entries++
		h.hours[at.Hour()]++
		h.days[at.Format(time.DateOnly)]++
		h.reasons[e.Justification]++
		if e.Action == "package.send" {
			h.sends++
			if e.Outcome == "denied" {
				h.denied++
			}
			for _, r := range e.Recipients {
				h.to[r]++
			}
		}
	}
	return by
}

// hintsOf compares officers and units with their own history.
func hintsOf(earlier, now []audit.Entry, clock *time.Location, repeat int) []hint {
	officer := func(e *audit.Entry) string { return e.Officer }
	unit := func(e *audit.Entry) string { return e.Actor.Identity }
	var all []hint
	was, is := habits(earlier, clock, officer), habits(now, clock, officer)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		all = append(all, hoursOf(name, was[name], is[name], clock)...)
		all = append(all, volumeOf(name, was[name], is[name], clock)...)
		all = append(all, reasonsOf(name, is[name], repeat)...)
	}
	was, is = habits(earlier, clock, unit), habits(now, clock, unit)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		all = append(all, recipientsOf(name, was[name], is[name])...)
		all = append(all, denialsOf(name, was[name], is[name])...)
	}
	for i := range all {
		all[i].Zone = clock.String()
	}
	return all
}

func hoursOf(name string, was, is *habit, clock *time.Location) (all []hint) {
	if was == nil || was.entries < hintHistory {
		return nil
	}
	for hour, n := range is.hours {
		if n > 0 && was.hours[hour]+was.hours[(hour+1)%24]+was.hours[(hour+23)%24] == 0 {
			all = append(all, hint{Kind: "unusual-hour", About: name, Query: preset("officer", name),
				Why: fmt.Sprintf("%s between %02d and %02d h (%s); none of the %d before was within an hour of that", entries(uint64(n)), hour, hour+1, clock, was.entries)})
		}
	}
	return all
}

func volumeOf(name string, was, is *habit, clock *time.Location) (all []hint) {
	if was == nil || was.entries < hintHistory {
		return nil
	}
	most := 0
	for _, n := range was.days {
		most = max(most, n)
	}
	for _, day := range slices.Sorted(maps.Keys(is.days)) {
		if n := is.days[day]; n >= hintVolume && n >= hintTimes*most {
			all = append(all, hint{Kind: "volume", About: name, Query: preset("officer", name),
				Why: fmt.Sprintf("%s on %s (%s); the busiest day before had %d", entries(uint64(n)), day, clock, most)})
		}
	}
	return all
}

func reasonsOf(name string, is *habit, repeat int) (all []hint) {
	texts := slices.SortedFunc(maps.Keys(is.reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(is.reasons[b], is.reasons[a]), cmp.Compare(a, b))
	})
	for _, text := range texts {
		switch n := is.reasons[text]; {
		case n < repeat:
		case text == "":
			all = append(all, hint{Kind: "no-justification", About: name, Why: entries(uint64(n)) + " without a justification", Query: preset("officer", name) + " -justification:*"})
		default:
			all = append(all, hint{Kind: "boilerplate", About: name, Query: preset("officer", name) + " " + preset("justification", text),
				Why: fmt.Sprintf("the same justification, word for word, %d times of %d: %s", n, is.entries, text)})
		}
	}
	return all
}

func recipientsOf(name string, was, is *habit) (all []hint) {
	if was == nil || was.sends < hintHistory {
		return nil
	}
	for _, to := range slices.Sorted(maps.Keys(is.to)) {
		if was.to[to] == 0 {
			all = append(all, hint{Kind: "first-time-counterpart", About: name, Query: preset("identity", name) + " action:package.send " + preset("recipient", to),
				Why: fmt.Sprintf("%d packages to %s; none of the %d before went there", is.to[to], to, was.sends)})
		}
	}
	return all
}

func denialsOf(name string, was, is *habit) []hint {
	if is.sends < hintSends {
		return nil
	}
	rate, before := float64(is.denied)/float64(is.sends), 0.0
	if was != nil && was.sends > 0 {
		before = float64(was.denied) / float64(was.sends)
	}
	if rate < hintDenied || rate < hintTimes*before {
		return nil
	}
	return []hint{{Kind: "denials", About: name, Query: preset("identity", name) + " action:package.send outcome:denied",
		Why: fmt.Sprintf("%d of %d packages were denied (%.0f %%); before it was %.0f %%", is.denied, is.sends, 100*rate, 100*before)}}
}
