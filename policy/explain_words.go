package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// words tells one expression of a rule: as a fact when it held, else as what is and what the rule asks for instead.
// private reports that it shows what only the sender's side may know.
func (t *tracing) words(r *plainRule, i int, held bool, depth int) (words string, private bool) {
	w := &wording{tracing: t, rule: r, before: r.Body[:i], depth: depth}
	return w.expression(r.Body[i], held), w.private
}

// wording is the telling of one expression.
type wording struct {
	*tracing
	rule    *plainRule
	before  ast.Body // what binds its variables
	depth   int
	private bool
}

func (w *wording) expression(x *ast.Expr, held bool) string {
	switch terms := x.Terms.(type) {
	case *ast.SomeDecl:
		return w.some(terms, held)
	case *ast.Every:
		return w.every(x, terms, held)
	case *ast.Term:
		if held && terms.Equal(ast.BooleanTerm(true)) {
			return "" // a rule without conditions
		}
		return w.bare(terms, held, x.Negated)
	case []*ast.Term:
		return w.call(x, held)
	}
	return w.source(x, held)
}

// source is the last resort: the text of the rule, with the values in it.
func (w *wording) source(x *ast.Expr, held bool) string {
	text := strings.Join(strings.Fields(string(x.Location.Text)), " ")
	var values []string
	ast.WalkRefs(x, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.InputRootRef) && len(values) < 4 {
			values = append(values, w.name(ast.NewTerm(ref))+" is "+w.value(ast.NewTerm(ref)))
		}
		return false
	})
	state := "does not hold"
	if held {
		state = "holds"
	}
	if len(values) > 0 {
		state += " (" + strings.Join(values, ", ") + ")"
	}
	return "`" + text + "` " + state
}

// call tells a comparison or another call.
func (w *wording) call(x *ast.Expr, held bool) string {
	op, args := x.Operator().String(), x.Operands()
	if op == "assign" {
		return ""
	}
	if len(args) == 2 && op == "eq" {
		if _, isVar := args[0].Value.(ast.Var); isVar && held {
			return ""
		}
	}
	if len(args) != 2 || !comparable1(op) {
		return w.source(x, held)
	}
	subject, object := args[0], args[1]
	if !w.refers(subject) && w.refers(object) {
		if op == "internal.member_2" {
			return w.membership(subject, object, held, x.Negated)
		}
		subject, object, op = object, subject, mirroredOps[op]
	}
	if op == "internal.member_2" && !w.listed(object) {
		return w.membership(subject, object, held, x.Negated)
	}
	// What is true of the comparison, and what the rule wants.
	wanted := !x.Negated
	is := w.is(subject)
	phrase := w.phrase(op, subject, object, wanted)
	if !held {
		return is + askedFor + phrase
	}
	if op == "equal" && wanted {
		if w.refers(object) {
			return is + ", as " + w.name(object)
		}
		return is
	}
	return is + ", " + strings.Replace(phrase, "anything but ", "not ", 1)
}

var mirroredOps = map[string]string{"equal": "equal", "neq": "neq", "lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte", "eq": "equal"}

func comparable1(op string) bool { return mirroredOps[op] != "" || op == "internal.member_2" }

// phrase is what a comparison asks of its subject, or when it is negated, what it asks not to be.
func (w *wording) phrase(op string, subject, object *ast.Term, wanted bool) string {
	if op == "neq" || op == "eq" {
		op, wanted = "equal", wanted == (op == "eq")
	}
	of := w.value(object)
	if w.refers(object) && op != "internal.member_2" {
		of = w.name(object) + " (" + of + ")"
	}
	switch {
	case op == "equal" && wanted:
		return of
	case op == "equal" && of == `""`:
		return w.something(subject)
	case op == "equal":
		return "anything but " + of
	case op == "internal.member_2" && wanted:
		return "one of " + of
	case op == "internal.member_2":
		return "none of " + of
	}
	if !wanted {
		op = map[string]string{"lt": "gte", "lte": "gt", "gt": "lte", "gte": "lt"}[op]
	}
	return map[string]string{"lt": "less than ", "lte": "at most ", "gt": "more than ", "gte": "at least "}[op] + of
}

