package client

import (
	"context"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// The actions of the entries that these calls leave.
const (
	actExplain = "decision.explain"
	actInput   = "decision.input"
)

// Explanation is why a recorded decision is as it is, with the receipt of the
// look at it.
type Explanation struct {
	api.Explanation
	Receipt *Receipt `json:"-"`
}

// Explain asks why a recorded decision is as it is. It is for the sender's
// side, for recipients that got the package and for originators that the
// decision names: api.NotFound for all others.
func (c *Client) Explain(ctx context.Context, decision string) (*Explanation, error) {
	var got Explanation
	if _, err := c.fetchJSON(ctx, get(api.DecisionPath(decision), nil), &got.Explanation); err != nil {
		return nil, err
	}
	if got.ID != decision {
		return nil, unverifiedf("answer", "it explains decision %s, not %s", got.ID, decision)
	}
	var err error
	got.Receipt, err = c.acceptReceipt(ctx, got.Explanation.Receipt, claim{action: actExplain, pkg: got.Package})
	if got.Receipt == nil {
		return nil, err
	}
	return &got, err
}

// DecisionInput returns what the rules of a jurisdiction, or "common", were
// asked in a recorded decision, and what they said. It is for policy officers.
func (c *Client) DecisionInput(ctx context.Context, jurisdiction, decision string) (*api.RecordedInput, error) {
	var got api.RecordedInput
	if _, err := c.fetchJSON(ctx, get(api.PolicyDecisionPath(jurisdiction, decision), nil), &got); err != nil {
		return nil, err
	}
	if got.ID != decision {
		return nil, unverifiedf("answer", "it is decision %s, not %s", got.ID, decision)
	}
	receipt, err := c.acceptReceipt(ctx, got.Receipt, claim{action: actInput, pkg: got.Package})
	if receipt == nil {
		return nil, err
	}
	return &got, err
}
