package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

const alice = "spiffe://ee/pbgb/unit/alice"

// clientCase is a certificate of alice of ee/pbgb, changed by options, or a whole chain made otherwise.
type clientCase struct {
	name    string
	want    certs.Check // "" for a good one
	options []Option
	chain   func(p *PKI) []*x509.Certificate
	anchors func(p *PKI) *certs.Anchors // default: ee, lv and the operator's
}

// run gives what was presented.
func (c clientCase) run(t *testing.T) []*x509.Certificate {
	t.Helper()
	p := New(t)
	var chain []*x509.Certificate
	if c.chain != nil {
		chain = c.chain(p)
	} else {
		chain = parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice", c.options...))
	}
	anchors := defaultAnchors(t, p)
	if c.anchors != nil {
		anchors = c.anchors(p)
	}
	peer, err := anchors.VerifyClient(chain, time.Now())
	if got := certs.Failed(err); got != c.want {
		t.Fatalf("failed check is %q, want %q: %v", got, c.want, err)
	}
	if c.want == "" {
		if err != nil || peer.Identity.Jurisdiction == "" || peer.Certificate != chain[0] || peer.Fingerprint != certs.Fingerprint(chain[0]) {
			t.Fatalf("peer %+v, error %v", peer, err)
		}
		return chain
	}
	if (peer != certs.Peer{}) {
		t.Errorf("a refused peer is returned: %+v", peer)
	}
	var e *certs.Error
	if !errors.As(err, &e) || e.Fix == "" || e.Err == nil {
		t.Errorf("the error does not say how to mend it: %#v", err)
	}
	return chain
}

func defaultAnchors(t testing.TB, p *PKI) *certs.Anchors {
	t.Helper()
	anchors, err := p.Anchors("ee", "lv", "hub").WithOperator("hub")
	if err != nil {
		t.Fatal(err)
	}
	return anchors
}

func parse(t testing.TB, pair tls.Certificate) []*x509.Certificate {
	t.Helper()
	chain, err := certs.ParseDER(pair.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// rooted gives a case whose leaf hangs on an anchor made by edit, below what options make.
func rooted(name string, want certs.Check, edit func(*x509.Certificate), options ...Option) clientCase {
	var root *Authority
	return clientCase{
		name: name, want: want,
		chain: func(p *PKI) []*x509.Certificate {
			root = p.Authority("EE root", nil, edit)
			return parse(p.T(), p.Client("ee/pbgb", certs.RoleUnit, "alice", append([]Option{Root(root)}, options...)...))
		},
		anchors: func(p *PKI) *certs.Anchors { return anchorsOf(p.T(), "ee", root.Certificate) },
	}
}

func anchorsOf(t testing.TB, jurisdiction string, list ...*x509.Certificate) *certs.Anchors {
	t.Helper()
	var anchors []certs.Anchor
	for _, cert := range list {
		anchors = append(anchors, certs.Anchor{Certificate: cert})
	}
	a, err := certs.NewAnchors(map[string][]certs.Anchor{jurisdiction: anchors})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func with(options ...Option) []Option { return options }

func usageCases(*testing.T) []clientCase {
	return []clientCase{
		{name: "good"},
		{name: "clientAuth and serverAuth", options: with(EKU(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth))},
		{name: "no EKU", want: certs.CheckUsage, options: with(EKU())},
		{name: "serverAuth only", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageServerAuth))},
		{name: "anyEKU", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageAny))},
		{name: "anyEKU beside clientAuth", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth))},
		{name: "emailProtection only", want: certs.CheckUsage, options: with(EKU(x509.ExtKeyUsageEmailProtection))},
		{name: "no key usage", want: certs.CheckUsage, options: with(KeyUsage(0))},
		{name: "key agreement only", want: certs.CheckUsage, options: with(KeyUsage(x509.KeyUsageKeyAgreement))},
		{name: "CA leaf", want: certs.CheckUsage, options: with(AsCA())},
		{name: "CA leaf that may sign", want: certs.CheckUsage, options: with(AsCA(), KeyUsage(x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign))},
		{name: "leaf with keyCertSign", want: certs.CheckUsage, options: with(KeyUsage(x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign))},
		{name: "leaf with cRLSign", want: certs.CheckUsage, options: with(KeyUsage(x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign))},
		{name: "expired", want: certs.CheckDates, options: with(Expired())},
		{name: "not yet valid", want: certs.CheckDates, options: with(NotYetValid())},
		{name: "unknown critical extension", want: certs.CheckChain, options: with(Edit(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}})
		}))},
		{name: "signed with SHA-1", want: certs.CheckChain, options: with(Edit(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }))},
	}
}

