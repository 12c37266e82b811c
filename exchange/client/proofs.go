package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/liaison-exchange/liaison/audit"
)

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
