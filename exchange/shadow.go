package exchange

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/policy"
)

// Bounds of a shadow: how long it lasts, how many posts wait for it (those
// beyond are dropped), how many differences are kept (all are counted).
const (
	shadowLasts    = 30 * 24 * time.Hour
	shadowQueue    = 256
	maxDifferences = 1000
)

// Why a shadow ended by itself.
const (
	ShadowLapsed    = "lapsed"
	ShadowActivated = "activated" // the jurisdiction's policy came into force anew
	ShadowUnbuilt   = "unbuilt"   // the draft does not pass the checks beside what came into force of others
)

// Why a shadow ended that nobody can look at any more.
const (
	shadowReplaced = "replaced"
	shadowStopped  = "stopped"
)

// ShadowState is what a draft beside the policy in force came to.
type ShadowState struct {
	Jurisdiction string
	Revisions    map[string]string // of the draft
	By           string            // identity that started it
	Since, Until time.Time
	Ended        string // why; empty: it runs
	EndedAt      time.Time

	Compared, Same  int
	Dropped, Failed int                       // not compared: too many at once, or the draft gave no answer
	Changes         map[string]int            // by kind
	Rules           map[string]map[string]int // by kind and rule
	Differences     []*ReplayChange           // newest first
	Receipt         audit.Receipt
}

// StartShadow puts a draft of the caller's jurisdiction beside what is in
// force: from now on what is decided and recorded, and what that jurisdiction
// may see of it, is decided by the draft too, after the answer stands, and
// differences are counted and kept. Nothing else comes of it. It is held in
// memory: a restart ends it and loses what it counted. A later one takes its
// place.
func (s *Service) StartShadow(ctx context.Context, c Caller, jurisdiction string, bundle []byte) (*ShadowState, error) {
	v, err := s.enterShadow(ctx, c, ActShadow, jurisdiction)
	if err != nil {
		return nil, err
	}
	s.shadows.building.Lock() // one at a time: it holds much
	draft, now, refused := s.draftSet(jurisdiction, bundle)
	s.shadows.building.Unlock()
	if refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	b, refused := readBundle(jurisdiction, bundle)
	if refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	x := &shadow{jurisdiction: jurisdiction, reader: v.agency(), by: c.Identity.String(), bundle: b, beside: now, live: s.Policy,
		revisions: ofJurisdiction(draft.Revisions(), jurisdiction), engine: policy.NewEngine(policy.Config{Timeout: s.Policy.Timeout(), AllowSamples: true}),
		queue: make(chan func(context.Context), shadowQueue), changes: map[string]int{}, rules: map[string]map[string]int{}}
	if err := x.engine.Activate(draft); err != nil {
		return nil, unavailable(err)
	}
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		e.Outcome, e.Revisions = "started", x.revisions
		x.since, x.until = tx.Now(), tx.Now().Add(shadowLasts)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	if !s.shadows.start(x) {
		return nil, unavailable(errors.New("the exchange stops"))
	}
	state := x.state(s.Clock(), 0)
	state.Receipt = receipt
	return state, nil
}

// ShowShadow says what the shadow of the caller's jurisdiction came to, with
// at most limit differences. One that ended by itself stays to be seen until
// the next begins.
func (s *Service) ShowShadow(ctx context.Context, c Caller, jurisdiction string, limit int) (*ShadowState, error) {
	return s.lookAtShadow(ctx, c, ActShowShadow, jurisdiction, "shown", limit)
}

// StopShadow ends the shadow of the caller's jurisdiction, and says for the
// last time what it came to.
func (s *Service) StopShadow(ctx context.Context, c Caller, jurisdiction string, limit int) (*ShadowState, error) {
	state, err := s.lookAtShadow(ctx, c, ActStopShadow, jurisdiction, "stopped", limit)
	if err == nil {
		s.shadows.remove(jurisdiction, s.Clock())
	}
	return state, err
}

// enterShadow is the gate of a shadow: a jurisdiction sees its own only.
func (s *Service) enterShadow(ctx context.Context, c Caller, a Action, jurisdiction string) (*visit, error) {
	v, err := s.enter(ctx, c, a, "")
	if err != nil {
		return nil, err
	}
	v.entry.Details = map[string]string{"jurisdiction": jurisdiction}
	if jurisdiction != c.Identity.Jurisdiction {
		return nil, v.refuse(ctx, absent("policy-of-another"))
	}
	return v, nil
}

