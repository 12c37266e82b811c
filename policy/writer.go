package policy

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// object writes an object of a record. Its members are given in the order of the shape, all of them: anything else is
// a mistake of this package, and ends as an engine failure.
type object struct {
	*record
	s    *shape
	p    *place // nil within a list
	n    int    // members so far
	from int
}

func newObject(p *place, r *record) object { return begin(p.shape, p, r) }

func begin(s *shape, p *place, r *record) object {
	o := object{record: r, s: s, p: p, from: len(r.json)}
	r.json = append(r.json, '{')
	return o
}

// next begins the next member, which must have this name.
func (o *object) next(name string) (*shape, *place) {
	if o.n >= len(o.s.fields) || o.s.fields[o.n].name != name {
		panic(fmt.Sprintf("member %s is not the next one of its object", name))
	}
	f := &o.s.fields[o.n]
	o.json = f.appendName(o.json, o.n)
	var p *place
	if o.p != nil {
		p = o.p.kids[o.n]
		o.at[p.id].from = uint32(len(o.json))
	}
	o.n++
	return f.shape, p
}

// done ends a member that is no object.
func (o *object) done(p *place) {
	if p != nil {
		o.at[p.id].to = uint32(len(o.json))
	}
}

// end closes the object.
func (o *object) end() {
	if o.n != len(o.s.fields) {
		panic(fmt.Sprintf("%d members instead of %d", o.n, len(o.s.fields)))
	}
	o.json = append(o.json, '}')
	if o.p != nil {
		o.at[o.p.id] = span{uint32(o.from), uint32(len(o.json))}
	}
}

func (o *object) flag(name string, v bool) {
	_, p := o.next(name)
	o.json = strconv.AppendBool(o.json, v)
	o.done(p)
}

func (o *object) number(name string, v int) {
	_, p := o.next(name)
	o.json = strconv.AppendInt(o.json, int64(v), 10)
	o.done(p)
}

// text writes a string. A value that the member's enum does not have stays as it is: no rule compares with it, so it
// meets nothing.
func (o *object) text(name, v string) {
	_, p := o.next(name)
	o.json = appendString(o.json, v)
	o.done(p)
}

// texts writes a list of strings; values that the enum of the elements does not have are left out.
func (o *object) texts(name string, list []string) {
	s, p := o.next(name)
	sep := byte('[')
	for _, v := range list {
		if _, ok := s.items.terms[v]; ok || s.items.enum == nil {
			o.json = appendString(append(o.json, sep), v)
			sep = ','
		}
	}
	o.close(sep, p)
}

// close ends a list, which has begun when the separator is a comma.
func (o *object) close(sep byte, p *place) {
	if sep == '[' {
		o.json = append(o.json, sep)
	}
	o.json = append(o.json, ']')
	o.done(p)
}

// object writes a member that is an object.
func (o *object) object(name string, write func(*object)) {
	s, p := o.next(name)
	c := begin(s, p, o.record)
	write(&c)
	c.end()
}

// objects writes a member that is a list of n objects.
func (o *object) objects(name string, n int, write func(int, *object)) {
	s, p := o.next(name)
	sep := byte('[')
	for i := range n {
		o.json = append(o.json, sep)
		sep = ','
		c := begin(s.items, nil, o.record)
		write(i, &c)
		c.end()
	}
	o.close(sep, p)
}

// parsed writes a member that is read from a text, which is known to be JSON. free reports whether an object of
// any content had any.
func (o *object) parsed(name string, text []byte) (free bool, err error) {
	s, p := o.next(name)
	q := parser{text: text, record: o.record}
	err = q.value(s, p)
	return q.free, err
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
