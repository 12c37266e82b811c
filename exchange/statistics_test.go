package exchange_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// statistics computes a report as an agency's data-protection officer.
func statistics(t testing.TB, c *client.Client, consultation string, q client.StatisticsQuery) (rows [][]string, sum api.StatisticsSummary) {
	t.Helper()
	err := c.Statistics(t.Context(), consultation, q, func(l api.StatisticsLine) error {
		if l.Row != nil {
			rows = append(rows, l.Row)
		}
		if l.Summary != nil {
			sum = *l.Summary
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, sum
}

// TestStatistics: figures are of the reader's own log, and that they were
// computed is an entry with what was asked and how much was read.
func TestStatistics(t *testing.T) {
	t.Parallel()
	x := start(t)
	sent := post(t, x, draft(x, demo.EEtoLVUA))
	for range 3 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	o := observe(t, x)
	ee, lv := x.As("ee/pbgb", certs.RoleDPO), x.As("lv/vp", certs.RoleDPO)
	underEE, underLV := consult(t, ee, ""), consult(t, lv, "")
	o.next(t)

	rows, sum := statistics(t, ee, underEE, client.StatisticsQuery{Report: "transfers"})
	if len(rows) != 1 || rows[0][2] != sent.ID() || rows[0][3] != "ua/npu" || rows[0][5] == "" || rows[0][21] == "" {
		t.Errorf("%q", rows)
	}
	for _, e := range o.expect(t, "a statistic", "ee/pbgb audit.statistics computed") {
		if e.Count != uint64(sum.Entries) || e.Details["report"] != "transfers" || e.Details["from"] == "" || e.Details["to"] == "" || e.Officer != reader || e.Justification != why || e.CaseRef != caseRef {
			t.Errorf("recorded is %+v; %+v", e, sum)
		}
	}
	// Latvia got four packages, and transferred nothing of them.
	if rows, _ = statistics(t, lv, underLV, client.StatisticsQuery{Report: "transfers"}); len(rows) != 0 {
		t.Errorf("Latvia's transfers: %q", rows)
	}
	if rows, _ = statistics(t, lv, underLV, client.StatisticsQuery{Report: "breach"}); len(rows) != 4 {
		t.Errorf("Latvia's packages: %q", rows)
	}
	for _, r := range rows {
		if strings.Contains(strings.Join(r, " "), "EE-unit") || r[4] != "ee/pbgb" || r[6] == "0" {
			t.Errorf("%q", r)
		}
	}
	// Another time, in which there is nothing.
	_, sum = statistics(t, lv, underLV, client.StatisticsQuery{Report: "monthly", From: x.Clock.Now().Add(-48 * time.Hour), To: x.Clock.Now().Add(-24 * time.Hour)})
	if sum.Entries != 0 {
		t.Errorf("%+v", sum)
	}
	o.next(t)
	err := lv.Statistics(t.Context(), underEE, client.StatisticsQuery{Report: "monthly"}, func(api.StatisticsLine) error { return nil })
	if !errors.Is(err, api.ConsultationRequired) {
		t.Errorf("under another's consultation: %v", err)
	}
	o.expect(t, "none", "lv/vp audit.statistics refused consultation-required/consultation-of-another")
}

// TestStatisticsByTime: only what is of the time is counted, also where it is
// found by its place.
func TestStatisticsByTime(t *testing.T) {
	t.Parallel()
	x := start(t)
	var marks []time.Time
	for range 5 {
		marks = append(marks, x.Clock.Now())
		post(t, x, draft(x, demo.EEtoLV))
		x.Clock.Advance(24 * time.Hour)
	}
	ee := x.As("ee/pbgb", certs.RoleDPO)
	under := consult(t, ee, "")
	for i := range marks {
		for j := i + 1; j < len(marks); j++ {
			rows, sum := statistics(t, ee, under, client.StatisticsQuery{Report: "breach", From: marks[i].Add(-time.Hour), To: marks[j].Add(-time.Hour)})
			if len(rows) != j-i || sum.Entries != j-i {
				t.Errorf("days %d to %d: %d rows, %+v", i, j, len(rows), sum)
			}
		}
	}
}

// TestStatisticsOfAnother: a supervisor counts and exports another agency's log
// only while the registry grants it.
func TestStatisticsOfAnother(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	sent := post(t, x, draft(x, demo.EEtoLVUA))
	p := x.Parts(exchangetest.PartsConfig{})
	admit := func(supervises ...string) {
		t.Helper()
		a := agencyOf(t, p, "ee/pbgb")
		a.Roles, a.Supervises = []string{certs.RoleUnit, certs.RoleDPO, certs.RoleSupervisor}, supervises
		if err := p.Service.Admit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	admit()
	s := review(t, p, supervisor(x, "ee/pbgb"))
	try := func(owner string) (rows, lines string, err error) {
		var table, file strings.Builder
		tell := exchange.StatisticsTeller{Begin: func(exchange.StatisticsHead) error { return nil }, Progress: func(uint64, uint64) error { return nil },
			Row: func(cells []string) error { table.WriteString(strings.Join(cells, " ") + "\n"); return nil }, End: func(report.Summary) error { return nil }}
		err = p.Service.Statistics(t.Context(), s.who, s.consultation, exchange.StatisticsQuery{Owner: owner, Report: "breach"}, tell)
		_, err2 := p.Service.Export(t.Context(), s.who, s.consultation, exchange.ExportQuery{Owner: owner, Format: report.Table}, func(exchange.ExportHead) (io.Writer, error) { return &file, nil })
		if (err == nil) != (err2 == nil) {
			t.Errorf("statistics: %v, export: %v", err, err2)
		}
		return table.String(), file.String(), err
	}
	for _, owner := range []string{"lv/vp", "xx/none"} {
		rows, lines, err := try(owner)
		if refusedAs(t, err, exchange.NotFound); rows+lines != "" {
			t.Errorf("%s shows %s%s", owner, rows, lines)
		}
	}
	admit("lv/vp")
	rows, lines, err := try("lv/vp")
	if err != nil || !strings.Contains(rows, sent.ID()+" ") || !strings.Contains(rows, " received ") || !strings.Contains(lines, `"package.deliver"`) || strings.Contains(lines, `"package.send"`) {
		t.Errorf("%v: %s\n%s", err, rows, lines)
	}
	if e := newest(t, p, "ee/pbgb"); e.Action != "audit.export" || e.Outcome != "exported" || e.Details["owner"] != "lv/vp" {
		t.Errorf("%+v", e)
	}
	admit()
	if _, _, err := try("lv/vp"); err == nil {
		t.Error("the grant has ended, and the log is open")
	}
}
