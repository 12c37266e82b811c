package policy

import (
	"bytes"
	"fmt"
	"maps"
	"testing"
	"time"
)

// TestMakeTest: a test that was made of a decision passes with the rules that decided, in the form of OPA's formatter,
// and fails when a rule says something else.
func TestMakeTest(t *testing.T) {
	s := sampleSet(t)
	c := newCorpus(t, s, 5)
	for range 40 {
		ds, err := sampleEngine(t).Decide(t.Context(), c.request(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			j := jurisdictionOf(d.Recipient)
			said, err := s.Said(t.Context(), time.Minute, j, d.Input)
			if err != nil {
				t.Fatal(err)
			}
			if len(said) == 0 {
				continue // no country is asked about a notice
			}
			f, err := MakeTest(j, "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "denied", d.Input, said)
			if err != nil {
				t.Fatal(err)
			}
			if f.Name != "decision_2a4b5c6d_test.rego" || f.Test != "test_decision_2a4b5c6d" {
				t.Errorf("%s %s", f.Name, f.Test)
			}
			in := Samples()
			rules := in.Rules[j]
			rules.Files = maps.Clone(rules.Files)
			rules.Files[f.Name] = f.Text
			in.Rules[j] = rules
			if _, err := BuildOn(s, in); err != nil {
				t.Fatalf("%v\n%s", err, f.Text)
			}
			for _, l := range said {
				l.Parts["allow"] = map[string]string{"true": "false", "false": "true"}[l.Parts["allow"]]
			}
			other, err := MakeTest(j, "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "denied", d.Input, said)
			if err != nil || bytes.Equal(other.Text, f.Text) {
				t.Fatal(err)
			}
			rules.Files[f.Name] = other.Text
			if _, err := BuildOn(s, in); err == nil {
				t.Fatal("a test of the contrary passes too")
			}
			return
		}
	}
	t.Fatal("no decision that a country was asked about")
}

// TestOthersInput: what only the sender's side may know is not in what others get; all else is, and it is an input.
func TestOthersInput(t *testing.T) {
	r := request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"originator": []any{"it/dcpc", "ee/pbgb"}}))
	r.Justification, r.Known.Counters.Derogations = NewText(reason+reason), map[string]int{"lv": 77}
	d := decide(t, r)[0]
	others, err := d.Input.Others("lv")
	if err != nil {
		t.Fatal(err)
	}
	length := fmt.Sprintf(`"length":%d`, r.Justification.Length)
	for _, secret := range []string{`"derogations_this_year":77`, `"it/dcpc","emergency"`, length} {
		if bytes.Contains(others.Shared, []byte(secret)) || bytes.Contains(others.Own, []byte(secret)) {
			t.Errorf("it shows %s", secret)
		}
	}
	if !bytes.Contains(d.Input.Own, []byte(`"derogations_this_year":77`)) || !bytes.Contains(d.Input.Own, []byte(`"it/dcpc","emergency"`)) || !bytes.Contains(d.Input.Shared, []byte(length)) {
		t.Fatalf("the secrets are written otherwise: %s %s", d.Input.Shared, d.Input.Own)
	}
	if _, err := readRecorded(others); err != nil {
		t.Error(err)
	}
	said, err := sampleSet(t).Said(t.Context(), time.Minute, "lv", others)
	if err != nil || len(said) != 1 || said[0].Package != "jurisdiction.lv.receive" || said[0].Parts["allow"] != "true" {
		t.Errorf("%+v, %v", said, err)
	}
}
