package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestInputKeepsItsSchema: what Go builds is what the published schema says, for requests of every kind.
func TestInputKeepsItsSchema(t *testing.T) {
	var raw any
	if err := json.Unmarshal(inputSchema, &raw); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("input.json", raw); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("input.json")
	if err != nil {
		t.Fatal(err)
	}
	metas := []meta{eeLV(), with(eeLV(), meta{"originator": []any{"se/noa", "lv/vp"}, "not_in_time": true, "relates_to": []any{meta{"package": "p", "relation": "forwards"}}})}
	var large meta
	if err := json.Unmarshal([]byte(largestMeta()), &large); err != nil {
		t.Fatal(err)
	}
	for _, m := range append(metas, large) {
		r := request(t, "ee/pbgb", []string{"ua/npu"}, m)
		r.Texts = texts("urgency", "unknown_to_all")
		r.Known = Known{
			Relations: []Relation{{Package: "p", Relation: "forwards", Found: true, MessageType: "answer", From: "it/dcpc", Handling: "H1", Conditions: []string{"covert_only", "nonsense"}}},
			Approvals: []Approval{{Recipient: "ua/npu", Codes: []string{"a"}, By: "originator", Jurisdiction: "lv"}},
		}
		d := decide(t, r)[0]
		merged, err := mergeInput(d.Input)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(merged.Value.String()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Error(err)
		}
		total(t, "input", inputShape, v)
	}
}

// total fails when a member of the schema is absent.
func total(t *testing.T, path string, s *shape, v any) {
	t.Helper()
	switch s.kind {
	case kindObject:
		m := v.(map[string]any)
		for _, f := range s.fields {
			if _, ok := m[f.name]; !ok {
				t.Errorf("%s.%s is absent", path, f.name)
				continue
			}
			total(t, path+"."+f.name, f.shape, m[f.name])
		}
	case kindArray:
		for _, e := range v.([]any) {
			total(t, path+"[]", s.items, e)
		}
	}
}

// withoutRequired returns a copy of a value for each required member, without that member.
func withoutRequired(s *shape, v any) []any {
	var out []any
	switch s.kind {
	case kindObject:
		m := v.(map[string]any)
		for _, f := range s.fields {
			child, ok := m[f.name]
			if !ok {
				continue
			}
			if f.required {
				cut := maps.Clone(m)
				delete(cut, f.name)
				out = append(out, cut)
			}
			for _, variant := range withoutRequired(f.shape, child) {
				changed := maps.Clone(m)
				changed[f.name] = variant
				out = append(out, changed)
			}
		}
	case kindArray:
		list := v.([]any)
		for i := range list {
			for _, variant := range withoutRequired(s.items, list[i]) {
				changed := slices.Clone(list)
				changed[i] = variant
				out = append(out, changed)
			}
		}
	}
	return out
}

// TestNothingRequiredMayBeMissing: with any required member taken away, no package goes.
func TestNothingRequiredMayBeMissing(t *testing.T) {
	var m any
	if err := json.Unmarshal(mustJSON(t, eeLV()), &m); err != nil {
		t.Fatal(err)
	}
	variants := withoutRequired(claimedShape, m)
	if len(variants) < 25 {
		t.Fatalf("only %d variants", len(variants))
	}
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	for _, v := range variants {
		r.Claimed = mustJSON(t, v)
		if d := decide(t, r)[0]; d.Verdict != Denied || d.Reasons[0].Code != codeMetaInvalid {
			t.Errorf("%s: %s", r.Claimed, d.Verdict)
		}
	}
}

