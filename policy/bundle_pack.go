package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// Names of the files of a packed bundle that are no policy.
const (
	manifestFile   = ".manifest"
	signaturesFile = ".signatures.json"
)

// Signature algorithms of bundles: those of the envelope.
const (
	algES256 = "ES256"
	algEdDSA = "EdDSA"
)

// manifest is the .manifest of a packed bundle, all of it.
type manifest struct {
	Revision    string           `json:"revision"`
	Roots       []string         `json:"roots"`
	RegoVersion int              `json:"rego_version"`
	Metadata    manifestMetadata `json:"metadata"`
}

type manifestMetadata struct {
	Liaison manifestLiaison `json:"liaison"`
}

type manifestLiaison struct {
	Jurisdiction string `json:"jurisdiction"`
	Seq          int64  `json:"seq"`
	Status       string `json:"status"`
}

func (b *Bundle) manifest() manifest {
	root := "jurisdiction/" + b.Jurisdiction
	if b.Jurisdiction == CommonBundle {
		root = "liaison"
	}
	return manifest{Revision: b.revision(), Roots: []string{root}, RegoVersion: 1,
		Metadata: manifestMetadata{manifestLiaison{b.Jurisdiction, b.Seq, b.Status}}}
}

// Pack writes the bundle as one .tar.gz, signed with a P-256 or Ed25519 key, or as a draft without a signature if key is nil. The same
// contents give the same bytes, but for the signature of an ECDSA key.
func (b *Bundle) Pack(key crypto.Signer) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	head, err := json.MarshalIndent(b.manifest(), "", "  ")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{manifestFile: head}
	for p, body := range b.Files {
		files[p] = body
	}
	if key != nil {
		if files[signaturesFile], err = signFiles(files, b.Jurisdiction, key); err != nil {
			return nil, fmt.Errorf("sign the bundle: %w", err)
		}
	}
	raw, err := archive(files)
	if err == nil && len(raw) > MaxBundleSize {
		err = fmt.Errorf("%w: packed it is larger than %d bytes", ErrBundle, MaxBundleSize)
	}
	return raw, err
}

// archive writes files in the order of their names, with nothing of the machine that does it.
func archive(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	for _, p := range sortedKeys(files) {
		head := tar.Header{Typeflag: tar.TypeReg, Name: p, Size: int64(len(files[p])), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := tw.WriteHeader(&head); err != nil {
			return nil, err
		}
		if _, err := tw.Write(files[p]); err != nil {
			return nil, err
		}
	}
	err := errors.Join(tw.Close(), zw.Close())
	return out.Bytes(), err
}

// signedFiles is the payload of a bundle's signature, in OPA's format.
type signedFiles struct {
	Files    []bundle.FileInfo `json:"files"`
	Scope    string            `json:"scope"`
	KeyID    string            `json:"keyid,omitempty"` // an older place of kid
	IssuedAt int64             `json:"iat,omitempty"`
	Issuer   string            `json:"iss,omitempty"`
}

// signatureHeader is the protected header of a bundle's signature, all of it.
type signatureHeader struct {
	Algorithm string `json:"alg"`
	Kid       string `json:"kid"`
	Type      string `json:"typ"`
}

// signatures is .signatures.json, all of it.
type signatures struct {
	Signatures []string `json:"signatures"`
}

// signFiles makes .signatures.json over all files. OPA's own signer takes private keys only as text of a file, so the
// token is made here; it is verified by OPA.
func signFiles(files map[string][]byte, scope string, key crypto.Signer) ([]byte, error) {
	kid, alg, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	payload := signedFiles{Scope: scope}
	for _, p := range sortedKeys(files) {
		sum, err := fileDigest(p, files[p])
		if err != nil {
			return nil, err
		}
		payload.Files = append(payload.Files, bundle.NewFile(p, sum, string(bundle.SHA256)))
	}
	token, err := signToken(signatureHeader{alg, kid, "JWT"}, payload, key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(signatures{[]string{token}})
}

// fileDigest is OPA's digest of a file: of JSON that it reads itself the digest of the value, of others that of the bytes.
func fileDigest(p string, body []byte) (string, error) {
	var value any = body
	if bundle.IsStructuredDoc(p) {
		if err := util.Unmarshal(body, &value); err != nil {
			return "", err
		}
	}
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return "", err
	}
	sum, err := hasher.HashFile(value)
	return hex.EncodeToString(sum), err
}

// signToken makes a compact JWS.
func signToken(header signatureHeader, payload any, key crypto.Signer) (string, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := sign(key, header.Algorithm, []byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// sign signs as RFC 7518 section 3.4 (ES256) or RFC 8037 (EdDSA) has it.
func sign(key crypto.Signer, alg string, message []byte) ([]byte, error) {
	if alg == algEdDSA {
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var point struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &point); err != nil || len(rest) > 0 {
		return nil, errors.New("the signer gives no ECDSA signature")
	}
	if point.R.Sign() < 0 || point.S.Sign() < 0 || point.R.BitLen() > 256 || point.S.BitLen() > 256 {
		return nil, errors.New("the signer gives no P-256 signature")
	}
	raw := make([]byte, 64)
	point.R.FillBytes(raw[:32])
	point.S.FillBytes(raw[32:])
	return raw, nil
}

// keyID is a key's RFC 7638 thumbprint and the algorithm that it signs with.
func keyID(pub crypto.PublicKey) (kid, alg string, err error) {
	var members string
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		raw, err := key.Bytes()
		if err != nil || key.Curve != elliptic.P256() {
			return "", "", errors.New("not a key on P-256")
		}
		enc := base64.RawURLEncoding.EncodeToString
		members, alg = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, enc(raw[1:33]), enc(raw[33:])), algES256
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return "", "", errors.New("not an Ed25519 key")
		}
		members, alg = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":%q}`, base64.RawURLEncoding.EncodeToString(key)), algEdDSA
	default:
		return "", "", fmt.Errorf("a key of type %T signs no policy", pub)
	}
	sum := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(sum[:]), alg, nil
}
