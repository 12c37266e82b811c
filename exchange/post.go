package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// inlineContent is the greatest content kept in the row; larger ones go to
// the blob store, because large rows stall the journal.
const inlineContent = 64 << 10

// attempts is how often a post is decided again because registry or policy
// moved under it.
const attempts = 4

// decisionAge is how long a decision stands while the bytes arrive; after a
// longer upload policy is asked again, as of then.
const decisionAge = 5 * time.Minute

// posting is a package on its way through Post.
type posting struct {
	*visit
	arrived   time.Time // first sight: a long upload makes no package late
	manifest  *envelope.SignedManifest
	statement *envelope.SignedStatement
	payload   string // digest of the manifest's payload
	content   *envelope.Content
	raw       []byte // the content's bytes
	row       *Package
	afforded  bool
}

// Post takes a package: who, what, may it, bytes, record (see the package
// comment). It answers a repeat with the first answer and the first receipt.
// The order is cheap refusals first: nothing of the content is read before
// policy has decided.
func (s *Service) Post(ctx context.Context, c Caller, parts Parts) (*Accepted, error) {
	v, err := s.enter(ctx, c, ActSend, "")
	if err != nil {
		return nil, err
	}
	p := &posting{visit: v, arrived: s.Clock()}
	if err := p.readSigned(parts); err != nil {
		return nil, p.fail(ctx, err)
	}
	for range attempts {
		accepted, err := p.round(ctx, parts)
		if !errors.Is(err, errStale) {
			return accepted, err
		}
	}
	return nil, unavailable(errStale)
}

// round goes the way once: a repeat has its first answer, anything else is
// checked, decided, received and recorded. errStale: something that it stands
// on has moved meanwhile, a twin that was accepted included.
func (p *posting) round(ctx context.Context, parts Parts) (*Accepted, error) {
	first, err := p.first(ctx)
	if err != nil {
		return nil, p.fail(ctx, err)
	}
	if first != nil {
		if err := p.note(ctx, "repeated"); err != nil {
			return nil, err
		}
		return first, nil
	}
	if err := p.checkFresh(); err != nil {
		return nil, p.fail(ctx, err)
	}
	if err := p.needWitnesses(); err != nil {
		return nil, err
	}
	if err := p.afford(ctx, parts); err != nil {
		return nil, p.fail(ctx, err)
	}
	return p.decideAndRecord(ctx, parts)
}

// fail records a refusal; what is no refusal (the client went away) becomes
// one without an entry to write for it.
func (p *posting) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if r := AsRefusal(err); r != nil && r.Kind != Unavailable && r.Kind != RateLimited {
		return p.refuse(ctx, r)
	}
	return err
}

// readSigned reads manifest and statement and establishes who speaks: form,
// sender, key, signatures.
func (p *posting) readSigned(parts Parts) error {
	raw, err := parts.Manifest()
	if err != nil {
		return err
	}
	if p.manifest, err = envelope.ParseManifest(raw); err != nil {
		return refusalOf("manifest", err)
	}
	if raw, err = parts.Statement(); err != nil {
		return err
	}
	if p.statement, err = envelope.ParseStatement(raw); err != nil {
		return refusalOf("statement", err)
	}
	p.describe()
	return p.checkSignatures()
}

// checkSignatures holds sender, key and signatures against the registry.
func (p *posting) checkSignatures() error {
	m := p.manifest
	if m.Iss != p.agency() {
		return rejected("sender-is-not-caller")
	}
	key := p.registry.Load().Key(m.Iss, m.Kid, envelope.UseSign)
	if key == nil {
		return rejected("signing-key-unknown")
	}
	if err := m.VerifySignature(key.Public.PublicKey); err != nil {
		return refusalOf("manifest", err)
	}
	if p.statement.Kid != m.Kid {
		return rejected("statement-key-differs")
	}
	if err := p.statement.VerifySignature(key.Public.PublicKey); err != nil {
		return refusalOf("statement", err)
	}
	if err := envelope.CheckPair(m, p.statement); err != nil {
		return refusalOf("statement", err)
	}
	// Only now is what the parts say known to be the sender's.
	p.attest()
	return nil
}

// first is the first answer to a package that was accepted before: same
// sender, id and payload, whatever its times and its key's state are by now.
// It is nil while the id is free.
func (p *posting) first(ctx context.Context) (*Accepted, error) {
	var first *Accepted
	err := p.view(ctx, func(rows Reader) error {
		old, err := rows.Package(p.manifest.JTI)
		if err != nil || old == nil {
			return err
		}
		if r := p.clash(old); r != nil {
			return r
		}
		if old.Erased {
			seen, err := p.tombstone(old, p.agency())
			if err != nil {
				return err
			}
			return erasedPackage(seen)
		}
		first, err = p.firstAnswer(rows, old)
		return err
	})
	return first, err
}

