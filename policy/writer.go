package policy

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// object writes an object of a shape twice at once: as a term for the engine and as JSON for the record. Its members
// are given in the order of the shape, all of them: anything else is a mistake of this package, and ends as an engine
// failure.
type object struct {
	s     *shape
	out   *[]byte
	pairs [][2]*ast.Term
}

func newObject(s *shape, out *[]byte) object {
	*out = append(*out, '{')
	return object{s: s, out: out, pairs: make([][2]*ast.Term, 0, len(s.fields))}
}

// next begins the next member, which must have this name.
func (o *object) next(name string) *field {
	i := len(o.pairs)
	if i >= len(o.s.fields) || o.s.fields[i].name != name {
		panic(fmt.Sprintf("member %s is not the next one of its object", name))
	}
	f := &o.s.fields[i]
	*o.out = f.appendName(*o.out, i)
	return f
}

// add ends the member that next began.
func (o *object) add(f *field, t *ast.Term) { o.pairs = append(o.pairs, [2]*ast.Term{f.key, t}) }

// end closes the object.
func (o *object) end() *ast.Term {
	if len(o.pairs) != len(o.s.fields) {
		panic(fmt.Sprintf("%d members instead of %d", len(o.pairs), len(o.s.fields)))
	}
	*o.out = append(*o.out, '}')
	return ast.ObjectTerm(o.pairs...)
}

func (o *object) flag(name string, v bool) {
	f := o.next(name)
	*o.out = strconv.AppendBool(*o.out, v)
	o.add(f, ast.InternedTerm(v))
}

func (o *object) number(name string, v int) {
	f := o.next(name)
	*o.out = strconv.AppendInt(*o.out, int64(v), 10)
	o.add(f, ast.InternedTerm(v))
}

// text writes a string. A value that the member's enum does not have stays as it is: no rule compares with it, so it
// meets nothing.
func (o *object) text(name, v string) {
	f := o.next(name)
	o.add(f, writeString(f.shape, v, o.out))
}

func writeString(s *shape, v string, out *[]byte) *ast.Term {
	*out = appendString(*out, v)
	if t, ok := s.terms[v]; ok {
		return t
	}
	return ast.StringTerm(v)
}

// texts writes a list of strings; values that the enum of the elements does not have are left out.
func (o *object) texts(name string, list []string) {
	f := o.next(name)
	a := newArray(o.out, len(list))
	for _, v := range list {
		if _, ok := f.shape.items.terms[v]; ok || f.shape.items.enum == nil {
			a.item()
			a.terms = append(a.terms, writeString(f.shape.items, v, o.out))
		}
	}
	o.add(f, a.end())
}

// array writes a list of objects.
type array struct {
	out   *[]byte
	terms []*ast.Term
}

func newArray(out *[]byte, n int) array {
	*out = append(*out, '[')
	return array{out: out, terms: make([]*ast.Term, 0, n)}
}

// item begins the next element.
func (a *array) item() {
	if len(a.terms) > 0 {
		*a.out = append(*a.out, ',')
	}
}

func (a *array) end() *ast.Term {
	*a.out = append(*a.out, ']')
	return ast.ArrayTerm(a.terms...)
}

// appendString appends a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				quoted = []byte(`""`) // unreachable: every string is encoded
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// object writes a member that is an object.
func (o *object) object(name string, write func(*object)) {
	f := o.next(name)
	c := newObject(f.shape, o.out)
	write(&c)
	o.add(f, c.end())
}

// objects writes a member that is a list of n objects.
func (o *object) objects(name string, n int, write func(int, *object)) {
	f := o.next(name)
	a := newArray(o.out, n)
	for i := range n {
		a.item()
		c := newObject(f.shape.items, o.out)
		write(i, &c)
		a.terms = append(a.terms, c.end())
	}
	o.add(f, a.end())
}
