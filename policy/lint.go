package policy

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Check is one thing that a policy is checked for.
type Check struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Why      string `json:"why"`
	Fix      string `json:"fix"`

	run func(*linting)
}

// refusals are the checks of Build: what they find is not activated.
var refusals = []Check{
	{ID: "parse", Why: "What is no Rego v1 cannot be understood.", Fix: "Mend the syntax at the caret."},
	{ID: "type", Why: "A condition on a member that the input does not have, or on another type, never holds.", Fix: "Use a member of policy/schema/input.json, and compare it with a value of its type."},
	{ID: "compile", Why: "Rules that contradict each other, unused imports and variables, or calls that are not allowed.", Fix: "Do what the message says; what may be called is in docs/policy.md."},
	{ID: "unsafe_var", Why: "A name that nothing gives a value.", Fix: "Give it a value before it is used, or write some x in …."},
	{ID: "recursion", Why: "A rule that needs itself never ends.", Fix: "Take the rule out of its own conditions."},
	{ID: contractCheck, Why: "Packages, rule names, codes and texts are those of the contract, so that a slip never permits anything.", Fix: "Do what the message says; the contract is in docs/policy.md."},
	{ID: "test", Why: "A policy whose own tests fail is not what its author believes.", Fix: "liaison policy test DIR says which condition failed."},
}

// lints are the checks of what would be activated and is probably not meant.
var lints = []Check{
	{"layer-missing", SeverityWarning, "Where a jurisdiction has no rules, everything is refused.", "Write the package, with default allow := false.", (*linting).layerMissing},
	{"metadata-missing", SeverityWarning, "The handbook shows a rule by its title; one without is a hole in it.", "Write # METADATA and # title: … above it.", (*linting).metadataMissing},
	{"fix-missing", SeverityWarning, "Who is told of a code wants to know what to do now.", "Add custom.fix.en to its METADATA.", (*linting).fixMissing},
	{"language-missing", SeverityWarning, "A language that some texts have and others do not leaves its readers alone half way.", "Add the text in that language, or take the language out.", (*linting).languageMissing},
	{"text-number", SeverityWarning, "A text that states a number which the rule does not look at promises something else than is done.", "Make the text and the rule say the same.", (*linting).textNumber},
	{"unused-helper", SeverityWarning, "What nobody uses is read, tested and believed for nothing.", "Take it out, or use it.", (*linting).unusedHelper},
	{"duplicate-rule", SeverityWarning, "The same rule twice: one of them was meant to be another.", "Take one out.", (*linting).duplicateRule},
	{"unreachable-rule", SeverityWarning, "Conditions that exclude each other never hold together.", "Split the rule in two, or mend the condition.", (*linting).unreachable},
	{"no-effect", SeverityWarning, "Rules of a jurisdiction can only be stricter than common: what is looser does nothing, and whoever reads it believes otherwise.", "Make it stricter than common, or take it out.", (*linting).noEffect},
	{"tests-missing", SeverityWarning, "Without tests nobody knows what a change does.", "Write rules named test_… into the package that ends in .test.", (*linting).testsMissing},
	{"rule-not-tested", SeverityWarning, "A rule that no test makes say anything may be wrong in any way.", "Write a test in which it holds.", (*linting).notTested},
	{"declared-lapsed", SeverityWarning, "What is no longer in force opens nothing.", "Take it out, or give it its new date.", (*linting).lapsed},
	{"declared-one-sided", SeverityWarning, "A treaty counts once both parties declare it.", "Ask the other side to declare the same id, or correct the id.", (*linting).oneSided},
	{"facts-missing", SeverityWarning, "Of whom common has no dated facts, it knows the strictest: not bound by LED, not adequate, of the lowest tier.", "Ask whoever keeps common to add what is known to facts.json, with its source.", (*linting).factsMissing},
	{"format", SeverityWarning, "One form for all, so that a difference is a change.", "liaison policy fmt --write DIR", (*linting).formatted},
}

// Checks lists all checks, those that refuse first.
func Checks() []Check {
	list := slices.Concat(refusals, lints)
	for i := range refusals {
		list[i].Severity = SeverityError
	}
	return list
}

// linting looks at a draft that would be activated.
type linting struct {
	*parsed
	desk  *Desk
	tests *TestReport
	check *Check
}

// Check returns everything that Build refuses in the draft; if that is nothing, what the lints find.
func (d *Desk) Check(ctx context.Context) ([]Finding, error) {
	_, err := Build(d.alone())
	if err != nil {
		return foundIn(err)
	}
	return d.lint(ctx)
}

