package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// builtins is what a rule may call. Nothing here reads a clock, the network, the runtime or random numbers, makes
// rules, or returns more than a bounded multiple of what it is given: a rule cannot build a large value from small
// ones (no concat, sprintf, array.concat, object.union, numbers.range, multiplication, regular expressions). Nothing asks for
// a type either: the type of every part of the input is known, so that such a question has one answer, or is mistyped.
var builtins = []string{
	"eq", "equal", "neq", "lt", "lte", "gt", "gte", "assign", "internal.member_2", "internal.member_3",
	"plus", "minus", "abs", "ceil", "floor", "round",
	"count", "max", "min", "sum", "sort",
	"and", "or", "intersection", "union",
	"array.slice", "array.reverse", "object.get", "object.keys",
	"contains", "startswith", "endswith", "lower", "upper", "substring", "indexof", "strings.any_prefix_match", "strings.any_suffix_match",
}

// testBuiltins may be called in tests too, to change an example. A patch is not among them: copied into itself a few times
// an object is as large as the memory.
var testBuiltins = []string{"object.union", "object.remove", "object.filter", "json.remove", "array.concat"}

var (
	ruleCapabilities = capabilities(builtins)
	testCapabilities = capabilities(slices.Concat(builtins, testBuiltins))
)

func capabilities(names []string) *ast.Capabilities {
	c := &ast.Capabilities{Features: []string{ast.FeatureRegoV1}, AllowNet: []string{}}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if slices.Contains(names, b.Name) {
			c.Builtins = append(c.Builtins, b)
		}
	}
	return c
}
