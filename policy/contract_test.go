package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// What the contract says, and which tests hold it:
//
//	a layer can only take away                                   TestRulesOnlyTighten, FuzzRules, FuzzMutatedRules
//	any deny, or an allow that is not exactly true, denies       TestVerdictTable, TestP06, TestReadAnswer
//	else any pend is pending, else delivered with obligations    TestVerdictTable, TestApprovals
//	who is asked                                                 TestWhoIsAsked, TestNothingStopsANotice, TestNoticesAreSmall
//	an originator that is not here: the common rule alone        TestScenarios (5, external), TestBaselineRules (R20)
//	required and not met is denied                               TestBaselineRules, TestEveryBaselineRuleIsTested, TestBadCommon
//	one registry of codes; an unknown code is a denial           TestReadAnswer, TestHostileInputs (denied), FuzzRegistry
//	merge: least days, earliest dates, union, intersection       TestMerge
//	the mask leaves out reasons, never verdict or obligations    TestMask
//	texts from METADATA, en mandatory                            TestRefusedAtActivation, TestHostileInputs (metadata)
//	a pend says who resolves it and until when                   TestApprovals, TestScenarios
//	an approval resolves its codes alone, never a deny           TestApprovals
//	imminent threat does not wait for a second person            TestBaselineRules (R6, R19, R21, R28), TestScenarios (6)
//	input is total, closed, resolved                             TestInputKeepsItsSchema, TestNothingRequiredMayBeMissing, TestOptionalMembers, TestP10
//	facts are dated; what lapses closes                          TestFactsAreDated, TestTreatyOfBoth, FuzzFacts
//	a treaty counts when both declare it                         TestTreatyOfBoth, TestBaselineRules (R24)
//	rules read known, never claimed                              TestScenarios (5, claimed), TestParties
//	no text and no person in the input                           TestInputIsWhatWasEvaluated, TestP16
//	the digest commits to both parts                             TestInputIsWhatWasEvaluated
//	signature and scope                                          TestTamperedBundles, TestHostileBundles, TestBundleGoesThere
//	unknown packages and names, foreign references, not ground   TestRefusedAtActivation, TestHostileInputs (names), TestP12
//	with outside tests                                           TestP05, TestTraps
//	missing or true default allow                                TestP08, TestRefusedAtActivation
//	constants that the enums do not have, orders between types   TestTraps, TestRefusedAtActivation
//	builtins outside the allow-list                              TestP04, TestHostileInputs (builtins)
//	own tests failing                                            TestOwnTestsAreRun, TestHostileInputs (tests)
//	worst case over its ceiling                                  TestStepsLeaveRoom, TestHostileInputs (loops, values that double)
//	one compiler per jurisdiction                                TestNobodyCanNameAnother
//	atomic swap, evaluations finish on the old set               TestP15, TestSetIsReadWhileItIsSwapped
//	last good kept                                               TestSamplesNeedLeave, TestP11
//	failing is not denying                                       TestDeadline, TestEngineFailuresPermitNothing, TestP07, TestP14
//	samples only with leave, and said to be samples              TestSamplesNeedLeave, TestScenarios (provenance)
//
// The tests TestP01 to TestP18 are the rows of the attacks on policy, in their order.

// runAttacks runs the attacks of those names; each ends as its own list says.
func runAttacks(t *testing.T, names ...string) {
	t.Helper()
	all := attacks()
	for _, name := range names {
		i := slices.IndexFunc(all, func(a attack) bool { return a.name == name })
		if i < 0 {
			t.Fatalf("no attack %q", name)
		}
		a := all[i]
		t.Run(name, func(t *testing.T) {
			a.run(t, &besieged{engine: NewEngine(Config{AllowSamples: true, Timeout: time.Minute})})
		})
	}
}

func TestP01Loops(t *testing.T) {
	runAttacks(t, "ten thousand million rounds", "rounds in a helper", "rounds in every", "rounds over the input", "a loop on ordinary packages")
}

func TestP02MemoryBombs(t *testing.T) {
	runAttacks(t, "lists of lists", "comprehensions", "functions", "tests that join objects", "a patch that copies", "a join", "a width", "union of many", "numbers", "repetition")
}

func TestP03ExpressionsAndGlobs(t *testing.T) {
	runAttacks(t, "a regular expression", "two regular expressions", "a glob")
}

