package policy

import "slices"

// canonical moves behind the value that begins here, if it is one of a shape as this engine writes it: valid JSON without
// space, an object with all its members in the order of the shape. The places of what has a place are noted.
func (p *parser) canonical(s *shape, at *place) (ok bool) {
	start := p.at
	switch s.kind {
	case kindObject:
		ok = p.canonicalMembers(s, at)
	case kindArray:
		ok = p.canonicalElements(s)
	case kindString:
		ok = p.canonicalString()
	case kindInteger:
		ok = p.canonicalInteger()
	case kindBoolean:
		ok = p.literal("true") || p.literal("false")
	case kindFree:
		ok = p.literal("{}")
	}
	if ok && at != nil {
		p.record.at[at.id] = span{uint32(start), uint32(p.at)}
	}
	return ok
}

// literal moves behind a text that stands here.
func (p *parser) literal(text string) bool {
	end := p.at + len(text)
	if end > len(p.text) || string(p.text[p.at:end]) != text {
		return false
	}
	p.at = end
	return true
}

// char moves behind a character that stands here.
func (p *parser) char(c byte) bool {
	if p.at >= len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) canonicalMembers(s *shape, at *place) bool {
	if !p.char('{') {
		return false
	}
	for i := range s.fields {
		f := &s.fields[i]
		if i > 0 && !p.char(',') || !p.char('"') || !p.literal(f.name) || !p.literal(`":`) {
			p.fails(f)
			return false
		}
		var kid *place
		if at != nil {
			kid = at.kids[i]
		}
		if !p.canonical(f.shape, kid) {
			p.fails(f)
			return false
		}
	}
	return p.char('}')
}

func (p *parser) canonicalElements(s *shape) bool {
	if !p.char('[') {
		return false
	}
	for n := 0; !p.char(']'); n++ {
		if n > 0 && !p.char(',') || !p.canonical(s.items, nil) {
			return false
		}
	}
	return true
}

// fails notes the innermost member that is not there, or is not of its form.
func (p *parser) fails(f *field) {
	if p.wrong == nil {
		p.wrong = f
	}
}

// canonicalString moves behind a JSON string.
func (p *parser) canonicalString() bool {
	if !p.char('"') {
		return false
	}
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return true
		case c < ' ', c == '\\' && !p.escape():
			return false
		}
	}
	return false
}

// escape moves behind what follows a backslash in a string.
func (p *parser) escape() bool {
	if p.at >= len(p.text) {
		return false
	}
	c := p.text[p.at]
	p.at++
	if c != 'u' {
		return slices.Contains([]byte(`"\/bfnrt`), c)
	}
	for range 4 {
		if p.at >= len(p.text) || !hexDigit(p.text[p.at]) {
			return false
		}
		p.at++
	}
	return true
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// canonicalInteger moves behind an integer of JSON.
func (p *parser) canonicalInteger() bool {
	p.char('-')
	if p.char('0') {
		return true
	}
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}
