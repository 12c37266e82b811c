package audit

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"unicode/utf8"
)

// header is what every entry must have, and its operation.
type header struct {
	Owner     string
	Seq       uint64
	Prev      string
	Exchange  string
	Time      string
	Operation string
}

// readHeader reads what the verifier needs of an entry. It takes what ParseEntry takes and refuses what that refuses, but is many times
// as fast for an entry in the form that Encode writes: a log of ten million entries is verified in minutes, not in hours. What is the
// same as in the header before shares its memory.
func readHeader(b []byte, before *header) (header, error) {
	if len(b) <= MaxEntry && utf8.Valid(b) {
		h := headerReader{b: b, plain: plainText(b), before: before}
		if h.value(entryShape, 0) && h.at == len(b) && h.header.check() == nil {
			return h.header, nil
		}
	}
	e, err := ParseEntry(b)
	return e.header(), err
}

// headerReader walks once through JSON without white space. What it does not know for certain to be good it leaves to ParseEntry.
type headerReader struct {
	b      []byte
	at     int
	plain  bool // no escape and no control character anywhere: a text ends at the next quote
	before *header
	header header
}

// plainText says whether all bytes stand for themselves in a JSON text, eight at a time: a byte below 0x20, or one that is zero after the
// backslash is taken off it, borrows from its highest bit.
func plainText(b []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		slash := x ^ ones*'\\'
		if ((x-ones*' ')&^x|(slash-ones)&^slash)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

// shape is the form of a value, worked out once from the types of an entry.
type shape struct {
	kind    reflect.Kind // Interface: anything
	names   []string     // of a struct's members, in their order
	members []*shape
	of      *shape // of the items of a list or table
}

var (
	anyShape    = func() *shape { s := &shape{kind: reflect.Interface}; s.of = s; return s }()
	objectShape = &shape{kind: reflect.Map, of: anyShape}
	entryShape  = shapeOf(reflect.TypeFor[Entry]())
)

func shapeOf(t reflect.Type) *shape {
	s := &shape{kind: t.Kind()}
	switch s.kind {
	case reflect.Slice, reflect.Map:
		s.of = shapeOf(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			name := memberName(t.Field(i))
			m := objectShape // the statement
			if members[t][name] != nil {
				m = shapeOf(t.Field(i).Type)
			}
			s.names, s.members = append(s.names, name), append(s.members, m)
		}
	}
	return s
}

// member looks for a name from a place on, and then before it: Encode keeps to the order.
func (s *shape) member(name []byte, from int) int {
	for i := from; i < len(s.names); i++ {
		if string(name) == s.names[i] {
			return i
		}
	}
	for i := range from {
		if string(name) == s.names[i] {
			return i
		}
	}
	return -1
}

// next is the byte that comes next; zero, which is none of JSON's, at the end.
func (h *headerReader) next() byte {
	if h.at < len(h.b) {
		return h.b[h.at]
	}
	return 0
}

// take drops one byte if it is the next.
func (h *headerReader) take(c byte) bool {
	if h.next() != c {
		return false
	}
	h.at++
	return true
}

func (h *headerReader) value(s *shape, depth int) bool {
	if depth > 8 {
		return false
	}
	switch c, free := h.next(), s.kind == reflect.Interface; {
	case c == '{' && s.kind == reflect.Struct:
		return h.object(s, depth)
	case c == '{' && (free || s.kind == reflect.Map):
		return h.table(s.of, depth)
	case c == '[' && (free || s.kind == reflect.Slice):
		return h.list(s.of, depth)
	case c == '"' && (free || s.kind == reflect.String):
		_, ok := h.text()
		return ok
	case free || s.kind == reflect.Uint64 || s.kind == reflect.Int:
		_, ok := h.number()
		return ok
	}
	return false
}

// object reads the members of a struct, each at most once.
func (h *headerReader) object(s *shape, depth int) bool {
	var seen uint64
	next := 0
	for h.at++; !h.take('}'); {
		if seen != 0 && !h.take(',') {
			return false
		}
		name, ok := h.text()
		at := s.member(name, next)
		if !ok || at < 0 || at > 63 || seen&(1<<at) != 0 || !h.take(':') {
			return false
		}
		seen |= 1 << at
		next = at + 1
		if s == entryShape && at <= headerLast {
			ok = h.keep(at)
		} else {
			ok = h.value(s.members[at], depth+1)
		}
		if !ok {
			return false
		}
	}
	return true
}

// The places of the header's members in Entry.
const (
	headerSeq  = 1
	headerLast = 5
)

// keep reads a member of the header.
func (h *headerReader) keep(at int) (ok bool) {
	e, b := &h.header, h.before
	if at == headerSeq {
		e.Seq, ok = h.number()
		return ok
	}
	text, ok := h.text()
	if !ok || bytes.IndexByte(text, '\\') >= 0 {
		return false
	}
	to := [...]*string{&e.Owner, nil, &e.Prev, &e.Exchange, &e.Time, &e.Operation}[at]
	if *to = *[...]*string{&b.Owner, nil, &b.Prev, &b.Exchange, &b.Time, &b.Operation}[at]; *to != string(text) {
		*to = string(text)
	}
	return true
}

// table reads an object with names of anybody's.
func (h *headerReader) table(of *shape, depth int) bool {
	var names [24][]byte
	n := 0
	for h.at++; !h.take('}'); n++ {
		if n > 0 && !h.take(',') {
			return false
		}
		name, ok := h.text()
		if !ok || n == len(names) || bytes.IndexByte(name, '\\') >= 0 || !h.take(':') {
			return false
		}
		for _, other := range names[:n] {
			if string(other) == string(name) {
				return false
			}
		}
		names[n] = name
		if !h.value(of, depth+1) {
			return false
		}
	}
	return true
}

func (h *headerReader) list(of *shape, depth int) bool {
	h.at++
	for n := 0; !h.take(']'); n++ {
		if n > 0 && !h.take(',') || !h.value(of, depth+1) {
			return false
		}
	}
	return true
}

// text reads a string and returns it as it stands, escapes included.
func (h *headerReader) text() ([]byte, bool) {
	if !h.take('"') {
		return nil, false
	}
	b := h.b[h.at:]
	n := bytes.IndexByte(b, '"')
	if !h.plain {
		n = textEnd(b)
	}
	if n < 0 {
		return nil, false
	}
	h.at += n + 1
	return b[:n], true
}

// textEnd is where the quote is that ends a text; -1 if there is none, or if the text is none.
func textEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i
		case c < ' ':
			return -1
		case c == '\\':
			if i+1 == len(b) {
				return -1
			}
			if i++; b[i] == 'u' {
				if r := unicodeEscape(b[i-1:]); r < 0 || r >= 0xd800 && r < 0xe000 {
					return -1
				}
				i += 4
			} else if bytes.IndexByte([]byte(`"\/bfnrt`), b[i]) < 0 {
				return -1
			}
		}
	}
	return -1
}

// number reads a whole number of at most 15 digits, which any reader takes as it is.
func (h *headerReader) number() (n uint64, ok bool) {
	from := h.at
	for ; h.next() >= '0' && h.next() <= '9' && h.at-from < 16; h.at++ {
		n = 10*n + uint64(h.next()-'0')
	}
	if digits := h.at - from; digits == 0 || digits > 15 || digits > 1 && h.b[from] == '0' {
		return 0, false
	}
	return n, h.next() != '.' && h.next() != 'e' && h.next() != 'E'
}
