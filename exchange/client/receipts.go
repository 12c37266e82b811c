package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// The actions that receipts prove, as they stand in entries.
const (
	actSend        = "package.send"
	actDecide      = "decision.ask"
	actAcknowledge = "package.acknowledge"
	actMismatch    = "package.mismatch"
	actConsult     = "consultation.open"
	actPublish     = "key.publish"
	actRetire      = "key.retire"
	actAdmission   = "admission.show"
	actAdmit       = "agency.admit"
	actPolicies    = "policy.list"
	actPolicy      = "policy.show"
	actPush        = "policy.push"
	actRollback    = "policy.rollback"
	actSetLimit    = "limits.set"
	actExport      = "audit.export"
	actErase       = "audit.erase"
	actErasures    = "audit.erasures"
	actHold        = "audit.hold"
	actRelease     = "audit.release"
)

// Receipt is a receipt that was verified: the entry is in the ledger, it says what was asked, and the ledger's head in it
// belongs to the one history that this client knows. Text is the file to keep.
type Receipt struct {
	Text string
	audit.Verified
}

// claim is what the entry of a receipt must say. Empty members are not compared.
type claim struct {
	action                       string
	pkg, manifestSHA256, content string
	officer, justify             string
	outcomes                     []string
	details                      map[string]string // of all of these: absent where empty
}

func (c claim) check(agency string, e audit.Entry) error {
	for _, m := range []struct{ name, want, got string }{
		{"owner", agency, e.Owner},
		{"actor", agency, e.Actor.Agency},
		{"action", c.action, e.Action},
		{"package", c.pkg, e.Package},
		{"manifest_sha256", c.manifestSHA256, e.ManifestSHA256},
		{"content_sha256", c.content, e.ContentSHA256},
		{"officer", c.officer, e.Officer},
		{"justification", c.justify, e.Justification},
	} {
		if m.name == "justification" && e.Truncated[m.name] > 0 && strings.HasPrefix(m.want, m.got) {
			continue // a text that is very long once encoded
		}
		if m.want != "" && m.got != m.want {
			return fmt.Errorf("its entry says %s %q, not %q", m.name, m.got, m.want)
		}
	}
	for name, want := range c.details {
		if got := e.Details[name]; got != want {
			return fmt.Errorf("its entry says %s %q, not %q", name, got, want)
		}
	}
	for _, o := range c.outcomes {
		if e.Outcome == o {
			return nil
		}
	}
	if len(c.outcomes) > 0 {
		return fmt.Errorf("its entry says outcome %q, not one of %q", e.Outcome, c.outcomes)
	}
	return nil
}

// verifyReceipt verifies a receipt offline: signature, inclusion, and that its entry says what was asked.
func (c *Client) verifyReceipt(text string, want claim) (*Receipt, error) {
	r, err := audit.ParseReceipt(text)
	if err != nil {
		return nil, unverified("receipt", err)
	}
	v, err := r.Verify(c.ledger.keys, c.witnesses)
	if err != nil {
		return nil, unverified("receipt", err)
	}
	if err := want.check(c.agency, v.Entry); err != nil {
		return nil, unverified("receipt", err)
	}
	return &Receipt{Text: text, Verified: v}, nil
}

// acceptReceipt verifies a receipt and admits its checkpoint into the ledger's one history. If only the latter could not be
// done, the receipt stands beside the error.
func (c *Client) acceptReceipt(ctx context.Context, text string, want claim) (*Receipt, error) {
	r, err := c.verifyReceipt(text, want)
	if err != nil {
		return nil, err
	}
	if err := c.admit(ctx, r.Checkpoint); err != nil {
		return r, historyError(err)
	}
	return r, nil
}

// historyError says what a failure to place a checkpoint means for a call that was done.
func historyError(err error) error {
	var bad *VerifyError
	if errors.As(err, &bad) {
		return err
	}
	return fmt.Errorf("done and receipted, but the ledger's history could not be checked: %w", err)
}
