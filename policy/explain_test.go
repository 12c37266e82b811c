package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// explain decides a request and explains the first decision.
func explain(t testing.TB, r Request) (*Explanation, Decision) {
	t.Helper()
	d := decide(t, r)[0]
	x, err := sampleSet(t).Explain(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return x, d
}

// find is what was said of a code in a layer.
func (x *Explanation) find(layer, code string) *Because {
	for _, l := range x.Layers {
		for i := range l.Because {
			if l.Layer == layer && l.Because[i].Code == code {
				return &l.Because[i]
			}
		}
	}
	return nil
}

// TestExplain: of each denial, pend and obligation the rule and the condition that decided it, in words.
func TestExplain(t *testing.T) {
	group := func(changes meta) meta {
		return meta{"subjects": []any{with(eeLV()["subjects"].([]any)[0].(meta), changes)}}
	}
	for name, c := range map[string]struct {
		sender, to  string
		change      meta
		layer, code string
		want        []string
		file        string
	}{
		"met, of several conditions": {
			"ee/pbgb", "lv/vp", meta{"case_ref": "x", "classification": "c_ue"}, LayerCommon, "classification_too_high",
			nil, "common/pkg.rego",
		},
		"met, one member of another": {
			"ee/pbgb", "lv/vp", meta{"purpose_change": nil, "original_purpose": "prevention"}, LayerCommon, "purpose_change_unjustified",
			[]string{`derived.purpose_change is "unjustified" (claimed.purpose is "investigation", claimed.original_purpose is "prevention", ` +
				`claimed.purpose_change.law_ref is "", claimed.purpose_change.necessity is false, claimed.purpose_change.proportionality is false), ` +
				`and the rule asks for "none", or for "justified"`}, "common/pkg.rego",
		},
		"met, a helper": {
			"ee/pbgb", "ua/npu", with(group(nil), meta{"transfer_basis": "led36"}), LayerCommon, "adequacy_missing",
			nil, "common/rcp",
		},
		"deny by a limit": {
			"ee/pbgb", "lv/vp", group(meta{"count": 501}), "lv/receive", "too_many_subjects",
			[]string{"derived.subjects is 501, more than 500"}, "rules/lv/receive.rego",
		},
		"deny by a negated membership": {
			"ee/pbgb", "lv/vp", meta{"language": "et"}, "lv/receive", "language_not_accepted",
			[]string{`claimed.language is "et", none of "en", "lv"`}, "rules/lv/receive.rego",
		},
		"deny by a list of a helper package": {
			"ee/pbgb", "by/mia", nil, "ee/send", "counterpart_not_accepted",
			[]string{
				`recipient.jurisdiction is "by", one of "by", "ru"`,
				`it does not hold that a basis for vital interests and for an immediate and serious threat: claimed.transfer_basis is "internal_eu", and the rule asks for one of "led38_1a", "led38_1c"`,
			}, "rules/ee/send.rego",
		},
		"oblige": {
			"ee/pbgb", "lv/vp", nil, "lv/receive", "erase_within",
			[]string{"derived.personal is true (derived.subjects is 2)"}, "rules/lv/receive.rego",
		},
	} {
		t.Run(name, func(t *testing.T) {
			x, d := explain(t, request(t, c.sender, []string{c.to}, with(eeLV(), c.change)))
			b := x.find(c.layer, c.code)
			if b == nil {
				t.Fatalf("%s says nothing of %s: %+v\n%v", c.layer, c.code, x, codes(d.Reasons))
			}
			if c.want != nil && !slices.Equal(b.Conditions, c.want) {
				t.Errorf("conditions %q, want %q", b.Conditions, c.want)
			}
			if len(b.Conditions) == 0 || !strings.HasPrefix(b.File, c.file) || b.Line == 0 || b.Title == "" {
				t.Errorf("%+v", b)
			}
		})
	}
}

// TestExplainSaysWhatWasDecided: over a random corpus the explanation has exactly the reasons and obligations of the
// decision, each with a rule of a file and at least one condition.
func TestExplainSaysWhatWasDecided(t *testing.T) {
	c, e := newCorpus(t, sampleSet(t), 11), sampleEngine(t)
	for range torture.Size(20, 200) {
		ds, err := e.Decide(t.Context(), c.request(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			x, err := c.set.Explain(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			checkExplained(t, d, x)
		}
	}
}

// TestWorkedOut: what is told of the origin of a value names members that there are, and what is told is of the package
// or the parties.
func TestWorkedOut(t *testing.T) {
	for member, sources := range workedOut {
		for _, path := range append(slices.Clone(sources), strings.TrimPrefix(member, "input.")) {
			s := inputShape
			for _, name := range strings.Split(path, ".") {
				if s = s.member(name); s == nil {
					t.Fatalf("%s: the input has no %s", member, path)
				}
			}
		}
	}
}

// TestExplainMask: of a reason that is not for the reader only that its layer decided stays; files of rules are for those
// whose rules they are; what only the sender knows is not shown to others.
func TestExplainMask(t *testing.T) {
	group := eeLV()["subjects"].([]any)[0].(meta)
	r := request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"subjects": []any{with(group, meta{"count": 501})}, "purpose": "missing_person"}))
	r.Justification = NewText("short")
	x, _ := explain(t, r)
	for i := range x.Layers {
		if x.Layers[i].Layer == "lv/receive" {
			x.Layers[i].Because[0].Audience = AudienceOwn
		}
	}
	x.find(LayerCommon, "justification_insufficient").Audience = AudienceAll
	said := func(x *Explanation, layer string) LayerExplanation {
		i := slices.IndexFunc(x.Layers, func(l LayerExplanation) bool { return l.Layer == layer })
		return x.Layers[i]
	}
	sender, recipient := x.Mask("ee/pbgb", true), x.Mask("lv/vp", false)
	if l := said(sender, "lv/receive"); !l.Hidden || l.Said != Denied || len(l.Because) != 1 || l.Because[0].Kind != kindOblige || l.Because[0].File != "" {
		t.Errorf("the sender sees %+v", l)
	}
	if l := said(recipient, "lv/receive"); l.Hidden || len(l.Because) != 2 || l.Because[0].File == "" {
		t.Errorf("the recipient sees %+v", l)
	}
	mine, theirs := sender.find(LayerCommon, "justification_insufficient"), recipient.find(LayerCommon, "justification_insufficient")
	if want := []string{`derived.justified is false (justification.length is 5, justification.stock_phrase is true, claimed.case_ref is "EE-2026-0117"), and the rule asks for true`}; !slices.Equal(mine.Conditions, want) {
		t.Errorf("the sender reads %q", mine.Conditions)
	}
	if !slices.Equal(theirs.Conditions, []string{privateCondition}) || theirs.File == "" {
		t.Errorf("the recipient reads %+v", theirs)
	}
	if x.find("lv/receive", "too_many_subjects").File == "" {
		t.Error("masking changed what it masks")
	}
}

