package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestReport is what the tests of a draft said.
type TestReport struct {
	Tests    []TestResult
	Coverage Coverage
}

// TestResult is one test.
type TestResult struct {
	Name     string
	File     string
	Line     int
	Pass     bool
	Duration time.Duration
	Error    string // the test could not be evaluated
	Failure  *Failure
}

// Failure is the expression of a test that did not hold, with what it saw.
type Failure struct {
	Line    int         `json:"line"`
	Text    string      `json:"text"`
	Values  []string    `json:"values,omitempty"`
	Because []Condition `json:"because,omitempty"` // the conditions of the tested rules that did not hold
}

// Coverage says which lines of the rules the tests went through.
type Coverage struct {
	Percent float64
	Files   []FileCoverage
}

// FileCoverage is the coverage of one file.
type FileCoverage struct {
	File      string
	Percent   float64
	Covered   int // lines
	Uncovered []UncoveredLine
}

// UncoveredLine is a line that no test went through.
type UncoveredLine struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Test runs the tests of the draft whose full names match, all of them if run is nil. What is wrong with the files
// themselves is a *BuildError.
func (d *Desk) Test(ctx context.Context, run *regexp.Regexp) (*TestReport, error) {
	p, err := d.parse()
	if err != nil {
		return nil, err
	}
	t := &trial{parsed: p, modules: maps.Clone(p.all)}
	maps.Copy(t.modules, p.testing)
	if j := d.Draft.Jurisdiction; j == CommonBundle {
		t.examples = p.set.examples("")
	} else {
		t.examples = p.set.examples(j)
	}
	report, err := t.run(ctx, run)
	return report, d.in.quoted(err)
}

// trial is a run of tests.
type trial struct {
	*parsed
	modules  map[string]*ast.Module
	examples map[string]*ast.Term
}

func (t *trial) run(ctx context.Context, run *regexp.Regexp) (*TestReport, error) {
	coverage := cover.New()
	store, err := exampleStore(t.examples)
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	c := ast.NewCompiler().WithCapabilities(testCapabilities).WithSchemas(schemas).
		WithStageAfterID(ast.StageCheckRecursion, valuesStage)
	runner := tester.NewRunner().SetCompiler(c).SetStore(store).SetModules(t.modules).SetCoverageQueryTracer(coverage).
		RaiseBuiltinErrors(true).SetTimeout(testTimeout)
	if run != nil {
		runner.Filter(run.String())
	}
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		t.addErrors("", err)
		return nil, cmp.Or(t.found.err(), err)
	}
	report := &TestReport{}
	p := &probe{ctx: ctx, compiler: c, store: store, txn: txn}
	for r := range results {
		report.Tests = append(report.Tests, t.result(r, p))
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int { return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line) })
	report.Coverage = t.coverage(coverage)
	return report, nil
}

func (t *trial) result(r *tester.Result, p *probe) TestResult {
	one := TestResult{Name: r.Name, File: t.file(r.Location.File), Line: r.Location.Row, Pass: r.Pass() && !r.Skip, Duration: r.Duration}
	switch {
	case r.Skip:
		one.Error = "it is skipped: a test that is not run says nothing, so the policy is refused with it"
	case r.Error != nil && errors.Is(r.Error, context.DeadlineExceeded), r.Error != nil && strings.Contains(r.Error.Error(), "cancel"):
		one.Error = fmt.Sprintf("took longer than %s", testTimeout)
	case r.Error != nil:
		one.Error = r.Error.Error()
	case r.Fail:
		one.Failure = t.explain(r, p)
	}
	return one
}

// explain finds the first expression of a failed test that does not hold, and what it saw.
func (t *trial) explain(r *tester.Result, p *probe) *Failure {
	m, rule := t.testRule(r.Location)
	if rule == nil {
		return nil
	}
	for i, e := range rule.Body {
		body := rule.Body[:i+1]
		found, _, err := p.ask(m, body, false)
		if err != nil || len(found) > 0 {
			continue // err: its variables are bound further down
		}
		f := &Failure{Line: e.Location.Row, Text: strings.TrimSpace(string(e.Location.Text))}
		if f.Text == "" {
			f.Text = strings.TrimSpace(t.line(e.Location.File, e.Location.Row))
		}
		s := &seen{trial: t, probe: p, module: m, before: rule.Body[:i], expr: e, failure: f}
		s.look()
		return f
	}
	return &Failure{Line: rule.Location.Row, Text: strings.TrimSpace(t.line(rule.Location.File, rule.Location.Row))}
}

func (t *trial) testRule(at *ast.Location) (*ast.Module, *ast.Rule) {
	m := t.testing[at.File]
	if m == nil {
		return nil, nil
	}
	for _, r := range m.Rules {
		if r.Location.Row == at.Row {
			return m, r
		}
	}
	return nil, nil
}

// seen looks at the operands of an expression that did not hold.
type seen struct {
	*trial
	*probe
	module  *ast.Module
	before  ast.Body
	expr    *ast.Expr
	failure *Failure
}

// look says the values of the operands, and follows those that are rules.
func (s *seen) look() {
	operands := operandsOf(s.expr)
	expected := map[string]bool{}
	for _, t := range operands {
		if set, ok := t.Value.(ast.Set); ok {
			set.Foreach(func(e *ast.Term) { expected[codeOf(e)] = true })
		}
	}
	for _, t := range operands {
		if ast.IsConstant(t.Value) {
			continue
		}
		got, tried := s.value(t)
		s.say(s.words(t, got))
		if call, ok := t.Value.(ast.Call); ok {
			s.arguments(call)
		}
		if len(expected) > 0 || nothing(got) {
			s.because(tried, expected)
		}
		s.saidBy(tried, expected)
	}
}

