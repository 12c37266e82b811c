package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// testTimeout bounds one test of a policy.
const testTimeout = 2 * time.Second

// runTests compiles the unit's tests with its rules and runs them; each that does not pass is a finding.
func (b *builder) runTests(u *unit, modules map[string]*ast.Module, j string) {
	if len(u.testing) == 0 {
		return
	}
	all := maps.Clone(modules)
	maps.Copy(all, u.testing)
	results, err := runRego(context.Background(), all, b.set.examples(j))
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
	c := ast.NewCompiler().WithCapabilities(testCapabilities).WithSchemas(schemas)
	ch, err := tester.NewRunner().SetCompiler(c).SetStore(store).SetModules(modules).
		RaiseBuiltinErrors(true).SetTimeout(testTimeout).RunTests(ctx, txn)
	if err != nil {
		return nil, err
	}
	var results []*tester.Result
	for r := range ch {
		results = append(results, r)
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
