package certs_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// nationalPKI is a root of ee that puts no SPIFFE IDs into its certificates, beside an ordinary jurisdiction.
type nationalPKI struct {
	*PKI
	root, other *Authority // of ee, and of lv
	anchors     *certs.Anchors
}

func newNationalPKI(t *testing.T) *nationalPKI {
	p := New(t)
	n := &nationalPKI{PKI: p, root: p.Authority("EE national root", nil, nil), other: p.Authority("LV national root", nil, nil)}
	var err error
	n.anchors, err = certs.NewAnchors(map[string][]certs.Anchor{"ee": {{Certificate: n.root.Certificate, Agencies: []string{"pbgb"}}}, "lv": {{Certificate: n.other.Certificate}}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// nameless is a client certificate without a URI SAN.
func (n *nationalPKI) nameless(options ...Option) tls.Certificate {
	return n.Client("ee/pbgb", certs.RoleUnit, "alice", append([]Option{Root(n.root), URIs()}, options...)...)
}

var boundAlice = certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleUnit, Name: "alice"}

func (n *nationalPKI) trust(t *testing.T, list ...certs.Binding) *certs.Trust {
	t.Helper()
	bindings, err := certs.NewBindings(list, n.anchors)
	if err != nil {
		t.Fatal(err)
	}
	return &certs.Trust{Anchors: n.anchors, Bindings: bindings}
}

func (n *nationalPKI) binding(pair tls.Certificate) certs.Binding {
	return certs.Binding{Issuer: certs.SPKISHA256(n.root.Certificate), SPKISHA256: certs.SPKISHA256(pair.Leaf), Identity: boundAlice}
}

func TestBinding(t *testing.T) {
	n := newNationalPKI(t)
	pair := n.nameless()
	trust := n.trust(t, n.binding(pair))
	peer, err := trust.VerifyClient(parse(t, pair), time.Now())
	if err != nil || peer.Identity != boundAlice || peer.Fingerprint != certs.Fingerprint(pair.Leaf) {
		t.Fatalf("%+v, %v", peer, err)
	}
	// A certificate renewed with the same key is the same identity.
	again := n.nameless(ForPublicKey(pair.Leaf.PublicKey))
	if peer, err := trust.VerifyClient(parse(t, again), time.Now()); err != nil || peer.Identity != boundAlice {
		t.Errorf("renewed: %+v, %v", peer, err)
	}
	// One with a SPIFFE ID of its own is who it says, not who its key is bound to.
	named := n.nameless(ForPublicKey(pair.Leaf.PublicKey), URIs("spiffe://ee/pbgb/dpo/mari"))
	if peer, err := trust.VerifyClient(parse(t, named), time.Now()); err != nil || peer.Identity.Role != certs.RoleDPO {
		t.Errorf("named: %+v, %v", peer, err)
	}
	// In a handshake, and at each request.
	server := n.Server()
	trust.Server = &server
	state, serverErr, clientErr := handshake(t, newKeeper(t, trust).ServerTLS(), n.ClientTLS(pair))
	if serverErr != nil || clientErr != nil || state.Version != tls.VersionTLS13 {
		t.Errorf("server: %v, client: %v", serverErr, clientErr)
	}
}

func TestBindingHostile(t *testing.T) {
	n := newNationalPKI(t)
	good := n.nameless()
	sub := n.Authority("EE issuing", nil, nil)
	hostile := []struct {
		name  string
		want  certs.Check
		chain tls.Certificate
	}{
		{"another key", certs.CheckIdentity, n.nameless()},
		{"the bound key, signed by another jurisdiction", certs.CheckChain, n.nameless(Root(n.other), ForPublicKey(good.Leaf.PublicKey))},
		{"the bound key, signed by nobody known", certs.CheckChain, n.nameless(Root(sub), ForPublicKey(good.Leaf.PublicKey))},
		{"the bound key, self-signed", certs.CheckChain, n.nameless(WithKey(good.PrivateKey.(crypto.Signer)), SelfSigned())},
		{"the bound key, signed by an intermediate that the binding does not name", certs.CheckIdentity, n.nameless(Through(nil), ForPublicKey(good.Leaf.PublicKey))},
		{"the bound key, expired", certs.CheckDates, n.nameless(ForPublicKey(good.Leaf.PublicKey), Expired())},
		{"the bound key, not yet valid", certs.CheckDates, n.nameless(ForPublicKey(good.Leaf.PublicKey), NotYetValid())},
		{"the bound key, no EKU", certs.CheckUsage, n.nameless(ForPublicKey(good.Leaf.PublicKey), EKU())},
		{"the bound key, serverAuth", certs.CheckUsage, n.nameless(ForPublicKey(good.Leaf.PublicKey), EKU(x509.ExtKeyUsageServerAuth))},
		{"the bound key, CA", certs.CheckUsage, n.nameless(ForPublicKey(good.Leaf.PublicKey), AsCA())},
		{"the bound key, a URI that is no SPIFFE ID", certs.CheckIdentity, n.nameless(ForPublicKey(good.Leaf.PublicKey), URIs("https://ee/pbgb"))},
		{"the bound key, two identities", certs.CheckIdentity, n.nameless(ForPublicKey(good.Leaf.PublicKey), URIs(alice, alice))},
		{"the bound key, an empty URI", certs.CheckIdentity, n.nameless(ForPublicKey(good.Leaf.PublicKey), URIs(""))},
	}
	trust := n.trust(t, n.binding(good))
	for _, c := range hostile {
		if peer, err := trust.VerifyClient(parse(t, c.chain), time.Now()); certs.Failed(err) != c.want || (peer != certs.Peer{}) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	t.Attr("cases", strconv.Itoa(len(hostile)))
	if _, err := n.trust(t).VerifyClient(parse(t, good), time.Now()); certs.Failed(err) != certs.CheckIdentity {
		t.Errorf("without a binding: %v", err)
	}
	if _, err := n.anchors.VerifyClient(parse(t, good), time.Now()); certs.Failed(err) != certs.CheckIdentity {
		t.Errorf("by anchors alone: %v", err)
	}
}

func TestBindingRevoked(t *testing.T) {
	p, dir := New(t), t.TempDir()
	pair := p.Client("ee/pbgb", certs.RoleUnit, "alice", URIs())
	p.WriteAnchors(dir, "ee")
	p.Revoke("ee", pair.Leaf)
	p.WriteCRL(dir, "ee")
	files := certs.TrustFiles{Anchors: dir, Revocations: certs.RevocationConfig{Dir: dir}}
	trust, err := files.Load(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trust.Bindings, err = certs.NewBindings([]certs.Binding{
		{Issuer: certs.SPKISHA256(p.CA("ee").Certificate()), SPKISHA256: certs.SPKISHA256(pair.Leaf), Identity: boundAlice}}, trust.Anchors)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.VerifyClient(parse(t, pair), time.Now()); certs.Failed(err) != certs.CheckRevoked {
		t.Errorf("revoked: %v", err)
	}
}

func TestBindingsRefused(t *testing.T) {
	n := newNationalPKI(t)
	good := n.binding(n.nameless())
	change := func(edit func(*certs.Binding)) certs.Binding { b := good; edit(&b); return b }
	for name, list := range map[string][]certs.Binding{
		"an issuer of another jurisdiction":        {change(func(b *certs.Binding) { b.Issuer = certs.SPKISHA256(n.other.Certificate) })},
		"an identity of another than the issuer's": {change(func(b *certs.Binding) { b.Identity.Jurisdiction = "lv" })},
		"a jurisdiction without anchors":           {change(func(b *certs.Binding) { b.Identity.Jurisdiction = "xx" })},
		"unknown role":                             {change(func(b *certs.Binding) { b.Identity.Role = "admin" })},
		"no name":                                  {change(func(b *certs.Binding) { b.Identity.Name = "" })},
		"no issuer":                                {change(func(b *certs.Binding) { b.Issuer = "" })},
		"short key":                                {change(func(b *certs.Binding) { b.SPKISHA256 = b.SPKISHA256[1:] })},
		"another alphabet":                         {change(func(b *certs.Binding) { b.SPKISHA256 = "+" + b.SPKISHA256[1:] })},
		"an anchor's own key":                      {change(func(b *certs.Binding) { b.SPKISHA256 = b.Issuer })},
		"one key, two identities":                  {good, change(func(b *certs.Binding) { b.Identity.Name = "bob" })},
	} {
		_, err := certs.NewBindings(list, n.anchors)
		var e *certs.Error
		if !errors.As(err, &e) || e.Check != certs.CheckSetup || e.Fix == "" || !strings.Contains(e.Subject, "binding") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := certs.NewBindings([]certs.Binding{good, good}, n.anchors); err != nil {
		t.Errorf("the same twice: %v", err)
	}
}
