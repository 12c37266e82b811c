package policy

import (
	"slices"
)

// lookedUp is a claimed relation with what the exchange knows of it.
type lookedUp struct {
	relatesClaim
	known Relation
	found bool
}

// relations pairs the claimed relations with the known ones. Only its sender corrects or supersedes a package.
func (p *pack) relations() []lookedUp {
	list := make([]lookedUp, len(p.claims.relates))
	for i, c := range p.claims.relates {
		list[i].relatesClaim = c
		for _, k := range p.r.Known.Relations {
			if k.Package != c.pkg || k.Relation != c.relation {
				continue
			}
			own := k.From == p.r.Sender.ID || c.relation != "corrects" && c.relation != "supersedes"
			list[i].known, list[i].found = k, k.Found && own
		}
	}
	return list
}

func (p *pack) known(o *object) {
	all := true
	for _, r := range p.related {
		all = all && r.found
	}
	o.texts("conditions", p.inheritedConditions())
	o.objects("relations", len(p.related), func(i int, c *object) {
		r := &p.related[i]
		c.flag("found", r.found)
		c.text("from", r.known.From)
		c.text("message_type", r.known.MessageType)
		c.text("relation", r.relation)
	})
	o.flag("relations_found", all)
}

// inheritedConditions are those of the packages that this one forwards: what was received under a condition is passed
// on under it.
func (p *pack) inheritedConditions() []string {
	var list []string
	for _, r := range p.related {
		if r.relation != "forwards" || !r.found {
			continue
		}
		list = append(list, r.known.Conditions...)
		switch r.known.Handling {
		case "H1":
			list = append(list, "no_judicial_use")
		case "H2", "H3":
			list = append(list, "consult_originator")
		}
		switch r.known.OnwardRule {
		case "eu_only":
			list = append(list, "eu_only")
		case "with_authorisation":
			list = append(list, "consult_originator")
		default:
			list = append(list, "no_onward")
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// origin is an originator of another jurisdiction than the two parties, and whether it agrees.
type origin struct {
	agency, jurisdiction, state string
	external                    bool // not on the exchange: the sender's statement is all there is
	emergency                   bool // LED article 35(2) stands in for the authorisation
}

// origins lists the originators of the data: those that are claimed, and those of packages that this one forwards,
// their senders included.
func (p *pack) origins(recipient string, outside bool) []origin {
	agencies := slices.Clone(p.claims.originators)
	for _, r := range p.related {
		if r.relation == "forwards" {
			agencies = append(append(agencies, r.known.Originators...), r.known.From)
		}
	}
	slices.Sort(agencies)
	var list []origin
	for _, a := range slices.Compact(agencies) {
		j := jurisdictionOf(a)
		if a == "" || j == p.r.Sender.Jurisdiction || j == jurisdictionOf(recipient) {
			continue
		}
		o := origin{agency: a, jurisdiction: j, external: p.set.declared[j] == nil}
		o.state = p.authorisation(&o, recipient)
		open := o.state == "none" || o.state == "pending"
		bound := p.set.facts.flag(tableLED, j, p.today) && j != "europol"
		o.emergency = open && outside && bound && p.claims.imminent && p.claims.notInTime
		list = append(list, o)
	}
	return list
}

// authorisation returns the state of an originator's permission. What is known decides; a claim can only be stricter,
// unless the originator is not on the exchange, where there is nothing else.
func (p *pack) authorisation(o *origin, recipient string) string {
	claimed := p.claimedState(o.agency)
	if claimed == "refused" || claimed == "withdrawn" {
		return claimed
	}
	if o.external {
		if claimed == "granted" || claimed == "general" {
			return claimed
		}
		return "none"
	}
	state := "none"
	for i := range p.r.Known.Authorisations {
		a := &p.r.Known.Authorisations[i]
		if jurisdictionOf(a.Originator) != o.jurisdiction || !p.inTime(a) {
			continue
		}
		switch a.State {
		case "refused", "withdrawn":
			if len(a.Recipients) == 0 || coversRecipient(a, recipient) {
				return a.State
			}
		case "granted", "general":
			if p.covers(a, recipient) {
				state = a.State
			}
		case "pending":
			if state == "none" {
				state = "pending"
			}
		}
	}
	return state
}

// claimedState returns what the sender says of an originator's permission; one that has ended is none.
func (p *pack) claimedState(agency string) string {
	state := "none"
	for _, c := range p.claims.prior {
		if c.originator == agency && (c.until == "" || c.until >= p.today) {
			if state == "refused" || state == "withdrawn" {
				continue
			}
			state = c.state
		} else if c.originator == agency && (c.state == "refused" || c.state == "withdrawn") {
			state = c.state // a refusal does not lapse
		}
	}
	return state
}

// inTime: a permission ends, a refusal does not.
func (p *pack) inTime(a *Authorisation) bool {
	if a.State == "refused" || a.State == "withdrawn" {
		return !p.r.Now.Before(a.From)
	}
	return !p.r.Now.Before(a.From) && (a.Until.IsZero() || !p.r.Now.After(a.Until))
}

func (p *pack) covers(a *Authorisation, recipient string) bool {
	if a.State == "general" && len(a.Recipients) == 0 && len(a.Purposes) == 0 {
		return true
	}
	return coversRecipient(a, recipient) && slices.Contains(a.Purposes, p.claims.purpose)
}

func coversRecipient(a *Authorisation, recipient string) bool {
	return slices.Contains(a.Recipients, recipient) || slices.Contains(a.Recipients, jurisdictionOf(recipient))
}
