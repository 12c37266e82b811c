package server

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// kinds reads the constants of type Kind from the domain's source: a new kind
// without a problem is found here, not by a client.
func kinds(t *testing.T) []exchange.Kind {
	file, err := parser.ParseFile(token.NewFileSet(), "../refusal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Kind" {
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, exchange.Kind(word))
		}
		return true
	})
	return out
}

func TestEveryKindHasItsProblem(t *testing.T) {
	all := append(kinds(t), methodNotAllowed, rangeNotSatisfiable, misdirected, internal)
	if len(all) < 16 {
		t.Fatalf("found only %d kinds", len(all))
	}
	for _, kind := range all {
		p, ok := problems[kind]
		if !ok {
			t.Errorf("%s has no problem", kind)
		}
		if p.Slug != string(kind) {
			t.Errorf("%s is shown as %s", kind, p.Slug)
		}
		if !slices.Contains(api.ProblemTypes(), p) {
			t.Errorf("%s is no documented problem type", p.Slug)
		}
	}
	for kind := range problems {
		if !slices.Contains(all, kind) {
			t.Errorf("%s is in the table and no kind", kind)
		}
	}
}

// secret stands in every field of a refusal that the caller must not see.
const secret = "n0t-f0r-th3-w1re"

func TestSilentProblemsAreConstant(t *testing.T) {
	for _, kind := range []exchange.Kind{exchange.NotFound, exchange.Rejected, internal, "a-kind-that-nobody-knows"} {
		loud := &exchange.Refusal{Kind: kind, Detail: secret, Fix: secret, Reason: secret, ID: secret, Err: errors.New(secret)}
		got := problemOf(fmt.Errorf("%s: %w", secret, loud))
		if diff := cmp.Diff(problemOf(&exchange.Refusal{Kind: kind}), got); diff != "" {
			t.Errorf("%s depends on its reason:\n%s", kind, diff)
		}
	}
	if got := problemOf(errors.New(secret)); got.Status != http.StatusInternalServerError || strings.Contains(fmt.Sprint(got), secret) {
		t.Errorf("an unknown error is shown as %+v", got)
	}
}

func TestProblemNeverShowsReasonOrCause(t *testing.T) {
	for _, kind := range kinds(t) {
		p := problemOf(&exchange.Refusal{Kind: kind, Reason: secret, Err: errors.New(secret)})
		if strings.Contains(fmt.Sprintf("%+v", p), secret) {
			t.Errorf("%s shows %+v", kind, p)
		}
	}
}

func TestPolicyDeniedNamesTheDenied(t *testing.T) {
	denied := []exchange.Outcome{{Recipient: "by/mia", Outcome: "denied", Decision: exampleDecision}}
	p := problemOf(&exchange.Refusal{Kind: exchange.Denied, ID: exampleID, Outcomes: denied, Receipt: &audit.Receipt{}})
	if p.ID != exampleID || len(p.Outcomes) != 1 || p.Outcomes[0].Recipient != "by/mia" || p.Receipt == "" {
		t.Errorf("%+v", p)
	}
	other := problemOf(&exchange.Refusal{Kind: exchange.Conflict, ID: exampleID, Outcomes: denied, Receipt: &audit.Receipt{}})
	if other.ID != "" || other.Outcomes != nil || other.Receipt != "" {
		t.Errorf("a conflict has members of policy-denied: %+v", other)
	}
}

func TestUnavailableSaysWhenToComeBack(t *testing.T) {
	for wait, want := range map[time.Duration]int{0: 1, time.Millisecond: 1, time.Second: 1, 1500 * time.Millisecond: 2, time.Minute: 60} {
		if got := problemOf(&exchange.Refusal{Kind: exchange.Unavailable, RetryAfter: wait}).RetryAfter; got != want {
			t.Errorf("after %s: %d", wait, got)
		}
	}
}
