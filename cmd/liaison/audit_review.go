package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newAuditSample(env *environment) *cobra.Command {
	s := &searching{env: env}
	want := api.SampleRequest{}
	c := &cobra.Command{
		Use:   "sample [QUERY] --size N --reason TEXT",
		Short: "Draw a random sample of a log, to review it entry by entry",
		Long: `sample draws entries at random from those that match a query, as audit search has
it, and the exchange keeps the sample, so that "audit review" can record what each
entry was found to be.

Whoever has the log draws the same again: of all entries that match, up to the one
that the log ended with then, those are drawn whose SHA-256 over seed, line feed,
owner, line feed and number in decimal is smallest. Without --seed one is made; it
is kept. With --by each value of that field is represented (the 100 most frequent
ones, and having none), and the rest of the sample is shared by how frequent they
are.`,
		Example: `  liaison audit sample action:content.read --size 30 --since 30d --reason "Monthly sample of readings"
  liaison audit sample --size 30 --by outcome --seed 2026-11 --since 2026-11-01 --until 2026-11-30 --reason "Monthly sample"`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &s.profileFlags, func(ctx context.Context, c *client.Client, args []string) error {
			if err := s.parse(args); err != nil {
				return err
			}
			want.Owner, want.Query, want.From, want.To = s.owner, s.input.Query, s.input.From, s.input.To
			consultation, err := c.Consult(ctx, client.ConsultInput{Officer: s.officer, Reason: s.reason, CaseRef: s.caseRef})
			if err != nil {
				return err
			}
			drawn, err := c.DrawSample(ctx, consultation.ID, want)
			if err != nil {
				return err
			}
			return s.sample(ctx, c, consultation.ID, drawn)
		}),
	}
	s.top = 1
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.rangeFlags.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.IntVar(&want.Size, "size", 30, "how many entries")
	f.StringVar(&want.Seed, "seed", "", "draw with this seed (default: a new one, which is kept)")
	f.StringVar(&want.By, "by", "", "represent each value of this field: outcome, counterpart, unit …")
	return c
}

// sample prints a sample with its entries and verdicts.
func (s *searching) sample(ctx context.Context, c *client.Client, consultation string, drawn *api.Sample) error {
	if s.env.json {
		return s.env.output().value(drawn, "")
	}
	if _, err := fmt.Fprint(s.env.Stdout, drawnWords(drawn)); err != nil {
		return err
	}
	verdicts := map[uint64]api.Verdict{}
	for _, v := range drawn.Verdicts {
		verdicts[v.Seq] = v
	}
	t := s.env.output().table("NO", "VERDICT", "TIME", "ACTION", "OUTCOME", "OFFICER", "PACKAGE", "WHY", "NOTE")
	for _, seq := range drawn.Seqs {
		item, err := c.Entry(ctx, consultation, drawn.Owner, seq)
		if err != nil {
			return t.fail(err)
		}
		v := verdicts[seq]
		if item.Entry == nil && item.Erased {
			t.row(nil, fmt.Sprint(seq), v.Verdict, "", "(erased)", "", "", "", "", v.Note)
			continue
		}
		e, err := readEntry(item)
		if err == nil && (item.Seq != seq || item.Owner != drawn.Owner) {
			err = errors.New("another entry came in its place")
		}
		if err != nil {
			return t.fail(verificationError(fmt.Errorf("entry %d: %w", seq, err), "run liaison audit verify: it tells everything that is wrong with the log"))
		}
		t.row(nil, fmt.Sprint(seq), v.Verdict, e.Time, e.Action, e.Outcome, e.Officer, e.Package, e.Justification, v.Note)
	}
	return t.flush()
}

func drawnWords(s *api.Sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sample %s: %d of %s of the log of %s, seed %s\n", s.ID, len(s.Seqs), entries(s.Population), printable(s.Owner), printable(s.Seed))
	fmt.Fprintf(&b, "drawn %s by %s, %s\n", s.At, printable(s.Officer), printable(s.DrawnBy))
	if s.Query != "" {
		fmt.Fprintf(&b, "query %s\n", printable(s.Query))
	}
	fmt.Fprintf(&b, "%s\n\n", progressWords(s))
	return b.String()
}

// progressWords tell how far a review is, and what it found.
func progressWords(s *api.Sample) string {
	count := map[string]int{}
	for _, v := range s.Verdicts {
		count[v.Verdict]++
	}
	words := fmt.Sprintf("reviewed %d of %d", len(s.Verdicts), len(s.Seqs))
	for _, verdict := range []string{"lawful", "unclear", "not-lawful"} {
		if count[verdict] > 0 {
			words += fmt.Sprintf(", %s %d", verdict, count[verdict])
		}
	}
	return words
}

func newAuditReview(env *environment) *cobra.Command {
	s := &searching{env: env}
	want := api.VerdictRequest{}
	findings := false
	c := &cobra.Command{
		Use:   "review [SAMPLE [NO]] --reason TEXT",
		Short: "Record what the review of a sample found, entry by entry",
		Long: `review lists the samples that your agency drew and how far each is reviewed; with a
sample it shows its entries and verdicts (--findings: only those that are not
lawful); with a sample and a number it records a verdict on that entry.

With --owner only samples of that agency's log are listed: a supervisor reviews those
that the registry grants.

Verdict and reviewer are recorded in the log. The note stands beside the sample
only, and goes when the entry is erased: do not repeat in it what the case file says.`,
		Example: `  liaison audit review --reason "Monthly sample of readings"
  liaison audit review 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d 1204 --verdict unclear --note "The case file names another purpose" --reason "Monthly sample of readings"
  liaison audit review 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --findings --reason "Report to the head of the agency"`,
		Args: cobra.MaximumNArgs(2),
		RunE: withClient(env, &s.profileFlags, func(ctx context.Context, c *client.Client, args []string) error {
			return s.review(ctx, c, args, want, findings)
		}),
	}
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.ownerFlag.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.StringVar(&want.Verdict, "verdict", "", "lawful, unclear or not-lawful")
	f.StringVar(&want.Note, "note", "", "why, in a few words")
	f.BoolVar(&findings, "findings", false, "only entries that are unclear or not lawful")
	return c
}

