package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// proposal is one new state of a jurisdiction's policy on its way into force.
type proposal struct {
	Activation
	bundle    *policy.Bundle
	signature PolicySignature
	set       *policy.Set // built
}

// inForce is what operators and readers ask about the policies in force. The
// state has all of it but faults and refusals, which end with the process.
type inForce struct {
	mu       sync.Mutex
	active   map[string]Activation
	faults   map[string]string // by jurisdiction
	refusals map[string]uint64 // by reason
}

func (f *inForce) refused(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refusals == nil {
		f.refusals = map[string]uint64{}
	}
	f.refusals[reason]++
}

func (f *inForce) fault(jurisdiction string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults[jurisdiction]
}

func (f *inForce) allFaults() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range slices.Sorted(maps.Keys(f.faults)) {
		all = append(all, j+": "+f.faults[j])
	}
	return all
}

// put notes what came into force: it has no fault any more.
func (f *inForce) put(all ...Activation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.active == nil {
		f.active = map[string]Activation{}
	}
	for _, a := range all {
		f.active[a.Jurisdiction] = a
		delete(f.faults, a.Jurisdiction)
	}
}

// ActivePolicies are the activations in force, by jurisdiction: what metrics
// show. No entry.
func (s *Service) ActivePolicies() map[string]Activation {
	s.inForce.mu.Lock()
	defer s.inForce.mu.Unlock()
	return maps.Clone(s.inForce.active)
}

// PolicyRefusals counts the bundles and orders refused since the start, by
// reason.
func (s *Service) PolicyRefusals() map[string]uint64 {
	s.inForce.mu.Lock()
	defer s.inForce.mu.Unlock()
	return maps.Clone(s.inForce.refusals)
}

// change takes a proposal of a caller through the pipeline: seq, build and
// tests of the whole new set, then persons, entries and rows in one
// transaction, then the swap.
func (v *visit) change(ctx context.Context, p *proposal) (*PolicyChange, error) {
	ctx = context.WithoutCancel(ctx) // between entry and swap nobody goes away
	change, err := v.changeOne(ctx, p)
	if err == nil {
		v.renew(ctx) // who has lost a role is cut off
	}
	return change, err
}

// changeOne is change while no other is on its way.
func (v *visit) changeOne(ctx context.Context, p *proposal) (*PolicyChange, error) {
	v.activation.Lock()
	defer v.activation.Unlock()
	change, r, err := v.prepare(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case r != nil:
		return nil, v.refusePolicy(ctx, r)
	}
	vote := PolicyVote{Jurisdiction: p.Jurisdiction, Voter: v.caller.Identity.String(), Proposal: p.digest(), How: p.How, Seq: p.Seq, Status: p.Status,
		PolicySignature: p.signature, By: v.caller.Identity.String()}
	if p.Jurisdiction == policy.CommonBundle {
		vote.Voter = v.caller.Identity.Jurisdiction
	}
	v.turning.Lock()
	change.Receipt, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		if r := v.still(tx, p, change); r != nil {
			return nil, r, nil
		}
		if change.Outcome != PolicyRepeated {
			if err := v.decidePolicy(tx, p, vote, change); err != nil {
				return nil, nil, err
			}
		}
		e.Outcome, e.Details = change.Outcome, maps.Clone(e.Details)
		e.Details["needed"] = fmt.Sprint(change.Needed)
		if change.Outcome == PolicyActive {
			return v.alsoForOperator(e), nil, nil
		}
		return []audit.Entry{e}, nil, nil
	})
	err = v.turn(p, change, err)
	v.turning.Unlock()
	if err != nil {
		if r := AsRefusal(err); r != nil && r.Kind == PolicyRefused {
			v.inForce.refused(r.Reason)
		}
		return nil, err
	}
	return change, v.refresh(ctx)
}

