package certs_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// scene is a directory of lists and the Trust that reads it, on a clock of its own.
type scene struct {
	*PKI
	t       *testing.T
	now     time.Time
	config  certs.RevocationConfig
	anchors *certs.Anchors
	trust   *certs.Trust
}

func newScene(t *testing.T, edit func(*certs.RevocationConfig)) *scene {
	s := &scene{t: t, now: time.Now(), config: certs.RevocationConfig{Dir: t.TempDir(), Optional: []string{certs.EveryJurisdiction}}}
	s.PKI = NewAt(t, func() time.Time { return s.now })
	if edit != nil {
		edit(&s.config)
	}
	s.anchors = s.Anchors("ee", "lv")
	return s
}

// load reads the lists for the first time, reload once more.
func (s *scene) load() {
	s.t.Helper()
	r, err := s.config.Load(nil, s.anchors, s.now)
	s.set(r, err)
}

func (s *scene) reload() {
	s.t.Helper()
	r, err := s.config.Load(s.trust.Revocations, s.anchors, s.now)
	s.set(r, err)
}

func (s *scene) set(r *certs.Revocations, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	s.trust = &certs.Trust{Anchors: s.anchors, Revocations: r}
}

func (s *scene) client(agency string, options ...Option) []*x509.Certificate {
	s.t.Helper()
	return parse(s.t, s.Client(agency, certs.RoleUnit, "alice", options...))
}

func (s *scene) expect(what string, chain []*x509.Certificate, want certs.Check) {
	s.t.Helper()
	peer, err := s.trust.VerifyClient(chain, s.now)
	if got := certs.Failed(err); got != want || (err == nil) != (want == "") {
		s.t.Errorf("%s: failed check is %q, want %q: %v", what, got, want, err)
	}
	if err != nil && peer != (certs.Peer{}) {
		s.t.Errorf("%s: a refused peer is returned", what)
	}
}

func (s *scene) crl(data []byte) { write(s.t, s.config.Dir, "ee.crl", string(data)) }

// list is a good list of the authority of ee, number 5, changed by edit.
func (s *scene) list(edit func(*x509.RevocationList)) *x509.RevocationList {
	l := &x509.RevocationList{Number: big.NewInt(5), ThisUpdate: s.now, NextUpdate: s.now.Add(time.Hour)}
	if edit != nil {
		edit(l)
	}
	return l
}

func TestRevoked(t *testing.T) {
	s := newScene(t, nil)
	alice, bob, lv := s.client("ee/pbgb"), s.client("ee/pbgb"), s.client("lv/vp")
	s.load()
	s.expect("without a list", alice, "")
	s.Revoke("ee", alice[0])
	s.WriteCRL(s.config.Dir, "ee")
	s.expect("before the reload", alice, "")
	s.reload()
	s.expect("revoked", alice, certs.CheckRevoked)
	s.expect("another of the same agency", bob, "")
	s.expect("another jurisdiction", lv, "")
	s.now = s.now.Add(10 * time.Minute)
	s.expect("revoked, later", alice, certs.CheckRevoked)
}

// A list of one jurisdiction says nothing about certificates of another, even with the same serial number.
func TestRevokedSerialOfAnother(t *testing.T) {
	s := newScene(t, nil)
	alice := s.client("ee/pbgb")
	s.Revoke("lv", alice[0])
	s.WriteCRL(s.config.Dir, "lv")
	s.WriteCRL(s.config.Dir, "ee")
	s.load()
	s.expect("serial number on the list of lv", alice, "")
}

