package exchange

import (
	"encoding/json"
	"fmt"

	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// The outcomes of a delivery after policy's verdict, and the sender's state
// when its recipients differ.
const (
	StateAcknowledged = "acknowledged"
	StateBlocked      = "blocked"
	StateExpired      = "expired"
	StateMixed        = "mixed"
)

// delivery returns the recipient's delivery, nil if it is no recipient.
func (p *Package) delivery(agency string) *Delivery {
	for i := range p.Deliveries {
		if p.Deliveries[i].Recipient == agency {
			return &p.Deliveries[i]
		}
	}
	return nil
}

// partyTo reports whether the agency is the sender, or a recipient to which
// the package became visible.
func (p *Package) partyTo(agency string) bool {
	d := p.delivery(agency)
	return p.Sender == agency || d != nil && d.Seq > 0
}

// stateOf is the outcome that all deliveries share, else StateMixed.
func stateOf(deliveries []Delivery) string {
	state := ""
	for _, d := range deliveries {
		if state != "" && state != d.Outcome {
			return StateMixed
		}
		state = d.Outcome
	}
	return state
}

// decision decodes the verdict in force.
func (d *Delivery) decision() (policy.Decision, error) {
	var v policy.Decision
	if err := json.Unmarshal(d.Verdict, &v); err != nil {
		return v, fmt.Errorf("decision %s: %w", d.Decision, err)
	}
	return v, nil
}

// notAParty is the reason for what does not exist and for what the caller is no
// party of: its own log must not tell the two apart either.
const notAParty = "not-a-party"

// absent is the one answer for what does not exist and what the caller is
// not entitled to.
func absent(reason string) *Refusal { return &Refusal{Kind: NotFound, Reason: reason} }

// look describes the package as the agency may see it. A refusal says that
// it may not see it at all.
func (s *Service) look(p *Package, agency string) (*View, error) {
	if p.Erased {
		return s.tombstone(p, agency)
	}
	m, err := envelope.ParseManifest(p.Manifest)
	if err != nil {
		return nil, err
	}
	v := &View{ID: p.ID, From: p.Sender, To: m.Aud, Type: p.Type, State: p.State, ManifestSHA256: p.ManifestSHA256}
	isSender := p.Sender == agency
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		decided, err := d.decision()
		if err != nil {
			return nil, err
		}
		if !isSender && !(d.Recipient == agency && d.Seq > 0) && !s.waitsFor(d, decided, m, agency) {
			continue
		}
		if !isSender {
			v.State, v.DueAt = d.Outcome, d.DueAt
		}
		v.Outcomes = append(v.Outcomes, s.outcomeFor(d, decided, agency, isSender))
	}
	if len(v.Outcomes) == 0 {
		return nil, absent(notAParty)
	}
	return v, nil
}

// outcomeFor is a delivery as a reader may see it.
func (s *Service) outcomeFor(d *Delivery, decided policy.Decision, reader string, isSender bool) Outcome {
	o := outcomeOf(s.Policy.Set(), decided, d.Decision, d.Outcome, reader, isSender)
	for _, m := range d.Mismatches {
		o.Mismatches = append(o.Mismatches, m.Code)
	}
	return o
}

// tombstone is what is left of an erased package for those who were parties of
// it: that it was, and what became of it.
func (s *Service) tombstone(p *Package, agency string) (*View, error) {
	v := &View{ID: p.ID, From: p.Sender, Type: p.Type, State: StateErased, ManifestSHA256: p.ManifestSHA256}
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		v.To = append(v.To, d.Recipient)
		if p.Sender != agency && (d.Recipient != agency || d.Seq == 0) {
			continue
		}
		decided, err := d.decision()
		if err != nil {
			return nil, err
		}
		v.Outcomes = append(v.Outcomes, s.outcomeFor(d, decided, agency, p.Sender == agency))
	}
	if len(v.Outcomes) == 0 {
		return nil, absent(notAParty)
	}
	return v, nil
}

// waitsFor reports whether the agency is an originator whose answer a
// pending delivery waits for: it sees the package while that is so.
func (s *Service) waitsFor(d *Delivery, decided policy.Decision, m *envelope.SignedManifest, agency string) bool {
	if d.Outcome != policy.Pending {
		return false
	}
	a, known := s.registry.Load().Agency(agency)
	if !known || !pendsOn(decided, "originator", a.Jurisdiction) {
		return false
	}
	for _, o := range m.Claimed.Originator {
		if o == agency {
			return true
		}
	}
	return false
}
