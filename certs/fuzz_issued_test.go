package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkCheck: what is refused is refused by a named check, with a fix, on one line.
func checkCheck(t *testing.T, err error) {
	t.Helper()
	if Failed(err) == "" || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error out of place: %v", err)
	}
}

// FuzzIssued has the real authority of a jurisdiction issue certificates with any names, uses and dates, so that fuzzing gets past the
// signature: what is taken for a client or a key is exactly what the documentation of VerifyClient and VerifyKey says.
func FuzzIssued(f *testing.F) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	ca, err := NewCA("ee", func() time.Time { return now }, 24*time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	anchors, err := NewAnchors(map[string][]Anchor{"ee": {{Certificate: ca.Certificate()}}})
	if err != nil {
		f.Fatal(err)
	}
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	const client, agency = "spiffe://ee/pbgb/unit/alice", "ee/pbgb"
	f.Add(client, "", uint16(x509.KeyUsageDigitalSignature), []byte{2}, false, int32(0), int32(60))
	f.Add("spiffe://ee/pbgb/key/sig/2026", "", uint16(x509.KeyUsageDigitalSignature), []byte{}, false, int32(0), int32(60))
	f.Add("spiffe://ee/pbgb/key/enc/2026", "", uint16(x509.KeyUsageKeyAgreement), []byte{}, false, int32(0), int32(60))
	f.Add(client, "", uint16(x509.KeyUsageDigitalSignature), []byte{2, 0}, false, int32(0), int32(60))
	f.Add(client, "", uint16(x509.KeyUsageDigitalSignature), []byte{}, false, int32(0), int32(60))
	f.Add(client, "", uint16(x509.KeyUsageDigitalSignature|x509.KeyUsageCRLSign), []byte{2}, false, int32(0), int32(60))
	f.Add("spiffe://ee/pbgb/key/sig/2026", "", uint16(x509.KeyUsageDigitalSignature), []byte{1}, false, int32(0), int32(60))
	f.Add("spiffe://lv/vp/unit/alice", "", uint16(x509.KeyUsageDigitalSignature), []byte{2}, false, int32(0), int32(60))
	f.Add(client, "spiffe://ee/pbgb/unit/bob", uint16(1), []byte{2}, false, int32(0), int32(60))
	f.Add("SPIFFE://ee/pbgb/unit/alice", "", uint16(1), []byte{2, 0}, true, int32(-100), int32(-1))
	f.Fuzz(func(t *testing.T, uri, second string, usage uint16, extended []byte, isCA bool, from, until int32) {
		cert, err := ca.issueAny(uri, second, x509.KeyUsage(usage), extended, isCA, now.Add(time.Duration(from)*time.Second), now.Add(time.Duration(until)*time.Second), key.Public())
		if err != nil {
			return // crypto/x509 makes no such certificate, or does not read it
		}
		chain := []*x509.Certificate{cert}
		dated := from <= 0 && until >= 0
		signs := cert.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) == 0 && !isCA
		peer, err := anchors.VerifyClient(chain, now)
		if err != nil {
			checkCheck(t, err)
		}
		id, idErr := ParseIdentity(uri)
		good := idErr == nil && second == "" && id.Jurisdiction == "ee" && id.Role != RoleOperator && dated && signs &&
			cert.KeyUsage&x509.KeyUsageDigitalSignature != 0 && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
		if good != (err == nil) || good && (peer.Identity != id || peer.Fingerprint != Fingerprint(cert)) {
			t.Fatalf("%q: good: %v; %+v, %v", uri, good, peer, err)
		}
		for _, use := range uses {
			want := x509.KeyUsageDigitalSignature
			if use == UseEnc {
				want = x509.KeyUsageKeyAgreement
			}
			id, idErr := ParseKeyIdentity(uri)
			good := idErr == nil && second == "" && id.AgencyID() == agency && id.Use == use && dated && signs && cert.KeyUsage == want &&
				!slices.ContainsFunc(cert.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
					return u == x509.ExtKeyUsageAny || u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageServerAuth
				})
			err := anchors.VerifyKey(chain, agency, use, key.Public(), now)
			if good != (err == nil) {
				t.Fatalf("%q for %s: good: %v; %v", uri, use, good, err)
			}
		}
	})
}