// lint returns what the lints find in a draft that Build takes.
func (d *Desk) lint(ctx context.Context) ([]Finding, error) {
	p, err := d.parse()
	if err != nil {
		return foundIn(err)
	}
	tests, err := d.Test(ctx, nil)
	if err != nil {
		return foundIn(err)
	}
	l := &linting{parsed: p, desk: d, tests: tests}
	for i := range lints {
		l.check = &lints[i]
		l.check.run(l)
	}
	found := sortFindings(p.found.list)
	d.in.quote(found)
	return found, nil
}

// foundIn takes the findings out of an error; any other error it returns.
func foundIn(err error) ([]Finding, error) {
	if refused, ok := err.(*BuildError); ok { //nolint:errorlint // Build and parse do not wrap it
		return refused.Findings, nil
	}
	return nil, err
}

// at reports a finding of the check that runs.
func (l *linting) at(loc *ast.Location, format string, args ...any) {
	l.report(l.check.ID, loc, format, args...)
	f := &l.found.list[len(l.found.list)-1]
	f.Severity, f.Fix = l.check.Severity, l.check.Fix
}

// atDeclared is at for a value in declared.json.
func (l *linting) atDeclared(value, format string, args ...any) {
	j := l.desk.Draft.Jurisdiction
	f := Finding{Input: "declared/" + j, File: declaredFile, ID: l.check.ID, Severity: l.check.Severity, Fix: l.check.Fix, Message: fmt.Sprintf(format, args...)}
	f.Line, f.Col = (&placed{value: value}).place(l.desk.Draft.Files[declaredFile])
	l.found.list = append(l.found.list, f)
}

// sayings are the rules of entry packages that say a code.
func (l *linting) sayings() []*ast.Rule {
	return slices.DeleteFunc(l.rules(), func(r *ast.Rule) bool {
		return !l.isEntry(r.Module.Package.Path) || !slices.Contains(sayingKinds, r.Head.Ref().String())
	})
}

func (l *linting) layerMissing() {
	if l.common {
		return
	}
	for _, pkg := range sortedKeys(l.entries) {
		if !slices.ContainsFunc(l.rules(), func(r *ast.Rule) bool { return r.Module.Package.Path.String() == pkg }) {
			l.at(nil, "there is no package %s: whenever it is asked, the answer is no", trimData(pkg))
		}
	}
}

func (l *linting) metadataMissing() {
	for _, file := range sortedKeys(l.modules) {
		m := l.modules[file]
		if !slices.ContainsFunc(m.Annotations, func(a *ast.Annotations) bool { return a.Scope == "package" && a.Title != "" }) {
			l.at(m.Package.Location, "package %s has no title", trimData(m.Package.Path.String()))
		}
	}
	titled := map[string]bool{}
	for _, r := range l.rules() {
		for _, a := range r.Annotations {
			titled[refOf(r)] = titled[refOf(r)] || a.Title != ""
		}
	}
	for _, r := range l.rules() {
		helper := !l.isEntry(r.Module.Package.Path)
		switch {
		case helper && !titled[refOf(r)]:
			l.at(r.Location, "%s has no title", r.Head.Ref())
			titled[refOf(r)] = true
		case !helper && customOf(r) != nil && !slices.ContainsFunc(r.Annotations, func(a *ast.Annotations) bool { return a.Title != "" }):
			l.at(r.Location, "%s has no title", headText(r))
		}
	}
}

func refOf(r *ast.Rule) string {
	return r.Module.Package.Path.String() + " " + r.Head.Ref().String()
}

// codeDocs are the texts of a rule, by code.
func codeDocs(u *unit, r *ast.Rule) map[string]*document {
	constant, _ := constantCode(r.Head.Key)
	return u.codeDocuments(customOf(r), constant)
}

func (l *linting) fixMissing() {
	for _, r := range l.sayings() {
		kind := r.Head.Ref().String()
		if kind != kindPend && kind != kindAdvise { // of a denial it is an error, and an obligation says itself what to do
			continue
		}
		docs := codeDocs(l.unit, r)
		for _, code := range sortedKeys(docs) {
			if docs[code].Fix[mandatoryLanguage] == "" {
				l.at(r.Location, "%s %s does not say what to do", kind, code)
			}
		}
	}
}

