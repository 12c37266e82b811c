package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of what a stranger may present.
const (
	maxChain       = 5        // certificates, the leaf included
	maxCertificate = 16 << 10 // bytes of DER each
)

// Peer is a client whose certificate was verified.
type Peer struct {
	Identity    Identity
	Certificate *x509.Certificate
	Fingerprint string // base64url SHA-256 of the certificate's DER
}

// VerifyClient verifies the chain that a client presented, leaf first, as of now. The leaf must
//
//   - have exactly one URI SAN, the SPIFFE ID of an Identity; operator only in the operator's trust domain;
//   - chain to an anchor of the jurisdiction in it, and of no other, which may vouch for its agency;
//   - be no CA, have key usage digitalSignature, and list clientAuth as extended key usage, without anyExtendedKeyUsage;
//   - be within its dates, with strong keys in the whole chain, and within the name constraints of its issuers.
//
// It knows no revocations and no bindings: Trust.VerifyClient does. The error is an *Error.
func (a *Anchors) VerifyClient(chain []*x509.Certificate, now time.Time) (Peer, error) {
	peer, _, err := a.verifyClient(chain, nil, now)
	return peer, err
}

// VerifyKey verifies the certificate chain of a registered key, leaf first, as of at: the time at which the key was used. The
// leaf must
//
//   - have exactly one URI SAN, spiffe://<jurisdiction>/<agency>/key/<use>/<name>, of the agency ("ee/pbgb") and use given;
//   - chain to an anchor of that jurisdiction which may vouch for the agency;
//   - be no CA, have key usage keyAgreement for enc and digitalSignature for all others and nothing else, and neither clientAuth
//     nor serverAuth nor anyExtendedKeyUsage;
//   - have pub as its public key;
//   - be within its dates, keys and names as for VerifyClient.
//
// It knows no revocations: Trust.VerifyKey does. The error is an *Error.
func (a *Anchors) VerifyKey(chain []*x509.Certificate, agency, use string, pub crypto.PublicKey, at time.Time) error {
	_, err := a.verifyKey(chain, agency, use, pub, at)
	return err
}

// A path is a verified chain, from leaf to anchor.
type path []*x509.Certificate

func (a *Anchors) verifyClient(chain []*x509.Certificate, bindings *Bindings, now time.Time) (Peer, []path, error) {
	if err := checkPresented(chain); err != nil {
		return Peer{}, nil, err
	}
	if known, ok := bindings.of(chain[0]); ok {
		return a.verifyBound(chain, known, now)
	}
	uri, err := onlyURI(chain[0])
	if err != nil {
		return Peer{}, nil, err
	}
	id, err := ParseIdentity(uri)
	if err != nil {
		return Peer{}, nil, err
	}
	return a.verifyAs(chain, id, now)
}

// verifyAs verifies that the holder of a chain is id.
func (a *Anchors) verifyAs(chain []*x509.Certificate, id Identity, now time.Time) (Peer, []path, error) {
	leaf := chain[0]
	if id.Role == RoleOperator && (a.operator == "" || id.Jurisdiction != a.operator) {
		return Peer{}, nil, &Error{
			Check: CheckRole, Subject: id.String(), Want: "the operator's trust domain", Err: errors.New("an operator of another trust domain"),
			Fix: "use a certificate of the operator's own authority, whose trust domain the configuration of the exchange names",
		}
	}
	if err := checkClientUsage(leaf); err != nil {
		return Peer{}, nil, err
	}
	paths, err := a.verifyChain(chain, holder{id.Jurisdiction, id.Agency, x509.ExtKeyUsageClientAuth}, now)
	if err != nil {
		return Peer{}, nil, err
	}
	return Peer{Identity: id, Certificate: leaf, Fingerprint: Fingerprint(leaf)}, paths, nil
}

