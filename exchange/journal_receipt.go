package exchange

import (
	"bytes"
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
	if !bytes.Contains(row.Entry, []byte(`"exchange":"`+j.Origin()+`"`)) {
		return audit.Receipt{}, fmt.Errorf("entry %d: %w", index, ErrEarlier)
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

// signAgain signs the head of an earlier batch. The proof is made from rows,
// so it is made towards a signed head that these rows already know.
func (j *Journal) signAgain(rows Reader, head Head) ([]byte, error) {
	seen, err := rows.Head()
	if err != nil {
		return nil, err
	}
	newer, err := j.signedHead(head.Size, seen.Size)
	if err != nil {
		return nil, err
	}
	old := audit.Checkpoint{Origin: j.Origin(), Size: head.Size, Root: head.Root}
	if err := audit.VerifyExtends(old, *newer, rows); err != nil {
		return nil, err
	}
	return j.cfg.Signer.Checkpoint(head.Size, head.Root)
}

// signedHead is a head that was signed, of a size from least to most. If the
// newest one is smaller, a batch was committed a moment ago and its head is
// about to be signed; if it is larger, the reader's snapshot is older.
func (j *Journal) signedHead(least, most int64) (*audit.Checkpoint, error) {
	cp := j.current.Load()
	if least <= cp.Size && cp.Size <= most {
		return cp, nil
	}
	j.publish.Lock()
	defer j.publish.Unlock()
	for i := len(j.recent) - 1; i >= 0 && j.recent[i].Size >= least; i-- {
		if j.recent[i].Size <= most {
			return j.recent[i], nil
		}
	}
	return nil, fmt.Errorf("%w: no signed head of size %d to %d is at hand", ErrStorage, least, most)
}
