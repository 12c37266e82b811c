package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ErrInput says that what was recorded is no input of this engine, so that nothing can be said about it.
var ErrInput = errors.New("not an input of this engine")

// EngineVersion names this engine as decisions record it. Another engine may decide otherwise on the same input and
// revisions.
func EngineVersion() string { return engineVersion }

// Redecide decides a recorded input for its recipient by this Set, as Decide decided the request that it was made of:
// the same Set gives the same decision. Everything that was resolved when the input was made (facts, declarations,
// permissions, the day) stays as it was then; only rules, codes and what the baseline requires are this Set's. A nil Set
// is the absence of policy, which denies.
func (s *Set) Redecide(ctx context.Context, timeout time.Duration, recipient string, in Input) (d Decision, err error) {
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(timeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			d, err = Decision{}, fmt.Errorf("%w: panic: %v", ErrEngine, p)
		}
	}()
	r := &Request{Recipients: []Recipient{{Party{ID: recipient}}}}
	switch {
	case s == nil:
		return denyWithoutSet(*r)[0], nil
	case undecided(in):
		return s.engineDenial(r, r.Recipients[0], codeMetaInvalid), nil
	}
	rec, err := readRecorded(in)
	if err != nil {
		return Decision{}, err
	}
	if rec.recipient.ID != recipient {
		return Decision{}, fmt.Errorf("%w: it is of another recipient", ErrInput)
	}
	return s.redecide(&evaluation{ctx: ctx, cancel: cancel, reg: s.registry}, rec)
}

// undecided reports whether an input says that no rule was asked: what was claimed was no description of a package.
func undecided(in Input) bool { return string(in.Shared) == "{}" && string(in.Own) == "{}" }

// recorded is a recorded input as the engine needs it.
type recorded struct {
	Input
	shared    *ast.Term // what all recipients share
	full      *ast.Term // all of it
	sender    Party
	recipient Party
	action    string
	now       time.Time
	own       *own
	approvals []Approval
}

func readRecorded(in Input) (*recorded, error) {
	shared, err := parseRecorded(sharedShape, in.Shared)
	if err != nil {
		return nil, err
	}
	return readRecordedOwn(in, shared)
}

// readRecordedOwn is readRecorded of a shared part that was parsed for another recipient of the package.
func readRecordedOwn(in Input, shared *ast.Term) (*recorded, error) {
	ownTerm, err := parseRecorded(ownShape, in.Own)
	if err != nil {
		return nil, err
	}
	r := &recorded{Input: in, shared: shared, full: union(shared, ownTerm)}
	r.readShared(view{sharedShape, shared.Value.(ast.Object)})
	r.readOwn(view{ownShape, ownTerm.Value.(ast.Object)})
	return r, nil
}

// parseRecorded reads one of the two parts. The shape reads it fast; a value that its enums do not have (it was not in
// those of the input either) is read as any JSON is.
func parseRecorded(s *shape, text []byte) (*ast.Term, error) {
	if t, _, _, err := s.parse(text, nil); err == nil {
		return t, nil
	}
	v, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	o, ok := v.(ast.Object)
	if !ok || o.Len() != len(s.fields) || !wellFormed(s, v) {
		return nil, fmt.Errorf("%w: its members are not those of the schema", ErrInput)
	}
	return ast.NewTerm(v), nil
}

// wellFormed reports whether a value has the kinds and members of a shape.
func wellFormed(s *shape, v ast.Value) bool {
	switch x := v.(type) {
	case ast.Object:
		if s.kind == kindFree {
			return true
		}
		return s.kind == kindObject && x.Len() == len(s.fields) && !slices.ContainsFunc(s.fields, func(f field) bool {
			t := x.Get(f.key)
			return t == nil || !wellFormed(f.shape, t.Value)
		})
	case *ast.Array:
		return s.kind == kindArray && !x.Until(func(t *ast.Term) bool { return !wellFormed(s.items, t.Value) })
	case ast.String:
		return s.kind == kindString
	case ast.Number:
		return s.kind == kindInteger
	case ast.Boolean:
		return s.kind == kindBoolean
	}
	return false
}

// union joins two objects that share no member.
func union(a, b *ast.Term) *ast.Term {
	pairs := make([][2]*ast.Term, 0, len(inputShape.fields))
	for _, t := range []*ast.Term{a, b} {
		t.Value.(ast.Object).Foreach(func(k, v *ast.Term) { pairs = append(pairs, [2]*ast.Term{k, v}) })
	}
	return ast.ObjectTerm(pairs...)
}

func (r *recorded) readShared(v view) {
	sender := v.object("sender")
	r.sender = Party{ID: sender.text("id"), Jurisdiction: sender.text("jurisdiction")}
	r.action, r.now = v.text("action"), time.Unix(int64(v.integer("now")), 0).UTC()
}

func (r *recorded) readOwn(v view) {
	rcp, permissions := v.object("recipient"), v.object("permissions")
	r.recipient = Party{ID: rcp.text("id"), Jurisdiction: rcp.text("jurisdiction")}
	r.own = &own{recipient: checkedParty{Party: r.recipient}, class: v.object("facts").text("class"), json: r.Own}
	permissions.each("origins", func(o view) {
		r.own.origins = append(r.own.origins, origin{
			agency: o.text("agency"), jurisdiction: o.text("jurisdiction"), state: o.text("state"), external: o.flag("external"), emergency: o.flag("emergency"),
		})
	})
	permissions.each("approvals", func(a view) {
		r.approvals = append(r.approvals, Approval{
			Recipient: r.recipient.ID, Codes: []string{a.text("code")}, By: a.text("by"), Jurisdiction: a.text("jurisdiction"), Granted: a.flag("granted"),
		})
	})
}

// request is what of the request the verdict reads beside the input.
func (r *recorded) request() *Request {
	return &Request{Action: r.action, Now: r.now, Sender: r.sender}
}

// asking asks the layers of a Set about the recorded input.
func (r *recorded) asking(s *Set, e *evaluation) *asking {
	return &asking{evaluation: e, pack: &pack{set: s, r: r.request()}, shared: r.shared}
}

func (s *Set) redecide(e *evaluation, r *recorded) (Decision, error) {
	a := r.asking(s, e)
	if !slices.Contains(actions, r.action) {
		return s.engineDenial(a.pack.r, Recipient{r.recipient}, codeActionUnknown), nil
	}
	v := newVerdict(s, a.pack.r, r.recipient.ID)
	v.class = r.own.class
	pkg, err := e.ask(s.pkg, r.shared)
	if err != nil {
		return Decision{}, err
	}
	rcp, err := e.ask(s.rcp, r.full)
	if err != nil {
		return Decision{}, err
	}
	v.baseline(pkg, rcp)
	for _, w := range a.layers(r.own) {
		if err := a.national(v, w, r.full); err != nil {
			return Decision{}, err
		}
	}
	v.approvals(r.approvals)
	return v.decision(r.Input), nil
}
