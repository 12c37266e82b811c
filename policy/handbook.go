package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Handbook writes the rules of common and of the named jurisdictions (all that have rules, if none is named) as one
// document in Markdown, from the METADATA of the rules alone: what is refused and why, on what source, how to mend it;
// what waits and for whom; obligations; dated facts; codes. The same inputs give the same bytes.
func Handbook(in Inputs, jurisdictions []string) ([]byte, error) {
	b := newBuilder(in)
	b.in.AllowSamples = true
	if err := b.data(); err != nil {
		return nil, in.quoted(err)
	}
	if err := b.parseCommon(); err != nil {
		return nil, in.quoted(err)
	}
	if len(jurisdictions) == 0 {
		jurisdictions = sortedKeys(in.Rules)
	}
	h := &handbook{builder: b, slugs: map[string]int{}, said: map[string][]string{}}
	h.chapter("Policy handbook", 1)
	h.para("What packages may go between the jurisdictions of this exchange, and on what conditions. It is made of the rules that decide: nothing in it was written beside them.")
	h.banner(jurisdictions)
	at := h.out.Len()
	h.reading()
	h.common()
	for _, j := range slices.Sorted(slices.Values(jurisdictions)) {
		if err := h.jurisdiction(j); err != nil {
			return nil, in.quoted(err)
		}
	}
	h.factTables()
	h.codeTable()
	text := h.out.Bytes()
	return slices.Concat(text[:at], h.contents(), text[at:]), nil
}

// handbook is a document that is being written.
type handbook struct {
	*builder
	out   bytes.Buffer
	toc   []tocLine
	slugs map[string]int
	said  map[string][]string // links to the rules that say a code
}

type tocLine struct {
	level      int
	text, slug string
}

// chapter writes a heading and notes it for the table of contents.
func (h *handbook) chapter(text string, level int) {
	slug := Slug(text)
	n := h.slugs[slug]
	h.slugs[slug] = n + 1
	if n > 0 {
		slug = fmt.Sprintf("%s-%d", slug, n)
	}
	if level > 1 {
		h.toc = append(h.toc, tocLine{level, text, slug})
	}
	fmt.Fprintf(&h.out, "%s %s\n\n", strings.Repeat("#", level), markdown(text))
}

// Slug is the anchor of a heading, the first of its text: letters and digits, hyphens for spaces.
func Slug(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, text)
}

func (h *handbook) contents() []byte {
	var b bytes.Buffer
	b.WriteString("## Contents\n\n")
	for _, l := range h.toc {
		if l.level > 3 {
			continue // a rule is found by its code, in the last chapter
		}
		fmt.Fprintf(&b, "%s- [%s](#%s)\n", strings.Repeat("  ", l.level-2), markdown(l.text), l.slug)
	}
	b.WriteString("\n")
	return b.Bytes()
}

func (h *handbook) para(format string, args ...any) {
	fmt.Fprintf(&h.out, format+"\n\n", args...)
}

// item writes a line of a list; nothing if there is no text.
func (h *handbook) item(label, text string) {
	if text != "" {
		fmt.Fprintf(&h.out, "- **%s:** %s\n", label, text)
	}
}

