package client

import (
	"context"
	"net/http"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// Limits reads the limits in force; only operators may.
func (c *Client) Limits(ctx context.Context) ([]api.Limit, error) {
	var all api.Limits
	if _, err := c.fetchJSON(ctx, get(api.RouteLimits, nil), &all); err != nil {
		return nil, err
	}
	return all.Items, nil
}

// LimitSet is a limit that an operator set, with the receipt of the operator's entry.
type LimitSet struct {
	api.Limit
	Receipt *Receipt
}

// SetLimit sets a limit, of an agency or of all that have none of their own; only operators may. With quota and window 0 what
// operators have set is taken back.
func (c *Client) SetLimit(ctx context.Context, want api.LimitRequest) (*LimitSet, error) {
	body, err := jsonBody(want)
	if err != nil {
		return nil, err
	}
	var set api.Limit
	k := call{method: http.MethodPut, path: api.RouteLimits, contentType: api.MediaJSON, body: bytesBody(body), repeat: repeatSafe, max: maxJSON}
	if _, err := c.fetchJSON(ctx, k, &set); err != nil {
		return nil, err
	}
	if set.Name != want.Name || set.Agency != want.Agency || want.Quota != 0 && (set.Quota != want.Quota || set.Window != want.Window) {
		return nil, unverifiedf("limit", "the answer is about %q of %q: %d in %d s", set.Name, set.Agency, set.Quota, set.Window)
	}
	receipt, err := c.acceptReceipt(ctx, set.Receipt, claim{action: actSetLimit, justify: want.Reason,
		details: map[string]string{"limit": want.Name, "agency": want.Agency}})
	return &LimitSet{Limit: set, Receipt: receipt}, err
}
