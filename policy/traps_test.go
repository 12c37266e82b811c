package policy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// activator has common compiled and the samples' declarations, so that the rules of one jurisdiction can be activated
// over and over.
var activator = sync.OnceValues(func() (*builder, error) {
	in := Samples()
	in.Rules = nil
	b := &builder{ctx: context.Background(), in: in, found: &findings{}, set: &Set{
		declared: map[string]*Declared{}, layers: map[string]map[string]*layer{}, samples: map[string]bool{},
		revisions: map[string]string{}, sources: map[string]Source{},
	}}
	return b, errors.Join(b.data(), b.baseline())
})

// activateEE does with rules of Estonia what Build does.
func activateEE(t testing.TB, files map[string]string) (*Set, []Finding) {
	t.Helper()
	b, err := activator()
	if err != nil {
		t.Fatal(err)
	}
	src := map[string][]byte{}
	for p, s := range files {
		src[p] = []byte(s)
	}
	return b.activate(src)
}

// trap is Rego that a policy author could write: a body of allow or deny, and helpers.
type trap struct {
	name, head, body, lib string
	want                  string // part of the finding; "" when it is accepted
}

// files writes the trap as files of Estonia. The body begins in line 10 of an allow and in line 18 of a deny.
func (c trap) files() map[string]string {
	body := "{\n\t" + strings.ReplaceAll(c.body, "\n", "\n\t") + "\n}\n"
	send := "package jurisdiction.ee.send\n\n# line 3\n\ndefault allow := false\n\n"
	if strings.Contains(c.body, "lib.") && !strings.Contains(c.body, "ee.lib") {
		send = strings.Replace(send, "# line 3", "import data.jurisdiction.ee.lib", 1)
	}
	switch c.head {
	case "allow":
		send += "# line 7\n# line 8\nallow if " + body
	default:
		send += "allow if input.sender.active == true\n\n" + doc("language_not_accepted") + "deny contains \"language_not_accepted\" if " + body
	}
	return map[string]string{"send.rego": send, "lib.rego": "package jurisdiction.ee.lib\n\nused := 1\n\n" + c.lib + "\n"}
}

