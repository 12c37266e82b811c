package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"
)

// letters are what a layer of the truth table can say; a case_ref of three of them tells send, receive and onward.
var letters = map[string]string{"a": "allows", "d": "denies", "p": "waits", "s": "is silent", "u": "says what nobody knows", "b": "allows and denies"}

// tableRules make a layer that says what the letter at position i of the case reference tells it to.
func tableRules(j, kind string, i int) string {
	is := func(l string) string { return fmt.Sprintf("substring(input.claimed.case_ref, %d, 1) == %q", i, l) }
	computed := "# METADATA\n# custom:\n#   codes:\n#     language_not_accepted:\n#       text:\n#         en: A text.\n#       fix:\n#         en: A fix.\n#   source: A law.\n"
	return fmt.Sprintf("package jurisdiction.%s.%s\n\ndefault allow := false\n\nallow if not %s\n\n%sdeny contains \"counterpart_not_accepted\" if %s\n\ndeny contains \"counterpart_not_accepted\" if %s\n\n%spend contains \"national_review\" if %s\n\n%sdeny contains c if {\n\t%s\n\tc := input.claimed.case_ref\n}\n",
		j, kind, is("s"), doc("counterpart_not_accepted"), is("d"), is("b"), doc("national_review"), is("p"), computed, is("u"))
}

var tableSet = sync.OnceValues(func() (*Set, error) {
	in := Samples()
	in.Rules = map[string]Source{}
	for _, j := range []string{"ee", "lv", "it"} {
		in.Rules[j] = Source{Status: Sample, Files: map[string][]byte{
			"send.rego": []byte(tableRules(j, "send", 0)), "receive.rego": []byte(tableRules(j, "receive", 1)), "onward.rego": []byte(tableRules(j, "onward", 2)),
		}}
	}
	return onSamples(in)
})

// TestVerdictTable: all that three layers can say, and the baseline beside them.
func TestVerdictTable(t *testing.T) {
	set, err := tableSet()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: 10 * time.Second})
	if err := e.Activate(set); err != nil {
		t.Fatal(err)
	}
	for _, baseline := range []string{Delivered, Pending, Denied} {
		for s := range letters {
			for r := range letters {
				for o := range letters {
					checkRow(t, e, s+r+o, baseline)
				}
			}
		}
	}
}

func checkRow(t *testing.T, e *Engine, row, baseline string) {
	t.Helper()
	m := with(eeLV(), meta{"case_ref": row, "originator": []any{"it/dcpc"}})
	r := request(t, "ee/pbgb", []string{"lv/vp"}, m)
	switch baseline {
	case Delivered:
		r.Known.Authorisations = []Authorisation{{Originator: "it/dcpc", State: "general"}}
	case Denied:
		r.Known.Authorisations = []Authorisation{{Originator: "it/dcpc", State: "refused"}}
	}
	ds, err := e.Decide(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := Delivered
	switch {
	case baseline == Denied || strings.ContainsAny(row, "dsub"):
		want = Denied
	case baseline == Pending || strings.Contains(row, "p"):
		want = Pending
	}
	if ds[0].Verdict != want {
		t.Errorf("baseline %s, layers %s: %s, want %s", baseline, row, ds[0].Verdict, want)
	}
	for _, c := range codes(ds[0].Reasons) {
		if c == row {
			t.Errorf("%s: a code that nobody knows was passed on", row)
		}
	}
}

// TestWhoIsAsked: what a country cannot stop, it is not asked about.
func TestWhoIsAsked(t *testing.T) {
	set, err := tableSet()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: 10 * time.Second})
	if err := e.Activate(set); err != nil {
		t.Fatal(err)
	}
	all := inputShape.member("message_type").enum
	for _, typ := range all {
		for _, got := range []bool{true, false} {
			m := with(eeLV(), meta{"message_type": typ, "case_ref": "ddd", "refusal": meta{"code": "a"}, "relates_to": []any{meta{"package": "p1", "relation": "concerns"}}})
			r := request(t, "ee/pbgb", []string{"lv/vp"}, m)
			known := Relation{Package: "p1", Relation: "concerns", Found: true, From: "ee/pbgb", Outcomes: map[string]string{}}
			if got {
				known.Outcomes["lv/vp"] = "acknowledged"
			}
			r.Known.Relations = []Relation{known}
			ds, err := e.Decide(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			asked := map[string]bool{}
			for rev := range ds[0].Revisions {
				asked[rev] = true
			}
			structure := slices.Contains(structural, typ)
			send := !structure
			receive := !structure && (typ != "correction" || !got)
			if asked["rules/ee"] != send || asked["rules/lv"] != receive {
				t.Errorf("%s, received %v: asked %v", typ, got, ds[0].Revisions)
			}
			want := Denied
			if structure && (got || typ == "breach_notice") {
				want = Delivered
			}
			if ds[0].Verdict != want {
				t.Errorf("%s, received %v: %s: %v", typ, got, ds[0].Verdict, codes(ds[0].Reasons))
			}
		}
	}
}