func (s *Service) lookAtShadow(ctx context.Context, c Caller, a Action, jurisdiction, outcome string, limit int) (*ShadowState, error) {
	v, err := s.enterShadow(ctx, c, a, jurisdiction)
	if err != nil {
		return nil, err
	}
	x := s.shadows.all()[jurisdiction]
	if x == nil {
		return nil, v.refuse(ctx, absent("no-shadow"))
	}
	state := x.state(s.Clock(), limit)
	state.Receipt, err = v.commit(ctx, func(*Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		e.Outcome, e.Revisions = outcome, x.revisions
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return state, nil
}

// shadows are those of all jurisdictions. Requests read them without a lock.
type shadows struct {
	mu      sync.Mutex
	of      atomic.Pointer[map[string]*shadow] // by jurisdiction; copied when it changes
	closed  bool
	workers sync.WaitGroup
	turn    sync.Mutex // of the workers: one draft decides at a time

	building sync.Mutex
}

func (all *shadows) all() map[string]*shadow {
	if of := all.of.Load(); of != nil {
		return *of
	}
	return nil
}

// put changes the shadow of a jurisdiction; the one before it has ended.
func (all *shadows) put(jurisdiction string, x *shadow, at time.Time, why string) {
	of := maps.Clone(all.all())
	if old := of[jurisdiction]; old != nil {
		old.end(at, why)
	}
	if of == nil {
		of = map[string]*shadow{}
	}
	if delete(of, jurisdiction); x != nil {
		of[jurisdiction] = x
	}
	all.of.Store(&of)
}

// start has a shadow run, unless the service is closed.
func (all *shadows) start(x *shadow) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.closed {
		return false
	}
	ctx, stop := context.WithTimeout(context.Background(), shadowLasts)
	x.stop = stop
	all.put(x.jurisdiction, x, x.since, shadowReplaced)
	if !x.stillBeside(x.live.Set()) {
		x.end(x.since, ShadowActivated) // while it was built
	}
	all.workers.Go(func() { x.run(ctx, &all.turn) })
	return true
}

// end ends the shadow of a jurisdiction, which can be looked at still.
func (all *shadows) end(at time.Time, why, jurisdiction string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if x := all.all()[jurisdiction]; x != nil {
		x.end(at, why)
	}
}

func (all *shadows) remove(jurisdiction string, at time.Time) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.put(jurisdiction, nil, at, shadowStopped)
}

func (all *shadows) close() {
	all.mu.Lock()
	all.closed = true
	for _, x := range all.all() {
		x.end(x.since, shadowStopped)
	}
	all.mu.Unlock()
	all.workers.Wait()
}

// shadow is one draft beside the policy in force, and what came of it.
type shadow struct {
	jurisdiction string
	reader       string // agency that started it: what is kept is masked for its jurisdiction
	by           string
	bundle       *policy.Bundle
	revisions    map[string]string
	since, until time.Time

	live    *policy.Engine
	engine  *policy.Engine             // of the draft: its time and its places are its own
	beside  *policy.Set                // in force, that the draft was built on; of the worker
	queue   chan func(context.Context) // what the worker does, in this order
	stop    context.CancelFunc
	ended   atomic.Pointer[shadowEnd]
	dropped atomic.Int64

	mu                     sync.Mutex // between the worker and who looks: no request of others takes it
	compared, same, failed int
	changes                map[string]int
	rules                  map[string]map[string]int
	kept                   []*ReplayChange // the newest last
}

type shadowEnd struct {
	why string
	at  time.Time
}

// shadowed is what was decided of one package and may be seen.
type shadowed struct {
	judgement *judgement
	request   policy.Request
	as        []standing // by recipient
}

// count is how many decisions may be seen.
func (d *shadowed) count() (n int) {
	for _, as := range d.as {
		if as != noParty {
			n++
		}
	}
	return n
}

// shadow hands what was decided and recorded to the shadows. It waits for
// nothing: what finds no room is dropped.
func (s *Service) shadow(j *judgement) {
	for _, x := range s.shadows.all() {
		if x.ended.Load() != nil || !j.at.Before(x.until) {
			continue
		}
		d := &shadowed{judgement: j, as: x.sees(j)}
		n := d.count()
		if n == 0 {
			continue
		}
		d.request = j.ask()
		select {
		case x.queue <- func(ctx context.Context) { x.compare(ctx, d) }:
		default:
			x.dropped.Add(int64(n))
		}
	}
}

// sees says what the jurisdiction is to each decision: the sender's sees all, a
// recipient's its own of a package that was released to it or waits for it.
// Who was denied learns nothing, and nothing of it is counted.
func (x *shadow) sees(j *judgement) []standing {
	who := audience{jurisdiction: x.jurisdiction}
	all := make([]standing, len(j.decisions))
	for i, d := range j.decisions {
		switch {
		case who.is(j.sender):
			all[i] = ofSender
		case j.action != policy.ActionDryRun && who.is(d.Recipient) && j.reached(i):
			all[i] = ofRecipient
		}
	}
	return all
}

