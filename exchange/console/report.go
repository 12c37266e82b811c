// Package console has the pages of data-protection officers: for now their
// report of a month, as a page to print and as PDF.
package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/exchange/report"
)

// Report is a report that people read and sign.
type Report struct {
	Title     string
	Owner     string
	Exchange  string
	From, To  time.Time // To is not in it
	Made      time.Time
	By        string // who had it made
	Why       string
	Integrity []Fact
	Sections  []Section
	Notes     []string
}

// Fact is something that is said in a word or two.
type Fact struct {
	Name, Value string
	Bad         bool
}

// Section is a table with its title.
type Section struct {
	Title   string
	Lead    string // what it counts
	Columns []string
	Rows    [][]string
	Numbers int    // how many of the last columns are counts
	Empty   string // what is said if there are no rows
	More    int    // rows that are left out
	Warn    bool   // rows are something to look at
	Several bool   // one thing is counted in several rows: their sum says nothing
}

// Period says which time it is about: a month by its name.
func (r *Report) Period() string {
	from, to := r.From.UTC(), r.To.UTC()
	if from.Day() == 1 && from.AddDate(0, 1, 0).Equal(to) {
		return from.Format("January 2006")
	}
	return from.Format("2 January 2006 15:04") + " to " + to.Format("2 January 2006 15:04") + " UTC"
}

// maxListed is how many rows of a register a report lists.
const maxListed = 200

// figure is how a figure of the month is told.
type figure struct {
	names                []string // of package report
	title, lead, empty   string
	jurisdiction, detail string // headings; empty: no such column
	warn, several        bool
}

// told are the figures in the order of the report.
var told = []figure{
	{names: []string{report.FigSent}, title: "Sent", lead: "Packages by the recipient's country and what became of them; one package to three countries counts three times.", empty: "Nothing was sent.", jurisdiction: "Country", detail: "Outcome"},
	{names: []string{report.FigReceived}, title: "Received", lead: "Packages by the sender's country and kind of message.", empty: "Nothing was received.", jurisdiction: "Country", detail: "Kind"},
	{names: []string{report.FigDenied}, title: "Denied by policy", lead: "Reasons for which packages of this agency were not let go, by the recipient's country; a denial can have several.", empty: "Policy denied nothing.", jurisdiction: "Country", detail: "Reason", several: true},
	{names: []string{report.FigRefused}, title: "Refused by the exchange", lead: "Requests of this agency that were refused before policy, or for another reason: signatures, forms, limits, rights.", empty: "Nothing was refused.", detail: "Problem and reason"},
	{names: []string{report.FigTransfer}, title: "Transfers to third countries", lead: "Packages that went to countries and organisations outside of Directive (EU) 2016/680, by basis. The register lists each: liaison audit statistics transfers.", empty: "There were no transfers to third countries.", jurisdiction: "Country", detail: "LED article"},
	{names: []string{report.FigDerogation}, title: "Derogations", lead: "Of these, under LED art 38, which is for individual cases.", empty: "No derogation was used.", jurisdiction: "Country", detail: "LED article", warn: true},
	{names: []string{report.FigSpecial}, title: "Special categories", lead: "Packages with data of LED art 10, sent and received.", empty: "There were none.", jurisdiction: "Country", detail: "Direction and category", several: true},
	{names: []string{report.FigMinors}, title: "Minors", lead: "Packages that are about persons under 18, and under 15 apart.", empty: "There were none.", jurisdiction: "Country", detail: "Direction and age"},
	{names: []string{report.FigAcknowledged, report.FigEnded}, title: "What recipients did", lead: "Packages of this agency that were acknowledged, blocked at their acknowledgement, or expired.", empty: "Nothing was acknowledged.", jurisdiction: "Country", detail: "Outcome"},
	{names: []string{report.FigMismatch}, title: "Mismatches", lead: "Reports that the content of a package is not what its manifest says: received from recipients, made to senders. The list: liaison audit mismatches.", empty: "No mismatch was reported.", jurisdiction: "Country", detail: "Direction, agency and code", warn: true},
	{names: []string{report.FigReads}, title: "Contents read", lead: "Contents and attachments that this agency opened, by the sender's country.", empty: "Nothing was opened.", jurisdiction: "Country", detail: "Part"},
	{names: []string{report.FigOperation}, title: "Operations", lead: "Entries by operation of LED art 25(1).", empty: "There were none.", detail: "Operation"},
	{names: []string{report.FigLog}, title: "Uses of the log", lead: "Searches, statistics and exports of this log, this report's own included.", empty: "There were none.", detail: "Action"},
	{names: []string{report.FigSamples}, title: "Sample rules", lead: "Decisions in which sample rules had a say, which are the law of nobody.", empty: "All decisions were made by rules that are in force as law.", jurisdiction: "Rules of", warn: true},
}

