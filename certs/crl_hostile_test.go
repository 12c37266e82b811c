package certs_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// signedList is what an authority signs (RFC 5280 section 5.1), written here
// since crypto/x509 does not write what it would refuse.
type signedList struct {
	Raw        asn1.RawContent
	Version    int `asn1:"optional,default:0"`
	Signature  pkix.AlgorithmIdentifier
	Issuer     pkix.RDNSequence
	ThisUpdate time.Time
	NextUpdate time.Time        `asn1:"optional"`
	Revoked    []asn1.RawValue  `asn1:"optional"`
	Extensions []pkix.Extension `asn1:"tag:0,optional,explicit"`
}

// forge signs a list again after edit, with what x509 would not write.
func forge(t *testing.T, by *Authority, der []byte, edit func(*signedList)) []byte {
	t.Helper()
	var list struct {
		TBSCertList        signedList
		SignatureAlgorithm pkix.AlgorithmIdentifier
		SignatureValue     asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &list); err != nil {
		t.Fatal(err)
	}
	list.TBSCertList.Raw = nil
	edit(&list.TBSCertList)
	tbs, err := asn1.Marshal(list.TBSCertList)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(tbs)
	signature, err := by.Key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	list.SignatureValue = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	out, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, list.SignatureAlgorithm, list.SignatureValue})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func entry(serial *big.Int, at time.Time, extensions ...pkix.Extension) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: at, ExtraExtensions: extensions})
	}
}

func extension(t *testing.T, critical bool, value any, id ...int) pkix.Extension {
	t.Helper()
	raw, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: id, Critical: critical, Value: raw}
}

// Lists that the authority itself signed, and that are refused all the same (row M8 of the attack catalogue).
func TestSignedCRLRefused(t *testing.T) {
	s := newScene(t, nil)
	ee := s.Authority("EE", nil, nil)
	s.anchors = anchorsOf(t, "ee", ee.Certificate)
	chain := s.client("ee/pbgb", Root(ee))
	good := s.CRL(ee, s.list(nil))
	never := func(*signedList) {}
	for name, data := range map[string][]byte{
		"no nextUpdate":           forge(t, ee, good, func(l *signedList) { l.NextUpdate = time.Time{} }),
		"due before it is issued": forge(t, ee, good, func(l *signedList) { l.NextUpdate = l.ThisUpdate }),
		"no number":               forge(t, ee, good, func(l *signedList) { l.Extensions = nil }),
		"negative number": forge(t, ee, good, func(l *signedList) {
			l.Extensions = []pkix.Extension{extension(t, false, big.NewInt(-1), 2, 5, 29, 20)}
		}),
		"number of 21 octets": forge(t, ee, good, func(l *signedList) {
			l.Extensions = []pkix.Extension{extension(t, false, new(big.Int).Lsh(big.NewInt(1), 160), 2, 5, 29, 20)}
		}),
		"unknown critical extension": s.CRL(ee, s.list(func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{extension(t, true, 1, 2, 5, 29, 99)}
		})),
		"partitioned": s.CRL(ee, s.list(func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{extension(t, true, struct{}{}, 2, 5, 29, 28)}
		})),
		"unknown critical extension of an entry": s.CRL(ee, s.list(entry(big.NewInt(1), s.now, extension(t, true, 1, 2, 5, 29, 99)))),
		"malformed invalidity date":              s.CRL(ee, s.list(entry(big.NewInt(1), s.now, extension(t, false, "today", 2, 5, 29, 24)))),
		"two of one issuer":                      append(pemCRL(good), pemCRL(s.CRL(ee, s.list(func(l *x509.RevocationList) { l.Number = big.NewInt(6) })))...),
		"signed by nobody":                       flip(good, len(good)-1),
	} {
		s.crl(data)
		s.load()
		s.expect(name, chain, certs.CheckCRL)
		if _, err := s.anchors.ReadCRLs("ee", data, s.now); certs.Failed(err) != certs.CheckCRL {
			t.Errorf("%s: brought: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{
		"as it was": forge(t, ee, good, never),
		"extensions that nobody must know": s.CRL(ee, s.list(func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{extension(t, false, 1, 2, 5, 29, 99)}
			entry(big.NewInt(1), s.now, extension(t, false, 1, 2, 5, 29, 99))(l)
		})),
		"number of 20 octets": s.CRL(ee, s.list(func(l *x509.RevocationList) { l.Number = new(big.Int).Lsh(big.NewInt(1), 158) })),
	} {
		s.crl(data)
		s.load()
		s.expect(name, chain, "")
	}
}

