package policy

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// pack is the part of the input that all recipients of a package share, and what Go read of it.
type pack struct {
	*record
	set     *Set
	r       *Request
	today   string
	claims  claims
	related []lookedUp
	party   checkedParty // the sender
}

// The two parts of the input: what all recipients share, and what is a recipient's own.
var (
	sharedShape, ownShape   = splitShape(inputShape, ownMembers)
	sharedPlaces, ownPlaces = newPlaces(sharedShape, false), newPlaces(ownShape, true)
	claimedPlaces           = sharedPlaces.member("claimed")
)

// splitShape parts the members of an object into those that are not named and those that are.
func splitShape(s *shape, names []string) (rest, named *shape) {
	rest, named = &shape{kind: kindObject, index: map[string]int{}}, &shape{kind: kindObject, index: map[string]int{}}
	for _, f := range s.fields {
		into := rest
		if slices.Contains(names, f.name) {
			into = named
		}
		into.index[f.name] = len(into.fields)
		into.fields = append(into.fields, f)
	}
	return rest, named
}

// newPack builds the shared part. An error means that the claims are not what the schema knows.
func (s *Set) newPack(r *Request) (*pack, error) {
	now := r.Now.UTC()
	p := &pack{set: s, r: r, today: now.Format(time.DateOnly), record: sharedPlaces.record(make([]byte, 0, len(r.Claimed)+3200))}
	if !json.Valid(r.Claimed) {
		return nil, errors.New("claims: not a JSON text")
	}
	o := newObject(sharedPlaces, p.record)
	o.text("action", r.Action)
	o.number("attachments", r.Attachments)
	nationalFields, err := o.parsed("claimed", r.Claimed)
	if err != nil {
		return nil, err
	}
	v := view{p.record, claimedPlaces}
	p.party = s.party(r.Sender)
	p.claims = readClaims(v)
	p.related = p.relations()
	o.number("content_size", int(min(r.ContentSize, unbounded)))
	o.object("derived", func(d *object) { p.derived(d, v, nationalFields) })
	o.object("justification", func(t *object) { writeText(t, r.Justification) })
	o.object("known", p.known)
	o.text("message_type", v.text("message_type"))
	o.number("now", int(now.Unix()))
	p.recipients(&o)
	o.object("sender", p.sender)
	o.object("texts", p.texts)
	o.text("today", p.today)
	o.end()
	return p, nil
}

func (p *pack) recipients(o *object) {
	ids := make([]string, len(p.r.Recipients))
	for i := range ids {
		ids[i] = p.r.Recipients[i].ID
	}
	o.texts("recipients", ids)
}

// derived is what Go works out of the claims, the texts and the records, so that rules compare scalars.
func (p *pack) derived(d *object, v view, nationalFields bool) {
	sub, text := readSubjects(v), v.text("message_type")
	keep, original := v.object("retention"), v.text("original_purpose")
	erase := keep.text("erase_by")
	retention := retentionState(keep.text("review_by"), erase, p.today)
	days := daysBetween(p.today, erase)
	if retention == "past" {
		days = 0
	}
	quality := v.object("quality")
	verified := daysBetween(quality.text("verified_at"), p.today)
	conditions, unequal := p.conditions(v)
	changed := original != "none" && original != p.claims.purpose
	d.flag("accused", sub.accused)
	d.flag("annex_one", p.annexOne(v))
	d.flag("beyond_annex", sub.beyondAnnex)
	d.flag("bulk", sub.count > p.set.facts.limit(limitSubjects, p.today))
	d.texts("categories", sub.categories)
	d.flag("category_unknown", slices.Contains(sub.categories, "unknown"))
	d.flag("conditioned", len(conditions) > 0)
	d.texts("conditions", conditions)
	d.flag("contact_of_contact", sub.contactOfContact)
	d.flag("doubtful", verified > p.set.facts.limit(limitVerified, p.today) || quality.text("as_of") == "" || quality.flag("known_issues"))
	d.flag("imminent", p.claims.imminent)
	d.flag("justified", explains(p.r.Justification) && v.text("case_ref") != "")
	d.text("legal_basis", p.legalBasis(v))
	d.flag("message_type_agrees", text == p.r.MessageType)
	d.flag("minors", sub.minors)
	d.flag("national_fields", nationalFields)
	d.flag("necessity_explained", v.flag("strict_necessity") && p.explained("strict_necessity"))
	d.flag("oversized_notice", slices.Contains(structural, text) && (p.r.Attachments > 0 || p.r.ContentSize > maxNotice))
	d.flag("personal", sub.count > 0)
	d.flag("protected", sub.protected)
	d.text("purpose_change", purposeChange(changed, v.object("purpose_change")))
	d.flag("purpose_changed", changed)
	d.text("refusal", refusalState(text, v.object("refusal")))
	d.flag("request_incomplete", incomplete(text, v.object("request")))
	d.text("retention", retention)
	d.number("retention_days", days)
	d.flag("sender_competent", slices.Contains(p.party.Competences, p.claims.purpose))
	d.flag("sensitive", sub.special || sub.minors)
	d.flag("special", sub.special)
	d.number("subjects", sub.count)
	d.flag("third_country_origin", v.flag("third_country_origin") || p.foreignOrigin())
	d.flag("under_15_suspect", sub.under15)
	d.flag("unequal_conditions", unequal)
	d.flag("unknown_unexplained", sub.unexplained)
	d.text("urgency", p.urgency(v.object("urgency")))
	d.number("verified_days_ago", verified)
}

// minExplanation is how many characters an explanation has at least (DESIGN: the statement), maxNotice how large a
// message that no country can stop may be.
const (
	minExplanation = 20
	maxNotice      = 64 << 10
)

