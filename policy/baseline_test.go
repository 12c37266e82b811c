package policy

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// baselineSet is the baseline with jurisdictions that allow everything, so that what is seen is the baseline's. Beside
// the samples it has an adequate country, an organisation, a mission and somebody who is no authority.
var baselineSet = sync.OnceValues(func() (*Set, error) {
	in := Samples()
	in.Rules = map[string]Source{}
	for j, typ := range map[string]string{"gb": "spoc", "interpol": "intl_org", "euam": "advisory_mission", "xx": "private"} {
		d := exampleDeclared(j)
		d.Name, d.Kind, d.TimeZone, d.Languages, d.Assurances = "Example", "state", "UTC", []string{"en"}, []DeclaredAssurance{}
		d.Agencies[0].Name, d.Agencies[0].Type, d.Agencies[0].Roles = "Unit", typ, []string{"unit"}
		d.Instruments[0].Title, d.Instruments[0].With, d.Instruments[0].Bases = "Law", []string{}, []string{}
		switch j {
		case "gb":
			firm := d.Agencies[0]
			firm.ID, firm.Type = "gb/firm", "private"
			d.Agencies = append(d.Agencies, firm)
		case "xx":
			d.Instruments = append(d.Instruments, Instrument{ID: "xx-gb", Kind: "treaty", Title: "Treaty", From: "2000-01-01", Until: endless, With: []string{"gb"}, Bases: []string{"led37_1a"}})
		}
		in.Declared[j] = Source{Status: Sample, Files: map[string][]byte{declaredFile: encode(d)}}
	}
	for j := range in.Declared {
		files := map[string][]byte{}
		for _, kind := range []string{"send", "receive", "onward"} {
			files[kind+".rego"] = []byte("package jurisdiction." + j + "." + kind + "\n\ndefault allow := false\n\nallow := true\n")
		}
		in.Rules[j] = Source{Status: Sample, Files: files}
	}
	return onSamples(in)
})

// baselineCase is a request that a rule of the baseline answers with a code, and one, as like it as can be, that it does
// not.
type baselineCase struct {
	rule, code         string
	sender, recipient  string
	both, fires, quiet meta // changes of the demo's package: of both requests, of either
	change             func(*Request)
	firesAs, quietAs   func(*Request)
}

func suspects(n int, more ...any) []any { return []any{group("suspect", n, more...)} }

