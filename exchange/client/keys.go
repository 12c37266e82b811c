package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// KeyChange is what the directory says of an own key after a change, with the receipt of the own agency's entry.
type KeyChange struct {
	api.KeyChange
	Repeat  bool // the directory said so before
	Receipt *Receipt
}

// PublishKey puts a key of the own agency, with the chain of its certificate, into the directory. It is trusted from then on.
// The own anchors must vouch for it: what others could not verify is not published. The same key again changes nothing.
func (c *Client) PublishKey(ctx context.Context, key envelope.PublishedKey) (*KeyChange, error) {
	if k := c.verifyKey(key, c.agency, c.now()); k.Err != nil {
		return nil, k.Err
	}
	body, err := json.Marshal(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	k := call{method: http.MethodPut, path: api.KeyPath(c.agency, key.Kid()), contentType: api.MediaJSON, body: bytesBody(body), repeat: repeatSafe, max: maxJSON}
	return c.changeKey(ctx, k, key.Kid(), claim{action: actPublish, outcomes: []string{"published", "repeated"}})
}

// KeyEnd says how a key ends. The zero value: now.
type KeyEnd struct {
	Until       time.Time // for an overlap; zero: now
	Compromised time.Time // what was signed from then on is not trusted; zero: it was never compromised
}

// RetireKey ends a key of the own agency. An end can be moved to an earlier time, never to a later one.
func (c *Client) RetireKey(ctx context.Context, kid string, end KeyEnd) (*KeyChange, error) {
	query := url.Values{}
	for name, t := range map[string]time.Time{"until": end.Until, "compromised": end.Compromised} {
		if !t.IsZero() {
			query.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	k := call{method: http.MethodDelete, path: api.KeyPath(c.agency, kid), query: query, repeat: repeatSafe, max: maxJSON}
	return c.changeKey(ctx, k, kid, claim{action: actRetire, outcomes: []string{"retired", "repeated"}})
}

// changeKey makes a call about an own key and verifies its receipt.
func (c *Client) changeKey(ctx context.Context, k call, kid string, want claim) (*KeyChange, error) {
	change := &KeyChange{}
	if _, err := c.fetchJSON(ctx, k, &change.KeyChange); err != nil {
		return nil, err
	}
	published, err := envelope.ParsePublicJWK(change.JWK)
	if err != nil || published.Kid() != kid {
		return nil, unverifiedf("key "+kid, "the answer is about another key")
	}
	want.details = map[string]string{"agency": c.agency, "key": kid, "use": string(published.Use()), "until": change.Until, "compromised": change.Compromised}
	if change.Receipt, err = c.acceptReceipt(ctx, change.KeyChange.Receipt, want); err != nil {
		return nil, err
	}
	change.Repeat = change.Receipt.Entry.Outcome == "repeated"
	return change, nil
}

// Admission is an agency's standing with the operator, with the receipt of the operator's entry.
type Admission struct {
	api.Admission
	Receipt *Receipt
}

// Admission reads what the operator says of an agency; only operators may.
func (c *Client) Admission(ctx context.Context, agency string) (*Admission, error) {
	return c.admission(ctx, get(api.AdmissionPath(agency), nil), claim{action: actAdmission, outcomes: []string{"shown"}, details: map[string]string{"agency": agency}})
}

// SetAdmission asks for an agency's standing; only operators may. What it takes away is gone at once; what it gives may wait
// for a second operator: then the answer has a Proposal.
func (c *Client) SetAdmission(ctx context.Context, agency string, want api.AdmissionRequest) (*Admission, error) {
	if want.Roles == nil {
		want.Roles = []string{}
	}
	body, err := jsonBody(want)
	if err != nil {
		return nil, err
	}
	k := call{method: http.MethodPut, path: api.AdmissionPath(agency), contentType: api.MediaJSON, body: bytesBody(body), repeat: repeatSafe, max: maxJSON}
	return c.admission(ctx, k, claim{action: actAdmit, justify: want.Reason, details: map[string]string{"agency": agency}})
}

func (c *Client) admission(ctx context.Context, k call, want claim) (*Admission, error) {
	a := &Admission{}
	if _, err := c.fetchJSON(ctx, k, &a.Admission); err != nil {
		return nil, err
	}
	if a.Agency != want.details["agency"] {
		return nil, unverifiedf("admission", "the answer is about %q", a.Agency)
	}
	if want.action == actAdmit {
		want.details["suspended"] = fmt.Sprint(a.Suspended)
	}
	receipt, err := c.acceptReceipt(ctx, a.Admission.Receipt, want)
	a.Receipt = receipt
	return a, err
}
