package exchange_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// object is a JSON object.
type object = map[string]any

// signed is a compact JWS (RFC 7515) of any header and claims, with a valid
// ES256 signature of the key: what no sealer of ours would make.
func signed(t testing.TB, key envelope.PrivateKey, header, claims object) []byte {
	t.Helper()
	return resign(t, key, []byte(encoded(t, header)), []byte(encoded(t, claims)))
}

// resign makes a compact JWS of header and payload as they stand there.
func resign(t testing.TB, key envelope.PrivateKey, header, payload []byte) []byte {
	t.Helper()
	input := slices.Concat(header, []byte("."), payload)
	digest := sha256.Sum256(input)
	der, err := key.Signer().Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var point struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &point); err != nil {
		t.Fatal(err)
	}
	signature := append(point.R.FillBytes(make([]byte, 32)), point.S.FillBytes(make([]byte, 32))...)
	return append(append(input, '.'), base64.RawURLEncoding.EncodeToString(signature)...)
}

func encoded(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// claimsOf are the claims of a compact JWS.
func claimsOf(t testing.TB, jws []byte) object {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(string(bytes.Split(jws, []byte("."))[1]))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var claims object
	if err := d.Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// resigned is a manifest or statement with changed claims and header, signed
// again with the key.
func resigned(t testing.TB, key envelope.PrivateKey, typ string, jws []byte, edit func(header, claims object)) []byte {
	t.Helper()
	header := object{"alg": "ES256", "kid": key.Kid(), "typ": typ}
	claims := claimsOf(t, jws)
	edit(header, claims)
	return signed(t, key, header, claims)
}

// sha is SHA-256, base64url.
func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
