package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// layer is one compiled entry package: a query that returns everything that it says.
type layer struct {
	name     string // LayerCommon, or "<j>/send" and so on
	pkg      string
	phase    string // of common
	compiler *ast.Compiler
	query    ast.Body
	parts    []string // names of the elements of the answer
	docs     *documents
	looks    *projection
	fast     *ast.Compiler // of the slices
	slices   []*slice
	// recipient is false when nothing in the layer looks at the recipient: then it is asked once for a package.
	recipient bool
}

// saying is an element of deny, pend, oblige or advise.
type saying struct {
	kind, code       string
	doc              *document
	params           map[string]any
	encoded          json.RawMessage // the params
	by, jurisdiction string
	hours            int
}

// says is what a layer said.
type says struct {
	*layer
	allow   bool
	met     ruleSet // of common
	sayings []*saying
	bad     bool // something was said that the registry does not know
}

var answerVar = ast.VarTerm("answer")

// newLayer compiles the query of an entry package that has some of the names; the compiler holds its modules.
func newLayer(name, pkg string, c *ast.Compiler, docs *documents) (*layer, error) {
	l := &layer{name: name, pkg: pkg, compiler: c, docs: docs}
	root := ast.MustParseRef(pkg)
	var err error
	if l.parts, l.query, err = entryQuery(c, root); err != nil {
		return nil, err
	}
	l.looks = project(c, c.GetRulesWithPrefix(root))
	l.recipient = l.looks.own()
	return l, nil
}

// entryQuery makes the query for all that a package says, and names its parts.
func entryQuery(c *ast.Compiler, root ast.Ref) (parts []string, query ast.Body, err error) {
	var terms []*ast.Term
	for _, part := range append([]string{"allow", "met"}, sayingKinds...) {
		ref := root.Append(ast.StringTerm(part))
		if len(c.GetRulesExact(ref)) == 0 {
			continue
		}
		parts = append(parts, part)
		terms = append(terms, ast.NewTerm(ref))
	}
	query, err = c.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(answerVar, ast.ArrayTerm(terms...))))
	if err != nil {
		return nil, nil, fmt.Errorf("query of %s: %w", root, err)
	}
	return parts, query, nil
}

// evaluation is the running of queries for one request: they share a deadline.
type evaluation struct {
	ctx    context.Context
	cancel topdown.Cancel // armed by the first question to the engine, unless it is there
	// deadline is when what armed cancels; a ctx that ends does so too.
	deadline time.Time
	timers   [2]func() bool
	reg      *registry
	tracer   topdown.QueryTracer // nil but when a Set is built
	memo     *memo               // nil: nothing is remembered
	key      []byte
	heard    func(*says, *ast.Term) // nil but when an author asks what each layer says
}

// say answers what the layer says of an input, from the memo as far as it was asked about the same before.
func (e *evaluation) say(l *layer, in sources) (*says, error) {
	if e.memo == nil {
		return e.ask(l, wholeInput(in))
	}
	all := &says{layer: l}
	missing := make([]*slice, 0, maxSlices)
	for _, one := range l.slices {
		if s := e.memo.get(e.keyOf(one, in)); s != nil {
			all.add(s)
		} else {
			missing = append(missing, one)
		}
	}
	if len(missing) > maxMissing {
		// To ask for each of many slices costs more than to ask once for the layer. One of them is learned.
		if _, err := e.learn(l, missing[int(e.memo.turn.Add(1)%uint32(len(missing)))], in); err != nil {
			return nil, err
		}
		return e.ask(l, l.looks.input(in))
	}
	for _, one := range missing {
		s, err := e.learn(l, one, in)
		if err != nil {
			return nil, err
		}
		all.add(s)
	}
	return all, nil
}

// maxMissing is how many slices of a layer are asked for one by one.
const maxMissing = 2

func (e *evaluation) keyOf(one *slice, in sources) []byte {
	e.key = one.looks.key(append(e.key[:0], one.id...), in)
	return e.key
}

// learn asks for one slice, and remembers the answer.
func (e *evaluation) learn(l *layer, one *slice, in sources) (*says, error) {
	answer, err := e.run(l.fast, one.query, len(one.parts), one.looks.input(in))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrEngine, l.name, err)
	}
	s := l.read(one.parts, answer, e.reg)
	e.memo.add(string(e.keyOf(one, in)), s)
	return s, nil
}

// add takes what another part of the layer said.
func (s *says) add(part *says) {
	s.allow = s.allow || part.allow
	s.bad = s.bad || part.bad
	s.met.add(part.met)
	if len(part.sayings) > 0 && s.sayings == nil {
		s.sayings = make([]*saying, 0, 12)
	}
	s.sayings = append(s.sayings, part.sayings...)
}

// arm starts the clock. Where everything is remembered there is no need of one.
func (e *evaluation) arm() {
	if e.cancel != nil {
		return
	}
	e.cancel = topdown.NewCancel()
	e.timers = [2]func() bool{time.AfterFunc(time.Until(e.deadline), e.cancel.Cancel).Stop, context.AfterFunc(e.ctx, e.cancel.Cancel)}
}

func (e *evaluation) disarm() {
	for _, stop := range e.timers {
		if stop != nil {
			stop()
		}
	}
}

// emptyStore has no data: everything that rules read is in the input or in the rules.
var emptyStore = inmem.NewFromObjectWithOpts(map[string]any{}, inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))

