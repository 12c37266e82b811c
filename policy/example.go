package policy

import (
	"encoding/json"
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

// exampleParties are sender and recipient where the jurisdiction itself has no agency to offer.
var exampleParties = [2]Party{
	{ID: "ee/pbgb", Jurisdiction: "ee", Type: "spoc", Active: true, Competences: allPurposes},
	{ID: "lv/vp", Jurisdiction: "lv", Type: "spoc", Active: true, Competences: allPurposes},
}

var allPurposes = []string{"prevention", "detection", "investigation", "prosecution", "execution_of_penalty", "public_security_threat", "missing_person"}

// examples returns the inputs for the tests of a jurisdiction; of common when j is empty.
func (s *Set) examples(j string) map[string]*ast.Term {
	own, other := exampleParties[0], exampleParties[1]
	if d := s.declared[j]; d != nil {
		a := d.Agencies[0]
		own = Party{ID: a.ID, Jurisdiction: j, Type: a.Type, Active: true, Competences: a.Competences}
	}
	if other.Jurisdiction == own.Jurisdiction {
		other = exampleParties[0]
	}
	third := Party{ID: "it/dcpc", Jurisdiction: "it", Type: "spoc", Active: true, Competences: allPurposes}
	return map[string]*ast.Term{
		"send":    s.example(own, other, own, exampleMeta),
		"receive": s.example(other, own, other, exampleMeta),
		"onward":  s.example(other, third, own, exampleMeta),
	}
}

func (s *Set) example(from, to, originator Party, meta string) *ast.Term {
	var m map[string]any
	if err := json.Unmarshal([]byte(meta), &m); err != nil {
		panic(err) // a constant of this file
	}
	m["originator"] = []string{originator.ID}
	claimed, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	r := Request{
		Action: ActionSend, Now: exampleDay, MessageType: m["message_type"].(string), Sender: from, Recipients: []Recipient{{to}},
		Claimed: claimed, Justification: NewText("The suspects live near the port where the load of the case arrives."),
	}
	p, err := s.newPack(&r)
	if err != nil {
		panic(err)
	}
	o := p.own(r.Recipients[0])
	return p.fullInput(o)
}
