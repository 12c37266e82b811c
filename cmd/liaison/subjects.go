package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newSubjects(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "subjects",
		Short: "References to persons that only your agency can read",
		Long: `A package may say whom it is about by a reference that nobody but your agency can
tell the person from: a keyed digest of name and date of birth, under a key of your
agency for each year. "send --person" makes it; your data-protection officer, who
has the keys, finds with "audit subject" all that was exchanged about a person.`,
		Example: `  liaison subjects key new --year 2026
  liaison send --to lv/vp --meta meta.yaml --person "Jaan Tamm|1980-02-29" --reason "…" message.txt
  liaison audit subject --person "Jaan Tamm|1980-02-29" --reason "Request of the person, 2026-44"`,
	}
	key := &cobra.Command{Use: "key", Short: "The keys of your agency's references", Long: `One key for each year, in subjects/ of the profile.`,
		Example: `  liaison subjects key new --year 2026`}
	key.AddCommand(newSubjectKey(env))
	c.AddCommand(key)
	return c
}

func newSubjectKey(env *environment) *cobra.Command {
	var profile profileFlags
	var year int
	c := &cobra.Command{
		Use:   "new [--year YEAR]",
		Short: "Make the key of a year",
		Long: `new puts a key into subjects/<year>.key of the profile, for its owner alone. Copy the
file to the profiles of the agency's other units and of its data-protection officer,
by a way that nobody reads, and nowhere else: who has it can test names against
references. Keep it for as long as entries of that year are kept.`,
		Example: `  liaison subjects key new --year 2026`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := profile.path(env)
			if err != nil {
				return err
			}
			p, err := client.LoadProfile(dir)
			if err != nil {
				return clientError(err)
			}
			if year == 0 {
				year = env.Now().UTC().Year()
			}
			if year < 2000 || year > 9999 {
				return usageError(fmt.Errorf("--year %d", year), "give a year as 2026")
			}
			path, err := p.WriteSubjectKey(year, client.NewSubjectKey())
			if errors.Is(err, fs.ErrExist) {
				return usageError(err, "there is one: references under it could not be found any more without it")
			}
			if err != nil {
				return err
			}
			return env.output().value(map[string]any{"year": year, "file": path}, fmt.Sprintf("The subject key of %d is in %s.\nCopy it to your agency's other profiles that send or review, and nowhere else.\n", year, path))
		},
	}
	profile.add(c)
	c.Flags().IntVar(&year, "year", 0, "the year that it is for (default: this one)")
	return c
}

