package policy

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"
)

// today is the day of the scenarios.
var today = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

var samples = sync.OnceValues(func() (*Set, error) { return Build(Samples()) })

func sampleSet(t testing.TB) *Set {
	t.Helper()
	s, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onSamples builds inputs of which most are the samples': those are compiled and tested once for all tests. TestBuildOn
// shows that Build makes the same of them.
func onSamples(in Inputs) (*Set, error) {
	before, err := samples()
	if err != nil {
		return nil, err
	}
	return BuildOn(before, in)
}

// sampleEngine has a generous deadline: what is tested is the verdict, on machines under load too.
func sampleEngine(t testing.TB) *Engine {
	t.Helper()
	e := NewEngine(Config{AllowSamples: true, Timeout: 10 * time.Second})
	if err := e.Activate(sampleSet(t)); err != nil {
		t.Fatal(err)
	}
	return e
}

// agency returns a sample agency as the exchange's registry would.
func agency(t testing.TB, s *Set, id string) Party {
	t.Helper()
	d, _ := s.Declared(jurisdictionOf(id))
	a, ok := d.agency(id)
	if !ok {
		t.Fatalf("no sample agency %s", id)
	}
	return Party{ID: id, Jurisdiction: d.Jurisdiction, Type: a.Type, Active: true, Competences: a.Competences}
}

type meta = map[string]any

// with returns a copy of the meta with other members; nil takes one away.
func with(m meta, changes meta) meta {
	out := maps.Clone(m)
	for k, v := range changes {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// eeLV is the package of Estonia to Latvia that the demo delivers at once.
func eeLV() meta {
	return meta{
		"v": 1, "message_type": "spontaneous", "content_kind": "operational", "case_ref": "EE-2026-0117", "purpose": "investigation",
		"legal_basis":    []any{meta{"instrument": "ee-police-act", "article": "7-46", "jurisdiction": "ee"}},
		"transfer_basis": "internal_eu", "crime_areas": []any{"drug_trafficking"}, "offence": meta{"max_penalty_years": 10, "serious": true},
		"subjects":       []any{meta{"category": "suspect", "count": 2, "minors": "none", "data_categories": []any{"a", "b"}, "link": "direct"}},
		"assertion_type": "fact", "evaluation": meta{"scheme": "4x4", "source": "B", "information": "2"},
		"quality":  meta{"verified_at": "2026-11-20", "as_of": "2026-11-19", "completeness": "partial"},
		"handling": meta{"code": "H1"}, "classification": "none", "originator": []any{"ee/pbgb"}, "onward": meta{"rule": "with_authorisation"},
		"retention": meta{"review_by": "2027-11-22", "erase_by": "2028-11-22"}, "urgency": meta{"level": "routine"},
		"channel_justification": "third_party_involved", "hr_attestation": true, "language": "en",
	}
}

// from is the package of another jurisdiction: its own law, its own data.
func from(sender, law string, changes meta) meta {
	j := jurisdictionOf(sender)
	own := meta{"legal_basis": []any{meta{"instrument": law, "article": "1", "jurisdiction": j}}, "originator": []any{sender}}
	return with(with(eeLV(), own), changes)
}

const reason = "The two suspects met the courier of case 0117 in Riga on Tuesday."

func request(t testing.TB, sender string, recipients []string, m meta) Request {
	t.Helper()
	s := sampleSet(t)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	typ, _ := m["message_type"].(string)
	r := Request{Action: ActionSend, Now: today, MessageType: typ, Sender: agency(t, s, sender), Claimed: b, Justification: NewText(reason)}
	for _, id := range recipients {
		r.Recipients = append(r.Recipients, Recipient{agency(t, s, id)})
	}
	return r
}

func decide(t testing.TB, r Request) []Decision {
	t.Helper()
	ds, err := sampleEngine(t).Decide(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(ds) != len(r.Recipients) {
		t.Fatalf("%d decisions for %d recipients", len(ds), len(r.Recipients))
	}
	for i, d := range ds {
		if d.Recipient != r.Recipients[i].ID {
			t.Fatalf("decision %d is for %s", i, d.Recipient)
		}
	}
	return ds
}

func codes(list []Reason) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.Code)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func duties(d Decision) []string {
	var out []string
	for _, o := range d.Obligations {
		out = append(out, o.Code)
	}
	return out
}

func pends(d Decision) []string {
	var out []string
	for _, p := range d.Pends {
		out = append(out, p.Code+" by "+p.By+" of "+p.Jurisdiction)
	}
	return out
}

func eq(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func group(category string, n int, more ...any) meta {
	g := meta{"category": category, "count": n, "minors": "none", "data_categories": []any{"a"}, "link": "direct"}
	for i := 0; i+1 < len(more); i += 2 {
		g[more[i].(string)] = more[i+1]
	}
	return g
}

var urgentLife = meta{"level": "urgent", "ground": "life"}

func texts(names ...string) map[string]Text {
	m := map[string]Text{}
	for _, n := range names {
		m[n] = NewText("The child was last seen with him and its life is in danger today.")
	}
	return m
}

// TestScenarios are the agreed scenarios that concern the sample jurisdictions, and the rules that they exercise.
func TestScenarios(t *testing.T) {
	uaEE := func(changes meta) meta {
		return from("ua/npu", "ua-police-law", with(meta{"transfer_basis": "non_eu_law"}, changes))
	}
	itBY := func(changes meta) meta {
		return from("it/dcpc", "it-public-security-act", with(meta{"transfer_basis": "led38_1d", "balancing": meta{"result": "transfer_prevails"}}, changes))
	}
	treaty := meta{"transfer_basis": "led37_1a", "transfer_instrument": "ee-ua-police-2009"}
	fr := meta{"originator": []any{"ee/pbgb", "fr/dcpj"}}
	lvData := meta{"originator": []any{"ee/pbgb", "lv/vp"}}
	cases := []struct {
		name, sender, recipient string
		meta                    meta
		change                  func(*Request)
		verdict                 string
		reasons, pends, duties  []string // nil duties: not compared
		advice                  []string
	}{
		{name: "the demo's package", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), verdict: Delivered,
			duties: []string{"erase_by", "erase_within", "no_judicial_use", "onward_with_authorisation", "review_by"}},
		{name: "1 urgent request with life in danger", sender: "ee/pbgb", recipient: "lv/vp",
			meta:    with(eeLV(), meta{"message_type": "request", "handling": meta{"code": "H0"}, "urgency": urgentLife, "request": meta{"what": true, "purpose_facts": true, "availability_reason": true, "person_link": true, "restrictions": false}}),
			change:  func(r *Request) { r.Texts = texts("urgency") },
			verdict: Delivered, duties: []string{"erase_by", "erase_within", "onward_with_authorisation", "review_by"}},
		{name: "2 incomplete request", sender: "lv/vp", recipient: "ee/pbgb", meta: from("lv/vp", "lv-police-law", meta{"message_type": "request"}),
			verdict: Delivered, advice: []string{"clarification_due"}},
		{name: "34 urgent without a reason in words", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"urgency": urgentLife}),
			verdict: Denied, reasons: []string{"urgency_ground_missing"}},
		{name: "7 victims and a child to Ukraine", sender: "ee/pbgb", recipient: "ua/npu",
			meta:    with(eeLV(), with(treaty, meta{"subjects": []any{group("suspect", 2), group("victim", 3), group("victim", 1, "minors", "u18")}})),
			verdict: Denied, reasons: []string{"strict_necessity_missing"}},
		{name: "7 the suspects alone", sender: "ee/pbgb", recipient: "ua/npu", meta: with(eeLV(), treaty), verdict: Delivered,
			duties: []string{"erase_by", "no_automated_matching", "no_judicial_use", "onward_with_authorisation", "report_use", "review_by"}},
		{name: "9 to Belarus by derogation", sender: "it/dcpc", recipient: "by/mia", meta: itBY(nil), verdict: Denied,
			reasons: []string{"assurances_missing", "recipient_suspended", "tier_not_accepted", "vital_interests_only"}},
		{name: "10 a child's life, to Belarus", sender: "it/dcpc", recipient: "by/mia",
			meta:   itBY(meta{"transfer_basis": "led38_1a", "urgency": urgentLife, "assurances": []any{"no_death_penalty", "no_inhuman_treatment"}}),
			change: func(r *Request) { r.Texts = texts("urgency") }, verdict: Delivered,
			duties: []string{"approve_within", "document_transfer", "dpo_notice", "erase_by", "no_judicial_use", "no_onward", "onward_with_authorisation", "purposes_only", "review_by"}},
		{name: "5 data of a country that is not here, nothing stated", sender: "ee/pbgb", recipient: "ua/npu", meta: with(eeLV(), with(treaty, fr)),
			verdict: Denied, reasons: []string{"authorisation_refused"}, advice: []string{"external_evidence"}},
		{name: "5 with external evidence", sender: "ee/pbgb", recipient: "ua/npu",
			meta:    with(eeLV(), with(treaty, with(fr, meta{"prior_authorisation": []any{meta{"originator": "fr/dcpj", "state": "granted", "ref": "FR-1"}}}))),
			verdict: Delivered, advice: []string{"external_evidence"}},
		{name: "5 data of a country that is here wait for it", sender: "ee/pbgb", recipient: "ua/npu", meta: with(eeLV(), with(treaty, lvData)),
			verdict: Pending, reasons: []string{"prior_authorisation"}, pends: []string{"prior_authorisation by originator of lv"}},
		{name: "5 a claimed permission of a country that is here is none", sender: "ee/pbgb", recipient: "ua/npu",
			meta:    with(eeLV(), with(treaty, with(lvData, meta{"prior_authorisation": []any{meta{"originator": "lv/vp", "state": "granted", "ref": "LV-1"}}}))),
			verdict: Pending, reasons: []string{"prior_authorisation"}, pends: []string{"prior_authorisation by originator of lv"}},
		{name: "5 a claimed refusal is believed", sender: "ee/pbgb", recipient: "ua/npu",
			meta:    with(eeLV(), with(treaty, with(lvData, meta{"prior_authorisation": []any{meta{"originator": "lv/vp", "state": "refused"}}}))),
			verdict: Denied, reasons: []string{"authorisation_refused"}},
		{name: "5 a known permission", sender: "ee/pbgb", recipient: "ua/npu", meta: with(eeLV(), with(treaty, lvData)),
			change: func(r *Request) {
				r.Known.Authorisations = []Authorisation{{Originator: "lv/vp", State: "granted", Recipients: []string{"ua"}, Purposes: []string{"investigation"}}}
			}, verdict: Delivered},
		{name: "5 a known permission for another purpose", sender: "ee/pbgb", recipient: "ua/npu", meta: with(eeLV(), with(treaty, lvData)),
			change: func(r *Request) {
				r.Known.Authorisations = []Authorisation{{Originator: "lv/vp", State: "granted", Recipients: []string{"ua"}, Purposes: []string{"prevention"}}}
			}, verdict: Pending, reasons: []string{"prior_authorisation"}},
		{name: "23 a permission that was withdrawn", sender: "ee/pbgb", recipient: "ua/npu", meta: with(eeLV(), with(treaty, lvData)),
			change: func(r *Request) {
				r.Known.Authorisations = []Authorisation{
					{Originator: "lv/vp", State: "granted", Recipients: []string{"ua"}, Purposes: []string{"investigation"}}, {Originator: "lv/vp", State: "withdrawn"}}
			}, verdict: Denied, reasons: []string{"authorisation_refused"}},
		{name: "6 an imminent attack, the originator cannot be reached", sender: "ee/pbgb", recipient: "ua/npu",
			meta:   with(eeLV(), with(treaty, with(lvData, meta{"not_in_time": true, "urgency": meta{"level": "urgent", "ground": "public_security"}}))),
			change: func(r *Request) { r.Texts = texts("urgency") }, verdict: Delivered,
			duties: []string{"approve_within", "dpo_notice", "erase_by", "no_automated_matching", "no_judicial_use", "notify_originator", "onward_with_authorisation", "report_use", "review_by"}},
		{name: "21 inside there is no such exception", sender: "ee/pbgb", recipient: "it/dcpc",
			meta:   with(eeLV(), with(lvData, meta{"not_in_time": true, "urgency": meta{"level": "urgent", "ground": "public_security"}})),
			change: func(r *Request) { r.Texts = texts("urgency") }, verdict: Pending, reasons: []string{"prior_authorisation"}, advice: []string{"translation_needed"}},
		{name: "21 nor for the data of a third country", sender: "ee/pbgb", recipient: "ua/npu",
			meta:   with(eeLV(), with(treaty, meta{"originator": []any{"by/mia"}, "not_in_time": true, "urgency": meta{"level": "urgent", "ground": "life"}})),
			change: func(r *Request) { r.Texts = texts("urgency") }, verdict: Pending, reasons: []string{"prior_authorisation"}},
		{name: "onward: Ukraine does not let its data go to Belarus", sender: "it/dcpc", recipient: "by/mia",
			meta: itBY(meta{"transfer_basis": "led38_1a", "originator": []any{"ua/npu"}, "urgency": urgentLife, "assurances": []any{"no_death_penalty", "no_inhuman_treatment"}}),
			change: func(r *Request) {
				r.Texts = texts("urgency")
				r.Known.Authorisations = []Authorisation{{Originator: "ua/npu", State: "general"}}
			}, verdict: Denied, reasons: []string{"onward_not_allowed"}},
		{name: "14 many under a derogation", sender: "ee/pbgb", recipient: "ua/npu",
			meta:    with(eeLV(), meta{"transfer_basis": "led38_1d", "balancing": meta{"result": "transfer_prevails"}, "subjects": []any{group("suspect", 250)}}),
			verdict: Denied, reasons: []string{"derogation_bulk"}},
		{name: "26 rights that prevail", sender: "ee/pbgb", recipient: "ua/npu",
			meta:    with(eeLV(), meta{"transfer_basis": "led38_1d", "balancing": meta{"result": "subject_prevails"}}),
			verdict: Denied, reasons: []string{"derogation_unbalanced"}},
		{name: "16 classified", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"classification": "r_ue"}),
			verdict: Denied, reasons: []string{"classification_too_high"}},
		{name: "24 internal_eu does not reach Ukraine", sender: "ee/pbgb", recipient: "ua/npu", meta: eeLV(), verdict: Denied, reasons: []string{"transfer_basis_invalid"}},
		{name: "24 a treaty that only one side declares", sender: "ee/pbgb", recipient: "ua/npu",
			meta: with(eeLV(), meta{"transfer_basis": "led37_1a", "transfer_instrument": "lv-ua-police-2010"}), verdict: Denied, reasons: []string{"instrument_unknown"}},
		{name: "25 an assessment that has lapsed", sender: "it/dcpc", recipient: "by/mia",
			meta:    itBY(meta{"transfer_basis": "led37_1b", "transfer_instrument": "it-by-assessment-2019", "assurances": []any{"no_death_penalty", "no_inhuman_treatment"}}),
			verdict: Denied, reasons: []string{"assessment_missing", "recipient_suspended", "tier_not_accepted", "vital_interests_only"}, advice: []string{"authority_informed"}},
		{name: "Ukraine answers Estonia", sender: "ua/npu", recipient: "ee/pbgb", meta: uaEE(meta{"message_type": "answer", "relates_to": []any{meta{"package": "p1", "relation": "answers"}}}),
			change: func(r *Request) {
				r.Known.Relations = []Relation{{Package: "p1", Relation: "answers", Found: true, MessageType: "request", From: "ee/pbgb", Outcomes: map[string]string{"ua/npu": "acknowledged"}}}
			}, verdict: Delivered, duties: []string{"erase_by", "no_judicial_use", "onward_with_authorisation", "review_by"}},
		{name: "an answer to what nobody knows", sender: "ua/npu", recipient: "ee/pbgb", meta: uaEE(meta{"message_type": "answer", "relates_to": []any{meta{"package": "p1", "relation": "answers"}}}),
			verdict: Denied, reasons: []string{"relation_unknown"}},
		{name: "31 third-country data without attestation", sender: "ua/npu", recipient: "ee/pbgb", meta: uaEE(meta{"hr_attestation": false}),
			verdict: Denied, reasons: []string{"hr_attestation_missing"}},
		{name: "Belarus to Ukraine", sender: "by/mia", recipient: "ua/npu", meta: from("by/mia", "by-operative-law", meta{"transfer_basis": "non_eu_law"}),
			verdict: Denied, reasons: []string{"counterpart_not_accepted", "vital_interests_only"}},
		{name: "Europol takes part", sender: "ee/pbgb", recipient: "europol/ops", meta: with(eeLV(), meta{"europol_purpose": "cross_check"}), verdict: Delivered,
			duties: []string{"erase_by", "erase_within", "no_judicial_use", "onward_with_authorisation", "review_by"}},
		{name: "Europol asks for the purpose", sender: "ee/pbgb", recipient: "europol/ops", meta: eeLV(), verdict: Denied, reasons: []string{"purpose_not_accepted"}},
		{name: "Europol to Ukraine", sender: "europol/ops", recipient: "ua/npu",
			meta:    from("europol/ops", "europol-regulation", meta{"transfer_basis": "europol_25_1c", "transfer_instrument": "europol-ua-2016"}),
			verdict: Delivered, duties: []string{"document_transfer", "erase_by", "no_automated_matching", "no_judicial_use", "onward_with_authorisation", "purposes_only", "review_by"}},
		{name: "10 victims to Europol without necessity", sender: "ee/pbgb", recipient: "europol/ops",
			meta: with(eeLV(), meta{"europol_purpose": "operational", "subjects": []any{group("victim", 1)}}), verdict: Denied, reasons: []string{"strict_necessity_missing"}},
		{name: "10 victims inside", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"subjects": []any{group("victim", 1)}}), verdict: Delivered,
			duties: []string{"erase_by", "erase_within", "no_judicial_use", "onward_with_authorisation", "review_by", "strict_necessity_only"}},
		{name: "12, 13, 14 an opinion of nobody knows whom", sender: "ee/pbgb", recipient: "lv/vp",
			meta:    with(eeLV(), meta{"evaluation": nil, "quality": nil, "assertion_type": "assessment"}),
			verdict: Delivered, duties: []string{"corroborate_first", "erase_by", "erase_within", "no_judicial_use", "onward_with_authorisation", "review_by", "treat_as_x4", "verify_before_use"}},
		{name: "17 conditions", sender: "ee/pbgb", recipient: "lv/vp",
			meta:    with(eeLV(), meta{"handling": meta{"code": "H0", "conditions": []any{meta{"code": "no_automated_matching"}, meta{"code": "covert_only", "domestic_equivalent": true}}}}),
			verdict: Delivered, advice: []string{"domestic_equivalent"},
			duties: []string{"covert_only", "erase_by", "erase_within", "no_automated_matching", "onward_with_authorisation", "review_by"}},
		{name: "19 H3 without conditions", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"handling": meta{"code": "H3"}}), verdict: Pending,
			reasons: []string{"handling_review"}, pends: []string{"handling_review by head_of_duty of ee"}},
		{name: "6 special categories wait for a second officer", sender: "ee/pbgb", recipient: "lv/vp",
			meta:   with(eeLV(), meta{"subjects": []any{group("suspect", 1, "special_categories", []any{"health"})}, "art10_ground": "authorised_by_law", "strict_necessity": true}),
			change: func(r *Request) { r.Texts = texts("strict_necessity") }, verdict: Pending,
			reasons: []string{"second_officer"}, pends: []string{"second_officer by second_officer of ee"}},
		{name: "15 special categories without a ground", sender: "ee/pbgb", recipient: "lv/vp",
			meta: with(eeLV(), meta{"subjects": []any{group("suspect", 1, "special_categories", []any{"health"})}}), verdict: Denied, reasons: []string{"art10_ground_missing"}},
		{name: "16 no time limit", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"retention": meta{}}), verdict: Denied, reasons: []string{"retention_missing"}},
		{name: "16 a limit that has passed", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"retention": meta{"erase_by": "2026-11-21"}}), verdict: Denied, reasons: []string{"retention_past"}},
		{name: "4 another purpose", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"original_purpose": "prevention"}), verdict: Denied, reasons: []string{"purpose_change_unjustified"}},
		{name: "3 a law that is not in force yet", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), change: func(r *Request) {
			r.Now = time.Date(2009, 12, 31, 0, 0, 0, 0, time.UTC)
		}, verdict: Denied, reasons: nil},
		{name: "3 a law of nobody", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"legal_basis": []any{meta{"instrument": "none", "article": "1", "jurisdiction": "ee"}}}),
			verdict: Denied, reasons: []string{"legal_basis_unknown"}},
		{name: "3 only the law of others", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"legal_basis": []any{meta{"instrument": "lv-police-law", "article": "1", "jurisdiction": "lv"}}}),
			verdict: Denied, reasons: []string{"legal_basis_unknown"}},
		{name: "5 a stock phrase", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), change: func(r *Request) { r.Justification = NewText("For the purposes of the investigation.") },
			verdict: Denied, reasons: []string{"justification_insufficient"}},
		{name: "1 a suspended recipient", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), change: func(r *Request) { r.Recipients[0].Active = false },
			verdict: Denied, reasons: []string{"recipient_not_competent"}},
		{name: "1 not competent", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), change: func(r *Request) { r.Sender.Competences = []string{"prevention"} },
			verdict: Denied, reasons: []string{"sender_not_competent"}},
		{name: "38 no channel justification", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"channel_justification": nil}), verdict: Delivered, advice: []string{"channel_justification_advised"}},
		{name: "38 after 12 June 2027", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"channel_justification": nil}), change: func(r *Request) {
			r.Now = time.Date(2027, 6, 12, 0, 0, 0, 0, time.UTC)
		}, verdict: Denied, reasons: []string{"channel_missing"}},
		{name: "subjects of an operational package", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"subjects": []any{}}), verdict: Denied, reasons: []string{"subjects_missing"}},
		{name: "national fields that nobody declared", sender: "ee/pbgb", recipient: "lv/vp", meta: with(eeLV(), meta{"ext": meta{"ee": meta{"x": 1}}}), verdict: Denied, reasons: []string{"national_field_unknown"}},
		{name: "another type than the manifest's", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), change: func(r *Request) { r.MessageType = "erasure_notice" },
			verdict: Denied, reasons: []string{"manifest_inconsistent", "relation_foreign"}},
		{name: "an action that is none", sender: "ee/pbgb", recipient: "lv/vp", meta: eeLV(), change: func(r *Request) { r.Action = "consult" }, verdict: Denied, reasons: []string{"action_unknown"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, c.sender, []string{c.recipient}, c.meta)
			if c.change != nil {
				c.change(&r)
			}
			d := decide(t, r)[0]
			if d.Verdict != c.verdict {
				t.Fatalf("%s, want %s: reasons %v, pends %v", d.Verdict, c.verdict, codes(d.Reasons), pends(d))
			}
			if c.verdict != Denied || c.reasons != nil {
				eq(t, "reasons", codes(d.Reasons), c.reasons)
			}
			if c.pends != nil {
				eq(t, "pends", pends(d), c.pends)
			}
			if c.duties != nil {
				eq(t, "obligations", duties(d), c.duties)
			}
			eq(t, "advice", codes(d.Advice), c.advice)
			checkComplete(t, d)
		})
	}
}

