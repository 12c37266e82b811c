package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

func TestNewAnchorsRefuses(t *testing.T) {
	p := New(t)
	ee, lv := p.Authority("EE", nil, nil), p.Authority("LV", nil, nil)
	again := p.Authority("EE renewed", ee.Key, nil)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one := func(c *x509.Certificate, agencies ...string) []certs.Anchor {
		return []certs.Anchor{{Certificate: c, Agencies: agencies}}
	}
	for name, anchors := range map[string]map[string][]certs.Anchor{
		"same certificate in two jurisdictions": {"ee": one(ee.Certificate), "lv": one(ee.Certificate)},
		"same key in two jurisdictions":         {"ee": one(ee.Certificate), "lv": append(one(lv.Certificate), one(again.Certificate)...)},
		"same key with two limits":              {"ee": append(one(ee.Certificate, "pbgb"), one(again.Certificate)...)},
		"no CA":                                 {"ee": one(p.Client("ee/pbgb", certs.RoleUnit, "alice").Leaf)},
		"no CA, with keyCertSign":               {"ee": one(p.Authority("EE", nil, func(c *x509.Certificate) { c.IsCA = false }).Certificate)},
		"no keyCertSign":                        {"ee": one(p.Authority("EE", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }).Certificate)},
		"weak key":                              {"ee": one(p.Authority("EE", p224, nil).Certificate)},
		"no certificate":                        {"ee": one(nil)},
		"no anchor":                             {"ee": nil},
		"id in upper case":                      {"EE": one(ee.Certificate)},
		"path as an id":                         {"../ee": one(ee.Certificate)},
		"agency with its jurisdiction":          {"ee": one(ee.Certificate, "ee/pbgb")},
	} {
		if _, err := certs.NewAnchors(anchors); certs.Failed(err) != certs.CheckSetup {
			t.Errorf("%s: %v", name, err)
		}
	}
	renewed := map[string][]certs.Anchor{"ee": append(one(ee.Certificate, "pbgb", "ppa"), one(again.Certificate, "ppa", "pbgb")...)}
	if _, err := certs.NewAnchors(renewed); err != nil {
		t.Errorf("an anchor and its renewal: %v", err)
	}
	if _, err := p.Anchors("ee").WithOperator("hub"); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("an operator without anchors: %v", err)
	}
}

func TestLoadAnchors(t *testing.T) {
	p, dir := New(t), t.TempDir()
	all, border := p.Authority("all", nil, nil), p.Authority("border guard", nil, nil)
	p.WriteAnchors(dir, "lv", "hub")
	write(t, dir, "ee.pem", string(certs.EncodeChain(all.Certificate, border.Certificate)))
	write(t, dir, "ee.agencies", "# of its own\n\n"+certs.Fingerprint(border.Certificate)+"\tpbgb  emta\n")
	write(t, dir, "README", "not an anchor")
	anchors, err := certs.LoadAnchors(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := anchors.Jurisdictions(); !slices.Equal(got, []string{"ee", "hub", "lv"}) {
		t.Errorf("jurisdictions %v", got)
	}
	if got := anchors.Of("ee"); len(got) != 2 || len(got[0].Agencies) != 0 || !slices.Equal(got[1].Agencies, []string{"emta", "pbgb"}) {
		t.Errorf("anchors of ee: %+v", got)
	}
	for agency, want := range map[string]certs.Check{"ee/pbgb": "", "ee/ppa": certs.CheckAnchor} {
		chain := parse(t, p.Client(agency, certs.RoleUnit, "alice", Root(border)))
		if _, err := anchors.VerifyClient(chain, time.Now()); certs.Failed(err) != want {
			t.Errorf("%s by the border guard: %v", agency, err)
		}
		chain = parse(t, p.Client(agency, certs.RoleUnit, "alice", Root(all)))
		if _, err := anchors.VerifyClient(chain, time.Now()); err != nil {
			t.Errorf("%s by the authority of all: %v", agency, err)
		}
	}
}

func TestLoadAnchorsRefuses(t *testing.T) {
	p := New(t)
	good := string(certs.EncodeChain(p.CA("ee").Certificate()))
	key, err := certs.EncodePrivateKey(p.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		"empty directory":            {},
		"empty file":                 {"ee.pem": ""},
		"text":                       {"ee.pem": "hello"},
		"private key":                {"ee.pem": good + string(key)},
		"damaged second block":       {"ee.pem": good + strings.Replace(good, "MII", "M!I", 1)},
		"cut off":                    {"ee.pem": good + good[:len(good)/2]},
		"damaged DER":                {"ee.pem": strings.Replace(good, "MII", "AII", 1)},
		"PEM headers":                {"ee.pem": strings.Replace(good, "-----\n", "-----\nProc-Type: 4\n\n", 1)},
		"bad jurisdiction":           {"EE.pem": good},
		"no jurisdiction":            {".pem": good},
		"too long":                   {"ee.pem": good + strings.Repeat("\n", 1<<20)},
		"too many":                   {"ee.pem": strings.Repeat(good, 300)},
		"one anchor twice over":      {"ee.pem": good, "lv.pem": good},
		"limit without anchors":      {"ee.pem": good, "lv.agencies": "* vp\n"},
		"limit to nobody":            {"ee.pem": good, "ee.agencies": "*\n"},
		"limit of an unknown anchor": {"ee.pem": good, "ee.agencies": "AAAA pbgb\n"},
		"two limits":                 {"ee.pem": good, "ee.agencies": "* pbgb\n* ppa\n"},
		"limit to a bad agency":      {"ee.pem": good, "ee.agencies": "* ee/pbgb\n"},
	} {
		dir := t.TempDir()
		for file, data := range files {
			write(t, dir, file, data)
		}
		if _, err := certs.LoadAnchors(dir); certs.Failed(err) == "" {
			t.Errorf("%s: loaded, error %v", name, err)
		}
	}
	if _, err := certs.LoadAnchors(filepath.Join(t.TempDir(), "absent")); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("absent directory: %v", err)
	}
}

func write(t testing.TB, dir, name, data string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}
