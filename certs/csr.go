package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// NewCSR makes a certificate request (PKCS #10, PEM) for an SPIFFE ID, of an Identity or a KeyIdentity. The private key stays
// where it is.
func NewCSR(id string, key crypto.Signer) ([]byte, error) {
	if err := requestable(id); err != nil {
		return nil, err
	}
	san, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(id)}})
	if err != nil {
		return nil, setupError(id, err, "give an SPIFFE ID")
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		ExtraExtensions: []pkix.Extension{{Id: oidSubjectAltName, Critical: true, Value: san}}, // critical, as the subject is empty
	}, key)
	if err != nil {
		return nil, setupError(id, err, "use an ECDSA, Ed25519 or RSA key")
	}
	return pem.EncodeToMemory(&pem.Block{Type: labelRequest, Bytes: der}), nil
}

// Request is a certificate request whose signature was verified: its sender has the private key. That it may have the identity
// is for the caller to know.
type Request struct {
	ID  string // the SPIFFE ID, well formed
	Key crypto.PublicKey
}

// ParseCSR parses one PEM certificate request. It must have exactly one name, the URI SAN of an Identity or a KeyIdentity; what
// else it asks for is passed over, since the authority decides that.
func ParseCSR(data []byte) (Request, error) {
	blocks, err := parsePEM(data, labelRequest)
	if err != nil {
		return Request{}, err
	}
	if len(blocks) != 1 {
		return Request{}, formError(fmt.Errorf("%d certificate requests instead of one", len(blocks)))
	}
	csr, err := x509.ParseCertificateRequest(blocks[0].Bytes)
	if err != nil {
		return Request{}, formError(fmt.Errorf("certificate request: %w", err))
	}
	if err := csr.CheckSignature(); err != nil {
		return Request{}, formError(fmt.Errorf("certificate request: %w", err))
	}
	if len(csr.DNSNames)+len(csr.IPAddresses)+len(csr.EmailAddresses) > 0 {
		return Request{}, identityError("certificate request", errors.New("other names than the SPIFFE ID"), "one URI SAN and no other")
	}
	uri, err := onlyURI(&x509.Certificate{Extensions: csr.Extensions})
	if err != nil {
		return Request{}, err
	}
	return Request{ID: uri, Key: csr.PublicKey}, requestable(uri)
}

// IssueFromCSR certifies what a request (see ParseCSR) asks for, an identity or a key of the authority's own jurisdiction. The
// caller has made sure that the sender may have it.
func (ca *CA) IssueFromCSR(data []byte, validity time.Duration) (*x509.Certificate, error) {
	request, err := ParseCSR(data)
	if err != nil {
		return nil, err
	}
	if id, err := ParseKeyIdentity(request.ID); err == nil {
		return ca.IssueKey(id, request.Key, validity)
	}
	id, err := ParseIdentity(request.ID)
	if err != nil {
		return nil, err
	}
	return ca.IssueClient(id, request.Key, validity)
}

func requestable(id string) error {
	if _, err := ParseKeyIdentity(id); err == nil {
		return nil
	}
	_, err := ParseIdentity(id)
	return err
}
