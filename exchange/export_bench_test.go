package exchange_test

import (
	"flag"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/report"
)

var exportEntries = flag.Int("export.entries", 5_000, "entries of the log that BenchmarkExport and BenchmarkStatistics read")

// BenchmarkExport exports a year of an agency's log. For the figures over a
// million entries: go test -run - -bench 'Export|Statistics' -benchtime 1x
// -export.entries 1000000 ./exchange
func BenchmarkExport(b *testing.B) {
	y := yearOfLog(b)
	for name, q := range map[string]exchange.ExportQuery{
		"jsonl": {Format: report.Lines}, "csv": {Format: report.Table},
		"jsonl, one in fifty": {Format: report.Lines, Query: "outcome:denied"}, "csv, one in fifty": {Format: report.Table, Query: "outcome:denied"},
	} {
		b.Run(name, func(b *testing.B) {
			m := y.measure(b)
			for b.Loop() {
				if _, err := y.Service.Export(b.Context(), y.dpo, y.consultation, q, func(exchange.ExportHead) (io.Writer, error) { return m, nil }); err != nil {
					b.Fatal(err)
				}
			}
			m.report()
		})
	}
}

// BenchmarkStatistics computes each report of a year.
func BenchmarkStatistics(b *testing.B) {
	y := yearOfLog(b)
	for _, kind := range report.Kinds() {
		b.Run(kind.Name, func(b *testing.B) {
			m := y.measure(b)
			tell := exchange.StatisticsTeller{
				Begin:    func(exchange.StatisticsHead) error { return nil },
				Progress: func(uint64, uint64) error { m.look(); return nil },
				Row:      func([]string) error { return nil },
				End:      func(report.Summary) error { m.look(); return nil },
			}
			for b.Loop() {
				q := exchange.StatisticsQuery{Report: kind.Name, From: exchangetest.YearBegins, To: exchangetest.YearBegins.AddDate(1, 0, 0)}
				if err := y.Service.Statistics(b.Context(), y.dpo, y.consultation, q, tell); err != nil {
					b.Fatal(err)
				}
			}
			m.report()
		})
	}
}

// loggedYear is an exchange where an agency has a year's log.
type loggedYear struct {
	*exchangetest.Parts
	dpo          exchange.Caller
	consultation string
}

func yearOfLog(b *testing.B) *loggedYear {
	b.Helper()
	x := exchangetest.New(b)
	p := x.Parts(exchangetest.PartsConfig{Wrap: func(s exchange.Store) exchange.Store {
		exchangetest.Seed(b, s, "ee/pbgb", *exportEntries, func(r *rand.Rand, i int) audit.Entry { return exchangetest.Year(r, "ee/pbgb", i, *exportEntries) })
		return s
	}})
	y := &loggedYear{Parts: p, dpo: x.Caller("ee/pbgb", certs.RoleDPO)}
	opened, err := p.Service.Consult(b.Context(), y.dpo, exchange.ConsultationRequest{Officer: reader, Justification: why, CaseRef: caseRef})
	if err != nil {
		b.Fatal(err)
	}
	y.consultation = opened.ID
	return y
}

// meter is how much memory a benchmark takes beyond what it began with.
type meter struct {
	b           *testing.B
	bytes       int64
	begin, most uint64
}

func (y *loggedYear) measure(b *testing.B) *meter {
	runtime.GC()
	m := &meter{b: b}
	m.look()
	m.begin = m.most
	return m
}

func (m *meter) look() {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.most = max(m.most, s.HeapAlloc)
}

// Write looks now and then.
func (m *meter) Write(b []byte) (int, error) {
	if m.bytes>>24 != (m.bytes+int64(len(b)))>>24 {
		m.look()
	}
	m.bytes += int64(len(b))
	return len(b), nil
}

func (m *meter) report() {
	b := m.b
	b.ReportMetric(float64(*exportEntries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(m.most-m.begin)/(1<<20), "MiB-heap")
	b.ReportMetric(time.Duration.Seconds(b.Elapsed())/float64(b.N), "s/op")
}
