package search

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/liaison-exchange/liaison/audit"
)

// The bounds of a query.
const (
	MaxLength = 2048 // bytes
	MaxTerms  = 64
	MaxDepth  = 16  // parentheses and NOTs within each other
	MaxValue  = 512 // characters
)

// Query is a parsed query. The zero value is the empty query, which every
// entry matches. It is immutable and safe for concurrent use.
type Query struct{ root node }

// node is a part of a query: allOf, anyOf, not or Term.
type node interface {
	match(e *audit.Entry) bool
	write(b *strings.Builder)
}

type (
	allOf []node
	anyOf []node
	not   struct{ node }
)

// Term is one `field:value`.
type Term struct {
	Field string
	Value string
	// Prefix says that the value is only the beginning of what the field must
	// have; the empty one is the beginning of everything.
	Prefix bool
}

// SyntaxError says what is wrong with a query, and where.
type SyntaxError struct {
	At      int // character, from 1
	Problem string
	Fix     string
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("query, character %d: %s", e.At, e.Problem)
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Parse reads a query. Its error is a *SyntaxError.
func Parse(s string) (Query, error) {
	switch {
	case len(s) > MaxLength:
		return Query{}, &SyntaxError{At: 1, Problem: fmt.Sprintf("longer than %d bytes", MaxLength), Fix: "search in parts"}
	case !utf8.ValidString(s):
		return Query{}, &SyntaxError{At: 1, Problem: "not valid UTF-8"}
	}
	p := &parser{text: s}
	if p.peek(); p.err != nil {
		return Query{}, p.err
	}
	if p.token.kind == end {
		return Query{}, nil
	}
	root := p.alternatives(0)
	if p.err == nil && p.token.kind != end {
		p.fail("a closing parenthesis that nothing opens", "")
	}
	if p.err != nil {
		return Query{}, p.err
	}
	q := Query{root}
	if len(q.String()) > MaxLength { // what sticks together is written with a space
		return Query{}, &SyntaxError{At: 1, Problem: fmt.Sprintf("longer than %d bytes", MaxLength), Fix: "search in parts"}
	}
	return q, nil
}

// MustParse is for queries that are constants.
func MustParse(s string) Query {
	q, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return q
}

// Empty reports whether every entry matches for want of any term.
func (q Query) Empty() bool { return q.root == nil }

// And is a query that both queries match.
func (q Query) And(o Query) Query {
	switch {
	case q.root == nil:
		return o
	case o.root == nil:
		return q
	}
	return Query{both(q.root, o.root)}
}

// Is is the query for one value of a field.
func Is(field, value string) Query { return Query{Term{Field: field, Value: value}} }

// String is the query in its canonical form: Parse reads it as the same query.
func (q Query) String() string {
	if q.root == nil {
		return ""
	}
	var b strings.Builder
	q.root.write(&b)
	return b.String()
}

// Terms are the query's terms, from left to right.
func (q Query) Terms() []Term {
	var all []Term
	var walk func(node)
	walk = func(n node) {
		switch n := n.(type) {
		case allOf:
			for _, part := range n {
				walk(part)
			}
		case anyOf:
			for _, part := range n {
				walk(part)
			}
		case not:
			walk(n.node)
		case Term:
			all = append(all, n)
		}
	}
	walk(q.root)
	return all
}

// both flattens: what stands side by side in parentheses is one list.
func both(nodes ...node) node {
	var all allOf
	for _, n := range nodes {
		if inner, ok := n.(allOf); ok {
			all = append(all, inner...)
		} else {
			all = append(all, n)
		}
	}
	return all
}

func oneOf(nodes ...node) node {
	var all anyOf
	for _, n := range nodes {
		if inner, ok := n.(anyOf); ok {
			all = append(all, inner...)
		} else {
			all = append(all, n)
		}
	}
	return all
}

func negate(n node) node {
	if inner, ok := n.(not); ok {
		return inner.node
	}
	return not{n}
}

func (a allOf) write(b *strings.Builder) {
	for i, n := range a {
		if i > 0 {
			b.WriteByte(' ')
		}
		within(b, n)
	}
}

func (a anyOf) write(b *strings.Builder) {
	for i, n := range a {
		if i > 0 {
			b.WriteString(" OR ")
		}
		within(b, n)
	}
}

func (n not) write(b *strings.Builder) {
	b.WriteByte('-')
	within(b, n.node)
}

// within puts parentheses around a list inside of something.
func within(b *strings.Builder, n node) {
	switch n.(type) {
	case allOf, anyOf:
		b.WriteByte('(')
		n.write(b)
		b.WriteByte(')')
	default:
		n.write(b)
	}
}

// String is the term as it stands in a query.
func (t Term) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t Term) write(b *strings.Builder) {
	b.WriteString(t.Field)
	b.WriteByte(':')
	switch {
	case t.Prefix:
		b.WriteString(t.Value)
		b.WriteByte('*')
	case t.plain():
		b.WriteString(t.Value)
	default:
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(t.Value))
		b.WriteByte('"')
	}
}

