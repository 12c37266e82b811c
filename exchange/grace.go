package exchange

import (
	"context"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// longestGrace is how far ahead operators may let an overdue list serve. Who
// needs longer says so again, to a second person, each week.
const longestGrace = 7 * 24 * time.Hour

// GraceRow says until when the lists of a jurisdiction serve although they
// are overdue, and what waits for a second operator.
type GraceRow struct {
	Jurisdiction string
	Until        time.Time     // zero: no longer than the configuration says
	Waiting      GraceProposal // zero: nothing waits
}

// GraceProposal is what one operator asked for.
type GraceProposal struct {
	Until  time.Time
	By     string // identity of the first operator
	Reason string
	At     time.Time
}

// Expires is when the proposal is void.
func (p GraceProposal) Expires() time.Time { return p.At.Add(proposalLasts) }

// Grace answers SetGrace.
type Grace struct {
	GraceRow
	Receipt audit.Receipt
}

// SetGrace lets the overdue lists of a jurisdiction serve until a time, at
// most a week ahead. What it takes away is gone at once; what it gives waits
// until another operator asks for the same within a day, unless one person is
// enough here.
func (s *Service) SetGrace(ctx context.Context, c Caller, jurisdiction string, until time.Time, reason string) (*Grace, error) {
	v, err := s.enter(ctx, c, ActGrace, "")
	if err != nil {
		return nil, err
	}
	if r := v.checkGrace(jurisdiction, until, reason); r != nil {
		return nil, v.refuse(ctx, r)
	}
	var set Grace
	set.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		before, err := tx.Grace(jurisdiction)
		if err != nil {
			return nil, nil, err
		}
		e, next := v.entry, GraceRow{Jurisdiction: jurisdiction}
		if before != nil {
			next = *before
		}
		e.Outcome = v.decideGrace(&next, GraceProposal{Until: until, By: c.Identity.String(), Reason: reason, At: tx.Now()})
		e.Justification = reason
		e.Details = map[string]string{"jurisdiction": jurisdiction, "until": entryTime(until)}
		if before != nil && before.Waiting.By != "" {
			e.Details["proposed_by"] = before.Waiting.By
		}
		tx.PutGrace(next)
		set.GraceRow = next
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	s.renew(ctx)
	return &set, nil
}

// checkGrace holds what an operator asks for against its form.
func (v *visit) checkGrace(jurisdiction string, until time.Time, reason string) *Refusal {
	if r := v.isOperator(); r != nil {
		return r
	}
	if len(v.Trust().Anchors.Of(jurisdiction)) == 0 {
		return absent("no-such-jurisdiction")
	}
	if until.After(v.Clock().Add(longestGrace)) {
		return badRequest("until", "until is at most a week ahead")
	}
	return checkReason(reason)
}

// decideGrace makes of the row what the request makes of it, and says what
// that is.
func (v *visit) decideGrace(row *GraceRow, want GraceProposal) string {
	before := row.Waiting
	open := before.By != "" && want.At.Before(before.Expires()) && before.Until.Equal(want.Until)
	switch {
	case row.Until.Equal(want.Until):
		row.Waiting = GraceProposal{}
		return "repeated"
	case v.OnePerson || want.Until.Before(row.Until) || !want.Until.After(want.At) || open && before.By != want.By:
		row.Until, row.Waiting = want.Until, GraceProposal{}
		return "done"
	case !open:
		row.Waiting = want // of the same operator, its day does not begin again
	}
	return "awaits_second_operator"
}
