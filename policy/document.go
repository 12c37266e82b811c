package policy

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// documents are the texts of one layer, by kind and code, and of its baseline rules by id.
type documents struct {
	codes map[string]*document
	rules map[string]*ruleDocument
}

// ruleDocument is what a baseline rule says when it is required and not met.
type ruleDocument struct {
	code string
	*document
}

func docKey(kind, code string) string { return kind + " " + code }

// languages: a text has to be there in this one; others may be.
const mandatoryLanguage = "en"

// documents reads the metadata of all rules of an entry package.
func (u *unit) documents(pkg string, reg *registry) *documents {
	d := &documents{codes: map[string]*document{}, rules: map[string]*ruleDocument{}}
	for _, file := range sortedKeys(u.modules) {
		m := u.modules[file]
		if m.Package.Path.String() != pkg {
			continue
		}
		for _, r := range m.Rules {
			if name := r.Head.Ref().String(); name == "met" || slices.Contains(sayingKinds, name) {
				u.document(d, name, r, reg)
			}
		}
	}
	u.inheritedDocuments(d, pkg)
	return d
}

// inheritedDocuments adds the texts of what the package inherits. An own text of an obligation stands before an
// inherited one; a reason that both could give would hide which rule gave it.
func (u *unit) inheritedDocuments(d *documents, pkg string) {
	own := maps.Clone(d.codes)
	for r, list := range u.inherited {
		if r.Module.Package.Path.String() != pkg {
			continue
		}
		for _, i := range list {
			for key, doc := range u.bases[i.pkg()].codes {
				kind, code, _ := strings.Cut(key, " ")
				if kind != i.part {
					continue
				}
				if mine := own[key]; mine == nil {
					d.codes[key] = doc
				} else if kind != kindOblige {
					u.add(r.Location, "%s %s is said here by rule %s and in the archetype by rule %s: which of them it was could not be told; use another code", kind, code, mine.Rule, doc.Rule)
				}
			}
		}
	}
}

// document adds the metadata of one rule, and checks that the codes that it names are known and have a text.
func (u *unit) document(d *documents, kind string, r *ast.Rule, reg *registry) {
	custom := customOf(r)
	constant, literal := constantCode(r.Head.Key)
	if kind == "met" {
		u.metDocument(d, r, custom, constant, reg)
		return
	}
	for code, doc := range u.codeDocuments(custom, constant) {
		if def := reg.Codes[code]; def == nil || def.Kind != kind {
			u.add(r.Location, "%s is not a code of kind %s", code, kind)
			continue
		}
		u.checkDocument(r, kind, code, doc)
		switch first := d.codes[docKey(kind, code)]; {
		case first == nil:
			d.codes[docKey(kind, code)] = doc
		case kind != kindOblige && first.Rule != doc.Rule && !u.common:
			u.add(r.Location, "%s %s is said by rule %s and by rule %s: which of them it was could not be told; use another code", kind, code, first.Rule, doc.Rule)
		}
	}
	switch {
	case literal && d.codes[docKey(kind, constant)] == nil:
		if def := reg.Codes[constant]; def == nil || def.Kind != kind {
			u.add(r.Location, "%s is not a code of kind %s", constant, kind)
		} else {
			u.add(r.Location, "code %s has no metadata: custom.code, custom.text.en and custom.source are needed", constant)
		}
	case !literal && custom == nil && len(d.codes) == 0 && len(u.inherited[r]) == 0:
		u.add(r.Location, "a computed code needs metadata: custom.codes lists what it can be, with texts")
	}
}

func (u *unit) metDocument(d *documents, r *ast.Rule, custom map[string]any, id string, reg *registry) {
	if _, ok := reg.Rules[id]; !ok {
		u.add(r.Location, "met contains an id that the registry does not have: %q", id)
		return
	}
	if custom == nil {
		if d.rules[id] == nil {
			u.add(r.Location, "rule %s has no metadata", id)
		}
		return
	}
	code, _ := custom["code"].(string)
	doc := readDocument(custom)
	if def := reg.Codes[code]; def == nil || def.Kind != kindDeny {
		u.add(r.Location, "%s is not a code of kind deny", code)
	}
	u.checkDocument(r, kindDeny, code, doc)
	d.rules[id] = &ruleDocument{code: code, document: doc}
}

