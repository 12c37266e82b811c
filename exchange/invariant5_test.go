package exchange_test

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// certify has the authority of a jurisdiction sign a certificate for any
// name: what no honest authority does.
func certify(t testing.TB, x *exchangetest.Exchange, jurisdiction, spiffeID string, pub crypto.PublicKey, usage x509.KeyUsage, extended ...x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(x.World.Dir, "ca", jurisdiction, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := certs.ParsePrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	id, err := url.Parse(spiffeID)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), URIs: []*url.URL{id}, KeyUsage: usage, ExtKeyUsage: extended,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, x.CA(jurisdiction).Certificate(), pub, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// TestInvariant5JurisdictionVouchesOnlyForItself: the authority of Estonia
// certifies itself identities, keys and agencies of Latvia. Nobody believes
// it; of its own it may.
func TestInvariant5JurisdictionVouchesOnlyForItself(t *testing.T) {
	t.Parallel()
	x := start(t)

	t.Run("identities", func(t *testing.T) {
		for spiffeID, admitted := range map[string]bool{
			"spiffe://ee/pbgb/unit/second": true, "spiffe://lv/vp/unit/second": false, "spiffe://lv/vp/dpo/second": false,
			"spiffe://exchange/ops/operator/second": false, "spiffe://ee/pbgb/operator/second": false,
		} {
			key, err := certs.GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			leaf := certify(t, x, "ee", spiffeID, key.Public(), x509.KeyUsageDigitalSignature, x509.ExtKeyUsageClientAuth)
			c := x.HTTPWith(tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.URL(api.RouteAgencies), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err == nil {
				err = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %s", spiffeID, resp.Status)
				}
			}
			if (err == nil) != admitted {
				t.Errorf("%s of Estonia's authority: admitted %v, %v", spiffeID, err == nil, err)
			}
		}
	})

	t.Run("keys", func(t *testing.T) {
		forged, err := envelope.GenerateSigning(envelope.ES256)
		if err != nil {
			t.Fatal(err)
		}
		pub := forged.Public()
		leaf := certify(t, x, "ee", "spiffe://lv/vp/key/sig/second", pub.CryptoKey(), x509.KeyUsageDigitalSignature)
		jwk, err := pub.MarshalJWK([][]byte{leaf.Raw})
		if err != nil {
			t.Fatal(err)
		}
		set, err := json.Marshal(object{"keys": []json.RawMessage{jwk}})
		if err != nil {
			t.Fatal(err)
		}
		x.Publish("lv/vp", set)
		if err := x.Node.Reload(t.Context()); err == nil {
			t.Error("a key of Latvia was registered that Estonia vouches for")
		}
		if a := x.Do(x.HTTP("lv/vp", certs.RoleUnit), http.MethodGet, api.KeyPath("lv/vp", forged.Kid()), nil, nil); a.Status != http.StatusNotFound {
			t.Errorf("the forged key is in the directory: %d %s", a.Status, a.Body)
		}
		d := draft(x, demo.LVtoEE)
		d.SignKey = forged
		_, err = x.As("lv/vp", certs.RoleUnit).PostSealed(t.Context(), x.Seal(d))
		problem(t, err, api.EnvelopeRejected)
	})

	t.Run("agencies", func(t *testing.T) {
		p := x.Parts(exchangetest.PartsConfig{})
		before := len(ledgerEntries(t, p.Store))
		for _, a := range []exchange.Agency{
			{ID: "lv/second", Jurisdiction: "ee", Type: "competent_lea", Roles: []string{certs.RoleUnit}},
			{ID: "lv/vp", Jurisdiction: "ee", Type: "competent_lea", Roles: []string{certs.RoleUnit, certs.RoleOperator}},
			{ID: "ee", Jurisdiction: "ee"},
		} {
			if err := p.Service.Admit(t.Context(), a); err == nil {
				t.Errorf("%s was admitted as an agency of %s", a.ID, a.Jurisdiction)
			}
		}
		// A key of Estonia, certified by Estonia, is not registered for Latvia.
		key, err := envelope.GenerateEncryption()
		if err != nil {
			t.Fatal(err)
		}
		leaf := certify(t, x, "ee", "spiffe://ee/pbgb/key/enc/second", key.Public().CryptoKey(), x509.KeyUsageKeyAgreement)
		jwk, err := key.Public().MarshalJWK([][]byte{leaf.Raw})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Service.Register(t.Context(), "lv/vp", jwk); err == nil {
			t.Error("a key of Estonia became Latvia's")
		}
		if err := p.Service.Register(t.Context(), "ee/pbgb", jwk); err != nil {
			t.Errorf("its own: %v", err)
		}
		if got := len(ledgerEntries(t, p.Store)) - before; got != 1 {
			t.Errorf("%d entries for the one key that was registered", got)
		}

		// The key of RFC 7515 appendix A.3, which everybody can sign with.
		famous, err := envelope.ParsePublicJWK([]byte(`{"kty":"EC","crv":"P-256","use":"sig",
			"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`))
		if err != nil {
			t.Fatal(err)
		}
		leaf = certify(t, x, "ee", "spiffe://ee/pbgb/key/sig/published", famous.CryptoKey(), x509.KeyUsageDigitalSignature)
		jwk, err = famous.MarshalJWK([][]byte{leaf.Raw})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Service.Register(t.Context(), "ee/pbgb", jwk); err == nil || !strings.Contains(err.Error(), "published") {
			t.Errorf("a published key was registered: %v", err)
		}
	})
}
