package exchange

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/policy"
)

// RecordedInput answers DecisionInput: what a jurisdiction's rules were asked,
// and what they said.
type RecordedInput struct {
	ID, Package string
	Recipient   string
	Verdict     string
	Shared, Own json.RawMessage
	Said        []policy.LayerSaid
	// Whole: what the rules saw. Else what only the sender's side may know is
	// replaced by what is ordinary, and Said is what they say about that.
	Whole   bool
	Receipt audit.Receipt
}

// DecisionInput returns the input of a recorded decision to a policy officer
// of a jurisdiction whose rules, or the common ones, had a say in it: a test
// can be made of it.
func (s *Service) DecisionInput(ctx context.Context, c Caller, jurisdiction, id string) (*RecordedInput, error) {
	v, err := s.enter(ctx, c, ActInput, "")
	if err != nil {
		return nil, err
	}
	v.entry.Details = map[string]string{"decision": id, "policy": jurisdiction}
	if jurisdiction != policy.LayerCommon && jurisdiction != v.audience().jurisdiction {
		return nil, v.refuse(ctx, absent("policy-of-another"))
	}
	r, refused, err := v.recorded(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, v.refuse(ctx, refused)
	}
	set, err := s.setOf(ctx, r.decision.Revisions)
	if err != nil {
		return nil, v.failEngine(ctx, err)
	}
	out := &RecordedInput{ID: r.ID, Package: r.Package, Recipient: r.Recipient, Verdict: r.decision.Verdict, Whole: r.standing == ofSender}
	in := r.decision.Input
	if !out.Whole {
		in, err = in.Others(v.audience().jurisdiction)
	}
	if err == nil {
		out.Said, err = set.Said(ctx, decideAgain, jurisdiction, in)
	}
	switch {
	case errors.Is(err, policy.ErrInput):
		return nil, v.refuse(ctx, absent("input-of-another-engine"))
	case err != nil:
		return nil, v.failEngine(ctx, err)
	}
	out.Shared, out.Own = in.Shared, in.Own
	if out.Receipt, err = v.shown(ctx, r); err != nil {
		return nil, err
	}
	return out, nil
}
