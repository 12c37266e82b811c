package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkConstants refuses what the type checker lets pass: a constant that the schema does not have there (a rule that
// compares with a mistyped code never fires), comparisons between different types, which Rego orders by the name of
// the type and never finds equal, and conditions that always hold.
func (u *unit) checkConstants(c *ast.Compiler) {
	in := infer(c)
	in.check = func(e *ast.Expr, args []value) {
		if u.owns(e.Location) {
			u.checkExpr(c, e, args)
		}
	}
	in.step = func(at *ast.Location, v value, key *ast.Term, bound bool) {
		if u.owns(at) {
			u.checkStep(at, v, key, bound)
		}
	}
	in.walk()
	u.checkNames(c)
}

// checkNames refuses references to rules that are not there: they are undefined, and nothing else says so.
func (u *unit) checkNames(c *ast.Compiler) {
	for _, file := range sortedKeys(c.Modules) {
		for _, r := range c.Modules[file].Rules {
			if !u.owns(r.Location) {
				continue
			}
			ast.WalkTerms(r, func(t *ast.Term) bool {
				if ref, ok := t.Value.(ast.Ref); ok && ref.HasPrefix(ast.DefaultRootRef) && !named(c, ref) {
					u.add(t.Location, "there is no %s: it would be undefined, and an undefined denial does not deny", trimData(ref.String()))
				}
				return false
			})
		}
	}
}

// owns reports whether the place is in a file of the unit: a jurisdiction is compiled with the library's helpers.
func (u *unit) owns(loc *ast.Location) bool {
	return loc != nil && strings.HasPrefix(loc.File, u.input+"/")
}

// named reports whether a reference leads to rules. An archetype need not say something of every kind: what it does not
// say is an empty set.
func named(c *ast.Compiler, ref ast.Ref) bool {
	if len(ref) > archetypeLen {
		if _, ok := entryArchetype(ref[:archetypeLen]); ok && slices.Contains(sayingKinds, strings.Trim(ref[archetypeLen].String(), `"`)) {
			return true
		}
	}
	return len(c.GetRulesForVirtualDocument(ref)) > 0 || len(c.GetRulesWithPrefix(ref)) > 0
}

// archetypeLen is the length of data.liaison.archetype.<name>.<kind>.
const archetypeLen = 5

func (u *unit) checkExpr(c *ast.Compiler, e *ast.Expr, args []value) {
	if !e.IsCall() {
		u.checkCondition(e, args[0].allKinds())
		return
	}
	u.checkResult(c, e)
	if len(args) >= 2 {
		u.checkCall(e.Location, e.Operator().String(), e.Operands(), args)
	}
}

func (u *unit) checkCall(loc *ast.Location, op string, terms []*ast.Term, args []value) {
	a, b, va, vb := terms[0], terms[1], args[0], args[1]
	switch op {
	case "eq", "equal", "neq":
		u.checkConstant(loc, a, vb)
		u.checkConstant(loc, b, va)
		u.checkKinds(loc, "compares", va, vb)
		u.checkEnums(loc, va, vb)
		u.checkTruth(loc, op, a, vb)
		u.checkTruth(loc, op, b, va)
	case "lt", "lte", "gt", "gte":
		u.checkDate(loc, a, vb)
		u.checkDate(loc, b, va)
		u.checkKinds(loc, "orders", va, vb)
	case "internal.member_2":
		u.checkMember(loc, a, va, vb)
	case "startswith", "endswith", "contains":
		u.checkKinds(loc, "compares", va, vb)
		u.checkPart(loc, op, va, b)
	case "object.get":
		if len(va.nodes) > 0 {
			u.add(loc, "object.get on a part of the input: a name that is not there would take the default unseen, and every member is always there; write input.….name")
		}
	}
}

// checkMember refuses a search in what is no list, and for what cannot be in it.
func (u *unit) checkMember(loc *ast.Location, a *ast.Term, va, vb value) {
	switch kinds := vb.allKinds(); {
	case kinds != 0 && kinds&isCollection == 0:
		u.add(loc, "looks for something in a %s, which has no elements: this is never so", kindNames(kinds))
		return
	case kinds == isObject:
		u.add(loc, "in looks at the values of an object, not at its names: write some name, value in … and compare both")
		return
	}
	elem := elements(vb)
	u.checkConstant(loc, a, elem)
	for _, c := range vb.consts {
		u.checkConstant(loc, c, va)
	}
	u.checkKinds(loc, "looks for", va, elem)
	u.checkEnums(loc, va, elem)
}

// checkConstant refuses a constant that none of the places that it is compared with can hold.
func (u *unit) checkConstant(loc *ast.Location, t *ast.Term, v value) {
	if len(v.nodes) == 0 {
		return
	}
	var options []string
	for _, n := range v.nodes {
		if n.sets > 0 || n.shape.holds(t.Value) {
			return
		}
		options = append(options, n.shape.options()...)
	}
	slices.Sort(options)
	u.add(loc, "%s can never be there: the schema has %s", t, strings.Join(slices.Compact(options), ", "))
}

// holds reports whether the constant can be a value of the shape; what is no constant, or of another type, is not
// judged here.
func (s *shape) holds(v ast.Value) bool {
	switch c := v.(type) {
	case ast.String: // to ask whether a text is there at all does no harm
		return s.kind != kindString || s.accepts(string(c)) || c == "" && s.enum == nil
	case ast.Number:
		n, ok := c.Int()
		return s.kind != kindInteger || !ok || n >= s.min && n <= s.max
	}
	return true
}

// options says in words what the shape can hold.
func (s *shape) options() []string {
	switch {
	case s.kind == kindInteger:
		return []string{"integers in its bounds"}
	case s.enum != nil:
		return s.enum
	case s.date:
		return []string{"dates, written 2026-12-31"}
	}
	return []string{"texts that match " + s.text}
}

// checkDate refuses to order a date with what is no date: 31.12.2026 lies before 2026-01-01.
func (u *unit) checkDate(loc *ast.Location, t *ast.Term, v value) {
	s, ok := t.Value.(ast.String)
	if !ok || len(v.nodes) == 0 {
		return
	}
	for _, n := range v.nodes {
		if n.sets > 0 || !n.shape.date {
			return
		}
	}
	if _, err := time.Parse(time.DateOnly, string(s)); err != nil {
		u.add(loc, "orders a date with %s, which is none: dates are written 2026-12-31", t)
	}
}

// checkPart refuses a search for a part that no value of the enum has.
func (u *unit) checkPart(loc *ast.Location, op string, v value, part *ast.Term) {
	p, ok := part.Value.(ast.String)
	if !ok || len(v.nodes) == 0 {
		return
	}
	match := map[string]func(string, string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains}[op]
	for _, n := range v.nodes {
		if n.sets > 0 || n.shape.kind != kindString || n.shape.enum == nil || n.shape.known {
			return
		}
		if slices.ContainsFunc(n.shape.enum, func(s string) bool { return match(s, string(p)) }) {
			return
		}
	}
	u.add(loc, "%s with %s is never so: none of the codes that can be there has it", op, part)
}

// checkEnums refuses a comparison of two codes that have no value in common.
func (u *unit) checkEnums(loc *ast.Location, a, b value) {
	left, ok := a.closedEnum()
	if !ok {
		return
	}
	right, ok := b.closedEnum()
	if ok && !slices.ContainsFunc(left, func(v string) bool { return slices.Contains(right, v) }) {
		u.add(loc, "compares two codes that have no value in common: they are never equal")
	}
}

// closedEnum returns all values of a code; false when it is not known to be one, or has open values.
func (v value) closedEnum() ([]string, bool) {
	if len(v.nodes) == 0 || v.kinds != 0 {
		return nil, false
	}
	var all []string
	for _, n := range v.nodes {
		if n.sets > 0 || n.shape.kind != kindString || n.shape.enum == nil || n.shape.known {
			return nil, false
		}
		all = append(all, n.shape.enum...)
	}
	return all, true
}

// checkTruth refuses to ask whether something is false that is true or undefined, but never false.
func (u *unit) checkTruth(loc *ast.Location, op string, t *ast.Term, v value) {
	b, ok := t.Value.(ast.Boolean)
	if ok && bool(b) == (op == "neq") && v.bools == canTrue && v.allKinds() == isBoolean {
		u.add(loc, "this is never so: what it asks about is true or undefined, never false; write not …, or give it a default := false")
	}
}

func (u *unit) checkKinds(loc *ast.Location, verb string, a, b value) {
	ka, kb := a.allKinds(), b.allKinds()
	if ka != 0 && kb != 0 && ka&kb == 0 {
		u.add(loc, "%s a %s with a %s: they are never equal, and their order means nothing", verb, kindNames(ka), kindNames(kb))
	}
}

func kindNames(k uint8) string {
	var names []string
	for i, n := range []string{"string", "number", "boolean", "null", "list", "set", "object"} {
		if k&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, " or ")
}

// checkCondition refuses a condition that is no boolean: everything but false is true, an empty text, 0 and an empty
// list too, so that it always holds, and its negation never.
func (u *unit) checkCondition(e *ast.Expr, kinds uint8) {
	if kinds != 0 && kinds&isBoolean == 0 {
		u.add(e.Location, "a %s is no condition: whatever it is, it holds; compare it with something", kindNames(kinds))
	}
}

// checkResult refuses a call whose result is taken for a condition and is no boolean, as in not count(…).
func (u *unit) checkResult(c *ast.Compiler, e *ast.Expr) {
	op := e.Operator()
	if b := ast.BuiltinMap[op.String()]; b != nil {
		if len(e.Operands()) == b.Decl.Arity() && b.Decl.Result() != nil {
			u.checkCondition(e, kindOf(b.Decl.Result()))
		}
		return
	}
	rules := c.GetRulesExact(op)
	if len(rules) > 0 && len(e.Operands()) == len(rules[0].Head.Args) {
		kinds := uint8(0)
		for _, r := range rules {
			for ; r != nil; r = r.Else {
				kinds |= constKind(r.Head.Value)
				if !ast.IsConstant(r.Head.Value.Value) {
					return
				}
			}
		}
		u.checkCondition(e, kinds)
	}
}
