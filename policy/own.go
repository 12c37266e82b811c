package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Classes of a message towards one recipient: which rules and layers are asked.
const (
	classFull       = "full"       // everything
	classCorrection = "correction" // structure and the sender's rules
	classStructure  = "structure"  // structure alone: no country can stop it
)

// structural are the messages that a country cannot stop (DESIGN: who is asked).
var structural = []string{
	"erasure_notice", "restriction_notice", "onward_withdrawal", "refusal", "delay_notice",
	"clarification_request", "clarification", "breach_notice",
}

// received are the outcomes of a package that somebody has got.
var received = []string{"delivered", "acknowledged", "withdrawn"}

// own is the part of the input that belongs to one recipient.
type own struct {
	recipient checkedParty
	class     string
	route     string
	origins   []origin
	pairs     [][2]*ast.Term
	json      []byte
}

func (p *pack) own(r Recipient) (*own, error) {
	o := &own{recipient: p.set.party(r.Party)}
	o.route = p.route(r.Jurisdiction)
	o.class = p.class(r.ID)
	o.origins = p.origins(r.ID, o.route == "outside")
	in := inputShape
	o.pairs = [][2]*ast.Term{
		in.pair("facts", p.factsTerm(o)),
		in.pair("permissions", p.permissionsTerm(o)),
		in.pair("recipient", p.recipientTerm(o)),
	}
	var err error
	o.json, err = appendJSON(make([]byte, 0, 1024), ast.ObjectTerm(o.pairs...))
	return o, err
}

func (p *pack) fullInput(o *own) *ast.Term {
	pairs := make([][2]*ast.Term, 0, len(p.pairs)+len(o.pairs))
	return ast.ObjectTerm(append(append(pairs, p.pairs...), o.pairs...)...)
}

// route says which law carries the package to this recipient.
func (p *pack) route(recipient string) string {
	inside := p.set.facts.flag(tableLED, recipient, p.today)
	switch {
	case p.r.Sender.Jurisdiction == "europol" && inside:
		return "inside"
	case p.r.Sender.Jurisdiction == "europol":
		return "europol_outside"
	case !p.senderBound():
		return "foreign"
	case inside:
		return "inside"
	}
	return "outside"
}

func (p *pack) class(recipient string) string {
	switch {
	case slices.Contains(structural, p.r.MessageType):
		return classStructure
	case p.r.MessageType == "correction" && p.received(recipient, "corrects", "supersedes", "concerns"):
		return classCorrection
	}
	return classFull
}

// received reports whether the recipient has got a package of the sender that this one names in such a relation.
func (p *pack) received(recipient string, relations ...string) bool {
	return slices.ContainsFunc(p.related, func(r lookedUp) bool {
		return r.found && slices.Contains(relations, r.relation) && r.known.From == p.r.Sender.ID && slices.Contains(received, r.known.Outcomes[recipient])
	})
}

// counterpart reports whether the recipient is a party of a package that this one names: its sender, or somebody who
// has got it.
func (p *pack) counterpart(recipient string) bool {
	return slices.ContainsFunc(p.related, func(r lookedUp) bool {
		return r.found && (r.known.From == recipient || slices.Contains(received, r.known.Outcomes[recipient]))
	})
}

func (p *pack) factsTerm(o *own) *ast.Term {
	f, id := inputShape.member("facts"), o.recipient.ID
	both := p.set.facts.flag(tableDir977, p.r.Sender.Jurisdiction, p.today) && p.set.facts.flag(tableDir977, o.recipient.Jurisdiction, p.today)
	return ast.ObjectTerm(
		f.pair("assessment", enumTerm(f, "assessment", p.assessment(o.recipient.Jurisdiction))),
		f.pair("channel_rule", flag(both && !p.set.facts.flag(tableChannelFree, "eu", p.today))),
		f.pair("class", enumTerm(f, "class", o.class)),
		f.pair("counterpart", flag(p.counterpart(id))),
		f.pair("derogations_this_year", number(p.r.Known.Counters.Derogations[o.recipient.Jurisdiction])),
		f.pair("instrument", enumTerm(f, "instrument", p.instrument(o.recipient.Jurisdiction))),
		f.pair("received", flag(p.received(id, "corrects", "supersedes", "concerns"))),
		f.pair("route", enumTerm(f, "route", o.route)),
	)
}

// instrument looks up the claimed treaty on both sides.
func (p *pack) instrument(recipient string) string {
	if p.claims.instrument == "" {
		return "none"
	}
	mine, ok := p.treaty(p.r.Sender.Jurisdiction, recipient)
	if !ok {
		return "unknown"
	}
	valid := inForce(mine.From, mine.Until, p.today)
	if p.set.declared[recipient] != nil {
		theirs, ok := p.treaty(recipient, p.r.Sender.Jurisdiction)
		if !ok {
			return "one_sided"
		}
		valid = valid && inForce(theirs.From, theirs.Until, p.today)
	}
	if !valid {
		return "lapsed"
	}
	return "valid"
}

