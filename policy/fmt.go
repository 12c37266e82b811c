package policy

import (
	"bytes"
	"fmt"
	"path"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Formatted is a Rego file of a draft in the one form that all files have.
type Formatted struct {
	File    string
	Text    []byte
	Changed bool
}

// Format formats the Rego files of a draft, with OPA's formatter. What cannot be parsed is a *BuildError.
func (d *Desk) Format() ([]Formatted, error) {
	u := &unit{input: d.input(), found: &findings{}}
	var list []Formatted
	for _, name := range sortedKeys(d.Draft.Files) {
		if path.Ext(name) != ".rego" {
			continue
		}
		text := d.Draft.Files[name]
		if u.parseFile(name, text) == nil {
			continue
		}
		out, err := format.SourceWithOpts(name, text, format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, Formatted{name, out, !bytes.Equal(out, text)})
	}
	return list, d.in.quoted(u.found.err())
}
