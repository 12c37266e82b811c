package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// acknowledging is an acknowledgement on its way.
type acknowledging struct {
	*visit
	signed  *envelope.SignedAcknowledgement
	payload string
	row     *Package
	seen    *View
	own     *Delivery
}

// Acknowledge takes a recipient's signed acceptance of a package's
// obligations. Policy is asked again, as of now: what it denies now is
// blocked, and content is never released; what it changed is a Conflict with
// the new descriptor. The same acknowledgement again gets the first receipt.
func (s *Service) Acknowledge(ctx context.Context, c Caller, id string, jws []byte) (*Acknowledged, error) {
	v, err := s.enter(ctx, c, ActAcknowledge, id)
	if err != nil {
		return nil, err
	}
	a := &acknowledging{visit: v}
	if err := a.readSigned(jws); err != nil {
		return nil, a.refuse(ctx, AsRefusal(err))
	}
	for range attempts {
		answer, err := a.round(ctx)
		if !errors.Is(err, errStale) {
			return answer, err
		}
	}
	return nil, unavailable(errStale)
}

// readSigned establishes form, signer and signature. Its errors are refusals.
func (a *acknowledging) readSigned(jws []byte) error {
	signed, err := envelope.ParseAcknowledgement(jws)
	if err != nil {
		return refusalOf("acknowledgement", err)
	}
	if signed.Iss != a.agency() {
		return rejected("signer-is-not-caller")
	}
	key := a.registry.Load().Key(signed.Iss, signed.Kid, envelope.UseSign)
	if key == nil {
		return rejected("signing-key-unknown")
	}
	if err := signed.VerifySignature(key.Public.PublicKey); err != nil {
		return refusalOf("acknowledgement", err)
	}
	a.signed, a.payload = signed, digest(signed.Payload)
	a.entry.SigningKey = signed.Kid
	return nil
}