func (a *Anchors) verifyKey(chain []*x509.Certificate, agency, use string, pub crypto.PublicKey, at time.Time) ([]path, error) {
	if err := checkPresented(chain); err != nil {
		return nil, err
	}
	leaf := chain[0]
	uri, err := onlyURI(leaf)
	if err != nil {
		return nil, err
	}
	id, err := ParseKeyIdentity(uri)
	if err != nil {
		return nil, err
	}
	if id.AgencyID() != agency || id.Use != use {
		return nil, &Error{
			Check: CheckIdentity, Subject: uri, Want: fmt.Sprintf("a key of %s for %s", agency, use), Err: errors.New("a key of another agency or for another use"),
			Fix: "use a key whose certificate names this agency and this use",
		}
	}
	if err := checkKeyUsage(leaf, use); err != nil {
		return nil, err
	}
	if !sameKey(leaf.PublicKey, pub) {
		return nil, &Error{
			Check: CheckKey, Subject: uri, Want: "the key of the certificate", Err: errors.New("the certificate is for another key"),
			Fix: "publish the key together with the certificate that was issued for it",
		}
	}
	return a.verifyChain(chain, holder{id.Jurisdiction, id.Agency, x509.ExtKeyUsageAny}, at)
}

// holder is who a leaf claims to be, and what its chain must be good for.
type holder struct {
	jurisdiction, agency string
	usage                x509.ExtKeyUsage
}

// verifyChain gives all paths from the leaf to anchors of the holder's jurisdiction that may vouch for its agency. It does
// what x509svid.Verify of go-spiffe does with a bundle for each trust domain, and asks more: the extended key usage of the
// intermediates too, the agencies of the anchor, and strong keys.
func (a *Anchors) verifyChain(chain []*x509.Certificate, who holder, at time.Time) ([]path, error) {
	leaf := chain[0]
	set, ok := a.sets[who.jurisdiction]
	if !ok {
		return nil, &Error{
			Check: CheckAnchor, Subject: describe(leaf), Want: "an anchor of " + who.jurisdiction, Err: errors.New("no anchors for this jurisdiction"),
			Fix: "admit the jurisdiction, with the certificates of its authorities as " + who.jurisdiction + anchorExt,
		}
	}
	if err := checkDates(leaf, at); err != nil {
		return nil, err
	}
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	found, err := leaf.Verify(x509.VerifyOptions{
		Roots: set.pool, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{who.usage},
	})
	if err != nil {
		return nil, explainVerify(leaf, err, "a chain to "+set.String(),
			"have the certificate issued by an authority of "+who.jurisdiction+", and present its intermediates with it")
	}
	return a.permitted(found, set, who)
}

// permitted keeps the paths that the rules of this exchange allow.
func (a *Anchors) permitted(found [][]*x509.Certificate, set *anchorSet, who holder) ([]path, error) {
	var kept []path
	var refusal error
	for _, p := range found {
		if err := a.checkPath(p, set, who); err != nil {
			refusal = err
			continue
		}
		kept = append(kept, p)
	}
	if len(kept) == 0 {
		return nil, refusal
	}
	return kept, nil
}

func (a *Anchors) checkPath(p path, set *anchorSet, who holder) error {
	if !set.allows(p[len(p)-1], who.agency) {
		return &Error{
			Check: CheckAnchor, Subject: describe(p[0]), Want: "a chain to " + set.String(),
			Err: fmt.Errorf("the anchor may not vouch for %s/%s", who.jurisdiction, who.agency),
			Fix: "have the certificate issued by the agency's own authority, or add the agency to " + who.jurisdiction + limitExt,
		}
	}
	for _, cert := range p {
		if owner, ok := a.owner[keyOf(cert)]; ok && owner != who.jurisdiction {
			return &Error{
				Check: CheckAnchor, Subject: describe(p[0]), Want: "a chain to " + set.String(),
				Err: fmt.Errorf("the chain goes through an anchor of %s", owner), Fix: "do not cross-sign the authorities of other jurisdictions",
			}
		}
		if err := strongKey(cert.PublicKey); err != nil {
			return &Error{Check: CheckKey, Subject: describe(cert), Err: err, Fix: strongFix}
		}
	}
	return nil
}

