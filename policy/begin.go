package policy

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

//go:embed start
var startFiles embed.FS

// Start says how a policy begins.
type Start struct {
	Jurisdiction string
	Archetype    string // one of Archetypes; empty: led_state
	Declared     []byte // declared.json as it is already; nil: placeholders
}

// beginnings are what differs between the archetypes: is the jurisdiction bound by LED, and what is its agency?
var beginnings = map[string]struct {
	bound      bool
	kind, unit string
}{
	"led_state":                  {true, "state", "spoc"},
	"adequate_state":             {false, "state", "spoc"},
	"treaty_state":               {false, "state", "spoc"},
	"third_state":                {false, "state", "spoc"},
	"eu_agency":                  {true, "organisation", "eu_agency"},
	"international_organisation": {false, "organisation", "intl_org"},
	"advisory_mission":           {true, "organisation", "advisory_mission"},
}

// Archetypes are the archetypes of common that a policy can begin with.
func Archetypes(in Inputs) []string {
	return slices.DeleteFunc(sortedKeys(beginnings), func(a string) bool {
		return in.Common.Files["archetype/"+a+"/send.rego"] == nil
	})
}

// Begin makes the files of an author's directory, README.md among them. What it makes is activated as it is.
func Begin(s Start, in Inputs) (map[string][]byte, error) {
	if s.Archetype == "" {
		s.Archetype = "led_state"
	}
	if !jurisdictionForm.MatchString(s.Jurisdiction) || s.Jurisdiction == CommonBundle {
		return nil, fmt.Errorf("%.40q is no jurisdiction: a country is its two letters, such as fi, an organisation a word of a-z, 0-9 and -", s.Jurisdiction)
	}
	if !slices.Contains(Archetypes(in), s.Archetype) {
		return nil, fmt.Errorf("no archetype %.40q: there are %s", s.Archetype, strings.Join(Archetypes(in), ", "))
	}
	if s.Declared == nil {
		s.Declared = placeholders(s)
	}
	d, err := ParseDeclared(s.Declared)
	if err != nil {
		return nil, err
	}
	if d.Jurisdiction != s.Jurisdiction {
		return nil, fmt.Errorf("what is declared is of %s, not of %s", d.Jurisdiction, s.Jurisdiction)
	}
	files := map[string][]byte{declaredFile: s.Declared}
	words := s.words(&d)
	for from, to := range map[string]string{"send.rego": "send.rego", "receive.rego": "receive.rego", "onward.rego": "onward.rego",
		"lib.rego": "lib.rego", "test.rego": s.Jurisdiction + "_test.rego", "README.md": "README.md"} {
		text, err := startFiles.ReadFile("start/" + from)
		if err != nil {
			return nil, err
		}
		out := []byte(words.Replace(string(text)))
		if strings.HasSuffix(to, ".rego") {
			if out, err = format.SourceWithOpts(to, out, format.Opts{RegoVersion: ast.RegoV1}); err != nil {
				return nil, err
			}
		}
		files[to] = out
	}
	return files, nil
}

func (s *Start) words(d *Declared) *strings.Replacer {
	root := ast.DefaultRootRef.Append(ast.StringTerm("jurisdiction")).Append(ast.StringTerm(s.Jurisdiction))
	languages := make([]string, len(d.Languages))
	for i, l := range d.Languages {
		languages[i] = strconv.Quote(l)
	}
	slices.Sort(languages)
	return strings.NewReplacer(
		"data.PACKAGE", root.String(), "PACKAGE", trimData(root.String()), "JURISDICTION", s.Jurisdiction,
		"NAME", plainName(d.Name), "ARCHETYPE", s.Archetype, "BOUND", strconv.FormatBool(beginnings[s.Archetype].bound),
		"LANGUAGES", strings.Join(languages, ", "), "LANGUAGE", d.Languages[len(d.Languages)-1],
	)
}

// plainName keeps of a name what can stand anywhere in a comment that is read as YAML.
func plainName(name string) string {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("-.,()/", r) {
			return r
		}
		return ' '
	}, name)
	kept = strings.TrimLeftFunc(kept, func(r rune) bool { return !unicode.IsLetter(r) })
	return cmp.Or(strings.Join(strings.Fields(kept), " "), "this jurisdiction")
}

// placeholders is a declaration that can be corrected.
func placeholders(s Start) []byte {
	b := beginnings[s.Archetype]
	id := s.Jurisdiction + "/unit"
	return indented(&Declared{
		V: 1, Jurisdiction: s.Jurisdiction, Name: strings.ToUpper(s.Jurisdiction), Kind: b.kind, TimeZone: "UTC", Languages: []string{"en"}, ContactPoint: id,
		Agencies: []DeclaredAgency{{ID: id, Name: "Unit of " + strings.ToUpper(s.Jurisdiction), Type: b.unit, Competences: slices.Clone(allPurposes), Roles: []string{"unit", "dpo", "policy"}}},
		Instruments: []Instrument{{ID: s.Jurisdiction + "-police-act", Kind: "law", Title: "Police Act (to be replaced)", From: "2000-01-01", Until: endless,
			With: []string{}, Bases: []string{}}},
		Assurances: []DeclaredAssurance{},
	})
}

// indented is a declared.json as it is begun.
func indented(d *Declared) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d); err != nil {
		panic(err) // plain data
	}
	return b.Bytes()
}
