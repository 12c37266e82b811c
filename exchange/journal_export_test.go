package exchange

import (
	"context"
	"time"
)

// OpenJournalHooked opens a journal that calls hook at each step of a commit.
func OpenJournalHooked(ctx context.Context, cfg JournalConfig, hook func(step string)) (*Journal, error) {
	return openJournal(ctx, cfg, hook)
}

// Waiting is how many changes wait in the queue.
func (j *Journal) Waiting() int { return len(j.queue) }

// NewTx makes what a change runs on without a journal: index is the ledger's
// of its first entry, and every owner's seq follows from it.
func NewTx(tx Transaction, index int64) *Tx {
	last := func(string) (link, error) { return link{seq: uint64(index)}, nil }
	return &Tx{Reader: tx, Writer: tx, now: time.Now().UTC(), last: last, index: index}
}

// The steps of a commit.
const (
	StepBegin     = stepBegin
	StepChanged   = stepChanged
	StepAppended  = stepAppended
	StepCommit    = stepCommit
	StepCommitted = stepCommitted
	StepSigned    = stepSigned
	StepAnswered  = stepAnswered
	StepAnchored  = stepAnchored
)