// plain reports whether the value means the same without quotation marks.
func (t Term) plain() bool {
	f := fields[t.Field]
	if t.Value == "" || strings.HasSuffix(t.Value, "*") || f != nil && f.Values != nil && !slices.Contains(f.Values, t.Value) {
		return false
	}
	return strings.IndexFunc(t.Value, ends) < 0
}

// ends reports whether a character ends a value that is not quoted.
func ends(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' || r == '"' }

// The kinds of tokens.
type kind int

const (
	end kind = iota
	open
	closing
	minus
	orWord
	andWord
	termToken
)

type lexeme struct {
	kind kind
	at   int // byte
	term Term
}

// parser reads one token ahead; its first error stays.
type parser struct {
	text  string
	next  int // byte behind token
	token lexeme
	terms int
	err   error
}

func (p *parser) failAt(at int, problem, fix string) {
	if p.err == nil {
		p.err = &SyntaxError{At: 1 + utf8.RuneCountInString(p.text[:at]), Problem: problem, Fix: fix}
	}
	p.token = lexeme{kind: end, at: len(p.text)}
	p.next = len(p.text)
}

func (p *parser) fail(problem, fix string) { p.failAt(p.token.at, problem, fix) }

// alternatives reads terms with OR between them.
func (p *parser) alternatives(depth int) node {
	if depth > MaxDepth {
		p.fail(fmt.Sprintf("more than %d parentheses within each other", MaxDepth), "search in parts")
		return nil
	}
	nodes := []node{p.all(depth)}
	for p.err == nil && p.token.kind == orWord {
		p.peek()
		nodes = append(nodes, p.all(depth))
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return oneOf(nodes...)
}

// all reads terms side by side.
func (p *parser) all(depth int) node {
	nodes := []node{p.one(depth)}
	for p.err == nil {
		switch p.token.kind {
		case andWord:
			p.peek()
		case end, closing, orWord:
			if len(nodes) == 1 {
				return nodes[0]
			}
			return both(nodes...)
		}
		nodes = append(nodes, p.one(depth))
	}
	return nil
}

func (p *parser) one(depth int) node {
	if depth > MaxDepth {
		p.fail(fmt.Sprintf("more than %d levels of NOT and parentheses", MaxDepth), "search in parts")
		return nil
	}
	at := p.token
	switch at.kind {
	case minus:
		p.peek()
		return negate(p.one(depth + 1))
	case open:
		p.peek()
		n := p.alternatives(depth + 1)
		if p.err == nil && p.token.kind != closing {
			p.failAt(at.at, "a parenthesis that is not closed", "")
		}
		p.peek()
		return n
	case termToken:
		p.peek()
		return at.term
	case closing:
		p.fail("a closing parenthesis where a term should stand", "")
	case orWord, andWord:
		p.fail("OR or AND without a term before it", "")
	default:
		p.fail("the query ends where a term should stand", "")
	}
	return nil
}

// peek reads the next token.
func (p *parser) peek() {
	if p.err != nil {
		return
	}
	for p.next < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.next:])
		if !unicode.IsSpace(r) {
			break
		}
		p.next += n
	}
	at := p.next
	p.token = lexeme{kind: end, at: at}
	if at == len(p.text) {
		return
	}
	switch p.text[at] {
	case '(':
		p.take(open, 1)
	case ')':
		p.take(closing, 1)
	case '-':
		p.take(minus, 1)
	case '"':
		p.failAt(at, "a quoted text without a field", "every term is field:value, for example outcome:denied")
	default:
		p.word(at)
	}
}

func (p *parser) take(k kind, n int) {
	p.token.kind = k
	p.next += n
}

