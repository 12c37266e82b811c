package exchange

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// ErasureDone answers Erase. Repeat is true for an order that was brought
// before.
type ErasureDone struct {
	ErasureOrder
	Receipt audit.Receipt
	Repeat  bool
}

// erasing is held while something is erased or put under a hold: one plan at a
// time, and none on holds that have moved.
type erasing struct {
	sync.Mutex
	looked   map[string]uint64  // by owner: entries through this seq are erased or held
	due      map[string]DueMark // by class: packages up to this mark are erased or held
	asked    int64              // decisions through this position are erased or of a package
	unclean  bool               // something erased may lie in a file beside the database
	listed   int64              // acts through this index stand in the list of erasures
	read     bool               // that is known
	unlisted bool               // an act may be missing in the list of erasures
}

// again forgets what was passed over because it was held.
func (e *erasing) again() { e.looked, e.due = nil, nil }

// ordering is an order on its way.
type ordering struct {
	*visit
	signed   *envelope.SignedErasure
	payload  string
	approver string
}

// Erase takes an order of the caller's own agency to erase records of its own:
// signed by one person's approve key, brought by another person, its
// data-protection officer. A package is erased with its order; entries follow
// batch by batch, each with an entry, before this returns or, after a crash,
// by the sweeper. The same order again gets the first receipt.
func (s *Service) Erase(ctx context.Context, c Caller, jws []byte) (*ErasureDone, error) {
	v, err := s.enter(ctx, c, ActErase, "")
	if err != nil {
		return nil, err
	}
	o := &ordering{visit: v}
	if err := o.readSigned(jws); err != nil {
		return nil, o.refuse(ctx, AsRefusal(err))
	}
	done, err := o.record(ctx)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // what is ordered is done, whoever waits for it
	if err := s.carryOut(ctx, &done.ErasureOrder); err != nil {
		return nil, err
	}
	return done, s.tidy(ctx)
}

// readSigned establishes form, signer and signature. Its errors are refusals.
func (o *ordering) readSigned(jws []byte) error {
	signed, err := envelope.ParseErasure(jws)
	if err != nil {
		return refusalOf("order", err)
	}
	if signed.Iss != o.agency() {
		return rejected("order-of-another-agency")
	}
	key := o.registry.Load().Key(signed.Iss, signed.Kid, envelope.UseApprove)
	if key == nil {
		return rejected("approve-key-unknown")
	}
	if err := signed.VerifySignature(key.Public.PublicKey); err != nil {
		return refusalOf("order", err)
	}
	o.signed, o.payload = signed, digest(signed.Payload)
	o.object, o.entry.Package = signed.Package, signed.Package
	o.entry.SigningKey, o.entry.Justification = signed.Kid, signed.Reason
	o.entry.Details = map[string]string{"order": signed.JTI, "approver": o.nameApprover(key)}
	if signed.Package == "" {
		o.entry.Details["entries"] = formatRanges([]SeqRange{{uint64(signed.From), uint64(signed.To)}})
	}
	return nil
}

// nameApprover says whose key it is, as its certificate does.
func (o *ordering) nameApprover(key *Key) string {
	if len(key.Public.X5C) == 0 {
		return ""
	}
	leaf, err := x509.ParseCertificate(key.Public.X5C[0])
	if err != nil || len(leaf.URIs) != 1 {
		return ""
	}
	o.approver = leaf.URIs[0].String()
	return o.approver
}

// check holds the order against time, exchange and persons, as of a change.
func (o *ordering) check(tx *Tx) (*Refusal, error) {
	reg, err := tx.Registry()
	if err != nil {
		return nil, err
	}
	key := reg.Key(o.signed.Iss, o.signed.Kid, envelope.UseApprove)
	if !o.trusts(key, tx.Now()) {
		return rejected("approve-key-not-trusted"), nil
	}
	if o.signed.Exchange != o.origin {
		return &Refusal{Kind: OrderRefused, Reason: "other-exchange", Detail: "the order names another exchange", Fix: "have it signed for " + o.origin}, nil
	}
	if err := o.signed.CheckTime(tx.Now()); err != nil {
		r := refusalOf("order", err)
		r.Kind = OrderRefused
		return r, nil
	}
	if o.onePerson(key) {
		return &Refusal{Kind: OrderRefused, Reason: "one-person", Detail: "the order is signed and brought by the same person, or it cannot be told that they are two",
			Fix: "let one person sign with a key of use approve, and another, your data-protection officer, bring the order"}, nil
	}
	return nil, nil
}

// onePerson reports whether the approver may be who brings the order: by the
// name in the key's certificate, or because it is one key.
func (o *ordering) onePerson(key *Key) bool {
	id, err := certs.ParseKeyIdentity(o.approver)
	if err != nil || id.Name == o.caller.Identity.Name {
		return true
	}
	pub, ok := key.Public.CryptoKey().(interface{ Equal(crypto.PublicKey) bool })
	return !ok || pub.Equal(o.caller.Certificate.PublicKey)
}

