package server

import (
	"io"
	"net/http"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// The formats of statistics and exports.
const (
	formatLines = "jsonl"
	formatCSV   = "csv"
)

// getStatistics computes a report. The answer is in lines, or a table.
func getStatistics(c *call) error {
	p := c.parameters()
	format := p.word("format", formatLines, formatCSV)
	q := exchange.StatisticsQuery{Owner: p.agency("owner"), Report: p.values.Get("report"), From: p.moment("from"), To: p.moment("to"), Key: p.values.Get("key"), Host: p.values.Get("host")}
	if p.err != nil {
		return p.err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	teller := tellLines(c)
	if format == formatCSV {
		teller = tellTable(c)
	}
	return c.s.cfg.Exchange.Statistics(c.r.Context(), c.caller, consultation, q, teller)
}

// tellLines answers with all that is told.
func tellLines(c *call) exchange.StatisticsTeller {
	lines := &lineWriter{c: c}
	return exchange.StatisticsTeller{
		Begin: func(h exchange.StatisticsHead) error {
			if err := lines.begin(); err != nil {
				return err
			}
			head := api.StatisticsHead{Report: h.Kind.Name, Title: h.Kind.Title, Basis: h.Kind.Basis, Owner: h.Owner, Exchange: h.Exchange,
				Since: timeOf(h.From), Until: timeOf(h.To), At: timeOf(h.At)}
			for _, col := range h.Kind.Columns() {
				head.Columns = append(head.Columns, api.StatisticsColumn(col))
			}
			return lines.write(api.StatisticsLine{Head: &head})
		},
		Progress: func(done, of uint64) error {
			return lines.write(api.StatisticsLine{Progress: &api.ReplayProgress{Done: int64(done), Of: int64(of)}})
		},
		Row: func(cells []string) error { return lines.write(api.StatisticsLine{Row: cells}) },
		End: func(s report.Summary) error {
			sum := api.StatisticsSummary(s)
			return lines.write(api.StatisticsLine{Summary: &sum})
		},
	}
}

// tellTable answers with the table alone. A client that does not get its end
// sees that the answer was cut off.
func tellTable(c *call) exchange.StatisticsTeller {
	var table *report.CSV
	return exchange.StatisticsTeller{
		Begin: func(h exchange.StatisticsHead) error {
			w, err := c.startStream(api.MediaCSV)
			if err != nil {
				return err
			}
			table = report.NewCSV(w)
			var names []string
			for _, col := range h.Kind.Columns() {
				names = append(names, col.Name)
			}
			return table.Row(names...)
		},
		Progress: func(uint64, uint64) error { return table.Flush() },
		Row:      func(cells []string) error { return table.Row(cells...) },
		End:      func(report.Summary) error { return table.Flush() },
	}
}

// startStream begins an answer of unknown length, of which each write has the
// time that it deserves, and what is between them none.
func (c *call) startStream(media string) (io.Writer, error) {
	if _, err := c.start(http.StatusOK, media, -1); err != nil {
		return nil, err
	}
	return &streamWriter{c}, nil
}

type streamWriter struct{ c *call }

func (s *streamWriter) Write(b []byte) (int, error) {
	control := http.NewResponseController(s.c.w)
	w := &pacedWriter{w: s.c.w, guest: s.c.guest, pace: s.c.s.pace(control.SetWriteDeadline)}
	n, err := w.Write(b)
	s.c.sent += int64(n)
	if err == nil {
		err = control.Flush()
	}
	if err == nil {
		err = control.SetWriteDeadline(time.Time{})
	}
	return n, err
}