// baselineCases lists all of them, by phase and rule.
func baselineCases() []baselineCase {
	relates := func(relation string) meta {
		return meta{"relates_to": []any{meta{"package": "p1", "relation": relation}}}
	}
	related := func(k Relation) func(*Request) {
		return func(r *Request) { k.Package = "p1"; r.Known.Relations = []Relation{k} }
	}
	explained := func(r *Request) {
		r.Texts = texts("urgency", "strict_necessity")
	}
	health := meta{"subjects": suspects(1, "special_categories", []any{"health"}), "art10_ground": "authorised_by_law", "strict_necessity": true}
	led38 := meta{"transfer_basis": "led38_1a"}
	treaty := meta{"transfer_basis": "led37_1a", "transfer_instrument": "ee-ua-police-2009"}
	byLife := meta{"transfer_basis": "led38_1a", "assurances": []any{"no_death_penalty", "no_inhuman_treatment"}}
	lvData := with(treaty, meta{"originator": []any{"ee/pbgb", "lv/vp"}})
	notInTime := with(lvData, meta{"not_in_time": true})
	condition := func(code string) baselineCase {
		return baselineCase{rule: "R17", code: code, fires: meta{"handling": meta{"code": "H0", "conditions": []any{meta{"code": code}}}}, quiet: meta{"handling": meta{"code": "H0"}}}
	}
	notice := with(relates("concerns"), meta{"message_type": "erasure_notice", "subjects": []any{}})
	delivered := related(Relation{Relation: "concerns", Found: true, From: "ee/pbgb", Outcomes: map[string]string{"lv/vp": "delivered"}})
	day := func(y int, m time.Month, d int) func(*Request) {
		return func(r *Request) { r.Now = time.Date(y, m, d, 12, 0, 0, 0, time.UTC) }
	}
	list := []baselineCase{
		{rule: "R0", code: "agency_not_active", firesAs: func(r *Request) { r.Sender.Active = false }},
		{rule: "R0", code: "agency_not_active", firesAs: func(r *Request) { r.Sender.ID = "ee/nobody" }},
		{rule: "R0", code: "agency_not_active", firesAs: func(r *Request) { r.Recipients[0].ID = "lv/nobody" }},
		{rule: "R1", code: "sender_not_competent", firesAs: func(r *Request) { r.Sender.Competences = []string{"prevention"} }},
		{rule: "R1", code: "recipient_not_competent", firesAs: func(r *Request) { r.Recipients[0].Competences = []string{"prevention"} }},
		{rule: "R1", code: "recipient_not_competent", firesAs: func(r *Request) { r.Recipients[0].Active = false }},
		{rule: "R3", code: "legal_basis_unknown", fires: meta{"legal_basis": []any{meta{"instrument": "none", "article": "1", "jurisdiction": "ee"}}}},
		{rule: "R3", code: "legal_basis_lapsed", firesAs: day(2009, 12, 31)},
		{rule: "R4", code: "purpose_change_unjustified", both: meta{"original_purpose": "prevention"}, fires: meta{"purpose_change": meta{"law_ref": "x-1", "necessity": true, "proportionality": false}},
			quiet: meta{"purpose_change": meta{"law_ref": "x-1", "necessity": true, "proportionality": true}}},
		{rule: "R5", code: "justification_insufficient", firesAs: func(r *Request) { r.Justification = NewText("For the purposes of the investigation.") }},
		{rule: "R5", code: "justification_insufficient", firesAs: func(r *Request) { r.Justification = NewText("He lives in Riga.") }},
		{rule: "R6", code: "second_officer", both: health, change: explained, quiet: meta{"urgency": urgentLife}},
		{rule: "R6", code: "second_officer", fires: meta{"subjects": suspects(1, "minors", "u18")}},
		{rule: "R6", code: "approve_within", both: meta{"urgency": urgentLife}, change: explained, fires: meta{"subjects": suspects(1, "minors", "u18")}},
		{rule: "R6", code: "dpo_notice", both: meta{"urgency": urgentLife}, change: explained, fires: meta{"subjects": suspects(1, "minors", "u18")}},
		{rule: "R7", code: "subject_category_unexplained", fires: meta{"subjects": []any{group("unknown", 1)}}, quiet: meta{"subjects": []any{group("unknown", 1, "unknown_reason", "urgent_case")}}},
		{rule: "R7", code: "clarify_category", fires: meta{"subjects": []any{group("unknown", 1, "unknown_reason", "urgent_case")}}},
		{rule: "R8", code: "data_categories_exceeded", fires: meta{"subjects": []any{group("victim", 1, "data_categories", []any{"a", "e"})}}, quiet: meta{"subjects": []any{group("victim", 1, "data_categories", []any{"a", "b"})}}},
		{rule: "R9", code: "contact_of_contact", fires: meta{"subjects": []any{group("contact", 1, "link", "contact_of_contact")}}, quiet: meta{"subjects": []any{group("contact", 1, "link", "contact_of_contact", "link_type_only", true)}}},
		{rule: "R10", code: "strict_necessity_missing", recipient: "europol/ops", both: meta{"subjects": []any{group("victim", 1)}}, quiet: meta{"strict_necessity": true}, quietAs: explained},
		{rule: "R10", code: "strict_necessity_missing", recipient: "ua/npu", both: treaty, fires: meta{"subjects": []any{group("witness", 1)}}},
		{rule: "R10", code: "strict_necessity_only", fires: meta{"subjects": []any{group("victim", 1)}}},
		{rule: "R11", code: "under_15_review", fires: meta{"subjects": suspects(1, "minors", "u15")}, quiet: meta{"subjects": suspects(1, "minors", "u18")}},
		{rule: "R12", code: "treat_as_x4", fires: meta{"evaluation": nil}},
		{rule: "R13", code: "corroborate_first", both: meta{"assertion_type": "assessment"}, fires: meta{"evaluation": meta{"scheme": "4x4", "source": "X", "information": "4"}}},
		{rule: "R14", code: "verify_before_use", fires: meta{"quality": meta{"verified_at": "2026-10-20", "as_of": "2026-10-20", "completeness": "partial"}}},
		{rule: "R14", code: "verify_before_use", fires: meta{"quality": meta{"verified_at": "2026-11-20", "as_of": "2026-11-20", "completeness": "partial", "known_issues": true}}},
		{rule: "R15", code: "art10_ground_missing", both: health, fires: meta{"art10_ground": nil}, change: explained},
		{rule: "R15", code: "art10_ground_missing", both: health, quietAs: explained},
		{rule: "R15", code: "special_category_safeguards", change: explained, fires: health},
		{rule: "R16", code: "retention_missing", fires: meta{"retention": meta{}}},
		{rule: "R16", code: "retention_past", fires: meta{"retention": meta{"erase_by": "2026-11-21"}}, quiet: meta{"retention": meta{"erase_by": "2026-11-22"}}},
		{rule: "R16", code: "erase_by", quiet: meta{"retention": meta{"review_by": "2027-01-01"}}},
		{rule: "R16", code: "review_by", quiet: meta{"retention": meta{"erase_by": "2027-01-01"}}},
		{rule: "R18", code: "domestic_equivalent", fires: meta{"handling": meta{"code": "H0", "conditions": []any{meta{"code": "covert_only"}}}}, quiet: meta{"handling": meta{"code": "H0", "conditions": []any{meta{"code": "covert_only", "domestic_equivalent": true}}}}},
		{rule: "R19", code: "no_judicial_use", fires: meta{"handling": meta{"code": "H1"}}, quiet: meta{"handling": meta{"code": "H0"}}},
		{rule: "R19", code: "onward_with_authorisation", both: meta{"onward": meta{"rule": "eu_only"}}, fires: meta{"handling": meta{"code": "H2"}}},
		{rule: "R19", code: "handling_review", both: meta{"handling": meta{"code": "H3"}}, change: explained, quiet: meta{"urgency": urgentLife}},
		{rule: "R19", code: "handling_review", fires: meta{"handling": meta{"code": "H0", "gb": "C"}}, quiet: meta{"handling": meta{"code": "H0", "gb": "P"}}},
		{rule: "R19", code: "consult_originator", fires: meta{"handling": meta{"code": "H3"}}, quiet: meta{"handling": meta{"code": "H3", "conditions": []any{meta{"code": "covert_only"}}}}},
		{rule: "R20", code: "authorisation_refused", recipient: "ua/npu", both: lvData, firesAs: func(r *Request) {
			r.Known.Authorisations = []Authorisation{{Originator: "lv/vp", State: "refused"}}
		}},
		{rule: "R20", code: "prior_authorisation", recipient: "ua/npu", both: lvData, quietAs: func(r *Request) {
			r.Known.Authorisations = []Authorisation{{Originator: "lv/vp", State: "general"}}
		}},
		{rule: "R20", code: "external_evidence", recipient: "ua/npu", both: treaty, fires: meta{"originator": []any{"zz/noa"}, "prior_authorisation": []any{meta{"originator": "zz/noa", "state": "granted"}}}},
		{rule: "R21", code: "notify_originator", recipient: "ua/npu", change: explained, both: meta{"urgency": urgentLife}, fires: notInTime, quiet: treaty},
		{rule: "R21", code: "approve_within", recipient: "ua/npu", change: explained, both: meta{"urgency": urgentLife}, fires: notInTime, quiet: treaty},
		{rule: "R21", code: "dpo_notice", recipient: "ua/npu", change: explained, both: meta{"urgency": urgentLife}, fires: notInTime, quiet: treaty},
		{rule: "R22", code: "no_onward", fires: meta{"onward": meta{"rule": "none"}}},
		{rule: "R22", code: "onward_with_authorisation", quiet: meta{"onward": meta{"rule": "none"}}},
		{rule: "R22", code: "eu_only", fires: meta{"onward": meta{"rule": "eu_only"}}},
		{rule: "R22", code: "onward_listed", fires: meta{"onward": meta{"rule": "listed", "listed": []any{"it"}}}},
		{rule: "R24", code: "transfer_basis_invalid", recipient: "ua/npu", quiet: treaty},
		{rule: "R24", code: "transfer_basis_invalid", sender: "ua/npu", quiet: meta{"transfer_basis": "non_eu_law"}},
		{rule: "R24", code: "adequacy_missing", recipient: "ua/npu", fires: meta{"transfer_basis": "led36"}, quiet: led38},
		{rule: "R24", code: "adequacy_missing", recipient: "gb/unit", both: meta{"transfer_basis": "led36"}, firesAs: day(2032, 1, 15)},
		{rule: "R24", code: "instrument_unknown", recipient: "ua/npu", both: treaty, fires: meta{"transfer_instrument": "lv-ua-police-2010"}},
		{rule: "R24", code: "instrument_one_sided", sender: "xx/unit", recipient: "gb/unit", both: meta{"transfer_instrument": "xx-gb"}, fires: meta{"transfer_basis": "led37_1a"}, quiet: meta{"transfer_basis": "led36"}},
		{rule: "R24", code: "instrument_lapsed", recipient: "ua/npu", both: treaty, firesAs: day(2008, 12, 31)},
		{rule: "R24", code: "assessment_missing", sender: "it/dcpc", recipient: "by/mia", fires: meta{"transfer_basis": "led37_1b", "transfer_instrument": "it-by-assessment-2019"}, quiet: led38},
		{rule: "R24", code: "higher_basis_available", recipient: "gb/unit", fires: led38, quiet: meta{"transfer_basis": "led36"}},
		{rule: "R25", code: "document_transfer", recipient: "gb/firm", fires: meta{"transfer_basis": "led39", "led39": meta{"specific_case": true, "strictly_necessary": true, "rights_balanced": true, "authority_ineffective": true, "authority_informed": true}}, quiet: meta{"transfer_basis": "led36"}},
		{rule: "R26", code: "document_transfer", recipient: "ua/npu", fires: led38, quiet: treaty},
		{rule: "R26", code: "derogation_bulk", recipient: "ua/npu", both: led38, fires: meta{"subjects": suspects(6)}, quiet: meta{"subjects": suspects(5)}},
		{rule: "R26", code: "derogation_unbalanced", recipient: "ua/npu", both: meta{"transfer_basis": "led38_1d"}, quiet: meta{"balancing": meta{"result": "transfer_prevails"}}},
		{rule: "R26", code: "derogations_frequent", recipient: "ua/npu", both: led38, firesAs: func(r *Request) { r.Known.Counters.Derogations = map[string]int{"ua": 10} },
			quietAs: func(r *Request) { r.Known.Counters.Derogations = map[string]int{"ua": 9, "by": 10} }},
		{rule: "R27", code: "led39_incomplete", recipient: "xx/unit", both: meta{"transfer_basis": "led39"}, fires: meta{"led39": meta{"specific_case": true, "strictly_necessary": true, "rights_balanced": true, "authority_ineffective": true, "authority_informed": false}},
			quiet: meta{"led39": meta{"specific_case": true, "strictly_necessary": true, "rights_balanced": true, "authority_ineffective": true, "authority_informed": true}}},
		{rule: "R28", code: "recipient_suspended", recipient: "by/mia", fires: meta{"transfer_basis": "led38_1b"}, quiet: byLife},
		{rule: "R28", code: "head_of_authority", recipient: "by/mia", both: byLife, change: explained, quiet: meta{"urgency": urgentLife}},
		{rule: "R28", code: "approve_within", recipient: "by/mia", both: byLife, change: explained, fires: meta{"urgency": urgentLife}},
		{rule: "R28", code: "dpo_notice", both: byLife, change: explained, firesAs: func(r *Request) { r.Recipients = []Recipient{{agencyOf("by/mia")}} }},
		{rule: "R29", code: "assurances_missing", recipient: "by/mia", both: byLife, fires: meta{"assurances": []any{"no_death_penalty"}}},
		{rule: "R29", code: "assurances_missing", recipient: "by/mia", both: led38, quiet: meta{"subjects": []any{group("missing_person", 1)}}},
		{rule: "R30", code: "interpol_article_3", recipient: "interpol/unit", both: led38, fires: meta{"sensitive_matter": "political"}},
		{rule: "R30", code: "sensitive_matter_review", recipient: "ua/npu", both: treaty, change: explained, fires: meta{"sensitive_matter": "religious"}, quiet: meta{"sensitive_matter": "religious", "urgency": urgentLife}},
		{rule: "R31", code: "hr_attestation_missing", both: meta{"third_country_origin": true}, fires: meta{"hr_attestation": false}},
		{rule: "R31", code: "hr_attestation_missing", sender: "ua/npu", both: meta{"transfer_basis": "non_eu_law"}, fires: meta{"hr_attestation": nil}},
		{rule: "R32", code: "classification_too_high", fires: meta{"classification": "r_ue"}, quiet: meta{"classification": "le_sensitive"}},
		{rule: "R33", code: "clarification_due", both: meta{"message_type": "request"}, quiet: meta{"request": meta{"what": true, "purpose_facts": true, "availability_reason": true, "person_link": true, "restrictions": false}}},
		{rule: "R34", code: "urgency_ground_missing", both: meta{"urgency": meta{"level": "urgent", "ground": "liberty"}}, quietAs: explained},
		{rule: "R34", code: "urgency_ground_missing", change: explained, fires: meta{"urgency": meta{"level": "urgent"}}},
		{rule: "R36", code: "refusal_code_missing", both: with(relates("concerns"), meta{"message_type": "refusal"}), change: delivered, quiet: meta{"refusal": meta{"code": "c"}}},
		{rule: "R38", code: "channel_missing", both: meta{"channel_justification": nil}, firesAs: day(2027, 6, 12), quietAs: day(2027, 6, 11)},
		{rule: "R38", code: "channel_justification_advised", fires: meta{"channel_justification": nil}},
		{rule: "R40", code: "advisory_mission_subjects", recipient: "euam/unit", both: led38, quiet: meta{"content_kind": "strategic", "subjects": []any{}}},
		{rule: "S1", code: "relation_unknown", both: relates("answers"), quietAs: related(Relation{Relation: "answers", Found: true, From: "lv/vp"})},
		{rule: "S2", code: "manifest_inconsistent", firesAs: func(r *Request) { r.MessageType = "answer" }},
		{rule: "S3", code: "subjects_missing", both: meta{"subjects": []any{}}, quiet: meta{"content_kind": "statistical"}},
		{rule: "S4", code: "national_field_unknown", fires: meta{"ext": meta{"ee": 1}}, quiet: meta{"ext": meta{}}},
		{rule: "S5", code: "notice_too_large", both: notice, change: delivered, firesAs: func(r *Request) { r.ContentSize = 65537 }, quietAs: func(r *Request) { r.ContentSize = 65536 }},
		{rule: "S5", code: "notice_too_large", both: notice, change: delivered, firesAs: func(r *Request) { r.Attachments = 1 }},
		{rule: "S6", code: "relation_foreign", both: notice, quietAs: delivered, firesAs: related(Relation{Relation: "concerns", Found: true, From: "ee/pbgb"})},
	}
	for _, code := range inputShape.member("known").member("conditions").items.enum {
		list = append(list, condition(code))
	}
	return append(list, baselineCase{rule: "R17", code: "covert_only", both: relates("forwards"),
		firesAs: related(Relation{Relation: "forwards", Found: true, From: "lv/vp", Conditions: []string{"covert_only"}}),
		quietAs: related(Relation{Relation: "forwards", Found: true, From: "lv/vp"})})
}

