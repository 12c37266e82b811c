package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	figures "github.com/liaison-exchange/liaison/exchange/report"
)

// timeFlags say which time of whose log is meant.
type timeFlags struct {
	rangeFlags
	year, month string
}

func (t *timeFlags) add(c *cobra.Command) {
	t.rangeFlags.add(c)
	f := c.Flags()
	f.StringVar(&t.year, "year", "", "the year: 2026")
	f.StringVar(&t.month, "month", "", "the month: 2026-10")
	c.MarkFlagsMutuallyExclusive("year", "month", "since")
	c.MarkFlagsMutuallyExclusive("year", "month", "until")
}

// times are the bounds in UTC; zero ones are none.
func (t *timeFlags) times(now time.Time) (from, to time.Time, err error) {
	for _, x := range []struct {
		flag, text, layout string
		years, months      int
	}{{"year", t.year, "2006", 1, 0}, {"month", t.month, "2006-01", 0, 1}} {
		if x.text == "" {
			continue
		}
		if from, err = time.Parse(x.layout, x.text); err != nil {
			return from, to, usageError(fmt.Errorf("--%s %q is no %s", x.flag, x.text, x.flag), "write it as in "+now.Format(x.layout))
		}
		return from, from.AddDate(x.years, x.months, 0), nil
	}
	_, _, both, err := t.bounds(now)
	return both.From, both.To, err
}

// counting is what the flags of audit statistics say.
type counting struct {
	env *environment
	profileFlags
	officerFlags
	timeFlags
	caseRef, key, host, file string
	csv                      bool
}

func newAuditStatistics(env *environment) *cobra.Command {
	s := &counting{env: env}
	c := &cobra.Command{
		Use:   "statistics [REPORT] --reason TEXT",
		Short: "Compute figures and registers of your agency's log",
		Long: `statistics has the exchange compute a report from the entries of your agency's log.
That it was computed, by whom and why, is an entry itself.

` + reportsHelp() + `
The figures are of this exchange only: what your agency sends over other channels
is not in them. What was not counted, erased entries for instance, stands below the
table (on standard error).

--csv writes a table for a spreadsheet, in which no cell is taken for a formula;
--json one object a row. Days and months are those of UTC.`,
		Example: `  liaison audit statistics directive-2023-977 --year 2026 --reason "Figures for the Commission, 1 March"
  liaison audit statistics transfers --month 2026-10 --csv -o transfers.csv --reason "Register for the authority"
  liaison audit statistics overdue --reason "Monthly check of erasures"
  liaison audit statistics breach --since 2026-11-20T18:00:00Z --until 2026-11-21T06:00:00Z --host desk-7 --reason "Stolen laptop, case 2026-B3"`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: figures.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listReports(env)
			}
			return withClient(env, &s.profileFlags, s.run)(cmd, args)
		},
	}
	s.profileFlags.add(c)
	s.officerFlags.add(c)
	s.timeFlags.add(c)
	f := c.Flags()
	f.StringVar(&s.caseRef, "case", "", "your own case reference, for the record")
	f.StringVar(&s.key, "key", "", "breach: what this key signed, or this certificate did (thumbprint, fingerprint)")
	f.StringVar(&s.host, "host", "", "breach: what this identity did: its SPIFFE ID, or its last part")
	f.BoolVar(&s.csv, "csv", false, "write CSV")
	f.StringVarP(&s.file, "output", "o", "", "write the table into this file, which must not be there yet")
	return c
}

func reportsHelp() string {
	var b strings.Builder
	for _, k := range figures.Kinds() {
		fmt.Fprintf(&b, "  %-19s %s (%s)\n", k.Name, k.Help, k.Basis)
	}
	return b.String()
}

// reportJSON is a report as it is listed with --json.
type reportJSON struct {
	Report string `json:"report"`
	Title  string `json:"title"`
	Basis  string `json:"basis"`
	Help   string `json:"help"`
}

func listReports(env *environment) error {
	t := env.output().table("REPORT", "BASIS", "WHAT IT TELLS")
	for _, k := range figures.Kinds() {
		t.row(reportJSON{k.Name, k.Title, k.Basis, k.Help}, k.Name, k.Basis, k.Help)
	}
	return t.flush()
}