func identityCases(t *testing.T) []clientCase {
	cases := []clientCase{
		{name: "two identities", want: certs.CheckIdentity, options: with(URIs(alice, "spiffe://ee/ppa/unit/alice"))},
		{name: "the same identity twice", want: certs.CheckIdentity, options: with(URIs(alice, alice))},
		{name: "another URI beside it", want: certs.CheckIdentity, options: with(URIs(alice, "https://example.org/"))},
		{name: "no SAN", want: certs.CheckIdentity, options: with(URIs())},
		{name: "in the common name only", want: certs.CheckIdentity, options: with(URIs(), Edit(func(c *x509.Certificate) { c.Subject.CommonName = alice }))},
		{name: "in a DNS SAN only", want: certs.CheckIdentity, options: with(URIs(), Hosts("alice.unit.pbgb.ee"))},
		{name: "role operator of a jurisdiction", want: certs.CheckRole, options: with(URIs("spiffe://ee/pbgb/operator/alice"))},
	}
	for name, uri := range map[string]string{
		"empty": "", "https": "https://ee/pbgb/unit/alice", "no scheme": "ee/pbgb/unit/alice", "no path": "spiffe://ee",
		"no jurisdiction": "spiffe:///pbgb/unit/alice", "no name": "spiffe://ee/pbgb/unit", "more segments": alice + "/x",
		"unknown role": "spiffe://ee/pbgb/admin/alice", "role key": "spiffe://ee/pbgb/key/alice", "key identity": "spiffe://ee/pbgb/key/sig/alice",
		"scheme in upper case": "SPIFFE://ee/pbgb/unit/alice", "jurisdiction in upper case": "spiffe://EE/pbgb/unit/alice",
		"agency in upper case": "spiffe://ee/PBGB/unit/alice", "role in upper case": "spiffe://ee/pbgb/UNIT/alice",
		"percent encoding": "spiffe://ee/pb%67b/unit/alice", "encoded slash": "spiffe://ee/pbgb/unit%2Falice", "trailing slash": alice + "/",
		"double slash": "spiffe://ee//pbgb/unit/alice", "dot segments": "spiffe://ee/ppa/../pbgb/unit/alice", "dot segment": "spiffe://ee/./pbgb/unit/alice",
		"query": alice + "?x=1", "empty query": alice + "?", "fragment": alice + "#x", "empty fragment": alice + "#", "port": "spiffe://ee:443/pbgb/unit/alice",
		"empty port": "spiffe://ee:/pbgb/unit/alice", "user": "spiffe://lv@ee/pbgb/unit/alice", "NUL": "spiffe://ee/pbgb/unit/al\x00ice",
		"NUL at the end": alice + "\x00", "new line": alice + "\n", "space": "spiffe://ee/pbgb/unit/al ice", "unicode look-alike": "spiffe://ее/pbgb/unit/alice",
		"unicode in the name": "spiffe://ee/pbgb/unit/аlice", "full width": "spiffe://ee/pbgb/unit/ａlice", "invalid UTF-8": "spiffe://ee/pbgb/unit/\xff",
		"dot at the end of the jurisdiction": "spiffe://ee./pbgb/unit/alice", "dot in the jurisdiction": "spiffe://e.e/pbgb/unit/alice",
		"underscore": "spiffe://ee/pb_gb/unit/alice", "wildcard": "spiffe://ee/pbgb/unit/*", "backslash": `spiffe://ee/pbgb\unit\alice`,
		"IP address": "spiffe://[::1]/pbgb/unit/alice", "semicolon": "spiffe://ee/pbgb/unit/alice;lv",
		"long segment": "spiffe://ee/pbgb/unit/" + strings.Repeat("a", 64), "very long": "spiffe://ee/pbgb/unit/" + strings.Repeat("a", 8000),
	} {
		if _, err := certs.ParseIdentity(uri); certs.Failed(err) != certs.CheckIdentity {
			t.Errorf("%s: ParseIdentity says %v", name, err)
		}
		if chain, ok := certificateWith(t, uri); ok { // some cannot even be parsed as a certificate
			cases = append(cases, clientCase{
				name: name, want: certs.CheckIdentity, chain: func(*PKI) []*x509.Certificate { return chain },
			})
		}
	}
	if len(cases) < 40 {
		t.Errorf("only %d cases could be made into certificates", len(cases))
	}
	return cases
}

