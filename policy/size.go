package policy

import (
	"fmt"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A deadline cuts an evaluation between two steps, so one step must not take long, and what it makes must not be large.
// No builtin makes a large value of small ones, but names do: a list of twice the list before it, thirty times over, is
// a thousand million elements in one step. So the size of every value is bounded from above before anything runs.
const (
	// maxValue is how many scalars a value that rules make may have.
	maxValue = 1 << 15
	// maxMeasured bounds the measuring itself.
	maxMeasured = 200_000
	// manyItems stands for the length of a list of the input that the schema leaves open.
	manyItems = 256

	countless = 1 << 40
)

// extent is an upper bound of a value: of all of it, and of one element of it.
type extent struct {
	size, elem uint64
	shape      *shape // of a part of the input
	extra      uint64 // what was added to it, beyond the shape
	fields     map[string]extent
}

// key tells extents apart.
func (e extent) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, " %d %d %p %d", e.size, e.elem, e.shape, e.extra)
	for _, name := range sortedKeys(e.fields) {
		fmt.Fprintf(&b, " %s:(%s)", name, e.fields[name].key())
	}
	return b.String()
}

// with adds to a part of the input.
func (e extent) with(extra uint64) extent {
	e.size, e.elem, e.extra = plus(e.size, extra), plus(e.elem, extra), plus(e.extra, extra)
	return e
}

// union bounds a part of the input into which other members are merged: a member that is itself such a part, changed,
// takes the place of what was there.
func (e extent) union(b extent) extent {
	switch {
	case b.shape == e.shape:
		return e.with(b.extra)
	case b.fields == nil:
		return e.with(b.size)
	}
	extra := uint64(0)
	for name, f := range b.fields {
		if m := e.shape.member(name); m != nil && f.shape == m {
			extra = plus(extra, f.extra)
		} else {
			extra = plus(extra, plus(1, f.size))
		}
	}
	return e.with(extra)
}

var scalar = extent{size: 1, elem: 1}

func plus(a, b uint64) uint64 { return min(a+b, countless) }

func times(a, b uint64) uint64 {
	if b != 0 && a > countless/b {
		return countless
	}
	return a * b
}

var extents sync.Map // of shapes, which are few

func shapeExtent(s *shape) extent {
	if e, ok := extents.Load(s); ok {
		return e.(extent)
	}
	e := measureShape(s)
	extents.Store(s, e)
	return e
}

func measureShape(s *shape) extent {
	e := extent{size: 1, elem: 1, shape: s}
	switch s.kind {
	case kindArray:
		e.elem = measureShape(s.items).size
		e.size = plus(1, times(s.most(), e.elem))
	case kindObject:
		for _, f := range s.fields {
			one := measureShape(f.shape).size
			e.size, e.elem = plus(e.size, plus(1, one)), max(e.elem, one)
		}
	}
	return e
}

// most is how many elements a list of the input has at most.
func (s *shape) most() uint64 {
	if s.max >= unbounded {
		return manyItems
	}
	return uint64(s.max)
}

// larger is the larger of two bounds.
func larger(a, b extent) extent {
	if a.size == 0 {
		return b
	}
	e := extent{size: max(a.size, b.size), elem: max(a.elem, b.elem)}
	if a.shape == b.shape && a.shape != nil {
		return shapeExtent(a.shape).with(max(a.extra, b.extra))
	}
	return e
}

// measure bounds the values of compiled rules. It follows calls with their arguments; rules have no recursion.
type measure struct {
	c     *ast.Compiler
	memo  map[string]extent
	work  int
	at    *ast.Location
	found func(loc *ast.Location, message string)
}

