package exchange_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

type decisionRow = exchange.DecisionRow

// readDecisions stops the exchange, reads its decisions and starts it again.
func readDecisions(t *testing.T, x *exchangetest.Exchange) (rows []decisionRow) {
	t.Helper()
	p := x.Parts(exchangetest.PartsConfig{})
	err := p.Store.View(t.Context(), func(r exchange.Reader) (err error) {
		rows, _, err = r.Decisions(0, 1<<20)
		return err
	})
	p.Close()
	if err != nil {
		t.Fatal(err)
	}
	x.Start()
	return rows
}

// replayed decides every recorded decision again by the revisions that it
// names, as they are kept, and compares all that was decided.
func replayed(t *testing.T, r exchange.Reader) (actions map[string]int) {
	t.Helper()
	rows, _, err := r.Decisions(0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	actions = map[string]int{}
	for _, row := range rows {
		var was policy.Decision
		if err := json.Unmarshal(row.Verdict, &was); err != nil {
			t.Fatal(err)
		}
		in := policy.Inputs{Declared: map[string]policy.Source{}, Rules: map[string]policy.Source{}}
		for name, revision := range was.Revisions {
			kept, err := r.Revision(revision)
			if err != nil || kept == nil {
				t.Fatalf("%s of decision %s is not kept: %v", name, row.ID, err)
			}
			var src policy.Source
			if err := json.Unmarshal(kept.Body, &src); err != nil || src.Revision() != revision {
				t.Fatalf("%s of decision %s is kept as another: %v", name, row.ID, err)
			}
			switch kept.Kind {
			case "common":
				in.Common = src
			case "declared":
				in.Declared[kept.Jurisdiction] = src
			default:
				in.Rules[kept.Jurisdiction] = src
			}
		}
		set, err := rebuilt(was.Revisions, in)
		if err != nil {
			t.Fatal(err)
		}
		shared, err := r.Input(row.Shared)
		if err != nil {
			t.Fatal(err)
		}
		input := policy.Input{Shared: shared, Own: row.Own}
		if input.Digest() != row.InputSHA256 {
			t.Errorf("the input of decision %s is not the one that its entry commits to", row.ID)
		}
		now, err := set.Redecide(t.Context(), time.Minute, row.Recipient, input)
		if err != nil {
			t.Fatal(err)
		}
		now.Input = policy.Input{}
		if diff := cmp.Diff(was, now); diff != "" {
			t.Errorf("decision %s (%s) is another one now:\n%s", row.ID, row.Action, diff)
		}
		actions[row.Action]++
	}
	return actions
}

// sets are those that were rebuilt, by the revisions that they were built from.
var sets sync.Map

// rebuilt builds a set of kept inputs from nothing, once for the same revisions: replayed has seen that the inputs are theirs.
func rebuilt(revisions map[string]string, in policy.Inputs) (*policy.Set, error) {
	one := sync.OnceValues(func() (*policy.Set, error) { return policy.Rebuild(in) })
	kept, _ := sets.LoadOrStore(fmt.Sprint(revisions), one) // a map is printed in order
	return kept.(func() (*policy.Set, error))()
}

// buildOnSamples builds inputs of which most are the samples', which all tests
// have built already.
func buildOnSamples(in policy.Inputs) (*policy.Set, error) {
	samples, err := exchangetest.Policies()
	if err != nil {
		return nil, err
	}
	return policy.BuildOn(samples, in)
}

func onSamples(t testing.TB, in policy.Inputs) *policy.Set {
	t.Helper()
	set, err := buildOnSamples(in)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// otherRules are the samples with rules of Latvia that refuse everything, and
// with Estonia's declaration changed.
func otherRules(t *testing.T) *policy.Set {
	t.Helper()
	in := policy.Samples()
	lv := in.Rules["lv"]
	lv.Files = map[string][]byte{"receive.rego": []byte("package jurisdiction.lv.receive\n\ndefault allow := false\n"),
		"send.rego": []byte("package jurisdiction.lv.send\n\ndefault allow := false\n"), "onward.rego": []byte("package jurisdiction.lv.onward\n\ndefault allow := false\n")}
	lv.Seq++
	in.Rules["lv"] = lv
	return onSamples(t, in)
}

// TestInvariant10ADecisionCanBeReplayed: the same input, revisions and engine
// give the same verdict, with all its reasons and obligations: of each action,
// after other rules came into force and after a restart.
func TestInvariant10ADecisionCanBeReplayed(t *testing.T) {
	t.Parallel()
	x := start(t)
	h := lookBack(t, x)
	p := x.Parts(exchangetest.PartsConfig{})
	view := func(what string, least map[string]int) {
		t.Helper()
		err := p.Store.View(t.Context(), func(r exchange.Reader) error {
			actions := replayed(t, r)
			for action, n := range least {
				if actions[action] < n {
					t.Errorf("%s: %d decisions of %s were replayed, expected %d or more", what, actions[action], action, n)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]int{policy.ActionSend: 6, policy.ActionAcknowledgement: 1, policy.ActionDryRun: 1}
	view("as decided", all)
	if err := p.Service.Activate(t.Context(), otherRules(t)); err != nil {
		t.Fatal(err)
	}
	view("under other rules", all)
	// The exchange itself explains what was decided, not what it would decide now.
	c := x.Caller("ee/pbgb", "unit")
	for _, id := range []string{h.toLatvia, h.deniedBefore, h.waits} {
		why, err := p.Service.Explain(t.Context(), c, id)
		if err != nil || why.Recorded || why.Why.Verdict != why.Decision.Verdict {
			t.Errorf("explained as %+v, %v", why, err)
		}
	}
	p.Close()
	x.Start()
	p = x.Parts(exchangetest.PartsConfig{})
	view("after a restart", all)
}
