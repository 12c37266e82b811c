package exchange

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
)

// Receipt makes the first receipt of an entry again, byte for byte: under the
// head of the batch that added it. That old head is signed only after rows
// prove that the newest signed head extends it. It returns ErrErased if the
// entry is no more.
func (j *Journal) Receipt(rows Reader, index int64) (audit.Receipt, error) {
	row, err := rows.EntryAt(index)
	if err != nil {
		return audit.Receipt{}, err
	}
	if row == nil {
		return audit.Receipt{}, fmt.Errorf("there is no entry %d", index)
	}
	if row.Entry == nil {
		return audit.Receipt{}, fmt.Errorf("entry %d: %w", index, ErrErased)
	}
	head, err := rows.HeadCovering(index)
	if err != nil {
		return audit.Receipt{}, err
	}
	note, err := j.signAgain(rows, head)
	if err != nil {
		return audit.Receipt{}, fmt.Errorf("receipt of entry %d: %w", index, err)
	}
	proof, err := audit.ProveRecord(head.Size, index, rows)
	if err != nil {
		return audit.Receipt{}, fmt.Errorf("receipt of entry %d: %w", index, err)
	}
	if err := tlog.CheckRecord(proof, head.Size, head.Root, index, row.Commitment.Leaf()); err != nil {
		return audit.Receipt{}, fmt.Errorf("receipt of entry %d: the store is damaged: %w", index, err)
	}
	return audit.Receipt{Entry: row.Entry, Salt: row.Salt, Index: index, Proof: proof, Checkpoint: note}, nil
}

// signAgain signs the head of an earlier batch.
func (j *Journal) signAgain(rows Reader, head Head) ([]byte, error) {
	newest := j.signed(head.Size)
	if newest.Size < head.Size {
		return nil, fmt.Errorf("%w: its head is not signed", ErrStorage)
	}
	old := audit.Checkpoint{Origin: j.Origin(), Size: head.Size, Root: head.Root}
	if err := audit.VerifyExtends(old, *newest, rows); err != nil {
		return nil, err
	}
	return j.cfg.Signer.Checkpoint(head.Size, head.Root)
}

// signed is the newest signed head. If that is behind size, a batch was
// committed a moment ago and its head is about to be signed.
func (j *Journal) signed(size int64) *audit.Checkpoint {
	if cp := j.current.Load(); cp.Size >= size {
		return cp
	}
	j.publish.Lock()
	defer j.publish.Unlock()
	return j.current.Load()
}