// turn swaps the set of what is recorded as active into force.
func (s *Service) turn(p *proposal, change *PolicyChange, err error) error {
	if err != nil || change.Outcome != PolicyActive {
		return err
	}
	if err := s.Policy.Activate(p.set); err != nil {
		return unavailable(err) // prepare has asked; the next start has it in force
	}
	s.inForce.put(change.Activation)
	s.shadows.end(s.Clock(), ShadowActivated, change.Jurisdiction)
	return nil
}

// still holds a proposal that was prepared against what the transaction sees:
// its key may have been retired meanwhile.
func (s *Service) still(tx *Tx, p *proposal, change *PolicyChange) *Refusal {
	reg, err := tx.Registry()
	if err != nil {
		return unavailable(err)
	}
	agency, ok := reg.Agency(p.signature.Agency)
	if !ok {
		return unavailable(errStale)
	}
	if _, r := s.policyKey(reg, p.signature.Kid, agency.Jurisdiction, tx.Now()); r != nil {
		return r
	}
	if change.Outcome == PolicyRepeated {
		return nil
	}
	return s.keepsAuthor(reg, p)
}

// keepsAuthor refuses what would leave a jurisdiction without anybody who may
// change its policy: nobody could take that back.
func (s *Service) keepsAuthor(reg *Registry, p *proposal) *Refusal {
	before, after := false, false
	for _, a := range reg.Agencies() {
		if a.Jurisdiction == p.Jurisdiction {
			before = before || a.Takes() && a.Allows(certs.RolePolicy)
			a = declaredRow(p.set, a)
			after = after || a.Takes() && a.Allows(certs.RolePolicy)
		}
	}
	if !before || after {
		return nil
	}
	return &Refusal{Kind: PolicyRefused, Reason: "no-author", Detail: "no agency of " + p.Jurisdiction + " would have the role policy any more: nobody could change this again",
		Fix:      "declare the role policy for an agency that is admitted with it",
		Findings: []policy.Finding{{Input: "declared/" + p.Jurisdiction, File: "declared.json", Message: "declares no admitted agency with the role policy"}}}
}

