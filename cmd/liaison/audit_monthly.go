package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/console"
)

// reporting is what the flags of audit report say.
type reporting struct {
	env *environment
	profileFlags
	officerFlags
	ownerFlag
	month, file, caseRef string
}

func newAuditReport(env *environment) *cobra.Command {
	r := &reporting{env: env}
	c := &cobra.Command{
		Use:   "report --month 2026-10 -o FILE --reason TEXT",
		Short: "Write the report of a month, as a page to print or as PDF",
		Long: `report writes what a data-protection officer reports of a month: what was sent and
received, what policy denied and why, refusals, transfers to third countries and
derogations, special categories and minors, reads, uses of the log, what is overdue,
the state of the ledger, and what was not counted. The file's name says which it is:
.html (nothing in it is fetched or run) or .pdf.

It is made of the statistics monthly and overdue; both are entries of the log. The
month is that of UTC, as all times of the log are.`,
		Example: `  liaison audit report --month 2026-10 -o october.pdf --reason "Report of the month to the chief"
  liaison audit report --month 2026-10 -o october.html --reason "Report of the month to the chief"`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &r.profileFlags, r.run),
	}
	r.profileFlags.add(c)
	r.officerFlags.add(c)
	r.ownerFlag.add(c)
	f := c.Flags()
	f.StringVar(&r.month, "month", "", "the month: 2026-10")
	f.StringVarP(&r.file, "output", "o", "", "the file, .html or .pdf, which must not be there yet")
	f.StringVar(&r.caseRef, "case", "", "your own case reference, for the record")
	_ = c.MarkFlagRequired("month")
	_ = c.MarkFlagRequired("output")
	return c
}

// reportedJSON is what audit report prints with --json.
type reportedJSON struct {
	File   string `json:"file"`
	Owner  string `json:"owner"`
	Period string `json:"period"`
}

func (r *reporting) run(ctx context.Context, c *client.Client, _ []string) error {
	if err := r.needReason(); err != nil {
		return err
	}
	from, to, err := (&timeFlags{month: r.month}).times(r.env.Now())
	if err != nil {
		return err
	}
	if from.After(r.env.Now()) {
		return usageError(fmt.Errorf("--month %s has not begun", r.month), "give a month of the past, or this one")
	}
	ext := strings.ToLower(filepath.Ext(r.file))
	if ext != ".html" && ext != ".pdf" {
		return usageError(fmt.Errorf("%s is neither .html nor .pdf", r.file), "name the file so")
	}
	if _, err := os.Lstat(r.file); err == nil {
		return usageError(fmt.Errorf("%s is there already", r.file), "give a file that is not there yet")
	}
	page, err := r.make(ctx, c, from, to)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := map[string]func() error{".html": func() error { return page.HTML(&b) }, ".pdf": func() error { return page.PDF(&b) }}[ext](); err != nil {
		return err
	}
	if err := os.WriteFile(r.file, b.Bytes(), 0o600); err != nil {
		return err
	}
	return r.env.output().value(reportedJSON{r.file, page.Owner, page.Period()}, fmt.Sprintf("%s  %s, %s", r.file, printable(page.Owner), page.Period()))
}

// make computes the report.
func (r *reporting) make(ctx context.Context, c *client.Client, from, to time.Time) (*console.Report, error) {
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: r.officer, Reason: r.reason, CaseRef: r.caseRef})
	if err != nil {
		return nil, err
	}
	bar := r.env.progress("entries", false)
	defer bar.end()
	monthly, err := rowsOf(ctx, c, consultation.ID, client.StatisticsQuery{Owner: r.owner, Report: "monthly", From: from, To: to}, bar)
	if err != nil {
		return nil, err
	}
	overdue, err := rowsOf(ctx, c, consultation.ID, client.StatisticsQuery{Owner: r.owner, Report: "overdue", To: to}, bar)
	if err != nil {
		return nil, err
	}
	sections, err := console.Monthly(monthly.rows, overdue.rows)
	if err != nil {
		return nil, err
	}
	e := consultation.Receipt.Entry
	page := &console.Report{Title: "Data protection report", Owner: monthly.head.Owner, Exchange: monthly.head.Exchange, From: from, To: to, Made: r.env.Now(),
		By: e.Officer + " (" + e.Actor.Identity + ")", Why: e.Justification, Sections: sections}
	if to.After(r.env.Now()) {
		page.Notes = append(page.Notes, "The month is not over: the figures are of its days up to when the report was made.")
	}
	page.Notes = append(page.Notes, overdue.sum.Notes[0])
	page.Notes = append(page.Notes, monthly.sum.Notes...)
	page.Notes = append(page.Notes, fmt.Sprintf("%d entries of the time were looked at. Each figure can be listed: liaison audit search, or liaison audit export.", monthly.sum.Entries))
	page.Integrity, err = integrity(ctx, c, consultation)
	return page, err
}

// integrity is what this report itself has proven of the log.
func integrity(ctx context.Context, c *client.Client, consultation *client.Consultation) ([]console.Fact, error) {
	head, err := c.Checkpoint(ctx)
	var bad *client.VerifyError
	if errors.As(err, &bad) {
		return []console.Fact{{Name: "Ledger", Value: "does not verify: " + bad.Error() + ". Do not rely on these figures; tell the operator and the other agencies.", Bad: true}}, nil
	}
	if err != nil {
		return nil, err
	}
	v := consultation.Receipt.Verified
	facts := []console.Fact{
		{Name: "Ledger", Value: fmt.Sprintf("%s, %d entries; its signed head extends every head that this profile has verified", head.Origin, head.Size)},
		{Name: "Own log", Value: fmt.Sprintf("the reading for this report is its entry %d, proven to be in the ledger", v.Entry.Seq)},
	}
	if v.Witnessed > 0 {
		facts = append(facts, console.Fact{Name: "Witnesses", Value: fmt.Sprintf("%d cosigned the head that proves it", v.Witnessed)})
	} else {
		facts = append(facts, console.Fact{Name: "Witnesses", Value: "none that this profile knows has cosigned that head yet"})
	}
	return append(facts, console.Fact{Name: "Whole log", Value: "not verified by this report: liaison audit verify does it, and belongs beside it"}), nil
}

// computed is a report with all of its rows.
type computed struct {
	head *api.StatisticsHead
	rows [][]string
	sum  *api.StatisticsSummary
}

func rowsOf(ctx context.Context, c *client.Client, consultation string, q client.StatisticsQuery, bar *progress) (*computed, error) {
	r := &computed{}
	err := c.Statistics(ctx, consultation, q, func(l api.StatisticsLine) error {
		switch {
		case l.Progress != nil:
			bar.set(l.Progress.Done, l.Progress.Of)
		case l.Head != nil:
			r.head = l.Head
		case l.Row != nil:
			r.rows = append(r.rows, l.Row)
		case l.Summary != nil:
			r.sum = l.Summary
		}
		return nil
	})
	if err == nil && (r.head == nil || r.sum == nil || len(r.sum.Notes) == 0) {
		err = errors.New("the answer lacks its head or its notes: is this the server of an exchange?")
	}
	return r, err
}