// What nobody could mean as a list costs no memory.
func TestCRLOf100MB(t *testing.T) {
	s := newScene(t, nil)
	file := filepath.Join(s.config.Dir, "ee.crl")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 100<<20); err != nil {
		t.Fatal(err)
	}
	s.load()
	s.expect("100 MB", s.client("ee/pbgb"), certs.CheckCRL)
	if status := s.trust.Revocations.Status(); len(status) != 1 || !strings.Contains(fmt.Sprint(status[0].Err), "longer than") {
		t.Errorf("it was read: %+v", status)
	}
	s.expect("another jurisdiction", s.client("lv/vp"), "")
}

// A serial number that stands twice on a list counts from the earlier time; an invalidity date before the revocation counts.
func TestRevokedSince(t *testing.T) {
	s := newScene(t, nil)
	ee := s.Authority("EE", nil, nil)
	s.anchors = anchorsOf(t, "ee", ee.Certificate)
	key := s.NewKey()
	chain := s.Key("ee/pbgb", certs.UseSig, "k1", key.Public(), Root(ee))
	serial, start := chain[0].SerialNumber, s.now
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	lost := func(minutes int) pkix.Extension {
		value, err := asn1.MarshalWithParams(at(minutes).UTC().Truncate(time.Second), "generalized")
		if err != nil {
			t.Fatal(err)
		}
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: value}
	}
	twice := func(l *x509.RevocationList) {
		entry(serial, at(20))(l)
		entry(serial, at(10))(l)
		entry(serial, at(30))(l)
	}
	s.now = at(40)
	for name, c := range map[string]struct {
		edit      func(*x509.RevocationList)
		good, bad int
	}{
		"once":              {entry(serial, at(20)), 19, 21},
		"three times":       {twice, 9, 11},
		"lost before":       {entry(serial, at(20), lost(10)), 9, 11},
		"lost after":        {entry(serial, at(20), lost(30)), 19, 21},
		"another's invalid": {func(l *x509.RevocationList) { entry(big.NewInt(7), at(5), lost(1))(l); entry(serial, at(20))(l) }, 19, 21},
	} {
		s.crl(s.CRL(ee, s.list(c.edit)))
		s.load()
		verify := func(used time.Time) certs.Check {
			return certs.Failed(s.trust.VerifyKey(chain, "ee/pbgb", certs.UseSig, key.Public(), used, s.now))
		}
		if got := verify(at(c.good)); got != "" {
			t.Errorf("%s: used after %d minutes: %q", name, c.good, got)
		}
		for _, used := range []time.Time{at(c.bad), s.now} {
			if got := verify(used); got != certs.CheckRevoked {
				t.Errorf("%s: used at %s: %q", name, used.Sub(start), got)
			}
		}
	}
}