// emptyRead is a read of it that never ends: nothing is ever written.
var emptyRead = func() storage.Transaction {
	txn, err := emptyStore.NewTransaction(context.Background())
	if err != nil {
		panic(err) // an empty store in memory
	}
	return txn
}()

// ask runs the layer's query on an input. An error means that the engine failed, not that anything is denied.
func (e *evaluation) ask(l *layer, input *ast.Term) (*says, error) {
	answer, err := e.run(l.compiler, l.query, len(l.parts), input)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrEngine, l.name, err)
	}
	said := l.read(l.parts, answer, e.reg)
	if e.heard != nil {
		e.heard(said, input)
	}
	return said, nil
}

// withoutValues keeps of an engine's error what and where: its message quotes values, a sender's among them, and errors
// are logged.
func withoutValues(err error) error {
	var e *topdown.Error
	if !errors.As(err, &e) || topdown.IsCancel(err) {
		return err
	}
	if e.Location == nil {
		return errors.New(e.Code)
	}
	return fmt.Errorf("%s:%d: %s", e.Location.File, e.Location.Row, e.Code)
}

var noMetrics = metrics.NoOp()

func (e *evaluation) run(c *ast.Compiler, query ast.Body, parts int, input *ast.Term) (*ast.Array, error) {
	e.arm()
	q := topdown.NewQuery(query).WithCompiler(c).WithStore(emptyStore).WithTransaction(emptyRead).
		WithInput(input).WithCancel(e.cancel).WithStrictBuiltinErrors(true).WithMetrics(noMetrics)
	if e.tracer != nil {
		q = q.WithQueryTracer(e.tracer)
	}
	var answers []*ast.Term
	err := q.Iter(e.ctx, func(r topdown.QueryResult) error {
		answers = append(answers, r[answerVar.Value.(ast.Var)])
		return nil
	})
	if err != nil {
		return nil, withoutValues(err)
	}
	if len(answers) != 1 || answers[0] == nil {
		return nil, fmt.Errorf("%d answers instead of one", len(answers))
	}
	a, ok := answers[0].Value.(*ast.Array)
	if !ok || a.Len() != parts {
		return nil, errors.New("the answer has another form")
	}
	return a, nil
}

// read turns an answer into what was said. An allow that is not exactly true is none.
func (l *layer) read(parts []string, a *ast.Array, reg *registry) *says {
	s := &says{layer: l}
	for i, part := range parts {
		v := a.Elem(i).Value
		if part == "allow" {
			s.allow = v == ast.Value(ast.Boolean(true))
			continue
		}
		set, ok := v.(ast.Set)
		if !ok {
			s.bad = true
			continue
		}
		if part == "met" {
			s.met = reg.ruleSet(set)
		} else if set.Len() > 0 {
			s.readSayings(part, set, reg)
		}
	}
	return s
}

func (s *says) readSayings(kind string, set ast.Set, reg *registry) {
	for _, t := range set.Slice() {
		one, ok := readSaying(t.Value)
		def := reg.Codes[one.code]
		if !ok || def == nil || def.Kind != kind || s.docs.codes[docKey(kind, one.code)] == nil {
			s.bad = true
			continue
		}
		params, _ := paramsOf(t.Value)
		var err error
		if one.params, err = def.params(params); err != nil {
			s.bad = true
			continue
		}
		one.kind, one.doc = kind, s.docs.codes[docKey(kind, one.code)]
		one.encoded = encodeParams(one.params)
		s.sayings = append(s.sayings, &one)
	}
}

var (
	codeKey         = ast.StringTerm("code")
	paramsKey       = ast.StringTerm("params")
	byKey           = ast.StringTerm("by")
	jurisdictionKey = ast.StringTerm("jurisdiction")
	hoursKey        = ast.StringTerm("hours")
)

// readSaying reads "code", or {code, params, by, jurisdiction, hours} where all but the code may be absent.
func readSaying(v ast.Value) (saying, bool) {
	if code, ok := v.(ast.String); ok {
		return saying{code: string(code)}, true
	}
	o, ok := v.(ast.Object)
	if !ok {
		return saying{}, false
	}
	var s saying
	err := o.Iter(func(k, t *ast.Term) error {
		str, isString := t.Value.(ast.String)
		n, isNumber := t.Value.(ast.Number)
		switch {
		case k.Equal(codeKey) && isString:
			s.code = string(str)
		case k.Equal(byKey) && isString && slices.Contains(pendResolvers, string(str)):
			s.by = string(str)
		case k.Equal(jurisdictionKey) && isString:
			s.jurisdiction = string(str)
		case k.Equal(hoursKey) && isNumber:
			h, whole := n.Int()
			if !whole || h <= 0 || h > 24*366 {
				return errors.New("hours")
			}
			s.hours = h
		case k.Equal(paramsKey):
			if _, isObject := t.Value.(ast.Object); !isObject {
				return errors.New("params")
			}
		default:
			return errors.New("member")
		}
		return nil
	})
	return s, err == nil && s.code != ""
}

func paramsOf(v ast.Value) (ast.Object, bool) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, false
	}
	t := o.Get(paramsKey)
	if t == nil {
		return nil, false
	}
	p, ok := t.Value.(ast.Object)
	return p, ok
}

// ownMembers are the members of the input that belong to a recipient.
var ownMembers = []string{"facts", "permissions", "recipient"}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