// round reads the package, asks policy and records, once.
func (a *acknowledging) round(ctx context.Context) (*Acknowledged, error) {
	var first *Acknowledged
	var refused *Refusal
	err := a.view(ctx, func(rows Reader) (err error) {
		first, refused, err = a.load(rows)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, a.refuse(ctx, refused)
	case first != nil:
		if err := a.note(ctx, "repeated"); err != nil {
			return nil, err
		}
		return first, nil
	}
	if r := a.check(); r != nil {
		return nil, a.refuse(ctx, r)
	}
	j, err := a.judgeAgain(ctx)
	if err != nil {
		return nil, a.failEngine(ctx, err)
	}
	return a.record(ctx, j)
}

// load reads the package and any earlier acknowledgement of it.
func (a *acknowledging) load(rows Reader) (*Acknowledged, *Refusal, error) {
	p, seen, refused, err := a.find(rows)
	if err != nil || refused != nil {
		return nil, refused, err
	}
	a.row, a.seen, a.own = p, seen, p.delivery(a.agency())
	if a.own == nil || a.own.Seq == 0 {
		return nil, absent("not-a-recipient"), nil
	}
	if p.Erased {
		return nil, erasedPackage(seen), nil
	}
	old, err := rows.Acknowledgement(p.ID, a.agency())
	if err != nil || old == nil {
		return nil, nil, err
	}
	if old.Payload != a.payload {
		return nil, &Refusal{Kind: Conflict, Reason: "already-acknowledged", Detail: "this package is acknowledged already"}, nil
	}
	receipt, err := a.Journal.Receipt(rows, old.Index)
	if errors.Is(err, ErrErased) || errors.Is(err, ErrEarlier) {
		return nil, AsRefusal(erasedReceipt(err)), nil
	}
	return &Acknowledged{ID: p.ID, Receipt: receipt, Repeat: true}, nil, err
}

// check holds the acknowledgement against the package as the recipient sees
// it.
func (a *acknowledging) check() *Refusal {
	s, now := a.signed, a.Clock()
	key := a.registry.Load().Key(s.Iss, s.Kid, envelope.UseSign)
	if !a.trusts(key, now) {
		return rejected("signing-key-not-trusted")
	}
	if s.Exchange != a.origin || s.Sub != a.row.ID || s.ManifestSHA256 != a.row.ManifestSHA256 {
		return &Refusal{Kind: Invalid, Reason: "names-another", Detail: "exchange, sub or manifest_sha256 do not name this package",
			Fix: "take them from the descriptor and the manifest that you acknowledge"}
	}
	if err := s.CheckTime(now); err != nil {
		return refusalOf("acknowledgement", err)
	}
	if a.own.Outcome != policy.Delivered {
		return &Refusal{Kind: Conflict, Reason: "state-" + a.own.Outcome, Package: a.seen,
			Detail: "the package cannot be acknowledged in its state: " + a.own.Outcome}
	}
	if a.row.expired(now) {
		return nil // the change says so, and writes it down
	}
	decided, err := a.own.decision()
	if err != nil {
		return unavailable(err)
	}
	if s.Decision != a.own.Decision || !sameObligations(s.Obligations, decided.Obligations) {
		return a.changed("acknowledgement-differs")
	}
	return nil
}

// changed is the conflict that carries the descriptor to acknowledge.
func (a *acknowledging) changed(reason string) *Refusal {
	return &Refusal{Kind: Conflict, Reason: reason, Package: a.seen,
		Detail: "decision or obligations are not those of the descriptor as it stands now",
		Fix:    "read the descriptor in this answer and acknowledge that decision with exactly its obligations"}
}

// judgeAgain asks policy about this recipient as of now.
func (a *acknowledging) judgeAgain(ctx context.Context) (*judgement, error) {
	m, err := envelope.ParseManifest(a.row.Manifest)
	if err != nil {
		return nil, err
	}
	st, err := envelope.ParseStatement(a.row.Statement)
	if err != nil {
		return nil, err
	}
	return a.judge(ctx, question{action: policy.ActionAcknowledgement, id: a.row.ID, sender: a.row.Sender,
		recipients: []string{a.agency()}, manifest: &m.Manifest, meta: &m.Claimed, statement: &st.Statement})
}

// record writes what policy's answer makes of the acknowledgement.
func (a *acknowledging) record(ctx context.Context, j *judgement) (*Acknowledged, error) {
	receipt, err := a.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		if err := a.stillSame(tx, j); err != nil {
			return nil, nil, err
		}
		before, err := a.own.decision()
		if err != nil {
			return nil, nil, err
		}
		now := j.decisions[0]
		switch {
		case a.row.expired(tx.Now()):
			return a.expire(tx)
		case now.Verdict == policy.Denied:
			return a.block(tx, j)
		case now.Verdict != policy.Delivered || !sameAsDecided(before.Obligations, now.Obligations):
			return a.renew(tx, j)
		}
		return a.acknowledge(tx, j)
	}, Need{Package: a.row.ID})
	r := AsRefusal(err)
	if r != nil && r.Kind == Denied {
		r.Receipt = &receipt
	}
	if j.kept && (err == nil || r != nil && r.Kind != Unavailable) {
		a.shadow(j)
	}
	if err != nil {
		return nil, err
	}
	return &Acknowledged{ID: a.row.ID, Receipt: receipt}, nil
}

// stillSame returns errStale if package, key, registry or policy have moved.
func (a *acknowledging) stillSame(tx *Tx, j *judgement) error {
	p, err := tx.Package(a.row.ID)
	if err != nil {
		return err
	}
	d := p.delivery(a.agency())
	if d == nil || p.Erased || d.Outcome != a.own.Outcome || d.Decision != a.own.Decision {
		return errStale
	}
	trusted, err := a.trustsSigner(tx, a.agency(), a.signed.Kid)
	if err != nil {
		return err
	}
	if !trusted {
		return errStale
	}
	a.row, a.own = p, d
	return j.stillHolds(tx)
}

// acknowledge is the good end: state, the signed acceptance, both entries.
func (a *acknowledging) acknowledge(tx *Tx, j *judgement) ([]audit.Entry, *Refusal, error) {
	seq, err := tx.NextSeq(a.agency())
	if err != nil {
		return nil, nil, err
	}
	j.record(tx)
	a.settle(tx, StateAcknowledged, a.own.Decision)
	tx.PutAcknowledgement(Acknowledgement{Package: a.row.ID, Recipient: a.agency(), JWS: a.signed.Raw, Payload: a.payload,
		Seq: seq, Index: tx.NextIndex(0), At: tx.Now()})
	return a.both(j, StateAcknowledged, ActNotified), nil, nil
}