// record writes the order down, and erases a package with it.
func (o *ordering) record(ctx context.Context) (*ErasureDone, error) {
	o.erasing.Lock()
	defer o.erasing.Unlock()
	done := &ErasureDone{}
	var blobs []string
	receipt, err := o.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		*done, blobs = ErasureDone{}, nil
		old, err := tx.ErasureOrder(o.signed.JTI)
		switch {
		case err != nil:
			return nil, nil, err
		case old != nil && (old.Owner != o.agency() || old.Payload != o.payload):
			return nil, &Refusal{Kind: Conflict, Reason: "order-taken", Detail: "another order has this id (jti)", Fix: "have the order signed again under a new id"}, nil
		case old != nil:
			done.ErasureOrder, done.Repeat = *old, true
			e := o.entry
			e.Outcome = "repeated"
			return []audit.Entry{e}, nil, nil
		}
		if r, err := o.check(tx); r != nil || err != nil {
			return nil, r, err
		}
		done.ErasureOrder = ErasureOrder{ID: o.signed.JTI, Owner: o.agency(), Payload: o.payload, Package: o.signed.Package,
			From: uint64(o.signed.From), To: uint64(o.signed.To), Index: tx.NextIndex(0), At: tx.Now()}
		if o.signed.Package == "" {
			return o.orderEntries(tx, done)
		}
		var entries []audit.Entry
		var r *Refusal
		entries, blobs, r, err = o.orderPackage(tx, done)
		return entries, r, err
	}, o.needs()...)
	if err != nil {
		return nil, err
	}
	done.Receipt = receipt
	if done.Repeat {
		err := o.view(ctx, func(rows Reader) (err error) {
			done.Receipt, err = o.Journal.Receipt(rows, done.Index)
			return erasedReceipt(err)
		})
		return done, err
	}
	o.erasing.unclean, o.erasing.unlisted = true, true
	return done, o.removeBlobs(context.WithoutCancel(ctx), blobs)
}

// orderEntries writes down an order to erase entries, which follows.
func (o *ordering) orderEntries(tx *Tx, done *ErasureDone) ([]audit.Entry, *Refusal, error) {
	last, _, err := tx.Last(o.agency())
	if err != nil {
		return nil, nil, err
	}
	if done.To > last {
		return nil, absent("no-such-entry"), nil
	}
	done.Through = done.From - 1
	tx.PutErasureOrder(done.ErasureOrder)
	e := o.entry
	e.Outcome = "ordered"
	return []audit.Entry{e}, nil, nil
}

// orderPackage erases a package that the agency sent.
func (o *ordering) orderPackage(tx *Tx, done *ErasureDone) ([]audit.Entry, []string, *Refusal, error) {
	p, seen, r, err := o.find(tx)
	if err != nil || r != nil {
		return nil, nil, r, err
	}
	if p.Sender != o.agency() {
		return nil, nil, absent("not-the-sender"), nil
	}
	if p.Erased {
		return nil, nil, erasedPackage(seen), nil
	}
	held, err := activeHolds(tx, o.agency())
	if err != nil {
		return nil, nil, nil, err
	}
	if held.keeps(p) {
		return nil, nil, &Refusal{Kind: Conflict, Reason: "held", Detail: "a hold of your agency keeps this package",
			Fix: "liaison audit hold list shows which; release it first, if the reason for it is gone"}, nil
	}
	done.Erased, done.Done = 1, true
	tx.PutErasureOrder(done.ErasureOrder)
	e := o.about(p)
	e.Outcome = "erased"
	entries, err := o.erasePackage(tx, p, e, ErasureRow{Class: ClassPackage, Why: ByOrder, Order: done.ID})
	return entries, p.blobs(), nil, err
}