// something is what a text that must not be empty should be.
func (w *wording) something(subject *ast.Term) string {
	if s := shapeAt(subject); s != nil && s.date {
		return "a date"
	}
	return "a value"
}

// membership tells "x is among the list": a fixed value in a list of the package.
func (w *wording) membership(x, list *ast.Term, held, negated bool) string {
	of := w.name(list) + " (" + w.value(list) + ")"
	what := w.value(x)
	if w.refers(x) {
		what = w.name(x) + " (" + what + ")"
	}
	if held != negated {
		return what + " is among " + of
	}
	return what + " is not among " + of
}

func (w *wording) some(d *ast.SomeDecl, held bool) string {
	call, ok := d.Symbols[0].Value.(ast.Call)
	if !ok || len(call) < 3 {
		return ""
	}
	list := call[len(call)-1]
	if held {
		return w.name(list) + " has " + w.value(list)
	}
	return "there is none in " + w.name(list) + " (" + w.value(list) + ") for which the rule holds"
}

func (w *wording) every(x *ast.Expr, e *ast.Every, held bool) string {
	list := w.name(e.Domain) + " (" + w.value(e.Domain) + ")"
	body := strings.Join(strings.Fields(string(x.Location.Text)), " ")
	if _, after, ok := strings.Cut(body, "{"); ok {
		body = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(after), "}"))
	}
	if held != x.Negated {
		return "`" + body + "` holds for every one of " + list
	}
	return "`" + body + "` does not hold for every one of " + list
}

// bare tells a value that stands alone: a member that is true, or a helper that holds.
func (w *wording) bare(term *ast.Term, held, negated bool) string {
	ref, ok := term.Value.(ast.Ref)
	if !ok {
		return "`" + term.String() + "` " + map[bool]string{true: "holds", false: "does not hold"}[held]
	}
	full := w.full(w.rule, ref)
	rules := w.plain.rules[full.String()]
	if len(rules) == 0 || w.depth >= maxDepth {
		is := w.is(term)
		if held {
			return is
		}
		return is + askedFor + map[bool]string{false: "true", true: "anything else"}[negated]
	}
	if held != negated {
		return w.helperHolds(full, rules)
	}
	return w.helperFails(full, rules)
}

// helper is what a helper rule is called: its title, or its name.
func helper(full ast.Ref, rules []*plainRule) string {
	for _, r := range rules {
		if t := r.title(); t != "" {
			return strings.ToLower(t[:1]) + t[1:]
		}
	}
	return trimData(full.String())
}

func (w *wording) helperHolds(full ast.Ref, rules []*plainRule) string {
	for _, r := range rules {
		q, err := w.run(r, nil)
		if err != nil || !q.holds || r.Default {
			continue
		}
		c := w.held(r, w.depth+1)
		w.private = w.private || len(c.private) > 0
		if len(c.conditions) > 0 && string(r.Body[0].Location.Text) != "" {
			return helper(full, rules) + " (" + strings.Join(c.conditions, " and ") + ")"
		}
	}
	return helper(full, rules)
}

func (w *wording) helperFails(full ast.Ref, rules []*plainRule) string {
	says := "it does not hold that " + helper(full, rules)
	c, err := w.unmet(rules, w.depth+1)
	if err != nil || c == nil {
		return says
	}
	w.private = w.private || len(c.private) > 0
	return says + ": " + c.conditions[0]
}

// refers reports whether a term depends on the input.
func (w *wording) refers(t *ast.Term) bool {
	found := false
	ast.WalkTerms(t, func(x *ast.Term) bool {
		switch v := x.Value.(type) {
		case ast.Ref:
			found = found || v.HasPrefix(ast.InputRootRef)
		case ast.Var:
			found = found || v != ast.Var("input") && len(w.plain.rules[w.full(w.rule, ast.Ref{x}).String()]) == 0 && !w.imported(v)
		}
		return found
	})
	return found
}

