package policy

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// inheriting is the rules of Estonia that build on an archetype.
const inheriting = `package jurisdiction.ee.receive

import data.liaison.archetype.led_state.receive as base

default allow := false

allow if base.allow

deny contains x if some x in base.deny

pend contains x if some x in base.pend

oblige contains x if some x in base.oblige

advise contains x if some x in base.advise
`

// TestInheritance: what inherits an archetype says what the archetype says, with the archetype's texts and rule ids, in its own layer.
func TestInheritance(t *testing.T) {
	in := withRules(map[string]string{"send.rego": sendHead, "receive.rego": inheriting})
	in.Rules["ua"] = Samples().Rules["ua"]
	set, err := onSamples(in)
	if err != nil {
		t.Fatal(err)
	}
	by := func(sender, law string, changes meta) Decision {
		t.Helper()
		ds, err := set.decide(context.Background(), time.Minute, request(t, sender, []string{"ee/pbgb"}, from(sender, law, changes)))
		if err != nil {
			t.Fatal(err)
		}
		return ds[0]
	}
	ask := func(changes meta) Decision { return by("lv/vp", "lv-police-law", changes) }
	askUA := func(changes meta) Decision {
		return by("ua/npu", "ua-police-law", with(meta{"transfer_basis": "non_eu_law"}, changes))
	}
	if d := ask(nil); d.Verdict != Delivered {
		t.Errorf("an ordinary package: %s %v", d.Verdict, codes(d.Reasons))
	}
	d := askUA(meta{"quality": meta{"verified_at": "2026-11-20", "as_of": "", "completeness": "partial"}})
	i := slices.IndexFunc(d.Reasons, func(r Reason) bool { return r.Layer == "ee/receive" })
	if i < 0 || d.Reasons[i].Rule != "led-8" || d.Reasons[i].Code != "quality_missing" || d.Reasons[i].Fix == "" || d.Reasons[i].Source == "" {
		t.Errorf("an inherited denial: %+v", d.Reasons)
	}
	d = askUA(meta{"sensitive_matter": "political"})
	if !slices.Contains(pends(d), "sensitive_matter_review by head_of_duty of ee") {
		t.Errorf("an inherited pend: %s %v", d.Verdict, pends(d))
	}
	d = ask(meta{"handling": meta{"code": "H1"}, "purpose": "prosecution"})
	if !slices.Contains(codes(d.Advice), "prosecution_needs_permission") {
		t.Errorf("an inherited advice: %v", codes(d.Advice))
	}
}

// activated does with these rules of Estonia what Build does, and returns what it found.
func activated(t *testing.T, files map[string]string) []Finding {
	t.Helper()
	b, err := activator()
	if err != nil {
		t.Fatal(err)
	}
	src := map[string][]byte{}
	for p, text := range files {
		src[p] = []byte(text)
	}
	_, found := b.activate(src)
	return found
}