func (l *linting) languageMissing() {
	languages := map[string]bool{}
	for _, r := range l.sayings() {
		for _, doc := range codeDocs(l.unit, r) {
			for lang := range doc.Text {
				languages[lang] = true
			}
			for lang := range doc.Fix {
				languages[lang] = true
			}
		}
	}
	for _, r := range l.sayings() {
		docs := codeDocs(l.unit, r)
		for _, code := range sortedKeys(docs) {
			for _, lang := range slices.Sorted(maps.Keys(languages)) {
				if docs[code].Text[lang] == "" {
					l.at(r.Location, "%s has no text in %q, which other rules have", code, lang)
				} else if len(docs[code].Fix) > 0 && docs[code].Fix[lang] == "" {
					l.at(r.Location, "%s has no fix in %q, which other rules have", code, lang)
				}
			}
		}
	}
}

// statedNumber finds the numbers of a text, with the unit behind them. Articles and names of laws are none.
var statedNumber = regexp.MustCompile(`(?i)(\bart(?:icle)?s?\.?\s+|§\s*|[0-9/.]|\bno\.?\s+|\(eu\)\s+|-)?\b(\d+(?:[/.:]\d+)*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)\b(?:[ -](year|month|week|day|hour)s?\b)?`)

var numberWords = map[string]int{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12}

func (l *linting) textNumber() {
	for _, r := range l.sayings() {
		docs := codeDocs(l.unit, r)
		if len(l.inheritedBy(r)) > 0 {
			continue
		}
		for _, code := range sortedKeys(docs) {
			for _, m := range statedNumber.FindAllStringSubmatch(docs[code].Text[mandatoryLanguage], -1) {
				n, unit, ok := stated(m)
				if ok && !l.looksAt(r, n, unit) {
					l.at(r.Location, "the text of %s says %s, and the rule does not look at that number", code, strings.TrimSpace(m[2]+" "+m[3]))
				}
			}
		}
	}
}

// stated reads a match of statedNumber. A year, an article and the name of a law are none; a word is one with its unit.
func stated(m []string) (n int, unit string, ok bool) {
	number, unit := strings.ToLower(m[2]), strings.ToLower(m[3])
	if n, ok = numberWords[number]; ok {
		return n, unit, m[1] == "" && unit != ""
	}
	n, err := strconv.Atoi(number)
	return n, unit, m[1] == "" && err == nil && n < 1900
}

// looksAt reports whether a number, in any of its units, stands in a rule or in what the rule refers to.
func (l *linting) looksAt(r *ast.Rule, n int, unit string) bool {
	days := map[string][2]int{"year": {365 * n, 366*n + 1}, "month": {28 * n, 31 * n}, "week": {7 * n, 7 * n}, "day": {n, n}, "hour": {n, n}}[unit]
	for k := range l.numbers(r, map[*ast.Rule]bool{}) {
		if k == n || k == n-1 || k == n+1 || unit == "day" && k == 24*n || unit == "year" && k == 12*n ||
			unit != "" && days[0]-1 <= k && k <= days[1]+1 {
			return true
		}
	}
	return false
}

// impliedNumbers are what names of the input mean without saying it.
var impliedNumbers = map[string]int{"minors": 18} // a minor is a person under 18

var digits = regexp.MustCompile(`\d+`)

// numbers are all numbers that a rule and its helpers name, those in the names of members and codes too.
func (l *linting) numbers(r *ast.Rule, seen map[*ast.Rule]bool) map[int]bool {
	found := map[int]bool{}
	if seen[r] {
		return found
	}
	seen[r] = true
	ast.WalkTerms(r, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Number:
			if i, ok := v.Int(); ok {
				found[i] = true
			}
		case ast.String:
			if n, ok := impliedNumbers[string(v)]; ok {
				found[n] = true
			}
			for _, s := range digits.FindAllString(string(v), -1) {
				i, _ := strconv.Atoi(s)
				found[i] = true
			}
		case ast.Ref:
			for _, h := range l.named(v, r.Module) {
				maps.Copy(found, l.numbers(h, seen))
			}
		}
		return false
	})
	return found
}

// named are the helpers that a reference names.
func (l *linting) named(ref ast.Ref, m *ast.Module) []*ast.Rule {
	full := expand(ref, scopeOf(m))
	if !full.HasPrefix(ast.DefaultRootRef) && len(ref) > 0 {
		full = m.Package.Path.Append(ast.StringTerm(ref[0].String()))
	}
	var list []*ast.Rule
	for _, other := range l.all {
		for _, h := range other.Rules {
			if full.HasPrefix(other.Package.Path.Extend(h.Head.Ref())) {
				list = append(list, h)
			}
		}
	}
	return list
}

