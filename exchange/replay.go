package exchange

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/policy"
)

// Kinds of change, in the order in which they are told: what a draft would
// let go that was held back comes first.
const (
	NowAllowed        = "now_allowed"
	NowPending        = "now_pending"
	NowDenied         = "now_denied"
	ObligationsChange = "obligations_changed"
)

var changeKinds = []string{NowAllowed, NowPending, NowDenied, ObligationsChange}

// Bounds of a replay: how many changes of each kind are told (all are
// counted), how many run at a time, how many decisions are read at once.
const (
	maxChanges = 1000
	maxReplays = 2
	replayPage = 512
)

// ReplaySide is a decision in brief, masked for its reader.
type ReplaySide struct {
	Verdict     string   `json:"verdict"`
	Codes       []string `json:"codes,omitempty"`
	Rules       []string `json:"rules,omitempty"`
	Obligations []string `json:"obligations,omitempty"`
}

// ReplayChange is a decision that would be another one under the draft.
type ReplayChange struct {
	Kind     string
	Decision string
	Action   string
	At       time.Time
	From, To string // agencies
	Was, Now ReplaySide
	sequence int64
}

// ReplaySummary counts. Changes and Rules are by kind, Pairs by kind and
// "<sender's jurisdiction> <recipient's>", Rules by kind and rule: of what is
// held back now those that hold it back, of what goes now those that did.
type ReplaySummary struct {
	Decisions int // that the reader may see, as far as their input is kept
	Unchanged int
	Already   int // other than recorded, but the rules in force say the same as the draft
	Erased    int // input erased
	Unread    int // of another engine, or failed
	Changes   map[string]int
	Pairs     map[string]map[string]int
	Rules     map[string]map[string]int
	Declared  bool // the draft declares otherwise: recorded inputs keep what was declared then
}

// Replayed is one line of a replay: progress, a change, or at the end the
// summary.
type Replayed struct {
	Done, Of int64
	Change   *ReplayChange
	Summary  *ReplaySummary
}

// replaying bounds the replays of a service.
type replaying struct {
	mu sync.Mutex
	of map[string]bool // by jurisdiction of who asked
}

func (r *replaying) begin(j string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[j] || len(r.of) >= maxReplays {
		return false
	}
	if r.of == nil {
		r.of = map[string]bool{}
	}
	r.of[j] = true
	return true
}

func (r *replaying) end(j string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, j)
}

// Replay decides what was decided since a time once more, by the rules in
// force with a draft in the place of its jurisdiction's, and tells what would
// be other. Nothing comes into force. It sees the decisions that the caller's
// jurisdiction may see, and no others, in no count either. begun is called
// once, when it is sure that there will be an answer; tell for each line.
func (s *Service) Replay(ctx context.Context, c Caller, jurisdiction string, bundle []byte, since time.Time, begun func() error, tell func(Replayed) error) error {
	v, err := s.enter(ctx, c, ActReplay, "")
	if err != nil {
		return err
	}
	v.entry.Details = map[string]string{"policy": jurisdiction, "since": entryTime(since)}
	own := v.audience().jurisdiction
	if jurisdiction != own && jurisdiction != policy.CommonBundle {
		return v.refuse(ctx, absent("policy-of-another"))
	}
	if !s.replays.begin(own) {
		return v.refuse(ctx, &Refusal{Kind: Unavailable, Reason: "replays", RetryAfter: 10 * time.Second,
			Detail: "a replay of your jurisdiction, or too many of others, are running", Fix: "repeat when it is done"})
	}
	defer s.replays.end(own)
	draft, now, refused := s.draftSet(jurisdiction, bundle)
	if refused != nil {
		return v.refuse(ctx, refused)
	}
	_, err = v.commit(ctx, func(*Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		e.Outcome, e.Revisions = "replayed", draft.Revisions()
		return []audit.Entry{e}, nil, nil
	})
	if err == nil {
		err = begun()
	}
	if err != nil {
		return err
	}
	r := &replay{visit: v, draft: draft, now: now, both: policy.Compare(now, draft), who: v.audience(), since: since, tell: tell,
		revisions: map[string]map[string]string{}, kept: map[string][]*ReplayChange{}}
	r.sum = ReplaySummary{Changes: map[string]int{}, Pairs: map[string]map[string]int{}, Rules: map[string]map[string]int{},
		Declared: draft.Revisions()["declared/"+jurisdiction] != now.Revisions()["declared/"+jurisdiction]}
	return r.run(ctx)
}

