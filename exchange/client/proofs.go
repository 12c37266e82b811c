package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// Witnessed fetches the newest head that enough witnesses have cosigned, in the exchange's opinion, with the cosignatures of those
// that this client believes. It must be a part of the one history that the client knows. api.NotFound: there is none.
func (c *Client) Witnessed(ctx context.Context) (audit.Checkpoint, []audit.Cosignature, error) {
	k := get(api.RouteWitnessed, nil)
	k.max = audit.MaxCheckpoint
	a, err := c.fetch(ctx, k)
	if err != nil {
		return audit.Checkpoint{}, nil, err
	}
	cp, err := c.ledger.open(a.body)
	if err != nil {
		return audit.Checkpoint{}, nil, err
	}
	cosignatures, err := cp.Cosignatures(c.witnesses)
	if err != nil {
		return audit.Checkpoint{}, nil, unverified("checkpoint", err)
	}
	return cp, cosignatures, c.admit(ctx, cp)
}

// Witnesses asks which witness was seen when.
func (c *Client) Witnesses(ctx context.Context) (w api.Witnesses, err error) {
	_, err = c.fetchJSON(ctx, get(api.RouteWitnesses, nil), &w)
	return w, err
}

// ErrNotWitnessed says that no head that covers an entry was cosigned by a witness that this client believes.
var ErrNotWitnessed = errors.New("no head that covers the entry is cosigned by a witness that you believe")

// ProofHead is the head to prove an entry under: the newest that a witness has cosigned whom this client believes, if it covers the
// entry; else the newest there is.
func (c *Client) ProofHead(ctx context.Context, index int64) (audit.Checkpoint, error) {
	cp, cosignatures, err := c.Witnessed(ctx)
	if err == nil && len(cosignatures) > 0 && index < cp.Size {
		return cp, nil
	}
	if err != nil && !errors.Is(err, api.NotFound) {
		return audit.Checkpoint{}, err
	}
	return c.Checkpoint(ctx)
}

// Upgrade proves the entry of a receipt under the newest head that witnesses have cosigned. The receipt must verify. ErrNotWitnessed:
// there is no such head yet.
func (c *Client) Upgrade(ctx context.Context, r audit.Receipt) (audit.Receipt, audit.Verified, error) {
	if _, err := r.Verify(c.ledger.keys, c.witnesses); err != nil {
		return audit.Receipt{}, audit.Verified{}, unverified("receipt", err)
	}
	head, cosignatures, err := c.Witnessed(ctx)
	if errors.Is(err, api.NotFound) || err == nil && (len(cosignatures) == 0 || r.Index >= head.Size) {
		return audit.Receipt{}, audit.Verified{}, ErrNotWitnessed
	}
	if err != nil {
		return audit.Receipt{}, audit.Verified{}, err
	}
	return c.prove(ctx, r, head)
}

// Prove makes a receipt for an entry of the own log under a head of the ledger, as the exchange did when it was written: whoever
// has the ledger's public key verifies it without asking anybody. An entry that is erased has none.
func (c *Client) Prove(ctx context.Context, item audit.Item, head audit.Checkpoint) (audit.Receipt, audit.Verified, error) {
	if item.Entry == nil || len(item.Salt) != len(audit.Salt{}) {
		return audit.Receipt{}, audit.Verified{}, fmt.Errorf("entry %d cannot be proven: it was erased", item.Seq)
	}
	return c.prove(ctx, audit.Receipt{Entry: item.Entry, Salt: item.Salt, Index: item.Index}, head)
}

// prove proves the entry of a receipt under a head, and verifies what came out.
func (c *Client) prove(ctx context.Context, r audit.Receipt, head audit.Checkpoint) (audit.Receipt, audit.Verified, error) {
	proven, err := r.Upgrade(head, c.Hashes(ctx, head))
	if errors.Is(err, audit.ErrNotIncluded) || errors.Is(err, audit.ErrTiles) || errors.Is(err, audit.ErrSize) {
		return audit.Receipt{}, audit.Verified{}, unverified("proof", err)
	}
	if err != nil {
		return audit.Receipt{}, audit.Verified{}, err
	}
	v, err := proven.Verify(c.ledger.keys, c.witnesses)
	if err != nil {
		return audit.Receipt{}, audit.Verified{}, unverified("proof", err)
	}
	return proven, v, nil
}
