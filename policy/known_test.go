package policy

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestApprovals: an approval resolves its code, for its recipient, by whom it was asked; a refusal denies.
func TestApprovals(t *testing.T) {
	m := with(eeLV(), meta{"handling": meta{"code": "H3"}})
	ok := Approval{Recipient: "lv/vp", Codes: []string{"handling_review"}, By: "head_of_duty", Jurisdiction: "ee", Granted: true}
	change := func(f func(*Approval)) Approval { a := ok; f(&a); return a }
	for name, c := range map[string]struct {
		a    Approval
		want string
	}{
		"granted":            {ok, Delivered},
		"refused":            {change(func(a *Approval) { a.Granted = false }), Denied},
		"another code":       {change(func(a *Approval) { a.Codes = []string{"second_officer"} }), Pending},
		"another recipient":  {change(func(a *Approval) { a.Recipient = "ua/npu" }), Pending},
		"another role":       {change(func(a *Approval) { a.By = "second_officer" }), Pending},
		"another country":    {change(func(a *Approval) { a.Jurisdiction = "lv" }), Pending},
		"refused for others": {change(func(a *Approval) { a.Granted, a.Recipient = false, "ua/npu" }), Pending},
	} {
		r := request(t, "ee/pbgb", []string{"lv/vp"}, m)
		r.Action = ActionRelease
		r.Known.Approvals = []Approval{c.a}
		if d := decide(t, r)[0]; d.Verdict != c.want {
			t.Errorf("%s: %s, want %s", name, d.Verdict, c.want)
		}
	}
	denied := request(t, "ee/pbgb", []string{"lv/vp"}, with(m, meta{"classification": "s_ue"}))
	denied.Known.Approvals = []Approval{{Recipient: "lv/vp", Codes: []string{"handling_review", "classification_too_high"}, By: "head_of_duty", Jurisdiction: "ee", Granted: true}}
	if d := decide(t, denied)[0]; d.Verdict != Denied {
		t.Errorf("an approval resolved a denial: %s", d.Verdict)
	}
	p := decide(t, request(t, "ee/pbgb", []string{"lv/vp"}, m))[0].Pends[0]
	if !p.Expires.Equal(today.Add(72 * time.Hour)) {
		t.Errorf("expires %v", p.Expires)
	}
}

// TestParties: what the registry and the declaration do not both say does not count.
func TestParties(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Request)
		want   string
	}{
		"a sender that is not declared":     {func(r *Request) { r.Sender.ID = "ee/kapo" }, "agency_not_active"},
		"a recipient that is not declared":  {func(r *Request) { r.Recipients[0].ID = "lv/kapo" }, "agency_not_active"},
		"an agency of another jurisdiction": {func(r *Request) { r.Sender.ID = "lv/vp" }, "agency_not_active"},
		"another type than the declared":    {func(r *Request) { r.Recipients[0].Type = "competent_lea" }, "led39_incomplete"},
		"no type":                           {func(r *Request) { r.Recipients[0].Type = "" }, "led39_incomplete"},
		"a competence that is not declared": {func(r *Request) { r.Sender.Competences = []string{"conquest"} }, "sender_not_competent"},
		"a sender that is suspended":        {func(r *Request) { r.Sender.Active = false }, "agency_not_active"},
	} {
		r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
		c.change(&r)
		if d := decide(t, r)[0]; d.Verdict != Denied || !slices.Contains(codes(d.Reasons), c.want) {
			t.Errorf("%s: %s %v", name, d.Verdict, codes(d.Reasons))
		}
	}
}

// TestNobodyCorrectsForOthers: a package is corrected by its sender alone.
func TestNobodyCorrectsForOthers(t *testing.T) {
	m := from("lv/vp", "lv-police-law", meta{"message_type": "correction", "relates_to": []any{meta{"package": "p1", "relation": "corrects"}}})
	r := request(t, "lv/vp", []string{"it/dcpc"}, m)
	known := Relation{Package: "p1", Relation: "corrects", Found: true, From: "lv/vp", Outcomes: map[string]string{"it/dcpc": "delivered", "lv/vp": "delivered"}}
	r.Known.Relations = []Relation{known}
	if d := decide(t, r)[0]; d.Verdict != Delivered {
		t.Fatalf("%v", codes(d.Reasons))
	}
	known.From = "ee/pbgb"
	r.Known.Relations = []Relation{known}
	if d := decide(t, r)[0]; d.Verdict != Denied || !slices.Contains(codes(d.Reasons), "relation_unknown") {
		t.Errorf("%s %v", d.Verdict, codes(d.Reasons))
	}
}

// TestTreatyOfBoth: a treaty that one side alone declares, or that has ended for one of them, carries nothing.
func TestTreatyOfBoth(t *testing.T) {
	const line = `"ee-ua-police-2009"`
	m := with(eeLV(), meta{"transfer_basis": "led37_1a", "transfer_instrument": "ee-ua-police-2009"})
	for side, c := range map[string]struct{ old, new, want string }{
		"ua": {line, `"ee-ua-police-2010"`, "instrument_one_sided"}, "ee": {line, `"ee-ua-police-2010"`, "instrument_unknown"},
	} {
		for _, ends := range []bool{false, true} {
			in := Samples()
			src := string(in.Declared[side].Files[declaredFile])
			changed := strings.Replace(src, c.old, c.new, 1)
			if ends {
				at := strings.Index(src, line)
				changed, c.want = src[:at]+strings.Replace(src[at:], endless, "2026-11-21", 1), "instrument_lapsed"
			}
			in.Declared[side] = Source{Status: Sample, Files: map[string][]byte{declaredFile: []byte(changed)}}
			in.Rules = map[string]Source{"ee": in.Rules["ee"], "ua": in.Rules["ua"]}
			set, err := onSamples(in)
			if err != nil {
				t.Fatal(err)
			}
			ds, err := set.decide(context.Background(), time.Minute, request(t, "ee/pbgb", []string{"ua/npu"}, m))
			if err != nil || !slices.Equal(codes(ds[0].Reasons), []string{c.want}) {
				t.Errorf("%s, ended %v: %v %v", side, ends, err, codes(ds[0].Reasons))
			}
		}
	}
}

// TestNobodyCanNameAnother: the compiler of a jurisdiction has its own rules, the common helpers and the archetypes that
// it inherits, and nothing else.
func TestNobodyCanNameAnother(t *testing.T) {
	s := sampleSet(t)
	for j, layers := range s.layers {
		for _, l := range layers {
			for _, m := range l.compiler.Modules {
				pkg := m.Package.Path.String()
				if pkg != "data.liaison.lib" && !strings.HasPrefix(pkg, "data.liaison.archetype.") && !strings.HasPrefix(pkg, "data.jurisdiction."+j+".") || strings.HasSuffix(pkg, ".test") {
					t.Errorf("%s is compiled with %s", l.name, pkg)
				}
			}
		}
	}
}
