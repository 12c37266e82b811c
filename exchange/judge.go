package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// question is what policy is asked about one package.
type question struct {
	action, id, sender string
	recipients         []string
	manifest           *envelope.Manifest
	meta               *envelope.Meta
	statement          *envelope.Statement
}

// judgement is policy's answer and what it stands on, so that the change can
// tell whether it still holds.
type judgement struct {
	question
	at        time.Time
	verdict   string // of the package: one denied, else one pending, else delivered
	decisions []policy.Decision
	ids       []string
	registry  *Registry
	set       *policy.Set
	engine    *policy.Engine
	relations []policy.Relation
	kept      bool // record was asked to keep it
}

// judge asks policy, outside any transaction. An error that is no refusal is
// the engine's.
func (s *Service) judge(ctx context.Context, q question) (*judgement, error) {
	j := &judgement{question: q, at: s.Clock(), engine: s.Policy}
	s.turning.RLock() // registry and set of one moment: not while an activation is between its entry and its swap
	j.registry, j.set = s.registry.Load(), s.Policy.Set()
	s.turning.RUnlock()
	if err := s.relate(ctx, j); err != nil {
		return nil, err
	}
	var err error
	// The engine has its own timeout; a client that goes away is no failure of it.
	if j.decisions, err = s.Policy.Decide(context.WithoutCancel(ctx), j.ask()); err != nil {
		return nil, err
	}
	if s.Policy.Set() != j.set {
		return nil, errStale
	}
	j.verdict = policy.Delivered
	for _, d := range j.decisions {
		j.ids = append(j.ids, newID())
		switch {
		case d.Verdict == policy.Denied:
			j.verdict = policy.Denied
		case d.Verdict != policy.Delivered && j.verdict != policy.Denied:
			j.verdict = policy.Pending
		}
	}
	return j, nil
}

// failEngine records that the policy engine failed: a 503 that has an entry.
func (v *visit) failEngine(ctx context.Context, err error) error {
	if errors.Is(err, errStale) || AsRefusal(err) != nil {
		return err
	}
	v.Log.ErrorContext(ctx, "policy engine failed", slog.String("request", v.caller.Request), slog.Any("error", err))
	return v.refuse(ctx, &Refusal{Kind: Unavailable, Reason: "policy-engine", Err: err, RetryAfter: 5 * time.Second,
		Detail: "policy cannot be asked now; this is no denial", Fix: "repeat the same request after the time in Retry-After"})
}

// ask builds the engine's request from what is claimed and what is known.
func (j *judgement) ask() policy.Request {
	r := policy.Request{Action: j.action, Now: j.at, MessageType: j.meta.MessageType, Sender: party(j.registry, j.sender),
		Claimed: j.manifest.Meta, Justification: policy.NewText(j.statement.Justification), Texts: map[string]policy.Text{},
		Attachments: len(j.manifest.Attachments), ContentSize: j.manifest.Content.Size,
		Known: policy.Known{Relations: j.relations}}
	for field, text := range j.statement.Texts {
		r.Texts[field] = policy.NewText(text)
	}
	for _, a := range j.recipients {
		r.Recipients = append(r.Recipients, policy.Recipient{Party: party(j.registry, a)})
	}
	return r
}

// party is an agency as the registry knows it.
func party(r *Registry, id string) policy.Party {
	a, ok := r.Agency(id)
	if !ok {
		return policy.Party{ID: id}
	}
	return policy.Party{ID: id, Jurisdiction: a.Jurisdiction, Type: a.Type, Active: a.Takes(), Competences: a.Competences}
}

// relate looks up what the package claims to relate to; most claim nothing.
func (s *Service) relate(ctx context.Context, j *judgement) error {
	if len(j.meta.RelatesTo) == 0 {
		return nil
	}
	return s.view(ctx, func(rows Reader) (err error) {
		j.relations, err = relationsOf(rows, j.question)
		return err
	})
}

// relationsOf looks up the packages that this one names. What the sender was
// no party of is not found, whether it exists or not.
func relationsOf(rows Reader, q question) ([]policy.Relation, error) {
	var known []policy.Relation
	for _, claim := range q.meta.RelatesTo {
		rel := policy.Relation{Package: claim.Package, Relation: claim.Relation}
		old, err := rows.Package(claim.Package)
		if err != nil {
			return nil, err
		}
		if old != nil && old.partyTo(q.sender) {
			if err := fillRelation(&rel, old); err != nil {
				return nil, err
			}
		}
		known = append(known, rel)
	}
	return known, nil
}

// fillRelation says what is known of an earlier package.
func fillRelation(rel *policy.Relation, old *Package) error {
	rel.Found, rel.MessageType, rel.From = true, old.Type, old.Sender
	rel.Outcomes = map[string]string{}
	for _, d := range old.Deliveries {
		rel.Outcomes[d.Recipient] = d.Outcome
	}
	if old.Erased { // what bound it is not known any more: the strictest
		rel.Originators, rel.Handling, rel.Conditions, rel.OnwardRule = []string{old.Sender}, "H3", []string{"no_onward"}, "none"
		return nil
	}
	m, err := envelope.ParseManifest(old.Manifest)
	if err != nil {
		return err
	}
	rel.Originators, rel.Handling = m.Claimed.Originator, m.Claimed.Handling.Code
	for _, c := range m.Claimed.Handling.Conditions {
		rel.Conditions = append(rel.Conditions, c.Code)
	}
	if m.Claimed.Onward != nil {
		rel.OnwardRule, rel.OnwardListed = m.Claimed.Onward.Rule, m.Claimed.Onward.Listed
	}
	return nil
}