// clash says why an id that is taken cannot be this package's.
func (p *posting) clash(old *Package) *Refusal {
	switch {
	case old.Sender != p.manifest.Iss:
		return &Refusal{Kind: Invalid, Reason: "id-not-free", Detail: "the package id (jti) cannot be used",
			Fix: "make a new UUIDv7 and seal again"}
	case old.Payload != p.payload:
		return &Refusal{Kind: Conflict, Reason: "id-taken", Detail: "another package of yours has this id (jti)",
			Fix: "seal the new package under a new id; to repeat the old one send the same manifest"}
	}
	return nil
}

// firstAnswer makes the first answer again, its receipt byte for byte.
func (p *posting) firstAnswer(rows Reader, old *Package) (*Accepted, error) {
	receipt, err := p.Journal.Receipt(rows, old.Index)
	if err != nil {
		return nil, erasedReceipt(err)
	}
	a := &Accepted{ID: old.ID, Receipt: receipt, Repeat: true}
	return a, json.Unmarshal(old.Answer, &a.Outcomes)
}

// checkFresh checks what is asked of a package at first sight.
func (p *posting) checkFresh() error {
	m := p.manifest
	key := p.registry.Load().Key(m.Iss, m.Kid, envelope.UseSign)
	if !p.trusts(key, p.Clock()) {
		return rejected("signing-key-not-trusted")
	}
	if m.Exchange != p.origin {
		return &Refusal{Kind: Invalid, Reason: "other-exchange", Detail: "the manifest names another exchange",
			Fix: "set `exchange` to the ledger's origin: " + p.origin}
	}
	if err := m.CheckTimes(p.arrived); err != nil {
		return refusalOf("manifest", err)
	}
	for _, a := range m.Aud {
		if _, known := p.registry.Load().Agency(a); !known {
			return &Refusal{Kind: Invalid, Reason: "recipient-unknown", Detail: "a recipient is not an agency of this exchange",
				Fix: "compare `aud` with GET /v1/agencies"}
		}
	}
	for _, a := range m.Attachments {
		if a.Size > p.AttachmentLimit {
			return &Refusal{Kind: TooLarge, Reason: "attachment-too-large", Detail: "an attachment is larger than the limit"}
		}
	}
	return nil
}

// decideAndRecord is one round: policy, bytes, record.
func (p *posting) decideAndRecord(ctx context.Context, parts Parts) (*Accepted, error) {
	j, err := p.judge(ctx, p.request(policy.ActionSend))
	if err != nil {
		return nil, p.failEngine(ctx, err)
	}
	if j.verdict == policy.Denied {
		return nil, p.deny(ctx, j)
	}
	if err := p.receive(ctx, parts); err != nil {
		return nil, p.fail(ctx, err)
	}
	if p.Clock().Sub(j.at) > decisionAge {
		return nil, errStale
	}
	return p.accept(ctx, j)
}

// request is the question to policy about this package.
func (p *posting) request(action string) question {
	return question{action: action, id: p.manifest.JTI, sender: p.manifest.Iss, recipients: p.manifest.Aud,
		manifest: &p.manifest.Manifest, meta: &p.manifest.Claimed, statement: &p.statement.Statement}
}

// deny records a denial with its decisions and returns it. Nothing is
// released; the id stays free.
func (p *posting) deny(ctx context.Context, j *judgement) error {
	denied := &Refusal{Kind: Denied, Reason: "policy", ID: p.manifest.JTI}
	receipt, err := p.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		if err := p.stillHolds(tx, j); err != nil {
			return nil, nil, err
		}
		j.record(tx)
		e := p.entry
		e.Outcome, e.Problem = policy.Denied, string(Denied)
		j.enter(&e, p.manifest.Aud...)
		return []audit.Entry{e}, nil, nil
	}, Need{Package: p.manifest.JTI})
	if err != nil {
		return err
	}
	p.shadow(j)
	for _, o := range j.outcomes(p.agency()) {
		if o.Outcome == policy.Denied {
			denied.Outcomes = append(denied.Outcomes, o)
		}
	}
	denied.Receipt = &receipt
	return denied
}

// accept records the package: state, entries for the sender and for each
// agency that it gives something to.
func (p *posting) accept(ctx context.Context, j *judgement) (*Accepted, error) {
	outcomes := j.outcomes(p.agency())
	answer, err := json.Marshal(outcomes)
	if err != nil {
		return nil, unavailable(err)
	}
	receipt, err := p.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		if err := p.stillHolds(tx, j); err != nil {
			return nil, nil, err
		}
		if !tx.Now().Before(p.row.ExpiresAt) {
			return nil, &Refusal{Kind: Invalid, Reason: "lapsed", Detail: "the package lapsed (`exp`) while its bytes arrived",
				Fix: "seal again with an `exp` that leaves time for the upload"}, nil
		}
		entries, err := p.write(tx, j, answer)
		return entries, nil, err
	}, Need{Package: p.manifest.JTI})
	if err != nil {
		return nil, err
	}
	p.shadow(j)
	return &Accepted{ID: p.manifest.JTI, Outcomes: outcomes, Receipt: receipt}, nil
}