// TestNothingStopsANotice: of the baseline, structure alone holds a message that no country can stop, and a correction
// to somebody who has got the package; a correction still bears its conditions.
func TestNothingStopsANotice(t *testing.T) {
	m := from("it/dcpc", "it-public-security-act", meta{
		"handling": meta{"code": "H3"}, "retention": meta{"erase_by": "2026-01-01"}, "transfer_basis": "led36", "sensitive_matter": "military",
		"subjects": []any{group("victim", 9, "minors", "u15", "special_categories", []any{"health"})}, "evaluation": nil,
		"relates_to": []any{meta{"package": "p1", "relation": "corrects"}},
	})
	ask := func(typ, outcome string) Decision {
		r := request(t, "it/dcpc", []string{"by/mia"}, with(m, meta{"message_type": typ}))
		r.Known.Relations = []Relation{{Package: "p1", Relation: "corrects", Found: true, From: "it/dcpc", Outcomes: map[string]string{"by/mia": outcome}}}
		return decide(t, r)[0]
	}
	if d := ask("erasure_notice", "acknowledged"); d.Verdict != Delivered || len(d.Obligations) > 0 {
		t.Errorf("erasure notice: %s %v %v", d.Verdict, codes(d.Reasons), duties(d))
	}
	d := ask("correction", "acknowledged")
	if got := codes(d.Reasons); d.Verdict != Denied || !slices.Equal(got, []string{"tier_not_accepted"}) {
		t.Errorf("correction: the sender's own rules alone have a say: %s %v", d.Verdict, got)
	}
	if d := ask("correction", "denied"); !slices.Contains(codes(d.Reasons), "recipient_suspended") {
		t.Errorf("a correction of what was never received is a package like any other: %v", codes(d.Reasons))
	}
	m = with(m, meta{"legal_basis": eeLV()["legal_basis"], "originator": []any{"ee/pbgb"}, "retention": meta{"erase_by": "2028-01-01"}, "message_type": "correction"})
	r := request(t, "ee/pbgb", []string{"ua/npu"}, m)
	r.Known.Relations = []Relation{{Package: "p1", Relation: "corrects", Found: true, From: "ee/pbgb", Outcomes: map[string]string{"ua/npu": "delivered"}}}
	if d := decide(t, r)[0]; d.Verdict != Delivered || !slices.Contains(duties(d), "erase_by") || !slices.Contains(duties(d), "treat_as_x4") {
		t.Errorf("correction: %s %v %v", d.Verdict, codes(d.Reasons), duties(d))
	}
}

// TestNoticesAreSmall: a message that nobody can stop cannot carry much past them.
func TestNoticesAreSmall(t *testing.T) {
	m := with(eeLV(), meta{"message_type": "erasure_notice", "subjects": []any{}, "relates_to": []any{meta{"package": "p1", "relation": "concerns"}}})
	r := request(t, "ee/pbgb", []string{"lv/vp"}, m)
	r.Known.Relations = []Relation{{Package: "p1", Relation: "concerns", Found: true, From: "ee/pbgb", Outcomes: map[string]string{"lv/vp": "delivered"}}}
	if d := decide(t, r)[0]; d.Verdict != Delivered {
		t.Fatalf("%v", codes(d.Reasons))
	}
	for _, change := range []func(*Request){func(r *Request) { r.Attachments = 1 }, func(r *Request) { r.ContentSize = 65537 }} {
		big := r
		change(&big)
		if d := decide(t, big)[0]; d.Verdict != Denied || !slices.Equal(codes(d.Reasons), []string{"notice_too_large"}) {
			t.Errorf("%s %v", d.Verdict, codes(d.Reasons))
		}
	}
}

