package policy

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const draftDay = "2026-11-27"

// draftOf is a policy of Finland: what the start declares, and these files in the place of its rules.
func draftOf(t *testing.T, files map[string]string) *Desk {
	t.Helper()
	b := &Bundle{Jurisdiction: "fi", Files: map[string][]byte{declaredFile: []byte(strings.NewReplacer(
		`"ee`, `"fi`, "Estonia", "Finland", "Tallinn", "Helsinki", `"et"`, `"fi"`).Replace(string(Samples().Declared["ee"].Files[declaredFile])))}}
	for name, text := range files {
		b.Files[name] = []byte(text)
	}
	return NewDesk(b, Samples(), draftDay)
}

const (
	finnishSend = `# METADATA
# title: What Finland sends
package jurisdiction.fi.send

default allow := false

allow if input.sender.jurisdiction == "fi"
`
	finnishTest = `package jurisdiction.fi.test

import data.jurisdiction.fi.send
import data.liaison.example

test_sends if send.allow with input as example.send
`
)

// said is the metadata of a rule that says a code, and the rule.
func said(code, text, rule string) string {
	return "\n# METADATA\n# title: A rule\n# custom:\n#   code: " + code + "\n#   text:\n#     en: " + text + "\n#   fix:\n#     en: A fix.\n#   source: A law.\n" + rule + "\n"
}

// TestLints: each lint finds what it is for, at its place, and nothing in a rule beside it that is as it should be.
func TestLints(t *testing.T) {
	deny := func(text, when string) string {
		return said("national_limit", text, `deny contains "national_limit" if `+when)
	}
	for name, c := range map[string]struct {
		rules string // behind finnishSend
		tests string // behind finnishTest
		lib   string
		want  string // id, file:line:col and a part of the message; empty: nothing of the id below
		id    string
	}{
		"what common refuses":  {rules: deny("Not active.", "input.sender.active == false"), id: "no-effect", want: "common refuses all of it by rule R0 already"},
		"stricter than common": {rules: deny("Not for training.", `input.claimed.purpose == "prevention"`), id: "no-effect"},
		"an allow that common refuses": {rules: "\nallow if {\n\tinput.sender.jurisdiction == \"fi\"\n\tinput.sender.registered == false\n}\n",
			id: "no-effect", want: "allow has no effect here"},
		"conditions that exclude each other": {rules: deny("Never.", "{\n\tinput.derived.minors == true\n\tinput.derived.personal == true\n\tinput.derived.minors == false\n}"),
			id: "unreachable-rule", want: "never holds: this contradicts line 19"},
		"numbers that exclude each other": {rules: deny("Never.", "{\n\tinput.derived.subjects > 5\n\tinput.derived.subjects < 4\n}"),
			id: "unreachable-rule", want: "never holds"},
		"numbers that touch": {rules: deny("Exactly 5.", "{\n\tinput.derived.subjects >= 5\n\tinput.derived.subjects <= 5\n}"), id: "unreachable-rule"},
		"another sender": {rules: deny("Never.", `input.sender.jurisdiction == "ee"`), id: "unreachable-rule",
			want: `this package is asked only where input.sender.jurisdiction is "fi"`},
		"false":             {rules: deny("Never.", "false"), id: "unreachable-rule", want: "a condition is false"},
		"a negation":        {rules: deny("Never.", "{\n\tinput.derived.minors\n\tnot input.derived.minors\n}"), id: "unreachable-rule", want: "contradicts"},
		"the same rule":     {rules: strings.Repeat(deny("Minors.", "input.derived.minors == true"), 2), id: "duplicate-rule", want: "the same rule stands in send.rego, line 18"},
		"a number":          {rules: deny("At most 7 persons.", "input.derived.subjects > 9"), id: "text-number", want: "says 7, and the rule does not look at that number"},
		"the number":        {rules: deny("At most nine, that is 9, persons.", "input.derived.subjects > 9"), id: "text-number"},
		"years as days":     {rules: deny("Five years at most.", "input.derived.retention_days > 1827"), id: "text-number"},
		"six years as days": {rules: deny("Six years at most.", "input.derived.retention_days > 1827"), id: "text-number", want: "says Six year"},
		"a law's number":    {rules: deny("By art 12 of Directive (EU) 2016/680.", "input.derived.minors == true"), id: "text-number"},
		"a minor's age":     {rules: deny("No data of persons under 18.", "input.derived.minors == true"), id: "text-number"},
		"another age":       {rules: deny("No data of persons under 16.", "input.derived.minors == true"), id: "text-number", want: "says 16, and the rule does not look at that number"},
		"the number of a helper": {rules: "\nimport data.jurisdiction.fi.lib\n" + deny("At most 42.", "input.derived.subjects > lib.most"),
			lib: "# METADATA\n# title: The most\nmost := 42\n", id: "text-number"},
		"no title":           {lib: "most := 42\n", id: "metadata-missing", want: "most has no title"},
		"nobody uses it":     {lib: "# METADATA\n# title: The most\nmost := 42\n", id: "unused-helper", want: "nobody uses most"},
		"used by a test":     {lib: "# METADATA\n# title: The most\nmost := 42\n", tests: "\nimport data.jurisdiction.fi.lib\n\ntest_most if lib.most == 42\n", id: "unused-helper"},
		"used by its kind":   {lib: "# METADATA\n# title: The most\nmost := 42\n\n# METADATA\n# title: More\nmore := most\n", id: "unused-helper", want: "nobody uses more"},
		"no fix":             {rules: strings.Replace(said("national_review", "Wait.", `pend contains "national_review" if input.derived.minors == true`), "#   fix:\n#     en: A fix.\n", "", 1), id: "fix-missing", want: "pend national_review does not say what to do"},
		"a language":         {rules: deny("No minors.\n#     fi: Ei.", "input.derived.minors == true") + said("national_review", "Wait.", `pend contains "national_review" if input.derived.special == true`), id: "language-missing", want: `national_review has no text in "fi"`},
		"no test reaches it": {rules: deny("No minors.", "input.derived.minors == true"), id: "rule-not-tested", want: `no test makes deny "national_limit" hold`},
		"a test reaches it": {rules: deny("No minors.", "input.derived.minors == true"), id: "rule-not-tested",
			tests: "\ntest_minors if send.deny == {\"national_limit\"} with input as object.union(example.send, {\"derived\": object.union(example.send.derived, {\"minors\": true})})\n"},
		"no layers":     {id: "layer-missing", want: "there is no package jurisdiction.fi.receive"},
		"not formatted": {rules: "\n\n\n\nallow if   input.derived.personal == false\n", id: "format", want: "not formatted"},
		"one side only": {id: "declared-one-sided", want: "ua does not declare fi-ua-police-2009 with fi"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"send.rego": finnishSend + c.rules, "fi_test.rego": finnishTest + c.tests}
			if c.lib != "" {
				files["lib.rego"] = "# METADATA\n# title: Shared\npackage jurisdiction.fi.lib\n\n" + c.lib
			}
			for name, text := range files { // imports stand above the rules
				head, rest, found := strings.Cut(text, "\nimport data.jurisdiction.fi.lib\n")
				if found {
					files[name] = regexp.MustCompile(`(?m)^package .*$`).ReplaceAllString(head, "$0\n\nimport data.jurisdiction.fi.lib") + "\n" + rest
				}
			}
			found, err := draftOf(t, files).lint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var of []string
			for _, f := range found {
				if f.ID == c.id {
					of = append(of, f.Text("fi"))
				} else if f.Severity == SeverityError {
					t.Errorf("refused: %s", f.Text("fi"))
				}
			}
			if c.want == "" && len(of) > 0 || c.want != "" && !slices.ContainsFunc(of, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("%s: want %q, found:\n%s", c.id, c.want, strings.Join(of, ""))
			}
		})
	}
}