// erasePackage takes all of a package but its tombstone. The first entry is
// its sender's; each recipient that has seen it, and each originator that was
// asked, has one that tells it.
func (s *Service) erasePackage(tx *Tx, p *Package, first audit.Entry, act ErasureRow) ([]audit.Entry, error) {
	first.Owner, first.Operation, first.Action = p.Sender, audit.Erasure, string(ActErase)
	first.Details = with(first.Details, "class", act.Class, "why", act.Why)
	entries := []audit.Entry{first}
	told := map[string]bool{p.Sender: true}
	tell := func(agency string) {
		if !told[agency] {
			told[agency] = true
			entries = append(entries, audit.Entry{Owner: agency, Operation: audit.Erasure, Action: string(ActGone), Outcome: "erased",
				Actor: audit.Actor{Agency: first.Actor.Agency, Role: first.Actor.Role}, Package: p.ID, From: p.Sender, MessageType: p.Type, ManifestSHA256: p.ManifestSHA256,
				Details: map[string]string{"class": act.Class, "why": act.Why}})
		}
	}
	for _, d := range p.Deliveries {
		if d.Seq > 0 {
			tell(d.Recipient)
		}
	}
	if m, err := envelope.ParseManifest(p.Manifest); err == nil {
		for _, a := range m.Claimed.Originator {
			party, err := tx.Party(p.ID, a)
			if err != nil {
				return nil, err
			}
			if party {
				tell(a)
			}
		}
	}
	seq, err := tx.NextSeq(p.Sender)
	if err != nil {
		return nil, err
	}
	act.Index, act.Owner, act.By, act.Seq, act.At = tx.NextIndex(0), p.Sender, s.byWhom(p.Sender, act.Why), seq, tx.Now()
	act.What = act.Class + " " + p.ID
	tx.PutErasure(act)
	if act.Class == ClassContent {
		tx.EraseContent(p.ID, act.Index)
	} else {
		tx.ErasePackage(p.ID, act.Index)
	}
	return entries, nil
}

// byWhom is the agency that erases: its own order's, else the exchange.
func (s *Service) byWhom(owner, why string) string {
	if why == ByOrder {
		return owner
	}
	return s.Operator
}

// with adds pairs to a map that others may share.
func with(m map[string]string, pairs ...string) map[string]string {
	out := make(map[string]string, len(m)+len(pairs)/2)
	for k, v := range m {
		out[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// blobs names what of a package lies in the blob store.
func (p *Package) blobs() (names []string) {
	if p.ContentBlob != "" {
		names = append(names, p.ContentBlob)
	}
	for _, a := range p.Attachments {
		names = append(names, a.Blob)
	}
	return names
}

// removeBlobs removes what no row names any more. What a crash leaves, the
// sweeping of orphans finds.
func (s *Service) removeBlobs(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := s.Blobs.Remove(ctx, name); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// eraseBatch is how many entries are erased in one change: few enough that who
// waits for the journal does not notice.
const eraseBatch = 200

// plan is what of an owner's entries the next batch takes.
type plan struct {
	owner   string
	holds   holdSet
	take    []uint64
	kept    int    // that no order erases
	held    int    // that a hold covers
	through uint64 // all up to here is looked at
	last    bool   // nothing is left
}

// planEntries looks at the next entries of an owner.
func (s *Service) planEntries(ctx context.Context, owner string, after, through uint64, byOrder bool) (*plan, error) {
	p := &plan{owner: owner}
	err := s.view(ctx, func(rows Reader) (err error) {
		if p.holds, err = activeHolds(rows, owner); err != nil {
			return err
		}
		seqs, err := rows.Disclosed(owner, after, through, eraseBatch)
		if err != nil {
			return err
		}
		p.through, p.last = through, len(seqs) < eraseBatch
		if !p.last {
			p.through = seqs[len(seqs)-1]
		}
		if len(p.holds) == 0 && !byOrder {
			p.take = seqs
			return nil
		}
		for _, seq := range seqs {
			if err := p.add(rows, seq, byOrder); err != nil {
				return err
			}
		}
		return nil
	})
	return p, err
}

func (p *plan) add(rows Reader, seq uint64, byOrder bool) error {
	row, err := rows.Entry(p.owner, seq)
	if err != nil || row == nil || row.Entry == nil {
		return err
	}
	switch {
	case byOrder && tellsOfErasure(row.Entry):
		p.kept++
	case p.holds.entry(row.Entry):
		p.held++
	default:
		p.take = append(p.take, seq)
	}
	return nil
}

// tellsOfErasure reports whether an entry says what was erased or held: that
// stays until its own time, or an order could hide an order.
func tellsOfErasure(raw []byte) bool {
	e, err := audit.ParseEntry(raw)
	if err != nil {
		return true
	}
	switch Action(e.Action) {
	case ActErase, ActHold, ActRelease, ActGone:
		return true
	}
	return false
}

// carryOut erases the entries that an order names, from where it stands.
func (s *Service) carryOut(ctx context.Context, o *ErasureOrder) error {
	for !o.Done {
		if err := s.carryOutBatch(ctx, o); err != nil && !errors.Is(err, errStale) {
			return err
		}
	}
	return nil
}

func (s *Service) carryOutBatch(ctx context.Context, o *ErasureOrder) error {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	p, err := s.planEntries(ctx, o.Owner, o.Through, o.To, true)
	if err != nil {
		return err
	}
	next := *o
	next.Through, next.Done = p.through, p.last
	next.Erased, next.Kept, next.Held = o.Erased+len(p.take), o.Kept+p.kept, o.Held+p.held
	err = s.eraseEntries(ctx, p, ErasureRow{Class: ClassLog, Why: ByOrder, Order: o.ID}, func(tx *Tx, e *audit.Entry) {
		tx.PutErasureOrder(next)
		if p.last {
			e.Outcome = "done"
			e.Details = with(e.Details, "erased", strconv.Itoa(next.Erased), "kept", strconv.Itoa(next.Kept), "held", strconv.Itoa(next.Held))
		}
	})
	if err == nil {
		*o = next
	}
	return err
}

// eraseEntries takes what a plan found, with an entry of the owner that says
// which. errStale: its holds have moved.
func (s *Service) eraseEntries(ctx context.Context, p *plan, act ErasureRow, also func(*Tx, *audit.Entry)) error {
	which := ranges(p.take)
	_, err := s.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		holds, err := activeHolds(tx, p.owner)
		if err != nil {
			return nil, err
		}
		if !holds.same(p.holds) {
			return nil, errStale
		}
		e := audit.Entry{Owner: p.owner, Operation: audit.Erasure, Action: string(ActErase), Outcome: "erased", Count: uint64(len(p.take)),
			Actor:   audit.Actor{Agency: s.Operator, Role: certs.RoleOperator},
			Details: map[string]string{"class": act.Class, "why": act.Why}}
		if act.Order != "" {
			e.Details["order"] = act.Order
		}
		also(tx, &e)
		if len(which) == 0 {
			return []audit.Entry{e}, nil
		}
		e.Details["entries"] = formatRanges(which[:min(len(which), 8)])
		seq, err := tx.NextSeq(p.owner)
		if err != nil {
			return nil, err
		}
		act.Index, act.Owner, act.By, act.Seq, act.At = tx.NextIndex(0), p.owner, s.byWhom(p.owner, act.Why), seq, tx.Now()
		act.What = "entries " + formatRanges(which)
		tx.PutErasure(act)
		tx.EraseEntries(p.owner, which, act.Index)
		return []audit.Entry{e}, nil
	})
	switch {
	case errors.Is(err, errStale):
		return err
	case err != nil:
		return unavailable(err)
	}
	s.erasing.unclean, s.erasing.unlisted = true, true
	return nil
}

// formatRanges writes "3,7-12".
func formatRanges(all []SeqRange) string {
	var b strings.Builder
	for i, r := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(r.From, 10))
		if r.To != r.From {
			b.WriteString("-" + strconv.FormatUint(r.To, 10))
		}
	}
	return b.String()
}

