package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// pagedStore has a long log, and cannot read some page of it.
type pagedStore struct {
	exchange.Store
	left atomic.Int64 // pages that can be read
}

type pagedRows struct {
	exchange.Reader
	left *atomic.Int64
}

var errPage = errors.New("the page cannot be read")

func (s *pagedStore) View(ctx context.Context, f func(exchange.Reader) error) error {
	return s.Store.View(ctx, func(rows exchange.Reader) error { return f(pagedRows{rows, &s.left}) })
}

func (r pagedRows) Entries(owner string, after uint64, limit int) ([]exchange.EntryRow, error) {
	if r.left.Add(-1) < 0 {
		return nil, errPage
	}
	return r.Reader.Entries(owner, after, limit)
}

// TestExportOfManyPages: a log of several pages is exported whole and in order,
// and counted whole; where a page cannot be read, neither ends as if it had
// been.
func TestExportOfManyPages(t *testing.T) {
	t.Parallel()
	const n = 1300
	x := exchangetest.New(t)
	s := &pagedStore{}
	p := x.Parts(exchangetest.PartsConfig{Wrap: func(inner exchange.Store) exchange.Store {
		exchangetest.Seed(t, inner, "ee/pbgb", n, func(r *rand.Rand, i int) audit.Entry { return exchangetest.Year(r, "ee/pbgb", i, n) })
		s.Store = inner
		s.left.Store(1 << 30)
		return s
	}})
	dpo := x.Caller("ee/pbgb", certs.RoleDPO)
	opened, err := p.Service.Consult(t.Context(), dpo, exchange.ConsultationRequest{Officer: reader, Justification: why})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	export := func() (audit.Entry, error) {
		file.Reset()
		receipt, err := p.Service.Export(t.Context(), dpo, opened.ID, exchange.ExportQuery{Format: report.Lines}, func(exchange.ExportHead) (io.Writer, error) { return &file, nil })
		if len(receipt.Entry) == 0 {
			return audit.Entry{}, err
		}
		e, parsed := audit.ParseEntry(receipt.Entry)
		return e, errors.Join(err, parsed)
	}
	count := func() (summary report.Summary, err error) {
		err = p.Service.Statistics(t.Context(), dpo, opened.ID, exchange.StatisticsQuery{Report: "overdue"}, exchange.StatisticsTeller{ // reads the log twice
			Begin: func(exchange.StatisticsHead) error { return nil }, Progress: func(uint64, uint64) error { return nil }, Row: func([]string) error { return nil },
			End: func(s report.Summary) error { summary = s; return nil }})
		return summary, err
	}
	e, err := export()
	if err != nil || e.Outcome != report.Exported || e.Count <= n {
		t.Fatalf("%+v, %v", e, err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(file.Bytes(), []byte("\n")), []byte("\n"))
	for i, line := range lines {
		if item, err := report.ParseLine(line); err != nil || item.Seq != uint64(i+1) {
			t.Fatalf("line %d is entry %d (%v)", i+1, item.Seq, err)
		}
	}
	if summary, err := count(); err != nil || summary.Entries < len(lines) {
		t.Errorf("%+v counted of %d, %v", summary, len(lines), err)
	}
	for pages := range int64(3) {
		s.left.Store(pages)
		if e, err := export(); err == nil || e.Outcome != "broken_off" || e.Count > uint64(pages)*512 {
			t.Errorf("%d pages could be read: %+v, %v", pages, e, err)
		}
		s.left.Store(pages)
		if summary, err := count(); err == nil {
			t.Errorf("%d pages could be read, and %+v is counted", pages, summary)
		}
	}
}
