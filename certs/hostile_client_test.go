package certs_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// TestVerifyClient presents clients to the anchors of ee, lv and the operator: each table is a row of the attack catalogue.
// All refusals are counted by the bytes that were presented, so that a case that is another one under another name does not count.
func TestVerifyClient(t *testing.T) {
	seen := map[[sha256.Size]byte]bool{}
	for _, table := range []struct {
		name  string
		cases func(*testing.T) []clientCase
	}{
		{"M1 to M4 usage and dates", usageCases},
		{"M2 to M4 chains", chainCases},
		{"M4 authorities", authorityCases},
		{"M5 name constraints", nameCases},
		{"M5 names of other kinds", constraintCases},
		{"M6 agencies", agencyCases},
		{"M7 identities", identityCases},
		{"M7 subject alternative names", nameFormCases},
		{"M13 keys", keyCases},
		{"M13 sizes", sizeCases},
	} {
		t.Run(table.name, func(t *testing.T) {
			for _, c := range table.cases(t) {
				t.Run(c.name, func(t *testing.T) {
					h := sha256.New()
					for _, cert := range c.run(t) {
						if cert != nil {
							h.Write(cert.Raw)
						}
					}
					if c.want != "" {
						seen[[sha256.Size]byte(h.Sum(nil))] = true
					}
				})
			}
		})
	}
	t.Attr("cases", strconv.Itoa(len(seen)))
	if len(seen) < 130 {
		t.Errorf("only %d different hostile clients", len(seen))
	}
}

var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// certExtension puts an extension into the certificate, well formed or not.
func certExtension(id asn1.ObjectIdentifier, critical bool, value []byte) Option {
	return Edit(func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	})
}

// san is a subject alternative name of these names, by tag: 1 mail, 2 DNS, 4 directory name, 6 URI, 7 IP address, 8 id.
func san(t *testing.T, names ...asn1.RawValue) []Option {
	t.Helper()
	for i := range names {
		names[i].Class = asn1.ClassContextSpecific
	}
	value, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return with(URIs(), certExtension(oidSAN, false, value))
}

func authorityCases(*testing.T) []clientCase {
	leafAs := func(p *PKI, options ...Option) []*x509.Certificate {
		bob := p.Client("ee/pbgb", certs.RoleUnit, "bob", options...)
		return parse(p.T(), p.Client("ee/pbgb", certs.RoleUnit, "alice", Root(&Authority{Certificate: bob.Leaf, Key: bob.PrivateKey.(crypto.Signer)}), Presenting(bob.Leaf)))
	}
	return []clientCase{
		{name: "a leaf with keyCertSign signs", want: certs.CheckChain, chain: func(p *PKI) []*x509.Certificate {
			return leafAs(p, KeyUsage(x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign))
		}},
		{name: "a leaf with CA:TRUE under an authority of pathlen 0", want: certs.CheckChain, chain: func(p *PKI) []*x509.Certificate { return leafAs(p, AsCA(), KeyUsage(x509.KeyUsageCertSign)) }},
		{name: "a key certificate signs", want: certs.CheckChain, chain: func(p *PKI) []*x509.Certificate {
			return leafAs(p, URIs("spiffe://ee/pbgb/key/sig/bob"), EKU())
		}},
		{name: "a server certificate signs", want: certs.CheckChain, chain: func(p *PKI) []*x509.Certificate {
			return leafAs(p, EKU(x509.ExtKeyUsageServerAuth), Hosts("localhost"))
		}},
		{name: "CA leaf with pathlen 0", want: certs.CheckUsage, options: with(AsCA(), Edit(func(c *x509.Certificate) { c.MaxPathLenZero = true }))},
		{name: "CA leaf self-signed", want: certs.CheckUsage, options: with(AsCA(), SelfSigned())},
		{name: "CA leaf of another jurisdiction", want: certs.CheckUsage, options: with(AsCA(), SignedBy("lv"))},
		rooted("an intermediate without keyCertSign", certs.CheckChain, nil, Through(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })),
		rooted("an intermediate without basic constraints", certs.CheckChain, nil, Through(func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = false, false })),
		rooted("an intermediate of pathlen 0 over another", certs.CheckChain, nil, Through(func(c *x509.Certificate) { c.MaxPathLenZero = true }), Through(nil)),
		rooted("an intermediate not yet valid", certs.CheckDates, nil, Through(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })),
		rooted("an intermediate for code signing", certs.CheckUsage, nil, Through(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })),
		rooted("an intermediate with an unknown critical extension", certs.CheckChain, nil, Through(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		})),
		rooted("an intermediate signed with SHA-1", certs.CheckChain, nil, Through(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
		rooted("a rogue intermediate of the same name", certs.CheckChain, nil, Through(nil), Rogue()),
		rooted("a rogue root of the same name and serial number", certs.CheckChain, nil, Rogue()),
		{name: "the intermediate before the leaf", want: certs.CheckIdentity, chain: func(p *PKI) []*x509.Certificate {
			chain := parse(p.T(), p.Client("ee/pbgb", certs.RoleUnit, "alice", Through(nil)))
			slices.Reverse(chain)
			return chain
		}},
	}
}

