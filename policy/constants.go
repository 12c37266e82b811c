package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkConstants refuses what the type checker lets pass: a constant that the schema's enum does not have (a rule
// that compares with a mistyped code never fires), and comparisons between different types, which Rego orders by the
// name of the type and never finds equal.
func (u *unit) checkConstants(c *ast.Compiler) {
	in := infer(c)
	in.check = func(loc *ast.Location, op string, a, b *ast.Term, va, vb value) {
		if loc == nil || !strings.HasPrefix(loc.File, u.input+"/") {
			return
		}
		u.checkCall(loc, op, a, b, va, vb)
	}
	in.walk()
}

func (u *unit) checkCall(loc *ast.Location, op string, a, b *ast.Term, va, vb value) {
	switch op {
	case "eq", "equal", "neq":
		u.checkConstant(loc, a, vb)
		u.checkConstant(loc, b, va)
		u.checkKinds(loc, "compares", va, vb)
	case "lt", "lte", "gt", "gte":
		u.checkKinds(loc, "orders", va, vb)
	case "internal.member_2":
		u.checkConstant(loc, a, elements(vb))
		for _, c := range vb.consts {
			u.checkConstant(loc, c, va)
		}
	case "startswith", "endswith", "contains":
		u.checkKinds(loc, "compares", va, vb)
	}
}

// checkConstant refuses a constant that none of the places that it is compared with can hold.
func (u *unit) checkConstant(loc *ast.Location, t *ast.Term, v value) {
	s, ok := t.Value.(ast.String)
	if !ok || len(v.nodes) == 0 {
		return
	}
	var options []string
	for _, n := range v.nodes {
		if n.sets > 0 || n.shape.kind != kindString || n.shape.enum == nil || n.shape.accepts(string(s)) {
			return
		}
		options = append(options, n.shape.enum...)
	}
	slices.Sort(options)
	u.add(loc, "%q can never be there: the schema has %s", string(s), strings.Join(slices.Compact(options), ", "))
}

func (u *unit) checkKinds(loc *ast.Location, verb string, a, b value) {
	ka, kb := a.allKinds(), b.allKinds()
	if ka != 0 && kb != 0 && ka&kb == 0 {
		u.add(loc, "%s a %s with a %s: they are never equal, and their order means nothing", verb, kindNames(ka), kindNames(kb))
	}
}

func kindNames(k uint8) string {
	var names []string
	for i, n := range []string{"string", "number", "boolean", "collection"} {
		if k&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, " or ")
}
