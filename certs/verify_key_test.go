package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

func TestVerifyKey(t *testing.T) {
	const tls = x509.ExtKeyUsageClientAuth
	for _, c := range []struct {
		name    string
		want    certs.Check
		use     string // of the certificate; default sig
		asked   string // default the same
		agency  string // asked for; default ee/pbgb
		options []Option
	}{
		{name: "sig"},
		{name: "enc", use: certs.UseEnc},
		{name: "approve", use: certs.UseApprove},
		{name: "policy", use: certs.UsePolicy},
		{name: "another extended key usage", options: with(EKU(x509.ExtKeyUsageEmailProtection))},
		{name: "another use is asked for", want: certs.CheckIdentity, asked: certs.UseEnc},
		{name: "another agency is asked for", want: certs.CheckIdentity, agency: "ee/ppa"},
		{name: "the same agency of another jurisdiction", want: certs.CheckIdentity, agency: "lv/pbgb"},
		{name: "no agency is asked for", want: certs.CheckIdentity, agency: "/"},
		{name: "client certificate", want: certs.CheckIdentity, options: with(URIs(alice), EKU(tls))},
		{name: "client identity without clientAuth", want: certs.CheckIdentity, options: with(URIs(alice))},
		{name: "unknown use", want: certs.CheckIdentity, options: with(URIs("spiffe://ee/pbgb/key/tls/k1"))},
		{name: "use in upper case", want: certs.CheckIdentity, options: with(URIs("spiffe://ee/pbgb/key/SIG/k1"))},
		{name: "no name", want: certs.CheckIdentity, options: with(URIs("spiffe://ee/pbgb/key/sig"))},
		{name: "trailing slash", want: certs.CheckIdentity, options: with(URIs("spiffe://ee/pbgb/key/sig/k1/"))},
		{name: "two names", want: certs.CheckIdentity, options: with(URIs("spiffe://ee/pbgb/key/sig/k1", "spiffe://ee/pbgb/key/enc/k1"))},
		{name: "no SAN", want: certs.CheckIdentity, options: with(URIs())},
		{name: "clientAuth", want: certs.CheckUsage, options: with(EKU(tls))},
		{name: "serverAuth", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageServerAuth))},
		{name: "anyEKU", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageAny))},
		{name: "CA", want: certs.CheckUsage, options: with(AsCA())},
		{name: "no key usage", want: certs.CheckUsage, options: with(KeyUsage(0))},
		{name: "sig with keyAgreement", want: certs.CheckUsage, options: with(KeyUsage(x509.KeyUsageKeyAgreement))},
		{name: "sig with both", want: certs.CheckUsage, options: with(KeyUsage(x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement))},
		{name: "enc with digitalSignature", want: certs.CheckUsage, use: certs.UseEnc, options: with(KeyUsage(x509.KeyUsageDigitalSignature))},
		{name: "enc with keyCertSign", want: certs.CheckUsage, use: certs.UseEnc, options: with(KeyUsage(x509.KeyUsageKeyAgreement | x509.KeyUsageCertSign))},
		{name: "expired", want: certs.CheckDates, options: with(Expired())},
		{name: "not yet valid", want: certs.CheckDates, options: with(NotYetValid())},
		{name: "another jurisdiction's authority", want: certs.CheckChain, options: with(SignedBy("lv"))},
		{name: "rogue authority", want: certs.CheckChain, options: with(Rogue())},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(t)
			use := or(c.use, certs.UseSig)
			key := p.NewKey()
			chain := p.Key("ee/pbgb", use, "k1", key.Public(), c.options...)
			err := p.Anchors("ee", "lv").VerifyKey(chain, or(c.agency, "ee/pbgb"), or(c.asked, use), key.Public(), time.Now())
			if got := certs.Failed(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("failed check is %q, want %q: %v", got, c.want, err)
			}
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func TestVerifyKeyIsThatKey(t *testing.T) {
	p := New(t)
	key, other := p.NewKey(), p.NewKey()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecdh, err := key.PublicKey.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	chain := p.Key("ee/pbgb", certs.UseEnc, "k1", key.Public())
	anchors := p.Anchors("ee")
	for _, good := range []crypto.PublicKey{&key.PublicKey, ecdh} {
		if err := anchors.VerifyKey(chain, "ee/pbgb", certs.UseEnc, good, time.Now()); err != nil {
			t.Errorf("%T: %v", good, err)
		}
	}
	for _, bad := range []crypto.PublicKey{&other.PublicKey, &p384.PublicKey, edwards, nil, "key", key} {
		if err := anchors.VerifyKey(chain, "ee/pbgb", certs.UseEnc, bad, time.Now()); certs.Failed(err) != certs.CheckKey {
			t.Errorf("%T: %v", bad, err)
		}
	}
}

// An old package verifies with the key that was valid when it was accepted.
func TestVerifyKeyInThePast(t *testing.T) {
	now := time.Now()
	p := NewAt(t, func() time.Time { return now })
	key, root := p.NewKey(), p.Authority("EE", nil, nil)
	chain := p.Key("ee/pbgb", certs.UseSig, "k1", key.Public(), Root(root), Expired())
	anchors := anchorsOf(t, "ee", root.Certificate)
	if err := anchors.VerifyKey(chain, "ee/pbgb", certs.UseSig, key.Public(), now.Add(-30*time.Minute)); err != nil {
		t.Errorf("within its dates: %v", err)
	}
	if err := anchors.VerifyKey(chain, "ee/pbgb", certs.UseSig, key.Public(), now); certs.Failed(err) != certs.CheckDates {
		t.Errorf("after its dates: %v", err)
	}
}
