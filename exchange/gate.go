package exchange

import (
	"context"
	"errors"
	"slices"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// Action names what a caller does: one vocabulary for entries, metrics and
// documents.
type Action string

// The actions of callers.
const (
	ActSend        Action = "package.send"
	ActDecide      Action = "decision.ask"
	ActList        Action = "package.list"
	ActShow        Action = "package.show"
	ActManifest    Action = "manifest.read"
	ActAcknowledge Action = "package.acknowledge"
	ActMismatch    Action = "package.mismatch"
	ActConsult     Action = "consultation.open"
	ActContent     Action = "content.read"
	ActAttachment  Action = "attachment.read"
	ActEntries     Action = "audit.list"
	ActEntry       Action = "audit.show"
	ActSample      Action = "audit.sample"
	ActSamples     Action = "audit.samples"
	ActReview      Action = "audit.review"
	ActStatistics  Action = "audit.statistics"
	ActExport      Action = "audit.export"
	ActPublish     Action = "key.publish"
	ActRetire      Action = "key.retire"
	ActAdmission   Action = "admission.show"
	ActAdmit       Action = "agency.admit"
	ActBringCRL    Action = "revocations.bring"
	ActExplain     Action = "decision.explain"
	ActInput       Action = "decision.input"
	ActReplay      Action = "policy.replay"
	ActShadow      Action = "policy.shadow"
	ActShowShadow  Action = "policy.shadow_show"
	ActStopShadow  Action = "policy.shadow_stop"
	ActGrace       Action = "revocations.grace"
	ActPolicies    Action = "policy.list"
	ActPolicy      Action = "policy.show"
	ActPush        Action = "policy.push"
	ActRollback    Action = "policy.rollback"
	ActLimits      Action = "limits.show"
	ActSetLimit    Action = "limits.set"
	ActErase       Action = "audit.erase"
	ActErasures    Action = "audit.erasures"
	ActHold        Action = "audit.hold"
	ActHolds       Action = "audit.holds"
	ActRelease     Action = "audit.release"
	ActRequest     Action = "request.refused" // refused before any method
)

// The exchange's own acts, and what an action gives to other agencies.
const (
	ActDeliver    Action = "package.deliver"
	ActAwait      Action = "package.await"
	ActNotified   Action = "package.acknowledged"
	ActBlocked    Action = "package.blocked"
	ActMismatched Action = "package.mismatched"
	ActExpired    Action = "package.expired"
	ActNotice     Action = "originator.notified" // LED art 35(2)
	ActKey        Action = "key.register"
	ActLimited    Action = "request.limited" // refused by a limit, in a minute
	ActKeepCRL    Action = "revocations.keep"
	ActActivate   Action = "policy.activate"
	ActGone       Action = "package.erased"
	ActEpoch      Action = "ledger.epoch"
	ActSupervise  Action = "supervision.change" // who may read whose log

	ActWitnesses Action = "witnesses.quorum" // missing for longer than the tolerance, or back
)

// permission says who may do an action, and which operation of LED art 25(1)
// it is.
type permission struct {
	roles     []string
	operation string
}

var (
	readers    = []string{certs.RoleDPO, certs.RoleSupervisor}
	publishers = []string{certs.RoleUnit, certs.RolePolicy}
	authors    = []string{certs.RolePolicy}
	officers   = []string{certs.RoleDPO}
)

// everyone is whoever passed identity.
var everyone = []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy, certs.RoleSupervisor, certs.RoleOperator}

