package search

import "slices"

// eval returns what of some positions matches.
func (w *worker) eval(o *opened, n node, among set) (set, error) {
	out := w.borrow(o.Size)
	switch n := n.(type) {
	case Term:
		if err := o.loadTerm(w.tokens, n, among, out); err != nil {
			return nil, err
		}
		out.and(among)
	case not:
		inner, err := w.eval(o, n.node, among)
		if err != nil {
			return nil, err
		}
		out.or(among)
		out.without(inner)
		w.give(inner)
	case anyOf:
		whole := among.count()
		for _, part := range o.ordered(n, frequentFirst) {
			inner, err := w.eval(o, part, among)
			if err != nil {
				return nil, err
			}
			out.or(inner)
			if w.give(inner); out.count() == whole {
				break
			}
		}
	case allOf:
		out.or(among)
		for _, part := range o.ordered(n, rareFirst) {
			inner, err := w.eval(o, part, out)
			if err != nil {
				return nil, err
			}
			out, inner = inner, out
			if w.give(inner); out.empty() {
				break
			}
		}
	}
	return out, nil
}

// most is how many positions of the block a part of a query can match at most,
// as far as the directory tells.
func (o *opened) most(n node) int {
	switch n := n.(type) {
	case Term:
		return o.mostOf(n)
	case anyOf:
		sum := 0
		for _, part := range n {
			sum += o.most(part)
		}
		return min(sum, o.Size)
	case allOf:
		least := o.Size
		for _, part := range n {
			least = min(least, o.most(part))
		}
		return least
	}
	return o.Size
}

func (o *opened) mostOf(t Term) int {
	has := o.dir.has[t.Field].count
	if t.Prefix && t.Value == "" || fields[t.Field].Token {
		return has
	}
	sum := 0
	for _, c := range o.dir.codesWith(t.Field, t.Value) {
		if !t.Prefix && c.value != t.Value {
			break
		}
		sum += c.count
	}
	return min(sum, has)
}

// The orders in which parts are looked at, so that most of them need not be.
const (
	rareFirst     = 1  // of those that must all match: what one leaves is all that the next has to match
	frequentFirst = -1 // of those of which one must match
)

// ordered are the parts in an order. A token says nothing of how rare it is; few
// entries have the same one, so it comes where a rare code does.
func (o *opened) ordered(parts []node, order int) []node {
	type ranked struct {
		node
		most int
	}
	all := make([]ranked, len(parts))
	for i, part := range parts {
		all[i] = ranked{part, o.most(part)}
		if t, is := part.(Term); is && fields[t.Field].Token && !t.Prefix {
			all[i].most = min(all[i].most, 1)
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return order * (a.most - b.most) })
	out := make([]node, len(all))
	for i := range all {
		out[i] = all[i].node
	}
	return out
}
