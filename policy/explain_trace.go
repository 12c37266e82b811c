package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// cause is a rule and the conditions that decided it.
type cause struct {
	rule       *plainRule
	conditions []string
	private    []string // those of them that turn on what only the sender's side may know
	reached    int      // of a rule that is not met: how far it got
	ways       int      // told beside the first
	last       string   // what the way that was told last is about
}

// maxDepth bounds how deep helpers and inherited rules are followed.
const maxDepth = 6

// tracing asks single rules.
type tracing struct {
	*explainer
	plain *plain
}

// unmet explains why none of some rules holds: the condition at which the one that got furthest failed.
func (t *tracing) unmet(rules []*plainRule, depth int) (*cause, error) {
	var best *cause
	for _, r := range rules {
		if r.Default || depth > maxDepth {
			continue
		}
		q, err := t.run(r, nil)
		if err != nil {
			return nil, err
		}
		if q.holds || q.failed < 0 || best != nil && best.reached > q.failed {
			continue
		}
		words, private := t.words(r, q.failed, false, depth)
		if best != nil && best.reached == q.failed {
			best.or(words, private)
			continue
		}
		best = &cause{rule: r, reached: q.failed, conditions: []string{words}}
		if private {
			best.private = []string{words}
		}
	}
	return best, nil
}

// askedFor parts what is from what the rule asks for instead.
const askedFor = ", and the rule asks for "

// maxWays bounds the ways in which a rule would be met that are told.
const maxWays = 6

// or adds another way in which the rule would be met: any of them would do.
func (c *cause) or(words string, private bool) {
	all := c.conditions[0]
	is, phrase, _ := strings.Cut(words, askedFor)
	switch c.ways++; {
	case strings.Contains(all, words):
		c.ways--
	case c.ways == maxWays:
		all += "; or in another way"
	case c.ways > maxWays:
	case phrase != "" && strings.HasPrefix(all[strings.LastIndex(all, "; or ")+1:], is+askedFor), phrase != "" && strings.Contains(all, "; or "+is+askedFor) && c.last == is:
		all += ", or for " + phrase
	default:
		all += "; or " + words
	}
	c.conditions[0], c.last = all, is
	if private || len(c.private) > 0 {
		c.private = []string{all}
	}
}

// fired explains why a rule of a set said a code: all conditions that held. A rule that hands on what another set says is
// followed to the one that said it.
func (t *tracing) fired(path, code string, params json.RawMessage, depth int) (*cause, error) {
	var other *cause
	for _, r := range t.plain.rules[path] {
		q, err := t.run(r, r.Head.Key)
		if err != nil {
			return nil, err
		}
		if !q.holds || !slices.ContainsFunc(q.keys, func(v ast.Value) bool { return says1(v, code) }) {
			continue
		}
		if from := t.handsOn(r); from != "" && depth < maxDepth {
			c, err := t.fired(from, code, params, depth+1)
			if c != nil || err != nil {
				return c, err
			}
		}
		c := t.held(r, depth)
		if slices.ContainsFunc(q.keys, func(v ast.Value) bool { return says1(v, code) && sameParams(v, params) }) {
			return c, nil
		}
		if other == nil {
			other = c // another layer's value was merged into this one
		}
	}
	return other, nil
}

// held are the conditions of a rule that holds.
func (t *tracing) held(r *plainRule, depth int) *cause {
	c := &cause{rule: r}
	for i := range r.Body {
		words, private := t.words(r, i, true, depth)
		if words == "" {
			continue
		}
		c.conditions = append(c.conditions, words)
		if private {
			c.private = append(c.private, words)
		}
	}
	if len(c.conditions) == 0 {
		c.conditions = []string{"it holds for every package that the layer is asked about"}
	}
	return c
}

// says1 reports whether an element of deny, pend, oblige or advise is of a code.
func says1(v ast.Value, code string) bool {
	s, ok := readSaying(v)
	return ok && s.code == code
}

func sameParams(v ast.Value, params json.RawMessage) bool {
	o, ok := paramsOf(v)
	if !ok {
		return len(params) == 0 || string(params) == "{}"
	}
	want, err := ast.ValueFromReader(strings.NewReader(string(params)))
	return err == nil && want.Compare(o) == 0
}

