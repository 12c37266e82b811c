package exchangetest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// must ends the test with an error, if there is one.
func (x *Exchange) must(err error) {
	x.TB.Helper()
	if err != nil {
		x.TB.Fatal(err)
	}
}

// HTTP returns a bare HTTP client with the certificate of an identity's
// profile: for requests that no client of ours would make. It is the same
// client each time.
func (x *Exchange) HTTP(agency, role string) *http.Client {
	x.TB.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.bare[agency+role] == nil {
		x.bare[agency+role] = x.HTTPWith(x.certificate(agency, role))
	}
	return x.bare[agency+role]
}

// HTTPWith returns a bare HTTP client with any certificate.
func (x *Exchange) HTTPWith(certificate tls.Certificate) *http.Client {
	x.TB.Helper()
	config := x.tls(certificate)
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true, MaxIdleConnsPerHost: 16}
	x.TB.Cleanup(transport.CloseIdleConnections)
	var rt http.RoundTripper = transport
	if x.wrap != nil {
		rt = x.wrap(rt)
	}
	return &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (x *Exchange) tls(certificate tls.Certificate) *tls.Config {
	x.TB.Helper()
	roots, err := certs.LoadRoots(filepath.Join(x.World.Profile(x.World.Agencies[0], certs.RoleUnit), client.FileServerRoots))
	x.must(err)
	config, err := certs.ClientTLS(certs.ClientConfig{Certificate: certificate, Roots: roots})
	x.must(err)
	return config
}

// URL is the address of a path on the node that runs.
func (x *Exchange) URL(path string) string { return "https://" + x.Node.Addr() + path }

// certificate reads the certificate and key of a profile.
func (x *Exchange) certificate(agency, role string) tls.Certificate {
	x.TB.Helper()
	dir := x.World.Profile(agency, role)
	pair, err := certs.LoadKeyPair(filepath.Join(dir, client.FileTLSCert), filepath.Join(dir, client.FileTLSKey))
	x.must(err)
	return pair
}

// CA is the certification authority of one of the world's jurisdictions, or
// of the operator's trust domain.
func (x *Exchange) CA(jurisdiction string) *certs.CA {
	x.TB.Helper()
	ca, err := certs.LoadCA(filepath.Join(x.World.Dir, "ca", jurisdiction), x.Clock.Now)
	x.must(err)
	return ca
}

// Identity has the authority of an agency's jurisdiction issue a certificate
// for another identity of it.
func (x *Exchange) Identity(agency, role, name string) tls.Certificate {
	x.TB.Helper()
	j, short, err := certs.ParseAgencyID(agency)
	x.must(err)
	key, err := certs.GenerateKey()
	x.must(err)
	leaf, err := x.CA(j).IssueClient(certs.Identity{Jurisdiction: j, Agency: short, Role: role, Name: name}, key.Public(), time.Hour)
	x.must(err)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// Peer is the identity of a profile as the exchange sees it.
func (x *Exchange) Peer(agency, role string) certs.Peer {
	x.TB.Helper()
	leaf := x.certificate(agency, role).Leaf
	id, err := certs.ParseIdentity(leaf.URIs[0].String())
	x.must(err)
	return certs.Peer{Identity: id, Certificate: leaf, Fingerprint: certs.Fingerprint(leaf)}
}

// Admission changes what the operator says of an agency: roles and
// suspension. The exchange knows after Reload or at its next start.
func (x *Exchange) Admission(a node.Admission) {
	x.TB.Helper()
	keys, err := os.ReadFile(filepath.Join(x.admitted(a.ID), node.KeysFile))
	x.must(err)
	x.must(node.WriteAdmission(filepath.Join(x.World.Dir, "registry"), a, keys))
}

// Publish replaces the file of an agency's keys, a JWK Set.
func (x *Exchange) Publish(agency string, keys []byte) {
	x.TB.Helper()
	x.must(os.WriteFile(filepath.Join(x.admitted(agency), node.KeysFile), keys, 0o644))
}

// admitted is the folder of an agency in the registry directory.
func (x *Exchange) admitted(agency string) string {
	return filepath.Join(x.World.Dir, "registry", strings.Replace(agency, "/", "-", 1))
}

// Nameless is a client certificate of a jurisdiction's authority that has no
// SPIFFE ID, as national PKIs issue them, and the certificate of its issuer.
func (x *Exchange) Nameless(jurisdiction string) (pair tls.Certificate, issuer *x509.Certificate) {
	x.TB.Helper()
	dir := filepath.Join(x.World.Dir, "ca", jurisdiction)
	authority, err := certs.LoadKeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	x.must(err)
	key, err := certs.GenerateKey()
	x.must(err)
	now := x.Clock.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "desk 1"}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, key.Public(), authority.PrivateKey)
	x.must(err)
	leaf, err := x509.ParseCertificate(der)
	x.must(err)
	pair, err = certs.KeyPair([]*x509.Certificate{leaf}, key)
	x.must(err)
	return pair, authority.Leaf
}
