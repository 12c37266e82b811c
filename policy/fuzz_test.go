package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// activate does with rules of Estonia what Build does.
func (b *builder) activate(files map[string][]byte) (*Set, []Finding) {
	found := &findings{}
	in := b.in
	in.Rules = map[string]Source{"ee": {Files: files, Status: Sample, Seq: 2}}
	if !checkSize("rules/ee", in.Rules["ee"], found) || len(found.list) > 0 {
		return nil, found.list
	}
	set := *b.set
	local := &builder{ctx: context.Background(), in: in, set: &set, common: b.common, bases: b.bases, found: found}
	layers := local.compileJurisdiction("ee", found)
	if len(found.list) > 0 {
		return nil, found.list
	}
	set.layers = maps.Clone(b.set.layers)
	set.layers["ee"] = layers
	return &set, nil
}

// FuzzRules activates any Rego as the rules of a jurisdiction: it is refused with findings that name its file, or it decides, in time, and
// never more mildly than the baseline.
func FuzzRules(f *testing.F) {
	lang := doc("language_not_accepted")
	f.Add([]byte(sendHead), []byte("package jurisdiction.ee.lib\n\nlarge := 500\n"))
	f.Add([]byte(sendHead+lang+`deny contains "language_not_accepted" if input.claimed.language != "en"`), []byte("package jurisdiction.ee.receive\n\ndefault allow := false\n\nallow := true\n"))
	f.Add([]byte(sendHead+lang+`deny contains "language_not_accepted" if data.jurisdiction.lv.send.allow`), []byte("package jurisdiction.ee.test\n\ntest_x if false\n"))
	for _, name := range []string{"send", "receive", "onward", "lib"} {
		b, err := os.ReadFile("jurisdictions/ee/" + name + ".rego")
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(sendHead), b)
	}
	b, err := activator()
	if err != nil {
		f.Fatal(err)
	}
	requests := []Request{request(f, "ee/pbgb", []string{"lv/vp"}, eeLV()), request(f, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"purpose": nil}))}
	f.Fuzz(func(t *testing.T, send, more []byte) {
		checkActivation(t, b, requests, map[string][]byte{"send.rego": send, "more.rego": more})
	})
}

// checkActivation: rules are refused with findings that name them, or decide, in time, and never more mildly than the baseline.
func checkActivation(t *testing.T, b *builder, requests []Request, files map[string][]byte) {
	set, found := b.activate(files)
	for _, finding := range found {
		if finding.Input != "rules/ee" || finding.Message == "" || len(finding.Message) > 4<<10 {
			t.Fatalf("finding %+v", finding)
		}
	}
	if (set == nil) != (len(found) > 0) {
		t.Fatalf("a set: %v; findings: %v", set != nil, found)
	}
	if set == nil {
		return
	}
	for _, r := range requests {
		ds, err := set.decide(context.Background(), time.Minute, r)
		if err != nil {
			t.Fatalf("activated, and failing: %v", err)
		}
		if base := baselineVerdict(t, set, r); strictness[ds[0].Verdict] < strictness[base] {
			t.Fatalf("the baseline says %s, with these rules it is %s", base, ds[0].Verdict)
		}
	}
}

// fragments are what an edit can put between two tokens of valid rules.
var fragments = []string{
	"not ", "every s in input.claimed.subjects {", "}", "{", "(", ")", "[", "]", "[_]", "[0]", " | ", " == ", " != ", " = ", " := ", "\n", " if ", " contains ", " with input as {} ", " with count as 3 ",
	"else := true", "default allow := true\n", "default x := true\n", "some s in input.claimed.subjects\n", "input", "data", "data.jurisdiction.lv.send.allow", "allow", "deny", "pend", "lib.x", "count(", "object.get(input, \"x\", 1)",
	"null", "true", "false", "0", "-1", "\"x\"", "`x`", "# METADATA\n# custom: &a [*a]\n", "import data as d\n", "import input.claimed as input\n", "http.send({})", "print(1)", "$\"{x}\"", "x := [x, x]\n", "1e9", "\x00", "\u202e", "\r",
}

var tokens = regexp.MustCompile(`(?s)[A-Za-z0-9_]+|\s+|.`)

// mutate edits valid rules: each four bytes are an edit, its place, and what it takes.
func mutate(text string, edits []byte) string {
	parts := tokens.FindAllString(text, -1)
	for ; len(edits) >= 4 && len(parts) > 0; edits = edits[4:] {
		at := (int(edits[1])<<8 | int(edits[2])) % len(parts)
		switch edits[0] % 5 {
		case 0:
			parts = slices.Delete(parts, at, at+1)
		case 1:
			parts = slices.Insert(parts, at, fragments[int(edits[3])%len(fragments)])
		case 2:
			parts[at] = fragments[int(edits[3])%len(fragments)]
		case 3:
			parts = slices.Insert(parts, at, parts[int(edits[3])%len(parts)])
		case 4:
			parts = slices.Insert(parts, at, parts[at:min(len(parts), at+int(edits[3]))]...)
		}
	}
	return strings.Join(parts, "")
}

