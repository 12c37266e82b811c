package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const sendHead = "package jurisdiction.ee.send\n\ndefault allow := false\n\nallow if input.sender.active == true\n\n"

// doc is the metadata that a rule with this code needs.
func doc(code string) string {
	return "# METADATA\n# custom:\n#   code: " + code + "\n#   text:\n#     en: A text.\n#   fix:\n#     en: A fix.\n#   source: A law.\n"
}

// withRules returns the samples with other rules of Estonia.
func withRules(files map[string]string) Inputs {
	in := Samples()
	src := Source{Files: map[string][]byte{}, Status: Sample, Seq: 2}
	for p, s := range files {
		src.Files[p] = []byte(s)
	}
	in.Rules = map[string]Source{"ee": src, "lv": in.Rules["lv"]}
	return in
}

func findingsOf(t *testing.T, in Inputs) []Finding {
	t.Helper()
	s, err := onSamples(in)
	if err == nil {
		return nil
	}
	var be *BuildError
	if !errors.As(err, &be) || s != nil || len(be.Findings) == 0 {
		t.Fatalf("not a build error with findings: %v", err)
	}
	return be.Findings
}

// TestRefusedAtActivation: each of these would fail open, reach outside, or say what nobody understands.
func TestRefusedAtActivation(t *testing.T) {
	lang := doc("language_not_accepted")
	cases := []struct {
		name, send string
		line       int
		message    string
	}{
		{"a rule named dney", sendHead + lang + `dney contains "language_not_accepted" if input.claimed.language != "en"`, 15, "dney has no place"},
		{"a package named sned", strings.Replace(sendHead, ".send", ".sned", 1), 1, "unknown package jurisdiction.ee.sned"},
		{"the package of another", strings.Replace(sendHead, ".ee.", ".lv.", 1), 1, "unknown package jurisdiction.lv.send"},
		{"the package of the library", "package liaison.common.rcp\n", 1, "unknown package liaison.common.rcp"},
		{"default allow := true", strings.Replace(sendHead, "false", "true", 1), 3, "default allow := false"},
		{"no default", "package jurisdiction.ee.send\n\nallow if input.sender.active == true", 1, "needs default allow := false"},
		{"an allow that is not boolean", "package jurisdiction.ee.send\n\ndefault allow := false\n\nallow := input.claimed.case_ref", 5, "nothing but true or false"},
		{"an allow that is a string", "package jurisdiction.ee.send\n\ndefault allow := false\n\nallow := \"true\" if input.sender.active == true", 5, "nothing but true or false"},
		{"a deny that is no set", sendHead + "deny := false", 7, "deny is a set"},
		{"a deny that is a map", sendHead + "deny.language_not_accepted := 1", 7, "has no place"},
		{"else", "package jurisdiction.ee.send\n\ndefault allow := false\n\nallow if input.sender.active == false\nelse := true", 5, "else has no place"},
		{"a helper in an entry package", sendHead + "helper := 1", 7, "helper has no place"},
		{"an unknown code", sendHead + doc("language_not_acepted") + `deny contains "language_not_acepted" if input.claimed.language != "en"`, 15, "language_not_acepted is not a code of kind deny"},
		{"a code of another kind", sendHead + doc("no_onward") + `deny contains "no_onward" if input.claimed.language != "en"`, 15, "no_onward is not a code of kind deny"},
		{"a code without a text", sendHead + `deny contains "language_not_accepted" if input.claimed.language != "en"`, 7, "has no metadata"},
		{"a foreign rule id", sendHead + strings.Replace(lang, "#   code", "#   rule: R28\n#   code", 1) + `deny contains "language_not_accepted" if input.claimed.language != "en"`, 16, "does not begin with ee-"},
		{"with outside tests", sendHead + lang + `deny contains "language_not_accepted" if data.jurisdiction.ee.send.allow with input.claimed.language as "en"`, 15, "with is for tests"},
		{"a member that the input does not have", sendHead + lang + `deny contains "language_not_accepted" if not input.claimed.langauge == "en"`, 15, "has no member"},
		{"a constant that the enum does not have", sendHead + lang + `deny contains "language_not_accepted" if input.claimed.purpose == "investigations"`, 15, `"investigations" can never be there`},
		{"such a constant under not", sendHead + lang + `deny contains "language_not_accepted" if not input.claimed.purpose == "investigations"`, 15, `"investigations" can never be there`},
		{"such a constant in a list", sendHead + lang + `deny contains "language_not_accepted" if input.claimed.purpose in {"prevention", "inspection"}`, 15, `"inspection" can never be there`},
		{"such a constant of an element", sendHead + lang + "deny contains \"language_not_accepted\" if {\n\tsome s in input.claimed.subjects\n\ts.category == \"suspekt\"\n}", 17, `"suspekt" can never be there`},
		{"such a constant in a list of codes", sendHead + lang + `deny contains "language_not_accepted" if "drugs" in input.claimed.crime_areas`, 15, `"drugs" can never be there`},
		{"a negated comparison with such a constant", sendHead + lang + `deny contains "language_not_accepted" if input.recipient.tier != "T4"`, 15, `"T4" can never be there`},
		{"an order between types", sendHead + lang + `deny contains "language_not_accepted" if input.derived.subjects > "500"`, 15, "orders a number with a string"},
		{"an order between a date and a number", sendHead + lang + `deny contains "language_not_accepted" if input.claimed.retention.erase_by > 2026`, 15, "orders a string with a number"},
		{"an order with a count", sendHead + lang + `deny contains "language_not_accepted" if count(input.claimed.subjects) > "5"`, 15, "orders a number with a string"},
		{"an inequality between types", sendHead + lang + `deny contains "language_not_accepted" if input.claimed.strict_necessity != "true"`, 15, "compares a boolean with a string"},
		{"the rules of another", sendHead + lang + `deny contains "language_not_accepted" if data.jurisdiction.lv.send.allow`, 15, "only data.jurisdiction.ee"},
		{"the rules of another by import", strings.Replace(sendHead, "\n\n", "\n\nimport data.jurisdiction.lv.lib\n\n", 1), 3, "only data.jurisdiction.ee"},
		{"the baseline", sendHead + lang + `deny contains "language_not_accepted" if data.liaison.common.pkg.allow`, 15, "only data.jurisdiction.ee"},
		{"all data", sendHead + lang + `deny contains "language_not_accepted" if count(data) > 0`, 15, "may be named"},
		{"a computed reference", sendHead + lang + `deny contains "language_not_accepted" if data.jurisdiction[input.sender.jurisdiction].send.allow`, 15, "may be named"},
		{"a reference that is not ground", sendHead + lang + `deny contains "language_not_accepted" if data.jurisdiction.ee.lib.x[input.claimed.purpose]`, 15, "must be ground"},
		{"the network", sendHead + lang + `deny contains "language_not_accepted" if http.send({"method": "get", "url": "http://localhost"}).status_code == 200`, 15, "undefined function http.send"},
		{"a name server", sendHead + lang + `deny contains "language_not_accepted" if count(net.lookup_ip_addr("localhost")) > 0`, 15, "undefined function net.lookup_ip_addr"},
		{"the runtime", sendHead + lang + `deny contains "language_not_accepted" if opa.runtime().env.HOME == "/"`, 15, "undefined function opa.runtime"},
		{"the clock", sendHead + lang + `deny contains "language_not_accepted" if time.now_ns() > 0`, 15, "undefined function time.now_ns"},
		{"chance", sendHead + lang + `deny contains "language_not_accepted" if rand.intn("x", 2) == 1`, 15, "undefined function rand.intn"},
		{"a memory bomb by text", sendHead + lang + `deny contains "language_not_accepted" if concat("", ["a", "b"]) == "ab"`, 15, "undefined function concat"},
		{"a memory bomb by format", sendHead + lang + `deny contains "language_not_accepted" if sprintf("%1000000000d", [1]) == "x"`, 15, "undefined function sprintf"},
		{"a memory bomb by lists", sendHead + lang + `deny contains "language_not_accepted" if count(array.concat([1], [2])) == 2`, 15, "undefined function array.concat"},
		{"a memory bomb by squares", sendHead + lang + `deny contains "language_not_accepted" if 3 * 3 == 9`, 15, "undefined function mul"},
		{"a memory bomb by range", sendHead + lang + `deny contains "language_not_accepted" if count(numbers.range(1, 1000000000)) == 2`, 15, "undefined function numbers.range"},
		{"a large number", sendHead + lang + `deny contains "language_not_accepted" if input.derived.subjects == 1e999999999`, 15, "number too big"},
		{"a number that is not whole", sendHead + lang + `deny contains "language_not_accepted" if input.derived.subjects > 1.5`, 15, "not an integer"},
		{"a loop", sendHead + lang + "deny contains \"language_not_accepted\" if {\n\tsome a in " + thousand + "\n\tsome b in " + thousand + "\n\tsome c in " + thousand + "\n\ta + b + c == -1\n}", 0, "takes more than"},
		{"recursion", sendHead + lang + `deny contains "language_not_accepted" if count(data.jurisdiction.ee.send.deny) > 0`, 15, "recursive"},
		{"two values", sendHead, 0, ""},
		{"syntax of version 0", "package jurisdiction.ee.send\n\ndefault allow = false\n\ndeny[\"language_not_accepted\"] {\n\tinput.claimed.language != \"en\"\n}\n", 5, "`if` keyword is required"},
		{"a byte order mark", "\ufeff" + sendHead, 1, "byte order mark"},
		{"not Rego", "{}", 1, ""},
		{"nothing", "", 0, "empty module"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := withRules(map[string]string{"send.rego": c.send})
			if c.name == "two values" {
				in = withRules(map[string]string{"send.rego": sendHead, "extra.bin": "x"})
				c.message = "not a file of this input"
			}
			list := findingsOf(t, in)
			for _, f := range list {
				if f.Input == "rules/ee" && strings.Contains(f.Message, c.message) && (c.line == 0 || f.Line == c.line) && f.File != "" || c.line == 0 && strings.Contains(f.Message, c.message) {
					return
				}
			}
			t.Fatalf("want line %d: …%s…, found: %v", c.line, c.message, list)
		})
	}
}

