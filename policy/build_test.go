package policy

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSamplesBuild checks what this program brings as it would check what came from somebody else: with tests and worst
// case, which no start of it repeats.
func TestSamplesBuild(t *testing.T) {
	b := newBuilder(Samples())
	b.shipped = nil
	if _, err := b.build(); err != nil {
		t.Fatal(err)
	}
	for _, j := range append(sortedKeys(b.in.Rules), "") {
		if b.isTested(j) {
			t.Errorf("the tests of %q were not run", j)
		}
	}
}

// TestShippedIsTested: only what is as this program brings it, with common as it brings it, is not tested again.
func TestShippedIsTested(t *testing.T) {
	tested := func(in Inputs) (ee, lv, common bool) {
		b := newBuilder(in)
		if err := b.data(); err != nil {
			t.Fatal(err)
		}
		return b.isTested("ee"), b.isTested("lv"), b.isTested("")
	}
	for name, c := range map[string]struct {
		in             Inputs
		ee, lv, common bool
	}{
		"as it is":       {Samples(), true, true, true},
		"other rules":    {edited(t, Samples(), "rules/ee", "send.rego", "default allow", "# another\ndefault allow"), false, true, true},
		"another test":   {edited(t, Samples(), "rules/ee", "ee_test.rego", "test_", "test_another_"), false, true, true},
		"declared":       {edited(t, Samples(), "declared/ee", "declared.json", "{", "{ "), false, true, true},
		"another common": {edited(t, Samples(), "common", "facts.json", "{", "{ "), false, false, false},
	} {
		if ee, lv, common := tested(c.in); ee != c.ee || lv != c.lv || common != c.common {
			t.Errorf("%s: behind them are the tests of ee %v, lv %v, common %v", name, ee, lv, common)
		}
	}
	nobody := Samples()
	nobody.Rules["xx"] = nobody.Rules["ee"] // somebody whom this program does not bring
	nobody.Declared["xx"] = Source{Status: Sample, Files: map[string][]byte{declaredFile: []byte(strings.ReplaceAll(string(nobody.Declared["ee"].Files[declaredFile]), `"ee`, `"xx`))}}
	b := newBuilder(nobody)
	if b.data() != nil || b.isTested("xx") {
		t.Errorf("a jurisdiction that this program does not bring counts as tested: %v", b.found.list)
	}
}

// TestRegoTests runs the tests of the library and of every sample, and fails when there are none.
func TestRegoTests(t *testing.T) {
	in := Samples()
	set := sampleSet(t)
	f := &findings{}
	common := commonUnit(f)
	common.parse(in.Common, factsFile, codesFile)
	units := map[string]*unit{"": common}
	b := &builder{ctx: context.Background(), set: set}
	b.archetypes(common)
	for j, src := range in.Rules {
		units[j] = jurisdictionUnit(j, f)
		units[j].bases = b.bases
		units[j].parse(src)
		maps.Copy(units[j].modules, units[j].shared(common.modules))
	}
	for j, u := range units {
		modules := maps.Clone(u.modules)
		maps.Copy(modules, u.testing)
		results, err := runRego(context.Background(), modules, set.examples(j))
		if err != nil {
			t.Fatalf("%s: %v", u.input, err)
		}
		if len(results) < 3 {
			t.Errorf("%s: only %d tests", u.input, len(results))
		}
		for _, r := range results {
			if !r.Pass() {
				t.Errorf("%s", r)
			}
		}
	}
}

// TestStepsLeaveRoom: the limit of steps is far above what the baseline needs, and is not out of reach.
func TestStepsLeaveRoom(t *testing.T) {
	s := sampleSet(t)
	most := 0
	for _, l := range []*layer{s.pkg, s.rcp} {
		for _, in := range s.corpus("ee") {
			c := &stepCounter{cancel: never{}}
			e := &evaluation{ctx: context.Background(), cancel: never{}, reg: s.registry, tracer: c}
			if _, err := e.ask(l, in); err != nil {
				t.Fatal(err)
			}
			most = max(most, c.steps)
		}
	}
	if most < 100 || most > maxSteps/4 {
		t.Errorf("the baseline takes %d steps of %d", most, maxSteps)
	}
}