// stillHolds returns errStale if what the round stands on has moved: the id
// is taken by now, the signing key is not trusted any more, or registry,
// policy or related packages have changed.
func (p *posting) stillHolds(tx *Tx, j *judgement) error {
	old, err := tx.Package(p.manifest.JTI)
	if err != nil {
		return err
	}
	trusted, err := p.trustsSigner(tx, p.manifest.Iss, p.manifest.Kid)
	if err != nil {
		return err
	}
	if old != nil || !trusted {
		return errStale
	}
	return j.stillHolds(tx)
}

// write puts the accepted package's rows and returns its entries.
func (p *posting) write(tx *Tx, j *judgement, answer []byte) ([]audit.Entry, error) {
	m, row := p.manifest, *p.row
	row.AcceptedAt, row.Answer, row.State, row.Index = tx.Now(), answer, j.verdict, tx.NextIndex(0)
	var err error
	if row.Seq, err = tx.NextSeq(m.Iss); err != nil {
		return nil, err
	}
	own := p.entry
	own.Outcome = j.verdict
	j.enter(&own, m.Aud...)
	own.SigningKey, own.ContentSHA256 = m.Kid, row.ContentSHA256
	entries := []audit.Entry{own}

	var content []byte
	if row.ContentBlob == "" {
		content = p.raw
	}
	tx.PutPackage(&row, content)
	j.record(tx)
	for i, d := range j.decisions {
		delivery := Delivery{Recipient: d.Recipient, Outcome: j.verdict, Decision: j.ids[i]}
		if j.verdict == policy.Delivered || j.awaits(i) {
			delivery.Index = tx.NextIndex(len(entries))
			if delivery.Seq, err = tx.NextSeq(d.Recipient); err != nil {
				return nil, err
			}
			given := p.give(j, d.Recipient)
			if delivery.DueAt = j.dueAt(d.Recipient, tx.Now()); !delivery.DueAt.IsZero() {
				given.DueAt = entryTime(delivery.DueAt)
			}
			entries = append(entries, given)
		}
		tx.PutDelivery(row.ID, delivery)
	}
	told := p.tell(j, entries)
	for _, e := range told {
		if e.Action == string(ActAwait) {
			tx.PutParty(row.ID, e.Owner)
		}
	}
	return append(entries, told...), nil
}

// give is the entry of an agency that the package was given to: what its
// manifest says, and its own decision.
func (p *posting) give(j *judgement, recipient string) audit.Entry {
	e := p.given(recipient)
	e.Action, e.Outcome = string(ActDeliver), j.verdict
	if j.verdict == policy.Pending {
		e.Action = string(ActAwait)
	}
	j.enter(&e, recipient)
	return e
}

// tell are the entries of agencies that are no recipients but that the
// decisions name: originators that a pend waits for, which see descriptor and
// manifest while it is open, and originators that are told at once because
// nobody could wait for them (LED art 35(2)).
func (p *posting) tell(j *judgement, have []audit.Entry) []audit.Entry {
	owners := map[string]bool{}
	for _, e := range have {
		owners[e.Owner] = true
	}
	var entries []audit.Entry
	add := func(agency string, action Action) {
		if _, known := j.registry.Agency(agency); !known || owners[agency] {
			return
		}
		owners[agency] = true
		e := p.given(agency)
		e.Action, e.Outcome = string(action), j.verdict
		entries = append(entries, e)
	}
	for _, a := range p.manifest.Claimed.Originator {
		if j.verdict == policy.Pending && j.awaited(a) {
			add(a, ActAwait)
		}
	}
	for _, a := range j.notified() {
		add(a, ActNotice)
	}
	return entries
}

// given is what the entry of another agency may know of the package: what
// its manifest says, and nothing of the statement.
func (p *posting) given(owner string) audit.Entry {
	e := manifestEntry(p.manifest)
	e.Owner, e.Operation = owner, audit.Collection
	e.Actor = audit.Actor{Agency: p.agency(), Role: p.caller.Identity.Role}
	e.SigningKey, e.ContentSHA256 = p.manifest.Kid, p.row.ContentSHA256
	return e
}

// newRow is the package's row but for what the change fills in.
func (p *posting) newRow() *Package {
	m := p.manifest
	return &Package{ID: m.JTI, Sender: m.Iss, Type: m.Claimed.MessageType, Manifest: m.Raw, Statement: p.statement.Raw,
		ManifestSHA256: m.SHA256, Payload: p.payload, ContentSHA256: m.Content.SHA256, ContentSize: m.Content.Size,
		ExpiresAt: time.Unix(m.EXP, 0).UTC(), EraseAt: p.eraseTime(m, p.arrived),
		ContentAt: time.Unix(m.EXP, 0).UTC().AddDate(0, 0, p.Retention.Of(m.Iss).Content)}
}