var thousand = "[" + strings.TrimSuffix(strings.Repeat("1, ", 999), ", ") + "]"

// TestAccepted: what the checks above must not refuse.
func TestAccepted(t *testing.T) {
	lib := "package jurisdiction.ee.lib\n\nis_lead(s) if s.category == \"suspect\"\n\nareas := {\"drug_trafficking\"}\n"
	send := strings.Replace(sendHead, "\n\n", "\n\nimport data.jurisdiction.ee.lib\nimport data.liaison.lib as common\n\n", 1) + doc("language_not_accepted") + `deny contains "language_not_accepted" if {
	some s in input.claimed.subjects
	lib.is_lead(s)
	not common.leaves
	some area in input.claimed.crime_areas
	area in lib.areas
	input.claimed.retention.erase_by > "2026-01-01"
	"national:ee:x" in input.claimed.crime_areas
	count(input.claimed.subjects) > 3
}
`
	if list := findingsOf(t, withRules(map[string]string{"send.rego": send, "lib.rego": lib})); list != nil {
		t.Fatal(list)
	}
	// A mistyped constant is found through a function, too.
	bad := strings.Replace(lib, "suspect", "suspekt", 1)
	list := findingsOf(t, withRules(map[string]string{"send.rego": send, "lib.rego": bad}))
	if len(list) != 1 || list[0].File != "lib.rego" || list[0].Line != 3 {
		t.Fatal(list)
	}
}

