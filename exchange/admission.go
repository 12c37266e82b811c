package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// proposalLasts is how long what one operator asked for waits for a second.
const proposalLasts = 24 * time.Hour

// Standing is what the operator says of an agency.
type Standing struct {
	Roles     []string
	Suspended bool
	Bindings  []Binding
	// Supervises names the agencies whose logs the supervisors of this one may
	// read.
	Supervises []string
}

// Proposal is a standing that one operator asked for and that waits for a
// second one.
type Proposal struct {
	Agency string
	Standing
	By     string // identity of the first operator
	Reason string
	At     time.Time
}

// Expires is when the proposal is void.
func (p *Proposal) Expires() time.Time { return p.At.Add(proposalLasts) }

// Admission is an agency's standing and what waits for a second operator.
type Admission struct {
	Agency string
	Standing
	Proposal *Proposal // nil: nothing waits
	Receipt  audit.Receipt
}

// allowedRoles are what an agency may be admitted with. The exchange's own
// people stand in its registry files only.
var allowedRoles = []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy, certs.RoleSupervisor}

func (a *Agency) standing() Standing { return Standing{a.Roles, a.Suspended, a.Bindings, a.Supervises} }

func (a *Agency) setStanding(s Standing) {
	a.Roles, a.Suspended, a.Bindings, a.Supervises = s.Roles, s.Suspended, s.Bindings, s.Supervises
}

// same compares what two standings permit.
func (s Standing) same(o Standing) bool {
	return s.Suspended == o.Suspended && slices.Equal(sorted(s.Roles), sorted(o.Roles)) && sameBindings(s.Bindings, o.Bindings) &&
		slices.Equal(sorted(s.Supervises), sorted(o.Supervises))
}

// strictest permits only what both permit.
func (s Standing) strictest(o Standing) Standing {
	both := Standing{Suspended: s.Suspended || o.Suspended, Bindings: common(s.Bindings, o.Bindings)}
	for _, role := range sorted(o.Roles) {
		if slices.Contains(s.Roles, role) {
			both.Roles = append(both.Roles, role)
		}
	}
	for _, agency := range sorted(o.Supervises) {
		if slices.Contains(s.Supervises, agency) {
			both.Supervises = append(both.Supervises, agency)
		}
	}
	return both
}

func sorted(roles []string) []string {
	roles = slices.Clone(roles)
	slices.Sort(roles)
	return roles
}

// Admission tells an operator an agency's standing.
func (s *Service) Admission(ctx context.Context, c Caller, agency string) (*Admission, error) {
	v, err := s.enter(ctx, c, ActAdmission, "")
	if err != nil {
		return nil, err
	}
	found := &Admission{Agency: agency}
	found.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		if r := v.isOperator(); r != nil {
			return nil, r, nil
		}
		row, known, waiting, err := v.agencyNow(tx, agency)
		if err != nil {
			return nil, nil, err
		}
		if !known && waiting == nil {
			return nil, absent("no-such-agency"), nil
		}
		found.Standing, found.Proposal = row.standing(), waiting
		e := v.entry
		e.Outcome, e.Details = "shown", map[string]string{"agency": agency}
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// SetAdmission makes an agency's standing what an operator asks for. What it
// takes away is gone at once. What it gives waits until another operator asks
// for the same within a day, unless one person is enough here. To ask for the
// standing as it is withdraws what waits.
func (s *Service) SetAdmission(ctx context.Context, c Caller, agency string, want Standing, reason string) (*Admission, error) {
	v, err := s.enter(ctx, c, ActAdmit, "")
	if err != nil {
		return nil, err
	}
	if r := v.checkAdmission(agency, want, reason); r != nil {
		return nil, v.refuse(ctx, r)
	}
	set := &Admission{Agency: agency}
	s.turning.RLock() // what is declared stays so until the row is written
	set.Receipt, err = v.commitRegistry(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		old, known, waiting, err := v.agencyNow(tx, agency)
		if err != nil {
			return nil, nil, err
		}
		next, err := v.row(agency, want)
		if err != nil {
			return nil, &Refusal{Kind: Conflict, Reason: "agency-not-declared", Detail: err.Error(), Err: err,
				Fix: "have the jurisdiction declare the agency first"}, nil
		}
		reg, err := tx.Registry()
		if err != nil {
			return nil, nil, err
		}
		if r := v.checkBindings(reg, old, next); r != nil {
			return nil, r, nil
		}
		if r := v.checkSupervises(reg, old, next); r != nil {
			return nil, r, nil
		}
		next.File = old.File
		m := admitting{visit: v, old: old, known: known, want: want, waiting: waiting, reason: reason}
		e := m.decide(tx, &next)
		set.Standing, set.Proposal = next.standing(), m.waiting
		return append([]audit.Entry{e}, grants(e, old, next)...), nil, nil
	})
	s.turning.RUnlock()
	if err != nil {
		return nil, err
	}
	s.renew(ctx)
	return set, nil
}

