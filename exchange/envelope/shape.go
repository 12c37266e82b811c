package envelope

import (
	"encoding/json"
	"slices"
	"strconv"
)

// A shape is one table with two uses: it reads JSON strictly into a Go value,
// and it renders the JSON Schema that says the same. So what is published and
// what is enforced cannot drift apart.
type shape[T any] struct {
	read   func(r *reader, dst *T)
	schema schema
}

// schema is a JSON Schema (2020-12) in the making.
type schema = map[string]any

// member is one member of an object with a fixed set of members.
type member[S any] struct {
	name     string
	required bool
	read     func(r *reader, s *S)
	schema   schema
}

// must is a member that has to be there.
func must[S, T any](name, doc string, k shape[T], at func(*S) *T) member[S] {
	return member[S]{
		name: name, required: true, schema: described(k.schema, doc),
		read: func(r *reader, s *S) { k.read(r, at(s)) },
	}
}

// may is a member that can be absent, which leaves the zero value.
func may[S, T any](name, doc string, k shape[T], at func(*S) *T) member[S] {
	m := must(name, doc, k, at)
	m.required = false
	return m
}

// maybe is a member that can be absent, which leaves nil.
func maybe[S, T any](name, doc string, k shape[T], at func(*S) **T) member[S] {
	return member[S]{
		name: name, schema: described(k.schema, doc),
		read: func(r *reader, s *S) {
			v := new(T)
			k.read(r, v)
			*at(s) = v
		},
	}
}

func described(s schema, doc string) schema {
	if doc == "" {
		return s
	}
	out := schema{"description": doc}
	for k, v := range s {
		out[k] = v
	}
	return out
}

// object is an object with exactly these members, at most 64 of them.
func object[S any](members ...member[S]) shape[S] {
	index := make(map[string]int, len(members))
	properties := schema{}
	required := []string{}
	var need uint64
	for i, m := range members {
		index[m.name] = i
		properties[m.name] = m.schema
		if m.required {
			need |= 1 << i
			required = append(required, m.name)
		}
	}
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	read := func(r *reader, dst *S) { readObject(r, dst, members, index, need) }
	return shape[S]{read: read, schema: s}
}

func readObject[S any](r *reader, dst *S, members []member[S], index map[string]int, need uint64) {
	if !r.enter('{', "an object") {
		return
	}
	var seen uint64
	for n := 0; r.more('}', n); n++ {
		name := r.name()
		if r.err != nil {
			return
		}
		i, known := index[string(name)]
		if !known {
			r.fail(ReasonUnknownMember, "no member but the known ones (names are case-sensitive)")
			return
		}
		r.push(members[i].name, 0)
		if seen&(1<<i) != 0 {
			r.fail(ReasonDuplicateMember, "the member once")
			return
		}
		seen |= 1 << i
		members[i].read(r, dst)
		r.pop()
	}
	if missing := need &^ seen; missing != 0 && r.err == nil {
		for i, m := range members {
			if missing&(1<<i) != 0 {
				r.push(m.name, 0)
				r.fail(ReasonMissingMember, "the member is required")
			}
		}
	}
}

// enum is one of a list of codes. The value read is the list's own string.
func enum(codes ...string) shape[string] {
	known := make(map[string]string, len(codes))
	for _, c := range codes {
		known[c] = c
	}
	return shape[string]{
		schema: schema{"type": "string", "enum": codes},
		read: func(r *reader, dst *string) {
			v, ok := known[string(r.str())]
			if !ok {
				r.fail(ReasonValue, "one of the published codes")
				return
			}
			*dst = v
		},
	}
}

// matching is a string of a grammar. Its regular expression is what is
// published, its function what is run.
func matching(g grammar) shape[string] {
	return shape[string]{
		schema: g.schema(),
		read: func(r *reader, dst *string) {
			v := r.str()
			if r.err == nil && !g.match(v) {
				r.fail(ReasonValue, g.want)
				return
			}
			*dst = string(v)
		},
	}
}

// enumOr is one of a list of codes or a string of a grammar.
func enumOr(g grammar, codes ...string) shape[string] {
	e := enum(codes...)
	known := make(map[string]string, len(codes))
	for _, c := range codes {
		known[c] = c
	}
	return shape[string]{
		schema: schema{"anyOf": []any{e.schema, g.schema()}},
		read: func(r *reader, dst *string) {
			v := r.str()
			if c, ok := known[string(v)]; ok {
				*dst = c
				return
			}
			if r.err == nil && !g.match(v) {
				r.fail(ReasonValue, "one of the published codes, or "+g.want)
				return
			}
			*dst = string(v)
		},
	}
}

