package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// node is what a term can stand for: a part of the input as the schema describes it, inside sets sets of it.
type node struct {
	shape *shape
	sets  int
}

// value is what is known of a term. An empty one is unknown. It only ever grows, so that inference ends.
type value struct {
	nodes  []node
	kinds  uint8       // what it can be, as bits
	bools  uint8       // of a boolean: canTrue, canFalse
	consts []*ast.Term // the elements of a literal collection
}

const (
	canTrue uint8 = 1 << iota
	canFalse
)

const (
	isString uint8 = 1 << iota
	isNumber
	isBoolean
	isNull
	isArray
	isSet
	isObject
)

const isCollection = isArray | isSet | isObject

func (v *value) merge(w value) bool {
	before := len(v.nodes) + len(v.consts)
	kinds, bools := v.kinds, v.bools
	for _, n := range w.nodes {
		if !slices.Contains(v.nodes, n) && len(v.nodes) < 64 {
			v.nodes = append(v.nodes, n)
		}
	}
	for _, c := range w.consts {
		if !slices.ContainsFunc(v.consts, c.Equal) && len(v.consts) < 1024 {
			v.consts = append(v.consts, c)
		}
	}
	v.kinds |= w.kinds
	v.bools |= w.bools
	return len(v.nodes)+len(v.consts) != before || v.kinds != kinds || v.bools != bools
}

// allKinds are the kinds of the value, those of its nodes included.
func (v value) allKinds() uint8 {
	k := v.kinds
	for _, n := range v.nodes {
		if n.sets > 0 {
			k |= isSet
		} else {
			k |= n.shape.kinds()
		}
	}
	return k
}

func (s *shape) kinds() uint8 {
	switch s.kind {
	case kindString:
		return isString
	case kindInteger:
		return isNumber
	case kindBoolean:
		return isBoolean
	case kindArray:
		return isArray
	}
	return isObject
}

// inference follows the input through the compiled rules: into local names, helpers, functions and collections. What
// it cannot follow stays unknown, and nothing is said about it.
type inference struct {
	c       *ast.Compiler
	rules   map[string]*value   // of a document
	params  map[string][]*value // of a function
	locals  map[*ast.Rule]map[ast.Var]*value
	changed bool
	check   func(e *ast.Expr, args []value)
	step    func(at *ast.Location, v value, key *ast.Term, bound bool) // of a reference

	at    *ast.Location    // what is looked at
	bound map[ast.Var]bool // names that have a value there
}

// maxRounds bounds the rounds of inference; each carries knowledge over one more reference.
const maxRounds = 12

func infer(c *ast.Compiler) *inference {
	in := &inference{c: c, rules: map[string]*value{}, params: map[string][]*value{}, locals: map[*ast.Rule]map[ast.Var]*value{}}
	for range maxRounds {
		in.changed = false
		in.walk()
		if !in.changed {
			break
		}
	}
	return in
}

func (in *inference) walk() {
	for _, file := range sortedKeys(in.c.Modules) {
		for _, r := range in.c.Modules[file].Rules {
			for ; r != nil; r = r.Else {
				in.rule(r)
			}
		}
	}
}

func (in *inference) rule(r *ast.Rule) {
	env := in.locals[r]
	if env == nil {
		env = map[ast.Var]*value{}
		in.locals[r] = env
	}
	name := r.Ref().GroundPrefix().String()
	in.at, in.bound = r.Location, map[ast.Var]bool{}
	for _, arg := range r.Head.Args {
		in.binds(arg)
	}
	for i, arg := range r.Head.Args {
		if i < len(in.params[name]) {
			in.bind(env, arg, *in.params[name][i])
		}
	}
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		in.at = e.Location
		in.expr(e, env)
		in.bindsOf(e)
		return false
	})
	in.at = r.Location
	head := r.Head.Value
	if r.Head.RuleKind() == ast.MultiValue {
		head = r.Head.Key
	}
	if head == nil {
		return
	}
	v := in.value(head, env)
	switch {
	case r.Head.RuleKind() == ast.MultiValue:
		v = value{nodes: deeper(v.nodes, 1), kinds: isSet, consts: constOf(head)}
	case !r.Head.Ref().IsGround():
		v = value{kinds: isObject}
	}
	if !ast.IsConstant(head.Value) {
		v.bools = canTrue | canFalse
	}
	in.grow(in.rules, name, v)
}