// reached reports whether recipient i has got something of the package.
func (j *judgement) reached(i int) bool {
	switch {
	case j.action == policy.ActionAcknowledgement, j.verdict == policy.Delivered:
		return true
	}
	return j.verdict == policy.Pending && j.awaits(i)
}

// run is the worker: it ends with its shadow, and with the service.
func (x *shadow) run(ctx context.Context, turn *sync.Mutex) {
	for {
		select {
		case <-ctx.Done():
			return
		case do := <-x.queue:
			turn.Lock()
			do(ctx)
			turn.Unlock()
		}
	}
}

// compare decides once more, by the draft. Whatever goes wrong is only counted.
func (x *shadow) compare(ctx context.Context, d *shadowed) {
	done := false
	defer func() {
		if recover() != nil || !done && ctx.Err() == nil {
			x.mu.Lock()
			x.failed += d.count()
			x.mu.Unlock()
		}
	}()
	if !x.follow(d.judgement) {
		done = true
		return
	}
	now, err := x.engine.Decide(ctx, d.request)
	if err != nil || len(now) != len(d.as) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, as := range d.as {
		if as != noParty {
			x.note(d.judgement, i, &now[i], as)
		}
	}
	done = true
}

// follow builds the draft anew when others' policy has changed, so that what
// differs is the draft's doing. What was decided by rules that are not in force
// any more is dropped.
func (x *shadow) follow(j *judgement) bool {
	switch {
	case j.set == x.beside:
		return true
	case j.set != x.live.Set():
		x.dropped.Add(int64((&shadowed{as: x.sees(j)}).count()))
		return false
	case !x.stillBeside(j.set):
		x.end(j.at, ShadowActivated)
		return false
	}
	in := x.bundle.Apply(j.set.Inputs())
	in.AllowSamples = true
	draft, err := policy.BuildOn(j.set, in)
	if err == nil {
		err = x.engine.Activate(draft)
	}
	if err != nil {
		x.end(j.at, ShadowUnbuilt)
		return false
	}
	x.beside = j.set
	return true
}

// stillBeside reports whether a set has of the jurisdiction what the draft is
// compared with.
func (x *shadow) stillBeside(set *policy.Set) bool {
	return set != nil && sameInputs(inputsOf(set.Revisions(), x.jurisdiction), inputsOf(x.beside.Revisions(), x.jurisdiction))
}

func (x *shadow) note(j *judgement, i int, now *policy.Decision, as standing) {
	was := &j.decisions[i]
	x.compared++
	kind := changeKind(was, now)
	if kind == "" {
		x.same++
		return
	}
	c, blamed := changeOf(kind, was, now, x.reader, as)
	c.Decision, c.Action, c.At, c.From, c.To = j.ids[i], j.action, j.at, j.sender, was.Recipient
	x.changes[kind]++
	for _, rule := range blamed {
		count(x.rules, kind, rule)
	}
	if len(x.kept) >= maxDifferences {
		x.kept = slices.Delete(x.kept, 0, 1)
	}
	x.kept = append(x.kept, c)
}

// end ends the shadow once: the first reason stays.
func (x *shadow) end(at time.Time, why string) {
	if x.ended.CompareAndSwap(nil, &shadowEnd{why, at}) {
		x.stop()
	}
}

// state is what can be told now, with at most limit differences.
func (x *shadow) state(now time.Time, limit int) *ShadowState {
	if !now.Before(x.until) {
		x.end(x.until, ShadowLapsed)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	state := &ShadowState{Jurisdiction: x.jurisdiction, Revisions: x.revisions, By: x.by, Since: x.since, Until: x.until,
		Compared: x.compared, Same: x.same, Dropped: int(x.dropped.Load()), Failed: x.failed, Changes: maps.Clone(x.changes), Rules: map[string]map[string]int{}}
	for kind, rules := range x.rules {
		state.Rules[kind] = maps.Clone(rules)
	}
	for i := len(x.kept) - 1; i >= 0 && len(state.Differences) < limit; i-- {
		state.Differences = append(state.Differences, x.kept[i])
	}
	if e := x.ended.Load(); e != nil {
		state.Ended, state.EndedAt = e.why, e.at
	}
	return state
}

// ofJurisdiction are the revisions of one jurisdiction's inputs, by name.
func ofJurisdiction(revisions map[string]string, jurisdiction string) map[string]string {
	own := map[string]string{}
	for name, revision := range revisions {
		if _, j := splitInput(name); j == jurisdiction {
			own[name] = revision
		}
	}
	return own
}
