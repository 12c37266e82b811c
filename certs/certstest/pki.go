// Package certstest makes throw-away certificates for tests: good ones through certs.CA, and hostile ones by options.
package certstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// How long authorities and certificates are valid, unless an option says otherwise.
const (
	caLifetime   = 24 * time.Hour
	leafValidity = time.Hour
)

// serverDomain is the trust domain of the authority that issues server certificates. It is no jurisdiction's.
const serverDomain = "server"

// PKI is a set of authorities, one for each jurisdiction, made when first asked for. Safe for concurrent use; a failure to
// make something fails the test.
type PKI struct {
	t     testing.TB
	clock func() time.Time

	mu          sync.Mutex
	authorities map[string]*authority
	limits      map[string][]string
	crls        int64
}

// authority keeps its key, which certs.CA would not use for hostile certificates.
type authority struct {
	ca  *certs.CA
	key crypto.Signer
}

// New makes an empty PKI on the clock of the machine.
func New(t testing.TB) *PKI { return NewAt(t, time.Now) }

// NewAt makes an empty PKI on the clock given. Certificates are valid for an hour of that clock, authorities for a day.
func NewAt(t testing.TB, clock func() time.Time) *PKI {
	return &PKI{t: t, clock: clock, authorities: map[string]*authority{}, limits: map[string][]string{}}
}

// T is the test that the certificates are for.
func (p *PKI) T() testing.TB { return p.t }

// CA is the authority of a jurisdiction.
func (p *PKI) CA(jurisdiction string) *certs.CA { return p.authority(jurisdiction).ca }

// Limit makes Anchors and WriteAnchors limit the anchor of a jurisdiction to agencies (short ids).
func (p *PKI) Limit(jurisdiction string, agencies ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits[jurisdiction] = agencies
}

// Anchors gives the anchors of the jurisdictions named, made if need be.
func (p *PKI) Anchors(jurisdictions ...string) *certs.Anchors {
	p.t.Helper()
	byJurisdiction := map[string][]certs.Anchor{}
	for _, j := range jurisdictions {
		byJurisdiction[j] = []certs.Anchor{{Certificate: p.CA(j).Certificate(), Agencies: p.limit(j)}}
	}
	anchors, err := certs.NewAnchors(byJurisdiction)
	p.must(err)
	return anchors
}

// WriteAnchors writes <jurisdiction>.pem of the jurisdictions named into dir, and their limits.
func (p *PKI) WriteAnchors(dir string, jurisdictions ...string) {
	p.t.Helper()
	for _, j := range jurisdictions {
		p.must(certs.WritePublic(filepath.Join(dir, j+".pem"), certs.EncodeChain(p.CA(j).Certificate())))
		if agencies := p.limit(j); len(agencies) > 0 {
			line := []byte("*")
			for _, agency := range agencies {
				line = append(append(line, ' '), agency...)
			}
			p.must(certs.WritePublic(filepath.Join(dir, j+".agencies"), append(line, '\n')))
		}
	}
}

// Trust is anchors of the jurisdictions named with a server certificate for this machine: what a Gatekeeper needs. operator is
// the operator's trust domain, or "".
func (p *PKI) Trust(operator string, jurisdictions ...string) *certs.Trust {
	p.t.Helper()
	if operator != "" {
		jurisdictions = append([]string{operator}, jurisdictions...)
	}
	anchors := p.Anchors(jurisdictions...)
	if operator != "" {
		var err error
		anchors, err = anchors.WithOperator(operator)
		p.must(err)
	}
	server := p.Server()
	return &certs.Trust{Anchors: anchors, Server: &server}
}

// Client gives a client certificate with its key, for an agency ("ee/pbgb"), a role and a name. Options make it hostile.
func (p *PKI) Client(agency, role, name string, options ...Option) tls.Certificate {
	p.t.Helper()
	jurisdiction, short, err := certs.ParseAgencyID(agency)
	p.must(err)
	id := certs.Identity{Jurisdiction: jurisdiction, Agency: short, Role: role, Name: name}
	return p.make(p.clientOrder(id), options)
}

// Key gives the certificate chain (x5c, leaf first) of a key of an agency ("ee/pbgb") for a use. Options make it hostile.
func (p *PKI) Key(agency, use, name string, pub crypto.PublicKey, options ...Option) []*x509.Certificate {
	p.t.Helper()
	jurisdiction, short, err := certs.ParseAgencyID(agency)
	p.must(err)
	id := certs.KeyIdentity{Jurisdiction: jurisdiction, Agency: short, Use: use, Name: name}
	order := p.keyOrder(id)
	order.pub = pub
	return p.issue(order, options)
}

// Server gives a server certificate with its key for localhost, 127.0.0.1 and ::1, of an authority that ServerRoots trusts.
func (p *PKI) Server(options ...Option) tls.Certificate {
	p.t.Helper()
	return p.make(p.serverOrder("localhost", "127.0.0.1", "::1"), options)
}

// ServerRoots trusts the certificates of Server.
func (p *PKI) ServerRoots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.CA(serverDomain).Certificate())
	return pool
}

// ServerRootsPEM is the contents of a server-roots.pem.
func (p *PKI) ServerRootsPEM() []byte { return certs.EncodeChain(p.CA(serverDomain).Certificate()) }

// ClientTLS is the configuration of a client with this certificate for a server of Server.
func (p *PKI) ClientTLS(certificate tls.Certificate) *tls.Config {
	p.t.Helper()
	config, err := certs.ClientTLS(certs.ClientConfig{Certificate: certificate, Roots: p.ServerRoots(), ServerName: "localhost", Clock: p.clock})
	p.must(err)
	return config
}

// Revoke puts the certificate on the next list of its jurisdiction, which WriteCRL writes.
func (p *PKI) Revoke(jurisdiction string, cert *x509.Certificate) {
	p.CA(jurisdiction).Revoke(cert.SerialNumber)
}

// WriteCRL writes <jurisdiction>.crl into dir, with a higher number than any list before, due in an hour. It gives the list.
func (p *PKI) WriteCRL(dir, jurisdiction string) []byte {
	p.t.Helper()
	p.mu.Lock()
	p.crls++
	number := big.NewInt(p.crls)
	p.mu.Unlock()
	der, err := p.CA(jurisdiction).CRL(number, p.clock().Add(time.Hour))
	p.must(err)
	p.must(os.WriteFile(filepath.Join(dir, jurisdiction+".crl"), der, 0o600))
	return der
}

// NewKey makes a P-256 key.
func (p *PKI) NewKey() *ecdsa.PrivateKey {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.must(err)
	return key
}

func (p *PKI) limit(jurisdiction string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits[jurisdiction]
}

func (p *PKI) authority(jurisdiction string) *authority {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, ok := p.authorities[jurisdiction]; ok {
		return a
	}
	key, err := certs.GenerateKey()
	p.must(err)
	ca, err := certs.NewCAWithKey(jurisdiction, key, p.clock, caLifetime)
	p.must(err)
	p.authorities[jurisdiction] = &authority{ca: ca, key: key}
	return p.authorities[jurisdiction]
}

// make issues for a new key and joins the two.
func (p *PKI) make(o *order, options []Option) tls.Certificate {
	p.t.Helper()
	chain := p.issue(o, options)
	pair := tls.Certificate{PrivateKey: o.key, Leaf: chain[0]}
	for _, cert := range chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	return pair
}

func (p *PKI) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("certstest: %v", err)
	}
}
