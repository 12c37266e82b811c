package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"
)

// backdate is how long before its making a certificate begins to be valid, for clocks that differ.
const backdate = 5 * time.Minute

// CA is the built-in certification authority of one jurisdiction, for demonstrations, tests and small deployments. Its
// certificate carries a URI name constraint, so that even another verifier than ours would not believe it about another
// jurisdiction; it issues leaves only. Safe for concurrent use.
type CA struct {
	jurisdiction string
	cert         *x509.Certificate
	key          crypto.Signer
	clock        func() time.Time

	mu      sync.Mutex
	revoked []x509.RevocationListEntry
}

// NewCA makes an authority with a new P-256 key, valid for lifetime from now.
func NewCA(jurisdiction string, clock func() time.Time, lifetime time.Duration) (*CA, error) {
	key, err := GenerateKey()
	if err != nil {
		return nil, err
	}
	return NewCAWithKey(jurisdiction, key, clock, lifetime)
}

// NewCAWithKey makes an authority whose key lies elsewhere, in a PKCS #11 token for instance.
func NewCAWithKey(jurisdiction string, key crypto.Signer, clock func() time.Time, lifetime time.Duration) (*CA, error) {
	if !validSegment(jurisdiction) {
		return nil, setupError(jurisdiction, errors.New("not the id of a jurisdiction"), "use 1 to 63 of [a-z0-9-]")
	}
	template, err := newTemplate(pkix.Name{CommonName: "Liaison CA " + jurisdiction[:min(len(jurisdiction), 50)]}, clock(), lifetime)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.PermittedURIDomains = []string{jurisdiction}
	template.PermittedDNSDomainsCritical = true // RFC 5280 section 4.2.1.10: all name constraints are critical
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &CA{jurisdiction: jurisdiction, cert: cert, key: key, clock: clock}, nil
}

// GenerateKey makes a P-256 key, which serves for everything: TLS, signatures (ES256) and key agreement (ECDH-ES).
func GenerateKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, setupError("key", err, "check the machine's source of randomness")
	}
	return key, nil
}

// Jurisdiction is for which jurisdiction the authority speaks.
func (ca *CA) Jurisdiction() string { return ca.jurisdiction }

// Certificate is the authority's own, the anchor of its jurisdiction.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// IssueClient certifies that the holder of pub is id.
func (ca *CA) IssueClient(id Identity, pub crypto.PublicKey, validity time.Duration) (*x509.Certificate, error) {
	if err := id.Validate(); err != nil {
		return nil, err
	}
	template, err := ca.named(id.String(), id.Jurisdiction, id.Agency, id.Name, validity)
	if err != nil {
		return nil, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return ca.issue(template, pub)
}

// IssueKey certifies that pub is a key of the agency for the use of id.
func (ca *CA) IssueKey(id KeyIdentity, pub crypto.PublicKey, validity time.Duration) (*x509.Certificate, error) {
	if err := id.Validate(); err != nil {
		return nil, err
	}
	template, err := ca.named(id.String(), id.Jurisdiction, id.Agency, id.Name, validity)
	if err != nil {
		return nil, err
	}
	if id.Use == UseEnc {
		template.KeyUsage = x509.KeyUsageKeyAgreement
	}
	return ca.issue(template, pub)
}

// named begins the certificate of a SPIFFE ID, for signing, if it is of the authority's own jurisdiction.
func (ca *CA) named(id, jurisdiction, agency, name string, validity time.Duration) (*x509.Certificate, error) {
	if err := ca.own(id, jurisdiction); err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{Organization: []string{agency}, CommonName: name}, ca.clock(), validity)
	if err != nil {
		return nil, err
	}
	template.URIs = []*url.URL{spiffeURL(jurisdiction, id)}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return template, nil
}

// IssueServer certifies a server for hosts: DNS names and IP addresses, at least one.
func (ca *CA) IssueServer(hosts []string, pub crypto.PublicKey, validity time.Duration) (*x509.Certificate, error) {
	if len(hosts) == 0 {
		return nil, setupError("server", errors.New("no host"), "name the hosts as they stand in the server's address")
	}
	name := pkix.Name{CommonName: hosts[0][:min(len(hosts[0]), 64)]} // RFC 5280 appendix A: ub-common-name
	template, err := newTemplate(name, ca.clock(), validity)
	if err != nil {
		return nil, err
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return ca.issue(template, pub)
}

// Revoke puts the serial number on the authority's next list, as of now. A second time changes nothing.
func (ca *CA) Revoke(serial *big.Int) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	for _, entry := range ca.revoked {
		if entry.SerialNumber.Cmp(serial) == 0 {
			return
		}
	}
	ca.revoked = append(ca.revoked, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: ca.clock().UTC()})
}

// CRL signs the full list of all certificates revoked so far, in DER. number must be greater than in all lists before.
func (ca *CA) CRL(number *big.Int, nextUpdate time.Time) ([]byte, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.clock()
	if !nextUpdate.After(now) {
		return nil, setupError(describe(ca.cert), errors.New("nextUpdate is over already"), "give a time in the future")
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: number, ThisUpdate: now.UTC(), NextUpdate: nextUpdate.UTC(), RevokedCertificateEntries: ca.revoked,
	}, ca.cert, ca.key)
	if err != nil {
		return nil, setupError(describe(ca.cert), err, "check the authority's key and the number of the list")
	}
	return der, nil
}

// own: an authority issues for its own jurisdiction. Verifiers would refuse anything else, and so does it.
func (ca *CA) own(id, jurisdiction string) error {
	if jurisdiction == ca.jurisdiction {
		return nil
	}
	return &Error{
		Check: CheckAnchor, Subject: id, Want: "an identity of " + ca.jurisdiction, Err: errors.New("an identity of another jurisdiction"),
		Fix: "ask the authority of that jurisdiction",
	}
}

func (ca *CA) issue(template *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	if err := strongKey(pub); err != nil {
		return nil, &Error{Check: CheckKey, Subject: template.Subject.String(), Err: err, Fix: strongFix}
	}
	if template.NotAfter.After(ca.cert.NotAfter) {
		return nil, &Error{
			Check: CheckDates, Subject: template.Subject.String(), Want: "an end before " + ca.cert.NotAfter.UTC().Format(time.RFC3339),
			Err: errors.New("the certificate would outlive its authority"), Fix: "ask for a shorter validity, or renew the authority first",
		}
	}
	if template.NotBefore.Before(ca.cert.NotBefore) {
		template.NotBefore = ca.cert.NotBefore
	}
	return sign(template, ca.cert, pub, ca.key)
}

// newTemplate has what all certificates share. The serial number is random, of 159 bits (RFC 5280 section 4.1.2.2 allows 20
// octets of a positive number).
func newTemplate(subject pkix.Name, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	if validity <= 0 {
		return nil, setupError(subject.String(), errors.New("no validity"), "give a time of validity")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, setupError(subject.String(), err, "check the machine's source of randomness")
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: subject, BasicConstraintsValid: true,
		NotBefore: now.Add(-backdate).UTC(), NotAfter: now.Add(validity).UTC(),
	}, nil
}

func sign(template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, setupError(template.Subject.String(), err, "check names, key and the authority's key")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, formError(fmt.Errorf("own certificate: %w", err))
	}
	return cert, nil
}

// spiffeURL makes the URL of an SPIFFE ID that is known to be well formed, without a parser that could change it.
func spiffeURL(jurisdiction, id string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: jurisdiction, Path: id[len("spiffe://")+len(jurisdiction):]}
}
