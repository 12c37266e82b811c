package policy

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxSteps is how many steps of evaluation a layer may take on any input of the worst-case corpus. It counts, rather
// than measures time, so that the same rules are refused everywhere. The baseline takes some 300 on the largest
// input; memory is bounded by steps too, since no step makes a large value (maxValue).
const maxSteps = 20_000

// stepCounter counts evaluation steps and cancels at the limit.
type stepCounter struct {
	steps  int
	cancel topdown.Cancel
}

func (c *stepCounter) Enabled() bool               { return true }
func (c *stepCounter) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (c *stepCounter) TraceEvent(topdown.Event) {
	if c.steps++; c.steps > maxSteps {
		c.cancel.Cancel()
	}
}

// checkSteps refuses a layer that takes too many steps, or fails, on the worst-case corpus.
func (b *builder) checkSteps(input, j string, layers ...*layer) {
	if b.isTested(j) {
		return
	}
	corpus := b.set.corpus(j)
	for _, l := range layers {
		for _, in := range corpus {
			if b.ctx.Err() != nil {
				return // Build says so
			}
			c := &stepCounter{cancel: topdown.NewCancel()}
			e := &evaluation{ctx: b.ctx, cancel: c.cancel, reg: b.set.registry, tracer: c}
			_, err := e.ask(l, in)
			if c.steps > maxSteps {
				b.found.add(input, "", 0, "%s takes more than %d steps on a large package", l.name, maxSteps)
				break
			}
			if err != nil {
				b.found.add(input, "", 0, "%s fails on a package of the worst-case corpus: %s", l.name, err)
				break
			}
		}
	}
}

// corpus are the inputs that rules are measured on: an ordinary one in each role, and the largest that the schema
// allows.
func (s *Set) corpus(j string) []*ast.Term {
	ex, c, large := s.examples(j), s.cast(j), largestMeta()
	return []*ast.Term{
		ex["send"], ex["receive"], ex["onward"],
		c.input(c.own, c.other, c.third, large), c.input(c.other, c.own, c.third, large),
	}
}

// largestMeta fills every list of the schema.
func largestMeta() string {
	var m map[string]any
	if err := json.Unmarshal([]byte(exampleMeta), &m); err != nil {
		panic(err) // a constant
	}
	group := map[string]any{
		"category": "victim", "count": 100, "minors": "u15", "data_categories": strings.Split("abcdefghijkl", ""),
		"special_categories": []string{"racial_ethnic", "political", "religious", "union", "genetic", "biometric", "health", "sex_life"},
	}
	m["subjects"] = repeat(32, func(int) any { return group })
	m["relates_to"] = repeat(16, func(i int) any { return map[string]any{"package": fmt.Sprint("p-", i), "relation": "forwards"} })
	m["cc_spoc"] = repeat(16, func(i int) any { return fmt.Sprint("ee/a", i) })
	m["prior_authorisation"] = repeat(8, func(i int) any { return map[string]any{"originator": fmt.Sprint("se/a", i), "state": "granted"} })
	m["handling"] = map[string]any{"code": "H3", "conditions": repeat(16, func(int) any { return map[string]any{"code": "no_onward"} })}
	m["onward"] = map[string]any{"rule": "listed", "listed": repeat(64, func(i int) any { return fmt.Sprintf("x%d", i) })}
	m["crime_areas"] = repeat(8, func(int) any { return "drug_trafficking" })
	m["transfer_basis"], m["transfer_instrument"] = "led38_1d", "ee-ua-police-2009"
	m["sensitive_matter"] = "political"
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func repeat(n int, f func(int) any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = f(i)
	}
	return list
}
