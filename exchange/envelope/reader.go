package envelope

import (
	"strconv"
	"unicode/utf8"
)

const (
	maxDepth     = 16        // nesting of objects and arrays in any JSON of an envelope
	maxInteger   = 1<<53 - 1 // RFC 7493 section 2.2: what every JSON library represents exactly
	maxNumberLen = 64        // characters of a number in a message
)

// dialect says what strings and numbers of a part may hold beyond the common rules.
type dialect struct {
	prose     bool // escaped tab, line feed, carriage return and bidirectional controls
	fractions bool // numbers with fraction or exponent, where any value may stand
}

var (
	signedDialect  = dialect{}
	messageDialect = dialect{prose: true, fractions: true}
)

// reader reads one JSON text (RFC 8259) strictly, front to back, once. The first
// failure sticks: every later read returns a zero value, every loop ends.
type reader struct {
	data    []byte
	pos     int
	depth   int
	steps   int
	path    [maxDepth + 1]step
	dialect dialect
	err     *fault
}

// step is one reference token of a JSON pointer: a member name of our own
// tables, or an index.
type step struct {
	name  string
	index int
}

func (r *reader) push(name string, index int) {
	if r.steps < len(r.path) {
		r.path[r.steps] = step{name, index}
	}
	r.steps++
}

func (r *reader) pop() { r.steps-- }

// pointer renders the place of the reader (RFC 6901). Names come from our tables
// and hold neither "/" nor "~".
func (r *reader) pointer() string {
	b := make([]byte, 0, 64)
	for i := 0; i < r.steps && i < len(r.path); i++ {
		b = append(b, '/')
		if s := r.path[i]; s.name != "" {
			b = append(b, s.name...)
		} else {
			b = strconv.AppendInt(b, int64(s.index), 10)
		}
	}
	return string(b)
}

