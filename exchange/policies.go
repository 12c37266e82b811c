package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// How an activation came about.
const (
	HowEmbedded = "embedded" // the inputs of this program
	HowFile     = "file"     // a signed bundle that an operator laid down
	HowPush     = "push"     // a signed bundle by the API
	HowRollback = "rollback" // a signed order by the API
)

// commonLasts is how long a jurisdiction's signature of a change of common
// waits for those of the others.
const commonLasts = 14 * 24 * time.Hour

// maxVoters bounds what waits for one jurisdiction's policy.
const maxVoters = 64

// Activation is one state of a jurisdiction's policy, or of common, that came
// into force. The one with the highest seq is in force.
type Activation struct {
	Jurisdiction string // or policy.CommonBundle
	Seq          int64
	Status       string            // policy.Sample or policy.Authoritative
	Inputs       map[string]string // revisions by kind: declared and rules, or common
	How          string
	BackTo       int64             // of a rollback: the seq that it went back to
	Signed       []PolicySignature // whose keys; none of what is embedded
	By           []string          // identities that brought it
	At           time.Time
}

// PolicySignature names the key that signed, and its agency.
type PolicySignature struct {
	Agency string `json:"agency"`
	Kid    string `json:"kid"`
}

// PolicyVote is one person's, of common one jurisdiction's, wish for an
// activation that waits for others.
type PolicyVote struct {
	Jurisdiction string // whose policy
	Voter        string // an identity; of common a jurisdiction
	Proposal     string // digest: the same of all who want the same
	How          string // HowPush or HowRollback
	Seq          int64
	Status       string
	PolicySignature
	By string // identity; of a file the operator's agency
	At time.Time
}

// Expires is when the vote counts no more.
func (v PolicyVote) Expires() time.Time {
	if v.Jurisdiction == policy.CommonBundle {
		return v.At.Add(commonLasts)
	}
	return v.At.Add(proposalLasts)
}

// What became of a bundle or an order.
const (
	PolicyActive   = "active"
	PolicyWaiting  = "waiting"  // for others who want the same
	PolicyRepeated = "repeated" // it is in force already
)

// PolicyChange answers PushPolicy and RollbackPolicy.
type PolicyChange struct {
	Outcome string
	Activation
	Waiting []PolicyVote // with PolicyWaiting: who wants it
	Needed  int          // how many have to
	Receipt audit.Receipt
}

// PolicyState is a jurisdiction's policy as a reader may see it.
type PolicyState struct {
	Activation
	InForce bool
	Fault   string // why it is without the rules that it should have
	Waiting []PolicyVote
	Needed  int
	Own     bool                      // the reader's own, or common: with sources and history
	Sources map[string]*policy.Source // by kind
	History []Activation              // newest first
}

// PushPolicy brings a signed bundle of the caller's own jurisdiction, or one
// of common with the signature of a key of the caller's jurisdiction. It is in
// force when the whole new set was built and tested and enough persons, of
// common enough jurisdictions, brought the same. A refusal leaves the set in
// force as it is.
func (s *Service) PushPolicy(ctx context.Context, c Caller, jurisdiction string, raw []byte) (*PolicyChange, error) {
	v, err := s.enter(ctx, c, ActPush, "")
	if err != nil {
		return nil, err
	}
	if r := v.mayChange(jurisdiction); r != nil {
		return nil, v.refuse(ctx, r)
	}
	v.entry.Details = map[string]string{"jurisdiction": jurisdiction, "bundle": digest(raw)}
	b, r := readBundle(jurisdiction, raw)
	if r != nil {
		return nil, v.refusePolicy(ctx, r)
	}
	describeBundle(&v.entry, b)
	key, r := v.policyKey(s.registry.Load(), b.Kid(), c.Identity.Jurisdiction, s.Clock())
	if r == nil {
		r = verifyBundle(b, key.Public)
	}
	if r != nil {
		return nil, v.refusePolicy(ctx, r)
	}
	return v.change(ctx, &proposal{Activation: activationOf(b, HowPush), bundle: b, signature: PolicySignature{key.Agency, key.Kid}})
}

// mayChange: a jurisdiction speaks for itself alone, and with others for
// common.
func (v *visit) mayChange(jurisdiction string) *Refusal {
	if jurisdiction != v.caller.Identity.Jurisdiction && jurisdiction != policy.CommonBundle {
		return absent("policy-of-another")
	}
	return nil
}