// TestMissingRules: no rules of a jurisdiction is a denial, not an error, and so is no policy at all.
func TestMissingRules(t *testing.T) {
	in := Samples()
	in.Rules = map[string]Source{"ee": in.Rules["ee"]}
	set, err := onSamples(in)
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: 10 * time.Second})
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	for range 2 {
		ds, err := e.Decide(context.Background(), r)
		if err != nil || ds[0].Verdict != Denied || !slices.Contains(codes(ds[0].Reasons), "rules_missing") {
			t.Fatalf("%v %v", err, ds)
		}
		if err := e.Activate(set); err != nil {
			t.Fatal(err)
		}
	}
	r.Recipients[0].Party = Party{ID: "fr/dcpj", Jurisdiction: "fr", Type: "spoc", Active: true, Competences: allPurposes}
	ds, err := e.Decide(context.Background(), r)
	if err != nil || ds[0].Verdict != Denied || !slices.Contains(codes(ds[0].Reasons), "declaration_missing") {
		t.Fatalf("%v %v", err, codes(ds[0].Reasons))
	}
}

// TestMerge: days to the least, dates to the earliest, restrictions to the union, permitted uses to the intersection.
func TestMerge(t *testing.T) {
	def := &registryCode{Params: map[string]string{"d": paramDays, "h": paramHours, "t": paramDate, "r": paramRestrictions, "p": paramPermitted}}
	one := func() map[string]any {
		return map[string]any{"d": 30, "h": 8, "t": "2027-01-01", "r": []string{"a", "b"}, "p": []string{"x", "y"}}
	}
	two := map[string]any{"d": 20, "h": 24, "t": "2026-12-31", "r": []string{"b", "c"}, "p": []string{"y", "z"}}
	want := map[string]any{"d": 20, "h": 8, "t": "2026-12-31", "r": []string{"a", "b", "c"}, "p": []string{"y"}}
	if got := def.mergeParams(one(), two); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if got := def.mergeParams(def.mergeParams(one(), two), two); !reflect.DeepEqual(got, want) {
		t.Errorf("merging twice: %v", got)
	}
	if got := string(encodeParams(want)); got != `{"d":20,"h":8,"p":["y"],"r":["a","b","c"],"t":"2026-12-31"}` {
		t.Errorf("%s", got)
	}
	m := with(eeLV(), meta{"retention": meta{"review_by": "2027-11-22"}})
	for _, o := range decide(t, request(t, "ee/pbgb", []string{"lv/vp"}, m))[0].Obligations {
		if o.Code == "erase_within" && string(o.Params) != `{"days":365}` {
			t.Errorf("365 days of Estonia and 1095 of Latvia are %s", o.Params)
		}
	}
}

// TestMask: who may not see a reason does not; verdict and obligations stay.
func TestMask(t *testing.T) {
	s := sampleSet(t)
	m := from("it/dcpc", "it-public-security-act", meta{"transfer_basis": "led38_1d", "balancing": meta{"result": "transfer_prevails"}})
	d := decide(t, request(t, "it/dcpc", []string{"by/mia"}, m))[0]
	for _, c := range []struct {
		reader string
		sender bool
		want   []string
	}{
		{"it/dcpc", true, []string{"assurances_missing", "recipient_suspended", "tier_not_accepted", "vital_interests_only"}},
		{"it", false, []string{"recipient_suspended", "tier_not_accepted", "vital_interests_only"}},
		{"by/mia", false, []string{"recipient_suspended", "vital_interests_only"}},
		{"ua/npu", true, []string{"assurances_missing", "recipient_suspended", "vital_interests_only"}},
	} {
		got := s.Mask(d, c.reader, c.sender)
		eq(t, c.reader, codes(got.Reasons), c.want)
		if got.Verdict != Denied || got.Input.Own != nil || len(got.Rules) != len(c.want) {
			t.Errorf("%s: %+v", c.reader, got)
		}
	}
	if len(d.Reasons) != 4 || d.Input.Own == nil {
		t.Error("masking changed the decision itself")
	}
	ok := decide(t, request(t, "ee/pbgb", []string{"lv/vp"}, eeLV()))[0]
	if got := s.Mask(ok, "lv/vp", false); !reflect.DeepEqual(got.Obligations, ok.Obligations) || got.Verdict != ok.Verdict {
		t.Error("an obligation was masked")
	}
}

