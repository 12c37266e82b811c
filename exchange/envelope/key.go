package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// Use says what a key may be used for (RFC 7517 section 4.2, with two values of our own).
type Use string

// The uses of keys. A key has exactly one.
const (
	UseSign    Use = "sig"     // manifests, statements, acknowledgements of an agency
	UseEncrypt Use = "enc"     // content for an agency; P-256 only
	UseApprove Use = "approve" // approvals and orders of one person
	UsePolicy  Use = "policy"  // a jurisdiction's declared data and rules
)

const algEncrypt = "ECDH-ES+A256KW"

const (
	maxJWK     = 128 << 10 // bytes of one JWK, with its chain
	maxKeySet  = 4 << 20   // bytes of a JWK Set
	maxKeys    = 256       // keys of a JWK Set
	maxChain   = 8         // certificates of an x5c
	maxCertLen = 16 << 10  // characters of one certificate in x5c
)

// ErrUnsupportedKey: a key that is neither P-256 nor Ed25519, or not allowed for its use.
var ErrUnsupportedKey = errors.New("unsupported key")

// PublicKey is a P-256 or Ed25519 public key with its use. It is immutable and
// safe for concurrent use; the zero value is no key.
type PublicKey struct {
	key    crypto.PublicKey // *ecdsa.PublicKey or ed25519.PublicKey
	kid    string
	use    Use
	alg    string
	fields jwkFields
}

// jwkFields are the members that make up a public key in a JWK.
type jwkFields struct{ kty, crv, x, y string }

// NewPublicKey wraps a key, as a certificate holds it, for a use.
func NewPublicKey(key crypto.PublicKey, use Use) (PublicKey, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return PublicKey{}, ErrUnsupportedKey
		}
		point, err := k.Bytes()
		if err != nil {
			return PublicKey{}, fmt.Errorf("%w: %w", ErrUnsupportedKey, err)
		}
		return newPublicKey(k, use, jwkFields{"EC", "P-256", encode64(point[1:33]), encode64(point[33:])})
	case ed25519.PublicKey:
		if !isStrongEdwards(k) {
			return PublicKey{}, ErrUnsupportedKey
		}
		return newPublicKey(k, use, jwkFields{"OKP", "Ed25519", encode64(k), ""})
	}
	return PublicKey{}, ErrUnsupportedKey
}

func newPublicKey(key crypto.PublicKey, use Use, f jwkFields) (PublicKey, error) {
	alg := ES256
	if f.kty == "OKP" {
		alg = EdDSA
	}
	switch use {
	case UseSign, UseApprove, UsePolicy:
	case UseEncrypt:
		if f.kty != "EC" {
			return PublicKey{}, ErrUnsupportedKey
		}
		alg = algEncrypt
	default:
		return PublicKey{}, ErrUnsupportedKey
	}
	return PublicKey{key: key, kid: f.thumbprint(), use: use, alg: alg, fields: f}, nil
}

// thumbprint is the SHA-256 thumbprint of RFC 7638 and RFC 8037 appendix A.3.
func (f jwkFields) thumbprint() string {
	s := `{"crv":"` + f.crv + `","kty":"` + f.kty + `","x":"` + f.x + `"`
	if f.y != "" {
		s += `,"y":"` + f.y + `"`
	}
	sum := sha256.Sum256([]byte(s + "}"))
	return encode64(sum[:])
}

// IsZero says whether k is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// Kid is the key's id everywhere: its RFC 7638 SHA-256 thumbprint, base64url.
func (k PublicKey) Kid() string { return k.kid }

// Use says what the key may be used for.
func (k PublicKey) Use() Use { return k.use }

// Alg is the one algorithm of the key: ES256, EdDSA or ECDH-ES+A256KW.
func (k PublicKey) Alg() string { return k.alg }

// CryptoKey returns the *ecdsa.PublicKey or ed25519.PublicKey, to be compared
// with a certificate's. It must not be changed.
func (k PublicKey) CryptoKey() crypto.PublicKey { return k.key }

// Equal says whether both are the same key for the same use.
func (k PublicKey) Equal(o PublicKey) bool { return k.fields == o.fields && k.use == o.use }

// verify checks a raw signature (ES256: r and s, RFC 7518 section 3.4; Ed25519:
// RFC 8032, without cofactor) with the one algorithm of the key. An R of small
// order is refused, because libraries differ about it (row J17 of the attack
// catalogue).
func (k PublicKey) verify(input, signature []byte) bool {
	if len(signature) != signatureSize {
		return false
	}
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(input)
		r := new(big.Int).SetBytes(signature[:32])
		s := new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(key, digest[:], r, s)
	case ed25519.PublicKey:
		return !isSmallOrder(signature[:32]) && ed25519.Verify(key, input, signature)
	}
	return false
}