var permissions = map[Action]permission{
	ActSend:        {[]string{certs.RoleUnit}, audit.Disclosure},
	ActDecide:      {[]string{certs.RoleUnit}, audit.Consultation},
	ActList:        {[]string{certs.RoleUnit}, audit.Consultation},
	ActShow:        {[]string{certs.RoleUnit}, audit.Consultation},
	ActManifest:    {[]string{certs.RoleUnit}, audit.Consultation},
	ActAcknowledge: {[]string{certs.RoleUnit}, audit.Collection},
	ActMismatch:    {[]string{certs.RoleUnit}, audit.Disclosure},
	ActConsult:     {append([]string{certs.RoleUnit}, readers...), audit.Consultation},
	ActContent:     {[]string{certs.RoleUnit}, audit.Consultation},
	ActAttachment:  {[]string{certs.RoleUnit}, audit.Consultation},
	ActEntries:     {readers, audit.Consultation},
	ActEntry:       {readers, audit.Consultation},
	ActSample:      {readers, audit.Consultation},
	ActSamples:     {readers, audit.Consultation},
	ActReview:      {readers, audit.Consultation},
	ActStatistics:  {readers, audit.Consultation},
	ActExport:      {readers, audit.Disclosure},
	ActPublish:     {publishers, audit.Alteration},
	ActRetire:      {publishers, audit.Alteration},
	ActAdmission:   {[]string{certs.RoleOperator}, audit.Consultation},
	ActAdmit:       {[]string{certs.RoleOperator}, audit.Alteration},
	ActBringCRL:    {everyone, audit.Alteration},
	ActReplay:      {[]string{certs.RolePolicy}, audit.Consultation},
	ActShadow:      {authors, audit.Consultation},
	ActShowShadow:  {authors, audit.Consultation},
	ActStopShadow:  {authors, audit.Consultation},
	ActInput:       {[]string{certs.RolePolicy}, audit.Consultation},
	ActExplain:     {[]string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy}, audit.Consultation},
	ActGrace:       {[]string{certs.RoleOperator}, audit.Alteration},
	ActPolicies:    {authors, audit.Consultation},
	ActPolicy:      {authors, audit.Consultation},
	ActPush:        {authors, audit.Alteration},
	ActRollback:    {authors, audit.Alteration},
	ActLimits:      {[]string{certs.RoleOperator}, audit.Consultation},
	ActSetLimit:    {[]string{certs.RoleOperator}, audit.Alteration},
	ActErase:       {officers, audit.Erasure},
	ActErasures:    {readers, audit.Consultation},
	ActHold:        {officers, audit.Alteration},
	ActHolds:       {readers, audit.Consultation},
	ActRelease:     {officers, audit.Alteration},
}

// visit is one caller's way through one method: who, what, on which object,
// and the entry that will be written either way.
type visit struct {
	*Service
	caller Caller
	action Action
	object string // a package's id, empty if the action has none
	entry  audit.Entry
}

// enter is the gate: the first statement of every method. It decides whether
// the caller may do the action at all; if not, the refusal has its entry.
func (s *Service) enter(ctx context.Context, c Caller, a Action, object string) (*visit, error) {
	v := &visit{Service: s, caller: c, action: a, object: object}
	v.entry = audit.Entry{
		Owner:     s.ownerFor(s.registry.Load(), c),
		Operation: permissions[a].operation,
		Action:    string(a),
		Actor:     actor(c),
		Request:   c.Request,
		Package:   object,
	}
	if r := v.barred(s.registry.Load()); r != nil {
		return nil, v.refuse(ctx, r)
	}
	return v, nil
}

// actor describes the caller in an entry.
func actor(c Caller) audit.Actor {
	return audit.Actor{Agency: c.Identity.AgencyID(), Role: c.Identity.Role, Identity: c.Identity.String(), Certificate: c.Fingerprint}
}

// ownerFor is the agency that owns the entry of what the caller does: its
// own, or the operator's if the exchange does not know it.
func (s *Service) ownerFor(r *Registry, c Caller) string {
	if a, ok := r.Agency(c.Identity.AgencyID()); ok {
		return a.ID
	}
	return s.Operator
}

// agency is the caller's agency.
func (v *visit) agency() string { return v.caller.Identity.AgencyID() }