func constOf(t *ast.Term) []*ast.Term {
	if ast.IsConstant(t.Value) {
		return []*ast.Term{t}
	}
	return nil
}

func deeper(nodes []node, by int) []node {
	out := make([]node, len(nodes))
	for i, n := range nodes {
		out[i] = node{n.shape, n.sets + by}
	}
	return out
}

func (in *inference) grow(m map[string]*value, key string, v value) {
	if m[key] == nil {
		m[key] = &value{}
	}
	in.changed = m[key].merge(v) || in.changed
}

// bind says that a term, when it is a variable, stands for a value.
func (in *inference) bind(env map[ast.Var]*value, t *ast.Term, v value) {
	x, ok := t.Value.(ast.Var)
	if !ok {
		return
	}
	if env[x] == nil {
		env[x] = &value{}
	}
	in.changed = env[x].merge(v) || in.changed
}

func (in *inference) binds(t *ast.Term) {
	if x, ok := t.Value.(ast.Var); ok {
		in.bound[x] = true
	}
}

// bindsOf notes the names that an expression gives a value, other than by going through a collection.
func (in *inference) bindsOf(e *ast.Expr) {
	if !e.IsCall() || e.Negated {
		return
	}
	args := e.Operands()
	switch op := e.Operator(); {
	case op.Equal(ast.Equality.Ref()) && len(args) == 2:
		for i, t := range args {
			if r, ok := args[1-i].Value.(ast.Ref); !ok || r.IsGround() {
				in.binds(t)
			}
		}
	case len(args) > 0:
		in.binds(args[len(args)-1])
	}
}

func (in *inference) expr(e *ast.Expr, env map[ast.Var]*value) {
	switch t := e.Terms.(type) {
	case *ast.Every:
		in.bind(env, t.Value, elements(in.value(t.Domain, env)))
	case *ast.Term:
		v := in.value(t, env)
		if in.check != nil {
			in.check(e, []value{v})
		}
	}
	if !e.IsCall() {
		return
	}
	op, args := e.Operator().String(), e.Operands()
	values := make([]value, len(args))
	for i, a := range args {
		values[i] = in.value(a, env)
	}
	if len(args) >= 2 {
		in.relate(op, args, values, env)
	}
	if in.check != nil {
		in.check(e, values)
	}
	in.call(op, args, values, env)
}

// relate passes knowledge through equality; that something is compared with true or false says nothing of what it can be.
func (in *inference) relate(op string, args []*ast.Term, values []value, env map[ast.Var]*value) {
	if op != "eq" {
		return
	}
	for i := range 2 {
		v := values[1-i]
		if _, ok := args[1-i].Value.(ast.Boolean); ok {
			v.bools = 0
		}
		in.bind(env, args[i], v)
	}
}

// call passes arguments to functions and takes the types of results.
func (in *inference) call(op string, args []*ast.Term, values []value, env map[ast.Var]*value) {
	if b := ast.BuiltinMap[op]; b != nil {
		if n := b.Decl.Arity(); len(args) == n+1 {
			in.bind(env, args[n], value{kinds: kindOf(b.Decl.Result()), bools: canTrue | canFalse})
		}
		return
	}
	for len(in.params[op]) < len(args) {
		in.params[op] = append(in.params[op], &value{})
	}
	for i, v := range values {
		in.changed = in.params[op][i].merge(v) || in.changed
	}
	if r := in.rules[op]; r != nil && len(args) > 0 {
		in.bind(env, args[len(args)-1], *r)
	}
}