// valuesStage is a stage of the compiler that refuses rules that can make a value of more than maxValue scalars. It comes
// before types are checked: a type grows like its value, and so does the time to compare two of them.
var valuesStage = ast.CompilerStageDefinition{Name: "CheckValues", MetricName: "check_values", Stage: func(c *ast.Compiler) *ast.Error {
	var first *ast.Error
	m := &measure{c: c, memo: map[string]extent{}}
	m.found = func(loc *ast.Location, message string) {
		if first == nil {
			first = ast.NewError("size_error", loc, "%s", message)
		}
	}
	m.all()
	return first
}}

// all measures rules; functions are measured where they are called.
func (m *measure) all() {
	for _, file := range sortedKeys(m.c.Modules) {
		for _, r := range m.c.Modules[file].Rules {
			if len(r.Head.Args) == 0 {
				m.rules(r.Ref().GroundPrefix(), nil)
			}
		}
	}
}

// bound reports a value that is too large, once: then it counts as small.
func (m *measure) bound(e extent) extent {
	if e.size <= maxValue {
		return e
	}
	if m.at != nil {
		m.found(m.at, fmt.Sprintf("can make a value of more than %d parts: lists of lists grow with each name; keep them flat", maxValue))
	}
	return scalar
}

func (m *measure) rules(ref ast.Ref, args []extent) extent {
	key := ref.String()
	for _, a := range args {
		key += a.key()
	}
	if known, ok := m.memo[key]; ok {
		return known
	}
	m.memo[key] = scalar
	all := extent{}
	for _, r := range m.c.GetRulesExact(ref) {
		at := m.at
		one, many := m.rule(r, args)
		m.at = at
		if many {
			all = extent{size: plus(all.size, one.size), elem: max(all.elem, one.elem)}
		} else {
			all = larger(all, one)
		}
	}
	m.memo[key] = all
	return all
}

// rule bounds what one rule adds to its document, and whether the document is a collection that others add to.
func (m *measure) rule(r *ast.Rule, args []extent) (e extent, many bool) {
	for clause := r; clause != nil; clause = clause.Else {
		m.at = clause.Location
		env := map[ast.Var]extent{}
		for i, a := range r.Head.Args {
			if i < len(args) {
				m.give(env, a, args[i])
			}
		}
		n := m.body(clause.Body, env)
		m.at = clause.Location
		head := clause.Head
		switch {
		case head.RuleKind() == ast.MultiValue:
			one := m.term(head.Key, env)
			if ast.IsConstant(head.Key.Value) {
				n = 1
			}
			return m.bound(extent{size: plus(1, times(n, one.size)), elem: one.size}), true
		case !head.Ref().IsGround():
			one := m.term(head.Value, env)
			return m.bound(extent{size: plus(1, times(n, plus(uint64(len(head.Ref())), one.size))), elem: one.size}), true
		case head.Value != nil:
			e = larger(e, m.bound(m.term(head.Value, env)))
		}
	}
	return e, false
}

// give binds the names of a pattern.
func (m *measure) give(env map[ast.Var]extent, pattern *ast.Term, e extent) {
	if x, ok := pattern.Value.(ast.Var); ok {
		if _, known := env[x]; !known {
			env[x] = e
		}
		return
	}
	ast.WalkVars(pattern, func(x ast.Var) bool {
		if _, known := env[x]; !known {
			env[x] = extent{size: e.size, elem: e.size}
		}
		return false
	})
}

// body bounds how many solutions a body has, and binds its names.
func (m *measure) body(body ast.Body, env map[ast.Var]extent) uint64 {
	n := uint64(1)
	for _, e := range body {
		if m.work++; m.work > maxMeasured {
			if m.work == maxMeasured+1 {
				m.found(e.Location, "the rules are too intricate to be measured: let functions call fewer others")
			}
			return n
		}
		m.at = e.Location
		n = times(n, m.expr(e, env))
	}
	return n
}