// readBundle reads the bundle that is to be of the jurisdiction.
func readBundle(jurisdiction string, raw []byte) (*policy.Bundle, *Refusal) {
	b, err := policy.ReadBundle(raw)
	if err != nil {
		return nil, &Refusal{Kind: PolicyRefused, Reason: "bundle-form", Err: err, Detail: "this is no bundle of policy: " + err.Error(),
			Fix: "make it with liaison policy build, or bring the directory with liaison policy push"}
	}
	if b.Jurisdiction != jurisdiction {
		return nil, &Refusal{Kind: PolicyRefused, Reason: "bundle-of-another", Detail: "the bundle is of " + b.Jurisdiction + ", not of " + jurisdiction,
			Fix: "bring it to the path of its own jurisdiction"}
	}
	return b, nil
}

func verifyBundle(b *policy.Bundle, key envelope.PublishedKey) *Refusal {
	if err := b.Verify(key.CryptoKey()); err != nil {
		return &Refusal{Kind: PolicyRefused, Reason: "signature", Err: err, Detail: "the signature does not hold: " + err.Error(),
			Fix: "sign the bundle as it is now, with the policy key of your jurisdiction"}
	}
	return nil
}

// policyKey is the policy key with that thumbprint, of an agency of that
// jurisdiction, that may sign now.
func (s *Service) policyKey(reg *Registry, kid, jurisdiction string, now time.Time) (*Key, *Refusal) {
	r := &Refusal{Kind: PolicyRefused, Fix: "sign with a key of use policy that an agency of your jurisdiction has published: liaison keys publish"}
	if kid == "" {
		r.Reason, r.Detail = "unsigned", "the bundle bears no signature"
		return nil, r
	}
	key := reg.KeyByID(kid)
	if key == nil || key.Public.Use() != envelope.UsePolicy {
		r.Reason, r.Detail = "key-unknown", "the key "+kid+" is not registered as a policy key"
		return nil, r
	}
	agency, ok := reg.Agency(key.Agency)
	switch {
	case !ok || agency.Jurisdiction != jurisdiction:
		r.Reason, r.Detail = "key-of-another", "the key "+kid+" is of "+key.Agency+", which does not speak for "+jurisdiction
	case !agency.Takes():
		r.Reason, r.Detail = "key-agency", "the agency of the key, "+key.Agency+", is suspended"
	case !s.trusts(key, now):
		r.Reason, r.Detail = "key-not-trusted", "the key "+kid+" is retired, or its certificate is not accepted any more"
		r.Fix = "publish a new policy key and sign with it: liaison keys rotate --use policy"
	default:
		return key, nil
	}
	return nil, r
}

// describeBundle tells an entry what was brought.
func describeBundle(e *audit.Entry, b *policy.Bundle) {
	e.Details["seq"], e.Details["status"], e.Details["proposal"] = fmt.Sprint(b.Seq), b.Status, b.Digest()
	e.SigningKey = b.Kid()
	e.Revisions = map[string]string{}
	for name, src := range b.Inputs() {
		e.Revisions[name] = src.Revision()
	}
}

// activationOf is the row that the bundle would have.
func activationOf(b *policy.Bundle, how string) Activation {
	a := Activation{Jurisdiction: b.Jurisdiction, Seq: b.Seq, Status: b.Status, How: how, Inputs: map[string]string{}}
	for name, src := range b.Inputs() {
		kind, _ := splitInput(name)
		a.Inputs[kind] = src.Revision()
	}
	return a
}

// refusePolicy is refuse, counted: an operator looks at what authors meet.
func (v *visit) refusePolicy(ctx context.Context, r *Refusal) error {
	v.inForce.refused(r.Reason)
	return v.refuse(ctx, r)
}

// RollbackPolicy brings a signed order to put an earlier activation of the
// caller's own jurisdiction, or of common, in force again, under a new seq.
func (s *Service) RollbackPolicy(ctx context.Context, c Caller, jurisdiction string, jws []byte) (*PolicyChange, error) {
	v, err := s.enter(ctx, c, ActRollback, "")
	if err != nil {
		return nil, err
	}
	if r := v.mayChange(jurisdiction); r != nil {
		return nil, v.refuse(ctx, r)
	}
	v.entry.Details = map[string]string{"jurisdiction": jurisdiction}
	order, key, r := v.readOrder(jurisdiction, jws)
	if r != nil {
		return nil, v.refusePolicy(ctx, r)
	}
	p, r, err := v.earlier(ctx, order)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return nil, v.refusePolicy(ctx, r)
	}
	p.signature = PolicySignature{key.Agency, key.Kid}
	return v.change(ctx, p)
}