// isOperator: only the exchange's own agency admits.
func (v *visit) isOperator() *Refusal {
	if v.agency() != v.Operator {
		return &Refusal{Kind: RoleForbidden, Reason: "not-the-operator", Detail: "only the exchange's own agency keeps the registry"}
	}
	return nil
}

// checkAdmission holds what an operator asks for against its form.
func (v *visit) checkAdmission(agency string, want Standing, reason string) *Refusal {
	if r := v.isOperator(); r != nil {
		return r
	}
	if _, _, err := certs.ParseAgencyID(agency); err != nil {
		return absent("agency-form")
	}
	if agency == v.Operator {
		return &Refusal{Kind: Conflict, Reason: "own-agency", Detail: "the exchange's own agency is kept by its registry file alone",
			Fix: "change agency.yaml in the registry directory, and send SIGHUP"}
	}
	for i, role := range want.Roles {
		if !slices.Contains(allowedRoles, role) || slices.Contains(want.Roles[:i], role) {
			return badRequest("roles", "roles are some of "+strings.Join(allowedRoles, ", ")+", each once")
		}
	}
	return checkReason(reason)
}

// checkReason holds what an operator says of its act against its form.
func checkReason(reason string) *Refusal {
	if n := utf8.RuneCountInString(reason); n < 20 || n > 500 || !printable(reason) {
		return badRequest("reason", "reason says in 20 to 500 characters why this is done")
	}
	return nil
}

// agencyNow is an agency's row and what waits for it, as the change sees them.
func (v *visit) agencyNow(tx *Tx, agency string) (row Agency, known bool, waiting *Proposal, err error) {
	reg, err := tx.Registry()
	if err != nil {
		return row, false, nil, err
	}
	row, known = reg.Agency(agency)
	if waiting, err = tx.Proposal(agency); err != nil || waiting == nil || !tx.Now().Before(waiting.Expires()) {
		waiting = nil
	}
	return row, known, waiting, err
}

// admitting is one operator's request about one agency.
type admitting struct {
	*visit
	old     Agency
	known   bool
	want    Standing
	waiting *Proposal // before, then after
	reason  string
}

// decide writes what the request does at once and what of it waits. next has
// the standing that was asked for, and then the one that holds.
func (m *admitting) decide(tx *Tx, next *Agency) audit.Entry {
	e, before := m.entry, m.waiting
	e.Justification = m.reason
	m.waiting = nil
	switch {
	case m.known && m.old.standing().same(m.want):
		if e.Outcome = "repeated"; before != nil {
			e.Outcome = "withdrawn"
		}
		*next = m.old
	case m.OnePerson || m.known && m.restricts() || m.confirms(before):
		e.Outcome = "done"
	default:
		e.Outcome = "awaits_second_operator"
		m.waiting = &Proposal{Agency: next.ID, Standing: m.want, By: m.caller.Identity.String(), Reason: m.reason, At: tx.Now()}
		if m.repeats(before) {
			m.waiting = before // its day does not begin again
		}
		next.setStanding(m.old.standing().strictest(m.want))
	}
	m.write(tx, next, before)
	e.Details = admissionDetails(m.old, m.known, *next)
	if m.waiting != nil {
		e.Details["wanted"] = fmt.Sprintf("roles %v, suspended %v", m.want.Roles, m.want.Suspended)
		describeBindings(e.Details, m.old.Bindings, m.want.Bindings)
		describeSupervises(e.Details, m.old.Supervises, m.want.Supervises)
	}
	if before != nil {
		e.Details["proposed_by"] = before.By
	}
	return e
}

// restricts reports whether the request gives nothing.
func (m *admitting) restricts() bool {
	return m.old.standing().strictest(m.want).same(m.want)
}

// confirms reports whether another operator has asked for the same.
func (m *admitting) confirms(before *Proposal) bool {
	return before != nil && before.By != m.caller.Identity.String() && before.same(m.want)
}

// repeats reports whether this operator has asked for the same.
func (m *admitting) repeats(before *Proposal) bool {
	return before != nil && before.By == m.caller.Identity.String() && before.same(m.want)
}

// write puts the row, if it changes, and what waits. What changed meanwhile
// voids an older proposal: it was made under other circumstances.
func (m *admitting) write(tx *Tx, next *Agency, before *Proposal) {
	if m.known && !m.old.same(*next) || !m.known && m.waiting == nil {
		tx.PutAgency(*next)
	}
	switch {
	case m.waiting != nil:
		tx.PutProposal(*m.waiting)
	case before != nil:
		tx.DropProposal(next.ID)
	}
}
