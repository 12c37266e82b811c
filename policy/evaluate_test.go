package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// TestExplainInput: a recorded input is decided and explained without an exchange, in whatever order its names are, and
// as an exchange answers it; what is none is told where.
func TestExplainInput(t *testing.T) {
	d := draftOf(t, map[string]string{"send.rego": finnishSend + said("national_limit", "No minors.", `deny contains "national_limit" if input.derived.minors == true`)})
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	q := Question{From: "fi/pbgb", To: "lv/vp", Now: now, Justification: NewText("The suspects of the case live near the port of the recipient.")}
	meta, err := d.ExampleMeta(q.From, now)
	if err != nil {
		t.Fatal(err)
	}
	q.Meta = []byte(strings.Replace(string(meta), `"minors": "none"`, `"minors": "u18"`, 1))
	asked, err := d.Evaluate(t.Context(), q)
	if err != nil || asked.Decision.Verdict != Denied {
		t.Fatal(asked, err)
	}
	in := asked.Decision.Input
	var all map[string]any
	for _, part := range [][]byte{in.Shared, in.Own} {
		if err := json.Unmarshal(part, &all); err != nil {
			t.Fatal(err)
		}
	}
	backward := backwards(all)
	for name, text := range map[string]string{
		"one object": backward, "the answer of an exchange": `{"id": "x", "own": ` + string(in.Own) + `, "shared": ` + string(in.Shared) + `}`,
	} {
		answer, why, err := d.ExplainInput(t.Context(), []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b := why.find("fi/send", "national_limit")
		if answer.Decision.Verdict != Denied || answer.From != "fi/pbgb" || answer.Action != ActionSend || b == nil || b.File != "rules/fi/send.rego" ||
			!slices.ContainsFunc(b.Conditions, func(c string) bool { return strings.HasPrefix(c, "derived.minors is true") }) {
			t.Errorf("%s: %+v %+v", name, answer.Decision, b)
		}
	}
	for old, want := range map[string]string{`"language":"en"`: "at the member language", `"id":"lv/vp"`: "at the member id", `"now":`: "at the member now"} {
		text := `{"own": ` + strings.Replace(string(in.Own), old, old[:3]+"x"+old[3:], 1) + `, "shared": ` + strings.Replace(string(in.Shared), old, old[:3]+"x"+old[3:], 1) + `}`
		if _, _, err := d.ExplainInput(t.Context(), []byte(text)); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v, not %s", old, err, want)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"own": 1, "shared": {}}`, `{"own": {}, "shared": {}}`, `{"own": null, "shared": {}}`} {
		if _, _, err := d.ExplainInput(t.Context(), []byte(text)); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// backwards writes a JSON value with the names in the other order, and with space.
func backwards(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, name := range sortedKeys(v) {
			parts = append(parts, fmt.Sprintf("%q : %s", name, backwards(v[name])))
		}
		slices.Reverse(parts)
		return "{ " + strings.Join(parts, " , ") + " }"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, backwards(e))
		}
		return "[ " + strings.Join(parts, " , ") + " ]"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// TestFurthestCondition: of a body that is tried with each of several elements, the condition that failed is the one
// that was got furthest to, whatever was tried after it.
func TestFurthestCondition(t *testing.T) {
	rules := finnishSend + said("national_limit", "No victims abroad.", "deny contains \"national_limit\" if {\n\tsome s in input.claimed.subjects\n\ts.category == \"suspect\"\n\ts.count > 100\n}")
	d := draftOf(t, map[string]string{"send.rego": rules})
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	q := Question{From: "fi/pbgb", To: "lv/vp", Now: now, Justification: NewText("The suspects of the case live near the port of the recipient."), Trace: true}
	example, err := d.ExampleMeta(q.From, now)
	if err != nil {
		t.Fatal(err)
	}
	group := func(category string) meta {
		return meta{"category": category, "count": 2, "minors": "none", "data_categories": []string{"a"}, "link": "direct"}
	}
	for name, subjects := range map[string][]any{
		"the last":  {group("victim"), group("suspect")},
		"the first": {group("suspect"), group("victim")}, // the next one fails sooner
	} {
		var m meta
		if err := json.Unmarshal(example, &m); err != nil {
			t.Fatal(err)
		}
		m["subjects"] = subjects
		if q.Meta, err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
		a, err := d.Evaluate(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found := ""
		for _, l := range a.Layers {
			for _, r := range l.Traced {
				if l.Layer == "fi/send" && r.Failed != nil && r.Rule == `deny "national_limit"` {
					found += r.Failed.Text
				}
			}
		}
		if found != "s.count > 100" {
			t.Errorf("%s: it failed at %q", name, found)
		}
	}
}
