package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEvaluate: the answer is what Decide says of the same package, with each layer's own say beside it.
func TestEvaluate(t *testing.T) {
	rules := finnishSend + said("national_limit", "No minors.", `deny contains "national_limit" if input.derived.minors == true`) +
		said("report_use", "Report.", `oblige contains {"code": "report_use", "params": {"days": 30}} if input.derived.personal == true`) +
		said("language_not_accepted", "English only.", "deny contains \"language_not_accepted\" if {\n\tinput.derived.personal == true\n\tinput.claimed.language != \"en\"\n}")
	d := draftOf(t, map[string]string{"send.rego": rules, "fi_test.rego": "package jurisdiction.fi.test\n\ntest_fails if 1 == 2\n"})
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	q := Question{From: "fi/pbgb", To: "lv/vp", Now: now, Justification: NewText("The suspects of the case live near the port of the recipient."), Trace: true}
	meta, err := d.ExampleMeta(q.From, now)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(old, text string) *Answer {
		t.Helper()
		q.Meta = []byte(strings.Replace(string(meta), old, text, 1))
		a, err := d.Evaluate(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	layer := func(a *Answer, name string) LayerAnswer {
		t.Helper()
		i := slices.IndexFunc(a.Layers, func(l LayerAnswer) bool { return l.Layer == name })
		if i < 0 {
			t.Fatalf("%s was not asked: %+v", name, a.Layers)
		}
		return a.Layers[i]
	}

	a := ask("", "")
	send := layer(a, "fi/send")
	if !send.Allow || len(send.Deny) > 0 || !slices.Equal(send.Oblige, []string{"report_use"}) {
		t.Errorf("fi/send: %+v", send)
	}
	failed := slices.IndexFunc(send.Traced, func(r TracedRule) bool { return r.Rule == `deny "language_not_accepted"` })
	if failed < 0 || send.Traced[failed].Holds || send.Traced[failed].Failed.Text != `input.claimed.language != "en"` ||
		!slices.Equal(send.Traced[failed].Failed.Values, []string{`input.claimed.language is "en"`}) {
		t.Errorf("traced: %+v", send.Traced)
	}

	a = ask(`"language": "en"`, `"language": "fi"`)
	if send = layer(a, "fi/send"); a.Decision.Verdict != Denied || !slices.Equal(send.Deny, []string{"language_not_accepted"}) {
		t.Errorf("%s: %+v", a.Decision.Verdict, send)
	}
	q.From, q.To = "lv/vp", "fi/pbgb"
	meta, _ = d.ExampleMeta(q.From, now)
	if rules := layer(ask("", ""), "fi/receive"); rules.Rules || !slices.Equal(rules.Deny, []string{codeRulesMissing}) {
		t.Errorf("fi/receive: %+v", rules)
	}

	for _, bad := range []Question{
		{From: "fi/pbgb", To: "xx/y", Meta: meta}, {From: "fi/none", To: "lv/vp", Meta: meta}, {From: "fi/pbgb", To: "fi/pbgb", Meta: meta},
		{From: "fi/pbgb", To: "lv/vp", Meta: []byte(`{"v": 1, "nothing": 2}`)}, {From: "fi/pbgb", To: "lv/vp", Meta: meta, Action: "print"},
	} {
		if a, err := d.Evaluate(t.Context(), bad); err == nil || errors.Is(err, ErrEngine) || a != nil {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
