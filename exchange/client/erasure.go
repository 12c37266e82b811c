package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// ErasureDone is what became of an order to erase, with the receipt of the entry that tells of the order.
type ErasureDone struct {
	api.ErasureDone
	Receipt *Receipt
}

// Erase brings an order to erase records of the own agency, signed by one of its approvers: only its data-protection officer may,
// and so countersigns it.
func (c *Client) Erase(ctx context.Context, order []byte) (*ErasureDone, error) {
	signed, err := envelope.ParseErasure(order)
	if err != nil {
		return nil, fmt.Errorf("the order: %w", err)
	}
	k := post(api.RouteErasures, api.MediaJOSE, order)
	k.repeat = repeatSafe
	done := &ErasureDone{}
	if _, err := c.fetchJSON(ctx, k, &done.ErasureDone); err != nil {
		return nil, err
	}
	if done.ID != signed.JTI || done.Package != signed.Package || done.First != uint64(signed.From) || done.Last != uint64(signed.To) {
		return nil, unverifiedf("erasure", "the answer is about another order")
	}
	done.Receipt, err = c.acceptReceipt(ctx, done.ErasureDone.Receipt, claim{action: actErase, pkg: signed.Package, justify: signed.Reason,
		outcomes: []string{"ordered", "erased"}, details: map[string]string{"order": signed.JTI}})
	return done, err
}

// ErasurePreview reads what of the own agency will be erased by a day if nobody does anything, under a consultation for the log. The
// zero time is now; limit bounds the items, 0 is the exchange's own bound.
func (c *Client) ErasurePreview(ctx context.Context, consultation string, on time.Time, limit int) (*api.ErasurePreview, error) {
	k := get(api.RouteErasures, url.Values{})
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	if !on.IsZero() {
		k.query.Set("on", audit.FormatTime(on))
	}
	if limit > 0 {
		k.query.Set("limit", strconv.Itoa(limit))
	}
	p := &api.ErasurePreview{}
	if _, err := c.fetchJSON(ctx, k, p); err != nil {
		return nil, err
	}
	_, err := c.acceptReceipt(ctx, p.Receipt, claim{action: actErasures, outcomes: []string{"shown"}})
	return p, err
}

// HoldSet is a hold that was made or released, with the receipt of its entry.
type HoldSet struct {
	api.Hold
	Receipt *Receipt
}

// AddHold keeps records of the own agency from being erased.
func (c *Client) AddHold(ctx context.Context, want api.HoldRequest) (*HoldSet, error) {
	body, err := jsonBody(want)
	if err != nil {
		return nil, err
	}
	return c.hold(ctx, post(api.RouteHolds, api.MediaJSON, body), want.Scope, claim{action: actHold, justify: want.Reason, outcomes: []string{"held"}})
}

// ReleaseHold ends a hold.
func (c *Client) ReleaseHold(ctx context.Context, id, reason string) (*HoldSet, error) {
	body, err := jsonBody(api.ReleaseRequest{Reason: reason})
	if err != nil {
		return nil, err
	}
	return c.hold(ctx, post(api.ReleasePath(id), api.MediaJSON, body), "", claim{action: actRelease, justify: reason, outcomes: []string{"released"},
		details: map[string]string{"hold": id}})
}

func (c *Client) hold(ctx context.Context, k call, scope string, want claim) (*HoldSet, error) {
	set := &HoldSet{}
	if _, err := c.fetchJSON(ctx, k, &set.Hold); err != nil {
		return nil, err
	}
	if scope != "" && set.Scope != scope {
		return nil, unverifiedf("hold", "the answer is about a hold of scope %q", set.Scope)
	}
	if want.details == nil {
		want.details = map[string]string{"hold": set.ID}
	}
	var err error
	set.Receipt, err = c.acceptReceipt(ctx, set.Hold.Receipt, want)
	return set, err
}

// Holds reads the holds of the own agency, under a consultation for the log.
func (c *Client) Holds(ctx context.Context, consultation string) ([]api.Hold, error) {
	k := get(api.RouteHolds, nil)
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	var all api.Holds
	_, err := c.fetchJSON(ctx, k, &all)
	return all.Items, err
}

// ApproveKey reads approve.jwk of the profile: the key of one person who approves. ErrNoKey: there is none.
func (p *Profile) ApproveKey() (envelope.PrivateKey, error) {
	data, err := readProfileFile(p.path(FileApprove))
	if errors.Is(err, fs.ErrNotExist) {
		return envelope.PrivateKey{}, fmt.Errorf("%s: %w", FileApprove, ErrNoKey)
	}
	var key envelope.PrivateKey
	if err == nil {
		key, err = envelope.ParsePrivateJWK(data)
	}
	if err == nil && key.Public().Use() != envelope.UseApprove {
		err = fmt.Errorf("it is a key of use %s", key.Public().Use())
	}
	if err != nil {
		return envelope.PrivateKey{}, p.fault(FileApprove, err, "put the private JWK of an approve key there: liaison keys rotate --use approve makes one")
	}
	return key, nil
}