// Monthly makes the report's tables of the rows of report "monthly", and of
// those of report "overdue". Rows of other columns are refused.
func Monthly(monthly, overdue [][]string) ([]Section, error) {
	var sections []Section
	known := map[string]bool{report.FigErased: true, report.FigIncomplete: true}
	for _, f := range told {
		s := Section{Title: f.title, Lead: f.lead, Empty: f.empty, Numbers: 1, Warn: f.warn, Several: f.several}
		for _, heading := range []string{f.jurisdiction, f.detail} {
			if heading != "" {
				s.Columns = append(s.Columns, heading)
			}
		}
		s.Columns = append(s.Columns, "Count")
		for _, name := range f.names {
			known[name] = true
			for _, row := range monthly {
				if len(row) < 4 {
					return nil, fmt.Errorf("a row of %d cells in the figures of the month", len(row))
				}
				if row[0] == name {
					s.Rows = append(s.Rows, f.row(row))
				}
			}
		}
		sections = append(sections, s)
	}
	due := Section{Title: "Overdue", Lead: "Packages whose sender's date to erase or to review has passed, and of which the log shows no erasure.", Empty: "Nothing is overdue.",
		Columns: []string{"Due", "What", "Direction", "Package", "From", "Days over"}, Numbers: 1, Warn: true, More: max(len(overdue)-maxListed, 0)}
	for _, row := range overdue[:min(len(overdue), maxListed)] {
		if len(row) < 6 {
			return nil, fmt.Errorf("a row of %d cells in what is overdue", len(row))
		}
		due.Rows = append(due.Rows, []string{row[0], row[1], row[3], row[4], row[5], row[2]})
	}
	sections = append(sections, due, uncounted(monthly))
	for _, row := range monthly {
		if !known[row[0]] {
			return nil, fmt.Errorf("figure %q is not known: use the program of the exchange's version", row[0])
		}
	}
	return sections, nil
}

// row is a row of the month as its table has it.
func (f figure) row(row []string) []string {
	var cells []string
	if f.jurisdiction != "" {
		cells = append(cells, country(row[1]))
	}
	if f.detail != "" {
		detail := row[2]
		if detail == "" {
			detail = strings.ReplaceAll(row[0], "_", " ")
		}
		cells = append(cells, strings.ReplaceAll(detail, "_", " "))
	}
	return append(cells, row[3])
}

// country is a jurisdiction's id in the form in which people know it.
func country(id string) string {
	if len(id) == 2 {
		return strings.ToUpper(id)
	}
	return id
}

// uncounted is what is not in the figures.
func uncounted(monthly [][]string) Section {
	s := Section{Title: "What was not counted", Columns: []string{"What", "Count"}, Numbers: 1, Warn: true,
		Lead: "Besides what went over other channels than this exchange.", Empty: "Every entry of the time was counted whole."}
	for _, row := range monthly {
		switch row[0] {
		case report.FigErased:
			s.Rows = append(s.Rows, []string{"Entries that are erased", row[3]})
		case report.FigIncomplete:
			s.Rows = append(s.Rows, []string{"Entries that were shortened when they were written", row[3]})
		}
	}
	return s
}

// Total adds a table's counts up, where it has one column of them.
func (s *Section) Total() string {
	sum := 0
	for _, row := range s.Rows {
		n, err := strconv.Atoi(row[len(row)-1])
		if err != nil {
			return ""
		}
		sum += n
	}
	if len(s.Rows) < 2 || s.Several || s.Columns[len(s.Columns)-1] != "Count" {
		return ""
	}
	return strconv.Itoa(sum)
}

// Number reports whether a column has counts.
func (s *Section) Number(i int) bool { return i >= len(s.Columns)-s.Numbers }

// attention are the titles of the sections that are to be looked at.
func (r *Report) attention() []string {
	var all []string
	for _, f := range r.Integrity {
		if f.Bad {
			all = append(all, f.Name)
		}
	}
	for _, s := range r.Sections {
		if s.Warn && len(s.Rows) > 0 {
			all = append(all, fmt.Sprintf("%s (%d)", s.Title, len(s.Rows)+s.More))
		}
	}
	return slices.Clip(all)
}