func (s *searching) review(ctx context.Context, c *client.Client, args []string, want api.VerdictRequest, findings bool) error {
	if err := s.needReason(); err != nil {
		return err
	}
	var seq uint64
	if len(args) == 2 {
		var err error
		if seq, err = strconv.ParseUint(args[1], 10, 63); err != nil || seq == 0 {
			return usageError(fmt.Errorf("%q is no number of an entry", args[1]), "give a number from 1, as the sample lists them")
		}
	}
	if (len(args) == 2) != (want.Verdict != "") {
		return usageError(errors.New("a verdict is about one entry of a sample"), "liaison audit review SAMPLE NO --verdict lawful|unclear|not-lawful")
	}
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: s.officer, Reason: s.reason, CaseRef: s.caseRef})
	if err != nil {
		return err
	}
	if len(args) == 2 {
		reviewed, err := c.Review(ctx, consultation.ID, args[0], seq, want)
		if err != nil {
			return err
		}
		return s.env.output().value(reviewed, progressWords(reviewed))
	}
	all, err := c.Samples(ctx, consultation.ID)
	if err != nil {
		return err
	}
	if s.owner != "" {
		all = slices.DeleteFunc(all, func(one api.Sample) bool { return one.Owner != s.owner })
	}
	if len(args) == 0 {
		t := s.env.output().table("SAMPLE", "DRAWN", "LOG", "SIZE", "REVIEWED", "QUERY")
		for _, one := range all {
			t.row(one, one.ID, one.At, one.Owner, fmt.Sprint(len(one.Seqs)), progressWords(&one), one.Query)
		}
		return t.flush()
	}
	for i := range all {
		if all[i].ID == args[0] {
			if findings {
				onlyFindings(&all[i])
			}
			return s.sample(ctx, c, consultation.ID, &all[i])
		}
	}
	return &exitError{err: fmt.Errorf("there is no sample %s", printable(args[0])), code: exitNotFound, fix: "liaison audit review lists the samples"}
}

// onlyFindings leaves the entries that are unclear or not lawful.
func onlyFindings(s *api.Sample) {
	s.Seqs = nil
	for _, v := range s.Verdicts {
		if v.Verdict != "lawful" {
			s.Seqs = append(s.Seqs, v.Seq)
		}
	}
}

func newAuditAccess(env *environment) *cobra.Command {
	s := &searching{env: env, limit: 1000, top: 20}
	var who, subject string
	c := &cobra.Command{
		Use:   "access --officer-of PSEUDONYM | --subject REF, --reason TEXT",
		Short: "Report what one officer did, or everything about one person",
		Long: `access counts and lists the entries of one officer's pseudonym, or of one reference
to a person (which your agency makes of the name with its own key; the exchange
never knows the name): what was done, by which unit, with which other agencies,
with what outcome and why.`,
		Example: `  liaison audit access --officer-of o-17 --since 365d --reason "Complaint 2026-31, access by o-17"
  liaison audit access --subject uH3v0aQ2 --reason "Request of a data subject, 2026-88"`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &s.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error {
			if (who == "") == (subject == "") {
				return usageError(errors.New("access is about one officer or one person"), "give --officer-of or --subject")
			}
			query := preset("officer", who)
			if subject != "" {
				query = preset("subject", subject)
			}
			s.facets = []string{"action", "outcome", "unit", "counterpart"}
			return s.run(ctx, c, []string{query})
		}),
	}
	s.addPreset(c)
	c.Flags().StringVar(&who, "officer-of", "", "the officer's pseudonym")
	c.Flags().StringVar(&subject, "subject", "", "the reference to a person")
	return c
}

func newAuditSpecial(env *environment) *cobra.Command {
	s := &searching{env: env, limit: 1000, top: 20}
	c := &cobra.Command{
		Use:   "special --reason TEXT",
		Short: "List packages with special categories of data (LED art 10) or minors",
		Long: `special counts and lists the entries of packages that were sent or received with
special categories of personal data (LED art 10) or with persons under 18 or 15.`,
		Example: `  liaison audit special --since 2026-01-01 --reason "Yearly list for the supervisory authority"`,
		Args:    cobra.NoArgs,
		RunE: withClient(env, &s.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error {
			s.facets = []string{"special", "minors", "category", "counterpart"}
			return s.run(ctx, c, []string{"(special:* OR minors:*) (action:package.send OR action:package.deliver)"})
		}),
	}
	s.addPreset(c)
	return c
}

// preset is the query for one value.
func preset(field, value string) string {
	return field + `:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// addPreset adds the flags of a search whose query is given.
func (s *searching) addPreset(c *cobra.Command) {
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.rangeFlags.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.IntVar(&s.limit, "limit", s.limit, "at most so many entries")
	f.BoolVar(&s.full, "full", false, "tell each entry in words")
	f.BoolVar(&s.check, "check", false, "read the whole log, and compare")
}
