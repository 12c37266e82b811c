package exchange

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Content returns the ciphertext of a package under a consultation: to a
// recipient that has acknowledged, or to the sender. The entry is written
// before the first byte is given, and after the bytes are at hand.
func (s *Service) Content(ctx context.Context, c Caller, id, consultation string) (Blob, error) {
	v, err := s.enter(ctx, c, ActContent, id)
	if err != nil {
		return nil, err
	}
	return v.read(ctx, consultation, func(p *Package, e *audit.Entry) (string, *Refusal) {
		e.ContentSHA256 = p.ContentSHA256
		return p.ContentBlob, nil
	})
}

// Attachment returns attachment n of a package, encrypted, under the same
// conditions as its content.
func (s *Service) Attachment(ctx context.Context, c Caller, id string, n int, consultation string) (Blob, error) {
	v, err := s.enter(ctx, c, ActAttachment, id)
	if err != nil {
		return nil, err
	}
	return v.read(ctx, consultation, func(p *Package, e *audit.Entry) (string, *Refusal) {
		if n < 0 || n >= len(p.Attachments) {
			return "", absent("no-such-attachment")
		}
		e.Details = map[string]string{"attachment": strconv.Itoa(n), "sha256": p.Attachments[n].SHA256}
		return p.Attachments[n].Blob, nil
	})
}

// choose names the blob that is read, empty for content that lies in its
// row, and says so in the entry.
type choose func(p *Package, e *audit.Entry) (blob string, r *Refusal)

// read opens what the caller may read, then writes the entry that it was
// released, then gives it.
func (v *visit) read(ctx context.Context, consultation string, pick choose) (Blob, error) {
	opened, err := v.openBlob(ctx, consultation, pick)
	if err != nil {
		return nil, err
	}
	var inline []byte
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		p, entries, r, err := v.release(tx, tx.Now(), consultation)
		if err != nil || r != nil {
			return entries, r, err
		}
		name, r := pick(p, &entries[0])
		switch {
		case r != nil:
			return nil, r, nil
		case name == "":
			inline, err = tx.Content(p.ID)
		case opened == nil:
			err = errStale // it was not to be read a moment ago
		}
		if err == nil {
			v.fetched(tx, p)
		}
		return entries, nil, err
	}, v.needs()...)
	switch {
	case err == nil && opened != nil:
		return opened, nil
	case err == nil:
		return inlineBlob{bytes.NewReader(inline)}, nil
	case opened != nil:
		_ = opened.Close() // nothing was read
	}
	if errors.Is(err, errStale) {
		err = unavailable(err)
	}
	return nil, err
}

// openBlob opens the blob that the caller may read; nil if there is none, or
// if it may not: the change says why.
func (v *visit) openBlob(ctx context.Context, consultation string, pick choose) (Blob, error) {
	var name string
	err := v.view(ctx, func(rows Reader) error {
		p, entries, r, err := v.release(rows, v.Clock(), consultation)
		if err == nil && r == nil {
			name, _ = pick(p, &entries[0])
		}
		return err
	})
	if err != nil || name == "" {
		return nil, err
	}
	b, err := v.Blobs.Open(ctx, name)
	if err != nil {
		return nil, unavailable(err)
	}
	return b, nil
}

// inlineBlob is content that lay in its row.
type inlineBlob struct{ *bytes.Reader }

func (inlineBlob) Close() error { return nil }

// release decides whether the caller may read the package's bytes, and
// returns the entry that says it did: party, acknowledged, consulted.
func (v *visit) release(rows Reader, now time.Time, consultation string) (*Package, []audit.Entry, *Refusal, error) {
	p, _, r, err := v.find(rows)
	if err != nil || r != nil {
		return nil, nil, r, err
	}
	if p.ContentErased {
		return nil, nil, erasedContent(p), nil
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
	row, r, err := v.consultation(rows, now, consultation, p.ID)
	if err != nil || r != nil {
		return nil, nil, r, err
	}
	e := v.about(p)
	e.Outcome, e.Consultation = "released", row.ID
	e.Officer, e.Justification, e.CaseRef = row.Officer, row.Justification, row.CaseRef
	return p, []audit.Entry{e}, nil, nil
}