// TestRevisions: a revision names contents, each input has one, and its source can be had by it.
func TestRevisions(t *testing.T) {
	s := sampleSet(t)
	if len(s.Revisions()) != 33 {
		t.Errorf("%v", s.Revisions())
	}
	for name, rev := range s.Revisions() {
		src, ok := s.Source(rev)
		if !ok || src.Revision() != rev {
			t.Errorf("%s: no source of %s", name, rev)
		}
	}
	a := Source{Files: map[string][]byte{"a": []byte("bc"), "d": nil}}
	for _, b := range []Source{
		{Files: map[string][]byte{"ab": []byte("c"), "d": nil}}, {Files: map[string][]byte{"a": []byte("bcd")}}, {Files: map[string][]byte{"a": []byte("b"), "cd": nil}}, {},
	} {
		if a.Revision() == b.Revision() {
			t.Errorf("%v and %v have one revision", a.Files, b.Files)
		}
	}
}

// TestFactsAreDated: what lapses closes, what is unknown is the strictest.
func TestFactsAreDated(t *testing.T) {
	f := sampleSet(t).facts
	for _, c := range []struct {
		table, j, day string
		want          bool
	}{
		{tableAdequate, "gb", "2021-06-27", false}, {tableAdequate, "gb", "2021-06-28", true}, {tableAdequate, "gb", "2031-12-27", true},
		{tableAdequate, "gb", "2031-12-28", false}, {tableAdequate, "xx", "2026-11-22", false}, {tableDeathPenalty, "xx", "2026-11-22", true},
		{tableDeathPenalty, "ee", "2026-11-22", false}, {tableDeathPenalty, "by", "2026-11-22", true}, {tableLED, "ua", "2026-11-22", false},
		{tableNotLED, "xx", "2026-11-22", false}, {tableChannelFree, "eu", "2027-06-11", true}, {tableChannelFree, "eu", "2027-06-12", false},
	} {
		if got := f.flag(c.table, c.j, c.day); got != c.want {
			t.Errorf("%s of %s on %s is %v", c.table, c.j, c.day, got)
		}
	}
	if tier := f.at(tableTier, "gb", "2021-06-27").code; tier != "t4" {
		t.Errorf("a tier that has lapsed is %s", tier)
	}
}

