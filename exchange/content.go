package exchange

import (
	"bytes"
	"context"
	"strconv"

	"github.com/liaison-exchange/liaison/audit"
)

// Content returns the ciphertext of a package under a consultation: to a
// recipient that has acknowledged, or to the sender. The entry is written
// before the first byte is given.
func (s *Service) Content(ctx context.Context, c Caller, id, consultation string) (Blob, error) {
	v, err := s.enter(ctx, c, ActContent, id)
	if err != nil {
		return nil, err
	}
	var p *Package
	var inline []byte
	_, err = v.commit(ctx, func(tx *Tx) (entries []audit.Entry, r *Refusal, err error) {
		if p, entries, r, err = v.release(tx, consultation); r != nil || err != nil {
			return entries, r, err
		}
		if p.ContentBlob == "" {
			inline, err = tx.Content(id)
		}
		entries[0].ContentSHA256 = p.ContentSHA256
		return entries, nil, err
	}, Need{Package: id})
	if err != nil {
		return nil, err
	}
	if p.ContentBlob == "" {
		return inlineBlob{bytes.NewReader(inline)}, nil
	}
	b, err := s.Blobs.Open(ctx, p.ContentBlob)
	if err != nil {
		return nil, unavailable(err)
	}
	return b, nil
}

// inlineBlob is content that lay in its row.
type inlineBlob struct{ *bytes.Reader }

func (inlineBlob) Close() error { return nil }

// Attachment returns attachment n of a package, encrypted, under the same
// conditions as its content.
func (s *Service) Attachment(ctx context.Context, c Caller, id string, n int, consultation string) (Blob, error) {
	v, err := s.enter(ctx, c, ActAttachment, id)
	if err != nil {
		return nil, err
	}
	var name string
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		p, entries, r, err := v.release(tx, consultation)
		if r != nil || err != nil {
			return entries, r, err
		}
		if n < 0 || n >= len(p.Attachments) {
			return nil, absent("no-such-attachment"), nil
		}
		name = p.Attachments[n].Blob
		entries[0].Details = map[string]string{"attachment": strconv.Itoa(n), "sha256": p.Attachments[n].SHA256}
		return entries, nil, nil
	}, Need{Package: id})
	if err != nil {
		return nil, err
	}
	b, err := s.Blobs.Open(ctx, name)
	if err != nil {
		return nil, unavailable(err)
	}
	return b, nil
}

// release decides whether the caller may read the package's bytes, and
// returns the entry that says it did: party, acknowledged, consulted.
func (v *visit) release(tx *Tx, consultation string) (*Package, []audit.Entry, *Refusal, error) {
	p, _, r, err := v.find(tx)
	if err != nil || r != nil {
		return nil, nil, r, err
	}
	if p.Sender != v.agency() {
		d := p.delivery(v.agency())
		if d == nil {
			return nil, nil, absent("not-a-recipient"), nil
		}
		if d.Outcome != StateAcknowledged {
			return nil, nil, &Refusal{Kind: Conflict, Reason: "not-acknowledged", Detail: "the package is not acknowledged: its outcome is " + d.Outcome,
				Fix: "acknowledge the package first; what is blocked or expired stays closed"}, nil
		}
	}
	row, r, err := v.consultation(tx, tx.Now(), consultation, p.ID)
	if err != nil || r != nil {
		return nil, nil, r, err
	}
	e := v.about(p)
	e.Outcome, e.Consultation = "released", row.ID
	e.Officer, e.Justification, e.CaseRef = row.Officer, row.Justification, row.CaseRef
	return p, []audit.Entry{e}, nil, nil
}