// readOrder reads an order and establishes who speaks.
func (v *visit) readOrder(jurisdiction string, jws []byte) (*envelope.SignedRollback, *Key, *Refusal) {
	order, err := envelope.ParseRollback(jws)
	if err != nil {
		return nil, nil, refusalOf("order", err)
	}
	v.entry.Details["seq"], v.entry.SigningKey = fmt.Sprint(order.Seq), order.Kid
	v.entry.Revisions, v.entry.Justification = orderedRevisions(order), order.Reason
	key, r := v.policyKey(v.registry.Load(), order.Kid, v.caller.Identity.Jurisdiction, v.Clock())
	if r != nil {
		return nil, nil, r
	}
	refused := &Refusal{Kind: PolicyRefused, Fix: "sign a new order: liaison policy rollback"}
	switch {
	case order.VerifySignature(key.Public.PublicKey) != nil:
		refused.Reason, refused.Detail = "signature", "the signature of the order does not hold"
	case order.Iss != key.Agency:
		refused.Reason, refused.Detail = "key-of-another", "the order's iss is not the agency of its key"
	case order.Jurisdiction != jurisdiction:
		refused.Reason, refused.Detail = "order-of-another", "the order is for "+order.Jurisdiction+", not for "+jurisdiction
	case order.Exchange != v.origin:
		refused.Reason, refused.Detail = "other-exchange", "the order is for another exchange: this is "+v.origin
	case order.CheckTime(v.Clock()) != nil:
		refused.Reason, refused.Detail = "order-time", "the order's time (iat) is not within five minutes of now"
	default:
		return order, key, nil
	}
	return nil, nil, refused
}

func orderedRevisions(order *envelope.SignedRollback) map[string]string {
	all := map[string]string{}
	for kind, revision := range orderedInputs(order) {
		name := kind
		if kind != policy.CommonBundle {
			name += "/" + order.Jurisdiction
		}
		all[name] = revision
	}
	return all
}

// orderedInputs are the revisions that the order names, by kind.
func orderedInputs(order *envelope.SignedRollback) map[string]string {
	all := map[string]string{}
	for kind, revision := range map[string]string{"common": order.Common, "declared": order.Declared, "rules": order.Rules} {
		if revision != "" {
			all[kind] = revision
		}
	}
	return all
}

// earlier is what the order wants back, from the history of its jurisdiction.
func (v *visit) earlier(ctx context.Context, order *envelope.SignedRollback) (*proposal, *Refusal, error) {
	var p *proposal
	err := v.view(ctx, func(rows Reader) error {
		history, err := rows.Activations(order.Jurisdiction)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(history, func(a Activation) bool { return sameInputs(a.Inputs, orderedInputs(order)) })
		if i < 0 {
			return nil
		}
		old := history[i]
		p = &proposal{Activation: Activation{Jurisdiction: old.Jurisdiction, Seq: order.Seq, Status: old.Status, Inputs: old.Inputs,
			How: HowRollback, BackTo: old.Seq}}
		p.bundle, err = keptBundle(rows, p.Activation)
		return err
	})
	if err == nil && p == nil {
		return nil, &Refusal{Kind: PolicyRefused, Reason: "no-such-activation", Detail: "these revisions were never in force together here",
			Fix: "liaison policy status " + order.Jurisdiction + " shows what was"}, nil
	}
	return p, nil, err
}

// keptBundle is the bundle of an activation, from the revisions that are kept.
func keptBundle(rows Reader, a Activation) (*policy.Bundle, error) {
	b := &policy.Bundle{Jurisdiction: a.Jurisdiction, Seq: a.Seq, Status: a.Status, Files: map[string][]byte{}}
	for kind, revision := range a.Inputs {
		src, err := keptSource(rows, revision)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", kind, a.Jurisdiction, err)
		}
		for p, body := range src.Files {
			b.Files[p] = body
		}
	}
	return b, nil
}

// proposalDigest tells what is wanted apart: the same of all who want it,
// whoever signed.
func (p *proposal) digest() string {
	if p.How == HowRollback {
		return digest(fmt.Appendf(nil, "rollback %d %s", p.BackTo, p.bundle.Digest()))
	}
	return p.bundle.Digest()
}