// TestBadCommon: a baseline that lost a rule, or data that contradict themselves, are refused.
func TestBadCommon(t *testing.T) {
	change := func(file, old, new string) Inputs {
		in := Samples()
		files := maps.Clone(in.Common.Files)
		if !strings.Contains(string(files[file]), old) {
			t.Fatalf("%s has no %q", file, old)
		}
		files[file] = []byte(strings.Replace(string(files[file]), old, new, 1))
		in.Common.Files = files
		in.Rules = map[string]Source{}
		return in
	}
	for name, c := range map[string]struct {
		in   Inputs
		want string
	}{
		"a rule that nothing meets":         {change("pkg.rego", `met contains "R2" if`, `met contains "R3" if`), "rule R2 is required in phase package, and nothing meets it"},
		"a rule id that nobody knows":       {change("pkg.rego", `met contains "R2" if`, `met contains "R222" if`), "an id that the registry does not have"},
		"a package that sees the recipient": {change("pkg.rego", `input.sender.active == true`, `input.recipient.active == true`), "looks at the recipient"},
		"a rule of unknown evidence":        {change("pkg.rego", "#   evidence: V\n", ""), "has no custom.evidence"},
		"facts that overlap":                {change("facts.json", `"by": [{`, `"by": [{"from": "2017-01-01", "until": "2018-05-06", "value": true, "source": "x", "evidence": "V"}, {`), "intervals overlap"},
		"a fact without evidence":           {change("facts.json", `, "evidence": "K"`, ``), `its evidence is "", none of [V S K P]`},
		"a fact of another evidence":        {change("facts.json", `"evidence": "K"`, `"evidence": "X"`), `its evidence is "X"`},
		"a fact without a source":           {change("facts.json", `"source": "not a member state, not a Schengen associate"`, `"source": ""`), "it has no source"},
		"a member that nobody knows":        {change("facts.json", `"evidence": "K"`, `"evidence": "K", "note": "x"`), "unknown"},
		"a treaty without others":           {change("facts.json", `"with": ["gb"]`, `"with": []`), "a treaty has parties"},
		"an agreement that is none":         {change("facts.json", `"value": "operational"`, `"value": "operative"`), "not a value of the table"},
		"a fact without an end":             {change("facts.json", `"until": "9999-12-31", `, ``), "not a date"},
		"a fact that ends before":           {change("facts.json", `"from": "2018-05-06", "until": "9999-12-31"`, `"from": "2018-05-06", "until": "2018-05-05"`), "before it begins"},
		"a tier that is none":               {change("facts.json", `"value": "t2"`, `"value": "t9"`), "not a value of the table"},
		"a table that is missing":           {change("facts.json", `"adequate": {`, `"adequacy": {`), "no table"},
		"a name twice":                      {change("facts.json", `"v": 1,`, `"v": 1, "v": 1,`), "twice"},
		"an obligation with an audience":    {change("codes.json", `"kind": "oblige", "on": "recipient", "audience": "all"`, `"kind": "oblige", "on": "recipient", "audience": "own"`), "never masked"},
		"a kind that is none":               {change("codes.json", `"kind": "deny"`, `"kind": "permit"`), "no kind"},
		"an engine's code without a text":   {change("codes.json", `"rules_missing"`, `"rules_gone"`), "of the engine"},
	} {
		list := findingsOf(t, c.in)
		if !slices.ContainsFunc(list, func(f Finding) bool { return f.Input == "common" && strings.Contains(f.Message, c.want) }) {
			t.Errorf("%s: want %q: %v", name, c.want, list)
		}
	}
}

// TestDeclaredIsItsOwn: nobody declares for another, and rules need a declaration.
func TestDeclaredIsItsOwn(t *testing.T) {
	in := Samples()
	in.Declared = maps.Clone(in.Declared)
	in.Declared["lv"] = in.Declared["ee"]
	if list := findingsOf(t, in); list == nil || list[0].Input != "declared/lv" {
		t.Errorf("%v", list)
	}
	delete(in.Declared, "lv")
	if list := findingsOf(t, in); list == nil || list[0].Input != "rules/lv" {
		t.Errorf("%v", list)
	}
}

// TestTimeZone: a zone is of the IANA database by its own name, and the same on every machine.
func TestTimeZone(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Tallinn", "America/Argentina/Ushuaia", "Etc/GMT+3"} {
		if zone := TimeZone(name); zone == nil || zone.String() != name {
			t.Errorf("%q: %v", name, zone)
		}
	}
	for _, name := range []string{"", "Local", "localtime", "right/UTC", "posix/Europe/Kyiv", "Europe//Kyiv", "Europe/./Kyiv", "Europe/../UTC", "../etc/passwd", "/etc/localtime", "EET", "Mars/Phobos", "Europe/Kyiv\n"} {
		if zone := TimeZone(name); zone != nil {
			t.Errorf("%q: %v", name, zone)
		}
	}
}

