package policy

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// Comparison tells of many recorded inputs fast whether two Sets decide them alike. It decides nothing: what it does not
// know to be alike has to be decided.
//
// It rests on this: of one input, a decision is made of what the layers say that are asked, and of the codes and the
// baseline of common. Which layers those are, stands in the input. So where common is the same one and each layer that is
// asked is the same, or says the same, the decision is the same. Layers that a Set took over when it was built on another
// (BuildOn) are the same ones, and need not be asked.
type Comparison struct {
	before, after *Set
	common        bool // is the same
}

// Compare begins to compare a Set with one that was built on it.
func Compare(before, after *Set) *Comparison {
	return &Comparison{before: before, after: after, common: before.revisions["common"] == after.revisions["common"] &&
		before.pkg == after.pkg && before.rcp == after.rcp}
}

// Decided reports whether a decision on the input that names these revisions and this engine was made by the Set before:
// each input that was asked is the one that it has, and none was absent then that it has now.
func (c *Comparison) Decided(r *Reading, revisions map[string]string, engine string) bool {
	same := func(kind, j string) bool { return revisions[kind+j] == c.before.revisions[kind+j] }
	return engine == engineVersion && same("common", "") && same("declared/", r.sender.Jurisdiction) && same("declared/", jurisdictionOf(r.recipient.ID)) &&
		!slices.ContainsFunc(r.layers, func(w who) bool { return !same("declared/", w.jurisdiction) || !same("rules/", w.jurisdiction) })
}

// Same reports whether both Sets decide the input alike: verdict, obligations with their parameters, and pends. It is
// false where that is not known without deciding.
func (c *Comparison) Same(ctx context.Context, timeout time.Duration, r *Reading) (same bool) {
	if !c.common || !slices.Contains(actions, r.action) {
		return false
	}
	before := &evaluation{ctx: ctx, deadline: time.Now().Add(timeout), reg: c.before.registry, memo: c.before.memo}
	after := &evaluation{ctx: ctx, deadline: before.deadline, reg: c.after.registry, memo: c.after.memo}
	defer before.disarm()
	defer after.disarm()
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return !slices.ContainsFunc(r.layers, func(w who) bool { return !c.layer(before, after, w, r.in) })
}

// layer reports whether one layer that is asked is the same, or says the same.
func (c *Comparison) layer(before, after *evaluation, w who, in sources) bool {
	if (c.before.declared[w.jurisdiction] == nil) != (c.after.declared[w.jurisdiction] == nil) {
		return false
	}
	a, b := c.before.layers[w.jurisdiction][w.kind], c.after.layers[w.jurisdiction][w.kind]
	switch {
	case a == b:
		return true
	case a == nil, b == nil:
		return false
	}
	was, err := before.say(a, in)
	if err != nil {
		return false
	}
	now, err := after.say(b, in)
	return err == nil && was.same(now)
}

// same reports whether two answers of layers come to the same verdict, whatever else is said. The order in which sets
// were put together means nothing, but where obligations of one code are merged.
func (s *says) same(o *says) bool {
	if s.allow != o.allow || s.bad != o.bad || len(s.sayings) != len(o.sayings) || s.met != o.met {
		return false
	}
	if slices.EqualFunc(s.sayings, o.sayings, func(a, b *saying) bool { return compareSayings(a, b) == 0 }) {
		return true
	}
	x, y := slices.SortedFunc(slices.Values(s.sayings), compareSayings), slices.SortedFunc(slices.Values(o.sayings), compareSayings)
	for i := range x {
		merged := i > 0 && x[i].kind == kindOblige && x[i-1].kind == kindOblige && x[i].code == x[i-1].code
		if merged || compareSayings(x[i], y[i]) != 0 {
			return false
		}
	}
	return true
}

func compareSayings(a, b *saying) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.code, b.code), bytes.Compare(a.encoded, b.encoded), cmp.Compare(a.by, b.by),
		cmp.Compare(a.jurisdiction, b.jurisdiction), cmp.Compare(a.hours, b.hours))
}
