package exchange

import (
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Change is the only way anything becomes true. It runs in the journal's
// transaction: it reads, decides, writes, and returns the entries that say
// what it did, one per owner, the acting agency's first: Commit returns its
// receipt. A domain refusal is an entry with no writes, not an error: an
// error drops the change and goes to its caller as it is. A change without
// entries is refused: there is no effect without its entries.
//
// It may run more than once and in another goroutine than Commit's caller. It
// touches only tx, which is not to be kept, and never blocks otherwise. What
// it leaves in variables of its caller may be read only after Commit returned
// without an error of the caller's context.
//
// The journal fills Seq, Prev, Exchange and Time of the entries. Reads see
// the writes of the changes before it in the batch but not their entries.
type Change func(tx *Tx) ([]audit.Entry, error)

// Tx is one change's view of the journal's transaction: rows, and what its
// entries will be.
type Tx struct {
	Reader
	Writer
	now   time.Time
	last  func(owner string) (link, error)
	index int64
}

// Now is the time that the change's entries will bear, in whole milliseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// NextSeq is the seq that this change's entry for the owner will have: a
// change writes at most one entry per owner.
func (tx *Tx) NextSeq(owner string) (uint64, error) {
	l, err := tx.last(owner)
	return l.seq + 1, err
}

// NextIndex is the ledger's index of this change's entry at position i of
// what it returns.
func (tx *Tx) NextIndex(i int) int64 { return tx.index + int64(i) }