// codeDocuments reads custom.codes (a text for each code) or custom.code.
func (u *unit) codeDocuments(custom map[string]any, constant string) map[string]*document {
	docs := map[string]*document{}
	if custom == nil {
		return docs
	}
	base := readDocument(custom)
	if many, ok := custom["codes"].(map[string]any); ok {
		for code, v := range many {
			one, _ := v.(map[string]any)
			doc := readDocument(one)
			doc.Rule, doc.Source, doc.Evidence = base.Rule, base.Source, base.Evidence
			docs[code] = doc
		}
		return docs
	}
	if code, ok := custom["code"].(string); ok {
		docs[code] = base
	} else if constant != "" {
		docs[constant] = base
	}
	return docs
}

// evidences say how far the fact behind a rule of the baseline was checked: the legal text was read (V), a page that
// states it was read (S), it is background knowledge that nobody has checked yet (K), or a proposal of this project (P).
var evidences = []string{"V", "S", "K", "P"}

var nationalRuleID = regexp.MustCompile(`^[a-z0-9-]{2,32}-[A-Za-z0-9.-]{1,24}$`)

func (u *unit) checkDocument(r *ast.Rule, kind, code string, doc *document) {
	if doc.Text[mandatoryLanguage] == "" {
		u.add(r.Location, "%s has no custom.text.en", code)
	}
	if doc.Source == "" {
		u.add(r.Location, "%s has no custom.source", code)
	}
	if kind == kindDeny && doc.Fix[mandatoryLanguage] == "" {
		u.add(r.Location, "%s denies and has no custom.fix.en", code)
	}
	archetype, ok := entryArchetype(r.Module.Package.Path)
	if ok && u.common && (!nationalRuleID.MatchString(doc.Rule) || !strings.HasPrefix(doc.Rule, archetype.rulePrefix())) {
		u.add(r.Location, "rule id %q does not begin with %s", doc.Rule, archetype.rulePrefix())
	}
	if u.common && !ok && !slices.Contains(evidences, doc.Evidence) {
		u.add(r.Location, "%s has no custom.evidence: one of %v", code, evidences)
	}
	j := strings.TrimPrefix(u.input, "rules/")
	if !u.common && doc.Rule != "" && (!nationalRuleID.MatchString(doc.Rule) || !strings.HasPrefix(doc.Rule, j+"-")) {
		u.add(r.Location, "rule id %q does not begin with %s-", doc.Rule, j)
	}
}

func customOf(r *ast.Rule) map[string]any {
	for _, a := range r.Annotations {
		if a.Scope == "rule" || a.Scope == "document" {
			return a.Custom
		}
	}
	return nil
}

func readDocument(custom map[string]any) *document {
	d := &document{Text: map[string]string{}, Fix: map[string]string{}}
	readTexts(d.Text, custom["text"])
	readTexts(d.Fix, custom["fix"])
	d.Source, _ = custom["source"].(string)
	d.Rule, _ = custom["rule"].(string)
	d.Evidence, _ = custom["evidence"].(string)
	return d
}

func readTexts(into map[string]string, v any) {
	m, _ := v.(map[string]any)
	for lang, t := range m {
		if s, ok := t.(string); ok {
			into[lang] = strings.TrimSpace(s)
		}
	}
}

// constantCode returns the code that the head of a set rule names, when it is written there.
func constantCode(key *ast.Term) (string, bool) {
	if key == nil {
		return "", false
	}
	switch v := key.Value.(type) {
	case ast.String:
		return string(v), true
	case ast.Object:
		if t := v.Get(codeKey); t != nil {
			if s, ok := t.Value.(ast.String); ok {
				return string(s), true
			}
		}
	}
	return "", false
}
