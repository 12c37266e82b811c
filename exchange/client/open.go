package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// OpenOptions says who opens a package and why, and who accepts its obligations.
type OpenOptions struct {
	Officer string // pseudonym; "" for the profile's
	Reason  string // justification, 20 to 500 characters
	CaseRef string // may be empty

	// Accept is asked before a package is acknowledged, and again if its obligations have changed meanwhile. An error ends
	// Open, with nothing acknowledged. Nil accepts nothing: then only a package that is acknowledged already is opened.
	Accept func(ctx context.Context, d *api.Descriptor, obligations []api.Obligation) error
}

// Opened is a package as its recipient reads it: every part of it was verified.
type Opened struct {
	Descriptor      *api.Descriptor
	Manifest        *envelope.SignedManifest
	SenderKey       Key // with its history: it may have been retired since, or compromised later than it signed this
	Message         *envelope.Message
	Acknowledgement *Receipt // nil if it was acknowledged before, or the package is the own one
	Consultation    *Consultation

	c *Client
}

// maxChanges bounds how often Open asks again because the obligations changed.
const maxChanges = 3

// Open reads a package: descriptor, manifest and the sender's signature; acknowledgement, if there is none yet; consultation;
// content. Nothing that the exchange checked is taken on trust. The sender opens the copy that it sealed to itself.
func (c *Client) Open(ctx context.Context, id string, o OpenOptions) (*Opened, error) {
	if len(c.decrypt) == 0 {
		return nil, fmt.Errorf("%s: %w", FileDecrypt, ErrNoKey)
	}
	officer, err := c.officerOr(o.Officer)
	if err != nil {
		return nil, err
	}
	opened := &Opened{c: c}
	if opened.Descriptor, err = c.Package(ctx, id); err != nil {
		return nil, err
	}
	if opened.Manifest, opened.SenderKey, err = c.signedManifest(ctx, id); err != nil {
		return nil, err
	}
	if err := matches(opened.Descriptor, opened.Manifest); err != nil {
		return nil, err
	}
	if opened.Manifest.Iss != c.agency {
		if err := opened.accept(ctx, o); err != nil {
			return nil, err
		}
	}
	if opened.Consultation, err = c.Consult(ctx, ConsultInput{Officer: officer, Reason: o.Reason, CaseRef: o.CaseRef, Package: id}); err != nil {
		return nil, err
	}
	return opened, opened.decrypt(ctx)
}

// accept acknowledges the package if it waits for that.
func (o *Opened) accept(ctx context.Context, options OpenOptions) error {
	for range maxChanges {
		own, err := o.c.ownOutcome(o.Descriptor)
		if err != nil {
			return err
		}
		switch own.Outcome {
		case "acknowledged":
			return nil
		case "delivered":
		default:
			return &StateError{ID: o.Descriptor.ID, State: own.Outcome}
		}
		if options.Accept == nil {
			return ErrNotAccepted
		}
		if err := options.Accept(ctx, o.Descriptor, own.Obligations); err != nil {
			return err
		}
		changed, err := o.acknowledge(ctx)
		if err != nil || !changed {
			return err
		}
	}
	return errors.New("the obligations of the package change all the time: try again later")
}

// acknowledge reports true if the obligations changed: then the descriptor is the new one.
func (o *Opened) acknowledge(ctx context.Context) (changed bool, err error) {
	o.Acknowledgement, err = o.c.acknowledge(ctx, o.Descriptor, o.Manifest)
	var p *api.Problem
	if !errors.As(err, &p) || !errors.Is(err, api.Conflict) || p.Descriptor == nil {
		return false, err
	}
	if p.Descriptor.ID != o.Descriptor.ID {
		return false, unverifiedf("conflict", "it describes package %q", p.Descriptor.ID)
	}
	if err := matches(p.Descriptor, o.Manifest); err != nil {
		return false, err
	}
	o.Descriptor = p.Descriptor
	return true, nil
}

// StateError says that a package is in a state in which it cannot be opened.
type StateError struct {
	ID    string
	State string // the own outcome: "pending", "denied", "blocked", "expired", "withdrawn"
}

// Error says so.
func (e *StateError) Error() string {
	return fmt.Sprintf("package %s is %s: it cannot be opened", e.ID, e.State)
}

// Is makes a StateError a conflict, as the server would answer.
func (e *StateError) Is(target error) bool { return target == api.Conflict }

func (o *Opened) decrypt(ctx context.Context) error {
	content, err := o.c.Content(ctx, o.Consultation.ID, o.Descriptor.ID)
	if err != nil {
		return err
	}
	o.Message, _, err = envelope.Open(envelope.OpenInput{
		Exchange: o.Manifest.Exchange, Self: o.c.agency, Manifest: o.Manifest.Raw, Content: content,
		SenderKey: func(string, string) (envelope.PublicKey, error) { return o.SenderKey.PublicKey, nil },
		Decrypt:   o.c.decrypt,
	})
	if err != nil {
		return unverified("content", err)
	}
	return nil
}

// Attachment fetches attachment i, from 0, decrypts it to w, and verifies it. Unless it returns nil, what was written to w
// must be thrown away. progress, if not nil, hears how much of the encrypted attachment has come. A connection that breaks
// is taken up where it broke.
func (o *Opened) Attachment(ctx context.Context, i int, w io.Writer, progress func(done, total int64)) error {
	if i < 0 || i >= len(o.Message.Attachments) {
		return fmt.Errorf("the package has no attachment %d", i)
	}
	total := o.Manifest.Attachments[i].Size
	d := &download{size: total, tries: o.c.retries.Tries, max: o.c.retries.Tries}
	d.open = func(offset int64) (io.ReadCloser, error) {
		return o.c.Attachment(ctx, o.Consultation.ID, o.Descriptor.ID, i, offset)
	}
	if progress != nil {
		d.note = func(done int64) { progress(done, total) }
	}
	err := o.Message.OpenAttachment(w, d, o.Manifest, i)
	closed := d.Close()
	if errors.Is(err, envelope.ErrRejected) {
		return unverified(fmt.Sprintf("attachment %d", i), err)
	}
	return errors.Join(err, closed)
}
