package policy

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Limits of the rules of one input: the compiler's time is quadratic in some of them. Common has more rules.
const (
	maxRules       = 500
	maxCommonRules = 2000
	maxExprs       = 200  // of one rule
	maxClauses     = 16   // of one rule, by else
	maxArgs        = 16   // of one function
	maxCalls       = 64   // in one expression
	maxText        = 1024 // bytes of one text
	maxPath        = 200  // bytes of the path of a file
)

// unit is the Rego of one input: what it is called, what its packages are, and what it may refer to.
type unit struct {
	input   string            // "common" or "rules/<j>"
	entries map[string]string // package path of an entry package to the layer's short name
	helpers []string          // package paths of helpers
	tests   string            // package path of tests
	roots   []ast.Ref         // what a rule may refer to under data
	common  bool
	bases   map[string]*documents // of the archetypes, by package path

	modules   map[string]*ast.Module // without tests
	testing   map[string]*ast.Module
	inherited map[*ast.Rule][]inheritance
	found     *findings
}

// exampleRoot is where tests find complete inputs.
var exampleRoot = ast.MustParseRef("data.liaison.example")

func commonUnit(f *findings) *unit {
	return &unit{
		input: "common", common: true, found: f,
		entries: map[string]string{"data.liaison.common.pkg": phasePackage, "data.liaison.common.rcp": phaseRecipient},
		helpers: []string{"data.liaison.lib", "data.liaison.common.lib"}, tests: "data.liaison.common.test",
		roots: []ast.Ref{ast.MustParseRef("data.liaison")},
	}
}

// jurisdictionUnit may name its own root, the library's helpers and the archetypes, and nothing else.
func jurisdictionUnit(j string, f *findings) *unit {
	root := ast.DefaultRootRef.Append(ast.StringTerm("jurisdiction")).Append(ast.StringTerm(j))
	p := func(name string) string { return root.Append(ast.StringTerm(name)).String() }
	return &unit{
		input: "rules/" + j, found: f,
		entries: map[string]string{p("send"): "send", p("receive"): "receive", p("onward"): "onward"},
		helpers: []string{p("lib")}, tests: p("test"),
		roots: []ast.Ref{root, libRoot, archetypeRoot},
	}
}

var libRoot = ast.MustParseRef("data.liaison.lib")

// isEntry reports whether a package is asked, or an archetype of such packages.
func (u *unit) isEntry(pkg ast.Ref) bool {
	_, ok := entryArchetype(pkg)
	return u.entries[pkg.String()] != "" || ok && u.common
}

func (u *unit) isTest(pkg ast.Ref) bool {
	a, ok := archetypeOf(pkg)
	return pkg.String() == u.tests || ok && u.common && a.kind == "test" && len(a.rest) == 0
}

// rootsOf are the roots for one package: an archetype is compiled with the rules of jurisdictions, without the baseline.
func (u *unit) rootsOf(pkg ast.Ref) []ast.Ref {
	if a, ok := archetypeOf(pkg); ok && u.common {
		return []ast.Ref{libRoot, archetypeRoot.Append(ast.StringTerm(a.name))}
	}
	return u.roots
}

// add reports a finding of a file of the unit; loc may be nil.
func (u *unit) add(loc *ast.Location, format string, args ...any) {
	u.report("", loc, format, args...)
}

// report is add with the id of the check that found it.
func (u *unit) report(id string, loc *ast.Location, format string, args ...any) {
	f := Finding{Input: u.input, ID: id, Message: shortened(fmt.Sprintf(format, args...))}
	if loc != nil {
		f.File, f.Line, f.Col = strings.TrimPrefix(loc.File, u.input+"/"), loc.Row, loc.Col
	}
	u.found.list = append(u.found.list, f)
}