// TestP04Builtins: nothing that is allowed reads anything but its arguments, in rules or in tests.
func TestP04Builtins(t *testing.T) {
	runAttacks(t, "the network", "a name server", "the runtime", "a parser of rules", "a token", "the clock", "chance", "a new id")
	for _, c := range []*ast.Capabilities{ruleCapabilities, testCapabilities} {
		for _, b := range c.Builtins {
			if b.IsNondeterministic() || b.Relation || strings.ContainsAny(b.Name, ".") && !slices.Contains([]string{"array", "object", "json", "strings", "internal"}, strings.Split(b.Name, ".")[0]) {
				t.Errorf("%s is allowed", b.Name)
			}
		}
		if len(c.AllowNet) > 0 || c.AllowNet == nil {
			t.Error("the network is allowed")
		}
	}
	if n := len(ruleCapabilities.Builtins); n != len(builtins) || n > 45 {
		t.Errorf("%d builtins of %d", n, len(builtins))
	}
}

func TestP05With(t *testing.T) {
	for _, c := range []trap{
		{"an input", "allow", `data.jurisdiction.ee.lib.ok with input as {"sender": {"active": true}}`, `ok if input.sender.active`, "with is for tests"},
		{"a builtin", "allow", `count([1]) == 0 with count as 0`, "", "with is for tests"},
		{"a builtin by another", "allow", `count([1]) == 0 with count as http.send`, "", "with is for tests"},
		{"in a comprehension", "allow", `count([1 | input.sender.active with input.sender.active as true]) == 1`, "", "with is for tests"},
		{"in a helper", "allow", `lib.ok`, `ok if input.sender.active with input.sender.active as true`, "with is for tests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, list := activateEE(t, c.files())
			c.check(t, list)
		})
	}
}

// TestP06Answers: whatever a layer says instead of true is a denial.
func TestP06Answers(t *testing.T) {
	s := sampleSet(t)
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	l := &layer{name: "ee/send", parts: []string{"allow"}, docs: &documents{}}
	for _, text := range []string{`false`, `"true"`, `1`, `null`, `[true]`, `{true}`, `{"allow": true}`, `set()`, `""`, `0`} {
		v := newVerdict(s, &r, "lv/vp")
		v.national(l.read(l.parts, ast.MustParseTerm("["+text+"]").Value.(*ast.Array), s.registry))
		if d := v.decision(Input{}); d.Verdict != Denied || !slices.Contains(codes(d.Reasons), codeNotAllowed) {
			t.Errorf("%s: %s %v", text, d.Verdict, codes(d.Reasons))
		}
	}
	v := newVerdict(s, &r, "lv/vp")
	v.national(l.read(l.parts, ast.MustParseTerm("[true]").Value.(*ast.Array), s.registry))
	if d := v.decision(Input{}); d.Verdict != Delivered {
		t.Errorf("true: %s", d.Verdict)
	}
}

func TestP07Conflicts(t *testing.T) {
	runAttacks(t, "conflicting values for one case", "two packages with one name and two values")
}

func TestP08DefaultAllow(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"true":          {strings.Replace(sendHead, "false", "true", 1), "default allow := false"},
		"missing":       {"package jurisdiction.ee.send\n\nallow if input.sender.active == true\n", "needs default allow := false"},
		"twice":         {strings.Replace(sendHead, "default allow := false", "default allow := false\n\ndefault allow := false", 1), "default allow"},
		"a text":        {strings.Replace(sendHead, "false", `"false"`, 1), "default allow := false"},
		"by a helper":   {strings.Replace(sendHead, "input.sender.active == true", "data.jurisdiction.ee.lib.ok", 1), "true by default"},
		"by a function": {strings.Replace(sendHead, "input.sender.active == true", "data.jurisdiction.ee.lib.f(input.claimed.purpose)", 1), "true by default"},
	} {
		_, list := activateEE(t, map[string]string{"send.rego": c.text, "lib.rego": libHead + "default ok := true\n\ndefault f(_) := true\n"})
		if !slices.ContainsFunc(list, func(f Finding) bool { return strings.Contains(f.Message, c.want) }) {
			t.Errorf("%s: %v", name, list)
		}
	}
}

func TestP09Recursion(t *testing.T) {
	runAttacks(t, "recursion", "recursion of a function", "recursion around a thousand rules")
}

