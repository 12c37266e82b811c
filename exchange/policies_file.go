package exchange

import (
	"context"
	"errors"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// FolderKey is a key of a registry folder, which may not be registered yet.
type FolderKey struct {
	Agency string
	JWK    []byte
}

// ErrOlder says that the seq of a file is below that in force: another way has
// brought something newer since.
var ErrOlder = errors.New("what is in force is newer")

// ActivateFile brings a bundle that an operator laid into the directory of
// policies: an act of the exchange. The signature of the jurisdiction and the
// operator's hand are two persons; a file of common is one jurisdiction's
// signature. A jurisdiction that has no agency here yet is believed by the keys
// of the registry folders, whose certificates must chain to its own anchors:
// its agencies cannot be admitted before it declares them.
func (s *Service) ActivateFile(ctx context.Context, jurisdiction string, raw []byte, folders []FolderKey) (*PolicyChange, error) {
	s.activation.Lock()
	defer s.activation.Unlock()
	ctx = context.WithoutCancel(ctx)
	f := &filing{Service: s, entry: map[string]string{"jurisdiction": jurisdiction, "bundle": digest(raw), "how": HowFile}}
	p, r := f.read(jurisdiction, raw, folders)
	var change *PolicyChange
	if r == nil {
		var err error
		if change, r, err = s.prepare(ctx, p); err != nil {
			return nil, err
		}
	}
	if r == nil && change.Outcome == PolicyRepeated {
		return change, nil // it is so already
	}
	if r == nil {
		r = s.keepsAuthor(s.registry.Load(), p)
	}
	if r != nil {
		return nil, f.refuse(ctx, r)
	}
	return f.record(ctx, p, change)
}

// filing is a file on its way.
type filing struct {
	*Service
	entry     map[string]string
	revisions map[string]string
	kid       string
}

// read reads the file and establishes whose signature it bears.
func (f *filing) read(jurisdiction string, raw []byte, folders []FolderKey) (*proposal, *Refusal) {
	b, r := readBundle(jurisdiction, raw)
	if r != nil {
		return nil, r
	}
	var e audit.Entry
	e.Details = f.entry
	describeBundle(&e, b)
	f.revisions, f.kid = e.Revisions, e.SigningKey
	agency, key, r := f.fileKey(b, folders)
	if r == nil {
		r = verifyBundle(b, key)
	}
	return &proposal{Activation: activationOf(b, HowFile), bundle: b, signature: PolicySignature{agency, b.Kid()}}, r
}

// fileKey is the key of a file's signature.
func (f *filing) fileKey(b *policy.Bundle, folders []FolderKey) (agency string, key envelope.PublishedKey, r *Refusal) {
	reg, now := f.registry.Load(), f.Clock()
	if b.Jurisdiction == policy.CommonBundle || f.here(reg, b.Jurisdiction) {
		jurisdiction := b.Jurisdiction
		if known := reg.KeyByID(b.Kid()); known != nil && jurisdiction == policy.CommonBundle {
			jurisdiction, _, _ = certs.ParseAgencyID(known.Agency) // whichever signed
		}
		k, r := f.policyKey(reg, b.Kid(), jurisdiction, now)
		if r != nil {
			return "", key, r
		}
		return k.Agency, k.Public, nil
	}
	for _, folder := range folders {
		key, err := envelope.ParsePublicJWK(folder.JWK)
		j, _, err2 := certs.ParseAgencyID(folder.Agency)
		if err != nil || err2 != nil || j != b.Jurisdiction || key.Kid() != b.Kid() || key.Use() != envelope.UsePolicy {
			continue
		}
		if r := f.checkKey(folder.Agency, key); r != nil {
			r.Kind = PolicyRefused
			return "", key, r
		}
		return folder.Agency, key, nil
	}
	return "", key, &Refusal{Kind: PolicyRefused, Reason: "key-unknown", Detail: "no registry folder of " + b.Jurisdiction + " has the policy key that signed this",
		Fix: "put the jurisdiction's policy key with its certificate into keys.jwks of its agency's folder"}
}

// here reports whether the jurisdiction has an agency in the directory.
func (f *filing) here(reg *Registry, jurisdiction string) bool {
	for _, a := range reg.Agencies() {
		if a.Jurisdiction == jurisdiction {
			return true
		}
	}
	return false
}

// describe makes the entry of what became of the file.
func (f *filing) describe(e *audit.Entry) {
	e.Details, e.Revisions, e.SigningKey = f.entry, f.revisions, f.kid
}

// refuse records why a file is not in force.
func (f *filing) refuse(ctx context.Context, r *Refusal) error {
	if r.Kind == Unavailable {
		return r
	}
	f.inForce.refused(r.Reason)
	err := f.act(ctx, ActActivate, func(_ *Tx, e *audit.Entry) error {
		f.describe(e)
		e.Operation, e.Outcome, e.Problem, e.Reason = "", "refused", string(r.Kind), r.Reason
		return nil
	})
	if err != nil {
		return err
	}
	return r
}

// record writes the activation, or the vote, and swaps.
func (f *filing) record(ctx context.Context, p *proposal, change *PolicyChange) (*PolicyChange, error) {
	vote := PolicyVote{Jurisdiction: p.Jurisdiction, Voter: f.Operator, Proposal: p.digest(), How: HowFile, Seq: p.Seq, Status: p.Status,
		PolicySignature: p.signature, By: f.Operator}
	if p.Jurisdiction == policy.CommonBundle {
		vote.Voter, _, _ = certs.ParseAgencyID(p.signature.Agency)
	}
	f.turning.Lock()
	defer f.turning.Unlock()
	err := f.act(ctx, ActActivate, func(tx *Tx, e *audit.Entry) error {
		if err := f.decidePolicy(tx, p, vote, change); err != nil {
			return err
		}
		f.describe(e)
		e.Outcome = change.Outcome
		return nil
	})
	if err = f.turn(p, change, err); err != nil {
		return nil, err
	}
	return change, nil
}
