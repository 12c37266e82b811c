package policy

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// extremes looks in a body for the max and min of lists that may be empty: those are undefined.
type extremes struct {
	*opening
	body  ast.Body
	names naming
}

// check refuses an undefined max or min where that opens something: in a denial, and where it is negated in an allow.
// What is collected decides on an element, and that one is missing can open as well as close.
func (x *extremes) check(s sides) {
	for _, e := range x.body {
		here := s
		if e.Negated {
			here = sides{opens: s.denies, denies: s.opens}
		}
		if here.denies {
			x.call(e)
		}
		if t, ok := e.Terms.(*ast.Every); ok {
			x.within(t.Body).check(here)
			x.collected(t.Domain)
			continue
		}
		x.collected(e)
	}
}

// collected checks the bodies of comprehensions.
func (x *extremes) collected(in any) {
	ast.WalkTerms(in, func(t *ast.Term) bool {
		var body ast.Body
		switch v := t.Value.(type) {
		case *ast.ArrayComprehension:
			body = v.Body
		case *ast.SetComprehension:
			body = v.Body
		case *ast.ObjectComprehension:
			body = v.Body
		default:
			return false
		}
		x.within(body).check(sides{true, true})
		return true
	})
}

// sides are those on which a body can be: what holds opens something, or denies.
type sides struct{ opens, denies bool }

// call refuses a max or min of what may be empty.
func (x *extremes) call(e *ast.Expr) {
	args := e.Operands()
	if !e.IsCall() || len(args) != 2 {
		return
	}
	name := e.Operator().String()
	if name == "max" || name == "min" {
		if !counted(x.body, x.names, args[0]) && !x.filled(args[0]) {
			x.found(e.Location, name+" of an empty list is undefined, and an undefined denial does not deny: add the value that then counts, "+
				name+"({0} | {…}), or say count(…) > 0 of the same list before it, if a package without any is not meant")
		}
	}
}

// within is a body in the body, which knows its names.
func (x *extremes) within(body ast.Body) *extremes {
	names := maps.Clone(x.names)
	maps.Copy(names, aliases(body))
	return &extremes{x.opening, body, names}
}

// filled reports whether a list is never empty: one of the input that has a least length, one that is written out, or
// one with such a part.
func (x *extremes) filled(t *ast.Term) bool {
	t = x.names.resolve(t)
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Len() > 0
	case ast.Set:
		return v.Len() > 0
	case ast.Ref:
		rules := x.c.GetRulesExact(v)
		return filled(t) || len(rules) == 1 && rules[0].Else == nil && unconditional(rules[0], rules[0]) && x.filled(rules[0].Head.Value)
	case ast.Var:
		return slices.ContainsFunc(x.body, func(e *ast.Expr) bool {
			args := e.Operands()
			return e.IsCall() && !e.Negated && len(args) == 3 && e.Operator().String() == "or" && args[2].Equal(t) && (x.filled(args[0]) || x.filled(args[1]))
		})
	}
	return false
}