// certificateWith tries to make a self-signed certificate with this URI SAN: identity is checked before the chain.
func certificateWith(t *testing.T, uri string) ([]*x509.Certificate, bool) {
	t.Helper()
	san, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := certs.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	return []*x509.Certificate{cert}, err == nil
}

func chainCases(*testing.T) []clientCase {
	client := func(p *PKI, agency, role string, options ...Option) []*x509.Certificate {
		return parse(p.T(), p.Client(agency, role, "alice", options...))
	}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	cases := []clientCase{
		{name: "another jurisdiction's authority", want: certs.CheckChain, options: with(SignedBy("lv"))},
		{name: "the operator's authority for a jurisdiction", want: certs.CheckChain, options: with(SignedBy("hub"))},
		{name: "a jurisdiction without anchors", want: certs.CheckAnchor, options: with(URIs("spiffe://xx/pbgb/unit/alice"), SignedBy("ee"))},
		{name: "a jurisdiction's authority for the operator", want: certs.CheckChain, options: with(URIs("spiffe://hub/ops/operator/alice"), SignedBy("ee"))},
		{name: "operator", chain: func(p *PKI) []*x509.Certificate { return client(p, "hub/ops", certs.RoleOperator) }},
		{name: "operator where none is named", want: certs.CheckRole,
			chain:   func(p *PKI) []*x509.Certificate { return client(p, "hub/ops", certs.RoleOperator) },
			anchors: func(p *PKI) *certs.Anchors { return p.Anchors("ee", "hub") }},
		{name: "self-signed", want: certs.CheckChain, options: with(SelfSigned())},
		{name: "rogue authority of the same name", want: certs.CheckChain, options: with(Rogue())},
		{name: "leaf under a leaf", want: certs.CheckChain, chain: func(p *PKI) []*x509.Certificate {
			bob := p.Client("ee/pbgb", certs.RoleUnit, "bob")
			return client(p, "ee/pbgb", certs.RoleUnit, Root(&Authority{Certificate: bob.Leaf, Key: bob.PrivateKey.(crypto.Signer)}), Presenting(bob.Leaf))
		}},
		{name: "intermediate where the anchor allows none", want: certs.CheckChain, options: with(Through(nil))},
		{name: "no certificate", want: certs.CheckForm, chain: func(*PKI) []*x509.Certificate { return nil }},
		{name: "nil certificate", want: certs.CheckForm, chain: func(*PKI) []*x509.Certificate { return []*x509.Certificate{nil} }},
		{name: "chain of six", want: certs.CheckForm, chain: func(p *PKI) []*x509.Certificate {
			return slices.Repeat(client(p, "ee/pbgb", certs.RoleUnit), 6)
		}},
		{name: "over-large certificate", want: certs.CheckForm, options: with(Edit(func(c *x509.Certificate) {
			c.DNSNames = slices.Repeat([]string{strings.Repeat("a", 60) + ".example"}, 300)
		}))},
		{name: "anchor of the agency", anchors: func(p *PKI) *certs.Anchors { p.Limit("ee", "ppa", "pbgb"); return p.Anchors("ee") }},
		{name: "anchor of other agencies", want: certs.CheckAnchor, anchors: func(p *PKI) *certs.Anchors { p.Limit("ee", "ppa", "emta"); return p.Anchors("ee") }},
		rooted("through an intermediate", "", nil, Through(nil)),
		rooted("through three intermediates", "", nil, Through(nil), Through(nil), Through(nil)),
		rooted("intermediates that are not presented", certs.CheckChain, nil, Through(nil), Alone()),
		rooted("path length breach", certs.CheckChain, func(c *x509.Certificate) { c.MaxPathLen = 1 }, Through(nil), Through(nil)),
		rooted("expired intermediate", certs.CheckDates, nil, Through(expired)),
		rooted("expired anchor", certs.CheckDates, expired),
		rooted("intermediate that is no CA", certs.CheckChain, nil, Through(func(c *x509.Certificate) { c.IsCA = false })),
		rooted("intermediate for servers", certs.CheckUsage, nil, Through(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })),
	}
	return cases
}

