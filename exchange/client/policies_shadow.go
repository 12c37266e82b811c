package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// The actions of the entries that these calls leave.
const (
	actShadow     = "policy.shadow"
	actShowShadow = "policy.shadow_show"
	actStopShadow = "policy.shadow_stop"
)

// Shadow is what a draft beside the policy in force came to, with the receipt
// of the own entry.
type Shadow struct {
	api.Shadow
	Receipt *Receipt `json:"-"`
}

// StartShadow puts a draft bundle of the own jurisdiction beside what is in
// force. It takes the place of the one before it. It lives in the memory of
// the exchange: a restart ends it.
func (c *Client) StartShadow(ctx context.Context, jurisdiction string, bundle []byte) (*Shadow, error) {
	k := call{method: http.MethodPut, path: api.ShadowPath(jurisdiction), contentType: api.MediaBundle, body: bytesBody(bundle), repeat: repeatSafe, max: maxJSON}
	return c.shadow(ctx, k, jurisdiction, claim{action: actShadow, outcomes: []string{"started"}})
}

// Shadow says what the shadow of the own jurisdiction came to, with at most
// limit differences (up to 1,000; 0: 100).
func (c *Client) Shadow(ctx context.Context, jurisdiction string, limit int) (*Shadow, error) {
	k := get(api.ShadowPath(jurisdiction), differences(limit))
	return c.shadow(ctx, k, jurisdiction, claim{action: actShowShadow, outcomes: []string{"shown"}})
}

// StopShadow ends the shadow of the own jurisdiction, and says for the last
// time what it came to.
func (c *Client) StopShadow(ctx context.Context, jurisdiction string, limit int) (*Shadow, error) {
	k := call{method: http.MethodDelete, path: api.ShadowPath(jurisdiction), query: differences(limit), max: maxJSON}
	return c.shadow(ctx, k, jurisdiction, claim{action: actStopShadow, outcomes: []string{"stopped"}})
}

func differences(limit int) url.Values {
	if limit == 0 {
		return nil
	}
	return url.Values{"limit": {strconv.Itoa(limit)}}
}

func (c *Client) shadow(ctx context.Context, k call, jurisdiction string, want claim) (*Shadow, error) {
	got := &Shadow{}
	if _, err := c.fetchJSON(ctx, k, &got.Shadow); err != nil {
		return nil, err
	}
	if got.Jurisdiction != jurisdiction {
		return nil, unverifiedf("shadow of "+jurisdiction, "the answer is about %q", got.Jurisdiction)
	}
	want.details = map[string]string{"jurisdiction": jurisdiction}
	var err error
	got.Receipt, err = c.acceptReceipt(ctx, got.Shadow.Receipt, want)
	return got, err
}