// issueAny issues what an authority should not: any URI names, usages and dates.
func (ca *CA) issueAny(uri, second string, usage x509.KeyUsage, extended []byte, isCA bool, from, until time.Time, pub any) (*x509.Certificate, error) {
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(uri)}}
	if second != "" {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(second)})
	}
	san, err := asn1.Marshal(names)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: from, NotAfter: until, KeyUsage: usage & 0x1ff, IsCA: isCA, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: oidSubjectAltName, Critical: true, Value: san}}}
	for _, e := range extended[:min(len(extended), 8)] {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsage(e%14))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, pub, ca.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// FuzzCSR signs requests with any names: what is accepted has one name, a known form, and is issued exactly that.
func FuzzCSR(f *testing.F) {
	ca, err := NewCA("ee", time.Now, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("spiffe://ee/pbgb/unit/alice", byte(tagURI), "", "")
	f.Add("spiffe://ee/pbgb/key/sig/1", byte(tagURI), "x", "")
	f.Add("spiffe://ee/pbgb/unit/alice", byte(2), "exchange.example", "")
	f.Add("spiffe://ee/pbgb/unit/alice", byte(2), "", "-----END CERTIFICATE REQUEST-----")
	f.Add("spiffe://lv/vp/unit/alice", byte(1), "", "\n-----BEGIN X-----\n")
	f.Fuzz(func(t *testing.T, uri string, tag byte, second, around string) {
		names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(uri)}}
		if second != "" {
			names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: int(tag % 9), Bytes: []byte(second)})
		}
		san, err := asn1.Marshal(names)
		if err != nil {
			return
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{ExtraExtensions: []pkix.Extension{{Id: oidSubjectAltName, Value: san}}}, key)
		if err != nil {
			return
		}
		data := append([]byte(around), pem.EncodeToMemory(&pem.Block{Type: labelRequest, Bytes: der})...)
		request, err := ParseCSR(data)
		if err != nil {
			checkCheck(t, err)
			if cert, err := ca.IssueFromCSR(data, time.Minute); err == nil {
				t.Fatalf("issued to a refused request: %s", describe(cert))
			}
			return
		}
		if second != "" && (tag%9 == 1 || tag%9 == 2 || tag%9 == tagURI || tag%9 == 7) {
			t.Fatalf("%q beside %q", second, request.ID)
		}
		if request.ID != uri || !key.PublicKey.Equal(request.Key) || requestable(uri) != nil {
			t.Fatalf("%q is read as %+v", uri, request)
		}
		cert, err := ca.IssueFromCSR(data, time.Minute)
		if own := strings.HasPrefix(uri, "spiffe://ee/"); own != (err == nil) {
			t.Fatalf("%q is the authority's own: %v; issued: %v", uri, own, err)
		}
		if err == nil {
			if got, err := onlyURI(cert); err != nil || got != uri || cert.IsCA {
				t.Fatalf("issued %q, %v", got, err)
			}
		}
	})
}

// FuzzServerCSR: the request of a server has hosts and no identity, whatever else it asks for.
func FuzzServerCSR(f *testing.F) {
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("exchange.example", []byte{127, 0, 0, 1}, byte(tagURI), "")
	f.Add("*.example", []byte{}, byte(tagURI), "spiffe://ee/pbgb/unit/alice")
	f.Add("", []byte{1, 2, 3}, byte(1), "a@b")
	f.Fuzz(func(t *testing.T, host string, ip []byte, tag byte, other string) {
		var names []asn1.RawValue
		for tag, value := range map[int][]byte{2: []byte(host), 7: ip, int(tag % 9): []byte(other)} {
			if len(value) > 0 {
				names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: value})
			}
		}
		san, err := asn1.Marshal(names)
		if err != nil {
			return
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{ExtraExtensions: []pkix.Extension{{Id: oidSubjectAltName, Value: san}}}, key)
		if err != nil {
			return
		}
		data := pem.EncodeToMemory(&pem.Block{Type: labelRequest, Bytes: der})
		request, err := ParseServerCSR(data)
		if err != nil {
			checkCheck(t, err)
			return
		}
		if len(request.Hosts) == 0 || !key.PublicKey.Equal(request.Key) {
			t.Fatalf("read as %+v", request)
		}
		if identity, err := ParseCSR(data); err == nil {
			t.Fatalf("a server's request and that of %s", identity.ID)
		}
	})
}

