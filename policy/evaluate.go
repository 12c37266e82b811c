package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Question is a package that an author asks about.
type Question struct {
	Action        string // one of the Action constants; empty: ActionSend
	Meta          json.RawMessage
	From, To      string // agencies
	Now           time.Time
	Justification Text
	Texts         map[string]Text
	Trace         bool
}

// Answer is a whole decision, and what each layer said to it.
type Answer struct {
	From, To string
	Action   string
	Now      time.Time
	Decision Decision
	Layers   []LayerAnswer
}

// LayerAnswer is what one layer said.
type LayerAnswer struct {
	Layer   string       `json:"layer"`
	Rules   bool         `json:"rules"` // false: there are none, which denies
	Allow   bool         `json:"allow"`
	Deny    []string     `json:"deny"` // codes
	Pend    []string     `json:"pend"`
	Oblige  []string     `json:"oblige"`
	Advise  []string     `json:"advise"`
	Traced  []TracedRule `json:"traced,omitempty"`
	input   *ast.Term
	answers []*layer
}

// TracedRule is a rule of a layer that was tried: it held, or a condition did not.
type TracedRule struct {
	Rule   string     `json:"rule"`
	File   string     `json:"file"` // common/… or rules/<j>/…
	Line   int        `json:"line"`
	Holds  bool       `json:"holds"`
	Failed *Condition `json:"failed,omitempty"`
}

// Evaluate decides a package by the draft and all others, as an exchange with these inputs would.
func (d *Desk) Evaluate(ctx context.Context, q Question) (*Answer, error) {
	set, err := Build(d.asked(q))
	if err != nil {
		return nil, d.in.quoted(err)
	}
	r, err := set.request(q)
	if err != nil {
		return nil, err
	}
	e := &evaluation{ctx: ctx, cancel: topdown.NewCancel(), reg: set.registry}
	answer := &Answer{From: q.From, To: q.To, Action: r.Action, Now: q.Now}
	e.heard = answer.hear
	decisions, err := set.decideAll(e, r)
	if err != nil {
		return nil, err
	}
	answer.Decision = decisions[0]
	answer.finish()
	if q.Trace {
		return answer, answer.trace(ctx, d.in)
	}
	return answer, nil
}

// EvaluateInput decides a recorded input, as it was: facts, day and declarations stay those of the input.
func (d *Desk) EvaluateInput(ctx context.Context, input []byte, trace bool) (*Answer, error) {
	_, answer, err := d.evaluateInput(ctx, input)
	if err == nil && trace {
		err = answer.trace(ctx, d.in)
	}
	return answer, err
}

// ExplainInput is EvaluateInput that says why it is decided so.
func (d *Desk) ExplainInput(ctx context.Context, input []byte) (*Answer, *Explanation, error) {
	set, answer, err := d.evaluateInput(ctx, input)
	if err != nil {
		return nil, nil, err
	}
	x, err := set.Explain(ctx, answer.Decision)
	return answer, x, err
}

func (d *Desk) evaluateInput(ctx context.Context, input []byte) (*Set, *Answer, error) {
	set, r, err := d.readInput(input)
	if err != nil {
		return nil, nil, err
	}
	answer := &Answer{From: r.sender.ID, To: r.recipient.ID, Now: r.now, Action: r.action}
	e := &evaluation{ctx: ctx, cancel: topdown.NewCancel(), reg: set.registry, heard: answer.hear}
	if answer.Decision, err = set.redecide(e, r); err != nil {
		return nil, nil, err
	}
	answer.finish()
	return set, answer, nil
}

// readInput reads an input, and builds what decides it.
func (d *Desk) readInput(input []byte) (*Set, *recorded, error) {
	in, err := splitInput(input)
	if err != nil {
		return nil, nil, err
	}
	r, err := readHandWritten(in)
	if err != nil {
		return nil, nil, err
	}
	set, err := Build(d.asked(Question{From: r.sender.ID, To: r.recipient.ID, Meta: input}))
	if err != nil {
		return nil, nil, d.in.quoted(err)
	}
	return set, r, nil
}