// TestOptionalMembers: an absent optional member never makes the verdict milder than the strictest value of it does.
func TestOptionalMembers(t *testing.T) {
	full := meta{
		"europol_purpose": "cross_check", "strict_necessity": true, "hr_attestation": true, "art10_ground": "authorised_by_law",
		"balancing": meta{"result": "transfer_prevails"}, "assurances": []any{"no_death_penalty", "no_inhuman_treatment"},
	}
	// Each of these is only delivered because of one optional member.
	cases := map[string]struct {
		sender, recipient string
		meta              meta
	}{
		"europol_purpose":  {"ee/pbgb", "europol/ops", with(eeLV(), full)},
		"strict_necessity": {"ee/pbgb", "europol/ops", with(with(eeLV(), full), meta{"europol_purpose": "operational", "subjects": []any{group("victim", 1)}})},
		"hr_attestation":   {"ua/npu", "ee/pbgb", from("ua/npu", "ua-police-law", with(full, meta{"transfer_basis": "non_eu_law"}))},
		"balancing":        {"ee/pbgb", "ua/npu", with(with(eeLV(), full), meta{"transfer_basis": "led38_1d", "urgency": urgentLife})},
		"assurances":       {"it/dcpc", "by/mia", from("it/dcpc", "it-public-security-act", with(full, meta{"transfer_basis": "led38_1a", "urgency": urgentLife}))},
	}
	for name, c := range cases {
		r := request(t, c.sender, []string{c.recipient}, c.meta)
		r.Texts = texts("strict_necessity", "urgency")
		if d := decide(t, r)[0]; d.Verdict != Delivered {
			t.Errorf("%s: %s: %v", name, d.Verdict, codes(d.Reasons))
		}
		r.Claimed = mustJSON(t, with(c.meta, meta{name: nil}))
		if d := decide(t, r)[0]; d.Verdict != Denied {
			t.Errorf("without %s: %s", name, d.Verdict)
		}
	}
}

// TestMetaIsStrict: what the schema does not have is denied, as nothing that a policy could misread.
func TestMetaIsStrict(t *testing.T) {
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	base := string(r.Claimed)
	for name, text := range map[string]string{
		"an unknown member":    strings.Replace(base, `"v":1`, `"v":1,"note":"x"`, 1),
		"a member twice":       strings.Replace(base, `"v":1`, `"v":1,"v":1`, 1),
		"a number as text":     strings.Replace(base, `"v":1`, `"v":"1"`, 1),
		"a float":              strings.Replace(base, `"count":2`, `"count":2.5`, 1),
		"a large number":       strings.Replace(base, `"count":2`, `"count":9007199254740993`, 1),
		"an infinite one":      strings.Replace(base, `"count":2`, `"count":1e400`, 1),
		"null":                 strings.Replace(base, `"count":2`, `"count":null`, 1),
		"a list for an object": strings.Replace(base, `{"level":"routine"}`, `["routine"]`, 1),
		"an unknown code":      strings.Replace(base, `"investigation"`, `"curiosity"`, 1),
		"a date that is none":  strings.Replace(base, "2028-11-22", "2028-02-30", 1),
		"two texts":            base + base, "half a text": base[:len(base)/2], "nothing": "", "no object": "[]",
	} {
		if text == base {
			t.Fatalf("%s: nothing was changed", name)
		}
		r.Claimed = []byte(text)
		if d := decide(t, r)[0]; d.Verdict != Denied || d.Reasons[0].Code != codeMetaInvalid {
			t.Errorf("%s: %s", name, d.Verdict)
		}
	}
}

// FuzzDecide is best run with -fuzzminimizetime=5x: the engine has pools, so coverage varies and minimising takes long.
func FuzzDecide(f *testing.F) {
	base := mustJSON(f, eeLV())
	f.Add(base, uint8(0))
	f.Add([]byte(largestMeta()), uint8(7))
	f.Add([]byte(`{"v":1,"ext":{"ee":{}}}`), uint8(0))
	f.Add([]byte(strings.Replace(string(base), `"fact"`, `"\u0066act"`, 1)), uint8(20))
	s := sampleSet(f)
	req := request(f, "ee/pbgb", []string{"lv/vp"}, eeLV())
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		r := req
		r.Claimed = b
		ds, err := s.decide(context.Background(), time.Minute, r)
		if err != nil {
			t.Fatal(err)
		}
		if ds[0].Verdict == Denied {
			return
		}
		var m any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("delivered what is not JSON: %s", b)
		}
		variants := withoutRequired(claimedShape, m)
		r.Claimed = mustJSON(t, variants[int(cut)%len(variants)])
		if ds, err := s.decide(context.Background(), time.Minute, r); err != nil || ds[0].Verdict != Denied {
			t.Fatalf("%v: delivered without a required member: %s", err, r.Claimed)
		}
	})
}

func FuzzParseDeclared(f *testing.F) {
	for _, j := range []string{"ee", "europol"} {
		b, err := os.ReadFile("jurisdictions/" + j + "/declared.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"v":1,"V":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDeclared(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseDeclared(again)
		if err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		twice, _ := json.Marshal(back)
		if !bytes.Equal(again, twice) {
			t.Fatalf("%s and %s", again, twice)
		}
		for _, a := range d.Agencies {
			if jurisdictionOf(a.ID) != d.Jurisdiction {
				t.Fatalf("%s declares %s", d.Jurisdiction, a.ID)
			}
		}
	})
}
