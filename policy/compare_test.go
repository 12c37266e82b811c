package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// edited is inputs with a text replaced in a file of one of them.
func edited(t testing.TB, in Inputs, input, file, old, text string) Inputs {
	t.Helper()
	edit := func(s Source) Source {
		if !strings.Contains(string(s.Files[file]), old) {
			t.Fatalf("%s has no %q", file, old)
		}
		s.Files = maps.Clone(s.Files)
		s.Files[file] = []byte(strings.Replace(string(s.Files[file]), old, text, 1))
		return s
	}
	in.Rules, in.Declared = maps.Clone(in.Rules), maps.Clone(in.Declared)
	switch j := inputOwner(input); {
	case input == "common":
		in.Common = edit(in.Common)
	case strings.HasPrefix(input, "rules/"):
		in.Rules[j] = edit(in.Rules[j])
	default:
		in.Declared[j] = edit(in.Declared[j])
	}
	return in
}

// untested is inputs without the tests of a jurisdiction, which would refuse what a draft changes.
func untested(in Inputs, j string) Inputs {
	in.Rules = maps.Clone(in.Rules)
	in.Rules[j] = withoutTests(in.Rules[j])
	return in
}

// TestCompare: where a comparison says that two Sets decide alike, they do, whatever the draft changes: a refusal, a
// pend, only what is asked of the recipient, a layer that goes, what is declared, common. And where the change is not
// in the way it does say so, or it would be of no use. The more is asked, the rarer the conditions that meet.
func TestCompare(t *testing.T) {
	const all = 300
	asked := torture.Size(100, all)
	before := sampleSet(t)
	ee := untested(Samples(), "ee")
	without := func(file string) Inputs {
		in := untested(Samples(), "ee")
		s := in.Rules["ee"]
		s.Files = maps.Clone(s.Files)
		delete(s.Files, file)
		in.Rules["ee"] = s
		return in
	}
	end := ee.Rules["ee"].Files["send.rego"]
	last := string(end[len(end)-40:])
	more := func(text string) Inputs { return edited(t, ee, "rules/ee", "send.rego", last, last+text) }
	for name, c := range map[string]struct {
		in          Inputs
		same, other int // at least, when all are asked
	}{
		"nothing":             {Samples(), 400, 0},
		"a comment":           {edited(t, ee, "rules/ee", "send.rego", "default allow", "# more\ndefault allow"), 400, 0},
		"a refusal":           {edited(t, ee, "rules/ee", "send.rego", "input.derived.retention_days > 1827", "input.derived.retention_days > 30"), 200, 5},
		"a refusal less":      {edited(t, ee, "rules/ee", "send.rego", "input.derived.retention_days > 1827", "input.derived.retention_days > 18270"), 200, 0},
		"another obligation":  {edited(t, untested(Samples(), "lv"), "rules/lv", "receive.rego", `{"days": 1095}`, `{"days": 109}`), 200, 5},
		"one obligation more": {more("\n# METADATA\n# title: Uses\n# custom:\n#   rule: ee-98\n#   code: purposes_only\n#   text:\n#     en: Uses.\n#   source: none\noblige contains {\"code\": \"purposes_only\", \"params\": {\"purposes\": [input.claimed.purpose, \"x\"]}} if input.claimed.language == \"en\"\n"), 200, 5},
		"a pend":              {more("\n# METADATA\n# title: Review\n# custom:\n#   rule: ee-97\n#   code: national_review\n#   text:\n#     en: Review.\n#   fix:\n#     en: Wait.\n#   source: none\npend contains \"national_review\" if input.claimed.purpose == \"investigation\"\n"), 200, 5},
		"a pend for longer":   {edited(t, untested(Samples(), "lv"), "rules/lv", "send.rego", `pend contains "national_review"`, `pend contains {"code": "national_review", "hours": 1}`), 200, 0},
		"no allow":            {edited(t, ee, "rules/ee", "receive.rego", "default allow := false", "default allow := false\n\nallow if input.claimed.language == \"lv\"\n"), 200, 0},
		"a layer that goes":   {without("send.rego"), 200, 5},
		"a declaration":       {edited(t, Samples(), "declared/ee", "declared.json", "{", "{ "), 400, 0},
		"common":              {edited(t, Samples(), "common", "codes.json", `"by": "second_officer", "hours": 72`, `"by": "second_officer", "hours": 7`), 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := BuildOn(before, c.in)
			if err != nil {
				t.Fatal(err)
			}
			both := Compare(before, after)
			r, same, other := newCorpus(t, before, 11), 0, 0
			for range asked {
				for _, d := range mustDecide(t, before, r.request(t)) {
					if undecided(d.Input) {
						continue
					}
					in, err := Read(d.Input, nil)
					if err != nil {
						t.Fatal(err)
					}
					if !both.Decided(in, d.Revisions, d.Engine) {
						t.Fatalf("what the Set before decided was decided by another: %v", d.Revisions)
					}
					now, err := after.DecideReading(t.Context(), time.Minute, in)
					if err != nil {
						t.Fatal(err)
					}
					alike := alike(d, now)
					if !alike {
						other++
					}
					if both.Same(t.Context(), time.Minute, in) {
						same++
						if !alike {
							t.Fatalf("it is not the same:\n%+v\n%+v", d, now)
						}
					}
				}
			}
			if same < c.same*asked/all || other < c.other*asked/all {
				t.Errorf("%d are known to be the same, %d are other", same, other)
			}
		})
	}
}

