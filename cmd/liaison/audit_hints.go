package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/policy"
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
		clock := policy.TimeZone(asked)
		if clock == nil {
			return nil, usageError(fmt.Errorf("--zone %q is no time zone", asked), "give it as in Europe/Tallinn, or UTC")
		}
		return clock, nil
	}
	a, err := c.AgencyByID(ctx, s.of(c))
	if err != nil {
		return nil, err
	}
	clock := policy.TimeZone(a.TimeZone)
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
	was, is := newHabits(clock), newHabits(clock)
	is.reasons = map[string]map[string]int{}
	bar := s.env.progress("reading", false)
	for item, err := range c.Searched(ctx, consultation.ID, client.SearchInput{Owner: s.owner, Query: s.query.String(), From: past, To: s.input.To, Limit: 200}) {
		if err != nil {
			return err
		}
		e, err := s.holds(item)
		if err != nil {
			return verificationError(fmt.Errorf("entry %d: %w", item.Seq, err), "run liaison audit verify: it tells everything that is wrong with the log")
		}
		at, err := audit.ParseTime(e.Time)
		if err != nil {
			return verificationError(fmt.Errorf("entry %d: %w", item.Seq, err), "run liaison audit verify: it tells everything that is wrong with the log")
		}
		if at.Before(began) {
			was.add(&e, at)
		} else {
			is.add(&e, at)
		}
		bar.set(int64(was.entries+is.entries), -1)
	}
	bar.end()
	t := s.env.output().table("KIND", "ABOUT", "WHY", "QUERY")
	all := hintsOf(was, is, repeat)
	for _, h := range all {
		t.row(h, h.Kind, h.About, h.Why, h.Query)
	}
	if err := t.flush(); err != nil || s.env.json {
		return err
	}
	_, err = fmt.Fprintf(s.env.Stderr, "%s of officers since %s, compared with %s before: %s\n",
		entries(is.entries), audit.FormatTime(began), entries(was.entries), number(len(all), "hint"))
	return err
}
