package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// SendInput is a package to be sent: what the recipients get (message, attachments), what all parties read (meta), and what
// only the exchange and the own data-protection officer read (officer, reason, approvals, subject references, texts).
type SendInput struct {
	To       []string        // recipient agencies, 1 to 31; they become aud, in this order
	Meta     json.RawMessage // the codes of the manifest: a JSON object by the schema of meta
	Lifetime time.Duration   // until the package lapses if it is not acknowledged; 0: 30 days; at most 90 days

	Message     envelope.Message // Salt and Attachments are made when the package is sealed
	Attachments []envelope.AttachmentSource
	CopyToSelf  bool // seal the content to the own encryption key as well, so that the sender can open it again

	Officer     string // pseudonym; "" for the profile's
	Reason      string // justification, 20 to 500 characters
	Approvals   []envelope.Approved
	SubjectRefs []string
	Texts       map[string]string // name of a member of meta: the text that explains it

	// Progress, if not nil, hears how much of the sealed package was sent. A repeat begins again at 0.
	Progress func(sent, total int64)
}

// Sent is what became of a package. If sending failed after the package was sealed, Send returns it beside the error, so that
// the very same package can be posted again. Close it when done.
type Sent struct {
	Sealed   *envelope.Sealed // nil after PostSaved
	Outcomes []api.Outcome    // in the order of the recipients; nil if the exchange did not accept the package
	Receipt  *Receipt         // of the own entry; nil if there is none
	Repeat   bool             // the exchange had accepted this package before; outcomes and receipt are the first ones

	id string
}

// ID is the id of the package.
func (s *Sent) ID() string { return s.id }

// Close removes the encrypted attachments of the package from the spool. A nil Sent is closed already.
func (s *Sent) Close() error {
	if s == nil || s.Sealed == nil {
		return nil
	}
	return s.Sealed.Close()
}

// Send seals a package and posts it. The recipients' encryption keys come from the directory and are sealed to only if the
// own anchors vouch for them.
//
// A refusal is an *api.Problem; one by policy (errors.Is(err, api.PolicyDenied)) names the denied recipients, and its receipt
// is verified too. If Send fails and returns a Sent that holds a Receipt, the package was accepted, and only the ledger's
// history could not be checked. If it returns one without, repeat it with PostSealed: the exchange answers a repeat with the
// first answer.
func (c *Client) Send(ctx context.Context, in SendInput) (*Sent, error) {
	sealed, err := c.Seal(ctx, in)
	if err != nil {
		return nil, err
	}
	return c.postSealed(ctx, sealed, in.Progress)
}

// Seal makes a package that PostSealed sends.
func (c *Client) Seal(ctx context.Context, in SendInput) (*envelope.Sealed, error) {
	officer, err := c.officerOr(in.Officer)
	if err != nil {
		return nil, err
	}
	key, err := c.signingKey()
	if err != nil {
		return nil, err
	}
	seal := envelope.SealInput{
		Exchange: c.Exchange(), Iss: c.agency, Now: c.now(), Meta: in.Meta,
		Officer: officer, Justification: in.Reason, Approvals: in.Approvals, SubjectRefs: in.SubjectRefs, Texts: in.Texts,
		SignKey: key, Message: in.Message, Attachments: in.Attachments, SpoolDir: c.spool,
	}
	if in.Lifetime > 0 {
		seal.Expires = seal.Now.Add(in.Lifetime)
	}
	for _, agency := range in.To {
		k, err := c.EncryptionKey(ctx, agency)
		if err != nil {
			return nil, err
		}
		seal.Recipients = append(seal.Recipients, envelope.RecipientKey{Agency: agency, Key: k})
	}
	if in.CopyToSelf {
		k, err := c.EncryptionKey(ctx, c.agency)
		if err != nil {
			return nil, err
		}
		seal.CopyToSelf = &k
	}
	return envelope.Seal(seal)
}

// PostSealed posts a package that was sealed before, byte for byte: the first time or again.
func (c *Client) PostSealed(ctx context.Context, sealed *envelope.Sealed) (*Sent, error) {
	return c.postSealed(ctx, sealed, nil)
}

func (c *Client) postSealed(ctx context.Context, sealed *envelope.Sealed, progress func(sent, total int64)) (*Sent, error) {
	sent, err := c.post(ctx, sealed.Manifest, sealedParts(sealed), progress)
	sent.Sealed, sent.id = sealed, sealed.JTI
	return sent, err
}