// TestTraps: what an author means and what Rego makes of it differ here, and the difference would open something.
// Each is refused at activation with a message that says how to write it, and the way to write it is accepted.
func TestTraps(t *testing.T) {
	const (
		noValue    = "is undefined where none of its conditions holds"
		noFalse    = "true or undefined, never false"
		noCond     = "is no condition"
		noName     = "a name that the object does not have"
		ofEmpty    = "holds for an empty list"
		ofOne      = "as soon as one element is another"
		noMost     = "max of an empty list is undefined"
		isComputed = "a computed one may not be there"
	)
	for _, c := range []trap{
		// undefined, and under not
		{"a misspelt member under not", "deny", `not input.claimed.urgency.levl == "urgent"`, "", "has no member"},
		{"a misspelt member of an alias", "deny", "u := input.claimed.urgency\nnot u.levl == \"urgent\"", "", "has no member"},
		{"a misspelt fact", "allow", `not input.facts.rout == "outside"`, "", "has no member"},
		{"a helper with a value and no default, under not", "deny", `not lib.limit > input.derived.subjects`, `limit := 5 if input.claimed.purpose == "prevention"`, noValue},
		{"a helper with a value and no default", "deny", `input.derived.subjects > lib.limit`, `limit := 5 if input.claimed.purpose == "prevention"`, noValue},
		{"a helper with a value and a default", "deny", `input.derived.subjects > lib.limit`, "default limit := 5\n\nlimit := 50 if input.claimed.purpose == \"prevention\"", ""},
		{"a function that knows some arguments only", "deny", `input.derived.subjects > lib.limit(input.recipient.jurisdiction)`, `limit("lv") := 5`, noValue},
		{"a function that knows equal arguments only", "deny", `lib.f(input.sender.id, input.recipient.id) == 1`, `f(x, x) := 1`, noValue},
		{"a function with a default", "deny", `input.derived.subjects > lib.limit(input.recipient.jurisdiction)`, "default limit(_) := 1\n\nlimit(j) := 5 if j == \"lv\"", ""},
		{"a function for all arguments", "deny", `lib.age(input.derived.subjects) > 5`, `age(x) := x + 1`, ""},
		{"an else without an end", "deny", `input.derived.subjects > lib.limit`, "limit := 5 if input.claimed.purpose == \"prevention\"\nelse := 6 if input.claimed.purpose == \"detection\"", noValue},
		{"an else with an end", "deny", `input.derived.subjects > lib.limit`, "limit := 5 if input.claimed.purpose == \"prevention\"\nelse := 6", ""},
		{"a flag that is compared with false", "deny", `lib.ok == false`, `ok if input.sender.active == true`, noFalse},
		{"a flag that is not equal to true", "deny", `lib.ok != true`, `ok if input.sender.active == true`, noFalse},
		{"a flag of a function that is compared with false", "deny", `lib.ok(input.claimed.purpose) == false`, `ok(p) if p == "prevention"`, noFalse},
		{"a flag with a default that is compared with false", "deny", `lib.ok == false`, "default ok := false\n\nok if input.sender.active == true", ""},
		{"a flag under not", "deny", `not lib.ok`, `ok if input.sender.active == true`, ""},
		{"a helper that is true by default", "allow", `lib.ok`, "default ok := true\n\nok := false if input.claimed.purpose == \"prevention\"", "true by default"},
		{"two values and no default", "deny", `lib.ok == false`, "ok := true if input.sender.active == true\n\nok := false if input.sender.active == false", noValue},
		{"a table that does not have everybody", "deny", "limits := {\"lv\": 3}\ninput.derived.subjects > limits[input.recipient.jurisdiction]", "", noName},
		{"a table of a helper", "deny", "limits := lib.limits\ninput.derived.subjects > limits[input.recipient.jurisdiction]", `limits := {"lv": 3}`, noName},
		{"a table of partial rules", "deny", "limits := lib.limits\nnot limits[input.recipient.jurisdiction] == 3", "limits[j] := 3 if some j in {\"lv\"}", noName},
		{"a table with a default", "deny", "limits := lib.limits\ninput.derived.subjects > object.get(limits, input.recipient.jurisdiction, 1)", `limits := {"lv": 3}`, ""},
		{"a table that is gone through", "deny", "limits := lib.limits\nsome j, n in limits\nj == input.recipient.jurisdiction\ninput.derived.subjects > n", `limits := {"lv": 3}`, ""},
		{"a set of names", "allow", "closed := lib.closed\nnot closed[input.recipient.jurisdiction]", `closed := {"by"}`, ""},
		{"the name of a table with in", "deny", "limits := lib.limits\ninput.recipient.jurisdiction in limits", `limits := {"lv": 3}`, "match error"},
		{"the first of a list", "deny", `input.claimed.subjects[0].category == "victim"`, "", "one element of a list"},
		{"the first of a list under not", "allow", `not input.claimed.subjects[0].category == "victim"`, "", "one element of a list"},
		{"a computed member", "deny", "k := \"purpos\"\nnot input.claimed[k] == \"prevention\"", "", isComputed},
		{"every member", "deny", "some k\ninput[k].jurisdiction == \"lv\"", "", isComputed},
		{"object.get with a misspelt name", "deny", `object.get(input.claimed, "urgensy", "x") == "urgent"`, "", "object.get on a part of the input"},
		{"object.get with a default that opens", "allow", `object.get(input.claimed, ["urgency", "lvl"], "routine") == "routine"`, "", "object.get on a part of the input"},
		{"object.get of what is no table", "allow", `object.get(input.recipient, "tier", "t0") == "t0"`, "", "object.get on a part of the input"},

		// conditions that always hold
		{"a text as a condition", "allow", `input.claimed.original_purpose`, "", noCond},
		{"a text under not", "deny", `not input.claimed.case_ref`, "", noCond},
		{"a number as a condition", "allow", `input.derived.subjects`, "", noCond},
		{"a list under not", "deny", `not input.claimed.subjects`, "", noCond},
		{"a set of a helper under not", "deny", `not lib.languages`, `languages := {"en"}`, noCond},
		{"a number of a helper", "allow", `lib.limit`, `limit := 0`, noCond},
		{"a value of a function", "allow", `lib.level(input.claimed.purpose)`, "default level(_) := 0\n\nlevel(p) := 3 if p == \"prevention\"", noCond},
		{"a count as a condition", "allow", `count(input.claimed.prior_authorisation)`, "", noCond},
		{"a count under not", "deny", `not count(input.claimed.subjects)`, "", noCond},
		{"a count of what is missing", "deny", `count(input.claimed.subject) == 0`, "", "has no member"},
		{"a sum as a condition", "allow", `sum([s.count | some s in input.claimed.subjects])`, "", noCond},
		{"a difference as a condition", "allow", `input.derived.subjects - 5`, "", noCond},
		{"a text of a function of the language", "allow", `lower(input.claimed.purpose)`, "", noCond},
		{"a constant text", "allow", `"false"`, "", noCond},
		{"a flag as a condition", "allow", `input.claimed.strict_necessity`, "", ""},
		{"a single equals sign", "allow", `x = input.claimed.strict_necessity`, "", "= gives a name"},
		{"a single equals sign with a constant", "deny", `input.claimed.language = "lv"`, "", "= gives a name"},
		{"an unused name", "allow", `x := input.claimed.strict_necessity`, "", "unused"},

		// nothing, and one of many
		{"every subject in an allow", "allow", "every s in input.claimed.subjects {\n\ts.category == \"suspect\"\n}", "", ofEmpty},
		{"every subject in a helper of an allow", "allow", `lib.ok`, "ok if {\n\tevery s in input.claimed.subjects {\n\t\ts.category == \"suspect\"\n\t}\n}", ofEmpty},
		{"every subject in a helper of a helper", "allow", `lib.fine`, "fine if ok\n\nok if {\n\tevery s in input.claimed.subjects {\n\t\ts.category == \"suspect\"\n\t}\n}", ofEmpty},
		{"every subject in a helper that a denial negates", "deny", `not lib.ok`, "ok if {\n\tevery s in input.claimed.subjects {\n\t\ts.category == \"suspect\"\n\t}\n}", ofEmpty},
		{"every subject in a function", "allow", `lib.ok(input.claimed.subjects)`, "ok(list) if {\n\tevery s in list {\n\t\ts.category == \"suspect\"\n\t}\n}", ofEmpty},
		{"every subject where the helper is compared", "allow", `lib.ok == true`, "default ok := false\n\nok if {\n\tevery s in input.claimed.subjects {\n\t\ts.category == \"suspect\"\n\t}\n}", ofEmpty},
		{"every subject of at least one", "allow", "count(input.claimed.subjects) > 0\nevery s in input.claimed.subjects {\n\ts.category == \"suspect\"\n}", "", ""},
		{"every subject of a name, at least one", "allow", "list := input.claimed.subjects\ncount(list) >= 1\nevery s in list {\n\ts.category == \"suspect\"\n}", "", ""},
		{"every subject of at least none", "allow", "count(input.claimed.subjects) >= 0\nevery s in input.claimed.subjects {\n\ts.category == \"suspect\"\n}", "", ofEmpty},
		{"every subject of another list", "allow", "count(input.claimed.relates_to) > 0\nevery s in input.claimed.subjects {\n\ts.category == \"suspect\"\n}", "", ofEmpty},
		{"every element of a list that is never empty", "allow", "every a in input.claimed.crime_areas {\n\ta in {\"terrorism\"}\n}", "", ""},
		{"every subject in a denial", "deny", "every s in input.claimed.subjects {\n\ts.category == \"suspect\"\n}", "", ""},
		{"an every inside an every", "allow", "count(input.claimed.subjects) > 0\nevery s in input.claimed.subjects {\n\tevery c in s.special_categories {\n\t\tc == \"health\"\n\t}\n}", "", ofEmpty},
		{"a mistyped code under every", "deny", "every s in input.claimed.subjects {\n\ts.category == \"suspekt\"\n}", "", "can never be there"},
		{"one area that is not terrorism", "allow", "some a in input.claimed.crime_areas\na != \"terrorism\"", "", ofOne},
		{"one area that is not terrorism, short", "allow", `input.claimed.crime_areas[_] != "terrorism"`, "", ofOne},
		{"one subject that is no victim", "allow", "some s in input.claimed.subjects\ns.category != \"victim\"\ns.minors != \"u15\"", "", ofOne},
		{"one subject that is no victim, in a helper that a denial negates", "deny", `not lib.ok`, "ok if {\n\tsome s in input.claimed.subjects\n\ts.category != \"victim\"\n}", ofOne},
		{"one subject that is no victim, in a denial", "deny", "some s in input.claimed.subjects\ns.category != \"suspect\"", "", ""},
		{"one suspect that is no child", "allow", "some s in input.claimed.subjects\ns.category == \"suspect\"\ns.minors != \"u15\"", "", ""},
		{"no area is terrorism", "allow", `not "terrorism" in input.claimed.crime_areas`, "", ""},

		{"the most of a list in a denial", "deny", "max([s.count | some s in input.claimed.subjects]) > 5", "", noMost},
		{"the least of a list in a denial", "deny", "n := min({s.count | some s in input.claimed.subjects})\nn < 5", "", "min of an empty list"},
		{"the most of a list under not in a denial", "deny", "not max([s.count | some s in input.claimed.subjects]) < 5", "", noMost},
		{"the most of a list in a helper of a denial", "deny", "lib.many", "many if max([s.count | some s in input.claimed.subjects]) > 5", noMost},
		{"the most of a list as a helper's value", "deny", "lib.most > 5", "most := max([s.count | some s in input.claimed.subjects])", noMost},
		{"the most of a list in a helper that an allow negates", "allow", "not lib.many", "many if max([s.count | some s in input.claimed.subjects]) > 5", noMost},
		{"the most of a list of an element", "deny", "count([s | some s in input.claimed.subjects\n\tmax({c | some c in s.special_categories}) == \"health\"]) > 0", "", noMost},
		{"the most of a list under every in a denial", "deny", "every s in input.claimed.subjects {\n\tmax({c | some c in s.special_categories}) == \"health\"\n}", "", noMost},
		{"the most of a list of another guard", "deny", "count(input.claimed.relates_to) > 0\nmax([s.count | some s in input.claimed.subjects]) > 5", "", noMost},
		{"the most of a list that is counted", "deny", "list := [s.count | some s in input.claimed.subjects]\ncount(list) > 0\nmax(list) > 5", "", ""},
		{"the most of a list with a least", "deny", "max({0} | {s.count | some s in input.claimed.subjects}) > 5", "", ""},
		{"the most of numbers", "deny", "max([input.derived.subjects, 3]) > 5", "", ""},
		{"the most of the numbers of a helper", "deny", "max(lib.limits) > input.derived.subjects", "limits := [5, 7]", ""},
		{"the most of a list that is never empty", "deny", `max(input.claimed.crime_areas) == "terrorism"`, "", ""},
		{"the most of a list in an allow", "allow", "max([s.count | some s in input.claimed.subjects]) < 5", "", ""},

		// types
		{"null", "deny", `input.claimed.case_ref != null`, "", "a string with a null"},
		{"equal to null", "deny", `input.claimed.case_ref == null`, "", "match error"},
		{"null that is ordered", "deny", `input.derived.subjects > null`, "", "a number with a null"},
		{"a set where a text is", "deny", `input.claimed.purpose == {"prevention"}`, "", "match error"},
		{"a set that is not equal to a text", "deny", `input.claimed.purpose != {"prevention"}`, "", "a string with a set"},
		{"a set that is not equal to a list", "deny", `input.claimed.crime_areas != {"terrorism"}`, "", "a list with a set"},
		{"a list in a set of codes", "deny", `not input.claimed.crime_areas in {"terrorism"}`, "", "match error"},
		{"something in a text", "deny", `"by" in input.recipient.jurisdiction`, "", "has no elements"},
		{"a number in a set of texts", "deny", `not input.derived.subjects in {"1", "2"}`, "", "match error"},
		{"a part of an object", "deny", `input.claimed.urgency == {"level": "urgent"}`, "", "match error"},
		{"arithmetic with a text", "deny", `input.claimed.retention.erase_by - 5 > 0`, "", "invalid argument"},
		{"two codes that have nothing in common", "deny", `input.claimed.purpose == input.claimed.art10_ground`, "", "no value in common"},
		{"two codes that have nothing in common and are not equal", "deny", `input.claimed.purpose != input.claimed.transfer_basis`, "", "no value in common"},
		{"a code among codes of another kind", "deny", `not input.claimed.transfer_basis in input.sender.competences`, "", "no value in common"},
		{"a code that begins with what none begins with", "deny", `startswith(input.recipient.tier, "T")`, "", "is never so"},
		{"a code that ends with what none ends with", "deny", `endswith(input.claimed.purpose, "-ion")`, "", "is never so"},
		{"a code with a part that none has", "allow", `not contains(input.claimed.classification, 1)`, "", "invalid argument"},
		{"a code that begins with what some begin with", "deny", `startswith(input.claimed.transfer_basis, "led38")`, "", ""},
		{"a jurisdiction in capitals", "deny", `input.recipient.jurisdiction == "BY"`, "", `"BY" can never be there`},
		{"a jurisdiction in other letters", "deny", `input.recipient.jurisdiction in {"bу"}`, "", "not ASCII"},
		{"an agency with a hyphen", "deny", `input.sender.id == "by-mia"`, "", `"by-mia" can never be there`},
		{"a language of three letters", "deny", `not input.claimed.language in {"eng"}`, "", `"eng" can never be there`},
		{"a date that is none", "deny", `input.claimed.retention.erase_by == "2026-02-30"`, "", "can never be there"},
		{"a date in another order", "deny", `input.claimed.retention.erase_by > "31.12.2026"`, "", "orders a date"},
		{"a year as a date", "deny", `input.claimed.retention.erase_by < "2027"`, "", "orders a date"},
		{"no date", "deny", `input.claimed.retention.erase_by == ""`, "", ""},
		{"a number that is out of bounds", "deny", `input.derived.subjects == -1`, "", "can never be there"},
		{"a mistyped enum by a name", "deny", "p := input.claimed.purpose\np == \"prevension\"", "", "can never be there"},
		{"a mistyped enum in a set of a helper", "deny", `input.claimed.purpose in lib.purposes`, `purposes := {"prevension"}`, "can never be there"},

		// names
		{"a shadowed input", "deny", "some input in input.claimed.crime_areas\ninput == \"terrorism\"", "", ""},
		{"input as an argument", "deny", `lib.f(input.claimed)`, `f(input) if input.purpose == "prevention"`, "must not shadow input"},
		{"input as a helper", "deny", `input.sender.active == false`, `input := 1`, "must not shadow input"},
		{"a helper in other letters", "deny", `lib.оk`, `оk if input.sender.active == false`, "illegal token"},
		{"a helper that is not there", "deny", `lib.okay`, `ok if input.sender.active == false`, "there is no"},
		{"a function that is not there", "deny", `not lib.okay(input.claimed)`, ``, "undefined function"},
		{"the helper of another package", "deny", `data.jurisdiction.ee.libs.ok`, ``, "there is no"},
		{"a helper that is not there, under not", "allow", `not lib.bad`, `bed if input.sender.active == false`, "there is no"},
		{"a regular expression for everything", "allow", `regex.match(".*", input.claimed.purpose)`, "", "undefined function regex.match"},
		{"a glob for everything", "allow", `glob.match("*", [], input.claimed.purpose)`, "", "undefined function glob.match"},
		{"the type of something", "allow", `type_name(input.claimed.purpose) == "strnig"`, "", "undefined function type_name"},
		{"whether it is a text", "allow", `is_string(input.claimed.purpose)`, "", "undefined function is_string"},
		{"with outside tests", "deny", `lib.ok with input.claimed.purpose as "prevention"`, `ok if input.sender.active == false`, "with is for tests"},
		{"with inside every", "deny", "every s in input.claimed.subjects {\n\tlib.ok with input.sender.active as false\n\ts.count > 1\n}", `ok if input.sender.active == false`, "with is for tests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, list := activateEE(t, c.files())
			if c.name == "a shadowed input" {
				c.want = "match error" // the shadow has the type of the input, and then of an element
			}
			c.check(t, list)
		})
	}
}

func (c trap) check(t *testing.T, list []Finding) {
	t.Helper()
	if c.want == "" {
		if list != nil {
			t.Errorf("refused: %v", list)
		}
		return
	}
	for _, f := range list {
		if strings.Contains(f.Message, c.want) && f.Input == "rules/ee" && f.File != "" && f.Line > 0 {
			return
		}
	}
	t.Errorf("want %q, with file and line: %v", c.want, list)
}