func TestVerifyClientCrossSigned(t *testing.T) {
	p := New(t)
	ee, lv := p.Authority("EE root", nil, nil), p.Authority("LV root", nil, nil)
	// The authority of ee has certified that of lv, which now makes an identity of ee.
	cross := p.CrossSign(ee, lv)
	chain := parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice", Root(lv), Presenting(cross)))
	if _, err := anchorsOf(t, "ee", ee.Certificate).VerifyClient(chain, time.Now()); err != nil {
		t.Fatalf("without anchors of lv it is an ordinary intermediate: %v", err)
	}
	both, err := certs.NewAnchors(map[string][]certs.Anchor{"ee": {{Certificate: ee.Certificate}}, "lv": {{Certificate: lv.Certificate}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.VerifyClient(chain, time.Now()); certs.Failed(err) != certs.CheckAnchor {
		t.Fatalf("an anchor of lv made an identity of ee: %v", err)
	}
}

func nameCases(*testing.T) []clientCase {
	uri := func(domains ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.PermittedURIDomains, c.PermittedDNSDomainsCritical = domains, true }
	}
	dns := func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"police.example"}, true
	}
	mail := func(c *x509.Certificate) {
		c.ExcludedEmailAddresses, c.PermittedDNSDomainsCritical = []string{"evil.example"}, true
	}
	_, subnet, _ := net.ParseCIDR("10.0.0.0/8")
	ip := func(c *x509.Certificate) {
		c.PermittedIPRanges, c.PermittedDNSDomainsCritical = []*net.IPNet{subnet}, true
	}
	return []clientCase{
		rooted("own URI domain", "", uri("ee")),
		rooted("URI domain of another", certs.CheckNames, uri("lv")),
		rooted("URI domain of subdomains", certs.CheckNames, uri(".ee")),
		rooted("excluded URI domain", certs.CheckNames, func(c *x509.Certificate) { c.ExcludedURIDomains, c.PermittedDNSDomainsCritical = []string{"ee"}, true }),
		rooted("constraint of an intermediate", certs.CheckNames, nil, Through(uri("lv"))),
		rooted("DNS name inside", "", dns, Hosts("a.police.example")),
		rooted("DNS name outside", certs.CheckNames, dns, Hosts("police.example.evil.example")),
		rooted("DNS name outside in upper case", certs.CheckNames, dns, Hosts("EVIL.example")),
		rooted("DNS wildcard outside", certs.CheckNames, dns, Hosts("*.example")),
		rooted("mail address outside in upper case", certs.CheckNames, mail, Edit(func(c *x509.Certificate) { c.EmailAddresses = []string{"a@EVIL.example"} })),
		rooted("IP address outside", certs.CheckNames, ip, Hosts("192.0.2.1")),
		rooted("IPv6 address where IPv4 is permitted", certs.CheckNames, ip, Hosts("2001:db8::1")),
	}
}

func keyCases(t *testing.T) []clientCase {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 16383, 1), E: 65537}
	cases := []clientCase{
		{name: "RSA 2048", options: with(WithKey(strong))},
		{name: "Ed25519", options: with(WithKey(edwards))},
		{name: "RSA 1024", want: certs.CheckKey, options: with(WithKey(weak))},
		{name: "RSA 16384", want: certs.CheckKey, options: with(ForPublicKey(huge))},
		{name: "P-224", want: certs.CheckKey, options: with(WithKey(p224))},
	}
	for name, key := range map[string]crypto.Signer{"weak RSA intermediate": weak, "weak EC intermediate": p224} {
		cases = append(cases, rooted(name, certs.CheckKey, nil, ThroughKey(key, nil)))
	}
	return cases
}

func TestVerifyClientTime(t *testing.T) {
	p := New(t)
	chain := parse(t, p.Client("ee/pbgb", certs.RoleUnit, "alice"))
	anchors := p.Anchors("ee")
	for name, at := range map[string]time.Time{
		"zero": {}, "a second before": chain[0].NotBefore.Add(-time.Second), "a second after": chain[0].NotAfter.Add(time.Second), "year 9999": time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		if _, err := anchors.VerifyClient(chain, at); certs.Failed(err) != certs.CheckDates {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, at := range []time.Time{chain[0].NotBefore, chain[0].NotAfter} {
		if _, err := anchors.VerifyClient(chain, at); err != nil {
			t.Errorf("at the very limit: %v", err)
		}
	}
}
