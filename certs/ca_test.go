package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

func newCA(t testing.TB, jurisdiction string) *certs.CA {
	t.Helper()
	ca, err := certs.NewCA(jurisdiction, time.Now, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := certs.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestCAIssues(t *testing.T) {
	ca, key := newCA(t, "ee"), newKey(t)
	anchors := anchorsOf(t, "ee", ca.Certificate())
	id := certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleDPO, Name: "mari"}
	client, err := ca.IssueClient(id, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := anchors.VerifyClient([]*x509.Certificate{client}, time.Now())
	if err != nil || peer.Identity != id || peer.Identity.AgencyID() != "ee/pbgb" {
		t.Errorf("client: %+v, %v", peer, err)
	}
	for _, use := range []string{certs.UseSig, certs.UseEnc, certs.UseApprove, certs.UsePolicy} {
		cert, err := ca.IssueKey(certs.KeyIdentity{Jurisdiction: "ee", Agency: "pbgb", Use: use, Name: "2026"}, key.Public(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := anchors.VerifyKey([]*x509.Certificate{cert}, "ee/pbgb", use, key.Public(), time.Now()); err != nil {
			t.Errorf("key for %s: %v", use, err)
		}
		if _, err := anchors.VerifyClient([]*x509.Certificate{cert}, time.Now()); certs.Failed(err) != certs.CheckIdentity {
			t.Errorf("key for %s as a client: %v", use, err)
		}
	}
	server, err := ca.IssueServer([]string{"exchange.example", "127.0.0.1"}, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate())
	for host, good := range map[string]bool{"exchange.example": true, "127.0.0.1": true, "other.example": false, "127.0.0.2": false} {
		_, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		if (err == nil) != good {
			t.Errorf("server for %s: %v", host, err)
		}
	}
}

func TestCARefuses(t *testing.T) {
	ca, key := newCA(t, "ee"), newKey(t)
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleUnit, Name: "alice"}
	foreign, role, name := good, good, good
	foreign.Jurisdiction, role.Role, name.Name = "lv", "admin", "a/b"
	for what, c := range map[string]struct {
		issue func() (*x509.Certificate, error)
		want  certs.Check
	}{
		"another jurisdiction": {func() (*x509.Certificate, error) { return ca.IssueClient(foreign, key.Public(), time.Hour) }, certs.CheckAnchor},
		"unknown role":         {func() (*x509.Certificate, error) { return ca.IssueClient(role, key.Public(), time.Hour) }, certs.CheckIdentity},
		"slash in the name":    {func() (*x509.Certificate, error) { return ca.IssueClient(name, key.Public(), time.Hour) }, certs.CheckIdentity},
		"weak key":             {func() (*x509.Certificate, error) { return ca.IssueClient(good, weak.Public(), time.Hour) }, certs.CheckKey},
		"no key":               {func() (*x509.Certificate, error) { return ca.IssueClient(good, nil, time.Hour) }, certs.CheckKey},
		"no validity":          {func() (*x509.Certificate, error) { return ca.IssueClient(good, key.Public(), 0) }, certs.CheckSetup},
		"outliving":            {func() (*x509.Certificate, error) { return ca.IssueClient(good, key.Public(), 25*time.Hour) }, certs.CheckDates},
		"key of another": {func() (*x509.Certificate, error) {
			return ca.IssueKey(certs.KeyIdentity{Jurisdiction: "lv", Agency: "vp", Use: certs.UseSig, Name: "k"}, key.Public(), time.Hour)
		}, certs.CheckAnchor},
		"key for an unknown use": {func() (*x509.Certificate, error) {
			return ca.IssueKey(certs.KeyIdentity{Jurisdiction: "ee", Agency: "vp", Use: "tls", Name: "k"}, key.Public(), time.Hour)
		}, certs.CheckIdentity},
		"server without a host": {func() (*x509.Certificate, error) { return ca.IssueServer(nil, key.Public(), time.Hour) }, certs.CheckSetup},
	} {
		if cert, err := c.issue(); certs.Failed(err) != c.want || cert != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Another verifier than ours, which knows only RFC 5280, would not believe the authority about another jurisdiction either.
func TestCAIsConstrained(t *testing.T) {
	cert := newCA(t, "ee").Certificate()
	if !slices.Equal(cert.PermittedURIDomains, []string{"ee"}) || !cert.PermittedDNSDomainsCritical || !cert.MaxPathLenZero || cert.MaxPathLen != 0 {
		t.Errorf("the authority's certificate is not constrained: %+v", cert)
	}
}

func TestCASaveLoad(t *testing.T) {
	dir, ca, key := t.TempDir(), newCA(t, "ee"), newKey(t)
	ca.Revoke(big.NewInt(77))
	ca.Revoke(big.NewInt(77))
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode of the private key: %v, %v", info.Mode(), err)
	}
	back, err := certs.LoadCA(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if back.Jurisdiction() != "ee" || !back.Certificate().Equal(ca.Certificate()) {
		t.Errorf("another authority: %s", back.Certificate().Subject)
	}
	id := certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleUnit, Name: "alice"}
	cert, err := back.IssueClient(id, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anchorsOf(t, "ee", ca.Certificate()).VerifyClient([]*x509.Certificate{cert}, time.Now()); err != nil {
		t.Errorf("issued after loading: %v", err)
	}
	der, err := back.CRL(big.NewInt(1), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil || len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Int64() != 77 {
		t.Errorf("list after loading: %+v, %v", list, err)
	}
	if _, err := back.CRL(big.NewInt(2), time.Now()); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("a list that is over: %v", err)
	}
}

func TestLoadCARefuses(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"key that others may read": func(dir string) error { return os.Chmod(filepath.Join(dir, "ca.key"), 0o640) },
		"no key":                   func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) },
		"no certificate":           func(dir string) error { return os.Remove(filepath.Join(dir, "ca.crt")) },
		"no list of the revoked":   func(dir string) error { return os.Remove(filepath.Join(dir, "ca.revoked")) },
		"damaged list": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "ca.revoked"), []byte("4d 2026-01-01T00:00:00Z\nxx\n"), 0o600)
		},
		"key of another": func(dir string) error {
			key, err := certs.EncodePrivateKey(newKey(t))
			if err != nil {
				return err
			}
			return certs.WriteSecret(filepath.Join(dir, "ca.key"), key)
		},
		"certificate of no authority": func(dir string) error {
			key := newKey(t)
			cert, err := newCA(t, "ee").IssueServer([]string{"localhost"}, key.Public(), time.Hour)
			if err != nil {
				return err
			}
			data, err := certs.EncodePrivateKey(key)
			if err != nil {
				return err
			}
			if err := certs.WriteSecret(filepath.Join(dir, "ca.key"), data); err != nil {
				return err
			}
			return certs.WritePublic(filepath.Join(dir, "ca.crt"), certs.EncodeChain(cert))
		},
	} {
		dir := t.TempDir()
		if err := newCA(t, "ee").Save(dir); err != nil {
			t.Fatal(err)
		}
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := certs.LoadCA(dir, time.Now); certs.Failed(err) == "" {
			t.Errorf("%s: loaded, %v", name, err)
		}
	}
}

