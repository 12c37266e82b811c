package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// explainTimeout bounds one explanation: it asks every rule that had a say once more, by itself.
const explainTimeout = 5 * time.Second

// Explanation says why a decision is as it is, layer by layer.
type Explanation struct {
	Recipient string
	Verdict   string
	Layers    []LayerExplanation
}

// LayerExplanation is what one layer said. Hidden: it decided for a reason that is not for the reader.
type LayerExplanation struct {
	Layer   string
	Said    string // Denied, Pending, or Delivered when it takes nothing away
	Hidden  bool
	Because []Because
}

// Because is one thing that a layer said, the rule that said it, and the conditions that made it: of a rule that is not
// met the one that failed, of a rule that fired all that held.
type Because struct {
	Kind       string // deny, pend, oblige or advise
	Code       string
	Params     json.RawMessage
	Rule       string
	Layer      string
	Title      string
	Text       string
	Fix        string
	Source     string
	Audience   string
	Conditions []string
	File       string // "common/rcp.rego", "rules/lv/send.rego"; empty when no rule of a file decided
	Line       int
	By         string // who resolves a pend
	Resolved   bool   // of a pend: an approval did
	private    []string
}

// Explain says why a decision of this Set is as it is: d is the recorded decision with its Input. It asks the rules again
// as they are written, under OPA's tracer.
func (s *Set) Explain(ctx context.Context, d Decision) (_ *Explanation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", ErrEngine, p)
		}
	}()
	x := &Explanation{Recipient: d.Recipient, Verdict: d.Verdict}
	if s == nil || undecided(d.Input) {
		x.Layers = []LayerExplanation{{Layer: LayerCommon, Said: d.Verdict, Because: fromReasons(d.Reasons)}}
		return x, nil
	}
	rec, err := readRecorded(d.Input)
	if err != nil {
		return nil, err
	}
	cancel := topdown.NewCancel()
	e := &explainer{evaluation: &evaluation{ctx: ctx, cancel: cancel, reg: s.registry}, set: s, rec: rec, input: wholeInput(rec.in)}
	asked := rec.layers
	for _, w := range asked { // compiled before the time runs
		if _, err := e.plainOf(w.jurisdiction + "/" + w.kind); err != nil {
			return nil, err
		}
	}
	timer := time.AfterFunc(explainTimeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()
	if err := e.baseline(x); err != nil {
		return nil, err
	}
	for _, w := range asked {
		if err := e.national(x, w); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Recorded says of a decision what was recorded, without a look at the rules: for one that another engine made.
func Recorded(d Decision) *Explanation {
	x := &Explanation{Recipient: d.Recipient, Verdict: d.Verdict}
	kind := map[string]string{Denied: kindDeny, Pending: kindPend}[d.Verdict]
	add := func(kind, said string, list []Reason) {
		for _, r := range list {
			i := slices.IndexFunc(x.Layers, func(l LayerExplanation) bool { return l.Layer == r.Layer })
			if i < 0 {
				i = len(x.Layers)
				x.Layers = append(x.Layers, LayerExplanation{Layer: r.Layer, Said: said})
			}
			x.Layers[i].Because = append(x.Layers[i].Because, fromReason(kind, r))
		}
	}
	add(kind, d.Verdict, d.Reasons)
	add(kindAdvise, Delivered, d.Advice)
	return x
}

func fromReasons(list []Reason) []Because {
	var all []Because
	for _, r := range list {
		all = append(all, fromReason(kindDeny, r))
	}
	return all
}

func fromReason(kind string, r Reason) Because {
	return Because{Kind: kind, Code: r.Code, Params: r.Params, Rule: r.Rule, Layer: r.Layer, Text: r.Text, Fix: r.Fix, Source: r.Source, Audience: r.Audience}
}

// Mask leaves out what is not for the reader, as Mask does of the decision; of a layer that decided for such a reason
// only that stays. File and line of rules are for the agencies whose rules they are, and the baseline's for all; what the
// exchange and the sender know of the package beside its manifest is for the sender's side.
func (x *Explanation) Mask(reader string, isSender bool) *Explanation {
	j := jurisdictionOf(reader)
	out := &Explanation{Recipient: x.Recipient, Verdict: x.Verdict, Layers: make([]LayerExplanation, len(x.Layers))}
	for i, l := range x.Layers {
		all := l.Because
		l.Because = nil
		for _, b := range all {
			if !audible(b.Audience, b.Layer, j, isSender) {
				l.Hidden = l.Hidden || b.Kind == kindDeny || b.Kind == kindPend
				continue
			}
			if l.Layer != LayerCommon && jurisdictionOf(l.Layer) != j {
				b.File, b.Line = "", 0
			}
			if !isSender {
				b.Conditions = withoutPrivate(b.Conditions, b.private)
			}
			l.Because = append(l.Because, b)
		}
		out.Layers[i] = l
	}
	return out
}

// privateCondition stands for a condition on what only the sender's side may know.
const privateCondition = "it turns on what only the sender may know"

func withoutPrivate(conditions, private []string) []string {
	out := slices.Clone(conditions)
	for i, c := range out {
		if slices.Contains(private, c) {
			out[i] = privateCondition
		}
	}
	return out
}

// audible reports whether a reason of an audience is for a reader.
func audible(audience, layer, jurisdiction string, isSender bool) bool {
	switch audience {
	case AudienceAll:
		return true
	case AudienceSender:
		return isSender
	case AudienceOwn:
		return jurisdictionOf(layer) == jurisdiction
	}
	return false
}

// explainer explains one decision.
type explainer struct {
	*evaluation
	set   *Set
	rec   *recorded
	input *ast.Term // all of it
}

// layerVerdict is what one layer alone makes of the package.
func (e *explainer) layerVerdict() *verdict {
	v := newVerdict(e.set, e.rec.request(), e.rec.recipient.ID)
	v.class = e.rec.own.class
	return v
}

func (e *explainer) baseline(x *Explanation) error {
	v := e.layerVerdict()
	pkg, err := e.say(e.set.pkg, sources{shared: e.rec.in.shared})
	if err != nil {
		return err
	}
	rcp, err := e.say(e.set.rcp, e.rec.in)
	if err != nil {
		return err
	}
	v.baseline(pkg, rcp)
	refused := slices.ContainsFunc(e.rec.approvals, func(a Approval) bool { return !a.Granted })
	if refused {
		v.engineReason(LayerCommon, codeApprovalRefused)
	}
	return e.layer(x, LayerCommon, v, "data.liaison.common.pkg", "data.liaison.common.rcp")
}

func (e *explainer) national(x *Explanation, w who) error {
	v, name := e.layerVerdict(), w.jurisdiction+"/"+w.kind
	if err := e.rec.asking(e.set, e.evaluation).national(v, w, e.rec.in); err != nil {
		return err
	}
	return e.layer(x, name, v, "data.jurisdiction."+w.jurisdiction+"."+w.kind, `data.jurisdiction["`+w.jurisdiction+`"].`+w.kind)
}

// layer adds what a layer said, each with its conditions. pkgs are its entry packages, as OPA may write them.
func (e *explainer) layer(x *Explanation, name string, v *verdict, pkgs ...string) error {
	l := LayerExplanation{Layer: name, Said: Delivered}
	for _, r := range sortReasons(slices.Clone(v.reasons)) {
		l.Said = Denied
		l.Because = append(l.Because, fromReason(kindDeny, r))
	}
	for _, p := range v.pends {
		b := fromReason(kindPend, p.Reason)
		b.By = p.By + " of " + p.Jurisdiction
		b.Resolved = slices.ContainsFunc(e.rec.approvals, func(a Approval) bool {
			return a.Granted && a.By == p.By && a.Jurisdiction == p.Jurisdiction && slices.Contains(a.Codes, p.Pend.Code)
		})
		if !b.Resolved && l.Said == Delivered {
			l.Said = Pending
		}
		l.Because = append(l.Because, b)
	}
	for _, d := range v.duties {
		l.Because = append(l.Because, Because{
			Kind: kindOblige, Code: d.code, Params: encodeParams(d.params), Rule: d.rule, Layer: name,
			Text: d.doc.Text[mandatoryLanguage], Source: d.doc.Source, Audience: AudienceAll,
		})
	}
	for _, r := range sortReasons(slices.Clone(v.advice)) {
		l.Because = append(l.Because, fromReason(kindAdvise, r))
	}
	p, err := e.plainOf(name)
	if err != nil {
		return err
	}
	for i := range l.Because {
		if err := e.because(p, &l.Because[i], pkgs); err != nil {
			return err
		}
	}
	x.Layers = append(x.Layers, l)
	return nil
}

// because finds the rule that said it and its conditions.
func (e *explainer) because(p *plain, b *Because, pkgs []string) error {
	if p == nil {
		return nil
	}
	t := &tracing{explainer: e, plain: p}
	var found *cause
	var err error
	for _, pkg := range pkgs {
		if found != nil {
			break
		}
		switch {
		case b.Code == codeNotAllowed && b.Kind == kindDeny:
			found, err = t.unmet(p.rules[pkg+".allow"], 0)
		default:
			found, err = t.fired(pkg+"."+b.Kind, b.Code, b.Params, 0)
			if err == nil && found == nil && b.Kind == kindDeny {
				found, err = t.unmet(p.met(pkg, b.Rule), 0)
			}
		}
		if err != nil {
			return err
		}
	}
	if found == nil {
		return nil
	}
	b.Conditions, b.private = found.conditions, found.private
	if loc := found.rule.Location; loc != nil {
		b.File, b.Line = loc.File, loc.Row
	}
	b.Title = cmp.Or(found.rule.title(), b.Title)
	return nil
}

// plain are the rules of one compiler as they are written: an activation may join rules for speed, an explanation speaks
// of those that people read.
type plain struct {
	compiler *ast.Compiler
	rules    map[string][]*plainRule // by the path of package and name
}

type plainRule struct {
	*ast.Rule
	module *ast.Module
}

func (r *plainRule) title() string {
	for _, a := range r.Annotations {
		if a.Title != "" {
			return a.Title
		}
	}
	return ""
}

// met returns the rules that meet a baseline rule of a package.
func (p *plain) met(pkg, id string) []*plainRule {
	return slices.DeleteFunc(slices.Clone(p.rules[pkg+".met"]), func(r *plainRule) bool {
		s, ok := r.Head.Key.Value.(ast.String)
		return !ok || string(s) != id
	})
}

// plains are the rules that were explained last, compiled as they are written, by the revisions of common and rules.
var plains = struct {
	sync.Mutex
	of    map[string]*plain
	order []string
}{of: map[string]*plain{}}

// maxPlains bounds them.
const maxPlains = 32

// plainOf compiles the rules of a layer as they are written; nil when the layer has none.
func (e *explainer) plainOf(layer string) (*plain, error) {
	own := ""
	if layer != LayerCommon {
		if own = e.set.revisions["rules/"+jurisdictionOf(layer)]; own == "" {
			return nil, nil
		}
	}
	key := e.set.revisions[LayerCommon] + " " + own
	plains.Lock()
	defer plains.Unlock()
	if p := plains.of[key]; p != nil {
		return p, nil
	}
	p, err := e.set.compilePlain(jurisdictionOf(layer), own)
	if err != nil {
		return nil, err
	}
	if plains.of[key], plains.order = p, append(plains.order, key); len(plains.order) > maxPlains {
		delete(plains.of, plains.order[0])
		plains.order = plains.order[1:]
	}
	return p, nil
}

// compilePlain compiles common, and with it the rules of a jurisdiction if a revision of them is given.
func (s *Set) compilePlain(j, revision string) (*plain, error) {
	found := &findings{}
	common := commonUnit(found)
	common.parse(s.sources[s.revisions[LayerCommon]], factsFile, codesFile)
	all := common.modules
	if revision != "" {
		u := jurisdictionUnit(j, found)
		u.parse(s.sources[revision])
		maps.Copy(all, u.modules)
	}
	c := ast.NewCompiler().WithCapabilities(ruleCapabilities)
	if c.Compile(all); c.Failed() {
		return nil, fmt.Errorf("%w: rules that were active do not compile: %w", ErrEngine, c.Errors)
	}
	p := &plain{compiler: c, rules: map[string][]*plainRule{}}
	for _, path := range sortedKeys(all) {
		for _, r := range all[path].Rules {
			name := all[path].Package.Path.String() + "." + r.Head.Ref().String()
			p.rules[name] = append(p.rules[name], &plainRule{r, all[path]})
		}
	}
	return p, nil
}

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
