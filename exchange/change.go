package exchange

import (
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Change is the only way anything becomes true. It runs in the journal's
// transaction: it reads, decides, writes, and returns the entries that say
// what it did, one per owner, the acting agency's first: Commit returns its
// receipt. A domain refusal is an entry with no writes, not an error: an
// error drops the change and goes to its caller as it is.
//
// It may run more than once, touches only tx, and never blocks otherwise.
// The journal fills Seq, Prev, Exchange and Time of the entries.
type Change func(tx *Tx) ([]audit.Entry, error)

// Tx is one change's view of the journal's transaction.
type Tx struct {
	Transaction
	now  time.Time
	seq  func(owner string) (uint64, error)
	size int64
}

// Now is the time that the change's entries will bear.
func (tx *Tx) Now() time.Time { return tx.now }

// NextSeq is the seq that this change's entry for the owner will have: a
// change writes at most one entry per owner.
func (tx *Tx) NextSeq(owner string) (uint64, error) { return tx.seq(owner) }

// NextIndex is the ledger's index of this change's entry at position i of
// what it returns.
func (tx *Tx) NextIndex(i int) int64 { return tx.size + int64(i) }