// markdown writes a text so that Markdown takes it as it is.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(clean(s)), " ") {
		if strings.ContainsRune("\\`*_[]<>#|~&!", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (h *handbook) banner(jurisdictions []string) {
	var names []string
	for _, j := range jurisdictions {
		if h.set.samples["rules/"+j] || h.set.samples["declared/"+j] {
			names = append(names, h.name(j))
		}
	}
	if h.set.samples[CommonBundle] {
		h.para("> **Sample.** The common rules are a sample, written by this project.")
	}
	if len(names) > 0 {
		h.para("> **Sample.** The rules of %s are samples, written by this project, not the law of anybody.", markdown(strings.Join(names, ", ")))
	}
}

func (h *handbook) name(j string) string {
	if d := h.set.declared[j]; d != nil {
		return d.Name
	}
	return j
}

func (h *handbook) reading() {
	h.chapter("How to read this", 2)
	h.para("A package goes to a recipient if common, the sender's rules on sending, the recipient's rules on receiving and, for each third country whose data are in it, that country's rules on passing them on all let it. One denial is enough; a jurisdiction can only be stricter than common.")
	h.para("- A **denial** names its code, its reason and what to do. Nothing of the package is released.\n- What **waits** is released once the person named has agreed, and is denied if nobody does in time.\n- An **obligation** is accepted by the recipient before it gets the content. The same obligation of several layers is one: the fewest days, the earliest date, all restrictions, only the uses that all permit.\n- **Advice** changes nothing.")
	h.para("The mark behind a source says how far it was checked: **[V]** its text was read; **[S]** a page about it was read; **[K]** from general knowledge; **[P]** a proposal of this project. Without a mark, nobody said.")
}

// entry is what the handbook says of one code of one rule.
type handbookEntry struct {
	kind, code, title, file string
	*document
}

// entries reads the documented rules of a package, those of one rule and code once.
func (h *handbook) entries(u *unit, pkg string) []handbookEntry {
	var list []handbookEntry
	for _, file := range sortedKeys(u.modules) {
		m := u.modules[file]
		if m.Package.Path.String() != pkg {
			continue
		}
		for _, r := range m.Rules {
			list = h.entriesOf(list, u, r, path.Base(file))
		}
	}
	order := []string{kindDeny, kindPend, kindOblige, kindAdvise}
	slices.SortStableFunc(list, func(a, b handbookEntry) int { return slices.Index(order, a.kind) - slices.Index(order, b.kind) })
	return list
}

func (h *handbook) entriesOf(list []handbookEntry, u *unit, r *ast.Rule, file string) []handbookEntry {
	kind, custom := r.Head.Ref().String(), customOf(r)
	if custom == nil {
		return list
	}
	docs := map[string]*document{}
	switch {
	case kind == "met":
		kind = kindDeny // what is required and not met is denied
		if code, ok := custom["code"].(string); ok {
			docs[code] = readDocument(custom)
			if docs[code].Rule == "" {
				docs[code].Rule, _ = constantCode(r.Head.Key)
			}
		}
	case slices.Contains(sayingKinds, kind):
		docs = codeDocs(u, r)
	}
	title := ""
	for _, a := range r.Annotations {
		if a.Title != "" {
			title = a.Title
		}
	}
	for _, code := range sortedKeys(docs) {
		if !slices.ContainsFunc(list, func(e handbookEntry) bool { return e.kind == kind && e.code == code && e.Rule == docs[code].Rule }) {
			list = append(list, handbookEntry{kind, code, title, file, docs[code]})
		}
	}
	return list
}

var kindChapters = map[string]string{kindDeny: "denied", kindPend: "waits", kindOblige: "obliged", kindAdvise: "advised"}

// write writes the entries of a package; prefix keeps their headings apart from those of other packages.
func (h *handbook) write(entries []handbookEntry, prefix string, level int) {
	for _, e := range entries {
		h.chapter(strings.Join(nonEmptyWords(prefix, e.Rule, kindChapters[e.kind], e.code), " "), level)
		h.said[e.code] = append(h.said[e.code], fmt.Sprintf("[%s](#%s)", markdown(strings.Join(nonEmptyWords(prefix, e.Rule), " ")), h.toc[len(h.toc)-1].slug))
		if e.title != "" {
			h.para("*%s*", markdown(e.title))
		}
		def := h.set.registry.Codes[e.code]
		h.texts(map[string]string{kindDeny: "Refused", kindPend: "Waits", kindOblige: "Obligation", kindAdvise: "Advice"}[e.kind], e.Text)
		h.texts("What to do", e.Fix)
		if def != nil {
			h.item("Who resolves it", resolver(e.kind, def))
			h.item("On", map[bool]string{true: markdown(def.On)}[e.kind == kindOblige])
			h.item("Parameters", parameters(def))
			h.item("Read by", readers(def.Audience))
		}
		h.item("Source", markdown(e.Source)+mark(e.Evidence))
		h.item("Rule", "in `"+e.file+"`")
		h.out.WriteString("\n")
	}
}

func nonEmptyWords(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

func (h *handbook) texts(label string, texts map[string]string) {
	h.item(label, markdown(texts[mandatoryLanguage]))
	for _, lang := range slices.Sorted(maps.Keys(texts)) {
		if lang != mandatoryLanguage {
			h.item(label+" ("+markdown(lang)+")", markdown(texts[lang]))
		}
	}
}

func mark(evidence string) string {
	if evidence == "" {
		return ""
	}
	return " **\\[" + markdown(evidence) + "\\]**"
}

func resolver(kind string, def *registryCode) string {
	if kind != kindPend {
		return ""
	}
	return fmt.Sprintf("the %s, within %d hours unless the rule says another time", markdown(strings.ReplaceAll(def.By, "_", " ")), def.Hours)
}

// merges says in words how the values of several layers become one.
var merges = map[string]string{paramDays: "days, the fewest", paramHours: "hours, the fewest", paramDate: "a date, the earliest",
	paramRestrictions: "a list, all of them", paramPermitted: "a list, only what all permit"}

func parameters(def *registryCode) string {
	var words []string
	for _, name := range sortedKeys(def.Params) {
		words = append(words, fmt.Sprintf("`%s` (%s)", name, merges[def.Params[name]]))
	}
	return strings.Join(words, ", ")
}

func readers(audience string) string {
	switch audience {
	case AudienceSender:
		return "the sender alone"
	case AudienceOwn:
		return "the agencies of the jurisdiction whose rule it is"
	}
	return ""
}

func (h *handbook) common() {
	h.chapter("Common", 2)
	h.para("What holds for every package, whoever sends it. No jurisdiction can allow what is denied here.")
	for _, part := range []struct{ pkg, title string }{{"data.liaison.common.pkg", "Of the package"}, {"data.liaison.common.rcp", "Of each recipient"}} {
		h.chapter(part.title, 3)
		h.write(h.entries(h.builder.common, part.pkg), "", 4)
	}
	h.chapter("Said by the engine", 3)
	for _, code := range sortedKeys(h.set.registry.Codes) {
		if def := h.set.registry.Codes[code]; def.Engine != nil {
			h.chapter("engine denied "+code, 4)
			h.texts("Refused", def.Engine.Text)
			h.texts("What to do", def.Engine.Fix)
			h.item("Source", markdown(def.Engine.Source))
			h.out.WriteString("\n")
		}
	}
	h.archetypesChapter()
}

var layerTitles = map[string]string{"send": "sends", "receive": "receives", "onward": "lets others pass on"}

func (h *handbook) archetypesChapter() {
	names := map[string]bool{}
	for pkg := range h.bases {
		if a, ok := archetypeOf(ast.MustParseRef(pkg)); ok {
			names[a.name] = true
		}
	}
	for _, name := range sortedKeys(names) {
		h.chapter("Archetype "+name, 2)
		h.para("Rules that the jurisdictions of this kind build on; they hold for those that name it.")
		for _, kind := range layerKinds {
			a := archetype{name: name, kind: kind}
			if entries := h.entries(h.builder.common, a.pkg()); len(entries) > 0 {
				h.chapter(fmt.Sprintf("What a jurisdiction of %s %s", name, layerTitles[kind]), 3)
				h.write(entries, "", 4)
			}
		}
	}
}

// jurisdiction writes what a jurisdiction declares, what it builds on, and its own rules.
func (h *handbook) jurisdiction(j string) error {
	d := h.set.declared[j]
	if d == nil {
		return fmt.Errorf("nobody declares %q", j)
	}
	h.chapter(fmt.Sprintf("%s (%s)", d.Name, j), 2)
	if h.set.samples["rules/"+j] || h.set.samples["declared/"+j] {
		h.para("> **Sample, written by this project, not the law of %s.**", markdown(d.Name))
	}
	h.declares(d)
	f := &findings{}
	u, _ := h.parseRules(j, f)
	if err := f.err(); err != nil {
		return err
	}
	for _, kind := range layerKinds {
		pkg := ""
		for p, k := range u.entries {
			if k == kind {
				pkg = p
			}
		}
		h.layerOf(u, j, kind, pkg)
	}
	return nil
}

func (h *handbook) layerOf(u *unit, j, kind, pkg string) {
	h.chapter(fmt.Sprintf("What %s %s", h.name(j), layerTitles[kind]), 3)
	bases := map[string]bool{}
	for r, list := range u.inherited {
		if r.Module.Package.Path.String() == pkg {
			for _, i := range list {
				bases[i.name] = true
			}
		}
	}
	for _, name := range sortedKeys(bases) {
		h.para("Builds on [archetype %s](#%s).", markdown(name), Slug("Archetype "+name))
	}
	entries := h.entries(u, pkg)
	switch {
	case !slices.ContainsFunc(slices.Collect(maps.Values(u.modules)), func(m *ast.Module) bool { return m.Package.Path.String() == pkg }):
		h.para("There are no rules: whenever they are asked, the answer is no.")
	case len(entries) == 0:
		h.para("No rules of its own.")
	}
	h.write(entries, map[bool]string{true: "", false: j + " " + kind}[allNamed(entries)], 4)
}

// allNamed: rules with an id have the jurisdiction in it.
func allNamed(entries []handbookEntry) bool {
	return !slices.ContainsFunc(entries, func(e handbookEntry) bool { return e.Rule == "" })
}

func (h *handbook) declares(d *Declared) {
	h.item("Kind", markdown(d.Kind))
	h.item("Languages", markdown(strings.Join(d.Languages, ", ")))
	h.item("Contact point", markdown(d.ContactPoint)+", "+markdown(d.TimeZone))
	h.out.WriteString("\n| agency | name | type | purposes |\n|---|---|---|---|\n")
	for _, a := range d.Agencies {
		h.row(a.ID, a.Name, a.Type, strings.Join(a.Competences, ", "))
	}
	h.out.WriteString("\n")
	if len(d.Instruments) > 0 {
		h.out.WriteString("| instrument | kind | title | in force | with | carries |\n|---|---|---|---|---|---|\n")
		for _, i := range d.Instruments {
			h.row(i.ID, i.Kind, i.Title, period(i.From, i.Until), strings.Join(i.With, ", "), strings.Join(i.Bases, ", "))
		}
		h.out.WriteString("\n")
	}
	if len(d.Assurances) > 0 {
		h.out.WriteString("| assurance | in force |\n|---|---|\n")
		for _, a := range d.Assurances {
			h.row(a.Code, period(a.From, a.Until))
		}
		h.out.WriteString("\n")
	}
}

func (h *handbook) row(cells ...string) {
	for i := range cells {
		cells[i] = markdown(cells[i])
	}
	fmt.Fprintf(&h.out, "| %s |\n", strings.Join(cells, " | "))
}

func period(from, until string) string {
	if until == endless {
		return "since " + from
	}
	return from + " to " + until
}

// factWords says what a table of facts is about.
var factWords = map[string]string{
	tableNotLED: "As a sender it is not bound by Directive (EU) 2016/680", tableLED: "As a recipient it protects as Directive (EU) 2016/680 asks",
	tableDir977: "Bound by Directive (EU) 2023/977", tableChannelFree: "Article 13 of Directive (EU) 2023/977 does not apply yet",
	tableTier: "Tier of cooperation, t0 the closest", tableAdequate: "There is an adequacy decision (LED 36)",
	tableDeathPenalty: "A death penalty is to be feared", tableIllTreatment: "Inhuman treatment is to be feared",
}

func (h *handbook) factTables() {
	h.chapter("Facts", 2)
	h.para("Rules look facts up as of the day of the decision. Of whom nothing stands here, or stands no longer, the strictest value holds.")
	for _, name := range sortedKeys(h.set.facts.Tables) {
		t := h.set.facts.Tables[name]
		h.chapter("fact "+name, 3)
		if factWords[name] != "" {
			h.para("%s.", markdown(factWords[name]))
		}
		h.para("Where nothing is known: **%s**.", markdown(jsonWord(t.Strictest)))
		if len(t.Of) == 0 {
			continue
		}
		h.out.WriteString("| of | value | in force | source |\n|---|---|---|---|\n")
		for _, of := range sortedKeys(t.Of) {
			for _, i := range t.Of[of] {
				h.row(of, jsonWord(i.Value), period(i.From, i.Until), i.Source)
			}
		}
		h.out.WriteString("\n")
	}
}

func jsonWord(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	switch v {
	case true:
		return "yes"
	case false:
		return "no"
	}
	return fmt.Sprint(v)
}

func (h *handbook) codeTable() {
	h.chapter("Codes", 2)
	h.para("All that rules can say. A code that is not in this list is a denial.")
	h.out.WriteString("| code | kind | on | read by | parameters | resolved by | said by |\n|---|---|---|---|---|---|---|\n")
	for _, code := range sortedKeys(h.set.registry.Codes) {
		def := h.set.registry.Codes[code]
		by := ""
		if def.Kind == kindPend {
			by = fmt.Sprintf("%s, %d hours", strings.ReplaceAll(def.By, "_", " "), def.Hours)
		}
		audience := readers(def.Audience)
		if audience == "" {
			audience = "all"
		}
		said := strings.Join(h.said[code], ", ")
		if def.Engine != nil {
			said = "[engine](#" + Slug("engine denied "+code) + ")"
		}
		fmt.Fprintf(&h.out, "| %s | %s | %s | %s | %s | %s | %s |\n", markdown(code), kindChapters[def.Kind], markdown(def.On), markdown(audience), parameters(def), markdown(by), said)
	}
	h.out.WriteString("\n")
}
