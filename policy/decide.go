package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/version"
)

// engineVersion is recorded with every decision: it and the revisions are what a replay needs.
var engineVersion = "liaison-policy/1 opa/" + version.Version

var actions = []string{ActionSend, ActionAcknowledgement, ActionRelease, ActionDryRun}

// decide answers within the timeout or fails. A panic of the engine is a failure like any other.
func (s *Set) decide(ctx context.Context, timeout time.Duration, r Request) (ds []Decision, err error) {
	e := &evaluation{ctx: ctx, deadline: time.Now().Add(timeout)}
	defer e.disarm()
	defer func() {
		if p := recover(); p != nil {
			ds, err = nil, fmt.Errorf("%w: panic: %v", ErrEngine, p)
		}
	}()
	if s == nil {
		return denyWithoutSet(r), nil
	}
	e.reg, e.memo = s.registry, s.memo
	return s.decideAll(e, &r)
}

func denyWithoutSet(r Request) []Decision {
	ds := make([]Decision, len(r.Recipients))
	for i := range ds {
		ds[i] = Decision{Recipient: r.Recipients[i].ID, Verdict: Denied, Engine: engineVersion, Reasons: []Reason{{
			Code: codeRulesMissing, Params: noParams, Rule: codeRulesMissing, Layer: LayerCommon, Audience: AudienceAll,
			Text: "No policy is active.", Fix: "The operator activates the common policy.", Source: "LED art 8",
		}}}
	}
	return ds
}

func (s *Set) decideAll(e *evaluation, r *Request) ([]Decision, error) {
	ds := make([]Decision, len(r.Recipients))
	p, err := s.newPack(r)
	if err != nil || !slices.Contains(actions, r.Action) {
		code := codeMetaInvalid
		if err == nil {
			code = codeActionUnknown
		}
		for i := range ds {
			ds[i] = s.engineDenial(r, r.Recipients[i], code)
		}
		return ds, nil
	}
	common, err := e.say(s.pkg, sources{shared: p.record})
	if err != nil {
		return nil, err
	}
	ask := &asking{evaluation: e, pack: p, common: common}
	for i, rec := range r.Recipients {
		if ds[i], err = ask.recipient(rec); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// engineDenial is a denial before any rule was asked.
func (s *Set) engineDenial(r *Request, rec Recipient, code string) Decision {
	v := newVerdict(s, r, rec.ID)
	v.engineReason(LayerCommon, code)
	return v.decision(Input{Shared: []byte("{}"), Own: []byte("{}")})
}

// asking asks the layers for one package.
type asking struct {
	*evaluation
	pack   *pack
	common *says
	send   *says // of a sender whose rules do not look at the recipient
}

// recipient asks every layer that has a say, and merges what they said.
func (a *asking) recipient(rec Recipient) (Decision, error) {
	s, r := a.pack.set, a.pack.r
	o := a.pack.own(rec)
	in := sources{a.pack.record, o.record}
	v := newVerdict(s, r, rec.ID)
	v.class = o.class
	baseline, err := a.say(s.rcp, in)
	if err != nil {
		return Decision{}, err
	}
	v.baseline(a.common, baseline)
	for _, w := range a.layers(o) {
		if err := a.national(v, w, in); err != nil {
			return Decision{}, err
		}
	}
	v.approvals(a.pack.approvals(rec.ID))
	return v.decision(Input{Shared: a.pack.json, Own: o.json}), nil
}

// who is a jurisdiction that is asked, and in which role.
type who struct{ jurisdiction, kind string }

// layers lists who is asked beside the baseline. An originator that is not on the exchange cannot be asked: the
// baseline holds for it alone. In an emergency (LED article 35(2)) an originator is told, not asked.
func (a *asking) layers(o *own) []who { return layersOf(a.pack.r.Sender.Jurisdiction, o) }

func layersOf(sendersJurisdiction string, o *own) []who {
	sender := who{sendersJurisdiction, "send"}
	switch o.class {
	case classStructure:
		return nil
	case classCorrection:
		return []who{sender}
	}
	list := []who{sender, {o.recipient.Jurisdiction, "receive"}}
	for _, x := range o.origins {
		w := who{x.jurisdiction, "onward"}
		if !x.external && !x.emergency && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

func (a *asking) national(v *verdict, w who, in sources) error {
	s := a.pack.set
	v.uses("declared/"+w.jurisdiction, "rules/"+w.jurisdiction)
	name := w.jurisdiction + "/" + w.kind
	if s.declared[w.jurisdiction] == nil {
		v.engineReason(name, codeDeclarationMissing)
	}
	l := s.layers[w.jurisdiction][w.kind]
	if l == nil {
		v.engineReason(name, codeRulesMissing)
		return nil
	}
	if w.kind == "send" && !l.recipient {
		return a.sendOnce(v, l, in)
	}
	said, err := a.say(l, in)
	if err != nil {
		return err
	}
	v.national(said)
	return nil
}

// sendOnce asks a sender whose rules do not look at the recipient once for the package.
func (a *asking) sendOnce(v *verdict, l *layer, in sources) error {
	if a.send == nil {
		said, err := a.say(l, in)
		if err != nil {
			return err
		}
		a.send = said
	}
	v.national(a.send)
	return nil
}
