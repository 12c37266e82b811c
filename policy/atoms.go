package policy

import (
	"math"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// atom is one condition of a rule on one member of the input: that it is among values, that it is none of them, or
// that it is a number between two. Any other condition is opaque: all that is known of it is what it says.
type atom struct {
	path   string
	kind   atomKind
	values []ast.Value // of atomIn and atomNotIn
	lo, hi int         // of atomRange
	not    bool        // of atomOpaque
	loc    *ast.Location
}

type atomKind uint8

const (
	atomOpaque atomKind = iota
	atomIn
	atomNotIn
	atomRange
)

// conjunction reads the body of a rule as conditions that hold together.
func conjunction(r *ast.Rule, scope map[ast.Var]ast.Ref) []atom {
	list := make([]atom, 0, len(r.Body))
	for _, e := range r.Body {
		list = append(list, atomOf(e, scope))
	}
	return list
}

func atomOf(e *ast.Expr, scope map[ast.Var]ast.Ref) atom {
	a, ok := readAtom(e)
	a.loc = e.Location
	switch {
	case !ok:
		plain := e.Copy()
		plain.Negated = false
		return atom{path: expanded(plain, scope), not: e.Negated, loc: e.Location}
	case e.Negated:
		return a.negated()
	}
	return a
}

// expanded is the text of an expression with imported names written out.
func expanded(e *ast.Expr, scope map[ast.Var]ast.Ref) string {
	x, err := ast.TransformRefs(e, func(r ast.Ref) (ast.Value, error) { return expand(r, scope), nil })
	if err != nil {
		return e.String()
	}
	if plain, ok := x.(*ast.Expr); ok {
		return plain.String()
	}
	return e.String()
}

func readAtom(e *ast.Expr) (atom, bool) {
	if len(e.With) > 0 {
		return atom{}, false
	}
	if t, ok := e.Terms.(*ast.Term); ok {
		path, ok := inputMember(t)
		return atom{path: path, kind: atomNotIn, values: []ast.Value{ast.Boolean(false)}}, ok
	}
	if !e.IsCall() || len(e.Operands()) != 2 {
		return atom{}, false
	}
	op, l, r := e.Operator().String(), e.Operand(0), e.Operand(1)
	path, ok := inputMember(l)
	if !ok && mirrored[op] != "" {
		path, ok = inputMember(r)
		op, r = mirrored[op], l
	}
	if !ok {
		return atom{}, false
	}
	return compareAtom(path, op, r)
}

// mirrored are the comparisons with their sides changed.
var mirrored = map[string]string{"equal": "equal", "eq": "eq", "neq": "neq", "lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}

func compareAtom(path, op string, t *ast.Term) (atom, bool) {
	a := atom{path: path, kind: atomIn, lo: math.MinInt, hi: math.MaxInt}
	n, number := t.Value.(ast.Number)
	i, whole := n.Int()
	switch op {
	case "equal", "eq", "neq":
		if !ast.IsConstant(t.Value) {
			return a, false
		}
		a.values = []ast.Value{t.Value}
		if op == "neq" {
			a.kind = atomNotIn
		}
		return a.range1(), true
	case "internal.member_2":
		list, ok := constants(t)
		a.values = list
		return a, ok
	case "lt":
		a.hi = i - 1
	case "lte":
		a.hi = i
	case "gt":
		a.lo = i + 1
	case "gte":
		a.lo = i
	default:
		return a, false
	}
	a.kind = atomRange
	return a, number && whole
}

// range1 makes a range of a comparison with one number.
func (a atom) range1() atom {
	if n, ok := a.values[0].(ast.Number); ok && a.kind == atomIn {
		if i, whole := n.Int(); whole {
			return atom{path: a.path, kind: atomRange, lo: i, hi: i}
		}
	}
	return a
}

// inputMember returns the path of a reference to a member of the input.
func inputMember(t *ast.Term) (string, bool) {
	ref, ok := t.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.InputRootRef) || len(ref) < 2 || !constantRef(ref) {
		return "", false
	}
	return ref.String(), true
}

func constants(t *ast.Term) ([]ast.Value, bool) {
	var list []ast.Value
	ok := true
	add := func(e *ast.Term) {
		ok = ok && ast.IsConstant(e.Value)
		list = append(list, e.Value)
	}
	switch v := t.Value.(type) {
	case ast.Set:
		v.Foreach(add)
	case *ast.Array:
		v.Foreach(add)
	default:
		return nil, false
	}
	return list, ok
}

// negated is the contrary. The input is total, so that what is not so is otherwise.
func (a atom) negated() atom {
	switch a.kind {
	case atomIn:
		a.kind = atomNotIn
	case atomNotIn:
		a.kind = atomIn
	case atomRange:
		switch {
		case a.lo == math.MinInt:
			a.lo, a.hi = a.hi+1, math.MaxInt
		case a.hi == math.MaxInt:
			a.lo, a.hi = math.MinInt, a.lo-1
		default:
			return atom{path: a.path, not: true, loc: a.loc} // two ranges: opaque
		}
	default:
		a.not = !a.not
	}
	return a
}

func has(list []ast.Value, v ast.Value) bool {
	return slices.ContainsFunc(list, func(o ast.Value) bool { return o.Compare(v) == 0 })
}

// holds reports whether a value satisfies the condition.
func (a *atom) holds(v ast.Value) bool {
	switch a.kind {
	case atomIn:
		return has(a.values, v)
	case atomNotIn:
		return !has(a.values, v)
	case atomRange:
		n, ok := v.(ast.Number)
		i, whole := n.Int()
		return ok && whole && a.lo <= i && i <= a.hi
	}
	return true
}

// implies reports whether b holds wherever a does.
func (a *atom) implies(b *atom) bool {
	switch {
	case a.path != b.path:
		return false
	case a.kind == atomOpaque || b.kind == atomOpaque:
		return a.kind == b.kind && a.not == b.not
	case a.kind == atomIn:
		return !slices.ContainsFunc(a.values, func(v ast.Value) bool { return !b.holds(v) })
	case a.kind == atomRange && b.kind == atomRange:
		return b.lo <= a.lo && a.hi <= b.hi
	case a.kind == atomRange && b.kind == atomNotIn:
		return !slices.ContainsFunc(b.values, a.holds)
	case a.kind == atomNotIn && b.kind == atomNotIn:
		return !slices.ContainsFunc(b.values, func(v ast.Value) bool { return !has(a.values, v) })
	case a.kind == atomNotIn && b.kind == atomIn:
		return otherBoolean(a) != nil && has(b.values, otherBoolean(a))
	}
	return false
}

// otherBoolean is the one value that a boolean has which is not the given one.
func otherBoolean(a *atom) ast.Value {
	if len(a.values) != 1 {
		return nil
	}
	if v, ok := a.values[0].(ast.Boolean); ok {
		return !v
	}
	return nil
}

// excludes reports whether a and b never hold together.
func (a *atom) excludes(b *atom) bool {
	if a.path != b.path {
		return false
	}
	switch {
	case a.kind == atomOpaque || b.kind == atomOpaque:
		return a.kind == b.kind && a.not != b.not
	case a.kind == atomIn:
		return !slices.ContainsFunc(a.values, b.holds)
	case b.kind == atomIn:
		return !slices.ContainsFunc(b.values, a.holds)
	case a.kind == atomRange && b.kind == atomRange:
		return max(a.lo, b.lo) > min(a.hi, b.hi)
	case a.kind == atomNotIn && b.kind == atomNotIn:
		x, y := otherBoolean(a), otherBoolean(b)
		return x != nil && y != nil && x.Compare(y) != 0
	}
	return false
}

// contradiction returns two conditions that never hold together.
func contradiction(list []atom) (a, b *atom) {
	for i := range list {
		for k := i + 1; k < len(list); k++ {
			if list[i].excludes(&list[k]) {
				return &list[i], &list[k]
			}
		}
	}
	return nil, nil
}

// covers reports whether the conditions refused hold wherever those of the rule do.
func covers(refused, rule []atom) bool {
	return len(refused) > 0 && !slices.ContainsFunc(refused, func(r atom) bool {
		return !slices.ContainsFunc(rule, func(a atom) bool { return a.implies(&r) })
	})
}

// refusedCase is a case in which common refuses whatever a jurisdiction says.
type refusedCase struct {
	rule string
	when []atom
}

// refusedByCommon reads from common the cases that it refuses: those of its denials, and for each rule that must be
// met what none of its bodies lets pass.
func (p *parsed) refusedByCommon() []refusedCase {
	var list []refusedCase
	met := map[string][][]atom{}
	for _, file := range sortedKeys(p.base.modules) {
		m := p.base.modules[file]
		if p.base.entries[m.Package.Path.String()] == "" {
			continue
		}
		scope := scopeOf(m)
		for _, r := range m.Rules {
			id, _ := constantCode(r.Head.Key)
			switch r.Head.Ref().String() {
			case kindDeny:
				rule, _ := customOf(r)["rule"].(string)
				list = append(list, refusedCase{rule, conjunction(r, scope)})
			case "met":
				key := m.Package.Path.String() + " " + id
				met[key] = append(met[key], conjunction(r, scope))
			}
		}
	}
	for _, key := range sortedKeys(met) {
		_, id, _ := strings.Cut(key, " ")
		for _, a := range needed(met[key]) {
			list = append(list, refusedCase{id, []atom{a.negated()}})
		}
	}
	return list
}

// needed are the conditions without which none of the bodies holds: each says of one member what all of them let pass.
func needed(bodies [][]atom) []atom {
	var list []atom
	for _, a := range bodies[0] {
		if sum, ok := widened(a, bodies[1:]); ok && a.kind != atomOpaque {
			list = append(list, sum)
		}
	}
	return list
}

func widened(a atom, bodies [][]atom) (atom, bool) {
	for _, body := range bodies {
		i := slices.IndexFunc(body, func(b atom) bool { return b.path == a.path && b.kind == a.kind })
		if i < 0 {
			return a, false
		}
		switch b := body[i]; a.kind {
		case atomIn:
			a.values = slices.Concat(a.values, b.values)
		case atomRange:
			a.lo, a.hi = min(a.lo, b.lo), max(a.hi, b.hi)
		default:
			return a, a.implies(&b) && b.implies(&a)
		}
	}
	return a, true
}

// scopeOf are the imported names of a module.
func scopeOf(m *ast.Module) map[ast.Var]ast.Ref {
	scope := map[ast.Var]ast.Ref{}
	for _, i := range m.Imports {
		if ref, ok := i.Path.Value.(ast.Ref); ok {
			scope[i.Name()] = ref
		}
	}
	return scope
}