func kindOf(t types.Type) uint8 {
	switch t := t.(type) {
	case types.Any:
		kinds := uint8(0)
		for _, one := range t {
			k := kindOf(one)
			if k == 0 {
				return 0
			}
			kinds |= k
		}
		return kinds
	case types.String:
		return isString
	case types.Number:
		return isNumber
	case types.Boolean:
		return isBoolean
	case *types.Array:
		return isArray
	case *types.Set:
		return isSet
	case *types.Object:
		return isObject
	}
	return 0
}

// elements is what an element of the collection stands for.
func elements(v value) value {
	var out value
	for _, n := range v.nodes {
		if n.sets > 0 {
			out.nodes = append(out.nodes, node{n.shape, n.sets - 1})
		} else if n.shape.kind == kindArray {
			out.nodes = append(out.nodes, node{n.shape.items, 0})
		}
	}
	for _, c := range v.consts {
		out.kinds |= constKind(c)
	}
	return out
}

func constKind(t *ast.Term) uint8 {
	switch t.Value.(type) {
	case ast.String:
		return isString
	case ast.Number:
		return isNumber
	case ast.Boolean:
		return isBoolean
	case ast.Null:
		return isNull
	case *ast.Array:
		return isArray
	case ast.Set:
		return isSet
	case ast.Object:
		return isObject
	}
	return 0
}

// value is what a term stands for.
func (in *inference) value(t *ast.Term, env map[ast.Var]*value) value {
	switch v := t.Value.(type) {
	case ast.Var:
		if known := env[v]; known != nil {
			return *known
		}
	case ast.Ref:
		return in.ref(v, env)
	case ast.Boolean:
		if v {
			return value{kinds: isBoolean, bools: canTrue}
		}
		return value{kinds: isBoolean, bools: canFalse}
	case ast.String, ast.Number, ast.Null, ast.Object:
		return value{kinds: constKind(t)}
	case *ast.Array:
		return literal(isArray, v.Foreach)
	case ast.Set:
		return literal(isSet, v.Foreach)
	case *ast.SetComprehension:
		return value{nodes: deeper(in.value(v.Term, env).nodes, 1), kinds: isSet}
	case *ast.ArrayComprehension:
		return value{nodes: deeper(in.value(v.Term, env).nodes, 1), kinds: isArray}
	case *ast.ObjectComprehension:
		return value{kinds: isObject}
	}
	return value{}
}

func literal(kind uint8, each func(func(*ast.Term))) value {
	v := value{kinds: kind}
	each(func(t *ast.Term) { v.consts = append(v.consts, constOf(t)...) })
	return v
}

// ref follows a reference from input, from a local name, or from a rule.
func (in *inference) ref(r ast.Ref, env map[ast.Var]*value) value {
	switch {
	case r.HasPrefix(ast.InputRootRef):
		return in.follow(value{nodes: []node{{inputShape, 0}}}, r[1:], env)
	case r.HasPrefix(ast.DefaultRootRef):
		for n := len(r); n > 1; n-- {
			if known := in.rules[r[:n].String()]; known != nil && r[:n].IsGround() {
				return in.follow(*known, r[n:], env)
			}
		}
	default:
		if head, ok := r[0].Value.(ast.Var); ok && env[head] != nil {
			return in.follow(*env[head], r[1:], env)
		}
	}
	return value{}
}

func (in *inference) follow(v value, path ast.Ref, env map[ast.Var]*value) value {
	for _, key := range path {
		if in.step != nil {
			x, isVar := key.Value.(ast.Var)
			in.step(in.at, v, key, !isVar || in.bound[x])
		}
		var next value
		for _, n := range v.nodes {
			switch name, constant := key.Value.(ast.String); {
			case n.sets > 0:
				in.bind(env, key, value{nodes: []node{{n.shape, n.sets - 1}}})
				next.nodes = append(next.nodes, node{n.shape, n.sets - 1})
			case n.shape.kind == kindArray:
				next.nodes = append(next.nodes, node{n.shape.items, 0})
			case n.shape.kind == kindObject && constant:
				if m := n.shape.member(string(name)); m != nil {
					next.nodes = append(next.nodes, node{m, 0})
				}
			}
		}
		next.bools = canTrue | canFalse
		v = next
	}
	return v
}
