package policy

import (
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// pack is the part of the input that all recipients of a package share, and what Go read of it.
type pack struct {
	set     *Set
	r       *Request
	today   string
	claims  claims
	related []lookedUp
	pairs   [][2]*ast.Term
	json    []byte
}

// newPack builds the shared part. An error means that the claims are not what the schema knows.
func (s *Set) newPack(r *Request) (*pack, error) {
	claimed, free, err := claimedShape.parse(r.Claimed)
	if err != nil {
		return nil, err
	}
	now := r.Now.UTC()
	p := &pack{set: s, r: r, today: now.Format(time.DateOnly)}
	v := view{claimedShape, claimed.Value.(ast.Object)}
	p.claims = readClaims(v)
	p.related = p.relations()
	in := inputShape
	recipients := make([]string, len(r.Recipients))
	for i := range r.Recipients {
		recipients[i] = r.Recipients[i].ID
	}
	p.pairs = [][2]*ast.Term{
		in.pair("action", enumTerm(in, "action", r.Action)),
		in.pair("attachments", number(r.Attachments)),
		in.pair("claimed", claimed),
		in.pair("content_size", number(int(r.ContentSize))),
		in.pair("derived", p.derived(v, free)),
		in.pair("justification", textTerm(r.Justification)),
		in.pair("known", p.known()),
		in.pair("message_type", enumTerm(in, "message_type", v.text("message_type"))),
		in.pair("now", number(int(now.Unix()))),
		in.pair("recipients", list(recipients)),
		in.pair("sender", p.sender()),
		in.pair("texts", textsTerm(r.Texts)),
		in.pair("today", ast.StringTerm(p.today)),
	}
	p.json, err = appendJSON(make([]byte, 0, 4096), ast.ObjectTerm(p.pairs...))
	return p, err
}

func (p *pack) sharedInput() *ast.Term { return ast.ObjectTerm(p.pairs...) }

func (p *pack) derived(v view, nationalFields bool) *ast.Term {
	d := inputShape.member("derived")
	sub := readSubjects(v)
	keep, original := v.object("retention"), v.text("original_purpose")
	erase := keep.text("erase_by")
	retention := retentionState(keep.text("review_by"), erase, p.today)
	days := daysBetween(p.today, erase)
	if retention == "past" {
		days = 0
	}
	return ast.ObjectTerm(
		d.pair("accused", flag(sub.accused)),
		d.pair("categories", enumList(d.member("categories").items, sub.categories)),
		d.pair("contact_of_contact", flag(sub.contactOfContact)),
		d.pair("imminent", flag(p.claims.imminent)),
		d.pair("legal_basis", enumTerm(d, "legal_basis", p.legalBasis(v))),
		d.pair("message_type_agrees", flag(v.text("message_type") == p.r.MessageType)),
		d.pair("minors", flag(sub.minors)),
		d.pair("national_fields", flag(nationalFields)),
		d.pair("personal", flag(sub.count > 0)),
		d.pair("protected", flag(sub.protected)),
		d.pair("purpose_changed", flag(original != "none" && original != p.claims.purpose)),
		d.pair("retention", enumTerm(d, "retention", retention)),
		d.pair("retention_days", number(days)),
		d.pair("special", flag(sub.special)),
		d.pair("subjects", number(sub.count)),
		d.pair("third_country_origin", flag(v.flag("third_country_origin") || p.foreignOrigin())),
		d.pair("under_15_suspect", flag(sub.under15)),
		d.pair("unknown_unexplained", flag(sub.unexplained)),
		d.pair("verified_days_ago", number(daysBetween(v.object("quality").text("verified_at"), p.today))),
	)
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

func (p *pack) sender() *ast.Term {
	s, f := inputShape.member("sender"), p.set.facts
	party := p.set.party(p.r.Sender)
	return ast.ObjectTerm(
		s.pair("active", flag(party.Active)),
		s.pair("competences", enumList(s.member("competences").items, party.Competences)),
		s.pair("dir977_bound", flag(f.flag(tableDir977, party.Jurisdiction, p.today))),
		s.pair("id", ast.StringTerm(party.ID)),
		s.pair("jurisdiction", ast.StringTerm(party.Jurisdiction)),
		s.pair("led_bound", flag(p.senderBound())),
		s.pair("registered", flag(party.registered)),
		s.pair("type", enumTerm(s, "type", party.Type)),
	)
}

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

// The terms of Go values.

func flag(b bool) *ast.Term { return ast.InternedTerm(b) }

func number(n int) *ast.Term { return ast.InternedTerm(n) }

// enumTerm returns the term of a value of a member with an enum. What the enum does not have stays as it is: no rule
// compares with it, so it meets nothing.
func enumTerm(s *shape, name, value string) *ast.Term {
	if t, ok := s.member(name).terms[value]; ok {
		return t
	}
	return ast.StringTerm(value)
}

func enumList(items *shape, values []string) *ast.Term {
	terms := make([]*ast.Term, 0, len(values))
	for _, v := range values {
		if t, ok := items.terms[v]; ok {
			terms = append(terms, t)
		}
	}
	return ast.ArrayTerm(terms...)
}

func list(values []string) *ast.Term {
	terms := make([]*ast.Term, len(values))
	for i, v := range values {
		terms[i] = ast.StringTerm(v)
	}
	return ast.ArrayTerm(terms...)
}

func textTerm(t Text) *ast.Term {
	s := inputShape.member("justification")
	return ast.ObjectTerm(s.pair("length", number(t.Length)), s.pair("stock_phrase", flag(t.StockPhrase)))
}

var noText = textTerm(NewText(""))

// textsTerm makes the texts total: what is not there is a text of no length. Texts that no rule knows are left out.
func textsTerm(texts map[string]Text) *ast.Term {
	s := inputShape.member("texts")
	pairs := make([][2]*ast.Term, len(s.fields))
	for i, f := range s.fields {
		pairs[i] = [2]*ast.Term{f.key, noText}
		if t, ok := texts[f.name]; ok {
			pairs[i][1] = textTerm(t)
		}
	}
	return ast.ObjectTerm(pairs...)
}
