package envelope

import (
	"encoding/json"
	"slices"
)

// PublishedKey is a public key with the chain of its certificate, as the
// directory serves it. The chain is not verified here.
type PublishedKey struct {
	PublicKey
	X5C [][]byte // DER, leaf first; may be empty
}

// MarshalJSON returns the key as a JWK.
func (k PublishedKey) MarshalJSON() ([]byte, error) { return k.MarshalJWK(k.X5C) }

// UnmarshalJSON reads a JWK as ParsePublicJWK does.
func (k *PublishedKey) UnmarshalJSON(raw []byte) error {
	p, err := ParsePublicJWK(raw)
	if err == nil {
		*k = p
	}
	return err
}

// KeySet is a public JWK Set, at most 256 keys, each kid once.
type KeySet []PublishedKey

// Find returns the key with this kid.
func (s KeySet) Find(kid string) (PublishedKey, bool) {
	for _, k := range s {
		if k.kid == kid {
			return k, true
		}
	}
	return PublishedKey{}, false
}

// MarshalJSON returns the set as {"keys": […]}.
func (s KeySet) MarshalJSON() ([]byte, error) {
	set := struct {
		Keys []PublishedKey `json:"keys"`
	}{append([]PublishedKey{}, s...)}
	return json.Marshal(set)
}

// UnmarshalJSON reads a set as ParseKeySet does.
func (s *KeySet) UnmarshalJSON(raw []byte) error {
	set, err := ParseKeySet(raw)
	if err == nil {
		*s = set
	}
	return err
}

type keysMember[K any] struct{ keys []K }

func keySetShape[K any](k shape[K]) shape[keysMember[K]] {
	return object(must("keys", "", list(k, 0, maxKeys), func(s *keysMember[K]) *[]K { return &s.keys }))
}

var (
	publicSetShape  = keySetShape(publicKeyShape)
	privateSetShape = keySetShape(privateKeyShape)
)

// ParsePublicJWK reads a public JWK strictly: kty, crv, x, y, use, and optionally
// kid (which must be the thumbprint), alg (which must be the key's) and x5c;
// nothing else, no d and no key_ops. Its error is an ErrMalformed.
func ParsePublicJWK(raw []byte) (PublishedKey, error) {
	c, err := readKey(raw, publicKeyShape)
	if err != nil {
		return PublishedKey{}, err
	}
	k, err := c.public()
	return PublishedKey{PublicKey: k, X5C: c.x5c}, within(err, "jwk")
}

// ParsePrivateJWK reads a private JWK strictly: as ParsePublicJWK, with d and
// without x5c. Its error is an ErrMalformed.
func ParsePrivateJWK(raw []byte) (PrivateKey, error) {
	c, err := readKey(raw, privateKeyShape)
	if err != nil {
		return PrivateKey{}, err
	}
	k, err := c.private()
	return k, within(err, "jwk")
}

func readKey(raw []byte, k shape[keyClaims]) (c keyClaims, err error) {
	if len(raw) > maxJWK {
		return c, malformed(ReasonTooLarge, "jwk")
	}
	err = readAll(raw, signedDialect, k, &c)
	return c, within(err, "jwk")
}

// ParseKeySet reads a public JWK Set strictly. Its error is an ErrMalformed.
func ParseKeySet(raw []byte) (KeySet, error) {
	claims, err := readSet(raw, publicSetShape)
	if err != nil {
		return nil, err
	}
	set := make(KeySet, 0, len(claims))
	for _, c := range claims {
		k, err := c.public()
		if err != nil {
			return nil, within(err, "jwks")
		}
		if _, twice := set.Find(k.kid); twice {
			return nil, malformed(ReasonDuplicateValue, "jwks /keys: each key once")
		}
		set = append(set, PublishedKey{PublicKey: k, X5C: c.x5c})
	}
	return set, nil
}

// ParsePrivateSet reads a private JWK Set strictly, such as decrypt.jwks. Its
// error is an ErrMalformed.
func ParsePrivateSet(raw []byte) ([]PrivateKey, error) {
	claims, err := readSet(raw, privateSetShape)
	if err != nil {
		return nil, err
	}
	set := make([]PrivateKey, 0, len(claims))
	for _, c := range claims {
		k, err := c.private()
		if err != nil {
			return nil, within(err, "jwks")
		}
		if slices.ContainsFunc(set, func(o PrivateKey) bool { return o.Kid() == k.Kid() }) {
			return nil, malformed(ReasonDuplicateValue, "jwks /keys: each key once")
		}
		set = append(set, k)
	}
	return set, nil
}

// MarshalPrivateSet returns keys as a private JWK Set. Whoever stores it
// restricts the file to its owner.
func MarshalPrivateSet(keys []PrivateKey) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{make([]jwk, 0, len(keys))}
	for _, k := range keys {
		if k.IsZero() {
			return nil, ErrUnsupportedKey
		}
		set.Keys = append(set.Keys, k.privateJWK())
	}
	return json.Marshal(set)
}

func readSet(raw []byte, k shape[keysMember[keyClaims]]) ([]keyClaims, error) {
	if len(raw) > maxKeySet {
		return nil, malformed(ReasonTooLarge, "jwks")
	}
	var set keysMember[keyClaims]
	err := readAll(raw, signedDialect, k, &set)
	return set.keys, within(err, "jwks")
}
