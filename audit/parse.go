package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep an entry's JSON may nest.
const maxDepth = 16

// ParseEntry reads the bytes of an entry and takes only what can be read in one way: valid UTF-8, no unpaired surrogates, each
// member known, spelled exactly and there once, no null, nothing behind the object, at most MaxEntry bytes.
func ParseEntry(b []byte) (Entry, error) {
	if len(b) > MaxEntry {
		return Entry{}, fmt.Errorf("%w: longer than %d bytes", ErrEntry, MaxEntry)
	}
	var e Entry
	if err := checkJSON(b, reflect.TypeFor[Entry]()); err != nil {
		return Entry{}, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	if e.Statement != nil && e.Statement[0] != '{' {
		return Entry{}, fmt.Errorf("%w: statement is not a JSON object", ErrEntry)
	}
	return e, e.check()
}

// checkStatement demands a JSON object; its members are the envelope's business, but each may be there only once.
func checkStatement(b []byte) error {
	if !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) {
		return fmt.Errorf("%w: statement is not a JSON object", ErrEntry)
	}
	if err := checkJSON(b, nil); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	return nil
}

// checkJSON refuses what encoding/json would let pass: invalid text, repeated names, names in another case, null.
// t is the Go type that the value is for; nil for a value of any form.
func checkJSON(b []byte, t reflect.Type) error {
	if !utf8.Valid(b) {
		return fmt.Errorf("%w: not valid UTF-8", ErrEntry)
	}
	if !json.Valid(b) {
		return fmt.Errorf("%w: not one JSON value", ErrEntry)
	}
	s := scanner{rest: b}
	return s.value(t, 0)
}

// scanner walks through JSON that is known to be valid, so it needs to look only at quotes, brackets and names.
type scanner struct{ rest []byte }

// next drops white space, commas and colons, and returns the byte that then comes first.
func (s *scanner) next() byte {
	s.rest = bytes.TrimLeft(s.rest, " \t\r\n,:")
	return s.rest[0]
}

func (s *scanner) value(t reflect.Type, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deep", ErrEntry)
	}
	switch s.next() {
	case '{':
		return s.object(t, depth)
	case '[':
		for s.rest = s.rest[1:]; s.next() != ']'; {
			if err := s.value(element(t), depth+1); err != nil {
				return err
			}
		}
		s.rest = s.rest[1:]
	case '"':
		_, err := s.text()
		return err
	case 'n':
		if t != nil {
			return fmt.Errorf("%w: null", ErrEntry)
		}
		fallthrough
	default: // null, true, false, a number
		if i := bytes.IndexAny(s.rest, " \t\r\n,]}"); i >= 0 {
			s.rest = s.rest[i:]
		}
	}
	return nil
}

func (s *scanner) object(t reflect.Type, depth int) error {
	var seen []string
	for s.rest = s.rest[1:]; s.next() != '}'; {
		name, err := s.text()
		if err != nil {
			return err
		}
		member, ok := memberType(t, name)
		if !ok {
			return fmt.Errorf("%w: unknown member %s", ErrEntry, strconv.QuoteToASCII(name))
		}
		seen = append(seen, name)
		if err := s.value(member, depth+1); err != nil {
			return err
		}
	}
	s.rest = s.rest[1:]
	return repeated(seen)
}

// repeated says which name stands twice.
func repeated(names []string) error {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("%w: member %s stands twice", ErrEntry, strconv.QuoteToASCII(name))
		}
		seen[name] = true
	}
	return nil
}

// text reads a string. Half a surrogate pair is refused: encoding/json would put U+FFFD in its place.
func (s *scanner) text() (string, error) {
	end := 1
	for s.rest[end] != '"' {
		if s.rest[end] == '\\' {
			end++
		}
		end++
	}
	raw := s.rest[:end+1]
	s.rest = s.rest[end+1:]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1:end]), nil
	}
	if !pairedSurrogates(raw) {
		return "", fmt.Errorf("%w: half a surrogate pair", ErrEntry)
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err
}

// members are the names that the structs of an entry have, and the types that belong to them; nil where anything may stand.
var members = func() map[reflect.Type]map[string]reflect.Type {
	all := map[reflect.Type]map[string]reflect.Type{}
	for _, t := range []reflect.Type{reflect.TypeFor[Entry](), reflect.TypeFor[Actor](), reflect.TypeFor[Relation](), reflect.TypeFor[Decision]()} {
		all[t] = map[string]reflect.Type{}
		for i := range t.NumField() {
			name := memberName(t.Field(i))
			if all[t][name] = t.Field(i).Type; t.Field(i).Type == reflect.TypeFor[json.RawMessage]() {
				all[t][name] = nil
			}
		}
	}
	return all
}()

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// memberType is the type of a member of an object, nil if any value may stand there; false if no such member may.
func memberType(t reflect.Type, name string) (reflect.Type, bool) {
	switch {
	case t == nil:
		return nil, true
	case t.Kind() == reflect.Map:
		return t.Elem(), true
	}
	member, ok := members[t][name] // a type that is no struct has no members
	return member, ok
}

// element is the type of the items of a list; that of a text stays, and json.Unmarshal refuses the list.
func element(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return t
}

// pairedSurrogates says whether each \u escape of a surrogate has its other half.
func pairedSurrogates(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		switch r := unicodeEscape(b[i:]); {
		case r >= 0xd800 && r < 0xdc00:
			if low := unicodeEscape(b[i+6:]); low < 0xdc00 || low > 0xdfff {
				return false
			}
			i += 11
		case r >= 0xdc00 && r < 0xe000:
			return false
		default:
			i++ // the character behind the backslash is no new escape
		}
	}
	return true
}

// unicodeEscape reads a \u escape at the start of b, -1 if there is none.
func unicodeEscape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