// jwk is a JWK as this package writes it.
type jwk struct {
	Kty string   `json:"kty"`
	Crv string   `json:"crv"`
	X   string   `json:"x"`
	Y   string   `json:"y,omitempty"`
	D   string   `json:"d,omitempty"`
	Kid string   `json:"kid"`
	Use Use      `json:"use"`
	Alg string   `json:"alg"`
	X5C [][]byte `json:"x5c,omitempty"` // encoding/json writes standard base64, as RFC 7517 section 4.7 wants
}

func (k PublicKey) jwk(x5c [][]byte) jwk {
	return jwk{Kty: k.fields.kty, Crv: k.fields.crv, X: k.fields.x, Y: k.fields.y, Kid: k.kid, Use: k.use, Alg: k.alg, X5C: x5c}
}

// MarshalJWK returns the key as a JWK with kid, use, alg and, if there is one,
// the chain of its certificate (DER, leaf first).
func (k PublicKey) MarshalJWK(x5c [][]byte) ([]byte, error) {
	if k.IsZero() {
		return nil, ErrUnsupportedKey
	}
	return json.Marshal(k.jwk(x5c))
}

// PrivateKey is a private key with its use. Printing, logging or marshalling it
// shows its id only; MarshalPrivate is the one way out. The zero value is no key.
type PrivateKey struct {
	public  PublicKey
	private crypto.Signer // *ecdsa.PrivateKey or ed25519.PrivateKey
	scalar  []byte
}

// Generate makes a key for a use; alg is ES256 or EdDSA, and ignored for UseEncrypt.
func Generate(use Use, alg string) (PrivateKey, error) {
	if alg == EdDSA && use != UseEncrypt {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return PrivateKey{}, err
		}
		return newPrivateKey(k, use)
	}
	if alg != ES256 && use != UseEncrypt {
		return PrivateKey{}, ErrUnsupportedKey
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return PrivateKey{}, err
	}
	return newPrivateKey(k, use)
}

// GenerateSigning makes a key of use sig; alg is ES256 or EdDSA.
func GenerateSigning(alg string) (PrivateKey, error) { return Generate(UseSign, alg) }

// GenerateEncryption makes a key of use enc.
func GenerateEncryption() (PrivateKey, error) { return Generate(UseEncrypt, "") }

func newPrivateKey(k crypto.Signer, use Use) (PrivateKey, error) {
	public, err := NewPublicKey(k.Public(), use)
	if err != nil {
		return PrivateKey{}, err
	}
	p := PrivateKey{public: public, private: k}
	switch k := k.(type) {
	case *ecdsa.PrivateKey:
		p.scalar, err = k.Bytes()
	case ed25519.PrivateKey:
		p.scalar = k.Seed()
	}
	return p, err
}

// Public returns the public half.
func (k PrivateKey) Public() PublicKey { return k.public }

// Kid is the id of the key.
func (k PrivateKey) Kid() string { return k.public.kid }

// Use says what the key may be used for.
func (k PrivateKey) Use() Use { return k.public.use }

// IsZero says whether k is no key.
func (k PrivateKey) IsZero() bool { return k.private == nil }

// Signer returns the key as a crypto.Signer, for signatures that are not a part
// of an envelope (certificate requests, policy bundles). It is nil for a key of
// use enc, which signs nothing.
func (k PrivateKey) Signer() crypto.Signer {
	if k.public.use == UseEncrypt {
		return nil
	}
	return k.private
}

// MarshalPrivate returns the key as a private JWK. Whoever stores it restricts
// the file to its owner.
func (k PrivateKey) MarshalPrivate() ([]byte, error) {
	if k.IsZero() {
		return nil, ErrUnsupportedKey
	}
	return json.Marshal(k.privateJWK())
}

func (k PrivateKey) privateJWK() jwk {
	j := k.public.jwk(nil)
	j.D = encode64(k.scalar)
	return j
}

// MarshalJSON refuses: a private key leaves through MarshalPrivate only.
func (k PrivateKey) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a private key is not marshalled by accident")
}

// Format prints the id of the key, whatever the verb.
func (k PrivateKey) Format(s fmt.State, _ rune) { fmt.Fprint(s, "PrivateKey("+k.public.kid+")") }

// keyClaims is a JWK as this package reads it.
type keyClaims struct {
	jwkFields
	d, kid, use, alg string
	x5c              [][]byte
}