// prepare does all that can be refused before anything is written: repeat,
// seq, build and tests of the whole new set.
func (s *Service) prepare(ctx context.Context, p *proposal) (*PolicyChange, *Refusal, error) {
	var newest *Activation
	err := s.view(ctx, func(rows Reader) error {
		history, err := rows.Activations(p.Jurisdiction)
		if err == nil && len(history) > 0 {
			newest = &history[0]
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if newest != nil && newest.Seq == p.Seq && newest.Status == p.Status && sameInputs(newest.Inputs, p.Inputs) && newest.How != HowEmbedded && s.isInForce(*newest) {
		return &PolicyChange{Outcome: PolicyRepeated, Activation: *newest}, nil, nil
	}
	if newest != nil && p.Seq <= newest.Seq {
		r := &Refusal{Kind: Conflict, Reason: "policy-seq", Detail: fmt.Sprintf("seq %d is not above %d, which is in force for %s", p.Seq, newest.Seq, p.Jurisdiction),
			Fix: fmt.Sprintf("look at what is in force, then bring yours with seq %d", newest.Seq+1)}
		if p.Seq < newest.Seq {
			r.Err = ErrOlder
		}
		return nil, r, nil
	}
	return &PolicyChange{}, s.build(p), nil
}

// build makes the whole new set: all inputs, all tests, the worst case.
func (s *Service) build(p *proposal) *Refusal {
	now := s.Policy.Set()
	if now == nil {
		return unavailable(errors.New("no policy is in force yet"))
	}
	in := p.bundle.Apply(now.Inputs())
	in.AllowSamples = s.Policy.AllowsSamples()
	var err error
	if p.set, err = policy.BuildOn(now, in); err == nil {
		err = s.Policy.Check(p.set)
	}
	if err == nil {
		return nil
	}
	r := &Refusal{Kind: PolicyRefused, Reason: "findings", Err: err, Detail: "the checks found something: what is in force stays", Fix: "mend what the findings name; liaison policy check finds the same"}
	var found *policy.BuildError
	if errors.As(err, &found) {
		r.Findings = found.Findings[:min(len(found.Findings), maxFindings)]
	} else {
		r.Detail = err.Error()
	}
	if p.Status == policy.Sample && !in.AllowSamples {
		r.Reason, r.Detail, r.Fix = "sample", "the bundle's status is sample, and this exchange takes no samples", "bring it with status authoritative, if it is the law"
	}
	return r
}

// maxFindings bounds how many findings one answer has.
const maxFindings = 100

// decidePolicy writes the vote, or the activation that it completes.
func (s *Service) decidePolicy(tx *Tx, p *proposal, vote PolicyVote, change *PolicyChange) error {
	reg, err := tx.Registry()
	if err != nil {
		return err
	}
	votes, err := tx.PolicyVotes(p.Jurisdiction)
	if err != nil {
		return err
	}
	vote.At = tx.Now()
	same := []PolicyVote{}
	for _, old := range votes {
		switch {
		case !s.counts(reg, old, tx.Now()) || old.Proposal != vote.Proposal:
		case old.Voter == vote.Voter:
			vote.At = old.At // its time does not begin again
		default:
			same = append(same, old)
		}
	}
	same = append(same, vote)
	if change.Needed = 2; p.Jurisdiction == policy.CommonBundle {
		change.Needed = s.quorum(reg, tx.Now())
	} else if s.OnePerson || p.How == HowFile {
		change.Needed = 1
	}
	if change.Activation = p.Activation; len(same) < change.Needed {
		if len(votes) >= maxVoters && !slices.ContainsFunc(votes, func(v PolicyVote) bool { return v.Voter == vote.Voter }) {
			tx.DropPolicyVotes(p.Jurisdiction) // of a day: nobody has that many authors
		}
		change.Outcome, change.Waiting = PolicyWaiting, same
		tx.PutPolicyVote(vote)
		return nil
	}
	change.Outcome, change.Waiting, change.At = PolicyActive, nil, tx.Now()
	for _, v := range same {
		if change.By = append(change.By, v.By); !slices.Contains(change.Signed, v.PolicySignature) {
			change.Signed = append(change.Signed, v.PolicySignature)
		}
	}
	return s.writeActivations(tx, p.set, change.Activation)
}

// counts reports whether a vote still counts: in its time, its key trusted,
// and, of a person, the role still there.
func (s *Service) counts(reg *Registry, v PolicyVote, now time.Time) bool {
	agency, ok := reg.Agency(v.Agency)
	if !ok || !now.Before(v.Expires()) {
		return false
	}
	if _, r := s.policyKey(reg, v.Kid, agency.Jurisdiction, now); r != nil {
		return false
	}
	id, err := certs.ParseIdentity(v.By)
	if err != nil {
		return v.By == s.Operator // a file's
	}
	person, ok := reg.Agency(id.AgencyID())
	return ok && person.Takes() && person.Allows(id.Role)
}

// quorum is how many jurisdictions have to sign a change of common.
func (s *Service) quorum(reg *Registry, now time.Time) int {
	if s.CommonQuorum > 0 {
		return s.CommonQuorum
	}
	able := map[string]bool{}
	for _, a := range reg.Agencies() {
		for _, k := range reg.Keys(a.ID) {
			if k.Public.Use() == envelope.UsePolicy && a.Takes() && s.trusts(k, now) {
				able[a.Jurisdiction] = true
			}
		}
	}
	return max(2, len(able)/2+1)
}

// writeActivations writes rows of activations, the sources of their set, and
// what they change in the registry.
func (s *Service) writeActivations(tx *Tx, set *policy.Set, rows ...Activation) error {
	if err := keepRevisions(tx, set); err != nil {
		return err
	}
	for _, a := range rows {
		tx.PutActivation(a)
		tx.DropPolicyVotes(a.Jurisdiction)
	}
	reg, err := tx.Registry()
	if err != nil {
		return err
	}
	for _, old := range reg.Agencies() {
		if !slices.ContainsFunc(rows, func(a Activation) bool { return a.Jurisdiction == old.Jurisdiction }) || old.ID == s.Operator {
			continue
		}
		if row := declaredRow(set, old); !row.same(old) {
			tx.PutAgency(row)
		}
	}
	return nil
}

// declaredRow is an agency's row with what its jurisdiction declares in the
// set. What is not declared any more has no role.
func declaredRow(set *policy.Set, row Agency) Agency {
	declared, _ := set.Declared(row.Jurisdiction)
	for _, d := range declared.Agencies {
		if d.ID == row.ID {
			row.Name, row.Type, row.Declared, row.Competences, row.Undeclared = d.Name, d.Type, d.Roles, d.Competences, false
			return row
		}
	}
	row.Undeclared = true
	return row
}

// Activate puts the set of this program in force: an act of the exchange with
// an entry, each time, the first after a start included. A set of the
// revisions in force does nothing.
func (s *Service) Activate(ctx context.Context, set *policy.Set) error {
	s.activation.Lock()
	defer s.activation.Unlock()
	return s.activate(ctx, set, nil)
}

// activate puts a set in force. What differs from what the state has is
// recorded as this program's own, but for jurisdictions with a fault.
func (s *Service) activate(ctx context.Context, set *policy.Set, faults map[string]string) error {
	if err := s.Policy.Check(set); err != nil {
		return err // before any entry says that it is in force
	}
	revisions := set.Revisions()
	if now := s.Policy.Set(); now != nil && maps.Equal(now.Revisions(), revisions) {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	s.turning.Lock()
	defer s.turning.Unlock()
	var fresh, active []Activation
	err := s.act(ctx, ActActivate, func(tx *Tx, e *audit.Entry) error {
		e.Revisions = revisions
		rows, err := tx.ActivePolicies()
		if err != nil {
			return err
		}
		fresh, active = ownActivations(set, rows, faults, tx.Now())
		active = append(active, fresh...)
		return s.writeActivations(tx, set, fresh...)
	})
	if err != nil {
		return err
	}
	if err := s.Policy.Activate(set); err != nil {
		return err
	}
	s.inForce.put(active...)
	for _, a := range fresh {
		s.shadows.end(s.Clock(), ShadowActivated, a.Jurisdiction)
	}
	s.inForce.mu.Lock()
	defer s.inForce.mu.Unlock()
	s.inForce.faults = faults
	for j := range faults {
		delete(s.inForce.active, j)
	}
	return nil
}

// ownActivations are the rows of what a set has and the state has otherwise,
// and the rows that stay.
func ownActivations(set *policy.Set, rows []Activation, faults map[string]string, now time.Time) (fresh, unchanged []Activation) {
	newest := map[string]Activation{}
	for _, a := range rows {
		newest[a.Jurisdiction] = a
	}
	for _, j := range append([]string{policy.CommonBundle}, set.Jurisdictions()...) {
		a := Activation{Jurisdiction: j, Seq: newest[j].Seq + 1, Status: policy.Authoritative, Inputs: inputsOf(set.Revisions(), j), How: HowEmbedded, At: now}
		if slices.Contains(set.Sampled(), j) {
			a.Status = policy.Sample
		}
		switch old, known := newest[j]; {
		case faults[j] != "":
		case known && sameInputs(old.Inputs, a.Inputs):
			unchanged = append(unchanged, old)
		default:
			fresh = append(fresh, a)
		}
	}
	return fresh, unchanged
}

// inputsOf are the revisions of one jurisdiction's inputs, by kind.
func inputsOf(revisions map[string]string, jurisdiction string) map[string]string {
	own := map[string]string{}
	for name, revision := range revisions {
		if kind, j := splitInput(name); j == jurisdiction || j == "" && kind == jurisdiction {
			own[kind] = revision
		}
	}
	return own
}

func sameInputs(a, b map[string]string) bool { return maps.Equal(a, b) }

// OpenPolicies puts in force what the state has: the newest activation of each
// jurisdiction, and the program's own inputs where there is none. A
// jurisdiction whose kept inputs do not build any more is left without rules;
// the others go on. built, if not nil, is the set of own.
func (s *Service) OpenPolicies(ctx context.Context, own policy.Inputs, built *policy.Set) error {
	s.activation.Lock()
	defer s.activation.Unlock()
	own.AllowSamples = s.Policy.AllowsSamples()
	faults := map[string]string{}
	in, kept, err := s.overlay(ctx, own, faults)
	if err != nil {
		return err
	}
	if kept || built == nil {
		if built, err = buildRest(in, faults); err != nil {
			return fmt.Errorf("policies: %w", err)
		}
	}
	for j, fault := range faults {
		s.Log.ErrorContext(ctx, "a jurisdiction is without its rules", slog.String("jurisdiction", j), slog.String("fault", fault))
	}
	return s.activate(ctx, built, faults)
}

// overlay puts what was activated over the program's own inputs.
func (s *Service) overlay(ctx context.Context, own policy.Inputs, faults map[string]string) (in policy.Inputs, kept bool, err error) {
	in = own
	err = s.view(ctx, func(rows Reader) error {
		active, err := rows.ActivePolicies()
		if err != nil {
			return err
		}
		for _, a := range active {
			if a.How == HowEmbedded {
				continue
			}
			b, err := keptBundle(rows, a)
			if err != nil {
				return err
			}
			if a.Status == policy.Sample && !in.AllowSamples {
				faults[a.Jurisdiction] = "its policy is a sample, and samples are not allowed here"
				continue
			}
			in, kept = b.Apply(in), true
		}
		return nil
	})
	return in, kept, err
}

// buildRest builds what can be built: a jurisdiction whose inputs are refused
// is left out. common is needed by all.
func buildRest(in policy.Inputs, faults map[string]string) (*policy.Set, error) {
	for {
		set, err := policy.Build(in)
		var found *policy.BuildError
		if err == nil || !errors.As(err, &found) {
			return set, err
		}
		left := false
		for _, f := range found.Findings {
			kind, j := splitInput(f.Input)
			if j == "" {
				return nil, err
			}
			if faults[j] == "" {
				faults[j], left = f.String(), true
			}
			in.Rules = without(in.Rules, j)
			if kind == "declared" {
				in.Declared = without(in.Declared, j)
			}
		}
		if !left {
			return nil, err
		}
	}
}

func without(m map[string]policy.Source, key string) map[string]policy.Source {
	m = maps.Clone(m)
	delete(m, key)
	return m
}

// keepRevisions stores each input of the set under its revision.
func keepRevisions(tx *Tx, set *policy.Set) error {
	for name, revision := range set.Revisions() {
		src, ok := set.Source(revision)
		if !ok {
			return errors.New("revision without source: " + name)
		}
		body, err := json.Marshal(src)
		if err != nil {
			return err
		}
		kind, jurisdiction := splitInput(name)
		tx.PutRevision(RevisionRow{Digest: revision, Kind: kind, Jurisdiction: jurisdiction, Body: body, At: tx.Now()})
	}
	return nil
}

// keptSource is the source of a revision. What the store gives is believed
// only as far as its digest goes.
func keptSource(rows Reader, revision string) (*policy.Source, error) {
	row, err := rows.Revision(revision)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("revision %s is not kept", revision)
	}
	var src policy.Source
	if err := json.Unmarshal(row.Body, &src); err != nil {
		return nil, fmt.Errorf("revision %s: %w", revision, err)
	}
	if src.Revision() != revision {
		return nil, fmt.Errorf("revision %s: what is kept is another", revision)
	}
	return &src, nil
}

// splitInput splits "rules/ee" into kind and jurisdiction.
func splitInput(name string) (kind, jurisdiction string) {
	if i := slices.Index([]byte(name), '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return name, ""
}