func TestCRLRefused(t *testing.T) {
	s := newScene(t, nil)
	ee, lv := s.Authority("EE", nil, nil), s.Authority("LV", nil, nil)
	noCRL := s.Authority("EE without cRLSign", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	s.anchors = anchorsOf(t, "ee", ee.Certificate, noCRL.Certificate)
	twin := s.Authority("EE", nil, nil)
	chain := s.client("ee/pbgb", Root(ee))
	good := s.CRL(ee, s.list(nil))
	delta := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	indirect := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}
	for name, data := range map[string][]byte{
		"empty":         {},
		"text":          []byte("hello"),
		"cut off":       good[:len(good)-1],
		"more after it": append(append([]byte{}, good...), 0),
		"flipped bit":   flip(good, len(good)-3),
		"of another":    s.CRL(lv, s.list(nil)),
		"of a twin":     s.CRL(twin, s.list(nil)),
		"of the future": s.CRL(ee, s.list(func(l *x509.RevocationList) { l.ThisUpdate = s.now.Add(6 * time.Minute) })),
		"delta":         s.CRL(ee, s.list(func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{delta} })),
		"indirect": s.CRL(ee, s.list(func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: s.now, ExtraExtensions: []pkix.Extension{indirect}}}
		})),
		"PEM with a key":       []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		"certificates only":    certs.EncodeChain(ee.Certificate),
		"unknown issuer":       append(pemCRL(good), certs.EncodeChain(lv.Certificate)...),
		"one good and one bad": append(pemCRL(good), pemCRL(s.CRL(lv, s.list(nil)))...),
		"leaf as an issuer":    append(pemCRL(good), certs.EncodeChain(chain[0])...),
	} {
		s.crl(data)
		s.load()
		s.expect(name, chain, certs.CheckCRL)
		if status := s.trust.Revocations.Status(); len(status) != 1 || status[0].Err == nil {
			t.Errorf("%s: status %+v", name, status)
		}
	}
	s.crl(good)
	s.load()
	s.expect("good", chain, "")
	s.expect("an issuer without a list", s.client("ee/pbgb", Root(noCRL)), certs.CheckCRL)
	s.crl(pemCRL(good))
	s.load()
	s.expect("good PEM", chain, "")
}

func flip(data []byte, at int) []byte {
	data = append([]byte{}, data...)
	data[at] ^= 1
	return data
}

func pemCRL(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }

func TestCRLNumberMustRise(t *testing.T) {
	s := newScene(t, nil)
	ee := s.Authority("EE", nil, nil)
	s.anchors = anchorsOf(t, "ee", ee.Certificate)
	chain := s.client("ee/pbgb", Root(ee))
	revoked := s.CRL(ee, s.list(func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: chain[0].SerialNumber, RevocationTime: s.now}}
	}))
	s.crl(revoked)
	s.load()
	s.expect("revoked", chain, certs.CheckRevoked)
	numbered := func(n int64) []byte {
		return s.CRL(ee, s.list(func(l *x509.RevocationList) { l.Number = big.NewInt(n) }))
	}
	for name, data := range map[string][]byte{"lower number": numbered(4), "same number": numbered(5), "damaged": []byte("x")} {
		s.crl(data)
		s.reload()
		s.expect(name, chain, certs.CheckRevoked)
		if status := s.trust.Revocations.Status(); len(status) != 1 || status[0].Number != "5" || status[0].Err == nil {
			t.Errorf("%s: status %+v", name, status)
		}
	}
	if err := os.Remove(filepath.Join(s.config.Dir, "ee.crl")); err != nil {
		t.Fatal(err)
	}
	s.reload()
	s.expect("file is gone", chain, certs.CheckRevoked)
	s.crl(revoked)
	s.reload()
	if status := s.trust.Revocations.Status(); status[0].Err != nil || status[0].Revoked != 1 {
		t.Errorf("the same list again: %+v", status)
	}
	s.crl(numbered(6))
	s.reload()
	s.expect("a newer list without it", chain, "")
}