func (r *reader) fail(reason, want string) {
	if r.err != nil {
		return
	}
	where := r.pointer()
	if where == "" {
		where = "top level"
	}
	r.err = &fault{kind: ErrMalformed, reason: reason, detail: where + ": " + want}
	r.pos = len(r.data)
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// end fails unless nothing but white space is left.
func (r *reader) end() error {
	if r.peek(); r.pos != len(r.data) {
		r.fail(ReasonJSON, "nothing after the value")
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

// enter consumes the opening byte of an object or array.
func (r *reader) enter(open byte, want string) bool {
	if r.peek() != open {
		r.fail(ReasonType, want)
		return false
	}
	if r.depth == maxDepth {
		r.fail(ReasonDepth, "at most 16 levels")
		return false
	}
	r.pos++
	r.depth++
	return true
}

// more says whether element n follows, consuming the comma before it or the
// closing byte.
func (r *reader) more(end byte, n int) bool {
	if r.err != nil {
		return false
	}
	c := r.peek()
	switch {
	case c == end:
		r.pos++
		r.depth--
		return false
	case n == 0:
		return true
	case c != ',':
		r.fail(ReasonJSON, "a comma or the end of the list of members")
		return false
	}
	r.pos++
	if r.peek() == end {
		r.fail(ReasonJSON, "a value after the comma")
		return false
	}
	return true
}

// name reads a member name and its colon.
func (r *reader) name() []byte {
	b := r.str()
	if r.err != nil {
		return nil
	}
	if r.peek() != ':' {
		r.fail(ReasonJSON, "a colon after the member name")
		return nil
	}
	r.pos++
	return b
}

// str reads a string. The result may point into the data.
func (r *reader) str() []byte {
	if r.peek() != '"' {
		r.fail(ReasonType, "a string")
		return nil
	}
	start := r.pos + 1
	for i := start; i < len(r.data); {
		switch c := r.data[i]; {
		case c == '"':
			r.pos = i + 1
			return r.data[start:i]
		case c == '\\':
			return r.unescape(start, i)
		case c >= ' ' && c < 0x7f:
			i++
		default:
			size := r.character(i)
			if size == 0 {
				return nil
			}
			i += size
		}
	}
	r.fail(ReasonJSON, "a closing quotation mark")
	return nil
}

// character checks the unescaped character at i and returns its length, 0 after
// a failure.
func (r *reader) character(i int) int {
	c, size := utf8.DecodeRune(r.data[i:])
	if c < ' ' || c == utf8.RuneError && size <= 1 || !r.allowed(c) {
		r.fail(ReasonCharacters, "valid UTF-8 without control characters")
		return 0
	}
	return size
}

// allowed says whether a character may stand in a string: no C0 and C1 controls,
// no noncharacters at the end of a plane, and no control of the writing
// direction, which makes a text look like another.
func (r *reader) allowed(c rune) bool {
	switch {
	case c == '\t' || c == '\n' || c == '\r':
		return r.dialect.prose
	case c < ' ', c >= 0x7f && c <= 0x9f, c&0xfffe == 0xfffe, c == 0xfeff:
		return false
	case c >= 0x2028 && c <= 0x202e, c >= 0x2066 && c <= 0x2069:
		return r.dialect.prose
	}
	return true
}

// unescape reads the rest of a string from its first backslash at i.
func (r *reader) unescape(start, i int) []byte {
	out := append(make([]byte, 0, i-start+32), r.data[start:i]...)
	for i < len(r.data) {
		switch c := r.data[i]; {
		case c == '"':
			r.pos = i + 1
			return out
		case c == '\\':
			v, size := r.escape(i)
			if size == 0 {
				return nil
			}
			out = utf8.AppendRune(out, v)
			i += size
		case c >= ' ' && c < 0x7f:
			out = append(out, c)
			i++
		default:
			size := r.character(i)
			if size == 0 {
				return nil
			}
			out = append(out, r.data[i:i+size]...)
			i += size
		}
	}
	r.fail(ReasonJSON, "a closing quotation mark")
	return nil
}

// escape reads the escape sequence at i; size 0 after a failure.
func (r *reader) escape(i int) (c rune, size int) {
	if i+1 >= len(r.data) {
		r.fail(ReasonJSON, "a whole escape sequence")
		return 0, 0
	}
	size = 2
	switch e := r.data[i+1]; e {
	case '"', '\\', '/':
		c = rune(e)
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		c, size = r.unicodeEscape(i)
	default:
		c, size = -1, 2
	}
	if c < 0 {
		r.fail(ReasonJSON, "a known escape sequence")
		return 0, 0
	}
	if !r.allowed(c) {
		r.fail(ReasonCharacters, "no control characters, escaped or not")
		return 0, 0
	}
	return c, size
}

// unicodeEscape reads \uXXXX or a surrogate pair of two; -1 for anything else, a
// lone surrogate included.
func (r *reader) unicodeEscape(i int) (rune, int) {
	c := hex4(r.data, i)
	if c < 0xd800 || c > 0xdfff {
		return c, 6
	}
	low := hex4(r.data, i+6)
	if c > 0xdbff || low < 0xdc00 || low > 0xdfff {
		return -1, 0
	}
	return 0x10000 + (c-0xd800)<<10 + (low - 0xdc00), 12
}

// hex4 returns the value of \uXXXX at i, -1 if it is not one.
func hex4(data []byte, i int) rune {
	if i+6 > len(data) || data[i] != '\\' || data[i+1] != 'u' {
		return -1
	}
	var v rune
	for _, c := range data[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		v = v<<4 | rune(c)
	}
	return v
}

// boolean reads true or false.
func (r *reader) boolean() bool {
	switch {
	case r.literal("true"):
		return true
	case r.literal("false"):
		return false
	}
	r.fail(ReasonType, "true or false")
	return false
}

func (r *reader) literal(word string) bool {
	r.peek()
	if len(r.data)-r.pos < len(word) || string(r.data[r.pos:r.pos+len(word)]) != word {
		return false
	}
	r.pos += len(word)
	return true
}

// integer reads an integer without fraction, exponent or leading zero.
func (r *reader) integer(min, max int64) int64 {
	text, whole := r.number()
	if r.err != nil {
		return 0
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if !whole || err != nil || v == 0 && text[0] == '-' {
		r.fail(ReasonNumber, "an integer, without fraction, exponent or minus zero")
		return 0
	}
	if v < min || v > max {
		r.fail(ReasonValue, "an integer from "+strconv.FormatInt(min, 10)+" to "+strconv.FormatInt(max, 10))
		return 0
	}
	return v
}

// number reads a number of RFC 8259 section 6 and says whether it is written as
// an integer.
func (r *reader) number() (text []byte, whole bool) {
	if c := r.peek(); c != '-' && (c < '0' || c > '9') {
		r.fail(ReasonType, "a number")
		return nil, false
	}
	start := r.pos // peek passes over white space
	i := start
	if r.data[i] == '-' {
		i++
	}
	ok := i < len(r.data)
	if ok && r.data[i] == '0' {
		i++
	} else {
		i, ok = digits(r.data, i)
	}
	whole = true
	if ok && i < len(r.data) && r.data[i] == '.' {
		whole = false
		i, ok = digits(r.data, i+1)
	}
	if ok && i < len(r.data) && (r.data[i] == 'e' || r.data[i] == 'E') {
		whole = false
		i++
		if i < len(r.data) && (r.data[i] == '+' || r.data[i] == '-') {
			i++
		}
		i, ok = digits(r.data, i)
	}
	if !ok || i-start > maxNumberLen || i < len(r.data) && r.data[i] >= '0' && r.data[i] <= '9' {
		r.fail(ReasonNumber, "a number of RFC 8259, not longer than 64 characters")
		return nil, false
	}
	r.pos = i
	return r.data[start:i], whole
}

// digits skips one or more digits.
func digits(data []byte, i int) (int, bool) {
	start := i
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	return i, i > start
}

// value checks any JSON value and returns its bytes.
func (r *reader) value() []byte {
	c := r.peek()
	start := r.pos
	switch {
	case c == '{':
		r.anyObject()
	case c == '[':
		r.anyArray()
	case c == '"':
		r.str()
	case c == 't' || c == 'f':
		r.boolean()
	case c == 'n':
		if !r.literal("null") {
			r.fail(ReasonJSON, "a JSON value")
		}
	case r.dialect.fractions:
		r.number()
	default:
		r.integer(-maxInteger, maxInteger)
	}
	if r.err != nil {
		return nil
	}
	return r.data[start:r.pos]
}

func (r *reader) anyArray() {
	r.enter('[', "a list")
	for n := 0; r.more(']', n); n++ {
		r.value()
	}
}

// anyObject checks an object whose member names are not ours. The pointer of a
// failure stays at the outermost of them, since names are input.
func (r *reader) anyObject() {
	r.enter('{', "an object")
	var names nameSet
	for n := 0; r.more('}', n); n++ {
		if name := r.name(); r.err == nil && !names.add(name) {
			r.fail(ReasonDuplicateMember, "each member name once")
		}
		r.value()
	}
}

// nameSet finds a repeated name: by comparing while there are few.
type nameSet struct {
	few  [][]byte
	many map[string]struct{}
}

func (s *nameSet) add(name []byte) bool {
	if s.many != nil {
		_, seen := s.many[string(name)]
		s.many[string(name)] = struct{}{}
		return !seen
	}
	for _, f := range s.few {
		if string(f) == string(name) {
			return false
		}
	}
	s.few = append(s.few, name)
	if len(s.few) == 16 {
		s.many = make(map[string]struct{}, 64)
		for _, f := range s.few {
			s.many[string(f)] = struct{}{}
		}
	}
	return true
}