// FuzzKeyID: the digest of a key in a binding has one spelling.
func FuzzKeyID(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := parseKeyID(s); err == nil && base64.RawURLEncoding.EncodeToString(id[:]) != s {
			t.Fatalf("%q is read as %x", s, id)
		}
	})
}

// FuzzParsePrivateKey: a private key is refused by a named check, or comes back as it was and can sign.
func FuzzParsePrivateKey(f *testing.F) {
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := EncodePrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...))
	f.Add(bytes.Replace(good, []byte("PRIVATE KEY"), []byte("EC PRIVATE KEY"), 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParsePrivateKey(data)
		if err != nil {
			checkCheck(t, err)
			return
		}
		again, err := EncodePrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePrivateKey(again)
		if err != nil || !sameKey(back.Public(), key.Public()) || strongKey(key.Public()) != nil {
			t.Fatalf("read back as %v, %v", back, err)
		}
	})
}

// FuzzDER: certificates of an x5c are refused, or verify as nobody whom the anchors do not know.
func FuzzDER(f *testing.F) {
	now := time.Now()
	ours, err := NewCA("ee", func() time.Time { return now }, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	other, err := NewCA("ee", func() time.Time { return now }, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	anchors, err := NewAnchors(map[string][]Anchor{"ee": {{Certificate: ours.Certificate()}}})
	if err != nil {
		f.Fatal(err)
	}
	leaf, err := other.IssueClient(Identity{"ee", "pbgb", RoleUnit, "alice"}, other.key.Public(), time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(leaf.Raw, ours.Certificate().Raw)
	f.Add(other.Certificate().Raw, leaf.Raw)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		chain, err := ParseDER([][]byte{first, second})
		if err != nil {
			checkCheck(t, err)
			return
		}
		if len(chain) != 2 {
			t.Fatalf("%d certificates", len(chain))
		}
		if peer, err := anchors.VerifyClient(chain, now); err == nil {
			t.Fatalf("verified as %+v", peer.Identity)
		}
		if err := anchors.VerifyKey(chain, "ee/pbgb", UseSig, chain[0].PublicKey, now); err == nil {
			t.Fatal("verified as a key")
		}
	})
}

// FuzzLoadAnchors: anchors and their limits are refused, or say exactly what the two files say.
func FuzzLoadAnchors(f *testing.F) {
	ca, err := NewCA("ee", time.Now, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	good, fingerprint := EncodeChain(ca.Certificate()), Fingerprint(ca.Certificate())
	f.Add(good, []byte("# comment\n"+fingerprint+" pbgb tolli\n"))
	f.Add(good, []byte("* pbgb\n* tolli\n"))
	f.Add(append(bytes.Clone(good), good...), []byte("x y\n"))
	f.Add(good, []byte("* PBGB ../x\n"))
	f.Add(good, []byte{})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, certificates, limits []byte) {
		for name, data := range map[string][]byte{"ee" + anchorExt: certificates, "ee" + limitExt: limits} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		anchors, err := LoadAnchors(dir)
		if err != nil {
			checkCheck(t, err)
			return
		}
		chain, err := ParseChain(certificates)
		if err != nil || len(anchors.Of("ee")) == 0 || len(anchors.Of("ee")) > len(chain) || !slices.Equal(anchors.Jurisdictions(), []string{"ee"}) {
			t.Fatalf("%d anchors of %d certificates, %v", len(anchors.Of("ee")), len(chain), err)
		}
		for _, a := range anchors.Of("ee") {
			if !a.Certificate.IsCA || slices.ContainsFunc(a.Agencies, func(s string) bool { return !validSegment(s) }) {
				t.Fatalf("anchor %s for %q", describe(a.Certificate), a.Agencies)
			}
		}
	})
}