// checkSize refuses what is too large to be looked at.
func checkSize(input string, s Source, f *findings) bool {
	total := 0
	for p, b := range s.Files {
		total += len(b)
		if len(b) > MaxFileSize {
			f.add(input, p, 0, "file is larger than %d bytes", MaxFileSize)
		}
		if !cleanPath(p) {
			f.add(input, "", 0, "%.60q: not a clean relative path of at most %d bytes", p, maxPath)
		}
	}
	if len(s.Files) > MaxFiles {
		f.add(input, "", 0, "more than %d files", MaxFiles)
	}
	if total > MaxTotalSize {
		f.add(input, "", 0, "larger than %d bytes in all", MaxTotalSize)
	}
	if s.Status != Sample && s.Status != Authoritative {
		f.add(input, "", 0, "status %q is neither %s nor %s", s.Status, Sample, Authoritative)
	}
	return len(s.Files) <= MaxFiles && total <= MaxTotalSize
}

func cleanPath(p string) bool {
	return p != "" && len(p) <= maxPath && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\\\x00")
}

// parse reads the Rego files of a source, v1 syntax only. Other files must be among the known data files.
func (u *unit) parse(s Source, data ...string) {
	u.modules, u.testing, u.inherited = map[string]*ast.Module{}, map[string]*ast.Module{}, map[*ast.Rule][]inheritance{}
	rules := 0
	for _, p := range s.paths() {
		if path.Ext(p) != ".rego" {
			if !slices.Contains(data, p) {
				u.found.add(u.input, p, 0, "not a file of this input")
			}
			continue
		}
		m := u.parseFile(p, s.Files[p])
		if m == nil {
			continue
		}
		limit := maxRules
		if u.common {
			limit = maxCommonRules
		}
		if rules += len(m.Rules); rules > limit {
			u.found.add(u.input, p, 0, "more than %d rules", limit)
			return
		}
		if !u.checkRuleSizes(m) {
			continue
		}
		u.checkAnnotations(m)
		if u.isTest(m.Package.Path) {
			u.testing[u.input+"/"+p] = m
		} else {
			u.modules[u.input+"/"+p] = m
		}
		u.checkModule(m)
	}
}

// checkRuleSizes refuses rules that are larger than anybody reads.
func (u *unit) checkRuleSizes(m *ast.Module) bool {
	before := len(u.found.list)
	for _, r := range m.Rules {
		clauses, exprs := 0, 0
		for c := r; c != nil; c = c.Else {
			clauses++
		}
		ast.WalkNodes(r, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Expr:
				exprs++
				if calls(x) > maxCalls {
					u.add(x.Location, "more than %d calls in one expression", maxCalls)
					return true
				}
			case *ast.Term:
				if s, ok := x.Value.(ast.String); ok && len(s) > maxText {
					u.add(x.Location, "a text of more than %d bytes", maxText)
				}
				if v, ok := x.Value.(ast.Var); ok && len(v) > maxText {
					u.add(x.Location, "a name of more than %d bytes", maxText)
				}
			}
			return false
		})
		if exprs > maxExprs {
			u.add(r.Location, "a rule of more than %d expressions", maxExprs)
		}
		if clauses > maxClauses {
			u.add(r.Location, "more than %d clauses of one rule", maxClauses)
		}
		if calls(r.Head) > maxCalls {
			u.add(r.Location, "more than %d calls in one expression", maxCalls)
		}
		if len(r.Head.Ref().String()) > maxText {
			u.add(r.Location, "a name of more than %d bytes", maxText)
		}
		if len(r.Head.Args) > maxArgs {
			u.add(r.Location, "more than %d arguments", maxArgs)
		}
	}
	return len(u.found.list) == before
}

// checkAnnotations refuses metadata that would be meant for the compiler: the schema of the input is one.
func (u *unit) checkAnnotations(m *ast.Module) {
	for _, a := range m.Annotations {
		if len(a.Schemas) > 0 || a.Compile != nil {
			u.add(a.Location, "METADATA has no schemas and no compile here: the input has one schema, and rules are compiled in one way")
		}
	}
}

// calls counts the calls in an expression, operators included.
func calls(n ast.Node) int {
	count := 0
	ast.WalkTerms(n, func(t *ast.Term) bool {
		if _, ok := t.Value.(ast.Call); ok {
			count++
		}
		return false
	})
	return count
}