// agencyOf is a party of the sample jurisdictions.
func agencyOf(id string) Party {
	s, err := samples()
	if err != nil {
		panic(err) // every test says so
	}
	d, _ := s.Declared(jurisdictionOf(id))
	a, _ := d.agency(id)
	return Party{ID: id, Jurisdiction: d.Jurisdiction, Type: a.Type, Active: true, Competences: a.Competences}
}

// spokenFor are codes that no request can bring about, and what answers instead: the schema knows the purposes, too, and
// a derogation that does not hold is refused with what is wrong with it.
var spokenFor = map[string]string{"R2 purpose_not_listed": codeMetaInvalid, "R26 derogation_not_valid": "derogation_bulk"}

// TestBaselineRules: each rule of the baseline, through the real engine, where it answers and where it does not.
func TestBaselineRules(t *testing.T) {
	s, err := baselineSet()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range baselineCases() {
		t.Run(c.rule+" "+c.code, func(t *testing.T) {
			fires, quiet := c.ask(t, s, c.fires, c.firesAs), c.ask(t, s, c.quiet, c.quietAs)
			if !answers(fires, c.code) {
				t.Errorf("does not answer: %s %v %v %v", fires.Verdict, codes(fires.Reasons), duties(fires), codes(fires.Advice))
			}
			if answers(quiet, c.code) {
				t.Errorf("answers where it has nothing to say: %s %v %v %v", quiet.Verdict, codes(quiet.Reasons), duties(quiet), codes(quiet.Advice))
			}
			for _, r := range slices.Concat(fires.Reasons, fires.Advice) {
				if r.Code == c.code && (r.Layer != LayerCommon || s.registry.Rules[r.Rule].Required == nil && r.Rule != c.rule) {
					t.Errorf("%s was said by %s %s", r.Code, r.Layer, r.Rule)
				}
			}
			checkComplete(t, fires)
		})
	}
}

