package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// In Rego a condition that is undefined does not hold, and its negation does. So a denial whose body is undefined does
// not deny, and an allow that negates something undefined allows. The input is total and its type is known; what is
// left, and is refused here, is what the author's own text can leave undefined, or make true of nothing.

// checkStep refuses steps of a reference that can lead nowhere.
func (u *unit) checkStep(at *ast.Location, v value, key *ast.Term, bound bool) {
	_, name := key.Value.(ast.String)
	_, number := key.Value.(ast.Number)
	for _, n := range v.nodes {
		switch {
		case n.sets > 0:
		case n.shape.kind == kindArray && number:
			u.add(at, "looks at one element of a list, which may not be there, and at no other: write some … in")
			return
		case n.shape.kind == kindObject && !name:
			u.add(at, "a member of the input is named by its name: a computed one may not be there")
			return
		}
	}
	if len(v.nodes) == 0 && v.kinds == isObject && bound && !ast.IsConstant(key.Value) {
		u.add(at, "a name that the object does not have makes this undefined, and an undefined denial does not deny: write object.get(object, name, value), with the strictest value")
	}
}

// checkHelpers refuses helpers that can be undefined where they have a value, and those that are true by default.
func (u *unit) checkHelpers() {
	groups := map[string][]*ast.Rule{}
	for _, p := range sortedKeys(u.modules) {
		m := u.modules[p]
		if u.isEntry(m.Package.Path) {
			continue
		}
		for _, r := range m.Rules {
			if r.Head.RuleKind() == ast.SingleValue && r.Head.Ref().IsGround() {
				name := r.Ref().String()
				groups[name] = append(groups[name], r)
			}
		}
	}
	for _, name := range sortedKeys(groups) {
		u.checkHelper(groups[name])
	}
}

func (u *unit) checkHelper(rules []*ast.Rule) {
	total, flag := false, true
	for _, r := range rules {
		if r.Default && isTrue(r.Head.Value) {
			u.add(r.Location, "a helper that is true by default opens what nobody thought of: write default %s := false, and say when it holds", r.Head.Ref())
		}
		total = total || r.Default
		for clause := r; clause != nil; clause = clause.Else {
			total = total || unconditional(r, clause)
			flag = flag && (r.Default || isTrue(clause.Head.Value))
		}
	}
	if !total && !flag {
		r := rules[0]
		u.add(r.Location, "%s is undefined where none of its conditions holds, and an undefined denial does not deny: give it a default, the strictest value", r.Head.Ref())
	}
}

func isTrue(t *ast.Term) bool {
	b, ok := ast.Boolean(false), false
	if t != nil {
		b, ok = t.Value.(ast.Boolean)
	}
	return ok && bool(b)
}

// unconditional reports whether the clause of a rule holds for whatever it is asked.
func unconditional(r, clause *ast.Rule) bool {
	seen := map[ast.Var]bool{}
	for _, arg := range r.Head.Args {
		x, ok := arg.Value.(ast.Var)
		if !ok || seen[x] && !x.IsWildcard() {
			return false
		}
		seen[x] = true
	}
	if len(clause.Body) != 1 || clause.Body[0].Negated {
		return false
	}
	t, ok := clause.Body[0].Terms.(*ast.Term)
	return ok && isTrue(t)
}

// checkTraps refuses, where it would open something, what is true of an empty list, and what one element of many makes
// true.
func (u *unit) checkTraps(c *ast.Compiler) {
	o := &opening{c: c, seen: map[side]bool{}}
	for _, file := range sortedKeys(c.Modules) {
		for _, r := range c.Modules[file].Rules {
			if name := r.Head.Ref()[0].Value.String(); u.isEntry(c.Modules[file].Package.Path) {
				o.rule(r, name == "allow" || name == "met")
			}
		}
	}
	o.found = func(loc *ast.Location, message string) {
		if u.owns(loc) {
			u.add(loc, "%s", message)
		}
	}
	o.check()
}

// opening follows what opens: an allow, and whatever is negated in a denial.
type opening struct {
	c     *ast.Compiler
	seen  map[side]bool
	found func(loc *ast.Location, message string)
}

// side is a rule, and whether that it holds opens something.
type side struct {
	rule  *ast.Rule
	opens bool
}

func (o *opening) rule(r *ast.Rule, opens bool) {
	s := side{r, opens}
	if r == nil || o.seen[s] {
		return
	}
	o.seen[s] = true
	o.body(r.Body, opens)
	o.term(r.Head.Value)
	o.term(r.Head.Key)
	o.rule(r.Else, opens)
	if r.Else != nil { // a clause that does not hold makes way for the next
		o.rule(r, !opens)
	}
}

func (o *opening) body(body ast.Body, opens bool) {
	for _, e := range body {
		opens := opens != e.Negated
		switch t := e.Terms.(type) {
		case *ast.Term:
			if ref, ok := t.Value.(ast.Ref); ok && ref.IsGround() {
				o.refers(ref, opens)
			} else {
				o.term(t)
			}
		case *ast.Every:
			o.term(t.Domain)
			o.body(t.Body, opens)
		case []*ast.Term:
			if ref, ok := t[0].Value.(ast.Ref); ok {
				rules := o.c.GetRulesExact(ref)
				condition := len(rules) > 0 && len(t)-1 == len(rules[0].Head.Args)
				for _, r := range rules {
					o.rule(r, opens)
					if !condition {
						o.rule(r, !opens)
					}
				}
			}
			for _, arg := range t[1:] {
				o.term(arg)
			}
		}
	}
}