// octets is canonical base64url of exactly 32 bytes.
var octets = shape[string]{read: func(r *reader, dst *string) {
	v := r.str()
	if r.err == nil && !isDigest(v) {
		r.fail(ReasonBase64, "canonical base64url of 32 bytes")
		return
	}
	*dst = string(v)
}}

var certificateShape = shape[[]byte]{read: func(r *reader, dst *[]byte) {
	v := r.str()
	der, err := base64.StdEncoding.Strict().DecodeString(string(v))
	if r.err == nil && (err != nil || len(v) == 0 || len(v) > maxCertLen || base64.StdEncoding.EncodeToString(der) != string(v)) {
		r.fail(ReasonBase64, "a DER certificate in canonical base64")
		return
	}
	*dst = der
}}

// keyShape is a JWK: public, or private with d and without x5c.
func keyShape(private bool) shape[keyClaims] {
	members := []member[keyClaims]{
		must("kty", "", enum("EC", "OKP"), func(k *keyClaims) *string { return &k.kty }),
		must("crv", "", enum("P-256", "Ed25519"), func(k *keyClaims) *string { return &k.crv }),
		must("x", "", octets, func(k *keyClaims) *string { return &k.x }),
		may("y", "", octets, func(k *keyClaims) *string { return &k.y }),
		must("use", "", enum("sig", "enc", "approve", "policy"), func(k *keyClaims) *string { return &k.use }),
		may("kid", "", octets, func(k *keyClaims) *string { return &k.kid }),
		may("alg", "", enum(ES256, EdDSA, algEncrypt), func(k *keyClaims) *string { return &k.alg }),
	}
	if private {
		return object(append(members, must("d", "", octets, func(k *keyClaims) *string { return &k.d }))...)
	}
	return object(append(members, may("x5c", "", list(certificateShape, 1, maxChain), func(k *keyClaims) *[][]byte { return &k.x5c }))...)
}

var (
	publicKeyShape  = keyShape(false)
	privateKeyShape = keyShape(true)
)

// public checks a JWK's values and makes the key.
func (c keyClaims) public() (PublicKey, error) {
	var key crypto.PublicKey
	switch {
	case c.kty == "EC" && c.crv == "P-256" && c.y != "":
		k, err := pointP256(c.x, c.y)
		if err != nil {
			return PublicKey{}, malformed(ReasonCurve, "/x: a point of P-256")
		}
		key = k
	case c.kty == "OKP" && c.crv == "Ed25519" && c.y == "":
		x, _ := decode64([]byte(c.x))
		if !isStrongEdwards(x) {
			return PublicKey{}, malformed(ReasonCurve, "/x: a canonical point of Ed25519, not of small order")
		}
		key = ed25519.PublicKey(x)
	default:
		return PublicKey{}, malformed(ReasonValue, "/crv: EC with P-256, x and y, or OKP with Ed25519 and x")
	}
	k, err := newPublicKey(key, Use(c.use), c.jwkFields)
	switch {
	case err != nil:
		return PublicKey{}, malformed(ReasonValue, "/use: enc for P-256 only")
	case c.kid != "" && c.kid != k.kid:
		return PublicKey{}, malformed(ReasonKeyMismatch, "/kid: the thumbprint of the key")
	case c.alg != "" && c.alg != k.alg:
		return PublicKey{}, malformed(ReasonKeyMismatch, "/alg: the algorithm of the key and its use")
	}
	return k, nil
}

// pointP256 makes a key of canonical coordinates, refusing what is not on the curve.
func pointP256(x, y string) (*ecdsa.PublicKey, error) {
	px, ok1 := decode64([]byte(x))
	py, ok2 := decode64([]byte(y))
	if !ok1 || !ok2 {
		return nil, ErrUnsupportedKey
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, px...), py...))
}

// private checks that d belongs to the public half and makes the key.
func (c keyClaims) private() (PrivateKey, error) {
	public, err := c.public()
	if err != nil {
		return PrivateKey{}, err
	}
	d, _ := decode64([]byte(c.d))
	var k PrivateKey
	if c.kty == "OKP" {
		k, err = newPrivateKey(ed25519.NewKeyFromSeed(d), Use(c.use))
	} else {
		var e *ecdsa.PrivateKey
		if e, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), d); err == nil {
			k, err = newPrivateKey(e, Use(c.use))
		}
	}
	if err != nil || !k.public.Equal(public) {
		return PrivateKey{}, malformed(ReasonKeyMismatch, "/d: the private half of the key")
	}
	return k, nil
}
