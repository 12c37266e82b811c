package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// parse reads a JSON text as the shape says: closed, without repeated names, every absent optional member filled with
// its default. free reports whether an object of any content (kindFree) had any.
func (s *shape) parse(text []byte) (term *ast.Term, free bool, err error) {
	if !json.Valid(text) {
		return nil, false, errors.New("not a JSON text")
	}
	p := parser{text: text}
	term, err = p.value(s)
	return term, p.free, err
}

// parser walks a text that is known to be valid JSON, so that it need not check the syntax again.
type parser struct {
	text []byte
	at   int
	free bool
}

func (p *parser) space() byte {
	for {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return c
		}
	}
}

// skip moves behind the value that begins here.
func (p *parser) skip() {
	depth := 0
	for {
		switch c := p.space(); c {
		case '"':
			p.skipString()
		case '{', '[':
			depth++
			p.at++
		case '}', ']':
			depth--
			p.at++
		case ',', ':':
			p.at++
			continue
		default:
			p.skipScalar()
		}
		if depth == 0 {
			return
		}
	}
}

func (p *parser) skipString() {
	for p.at++; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
	p.at++
}

func (p *parser) skipScalar() {
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return
		}
	}
}

func (p *parser) value(s *shape) (*ast.Term, error) {
	c := p.space()
	switch {
	case s.kind == kindObject && c == '{':
		return p.object(s)
	case s.kind == kindFree && c == '{':
		return p.freeObject()
	case s.kind == kindArray && c == '[':
		return p.array(s)
	case s.kind == kindString && c == '"':
		return p.text1(s)
	case s.kind == kindInteger && (c == '-' || c >= '0' && c <= '9'):
		return p.integer(s)
	case s.kind == kindBoolean && (c == 't' || c == 'f'):
		p.skipScalar()
		return ast.InternedTerm(c == 't'), nil
	}
	return nil, errors.New("wrong type")
}

func (p *parser) freeObject() (*ast.Term, error) {
	p.at++
	if p.space() != '}' {
		p.free = true
	}
	p.at--
	p.skip()
	return ast.InternedEmptyObject, nil
}

// object notes where each member begins, and then builds the members in the order of the shape.
func (p *parser) object(s *shape) (*ast.Term, error) {
	var slots [64]int
	starts := slots[:len(s.fields)]
	for p.at++; p.space() != '}'; {
		name, err := p.string()
		if err != nil {
			return nil, err
		}
		i, ok := s.index[name]
		if !ok {
			return nil, fmt.Errorf("unknown member %q", name)
		}
		if starts[i] != 0 {
			return nil, fmt.Errorf("member %q twice", name)
		}
		p.space()
		p.at++ // the colon
		p.space()
		starts[i] = p.at
		p.skip()
		if p.space() == ',' {
			p.at++
		}
	}
	p.at++
	end := p.at
	pairs := make([][2]*ast.Term, len(s.fields))
	for i := range s.fields {
		term, err := p.member(&s.fields[i], starts[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.fields[i].name, err)
		}
		pairs[i] = [2]*ast.Term{s.fields[i].key, term}
	}
	p.at = end
	return ast.ObjectTerm(pairs...), nil
}

func (p *parser) member(f *field, start int) (*ast.Term, error) {
	if start == 0 {
		if f.def == nil {
			return nil, errors.New("missing")
		}
		return f.def, nil
	}
	p.at = start
	return p.value(f.shape)
}

func (p *parser) array(s *shape) (*ast.Term, error) {
	var terms []*ast.Term
	for p.at++; p.space() != ']'; {
		if len(terms) == s.max {
			return nil, fmt.Errorf("more than %d elements", s.max)
		}
		term, err := p.value(s.items)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", len(terms), err)
		}
		terms = append(terms, term)
		if p.space() == ',' {
			p.at++
		}
	}
	p.at++
	if len(terms) < s.min {
		return nil, fmt.Errorf("fewer than %d elements", s.min)
	}
	return ast.ArrayTerm(terms...), nil
}

// string reads the string that begins here. It does not copy unless there are escapes.
func (p *parser) string() (string, error) {
	start := p.at
	p.skipString()
	for _, c := range p.text[start+1 : p.at-1] {
		if c == '\\' || c >= 0x80 {
			var v string
			err := json.Unmarshal(p.text[start:p.at], &v)
			return v, err
		}
	}
	return string(p.text[start+1 : p.at-1]), nil
}

func (p *parser) text1(s *shape) (*ast.Term, error) {
	v, err := p.string()
	if err != nil {
		return nil, err
	}
	if !s.accepts(v) {
		return nil, fmt.Errorf("%q is not a value of it", v)
	}
	if term, ok := s.terms[v]; ok {
		return term, nil
	}
	return ast.StringTerm(v), nil
}

func (p *parser) integer(s *shape) (*ast.Term, error) {
	start := p.at
	p.skipScalar()
	n, err := strconv.Atoi(string(p.text[start:p.at]))
	if err != nil || n < s.min || n > s.max {
		return nil, fmt.Errorf("%s is not an integer from %d to %d", p.text[start:p.at], s.min, s.max)
	}
	return ast.InternedTerm(n), nil
}

// appendJSON appends a term as JSON with sorted names. The terms of an input hold nothing that JSON does not have.
func appendJSON(b []byte, t *ast.Term) ([]byte, error) {
	var err error
	switch v := t.Value.(type) {
	case ast.String:
		return appendString(b, string(v))
	case ast.Boolean:
		return strconv.AppendBool(b, bool(v)), nil
	case ast.Number:
		return append(b, string(v)...), nil
	case ast.Null:
		return append(b, "null"...), nil
	case *ast.Array:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, v.Elem(i)); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case ast.Object:
		return appendObject(b, v)
	}
	return nil, fmt.Errorf("a %s is not a JSON value", ast.ValueName(t.Value))
}

func appendObject(b []byte, o ast.Object) ([]byte, error) {
	b = append(b, '{')
	first := true
	err := o.Iter(func(k, v *ast.Term) error {
		if !first {
			b = append(b, ',')
		}
		first = false
		var err error
		if b, err = appendJSON(b, k); err == nil {
			b, err = appendJSON(append(b, ':'), v)
		}
		return err
	})
	return append(b, '}'), err
}

func appendString(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			return append(b, quoted...), err
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}
