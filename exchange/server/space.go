package server

import (
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// Space is how much room there is for what is stored.
type Space int

// Ample lets everything pass; Scarce no package but an urgent one; Spent
// nothing that writes an entry, and reading does.
const (
	Ample Space = iota
	Scarce
	Spent
)

// room refuses what the disk has no room for. Like an overload it leaves no
// entry: that would need the room.
func (c *call) room() error {
	if c.op.open || c.s.cfg.Space() != Spent {
		return nil
	}
	return &exchange.Refusal{Kind: exchange.Unavailable, Reason: "disk-spent", RetryAfter: time.Minute,
		Detail: "the exchange has no room left to record what is done, and does nothing that it cannot record",
		Fix:    "repeat the same request after the time in Retry-After; what was answered before is safe"}
}

// roomFor refuses a package that can wait.
func (c *call) roomFor(cost exchange.Cost) error {
	if cost.Urgent || c.s.cfg.Space() == Ample {
		return nil
	}
	return &exchange.Refusal{Kind: exchange.Unavailable, Reason: "disk-scarce", RetryAfter: time.Minute,
		Detail: "the exchange is short of room, and takes urgent packages only; all else goes on",
		Fix:    "repeat the same request after the time in Retry-After"}
}