// FuzzMutatedRules activates rules that were valid until somebody edited them: nothing panics, all ends, and what is
// activated can only take away.
func FuzzMutatedRules(f *testing.F) {
	var valid []string
	for _, c := range []trap{
		{head: "deny", body: "limits := lib.limits\ninput.derived.subjects > object.get(limits, input.recipient.jurisdiction, 1)", lib: `limits := {"lv": 3}`},
		{head: "allow", body: "count(input.claimed.subjects) > 0\nevery s in input.claimed.subjects {\n\ts.category == \"suspect\"\n\tnot s.minors == \"u15\"\n}"},
		{head: "deny", body: "some s in input.claimed.subjects\nlib.child(s)\nnot lib.open", lib: "child(s) if s.minors in {\"u15\", \"u18\"}\n\nopen if input.claimed.urgency.level == \"urgent\"\n\nnames contains s.category if some s in input.claimed.subjects"},
	} {
		files := c.files()
		valid = append(valid, files["send.rego"]+"\x00"+files["lib.rego"])
	}
	b, err := activator()
	if err != nil {
		f.Fatal(err)
	}
	requests := []Request{request(f, "ee/pbgb", []string{"lv/vp"}, eeLV()), request(f, "ee/pbgb", []string{"ua/npu"}, eeLV())}
	for i := range valid {
		f.Add(uint8(i), []byte{})
		for e := range fragments {
			f.Add(uint8(i), []byte{1, 0, byte(40 + e), byte(e), 4, 0, byte(90 + e), 20})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		send, lib, _ := strings.Cut(valid[int(which)%len(valid)], "\x00")
		half := len(edits) / 2
		checkActivation(t, b, requests, map[string][]byte{"send.rego": []byte(mutate(send, edits[:half])), "lib.rego": []byte(mutate(lib, edits[half:]))})
	})
}

// FuzzFacts: the facts of common are refused, or every table answers for every day, with what its text says.
func FuzzFacts(f *testing.F) {
	good, err := os.ReadFile("library/facts.json")
	if err != nil {
		f.Fatal(err)
	}
	small := smallFacts(f, good)
	f.Add(small)
	f.Add(bytes.Replace(small, []byte(`"strictest":false`), []byte(`"strictest":null`), 1))
	f.Add(bytes.Replace(small, []byte(`"tables"`), []byte(`"Tables":{},"tables"`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := parseFacts(b)
		if err != nil {
			return
		}
		var lenient struct {
			Tables map[string]struct {
				Strictest json.RawMessage
				Of        map[string][]struct{ Value json.RawMessage }
			}
		}
		if err := json.Unmarshal(b, &lenient); err != nil || len(facts.Tables) != len(factTables) {
			t.Fatalf("%d tables, %v", len(facts.Tables), err)
		}
		checkExactNames(t, b, facts)
		for _, name := range factTables {
			known := func(v json.RawMessage) {
				if s := string(v); s != "true" && s != "false" && !slices.Contains(codeTables, name) && name != tableLimits || s == "null" {
					t.Fatalf("table %s has the value %s", name, s)
				}
			}
			known(lenient.Tables[name].Strictest)
			for j, list := range lenient.Tables[name].Of {
				for _, i := range list {
					known(i.Value)
				}
				facts.at(name, j, "2026-11-22")
			}
		}
	})
}

// smallFacts leaves the first interval of each table only.
func smallFacts(f *testing.F, b []byte) []byte {
	f.Helper()
	facts, err := parseFacts(b)
	if err != nil {
		f.Fatal(err)
	}
	for name, t := range facts.Tables {
		kept := map[string][]interval{}
		for _, j := range sortedKeys(t.Of)[:min(1, len(t.Of))] {
			kept[j] = t.Of[j][:1]
		}
		t.Of = kept
		facts.Tables[name] = t
	}
	facts.Laws = facts.Laws[:min(1, len(facts.Laws))]
	return mustJSON(f, facts)
}

// checkExactNames: nothing was read from a member that is spelt in another case, so that a reader of the text sees what the engine sees.
func checkExactNames(t *testing.T, b []byte, read any) {
	t.Helper()
	var text, back any
	if json.Unmarshal(b, &text) != nil || json.Unmarshal(mustJSON(t, read), &back) != nil {
		t.Fatal("no JSON")
	}
	for name := range text.(map[string]any) {
		if _, ok := back.(map[string]any)[name]; !ok {
			t.Fatalf("member %q was taken for another", name)
		}
	}
}

// FuzzRegistry: the list of rules and codes is refused, or each code is one that the engine can say, merge and mask.
func FuzzRegistry(f *testing.F) {
	f.Add(smallRegistry(f))
	f.Add([]byte(`{"v":1,"rules":{"R1":{"required":["package"],"structure":true}},"codes":{"x":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		reg, err := parseRegistry(b)
		if err != nil {
			return
		}
		checkExactNames(t, b, reg)
		for _, code := range engineCodes {
			if reg.Codes[code].Kind != kindDeny {
				t.Fatalf("the engine's %s is no denial", code)
			}
		}
		for name, code := range reg.Codes {
			if code.check() != nil || code.Kind == kindOblige && code.Audience != AudienceAll || code.Kind == kindPend && code.By == "" {
				t.Fatalf("code %s: %+v", name, code)
			}
		}
		required(reg)
		again, err := parseRegistry(mustJSON(t, reg))
		if err != nil || !bytes.Equal(mustJSON(t, again), mustJSON(t, reg)) {
			t.Fatalf("not read back: %v", err)
		}
	})
}

// smallRegistry leaves the engine's codes and one of each kind.
func smallRegistry(f *testing.F) []byte {
	f.Helper()
	b, err := os.ReadFile("library/codes.json")
	if err != nil {
		f.Fatal(err)
	}
	reg, err := parseRegistry(b)
	if err != nil {
		f.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, name := range sortedKeys(reg.Codes) {
		code := reg.Codes[name]
		if !strings.Contains(strings.Join(engineCodes, " "), name) && kinds[code.Kind] {
			delete(reg.Codes, name)
		}
		kinds[code.Kind] = true
	}
	reg.Rules = map[string]registryRule{"R20": reg.Rules["R20"]}
	return mustJSON(f, reg)
}