func TestCRLStale(t *testing.T) {
	s := newScene(t, func(c *certs.RevocationConfig) { c.Grace = 10 * time.Minute })
	ee, lv := s.client("ee/pbgb", Valid(s.now, s.now.Add(5*time.Hour))), s.client("lv/vp", Valid(s.now, s.now.Add(5*time.Hour)))
	s.WriteCRL(s.config.Dir, "ee")
	s.load()
	status := s.trust.Revocations.Status()[0]
	for after, want := range map[time.Duration]certs.CRLState{
		29 * time.Minute: certs.CRLFresh, 31 * time.Minute: certs.CRLAging, 59 * time.Minute: certs.CRLAging,
		61 * time.Minute: certs.CRLOverdue, 69 * time.Minute: certs.CRLOverdue, 71 * time.Minute: certs.CRLLapsed,
	} {
		if got := status.State(s.now.Add(after)); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	s.now = s.now.Add(time.Hour + 9*time.Minute)
	s.expect("in grace", ee, "")
	s.now = s.now.Add(2 * time.Minute)
	s.expect("after grace", ee, certs.CheckCRL)
	s.expect("another jurisdiction", lv, "")
	s.WriteCRL(s.config.Dir, "ee")
	s.reload()
	s.expect("after a new list", ee, "")
}

func TestCRLRequired(t *testing.T) {
	s := newScene(t, func(c *certs.RevocationConfig) { c.Optional = []string{"lv"} })
	s.load()
	s.expect("required and absent", s.client("ee/pbgb"), certs.CheckCRL)
	s.expect("not required", s.client("lv/vp"), "")
	s.WriteCRL(s.config.Dir, "ee")
	s.reload()
	s.expect("required and present", s.client("ee/pbgb"), "")
	s.config.Dir = filepath.Join(s.config.Dir, "absent")
	if _, err := s.config.Load(nil, s.anchors, s.now); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// An intermediate authority issues the list of its leaves; the list of the anchor revokes the intermediate.
func TestCRLOfIntermediate(t *testing.T) {
	s := newScene(t, nil)
	root := s.Authority("EE root", nil, nil)
	key := s.NewKey()
	chain := s.client("ee/pbgb", Root(root), ThroughKey(key, nil))
	middle := &Authority{Certificate: chain[1], Key: key}
	s.anchors = anchorsOf(t, "ee", root.Certificate)
	revokes := func(cert *x509.Certificate) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: cert.SerialNumber, RevocationTime: s.now}}
		}
	}
	issuer := certs.EncodeChain(chain[1])
	for name, c := range map[string]struct {
		data []byte
		want certs.Check
	}{
		"list of the anchor only":         {pemCRL(s.CRL(root, s.list(nil))), certs.CheckCRL},
		"list without its issuer":         {pemCRL(s.CRL(middle, s.list(nil))), certs.CheckCRL},
		"list of the intermediate":        {append(pemCRL(s.CRL(middle, s.list(nil))), issuer...), ""},
		"leaf revoked by it":              {append(pemCRL(s.CRL(middle, s.list(revokes(chain[0])))), issuer...), certs.CheckRevoked},
		"leaf's serial on the other list": {append(append(pemCRL(s.CRL(middle, s.list(nil))), pemCRL(s.CRL(root, s.list(revokes(chain[0]))))...), issuer...), ""},
		"intermediate revoked":            {append(append(pemCRL(s.CRL(middle, s.list(nil))), pemCRL(s.CRL(root, s.list(revokes(chain[1]))))...), issuer...), certs.CheckRevoked},
	} {
		s.crl(c.data)
		s.load()
		s.expect(name, chain, c.want)
	}
}

func TestKeyRevoked(t *testing.T) {
	s := newScene(t, nil)
	key := s.NewKey()
	chain := s.Key("ee/pbgb", certs.UseSig, "k1", key.Public())
	used := s.now.Add(time.Minute)
	s.now = s.now.Add(10 * time.Minute)
	s.Revoke("ee", chain[0])
	s.WriteCRL(s.config.Dir, "ee")
	s.load()
	verify := func(at time.Time) certs.Check {
		return certs.Failed(s.trust.VerifyKey(chain, "ee/pbgb", certs.UseSig, key.Public(), at, s.now))
	}
	if got := verify(s.now); got != certs.CheckRevoked {
		t.Errorf("used now: %q", got)
	}
	if got := verify(used); got != "" {
		t.Errorf("used before it was revoked: %q", got)
	}
	s.now = s.now.Add(20 * time.Minute)
	if got := verify(s.now.Add(-time.Minute)); got != certs.CheckRevoked {
		t.Errorf("used after it was revoked: %q", got)
	}
	s.trust.Revocations = nil
	if got := verify(s.now); got != "" {
		t.Errorf("without lists: %q", got)
	}
}
