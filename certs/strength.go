package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

const strongFix = "make a new key: ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits"

// The sizes of RSA keys that are accepted: below, they can be broken; above, a stranger's certificate costs the server more
// than it costs the stranger.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// strongKey refuses keys of unknown kinds and of sizes outside the limits.
func strongKey(pub crypto.PublicKey) error {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("a weak key: curve %s", key.Curve.Params().Name)
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("a weak or oversized key: RSA of %d bits", bits)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("a key of an unknown kind (%T)", pub)
}

// sameKey compares public keys by their encoding, so that an *ecdh.PublicKey equals the *ecdsa.PublicKey of the same point.
func sameKey(a, b crypto.PublicKey) bool {
	x, errX := x509.MarshalPKIXPublicKey(a)
	y, errY := x509.MarshalPKIXPublicKey(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