// word reads OR, AND, NOT or a term.
func (p *parser) word(at int) {
	length := strings.IndexFunc(p.text[at:], ends)
	if length < 0 {
		length = len(p.text) - at
	}
	word := p.text[at : at+length]
	switch word {
	case "OR":
		p.take(orWord, length)
		return
	case "AND":
		p.take(andWord, length)
		return
	case "NOT":
		p.take(minus, length)
		return
	case "or", "and", "not":
		p.failAt(at, "what is "+word+"?", "write "+strings.ToUpper(word)+" in capitals")
		return
	}
	name, _, found := strings.Cut(word, ":")
	if !found {
		p.failAt(at, "a word without a field", "every term is field:value, for example outcome:denied; there is no search in free text")
		return
	}
	f := fields[name]
	if f == nil {
		p.failAt(at, fmt.Sprintf("there is no field %q", clip(name)), suggestion(name, names, "the fields are "+strings.Join(names, ", ")))
		return
	}
	p.value(f, at, at+len(name)+1)
}

// value reads what stands behind the colon.
func (p *parser) value(f *Field, at, from int) {
	if p.terms++; p.terms > MaxTerms {
		p.failAt(at, fmt.Sprintf("more than %d terms", MaxTerms), "search in parts")
		return
	}
	t := Term{Field: f.Name}
	var to int
	var ok bool
	quoted := from < len(p.text) && p.text[from] == '"'
	if quoted {
		t.Value, to, ok = p.quoted(from)
		if !ok {
			return
		}
	} else {
		if to = strings.IndexFunc(p.text[from:], ends); to < 0 {
			to = len(p.text) - from
		}
		to += from
		t.Value = p.text[from:to]
		if t.Value, t.Prefix = strings.CutSuffix(t.Value, "*"); strings.Contains(t.Value, "*") && t.Prefix {
			p.failAt(from, "more than one *", "a * stands at the end; a value with a * stands in quotation marks")
			return
		}
	}
	if problem, fix := f.accepts(t, quoted); problem != "" {
		p.failAt(from, problem, fix)
		return
	}
	p.token.kind, p.token.term = termToken, t
	p.next = to
}

// accepts says what is wrong with a term's value, or nothing.
func (f *Field) accepts(t Term, quoted bool) (problem, fix string) {
	switch {
	case t.Value == "" && !t.Prefix:
		return "no value for " + f.Name, f.Name + ":* is every entry that has one, -" + f.Name + ":* every other"
	case utf8.RuneCountInString(t.Value) > MaxValue:
		return fmt.Sprintf("a value of more than %d characters", MaxValue), ""
	case strings.ContainsFunc(t.Value, unicode.IsControl):
		return "a control character", ""
	case f.Token && t.Prefix && t.Value != "":
		return "the beginning of a value of " + f.Name, "it is kept as a token: give the whole value, or " + f.Name + ":*"
	case f.Values == nil || quoted || slices.Contains(f.Values, t.Value):
		return "", ""
	case t.Prefix && slices.ContainsFunc(f.Values, func(v string) bool { return strings.HasPrefix(v, t.Value) }):
		return "", ""
	}
	return fmt.Sprintf("%s is never %q", f.Name, clip(t.Value)), suggestion(t.Value, f.Values, "it is one of "+strings.Join(f.Values, ", "))
}

func suggestion(word string, words []string, otherwise string) string {
	if w := near(word, words); w != "" {
		return "did you mean " + w + "?"
	}
	return otherwise
}

// clip keeps a message short.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= 64 {
		return s
	}
	return string([]rune(s)[:64]) + "…"
}

// quoted reads a value in quotation marks.
func (p *parser) quoted(from int) (value string, to int, ok bool) {
	var b strings.Builder
	for i := from + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			return b.String(), i + 1, p.parted(i + 1)
		case c == '\\' && i+1 < len(p.text) && (p.text[i+1] == '"' || p.text[i+1] == '\\'):
			i++
			b.WriteByte(p.text[i])
		case c == '\\':
			p.failAt(i, "a backslash before neither a quotation mark nor a backslash", `write \\ for one`)
			return "", 0, false
		default:
			b.WriteByte(c)
		}
	}
	p.failAt(from, "a quotation mark that is not closed", "")
	return "", 0, false
}

// parted demands that nothing sticks to a quoted value.
func (p *parser) parted(at int) bool {
	if at == len(p.text) || p.text[at] == ')' || p.text[at] == '(' {
		return true
	}
	if r, _ := utf8.DecodeRuneInString(p.text[at:]); unicode.IsSpace(r) {
		return true
	}
	p.failAt(at, "something behind a quoted value", "put a space between")
	return false
}
