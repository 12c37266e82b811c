package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// output prints what a command found: one JSON value per line with --json, a
// table on a terminal, lines of tab-separated cells in a pipe. It is not safe
// for concurrent use.
type output struct {
	w        io.Writer
	json     bool
	terminal bool
}

// output returns where a command prints. It is asked for after the flags are
// parsed, within the command's own code.
func (e *environment) output() *output {
	return &output{w: e.Stdout, json: e.json, terminal: e.IsTerminal(e.Stdout)}
}

// value prints v as one line of JSON with --json; else text, as it is, which
// must not hold anything of another party that did not pass printable.
func (o *output) value(v any, text string) error {
	if o.json {
		return writeJSON(o.w, v)
	}
	_, err := fmt.Fprintln(o.w, strings.TrimSuffix(text, "\n"))
	return err
}

// table returns a table with a heading, which only a terminal shows. There one
// without rows says that there is nothing.
func (o *output) table(columns ...string) *table {
	t := &table{out: o, columns: columns}
	if !o.json && o.terminal {
		t.tabs = tabwriter.NewWriter(o.w, 0, 8, 2, ' ', 0)
	}
	return t
}

// table prints rows one by one; only a terminal's wait for flush, to align.
type table struct {
	out     *output
	columns []string // until the heading is printed
	tabs    *tabwriter.Writer
	err     error
}

// row prints one row: v with --json, else the cells, made printable. After an
// error it does nothing; flush returns the error.
func (t *table) row(v any, cells ...string) {
	switch {
	case t.err != nil:
	case t.out.json:
		t.err = writeJSON(t.out.w, v)
	default:
		if t.tabs != nil && t.columns != nil {
			t.err, t.columns = t.line(t.columns), nil
		}
		t.err = errors.Join(t.err, t.line(cells))
	}
}

func (t *table) line(cells []string) error {
	clean := make([]string, len(cells))
	for i, c := range cells {
		clean[i] = printable(c)
	}
	w := t.out.w
	if t.tabs != nil {
		w = t.tabs
	}
	_, err := fmt.Fprintln(w, strings.Join(clean, "\t"))
	return err
}

// flush prints what waits, and returns the first error of the table.
func (t *table) flush() error {
	if t.err != nil || t.tabs == nil {
		return t.err
	}
	if t.columns != nil {
		t.err = t.line([]string{"none"})
	}
	return errors.Join(t.err, t.tabs.Flush())
}

// fail prints what waits, and returns err with it. It does not say that there
// is nothing: nobody knows.
func (t *table) fail(err error) error {
	if t.tabs == nil {
		return errors.Join(err, t.err)
	}
	return errors.Join(err, t.err, t.tabs.Flush())
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printable makes text of another party fit for one cell or line: line breaks
// and tabs become spaces; control and format characters, which could steer a
// terminal or reverse what is read, become U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