// readSubjects reads persons: "NAME|BIRTHDATE", or "@FILE" with one a line.
func readSubjects(args []string) (all []client.Subject, err error) {
	for _, arg := range args {
		lines := []string{arg}
		if name, is := strings.CutPrefix(arg, "@"); is {
			raw, err := os.ReadFile(name)
			if err != nil {
				return nil, usageError(err, "give a file with one NAME|BIRTHDATE a line")
			}
			lines = strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
		}
		for i, line := range lines {
			s, err := client.ParseSubject(line)
			if err != nil {
				return nil, usageError(fmt.Errorf("--person, line %d: %w", i+1, err), `write --person "Jaan Tamm|1980-02-29", or --person @persons.txt with one a line`)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// subjectRefs are the references of this year to persons, for a package.
func (s *sending) subjectRefs() ([]string, error) {
	if len(s.persons) == 0 {
		return nil, nil
	}
	subjects, err := readSubjects(s.persons)
	if err != nil {
		return nil, err
	}
	dir, err := s.path(s.env)
	if err != nil {
		return nil, err
	}
	p, err := client.LoadProfile(dir)
	if err != nil {
		return nil, err
	}
	keys, err := p.SubjectKeys()
	if err != nil {
		return nil, err
	}
	year := s.env.Now().UTC().Year()
	key, ok := keys[year]
	if !ok {
		return nil, usageError(fmt.Errorf("%d: %w", year, client.ErrNoSubjectKey), fmt.Sprintf("get subjects/%d.key from your agency, or make it: liaison subjects key new --year %d", year, year))
	}
	var refs []string
	for _, x := range subjects {
		refs = append(refs, key.Ref(x))
	}
	return refs, nil
}

// subjectLookup is what the flags of audit subject say.
type subjectLookup struct {
	env *environment
	profileFlags
	officerFlags
	caseRef  string
	subjects []string
}

func newAuditSubject(env *environment) *cobra.Command {
	l := &subjectLookup{env: env}
	c := &cobra.Command{
		Use:   `subject --person "NAME|BIRTHDATE" --reason TEXT`,
		Short: "Find all that your agency exchanged about a person",
		Long: `subject answers the request of a person (LED art 14): it makes the references to the
person under the subject keys of all years in subjects/ of the profile, and lists
the entries of your agency's log that bear one. The exchange sees references only,
never the name, and records that you asked. No other agency can ask.

Names are compared without case, punctuation and order of their words: "TAMM, Jaan"
is "jaan tamm". Another spelling, or a date of birth that was left out then, is
another reference: ask for each.`,
		Example: `  liaison audit subject --person "Jaan Tamm|1980-02-29" --reason "Request of the person, 2026-44"
  liaison audit subject --person @spellings.txt --reason "Request of the person, 2026-44" --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := l.query()
			if err != nil {
				return clientError(err)
			}
			return withClient(env, &l.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error { return l.run(ctx, c, query) })(cmd, nil)
		},
	}
	l.profileFlags.add(c)
	l.officerFlags.add(c)
	c.Flags().StringVar(&l.caseRef, "case", "", "your own case reference, for the record")
	c.Flags().StringArrayVar(&l.subjects, "person", nil, `the person, "NAME|BIRTHDATE", or @FILE with one a line; may be repeated`)
	c.Flags().StringArrayVar(&l.subjects, "subject", nil, "the same as --person")
	_ = c.Flags().MarkHidden("subject")
	c.MarkFlagsOneRequired("person", "subject")
	c.MarkFlagsMutuallyExclusive("person", "subject")
	return c
}

// query names the person's references of all years.
func (l *subjectLookup) query() (string, error) {
	if err := l.needReason(); err != nil {
		return "", err
	}
	subjects, err := readSubjects(l.subjects)
	if err != nil {
		return "", err
	}
	dir, err := l.path(l.env)
	if err != nil {
		return "", err
	}
	p, err := client.LoadProfile(dir)
	if err != nil {
		return "", err
	}
	keys, err := p.SubjectKeys()
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return "", usageError(client.ErrNoSubjectKey, "copy subjects/ of your units' profile to this one")
	}
	var terms []string
	for _, s := range subjects {
		for _, ref := range keys.Refs(s) {
			terms = append(terms, "subject:"+ref)
		}
	}
	return strings.Join(terms, " OR "), nil
}

func (l *subjectLookup) run(ctx context.Context, c *client.Client, query string) error {
	opened, err := c.Consult(ctx, client.ConsultInput{Officer: l.officer, Reason: l.reason, CaseRef: l.caseRef})
	if err != nil {
		return err
	}
	var found bytes.Buffer
	if _, _, err := c.Export(ctx, opened.ID, client.ExportQuery{Query: query, Format: "jsonl"}, &found, sha256.New()); err != nil {
		return err
	}
	t := l.env.output().table("NO", "TIME", "ACTION", "OUTCOME", "TO", "PURPOSE", "PACKAGE")
	n := 0
	for line := range bytes.Lines(found.Bytes()) {
		var wire api.AuditItem
		if err := json.Unmarshal(line, &wire); err != nil {
			return err
		}
		item, err := client.Item(wire)
		if err != nil {
			return err
		}
		e, err := readEntry(item)
		if err != nil {
			return verificationError(fmt.Errorf("entry %d: %w", item.Seq, err), "run liaison audit verify: it tells everything that is wrong with the log")
		}
		n++
		t.row(entryJSON{Owner: item.Owner, Seq: item.Seq, Index: item.Index, Entry: item.Entry}, fmt.Sprint(e.Seq), e.Time, e.Action, e.Outcome, strings.Join(e.Recipients, ", "), e.Purpose, e.Package)
	}
	if err := t.flush(); err != nil || n > 0 || l.env.json {
		return err
	}
	_, err = fmt.Fprintln(l.env.Stderr, "nothing in your agency's log bears a reference to this person")
	return err
}
