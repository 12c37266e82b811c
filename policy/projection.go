package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// projection is what rules look at: places of the input such that nothing else can change what the rules say. It is
// worked out of the compiled rules. Where a reference is not written out in names, everything behind it counts; a rule
// that takes the input as a whole looks at all of it.
//
// Nothing rests on its being right but the verdict of rules that see too little: the engine is given an input that
// holds these places and no others, so that what is not in the projection is not there, and what is not there meets
// nothing. And as the same places are the key under which an answer is remembered, an answer can depend on nothing
// that is not in its key.
type projection struct {
	places []*place // none within another; shared ones first, in the order of the schema
	root   branch
}

// branch is an object of a projected input.
type branch struct {
	key  *ast.Term
	leaf *place // nil when some of the members are wanted, those of kids
	kids []branch
}

// sources are the two parts of an input.
type sources struct{ shared, own *record }

func (in sources) raw(p *place) []byte {
	if p.own {
		return in.own.raw(p)
	}
	return in.shared.raw(p)
}

// everything is all of the input.
func everything() []*place { return append(slices.Clone(sharedPlaces.kids), ownPlaces.kids...) }

// whole is everything that there is.
var whole, wholeShared = projectionOf(everything()), projectionOf(sharedPlaces.kids)

func projectionOf(places []*place) *projection {
	found := map[*place]bool{}
	for _, p := range places {
		found[p] = true
	}
	return newProjection(found)
}

// wholeInput is an input with all its members, as far as there are sources of them.
func wholeInput(in sources) *ast.Term {
	if in.own == nil {
		return wholeShared.input(in)
	}
	return whole.input(in)
}

// project works out what rules look at, those included that they refer to.
func project(c *ast.Compiler, rules []*ast.Rule) *projection {
	found := map[*place]bool{}
	seen := map[*ast.Rule]bool{}
	for queue := slices.Clone(rules); len(queue) > 0; {
		r := queue[0]
		queue = queue[1:]
		if seen[r] {
			continue
		}
		seen[r] = true
		for _, p := range looksAt(r) {
			found[p] = true
		}
		for dep := range c.Graph.Dependencies(r) {
			if rule, ok := dep.(*ast.Rule); ok {
				queue = append(queue, rule)
			}
		}
	}
	return newProjection(found)
}

// looksAt lists the places that a rule itself refers to.
func looksAt(r *ast.Rule) []*place {
	var list []*place
	heads := map[*ast.Term]bool{}
	ast.WalkTerms(r, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Ref:
			if v.HasPrefix(ast.InputRootRef) {
				heads[v[0]] = true
				list = append(list, placesAt(v)...)
			}
		case ast.Var:
			if v.Equal(ast.InputRootDocument.Value) && !heads[t] {
				list = append(list, everything()...)
			}
		}
		return false
	})
	return list
}

// placesAt follows a reference under input as far as it is written out.
func placesAt(ref ast.Ref) []*place {
	if len(ref) < 2 {
		return everything()
	}
	name, ok := ref[1].Value.(ast.String)
	if !ok {
		return everything()
	}
	root := sharedPlaces
	if slices.Contains(ownMembers, string(name)) {
		root = ownPlaces
	}
	p := root
	for _, t := range ref[1:] {
		name, ok := t.Value.(ast.String)
		if !ok || p.shape.kind != kindObject || p.shape.member(string(name)) == nil {
			break
		}
		p = p.member(string(name))
	}
	if p == root {
		return nil // there is no such member, and no input has it
	}
	return []*place{p}
}

func newProjection(found map[*place]bool) *projection {
	p := &projection{}
	for _, root := range []*place{sharedPlaces, ownPlaces} {
		p.root.kids = append(p.root.kids, p.branches(root, found)...)
	}
	return p
}

// branches lists the members of an object that are wanted, and notes the places.
func (p *projection) branches(at *place, found map[*place]bool) []branch {
	var list []branch
	for i, k := range at.kids {
		b := branch{key: at.shape.fields[i].key}
		if found[k] {
			b.leaf = k
			p.places = append(p.places, k)
		} else if b.kids = p.branches(k, found); b.kids == nil {
			continue
		}
		list = append(list, b)
	}
	return list
}

// own reports whether anything of a recipient's own is looked at.
func (p *projection) own() bool {
	return slices.ContainsFunc(p.places, func(x *place) bool { return x.own })
}

// key appends what tells two inputs apart for these rules. A text of JSON has no zero byte.
func (p *projection) key(b []byte, in sources) []byte {
	for _, x := range p.places {
		b = append(append(b, in.raw(x)...), 0)
	}
	return b
}

// input is what the rules are asked about.
func (p *projection) input(in sources) *ast.Term { return p.root.term(in) }

func (b *branch) term(in sources) *ast.Term {
	if b.leaf != nil {
		return b.leaf.shape.term(in.raw(b.leaf))
	}
	pairs := make([][2]*ast.Term, len(b.kids))
	for i := range b.kids {
		pairs[i] = [2]*ast.Term{b.kids[i].key, b.kids[i].term(in)}
	}
	return ast.ObjectTerm(pairs...)
}