// handsOn returns the path of the set whose elements a rule hands on: "deny contains x if some x in base.deny".
func (t *tracing) handsOn(r *plainRule) string {
	key, ok := r.Head.Key.Value.(ast.Var)
	if !ok {
		return ""
	}
	for _, x := range r.Body {
		decl, ok := x.Terms.(*ast.SomeDecl)
		if !ok || len(decl.Symbols) != 1 {
			continue
		}
		call, ok := decl.Symbols[0].Value.(ast.Call)
		if !ok || len(call) != 3 || call[1].Value.Compare(key) != 0 {
			continue
		}
		if ref, ok := call[2].Value.(ast.Ref); ok {
			if path := t.full(r, ref).String(); len(t.plain.rules[path]) > 0 {
				return path
			}
		}
	}
	return ""
}

// full replaces an imported name, or one of the rule's own package, by what it stands for.
func (t *tracing) full(r *plainRule, ref ast.Ref) ast.Ref {
	head, ok := ref[0].Value.(ast.Var)
	if !ok {
		return ref
	}
	for _, i := range r.module.Imports {
		if target, ok := i.Path.Value.(ast.Ref); ok && i.Name() == head {
			return target.Concat(ref[1:])
		}
	}
	if own := r.module.Package.Path.Append(ast.StringTerm(string(head))); len(t.plain.rules[own.String()]) > 0 {
		return own.Concat(ref[1:])
	}
	return ref
}

// asked is what one run of a rule's body showed.
type askedRule struct {
	holds  bool
	failed int         // index of the expression at which it ended, -1: it held
	keys   []ast.Value // of the head, in a set
}

var keyVar = ast.VarTerm("explained__")

// furthest notes the furthest expression of a query that was evaluated.
type furthest struct {
	body  ast.Body
	query uint64
	begun bool
	at    int
	loc   *ast.Location
}

func (f *furthest) Enabled() bool               { return true }
func (f *furthest) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (f *furthest) TraceEvent(ev topdown.Event) {
	if !f.begun {
		f.begun, f.query = true, ev.QueryID
	}
	x, ok := ev.Node.(*ast.Expr)
	if !ok || ev.Op != topdown.EvalOp || ev.QueryID != f.query {
		return
	}
	if i := slices.Index(f.body, x); i >= f.at {
		f.at, f.loc = i, x.Location
	}
}

// run asks the body of a rule by itself, and the key of its head.
func (t *tracing) run(r *plainRule, key *ast.Term) (askedRule, error) {
	body := slices.Clone(r.Body)
	if key != nil {
		body = append(body, ast.Equality.Expr(keyVar, key))
	}
	far := &furthest{}
	values, err := t.query(r, body, keyVar, far)
	if err != nil {
		return askedRule{}, err
	}
	if len(values) > 0 || far.holds(values) {
		return askedRule{holds: true, failed: -1, keys: values}, nil
	}
	return askedRule{failed: original(r.Body, far.loc)}, nil
}

func (f *furthest) holds(values []ast.Value) bool { return values != nil }

// original is the expression of a body that a location lies in: compiling splits and moves expressions.
func original(body ast.Body, loc *ast.Location) int {
	best := -1
	for i, x := range body {
		if loc != nil && x.Location != nil && x.Location.Offset <= loc.Offset && (best < 0 || x.Location.Offset >= body[best].Location.Offset) {
			best = i
		}
	}
	return best
}

// query asks a body in the place of its rule. It returns the values of a variable, not nil when the body holds.
func (t *tracing) query(r *plainRule, body ast.Body, v *ast.Term, tracer topdown.QueryTracer) ([]ast.Value, error) {
	copied := make(ast.Body, len(body))
	for i, x := range body {
		copied[i] = x.Copy()
		copied[i].Index = i
	}
	qc := t.plain.compiler.QueryCompiler().
		WithContext(ast.NewQueryContext().WithPackage(r.module.Package).WithImports(r.module.Imports))
	compiled, err := qc.Compile(copied)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	q := topdown.NewQuery(compiled).WithCompiler(t.plain.compiler).WithStore(emptyStore).WithTransaction(emptyRead).
		WithInput(t.input).WithCancel(t.cancel).WithMetrics(noMetrics)
	if f, ok := tracer.(*furthest); ok {
		f.body = compiled
		q = q.WithQueryTracer(f)
	}
	var values []ast.Value
	err = q.Iter(t.ctx, func(res topdown.QueryResult) error {
		if values == nil {
			values = []ast.Value{}
		}
		if x, ok := res[v.Value.(ast.Var)]; ok && len(values) < 64 && !slices.ContainsFunc(values, func(o ast.Value) bool { return o.Compare(x.Value) == 0 }) {
			values = append(values, x.Value)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	return values, nil
}