func (m *measure) expr(e *ast.Expr, env map[ast.Var]extent) uint64 {
	n := uint64(1)
	for _, w := range e.With {
		m.term(w.Value, env)
	}
	switch t := e.Terms.(type) {
	case *ast.Term:
		n = m.solutions(t, env)
		m.term(t, env)
	case *ast.Every:
		domain := m.term(t.Domain, env)
		inner := clone(env)
		if t.Key != nil {
			m.give(inner, t.Key, scalar)
		}
		m.give(inner, t.Value, m.item(domain, nil))
		m.body(t.Body, inner)
	case []*ast.Term:
		for _, a := range t[1:] {
			n = times(n, m.solutions(a, env))
		}
		m.call(e, env)
	}
	return n
}

func clone(env map[ast.Var]extent) map[ast.Var]extent {
	out := make(map[ast.Var]extent, len(env)+4)
	for k, v := range env {
		out[k] = v
	}
	return out
}

func (m *measure) call(e *ast.Expr, env map[ast.Var]extent) {
	op, args := e.Operator(), e.Operands()
	if e.IsEquality() && len(args) == 2 {
		a, b := m.term(args[0], env), m.term(args[1], env)
		m.give(env, args[0], b)
		m.give(env, args[1], a)
		return
	}
	values := make([]extent, len(args))
	for i, a := range args {
		values[i] = m.term(a, env)
	}
	name := op.String()
	var result extent
	arity := len(args) - 1
	if b := ast.BuiltinMap[name]; b != nil {
		arity = b.Decl.Arity()
		result = builtinExtent(name, b, values[:min(arity, len(values))])
	} else {
		if rules := m.c.GetRulesExact(op); len(rules) > 0 {
			arity = len(rules[0].Head.Args)
		}
		result = m.rules(op, values[:min(arity, len(values))])
	}
	result = m.bound(result)
	if len(args) > arity {
		m.give(env, args[arity], result)
	}
}

// builtinExtent bounds the result of a builtin.
func builtinExtent(name string, b *ast.Builtin, args []extent) extent {
	sum := extent{}
	for _, a := range args {
		sum = extent{size: plus(sum.size, a.size), elem: plus(sum.elem, a.elem)}
	}
	switch name {
	case "object.union":
		if args[0].shape != nil {
			return args[0].union(args[1])
		}
		return sum
	case "max", "min":
		return extent{size: args[0].elem, elem: args[0].elem}
	case "object.get":
		return extent{size: max(args[0].elem, args[2].size), elem: max(args[0].elem, args[2].elem)}
	case "and", "sort", "array.reverse", "array.slice", "object.keys", "object.remove", "object.filter", "json.remove":
		return extent{size: args[0].size, elem: args[0].elem}
	}
	if kind := kindOf(b.Decl.Result()); kind != 0 && kind&isCollection == 0 {
		return scalar
	}
	return sum
}

// solutions bounds in how many ways a term has a value, and binds the names that are found in it.
func (m *measure) solutions(t *ast.Term, env map[ast.Var]extent) uint64 {
	ref, ok := t.Value.(ast.Ref)
	if !ok {
		return 1
	}
	_, n := m.ref(ref, env)
	return n
}

// term bounds the value of a term.
func (m *measure) term(t *ast.Term, env map[ast.Var]extent) extent {
	switch v := t.Value.(type) {
	case ast.Var:
		if e, ok := env[v]; ok {
			return e
		}
		return scalar
	case ast.Ref:
		e, _ := m.ref(v, env)
		return e
	case *ast.Array:
		return m.literal(env, v.Foreach)
	case ast.Set:
		return m.literal(env, v.Foreach)
	case ast.Object:
		return m.object(v, env)
	case *ast.ArrayComprehension:
		return m.comprehension(false, v.Body, env, v.Term)
	case *ast.SetComprehension:
		return m.comprehension(true, v.Body, env, v.Term)
	case *ast.ObjectComprehension:
		return m.comprehension(true, v.Body, env, v.Value, v.Key)
	}
	return scalar
}

