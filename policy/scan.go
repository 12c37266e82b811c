package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// parse reads a JSON text as the shape says: closed, without repeated names, every absent optional member filled with
// its default. It appends what it read to out, in the form of an input.
func (s *shape) parse(text, out []byte) ([]byte, error) {
	if !json.Valid(text) {
		return nil, notJSON(text)
	}
	p := parser{text: text, record: &record{json: out}}
	if err := p.value(s, nil); err != nil {
		return nil, &placed{err: err, at: p.failed}
	}
	return p.json, nil
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
	text    []byte
	at      int
	*record      // what was read: the same as JSON, total and with sorted names
	free    bool // an object of any content (kindFree) had any

	wrong  *field // of an input: the innermost member that is not canonical
	failed int    // where the innermost value begins that is refused
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

// value reads the value that begins here and, when it has a path, notes its place in the record.
func (p *parser) value(s *shape, at *place) error {
	c := p.space()
	start, begin := len(p.json), p.at
	if err := p.bare(s, c, at); err != nil {
		if p.failed == 0 {
			p.failed = begin
		}
		return err
	}
	if at != nil {
		p.record.at[at.id] = span{uint32(start), uint32(len(p.json))}
	}
	return nil
}

func (p *parser) bare(s *shape, c byte, at *place) error {
	switch {
	case s.kind == kindObject && c == '{':
		return p.object(s, at)
	case s.kind == kindFree && c == '{':
		p.freeObject()
		return nil
	case s.kind == kindArray && c == '[':
		return p.array(s)
	case s.kind == kindString && c == '"':
		return p.str(s)
	case s.kind == kindInteger && (c == '-' || c >= '0' && c <= '9'):
		return p.integer(s)
	case s.kind == kindBoolean && (c == 't' || c == 'f'):
		p.skipScalar()
		p.json = strconv.AppendBool(p.json, c == 't')
		return nil
	}
	return errors.New("wrong type")
}

func (p *parser) freeObject() {
	p.at++
	if p.space() != '}' {
		p.free = true
	}
	p.at--
	p.skip()
	p.json = append(p.json, "{}"...)
}

// object notes where each member begins, and then reads the members in the order of the shape.
func (p *parser) object(s *shape, at *place) error {
	var slots [64]int
	starts := slots[:len(s.fields)]
	for p.at++; p.space() != '}'; {
		begin := p.at
		name, err := p.string()
		if err != nil {
			return err
		}
		i, ok := s.index[string(name)]
		if !ok || starts[i] != 0 {
			p.failed = begin
		}
		if !ok {
			return fmt.Errorf("unknown member %q", name)
		}
		if starts[i] != 0 {
			return fmt.Errorf("member %q twice", name)
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
	p.json = append(p.json, '{')
	for i := range s.fields {
		p.json = s.fields[i].appendName(p.json, i)
		var kid *place
		if at != nil {
			kid = at.kids[i]
		}
		if err := p.member(&s.fields[i], kid, starts[i]); err != nil {
			return fmt.Errorf("%s: %w", s.fields[i].name, err)
		}
	}
	p.at = end
	p.json = append(p.json, '}')
	return nil
}

func (p *parser) member(f *field, at *place, start int) error {
	if start != 0 {
		p.at = start
		return p.value(f.shape, at)
	}
	if f.defJSON == nil {
		return errors.New("missing")
	}
	begin := uint32(len(p.json))
	p.json = append(p.json, f.defJSON...)
	if at != nil {
		for i, f := range at.filled {
			p.record.at[at.id+i] = span{begin + f.from, begin + f.to}
		}
	}
	return nil
}

func (p *parser) array(s *shape) error {
	n := 0
	p.json = append(p.json, '[')
	for p.at++; p.space() != ']'; n++ {
		if n == s.max {
			return fmt.Errorf("more than %d elements", s.max)
		}
		if n > 0 {
			p.json = append(p.json, ',')
		}
		if err := p.value(s.items, nil); err != nil {
			return fmt.Errorf("element %d: %w", n, err)
		}
		if p.space() == ',' {
			p.at++
		}
	}
	p.at++
	if n < s.min {
		return fmt.Errorf("fewer than %d elements", s.min)
	}
	p.json = append(p.json, ']')
	return nil
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

func (p *parser) str(s *shape) error {
	v, err := p.string()
	if err != nil {
		return err
	}
	if _, ok := s.terms[string(v)]; ok {
		p.json = appendString(p.json, string(v))
		return nil
	}
	value := string(v)
	if !s.accepts(value) {
		return fmt.Errorf("%q is not a value of it", value)
	}
	p.json = appendString(p.json, value)
	return nil
}

func (p *parser) integer(s *shape) error {
	start := p.at
	p.skipScalar()
	n, err := strconv.Atoi(string(p.text[start:p.at]))
	if err != nil || n < s.min || n > s.max {
		return fmt.Errorf("%s is not an integer from %d to %d", p.text[start:p.at], s.min, s.max)
	}
	p.json = strconv.AppendInt(p.json, int64(n), 10)
	return nil
}