// post posts a package of these parts and verifies the answer. What it returns is never nil.
func (c *Client) post(ctx context.Context, manifest []byte, parts []part, progress func(sent, total int64)) (*Sent, error) {
	sent := &Sent{}
	m, err := envelope.ParseManifest(manifest)
	if err != nil {
		return sent, err
	}
	sent.id = m.JTI
	got, status, err := c.postParts(ctx, parts, progress)
	var refused *api.Problem
	if errors.As(err, &refused) && errors.Is(err, api.PolicyDenied) {
		return sent, c.denied(ctx, sent, m, refused)
	}
	if err != nil {
		return sent, err
	}
	return sent, c.accepted(ctx, sent, m, got, status)
}

// PostRaw posts a sealed package and returns the answer, its status (201, or 200 for a repeat), and no more: nothing about
// the answer is verified. It is for tools that measure; others use Send or PostSealed.
func (c *Client) PostRaw(ctx context.Context, sealed *envelope.Sealed, progress func(sent, total int64)) (*api.Accepted, int, error) {
	return c.postParts(ctx, sealedParts(sealed), progress)
}

// sealedParts are the parts of a package in their fixed order.
func sealedParts(sealed *envelope.Sealed) []part {
	parts := []part{
		bytesPart(api.PartManifest, api.MediaJOSE, sealed.Manifest),
		bytesPart(api.PartStatement, api.MediaJOSE, sealed.Statement),
		bytesPart(api.PartContent, api.MediaJOSEJSON, sealed.Content),
	}
	for _, a := range sealed.Attachments {
		parts = append(parts, part{name: api.PartAttachment, mediaType: api.MediaBinary, size: a.Size, open: a.Open})
	}
	return parts
}

func (c *Client) postParts(ctx context.Context, parts []part, progress func(sent, total int64)) (*api.Accepted, int, error) {
	contentType, body, err := form(parts)
	if err != nil {
		return nil, 0, err
	}
	if progress != nil {
		body = watched(body, progress)
	}
	k := call{method: http.MethodPost, path: api.RoutePackages, contentType: contentType, body: body, repeat: repeatSafe, max: maxJSON}
	var got api.Accepted
	a, err := c.fetchJSON(ctx, k, &got)
	if err != nil {
		return nil, 0, err
	}
	return &got, a.status, nil
}

// accepted verifies a 201 or a 200.
func (c *Client) accepted(ctx context.Context, sent *Sent, m *envelope.SignedManifest, got *api.Accepted, status int) error {
	if got.ID != m.JTI {
		return unverifiedf("answer", "it is about package %q", got.ID)
	}
	state, err := checkOutcomes(m.Aud, got.Outcomes)
	if err != nil {
		return unverified("answer", err)
	}
	want := claim{action: actSend, pkg: m.JTI, manifestSHA256: m.SHA256, content: m.Content.SHA256, outcomes: []string{state}}
	receipt, err := c.acceptReceipt(ctx, got.Receipt, want)
	if receipt == nil {
		return err
	}
	if err := checkDecisions(receipt.Entry, got.Outcomes); err != nil {
		return unverified("receipt", err)
	}
	sent.Outcomes, sent.Receipt, sent.Repeat = got.Outcomes, receipt, status == http.StatusOK
	return err
}

// denied verifies a refusal by policy before it is believed: it names recipients of this package, and its receipt proves the
// own entry of it.
func (c *Client) denied(ctx context.Context, sent *Sent, m *envelope.SignedManifest, p *api.Problem) error {
	if p.ID != m.JTI || len(p.Outcomes) == 0 {
		return unverifiedf("refusal", "it does not name this package and who was denied")
	}
	for _, o := range p.Outcomes {
		if !slices.Contains(m.Aud, o.Recipient) || o.Outcome != "denied" {
			return unverifiedf("refusal", "it says %q of %q", o.Outcome, o.Recipient)
		}
	}
	receipt, err := c.acceptReceipt(ctx, p.Receipt, claim{action: actSend, pkg: m.JTI, manifestSHA256: m.SHA256, outcomes: []string{"denied"}})
	if receipt == nil {
		return err
	}
	if err := checkDecisions(receipt.Entry, p.Outcomes); err != nil {
		return unverified("receipt", err)
	}
	sent.Receipt = receipt
	return errors.Join(p, err)
}

// checkOutcomes: an accepted package has one outcome for each recipient, and it is the same for all: delivered or pending.
func checkOutcomes(aud []string, outcomes []api.Outcome) (string, error) {
	if len(outcomes) != len(aud) {
		return "", fmt.Errorf("%d outcomes for %d recipients", len(outcomes), len(aud))
	}
	state := outcomes[0].Outcome
	if state != "delivered" && state != "pending" {
		return "", fmt.Errorf("outcome %q of an accepted package", state)
	}
	for _, agency := range aud {
		i := slices.IndexFunc(outcomes, func(o api.Outcome) bool { return o.Recipient == agency })
		if i < 0 || outcomes[i].Outcome != state {
			return "", fmt.Errorf("no outcome %q for %s", state, agency)
		}
	}
	return state, nil
}