// TestLintsOfDates: what lapsed is found as of the day of the desk, not of the clock.
func TestLintsOfDates(t *testing.T) {
	d := draftOf(t, map[string]string{"send.rego": finnishSend, "fi_test.rego": finnishTest})
	d.Draft.Files[declaredFile] = []byte(strings.Replace(string(d.Draft.Files[declaredFile]), "9999-12-31", "2026-12-31", 1))
	d = NewDesk(d.Draft, Samples(), draftDay)
	for day, want := range map[string]int{"2026-12-31": 0, "2027-01-01": 1} {
		d.Today = day
		found, err := d.lint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lapsed := slices.DeleteFunc(found, func(f Finding) bool { return f.ID != "declared-lapsed" })
		if len(lapsed) != want || want == 1 && lapsed[0].Line == 0 {
			t.Errorf("on %s: %v", day, lapsed)
		}
	}
}

// TestLooserThanCommon: a number of days above the least that reaches the jurisdiction is told with that rule's place.
func TestLooserThanCommon(t *testing.T) {
	in := Samples()
	in.Common.Files = maps.Clone(in.Common.Files)
	in.Common.Files["rcp_report.rego"] = []byte("package liaison.common.rcp\n\n# METADATA\n# title: Report\n# custom:\n#   rule: R13\n#   code: report_use\n#   text:\n#     en: Report.\n#   source: A law.\n#   evidence: V\noblige contains {\"code\": \"report_use\", \"params\": {\"days\": 90}} if input.derived.personal == true\n")
	for days, want := range map[string]bool{"91": true, "90": false, "30": false} {
		files := map[string]string{"fi_test.rego": finnishTest, "send.rego": finnishSend + said("report_use", "Report.",
			`oblige contains {"code": "report_use", "params": {"days": `+days+`}} if input.derived.personal == true`)}
		found, err := NewDesk(draftOf(t, files).Draft, in, draftDay).lint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(found, func(f Finding) bool { return f.ID == "no-effect" && strings.Contains(f.Message, "says 90") })
		if got != want {
			t.Errorf("%s days: %v, found %v", days, got, found)
		}
	}
}

// TestEveryCheckIsExplained: what --list says of each is complete, and every finding of Build and of the lints is on it.
func TestEveryCheckIsExplained(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range Checks() {
		if ids[c.ID] || c.Why == "" || c.Fix == "" || c.Severity != SeverityError && c.Severity != SeverityWarning {
			t.Errorf("%+v", c)
		}
		ids[c.ID] = true
	}
	in := withRules(map[string]string{"send.rego": "package jurisdiction.ee.send\n\nx := y\n\nz if z\n\nallow if input.nothing == 1\n"})
	for _, f := range findingsOf(t, in) {
		if !ids[f.ID] {
			t.Errorf("%q is no check that --list explains: %s", f.ID, f)
		}
	}
}
