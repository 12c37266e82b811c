package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	return s.redecide(&evaluation{ctx: ctx, cancel: cancel, reg: s.registry, memo: s.memo}, rec)
}

// undecided reports whether an input says that no rule was asked: what was claimed was no description of a package.
func undecided(in Input) bool { return string(in.Shared) == "{}" && string(in.Own) == "{}" }

// recorded is a recorded input as the engine needs it.
type recorded struct {
	Input
	in        sources
	sender    Party
	recipient Party
	action    string
	now       time.Time
	own       *own
	layers    []who // that are asked
	approvals []Approval
}

func readRecorded(in Input) (*recorded, error) {
	shared, err := readCanonical(sharedPlaces, in.Shared)
	if err != nil {
		return nil, err
	}
	return readRecordedOwn(in, shared)
}

// readHandWritten is readRecorded of what anybody may have written.
func readHandWritten(in Input) (r *recorded, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("%w: %v", ErrInput, p)
		}
	}()
	return readRecorded(in)
}

// readRecordedOwn is readRecorded of a shared part that was read for another recipient of the package.
func readRecordedOwn(in Input, shared *record) (*recorded, error) {
	ownRecord, err := readCanonical(ownPlaces, in.Own)
	if err != nil {
		return nil, err
	}
	r := &recorded{Input: in, in: sources{shared, ownRecord}}
	r.readShared(view{shared, sharedPlaces})
	r.readOwn(view{ownRecord, ownPlaces})
	r.layers = layersOf(r.sender.Jurisdiction, r.own)
	return r, nil
}

// readCanonical reads one of the two parts, which was written by this engine.
func readCanonical(p *place, text []byte) (*record, error) {
	r := p.record(text)
	q := parser{text: text, record: r}
	if !q.canonical(p.shape, p) || q.at != len(text) {
		at := ""
		if q.wrong != nil {
			at = ", at the member " + q.wrong.name
		}
		return nil, fmt.Errorf("%w: it is not of the form that is written%s", ErrInput, at)
	}
	return r, nil
}

func (r *recorded) readShared(v view) {
	sender := v.object("sender")
	r.sender = Party{ID: sender.text("id"), Jurisdiction: sender.text("jurisdiction")}
	r.action, r.now = v.text("action"), time.Unix(int64(v.integer("now")), 0).UTC()
}

func (r *recorded) readOwn(v view) {
	rcp, permissions := v.object("recipient"), v.object("permissions")
	r.recipient = Party{ID: rcp.text("id"), Jurisdiction: rcp.text("jurisdiction")}
	r.own = &own{recipient: checkedParty{Party: r.recipient}, class: v.object("facts").text("class"), record: r.in.own}
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
	return &asking{evaluation: e, pack: &pack{record: r.in.shared, set: s, r: r.request()}}
}

func (s *Set) redecide(e *evaluation, r *recorded) (Decision, error) {
	a := r.asking(s, e)
	if !slices.Contains(actions, r.action) {
		return s.engineDenial(a.pack.r, Recipient{r.recipient}, codeActionUnknown), nil
	}
	v := newVerdict(s, a.pack.r, r.recipient.ID)
	v.class = r.own.class
	pkg, err := e.say(s.pkg, sources{shared: r.in.shared})
	if err != nil {
		return Decision{}, err
	}
	rcp, err := e.say(s.rcp, r.in)
	if err != nil {
		return Decision{}, err
	}
	v.baseline(pkg, rcp)
	for _, w := range r.layers {
		if err := a.national(v, w, r.in); err != nil {
			return Decision{}, err
		}
	}
	v.approvals(r.approvals)
	return v.decision(r.Input), nil
}

// Reading is a recorded input that was read, to be decided by one or several Sets. It is safe for concurrent use.
type Reading struct{ *recorded }

// Read reads a recorded input. earlier, if it is not nil, is another recipient's of the same package: what both share is
// not read again. The error wraps ErrInput.
func Read(in Input, earlier *Reading) (r *Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("%w: %v", ErrInput, p)
		}
	}()
	var rec *recorded
	if earlier != nil && &earlier.Shared[0] == &in.Shared[0] {
		rec, err = readRecordedOwn(in, earlier.in.shared)
	} else {
		rec, err = readRecorded(in)
	}
	return &Reading{rec}, err
}

// Sender is the agency that sent, or asked.
func (r *Reading) Sender() string { return r.sender.ID }

// Originators are the agencies of other jurisdictions whose data are in the package.
func (r *Reading) Originators() []string {
	var ids []string
	for _, o := range r.recorded.own.origins {
		ids = append(ids, o.agency)
	}
	return ids
}

// DecideReading is Redecide of an input that was read.
func (s *Set) DecideReading(ctx context.Context, timeout time.Duration, r *Reading) (d Decision, err error) {
	e := &evaluation{ctx: ctx, deadline: time.Now().Add(timeout), reg: s.registry, memo: s.memo}
	defer e.disarm()
	defer func() {
		if p := recover(); p != nil {
			d, err = Decision{}, fmt.Errorf("%w: panic: %v", ErrEngine, p)
		}
	}()
	return s.redecide(e, r.recorded)
}
