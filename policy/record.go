package policy

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// place is a member of an input that can be reached by names alone. What lies in a list has no path: it is read through
// the list.
type place struct {
	shape *shape
	name  string
	id    int // in the order of the schema; the members of an object follow it
	own   bool
	kids  []*place // of an object, as its shape has them
	items *place   // of a list of objects: the paths of one element
	// filled are the places of this and all members in the default value, relative to where that begins.
	filled []span
}

// span is a place in a JSON text.
type span struct{ from, to uint32 }

// newPlaces gives an object and all its members their numbers, from 0.
func newPlaces(s *shape, own bool) *place {
	n := 0
	return placesOf(s, "", own, &n)
}

func placesOf(s *shape, name string, own bool, n *int) *place {
	p := &place{shape: s, name: name, id: *n, own: own}
	*n++
	switch {
	case s.kind == kindObject:
		for i := range s.fields {
			f := &s.fields[i]
			kid := placesOf(f.shape, f.name, own, n)
			p.kids = append(p.kids, kid)
			if f.defJSON != nil {
				kid.fill(f.defJSON)
			}
		}
	case s.kind == kindArray && s.items.kind == kindObject:
		p.items = newPlaces(s.items, own)
	}
	return p
}

// fill notes where the members lie in a default value.
func (p *place) fill(text []byte) {
	r := p.record(nil)
	q := parser{text: text, record: r}
	if err := q.value(p.shape, p); err != nil {
		panic(err) // it was checked when the shape was compiled
	}
	p.filled = r.at[p.id : p.id+p.size()]
}

// size counts the path and all members.
func (p *place) size() int {
	n := 1
	for _, k := range p.kids {
		n += k.size()
	}
	return n
}

// member returns the path of a member; there is one.
func (p *place) member(name string) *place { return p.kids[p.shape.index[name]] }

// record is an object as JSON, with the places of all members that have a path. Its text is canonical: no space,
// members in the order of their names, all of them.
type record struct {
	json []byte
	at   []span // by the id of the place
}

func (p *place) record(buffer []byte) *record {
	return &record{json: buffer, at: make([]span, p.id+p.size())}
}

// raw is the text of a member.
func (r *record) raw(p *place) []byte { return r.json[r.at[p.id].from:r.at[p.id].to] }

// view reads the members of an object of a record by name.
type view struct {
	r *record
	p *place
}

func (v view) raw(name string) []byte  { return v.r.raw(v.p.member(name)) }
func (v view) object(name string) view { return view{v.r, v.p.member(name)} }
func (v view) text(name string) string { return unquote(v.raw(name)) }
func (v view) flag(name string) bool   { return v.raw(name)[0] == 't' }

func (v view) integer(name string) int {
	n, _ := strconv.Atoi(string(v.raw(name)))
	return n
}

// each calls f for each element of a list of objects.
func (v view) each(name string, f func(view)) {
	p := v.p.member(name)
	eachElement(v.r.raw(p), func(text []byte) {
		e := p.items.record(text)
		locate(e, p.items, 0)
		f(view{e, p.items})
	})
}

func (v view) texts(name string) []string {
	var list []string
	eachElement(v.raw(name), func(text []byte) { list = append(list, unquote(text)) })
	return list
}

// eachElement calls f with the text of each element of a list.
func eachElement(list []byte, f func([]byte)) {
	p := parser{text: list, at: 1}
	for list[p.at] != ']' {
		start := p.at
		p.skip()
		f(list[start:p.at])
		if list[p.at] == ',' {
			p.at++
		}
	}
}

// locate notes the places of the object at from, and of its members, in a canonical text.
func locate(r *record, p *place, from int) int {
	q := parser{text: r.json, at: from + 1}
	for _, k := range p.kids {
		q.at += len(k.name) + len(`"":`)
		start := q.at
		if k.kids != nil {
			q.at = locate(r, k, start)
		} else {
			q.skip()
		}
		r.at[k.id] = span{uint32(start), uint32(q.at)}
		q.at++ // the comma, or the end
	}
	if len(p.kids) == 0 {
		q.at++
	}
	r.at[p.id] = span{uint32(from), uint32(q.at)}
	return q.at
}

// unquote reads a JSON string.
func unquote(text []byte) string {
	if slices.Contains(text, '\\') {
		var s string
		if err := json.Unmarshal(text, &s); err == nil {
			return s
		}
	}
	return string(text[1 : len(text)-1])
}

// term makes a term of a canonical text.
func (s *shape) term(text []byte) *ast.Term {
	switch s.kind {
	case kindString:
		if t, ok := s.terms[string(text[1:len(text)-1])]; ok {
			return t
		}
		return ast.StringTerm(unquote(text))
	case kindBoolean:
		return ast.InternedTerm(text[0] == 't')
	case kindInteger:
		n, _ := strconv.Atoi(string(text))
		return ast.InternedTerm(n)
	case kindFree:
		return ast.InternedEmptyObject
	case kindArray:
		var terms []*ast.Term
		eachElement(text, func(e []byte) { terms = append(terms, s.items.term(e)) })
		return ast.ArrayTerm(terms...)
	}
	pairs := make([][2]*ast.Term, len(s.fields))
	q := parser{text: text, at: 1}
	for i := range s.fields {
		q.at += len(s.fields[i].name) + len(`"":`)
		start := q.at
		q.skip()
		pairs[i] = [2]*ast.Term{s.fields[i].key, s.fields[i].shape.term(text[start:q.at])}
		q.at++
	}
	return ast.ObjectTerm(pairs...)
}