func (c baselineCase) ask(t *testing.T, s *Set, changes meta, as func(*Request)) Decision {
	t.Helper()
	sender, recipient := c.sender, c.recipient
	if sender == "" {
		sender = "ee/pbgb"
	}
	if recipient == "" {
		recipient = map[bool]string{true: "lv/vp", false: "ee/pbgb"}[sender == "ee/pbgb"]
	}
	laws := map[string]string{"ee": "ee-police-act", "it": "it-public-security-act", "ua": "ua-police-law", "xx": "example-law"}
	m := with(with(from(sender, laws[jurisdictionOf(sender)], nil), c.both), changes)
	b := mustJSON(t, m)
	typ, _ := m["message_type"].(string)
	r := Request{Action: ActionSend, Now: today, MessageType: typ, Sender: agency(t, s, sender), Recipients: []Recipient{{agency(t, s, recipient)}}, Claimed: b, Justification: NewText(reason)}
	for _, change := range []func(*Request){c.change, as} {
		if change != nil {
			change(&r)
		}
	}
	ds, err := s.decide(context.Background(), time.Minute, r)
	if err != nil {
		t.Fatal(err)
	}
	return ds[0]
}

func answers(d Decision, code string) bool {
	return slices.Contains(slices.Concat(codes(d.Reasons), duties(d), codes(d.Advice)), code)
}