func constraintCases(*testing.T) []clientCase {
	critical := func(edit func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) { edit(c); c.PermittedDNSDomainsCritical = true }
	}
	_, v4, _ := net.ParseCIDR("192.0.2.0/24")
	_, v6, _ := net.ParseCIDR("2001:db8::/32")
	_, all, _ := net.ParseCIDR("0.0.0.0/0")
	permitDNS := critical(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"police.ee"} })
	excludeDNS := critical(func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"police.lv"} })
	permitMail := critical(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"police.ee"} })
	permitAddress := critical(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"alice@police.ee"} })
	excludeIP := critical(func(c *x509.Certificate) { c.ExcludedIPRanges = []*net.IPNet{v4, v6} })
	mail := func(addresses ...string) Option {
		return Edit(func(c *x509.Certificate) { c.EmailAddresses = addresses })
	}
	return []clientCase{
		rooted("the parent of the permitted domain", certs.CheckNames, permitDNS, Hosts("ee")),
		rooted("the permitted domain as a suffix of a label", certs.CheckNames, permitDNS, Hosts("notpolice.ee")),
		rooted("the permitted domain in front", certs.CheckNames, permitDNS, Hosts("police.ee.evil.example")),
		rooted("one good and one bad DNS name", certs.CheckNames, permitDNS, Hosts("a.police.ee", "police.lv")),
		rooted("a wildcard over the permitted domain", certs.CheckNames, permitDNS, Hosts("*.ee")),
		rooted("an excluded DNS name", certs.CheckNames, excludeDNS, Hosts("police.lv")),
		rooted("below an excluded DNS name", certs.CheckNames, excludeDNS, Hosts("a.b.police.lv")),
		rooted("an excluded DNS name in upper case", certs.CheckNames, excludeDNS, Hosts("POLICE.LV")),
		rooted("a wildcard within an excluded domain", certs.CheckNames, excludeDNS, Hosts("*.police.lv")),
		rooted("a mail address of another host", certs.CheckNames, permitMail, mail("alice@police.lv")),
		rooted("a mail address of a host that ends alike", certs.CheckNames, permitMail, mail("alice@notpolice.ee")),
		rooted("another local part", certs.CheckNames, permitAddress, mail("bob@police.ee")),
		rooted("a local part in another case", certs.CheckNames, permitAddress, mail("ALICE@police.ee")),
		rooted("an excluded IPv4 address", certs.CheckNames, excludeIP, Hosts("192.0.2.7")),
		rooted("an excluded IPv6 address", certs.CheckNames, excludeIP, Hosts("2001:db8::7")),
		rooted("any IPv6 address where only IPv4 is permitted", certs.CheckNames, critical(func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{all} }), Hosts("::1")),
		rooted("URI domain of another, not critical", certs.CheckNames, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"lv"} }),
		rooted("own URI domain permitted by the root, excluded by the intermediate", certs.CheckNames, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"ee"} },
			Through(critical(func(c *x509.Certificate) { c.ExcludedURIDomains = []string{"ee"} }))),
		rooted("URI domain of another permitted by a lower intermediate only", certs.CheckNames, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"lv"} },
			Through(critical(func(c *x509.Certificate) { c.PermittedURIDomains = []string{"ee"} }))),
	}
}