// tidy writes what was erased into the list of erasures, and makes sure that
// nothing of it is left beside the database. It waits for nobody: the sweeper
// tries again soon.
func (s *Service) tidy(ctx context.Context) error {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	if s.erasing.unlisted {
		if err := s.listErasures(ctx); err != nil {
			s.Log.ErrorContext(ctx, "the list of erasures is not written: an older backup would bring back what was erased", slog.Any("error", err))
			return unavailable(err)
		}
		s.erasing.unlisted = false
	}
	if !s.erasing.unclean {
		return nil
	}
	clean, err := s.Store.Scrub(ctx)
	if err != nil {
		s.Log.ErrorContext(ctx, "what was erased may still lie in the write-ahead log", slog.Any("error", err))
		return unavailable(err)
	}
	s.erasing.unclean = !clean
	return nil
}

// Tidy tries again to clean up after what was erased, if that is still to do.
func (s *Service) Tidy(ctx context.Context) {
	if s.erasing.TryLock() { // who erases cleans up
		s.erasing.Unlock()
		_ = s.tidy(ctx) // it is logged, and tried again
	}
}

// erasedPackage is the refusal for a package of which the tombstone is left.
func erasedPackage(seen *View) *Refusal {
	return &Refusal{Kind: Conflict, Reason: "erased", Detail: "this package has been erased: only that it was is left", Package: seen,
		Fix: "what you received before is your own record; your log says when and why it was erased here"}
}

// erasedContent is the refusal for content that is no more.
func erasedContent(p *Package) *Refusal {
	what := "content and attachments have been erased"
	if p.Erased {
		what = "this package has been erased"
	}
	return &Refusal{Kind: Conflict, Reason: "erased", Detail: what, Fix: "ask its sender, " + p.Sender + ", for what you need of it"}
}

// erasedReceipt is the refusal for a first receipt whose entry is no more.
func erasedReceipt(err error) error {
	if errors.Is(err, ErrEarlier) {
		return &Refusal{Kind: Conflict, Reason: "earlier-epoch", Detail: "this was done before the ledger was restored after a loss", Err: err,
			Fix: "use the receipt that you kept, and the ledger's key of then"}
	}
	if errors.Is(err, ErrErased) {
		return &Refusal{Kind: Conflict, Reason: "erased", Detail: "the entry that the first receipt proves has been erased", Err: err,
			Fix: "use the receipt that you kept"}
	}
	return err
}