// term follows what is compared, counted or collected: it can open both ways.
func (o *opening) term(t *ast.Term) {
	if t == nil {
		return
	}
	ast.WalkTerms(t, func(x *ast.Term) bool {
		switch v := x.Value.(type) {
		case ast.Ref:
			o.refers(v, true)
			o.refers(v, false)
		case *ast.ArrayComprehension:
			o.both(v.Body)
		case *ast.SetComprehension:
			o.both(v.Body)
		case *ast.ObjectComprehension:
			o.both(v.Body)
		}
		return false
	})
}

func (o *opening) both(body ast.Body) {
	o.body(body, true)
	o.body(body, false)
}

func (o *opening) refers(ref ast.Ref, opens bool) {
	if !ref.HasPrefix(ast.DefaultRootRef) {
		return
	}
	for _, r := range o.c.GetRules(ref.GroundPrefix()) {
		o.rule(r, opens)
	}
}

// check looks at every rule that opens something.
func (o *opening) check() {
	for s := range o.seen {
		o.checkBody(s.rule.Body, s.opens)
		(&extremes{o, s.rule.Body, aliases(s.rule.Body)}).check(sides{s.opens, !s.opens})
	}
}

func (o *opening) checkBody(body ast.Body, opens bool) {
	names := aliases(body)
	for _, e := range body {
		if t, ok := e.Terms.(*ast.Every); ok {
			if opens && !counted(body, names, t.Domain) && !filled(names.resolve(t.Domain)) {
				o.found(e.Location, "every … holds for an empty list: say count(…) > 0 of the same list before it, if a package without any is not meant")
			}
			o.checkBody(t.Body, opens)
		}
	}
	if opens {
		o.checkUnequal(body)
	}
}

// naming says what the names of a body stand for.
type naming map[ast.Var]*ast.Term

func aliases(body ast.Body) naming {
	n := naming{}
	for _, e := range body {
		if args := e.Operands(); e.IsEquality() && !e.Negated && len(args) == 2 {
			for i, t := range args {
				if x, ok := t.Value.(ast.Var); ok && n[x] == nil {
					n[x] = args[1-i]
				}
			}
		}
	}
	return n
}

func (n naming) resolve(t *ast.Term) *ast.Term {
	for range 8 {
		x, ok := t.Value.(ast.Var)
		if !ok || n[x] == nil {
			break
		}
		t = n[x]
	}
	return t
}

// filled reports whether a list of the input is never empty.
func filled(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.InputRootRef) {
		return false
	}
	s := inputShape
	for _, key := range ref[1:] {
		name, _ := key.Value.(ast.String)
		if s = s.member(string(name)); s == nil {
			return false
		}
	}
	return s.kind == kindArray && s.min > 0
}

// counted reports whether the body asks for at least one element of the list: count(list) > 0 in one of its forms.
func counted(body ast.Body, names naming, list *ast.Term) bool {
	list = names.resolve(list)
	counts := map[ast.Var]bool{}
	for _, e := range body {
		args := e.Operands()
		if e.IsCall() && !e.Negated && e.Operator().String() == "count" && len(args) == 2 && names.resolve(args[0]).Equal(list) {
			if x, ok := args[1].Value.(ast.Var); ok {
				counts[x] = true
			}
		}
	}
	return slices.ContainsFunc(body, func(e *ast.Expr) bool {
		args := e.Operands()
		if !e.IsCall() || e.Negated || len(args) != 2 {
			return false
		}
		x, isCount := args[0].Value.(ast.Var)
		limit, isNumber := args[1].Value.(ast.Number)
		n, _ := limit.Int()
		if !isNumber || !isCount || !counts[x] {
			return false
		}
		switch e.Operator().String() {
		case "gt":
			return n >= 0
		case "gte", "eq":
			return n >= 1
		case "neq":
			return n == 0
		}
		return false
	})
}

// checkUnequal refuses an element of which nothing is asked but what it is not: one of many makes that true.
func (o *opening) checkUnequal(body ast.Body) {
	root := map[ast.Var]ast.Var{} // of a name, the element that it belongs to
	for _, e := range body {
		args := e.Operands()
		if !e.IsEquality() || e.Negated || len(args) != 2 {
			continue
		}
		for i := range args {
			x, isVar := args[i].Value.(ast.Var)
			ref, isRef := args[1-i].Value.(ast.Ref)
			if !isVar || !isRef {
				continue
			}
			head, _ := ref[0].Value.(ast.Var)
			if from, ok := root[head]; ok && ref.IsGround() {
				root[x] = from
			} else if !ref.IsGround() {
				root[x] = x
			}
		}
	}
	unequal, other := map[ast.Var]*ast.Expr{}, map[ast.Var]bool{}
	for _, e := range body {
		o.uses(e, root, unequal, other)
	}
	for x, e := range unequal {
		if !other[x] {
			o.found(e.Location, "holds as soon as one element is another: write not … in …, or count(list) > 0 and every … in list { … }")
		}
	}
}

// uses notes which elements an expression asks something of, and whether it is only what they are not.
func (o *opening) uses(e *ast.Expr, root map[ast.Var]ast.Var, unequal map[ast.Var]*ast.Expr, other map[ast.Var]bool) {
	args := e.Operands()
	if e.IsEquality() && !e.Negated && len(args) == 2 {
		for i := range args {
			if x, ok := args[i].Value.(ast.Var); ok && root[x] != "" {
				if _, isRef := args[1-i].Value.(ast.Ref); isRef {
					return // this gives the element its name
				}
			}
		}
	}
	differs := e.IsCall() && len(args) == 2 && e.Operator().String() == "neq" && (ast.IsConstant(args[0].Value) || ast.IsConstant(args[1].Value))
	ast.WalkVars(e, func(x ast.Var) bool {
		if from, ok := root[x]; ok {
			if differs && !e.Negated {
				unequal[from] = e
			} else {
				other[from] = true
			}
		}
		return false
	})
}
