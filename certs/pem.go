package certs

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// PEM labels (RFC 7468).
const (
	labelCertificate = "CERTIFICATE"
	labelKey         = "PRIVATE KEY"
	labelRequest     = "CERTIFICATE REQUEST"
	labelCRL         = "X509 CRL"
)

// maxFile bounds what is read of any file but a revocation list; maxPEMBlocks how many certificates one file may hold.
const (
	maxFile      = 1 << 20
	maxPEMBlocks = 256
)

// ParseChain parses a file of PEM certificates in the order of the file, at least one and at most 256. Unlike encoding/pem it
// skips nothing: a damaged block, a private key or any other block is an error. Text between blocks is allowed.
func ParseChain(data []byte) ([]*x509.Certificate, error) {
	blocks, err := parsePEM(data, labelCertificate)
	if err != nil {
		return nil, err
	}
	chain := make([]*x509.Certificate, 0, len(blocks))
	for _, block := range blocks {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, formError(fmt.Errorf("certificate %d: %w", len(chain)+1, err))
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

// EncodeChain gives the certificates as PEM, in their order.
func EncodeChain(chain ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range chain {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: labelCertificate, Bytes: cert.Raw}))
	}
	return b.Bytes()
}

// ParseDER parses a chain of DER certificates, as they stand in an x5c member (RFC 7517 section 4.7), leaf first.
func ParseDER(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, formError(errors.New("no certificate"))
	}
	out := make([]*x509.Certificate, 0, len(chain))
	for i, der := range chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, formError(fmt.Errorf("certificate %d: %w", i+1, err))
		}
		out = append(out, cert)
	}
	return out, nil
}

// ParsePrivateKey parses one PKCS #8 private key in PEM. Keys that this package would refuse in a certificate are refused.
func ParsePrivateKey(data []byte) (crypto.Signer, error) {
	keys, err := parsePrivateKeys(data, 1)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// parsePrivateKeys parses one to most private keys.
func parsePrivateKeys(data []byte, most int) ([]crypto.Signer, error) {
	blocks, err := parsePEM(data, labelKey)
	if err != nil {
		return nil, err
	}
	if len(blocks) > most {
		return nil, formError(fmt.Errorf("%d private keys instead of %d", len(blocks), most))
	}
	keys := make([]crypto.Signer, 0, len(blocks))
	for _, block := range blocks {
		key, err := parsePKCS8(block.Bytes)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePKCS8(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, formError(fmt.Errorf("private key: %w", err))
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, formError(fmt.Errorf("a private key of type %T cannot sign", key))
	}
	if err := strongKey(signer.Public()); err != nil {
		return nil, &Error{Check: CheckKey, Subject: "private key", Err: err, Fix: strongFix}
	}
	return signer, nil
}

// EncodePrivateKey gives the key as PKCS #8 in PEM.
func EncodePrivateKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, setupError("private key", err, "use an ECDSA, Ed25519 or RSA key")
	}
	return pem.EncodeToMemory(&pem.Block{Type: labelKey, Bytes: der}), nil
}

// KeyPair joins a chain (leaf first) and its private key for crypto/tls. The key must be the leaf's.
func KeyPair(chain []*x509.Certificate, key crypto.Signer) (tls.Certificate, error) {
	if len(chain) == 0 || key == nil {
		return tls.Certificate{}, formError(errors.New("no certificate, or no private key"))
	}
	if !sameKey(chain[0].PublicKey, key.Public()) {
		return tls.Certificate{}, &Error{
			Check: CheckKey, Subject: describe(chain[0]), Err: errors.New("the private key is not the certificate's"),
			Fix: "put the certificate and the private key of the same request side by side",
		}
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, cert := range chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	return pair, nil
}

// Fingerprint is base64url, without padding, of the SHA-256 of the certificate's DER.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// parsePEM gives all blocks, which must be of the labels given. encoding/pem skips a block that it cannot read as if it were
// text; counting the beginnings shows that.
func parsePEM(data []byte, labels ...string) ([]*pem.Block, error) {
	begun := bytes.Count(data, []byte("-----BEGIN "))
	if begun > maxPEMBlocks {
		return nil, formError(fmt.Errorf("more than %d PEM blocks", maxPEMBlocks))
	}
	var blocks []*pem.Block
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if err := checkBlock(block, labels); err != nil {
			return nil, err
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		return nil, formError(fmt.Errorf("no PEM block %q", labels[0]))
	}
	if len(blocks) != begun {
		return nil, formError(errors.New("a damaged PEM block"))
	}
	return blocks, nil
}

func checkBlock(block *pem.Block, labels []string) error {
	if len(block.Headers) > 0 {
		return formError(errors.New("a PEM block with headers"))
	}
	for _, label := range labels {
		if block.Type == label {
			return nil
		}
	}
	return formError(fmt.Errorf("a PEM block %.40q where only %q may stand", block.Type, labels))
}

func formError(err error) *Error {
	return &Error{
		Check: CheckForm, Subject: "data", Err: err,
		Fix: "give PEM (RFC 7468) with whole blocks and nothing but what belongs there: certificates leaf first, or one PKCS #8 private key",
	}
}

// EncodeCRL gives a revocation list as PEM.
func EncodeCRL(list *x509.RevocationList) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: labelCRL, Bytes: list.Raw})
}