// TestEveryBaselineRuleIsTested: a rule or code of the baseline that has no case is one that nobody has seen work.
func TestEveryBaselineRuleIsTested(t *testing.T) {
	have := maps.Clone(spokenFor)
	for _, c := range baselineCases() {
		have[c.rule+" "+c.code] = c.code
	}
	u := commonUnit(&findings{})
	u.parse(Samples().Common, factsFile, codesFile)
	rules := map[string]bool{}
	for _, m := range u.modules {
		if u.entries[m.Package.Path.String()] == "" {
			continue
		}
		for _, r := range m.Rules {
			custom := customOf(r)
			for code, doc := range u.codeDocuments(custom, "") {
				rules[doc.Rule] = true
				if have[doc.Rule+" "+code] == "" {
					t.Errorf("%s: rule %s has no case in which it says %s, and none in which it does not", r.Location, doc.Rule, code)
				}
			}
		}
	}
	for id := range sampleSet(t).registry.Rules {
		if !rules[id] && !strings.Contains(id, "-") {
			t.Errorf("rule %s is in the registry, and says nothing", id)
		}
	}
	for pair, m := range map[string]meta{"R2 purpose_not_listed": {"purpose": "curiosity"}, "R26 derogation_not_valid": {"transfer_basis": "led38_1a", "subjects": suspects(6)}} {
		d := decide(t, request(t, "ee/pbgb", []string{"ua/npu"}, with(eeLV(), m)))[0]
		if !answers(d, spokenFor[pair]) || d.Verdict != Denied {
			t.Errorf("%s: %v", pair, codes(d.Reasons))
		}
	}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a constant of this test
	}
	return b
}
