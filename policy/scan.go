package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// parse reads a JSON text as the shape says: closed, without repeated names, every absent optional member filled with
// its default. It appends what it read to out, in the form of an input. free reports whether an object of any content
// (kindFree) had any.
func (s *shape) parse(text, out []byte) (t *ast.Term, total []byte, free bool, err error) {
	if !json.Valid(text) {
		return nil, nil, false, notJSON(text)
	}
	p := parser{text: text, out: out}
	if t, err = p.value(s); err != nil {
		err = &placed{err: err, at: p.failed}
	}
	return t, p.out, p.free, err
}

// notJSON says where a text stops being JSON.
func notJSON(text []byte) error {
	var v any
	err := json.Unmarshal(text, &v)
	at := len(text)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = max(int(syntax.Offset)-1, 0)
	}
	return &placed{err: fmt.Errorf("not a JSON text: %w", err), at: at}
}

// parser walks a text that is known to be valid JSON, so that it need not check the syntax again.
type parser struct {
	text []byte
	at   int
	out  []byte // the same as JSON, total and with sorted names
	free bool

	failed int // where the innermost value begins that is refused
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
	start := p.at
	t, err := p.valueOf(s, c)
	if err != nil && p.failed == 0 {
		p.failed = start
	}
	return t, err
}

func (p *parser) valueOf(s *shape, c byte) (*ast.Term, error) {
	switch {
	case s.kind == kindObject && c == '{':
		return p.object(s)
	case s.kind == kindFree && c == '{':
		return p.freeObject()
	case s.kind == kindArray && c == '[':
		return p.array(s)
	case s.kind == kindString && c == '"':
		return p.str(s)
	case s.kind == kindInteger && (c == '-' || c >= '0' && c <= '9'):
		return p.integer(s)
	case s.kind == kindBoolean && (c == 't' || c == 'f'):
		p.skipScalar()
		p.out = strconv.AppendBool(p.out, c == 't')
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
	p.out = append(p.out, "{}"...)
	return ast.InternedEmptyObject, nil
}

// object notes where each member begins, and then builds the members in the order of the shape.
func (p *parser) object(s *shape) (*ast.Term, error) {
	var slots [64]int
	starts := slots[:len(s.fields)]
	for p.at++; p.space() != '}'; {
		begin := p.at
		name, err := p.string()
		if err != nil {
			return nil, err
		}
		i, ok := s.index[string(name)]
		if !ok || starts[i] != 0 {
			p.failed = begin
		}
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
	p.out = append(p.out, '{')
	pairs := make([][2]*ast.Term, len(s.fields))
	for i := range s.fields {
		p.out = s.fields[i].appendName(p.out, i)
		term, err := p.member(&s.fields[i], starts[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.fields[i].name, err)
		}
		pairs[i] = [2]*ast.Term{s.fields[i].key, term}
	}
	p.at = end
	p.out = append(p.out, '}')
	return ast.ObjectTerm(pairs...), nil
}

func (p *parser) member(f *field, start int) (*ast.Term, error) {
	if start == 0 {
		if f.def == nil {
			return nil, errors.New("missing")
		}
		p.out = append(p.out, f.defJSON...)
		return f.def, nil
	}
	p.at = start
	return p.value(f.shape)
}

func (p *parser) array(s *shape) (*ast.Term, error) {
	var terms []*ast.Term
	p.out = append(p.out, '[')
	for p.at++; p.space() != ']'; {
		if len(terms) == s.max {
			return nil, fmt.Errorf("more than %d elements", s.max)
		}
		if len(terms) > 0 {
			p.out = append(p.out, ',')
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
	p.out = append(p.out, ']')
	return ast.ArrayTerm(terms...), nil
}

// string reads the string that begins here. Without escapes it is a part of the text.
func (p *parser) string() ([]byte, error) {
	start := p.at
	p.skipString()
	for _, c := range p.text[start+1 : p.at-1] {
		if c == '\\' || c >= 0x80 {
			var v string
			err := json.Unmarshal(p.text[start:p.at], &v)
			return []byte(v), err
		}
	}
	return p.text[start+1 : p.at-1], nil
}

func (p *parser) str(s *shape) (*ast.Term, error) {
	v, err := p.string()
	if err != nil {
		return nil, err
	}
	if term, ok := s.terms[string(v)]; ok {
		p.out = appendString(p.out, string(v))
		return term, nil
	}
	value := string(v)
	if !s.accepts(value) {
		return nil, fmt.Errorf("%q is not a value of it", value)
	}
	p.out = appendString(p.out, value)
	return ast.StringTerm(value), nil
}

func (p *parser) integer(s *shape) (*ast.Term, error) {
	start := p.at
	p.skipScalar()
	n, err := strconv.Atoi(string(p.text[start:p.at]))
	if err != nil || n < s.min || n > s.max {
		return nil, fmt.Errorf("%s is not an integer from %d to %d", p.text[start:p.at], s.min, s.max)
	}
	p.out = strconv.AppendInt(p.out, int64(n), 10)
	return ast.InternedTerm(n), nil
}