func TestCSR(t *testing.T) {
	ca, key := newCA(t, "ee"), newKey(t)
	anchors := anchorsOf(t, "ee", ca.Certificate())
	issue := func(id string) *x509.Certificate {
		t.Helper()
		csr, err := certs.NewCSR(id, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := ca.IssueFromCSR(csr, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	if _, err := anchors.VerifyClient([]*x509.Certificate{issue(alice)}, time.Now()); err != nil {
		t.Errorf("client: %v", err)
	}
	if err := anchors.VerifyKey([]*x509.Certificate{issue("spiffe://ee/pbgb/key/enc/k")}, "ee/pbgb", certs.UseEnc, key.Public(), time.Now()); err != nil {
		t.Errorf("key: %v", err)
	}
	if _, err := certs.NewCSR("spiffe://ee/pbgb/admin/x", key); certs.Failed(err) != certs.CheckIdentity {
		t.Errorf("request for an unknown role: %v", err)
	}
	foreign, err := certs.NewCSR("spiffe://lv/vp/unit/x", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.IssueFromCSR(foreign, time.Hour); certs.Failed(err) != certs.CheckAnchor {
		t.Errorf("request of another jurisdiction: %v", err)
	}
	good, err := certs.NewCSR(alice, key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	forged := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: bytes.Replace(block.Bytes, []byte("alice"), []byte("mallo"), 1)})
	plain, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		DNSNames: []string{"ee.example"}, URIs: []*url.URL{{Scheme: "spiffe", Host: "ee", Path: "/pbgb/unit/alice"}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"two requests": append(bytes.Clone(good), good...), "text": []byte("hello"), "forged": forged,
		"certificate": certs.EncodeChain(ca.Certificate()), "DNS name": pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: plain}),
	} {
		if _, err := ca.IssueFromCSR(data, time.Hour); certs.Failed(err) == "" {
			t.Errorf("%s: issued, %v", name, err)
		}
	}
}
