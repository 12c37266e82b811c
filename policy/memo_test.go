package policy

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestSlicesChangeNothing: a decision by slices that are remembered is the decision by each layer as it was written,
// asked as a whole about all of the input.
func TestSlicesChangeNothing(t *testing.T) {
	fast, plain := *sampleSet(t), *sampleSet(t)
	fast.memo, plain.memo = newMemo(64), nil // a memo that forgets all the time
	c := newCorpus(t, &fast, 3)
	seen := map[string]int{}
	for i := range 800 {
		r := c.request(t)
		if got, want := mustDecide(t, &fast, r), mustDecide(t, &plain, r); !reflect.DeepEqual(got, want) {
			t.Fatalf("request %d: %s\n%+v\nas written\n%+v", i, r.Claimed, got, want)
		} else {
			seen[got[0].Verdict]++
		}
	}
	if seen[Delivered] < 30 || seen[Denied] < 30 || seen[Pending] < 2 {
		t.Errorf("the requests were too alike: %v", seen)
	}
}

func mustDecide(t testing.TB, s *Set, r Request) []Decision {
	t.Helper()
	ds, err := s.decide(context.Background(), testTimeout, r)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestNothingIsRememberedTooLong changes every member of an input, one at a time. Whatever was remembered of the input
// before, each layer then says what it says when it is asked as a whole about all of it.
func TestNothingIsRememberedTooLong(t *testing.T) {
	s := sampleSet(t)
	layers := map[string]*layer{"pkg": s.pkg, "rcp": s.rcp}
	for j, kinds := range s.layers {
		for kind, l := range kinds {
			layers[j+"/"+kind] = l
		}
	}
	names := sortedKeys(layers)
	c := newCorpus(t, s, 5)
	changes, differences := 0, 0
	for range 2 {
		r := c.request(t)
		p, err := s.newPack(&r)
		if err != nil {
			continue
		}
		in := sources{p.record, p.own(r.Recipients[0]).record}
		e := &evaluation{ctx: context.Background(), cancel: never{}, reg: s.registry, memo: newMemo(memoSize)}
		plain := &evaluation{ctx: e.ctx, cancel: never{}, reg: s.registry}
		before := map[string]string{}
		for _, name := range names {
			before[name] = told(t, e, layers[name], in)
		}
		for _, changed := range mutations(in) {
			// The baseline, and some of the others in turn.
			changes++
			for _, name := range []string{"pkg", "rcp", names[changes%len(names)], names[(changes*7+3)%len(names)]} {
				want := told(t, plain, layers[name], changed)
				if got := told(t, e, layers[name], changed); got != want {
					t.Fatalf("%s says %s instead of %s", name, got, want)
				}
				if want != before[name] {
					differences++
				}
			}
		}
	}
	if changes < 300 || differences < 50 {
		t.Errorf("%d changes made %d differences", changes, differences)
	}
}

// told is what a layer says, in words that can be compared.
func told(t *testing.T, e *evaluation, l *layer, in sources) string {
	t.Helper()
	s, err := e.say(l, in)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, one := range s.sayings {
		list = append(list, fmt.Sprintln(one.kind, one.code, one.params, one.by, one.jurisdiction, one.hours))
	}
	slices.Sort(list)
	return fmt.Sprintln(s.allow, s.bad, s.met, slices.Compact(list))
}

// mutations are copies of an input with one member changed, for every member and list element that holds a scalar.
func mutations(in sources) []sources {
	var list []sources
	for _, p := range append(slices.Clone(sharedPlaces.kids), ownPlaces.kids...) {
		r, root := in.shared, sharedPlaces
		if p.own {
			r, root = in.own, ownPlaces
		}
		for _, m := range mutants(p.shape, r.raw(p)) {
			at := r.at[p.id]
			changed := root.record(bytes.Join([][]byte{r.json[:at.from], m, r.json[at.to:]}, nil))
			locate(changed, root, 0)
			if p.own {
				list = append(list, sources{in.shared, changed})
			} else {
				list = append(list, sources{changed, in.own})
			}
		}
	}
	return list
}

// mutants are other values of a shape, each different from the text in one scalar.
func mutants(s *shape, text []byte) [][]byte {
	switch s.kind {
	case kindBoolean:
		return [][]byte{fmt.Appendf(nil, "%v", text[0] == 'f')}
	case kindInteger:
		return [][]byte{[]byte("0"), []byte("1"), []byte("7000")}
	case kindString:
		list := [][]byte{[]byte(`"other"`)}
		for _, v := range s.enum {
			list = append(list, fmt.Appendf(nil, "%q", v))
		}
		return list
	case kindArray:
		return arrayMutants(s, text)
	case kindObject:
		return objectMutants(s, text)
	}
	return nil
}

func arrayMutants(s *shape, text []byte) [][]byte {
	list := [][]byte{[]byte("[]")}
	eachElement(text, func(e []byte) {
		for _, m := range mutants(s.items, e) {
			list = append(list, bytes.Replace(text, e, m, 1))
		}
	})
	if s.items.kind == kindString {
		for _, v := range append([]string{"other"}, s.items.enum...) {
			list = append(list, fmt.Appendf(nil, "[%q]", v))
		}
	}
	return list
}

func objectMutants(s *shape, text []byte) [][]byte {
	p := newPlaces(s, false)
	r := p.record(text)
	locate(r, p, 0)
	var list [][]byte
	for _, k := range p.kids {
		for _, m := range mutants(k.shape, r.raw(k)) {
			list = append(list, bytes.Join([][]byte{text[:r.at[k.id].from], m, text[r.at[k.id].to:]}, nil))
		}
	}
	return list
}

// TestMutations: the places of a changed record are those of its text, so that the tests above mean something.
func TestMutations(t *testing.T) {
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	p, err := sampleSet(t).newPack(&r)
	if err != nil {
		t.Fatal(err)
	}
	in := sources{p.record, p.own(r.Recipients[0]).record}
	list := mutations(in)
	for _, m := range append(list, in) {
		merged, err := mergeInput(Input{Shared: m.shared.json, Own: m.own.json})
		if err != nil || !merged.Equal(wholeInput(m)) {
			t.Fatalf("%v\n%s\n%s", err, m.shared.json, m.own.json)
		}
	}
	if len(list) < 300 {
		t.Errorf("%d mutations", len(list))
	}
}

// TestWhatIsLookedAt: a reference that is not written out in names takes all that it could reach.
func TestWhatIsLookedAt(t *testing.T) {
	for body, want := range map[string]string{
		`input.claimed.purpose == "x"`: "purpose", `input.claimed.handling.code == input.facts.route`: "code route",
		`some c in input.claimed.handling.conditions; c.code == "no_onward"`: "conditions", `c := input.claimed.handling; c.code == "H1"`: "handling",
		`input.claimed.handling[_] == "H1"`: "handling", `x := "handling"; input.claimed[x].code == "H1"`: "claimed",
		`f(input.claimed.retention) == "x"`: "retention", `g`: "language tier", `not input.recipient.active`: "active",
		`count([1 | input.derived.minors == true]) == 1`: "minors", `every c in input.crimes { c == "x" }`: "", `object.get(input.facts, "route", "") == "inside"`: "facts",
		`x := input; x.facts.route == "inside"`: "*", `input[_].route == "inside"`: "*", `walk(input, [_, "x"])`: "*", `s := {"a": input.sender.id}; s.a == "x"`: "id",
	} {
		c := ast.MustCompileModules(map[string]string{"x.rego": "package x\n\ndeny contains \"x\" if { " + body + " }\n\nf(r) := r.basis\n\ng if { h; input.claimed.language == \"en\" }\n\nh if input.recipient.tier == \"t1\"\n"})
		var got []string
		places := project(c, c.GetRulesExact(ast.MustParseRef("data.x.deny"))).places
		for _, p := range places {
			got = append(got, p.name)
		}
		if len(places) == len(everything()) {
			got = []string{"*"}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s looks at %v, want %s", body, got, want)
		}
	}
}

// TestMemoIsBounded: it never holds more than twice its size, and keeps what is asked for.
func TestMemoIsBounded(t *testing.T) {
	m := newMemo(10)
	kept := &says{allow: true}
	m.add("kept", kept)
	for i := range 1000 {
		m.add(fmt.Sprint(i), &says{})
		if m.get([]byte("kept")) != kept {
			t.Fatalf("forgotten after %d", i)
		}
		if n := len(m.younger) + len(m.older); n > 20 {
			t.Fatalf("it holds %d", n)
		}
	}
	if m.get([]byte("1")) != nil {
		t.Error("it remembers what nobody asked for")
	}
}

// TestFailuresAreNotRemembered: what was cut off is asked again.
func TestFailuresAreNotRemembered(t *testing.T) {
	s := sampleSet(t)
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	p, err := s.newPack(&r)
	if err != nil {
		t.Fatal(err)
	}
	cut := topdown.NewCancel()
	cut.Cancel()
	e := &evaluation{ctx: context.Background(), cancel: cut, reg: s.registry, memo: newMemo(memoSize)}
	if said, err := e.say(s.pkg, sources{shared: p.record}); err == nil {
		t.Fatalf("%+v", said)
	}
	if n := len(e.memo.younger); n > 0 {
		t.Errorf("%d failures are remembered", n)
	}
}