func (m *measure) object(o ast.Object, env map[ast.Var]extent) extent {
	e, named := extent{size: 1, elem: 1, fields: map[string]extent{}}, true
	o.Foreach(func(k, x *ast.Term) {
		one := m.term(x, env)
		name, ok := k.Value.(ast.String)
		named = named && ok
		e.fields[string(name)] = one
		e.size, e.elem = plus(e.size, plus(m.term(k, env).size, one.size)), max(e.elem, one.size)
	})
	if !named {
		e.fields = nil
	}
	return m.bound(e)
}

func (m *measure) literal(env map[ast.Var]extent, each func(func(*ast.Term))) extent {
	e := extent{size: 1, elem: 1}
	each(func(x *ast.Term) {
		one := m.term(x, env)
		e = extent{size: plus(e.size, one.size), elem: max(e.elem, one.size)}
	})
	return m.bound(e)
}

func (m *measure) comprehension(set bool, body ast.Body, env map[ast.Var]extent, terms ...*ast.Term) extent {
	at, inner := m.at, clone(env)
	n := m.body(body, inner)
	m.at = at
	one, varies := extent{}, false
	for _, t := range terms {
		varies = varies || !ast.IsConstant(t.Value)
		one.size = plus(one.size, m.term(t, inner).size)
	}
	if set && !varies {
		n = 1
	}
	return m.bound(extent{size: plus(1, times(n, one.size)), elem: one.size})
}

// ref bounds the value of a reference, and in how many ways it has one.
func (m *measure) ref(ref ast.Ref, env map[ast.Var]extent) (extent, uint64) {
	var e extent
	path := ref[1:]
	switch {
	case ref.HasPrefix(ast.InputRootRef):
		e = inputExtent
	case ref.HasPrefix(exampleRoot):
		e, path = inputExtent, ref[min(len(exampleRoot)+1, len(ref)):]
	case ref.HasPrefix(ast.DefaultRootRef):
		e, path = m.document(ref)
	default:
		e = m.term(ref[0], env)
	}
	n := uint64(1)
	for _, key := range path {
		x, isVar := key.Value.(ast.Var)
		_, bound := env[x]
		if isVar && !bound {
			n = times(n, count(e))
			env[x] = extent{size: e.elem, elem: e.elem}
		}
		e = m.item(e, key)
	}
	return e, n
}

var inputExtent = shapeExtent(inputShape)

// document finds the rules that a reference leads to, and what of it goes into their value.
func (m *measure) document(ref ast.Ref) (extent, ast.Ref) {
	for n := len(ref); n > 1; n-- {
		if ref[:n].IsGround() && len(m.c.GetRulesExact(ref[:n])) > 0 {
			return m.rules(ref[:n], nil), ref[n:]
		}
	}
	e := extent{}
	for _, r := range m.c.GetRulesWithPrefix(ref.GroundPrefix()) {
		if len(r.Head.Args) == 0 {
			one := m.rules(r.Ref().GroundPrefix(), nil)
			e = extent{size: plus(e.size, one.size), elem: max(e.elem, one.size)}
		}
	}
	return e, nil
}

// count bounds how many elements a value has.
func count(e extent) uint64 {
	switch {
	case e.shape == nil:
		return e.size
	case e.shape.kind == kindArray:
		return plus(e.shape.most(), e.extra)
	}
	return plus(uint64(len(e.shape.fields)), e.extra)
}

// item bounds an element of a value.
func (m *measure) item(e extent, key *ast.Term) extent {
	var name ast.String
	if key != nil {
		name, _ = key.Value.(ast.String)
	}
	if f, ok := e.fields[string(name)]; ok {
		return f
	}
	if e.shape != nil && e.shape.kind == kindArray {
		return shapeExtent(e.shape.items).with(e.extra)
	}
	if e.shape != nil {
		if s := e.shape.member(string(name)); s != nil {
			return shapeExtent(s).with(e.extra)
		}
	}
	return extent{size: e.elem, elem: e.elem}
}