// TestP10Confusion: a description that is not exactly what the schema says is denied, whatever is confused in it.
func TestP10Confusion(t *testing.T) {
	good := string(mustJSON(t, eeLV()))
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	for name, c := range map[string][2]string{
		"a number as a text": {`"max_penalty_years":10`, `"max_penalty_years":"10"`}, "a text as a number": {`"language":"en"`, `"language":1`},
		"null": {`"hr_attestation":true`, `"hr_attestation":null`}, "a flag as a text": {`"hr_attestation":true`, `"hr_attestation":"true"`},
		"a flag as a number": {`"hr_attestation":true`, `"hr_attestation":1`}, "another member": {`"v":1`, `"v":1,"x":1`}, "a member twice": {`"v":1`, `"v":1,"v":1`},
		"a member in capitals": {`"language":"en"`, `"Language":"en"`}, "1e400": {`"max_penalty_years":10`, `"max_penalty_years":1e400`}, "2^53+1": {`"max_penalty_years":10`, `"max_penalty_years":9007199254740993`},
		"10.0": {`"max_penalty_years":10`, `"max_penalty_years":10.0`}, "1e1": {`"max_penalty_years":10`, `"max_penalty_years":1e1`}, "-0": {`"v":1`, `"v":-0`},
		"a list for an object": {`"retention":{`, `"retention":[],"x":{`}, "an object for a list": {`"subjects":[`, `"subjects":{},"x":[`}, "an escaped member twice": {`"v":1`, `"v":1,"\u0076":1`},
		"a value behind it": {`{`, `{}{`}, "a comment": {`{`, `{/**/`}, "a comma too many": {`"v":1`, `"v":1,`}, "a code in capitals": {`"investigation"`, `"Investigation"`}, "a code with a null byte": {`"investigation"`, `"investigation\u0000"`},
		"a code with half a letter": {`"case_ref":"`, `"case_ref":"\ud800`}, "a code that is no UTF-8": {`"case_ref":"`, "\"case_ref\":\"\xff"}, "a list in itself": {`"crime_areas":[`, `"crime_areas":[[`},
	} {
		changed := strings.Replace(good, c[0], c[1], 1)
		if changed == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		r.Claimed = json.RawMessage(changed)
		if d := decide(t, r)[0]; d.Verdict != Denied || !slices.Equal(codes(d.Reasons), []string{codeMetaInvalid}) {
			t.Errorf("%s: %s %v", name, d.Verdict, codes(d.Reasons))
		}
	}
	for _, empty := range []string{"", "null", "[]", `"x"`, "1", "{}", "{", strings.Repeat("[", 100000)} {
		r.Claimed = json.RawMessage(empty)
		if d := decide(t, r)[0]; d.Verdict != Denied {
			t.Errorf("%.10q: %s", empty, d.Verdict)
		}
	}
}

// TestP11LastGood: what was refused leaves what is active as it is. The bundles themselves, and what can be done to
// them, are in TestTamperedBundles, TestHostileBundles and TestVerifySeesChangesAfterReading.
func TestP11LastGood(t *testing.T) {
	e := sampleEngine(t)
	before := e.Set()
	set, err := onSamples(withRules(map[string]string{"send.rego": strings.Replace(sendHead, "false", "true", 1)}))
	if err == nil || set != nil {
		t.Fatal("built")
	}
	if err := e.Activate(set); err == nil || e.Set() != before {
		t.Error("the last good set is gone")
	}
}

func TestP12Roots(t *testing.T) {
	runAttacks(t, "the root of another", "all jurisdictions", "a rule in another package", "a package below an entry package", "the library", "the baseline", "an archetype", "the examples", "the system")
}

func TestP13Data(t *testing.T) {
	runAttacks(t, "data of its own", "a manifest")
	if v, err := emptyStore.Read(context.Background(), emptyRead, nil); err != nil || fmt.Sprint(v) != "{}" {
		t.Errorf("rules find data: %v, %v", v, err)
	}
}

func TestP14ErrorsUnderNot(t *testing.T) {
	runAttacks(t, "an error under not")
}

