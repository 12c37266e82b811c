package exchange

import (
	"context"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// How long a consultation lasts.
const (
	packageConsultation = 15 * time.Minute
	logConsultation     = 8 * time.Hour
)

// officerForm is a pseudonym that only its own agency resolves.
var officerForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// caseForm is an opaque reference.
var caseForm = regexp.MustCompile(`^[A-Za-z0-9._:/-]{0,64}$`)

// Consult opens a consultation: who reads what, and why (LED art 25(1)).
func (s *Service) Consult(ctx context.Context, c Caller, r ConsultationRequest) (*Consultation, error) {
	v, err := s.enter(ctx, c, ActConsult, r.Package)
	if err != nil {
		return nil, err
	}
	if refused := v.checkConsultation(r); refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	row := ConsultationRow{ID: newID(), Agency: v.agency(), Identity: c.Identity.String(),
		Officer: r.Officer, Justification: r.Justification, CaseRef: r.CaseRef, Package: r.Package}
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		if r.Package != "" {
			p, _, refused, err := v.find(tx)
			if err != nil || refused != nil {
				return nil, refused, err
			}
			e = v.about(p)
		}
		row.Expires = tx.Now().Add(lasting(r.Package))
		tx.PutConsultation(row)
		e.Outcome, e.Consultation = "opened", row.ID
		e.Officer, e.Justification, e.CaseRef = r.Officer, r.Justification, r.CaseRef
		return []audit.Entry{e}, nil, nil
	}, v.needs()...)
	if err != nil {
		return nil, err
	}
	return &Consultation{ID: row.ID, Expires: row.Expires, Receipt: receipt}, nil
}

func lasting(object string) time.Duration {
	if object == "" {
		return logConsultation
	}
	return packageConsultation
}

// needs is the visit's package, if its caller is a party of it.
func (v *visit) needs() []Need {
	if v.object == "" {
		return nil
	}
	return []Need{{Package: v.object, Agency: v.agency()}}
}

// checkConsultation holds the request against its form and the caller's
// role: units read packages, reviewers read the log.
func (v *visit) checkConsultation(r ConsultationRequest) *Refusal {
	n := utf8.RuneCountInString(r.Justification)
	unit := v.caller.Identity.Role == certs.RoleUnit
	switch {
	case !officerForm.MatchString(r.Officer):
		return badRequest("officer", "officer is a pseudonym of 1 to 64 letters, digits, dot, dash or underscore")
	case n < 20 || n > 500 || !printable(r.Justification):
		return badRequest("justification", "justification says in 20 to 500 characters why this is read")
	case !caseForm.MatchString(r.CaseRef):
		return badRequest("case_ref", "case_ref is a code of up to 64 characters")
	case unit != (r.Package != ""):
		return &Refusal{Kind: RoleForbidden, Reason: "consultation-of-other-role",
			Detail: "units consult a package; data-protection officers and supervisors consult the log"}
	}
	return nil
}

func badRequest(member, expected string) *Refusal {
	return &Refusal{Kind: BadRequest, Reason: "bad-" + member, Detail: expected, Fix: "correct `" + member + "` and send again"}
}

// printable reports whether a text has no control characters.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return false
		}
	}
	return true
}

// consultation checks that an id names a consultation of this identity, for
// this object, that has not lapsed, and puts it into the visit's entry.
func (v *visit) consultation(rows Reader, now time.Time, id, object string) (*ConsultationRow, *Refusal, error) {
	refused := &Refusal{Kind: NoConsultation, Reason: "consultation-missing", Detail: "this needs a valid consultation",
		Fix: "open one with POST /v1/consultations and send its id in Liaison-Consultation"}
	if id == "" {
		return nil, refused, nil
	}
	row, err := rows.Consultation(id)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case row == nil || row.Identity != v.caller.Identity.String() || row.Package != object:
		refused.Reason = "consultation-of-another"
		return nil, refused, nil
	case !now.Before(row.Expires):
		refused.Reason = "consultation-lapsed"
		return nil, refused, nil
	}
	return row, nil, nil
}