// stillHolds returns errStale if what the judgement stands on has moved.
func (j *judgement) stillHolds(tx *Tx) error {
	reg, err := tx.Registry()
	if err != nil {
		return err
	}
	if reg.Version() != j.registry.Version() || j.engine.Set() != j.set {
		return errStale
	}
	if len(j.relations) == 0 {
		return nil
	}
	now, err := relationsOf(tx, j.question)
	if err == nil && !reflect.DeepEqual(now, j.relations) {
		err = errStale
	}
	return err
}

// record keeps the decisions and their inputs, so that they can be replayed.
func (j *judgement) record(tx *Tx) {
	j.kept = true
	for i, d := range j.decisions {
		tx.PutDecision(j.row(i, d))
		if i == 0 || string(d.Input.Shared) != string(j.decisions[0].Input.Shared) {
			tx.PutInput(digest(d.Input.Shared), d.Input.Shared)
		}
	}
}

// row is decision i as it is kept.
func (j *judgement) row(i int, d policy.Decision) DecisionRow {
	return DecisionRow{ID: j.ids[i], Package: j.id, Recipient: d.Recipient, Action: j.action, At: j.at,
		Verdict: encodeVerdict(d), InputSHA256: d.Input.Digest(), Shared: digest(d.Input.Shared), Own: d.Input.Own}
}

// encodeVerdict is a decision without its input, which is kept by digest.
func encodeVerdict(d policy.Decision) []byte {
	d.Input = policy.Input{}
	b, err := json.Marshal(d)
	if err != nil {
		panic("policy.Decision does not marshal: " + err.Error()) // plain data: a programmer's error
	}
	return b
}

// outcomes are the answers for a reader, all recipients.
func (j *judgement) outcomes(reader string) []Outcome {
	all := make([]Outcome, 0, len(j.decisions))
	for i, d := range j.decisions {
		all = append(all, outcomeOf(j.set, d, j.ids[i], j.outcome(d), reader, reader == j.sender))
	}
	return all
}

// outcome is what a decision comes to in its package: one pending recipient
// makes all of them wait.
func (j *judgement) outcome(d policy.Decision) string {
	if j.verdict == policy.Pending {
		return policy.Pending
	}
	return d.Verdict
}

// outcomeOf is one recipient's outcome as the reader may see it.
func outcomeOf(set *policy.Set, d policy.Decision, id, outcome, reader string, isSender bool) Outcome {
	d = set.Mask(d, reader, isSender)
	return Outcome{Recipient: d.Recipient, Outcome: outcome, Decision: id, Obligations: d.Obligations,
		Reasons: d.Reasons, Advice: d.Advice, Sampled: d.Sampled}
}

// enter writes the decisions for these recipients into an entry, masked for
// its owner.
func (j *judgement) enter(e *audit.Entry, recipients ...string) {
	e.Revisions = map[string]string{}
	samples := map[string]bool{}
	for i, d := range j.decisions {
		if !slices.Contains(recipients, d.Recipient) {
			continue
		}
		m := j.set.Mask(d, e.Owner, e.Owner == j.sender)
		row := audit.Decision{ID: j.ids[i], Recipient: d.Recipient, Outcome: j.outcome(d), Rules: m.Rules, InputSHA256: d.Input.Digest()}
		for _, r := range m.Reasons {
			row.Codes = append(row.Codes, r.Code)
		}
		for _, o := range m.Obligations {
			row.Obligations = append(row.Obligations, o.Code)
		}
		e.Decisions, e.Engine = append(e.Decisions, row), d.Engine
		maps.Copy(e.Revisions, d.Revisions)
		for _, s := range d.Sampled {
			samples[s] = true
		}
	}
	e.Samples = slices.Sorted(maps.Keys(samples))
}

// awaits reports whether recipient i itself is asked to resolve a pend.
func (j *judgement) awaits(i int) bool { return pendsOn(j.decisions[i], "recipient", "") }

// awaited reports whether a pend names the originator.
func (j *judgement) awaited(agency string) bool {
	a, _ := j.registry.Agency(agency)
	return slices.ContainsFunc(j.decisions, func(d policy.Decision) bool { return pendsOn(d, "originator", a.Jurisdiction) })
}

// codeNotify is the obligation to tell originators that could not be asked.
const codeNotify = "notify_originator"

// notified are the originators that are told of the package because it does
// not wait for them.
func (j *judgement) notified() []string {
	var all []string
	for _, d := range j.decisions {
		all = append(all, notifiedBy(d)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// notifiedBy are the originators that one decision tells.
func notifiedBy(d policy.Decision) (all []string) {
	for _, o := range d.Obligations {
		var params struct {
			Originators []string `json:"originators"`
		}
		if o.Code == codeNotify && json.Unmarshal(o.Params, &params) == nil {
			all = append(all, params.Originators...)
		}
	}
	return all
}

// pendsOn reports whether the decision waits for that kind of approver, of
// that jurisdiction if it is given.
func pendsOn(d policy.Decision, by, jurisdiction string) bool {
	return slices.ContainsFunc(d.Pends, func(p policy.Pend) bool {
		return p.By == by && (jurisdiction == "" || p.Jurisdiction == jurisdiction)
	})
}

// digest is SHA-256, base64url.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
