package exchange

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/policy"
)

// TestSearchKnowsMeta compares the fixed values of the query language with
// the schema of meta.
func TestSearchKnowsMeta(t *testing.T) {
	for name, path := range map[string]string{
		"message_type": "message_type", "content_kind": "content_kind", "purpose": "purpose", "urgency": "urgency/level",
		"category": "subjects/*/category", "special": "subjects/*/special_categories/*", "handling": "handling/code",
		"condition": "handling/conditions/*/code", "transfer_basis": "transfer_basis", "relation": "relates_to/*/relation",
	} {
		want := enumOf(t, path)
		f, _ := search.FieldOf(name)
		if got := slices.Sorted(slices.Values(f.Values)); !slices.Equal(got, want) {
			t.Errorf("%s is one of\n%q, by meta one of\n%q", name, got, want)
		}
	}
	minors := slices.DeleteFunc(enumOf(t, "subjects/*/minors"), func(s string) bool { return s == "none" })
	if f, _ := search.FieldOf("minors"); !slices.Equal(slices.Sorted(slices.Values(f.Values)), minors) {
		t.Errorf("minors is one of %q, by meta %q", f.Values, minors)
	}
	if f, _ := search.FieldOf("role"); !slices.Equal(f.Values, []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy, certs.RoleSupervisor, certs.RoleOperator}) {
		t.Errorf("roles are %q", f.Values)
	}
}

// enumOf reads an enum of the schema; * are the items of a list.
func enumOf(t *testing.T, path string) []string {
	type schema struct {
		Properties map[string]*json.RawMessage `json:"properties"`
		Items      *json.RawMessage            `json:"items"`
		Enum       []string                    `json:"enum"`
	}
	raw := json.RawMessage(envelope.MetaSchema())
	var s schema
	for _, step := range append(strings.Split(path, "/"), "") {
		s = schema{}
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		next := s.Items
		if step != "*" {
			next = s.Properties[step]
		}
		if step != "" && next == nil {
			t.Fatalf("the schema has no %s", path)
		}
		if step != "" {
			raw = *next
		}
	}
	if len(s.Enum) == 0 {
		t.Fatalf("%s has no enum", path)
	}
	slices.Sort(s.Enum)
	return s.Enum
}

// TestSearchKnowsOutcomes reads this package's source for every outcome that
// an entry can get: `outcome:` refuses what is on no list.
func TestSearchKnowsOutcomes(t *testing.T) {
	files, err := parser.ParseDir(token.NewFileSet(), ".", func(i fs.FileInfo) bool { return !strings.HasSuffix(i.Name(), "_test.go") }, 0) //nolint:staticcheck // one directory, no build tags
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	note := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[s] = true
		}
	}
	ast.Inspect(files["exchange"], func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if sel, ok := left.(*ast.SelectorExpr); ok && sel.Sel.Name == "Outcome" && i < len(n.Rhs) {
					note(n.Rhs[i])
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Outcome" {
				note(n.Value)
			}
		}
		return true
	})
	for _, s := range []string{StateAcknowledged, StateBlocked, StateExpired, string(policy.Delivered), string(policy.Pending), string(policy.Denied)} {
		found[s] = true
	}
	if len(found) < 15 {
		t.Fatalf("found only %d outcomes", len(found))
	}
	f, _ := search.FieldOf("outcome")
	for s := range found {
		if !slices.Contains(f.Values, s) {
			t.Errorf("an entry can have the outcome %q, and no query can ask for it: add it to outcomes in exchange/search/fields.go", s)
		}
	}
}

// TestMismatchesNameMeta: what can be reported of content is what a manifest
// says of it: a code that is the name of one of its members is spelt as that.
func TestMismatchesNameMeta(t *testing.T) {
	known := []string{"minors", "special_categories", "unreadable", "other"} // of subjects, and of none
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(envelope.MetaSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range envelope.Mismatches() {
		if schema.Properties[m.Code] == nil && !slices.Contains(known, m.Code) || seen[m.Code] || m.Text == "" {
			t.Errorf("%q is nothing that a manifest says, or stands twice, or has no words", m.Code)
		}
		seen[m.Code] = true
	}
}
