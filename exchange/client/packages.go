package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// The boxes of Query.
const (
	Inbox  = "inbox"
	Outbox = "outbox"
)

// Query says which packages to list. The zero value lists the inbox.
type Query struct {
	Box       string    // Inbox or Outbox
	State     string    // the reader's own outcome; "" for all
	DueBefore time.Time // only those that are due before; zero for all
	After     string    // cursor: the Next of an earlier page; "" for the first
	PageSize  int       // packages to a page; 0 for the server's default
}

func (q Query) values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("box", q.Box)
	set("state", q.State)
	set("after", q.After)
	if !q.DueBefore.IsZero() {
		set("due_before", q.DueBefore.UTC().Format(time.RFC3339))
	}
	if q.PageSize > 0 {
		set("limit", strconv.Itoa(q.PageSize))
	}
	return v
}

// Packages lists packages, oldest first, page by page as the caller goes on. It ends at the first error, which it yields.
func (c *Client) Packages(ctx context.Context, q Query) iter.Seq2[api.Descriptor, error] {
	return pages(q.After, func(after string) ([]api.Descriptor, string, error) {
		q.After = after
		var page api.Page
		_, err := c.fetchJSON(ctx, get(api.RoutePackages, q.values()), &page)
		return page.Items, page.Next, err
	})
}

// pages turns pages into one sequence. A cursor that stands still would go on for ever: it is an error.
func pages[T any](after string, fetch func(after string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for {
			items, next, err := fetch(after)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if next == after {
				yield(none, errors.New("the list does not go on: its cursor stands still"))
				return
			}
			after = next
		}
	}
}

// Package fetches the descriptor of a package.
func (c *Client) Package(ctx context.Context, id string) (*api.Descriptor, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	var d api.Descriptor
	if _, err := c.fetchJSON(ctx, get(api.PackagePath(id, ""), nil), &d); err != nil {
		return nil, err
	}
	if d.ID != id {
		return nil, unverifiedf("package "+id, "the answer describes %q", d.ID)
	}
	return &d, nil
}

// Manifest fetches the manifest of a package and verifies it: form, exchange, id, and the sender's signature with a key that
// the own anchors vouch for and that was valid when the manifest was signed.
func (c *Client) Manifest(ctx context.Context, id string) (*envelope.SignedManifest, error) {
	m, _, err := c.signedManifest(ctx, id)
	return m, err
}

// ManifestOf is Manifest for a package whose descriptor is at hand, which is held against it.
func (c *Client) ManifestOf(ctx context.Context, d *api.Descriptor) (*envelope.SignedManifest, error) {
	m, _, err := c.Signed(ctx, d)
	return m, err
}

// Signed is ManifestOf, with the sender's key and what became of it.
func (c *Client) Signed(ctx context.Context, d *api.Descriptor) (*envelope.SignedManifest, Key, error) {
	m, key, err := c.signedManifest(ctx, d.ID)
	if err != nil {
		return nil, Key{}, err
	}
	return m, key, matches(d, m)
}

func (c *Client) signedManifest(ctx context.Context, id string) (*envelope.SignedManifest, Key, error) {
	if err := checkID(id); err != nil {
		return nil, Key{}, err
	}
	a, err := c.fetch(ctx, get(api.PackagePath(id, "manifest"), nil))
	if err != nil {
		return nil, Key{}, err
	}
	m, err := envelope.ParseManifest(a.body)
	if err != nil {
		return nil, Key{}, unverified("manifest", err)
	}
	if err := m.CheckExchange(c.Exchange()); err != nil && !slices.Contains(c.former, m.Exchange) {
		return nil, Key{}, unverified("manifest", err)
	}
	if m.JTI != id {
		return nil, Key{}, unverifiedf("manifest", "it is of package %s", m.JTI)
	}
	key, err := c.verifySignature(ctx, m)
	return m, key, err
}

// matches holds a descriptor against the manifest, which is signed.
func matches(d *api.Descriptor, m *envelope.SignedManifest) error {
	switch {
	case m.SHA256 != d.ManifestSHA256:
		return unverifiedf("manifest", "its digest is not that of the descriptor")
	case m.Iss != d.From:
		return unverifiedf("manifest", "it is from %s, not from %q", m.Iss, d.From)
	}
	return nil
}

// Acknowledge accepts a package with exactly the obligations that its descriptor lists for the own agency, signed with the
// profile's key. Read them first: Package returns them. The manifest is verified before. A conflict whose problem has a new
// descriptor means that the obligations changed: read again.
func (c *Client) Acknowledge(ctx context.Context, d *api.Descriptor) (*Receipt, error) {
	m, err := c.ManifestOf(ctx, d)
	if err != nil {
		return nil, err
	}
	return c.acknowledge(ctx, d, m)
}

func (c *Client) acknowledge(ctx context.Context, d *api.Descriptor, m *envelope.SignedManifest) (*Receipt, error) {
	own, err := c.ownOutcome(d)
	if err != nil {
		return nil, err
	}
	jws, err := c.signAcknowledgement(d, m, own)
	if err != nil {
		return nil, err
	}
	k := post(api.PackagePath(d.ID, "acknowledgement"), api.MediaJOSE, jws)
	k.repeat = repeatSafe // the same payload again is answered with the first receipt
	var got api.Acknowledged
	if _, err := c.fetchJSON(ctx, k, &got); err != nil {
		return nil, c.blocked(err, m)
	}
	if got.ID != d.ID {
		return nil, unverifiedf("acknowledgement", "the answer is about package %q", got.ID)
	}
	return c.acceptReceipt(ctx, got.Receipt, claim{action: actAcknowledge, pkg: d.ID, manifestSHA256: m.SHA256})
}