// checkPresented bounds the work that a stranger can cause.
func checkPresented(chain []*x509.Certificate) error {
	refuse := func(subject string, err error) *Error {
		return &Error{
			Check: CheckForm, Subject: subject, Err: err,
			Want: fmt.Sprintf("1 to %d certificates of at most %d bytes, leaf first", maxChain, maxCertificate),
			Fix:  "present the leaf and the intermediates up to the anchor, and nothing else",
		}
	}
	if len(chain) == 0 {
		return refuse("", errors.New("no certificate"))
	}
	if len(chain) > maxChain {
		return refuse("", fmt.Errorf("a chain of %d certificates", len(chain)))
	}
	for _, cert := range chain {
		if cert == nil || len(cert.Raw) > maxCertificate {
			return refuse("", errors.New("a certificate that is missing or too large"))
		}
	}
	return nil
}

// checkDates comes before crypto/x509, which would take a zero time for that of the machine.
func checkDates(leaf *x509.Certificate, at time.Time) error {
	const form = time.RFC3339
	want := fmt.Sprintf("a time from %s to %s", leaf.NotBefore.UTC().Format(form), leaf.NotAfter.UTC().Format(form))
	refuse := func(err error, fix string) *Error {
		return &Error{Check: CheckDates, Subject: describe(leaf), Want: want, Err: err, Fix: fix}
	}
	switch {
	case at.Before(leaf.NotBefore):
		return refuse(fmt.Errorf("not valid yet at %s", at.UTC().Format(form)), "wait, and check the clocks")
	case at.After(leaf.NotAfter):
		return refuse(fmt.Errorf("expired at %s", at.UTC().Format(form)), "renew the certificate")
	}
	return nil
}

// checkLeaf: a leaf signs no certificates and no lists.
func checkLeaf(leaf *x509.Certificate) error {
	switch {
	case leaf.IsCA:
		return usageError(leaf, errors.New("a CA certificate"), "CA:FALSE")
	case leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return usageError(leaf, errors.New("a leaf that may sign certificates or lists"), "key usage without keyCertSign and cRLSign")
	}
	return nil
}

func checkClientUsage(leaf *x509.Certificate) error {
	if err := checkLeaf(leaf); err != nil {
		return err
	}
	switch {
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return usageError(leaf, errors.New("a client certificate that may not sign"), "key usage digitalSignature")
	case slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return usageError(leaf, errors.New("a certificate for any use"), "extended key usage clientAuth, not anyExtendedKeyUsage")
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth): // crypto/x509 takes none for any
		return usageError(leaf, errors.New("not a client certificate"), "extended key usage clientAuth, explicitly")
	}
	return nil
}

func checkKeyUsage(leaf *x509.Certificate, use string) error {
	if err := checkLeaf(leaf); err != nil {
		return err
	}
	want, name := x509.KeyUsageDigitalSignature, "digitalSignature"
	if use == UseEnc {
		want, name = x509.KeyUsageKeyAgreement, "keyAgreement"
	}
	if leaf.KeyUsage != want {
		return usageError(leaf, errors.New("another key usage"), "key usage "+name+" and no other")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if slices.Contains(leaf.ExtKeyUsage, usage) {
			return usageError(leaf, errors.New("a TLS certificate where a key certificate must be"), "neither clientAuth nor serverAuth")
		}
	}
	return nil
}

func usageError(leaf *x509.Certificate, err error, want string) *Error {
	return &Error{
		Check: CheckUsage, Subject: describe(leaf), Want: want, Err: err,
		Fix: "issue a certificate with " + strings.TrimPrefix(want, "a ") + "; identities and keys have certificates of their own",
	}
}
