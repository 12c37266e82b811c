package policy

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Measure is how long one layer takes for one package, asked anew each time.
type Measure struct {
	Layer    string        `json:"layer"`
	Package  string        `json:"package"` // ordinary or largest
	Steps    int           `json:"steps"`
	MaxSteps int           `json:"max_steps"` // more are refused at an activation
	Allocs   int           `json:"allocs"`
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	P99      time.Duration `json:"p99_ns"`
}

// Bench asks each layer of the draft and both parts of common count times, on an ordinary package and on the one of the
// worst-case corpus that takes most steps.
func (d *Desk) Bench(ctx context.Context, count int) ([]Measure, error) {
	in := d.alone()
	in.Common = withoutTests(in.Common)
	for j, src := range in.Rules {
		in.Rules[j] = withoutTests(src)
	}
	set, err := Build(in)
	if err != nil {
		return nil, d.in.quoted(err)
	}
	j := d.Draft.Jurisdiction
	if j == CommonBundle {
		j = ""
	}
	corpus := set.corpus(j) // what the draft sends, receives, lets pass on, and the largest ones
	ordinary := map[string]*ast.Term{"send": corpus[0], "receive": corpus[1], "onward": corpus[2]}
	layers := []*layer{set.pkg, set.rcp}
	for _, kind := range slices.Sorted(maps.Keys(set.layers[j])) {
		layers = append(layers, set.layers[j][kind])
	}
	var list []Measure
	for _, l := range layers {
		b := &benching{ctx: ctx, set: set, layer: l, count: count}
		_, kind, _ := strings.Cut(l.name, "/")
		usual := ordinary[kind]
		if usual == nil {
			usual = ordinary["send"]
		}
		for _, one := range []struct {
			name   string
			inputs []*ast.Term
		}{{"ordinary", []*ast.Term{usual}}, {"largest", corpus}} {
			m, err := b.measure(one.name, one.inputs)
			if err != nil {
				return nil, err
			}
			list = append(list, m)
		}
	}
	return list, nil
}

type benching struct {
	ctx   context.Context
	set   *Set
	layer *layer
	count int
}

// measure takes of the inputs the one with most steps, and times the layer on it.
func (b *benching) measure(name string, inputs []*ast.Term) (Measure, error) {
	m := Measure{Layer: b.layer.name, Package: name, MaxSteps: maxSteps}
	if b.layer.phase != "" {
		m.Layer += " (" + b.layer.phase + ")"
	}
	worst := inputs[0]
	for _, in := range inputs {
		c := &stepCounter{cancel: topdown.NewCancel()}
		if _, err := b.ask(in, c); err != nil {
			return m, err
		}
		if c.steps > m.Steps {
			m.Steps, worst = c.steps, in
		}
	}
	times := make([]time.Duration, b.count)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range times {
		if err := b.ctx.Err(); err != nil {
			return m, err
		}
		start := time.Now()
		if _, err := b.ask(worst, nil); err != nil {
			return m, err
		}
		times[i] = time.Since(start)
	}
	runtime.ReadMemStats(&after)
	m.Allocs = int((after.Mallocs - before.Mallocs) / uint64(b.count))
	slices.Sort(times)
	at := func(percent int) time.Duration { return times[(len(times)-1)*percent/100] }
	m.P50, m.P95, m.P99 = at(50), at(95), at(99)
	return m, nil
}

func (b *benching) ask(in *ast.Term, tracer *stepCounter) (*says, error) {
	e := &evaluation{ctx: b.ctx, cancel: topdown.NewCancel(), reg: b.set.registry}
	if tracer != nil {
		e.tracer, e.cancel = tracer, tracer.cancel
	}
	return e.ask(b.layer, in)
}