// agencyCases: whose authority may vouch for whom.
func agencyCases(*testing.T) []clientCase {
	var border, police *Authority
	limited := func(name string, want certs.Check, uri string, root func() **Authority) clientCase {
		return clientCase{
			name: name, want: want,
			chain: func(p *PKI) []*x509.Certificate {
				border, police = p.Authority("border guard", nil, nil), p.Authority("police", nil, nil)
				return parse(p.T(), p.Client("ee/pbgb", certs.RoleUnit, "alice", Root(*root()), URIs(uri)))
			},
			anchors: func(p *PKI) *certs.Anchors {
				a, err := certs.NewAnchors(map[string][]certs.Anchor{"ee": {{Certificate: border.Certificate, Agencies: []string{"pbgb"}}, {Certificate: police.Certificate, Agencies: []string{"ppa", "emta"}}}})
				if err != nil {
					p.T().Fatal(err)
				}
				return a
			},
		}
	}
	ofBorder, ofPolice := func() **Authority { return &border }, func() **Authority { return &police }
	return []clientCase{
		limited("the agency's own authority", "", alice, ofBorder),
		limited("another agency's authority", certs.CheckAnchor, alice, ofPolice),
		limited("the other way round", certs.CheckAnchor, "spiffe://ee/ppa/unit/alice", ofBorder),
		limited("an agency of nobody's", certs.CheckAnchor, "spiffe://ee/kapo/unit/alice", ofPolice),
		limited("an agency whose name begins like an allowed one", certs.CheckAnchor, "spiffe://ee/pbgb-x/unit/alice", ofBorder),
		limited("two allowed agencies as one", certs.CheckAnchor, "spiffe://ee/ppaemta/unit/alice", ofPolice),
		limited("operator by an agency's authority", certs.CheckRole, "spiffe://ee/pbgb/operator/alice", ofBorder),
		limited("a key's identity", certs.CheckIdentity, "spiffe://ee/pbgb/key/sig/alice", ofBorder),
		limited("a jurisdiction whose name begins like the anchor's", certs.CheckAnchor, "spiffe://ee-x/pbgb/unit/alice", ofBorder),
	}
}

// nameFormCases: who one is stands in exactly one URI, and nowhere else.
func nameFormCases(t *testing.T) []clientCase {
	uri := func(s string) asn1.RawValue { return asn1.RawValue{Tag: 6, Bytes: []byte(s)} }
	dns := asn1.RawValue{Tag: 2, Bytes: []byte("alice.ee")}
	id := []byte{0x2a, 0x03, 0x04}
	refused := func(name string, options ...Option) clientCase {
		return clientCase{name: name, want: certs.CheckIdentity, options: options}
	}
	return []clientCase{
		{name: "a DNS name beside the identity", options: san(t, dns, uri(alice))},
		{name: "an id of another kind beside the identity", options: san(t, asn1.RawValue{Tag: 8, Bytes: id}, uri(alice))},
		refused("the identity as a DNS name", san(t, asn1.RawValue{Tag: 2, Bytes: []byte(alice)})...),
		refused("the identity as a mail address", san(t, asn1.RawValue{Tag: 1, Bytes: []byte(alice)})...),
		refused("only an id of another kind", san(t, asn1.RawValue{Tag: 8, Bytes: id})...),
		refused("the second of two is well formed", san(t, uri("spiffe://ee/pbgb/unit/"), uri(alice))...),
		refused("two jurisdictions", san(t, uri("spiffe://lv/vp/unit/alice"), uri(alice))...),
		refused("three identities", san(t, uri(alice), uri("spiffe://ee/ppa/unit/alice"), uri("spiffe://lv/vp/unit/alice"))...),
		refused("an identity and a key", san(t, uri(alice), uri("spiffe://ee/pbgb/key/sig/alice"))...),
		refused("an identity between DNS names, twice", san(t, uri(alice), dns, uri(alice))...),
		refused("the identity in the organisational unit", URIs(), Edit(func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{alice} })),
		refused("the identity in the serial number of the subject", URIs(), Edit(func(c *x509.Certificate) { c.Subject.SerialNumber = "ee/pbgb/unit/alice" })),
	}
}

func sizeCases(*testing.T) []clientCase {
	hosts := func(n int) Option {
		return Edit(func(c *x509.Certificate) {
			c.DNSNames = slices.Repeat([]string{strings.Repeat("a", 60) + ".example"}, n)
		})
	}
	chainOf := func(n int) func(p *PKI) []*x509.Certificate {
		return func(p *PKI) []*x509.Certificate {
			return slices.Repeat(parse(p.T(), p.Client("ee/pbgb", certs.RoleUnit, "alice")), n)
		}
	}
	return []clientCase{
		{name: "a chain of 100", want: certs.CheckForm, chain: chainOf(100)},
		{name: "a chain of 1000", want: certs.CheckForm, chain: chainOf(1000)},
		{name: "10,000 names", want: certs.CheckForm, options: with(hosts(10_000))},
		{name: "a megabyte in an extension", want: certs.CheckForm, options: with(certExtension(asn1.ObjectIdentifier{1, 2, 3}, false, make([]byte, 1<<20)))},
	}
}