// blocked verifies the receipt of a refusal by policy, before the refusal is believed.
func (c *Client) blocked(err error, m *envelope.SignedManifest) error {
	var p *api.Problem
	if !errors.As(err, &p) || !errors.Is(err, api.PolicyDenied) {
		return err
	}
	want := claim{action: actAcknowledge, pkg: m.JTI, manifestSHA256: m.SHA256, outcomes: []string{"blocked"}}
	if _, bad := c.verifyReceipt(p.Receipt, want); bad != nil {
		return bad
	}
	return err
}

func (c *Client) signAcknowledgement(d *api.Descriptor, m *envelope.SignedManifest, own *api.Outcome) ([]byte, error) {
	key, err := c.signingKey()
	if err != nil {
		return nil, err
	}
	obligations := make([]envelope.Obligation, 0, len(own.Obligations))
	for _, o := range own.Obligations {
		obligations = append(obligations, envelope.Obligation{Code: o.Code, Params: o.Params})
	}
	return envelope.SignAcknowledgement(envelope.Acknowledgement{
		Exchange: c.Exchange(), Iss: c.agency, Sub: d.ID, IAT: c.now().Unix(), ManifestSHA256: m.SHA256,
		Decision: own.Decision, Obligations: obligations,
	}, key)
}

// ReportMismatch tells the sender of a package, by way of both sides' logs, that its content is not what its manifest says:
// one of envelope.Mismatches. The package must have been opened. The same code again gets the first receipt.
func (c *Client) ReportMismatch(ctx context.Context, id, code string) (*Receipt, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	body, err := jsonBody(api.MismatchRequest{Code: code})
	if err != nil {
		return nil, err
	}
	k := post(api.PackagePath(id, "mismatch"), api.MediaJSON, body)
	k.repeat = repeatSafe
	var got api.MismatchReported
	if _, err := c.fetchJSON(ctx, k, &got); err != nil {
		return nil, err
	}
	if got.ID != id || got.Code != code {
		return nil, unverifiedf("mismatch", "the answer is about %q of package %q", got.Code, got.ID)
	}
	return c.acceptReceipt(ctx, got.Receipt, claim{action: actMismatch, pkg: id, outcomes: []string{"reported"}, details: map[string]string{"mismatch": code}})
}

// ownOutcome is what became of a package for the own agency.
func (c *Client) ownOutcome(d *api.Descriptor) (*api.Outcome, error) {
	for i := range d.Outcomes {
		if d.Outcomes[i].Recipient == c.agency {
			return &d.Outcomes[i], nil
		}
	}
	return nil, fmt.Errorf("package %s is not addressed to %s", d.ID, c.agency)
}

// ConsultInput says who reads and why: the exchange records it (LED art 25).
type ConsultInput struct {
	Officer string // pseudonym; "" for the profile's
	Reason  string // 20 to 500 characters
	CaseRef string // may be empty
	Package string // id of the package that is read; "" for the log
}

// Consultation is the permission to read that an entry now accounts for: a package for 15 minutes, the log for 8 hours.
type Consultation struct {
	ID      string
	Expires time.Time
	Receipt *Receipt
}

// Consult records who reads and why, and returns the consultation that reads of content and log name.
func (c *Client) Consult(ctx context.Context, in ConsultInput) (*Consultation, error) {
	officer, err := c.officerOr(in.Officer)
	if err != nil {
		return nil, err
	}
	body, err := jsonBody(api.ConsultationRequest{Officer: officer, Justification: in.Reason, CaseRef: in.CaseRef, Package: in.Package})
	if err != nil {
		return nil, err
	}
	var got api.Consultation
	if _, err := c.fetchJSON(ctx, post(api.RouteConsultations, api.MediaJSON, body), &got); err != nil {
		return nil, err
	}
	expires, err := time.Parse(time.RFC3339, got.Expires)
	if err != nil {
		return nil, fmt.Errorf("consultation: expires: %w", err)
	}
	receipt, err := c.acceptReceipt(ctx, got.Receipt,
		claim{action: actConsult, pkg: in.Package, officer: officer, justify: in.Reason})
	if err != nil {
		return nil, err
	}
	return &Consultation{ID: got.ID, Expires: expires, Receipt: receipt}, nil
}

// officerOr is the officer of a call, else the profile's.
func (c *Client) officerOr(officer string) (string, error) {
	if officer == "" {
		officer = c.officer
	}
	if !officerForm.MatchString(officer) {
		return "", fmt.Errorf("officer %q: give a pseudonym, 1 to 64 of [A-Za-z0-9._-]", officer)
	}
	return officer, nil
}

func (c *Client) signingKey() (envelope.PrivateKey, error) {
	if c.sign.IsZero() {
		return envelope.PrivateKey{}, fmt.Errorf("%s: %w", FileSign, ErrNoKey)
	}
	return c.sign, nil
}

// checkID refuses what is no package id before it becomes a part of a path.
func checkID(id string) error {
	if u, err := uuid.Parse(id); err != nil || u.String() != id {
		return fmt.Errorf("%q is not the id of a package (a UUID in lower case)", id)
	}
	return nil
}
