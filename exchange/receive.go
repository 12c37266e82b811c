package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// receive takes the bytes: content checked against the manifest, attachments
// streamed to the blob store. Everything is durable before it returns. In a
// later round only the recipients' keys are checked again.
func (p *posting) receive(ctx context.Context, parts Parts) error {
	if p.content == nil {
		raw, err := parts.Content()
		if err != nil {
			return err
		}
		if p.content, err = envelope.ParseContent(raw); err != nil {
			return refusalOf("content", err)
		}
		p.raw = raw
	}
	if err := p.checkContent(); err != nil {
		return refusalOf("content", err)
	}
	if p.row != nil {
		return nil
	}
	return p.keepBytes(ctx, parts)
}

// checkContent holds the content against the manifest and the directory.
func (p *posting) checkContent() error {
	reg, now := p.registry.Load(), p.Clock()
	return p.content.Check(p.manifest, func(kid string) (string, bool) {
		k := reg.KeyByID(kid)
		if k == nil || k.Public.Use() != envelope.UseEncrypt {
			return "", false
		}
		return k.Agency, p.trusts(k, now)
	})
}

// keepBytes makes content and attachments durable and the row that names them.
func (p *posting) keepBytes(ctx context.Context, parts Parts) error {
	row, raw := p.newRow(), p.raw
	if len(raw) > inlineContent {
		row.ContentBlob = blobName(row.ID, "content", row.ContentSHA256)
		if err := p.keep(ctx, row.ContentBlob, raw); err != nil {
			return err
		}
	}
	if err := p.receiveAttachments(ctx, parts, row); err != nil {
		return err
	}
	p.row = row
	return nil
}

// blobName names a blob by what it holds: a twin under the same id that
// brings other bytes cannot replace them.
func blobName(id, part, sha256 string) string { return id + "/" + part + "." + sha256 }

// keep writes bytes as a blob.
func (p *posting) keep(ctx context.Context, name string, b []byte) error {
	w, err := p.Blobs.Create(ctx, name)
	if err != nil {
		return unavailable(err)
	}
	defer w.Close()
	if _, err := w.Write(b); err != nil {
		return unavailable(err)
	}
	if err := w.Commit(); err != nil {
		return unavailable(err)
	}
	return nil
}

// receiveAttachments streams what the manifest lists, in its order.
func (p *posting) receiveAttachments(ctx context.Context, parts Parts, row *Package) error {
	for i, want := range p.manifest.Attachments {
		r, err := parts.Attachment()
		if errors.Is(err, io.EOF) {
			return invalidAttachment(i, "attachment-missing", "is missing")
		}
		if err != nil {
			return err
		}
		name := blobName(row.ID, fmt.Sprint(i), want.SHA256)
		if err := p.stream(ctx, name, r, i, want); err != nil {
			return err
		}
		row.Attachments = append(row.Attachments, AttachmentRow{Blob: name, SHA256: want.SHA256, Size: want.Size})
	}
	switch _, err := parts.Attachment(); {
	case err == nil:
		return invalidAttachment(len(p.manifest.Attachments), "attachment-extra", "is not in the manifest")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// stream writes one attachment and holds it against the manifest; what does
// not match is never visible.
func (p *posting) stream(ctx context.Context, name string, r io.Reader, i int, want envelope.AttachmentRef) error {
	w, err := p.Blobs.Create(ctx, name)
	if err != nil {
		return unavailable(err)
	}
	defer w.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(r, want.Size+1))
	switch {
	case err != nil && AsRefusal(err) != nil:
		return err
	case err != nil:
		return unavailable(err)
	case n != want.Size:
		return invalidAttachment(i, "attachment-size", "has another size than the manifest says")
	case base64.RawURLEncoding.EncodeToString(sum.Sum(nil)) != want.SHA256:
		return invalidAttachment(i, "attachment-digest", "has another digest than the manifest says")
	}
	if err := w.Commit(); err != nil {
		return unavailable(err)
	}
	return nil
}

func invalidAttachment(i int, reason, what string) *Refusal {
	return &Refusal{Kind: Invalid, Reason: reason, Detail: fmt.Sprintf("attachment %d %s", i, what),
		Fix: "send the attachments that the manifest lists, in its order"}
}

// rejected is a failure of signature, key or identity.
func rejected(reason string) *Refusal { return &Refusal{Kind: Rejected, Reason: reason} }

// refusalOf turns the envelope's verdict on a part into a refusal.
func refusalOf(part string, err error) *Refusal {
	r := &Refusal{Reason: part + ":" + envelope.Reason(err), Err: err}
	var invalid *envelope.InvalidError
	switch {
	case errors.As(err, &invalid):
		r.Kind, r.Detail, r.Fix = Invalid, invalid.Detail, invalid.Fix
	case errors.Is(err, envelope.ErrMalformed):
		r.Kind, r.Detail = Malformed, part+": "+envelope.Detail(err)
		r.Fix = "build the " + part + " strictly by the specification of the envelope"
	default:
		r.Kind = Rejected
	}
	return r
}
