package policy

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Condition is the first condition of a rule that did not hold, and the values that it looked at.
type Condition struct {
	Rule   string   `json:"rule"` // the head, such as deny contains "national_limit"
	File   string   `json:"file"`
	Line   int      `json:"line"`
	Text   string   `json:"text"`
	Values []string `json:"values,omitempty"` // such as input.claimed.language is "et"
	loc    ast.Location
}

// attempt is the evaluation of one rule's body.
type attempt struct {
	rule   *ast.Rule
	failed *topdown.Event // the last condition that did not hold
	done   bool           // the rule held
}

// attempts reads from a trace how the evaluation of each rule's body ended, in the order in which they began.
func attempts(events []*topdown.Event) []*attempt {
	var list []*attempt
	of := map[uint64]*attempt{}
	for _, e := range events {
		switch e.Op {
		case topdown.EnterOp:
			if r, ok := e.Node.(*ast.Rule); ok {
				of[e.QueryID] = &attempt{rule: r}
				list = append(list, of[e.QueryID])
			}
		case topdown.ExitOp:
			if a := of[e.QueryID]; a != nil {
				a.done = true
			}
		case topdown.FailOp:
			if a := of[e.QueryID]; a != nil && e.Location != nil && (a.failed == nil || before(a.failed.Location, e.Location)) {
				a.failed = e
			}
		}
	}
	return list
}

func before(a, b *ast.Location) bool {
	return a.Row < b.Row || a.Row == b.Row && a.Col <= b.Col
}

// condition says what kept a rule from holding.
func (a *attempt) condition(line func(file string, row int) string) Condition {
	loc := a.failed.Location
	text := strings.TrimSpace(string(loc.Text))
	if text == "" || strings.Contains(text, "\n") {
		text = strings.TrimSpace(line(loc.File, loc.Row))
	}
	return Condition{
		Rule: headText(a.rule), File: loc.File, Line: loc.Row, Text: text, Values: valuesOf(text, a.failed.Input()),
		loc: *loc,
	}
}

// headText is how the head of a rule was written.
func headText(r *ast.Rule) string {
	name := r.Head.Ref().String()
	if code, ok := constantCode(r.Head.Key); ok {
		return fmt.Sprintf("%s %q", name, code)
	}
	return name
}

var inputPath = regexp.MustCompile(`\binput(\.[a-z0-9_]+)+`)

// valuesOf looks up what a condition reads of the input.
func valuesOf(text string, input *ast.Term) []string {
	if input == nil {
		return nil
	}
	var list []string
	for _, path := range inputPath.FindAllString(text, -1) {
		ref, err := ast.ParseRef(path)
		if err != nil {
			continue
		}
		words := path + " is not there"
		if v, err := input.Value.Find(ref[1:]); err == nil {
			words = path + " is " + short(v)
		}
		if !slices.Contains(list, words) {
			list = append(list, words)
		}
	}
	return list
}

// maxShown bounds a value that is shown to people.
const maxShown = 160

func short(v ast.Value) string {
	s := v.String()
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}

// probe runs queries for the tools of an author, with every rule tried that could answer.
type probe struct {
	ctx      context.Context
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
}

// ask returns the answers of a body that stands in a module, at most a few, and the trace when it is wanted.
func (p *probe) ask(m *ast.Module, body ast.Body, traced bool) ([]topdown.QueryResult, []*topdown.Event, error) {
	where := ast.NewQueryContext().WithPackage(m.Package).WithImports(m.Imports)
	compiled, err := p.compiler.QueryCompiler().WithContext(where).Compile(body.Copy())
	if err != nil {
		return nil, nil, err
	}
	q := topdown.NewQuery(compiled).WithCompiler(p.compiler).WithStore(p.store).WithTransaction(p.txn).WithIndexing(!traced).WithEarlyExit(!traced)
	buffer := topdown.NewBufferTracer()
	if traced {
		q = q.WithQueryTracer(buffer)
	}
	var found []topdown.QueryResult
	err = q.Iter(p.ctx, func(r topdown.QueryResult) error {
		if len(found) < 8 {
			found = append(found, r)
		}
		return nil
	})
	return found, *buffer, err
}
