package report

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liaison-exchange/liaison/audit"
)

// light is an entry without what no report counts.
func light(e audit.Entry) audit.Entry {
	kept := e
	kept.Prev, kept.Exchange, kept.CaseRef, kept.Consultation, kept.Request, kept.ContentKind, kept.Engine = "", "", "", "", "", "", ""
	kept.CrimeAreas, kept.Conditions, kept.Statement, kept.Revisions = nil, nil, nil, nil
	if e.Outcome != denied {
		kept.Decisions = nil
	}
	return kept
}

// FuzzRead: what the verifier's parser takes, in the form in which the journal
// writes it, is read alike, but for what is left out; anything else never
// panics.
func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	e, err := audit.ParseEntry(sample(f))
	if err != nil {
		f.Fatal(err)
	}
	e.Outcome, e.Count, e.Relations, e.Problem = denied, 7, []audit.Relation{{Package: pack(1), Relation: answers}}, "\"quoted\\ and <tagged> \u2028 \U0001F600"
	e.Truncated = map[string]int{"rules": 3}
	e.Details = map[string]string{"a\"b": "c\\d", "subjects": "3"}
	raw, err := e.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, s := range []string{"", "{", "{}", `{"owner"`, `{"owner":1}`, `{"seq":-1}`, `{"statement":{"a":[{"b":"]}"}]}}`, `{"x":}`, `{"x":1]`, `{"time":"2026-11-22T08:00:00Z","x":{"y":[1,2,{"z":null}]},"recipients":["a","b"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := read(raw)
		want, parsed := audit.ParseEntry(raw)
		if parsed != nil {
			return
		}
		again, encoded := want.Encode()
		if encoded != nil || string(again) != string(raw) {
			return // not as the journal writes it
		}
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(light(want), *got, cmp.Comparer(func(a, b map[string]string) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) })); diff != "" {
			t.Fatalf("%s: (-parsed +read):\n%s", raw, diff)
		}
	})
}
