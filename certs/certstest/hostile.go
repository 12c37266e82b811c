package certstest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// Option changes what is issued. Options are applied in their order; without any the certificate is a good one.
type Option func(*order)

// order is a certificate to be made: what stands in it, who signs it, what is presented with it.
type order struct {
	pki      *PKI
	template *x509.Certificate
	uris     []string
	key      crypto.Signer    // the leaf's, if it is made here
	pub      crypto.PublicKey // the leaf's, otherwise
	issuer   *x509.Certificate
	signer   crypto.Signer
	extra    []*x509.Certificate // presented after the leaf
	self     bool
}

// Edit changes the template as you like, but for URI SANs: those are for URIs.
func Edit(edit func(template *x509.Certificate)) Option {
	return func(o *order) { edit(o.template) }
}

// URIs puts these strings as URI SANs, well formed or not; none for no URI SAN.
func URIs(uris ...string) Option { return func(o *order) { o.uris = uris } }

// EKU sets the extended key usages; none for no such extension.
func EKU(usages ...x509.ExtKeyUsage) Option {
	return Edit(func(t *x509.Certificate) { t.ExtKeyUsage = usages })
}

// KeyUsage sets the key usage; 0 for no such extension.
func KeyUsage(usage x509.KeyUsage) Option {
	return Edit(func(t *x509.Certificate) { t.KeyUsage = usage })
}

// AsCA makes the leaf a CA certificate.
func AsCA() Option {
	return Edit(func(t *x509.Certificate) { t.IsCA, t.BasicConstraintsValid = true, true })
}

// Valid sets the dates.
func Valid(from, until time.Time) Option {
	return Edit(func(t *x509.Certificate) { t.NotBefore, t.NotAfter = from, until })
}

// Expired makes the certificate end a minute ago.
func Expired() Option {
	return func(o *order) {
		now := o.pki.clock()
		o.template.NotBefore, o.template.NotAfter = now.Add(-time.Hour), now.Add(-time.Minute)
	}
}

// NotYetValid makes the certificate begin in an hour.
func NotYetValid() Option {
	return func(o *order) {
		now := o.pki.clock()
		o.template.NotBefore, o.template.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour)
	}
}

// WithKey makes it for this key.
func WithKey(key crypto.Signer) Option { return func(o *order) { o.key = key } }

// ForPublicKey makes it for a key whose private part nobody needs.
func ForPublicKey(pub crypto.PublicKey) Option { return func(o *order) { o.pub = pub } }

// Hosts sets the DNS and IP SANs.
func Hosts(hosts ...string) Option {
	return Edit(func(t *x509.Certificate) { setHosts(t, hosts) })
}

// SignedBy has it signed by the authority of this jurisdiction, whatever it says.
func SignedBy(jurisdiction string) Option {
	return func(o *order) {
		a := o.pki.authority(jurisdiction)
		o.issuer, o.signer = a.ca.Certificate(), a.key
	}
}

// SelfSigned has it signed with its own key.
func SelfSigned() Option { return func(o *order) { o.self = true } }

// Rogue has it signed by an authority with the same name and serial number as the true one, but another key, which is
// presented as well.
func Rogue() Option {
	return func(o *order) {
		key := o.pki.NewKey()
		twin := *o.issuer
		o.issuer = o.pki.sign(&x509.Certificate{
			SerialNumber: twin.SerialNumber, RawSubject: twin.RawSubject, NotBefore: twin.NotBefore, NotAfter: twin.NotAfter,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: twin.KeyUsage, SubjectKeyId: twin.SubjectKeyId,
		}, nil, key.Public(), key)
		o.signer = key
		o.extra = append(o.extra, o.issuer)
	}
}

// Through puts an intermediate authority between the issuer so far and the leaf, and presents it. edit may be nil. The
// authorities of certs.CA may not have any: use it after Root.
func Through(edit func(template *x509.Certificate)) Option { return ThroughKey(nil, edit) }

// ThroughKey is Through with the key of the intermediate; nil for a new P-256 key.
func ThroughKey(key crypto.Signer, edit func(template *x509.Certificate)) Option {
	return func(o *order) {
		signer := key
		if signer == nil {
			signer = o.pki.NewKey()
		}
		template := authorityTemplate("intermediate", o.pki.clock())
		if edit != nil {
			edit(template)
		}
		o.issuer = o.pki.sign(template, o.issuer, signer.Public(), o.signer)
		o.signer = signer
		o.extra = append([]*x509.Certificate{o.issuer}, o.extra...)
	}
}

// Root has it signed by this authority.
func Root(root *Authority) Option {
	return func(o *order) { o.issuer, o.signer = root.Certificate, root.Key }
}