// nationalSets are sets whose rules differ as much as rules can.
var nationalSets = sync.OnceValues(func() ([]*Set, error) {
	var sets []*Set
	for _, extra := range []string{
		"", doc("national_review") + `pend contains "national_review" if input.sender.active == true`,
		doc("erase_within") + `oblige contains {"code": "erase_within", "params": {"days": 1}} if input.sender.active == true`,
		doc("national_advice") + `advise contains "national_advice" if input.recipient.active == true`,
		doc("national_limit") + `deny contains "national_limit" if input.sender.active == true`,
	} {
		in := Samples()
		in.Rules = map[string]Source{}
		for _, j := range []string{"ee", "lv", "ua", "by", "it", "europol"} {
			files := map[string][]byte{}
			for _, kind := range []string{"send", "receive", "onward"} {
				files[kind+".rego"] = []byte(strings.Replace(strings.Replace(sendHead, ".ee.send", "."+j+"."+kind, 1), "input.sender.active == true", "true", 1) + extra + "\n")
			}
			in.Rules[j] = Source{Files: files, Status: Sample}
		}
		s, err := onSamples(in)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
})

// baselineVerdict is what common alone says.
func baselineVerdict(t interface{ Fatal(...any) }, s *Set, r Request) string {
	p, err := s.newPack(&r)
	if err != nil {
		return Denied
	}
	e := &evaluation{ctx: context.Background(), cancel: never{}, reg: s.registry}
	common, err := e.say(s.pkg, sources{shared: p.record})
	if err != nil {
		t.Fatal(err)
	}
	o := p.own(r.Recipients[0])
	rcp, err := e.say(s.rcp, sources{p.record, o.record})
	if err != nil {
		t.Fatal(err)
	}
	v := newVerdict(s, &r, r.Recipients[0].ID)
	v.class = o.class
	v.baseline(common, rcp)
	return v.decision(Input{}).Verdict
}

type never struct{}

func (never) Cancel()         {}
func (never) Cancelled() bool { return false }

var strictness = map[string]int{Delivered: 0, Pending: 1, Denied: 2}

// TestRulesOnlyTighten: whatever a jurisdiction's rules are, the verdict is never milder than the baseline's.
func TestRulesOnlyTighten(t *testing.T) {
	sets, err := nationalSets()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		r := randomRequest(t, rt)
		base := baselineVerdict(rt, sets[0], r)
		seen[base]++
		s := rapid.SampledFrom(sets).Draw(rt, "rules")
		ds, err := s.decide(context.Background(), 10*time.Second, r)
		if err != nil {
			rt.Fatal(err)
		}
		if strictness[ds[0].Verdict] < strictness[base] {
			rt.Fatalf("the baseline says %s, with rules it is %s", base, ds[0].Verdict)
		}
		if base == Denied && ds[0].Verdict != Denied {
			rt.Fatalf("a denial of the baseline became %s", ds[0].Verdict)
		}
	})
	if seen[Denied] == 0 || seen[Delivered] == 0 {
		t.Errorf("the requests were too alike: %v", seen)
	}
}

// randomRequest varies what the baseline looks at.
func randomRequest(t *testing.T, rt *rapid.T) Request {
	pick := func(name string, values ...any) any { return rapid.SampledFrom(values).Draw(rt, name) }
	agencies := []string{"ee/pbgb", "lv/vp", "it/dcpc", "ua/npu", "by/mia", "europol/ops"}
	sender := rapid.SampledFrom(agencies).Draw(rt, "sender")
	recipient := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(agencies), func(a string) bool { return a == sender })).Draw(rt, "recipient")
	laws := map[string]string{"ee": "ee-police-act", "lv": "lv-police-law", "it": "it-public-security-act", "ua": "ua-police-law", "by": "by-operative-law", "europol": "europol-regulation"}
	m := from(sender, laws[jurisdictionOf(sender)], meta{
		"purpose":        pick("purpose", "investigation", "prosecution", "prevention"),
		"transfer_basis": pick("basis", "internal_eu", "internal_eu", "led37_1a", "led38_1a", "led38_1d", "non_eu_law", "europol_25_1c"),
		"handling":       meta{"code": pick("handling", "H0", "H1", "H3")}, "classification": pick("classification", "none", "none", "none", "r_ue"),
		"subjects":   []any{group(pick("category", "suspect", "victim", "unknown").(string), pick("count", 1, 6).(int), "minors", pick("minors", "none", "none", "u15"))},
		"urgency":    pick("urgency", meta{"level": "routine"}, meta{"level": "routine"}, urgentLife),
		"originator": []any{sender, pick("originator", sender, sender, "lv/vp", "se/noa")},
		"retention":  pick("retention", meta{"erase_by": "2027-01-01"}, meta{"erase_by": "2027-01-01"}, meta{"erase_by": "2026-01-01"}),
	})
	r := request(t, sender, []string{recipient}, m)
	r.Texts = texts("urgency", "strict_necessity")
	return r
}