func (u *unit) parseFile(p string, text []byte) *ast.Module {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		u.found.add(u.input, p, 1, "begins with a byte order mark")
		return nil
	}
	if !u.checkText(p, text) {
		return nil
	}
	m, err := ast.ParseModuleWithOpts(u.input+"/"+p, string(text), ast.ParserOptions{
		ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: testCapabilities,
	})
	if err != nil {
		u.addErrors(p, err)
		return nil
	}
	if m == nil {
		u.found.add(u.input, p, 1, "no package")
	}
	return m
}

// addErrors turns errors of the parser, the compiler or a test into findings.
func (u *unit) addErrors(file string, err error) {
	var many ast.Errors
	if !errors.As(err, &many) {
		u.found.add(u.input, file, 0, "%s", err)
		return
	}
	for _, e := range many {
		if e.Location == nil {
			u.found.add(u.input, file, 0, "%s", e.Message)
			continue
		}
		u.report(strings.TrimSuffix(strings.TrimPrefix(e.Code, "rego_"), "_error"), e.Location, "%s", e.Message)
		u.found.list[len(u.found.list)-1].hint(e)
	}
}

// checkModule checks what can be seen without compiling.
func (u *unit) checkModule(m *ast.Module) {
	pkg := m.Package.Path
	entry, test := u.isEntry(pkg), u.isTest(pkg)
	if !entry && !test && !slices.Contains(u.helpers, pkg.String()) {
		u.add(m.Package.Location, "unknown package %s: there are %s", trimData(pkg.String()), u.packageNames())
	}
	scope := u.imports(m, test)
	for _, r := range m.Rules {
		if entry {
			u.checkEntryRule(r)
		}
		if test && strings.Contains(r.Head.Ref().String(), "test_") && (r.Head.RuleKind() != ast.SingleValue || !r.Head.Ref().IsGround() || len(r.Head.Args) > 0) {
			u.add(r.Location, "a test is test_… if …, one for each case")
		}
		u.checkTerms(r, u.rootsOf(pkg), scope, test)
	}
	if !u.common && !test {
		u.inheritances(m, scope)
	}
}

func (u *unit) packageNames() string {
	names := slices.Sorted(maps.Keys(u.entries))
	names = append(append(names, u.helpers...), u.tests)
	for i := range names {
		names[i] = trimData(names[i])
	}
	return strings.Join(names, ", ")
}

func trimData(p string) string { return strings.TrimPrefix(p, "data.") }

// imports checks the imports and returns what each name stands for.
func (u *unit) imports(m *ast.Module, test bool) map[ast.Var]ast.Ref {
	scope := map[ast.Var]ast.Ref{}
	for _, i := range m.Imports {
		ref, ok := i.Path.Value.(ast.Ref)
		if !ok || ast.RegoV1CompatibleRef.Equal(ref) {
			continue
		}
		if roots := u.rootsOf(m.Package.Path); ref.HasPrefix(ast.DefaultRootRef) && !within(ref, roots, test) {
			u.add(i.Location, "import of %s: only %s may be named", ref, rootNames(roots))
		}
		scope[i.Name()] = ref
	}
	return scope
}

func rootNames(roots []ast.Ref) string {
	names := make([]string, len(roots))
	for i, r := range roots {
		names[i] = r.String()
	}
	return strings.Join(names, ", ") + " and input"
}

// within reports whether a reference stays under one of the roots. Tests may name the examples too.
func within(ref ast.Ref, roots []ast.Ref, test bool) bool {
	if test && ref.HasPrefix(exampleRoot) {
		return true
	}
	return slices.ContainsFunc(roots, func(root ast.Ref) bool { return ref.HasPrefix(root) })
}

// checkTerms looks at every term of a rule: references under data, with, single equals signs, numbers, letters.
func (u *unit) checkTerms(r *ast.Rule, roots []ast.Ref, scope map[ast.Var]ast.Ref, test bool) {
	ast.WalkNodes(r, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Expr:
			if len(x.With) > 0 && !test {
				u.add(x.Location, "with is for tests: a rule that changes its own input decides on something else")
			}
			if x.IsCall() && x.Operator().String() == "print" {
				u.add(x.Location, "undefined function print: a policy says what it has to say in codes")
			}
			if x.IsCall() && !test && x.Operator().Equal(ast.Equality.Ref()) {
				u.add(x.Location, "= gives a name a value where it has none, and compares where it has one: write == to compare, := to name")
			}
		case *ast.Term:
			u.checkTerm(x, roots, scope, test)
		}
		return false
	})
}