// block is the end of a package that policy denies now: the sender is told,
// the content stays closed for good.
func (a *acknowledging) block(tx *Tx, j *judgement) ([]audit.Entry, *Refusal, error) {
	j.record(tx)
	a.settle(tx, StateBlocked, j.ids[0])
	out := outcomeOf(j.set, j.decisions[0], j.ids[0], StateBlocked, a.agency(), false)
	entries := a.both(j, StateBlocked, ActBlocked)
	entries[0].Problem = string(Denied)
	return entries, &Refusal{Kind: Denied, Reason: "policy", ID: a.row.ID, Outcomes: []Outcome{out}}, nil
}

// renew puts the new decision in force and lets the recipient read it.
func (a *acknowledging) renew(tx *Tx, j *judgement) ([]audit.Entry, *Refusal, error) {
	j.record(tx)
	d := *a.own
	d.Decision, d.Verdict = j.ids[0], encodeVerdict(j.decisions[0])
	tx.PutDelivery(a.row.ID, d)
	p := *a.row
	p.Deliveries = replaceDelivery(p.Deliveries, d)
	seen, err := a.look(&p, a.agency())
	if err != nil {
		return nil, nil, err
	}
	a.seen = seen
	e := a.about(a.row)
	e.Outcome, e.Problem, e.Reason = "refused", string(Conflict), "decision-changed"
	j.enter(&e, a.agency())
	return []audit.Entry{e}, a.changed("decision-changed"), nil
}

// expire lapses a package that nobody acknowledged in time.
func (a *acknowledging) expire(tx *Tx) ([]audit.Entry, *Refusal, error) {
	a.settle(tx, StateExpired, a.own.Decision)
	e := a.about(a.row)
	e.Outcome, e.Problem, e.Reason = StateExpired, string(Conflict), "expired"
	told := a.toSender(a.row, StateExpired, ActExpired)
	return []audit.Entry{e, told}, &Refusal{Kind: Conflict, Reason: "expired", Detail: "the package lapsed before it was acknowledged"}, nil
}

// settle moves the delivery to its outcome and the sender's state with it.
func (a *acknowledging) settle(tx *Tx, outcome, decision string) {
	d := *a.own
	d.Outcome, d.Decision = outcome, decision
	tx.PutDelivery(a.row.ID, d)
	tx.SetState(a.row.ID, stateOf(replaceDelivery(a.row.Deliveries, d)))
}

// both are the entries of recipient and sender.
func (a *acknowledging) both(j *judgement, outcome string, told Action) []audit.Entry {
	own := a.about(a.row)
	own.Outcome = outcome
	j.enter(&own, a.agency())
	sender := a.toSender(a.row, outcome, told)
	j.enter(&sender, a.agency())
	return []audit.Entry{own, sender}
}

// toSender is the sender's entry about what its recipient did.
func (v *visit) toSender(p *Package, outcome string, action Action) audit.Entry {
	return audit.Entry{Owner: p.Sender, Operation: audit.Disclosure, Action: string(action), Outcome: outcome,
		Actor:   audit.Actor{Agency: v.agency(), Role: v.caller.Identity.Role},
		Package: p.ID, MessageType: p.Type, From: p.Sender, Recipients: []string{v.agency()}, ManifestSHA256: p.ManifestSHA256}
}

// replaceDelivery returns the deliveries with one replaced.
func replaceDelivery(all []Delivery, d Delivery) []Delivery {
	out := append([]Delivery(nil), all...)
	for i := range out {
		if out[i].Recipient == d.Recipient {
			out[i] = d
		}
	}
	return out
}

// sameObligations compares what was signed with what the descriptor shows:
// codes in order, params as JSON values.
func sameObligations(signed []envelope.Obligation, shown []policy.Obligation) bool {
	if len(signed) != len(shown) {
		return false
	}
	for i := range signed {
		if signed[i].Code != shown[i].Code || !sameJSON(signed[i].Params, shown[i].Params) {
			return false
		}
	}
	return true
}

// sameAsDecided compares the obligations of two decisions.
func sameAsDecided(before, now []policy.Obligation) bool {
	if len(before) != len(now) {
		return false
	}
	for i := range before {
		if before[i].Code != now[i].Code || !sameJSON(before[i].Params, now[i].Params) {
			return false
		}
	}
	return true
}

// sameJSON compares two texts as JSON values.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return json.Valid(a)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
