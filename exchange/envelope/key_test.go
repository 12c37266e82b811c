package envelope

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
)

// TestThumbprints: the examples of RFC 7638's successors in kind: RFC 8037
// appendix A.3 for Ed25519.
func TestThumbprints(t *testing.T) {
	k, err := ParsePublicJWK([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig"}`))
	if err != nil || k.Kid() != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Fatalf("%s, %v", k.Kid(), err)
	}
}

func TestKeyRoundTrips(t *testing.T) {
	var all []PrivateKey
	for _, use := range []Use{UseSign, UseEncrypt, UseApprove, UsePolicy} {
		for _, alg := range []string{ES256, EdDSA} {
			k, err := Generate(use, alg)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, k)
			again, err := ParsePrivateJWK(must2(k.MarshalPrivate()))
			if err != nil || !again.Public().Equal(k.Public()) || again.Kid() != k.Kid() || again.Use() != use {
				t.Fatalf("%s %s: %v", use, alg, err)
			}
			published, err := ParsePublicJWK(must2(k.Public().MarshalJWK([][]byte{{1, 2, 3}})))
			if err != nil || !published.Equal(k.Public()) || !bytes.Equal(published.X5C[0], []byte{1, 2, 3}) {
				t.Fatalf("%s %s: %v", use, alg, err)
			}
			wrapped, err := NewPublicKey(k.Public().CryptoKey(), use)
			if err != nil || !wrapped.Equal(k.Public()) || wrapped.Alg() != k.Public().Alg() {
				t.Fatalf("%s %s: %v", use, alg, err)
			}
			if (k.Signer() == nil) != (use == UseEncrypt) {
				t.Fatalf("%s: signer", use)
			}
		}
	}
	set, err := ParsePrivateSet(must2(MarshalPrivateSet(all)))
	if err != nil || len(set) != len(all) {
		t.Fatal(err)
	}
	var published KeySet
	for _, k := range all {
		published = append(published, PublishedKey{PublicKey: k.Public()})
	}
	var again KeySet
	if err := json.Unmarshal(must2(json.Marshal(published)), &again); err != nil || len(again) != len(all) {
		t.Fatal(err)
	}
	if _, ok := again.Find(all[3].Kid()); !ok {
		t.Fatal("key not found")
	}
	if _, ok := again.Find(forgeSalt); ok {
		t.Fatal("found a key that is not there")
	}
}

// TestPrivateKeyStaysInside: no way of printing shows the private half.
func TestPrivateKeyStaysInside(t *testing.T) {
	k, err := GenerateSigning(ES256)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("key", k))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("key", k), slog.Any("in", struct{ K PrivateKey }{k}))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		fmt.Fprintf(&log, format, k)
		fmt.Fprintf(&log, format, []PrivateKey{k})
	}
	raw, jsonErr := json.Marshal(k)
	log.Write(raw)
	secret := k.scalar
	for _, s := range []string{encode64(secret), fmt.Sprintf("%x", secret), new(big.Int).SetBytes(secret).String(), fmt.Sprint(secret)} {
		if strings.Contains(log.String(), s) {
			t.Fatalf("the private half is printed: %s", log.String())
		}
	}
	if jsonErr == nil {
		t.Fatal("json.Marshal of a private key did not fail")
	}
}

// TestKeysRefused: what is neither P-256 nor a sound Ed25519 key.
func TestKeysRefused(t *testing.T) {
	p384 := must2(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	rsaKey := must2(rsa.GenerateKey(rand.Reader, 2048))
	for name, key := range map[string]any{
		"P-384": &p384.PublicKey, "RSA": &rsaKey.PublicKey, "nil": nil, "short": ed25519.PublicKey{1}, "small order": ed25519.PublicKey(make([]byte, 32)),
	} {
		if _, err := NewPublicKey(key, UseSign); !errors.Is(err, ErrUnsupportedKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	if _, err := NewPublicKey(public, UseEncrypt); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("Ed25519 for encryption: %v", err)
	}
	if _, err := NewPublicKey(public, "tls"); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("unknown use: %v", err)
	}
	if _, err := Generate(UseSign, "RS256"); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("unknown algorithm: %v", err)
	}
	if _, err := (PublicKey{}).MarshalJWK(nil); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("zero key: %v", err)
	}
	if _, err := (PrivateKey{}).MarshalPrivate(); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("zero key: %v", err)
	}
}

// TestZeroKeyVerifiesNothing: fail closed.
func TestZeroKeyVerifiesNothing(t *testing.T) {
	if err := (&JWS{}).VerifySignature(PublicKey{}); !errors.Is(err, ErrRejected) {
		t.Fatal(err)
	}
	k, _ := GenerateSigning(ES256)
	forged := &JWS{Alg: ES256, Kid: k.Kid(), use: UseSign}
	if err := forged.VerifySignature(k.Public()); !errors.Is(err, ErrRejected) {
		t.Fatal(err)
	}
}

// TestEdwardsPoints: every generated key is a point, half of all others are none.
func TestEdwardsPoints(t *testing.T) {
	for range 50 {
		k, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !isStrongEdwards(k) {
			t.Fatalf("refused %x", k)
		}
	}
	points := 0
	b := make([]byte, 32)
	for range 200 {
		rand.Read(b)
		if isStrongEdwards(b) {
			points++
		}
	}
	if points < 50 || points > 150 {
		t.Fatalf("%d of 200 random encodings are points", points)
	}
}

// TestSignatureUnderSmallOrderKey: why such keys are refused: one signature
// verifies any message.
func TestSignatureUnderSmallOrderKey(t *testing.T) {
	identity := make(ed25519.PublicKey, 32)
	identity[0] = 1
	signature := append(bytes.Clone(identity), make([]byte, 32)...)
	if !ed25519.Verify(identity, []byte("anything"), signature) {
		t.Fatal("the standard library refuses it now: the check of the order is a second line")
	}
	if isStrongEdwards(identity) {
		t.Fatal("a key of order one is accepted")
	}
}