func (s *counting) run(ctx context.Context, c *client.Client, args []string) (err error) {
	if figures.Find(args[0]) == nil {
		return usageError(fmt.Errorf("there is no report %q", args[0]), "choose one of "+strings.Join(figures.Names(), ", "))
	}
	if err := s.needReason(); err != nil {
		return err
	}
	from, to, err := s.times(s.env.Now())
	if err != nil {
		return err
	}
	out := s.env.output()
	if s.file != "" {
		f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return usageError(err, "give a file that is not there yet")
		}
		defer func() {
			if err = errors.Join(err, f.Close()); err != nil {
				err = errors.Join(err, os.Remove(s.file)) // half a register is none
			}
		}()
		out = &output{w: f, json: s.env.json}
		s.csv = s.csv || !s.env.json
	}
	consultation, err := c.Consult(ctx, client.ConsultInput{Officer: s.officer, Reason: s.reason, CaseRef: s.caseRef})
	if err != nil {
		return err
	}
	bar := s.env.progress("entries", false)
	t := &statisticsTable{out: out, csv: s.csv}
	err = c.Statistics(ctx, consultation.ID, client.StatisticsQuery{Owner: s.owner, Report: args[0], From: from, To: to, Key: s.key, Host: s.host}, func(line api.StatisticsLine) error {
		if line.Progress != nil {
			bar.set(line.Progress.Done, line.Progress.Of)
			return nil
		}
		return t.line(line)
	})
	bar.end()
	if err != nil || s.env.json {
		return err
	}
	return t.notes(s.env.Stderr)
}

// statisticsTable prints a report as it comes.
type statisticsTable struct {
	out  *output
	csv  bool
	head *api.StatisticsHead
	rows *table
	file *figures.CSV
	sum  *api.StatisticsSummary
}

func (t *statisticsTable) line(l api.StatisticsLine) error {
	switch {
	case l.Head != nil:
		t.head = l.Head
		return t.begin()
	case t.head == nil:
		return errors.New("the answer has no head: is this the server of an exchange?")
	case l.Row != nil:
		return t.row(l.Row)
	case l.Summary != nil:
		t.sum = l.Summary
		return t.end()
	}
	return nil
}

func (t *statisticsTable) begin() error {
	var names []string
	for _, c := range t.head.Columns {
		names = append(names, c.Name)
	}
	switch {
	case t.out.json:
		return writeJSON(t.out.w, api.StatisticsLine{Head: t.head})
	case t.csv:
		t.file = figures.NewCSV(t.out.w)
		return t.file.Row(names...)
	}
	names = names[:max(len(names)-1, 0)] // the scope is said once, below
	for i := range names {
		names[i] = strings.ToUpper(strings.ReplaceAll(names[i], "_", " "))
	}
	t.rows = t.out.table(names...)
	return t.rows.err
}

func (t *statisticsTable) row(cells []string) error {
	if len(cells) != len(t.head.Columns) {
		return fmt.Errorf("a row of %d cells for %d columns", len(cells), len(t.head.Columns))
	}
	switch {
	case t.out.json:
		return writeJSON(t.out.w, t.object(cells))
	case t.csv:
		return t.file.Row(cells...)
	}
	t.rows.row(nil, cells[:len(cells)-1]...)
	return t.rows.err
}

// object is a row by the names of its columns, counts as numbers.
func (t *statisticsTable) object(cells []string) map[string]any {
	row := make(map[string]any, len(cells))
	for i, c := range t.head.Columns {
		row[c.Name] = cells[i]
		if n, err := strconv.ParseInt(cells[i], 10, 64); c.Count && err == nil {
			row[c.Name] = n
		}
	}
	return row
}

func (t *statisticsTable) end() error {
	switch {
	case t.out.json:
		return writeJSON(t.out.w, api.StatisticsLine{Summary: t.sum})
	case t.csv:
		return t.file.Flush()
	}
	return t.rows.flush()
}

// notes tells what stands under the table.
func (t *statisticsTable) notes(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), %s, %s to %s: %d rows from %d entries\n", printable(t.head.Title), printable(t.head.Basis), printable(t.head.Owner),
		dayOf(t.head.Since), dayOf(t.head.Until), t.sum.Rows, t.sum.Entries)
	for _, n := range t.sum.Notes {
		fmt.Fprintf(&b, "  - %s\n", printable(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// dayOf is a time in as few words as say it.
func dayOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return printable(text)
	case t.Year() <= 2000:
		return "the begin"
	case t.Truncate(24 * time.Hour).Equal(t):
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04:05Z")
}
