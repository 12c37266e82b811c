package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newAudit(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read and verify your agency's audit log",
		Long: `The audit log answers who saw what, when, why and on what legal basis (LED
art 25). Data-protection officers and supervisors read that of their own agency;
with --owner a supervisor reads others', where the registry grants it. Reading a log
is an entry in the reader's own, too.`,
		Example: `  liaison audit show --limit 20 --reason "Complaint 2026-31, access by unit"
  liaison audit statistics transfers --year 2026 --reason "Register for the supervisory authority"
  liaison audit verify --reason "Monthly check of the log"`,
	}
	c.AddCommand(newAuditShow(env), newAuditSearch(env), newAuditSample(env), newAuditReview(env), newAuditAccess(env), newAuditSpecial(env), newAuditMismatches(env), newAuditHints(env), newAuditVerify(env), newAuditCopy(env), newAuditProof(env))
	c.AddCommand(newAuditStatistics(env), newAuditExport(env), newAuditReport(env))
	c.AddCommand(newAuditErase(env), newAuditHold(env), newAuditSubject(env))
	return c
}

// maxShown is how many entries the exchange gives at once.
const maxShown = 200

// showing is what the flags of audit show say.
type showing struct {
	env *environment
	profileFlags
	officerFlags
	ownerFlag
	caseRef string
	after   uint64
	limit   int
	full    bool
}

func newAuditShow(env *environment) *cobra.Command {
	s := &showing{env: env}
	c := &cobra.Command{
		Use:   "show [NO] --reason TEXT",
		Short: "Show entries of a log",
		Long: `show records who reads the log and why, and prints entries in the order of their
numbers. Each entry is held against its commitment, so that one that was changed
is not shown as true (exit code 5); "audit verify" proves the whole log.

With a number it shows that entry alone, in words. On a terminal it is a table; --full tells each entry in words; --json prints the
entries as they were recorded, one a line.`,
		Example: `  liaison audit show --limit 20 --reason "Complaint 2026-31, access by unit"
  liaison audit show 1207 --reason "Complaint 2026-31, access by unit"
  liaison audit show --after 1200 --full --reason "Complaint 2026-31, access by unit"
  liaison audit show --owner lv/vp --limit 20 --reason "Inspection 2026-7 of lv/vp"
  liaison audit show --limit 1000 --json --reason "Yearly sample" | jq 'select(.entry.action == "content.read")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &s.profileFlags, s.run),
	}
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.ownerFlag.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.Uint64Var(&s.after, "after", 0, "begin after the entry with this number")
	f.IntVar(&s.limit, "limit", 50, "at most so many entries")
	f.BoolVar(&s.full, "full", false, "tell each entry in words")
	return c
}

func (s *showing) run(ctx context.Context, c *client.Client, args []string) error {
	if err := s.needReason(); err != nil {
		return err
	}
	if len(args) == 1 {
		no, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || no == 0 {
			return usageError(fmt.Errorf("%q is no number of an entry", args[0]), "give a number from 1, as audit show lists them")
		}
		s.after, s.limit, s.full = no-1, 1, true
	}
	if s.limit < 1 {
		return usageError(fmt.Errorf("--limit %d", s.limit), "give a number from 1")
	}
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: s.officer, Reason: s.reason, CaseRef: s.caseRef})
	if err != nil {
		return err
	}
	t := s.env.output().table("NO", "TIME", "ACTION", "OUTCOME", "OFFICER", "PACKAGE", "WHY")
	after, more := s.after, true
	for left := s.limit; left > 0 && more; {
		var items []audit.Item
		if items, more, err = c.EntriesPage(ctx, consultation.ID, s.owner, after, min(left, maxShown)); err != nil {
			return t.fail(err)
		}
		for _, item := range items {
			if err := s.item(t, c, item, after+1); err != nil {
				return t.fail(err)
			}
			after, left = item.Seq, left-1
		}
		more = more && len(items) > 0
	}
	if err := t.flush(); err != nil || !more || s.env.json || len(args) == 1 {
		return err
	}
	_, err = fmt.Fprintf(s.env.Stderr, "there are more: go on with --after %d\n", after)
	return err
}

// entryJSON is an entry as audit show prints it with --json.
type entryJSON struct {
	Owner  string          `json:"owner"`
	Seq    uint64          `json:"seq"`
	Index  int64           `json:"index"`
	Erased bool            `json:"erased,omitempty"`
	Why    string          `json:"erasure,omitempty"` // when, why and by whom it was erased
	Entry  json.RawMessage `json:"entry,omitempty"`
}

// item prints one entry, after holding it against its commitment and place.
func (s *showing) item(t *table, c *client.Client, item audit.Item, want uint64) error {
	const fix = "run liaison audit verify: it tells everything that is wrong with the log"
	if owner := s.of(c); item.Owner != owner || item.Seq != want {
		return verificationError(fmt.Errorf("entry %d of %q came instead of entry %d of %s", item.Seq, item.Owner, want, owner), fix)
	}
	row := entryJSON{Owner: item.Owner, Seq: item.Seq, Index: item.Index, Erased: item.Erased, Why: item.Erasure, Entry: item.Entry}
	if item.Erased && item.Entry == nil {
		t.row(row, fmt.Sprint(item.Seq), "", "(erased)", "", "", "", item.Erasure)
		return t.err
	}
	e, err := readEntry(item)
	if err != nil {
		return verificationError(fmt.Errorf("entry %d: %w", item.Seq, err), fix)
	}
	if s.full && !s.env.json {
		return s.tell(item.Seq, e)
	}
	t.row(row, fmt.Sprint(e.Seq), e.Time, e.Action, e.Outcome, e.Officer, e.Package, e.Justification)
	return t.err
}

func (s *showing) tell(seq uint64, e audit.Entry) error {
	if _, err := fmt.Fprintf(s.env.Stdout, "entry %d\n", seq); err != nil {
		return err
	}
	for _, line := range entryWords(e) {
		if _, err := fmt.Fprintf(s.env.Stdout, "  %s\n", line); err != nil {
			return err
		}
	}
	return nil
}

// readEntry returns the entry of an item if it is the one that was committed to.
func readEntry(item audit.Item) (audit.Entry, error) {
	if len(item.Salt) != len(audit.Salt{}) {
		return audit.Entry{}, errors.New("it came without its salt, and is not marked as erased")
	}
	if audit.Commit(audit.Salt(item.Salt), item.Entry) != item.Commitment {
		return audit.Entry{}, errors.New("it is not the entry that was recorded")
	}
	e, err := audit.ParseEntry(item.Entry)
	if err == nil && (e.Seq != item.Seq || e.Owner != item.Owner) {
		err = fmt.Errorf("it says that it is entry %d of %s", e.Seq, e.Owner)
	}
	return e, err
}
