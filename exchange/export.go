package exchange

import (
	"bufio"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/report"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// ExportQuery says what is exported, and as what. Without times it is
// everything up to now.
type ExportQuery struct {
	Owner    string // whose log; empty: the caller's own agency's
	Query    string
	From, To time.Time
	Format   string // report.Lines or report.Table

	// After and Last are of an export that was cut off: what it has, up to an
	// entry, is not sent again, and it ends with the entry that it was to end
	// with. Digest and count are of the whole.
	After, Last uint64
}

// ExportHead is what is known of an export before its first byte.
type ExportHead struct {
	Format string
	Last   uint64 // the last entry that is looked at
}

// Export writes entries of a log that the caller may read under a
// consultation: all of a time that match a query. begin is called once, when it is sure that there
// will be an answer, and returns where it goes. Two entries tell of it: one
// before the first byte, one with the count and the digest of what was
// exported, whose receipt it returns. If it is broken off the second one says
// how far it came.
func (s *Service) Export(ctx context.Context, c Caller, consultation string, q ExportQuery, begin func(ExportHead) (io.Writer, error)) (audit.Receipt, error) {
	v, err := s.enter(ctx, c, ActExport, "")
	if err != nil {
		return audit.Receipt{}, err
	}
	x := &exporting{visit: v, q: q, sum: sha256.New()}
	refused := x.check()
	if refused == nil {
		refused = s.scans.begin(v.agency())
	}
	if refused != nil {
		return audit.Receipt{}, v.refuse(ctx, refused)
	}
	defer s.scans.end(v.agency())
	if err := x.open(ctx, consultation); err != nil {
		return audit.Receipt{}, err
	}
	w, err := begin(ExportHead{Format: q.Format, Last: x.part.last})
	if err == nil {
		err = x.write(ctx, w)
	}
	return x.close(ctx, err)
}

// exporting is one export on its way.
type exporting struct {
	*visit
	q     ExportQuery
	query search.Query
	part  stretch // what is read
	row   *ConsultationRow

	out         *bufio.Writer
	sum         hash.Hash
	bytes       int64
	count       uint64
	first, last uint64 // of the entries in it
	line        []byte
}

// check completes the query and says what is wrong with it.
func (x *exporting) check() *Refusal {
	q, now := &x.q, x.Clock().UTC()
	if q.To.IsZero() || q.To.After(now) {
		q.To = now.Add(time.Millisecond)
	}
	if q.From.IsZero() {
		q.From = beginning
	}
	var err error
	switch x.query, err = search.Parse(q.Query); {
	case err != nil:
		return badRequest("q", err.Error())
	case q.Format != report.Lines && q.Format != report.Table:
		return badRequest("format", "an export is in jsonl or csv")
	case !q.From.Before(q.To):
		return badRequest("to", "the time ends before it begins")
	case q.After > 0 && q.Last < q.After:
		return badRequest("last", "an export that goes on names the entry that it ends with")
	case !report.PutText(map[string]string{}, "query", x.query.String()):
		return badRequest("q", "the query is too long to be recorded whole")
	}
	return nil
}

// said is the export as its entries have it.
func (x *exporting) said() report.Export {
	return report.Export{Query: x.query.String(), Format: x.q.Format, From: entryTime(x.q.From), To: entryTime(x.q.To)}
}

// open checks the consultation and writes the first entry.
func (x *exporting) open(ctx context.Context, consultation string) error {
	part, err := x.openScan(ctx, consultation, x.q.Owner, false, x.q.From, x.q.To, func(e *audit.Entry, _ stretch) {
		e.Outcome, e.Details = "begun", x.said().Details()
		x.row = &ConsultationRow{ID: e.Consultation, Officer: e.Officer, Justification: e.Justification, CaseRef: e.CaseRef}
	})
	if x.part = part; x.q.Last > 0 {
		x.part.last = min(part.last, x.q.Last)
	}
	return err
}

// close writes the second entry, also when the reader has gone.
func (x *exporting) close(ctx context.Context, failed error) (audit.Receipt, error) {
	receipt, err := x.commit(context.WithoutCancel(ctx), func(*Tx) ([]audit.Entry, *Refusal, error) {
		e := x.consulted(x.row)
		said := x.said()
		said.First, said.Last, said.Bytes, said.SHA256 = x.first, x.last, x.bytes, x.sum.Sum(nil)
		e.Outcome, e.Count = report.Exported, x.count
		if failed != nil {
			e.Outcome = "broken_off"
		}
		e.Details = said.Details()
		x.another(e.Details, x.part.owner)
		return []audit.Entry{e}, nil, nil
	})
	if failed != nil {
		err = failed
	}
	return receipt, err
}

// write writes the entries. What an export that goes on has already is counted
// and not sent.
func (x *exporting) write(ctx context.Context, w io.Writer) error {
	x.out = bufio.NewWriterSize(w, 64<<10)
	if x.q.Format == report.Table {
		if err := x.put(0, report.AppendRow(nil, report.TableColumns())); err != nil {
			return err
		}
	}
	err := x.scan(ctx, x.part, func(rows []EntryRow) error {
		for i := range rows {
			if err := x.entry(ctx, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.out.Flush()
}

// entry writes an entry if it is one of those that are asked for.
func (x *exporting) entry(ctx context.Context, row *EntryRow) error {
	e, readable := search.ReadStored(row.Entry)
	if wanted, err := x.wants(ctx, row, e, readable); err != nil || !wanted {
		return err
	}
	item := audit.Item{Owner: row.Owner, Seq: row.Seq, Index: row.Index, Commitment: row.Commitment, Entry: row.Entry, Salt: row.Salt}
	if x.q.Format == report.Table {
		x.line = report.AppendRow(x.line[:0], report.TableRow(item, e.Entry))
	} else {
		var err error
		if x.line, err = report.AppendLine(x.line[:0], item); err != nil {
			return err
		}
	}
	if x.count++; x.first == 0 {
		x.first = row.Seq
	}
	x.last = row.Seq
	return x.put(row.Seq, x.line)
}

// wants reports whether an entry is of the time and matches the query. An
// erased one matches the empty query only; one that cannot be read is exported
// as it is: who verifies finds it.
func (x *exporting) wants(ctx context.Context, row *EntryRow, e search.Stored, readable bool) (bool, error) {
	switch {
	case readable:
		return e.Matches(x.query, search.Range{From: x.q.From, To: x.q.To}), nil
	case row.Entry != nil || !x.query.Empty():
		return x.query.Empty(), nil
	}
	elsewhere, err := x.erasedElsewhere(ctx, row, x.q.From, x.q.To)
	return !elsewhere, err
}

// put writes bytes of an entry, 0 for what stands before all.
func (x *exporting) put(seq uint64, b []byte) error {
	x.sum.Write(b)
	x.bytes += int64(len(b))
	if x.q.After > 0 && seq <= x.q.After {
		return nil
	}
	_, err := x.out.Write(b)
	return err
}
