package policy

import (
	"fmt"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// Limits of a text, checked before the parser sees it: its time is exponential in nested comprehensions.
const (
	maxNesting        = 16 // brackets in brackets
	maxComprehensions = 3  // comprehensions, or unions in brackets, in each other
)

// checkText refuses a Rego text that a person would read in another way than the parser does, and one that costs the
// parser more than its length. It returns false when the text must not be parsed.
func (u *unit) checkText(p string, text []byte) bool {
	l := lexer{text: text, line: 1, anchors: map[string]bool{}, aliases: map[string]int{}}
	l.refuse = func(format string, args ...any) {
		l.bad = true
		if l.findings++; l.findings <= 10 {
			u.found.add(u.input, p, l.line, format, args...)
		}
	}
	l.run()
	return !l.bad
}

// lexer knows of Rego only what strings, comments and brackets are.
type lexer struct {
	text     []byte
	at, line int
	nest     []frame
	anchors  map[string]bool // of YAML in comments
	aliases  map[string]int  // with their first line
	findings int
	bad      bool
	refuse   func(format string, args ...any)
}

// frame is an open bracket: whether it has a | of its own, and how many inside it do so in each other.
type frame struct {
	pipe  bool
	depth int
}

func (l *lexer) run() {
	for l.at < len(l.text) {
		switch l.text[l.at] {
		case '"':
			l.quoted()
		case '`':
			l.raw()
		case '#':
			l.comment()
		case '(', '[', '{':
			l.open()
		case ')', ']', '}':
			l.close()
		case '|':
			if n := len(l.nest); n > 0 {
				l.nest[n-1].pipe = true
			}
			l.at++
		default:
			l.letter()
		}
		if l.findings > 10 {
			return
		}
	}
	l.checkAliases()
}

// letter reads one letter and refuses those that are not seen, or that turn the direction of what is seen.
func (l *lexer) letter() {
	c, size := utf8.DecodeRune(l.text[l.at:])
	switch {
	case c == utf8.RuneError && size < 2:
		l.refuse("not UTF-8")
	case c == '\r' && l.at+1 < len(l.text) && l.text[l.at+1] == '\n':
	case c == '\n', c == '\t':
	case c == '\u2028' || c == '\u2029' || unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
		l.refuse("has the unseen character %U: what is read here and what is evaluated would differ", c)
	}
	if c == '\n' {
		l.line++
	}
	l.at += size
}

func (l *lexer) quoted() {
	for l.at++; l.at < len(l.text) && l.text[l.at] != '"' && l.text[l.at] != '\n'; {
		if l.text[l.at] == '\\' && l.at+1 < len(l.text) && l.text[l.at+1] != '\n' {
			l.at++
		}
		l.letter()
	}
	if l.at < len(l.text) && l.text[l.at] == '"' {
		l.at++
	}
}

func (l *lexer) raw() {
	for l.at++; l.at < len(l.text) && l.text[l.at] != '`'; {
		l.letter()
	}
	l.at++
}

// comment reads a comment to the end of its line.
func (l *lexer) comment() {
	start := l.at
	for l.at < len(l.text) && l.text[l.at] != '\n' {
		l.letter()
	}
	text := l.text[start:l.at]
	for _, m := range yamlAnchor.FindAllSubmatch(text, -1) {
		l.anchors[string(m[1])] = true
	}
	for _, m := range yamlAlias.FindAllSubmatch(text, -1) {
		if name := string(m[1]); l.aliases[name] == 0 {
			l.aliases[name] = l.line
		}
	}
}

var (
	yamlAnchor = regexp.MustCompile(`&([0-9A-Za-z_-]+)`)
	yamlAlias  = regexp.MustCompile(`\*([0-9A-Za-z_-]+)`)
)

// checkAliases refuses METADATA that says something once and takes it many times: a few such lines stand for millions.
func (l *lexer) checkAliases() {
	for _, name := range sortedKeys(l.aliases) {
		if l.anchors[name] {
			l.line = l.aliases[name]
			l.refuse("METADATA with the alias *%s: write out what is meant", name)
		}
	}
}

func (l *lexer) open() {
	l.at++
	if l.nest = append(l.nest, frame{}); len(l.nest) == maxNesting+1 {
		l.refuse("more than %d brackets in each other: give a part a name of its own", maxNesting)
	}
}

func (l *lexer) close() {
	l.at++
	n := len(l.nest) - 1
	if n < 0 {
		return // the parser says so
	}
	f := l.nest[n]
	l.nest = l.nest[:n]
	if f.pipe {
		f.depth++
	}
	if f.depth == maxComprehensions+1 && f.pipe {
		l.refuse("more than %d comprehensions in each other: give one a name of its own", maxComprehensions)
	}
	if n > 0 {
		l.nest[n-1].depth = max(l.nest[n-1].depth, f.depth)
	}
}

// maxMessage bounds a message: a parser quotes what it does not understand, however long it is.
const maxMessage = 1000

// shortened cuts a message that is too long to be read.
func shortened(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	cut := maxMessage
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return fmt.Sprintf("%s … (%d bytes)", message[:cut], len(message))
}