// TestOwnTestsAreRun: a test that fails, is skipped, or does not compile refuses the rules.
func TestOwnTestsAreRun(t *testing.T) {
	head := "package jurisdiction.ee.test\n\nimport data.jurisdiction.ee.send\nimport data.liaison.example\n\n"
	for name, c := range map[string]struct{ test, want string }{
		"passes":       {"test_ok if send.allow with input as example.send", ""},
		"fails":        {"test_no if not send.allow with input as example.send", "test test_no does not pass"},
		"is skipped":   {"todo_test_no if not send.allow with input as example.send", "does not pass: it is skipped"},
		"is wrong":     {"test_no if nothing.at(all)", "undefined function"},
		"runs forever": {"test_no if {\n\tsome a in " + thousand + "\n\tsome b in " + thousand + "\n\tsome c in " + thousand + "\n\ta + b + c == -1\n}", "the tests take more than"},
		"peeks":        {"test_no if data.jurisdiction.lv.send.allow", "only data.jurisdiction.ee"},
	} {
		t.Run(name, func(t *testing.T) {
			list := findingsOf(t, withRules(map[string]string{"send.rego": sendHead, "send_test.rego": head + c.test + "\n"}))
			if c.want == "" && list == nil {
				return
			}
			if c.want == "" || len(list) == 0 || !strings.Contains(list[0].Message, c.want) {
				t.Fatalf("want %q: %v", c.want, list)
			}
		})
	}
}