// alike compares what a recipient and a sender feel of a decision.
func alike(a, b Decision) bool {
	if a.Verdict != b.Verdict {
		return false
	}
	return slices.EqualFunc(a.Pends, b.Pends, func(x, y Pend) bool { return x == y }) &&
		slices.EqualFunc(a.Obligations, b.Obligations, func(x, y Obligation) bool { return x.Code == y.Code && string(x.Params) == string(y.Params) })
}

// TestComparedWithWhatDecided: a decision was made by a Set only if all that was asked is what the Set has, and what was
// not there then is not there now.
func TestComparedWithWhatDecided(t *testing.T) {
	set := sampleSet(t)
	both := Compare(set, set)
	d := decide(t, request(t, "ee/pbgb", []string{"lv/vp"}, eeLV()))[0]
	in, err := Read(d.Input, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !both.Decided(in, d.Revisions, d.Engine) {
		t.Fatal("it was decided by another")
	}
	if both.Decided(in, d.Revisions, "liaison-policy/0 opa/0") {
		t.Error("another engine is taken for this one")
	}
	for name := range d.Revisions {
		other := maps.Clone(d.Revisions)
		if other[name] = "x"; both.Decided(in, other, d.Engine) {
			t.Errorf("another %s is taken for this one", name)
		}
		if delete(other, name); both.Decided(in, other, d.Engine) {
			t.Errorf("a decision without %s is taken for one with it", name)
		}
	}
	// Nothing that the decision names is other, but the rules were not there.
	bare := Samples()
	bare.Rules = maps.Clone(bare.Rules)
	delete(bare.Rules, "lv")
	less, err := BuildOn(set, bare)
	if err != nil {
		t.Fatal(err)
	}
	d = mustDecide(t, less, request(t, "ee/pbgb", []string{"lv/vp"}, eeLV()))[0]
	if in, err = Read(d.Input, nil); err != nil || d.Verdict != Denied {
		t.Fatal(d, err)
	}
	if both.Decided(in, d.Revisions, d.Engine) {
		t.Error("a decision without the rules of Latvia is taken for one with them")
	}
}

// TestSameSayings: the order of what a layer says counts only where obligations are merged.
func TestSameSayings(t *testing.T) {
	say := func(kind, code, params string) *saying {
		return &saying{kind: kind, code: code, encoded: json.RawMessage(params)}
	}
	deny, pend := say(kindDeny, "a", "{}"), say(kindPend, "b", "{}")
	one, two := say(kindOblige, "c", `{"purposes":["x","y"]}`), say(kindOblige, "c", `{"purposes":["y","x"]}`)
	longer := *pend
	longer.hours = 3
	for name, c := range map[string]struct {
		a, b []*saying
		want bool
	}{
		"nothing":            {nil, nil, true},
		"the same":           {[]*saying{deny, pend, one, two}, []*saying{deny, pend, one, two}, true},
		"in another order":   {[]*saying{deny, pend, one}, []*saying{one, deny, pend}, true},
		"merged otherwise":   {[]*saying{deny, one, two}, []*saying{deny, two, one}, false},
		"less":               {[]*saying{deny, pend}, []*saying{deny}, false},
		"twice one":          {[]*saying{deny, deny, pend}, []*saying{deny, pend, pend}, false},
		"longer":             {[]*saying{pend}, []*saying{&longer}, false},
		"another code":       {[]*saying{deny}, []*saying{pend}, false},
		"another obligation": {[]*saying{one}, []*saying{two}, false},
	} {
		if got := (&says{sayings: c.a}).same(&says{sayings: c.b}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, other := range map[string]*says{"allow": {allow: true}, "bad": {bad: true}, "met": {met: ruleSet{1}}} {
		if other.same(&says{}) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

// FuzzReadCanonical: what is read of a recorded part is valid JSON, and is found where it is.
func FuzzReadCanonical(f *testing.F) {
	c := newCorpus(f, sampleSet(f), 13)
	for range 20 {
		for _, d := range mustDecide(f, c.set, c.request(f)) {
			f.Add(d.Input.Shared, true)
			f.Add(d.Input.Own, false)
		}
	}
	f.Add([]byte(`{}`), true)
	f.Fuzz(func(t *testing.T, text []byte, shared bool) {
		p := ownPlaces
		if shared {
			p = sharedPlaces
		}
		r, err := readCanonical(p, text)
		if err != nil {
			return
		}
		var compact strings.Builder
		if !json.Valid(text) || json.NewEncoder(&compact).Encode(json.RawMessage(text)) != nil {
			t.Fatalf("%q is no JSON", text)
		}
		// The places are those that a slow reading finds.
		slow := p.record(text)
		locate(slow, p, 0)
		if !slices.Equal(r.at, slow.at) {
			t.Fatalf("%q is not read as it is", text)
		}
		_ = p.shape.term(text)
	})
}

// TestReadCanonicalRefuses: what no engine writes is not read.
func TestReadCanonicalRefuses(t *testing.T) {
	good := string(decide(t, request(t, "ee/pbgb", []string{"lv/vp"}, eeLV()))[0].Input.Shared)
	if _, err := readCanonical(sharedPlaces, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for n := range good { // cut off anywhere
		if _, err := readCanonical(sharedPlaces, []byte(good[:n])); err == nil {
			t.Fatalf("cut off at %d, it is read", n)
		}
	}
	for _, c := range [][2]string{
		{`"action":"send"`, `"action": "send"`}, {`"action":"send"`, `"action":"se` + "\n" + `nd"`}, {`"action":"send"`, `"action":"\x"`}, {`"action":"send"`, `"action":"\u00g0"`},
		{`"action":"send"`, `"action":"send",`}, {`"action":"send"`, `"action":send`}, {`"action":"send"`, `"Action":"send"`}, {`true`, `truE`}, {`true`, `1`},
		{`"now":`, `"now":0`}, {`"now":`, `"now":1.5e`}, {`["`, `[,"`}, {`"]`, `",]`}, {`"]`, `"`},
	} {
		text := strings.Replace(good, c[0], c[1], 1)
		if text == good {
			t.Fatalf("it has no %s", c[0])
		}
		if _, err := readCanonical(sharedPlaces, []byte(text)); err == nil {
			t.Errorf("with %s for %s it is read", c[1], c[0])
		}
	}
	if r, err := readCanonical(sharedPlaces, []byte(strings.Replace(good, `"action":"send"`, `"action":"\u0073end"`, 1))); err != nil || (view{r, sharedPlaces}).text("action") != "send" {
		t.Errorf("an escape is not read: %v", err)
	}
}