func (u *unit) checkTerm(t *ast.Term, roots []ast.Ref, scope map[ast.Var]ast.Ref, test bool) {
	switch v := t.Value.(type) {
	case ast.Ref:
		full := expand(v, scope)
		if !full.HasPrefix(ast.DefaultRootRef) {
			return
		}
		if !within(full, roots, test) {
			u.add(t.Location, "%s: only %s may be named", v, rootNames(roots))
		} else if !constantRef(full) {
			u.add(t.Location, "%s: a reference under data must be ground; give the document a name first", v)
		}
	case ast.Var:
		u.checkLetters(t, string(v))
	case ast.String:
		u.checkLetters(t, string(v))
	case ast.Number:
		if n, ok := v.Int64(); !ok || n > unbounded || n < -unbounded {
			u.add(t.Location, "%s is not an integer up to 2^53", v)
		}
	}
}

// checkLetters refuses letters that look like others, and texts that are no codes: no code of the input has either.
func (u *unit) checkLetters(t *ast.Term, s string) {
	for _, c := range s {
		if c > unicode.MaxASCII || c < ' ' {
			u.add(t.Location, "%+q is not ASCII: names and codes are, so that no letter is taken for another", s)
			return
		}
	}
}

// constantRef reports whether every element behind the head is written out: neither a name nor another reference.
func constantRef(ref ast.Ref) bool {
	return !slices.ContainsFunc(ref[1:], func(t *ast.Term) bool { return !ast.IsConstant(t.Value) })
}

// expand replaces an imported name at the head of a reference by what it stands for.
func expand(ref ast.Ref, scope map[ast.Var]ast.Ref) ast.Ref {
	if head, ok := ref[0].Value.(ast.Var); ok {
		if target, ok := scope[head]; ok {
			return target.Concat(ref[1:])
		}
	}
	return ref
}

// checkEntryRule checks the form of a rule in an entry package: allow and the sets, and nothing else.
func (u *unit) checkEntryRule(r *ast.Rule) {
	name := r.Head.Ref().String()
	switch {
	case name == "allow":
		u.checkAllow(r)
	case slices.Contains(sayingKinds, name) || name == "met" && u.entries[r.Module.Package.Path.String()] != "" && u.common:
		if r.Default || r.Head.RuleKind() != ast.MultiValue || r.Head.Key == nil || len(r.Head.Args) > 0 {
			u.add(r.Location, "%s is a set: write %s contains … if …", name, name)
		}
	default:
		u.add(r.Location, "%s has no place in an entry package: there are allow, deny, pend, oblige and advise; helpers go to the package lib", name)
	}
	if r.Else != nil {
		u.add(r.Location, "else has no place in an entry package")
	}
}

func (u *unit) checkAllow(r *ast.Rule) {
	want := !r.Default
	value, ok := ast.Boolean(false), false
	if r.Head.Value != nil {
		value, ok = r.Head.Value.Value.(ast.Boolean)
	}
	if r.Head.RuleKind() != ast.SingleValue || len(r.Head.Args) > 0 || len(r.Head.Ref()) != 1 || !ok || bool(value) != want {
		u.add(r.Location, "allow is written default allow := false and allow if …, and is nothing but true or false")
	}
}

// checkDefaults refuses an entry package without default allow := false, or with two.
func (u *unit) checkDefaults() {
	defaults, seen := map[string]int{}, map[string]*ast.Location{}
	for _, p := range slices.Sorted(maps.Keys(u.modules)) {
		m := u.modules[p]
		pkg := m.Package.Path.String()
		if !u.isEntry(m.Package.Path) {
			continue
		}
		seen[pkg] = m.Package.Location
		for _, r := range m.Rules {
			if r.Default && r.Head.Ref().String() == "allow" {
				defaults[pkg]++
			}
		}
	}
	for pkg, loc := range seen {
		if defaults[pkg] != 1 {
			u.add(loc, "package %s needs default allow := false exactly once", trimData(pkg))
		}
	}
}