func TestParseDeclared(t *testing.T) {
	good := string(Samples().Declared["ua"].Files[declaredFile])
	if d, err := ParseDeclared([]byte(good)); err != nil || d.Jurisdiction != "ua" || len(d.Instruments) != 5 {
		t.Fatal(err, d)
	}
	for name, c := range map[string][2]string{
		"an unknown member":              {`"v": 1`, `"v": 1, "x": 1`},
		"a member twice":                 {`"v": 1`, `"v": 1, "v": 1`},
		"a name in other letters":        {`"kind": "state"`, `"Kind": "state"`},
		"an agency of another":           {`"id": "ua/npu"`, `"id": "lv/npu"`},
		"a contact point of another":     {`"contact_point": "ua/npu"`, `"contact_point": "ee/pbgb"`},
		"a type that is none":            {`"spoc"`, `"army"`},
		"a date that is none":            {`"2009-01-01"`, `"2009-02-29"`},
		"an end before the beginning":    {`"2009-01-01"`, `"9999-12-31"`},
		"a law with parties":             {`"kind": "treaty"`, `"kind": "law"`},
		"a treaty with itself":           {`"ee"`, `"ua"`},
		"an assurance that nobody knows": {`"no_death_penalty"`, `"no_penalty"`},
		"a time zone that is none":       {`"Europe/Kyiv"`, `"Europe/Narnia"`},
		"the machine's own time zone":    {`"Europe/Kyiv"`, `"Local"`},
		"a link to the machine's":        {`"Europe/Kyiv"`, `"localtime"`},
		"a time zone with leap seconds":  {`"Europe/Kyiv"`, `"right/Europe/Kyiv"`},
		"a time zone of two spellings":   {`"Europe/Kyiv"`, `"Europe//Kyiv"`},
		"an empty time zone":             {`"Europe/Kyiv"`, `""`},
		"a path for a time zone":         {`"Europe/Kyiv"`, `"../UTC"`},
		"no languages":                   {`"languages": [`, `"languages": [], "x": [`},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		if name == "an end before the beginning" {
			bad = strings.Replace(bad, `"until": "9999-12-31"`, `"until": "2001-01-01"`, 2)
		}
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := ParseDeclared([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestText(t *testing.T) {
	for s, want := range map[string]Text{
		"": {0, true}, "For the purposes of the investigation.": {38, true}, "as requested, as requested, as requested": {40, true},
		"aaaaaaaaaaaaaaaaaaaaaaaa": {24, true}, "xx xx xx xx xx xx xx xx": {23, true},
		"  The   suspect\n lives in Riga. ": {26, false}, "Подозреваемый живёт в Риге": {26, false},
		"criminal investigation of the fire in Tartu": {43, false},
	} {
		if got := NewText(s); got != want {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	}
}

// TestSamplesHaveAForm: each of the sixteen has what an author's directory has; what is for people is part of no input,
// and says that it is nobody's law.
func TestSamplesHaveAForm(t *testing.T) {
	in := Samples()
	if len(in.Declared) != 16 || len(in.Rules) != 16 || in.Common.Status != Authoritative {
		t.Fatalf("%d declare, %d have rules", len(in.Declared), len(in.Rules))
	}
	for _, j := range sortedKeys(in.Rules) {
		if got := in.Declared[j].paths(); !slices.Equal(got, []string{declaredFile}) || in.Declared[j].Status != Sample || in.Rules[j].Status != Sample {
			t.Errorf("%s declares %v, status %s and %s", j, got, in.Declared[j].Status, in.Rules[j].Status)
		}
		rules := in.Rules[j].paths()
		for _, want := range []string{"onward.rego", "receive.rego", "send.rego", j + "_test.rego"} {
			if !slices.Contains(rules, want) {
				t.Errorf("%s has no %s", j, want)
			}
		}
		text, err := embedded.ReadFile("jurisdictions/" + j + "/" + readmeFile)
		lines := strings.Count(string(text), "\n")
		if err != nil || lines < 10 || lines > 26 || !strings.Contains(string(text), "they are **not ") {
			t.Errorf("README of %s: %v, %d lines", j, err, lines)
		}
		if !inheritsAll(t, in.Rules[j]) {
			t.Errorf("%s does not build on an archetype in all its layers", j)
		}
	}
}

func inheritsAll(t *testing.T, src Source) bool {
	t.Helper()
	for _, kind := range layerKinds {
		text := string(src.Files[kind+".rego"])
		if !strings.Contains(text, "import data.liaison.archetype.") || !strings.Contains(text, "deny contains x if some x in base.deny") {
			return false
		}
	}
	return true
}

// TestBuildOn: what did not change is taken over, all else is checked again, and the Set is what Build makes of the same
// inputs.
func TestBuildOn(t *testing.T) {
	few := Samples() // more would only take longer
	few.Rules = map[string]Source{"ee": few.Rules["ee"], "lv": few.Rules["lv"], "it": few.Rules["it"]}
	before, err := onSamples(few)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(input, file, old, text string) Inputs { return edited(t, few, input, file, old, text) }
	for name, c := range map[string]struct {
		in          Inputs
		pkg, ee, lv bool // taken over
	}{
		"nothing":       {few, true, true, true},
		"rules":         {changed("rules/ee", "send.rego", "default allow", "# another\ndefault allow"), true, false, true},
		"a declaration": {changed("declared/ee", "declared.json", "{", "{ "), true, false, true},
		"common":        {changed("common", "pkg.rego", "default allow", "# another\ndefault allow"), false, false, false},
		"the facts":     {changed("common", "facts.json", "{", "{ "), false, false, false},
	} {
		s, err := BuildOn(before, c.in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (s.pkg == before.pkg) != c.pkg || (s.layers["ee"]["send"] == before.layers["ee"]["send"]) != c.ee || (s.layers["lv"]["send"] == before.layers["lv"]["send"]) != c.lv {
			t.Errorf("%s changed: another part is taken over than the rest", name)
		}
		if s.memo == before.memo {
			t.Errorf("%s changed: what was remembered is taken over", name)
		}
		if d := mustDecide(t, s, request(t, "ee/pbgb", []string{"lv/vp"}, eeLV()))[0]; d.Verdict != Delivered || d.Revisions["rules/ee"] != c.in.Rules["ee"].Revision() {
			t.Errorf("%s changed: %s under %v", name, d.Verdict, d.Revisions)
		}
	}
	bad := changed("rules/ee", "send.rego", "default allow := false", "default allow := true")
	if _, err := BuildOn(before, bad); err == nil {
		t.Error("a change that Build refuses was taken")
	}
}

// TestBuildEndsInTime: a Build whose time is over is refused, wherever it is, and no Set comes of it.
func TestBuildEndsInTime(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	for name, before := range map[string]*Set{"all": nil, "on another": sampleSet(t)} {
		in := edited(t, Samples(), "rules/ee", "send.rego", "default allow", "# another\ndefault allow")
		set, err := build(over, before, in)
		var refused *BuildError
		if set != nil || !errors.As(err, &refused) || len(refused.Findings) != 1 || !strings.Contains(refused.Findings[0].Message, "did not end in time") {
			t.Errorf("%s: %v, %v", name, set, err)
		}
	}
	// Its tests and its steps end with it.
	b := newBuilder(Samples())
	if err := errors.Join(b.data(), b.baseline()); err != nil {
		t.Fatal(err)
	}
	b.ctx, b.shipped = over, nil
	b.jurisdiction("ee")
	if err := b.inTime(); err == nil || !strings.Contains(err.Error(), "the tests did not end in time") {
		t.Errorf("the tests went on: %v", err)
	}
	b.found = &findings{}
	b.set.pkg = nil // a layer that would be asked
	b.checkSteps("common", "", b.set.pkg)
}

// TestAtMost: all are done, and no more than that many at a time.
func TestAtMost(t *testing.T) {
	var running, most, done atomic.Int64
	met := make(chan struct{})
	meet := sync.OnceFunc(func() { close(met) })
	atMost(2, strings.Split("abcdefgh", ""), func(string) {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 2 {
			meet()
		}
		<-met // two are there
		for range 1000 {
			runtime.Gosched() // a third would come now
		}
		running.Add(-1)
		done.Add(1)
	})
	if most.Load() != 2 || done.Load() != 8 {
		t.Errorf("%d at a time, %d of 8", most.Load(), done.Load())
	}
}