func checkExplained(t *testing.T, d Decision, x *Explanation) {
	t.Helper()
	said := map[string]bool{}
	var denied bool
	for _, l := range x.Layers {
		denied = denied || l.Said == Denied
		for _, b := range l.Because {
			said[b.Kind+" "+b.Code] = true
			engine := slices.Contains(engineCodes, b.Code) && b.Code != codeNotAllowed
			if !engine && (b.File == "" || b.Line == 0 || len(b.Conditions) == 0) {
				t.Errorf("%s of %s: no rule or no condition: %+v", b.Code, l.Layer, b)
			}
			if slices.ContainsFunc(b.Conditions, func(w string) bool {
				return w == "" || strings.Contains(w, "__local") || strings.Contains(w, "something")
			}) {
				t.Errorf("%s: %q", b.Code, b.Conditions)
			}
		}
	}
	if denied != (d.Verdict == Denied) || x.Verdict != d.Verdict {
		t.Errorf("it is %s, and explained as denied: %v", d.Verdict, denied)
	}
	for _, r := range d.Reasons {
		if kind := map[string]string{Denied: kindDeny, Pending: kindPend}[d.Verdict]; !said[kind+" "+r.Code] {
			t.Errorf("%s is not explained", r.Code)
		}
	}
	for _, o := range d.Obligations {
		if !said[kindOblige+" "+o.Code] {
			t.Errorf("obligation %s is not explained", o.Code)
		}
	}
}