func (l *linting) unusedHelper() {
	used := map[string]bool{}
	for _, modules := range []map[string]*ast.Module{l.modules, l.testing} {
		for _, m := range modules {
			for _, r := range m.Rules {
				l.noteUsed(r, m, used)
			}
		}
	}
	for _, r := range l.rules() {
		if l.isEntry(r.Module.Package.Path) || used[refOf(r)] || l.common && r.Module.Package.Path.Equal(libRoot) {
			continue
		}
		used[refOf(r)] = true // once
		l.at(r.Location, "nobody uses %s", r.Head.Ref())
	}
}

// noteUsed notes the helpers that a rule names, itself not among them.
func (l *linting) noteUsed(r *ast.Rule, m *ast.Module, used map[string]bool) {
	ast.WalkTerms(r, func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		if v, isVar := t.Value.(ast.Var); isVar {
			ref, ok = ast.Ref{ast.NewTerm(v)}, true
		}
		if ok {
			for _, h := range l.named(ref, m) {
				if refOf(h) != refOf(r) {
					used[refOf(h)] = true
				}
			}
		}
		return false
	})
}

func (l *linting) duplicateRule() {
	seen := map[string]*ast.Rule{}
	for _, r := range l.rules() {
		key := refOf(r) + "\n" + r.Head.String() + "\n" + r.Body.String()
		if first := seen[key]; first != nil {
			l.at(r.Location, "the same rule stands in %s, line %d", l.file(first.Location.File), first.Location.Row)
			continue
		}
		seen[key] = r
	}
}

// given are the conditions under which a package is asked at all.
func (l *linting) given(r *ast.Rule) []atom {
	j := []ast.Value{ast.String(l.desk.Draft.Jurisdiction)}
	switch l.entries[r.Module.Package.Path.String()] {
	case "send":
		return []atom{{path: "input.sender.jurisdiction", kind: atomIn, values: j}}
	case "receive":
		return []atom{{path: "input.recipient.jurisdiction", kind: atomIn, values: j}}
	case "onward":
		return []atom{
			{path: "input.sender.jurisdiction", kind: atomNotIn, values: j},
			{path: "input.recipient.jurisdiction", kind: atomNotIn, values: j},
		}
	}
	return nil
}

func (l *linting) unreachable() {
	for _, r := range l.rules() {
		if r.Default {
			continue
		}
		own := conjunction(r, scopeOf(r.Module))
		a, b := contradiction(append(own, l.given(r)...))
		switch {
		case a == nil && !falsehood(r):
		case a == nil:
			l.at(r.Location, "%s never holds: a condition is false", headText(r))
		case b.loc == nil:
			l.at(a.loc, "%s never holds: this package is asked only where %s", headText(r), l.givenWords(b))
		default:
			l.at(b.loc, "%s never holds: this contradicts line %d", headText(r), a.loc.Row)
		}
	}
}

// falsehood: false is written out.
func falsehood(r *ast.Rule) bool {
	return slices.ContainsFunc(r.Body, func(e *ast.Expr) bool {
		t, ok := e.Terms.(*ast.Term)
		return ok && !e.Negated && t.Value.Compare(ast.Boolean(false)) == 0
	})
}

func (l *linting) givenWords(a *atom) string {
	verb := "is"
	if a.kind == atomNotIn {
		verb = "is not"
	}
	return fmt.Sprintf("%s %s %s", a.path, verb, a.values[0])
}

func (l *linting) noEffect() {
	if l.common {
		return
	}
	refused := l.refusedByCommon()
	for _, r := range l.rules() {
		name := r.Head.Ref().String()
		if r.Default || !l.isEntry(r.Module.Package.Path) || name != kindDeny && name != "allow" {
			continue
		}
		own := append(conjunction(r, scopeOf(r.Module)), l.given(r)...)
		for _, c := range refused {
			if !covers(c.when, own) {
				continue
			}
			if name == "allow" {
				l.at(r.Location, "allow has no effect here: common refuses it by rule %s, whatever a jurisdiction allows", c.rule)
			} else {
				l.at(r.Location, "%s has no effect: common refuses all of it by rule %s already", headText(r), c.rule)
			}
			break
		}
	}
	l.looserObligations()
}

// looserObligations finds obligations with more days or hours than common, or the archetype, has for the same code.
func (l *linting) looserObligations() {
	least := map[string]*ast.Rule{}
	limit := func(r *ast.Rule) map[string]int { return l.limits(r) }
	for _, m := range l.base.modules {
		for _, r := range m.Rules {
			for key, n := range limit(r) {
				if first := least[key]; first == nil || n < limit(first)[key] {
					least[key] = r
				}
			}
		}
	}
	for _, r := range l.sayings() {
		for key, n := range limit(r) {
			base := least[key]
			if base == nil || n <= limit(base)[key] || !l.binds(base) {
				continue
			}
			code, param, _ := strings.Cut(key, " ")
			l.at(r.Location, "%s with %d %s loosens nothing: %s says %d (%s:%d), and the least of both holds where both apply",
				code, n, param, trimData(base.Module.Package.Path.String()), limit(base)[key], base.Location.File, base.Location.Row)
		}
	}
}