// What is kept outlives the process: a restart with an older file, or none, takes nothing back.
func TestKeptCRL(t *testing.T) {
	s := newScene(t, func(c *certs.RevocationConfig) { c.Optional = nil })
	ee := s.Authority("EE", nil, nil)
	s.anchors = anchorsOf(t, "ee", ee.Certificate)
	chain := s.client("ee/pbgb", Root(ee))
	numbered := func(n int64, edit func(*x509.RevocationList)) []byte {
		return s.CRL(ee, s.list(func(l *x509.RevocationList) {
			if edit != nil {
				edit(l)
			}
			l.Number = big.NewInt(n)
		}))
	}
	s.crl(numbered(4, nil))
	s.load()
	s.expect("the file alone", chain, "")
	brought, err := s.anchors.ReadCRLs("ee", numbered(5, entry(chain[0].SerialNumber, s.now)), s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.config.Kept.Lists = map[string][][]byte{"ee": {brought[0].PEM}}
	for name, file := range map[string][]byte{"an older file": numbered(4, nil), "the same number": numbered(5, nil), "damaged": []byte("x")} {
		s.crl(file)
		s.load()
		s.expect(name, chain, certs.CheckRevoked)
		if status := s.trust.Revocations.Status(); len(status) != 1 || status[0].Err == nil || status[0].Number != "5" {
			t.Errorf("%s: %+v", name, status)
		}
	}
	if err := os.Remove(filepath.Join(s.config.Dir, "ee.crl")); err != nil {
		t.Fatal(err)
	}
	s.load()
	s.expect("no file", chain, certs.CheckRevoked)
	if lists := s.trust.Revocations.Lists("ee"); len(lists) != 1 || !bytes.Equal(lists[0].PEM, brought[0].PEM) || lists[0].Number.Int64() != 5 {
		t.Errorf("%+v", lists)
	}
	if status := s.trust.Revocations.Status(); status[0].Err != nil {
		t.Errorf("kept without a file: %+v", status)
	}
	s.crl(numbered(6, nil))
	s.load()
	s.expect("a newer file", chain, "")
	// What no anchor vouches for any more is not believed, kept or not.
	s.anchors = anchorsOf(t, "ee", s.Authority("EE", nil, nil).Certificate)
	s.crl(nil)
	s.reload()
	if lists := s.trust.Revocations.Lists("ee"); len(lists) != 0 {
		t.Errorf("lists of an authority that was removed: %+v", lists)
	}
}

// A longer grace is one jurisdiction's, and never shortens what the configuration gives.
func TestKeptGrace(t *testing.T) {
	s := newScene(t, func(c *certs.RevocationConfig) { c.Grace = 10 * time.Minute })
	long := Valid(s.now, s.now.Add(9*time.Hour))
	ee, lv := s.client("ee/pbgb", long), s.client("lv/vp", long)
	s.WriteCRL(s.config.Dir, "ee")
	s.WriteCRL(s.config.Dir, "lv")
	due := s.now.Add(time.Hour)
	s.config.Kept.Grace = map[string]time.Time{"ee": due.Add(time.Hour), "lv": due.Add(time.Minute)}
	s.load()
	for _, c := range []struct {
		after  time.Duration
		ee, lv certs.Check
	}{{9 * time.Minute, "", ""}, {11 * time.Minute, "", certs.CheckCRL}, {59 * time.Minute, "", certs.CheckCRL}, {61 * time.Minute, certs.CheckCRL, certs.CheckCRL}} {
		s.now = due.Add(c.after)
		s.expect("ee after "+c.after.String(), ee, c.ee)
		s.expect("lv after "+c.after.String(), lv, c.lv)
	}
	// A revoked certificate is refused as such, however old the list is.
	s.now = due.Add(30 * time.Minute)
	s.Revoke("ee", ee[0])
	s.WriteCRL(s.config.Dir, "ee")
	s.reload()
	s.now = s.now.Add(5 * time.Hour)
	s.expect("revoked on a list that has lapsed", ee, certs.CheckRevoked)
}

// The states of a list are in the order from good to bad, and the worst refuse.
func TestCRLStates(t *testing.T) {
	s := newScene(t, func(c *certs.RevocationConfig) { c.Optional, c.Grace = []string{"lv"}, 10*time.Minute })
	s.load()
	status := s.trust.Revocations.Status()
	if len(status) != 1 || status[0].Jurisdiction != "ee" || status[0].State(s.now) != certs.CRLMissing || status[0].Err == nil {
		t.Errorf("without lists: %+v", status)
	}
	if !s.trust.Revocations.Checks("ee") || s.trust.Revocations.Checks("lv") {
		t.Error("ee is to be checked, lv is not")
	}
	want := []certs.CRLState{certs.CRLFresh, certs.CRLAging, certs.CRLOverdue, certs.CRLLapsed, certs.CRLMissing}
	if !slices.Equal(certs.CRLStates(), want) {
		t.Errorf("%v", certs.CRLStates())
	}
}