// Presenting adds certificates to those presented after the leaf.
func Presenting(extra ...*x509.Certificate) Option {
	return func(o *order) { o.extra = append(o.extra, extra...) }
}

// Alone presents the leaf without any others, whatever earlier options added.
func Alone() Option { return func(o *order) { o.extra = nil } }

// Authority is one with free choice of what stands in its certificate.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Authority makes an authority that signs itself, without name or path constraints unless edit sets them. key may be nil for a
// new P-256 key, edit may be nil.
func (p *PKI) Authority(name string, key crypto.Signer, edit func(template *x509.Certificate)) *Authority {
	p.t.Helper()
	if key == nil {
		key = p.NewKey()
	}
	template := authorityTemplate(name, p.clock())
	if edit != nil {
		edit(template)
	}
	return &Authority{Certificate: p.sign(template, nil, key.Public(), key), Key: key}
}

// CrossSign makes by's certificate for the name and key of another authority.
func (p *PKI) CrossSign(by, other *Authority) *x509.Certificate {
	p.t.Helper()
	template := authorityTemplate(other.Certificate.Subject.CommonName, p.clock())
	return p.sign(template, by.Certificate, other.Key.Public(), by.Key)
}

// CRL signs a list with anything in it, in DER.
func (p *PKI) CRL(issuer *Authority, list *x509.RevocationList) []byte {
	p.t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer.Certificate, issuer.Key)
	p.must(err)
	return der
}

func authorityTemplate(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(caLifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (p *PKI) leafTemplate(name string) *x509.Certificate {
	now := p.clock()
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(leafValidity),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func (p *PKI) newOrder(jurisdiction, name string) *order {
	p.t.Helper()
	a := p.authority(jurisdiction)
	return &order{pki: p, template: p.leafTemplate(name), key: p.NewKey(), issuer: a.ca.Certificate(), signer: a.key}
}

func (p *PKI) clientOrder(id certs.Identity) *order {
	o := p.newOrder(id.Jurisdiction, id.Name)
	o.uris = []string{id.String()}
	o.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return o
}

func (p *PKI) keyOrder(id certs.KeyIdentity) *order {
	o := p.newOrder(id.Jurisdiction, id.Name)
	o.uris = []string{id.String()}
	if id.Use == certs.UseEnc {
		o.template.KeyUsage = x509.KeyUsageKeyAgreement
	}
	return o
}

func (p *PKI) serverOrder(hosts ...string) *order {
	o := p.newOrder(serverDomain, hosts[0])
	o.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	setHosts(o.template, hosts)
	return o
}

// issue gives the chain to present, leaf first.
func (p *PKI) issue(o *order, options []Option) []*x509.Certificate {
	p.t.Helper()
	for _, option := range options {
		option(o)
	}
	pub := o.pub
	if pub == nil {
		pub = o.key.Public()
	}
	o.setNames()
	issuer, signer := o.issuer, o.signer
	if o.self {
		issuer, signer = nil, o.key
	}
	leaf := p.sign(o.template, issuer, pub, signer)
	return append([]*x509.Certificate{leaf}, o.extra...)
}

// setNames writes the SAN extension by hand as soon as there are URIs, since x509 refuses to write malformed ones.
func (o *order) setNames() {
	if len(o.uris) == 0 {
		return
	}
	var names []asn1.RawValue
	add := func(tag int, value []byte) {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: value})
	}
	for _, uri := range o.uris {
		add(6, []byte(uri))
	}
	for _, name := range o.template.DNSNames {
		add(2, []byte(name))
	}
	for _, ip := range o.template.IPAddresses {
		add(7, ip)
	}
	for _, mail := range o.template.EmailAddresses {
		add(1, []byte(mail))
	}
	value, err := asn1.Marshal(names)
	o.pki.must(err)
	o.template.ExtraExtensions = append(o.template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
}

// sign makes a certificate; a nil issuer stands for the certificate itself.
func (p *PKI) sign(template, issuer *x509.Certificate, pub crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	p.t.Helper()
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, pub, signer)
	p.must(err)
	cert, err := x509.ParseCertificate(der)
	p.must(err)
	return cert
}

func setHosts(t *x509.Certificate, hosts []string) {
	t.DNSNames, t.IPAddresses = nil, nil
	for _, host := range hosts {
		ip := net.ParseIP(host)
		switch {
		case ip == nil:
			t.DNSNames = append(t.DNSNames, host)
		case ip.To4() != nil:
			t.IPAddresses = append(t.IPAddresses, bytes.Clone(ip.To4()))
		default:
			t.IPAddresses = append(t.IPAddresses, ip)
		}
	}
}

// serial is random, as crypto/rand never fails.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[0] |= 1
	return new(big.Int).SetBytes(b)
}