// TestP15Swaps: while a thousand activations swap two sets, every decision is one revision's, and all decisions of one
// call are of the same.
func TestP15Swaps(t *testing.T) {
	sets, err := nationalSets()
	if err != nil {
		t.Fatal(err)
	}
	a, b := sets[0], sets[4]
	e := NewEngine(Config{AllowSamples: true, Timeout: time.Minute})
	if err := e.Activate(a); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{a.Revisions()["rules/ee"]: Delivered, b.Revisions()["rules/ee"]: Denied}
	r := request(t, "ee/pbgb", []string{"lv/vp", "it/dcpc"}, eeLV())
	swapped := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 4 {
		wg.Go(func() {
			for last := false; !last; {
				select {
				case <-swapped:
					last = true
				default:
				}
				ds, err := e.Decide(context.Background(), r)
				if err != nil {
					t.Error(err)
					return
				}
				rev := ds[0].Revisions["rules/ee"]
				for _, d := range ds {
					if d.Revisions["rules/ee"] != rev || d.Verdict != want[rev] {
						t.Errorf("%s: %s under %v", d.Recipient, d.Verdict, d.Revisions)
					}
				}
				mu.Lock()
				seen[rev]++
				mu.Unlock()
			}
		})
	}
	for i := range torture.Size(200, 1000) {
		set := []*Set{b, a}[i%2]
		if err := e.Activate(set); err != nil {
			t.Error(err)
		}
		// Between two swaps at least one decision is made, so that they meet.
		if _, err := e.Decide(context.Background(), r); err != nil {
			t.Error(err)
		}
	}
	close(swapped)
	wg.Wait()
	if len(seen) != 2 {
		t.Errorf("the swaps were not seen: %v", seen)
	}
}

// TestP16NothingPersonal: what people write reaches neither a decision nor an error, and of it only the length stands in
// an input. The exchange's log and what it keeps are searched in exchange.
func TestP16NothingPersonal(t *testing.T) {
	const canary = "CANARY Maria Tamm"
	code := strings.ReplaceAll(canary, " ", "-")
	r := request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"urgency": urgentLife}))
	r.Justification = NewText(canary + " lives in the house where the load was kept")
	r.Texts = map[string]Text{}
	for _, f := range inputShape.member("texts").fields {
		r.Texts[f.name] = NewText(canary + " is the reason why it is sent today")
	}
	r.Texts[canary] = NewText("a text that nobody knows and that no rule has asked for")
	for name, claimed := range map[string]string{
		"delivered":                 string(r.Claimed),
		"an unknown member":         strings.Replace(string(r.Claimed), `"v":1`, `"v":1,"`+canary+`":1`, 1),
		"an unknown value":          strings.Replace(string(r.Claimed), `"language":"en"`, `"language":"`+canary+`"`, 1),
		"national fields":           strings.Replace(string(r.Claimed), `"v":1`, `"v":1,"ext":{"`+canary+`":"`+canary+`"}`, 1),
		"something that is no JSON": strings.Replace(string(r.Claimed), `"v":1`, canary, 1),
	} {
		r.Claimed = json.RawMessage(claimed)
		for _, d := range decide(t, r) {
			whole := string(mustJSON(t, d)) + string(d.Input.Shared) + string(d.Input.Own)
			if strings.Contains(whole, "CANARY") || strings.Contains(whole, "Maria") {
				t.Errorf("%s: %s", name, whole)
			}
		}
	}
	// A code that a sender chose stands in the input, where rules read it; an engine's error is logged and does not have it.
	for _, name := range []string{"conflicting values for one case", "an error under not"} {
		all := attacks()
		a := all[slices.IndexFunc(all, func(a attack) bool { return a.name == name })]
		files := map[string]string{}
		for p, text := range a.files {
			files[p] = strings.ReplaceAll(strings.ReplaceAll(text, `"LOOP"`, `"`+code+`"`), "x := 1 if", "x := input.claimed.case_ref if")
		}
		set, list := activateEE(t, files)
		if set == nil {
			t.Fatal(list)
		}
		ee := set.layers["ee"]
		set.layers = maps.Clone(sampleSet(t).layers)
		set.layers["ee"] = ee
		_, err := set.decide(context.Background(), time.Minute, request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"case_ref": code})))
		if !errors.Is(err, ErrEngine) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestP17DenyWins: whatever the others say, one denial denies, and nobody's permission is another's.
func TestP17DenyWins(t *testing.T) {
	set, err := tableSet()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{AllowSamples: true, Timeout: time.Minute})
	if err := e.Activate(set); err != nil {
		t.Fatal(err)
	}
	for _, s := range "apd" {
		for _, r := range "apd" {
			for _, o := range "apd" {
				checkRow(t, e, string([]rune{s, r, o}), Delivered)
			}
		}
	}
}

func TestP18Syntax(t *testing.T) {
	runAttacks(t, "syntax of version 0", "a byte order mark", "a file of 10 MB", "1e5 rules", "version 2", "no UTF-8", "a null byte")
}