// splitInput parts one object, as rules see it, into what all recipients share and what is one's own. The parts may also
// stand in it as shared and own, as an exchange answers. Names may have any order, and space is of no matter.
func splitInput(input []byte) (Input, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(input, &all); err != nil {
		return Input{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	shared, own := map[string]any{}, map[string]any{}
	if all["shared"] != nil && all["own"] != nil {
		var parts [2]map[string]json.RawMessage
		for i, name := range []string{"shared", "own"} {
			if err := json.Unmarshal(all[name], &parts[i]); err != nil {
				return Input{}, fmt.Errorf("%w: %s: %w", ErrInput, name, err)
			}
		}
		all = parts[0]
		maps.Copy(all, parts[1])
	}
	for name, text := range all {
		to := shared
		if slices.Contains(ownMembers, name) {
			to = own
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return Input{}, fmt.Errorf("%w: %w", ErrInput, err)
		}
		to[name] = v
	}
	return Input{Shared: plainJSON(shared), Own: plainJSON(own)}, nil
}

// plainJSON writes what was decoded from JSON in the form of an input: sorted names, no space.
func plainJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // it was JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

var testPackage = regexp.MustCompile(`(?m)^package\s.*\.test\s*$`)

// asked are the inputs without tests, and without the rules of those who are not asked.
func (d *Desk) asked(q Question) Inputs {
	in := d.in
	in.Common = withoutTests(in.Common)
	text := string(q.Meta)
	in.Rules = map[string]Source{}
	for j, src := range d.in.Rules {
		if j == jurisdictionOf(q.From) || j == jurisdictionOf(q.To) || strings.Contains(text, `"`+j+`/`) {
			in.Rules[j] = withoutTests(src)
		}
	}
	return in
}

func withoutTests(s Source) Source {
	s.Files = maps.Clone(s.Files)
	maps.DeleteFunc(s.Files, func(name string, text []byte) bool {
		return strings.HasSuffix(name, ".rego") && testPackage.Match(text)
	})
	return s
}

// request makes of a question what the exchange makes of a package.
func (s *Set) request(q Question) (*Request, error) {
	if _, err := claimedShape.parse(q.Meta, nil); err != nil {
		return nil, fmt.Errorf("meta: %w", err)
	}
	var claimed struct {
		MessageType string `json:"message_type"`
	}
	if err := json.Unmarshal(q.Meta, &claimed); err != nil {
		return nil, fmt.Errorf("meta: %w", err)
	}
	from, err := s.declaredParty(q.From)
	if err != nil {
		return nil, err
	}
	to, err := s.declaredParty(q.To)
	if err != nil {
		return nil, err
	}
	if q.From == q.To {
		return nil, errors.New("an agency sends nothing to itself")
	}
	if q.Action == "" {
		q.Action = ActionSend
	}
	if !slices.Contains(actions, q.Action) {
		return nil, fmt.Errorf("no action %.40q: there are %s", q.Action, strings.Join(actions, ", "))
	}
	return &Request{
		Action: q.Action, Now: q.Now, MessageType: claimed.MessageType, Sender: from, Recipients: []Recipient{{to}}, Claimed: q.Meta,
		Justification: q.Justification, Texts: q.Texts,
	}, nil
}

// declaredParty is an agency as its jurisdiction declares it, admitted to the exchange.
func (s *Set) declaredParty(id string) (Party, error) {
	j := jurisdictionOf(id)
	d := s.declared[j]
	if d == nil {
		return Party{}, fmt.Errorf("nobody declares %q: on this exchange are %s", id, strings.Join(s.Jurisdictions(), ", "))
	}
	a, ok := d.agency(id)
	if !ok {
		names := make([]string, len(d.Agencies))
		for i, a := range d.Agencies {
			names[i] = a.ID
		}
		return Party{}, fmt.Errorf("%s does not declare %q: it has %s", j, id, strings.Join(names, ", "))
	}
	return Party{ID: id, Jurisdiction: j, Type: a.Type, Active: true, Competences: a.Competences}, nil
}

// hear notes what a layer says while a decision is made. The baseline has two parts, which are one layer.
func (a *Answer) hear(s *says, input *ast.Term) {
	i := slices.IndexFunc(a.Layers, func(l LayerAnswer) bool { return l.Layer == s.name })
	if i < 0 {
		a.Layers = append(a.Layers, LayerAnswer{Layer: s.name, Rules: true, Allow: true, Deny: []string{}, Pend: []string{}, Oblige: []string{}, Advise: []string{}})
		i = len(a.Layers) - 1
	}
	l := &a.Layers[i]
	l.Allow, l.input, l.answers = l.Allow && s.allow, input, append(l.answers, s.layer)
	for _, one := range s.sayings {
		list := map[string]*[]string{kindDeny: &l.Deny, kindPend: &l.Pend, kindOblige: &l.Oblige, kindAdvise: &l.Advise}[one.kind]
		if !slices.Contains(*list, one.code) {
			*list = append(*list, one.code)
		}
	}
}

// finish adds what the engine itself said: rules that are missing, what was required and not met.
func (a *Answer) finish() {
	if a.Decision.Verdict != Denied {
		return
	}
	for _, r := range a.Decision.Reasons {
		i := slices.IndexFunc(a.Layers, func(l LayerAnswer) bool { return l.Layer == r.Layer })
		if i < 0 {
			a.Layers = append(a.Layers, LayerAnswer{Layer: r.Layer, Deny: []string{r.Code}, Pend: []string{}, Oblige: []string{}, Advise: []string{}})
		} else if l := &a.Layers[i]; !slices.Contains(l.Deny, r.Code) {
			l.Deny = append(l.Deny, r.Code)
		}
	}
}

// trace asks the layers again, with every rule tried, and notes which held. Of common it notes what was required and
// did not hold, and what was said.
func (a *Answer) trace(ctx context.Context, in Inputs) error {
	for i := range a.Layers {
		l := &a.Layers[i]
		for _, layer := range l.answers {
			events, err := traced(ctx, layer, l.input)
			if err != nil {
				return err
			}
			l.Traced = append(l.Traced, tracedRules(events, layer.name == LayerCommon, in)...)
		}
	}
	return nil
}

func traced(ctx context.Context, l *layer, input *ast.Term) ([]*topdown.Event, error) {
	buffer := topdown.NewBufferTracer()
	q := topdown.NewQuery(l.query).WithCompiler(l.compiler).WithStore(emptyStore).WithTransaction(emptyRead).WithInput(input).
		WithIndexing(false).WithEarlyExit(false).WithQueryTracer(buffer)
	err := q.Iter(ctx, func(topdown.QueryResult) error { return nil })
	return *buffer, err
}

func tracedRules(events []*topdown.Event, common bool, in Inputs) []TracedRule {
	var list []TracedRule
	line := func(file string, row int) string {
		input, name, _ := strings.Cut(file, "/")
		if input == "rules" {
			owner, rest, _ := strings.Cut(name, "/")
			input, name = "rules/"+owner, rest
		}
		lines := strings.Split(string(in.source(input).Files[name]), "\n")
		return lines[min(row, len(lines))-1]
	}
	met := map[string]bool{}
	for _, a := range attempts(events) {
		if a.done && a.rule.Head.Ref().String() == "met" {
			met[headText(a.rule)] = true
		}
	}
	for _, a := range attempts(events) {
		if _, inherits := constantCode(a.rule.Head.Key); a.rule.Default || a.rule.Head.Key != nil && !inherits {
			continue
		}
		one := TracedRule{Rule: headText(a.rule), File: a.rule.Location.File, Line: a.rule.Location.Row, Holds: a.done}
		if !a.done && a.failed != nil {
			c := a.condition(line)
			one.Failed = &c
		}
		isMet := a.rule.Head.Ref().String() == "met"
		if common && (isMet && met[one.Rule] || !isMet && !one.Holds) {
			continue
		}
		list = append(list, one)
	}
	return list
}

// ExampleMeta is the meta of an ordinary package of an agency, as of a day: about two suspects, on a law that its
// jurisdiction declares.
func (d *Desk) ExampleMeta(from string, now time.Time) (json.RawMessage, error) {
	var m map[string]any
	if err := json.Unmarshal([]byte(exampleMeta), &m); err != nil {
		return nil, err
	}
	day := func(days int) string { return now.AddDate(0, 0, days).Format(time.DateOnly) }
	m["originator"] = []string{from}
	m["quality"] = map[string]any{"verified_at": day(-2), "as_of": day(-3), "completeness": "partial"}
	m["retention"] = map[string]any{"review_by": day(365), "erase_by": day(730)}
	if declared, err := ParseDeclared(d.in.Declared[jurisdictionOf(from)].Files[declaredFile]); err == nil {
		for _, i := range declared.Instruments {
			if i.Kind == "law" {
				m["legal_basis"] = []any{map[string]string{"instrument": i.ID, "article": "1", "jurisdiction": declared.Jurisdiction}}
				break
			}
		}
	}
	return json.MarshalIndent(m, "", "  ")
}