// constant is one string.
func constant(value, reason string) shape[string] {
	return shape[string]{
		schema: schema{"const": value},
		read: func(r *reader, dst *string) {
			if v := r.str(); r.err == nil && string(v) != value {
				r.fail(reason, value)
				return
			}
			*dst = value
		},
	}
}

// text is a string of min to max characters.
func text(min, max int) shape[string] {
	want := "a text of " + strconv.Itoa(min) + " to " + strconv.Itoa(max) + " characters"
	return shape[string]{
		schema: schema{"type": "string", "minLength": min, "maxLength": max},
		read: func(r *reader, dst *string) {
			v := string(r.str())
			n := 0
			for range v {
				n++
			}
			if r.err == nil && (n < min || n > max) {
				r.fail(ReasonValue, want)
				return
			}
			*dst = v
		},
	}
}

// integer is an integer from min to max.
func integer(min, max int64) shape[int64] {
	return shape[int64]{
		schema: schema{"type": "integer", "minimum": min, "maximum": max},
		read:   func(r *reader, dst *int64) { *dst = r.integer(min, max) },
	}
}

var boolean = shape[bool]{
	schema: schema{"type": "boolean"},
	read:   func(r *reader, dst *bool) { *dst = r.boolean() },
}

// list is a list of min to max elements.
func list[T any](k shape[T], min, max int) shape[[]T] {
	want := strconv.Itoa(min) + " to " + strconv.Itoa(max) + " elements"
	s := schema{"type": "array", "items": k.schema, "maxItems": max}
	if min > 0 {
		s["minItems"] = min
	}
	return shape[[]T]{schema: s, read: func(r *reader, dst *[]T) {
		if !r.enter('[', "a list") {
			return
		}
		out := []T{}
		for r.more(']', len(out)) {
			if len(out) == max {
				r.fail(ReasonCount, want)
				return
			}
			r.push("", len(out))
			var v T
			k.read(r, &v)
			r.pop()
			out = append(out, v)
		}
		if r.err == nil && len(out) < min {
			r.fail(ReasonCount, want)
		}
		*dst = out
	}}
}

// set is a list whose elements are distinct.
func set[T comparable](k shape[T], min, max int) shape[[]T] {
	l := list(k, min, max)
	s := described(l.schema, "")
	s["uniqueItems"] = true
	return shape[[]T]{schema: s, read: func(r *reader, dst *[]T) {
		l.read(r, dst)
		for i, v := range *dst {
			if r.err == nil && slices.Contains((*dst)[:i], v) {
				r.push("", i)
				r.fail(ReasonDuplicateValue, "each element once")
				return
			}
		}
	}}
}

// dict is an object whose member names follow a grammar.
func dict[T any](names grammar, k shape[T], max int) shape[map[string]T] {
	s := schema{
		"type": "object", "propertyNames": names.schema(), "maxProperties": max,
		"additionalProperties": k.schema,
	}
	return shape[map[string]T]{schema: s, read: func(r *reader, dst *map[string]T) {
		if !r.enter('{', "an object") {
			return
		}
		out := map[string]T{}
		for n := 0; r.more('}', n); n++ {
			name := r.name()
			if r.err != nil {
				return
			}
			if _, twice := out[string(name)]; twice {
				r.fail(ReasonDuplicateMember, "each member name once")
			}
			if !names.match(name) {
				r.fail(ReasonValue, "member names: "+names.want)
			}
			if n == max {
				r.fail(ReasonCount, "at most "+strconv.Itoa(max)+" members")
			}
			var v T
			k.read(r, &v)
			out[string(name)] = v
		}
		*dst = out
	}}
}

// anyObject is an object with any members.
var anyObject = shape[json.RawMessage]{
	schema: schema{"type": "object"},
	read: func(r *reader, dst *json.RawMessage) {
		if r.peek() != '{' {
			r.fail(ReasonType, "an object")
			return
		}
		*dst = r.value()
	},
}

// anyValue is any JSON value.
var anyValue = shape[json.RawMessage]{
	schema: schema{},
	read:   func(r *reader, dst *json.RawMessage) { *dst = r.value() },
}

// readAll reads a whole text by a shape.
func readAll[T any](data []byte, d dialect, k shape[T], dst *T) error {
	r := reader{data: data, dialect: d}
	k.read(&r, dst)
	return r.end()
}
