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
	"slices"
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
	csr, err := verifiedCSR(data)
	if err != nil {
		return Request{}, err
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

// ServerRequest is the request of a server: hosts instead of an identity.
type ServerRequest struct {
	Hosts []string // DNS names and IP addresses
	Key   crypto.PublicKey
}

// ParseServerCSR parses one PEM certificate request for a server. It must have DNS or IP SANs and no others.
func ParseServerCSR(data []byte) (ServerRequest, error) {
	csr, err := verifiedCSR(data)
	if err != nil {
		return ServerRequest{}, err
	}
	uris, err := rawURIs(&x509.Certificate{Extensions: csr.Extensions})
	hosts := slices.Clone(csr.DNSNames)
	for _, ip := range csr.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	if err != nil || len(uris)+len(csr.EmailAddresses) > 0 || len(hosts) == 0 {
		return ServerRequest{}, &Error{
			Check: CheckNames, Subject: "certificate request", Want: "DNS or IP SANs and no other names", Err: errors.New("not the request of a server"),
			Fix: "make it with liaison init exchange --host HOST, or with subjectAltName=DNS:HOST",
		}
	}
	return ServerRequest{Hosts: hosts, Key: csr.PublicKey}, nil
}

// verifiedCSR parses one PEM certificate request whose sender has shown to have the private key.
func verifiedCSR(data []byte) (*x509.CertificateRequest, error) {
	blocks, err := parsePEM(data, labelRequest)
	if err != nil {
		return nil, err
	}
	if len(blocks) != 1 {
		return nil, formError(fmt.Errorf("%d certificate requests instead of one", len(blocks)))
	}
	csr, err := x509.ParseCertificateRequest(blocks[0].Bytes)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, formError(fmt.Errorf("certificate request: %w", err))
	}
	return csr, nil
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
