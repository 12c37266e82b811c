package exchange

import (
	"context"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// The scopes of a hold.
const (
	HoldPackage = "package" // a package, and the entries about it
	HoldCase    = "case"    // what bears a case reference
	HoldPeriod  = "period"  // what became true in a time
	HoldQuery   = "query"   // what a query of package search matches
	HoldAll     = "all"
)

// maxHolds bounds the holds of an agency that hold.
const maxHolds = 100

// HoldRequest is what a data-protection officer wants kept.
type HoldRequest struct {
	Scope, Value string
	From, To     time.Time
	Reason       string
}

// HoldSet answers AddHold and ReleaseHold.
type HoldSet struct {
	Hold
	Receipt audit.Receipt
}

// AddHold keeps records of the caller's own agency from being erased, by
// their time and by order, until the hold is released. What another agency has
// of the same package is that agency's.
func (s *Service) AddHold(ctx context.Context, c Caller, want HoldRequest) (*HoldSet, error) {
	v, err := s.enter(ctx, c, ActHold, "")
	if err != nil {
		return nil, err
	}
	if r := v.checkHold(want); r != nil {
		return nil, v.refuse(ctx, r)
	}
	s.erasing.Lock()
	defer s.erasing.Unlock()
	set := &HoldSet{}
	set.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		held, err := activeHolds(tx, v.agency())
		if err != nil {
			return nil, nil, err
		}
		if len(held) >= maxHolds {
			return nil, &Refusal{Kind: Conflict, Reason: "too-many-holds", Detail: "your agency has 100 holds already", Fix: "release those that are not needed any more, or make one that covers several"}, nil
		}
		set.Hold = Hold{ID: newID(), Owner: v.agency(), Scope: want.Scope, Value: want.Value, From: want.From, To: want.To,
			Reason: want.Reason, By: c.Identity.String(), At: tx.Now()}
		tx.PutHold(set.Hold)
		e := v.entry
		e.Outcome, e.Justification, e.Details = "held", want.Reason, set.Hold.details()
		switch want.Scope {
		case HoldPackage:
			e.Package = want.Value
		case HoldCase:
			e.CaseRef = want.Value
		}
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return set, nil
}

// details describe a hold in an entry.
func (h Hold) details() map[string]string {
	d := map[string]string{"hold": h.ID, "scope": h.Scope}
	if h.Scope == HoldPeriod {
		d["from"], d["to"] = entryTime(h.From), entryTime(h.To)
	}
	return d
}

// checkHold holds a request against its form.
func (v *visit) checkHold(want HoldRequest) *Refusal {
	period := want.Scope == HoldPeriod
	if period != (!want.From.IsZero() || !want.To.IsZero()) {
		return badRequest("period", "begin and end stand with the scope period, and only there")
	}
	switch want.Scope {
	case HoldPackage:
		if id, err := uuid.Parse(want.Value); err != nil || id.String() != want.Value {
			return badRequest("value", "value is the id of a package")
		}
	case HoldCase:
		if want.Value == "" || !caseForm.MatchString(want.Value) {
			return badRequest("value", "value is a case reference of up to 64 characters")
		}
	case HoldQuery:
		if q, err := search.Parse(want.Value); err != nil || q.Empty() {
			return badRequest("value", "value is a query, such as recipient:lv/vp purpose:prevention")
		}
	case HoldPeriod:
		if want.Value != "" || !want.From.Before(want.To) {
			return badRequest("period", "a period is from a time to a later one, without a value")
		}
	case HoldAll:
		if want.Value != "" {
			return badRequest("value", "the scope all has no value")
		}
	default:
		return badRequest("scope", "scope is package, case, period, query or all")
	}
	return checkReason(want.Reason)
}

var holdID = regexp.MustCompile(`^[0-9a-f-]{36}$`)

// ReleaseHold ends a hold of the caller's agency: what is overdue is erased
// soon after.
func (s *Service) ReleaseHold(ctx context.Context, c Caller, id, reason string) (*HoldSet, error) {
	v, err := s.enter(ctx, c, ActRelease, "")
	if err != nil {
		return nil, err
	}
	if r := checkReason(reason); r != nil {
		return nil, v.refuse(ctx, r)
	}
	if !holdID.MatchString(id) {
		return nil, v.refuse(ctx, absent("no-such-hold"))
	}
	s.erasing.Lock()
	defer s.erasing.Unlock()
	set := &HoldSet{}
	set.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		held, err := activeHolds(tx, v.agency())
		if err != nil {
			return nil, nil, err
		}
		found := held.find(id)
		if found == nil {
			return nil, absent("no-such-hold"), nil
		}
		set.Hold = *found
		set.Released = tx.Now()
		tx.PutHold(set.Hold)
		tx.SetSwept(sweptLog(v.agency()), 0) // what was passed over is looked at again
		e := v.entry
		e.Outcome, e.Justification, e.Details = "released", reason, found.details()
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	s.erasing.again()
	return set, nil
}

// ListHolds returns the holds of the caller's agency that hold, newest first,
// under a consultation of the log.
func (s *Service) ListHolds(ctx context.Context, c Caller, consultation string) ([]Hold, error) {
	v, err := s.enter(ctx, c, ActHolds, "")
	if err != nil {
		return nil, err
	}
	var held holdSet
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, r, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || r != nil {
			return nil, r, err
		}
		if held, err = activeHolds(tx, v.agency()); err != nil {
			return nil, nil, err
		}
		e := v.consulted(row)
		e.Count = uint64(len(held))
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

// holdSet is the holds of one owner that hold.
type holdSet []Hold

func activeHolds(rows Reader, owner string) (holdSet, error) {
	all, err := rows.Holds(owner)
	var held holdSet
	for _, h := range all {
		if h.Released.IsZero() {
			held = append(held, h)
		}
	}
	return held, err
}

func (s holdSet) find(id string) *Hold {
	for i := range s {
		if s[i].ID == id {
			return &s[i]
		}
	}
	return nil
}

// same reports whether two sets hold the same.
func (s holdSet) same(other holdSet) bool {
	if len(s) != len(other) {
		return false
	}
	for _, h := range s {
		if other.find(h.ID) == nil {
			return false
		}
	}
	return true
}

// entry reports whether any hold covers an entry. What cannot be read is held.
func (s holdSet) entry(raw []byte) bool {
	if len(s) == 0 {
		return false
	}
	e, err := audit.ParseEntry(raw)
	return err != nil || s.covers(&e)
}

func (s holdSet) covers(e *audit.Entry) bool {
	for i := range s {
		if s[i].covers(e) {
			return true
		}
	}
	return false
}

func (h *Hold) covers(e *audit.Entry) bool {
	switch h.Scope {
	case HoldPackage:
		return e.Package == h.Value
	case HoldCase:
		return e.CaseRef == h.Value
	case HoldQuery:
		q, err := search.Parse(h.Value)
		return err != nil || search.Match(e, q)
	case HoldPeriod:
		at, err := audit.ParseTime(e.Time)
		return err != nil || !at.Before(h.From) && at.Before(h.To)
	}
	return true // all, and what a newer version knows
}

// keeps reports whether any hold of the sender covers a package.
func (s holdSet) keeps(p *Package) bool {
	if len(s) == 0 {
		return false
	}
	m, err := envelope.ParseManifest(p.Manifest)
	if err != nil {
		return true
	}
	e := manifestEntry(m)
	e.Owner, e.Action, e.Time = p.Sender, string(ActSend), audit.FormatTime(p.AcceptedAt)
	if st, err := envelope.ParseStatement(p.Statement); err == nil {
		e.Officer, e.Justification, e.Statement = st.Officer, st.Justification, st.Payload
	}
	return s.covers(&e)
}
