package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Severities of a Finding.
const (
	SeverityError   = "error"   // the input is not activated
	SeverityWarning = "warning" // it is, and is probably not what its author meant
)

// Finding is one thing that is wrong with an input.
type Finding struct {
	Input    string `json:"input"` // "common", "declared/<j>" or "rules/<j>"
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"` // 0: the whole file or input
	Col      int    `json:"col,omitempty"`  // counts characters from 1; 0: the whole line
	Source   string `json:"source,omitempty"`
	Severity string `json:"severity"`
	ID       string `json:"id"` // of the check that found it; see Checks
	Message  string `json:"message"`
	Fix      string `json:"fix,omitempty"`
}

// String is file:line:col: message, with the input before the file.
func (f Finding) String() string {
	return f.where(f.Input) + ": " + f.Message
}

// where is the place of the finding, its file under root.
func (f Finding) where(root string) string {
	where := strings.Trim(root+"/"+f.File, "/")
	if strings.HasPrefix(root, "/") {
		where = "/" + where
	}
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, f.Line)
		if f.Col > 0 {
			where = fmt.Sprintf("%s:%d", where, f.Col)
		}
	}
	return where
}

// Text is the finding as a compiler prints one: place, severity, message and id, the line with a caret under it, and
// what to do. dir is the directory that the files of the input are in.
func (f Finding) Text(dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s [%s]\n", f.where(dir), f.Severity, clean(f.Message), f.ID)
	if f.Source != "" {
		fmt.Fprintf(&b, "  | %s\n", clean(f.Source))
		if f.Col > 0 {
			fmt.Fprintf(&b, "  | %s^\n", indentOf(f.Source, f.Col))
		}
	}
	if f.Fix != "" {
		fmt.Fprintf(&b, "  fix: %s\n", clean(f.Fix))
	}
	return b.String()
}

// indentOf is as wide as what stands before column col, tabs included, so that a caret stands below it.
func indentOf(line string, col int) string {
	runes := []rune(clean(line))
	before := string(runes[:min(col-1, len(runes))])
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
}

// clean takes out of a text what could steer a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, s)
}

// hint adds to a finding what a detail of the compiler's error knows: which element of a reference is not there, and
// what was probably meant.
func (f *Finding) hint(e *ast.Error) {
	d, ok := e.Details.(*ast.RefErrInvalidDetail)
	if !ok || d.Pos == 0 || d.Pos >= len(d.Ref) {
		return
	}
	wrong, ok := d.Ref[d.Pos].Value.(ast.String)
	if !ok {
		return
	}
	var names []string
	for _, v := range d.OneOf {
		if s, ok := v.(ast.String); ok {
			names = append(names, string(s))
		}
	}
	slices.Sort(names)
	f.Message = fmt.Sprintf("%s has no member %q", d.Ref[:d.Pos], string(wrong))
	if len(names) > 0 {
		f.Fix = "there are " + strings.Join(names, ", ")
		if near := nearest(string(wrong), names); near != "" {
			f.Fix = fmt.Sprintf("did you mean %s?", near)
		}
	}
}

// nearest returns the name that differs by few letters, empty if there is none.
func nearest(s string, names []string) string {
	best, least := "", 3
	for _, n := range names {
		if d := distance(s, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// BuildError lists everything that was found wrong, by input, file and line.
type BuildError struct{ Findings []Finding }

func (e *BuildError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// findings collects what is wrong.
type findings struct{ list []Finding }

func (f *findings) add(input, file string, line int, format string, args ...any) {
	f.list = append(f.list, Finding{Input: input, File: file, Line: line, Message: shortened(fmt.Sprintf(format, args...))})
}

// addAt is add for a place in the text of a file.
func (f *findings) addAt(input, file string, text []byte, err error) {
	one := Finding{Input: input, File: file, Message: shortened(err.Error())}
	var p *placed
	if errors.As(err, &p) {
		one.Line, one.Col = p.place(text)
	}
	f.list = append(f.list, one)
}

// placed is an error that knows where in a text it was found: at an offset, or at a value, in quotes.
type placed struct {
	err   error
	at    int
	value string
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// atValue is an error that was found at a value of a JSON text.
func atValue(value, format string, args ...any) error {
	return &placed{err: fmt.Errorf(format, args...), value: value}
}

// place returns line and column of it, both 0 when the value does not stand in the text.
func (p *placed) place(text []byte) (line, col int) {
	at := p.at
	if p.value != "" {
		if at = bytes.LastIndex(text, []byte(`"`+p.value+`"`)); at < 0 {
			return 0, 0
		}
	}
	before := text[:min(at, len(text))]
	begin := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[begin:]) + 1
}

// contractCheck is the id of what the contract of an input asks, where no other check has a name.
const contractCheck = "contract"

// err returns nil when nothing was found.
func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &BuildError{Findings: sortFindings(f.list)}
}

func sortFindings(found []Finding) []Finding {
	list := slices.Clone(found)
	for i := range list {
		list[i].Severity, list[i].ID = cmp.Or(list[i].Severity, SeverityError), cmp.Or(list[i].ID, contractCheck)
	}
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Input, b.Input), strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(list)
}

// maxQuoted bounds a quoted source line.
const maxQuoted = 200

// quote fills the source lines of findings.
func (in Inputs) quote(list []Finding) {
	for i := range list {
		f := &list[i]
		if f.Line == 0 {
			continue
		}
		text := in.source(f.Input).Files[f.File]
		for range f.Line - 1 {
			_, text, _ = bytes.Cut(text, []byte("\n"))
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		if len(line) <= maxQuoted {
			f.Source = strings.TrimSuffix(string(line), "\r")
		}
	}
}