// checkDecisions holds the outcomes of an answer against the decisions of its entry, so that nobody is told one thing while
// the log says another. What the entry left out for its length cannot be compared.
func checkDecisions(e audit.Entry, outcomes []api.Outcome) error {
	for _, o := range outcomes {
		i := slices.IndexFunc(e.Decisions, func(d audit.Decision) bool { return d.Recipient == o.Recipient })
		if i < 0 && e.Truncated["decisions"] > 0 {
			continue
		}
		if i < 0 || e.Decisions[i].ID != o.Decision || e.Decisions[i].Outcome != o.Outcome {
			return fmt.Errorf("its entry does not have the decision %s, %q for %s", o.Decision, o.Outcome, o.Recipient)
		}
	}
	return nil
}

// Decided is what policy would say of a package.
type Decided struct {
	Outcomes []api.Outcome
	Receipt  *Receipt
}

// DryRun asks what policy would decide, recipient by recipient, without sending anything: the content is neither needed nor
// used. The question has an entry of its own.
func (c *Client) DryRun(ctx context.Context, in SendInput) (*Decided, error) {
	body, err := c.question(in)
	if err != nil {
		return nil, err
	}
	var got api.Decided
	if _, err := c.fetchJSON(ctx, post(api.RouteDecisions, api.MediaJSON, body), &got); err != nil {
		return nil, err
	}
	if len(got.Outcomes) != len(in.To) {
		return nil, unverifiedf("answer", "%d outcomes for %d recipients", len(got.Outcomes), len(in.To))
	}
	receipt, err := c.acceptReceipt(ctx, got.Receipt, claim{action: actDecide})
	if receipt == nil {
		return nil, err
	}
	if err := checkDecisions(receipt.Entry, got.Outcomes); err != nil {
		return nil, unverified("receipt", err)
	}
	return &Decided{Outcomes: got.Outcomes, Receipt: receipt}, err
}

// draft is a manifest without what only a sealed package has.
type draft struct {
	Exchange string          `json:"exchange"`
	Iss      string          `json:"iss"`
	Aud      []string        `json:"aud"`
	JTI      string          `json:"jti"`
	IAT      int64           `json:"iat"`
	EXP      int64           `json:"exp"`
	Meta     json.RawMessage `json:"meta"`
}

// question is the body of a dry run, checked as the exchange will check it.
func (c *Client) question(in SendInput) ([]byte, error) {
	officer, err := c.officerOr(in.Officer)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("package id: %w", err)
	}
	lifetime := in.Lifetime
	if lifetime == 0 {
		lifetime = 30 * 24 * time.Hour
	}
	now := c.now()
	manifest, err := jsonBody(draft{Exchange: c.Exchange(), Iss: c.agency, Aud: in.To, JTI: id.String(), IAT: now.Unix(),
		EXP: now.Add(lifetime).Unix(), Meta: in.Meta})
	if err != nil {
		return nil, err
	}
	if _, _, err := envelope.ParseManifestDraft(manifest); err != nil {
		return nil, err
	}
	statement, err := jsonBody(envelope.Statement{Iss: c.agency, JTI: id.String(), Officer: officer, Justification: in.Reason,
		Approvals: orEmpty(in.Approvals), SubjectRefs: orEmpty(in.SubjectRefs), Texts: texts(in.Texts)})
	if err != nil {
		return nil, err
	}
	if _, err := envelope.ParseStatementDraft(statement); err != nil {
		return nil, err
	}
	return jsonBody(api.DryRun{Manifest: manifest, Statement: statement})
}

func orEmpty[T any](list []T) []T { return append([]T{}, list...) }

func texts(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// watched tells how much of a body was read.
func watched(body func() (io.ReadCloser, int64, error), progress func(sent, total int64)) func() (io.ReadCloser, int64, error) {
	return func() (io.ReadCloser, int64, error) {
		r, total, err := body()
		if err != nil {
			return nil, 0, err
		}
		progress(0, total)
		return &watcher{ReadCloser: r, total: total, progress: progress}, total, nil
	}
}

type watcher struct {
	io.ReadCloser
	sent, total int64
	progress    func(sent, total int64)
}

func (w *watcher) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.sent += int64(n)
	w.progress(w.sent, w.total)
	return n, err
}
