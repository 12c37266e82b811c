package exchange

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// describe puts into the visit's entry what can be said of a package before
// its signatures are verified: which one it claims to be.
func (p *posting) describe() {
	p.payload = digest(p.manifest.Payload)
	p.object = p.manifest.JTI
	p.entry.Package, p.entry.ManifestSHA256 = p.manifest.JTI, p.manifest.SHA256
}

// attest puts into the visit's entry what the sender signed: the manifest's
// description and the statement whole.
func (p *posting) attest() {
	e, visit := manifestEntry(p.manifest), p.entry
	e.Owner, e.Operation, e.Action, e.Actor, e.Request = visit.Owner, visit.Operation, visit.Action, visit.Actor, visit.Request
	e.Officer, e.Justification = p.statement.Officer, p.statement.Justification
	e.Statement = json.RawMessage(p.statement.Payload)
	e.SigningKey = p.manifest.Kid
	p.entry = e
}

// manifestEntry is what an entry of any party says of a package: the fields
// by which a data-protection officer searches.
func manifestEntry(m *envelope.SignedManifest) audit.Entry {
	meta := &m.Claimed
	e := audit.Entry{
		Package: m.JTI, ManifestSHA256: m.SHA256, From: m.Iss, Recipients: m.Aud,
		MessageType: meta.MessageType, ContentKind: meta.ContentKind, CaseRef: meta.CaseRef, Purpose: meta.Purpose, CrimeAreas: meta.CrimeAreas,
		Urgency: meta.Urgency.Level, Handling: meta.Handling.Code, Classification: meta.Classification,
		TransferBasis: meta.TransferBasis, TransferInstrument: meta.TransferInstrument,
		Assurances: meta.Assurances, ReviewBy: meta.Retention.ReviewBy, EraseBy: meta.Retention.EraseBy,
	}
	for _, b := range meta.LegalBasis {
		e.LegalBasis = append(e.LegalBasis, b.Jurisdiction+":"+b.Instrument+":"+b.Article)
	}
	for _, r := range meta.RelatesTo {
		e.Relations = append(e.Relations, audit.Relation{Package: r.Package, Relation: r.Relation})
	}
	for _, c := range meta.Handling.Conditions {
		e.Conditions = append(e.Conditions, c.Code)
	}
	describeSubjects(&e, meta.Subjects)
	describeOriginator(&e, meta)
	describeForStatistics(&e, meta)
	return e
}

// describeForStatistics notes what figures are made of and no other member
// has: why a request is refused and what a court has to do with the answer
// (Directive (EU) 2023/977 art 18(2)), and how many persons (LED art 30(3)).
func describeForStatistics(e *audit.Entry, meta *envelope.Meta) {
	e.Details = map[string]string{}
	if r := meta.Refusal; r != nil {
		e.Details["refusal"] = r.Code
		if r.Sub != "" {
			e.Details["refusal"] += "." + r.Sub
		}
		if r.Partial != nil && *r.Partial {
			e.Details["refusal_partial"] = "yes"
		}
	}
	if meta.JudicialAuth != "" {
		e.Details["judicial_authorisation"] = meta.JudicialAuth
	}
	var persons int64
	for _, s := range meta.Subjects {
		persons += s.Count
	}
	if persons > 0 {
		e.Details["subjects"] = strconv.FormatInt(persons, 10)
	}
}

// describeSubjects names categories of persons, never persons.
func describeSubjects(e *audit.Entry, subjects []envelope.Subject) {
	for _, s := range subjects {
		e.SubjectCategories = appendNew(e.SubjectCategories, s.Category)
		for _, c := range s.SpecialCategories {
			e.SpecialCategories = appendNew(e.SpecialCategories, c)
		}
		if s.Minors != "none" && e.Minors != "u15" {
			e.Minors = s.Minors
		}
	}
}

// describeOriginator names whose data it is and what they said about it.
func describeOriginator(e *audit.Entry, meta *envelope.Meta) {
	e.Originators = meta.Originator
	for _, a := range meta.PriorAuthorisation {
		said := a.Originator + ":" + a.State
		if a.Ref != "" {
			said += ":" + a.Ref
		}
		e.Authorisations = append(e.Authorisations, said)
	}
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// expired reports whether an unacknowledged package has lapsed at t.
func (p *Package) expired(t time.Time) bool { return t.After(p.ExpiresAt) }
