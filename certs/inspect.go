package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind is what a certificate is for.
type Kind string

// The kinds of certificates.
const (
	KindClient    Kind = "client"    // an identity that opens connections
	KindKey       Kind = "key"       // of a key that signs or encrypts
	KindServer    Kind = "server"    // of a server's hosts
	KindAuthority Kind = "authority" // signs certificates
	KindOther     Kind = "other"     // none of these
)

// Inspection is what a certificate says, whether it would be believed, and if not, why and what to do.
type Inspection struct {
	Kind        Kind      `json:"kind"`
	Identity    string    `json:"identity,omitempty"` // the SPIFFE ID
	Hosts       []string  `json:"hosts,omitempty"`    // of a server
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // hexadecimal
	Fingerprint string    `json:"fingerprint"`
	SPKISHA256  string    `json:"spki_sha256"`
	Usage       []string  `json:"usage"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"` // negative once it has expired
	RenewAt     time.Time `json:"renew_at"`
	Chain       []string  `json:"chain,omitempty"`    // the authorities above it, up to the anchor
	Verified    bool      `json:"verified"`           // it would be believed now
	Check       Check     `json:"check,omitempty"`    // the check that failed
	Wrong       string    `json:"wrong,omitempty"`    // what is wrong
	Expected    string    `json:"expected,omitempty"` // what would have been right
	Fix         string    `json:"fix,omitempty"`      // what to do now
}

// Inspect looks at a chain, leaf first, as of now. Clients and keys are held against trust, servers against roots, authorities
// against both; either may be nil, and then nothing that needs it is verified.
func Inspect(chain []*x509.Certificate, trust *Trust, roots []*x509.Certificate, now time.Time) Inspection {
	leaf := chain[0]
	i := Inspection{
		Kind: kindOf(leaf), Hosts: hostsOf(leaf), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Serial: fmt.Sprintf("%x", leaf.SerialNumber),
		Fingerprint: Fingerprint(leaf), SPKISHA256: SPKISHA256(leaf), Usage: usageWords(leaf),
		NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(), DaysLeft: DaysLeft(leaf, now), RenewAt: RenewAt(leaf).UTC(),
	}
	if uris, err := rawURIs(leaf); err == nil && len(uris) == 1 {
		i.Identity = uris[0]
	}
	paths, err := i.verify(chain, trust, roots, now)
	if err != nil {
		i.refuse(err)
		return i
	}
	i.Verified = true
	for _, cert := range paths[0][1:] {
		i.Chain = append(i.Chain, fmt.Sprintf("%s (%s)", cert.Subject, Fingerprint(cert)))
	}
	return i
}

// DaysLeft is how many whole days a certificate has yet; negative once it has expired.
func DaysLeft(cert *x509.Certificate, now time.Time) int {
	return int(math.Floor(cert.NotAfter.Sub(now).Hours() / 24))
}

func (i *Inspection) refuse(err error) {
	var known *Error
	if !errors.As(err, &known) {
		i.Check, i.Wrong = CheckChain, err.Error()
		return
	}
	i.Check, i.Wrong, i.Expected, i.Fix = known.Check, known.Err.Error(), known.Want, known.Fix
}

func (i *Inspection) verify(chain []*x509.Certificate, trust *Trust, roots []*x509.Certificate, now time.Time) ([]path, error) {
	switch i.Kind {
	case KindServer:
		return verifyServerChain(chain, roots, now)
	case KindAuthority:
		return verifyAuthority(chain[0], trust, roots, now)
	}
	if trust == nil || trust.Anchors == nil {
		return nil, unverifiedError(chain[0], "anchors/<jurisdiction>.pem", "name the profile or the directory of the anchors")
	}
	if i.Kind == KindKey {
		id, err := ParseKeyIdentity(i.Identity)
		if err != nil {
			return nil, err
		}
		if err := trust.VerifyKey(chain, id.AgencyID(), id.Use, chain[0].PublicKey, now, now); err != nil {
			return nil, err
		}
		return trust.Anchors.verifyKey(chain, id.AgencyID(), id.Use, chain[0].PublicKey, now)
	}
	if _, err := trust.VerifyClient(chain, now); err != nil { // of KindOther it says why it is none
		return nil, err
	}
	_, paths, err := trust.Anchors.verifyClient(chain, trust.Bindings, now)
	return paths, err
}

