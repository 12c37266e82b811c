package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Bounds of the tests of one input. Steps are what refuses the same tests everywhere; time is for what no count foresees.
const (
	testTimeout  = 2 * time.Second // of one test, at the author's desk
	testsTimeout = time.Minute
	maxTestSteps = 500_000
)

// testBudget counts the steps of all tests and ends them at the limit.
type testBudget struct {
	steps atomic.Int64
	end   context.CancelFunc
}

func (b *testBudget) Enabled() bool               { return true }
func (b *testBudget) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (b *testBudget) TraceEvent(topdown.Event) {
	if b.steps.Add(1) > maxTestSteps {
		b.end()
	}
}

// check says why tests were ended before their end; those that did not run are nowhere in the results.
func (b *testBudget) check(ctx context.Context) error {
	switch {
	case b.steps.Load() > maxTestSteps:
		return fmt.Errorf("the tests take more than %d steps together", maxTestSteps)
	case ctx.Err() != nil:
		return fmt.Errorf("the tests did not end in time (%s): %w", testsTimeout, ctx.Err())
	}
	return nil
}

// runTests compiles the unit's tests with its rules and runs them; each that does not pass is a finding.
func (b *builder) runTests(u *unit, modules map[string]*ast.Module, j string) {
	if len(u.testing) == 0 || b.isTested(j) {
		return
	}
	all := maps.Clone(modules)
	maps.Copy(all, u.testing)
	results, err := runRego(b.ctx, all, b.set.examples(j))
	if err != nil {
		u.addErrors("", err)
		return
	}
	for _, r := range results {
		if !r.Pass() || r.Skip {
			u.report("test", r.Location, "test %s does not pass%s", r.Name, because(r))
		}
	}
}

func because(r *tester.Result) string {
	switch {
	case r.Skip:
		return ": it is skipped"
	case r.Error != nil:
		return ": " + r.Error.Error()
	}
	return ""
}

func runRego(ctx context.Context, modules map[string]*ast.Module, examples map[string]*ast.Term) ([]*tester.Result, error) {
	store, err := exampleStore(examples)
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	defer store.Abort(ctx, txn)
	ctx, cancel := context.WithTimeout(ctx, testsTimeout)
	defer cancel()
	budget := &testBudget{end: cancel}
	c := ast.NewCompiler().WithCapabilities(testCapabilities).WithSchemas(schemas).
		WithStageAfterID(ast.StageCheckRecursion, valuesStage)
	ch, err := tester.NewRunner().SetCompiler(c).SetStore(store).SetModules(modules).SetCoverageQueryTracer(budget).
		RaiseBuiltinErrors(true).SetTimeout(testsTimeout).RunTests(ctx, txn)
	if err != nil {
		return nil, err
	}
	var results []*tester.Result
	for r := range ch {
		results = append(results, r)
	}
	if err := budget.check(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(results, func(a, b *tester.Result) int { return a.Location.Compare(b.Location) })
	return results, nil
}

func exampleStore(examples map[string]*ast.Term) (storage.Store, error) {
	data := map[string]any{}
	for name, t := range examples {
		v, err := ast.JSON(t.Value)
		if err != nil {
			return nil, fmt.Errorf("example %s: %w", name, err)
		}
		data[name] = v
	}
	root := map[string]any{"liaison": map[string]any{"example": data}}
	return inmem.NewFromObjectWithOpts(root, inmem.OptRoundTripOnWrite(false)), nil
}
