package policy

import (
	"errors"
	"strings"
	"testing"
)

// refusal builds the samples with one file of one input replaced, and returns what was found.
func refusal(t *testing.T, input, file, text string) []Finding {
	t.Helper()
	in := Samples()
	src := in.Rules[inputOwner(input)]
	if strings.HasPrefix(input, "declared/") {
		src = in.Declared[inputOwner(input)]
	}
	files := map[string][]byte{}
	for p, b := range src.Files {
		files[p] = b
	}
	files[file] = []byte(text)
	src.Files = files
	if strings.HasPrefix(input, "declared/") {
		in.Declared[inputOwner(input)] = src
	} else {
		in.Rules[inputOwner(input)] = src
	}
	_, err := onSamples(in)
	var refused *BuildError
	if !errors.As(err, &refused) {
		t.Fatalf("built: %v", err)
	}
	return refused.Findings
}

// TestFindingPointsAtItsPlace: every refusal of a text says where, and shows the line with a caret under it.
func TestFindingPointsAtItsPlace(t *testing.T) {
	declared := string(Samples().Declared["ee"].Files[declaredFile])
	for name, c := range map[string]struct{ input, file, text, want string }{
		"syntax": {"rules/ee", "more.rego", "package jurisdiction.ee.lib\n\nx := [1,\n",
			"dir/more.rego:4: error: unexpected eof token [parse]\n"},
		"a tab before it": {"rules/ee", "more.rego", "package jurisdiction.ee.lib\n\nx if {\n\tinput.claimed.languag == \"et\"\n}\n",
			"error: input.claimed has no member \"languag\" [type]\n  | \tinput.claimed.languag == \"et\"\n  | \t^\n  fix: did you mean language?\n"},
		"letters of two bytes": {"rules/ee", "more.rego", "package jurisdiction.ee.lib\n\nx if \"õõ\" == \"õ\"\n",
			"[contract]\n  | x if \"õõ\" == \"õ\"\n  |      ^\n"},
		"a package of another": {"rules/ee", "more.rego", "package jurisdiction.lv.send\n",
			"dir/more.rego:1:1: error: unknown package jurisdiction.lv.send"},
		"a failing test": {"rules/ee", "more_test.rego", "package jurisdiction.ee.test\n\ntest_no if 1 == 2\n",
			"dir/more_test.rego:3:1: error: test test_no does not pass [test]\n  | test_no if 1 == 2\n  | ^\n"},
		"declared: an unknown member": {"declared/ee", declaredFile, strings.Replace(declared, `"name"`, `"nam"`, 1),
			"error: declared: unknown member \"nam\" [contract]\n  |   \"nam\": \"Estonia\",\n  |   ^\n"},
		"declared: a value": {"declared/ee", declaredFile, strings.Replace(declared, `"spoc"`, `"spook"`, 1),
			"  |       \"type\": \"spook\",\n  |               ^\n"},
		"declared: no JSON": {"declared/ee", declaredFile, strings.Replace(declared, `"kind": `, `"kind" `, 1),
			"declared.json:5:10: error: declared: not a JSON text"},
		"declared: an agency of another": {"declared/ee", declaredFile, strings.ReplaceAll(declared, `"ee/pbgb"`, `"lv/pbgb"`),
			"error: declared: agency lv/pbgb is not of ee [contract]\n  |       \"id\": \"lv/pbgb\",\n  |             ^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			found := refusal(t, c.input, c.file, c.text)
			if text := found[0].Text("dir"); !strings.Contains(text, c.want) {
				t.Errorf("got\n%s\nwant\n%s", text, c.want)
			}
		})
	}
}

// TestFindingSteersNoTerminal: what an author's file holds is shown, and does nothing.
func TestFindingSteersNoTerminal(t *testing.T) {
	found := refusal(t, "rules/ee", "more.rego", "package jurisdiction.ee.lib\n\nx := \"\x1b[2J\u202e\" + nothing\n")
	for _, f := range found {
		if text := f.Text("dir"); strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%q", text)
		}
	}
}
