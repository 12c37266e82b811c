package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Mismatch is a recipient's report that the content is not what the manifest
// says.
type Mismatch struct {
	Code  string    `json:"code"`
	At    time.Time `json:"at"`
	Index int64     `json:"index"` // of the recipient's own entry, whose receipt a repeat gets
}

// MismatchReported answers ReportMismatch.
type MismatchReported struct {
	ID, Code string
	Receipt  audit.Receipt
	Repeat   bool
}

// ReportMismatch takes a recipient's report that the content of a package is
// not what its manifest says: what policy decided by was wrong, and both
// sides' logs say so. It needs what only the content shows, so that who has
// not fetched it cannot report. Policy is not asked: no country stops it. It
// changes nothing of the package; a correction is the sender's own message. The
// same report again gets the first receipt; another code is another report.
func (s *Service) ReportMismatch(ctx context.Context, c Caller, id, code string) (*MismatchReported, error) {
	v, err := s.enter(ctx, c, ActMismatch, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(envelope.MismatchCodes(), code) {
		return nil, v.refuse(ctx, badRequest("code", "code says what differs, by one of the codes of the document"))
	}
	v.entry.Details = map[string]string{detailMismatch: code}
	done := &MismatchReported{ID: id, Code: code}
	var first *Mismatch
	done.Receipt, err = v.commit(ctx, func(tx *Tx) (entries []audit.Entry, refused *Refusal, err error) {
		entries, first, refused, err = v.reportMismatch(tx, code)
		return entries, refused, err
	}, v.needs()...)
	if err != nil {
		return nil, err
	}
	if first == nil {
		return done, nil
	}
	done.Repeat = true
	return done, v.view(ctx, func(rows Reader) (err error) {
		done.Receipt, err = s.Journal.Receipt(rows, first.Index)
		return erasedReceipt(err)
	})
}

// detailMismatch names the code in the details of an entry.
const detailMismatch = "mismatch"

// reportMismatch is the change: both entries and the code in the delivery, or
// the entry of a repeat and the first report.
func (v *visit) reportMismatch(tx *Tx, code string) ([]audit.Entry, *Mismatch, *Refusal, error) {
	p, seen, refused, err := v.find(tx)
	if err != nil || refused != nil {
		return nil, nil, refused, err
	}
	d := p.delivery(v.agency())
	switch {
	case d == nil || d.Seq == 0:
		return nil, nil, absent("not-a-recipient"), nil
	case p.Erased:
		return nil, nil, erasedPackage(seen), nil
	case d.Outcome != StateAcknowledged:
		return nil, nil, &Refusal{Kind: Conflict, Reason: "not-acknowledged", Detail: "the package is not acknowledged: its outcome is " + d.Outcome,
			Fix: "what nobody could read cannot be reported; acknowledge and open it first"}, nil
	case d.FetchedAt.IsZero():
		return nil, nil, &Refusal{Kind: Conflict, Reason: "not-fetched", Detail: "your agency has not fetched the content",
			Fix: "open the package first: what differs only the content shows"}, nil
	}
	e := v.about(p)
	for i := range d.Mismatches {
		if d.Mismatches[i].Code == code {
			e.Outcome = "repeated"
			return []audit.Entry{e}, &d.Mismatches[i], nil, nil
		}
	}
	next := *d
	next.Mismatches = append(slices.Clone(d.Mismatches), Mismatch{Code: code, At: tx.Now(), Index: tx.NextIndex(0)})
	tx.PutDelivery(p.ID, next)
	e.Outcome = "reported"
	told := v.toSender(p, "reported", ActMismatched)
	told.Details = map[string]string{detailMismatch: code}
	return []audit.Entry{e, told}, nil, nil, nil
}

// fetched notes that a recipient has the content: from then on it can tell
// what differs.
func (v *visit) fetched(tx *Tx, p *Package) {
	if d := p.delivery(v.agency()); v.action == ActContent && d != nil && d.FetchedAt.IsZero() {
		next := *d
		next.FetchedAt = tx.Now()
		tx.PutDelivery(p.ID, next)
	}
}