// checkComplete: whatever is said has a text and a source, a denial a fix, and every decision its provenance.
func checkComplete(t *testing.T, d Decision) {
	t.Helper()
	for _, r := range slices.Concat(d.Reasons, d.Advice) {
		if r.Text == "" || r.Source == "" || r.Rule == "" || r.Layer == "" || !json.Valid(r.Params) {
			t.Errorf("incomplete: %+v", r)
		}
	}
	for _, o := range d.Obligations {
		if o.Text == "" || o.Source == "" || o.On == "" || !json.Valid(o.Params) {
			t.Errorf("incomplete: %+v", o)
		}
	}
	if d.Verdict == Denied {
		for _, r := range d.Reasons {
			if r.Fix == "" {
				t.Errorf("%s denies without a fix", r.Code)
			}
		}
		if len(d.Obligations) > 0 || len(d.Reasons) == 0 {
			t.Errorf("a denial has reasons and no obligations: %+v", d)
		}
	}
	if len(d.Rules) == 0 || d.Engine == "" || d.Revisions["common"] == "" || !d.Sample {
		t.Errorf("no provenance: %+v", d)
	}
}

// TestMixedRecipients: one package for Latvia and Ukraine, with a basis that is asked of Ukraine alone.
func TestMixedRecipients(t *testing.T) {
	m := with(eeLV(), meta{"transfer_basis": "led37_1a", "transfer_instrument": "ee-ua-police-2009"})
	ds := decide(t, request(t, "ee/pbgb", []string{"lv/vp", "ua/npu"}, m))
	for _, d := range ds {
		if d.Verdict != Delivered || len(d.Obligations) == 0 {
			t.Errorf("%s: %s, %v", d.Recipient, d.Verdict, codes(d.Reasons))
		}
	}
	eq(t, "Ukraine", duties(ds[1]), []string{"erase_by", "no_automated_matching", "no_judicial_use", "onward_with_authorisation", "report_use", "review_by"})
	if string(ds[0].Input.Shared) != string(ds[1].Input.Shared) || string(ds[0].Input.Own) == string(ds[1].Input.Own) {
		t.Error("the shared part is one, the own parts differ")
	}
	ds = decide(t, request(t, "ee/pbgb", []string{"lv/vp", "ua/npu"}, eeLV()))
	if ds[0].Verdict != Delivered || ds[1].Verdict != Denied {
		t.Errorf("internal_eu: %s and %s", ds[0].Verdict, ds[1].Verdict)
	}
}

// TestBelarusSaysWhy: the demo shows rule, fix and source of this denial.
func TestBelarusSaysWhy(t *testing.T) {
	m := from("it/dcpc", "it-public-security-act", meta{"transfer_basis": "led38_1d", "balancing": meta{"result": "transfer_prevails"}})
	d := decide(t, request(t, "it/dcpc", []string{"by/mia"}, m))[0]
	i := slices.IndexFunc(d.Reasons, func(r Reason) bool { return r.Rule == "R28" })
	if d.Verdict != Denied || i < 0 {
		t.Fatalf("%s: %+v", d.Verdict, d.Reasons)
	}
	if r := d.Reasons[i]; r.Code != "recipient_suspended" || r.Source != "LED art 35 to 38" || r.Fix == "" || r.Layer != LayerCommon {
		t.Errorf("%+v", r)
	}
	if !slices.Contains(d.Rules, "R28") || !slices.Contains(d.Rules, "it-3") {
		t.Errorf("rules %v", d.Rules)
	}
}
