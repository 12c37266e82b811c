package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// An identity has one spelling, and is never the identity of a key.
func FuzzParseIdentity(f *testing.F) {
	for _, seed := range []string{
		"spiffe://ee/pbgb/unit/alice", "spiffe://ee/pbgb/key/sig/2026", "SPIFFE://ee/pbgb/unit/alice", "spiffe://ee/pbgb/unit/alice/",
		"spiffe://ee//unit/alice", "spiffe://ee/pbgb/unit/%61lice", "spiffe://ee/../unit/alice", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		id, err := ParseIdentity(uri)
		if err != nil {
			if Failed(err) != CheckIdentity || id != (Identity{}) {
				t.Fatalf("%q: %+v, %v", uri, id, err)
			}
			return
		}
		checkSegments(t, id.Jurisdiction, id.Agency, id.Role, id.Name)
		if id.String() != uri || id.Validate() != nil {
			t.Fatalf("%q became %q", uri, id)
		}
		if _, err := ParseKeyIdentity(uri); err == nil {
			t.Fatalf("%q is an identity and a key", uri)
		}
	})
}

func FuzzParseKeyIdentity(f *testing.F) {
	for _, seed := range []string{
		"spiffe://ee/pbgb/key/sig/2026", "spiffe://ee/pbgb/key/enc/a-b", "spiffe://ee/pbgb/unit/alice", "spiffe://ee/pbgb/key/tls/x",
		"spiffe://ee/pbgb/key/sig/2026#", "spiffe://ee/pbgb/Key/sig/2026",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		id, err := ParseKeyIdentity(uri)
		if err != nil {
			if Failed(err) != CheckIdentity || id != (KeyIdentity{}) {
				t.Fatalf("%q: %+v, %v", uri, id, err)
			}
			return
		}
		checkSegments(t, id.Jurisdiction, id.Agency, id.Use, id.Name)
		if id.String() != uri || id.Validate() != nil {
			t.Fatalf("%q became %q", uri, id)
		}
		if _, err := ParseIdentity(uri); err == nil {
			t.Fatalf("%q is an identity and a key", uri)
		}
	})
}

func checkSegments(t *testing.T, segments ...string) {
	t.Helper()
	for _, s := range segments {
		if len(s) == 0 || len(s) > 63 || bytes.ContainsFunc([]byte(s), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }) {
			t.Fatalf("segment %q", s)
		}
	}
}

// What is parsed is all that the file says: it can be written and read again.
func FuzzParseChain(f *testing.F) {
	ca, err := NewCA("ee", time.Now, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	good := EncodeChain(ca.Certificate())
	f.Add(good)
	f.Add(EncodeChain(ca.Certificate(), ca.Certificate()))
	f.Add(append([]byte("text before it\n"), good...))
	f.Add(good[:len(good)/2])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		chain, err := ParseChain(data)
		if err != nil {
			if Failed(err) != CheckForm || chain != nil {
				t.Fatalf("%v, %v", chain, err)
			}
			return
		}
		if len(chain) == 0 || len(chain) != bytes.Count(data, []byte("-----BEGIN ")) {
			t.Fatalf("%d certificates", len(chain))
		}
		again, err := ParseChain(EncodeChain(chain...))
		if err != nil || len(again) != len(chain) {
			t.Fatalf("%d certificates became %d: %v", len(chain), len(again), err)
		}
	})
}

// A list that the authority did not sign is never believed, whatever the file looks like.
func FuzzRevocationList(f *testing.F) {
	now := time.Now()
	ca, err := NewCA("ee", func() time.Time { return now }, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	ca.Revoke(big.NewInt(42))
	good, err := ca.CRL(big.NewInt(7), now.Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	list, err := parseCRL(good)
	if err != nil {
		f.Fatal(err)
	}
	digest := sha256.Sum256(list.RawTBSRevocationList)
	anchors := []Anchor{{Certificate: ca.Certificate()}}
	block := pem.EncodeToMemory(&pem.Block{Type: labelCRL, Bytes: good})
	f.Add(good)
	f.Add(block)
	f.Add(append(bytes.Clone(block), EncodeChain(ca.Certificate())...))
	f.Add([]byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set := &crlSet{lists: map[keyID]*crl{}}
		if err := set.read(data, anchors, now); err != nil {
			if len(set.lists) != 0 {
				t.Fatal("a refused file left a list behind")
			}
			return
		}
		if len(set.lists) != 1 {
			t.Fatalf("%d lists of one authority", len(set.lists))
		}
		for _, list := range set.lists {
			if _, revoked := list.revokedAt(big.NewInt(42)); list.digest != digest || !revoked {
				t.Fatal("a list that was never signed")
			}
		}
	})
}

// RFC 5280 demands nextUpdate, RFC 5280 section 5.2.3 a number; x509 does not make lists without them.
func TestCRLWithoutNumberOrEnd(t *testing.T) {
	now := time.Now()
	ca, err := NewCA("ee", func() time.Time { return now }, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	der, err := ca.CRL(big.NewInt(7), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*x509.RevocationList){
		"":           func(*x509.RevocationList) {},
		"number":     func(l *x509.RevocationList) { l.Number = nil },
		"nextUpdate": func(l *x509.RevocationList) { l.NextUpdate = time.Time{} },
	} {
		list, err := parseCRL(der)
		if err != nil {
			t.Fatal(err)
		}
		edit(list)
		if _, err := newCRL(list, []*x509.Certificate{ca.Certificate()}, now); (err == nil) != (name == "") {
			t.Errorf("without %q: %v", name, err)
		}
	}
}

// What is remembered of peers is bounded.
func TestKnownPeersAreBounded(t *testing.T) {
	known := knownPeers{peers: map[[sha256.Size]byte]knownPeer{}}
	now := time.Now()
	for i := range 2*maxKnown + 3 {
		key := sha256.Sum256(big.NewInt(int64(i)).Bytes())
		known.put(key, knownPeer{from: now, until: now})
		if _, ok := known.get(key, now); !ok || len(known.peers) > maxKnown {
			t.Fatalf("after %d: known %v, %d remembered", i, ok, len(known.peers))
		}
	}
}
