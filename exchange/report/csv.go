package report

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CSV writes tables that a spreadsheet reads as text and never as formulas
// (RFC 4180, with CRLF and every cell in quotes). It is not safe for
// concurrent use.
type CSV struct {
	w    *bufio.Writer
	line []byte
	err  error
}

// NewCSV returns a writer of CSV.
func NewCSV(w io.Writer) *CSV { return &CSV{w: bufio.NewWriter(w)} }

// Row writes one row.
func (c *CSV) Row(cells ...string) error {
	if c.err == nil {
		c.line = AppendRow(c.line[:0], cells)
		_, c.err = c.w.Write(c.line)
	}
	return c.err
}

// AppendRow appends one row as CSV has it.
func AppendRow(b []byte, cells []string) []byte {
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, strings.ReplaceAll(Harmless(cell), `"`, `""`)...)
		b = append(b, '"')
	}
	return append(b, "\r\n"...)
}

// Flush writes what waits.
func (c *CSV) Flush() error {
	if c.err == nil {
		c.err = c.w.Flush()
	}
	return c.err
}

// Harmless makes a cell that no spreadsheet takes for a formula, whatever
// separators it reads with: a quote goes before what could begin one, also
// behind spaces and behind what some take for the next cell's begin. Control
// and format characters become U+FFFD, line breaks and tabs a space.
func Harmless(cell string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029', r == '\v', r == '\f':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf), r == utf8.RuneError:
			return utf8.RuneError
		}
		return r
	}, cell)
	raw := strings.TrimLeftFunc(cell, func(r rune) bool { return r == ' ' || r == '\u00a0' || r == '\ufeff' || r == '\u3000' })
	if raw != "" && begins(raw) {
		clean = "'" + clean
	}
	// A reader that separates cells by semicolons or commas and ignores quotes
	// would take what is behind one for a cell of its own.
	var b strings.Builder
	after := false
	for _, r := range clean {
		if after && begins(string(r)) {
			b.WriteByte('\'')
		}
		if !(after && (r == ' ' || r == '\u00a0' || r == '\u3000' || r == '"')) {
			after = r == ';' || r == ',' || r == '；' || r == '，' || r == '|'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// begins reports whether a text begins as a formula does, or with what makes
// one of the rest.
func begins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	switch r {
	case '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', ';', '|', '%', '−', '‐', '\'':
		return true
	}
	return false
}
