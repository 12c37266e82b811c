package policy

import "slices"

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
	*record
	recipient  checkedParty
	class      string
	route      string
	assurances []string // that the recipient's jurisdiction has declared
	origins    []origin
}

func (p *pack) own(r Recipient) *own {
	o := &own{recipient: p.set.party(r.Party)}
	o.route = p.route(r.Jurisdiction)
	o.class = p.class(r.ID)
	o.origins = p.origins(r.ID, o.route == "outside")
	if d := p.set.declared[r.Jurisdiction]; d != nil {
		o.assurances = d.assurances(p.today)
	}
	o.record = ownPlaces.record(make([]byte, 0, 1024))
	w := newObject(ownPlaces, o.record)
	w.object("facts", func(f *object) { p.writeFacts(f, o) })
	w.object("permissions", func(f *object) { p.writePermissions(f, o) })
	w.object("recipient", func(f *object) { p.writeRecipient(f, o) })
	w.end()
	return o
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

func (p *pack) writeFacts(f *object, o *own) {
	id, j, facts := o.recipient.ID, o.recipient.Jurisdiction, p.set.facts
	both := facts.flag(tableDir977, p.r.Sender.Jurisdiction, p.today) && facts.flag(tableDir977, j, p.today)
	count := p.r.Known.Counters.Derogations[j]
	f.flag("annex_binds", both || j == "europol" || p.r.Sender.Jurisdiction == "europol")
	f.text("assessment", p.assessment(j))
	f.flag("assured", p.assured(o, tableDeathPenalty, "no_death_penalty") && p.assured(o, tableIllTreatment, "no_inhuman_treatment"))
	f.flag("channel_rule", both && !facts.flag(tableChannelFree, "eu", p.today))
	f.text("class", o.class)
	f.flag("counterpart", p.counterpart(id))
	f.flag("derogation", slices.Contains(derogations, p.claims.basis))
	f.flag("derogations_frequent", count >= facts.limit(limitDerogations, p.today))
	f.number("derogations_this_year", count)
	f.text("instrument", p.instrument(j))
	f.flag("leaves", o.route == "outside" || o.route == "europol_outside")
	f.flag("received", p.received(id, "corrects", "supersedes", "concerns"))
	f.flag("recipient_competent", slices.Contains(o.recipient.Competences, p.claims.purpose))
	f.text("recipient_kind", recipientKind(o.recipient.Type))
	f.text("route", o.route)
	f.flag("suspended", facts.at(tableTier, j, p.today).code == "t4")
}

// derogations are the bases that hold for a single case.
var derogations = []string{"led38_1a", "led38_1b", "led38_1c", "led38_1d", "led38_1e", "europol_25_5", "europol_25_6"}

// recipientKind says what a recipient of that type is to the directive.
func recipientKind(agencyType string) string {
	switch agencyType {
	case "advisory_mission":
		return "mission"
	case "private", "unknown":
		return agencyType
	case "supervisory_authority": // no competent authority of LED art 3(7)
		return "unknown"
	}
	return "authority"
}

// assured reports whether there is nothing of the kind to fear in the recipient's country, or an assurance against it.
func (p *pack) assured(o *own, danger, assurance string) bool {
	return !p.set.facts.flag(danger, o.recipient.Jurisdiction, p.today) ||
		slices.Contains(p.claims.assurances, assurance) || slices.Contains(o.assurances, assurance)
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
	valid := inForce(mine.From, mine.Until, p.today) && p.europolMay(recipient)
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

// instrumentOf returns an instrument as a jurisdiction declares it, or the Union in its name.
func (s *Set) instrumentOf(j, id string) (Instrument, bool) {
	if i, ok := s.declared[j].instrument(id); ok {
		return i, true
	}
	return s.facts.treaty(j, id)
}

// europolMay reports whether what Europol has with the recipient carries data of persons: that is no matter of what the
// two declare.
func (p *pack) europolMay(recipient string) bool {
	return p.r.Sender.Jurisdiction != "europol" || p.set.facts.at(tableEuropol, recipient, p.today).code == "operational"
}

// treaty returns the claimed instrument as by declares it, or the Union in its name, for its transfers with the other.
func (p *pack) treaty(by, with string) (Instrument, bool) {
	d := p.set.declared[by]
	if d == nil {
		return Instrument{}, false
	}
	i, ok := p.set.instrumentOf(by, p.claims.instrument)
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

func (p *pack) writeRecipient(w *object, o *own) {
	f, r := p.set.facts, &o.recipient
	j := r.Jurisdiction
	w.flag("active", r.Active)
	w.flag("adequate", f.flag(tableAdequate, j, p.today))
	w.texts("assurances", o.assurances)
	w.texts("competences", r.Competences)
	w.flag("death_penalty", f.flag(tableDeathPenalty, j, p.today))
	w.flag("dir977_bound", f.flag(tableDir977, j, p.today))
	w.text("id", r.ID)
	w.flag("ill_treatment", f.flag(tableIllTreatment, j, p.today))
	w.text("jurisdiction", j)
	w.flag("led_bound", f.flag(tableLED, j, p.today))
	w.flag("registered", r.registered)
	w.text("tier", f.at(tableTier, j, p.today).code)
	w.text("type", r.Type)
}

func (p *pack) writePermissions(w *object, o *own) {
	type answer struct {
		code string
		*Approval
	}
	var answers []answer
	approvals := p.approvals(o.recipient.ID)
	for i := range approvals {
		for _, c := range approvals[i].Codes {
			answers = append(answers, answer{c, &approvals[i]})
		}
	}
	w.objects("approvals", len(answers), func(i int, a *object) {
		a.text("by", answers[i].By)
		a.text("code", answers[i].code)
		a.flag("granted", answers[i].Granted)
		a.text("jurisdiction", answers[i].Jurisdiction)
	})
	w.flag("emergency", slices.ContainsFunc(o.origins, func(x origin) bool { return x.emergency }))
	w.flag("external", slices.ContainsFunc(o.origins, func(x origin) bool { return x.external }))
	w.objects("origins", len(o.origins), func(i int, x *object) {
		x.text("agency", o.origins[i].agency)
		x.flag("emergency", o.origins[i].emergency)
		x.flag("external", o.origins[i].external)
		x.text("jurisdiction", o.origins[i].jurisdiction)
		x.text("state", o.origins[i].state)
	})
	w.text("state", permissionState(o.origins))
}

func (p *pack) approvals(recipient string) []Approval {
	if len(p.r.Known.Approvals) == 0 {
		return nil
	}
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