// TestInputIsWhatWasEvaluated: the recorded input, read back, says the same; it has no text and no person; and its
// digest depends on both parts.
func TestInputIsWhatWasEvaluated(t *testing.T) {
	s := sampleSet(t)
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	d := decide(t, r)[0]
	in, err := mergeInput(d.Input)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.newPack(&r)
	if err != nil {
		t.Fatal(err)
	}
	o := p.own(r.Recipients[0])
	if !in.Equal(wholeInput(sources{p.record, o.record})) {
		t.Error("the recorded input is not the evaluated one")
	}
	if strings.Contains(string(d.Input.Shared), "courier") {
		t.Error("the justification reached the input")
	}
	again := decide(t, r)[0]
	if again.Input.Digest() != d.Input.Digest() || !reflect.DeepEqual(again, d) {
		t.Error("the same request is decided in two ways")
	}
	for _, changed := range []Input{{Shared: append(slices.Clone(d.Input.Shared), ' '), Own: d.Input.Own}, {Shared: d.Input.Shared, Own: append(slices.Clone(d.Input.Own), ' ')}, {Shared: d.Input.Own, Own: d.Input.Shared}} {
		if changed.Digest() == d.Input.Digest() {
			t.Error("the digest does not see a change")
		}
	}
}

// TestSetIsReadWhileItIsSwapped: an evaluation uses one set from its beginning to its end.
func TestSetIsReadWhileItIsSwapped(t *testing.T) {
	sets, err := nationalSets()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: 10 * time.Second})
	if err := e.Activate(sets[0]); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{sets[0].Revisions()["rules/ee"]: Delivered, sets[4].Revisions()["rules/ee"]: Denied}
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				ds, err := e.Decide(context.Background(), r)
				if err != nil || want[ds[0].Revisions["rules/ee"]] != ds[0].Verdict || ds[0].Revisions["rules/ee"] == "" {
					t.Errorf("%v: %s under %v", err, ds[0].Verdict, ds[0].Revisions)
				}
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
			if err := e.Activate(sets[4*(i%2)]); err != nil {
				t.Error(err)
			}
		}
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mergeInput joins the two parts of a recorded input into the one that rules see.
func mergeInput(in Input) (*ast.Term, error) {
	merged := map[string]json.RawMessage{}
	for _, part := range [][]byte{in.Shared, in.Own} {
		if err := json.Unmarshal(part, &merged); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	v, err := ast.ValueFromReader(bytes.NewReader(b))
	return ast.NewTerm(v), err
}

// TestReadAnswer: an answer of any other form than the agreed one permits nothing.
func TestReadAnswer(t *testing.T) {
	reg := sampleSet(t).registry
	l := &layer{name: "ee/send", parts: []string{"allow", "deny"}, docs: &documents{codes: map[string]*document{"deny national_limit": {}, "pend national_review": {}}}}
	for text, want := range map[string]struct{ allow, bad bool }{
		`[true, set()]`: {true, false}, `[false, set()]`: {false, false}, `["true", set()]`: {false, false}, `[1, set()]`: {false, false},
		`[null, set()]`: {false, false}, `[[true], set()]`: {false, false}, `[{true}, set()]`: {false, false},
		`[true, []]`: {true, true}, `[true, false]`: {true, true}, `[true, {}]`: {true, true}, `[true, {"national_limit"}]`: {true, false},
		`[true, {"national_limits"}]`: {true, true}, `[true, {1}]`: {true, true}, `[true, {["national_limit"]}]`: {true, true},
		`[true, {{"code": "national_limit"}}]`: {true, false}, `[true, {{"code": "national_limit", "params": {}}}]`: {true, false},
		`[true, {{"code": "national_limit", "params": {"x": 1}}}]`: {true, true}, `[true, {{"code": "national_limit", "params": []}}]`: {true, true},
		`[true, {{"code": "national_limit", "note": "x"}}]`: {true, true}, `[true, {{"code": "national_limit", "hours": -1}}]`: {true, true},
		`[true, {{"params": {}}}]`: {true, true}, `[true, {"national_review"}]`: {true, true}, `[true, {"minors_not_accepted"}]`: {true, true},
	} {
		s := l.read(l.parts, ast.MustParseTerm(text).Value.(*ast.Array), reg)
		if s.allow != want.allow || s.bad != want.bad {
			t.Errorf("%s: allow %v, bad %v", text, s.allow, s.bad)
		}
	}
}
