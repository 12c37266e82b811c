package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// decodeStrict decodes one JSON value without unknown or repeated names and without null.
func decodeStrict(b []byte, v any) error {
	if err := refuseRepeatedNames(b); err != nil {
		return err
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		return err
	}
	if err := checkMembers(plain, reflect.TypeOf(v)); err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// checkMembers holds a decoded value against the type that it is for. encoding/json would take a member in another case for a known one, so
// that people and engine read different texts, and null for whatever the zero value happens to mean. What else is of a wrong type it refuses.
func checkMembers(plain any, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := plain.(type) {
	case nil:
		return errors.New("null")
	case []any:
		for _, item := range v {
			if t.Kind() != reflect.Slice {
				break
			}
			if err := checkMembers(item, t.Elem()); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, value := range v {
			member, ok := memberType(t, name)
			if !ok {
				return fmt.Errorf("unknown member %q", name)
			}
			if err := checkMembers(value, member); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// memberType is the type of a member of an object; false if there is none of exactly that name.
func memberType(t reflect.Type, name string) (reflect.Type, bool) {
	switch t.Kind() {
	case reflect.Map:
		return t.Elem(), true
	case reflect.Struct:
		for i := range t.NumField() {
			if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name && name != "" {
				return t.Field(i).Type, true
			}
		}
	}
	return nil, false
}

// refuseRepeatedNames walks the tokens of one JSON value; anything behind it is an error.
func refuseRepeatedNames(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	type level struct {
		names map[string]bool
		name  bool // the next token is a name
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
		} else if top := len(stack) - 1; top >= 0 && stack[top].names != nil && stack[top].name {
			name := tok.(string)
			if stack[top].names[name] {
				return fmt.Errorf("member %q twice", name)
			}
			stack[top].names[name], stack[top].name = true, false
			continue
		} else if ok {
			l := level{}
			if d == '{' {
				l = level{names: map[string]bool{}, name: true}
			}
			stack = append(stack, l)
			continue
		}
		if top := len(stack) - 1; top >= 0 {
			stack[top].name = stack[top].names != nil
		} else if dec.More() {
			return errors.New("more than one value")
		}
	}
}