func explains(t Text) bool { return t.Length >= minExplanation && !t.StockPhrase }

// explained reports whether the statement explains that member of the claims in words.
func (p *pack) explained(name string) bool { return explains(p.r.Texts[name]) }

// urgency says whether an urgent package states its ground and explains it.
func (p *pack) urgency(u view) string {
	switch {
	case u.text("level") == "routine":
		return "routine"
	case u.text("ground") != "none" && p.explained("urgency"):
		return "grounded"
	}
	return "ungrounded"
}

// purposeChange says whether all that LED article 4(2) asks for another purpose is stated.
func purposeChange(changed bool, c view) string {
	switch {
	case !changed:
		return "none"
	case c.text("law_ref") != "" && c.flag("necessity") && c.flag("proportionality"):
		return "justified"
	}
	return "unjustified"
}

func refusalState(messageType string, c view) string {
	switch {
	case messageType != "refusal":
		return "none"
	case c.text("code") != "none":
		return "grounded"
	}
	return "ungrounded"
}

// incomplete reports whether a request leaves out something that an answer needs.
func incomplete(messageType string, c view) bool {
	complete := c.flag("what") && c.flag("purpose_facts") && c.flag("availability_reason") && c.flag("person_link")
	return messageType == "request" && !complete
}

// conditions are the sender's own and those that are inherited, and whether one of the sender's has no equivalent at
// home.
func (p *pack) conditions(v view) (codes []string, unequal bool) {
	codes = p.inheritedConditions()
	v.object("handling").each("conditions", func(c view) {
		codes = append(codes, c.text("code"))
		unequal = unequal || !c.flag("domestic_equivalent")
	})
	slices.Sort(codes)
	return slices.Compact(codes), unequal
}

// annexOne reports whether annex I of Regulation (EU) 2016/794 lists every stated crime area today; it has no national ones.
func (p *pack) annexOne(v view) bool {
	return !slices.ContainsFunc(v.texts("crime_areas"), func(area string) bool {
		return !p.set.facts.flag(tableCrimeArea, area, p.today)
	})
}

// foreignOrigin reports whether some of the data come from where the directive does not hold.
func (p *pack) foreignOrigin() bool {
	return slices.ContainsFunc(p.claims.originators, func(o string) bool {
		return !p.set.facts.flag(tableLED, jurisdictionOf(o), p.today)
	})
}

// legalBasis looks up every stated basis: declared by its own jurisdiction, in force, and at least one of the sender's.
func (p *pack) legalBasis(v view) string {
	state, own := "valid", false
	v.each("legal_basis", func(b view) {
		j := b.text("jurisdiction")
		law, ok := p.set.law(j, b.text("instrument"))
		own = own || j == p.r.Sender.Jurisdiction
		switch {
		case !ok:
			state = "unknown"
		case state == "valid" && !inForce(law.From, law.Until, p.today):
			state = "lapsed"
		}
	})
	if state == "valid" && !own {
		return "foreign_only"
	}
	return state
}

func (p *pack) sender(o *object) {
	party := &p.party
	o.flag("active", party.Active)
	o.texts("competences", party.Competences)
	o.flag("dir977_bound", p.set.facts.flag(tableDir977, party.Jurisdiction, p.today))
	o.text("id", party.ID)
	o.text("jurisdiction", party.Jurisdiction)
	o.flag("led_bound", p.senderBound())
	o.flag("registered", party.registered)
	o.text("type", party.Type)
}

func writeText(o *object, t Text) {
	o.number("length", t.Length)
	o.flag("stock_phrase", t.StockPhrase)
}

// texts makes the texts total: what is not there is a text of no length. Texts that no rule knows are left out.
func (p *pack) texts(o *object) {
	for _, f := range o.p.kids {
		o.object(f.name, func(c *object) {
			t, ok := p.r.Texts[f.name]
			if !ok {
				t = noText
			}
			writeText(c, t)
		})
	}
}

var noText = NewText("")

// senderBound: whoever is not known to be free of the directive is bound by it.
func (p *pack) senderBound() bool {
	return !p.set.facts.flag(tableNotLED, p.r.Sender.Jurisdiction, p.today)
}

// checkedParty is a party with what its own jurisdiction declares of it.
type checkedParty struct {
	Party
	registered bool
}

// party takes from the request and from the declaration what both say: an agency that its jurisdiction does not
// declare is not registered, a differing type is unknown, and only common competences count.
func (s *Set) party(p Party) checkedParty {
	d := s.declared[p.Jurisdiction]
	if d == nil || jurisdictionOf(p.ID) != p.Jurisdiction {
		p.Type, p.Competences = "unknown", nil
		return checkedParty{Party: p}
	}
	a, ok := d.agency(p.ID)
	if a.Type != p.Type {
		p.Type = "unknown"
	}
	p.Competences = slices.DeleteFunc(slices.Clone(p.Competences), func(c string) bool { return !slices.Contains(a.Competences, c) })
	return checkedParty{Party: p, registered: ok}
}

// law finds a legal basis: an instrument that the jurisdiction declares as its own, or one of the European Union's.
func (s *Set) law(jurisdiction, id string) (Instrument, bool) {
	if jurisdiction == "eu" {
		i := slices.IndexFunc(s.facts.Laws, func(l Instrument) bool { return l.ID == id })
		if i < 0 {
			return Instrument{}, false
		}
		return s.facts.Laws[i], true
	}
	d := s.declared[jurisdiction]
	if d == nil {
		return Instrument{}, false
	}
	law, ok := d.instrument(id)
	return law, ok && law.Kind != "assessment"
}
