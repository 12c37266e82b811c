package attack_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"hash"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestAlgorithms: what signs is one of two algorithms, and the key says which.
//
// DESIGN 5: where the catalogue has 422 for an algorithm that is not allowed,
// it is 400 here: the header says so, and nobody looks at a key.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	cs := carriers(k)
	a.run(each(2, attacks(cs, none()))...)
	a.run(each(2, attacks(cs, secrets()))...)
	a.run(each(2, attacks(cs, otherAlgorithms(t)))...)
	eddsa := map[string]envelope.PrivateKey{
		"ee/pbgb": a.register("ee/pbgb", envelope.UseSign, envelope.EdDSA), "lv/vp": a.register("lv/vp", envelope.UseSign, envelope.EdDSA),
	}
	a.run(attacks(cs, []flaw{{"J4", "EdDSA with a key of P-256", set("alg", `"EdDSA"`), forgedAs("key-alg")}})...)
	a.run(attacks(carriersBy(k, eddsa), []flaw{{"J4", "ES256 with a key of Ed25519", set("alg", `"ES256"`), forgedAs("key-alg")}})...)
	a.given(k)
	a.accepted()
	a.accepted(func(f *forgery) { f.signWith(eddsa["ee/pbgb"]) })
}

// none: no signature at all (J1).
func none() (flaws []flaw) {
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", "\u0430none", ""} {
		named := set("alg", quote(alg))
		with := func(how string, signature func(string) string, reason string) {
			flaws = append(flaws, flaw{"J1", fmt.Sprintf("%q, %s", alg, how), func(j *jws) { named(j); j.signature = signature }, form(reason)})
		}
		with("no signature", func(string) string { return "" }, "parts")
		with("a short signature", func(string) string { return "x" }, "signature-length")
		with("zeroes", func(string) string { return string(make([]byte, 64)) }, "alg")
		with("a valid signature", nil, "alg")
	}
	return flaws
}

// secrets: an HMAC, keyed with what everybody knows of the key (J2).
func secrets() (flaws []flaw) {
	for alg, h := range map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New} {
		for encoding, secret := range map[string]func(envelope.PublicKey) []byte{
			"PEM": func(k envelope.PublicKey) []byte {
				return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(k)})
			},
			"DER": der,
			"JWK": func(k envelope.PublicKey) []byte { raw, err := k.MarshalJWK(nil); must(err); return raw },
			"point": func(k envelope.PublicKey) []byte {
				raw, err := k.CryptoKey().(*ecdsa.PublicKey).Bytes()
				must(err)
				return raw
			},
			"kid": func(k envelope.PublicKey) []byte { return []byte(k.Kid()) },
		} {
			mac := func(j *jws) func(string) string {
				return func(input string) string {
					m := hmac.New(h, secret(j.key.Public()))
					m.Write([]byte(input))
					return string(m.Sum(nil))
				}
			}
			plain := "signature-length"
			if alg == "HS512" {
				plain = "alg"
			}
			named := set("alg", quote(alg))
			flaws = append(flaws,
				flaw{"J2", alg + " of the " + encoding, func(j *jws) { named(j); j.signature = mac(j) }, form(plain)})
			if alg != "HS512" {
				flaws = append(flaws, flaw{"J2", alg + " of the " + encoding + ", filled up", func(j *jws) {
					named(j)
					m := mac(j)
					j.signature = func(input string) string { return (m(input) + string(make([]byte, 32)))[:64] }
				}, form("alg")})
			}
		}
	}
	return flaws
}

func der(k envelope.PublicKey) []byte {
	b, err := x509.MarshalPKIXPublicKey(k.CryptoKey())
	must(err)
	return b
}

// must is for what cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// otherAlgorithms: good signatures of algorithms that are not allowed, and
// names that are not those of the two (J3).
func otherAlgorithms(t *testing.T) (flaws []flaw) {
	t.Helper()
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K", "ESP256", "Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65",
		"ML-DSA-87", "SLH-DSA-SHA2-128s", "HS256", "es256", "Es256", "ES256 ", " ES256", "ES-256", "ES256\u200b", "ЕS256", "EDDSA", "eddsa", "EdDSA ", "ECDSA", "dir", "A256GCM", "ECDH-ES+A256KW", "SHA256", "*"} {
		flaws = append(flaws, flaw{"J3", fmt.Sprintf("%q with a valid signature", alg), set("alg", quote(alg)), form("alg")})
	}
	for name, value := range map[string]string{"null": "null", "number": "256", "true": "true", "list": `["ES256"]`, "object": `{"alg":"ES256"}`, "empty list": "[]"} {
		flaws = append(flaws, flaw{"J3", "alg is " + name, set("alg", value), form("type")})
	}
	flaws = append(flaws, flaw{"J3", "no alg", drop("alg"), form("missing-member")})
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for alg, options := range map[string]crypto.SignerOpts{"RS256": crypto.SHA256, "PS256": &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}} {
		flaws = append(flaws, flaw{"J3", alg + " by RSA", signedBy(alg, func(input string) string {
			sum := sha256.Sum256([]byte(input))
			s, err := signer.Sign(rand.Reader, sum[:], options)
			must(err)
			return string(s)
		}), form("signature-length")})
	}
	for alg, curve := range map[string]elliptic.Curve{"ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
		flaws = append(flaws, flaw{"J3", alg + " by its curve", signedBy(alg, func(input string) string {
			sum := sha512.Sum512([]byte(input))
			r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
			must(err)
			size := (curve.Params().BitSize + 7) / 8
			return string(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
		}), form("signature-length")})
	}
	return flaws
}

// signedBy names an algorithm and signs with it.
func signedBy(alg string, signature func(string) string) func(*jws) {
	return func(j *jws) {
		set("alg", quote(alg))(j)
		j.signature = signature
	}
}
