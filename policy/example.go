package policy

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Tests in Rego find complete inputs under data.liaison.example: send (the jurisdiction sends), receive (it receives)
// and onward (its data are passed on by others). They are made by the same code as real inputs, as of exampleDay.
var exampleDay = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const exampleMeta = `{"v":1,"message_type":"spontaneous","content_kind":"operational","case_ref":"EX-2026-1","purpose":"investigation",
"legal_basis":[{"instrument":"eu-2023-977","article":"7","jurisdiction":"eu"}],"transfer_basis":"internal_eu","crime_areas":["drug_trafficking"],
"offence":{"max_penalty_years":10,"serious":true},"subjects":[{"category":"suspect","count":2,"minors":"none","data_categories":["a","b"],"link":"direct"}],
"assertion_type":"fact","evaluation":{"scheme":"4x4","source":"B","information":"2"},
"quality":{"verified_at":"2026-11-20","as_of":"2026-11-19","completeness":"partial"},"handling":{"code":"H0"},"classification":"none",
"originator":["ee/pbgb"],"onward":{"rule":"with_authorisation"},"retention":{"review_by":"2027-11-22","erase_by":"2028-11-22"},
"urgency":{"level":"routine"},"channel_justification":"third_party_involved","hr_attestation":true,"language":"en"}`

var allPurposes = []string{"prevention", "detection", "investigation", "prosecution", "execution_of_penalty", "public_security_threat", "missing_person"}

// examplePlaces are the countries of the examples; a jurisdiction under test takes the place of the first of them that
// is not itself. They are as the facts of common say, and declare what an example needs, whoever is on the exchange.
var examplePlaces = []string{"ee", "lv", "it"}

func exampleDeclared(j string) *Declared {
	id := j + "/unit"
	return &Declared{
		V: 1, Jurisdiction: j, ContactPoint: id,
		Agencies:    []DeclaredAgency{{ID: id, Type: "spoc", Competences: allPurposes}},
		Instruments: []Instrument{{ID: "example-law", Kind: "law", From: "2000-01-01", Until: endless}},
	}
}

// cast is who takes part in the examples of a jurisdiction.
type cast struct {
	set               *Set
	own, other, third Party
}

func (s *Set) cast(j string) cast {
	c := cast{set: &Set{registry: s.registry, facts: s.facts, declared: map[string]*Declared{}}}
	for _, place := range examplePlaces {
		c.set.declared[place] = exampleDeclared(place)
	}
	places := slices.DeleteFunc(slices.Clone(examplePlaces), func(p string) bool { return p == j })
	if d := s.declared[j]; d != nil {
		c.set.declared[j] = d
		places = append([]string{j}, places...)
	}
	c.own, c.other, c.third = c.party(places[0]), c.party(places[1]), c.party(places[2])
	return c
}

func (c cast) party(j string) Party {
	a := c.set.declared[j].Agencies[0]
	return Party{ID: a.ID, Jurisdiction: j, Type: a.Type, Active: true, Competences: a.Competences}
}

// examples returns the inputs for the tests of a jurisdiction; of common when j is empty.
func (s *Set) examples(j string) map[string]*ast.Term {
	c := s.cast(j)
	return map[string]*ast.Term{
		"send":    c.input(c.own, c.other, c.own, exampleMeta),
		"receive": c.input(c.other, c.own, c.other, exampleMeta),
		"onward":  c.input(c.other, c.third, c.own, exampleMeta),
	}
}

// input makes the input of a package; its parts are constants of this package, so failing is a mistake of it.
func (c cast) input(from, to, originator Party, text string) *ast.Term {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err)
	}
	m["originator"] = []string{originator.ID}
	for _, i := range c.set.declared[from.Jurisdiction].Instruments {
		if i.Kind == "law" {
			m["legal_basis"] = []any{map[string]string{"instrument": i.ID, "article": "1", "jurisdiction": from.Jurisdiction}}
		}
	}
	claimed, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	r := Request{
		Action: ActionSend, Now: exampleDay, MessageType: "spontaneous", Sender: from, Recipients: []Recipient{{to}},
		Claimed: claimed, Justification: NewText("The suspects live near the port where the load of the case arrives."),
	}
	p, err := c.set.newPack(&r)
	if err != nil {
		panic(err)
	}
	return wholeInput(sources{p.record, p.own(r.Recipients[0]).record})
}