// barred says why the caller may not do the action by the given registry,
// nil if it may. It runs at the gate and again inside the change.
func (v *visit) barred(r *Registry) *Refusal {
	a, ok := r.Agency(v.agency())
	switch {
	case !ok:
		return &Refusal{Kind: IdentityRefused, Reason: "agency-unknown", Detail: "the agency is not admitted to this exchange"}
	case a.Suspended:
		return &Refusal{Kind: IdentityRefused, Reason: "agency-suspended", Detail: "the agency is suspended"}
	case a.Undeclared:
		return &Refusal{Kind: IdentityRefused, Reason: "agency-undeclared", Detail: "the agency's jurisdiction does not declare it any more"}
	case !a.Allows(v.caller.Identity.Role):
		return &Refusal{Kind: IdentityRefused, Reason: "role-not-granted", Detail: "the agency may not have identities of this role"}
	case v.action != ActRequest && !slices.Contains(permissions[v.action].roles, v.caller.Identity.Role):
		return &Refusal{Kind: RoleForbidden, Reason: "role-forbidden", Detail: "identities of this role may not do this"}
	}
	return nil
}

// refuse records a refusal in an entry of its own and returns it, also for a
// caller that has gone. If the entry cannot be written the answer is
// Unavailable: no refusal without its entry either.
func (v *visit) refuse(ctx context.Context, r *Refusal) error {
	ctx = context.WithoutCancel(ctx) // who goes away before the answer has tried all the same
	_, err := v.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		return []audit.Entry{v.refusal(tx, r)}, nil
	})
	if err != nil {
		return unavailable(err)
	}
	return r
}

// refusal is the entry of a refusal.
func (v *visit) refusal(tx *Tx, r *Refusal) audit.Entry {
	e := v.entry
	if reg, err := tx.Registry(); err == nil {
		e.Owner = v.ownerFor(reg, v.caller)
	}
	e.Operation = "" // nothing was processed
	e.Outcome, e.Problem, e.Reason = "refused", string(r.Kind), r.Reason
	return e
}

// errStale makes a visit decide again: registry or policy moved between the
// decision and the change.
var errStale = errors.New("registry or policy changed meanwhile")

// effect is what a change does for a visit: its entries, or a refusal with
// no writes. Owner, actor, action and request of the first entry are filled
// from the visit.
type effect func(tx *Tx) ([]audit.Entry, *Refusal, error)

// commit runs an effect through the journal after asking the gate again. What
// the change saw of the registry is believed once it is committed: a change
// before it in a batch that fails never happened. After errStale the registry
// is read again.
func (v *visit) commit(ctx context.Context, do effect, needs ...Need) (audit.Receipt, error) {
	var refused *Refusal
	var seen *Registry
	receipt, err := v.Journal.Commit(ctx, func(tx *Tx) ([]audit.Entry, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, err
		}
		seen = reg
		if refused = v.barred(reg); refused != nil {
			return []audit.Entry{v.refusal(tx, refused)}, nil //nolint:nilerr // a refusal is an entry, not an error of the change
		}
		entries, r, err := do(tx)
		if refused = r; r != nil && len(entries) == 0 {
			entries = []audit.Entry{v.refusal(tx, r)}
		}
		return entries, err
	}, needs...)
	switch {
	case errors.Is(err, errStale):
		if err := v.refresh(ctx); err != nil {
			return receipt, err
		}
		return receipt, err
	case err != nil:
		return receipt, unavailable(err)
	}
	v.see(seen)
	if refused != nil {
		return receipt, refused
	}
	return receipt, nil
}

// note records an outcome that changes nothing.
func (v *visit) note(ctx context.Context, outcome string) error {
	_, err := v.commit(ctx, func(*Tx) ([]audit.Entry, *Refusal, error) {
		e := v.entry
		e.Outcome = outcome
		return []audit.Entry{e}, nil, nil
	})
	return err
}

// Refuse records a request that was refused before any method: unknown path,
// method, media type, size. It returns the refusal.
func (s *Service) Refuse(ctx context.Context, c Caller, what string, r *Refusal) error {
	v, err := s.enter(ctx, c, ActRequest, "")
	if err != nil {
		return err
	}
	v.entry.Details = map[string]string{"request": what}
	return v.refuse(ctx, r)
}