func (w *wording) imported(v ast.Var) bool {
	if v == "data" {
		return true
	}
	return slices.ContainsFunc(w.rule.module.Imports, func(i *ast.Import) bool { return i.Name() == v })
}

// listed reports whether a term is a list that the rules fix, and not the package.
func (w *wording) listed(t *ast.Term) bool { return !w.refers(t) }

// name is what people call a term: the path of a member without "input.".
func (w *wording) name(t *ast.Term) string {
	switch v := t.Value.(type) {
	case ast.Ref:
		if v.HasPrefix(ast.InputRootRef) {
			w.private = w.private || senderOnly(v)
			return strings.TrimPrefix(v.String(), "input.")
		}
		w.private = w.private || w.bound(v)
		return trimData(v.String())
	case ast.Call:
		if len(v) == 2 && v[0].String() == "count" {
			return "the number of " + w.name(v[1])
		}
	case ast.Var:
		w.private = w.private || w.bound(ast.Ref{t})
		return string(v)
	}
	return t.String()
}

// bound reports whether a variable was taken from what only the sender's side may know.
func (w *wording) bound(ref ast.Ref) bool {
	found := false
	ast.WalkRefs(w.before, func(r ast.Ref) bool {
		found = found || r.HasPrefix(ast.InputRootRef) && senderOnly(r)
		return found
	})
	return found && w.refers(ast.NewTerm(ref))
}

// senderOnly are the members that are not in the manifest, and not in the directory: the statement, what the exchange
// knows of other packages of the sender, what originators told it.
func senderOnly(ref ast.Ref) bool {
	if len(ref) < 2 {
		return true
	}
	member, _ := ref[1].Value.(ast.String)
	switch member {
	case "justification", "texts", "known", "permissions":
		return true
	case "facts":
		return len(ref) < 3 || slices.Contains([]string{"derogations_this_year", "derogations_frequent", "received", "counterpart"}, string(asString(ref[2])))
	}
	return false
}

func asString(t *ast.Term) ast.String {
	s, _ := t.Value.(ast.String)
	return s
}

// is says what a term comes to; of what was worked out before any rule was asked, also of what.
func (w *wording) is(t *ast.Term) string {
	text := w.name(t) + " is " + w.value(t)
	ref, ok := t.Value.(ast.Ref)
	if !ok {
		return text
	}
	var from []string
	for _, source := range workedOut[ref.String()] {
		s := ast.NewTerm(ast.MustParseRef("input." + source))
		from = append(from, w.name(s)+" is "+w.value(s))
	}
	if len(from) == 0 {
		return text
	}
	return text + " (" + strings.Join(from, ", ") + ")"
}

