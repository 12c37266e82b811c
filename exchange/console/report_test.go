package console

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/report"
)

func month() *Report {
	var overdue [][]string
	for i := range maxListed + 7 {
		overdue = append(overdue, []string{"2026-10-01", "erase", strconv.Itoa(i), "received", "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "lv/vp", "", "", "", "", report.Scope})
	}
	sections, err := Monthly([][]string{
		{report.FigSent, "lv", "delivered", "4", report.Scope}, {report.FigSent, "ua", "denied", "3", report.Scope},
		{report.FigDenied, "ua", "assurances_missing", "3", report.Scope}, {report.FigDenied, "ua", "<script>alert(1)</script>", "2", report.Scope},
		{report.FigErased, "", "", "9", report.Scope},
	}, overdue)
	if err != nil {
		panic(err)
	}
	return &Report{Title: "Data protection report", Owner: "ee/pbgb", Exchange: "exchange.example/ledger", From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		Made: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC), By: "o.fficer", Why: `<img src=x onerror=alert(1)> Отчёт "за месяц"`, Sections: sections, Notes: []string{"a note"},
		Integrity: []Fact{{Name: "Ledger", Value: "does not verify", Bad: true}}}
}

// TestHTML: a page that runs nothing, fetches nothing, and shows what people
// wrote as text.
func TestHTML(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := month().HTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", "http:", "https:", "@import", "url(", "javascript:", " style=", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"October 2026", "assurances missing", "&lt;script&gt;", "Отчёт", "and 7 more", "Entries that are erased", "Together", "does not verify", "this exchange only", "To be looked at:</strong> Ledger, Overdue (207)", "No derogation was used."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := len(regexp.MustCompile(`<h1`).FindAllString(page, -1)); n != 1 || strings.Count(page, "<table") != strings.Count(page, "<caption>") {
		t.Errorf("%d first headings, %d tables with %d captions", n, strings.Count(page, "<table"), strings.Count(page, "<caption>"))
	}
	if strings.Contains(page, ">5</td></tr></tfoot>") {
		t.Error("reasons are added up, of which a denial has several")
	}
}

// TestPDF: the same report gives the same bytes, over as many pages as it takes.
func TestPDF(t *testing.T) {
	t.Parallel()
	var a, b bytes.Buffer
	if err := month().PDF(&a); err != nil {
		t.Fatal(err)
	}
	if err := month().PDF(&b); err != nil {
		t.Fatal(err)
	}
	pages := regexp.MustCompile(`/Type /Page\b[^s]`).FindAll(a.Bytes(), -1)
	if !bytes.Equal(a.Bytes(), b.Bytes()) || !bytes.HasPrefix(a.Bytes(), []byte("%PDF-")) || len(pages) < 5 || len(pages) > 9 {
		t.Errorf("%d pages, %d bytes", len(pages), a.Len())
	}
}

// TestMonthlyRefuses what it would leave out unseen.
func TestMonthlyRefuses(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string][][]string{"an unknown figure": {{"new_figure", "", "", "1", report.Scope}}, "a short row": {{report.FigSent, "lv"}}} {
		if _, err := Monthly(rows, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Monthly(nil, [][]string{{"2026-10-01"}}); err == nil {
		t.Error("a short row is taken")
	}
}
