package policy

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed library jurisdictions
var embedded embed.FS

// Samples are the embedded inputs: the common library, and the sample jurisdictions (declared data and rules), which
// are written by this project and are nobody's law. Each call returns its own maps; the file contents are shared and
// must not be changed.
func Samples() Inputs {
	in := Inputs{Common: mustSource("library", Authoritative), Declared: map[string]Source{}, Rules: map[string]Source{}, AllowSamples: true}
	dirs, err := fs.ReadDir(embedded, "jurisdictions")
	if err != nil {
		panic(err) // embedded in this very binary
	}
	for _, d := range dirs {
		in.Declared[d.Name()], in.Rules[d.Name()] = split(mustSource("jurisdictions/"+d.Name(), Sample))
	}
	return in
}

func mustSource(dir, status string) Source {
	s, err := SourceFS(embedded, dir, status, 1)
	if err != nil {
		panic(err) // embedded in this very binary
	}
	return s
}

// readmeFile is for people, and part of no input.
const readmeFile = "README.md"

// split parts a jurisdiction's directory into what is declared and the rules.
func split(s Source) (declared, rules Source) {
	declared, rules = s, s
	declared.Files, rules.Files = map[string][]byte{}, map[string][]byte{}
	for p, b := range s.Files {
		switch {
		case p == readmeFile: // for people
		case strings.HasSuffix(p, ".rego"):
			rules.Files[p] = b
		default:
			declared.Files[p] = b
		}
	}
	return declared, rules
}