// draftSet builds the rules in force with a draft in them.
func (s *Service) draftSet(jurisdiction string, raw []byte) (draft, now *policy.Set, refused *Refusal) {
	b, refused := readBundle(jurisdiction, raw)
	if refused != nil {
		return nil, nil, refused
	}
	now = s.Policy.Set()
	if now == nil {
		return nil, nil, &Refusal{Kind: Conflict, Reason: "no-policy", Detail: "no policy is in force: there is nothing to try a draft beside"}
	}
	in := b.Apply(now.Inputs())
	in.AllowSamples = true // nothing of it comes into force
	draft, err := policy.BuildOn(now, in)
	if err == nil {
		return draft, now, nil
	}
	refused = &Refusal{Kind: PolicyRefused, Reason: "findings", Err: err, Detail: "the draft does not pass the checks",
		Fix: "mend what the findings name; liaison policy check finds the same"}
	var found *policy.BuildError
	if errors.As(err, &found) {
		refused.Findings = found.Findings[:min(len(found.Findings), maxFindings)]
	}
	return nil, nil, refused
}

// replay is one replay on its way.
type replay struct {
	*visit
	draft, now *policy.Set
	who        audience
	since      time.Time
	tell       func(Replayed) error

	both      *policy.Comparison
	revisions map[string]map[string]string // decoded, by their text; of who reads

	mu   sync.Mutex
	kept map[string][]*ReplayChange
	sum  ReplaySummary
}

// page is what is decided again at once.
type page struct {
	rows     []DecisionRow
	verdicts []*verdictText // of the rows
	first    int64
	inputs   map[string][]byte
	releases map[string]*ReleaseRow
}

// run reads page by page, each in a view of its own so that no snapshot is
// held, and decides with as many workers as there are processors, at most two.
func (r *replay) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var after, first, last int64
	if err := r.view(ctx, func(rows Reader) (err error) {
		after, last, err = rows.DecisionsSince(r.since)
		return err
	}); err != nil {
		return err
	}
	first = after
	pages := make(chan *page)
	var workers sync.WaitGroup
	for i := range min(2, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for p := range pages {
				if err := r.page(ctx, p, i); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	err := r.read(ctx, pages, first, last)
	close(pages)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return err
	}
	return r.report()
}