// TestIncompleteInheritance: a permission is inherited with everything that holds it, in the one form that can be seen through, or not at all.
func TestIncompleteInheritance(t *testing.T) {
	lang := doc("language_not_accepted")
	replace := func(old, new string) string {
		if !strings.Contains(inheriting, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(inheriting, old, new, 1)
	}
	for name, c := range map[string]struct{ receive, lib, want string }{
		"without deny":                 {replace("deny contains x if some x in base.deny\n", ""), "", "inherited without its deny"},
		"without pend":                 {replace("pend contains x if some x in base.pend\n", ""), "", "inherited without its pend"},
		"without oblige":               {replace("oblige contains x if some x in base.oblige\n", ""), "", "inherited without its oblige"},
		"without advise":               {replace("advise contains x if some x in base.advise\n", ""), "", "inherited without its advise"},
		"without any, with own deny":   {"package jurisdiction.ee.receive\n\nimport data.liaison.archetype.led_state.receive as base\n\ndefault allow := false\n\nallow if base.allow\n\n" + lang + `deny contains "language_not_accepted" if input.claimed.language != "en"`, "", "inherited without its deny, pend, oblige, advise"},
		"with an exception":            {replace("some x in base.deny", "{\n\tsome x in base.deny\n\tx != \"quality_missing\"\n}"), "", "no other use is taken"},
		"with a condition":             {replace("some x in base.deny", "{\n\tsome x in base.deny\n\tinput.claimed.language != \"en\"\n}"), "", "no other use is taken"},
		"the deny of another":          {replace("base.deny", "data.liaison.archetype.led_state.send.deny"), "", "only receive.deny can be its base"},
		"deny into advise":             {replace("advise contains x if some x in base.advise", "advise contains x if some x in base.deny"), "", "only receive.advise can be its base"},
		"something else than x":        {replace("deny contains x if some x in base.deny", "deny contains y if {\n\tsome x in base.deny\n\ty := x\n}"), "", "no other use is taken"},
		"not its permission":           {replace("allow if base.allow", "allow if not base.allow"), "", "no other use is taken"},
		"its permission for a denial":  {inheriting + lang + `deny contains "language_not_accepted" if base.allow`, "", "only receive.deny can be its base"},
		"its permission under a name":  {replace("allow if base.allow", "allow if {\n\tb := base\n\tb.allow\n}"), "", "no other use is taken"},
		"its permission in a helper":   {strings.Replace(strings.Replace(sendHead, ".send", ".receive", 1), "\n\n", "\n\nimport data.jurisdiction.ee.lib\n\n", 1) + "allow if lib.ok\n", "package jurisdiction.ee.lib\n\nok if data.liaison.archetype.led_state.receive.allow\n", "no other use is taken"},
		"its permission with":          {replace("allow if base.allow", "allow if base.allow with input.claimed.language as \"en\""), "", "with is for tests"},
		"an archetype that is not":     {strings.ReplaceAll(inheriting, "led_state", "lax_state"), "", "there is no archetype liaison.archetype.lax_state.receive"},
		"all archetypes":               {replace("allow if base.allow", "allow if count(data.liaison.archetype) > 0"), "", "no other use is taken"},
		"a set that is none":           {replace("base.deny", "base.dney"), "", "only receive.deny can be its base"},
		"one reason of two rules":      {inheriting + doc("quality_missing") + `deny contains "quality_missing" if input.claimed.classification == "r_ue"`, "", "which of them it was could not be told"},
		"the permission of two layers": {replace("allow if base.allow", "allow if {\n\tbase.allow\n\tdata.liaison.archetype.led_state.send.allow\n}"), "", "only receive.allow can be its base"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"send.rego": sendHead, "receive.rego": c.receive}
			if c.lib != "" {
				files["lib.rego"] = c.lib
			}
			list := activated(t, files)
			if !slices.ContainsFunc(list, func(f Finding) bool {
				return f.Input == "rules/ee" && f.File != "" && f.Line > 0 && strings.Contains(f.Message, c.want)
			}) {
				t.Errorf("want %q: %v", c.want, list)
			}
		})
	}
	stricter := replace("allow if base.allow", "allow if {\n\tbase.allow\n\tinput.claimed.language == \"en\"\n}")
	if list := activated(t, map[string]string{"send.rego": sendHead, "receive.rego": stricter}); list != nil {
		t.Errorf("a permission with a further condition is stricter: %v", list)
	}
}

// TestBadArchetype: an archetype is held to the form of the rules that inherit it, and cannot reach the baseline.
func TestBadArchetype(t *testing.T) {
	const file = "archetype/led_state/receive.rego"
	change := func(old, new string) Inputs {
		in := Samples()
		files := maps.Clone(in.Common.Files)
		text := string(files[file])
		if !strings.Contains(text, old) {
			t.Fatalf("no %q", old)
		}
		files[file] = []byte(strings.Replace(text, old, new, 1))
		in.Common.Files = files
		in.Rules = map[string]Source{}
		return in
	}
	for name, c := range map[string]struct {
		in   Inputs
		want string
	}{
		"no default":           {change("default allow := false\n", ""), "needs default allow := false"},
		"a default that opens": {change("default allow := false", "default allow := true"), "default allow := false"},
		"a rule id of another": {change("rule: led-8", "rule: lv-8"), "does not begin with led-"},
		"no rule id":           {change("#   rule: led-8\n", ""), "does not begin with led-"},
		"no fix":               {change("#   fix:\n#     en: State quality", "#   fox:\n#     en: State quality"), "has no custom.fix.en"},
		"an unknown code":      {change("deny contains \"quality_missing\"", "deny contains \"quality_mising\""), "is not a code of kind deny"},
		"a met of its own":     {change("deny contains \"quality_missing\"", "met contains \"R1\""), "met has no place"},
		"the baseline":         {change("import data.liaison.lib", "import data.liaison.common.lib"), "import of data.liaison.common.lib"},
		"a layer of its own":   {change("archetype.led_state.receive\n", "archetype.led_state.recieve\n"), "unknown package"},
		"a mistyped constant":  {change(`"prosecution"`, `"prosecuting"`), "can never be there"},
	} {
		list := findingsOf(t, c.in)
		if !slices.ContainsFunc(list, func(f Finding) bool { return f.Input == "common" && strings.Contains(f.Message, c.want) }) {
			t.Errorf("%s: want %q: %v", name, c.want, list)
		}
	}
}