func (s *seen) say(words string) {
	if !slices.Contains(s.failure.Values, words) {
		s.failure.Values = append(s.failure.Values, words)
	}
}

// arguments says what a function was called with.
func (s *seen) arguments(call ast.Call) {
	for _, t := range call[1:] {
		if _, isRef := t.Value.(ast.Ref); isRef {
			got, _ := s.value(t)
			s.say(s.words(t, got))
		}
	}
}

// nothing: undefined, false, or an empty set.
func nothing(got []ast.Value) bool {
	return !slices.ContainsFunc(got, func(v ast.Value) bool {
		set, isSet := v.(ast.Set)
		return !(isSet && set.Len() == 0) && v.Compare(ast.Boolean(false)) != 0
	})
}

// operandsOf are the terms whose values decide whether an expression holds.
func operandsOf(e *ast.Expr) []*ast.Term {
	switch t := e.Terms.(type) {
	case *ast.Term:
		return []*ast.Term{t}
	case []*ast.Term:
		if b := ast.BuiltinMap[t[0].String()]; b != nil && len(t) > 2 {
			return t[1:] // a comparison
		}
		return []*ast.Term{ast.NewTerm(ast.Call(t)).SetLocation(e.Location)}
	case *ast.SomeDecl:
		if call, ok := t.Symbols[0].Value.(ast.Call); ok {
			return []*ast.Term{call[len(call)-1]}
		}
	case *ast.Every:
		return []*ast.Term{t.Domain}
	}
	return nil
}

var seenVar = ast.VarTerm("seen")

// value evaluates a term where the expression stands, with the expression's own inputs.
func (s *seen) value(t *ast.Term) (values []ast.Value, tried []*attempt) {
	e := ast.Equality.Expr(seenVar, t)
	e.With = s.expr.With
	found, trace, err := s.ask(s.module, append(slices.Clone(s.before), e), true)
	if err != nil {
		return nil, nil
	}
	for _, r := range found {
		if v := r[seenVar.Value.(ast.Var)]; v != nil && !slices.ContainsFunc(values, func(o ast.Value) bool { return o.Compare(v.Value) == 0 }) {
			values = append(values, v.Value)
		}
	}
	return values, attempts(trace)
}

func (s *seen) words(t *ast.Term, got []ast.Value) string {
	name, _, _ := strings.Cut(strings.TrimSpace(string(t.Location.Text)), " with ")
	if name == "" {
		name = t.String()
	}
	if len(got) == 0 {
		return name + " is undefined"
	}
	words := make([]string, len(got))
	for i, v := range got {
		words[i] = short(v)
		if set, ok := v.(ast.Set); ok && set.Len() == 0 {
			words[i] = "an empty set"
		}
	}
	return name + " is " + strings.Join(words, ", then ")
}

// because says, for what was expected of a rule and is not there, the condition that did not hold.
func (s *seen) because(tried []*attempt, expected map[string]bool) {
	for _, a := range tried {
		code, isSaying := constantCode(a.rule.Head.Key)
		if a.done || a.failed == nil || !s.own(a) || isSaying && !expected[code] {
			continue
		}
		c := a.condition(s.line)
		c.File = s.file(c.File)
		if !slices.ContainsFunc(s.failure.Because, func(o Condition) bool { return o.loc.Equal(&c.loc) && o.Rule == c.Rule }) {
			s.failure.Because = append(s.failure.Because, c)
		}
	}
}

// saidBy names the rules that said what was not expected.
func (s *seen) saidBy(tried []*attempt, expected map[string]bool) {
	for _, a := range tried {
		if code, isSaying := constantCode(a.rule.Head.Key); a.done && isSaying && !expected[code] && s.own(a) {
			s.say(fmt.Sprintf("%s is said by %s:%d", headText(a.rule), s.file(a.rule.Location.File), a.rule.Location.Row))
		}
	}
}

// own reports whether a rule is one of the draft's, not a helper of a test.
func (s *seen) own(a *attempt) bool {
	return s.modules[a.rule.Location.File] != nil && s.testing[a.rule.Location.File] == nil
}

func codeOf(t *ast.Term) string {
	code, _ := constantCode(t)
	return code
}

// coverage counts lines of the draft's rules, not of its tests.
func (t *trial) coverage(c *cover.Cover) Coverage {
	report := c.Report(t.parsed.modules)
	var out Coverage
	covered, all := 0, 0
	for _, file := range sortedKeys(t.parsed.modules) {
		f := report.Files[file]
		if f == nil {
			continue
		}
		one := FileCoverage{File: t.file(file)}
		rows := map[int]bool{}
		for _, r := range f.Covered {
			for row := r.Start.Row; row <= r.End.Row; row++ {
				rows[row] = true
			}
		}
		missing := map[int]bool{}
		for _, r := range f.NotCovered {
			missing[r.Start.Row] = true
		}
		for _, r := range t.parsed.modules[file].Rules {
			if r.Default || len(t.inherited[r]) > 0 && r.Head.Ref().String() != "allow" {
				delete(missing, r.Location.Row) // a default holds where no other rule does; what is inherited has tests of its own
			}
		}
		for _, row := range slices.Sorted(maps.Keys(missing)) {
			one.Uncovered = append(one.Uncovered, UncoveredLine{row, strings.TrimSpace(t.line(file, row))})
			delete(rows, row)
		}
		one.Covered = len(rows)
		one.Percent = percent(one.Covered, one.Covered+len(one.Uncovered))
		covered, all = covered+one.Covered, all+one.Covered+len(one.Uncovered)
		out.Files = append(out.Files, one)
	}
	out.Percent = percent(covered, all)
	return out
}

func percent(part, all int) float64 {
	if all == 0 {
		return 100
	}
	return 100 * float64(part) / float64(all)
}
