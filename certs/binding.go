package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Binding says who the holder of a key is, for a national PKI that cannot put SPIFFE IDs into its certificates. It is part of
// the exchange's registry, an act of its operator.
type Binding struct {
	Issuer     string   // SPKISHA256 of the authority that signs the certificate
	SPKISHA256 string   // of the certificate's key, see SPKISHA256
	Identity   Identity // whose it is
}

// SPKISHA256 is base64url, without padding, of the SHA-256 of a certificate's subject public key info. It survives a renewal of
// the certificate with the same key.
func SPKISHA256(cert *x509.Certificate) string {
	key := keyOf(cert)
	return base64.RawURLEncoding.EncodeToString(key[:])
}

// Bindings are looked up when a client certificate has no URI SAN, and never otherwise. They replace the name in the
// certificate and nothing else: chain, dates, usage, revocation and the agencies of the anchor are checked as for all others.
// Immutable; nil has none.
type Bindings struct {
	byKey map[keyID]bound
}

// bound is who the holder of a key is, and whose certificates for it count.
type bound struct {
	identity Identity
	issuers  []keyID
}

// NewBindings refuses a binding whose identity is malformed or of a jurisdiction without anchors, whose issuer is an anchor of
// another jurisdiction, and a key that would be two identities.
func NewBindings(list []Binding, anchors *Anchors) (*Bindings, error) {
	b := &Bindings{byKey: map[keyID]bound{}}
	for i, binding := range list {
		if err := b.add(binding, anchors); err != nil {
			return nil, setupError(fmt.Sprintf("binding %d, %.200q", i+1, binding.Identity.String()), err,
				"bind issuer and key, each as base64url of the SHA-256 of its subject public key info, to one identity of the issuer's own jurisdiction")
		}
	}
	return b, nil
}

func (b *Bindings) add(binding Binding, anchors *Anchors) error {
	if err := binding.Identity.Validate(); err != nil {
		return err
	}
	issuer, err := parseKeyID(binding.Issuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	spki, err := parseKeyID(binding.SPKISHA256)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	own := binding.Identity.Jurisdiction
	if _, ok := anchors.sets[own]; !ok {
		return fmt.Errorf("%s has no anchors", own)
	}
	if owner, ok := anchors.owner[issuer]; ok && owner != own {
		return fmt.Errorf("the issuer is an anchor of %s and may not vouch for %s", owner, own)
	}
	if _, ok := anchors.owner[spki]; ok {
		return errors.New("the key is an anchor's")
	}
	known, ok := b.byKey[spki]
	if ok && known.identity != binding.Identity {
		return fmt.Errorf("the same key is bound to %s", known.identity)
	}
	b.byKey[spki] = bound{binding.Identity, append(known.issuers, issuer)}
	return nil
}

func parseKeyID(s string) (id keyID, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != sha256.Size || base64.RawURLEncoding.EncodeToString(raw) != s { // the decoder skips line breaks
		return id, fmt.Errorf("%.60q is not base64url of a SHA-256", s)
	}
	return keyID(raw), nil
}

// verifyBound verifies a client certificate without a URI SAN: its key is bound to an identity, which says against whose
// anchors to verify; the path must begin with an issuer of the binding.
func (a *Anchors) verifyBound(chain []*x509.Certificate, known bound, now time.Time) (Peer, []path, error) {
	peer, paths, err := a.verifyAs(chain, known.identity, now)
	if err != nil {
		return Peer{}, nil, err
	}
	paths = slices.DeleteFunc(paths, func(p path) bool { return len(p) < 2 || !slices.Contains(known.issuers, keyOf(p[1])) })
	if len(paths) == 0 {
		return Peer{}, nil, &Error{
			Check: CheckIdentity, Subject: describe(chain[0]), Want: "the issuer of the key's binding", Err: errors.New("the key is bound, but to another issuer"),
			Fix: "have the certificate issued by the authority that the binding names, or have the binding changed",
		}
	}
	return peer, paths, nil
}

// of gives the binding of a certificate that has no URI SAN at all.
func (b *Bindings) of(leaf *x509.Certificate) (bound, bool) {
	if b == nil {
		return bound{}, false
	}
	if uris, err := rawURIs(leaf); err != nil || len(uris) > 0 {
		return bound{}, false
	}
	known, ok := b.byKey[keyOf(leaf)]
	return known, ok
}