// ListPolicies tells a policy author what is in force, of all.
func (s *Service) ListPolicies(ctx context.Context, c Caller) ([]PolicyState, audit.Receipt, error) {
	v, err := s.enter(ctx, c, ActPolicies, "")
	if err != nil {
		return nil, audit.Receipt{}, err
	}
	var all []PolicyState
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, nil, err
		}
		rows, err := tx.ActivePolicies()
		if err != nil {
			return nil, nil, err
		}
		all = nil
		for _, row := range rows {
			state, err := v.policyState(tx, reg, row)
			if err != nil {
				return nil, nil, err
			}
			all = append(all, state)
		}
		e := v.entry
		e.Outcome, e.Count = "shown", uint64(len(all))
		return []audit.Entry{e}, nil, nil
	})
	return all, receipt, err
}

// ShowPolicy tells a policy author what is in force of one jurisdiction; of the
// own one, and of common, with the sources and what was in force before.
func (s *Service) ShowPolicy(ctx context.Context, c Caller, jurisdiction string) (*PolicyState, audit.Receipt, error) {
	v, err := s.enter(ctx, c, ActPolicy, "")
	if err != nil {
		return nil, audit.Receipt{}, err
	}
	var state PolicyState
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, nil, err
		}
		history, err := tx.Activations(jurisdiction)
		if err != nil {
			return nil, nil, err
		}
		if len(history) == 0 {
			return nil, absent("no-such-policy"), nil
		}
		if state, err = v.policyState(tx, reg, history[0]); err != nil {
			return nil, nil, err
		}
		if err := v.addSources(tx, &state, history); err != nil {
			return nil, nil, err
		}
		e := v.entry
		e.Outcome, e.Details = "shown", map[string]string{"jurisdiction": jurisdiction}
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, receipt, err
	}
	return &state, receipt, nil
}

// policyState is what the caller may see of a jurisdiction's policy. Who the
// persons are that brought it only their own jurisdiction sees.
func (v *visit) policyState(tx *Tx, reg *Registry, a Activation) (PolicyState, error) {
	state := PolicyState{Activation: a, Fault: v.inForce.fault(a.Jurisdiction), InForce: v.isInForce(a)}
	own := a.Jurisdiction == v.caller.Identity.Jurisdiction
	state.Own = own || a.Jurisdiction == policy.CommonBundle
	votes, err := tx.PolicyVotes(a.Jurisdiction)
	if err != nil {
		return state, err
	}
	for _, vote := range votes {
		if v.counts(reg, vote, tx.Now()) && vote.Seq > a.Seq {
			vote.By = v.named(vote.By)
			state.Waiting = append(state.Waiting, vote)
		}
	}
	if state.Needed = 2; a.Jurisdiction == policy.CommonBundle {
		state.Needed = v.quorum(reg, tx.Now())
	} else if v.OnePerson {
		state.Needed = 1
	}
	state.By = v.namedAll(a.By)
	return state, nil
}

// named is an identity as the caller may see it: those of other jurisdictions
// are persons of theirs.
func (v *visit) named(identity string) string {
	if id, err := certs.ParseIdentity(identity); err == nil && id.Jurisdiction != v.caller.Identity.Jurisdiction {
		return ""
	}
	return identity
}

func (v *visit) namedAll(identities []string) (all []string) {
	for _, id := range identities {
		if id = v.named(id); id != "" {
			all = append(all, id)
		}
	}
	return all
}

// isInForce reports whether the set in force has the inputs of the activation.
func (s *Service) isInForce(a Activation) bool {
	set := s.Policy.Set()
	if set == nil {
		return false
	}
	return sameInputs(a.Inputs, inputsOf(set.Revisions(), a.Jurisdiction))
}

// addSources adds what only the own jurisdiction sees, and of common everybody.
func (v *visit) addSources(tx *Tx, state *PolicyState, history []Activation) error {
	if !state.Own {
		return nil
	}
	state.Sources = map[string]*policy.Source{}
	for kind, revision := range state.Inputs {
		src, err := keptSource(tx, revision)
		if err != nil {
			return err
		}
		state.Sources[kind] = src
	}
	for _, a := range history[:min(len(history), maxHistory)] {
		a.By = v.namedAll(a.By)
		state.History = append(state.History, a)
	}
	return nil
}

// maxHistory bounds how much of the history one answer shows.
const maxHistory = 200

// PolicyHealth is what an operator should see to: jurisdictions without the
// rules that they should have, by name.
func (s *Service) PolicyHealth() error {
	faults := s.inForce.allFaults()
	if len(faults) == 0 {
		return nil
	}
	return errors.New(strings.Join(faults, "; "))
}
