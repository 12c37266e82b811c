package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
	if err := checkJSON(b, reflect.TypeFor[Entry]()); err != nil {
		return Entry{}, err
	}
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	if e.Statement != nil {
		if err := checkStatement(e.Statement); err != nil {
			return Entry{}, err
		}
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

// checkJSON refuses what encoding/json would let pass: invalid text, repeated names, names in another case, null, trailing data.
// t is the Go type that the value is for; nil for a value of any form.
func checkJSON(b []byte, t reflect.Type) error {
	if !utf8.Valid(b) || !pairedSurrogates(b) {
		return fmt.Errorf("%w: not valid UTF-8", ErrEntry)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := walk(d, t, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: data behind the object", ErrEntry)
	}
	return nil
}

// walk reads one value.
func walk(d *json.Decoder, t reflect.Type, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deep", ErrEntry)
	}
	tok, err := d.Token()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEntry, err)
	}
	switch tok {
	case json.Delim('{'):
		err = walkObject(d, t, depth)
	case json.Delim('['):
		for err == nil && d.More() {
			err = walk(d, element(t), depth+1)
		}
	case nil:
		if t != nil {
			return fmt.Errorf("%w: null", ErrEntry)
		}
		return nil
	default:
		return nil
	}
	if err == nil {
		if _, err = d.Token(); err != nil {
			err = fmt.Errorf("%w: %w", ErrEntry, err)
		}
	}
	return err
}

func walkObject(d *json.Decoder, t reflect.Type, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrEntry, err)
		}
		name, _ := tok.(string)
		if seen[name] {
			return fmt.Errorf("%w: member %s stands twice", ErrEntry, strconv.QuoteToASCII(name))
		}
		seen[name] = true
		member, ok := memberType(t, name)
		if !ok {
			return fmt.Errorf("%w: unknown member %s", ErrEntry, strconv.QuoteToASCII(name))
		}
		if err := walk(d, member, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// memberType is the type of a member of an object, nil if any value may stand there; false if no such member may.
func memberType(t reflect.Type, name string) (reflect.Type, bool) {
	switch {
	case t == nil:
		return nil, true
	case t.Kind() == reflect.Map:
		return t.Elem(), true
	case t.Kind() != reflect.Struct:
		return t, true // an object where none belongs: json.Unmarshal says so
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return openType(f.Type), true
		}
	}
	return nil, false
}

// element is the type of the items of a list.
func element(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return t
}

// openType is nil for raw JSON, which may hold anything.
func openType(t reflect.Type) reflect.Type {
	if t == reflect.TypeFor[json.RawMessage]() {
		return nil
	}
	return t
}

// pairedSurrogates says whether each \u escape of a surrogate has its other half: encoding/json would put U+FFFD in its place.
func pairedSurrogates(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		switch r := escaped(b[i:]); {
		case r >= 0xd800 && r < 0xdc00:
			if low := escaped(b[i+6:]); low < 0xdc00 || low > 0xdfff {
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

// escaped reads a \u escape at the start of b, -1 if there is none.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
