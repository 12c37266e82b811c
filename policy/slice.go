package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A layer is asked in slices: groups of its rules that look at much the same. What a layer says is the union of what
// its rules say, so it is the union of what the slices say, and each slice can be remembered by the little that it
// looks at. A rule that copies a date into an obligation is a slice of its own, and does not make all others depend on
// that date.
//
// A slice is a package of its own, made of compiled rules; helpers stay where they are. What is inherited from an
// archetype is written out, so that it is sliced like the rest.
type slice struct {
	id    string // the beginning of its keys: no two slices of a Set share it
	query ast.Body
	parts []string // names of the elements of the answer
	looks *projection
}

// sliceRoot is where the packages of slices are; no input can name it.
var sliceRoot = ast.MustParseRef("data.slices")

// slicing makes the slices of the layers of one compiler.
type slicing struct {
	unit    *unit
	c       *ast.Compiler
	modules map[string]*ast.Module
	roots   map[*layer][]ast.Ref
}

// slice cuts layers that were compiled together.
func (u *unit) slice(c *ast.Compiler, layers ...*layer) error {
	s := &slicing{unit: u, c: c, modules: map[string]*ast.Module{}, roots: map[*layer][]ast.Ref{}}
	for file, m := range c.Modules {
		s.modules[file] = m
	}
	for _, l := range layers {
		for i, rules := range s.groups(s.rules(l.pkg)) {
			s.add(l, i, rules)
		}
	}
	fast := ast.NewCompiler().WithCapabilities(ruleCapabilities)
	fast.Compile(s.modules)
	if fast.Failed() {
		return fmt.Errorf("slices: %w", fast.Errors)
	}
	for _, l := range layers {
		l.fast = fast
		for _, root := range s.roots[l] {
			one := &slice{id: l.name + l.phase + "#" + strconv.Itoa(len(l.slices)) + "\x00", looks: project(fast, fast.GetRulesWithPrefix(root))}
			var err error
			if one.parts, one.query, err = entryQuery(fast, root); err != nil {
				return err
			}
			l.slices = append(l.slices, one)
		}
	}
	return nil
}

// add makes a module of the rules of one slice.
func (s *slicing) add(l *layer, i int, rules []*ast.Rule) {
	root := sliceRoot.Append(ast.StringTerm(l.name + l.phase)).Append(ast.StringTerm(strconv.Itoa(i)))
	m := &ast.Module{Package: &ast.Package{Path: root}}
	for _, r := range rules {
		own := r.Copy()
		own.Module = m
		m.Rules = append(m.Rules, own)
	}
	s.modules["slice/"+root.String()] = m
	s.roots[l] = append(s.roots[l], root)
}

// rules lists the compiled rules of an entry package, with those of an archetype in the place of what takes them.
func (s *slicing) rules(pkg string) []*ast.Rule {
	var list []*ast.Rule
	for _, file := range sortedKeys(s.c.Modules) {
		m := s.c.Modules[file]
		if m.Package.Path.String() != pkg {
			continue
		}
		for i, r := range m.Rules {
			list = append(list, s.inherited(file, i, r)...)
		}
	}
	return list
}

// inherited returns the rules of the archetype's set that a rule takes, or the rule itself.
func (s *slicing) inherited(file string, i int, r *ast.Rule) []*ast.Rule {
	written := s.unit.modules[file]
	if written == nil || len(written.Rules) != len(s.c.Modules[file].Rules) {
		return []*ast.Rule{r}
	}
	taken := s.unit.inherited[written.Rules[i]]
	if len(taken) != 1 || taken[0].part == "allow" {
		return []*ast.Rule{r}
	}
	base := ast.MustParseRef(taken[0].pkg()).Append(ast.StringTerm(taken[0].part))
	return s.c.GetRulesExact(base)
}

// maxSpread is how many bits the places of a slice may have together: some hundreds of different answers. A layer has
// at most maxSlices.
const (
	maxSpread = 9
	maxSlices = 16
)

// groups parts rules into slices. Those of allow stay together; a rule with much of its own is alone.
func (s *slicing) groups(rules []*ast.Rule) [][]*ast.Rule {
	type group struct {
		rules  []*ast.Rule
		places map[*place]bool
	}
	var atoms []*group
	for _, r := range rules {
		name := r.Head.Ref().String()
		i := slices.IndexFunc(atoms, func(g *group) bool { return name == "allow" && g.rules[0].Head.Ref().String() == name })
		if i < 0 {
			atoms = append(atoms, &group{places: map[*place]bool{}})
			i = len(atoms) - 1
		}
		atoms[i].rules = append(atoms[i].rules, r)
		for _, p := range project(s.c, []*ast.Rule{r}).places {
			atoms[i].places[p] = true
		}
	}
	spread := func(sets ...map[*place]bool) (bits float64) {
		seen := map[*place]bool{}
		for _, set := range sets {
			for p := range set {
				if !seen[p] {
					seen[p] = true
					bits += p.spread()
				}
			}
		}
		return bits
	}
	slices.SortStableFunc(atoms, func(a, b *group) int { return cmp.Compare(spread(b.places), spread(a.places)) })
	var groups []*group
	for _, a := range atoms {
		var best *group
		least := math.Inf(1)
		for _, g := range groups {
			// The group to which it adds least.
			if more := spread(g.places, a.places) - spread(g.places); more < least && (spread(g.places, a.places) <= maxSpread || len(groups) == maxSlices) {
				best, least = g, more
			}
		}
		if best == nil {
			groups = append(groups, a)
			continue
		}
		best.rules = append(best.rules, a.rules...)
		for p := range a.places {
			best.places[p] = true
		}
	}
	lists := make([][]*ast.Rule, len(groups))
	for i, g := range groups {
		lists[i] = g.rules
	}
	return lists
}

// spread estimates, in bits, how different the values of a place are in practice. It decides how fast an answer is
// found, never what it is.
func (p *place) spread() float64 {
	s := p.shape
	switch {
	case s.kind == kindBoolean:
		return 0.4
	case s.kind == kindInteger:
		return 7
	case s.kind == kindArray && s.items.kind == kindObject:
		return 6
	case s.kind == kindArray:
		return 4
	case s.kind == kindObject:
		bits := 0.0
		for _, k := range p.kids {
			bits += k.spread()
		}
		return bits
	case s.enum != nil:
		return math.Log2(float64(len(s.enum))) / 2
	case s.date || s.pattern != nil && s.accepts(strings.Repeat("a", 40)):
		return 12
	}
	return 3
}