// binds reports whether what common's rule says reaches this jurisdiction: the baseline, or an archetype that it inherits.
func (l *linting) binds(base *ast.Rule) bool {
	pkg := base.Module.Package.Path.String()
	if l.base.entries[pkg] != "" {
		return true
	}
	for _, list := range l.inherited {
		if slices.ContainsFunc(list, func(i inheritance) bool { return i.pkg() == pkg }) {
			return true
		}
	}
	return false
}

// limits are the constant days and hours of an obligation, by code and parameter.
func (l *linting) limits(r *ast.Rule) map[string]int {
	code, ok := constantCode(r.Head.Key)
	def := l.set.registry.Codes[code]
	if !ok || def == nil || r.Head.Ref().String() != kindOblige {
		return nil
	}
	params, ok := paramsOf(r.Head.Key.Value)
	if !ok {
		return nil
	}
	limits := map[string]int{}
	for name, kind := range def.Params {
		t := params.Get(ast.StringTerm(name))
		if t == nil || kind != paramDays && kind != paramHours {
			continue
		}
		if n, isNumber := t.Value.(ast.Number); isNumber {
			if i, whole := n.Int(); whole {
				limits[code+" "+name] = i
			}
		}
	}
	return limits
}

func (l *linting) testsMissing() {
	if len(l.tests.Tests) == 0 && len(l.modules) > 0 {
		l.at(nil, "there is no test")
	}
}

func (l *linting) notTested() {
	if len(l.tests.Tests) == 0 {
		return
	}
	missed := map[string]map[int]bool{}
	for _, f := range l.tests.Coverage.Files {
		missed[f.File] = map[int]bool{}
		for _, line := range f.Uncovered {
			missed[f.File][line.Line] = true
		}
	}
	for _, r := range l.rules() {
		inherits := len(l.inheritedBy(r)) > 0 && r.Head.Ref().String() != "allow"
		if !r.Default && !inherits && missed[l.file(r.Location.File)][r.Head.Location.Row] {
			l.at(r.Location, "no test makes %s hold", headText(r))
		}
	}
}

// inheritedBy is what a rule takes from an archetype.
func (l *linting) inheritedBy(r *ast.Rule) []inheritance { return l.inherited[r] }

func (l *linting) formatted() {
	files, err := l.desk.Format()
	if err != nil {
		return // what cannot be parsed is found before
	}
	for _, f := range files {
		if f.Changed {
			l.found.list = append(l.found.list, Finding{Input: l.input, File: f.File, ID: l.check.ID, Severity: l.check.Severity, Message: "not formatted", Fix: l.check.Fix})
		}
	}
}

func (l *linting) lapsed() {
	d := l.set.declared[l.desk.Draft.Jurisdiction]
	if d == nil {
		return
	}
	for _, i := range d.Instruments {
		if i.Until < l.desk.Today {
			l.atDeclared(i.ID, "%s %s ended on %s", i.Kind, i.ID, i.Until)
		}
	}
	for _, a := range d.Assurances {
		if a.Until < l.desk.Today {
			l.atDeclared(a.Code, "assurance %s ended on %s", a.Code, a.Until)
		}
	}
}

func (l *linting) oneSided() {
	d := l.set.declared[l.desk.Draft.Jurisdiction]
	if d == nil {
		return
	}
	for _, i := range d.Instruments {
		for _, j := range i.With {
			other := l.set.declared[j]
			if i.Kind != "treaty" || other == nil {
				continue
			}
			if _, union := l.set.facts.treaty(j, i.ID); union {
				continue // its parties count as those that declare it
			}
			if theirs, ok := other.instrument(i.ID); !ok || theirs.Kind != i.Kind || !slices.Contains(theirs.With, d.Jurisdiction) {
				l.atDeclared(i.ID, "%s does not declare %s with %s: it carries nothing between them", j, i.ID, d.Jurisdiction)
			}
		}
	}
}

func (l *linting) factsMissing() {
	j := l.desk.Draft.Jurisdiction
	for _, table := range l.set.facts.Tables {
		if len(table.Of[j]) > 0 {
			return
		}
	}
	if !l.common {
		l.atDeclared(j, "common has no facts about %s", j)
	}
}
