package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// kind is what a shape describes.
type kind uint8

const (
	kindObject kind = iota
	kindArray
	kindString
	kindInteger
	kindBoolean
	kindFree // an object of any content: it is checked for being empty, and left out of the input
)

// shape is a compiled schema. The one file of the schema gives the type checker its types, the parser its strictness,
// the input its defaults and the checks of rules their enums, so that these cannot differ.
type shape struct {
	kind     kind
	fields   []field // of an object, sorted by name
	index    map[string]int
	items    *shape
	min, max int // length of an array or a string, value of an integer
	enum     []string
	known    bool                 // enum is open for values that match the pattern
	terms    map[string]*ast.Term // of enum
	pattern  func(string) bool
	text     string // of pattern
	date     bool
}

type field struct {
	name     string
	key      *ast.Term
	shape    *shape
	required bool
	defJSON  []byte // value of an absent member that is not required
}

// appendName appends the name of the i-th member of an object.
func (f *field) appendName(out []byte, i int) []byte {
	if i > 0 {
		out = append(out, ',')
	}
	out = append(out, '"')
	out = append(out, f.name...)
	return append(out, '"', ':')
}

// schemaNode is the subset of JSON Schema that a shape can be made of. Members that begin with x- are ours: x-date is
// a calendar date or nothing, x-known with x-pattern a list of codes that is open for those that match the pattern.
type schemaNode struct {
	Schema     string                 `json:"$schema"`
	Title      string                 `json:"title"`
	Ref        string                 `json:"$ref"`
	Defs       map[string]*schemaNode `json:"$defs"`
	Type       string                 `json:"type"`
	Properties map[string]*schemaNode `json:"properties"`
	Required   []string               `json:"required"`
	Additional *bool                  `json:"additionalProperties"`
	Items      *schemaNode            `json:"items"`
	MinItems   int                    `json:"minItems"`
	MaxItems   int                    `json:"maxItems"`
	MinLength  int                    `json:"minLength"`
	MaxLength  int                    `json:"maxLength"`
	Minimum    int                    `json:"minimum"`
	Maximum    int                    `json:"maximum"`
	Enum       []string               `json:"enum"`
	Pattern    string                 `json:"pattern"`
	Default    json.RawMessage        `json:"default"`
	XKnown     []string               `json:"x-known"`
	XPattern   string                 `json:"x-pattern"`
	XDate      bool                   `json:"x-date"`
}

const unbounded = 1<<53 - 1 // the largest integer that every JSON reader agrees on

// compileShape turns a schema into a shape. It accepts only what it understands.
func compileShape(schema []byte) (*shape, error) {
	var root schemaNode
	dec := json.NewDecoder(strings.NewReader(string(schema)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&root); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	c := &shapeCompiler{defs: root.Defs, done: map[string]*shape{}}
	s, err := c.compile(&root)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return s, nil
}

type shapeCompiler struct {
	defs map[string]*schemaNode
	done map[string]*shape
}

func (c *shapeCompiler) compile(n *schemaNode) (*shape, error) {
	if n.Ref != "" {
		return c.ref(strings.TrimPrefix(n.Ref, "#/$defs/"))
	}
	switch n.Type {
	case "object":
		return c.object(n)
	case "array":
		items, err := c.compile(n.Items)
		return &shape{kind: kindArray, items: items, min: n.MinItems, max: orUnbounded(n.MaxItems)}, err
	case "string":
		return stringShape(n)
	case "integer":
		return &shape{kind: kindInteger, min: n.Minimum, max: orUnbounded(n.Maximum)}, nil
	case "boolean":
		return &shape{kind: kindBoolean}, nil
	}
	return nil, fmt.Errorf("type %q is not supported", n.Type)
}

func (c *shapeCompiler) ref(name string) (*shape, error) {
	if s, ok := c.done[name]; ok {
		return s, nil
	}
	def, ok := c.defs[name]
	if !ok {
		return nil, fmt.Errorf("no definition %q", name)
	}
	s, err := c.compile(def)
	c.done[name] = s
	return s, err
}

func (c *shapeCompiler) object(n *schemaNode) (*shape, error) {
	if n.Properties == nil {
		return &shape{kind: kindFree}, nil
	}
	if n.Additional == nil || *n.Additional {
		return nil, fmt.Errorf("an object is not closed")
	}
	s := &shape{kind: kindObject, index: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		prop := n.Properties[name]
		f := field{name: name, key: ast.StringTerm(name), required: slices.Contains(n.Required, name)}
		var err error
		if f.shape, err = c.compile(prop); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if prop.Default != nil {
			if f.required {
				return nil, fmt.Errorf("%s is required and has a default", name)
			}
			if f.defJSON, err = f.shape.parse(prop.Default, nil); err != nil {
				return nil, fmt.Errorf("%s: default: %w", name, err)
			}
		} else if !f.required {
			return nil, fmt.Errorf("%s is neither required nor has a default", name)
		}
		s.index[name] = len(s.fields)
		s.fields = append(s.fields, f)
	}
	return s, nil
}

func stringShape(n *schemaNode) (*shape, error) {
	s := &shape{kind: kindString, min: n.MinLength, max: orUnbounded(n.MaxLength), date: n.XDate, enum: n.Enum}
	pattern := n.Pattern
	if n.XKnown != nil {
		s.enum, s.known, pattern = n.XKnown, true, n.XPattern
	}
	if pattern != "" && !n.XDate {
		match, err := compilePattern(pattern)
		if err != nil {
			return nil, err
		}
		s.pattern, s.text = match, pattern
	}
	if s.enum != nil {
		s.terms = make(map[string]*ast.Term, len(s.enum))
		for _, v := range s.enum {
			s.terms[v] = ast.StringTerm(v)
		}
	}
	return s, nil
}

var simplePattern = regexp.MustCompile(`^\^\[([^\]]+)\]\{(\d+)(?:,(\d+))?\}\$$`)

// compilePattern compiles a pattern of one character class with a length, which most are, to a table.
func compilePattern(p string) (func(string) bool, error) {
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", p, err)
	}
	m := simplePattern.FindStringSubmatch(p)
	if m == nil {
		return re.MatchString, nil
	}
	class := regexp.MustCompile("^[" + m[1] + "]$")
	var table [256]bool
	for i := range 128 {
		table[i] = class.MatchString(string(rune(i)))
	}
	var least, most int
	if m[3] == "" {
		m[3] = m[2]
	}
	if _, err := fmt.Sscan(m[2], &least); err != nil {
		return nil, err
	}
	if _, err := fmt.Sscan(m[3], &most); err != nil {
		return nil, err
	}
	return func(s string) bool {
		if len(s) < least || len(s) > most {
			return false
		}
		for i := range len(s) {
			if !table[s[i]] {
				return false
			}
		}
		return true
	}, nil
}

func orUnbounded(n int) int {
	if n == 0 {
		return unbounded
	}
	return n
}

// accepts reports whether the shape, which is a string, has the value v.
func (s *shape) accepts(v string) bool {
	if s.enum != nil {
		if _, ok := s.terms[v]; ok {
			return true
		}
		return s.known && s.pattern(v)
	}
	if len(v) < s.min || len(v) > s.max || s.pattern != nil && !s.pattern(v) {
		return false
	}
	if s.date && v != "" {
		_, err := time.Parse(time.DateOnly, v)
		return err == nil
	}
	return true
}

// member returns the shape of a member of an object, nil if it has none of that name.
func (s *shape) member(name string) *shape {
	if i, ok := s.index[name]; ok && s.kind == kindObject {
		return s.fields[i].shape
	}
	return nil
}