// VerifyServer verifies the chain of a server, leaf first, against the certificates of a server-roots.pem, but not its host.
func VerifyServer(chain, roots []*x509.Certificate, now time.Time) error {
	_, err := verifyServerChain(chain, roots, now)
	return err
}

func verifyServerChain(chain, roots []*x509.Certificate, now time.Time) ([]path, error) {
	leaf := chain[0]
	if len(roots) == 0 {
		return nil, unverifiedError(leaf, "server-roots.pem", "name the profile, or the file of the server's roots")
	}
	if err := errors.Join(checkServerUsage(leaf), checkDates(leaf, now)); err != nil {
		return nil, err
	}
	pool, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	found, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: intermediates, CurrentTime: now})
	if err != nil {
		return nil, explainVerify(leaf, err, "a chain to "+names(roots), serverFix)
	}
	for _, p := range found {
		if strongChain(p) {
			return []path{p}, nil
		}
	}
	return nil, &Error{Check: CheckKey, Subject: describe(leaf), Err: errors.New("a weak key in the server's chain"), Fix: strongFix}
}

// verifyAuthority: an authority is believed because it is pinned.
func verifyAuthority(cert *x509.Certificate, trust *Trust, roots []*x509.Certificate, now time.Time) ([]path, error) {
	if err := checkDates(cert, now); err != nil {
		return nil, err
	}
	pinned := slices.ContainsFunc(roots, cert.Equal)
	if trust != nil && trust.Anchors != nil {
		_, anchor := trust.Anchors.owner[keyOf(cert)]
		pinned = pinned || anchor
	}
	if !pinned {
		return nil, unverifiedError(cert, "an anchor or a server root of the profile", "if it is an authority that you want to believe, put it there, got over a way that you trust")
	}
	return []path{{cert}}, nil
}

func unverifiedError(cert *x509.Certificate, want, fix string) *Error {
	return &Error{Check: CheckAnchor, Subject: describe(cert), Want: want, Err: errors.New("not held against anything"), Fix: fix}
}

func names(list []*x509.Certificate) string {
	set := &anchorSet{}
	for _, cert := range list {
		set.list = append(set.list, Anchor{Certificate: cert})
	}
	return set.String()
}

func kindOf(cert *x509.Certificate) Kind {
	if uris, err := rawURIs(cert); err == nil && len(uris) == 1 {
		if _, err := ParseIdentity(uris[0]); err == nil {
			return KindClient
		}
		if _, err := ParseKeyIdentity(uris[0]); err == nil {
			return KindKey
		}
	}
	switch {
	case cert.IsCA:
		return KindAuthority
	case slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return KindServer
	}
	return KindOther
}

func usageWords(cert *x509.Certificate) []string {
	words := []string{}
	if cert.IsCA {
		words = append(words, "CA:TRUE")
	}
	for _, u := range []struct {
		bit  x509.KeyUsage
		name string
	}{
		{x509.KeyUsageDigitalSignature, "digitalSignature"}, {x509.KeyUsageContentCommitment, "nonRepudiation"},
		{x509.KeyUsageKeyEncipherment, "keyEncipherment"}, {x509.KeyUsageDataEncipherment, "dataEncipherment"},
		{x509.KeyUsageKeyAgreement, "keyAgreement"}, {x509.KeyUsageCertSign, "keyCertSign"}, {x509.KeyUsageCRLSign, "cRLSign"},
	} {
		if cert.KeyUsage&u.bit != 0 {
			words = append(words, u.name)
		}
	}
	for _, usage := range cert.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageClientAuth:
			words = append(words, "clientAuth")
		case x509.ExtKeyUsageServerAuth:
			words = append(words, "serverAuth")
		case x509.ExtKeyUsageAny:
			words = append(words, "anyExtendedKeyUsage")
		default:
			words = append(words, fmt.Sprintf("extended key usage %d", usage))
		}
	}
	return words
}