// TestSizes: what is too large is refused before it is parsed.
func TestSizes(t *testing.T) {
	many := map[string]string{}
	for i := range MaxFiles + 1 {
		many[fmt.Sprint("f", i, ".rego")] = sendHead
	}
	var rules strings.Builder
	rules.WriteString("package jurisdiction.ee.lib\n")
	for i := range maxRules + 1 {
		fmt.Fprintf(&rules, "a%d := 1\n", i)
	}
	for name, files := range map[string]map[string]string{
		"a file":     {"send.rego": sendHead + strings.Repeat("# x\n", MaxFileSize/4)},
		"all files":  {"a.rego": strings.Repeat("# xx\n", 13000), "b.rego": strings.Repeat("# xx\n", 13000), "c.rego": strings.Repeat("# xx\n", 13000), "d.rego": strings.Repeat("# xx\n", 13000), "e.rego": strings.Repeat("# xx\n", 13000)},
		"many files": many,
		"many rules": {"lib.rego": rules.String()},
		"a path":     {"../send.rego": sendHead},
	} {
		if list := findingsOf(t, withRules(files)); list == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSamplesNeedLeave: samples load only where they are allowed, at both doors.
func TestSamplesNeedLeave(t *testing.T) {
	in := Samples()
	in.AllowSamples = false
	if list := findingsOf(t, in); list == nil {
		t.Error("Build took samples without leave")
	}
	e := NewEngine(Config{})
	if err := e.Activate(sampleSet(t)); err == nil || e.Set() != nil {
		t.Error("an engine without leave activated samples")
	}
	if err := e.Activate(nil); err == nil {
		t.Error("nothing was activated")
	}
}

// slowRules loop for one case only, which no worst-case corpus can know.
func slowRules() Inputs {
	return withRules(map[string]string{"send.rego": sendHead + doc("language_not_accepted") + "deny contains \"language_not_accepted\" if {\n\tinput.claimed.case_ref == \"LOOP\"\n\tsome a in " + thousand + "\n\tsome b in " + thousand + "\n\tsome c in " + thousand + "\n\ta + b + c == -1\n}\n"})
}

// TestDeadline: rules that do not end are cut; that is an engine failure, neither a permission nor a denial.
func TestDeadline(t *testing.T) {
	s, err := onSamples(slowRules())
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: 50 * time.Millisecond})
	if err := e.Activate(s); err != nil {
		t.Fatal(err)
	}
	ds, err := e.Decide(context.Background(), request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"case_ref": "LOOP"})))
	if !errors.Is(err, ErrEngine) || ds != nil {
		t.Fatalf("want ErrEngine and nothing else: %v, %v", ds, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	long := NewEngine(Config{AllowSamples: true, Timeout: time.Hour})
	if err := long.Activate(s); err != nil {
		t.Fatal(err)
	}
	if ds, err := long.Decide(ctx, request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"case_ref": "LOOP"}))); !errors.Is(err, ErrEngine) || ds != nil {
		t.Fatalf("a caller that has gone: %v, %v", ds, err)
	}
}

// TestEngineFailuresPermitNothing: an error of a builtin under not, and two values of one rule, are failures of the
// engine. Neither is an undefined value that a negation could turn into a permission.
func TestEngineFailuresPermitNothing(t *testing.T) {
	head := "package jurisdiction.ee.send\n\nimport data.jurisdiction.ee.lib\n\ndefault allow := false\n\n"
	for name, files := range map[string]map[string]string{
		"an error of a builtin": {"send.rego": strings.Replace(head, "import data.jurisdiction.ee.lib\n\n", "", 1) + "allow if {\n\tinput.claimed.case_ref == \"LOOP\"\n\tnot substring(input.claimed.case_ref, -1, 1) == \"x\"\n}\n"},
		"two values": {
			"send.rego": head + "allow if not lib.level == 3\n",
			"lib.rego":  "package jurisdiction.ee.lib\n\ndefault level := 0\n\nlevel := 1 if input.claimed.case_ref == \"LOOP\"\n\nlevel := 2 if input.claimed.language == \"en\"\n",
		},
	} {
		s, err := onSamples(withRules(files))
		if err != nil {
			t.Fatal(name, err)
		}
		ds, err := s.decide(context.Background(), 10*time.Second, request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"case_ref": "LOOP"})))
		if !errors.Is(err, ErrEngine) || ds != nil {
			t.Errorf("%s: %v, %v", name, ds, err)
		}
	}
}

// TestSendLooksAtRecipient: rules that look at the recipient, also by way of a helper or of the whole input, are asked
// for each; others once.
func TestSendLooksAtRecipient(t *testing.T) {
	deny := doc("counterpart_not_accepted") + "deny contains \"counterpart_not_accepted\" if "
	lib := "package jurisdiction.ee.lib\n\nbad if input.recipient.jurisdiction == \"lv\"\n\nat(x) := x.recipient.jurisdiction\n"
	imported := strings.Replace(sendHead, "\n\n", "\n\nimport data.jurisdiction.ee.lib\n\n", 1)
	for rule, want := range map[string]bool{
		imported + deny + `lib.bad`: true, imported + deny + `lib.at(input) == "lv"`: true, sendHead + deny + `input.recipient.jurisdiction == "lv"`: true,
		sendHead + deny + `input.claimed.language == "lv"`: false,
	} {
		s, err := onSamples(withRules(map[string]string{"send.rego": rule, "lib.rego": lib}))
		if err != nil {
			t.Fatal(rule, err)
		}
		if got := s.layers["ee"]["send"].recipient; got != want {
			t.Errorf("%s: looks at the recipient: %v", rule, got)
		}
		r := request(t, "ee/pbgb", []string{"lv/vp", "it/dcpc"}, eeLV())
		ds, err := s.decide(context.Background(), 10*time.Second, r)
		if err != nil {
			t.Fatal(err)
		}
		if denied := slices.Contains(codes(ds[0].Reasons), "counterpart_not_accepted"); denied != want {
			t.Errorf("%s: denied %v", rule, denied)
		}
	}
}
