package policy

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Desk is an author's directory with everything that it is worked on with: common, and what the others declare. Its
// tools (Check, Test, Bench, Evaluate) change nothing.
type Desk struct {
	Draft *Bundle
	Today string // YYYY-MM-DD, the day that dates are looked at on
	in    Inputs // the draft in its place, and the rules of all others
}

// NewDesk puts a draft into the inputs that it would become part of, as of a day.
func NewDesk(draft *Bundle, in Inputs, today string) *Desk {
	d := *draft
	if d.Status == "" {
		d.Status = Sample
	}
	d.Seq = max(d.Seq, 1)
	in = d.Apply(in)
	in.AllowSamples = true
	return &Desk{Draft: &d, Today: today, in: in}
}

// Inputs are those that the draft stands among.
func (d *Desk) Inputs() Inputs { return d.in }

// OpenDir reads an author's directory, as ReadDir does; what is none is told what one looks like.
func OpenDir(fsys fs.FS) (*Bundle, error) {
	names := map[string]bool{}
	_ = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names[path.Base(p)] = true
		}
		return err
	})
	if !names[declaredFile] && !(names[codesFile] && names[factsFile]) {
		return nil, errors.New("no directory of policy: there is no " + declaredFile)
	}
	return ReadDir(fsys)
}

// alone are the inputs with no rules but the draft's: what is checked and tested by itself.
func (d *Desk) alone() Inputs {
	in, j := d.in, d.Draft.Jurisdiction
	in.Rules = map[string]Source{}
	if own, ok := d.in.Rules[j]; ok && j != CommonBundle {
		in.Rules[j] = own
	}
	return in
}

// input is the name of the input that the draft's rules are.
func (d *Desk) input() string {
	if d.Draft.Jurisdiction == CommonBundle {
		return CommonBundle
	}
	return "rules/" + d.Draft.Jurisdiction
}

// parsed is a draft whose files are read as Rego.
type parsed struct {
	*unit
	set     *Set
	base    *unit                  // common
	all     map[string]*ast.Module // of the unit and of the library, as they are compiled together
	sources map[string][]byte      // by file, as modules are named
}

// parse parses the draft's rules and common's. It does not compile them.
func (d *Desk) parse() (*parsed, error) {
	in := d.alone()
	b := newBuilder(in)
	err := b.data()
	if err == nil {
		err = b.parseCommon()
	}
	if err != nil {
		return nil, in.quoted(err)
	}
	p := &parsed{unit: b.common, set: b.set, base: b.common, all: b.common.modules, sources: map[string][]byte{}}
	if j := d.Draft.Jurisdiction; j != CommonBundle {
		p.unit, p.all = b.parseRules(j, b.found)
	}
	for name, text := range in.source(p.input).Files {
		p.sources[p.input+"/"+name] = text
	}
	return p, in.quoted(b.found.err())
}

// file is the name of a module's file in the author's directory.
func (p *parsed) file(module string) string { return strings.TrimPrefix(module, p.input+"/") }

// line is the text of a line of a module's file.
func (p *parsed) line(module string, row int) string {
	lines := strings.Split(string(p.sources[module]), "\n")
	if row < 1 || row > len(lines) {
		return ""
	}
	return strings.TrimSuffix(lines[row-1], "\r")
}

// rules are the rules of the unit without its tests, in the order of the files.
func (p *parsed) rules() []*ast.Rule {
	var list []*ast.Rule
	for _, file := range slices.Sorted(maps.Keys(p.modules)) {
		list = append(list, p.modules[file].Rules...)
	}
	return list
}

// quoted adds their source lines to the findings of an error.
func (in Inputs) quoted(err error) error {
	var refused *BuildError
	if errors.As(err, &refused) {
		in.quote(refused.Findings)
	}
	return err
}

// source is an input by its name.
func (in Inputs) source(input string) Source {
	owner := inputOwner(input)
	switch input {
	case CommonBundle:
		return in.Common
	case "declared/" + owner:
		return in.Declared[owner]
	}
	return in.Rules[owner]
}
