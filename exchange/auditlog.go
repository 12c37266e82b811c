package exchange

import (
	"context"
	"strconv"

	"github.com/liaison-exchange/liaison/audit"
)

// maxEntries is the greatest page of the log.
const maxEntries = 1000

// Entries returns entries of an owner's log after a seq, under a consultation
// of the log: the caller's own agency's for "". Reading the log is itself an
// entry; an empty page leaves none.
func (s *Service) Entries(ctx context.Context, c Caller, consultation, owner string, after uint64, limit int) (*EntriesPage, error) {
	v, err := s.enter(ctx, c, ActEntries, "")
	if err != nil {
		return nil, err
	}
	if limit <= 0 || limit > maxEntries {
		limit = maxEntries
	}
	page := &EntriesPage{}
	if empty, err := v.nothingAfter(ctx, consultation, owner, after); err != nil || empty {
		return page, err
	}
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, r, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || r != nil {
			return nil, r, err
		}
		of, r, err := v.logOwner(tx, owner)
		if err != nil || r != nil {
			return nil, r, err
		}
		if page.Items, err = tx.Entries(of, after, limit+1); err != nil {
			return nil, nil, err
		}
		page.Next = 0
		if len(page.Items) > limit {
			page.Items = page.Items[:limit]
			page.Next = page.Items[limit-1].Seq
		}
		e := v.consulted(row)
		e.Count = uint64(len(page.Items))
		e.Details = map[string]string{"after": strconv.FormatUint(after, 10)}
		v.another(e.Details, of)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// another names the owner of a log in the details of an entry, if it is not
// the reader's own agency.
func (v *visit) another(details map[string]string, owner string) {
	if owner != v.agency() {
		details["owner"] = owner
	}
}

// nothingAfter reports whether a valid consultation would show nothing: the
// log ends at that seq.
func (v *visit) nothingAfter(ctx context.Context, consultation, owner string, after uint64) (bool, error) {
	empty := false
	err := v.view(ctx, func(rows Reader) error {
		of, r, err := v.logOwner(rows, owner)
		if err != nil || r != nil {
			return err // the change refuses it
		}
		last, _, err := rows.Last(of)
		if err != nil || last > after {
			return err
		}
		_, r, err = v.consultation(rows, v.Clock(), consultation, "")
		empty = r == nil
		return err
	})
	return empty, err
}

// consulted is the visit's entry under a consultation of the log.
func (v *visit) consulted(row *ConsultationRow) audit.Entry {
	e := v.entry
	e.Outcome, e.Consultation = "shown", row.ID
	e.Officer, e.Justification, e.CaseRef = row.Officer, row.Justification, row.CaseRef
	return e
}

// Entry returns one entry of a log that the caller may read, under a
// consultation.
func (s *Service) Entry(ctx context.Context, c Caller, consultation, owner string, seq uint64) (*EntryRow, error) {
	v, err := s.enter(ctx, c, ActEntry, "")
	if err != nil {
		return nil, err
	}
	var found *EntryRow
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, r, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || r != nil {
			return nil, r, err
		}
		of, r, err := v.logOwner(tx, owner)
		if err != nil || r != nil {
			return nil, r, err
		}
		if found, err = tx.Entry(owner, seq); err != nil {
			return nil, nil, err
		}
		if found == nil {
			return nil, absent("no-such-entry"), nil
		}
		e := v.consulted(row)
		e.Count = 1
		e.Details = map[string]string{"seq": strconv.FormatUint(seq, 10)}
		v.another(e.Details, of)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Checkpoint is the ledger's newest signed head, with the cosignatures that
// came for it. No entry.
func (s *Service) Checkpoint(context.Context) ([]byte, error) {
	head := s.Journal.Checkpoint()
	if s.Witnesses != nil {
		head = s.Witnesses.Merged(head)
	}
	return head, nil
}

// Tile returns a tile or an entry bundle of the ledger
// (c2sp.org/tlog-tiles): commitments and hashes, nothing of any entry. What
// the tree does not hold yet is NotFound. No entry.
func (s *Service) Tile(ctx context.Context, t audit.TilePath) ([]byte, error) {
	var data []byte
	err := s.view(ctx, func(rows Reader) error {
		head, err := rows.Head()
		if err != nil {
			return err
		}
		if t.Exists(head.Size) != nil {
			return absent("no-such-tile")
		}
		if t.Level == audit.EntriesLevel {
			cs, err := rows.Commitments(t.Range())
			data = audit.EncodeBundle(cs)
			return err
		}
		data, err = audit.TileData(t, head.Size, rows)
		return err
	})
	return data, err
}