// workedOut are members of the input that Go works out of others, so that rules compare scalars: people are told of what.
var workedOut = map[string][]string{
	"input.derived.accused":              {"derived.categories"},
	"input.derived.beyond_annex":         {"derived.categories"},
	"input.derived.bulk":                 {"derived.subjects"},
	"input.derived.category_unknown":     {"derived.categories"},
	"input.derived.conditioned":          {"derived.conditions"},
	"input.derived.doubtful":             {"derived.verified_days_ago", "claimed.quality.as_of", "claimed.quality.known_issues"},
	"input.derived.imminent":             {"claimed.urgency.level", "claimed.urgency.ground"},
	"input.derived.justified":            {"justification.length", "justification.stock_phrase", "claimed.case_ref"},
	"input.derived.message_type_agrees":  {"message_type"},
	"input.derived.necessity_explained":  {"claimed.strict_necessity", "texts.strict_necessity.length", "texts.strict_necessity.stock_phrase"},
	"input.derived.oversized_notice":     {"message_type", "attachments", "content_size"},
	"input.derived.personal":             {"derived.subjects"},
	"input.derived.protected":            {"derived.categories", "derived.minors"},
	"input.derived.purpose_change":       {"claimed.purpose", "claimed.original_purpose", "claimed.purpose_change.law_ref", "claimed.purpose_change.necessity", "claimed.purpose_change.proportionality"},
	"input.derived.purpose_changed":      {"claimed.purpose", "claimed.original_purpose"},
	"input.derived.refusal":              {"message_type", "claimed.refusal.code"},
	"input.derived.request_incomplete":   {"claimed.request.what", "claimed.request.purpose_facts", "claimed.request.availability_reason", "claimed.request.person_link"},
	"input.derived.retention":            {"claimed.retention.review_by", "claimed.retention.erase_by"},
	"input.derived.retention_days":       {"claimed.retention.erase_by"},
	"input.derived.sender_competent":     {"claimed.purpose", "sender.competences"},
	"input.derived.sensitive":            {"derived.special", "derived.minors"},
	"input.derived.third_country_origin": {"claimed.third_country_origin", "claimed.originator"},
	"input.derived.urgency":              {"claimed.urgency.level", "claimed.urgency.ground", "texts.urgency.length", "texts.urgency.stock_phrase"},
	"input.derived.verified_days_ago":    {"claimed.quality.verified_at"},
	"input.facts.assured":                {"recipient.death_penalty", "recipient.ill_treatment", "claimed.assurances", "recipient.assurances"},
	"input.facts.derogation":             {"claimed.transfer_basis"},
	"input.facts.derogations_frequent":   {"facts.derogations_this_year"},
	"input.facts.leaves":                 {"facts.route"},
	"input.facts.recipient_competent":    {"claimed.purpose", "recipient.competences"},
	"input.facts.recipient_kind":         {"recipient.type"},
	"input.facts.suspended":              {"recipient.tier"},
}

// maxTold bounds how many elements of a list are told.
const maxTold = 12

// value is what a term comes to on the recorded input.
func (w *wording) value(t *ast.Term) string {
	if ast.IsConstant(t.Value) && !isListed(t.Value) {
		return show(t.Value)
	}
	v := ast.VarTerm("explained__")
	values, err := w.query(w.rule, append(slices.Clone(w.before), ast.Equality.Expr(v, t)), v, nil)
	switch {
	case err != nil:
		return "something"
	case len(values) == 0:
		return "absent"
	case len(values) == 1:
		return show(values[0])
	}
	texts := make([]string, 0, len(values))
	for _, one := range values {
		texts = append(texts, show(one))
	}
	return "in turn " + joinSome(texts)
}

func isListed(v ast.Value) bool {
	switch v.(type) {
	case *ast.Array, ast.Set, ast.Object:
		return true
	}
	return false
}

// show writes a value: a list as its elements.
func show(v ast.Value) string {
	var texts []string
	add := func(t *ast.Term) { texts = append(texts, show(t.Value)) }
	switch x := v.(type) {
	case *ast.Array:
		x.Foreach(add)
	case ast.Set:
		x.Foreach(add)
	case ast.Object:
		for _, name := range []string{"agency", "code", "category", "instrument", "package", "relation", "originator"} {
			if t := x.Get(ast.StringTerm(name)); t != nil {
				return show(t.Value)
			}
		}
		return v.String()
	default:
		return v.String()
	}
	if len(texts) == 0 {
		return "none"
	}
	return joinSome(texts)
}

func joinSome(texts []string) string {
	if more := len(texts) - maxTold; more > 0 {
		return strings.Join(texts[:maxTold], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(texts, ", ")
}

// shapeAt is the shape of a member of the input that a reference names.
func shapeAt(t *ast.Term) *shape {
	ref, ok := t.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.InputRootRef) {
		return nil
	}
	s := inputShape
	for _, e := range ref[1:] {
		if s == nil {
			return nil
		}
		if s.kind == kindArray {
			s = s.items
			continue
		}
		s = s.member(string(asString(e)))
	}
	return s
}
