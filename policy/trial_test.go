package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWhyATestFails: of each test that fails, the expression that did not hold, what it saw, and the condition that was
// the cause.
func TestWhyATestFails(t *testing.T) {
	rules := finnishSend + said("national_limit", "Up to five years.", "deny contains \"national_limit\" if {\n\tinput.derived.personal == true\n\tinput.derived.retention_days > 1827\n}") +
		said("report_use", "Report.", "oblige contains {\"code\": \"report_use\", \"params\": {\"days\": 30}} if input.derived.personal == true")
	tests := finnishTest + `
with_days(n) := object.union(example.send, {"derived": object.union(example.send.derived, {"retention_days": n})})

from(j) := object.union(example.send, {"sender": object.union(example.send.sender, {"jurisdiction": j})})

test_denies_nothing if count(send.deny) == 0 with input as with_days(2000)

test_denies_at_once if send.deny == {"national_limit"} with input as with_days(100)

test_allows_others if send.allow with input as from("ee")

test_does_not_allow if not send.allow with input as example.send

test_days if {
	some o in send.oblige with input as example.send
	o.params.days == 31
}

test_every if {
	every x in send.deny { x == "other" } with input as with_days(2000)
}

test_helper_of_nothing if nothing_there(1)

nothing_there(x) if x == 2

todo_test_later if true
`
	d := draftOf(t, map[string]string{"send.rego": rules, "fi_test.rego": tests})
	r, err := d.Test(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		text    string
		values  []string
		because string // file:line text
		saw     string
	}{
		"test_denies_nothing": {"count(send.deny) == 0 with input as with_days(2000)",
			[]string{"count(send.deny) is 1", `send.deny is {"national_limit"}`, `deny "national_limit" is said by send.rego:18`}, "", ""},
		"test_denies_at_once": {`send.deny == {"national_limit"} with input as with_days(100)`,
			[]string{"send.deny is an empty set"}, "send.rego:20 input.derived.retention_days > 1827", "input.derived.retention_days is 100"},
		"test_allows_others": {`send.allow with input as from("ee")`, []string{"send.allow is false"},
			`send.rego:7 input.sender.jurisdiction == "fi"`, `input.sender.jurisdiction is "ee"`},
		"test_does_not_allow":    {"not send.allow with input as example.send", []string{"send.allow is true"}, "", ""},
		"test_days":              {"o.params.days == 31", []string{"o.params.days is 30"}, "", ""},
		"test_every":             {`every x in send.deny { x == "other" } with input as with_days(2000)`, []string{`send.deny is {"national_limit"}`}, "", ""},
		"test_helper_of_nothing": {"nothing_there(1)", []string{"nothing_there(1) is undefined"}, "", ""},
	}
	for _, one := range r.Tests {
		w, fails := want[one.Name]
		switch {
		case one.Name == "todo_test_later":
			if one.Pass || !strings.Contains(one.Error, "skipped") {
				t.Errorf("a skipped test: %+v", one)
			}
		case !fails:
			if !one.Pass {
				t.Errorf("%s fails", one.Name)
			}
		case one.Failure == nil:
			t.Errorf("%s: no failure: %+v", one.Name, one)
		default:
			delete(want, one.Name)
			f := one.Failure
			if f.Text != w.text || slices.ContainsFunc(w.values, func(v string) bool { return !slices.Contains(f.Values, v) }) {
				t.Errorf("%s: %q saw %q", one.Name, f.Text, f.Values)
			}
			var because, saw []string
			for _, c := range f.Because {
				because, saw = append(because, fmt.Sprintf("%s:%d %s", c.File, c.Line, c.Text)), append(saw, c.Values...)
			}
			if strings.Join(because, "; ") != w.because || strings.Join(saw, "; ") != w.saw {
				t.Errorf("%s: because %q, which saw %q", one.Name, because, saw)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not run: %v", want)
	}
}

// TestCoverageOfATest: which lines were gone through, by file; --run takes only some tests.
func TestCoverageOfATest(t *testing.T) {
	rules := finnishSend + said("national_limit", "No minors.", `deny contains "national_limit" if input.derived.minors == true`)
	d := draftOf(t, map[string]string{"send.rego": rules, "fi_test.rego": finnishTest})
	r, err := d.Test(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Coverage.Files; len(f) != 1 || f[0].File != "send.rego" || len(f[0].Uncovered) != 1 || f[0].Uncovered[0].Line != 18 ||
		!strings.HasPrefix(f[0].Uncovered[0].Text, "deny contains") || r.Coverage.Percent != 50 {
		t.Errorf("%+v", r.Coverage)
	}
	if r, err = d.Test(t.Context(), regexp.MustCompile("nothing")); err != nil || len(r.Tests) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