func (r *replay) read(ctx context.Context, pages chan<- *page, after, last int64) error {
	first, told := after, r.Clock()
	for after < last {
		p := &page{first: after}
		err := r.view(ctx, func(rows Reader) (err error) {
			if p.rows, after, err = rows.Decisions(after, replayPage); err != nil || len(p.rows) == 0 {
				after = max(after, last)
				return err
			}
			return r.fill(rows, p)
		})
		if err != nil {
			return err
		}
		select {
		case pages <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
		if now := r.Clock(); now.Sub(told) > time.Second {
			told = now
			if err := r.tell(Replayed{Done: min(after, last) - first, Of: last - first}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill reads inputs, and what became of packages that are not of the reader's
// side.
func (r *replay) fill(rows Reader, p *page) (err error) {
	var digests, packages []string
	p.verdicts = make([]*verdictText, 0, len(p.rows))
	p.rows = slices.DeleteFunc(p.rows, func(d DecisionRow) bool {
		if d.At.Before(r.since) {
			return true
		}
		v, err := readVerdict(d.Verdict, r.revisionsOf)
		if err != nil || !r.concerns(v) {
			return true
		}
		p.verdicts = append(p.verdicts, v)
		return false
	})
	for i := range p.rows {
		d := &p.rows[i]
		if i == 0 || d.Shared != p.rows[i-1].Shared {
			digests = append(digests, d.Shared)
		}
		if i == 0 || d.Package != p.rows[i-1].Package {
			packages = append(packages, d.Package)
		}
	}
	if p.inputs, err = rows.Inputs(digests); err != nil {
		return err
	}
	releases, err := rows.Releases(packages)
	p.releases = make(map[string]*ReleaseRow, len(releases))
	for i := range releases {
		p.releases[releases[i].Package+" "+releases[i].Recipient] = &releases[i]
	}
	return err
}

// page decides a page again. Requests of the exchange come first: each decision
// gives way, and while the exchange is asked only one worker goes on, and
// rests as long as it worked.
func (r *replay) page(ctx context.Context, p *page, worker int) error {
	begun, asked := time.Now(), r.Policy.Asked()
	var last *policy.Reading
	for i := range p.rows {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		last = r.one(ctx, p, i, last)
		runtime.Gosched()
		if i%16 != 15 || r.Policy.Asked() == asked {
			continue
		}
		rest := time.Since(begun) * time.Duration(1+3*worker)
		select {
		case <-time.After(min(rest, 100*time.Millisecond)):
		case <-ctx.Done():
		}
		begun, asked = time.Now(), r.Policy.Asked()
	}
	return nil
}

// one decides one decision again and notes what is other.
func (r *replay) one(ctx context.Context, p *page, i int, last *policy.Reading) *policy.Reading {
	row := &p.rows[i]
	was, release := p.verdicts[i], p.releases[row.Package+" "+row.Recipient]
	shared, kept := p.inputs[row.Shared]
	if !kept || len(shared) == 0 || len(row.Own) == 0 {
		if release != nil && (r.who.is(release.Sender) || r.who.is(row.Recipient) && release.Seq > 0) && row.Shared != noInput {
			r.note(func(s *ReplaySummary) { s.Erased++ })
		}
		return last
	}
	reading, err := policy.Read(policy.Input{Shared: shared, Own: row.Own}, last)
	if err != nil {
		return last // it cannot be told whose it is
	}
	if as := r.as(row, was, reading, release); as != noParty {
		r.again(ctx, row, was, reading, as, p.first+int64(i))
	}
	return reading
}

// again decides what the reader may see. Where the draft and the rules in force
// are known to say the same, what the rules in force decided stays as it is.
func (r *replay) again(ctx context.Context, row *DecisionRow, was *verdictText, in *policy.Reading, as standing, sequence int64) {
	same, inForce := r.both.Same(ctx, decideAgain, in), r.both.Decided(in, was.revisions, was.engine)
	if same && inForce {
		r.note(func(s *ReplaySummary) { s.Decisions++; s.Unchanged++ })
		return
	}
	now, err := r.draft.DecideReading(ctx, decideAgain, in)
	kind := ""
	if err == nil {
		kind, err = was.changeKind(&now)
	}
	switch {
	case err != nil:
		r.note(func(s *ReplaySummary) { s.Decisions++; s.Unread++ })
	case kind == "":
		r.note(func(s *ReplaySummary) { s.Decisions++; s.Unchanged++ })
	case same || !inForce && r.already(ctx, in, &now):
		r.note(func(s *ReplaySummary) { s.Decisions++; s.Already++ })
	default:
		r.changed(row, kind, was, &now, in.Sender(), as, sequence)
	}
}

// already reports whether the rules in force decide like the draft.
func (r *replay) already(ctx context.Context, in *policy.Reading, now *policy.Decision) bool {
	d, err := r.now.DecideReading(ctx, decideAgain, in)
	return err == nil && changeKind(&d, now) == ""
}

// noInput is the digest of what was decided when no policy was active.
var noInput = digest(nil)

// as is what the reader is to a decision.
func (r *replay) as(row *DecisionRow, was *verdictText, in *policy.Reading, release *ReleaseRow) standing {
	switch {
	case r.who.is(in.Sender()):
		return ofSender
	case row.Action == policy.ActionDryRun, release == nil:
		return noParty
	}
	rec := &record{DecisionRow: *row}
	if was.names() {
		d, err := was.decode()
		if err != nil {
			return noParty
		}
		rec.decision = *d
	}
	return rec.standingIn(release, in.Sender(), r.who)
}

var kindOfVerdict = map[string]string{policy.Delivered: NowAllowed, policy.Pending: NowPending, policy.Denied: NowDenied}

// changeKind says how a decision is other than before; empty: it is not.
func changeKind(was, now *policy.Decision) string {
	switch {
	case was.Verdict != now.Verdict:
		return kindOfVerdict[now.Verdict]
	case now.Verdict == policy.Denied:
		return ""
	case !sameAsDecided(was.Obligations, now.Obligations), !samePends(was.Pends, now.Pends):
		return ObligationsChange
	}
	return ""
}

func (r *replay) note(f func(*ReplaySummary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.sum)
}

// changeOf is a change as its reader may see it, without its place, and the
// rules that it is counted under.
func changeOf(kind string, was, now *policy.Decision, reader string, as standing) (c *ReplayChange, blamed []string) {
	c = &ReplayChange{Kind: kind, Was: sideOf(policy.Mask(*was, reader, as == ofSender)), Now: sideOf(policy.Mask(*now, reader, as == ofSender))}
	if blamesFormer(kind, was.Verdict) {
		return c, c.Was.Rules
	}
	return c, c.Now.Rules
}

// blamesFormer says under which rules a change is counted: of what goes now
// under those that held it back, of what is held back now under those that do.
func blamesFormer(kind, was string) bool {
	return kind == NowAllowed || kind == NowPending && was == policy.Denied
}

// changed counts a change, and keeps it if there is room. What was is decoded
// only if something of it is told.
func (r *replay) changed(row *DecisionRow, kind string, was *verdictText, now *policy.Decision, sender string, as standing, sequence int64) {
	former := &policy.Decision{Verdict: was.verdict}
	if r.room(kind) || blamesFormer(kind, was.verdict) {
		var err error
		if former, err = was.decode(); err != nil {
			r.note(func(s *ReplaySummary) { s.Decisions++; s.Unread++ })
			return
		}
	}
	c, blamed := changeOf(kind, former, now, r.agency(), as)
	c.Decision, c.Action, c.At, c.From, c.To, c.sequence = row.ID, row.Action, row.At, sender, row.Recipient, sequence
	from, _, _ := certs.ParseAgencyID(sender)
	to, _, _ := certs.ParseAgencyID(row.Recipient)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Decisions++
	r.sum.Changes[kind]++
	count(r.sum.Pairs, kind, from+" "+to)
	for _, rule := range blamed {
		count(r.sum.Rules, kind, rule)
	}
	if len(r.kept[kind]) < maxChanges {
		r.kept[kind] = append(r.kept[kind], c)
	}
}

// room reports whether a change of a kind can be kept; once there is none,
// there is none again.
func (r *replay) room(kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.kept[kind]) < maxChanges
}

// maxCounted bounds the pairs and rules that are counted by name.
const maxCounted = 512

func count(all map[string]map[string]int, kind, name string) {
	if all[kind] == nil {
		all[kind] = map[string]int{}
	}
	if _, known := all[kind][name]; !known && len(all[kind]) >= maxCounted {
		name = "other"
	}
	all[kind][name]++
}

func sideOf(d policy.Decision) ReplaySide {
	side := ReplaySide{Verdict: d.Verdict, Rules: d.Rules}
	for _, reason := range d.Reasons {
		side.Codes = append(side.Codes, reason.Code)
	}
	for _, o := range d.Obligations {
		text := o.Code
		if p := string(o.Params); p != "" && p != "{}" {
			text += " " + p
		}
		side.Obligations = append(side.Obligations, text)
	}
	return side
}

// report tells the changes, newly allowed first, and the summary.
func (r *replay) report() error {
	for _, kind := range changeKinds {
		slices.SortFunc(r.kept[kind], func(a, b *ReplayChange) int { return cmp.Compare(a.sequence, b.sequence) })
		for _, c := range r.kept[kind] {
			if err := r.tell(Replayed{Change: c}); err != nil {
				return err
			}
		}
	}
	return r.tell(Replayed{Summary: &r.sum})
}
