package audit

import (
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// readHeader reads what the verifier needs of an entry: only its members up to Operation are filled. It takes what ParseEntry takes
// and refuses what that refuses, but is many times as fast for an entry in the form that Encode writes: a log of ten million entries
// is verified in minutes, not in hours.
func readHeader(b []byte) (Entry, error) {
	if len(b) <= MaxEntry && utf8.Valid(b) {
		h := headerReader{rest: b}
		if h.value(entryType, 0) && len(h.rest) == 0 && h.entry.check() == nil {
			return h.entry, nil
		}
	}
	return ParseEntry(b)
}

// headerReader walks once through JSON without white space. What it does not know for certain to be good it leaves to ParseEntry.
type headerReader struct {
	rest  []byte
	entry Entry
}

var (
	entryType = reflect.TypeFor[Entry]()
	rawType   = reflect.TypeFor[json.RawMessage]()
)

// field is a member of one of an entry's structs.
type field struct {
	at int
	t  reflect.Type // nil: an object with anything in it
}

var fields = func() map[reflect.Type]map[string]field {
	all := map[reflect.Type]map[string]field{}
	for t := range members {
		all[t] = map[string]field{}
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			f := field{i, t.Field(i).Type}
			if f.t == rawType {
				f.t = nil
			}
			all[t][name] = f
		}
	}
	return all
}()

// take drops one byte if it is the next.
func (h *headerReader) take(c byte) bool {
	if len(h.rest) == 0 || h.rest[0] != c {
		return false
	}
	h.rest = h.rest[1:]
	return true
}

func (h *headerReader) value(t reflect.Type, depth int) bool {
	if len(h.rest) == 0 || depth > 8 {
		return false
	}
	kind := reflect.Interface
	if t != nil {
		kind = t.Kind()
	}
	switch c := h.rest[0]; {
	case c == '{' && kind == reflect.Struct:
		return h.object(t, depth)
	case c == '{' && (kind == reflect.Map || kind == reflect.Interface):
		return h.table(t, depth)
	case c == '[' && (kind == reflect.Slice || kind == reflect.Interface):
		return h.list(element(t), depth)
	case c == '"' && (kind == reflect.String || kind == reflect.Interface):
		_, ok := h.text()
		return ok
	case kind == reflect.Uint64 || kind == reflect.Int || kind == reflect.Interface:
		_, ok := h.number()
		return ok
	}
	return false
}

// object reads the members of a struct, each at most once.
func (h *headerReader) object(t reflect.Type, depth int) bool {
	var seen uint64
	known := fields[t]
	for h.rest = h.rest[1:]; !h.take('}'); {
		if seen != 0 && !h.take(',') {
			return false
		}
		name, ok := h.text()
		f, is := known[string(name)]
		if !ok || !is || f.at > 63 || seen&(1<<f.at) != 0 || !h.take(':') {
			return false
		}
		seen |= 1 << f.at
		if !h.member(t, f, depth) {
			return false
		}
	}
	return true
}

// member reads one member of a struct, and keeps it if it belongs to the header.
func (h *headerReader) member(t reflect.Type, f field, depth int) bool {
	if f.t == nil { // the statement
		return len(h.rest) > 0 && h.rest[0] == '{' && h.value(nil, depth+1)
	}
	if t != entryType || f.at > headerLast {
		return h.value(f.t, depth+1)
	}
	if f.at == headerSeq {
		n, ok := h.number()
		h.entry.Seq = n
		return ok
	}
	s, ok := h.text()
	if ok && strings.IndexByte(string(s), '\\') < 0 {
		*h.headerText(f.at) = string(s)
		return true
	}
	return false
}

// The places of the header's members in Entry.
const (
	headerSeq  = 1
	headerLast = 5
)

func (h *headerReader) headerText(at int) *string {
	e := &h.entry
	return [...]*string{&e.Owner, nil, &e.Prev, &e.Exchange, &e.Time, &e.Operation}[at]
}

// table reads an object with names of anybody's.
func (h *headerReader) table(t reflect.Type, depth int) bool {
	var names [24][]byte
	var of reflect.Type
	if t != nil {
		of = t.Elem()
	}
	n := 0
	for h.rest = h.rest[1:]; !h.take('}'); n++ {
		if n > 0 && !h.take(',') {
			return false
		}
		name, ok := h.text()
		if !ok || n == len(names) || strings.IndexByte(string(name), '\\') >= 0 || !h.take(':') {
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

func (h *headerReader) list(t reflect.Type, depth int) bool {
	h.rest = h.rest[1:]
	for n := 0; !h.take(']'); n++ {
		if n > 0 && !h.take(',') || !h.value(t, depth+1) {
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
	b := h.rest
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			h.rest = b[i+1:]
			return b[:i], true
		case c < ' ':
			return nil, false
		case c == '\\':
			if i+1 == len(b) {
				return nil, false
			}
			if i++; b[i] == 'u' {
				if r := unicodeEscape(b[i-1:]); r < 0 || r >= 0xd800 && r < 0xe000 {
					return nil, false
				}
				i += 4
			} else if strings.IndexByte(`"\/bfnrt`, b[i]) < 0 {
				return nil, false
			}
		}
	}
	return nil, false
}

// number reads a whole number of at most 15 digits, which any reader takes as it is.
func (h *headerReader) number() (n uint64, ok bool) {
	i := 0
	for ; i < len(h.rest) && h.rest[i] >= '0' && h.rest[i] <= '9' && i < 16; i++ {
		n = 10*n + uint64(h.rest[i]-'0')
	}
	if i == 0 || i > 15 || i > 1 && h.rest[0] == '0' {
		return 0, false
	}
	if h.rest = h.rest[i:]; len(h.rest) > 0 && strings.IndexByte(".eE", h.rest[0]) >= 0 {
		return 0, false
	}
	return n, true
}