// treaty returns the claimed instrument as by declares it, for its transfers with the other.
func (p *pack) treaty(by, with string) (Instrument, bool) {
	d := p.set.declared[by]
	if d == nil {
		return Instrument{}, false
	}
	i, ok := d.instrument(p.claims.instrument)
	carries := by != p.r.Sender.Jurisdiction || slices.Contains(i.Bases, p.claims.basis)
	return i, ok && i.Kind == "treaty" && slices.Contains(i.With, with) && carries
}

// assessment looks up the sender's own assessment of the recipient (LED article 37(1)(b)).
func (p *pack) assessment(recipient string) string {
	d := p.set.declared[p.r.Sender.Jurisdiction]
	if p.claims.instrument == "" {
		return "none"
	}
	if d == nil {
		return "unknown"
	}
	i, ok := d.instrument(p.claims.instrument)
	if !ok || i.Kind != "assessment" || !slices.Contains(i.With, recipient) || !slices.Contains(i.Bases, p.claims.basis) {
		return "unknown"
	}
	if !inForce(i.From, i.Until, p.today) {
		return "lapsed"
	}
	return "valid"
}

func (p *pack) recipientTerm(o *own) *ast.Term {
	s, f, r := inputShape.member("recipient"), p.set.facts, o.recipient
	var assurances []string
	if d := p.set.declared[r.Jurisdiction]; d != nil {
		assurances = d.assurances(p.today)
	}
	return ast.ObjectTerm(
		s.pair("active", flag(r.Active)),
		s.pair("adequate", flag(f.flag(tableAdequate, r.Jurisdiction, p.today))),
		s.pair("assurances", enumList(s.member("assurances").items, assurances)),
		s.pair("competences", enumList(s.member("competences").items, r.Competences)),
		s.pair("death_penalty", flag(f.flag(tableDeathPenalty, r.Jurisdiction, p.today))),
		s.pair("dir977_bound", flag(f.flag(tableDir977, r.Jurisdiction, p.today))),
		s.pair("id", ast.StringTerm(r.ID)),
		s.pair("ill_treatment", flag(f.flag(tableIllTreatment, r.Jurisdiction, p.today))),
		s.pair("jurisdiction", ast.StringTerm(r.Jurisdiction)),
		s.pair("led_bound", flag(f.flag(tableLED, r.Jurisdiction, p.today))),
		s.pair("registered", flag(r.registered)),
		s.pair("tier", enumTerm(s, "tier", f.at(tableTier, r.Jurisdiction, p.today).code)),
		s.pair("type", enumTerm(s, "type", r.Type)),
	)
}

func (p *pack) permissionsTerm(o *own) *ast.Term {
	s := inputShape.member("permissions")
	item, approval := s.member("origins").items, s.member("approvals").items
	var origins, approvals []*ast.Term
	emergency := false
	for _, x := range o.origins {
		emergency = emergency || x.emergency
		origins = append(origins, ast.ObjectTerm(
			item.pair("agency", ast.StringTerm(x.agency)), item.pair("emergency", flag(x.emergency)),
			item.pair("external", flag(x.external)), item.pair("jurisdiction", ast.StringTerm(x.jurisdiction)),
			item.pair("state", enumTerm(item, "state", x.state)),
		))
	}
	for _, a := range p.approvals(o.recipient.ID) {
		for _, c := range a.Codes {
			approvals = append(approvals, ast.ObjectTerm(
				approval.pair("by", ast.StringTerm(a.By)), approval.pair("code", ast.StringTerm(c)),
				approval.pair("granted", flag(a.Granted)), approval.pair("jurisdiction", ast.StringTerm(a.Jurisdiction)),
			))
		}
	}
	return ast.ObjectTerm(
		s.pair("approvals", ast.ArrayTerm(approvals...)),
		s.pair("emergency", flag(emergency)),
		s.pair("origins", ast.ArrayTerm(origins...)),
		s.pair("state", enumTerm(s, "state", permissionState(o.origins))),
	)
}

func (p *pack) approvals(recipient string) []Approval {
	return slices.DeleteFunc(slices.Clone(p.r.Known.Approvals), func(a Approval) bool { return a.Recipient != recipient })
}

// permissionState is the worst of all originators.
func permissionState(list []origin) string {
	state := "own"
	for _, o := range list {
		switch {
		case o.emergency, o.state == "granted", o.state == "general":
			if state == "own" {
				state = "granted"
			}
		case o.state == "refused", o.state == "withdrawn", o.external:
			return "refused"
		default:
			state = "pending"
		}
	}
	return state
}
