package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Limits of a compact JWS, in bytes before base64url.
const (
	maxHeader          = 4 << 10
	maxManifest        = 24 << 10
	maxStatement       = 6 << 10
	maxAcknowledgement = 16 << 10
	maxApproval        = 4 << 10
	maxRollback        = 4 << 10
	maxErasure         = 4 << 10
	signatureSize      = 64 // ES256 (RFC 7518 section 3.4) and Ed25519 (RFC 8037 section 3.1) alike
)

// Values of the header parameter typ.
const (
	TypManifest        = "liaison-manifest+jwt"
	TypStatement       = "liaison-statement+jwt"
	TypAcknowledgement = "liaison-ack+jwt"
	TypApproval        = "liaison-approval+jwt"
	TypRollback        = "liaison-rollback+jwt"
	TypErasure         = "liaison-erasure+jwt"
	TypContent         = "liaison-content+jwe"
	CtyMessage         = "application/vnd.liaison.message+json"
)

// Values of the header parameter alg in a JWS.
const (
	ES256 = "ES256" // ECDSA on P-256 with SHA-256
	EdDSA = "EdDSA" // Ed25519 only
)

// JWS is what a compact JWS is besides its claims. The signature is not
// verified until VerifySignature says so.
type JWS struct {
	Alg, Kid string
	Payload  []byte // the exact payload; with iss and jti it tells a repeat
	Raw      []byte // the bytes as received; must not be changed
	SHA256   string // base64url of the SHA-256 of Raw

	use Use
}

// jwsForm is what distinguishes one kind of JWS from another.
type jwsForm struct {
	name   string
	typ    string
	use    Use
	max    int
	header shape[jwsHeader]
}

type jwsHeader struct{ alg, kid, typ string }

func newForm(name, typ string, use Use, max int) jwsForm {
	return jwsForm{name: name, typ: typ, use: use, max: max, header: object(
		must("alg", "", signatureAlg, func(h *jwsHeader) *string { return &h.alg }),
		must("kid", "", matching(digestGrammar), func(h *jwsHeader) *string { return &h.kid }),
		must("typ", "", constant(typ, ReasonTyp), func(h *jwsHeader) *string { return &h.typ }),
	)}
}

var (
	manifestForm        = newForm("manifest", TypManifest, UseSign, maxManifest)
	statementForm       = newForm("statement", TypStatement, UseSign, maxStatement)
	acknowledgementForm = newForm("acknowledgement", TypAcknowledgement, UseSign, maxAcknowledgement)
	approvalForm        = newForm("approval", TypApproval, UseApprove, maxApproval)
	rollbackForm        = newForm("order", TypRollback, UsePolicy, maxRollback)
	erasureForm         = newForm("order", TypErasure, UseApprove, maxErasure)
)

var signatureAlg = shape[string]{read: func(r *reader, dst *string) {
	switch v := r.str(); {
	case r.err != nil:
	case string(v) == ES256:
		*dst = ES256
	case string(v) == EdDSA:
		*dst = EdDSA
	default:
		r.fail(ReasonAlg, "ES256 or EdDSA")
	}
}}

// parseJWS checks everything about a compact JWS but its payload's claims and
// its signature.
func parseJWS(raw []byte, f jwsForm) (JWS, error) {
	if len(raw) > length64(maxHeader)+length64(f.max)+length64(signatureSize)+2 {
		return JWS{}, malformed(ReasonTooLarge, f.name)
	}
	header, rest, _ := bytes.Cut(raw, []byte{'.'})
	payload, signature, ok := bytes.Cut(rest, []byte{'.'})
	if !ok || len(header) == 0 || len(payload) == 0 || len(signature) == 0 || bytes.IndexByte(signature, '.') >= 0 {
		return JWS{}, malformed(ReasonParts, f.name+": three non-empty parts, separated by dots")
	}
	if len(header) > length64(maxHeader) || len(payload) > length64(f.max) {
		return JWS{}, malformed(ReasonTooLarge, f.name)
	}
	if !canonical64(signature) {
		return JWS{}, malformed(ReasonBase64, f.name+" signature: canonical base64url")
	}
	if len(signature) != length64(signatureSize) {
		return JWS{}, malformed(ReasonSignatureLength, f.name+" signature: 64 bytes")
	}
	h, ok1 := decode64(header)
	p, ok2 := decode64(payload)
	if !ok1 || !ok2 {
		return JWS{}, malformed(ReasonBase64, f.name+": canonical base64url")
	}
	var head jwsHeader
	if err := readAll(h, signedDialect, f.header, &head); err != nil {
		return JWS{}, within(err, f.name+" header")
	}
	return JWS{Alg: head.alg, Kid: head.kid, Payload: p, Raw: raw, SHA256: digest64(raw), use: f.use}, nil
}

// within puts the name of a part before the place of a fault.
func within(err error, part string) error {
	var f *fault
	if errors.As(err, &f) {
		return &fault{kind: f.kind, reason: f.reason, detail: part + " " + f.detail}
	}
	return err
}

func digest64(b []byte) string {
	sum := sha256.Sum256(b)
	return encode64(sum[:])
}

// parsePart checks a compact JWS and reads its claims.
func parsePart[T any](raw []byte, f jwsForm, claims shape[T], dst *T) (JWS, error) {
	j, err := parseJWS(raw, f)
	if err != nil {
		return JWS{}, err
	}
	if err := readAll(j.Payload, signedDialect, claims, dst); err != nil {
		return JWS{}, within(err, f.name)
	}
	return j, nil
}

// VerifySignature checks the signature with a key, whose thumbprint, use and
// algorithm must be those that the header and the kind of part ask for. Any
// failure is an ErrRejected. Whether the key belongs to iss is the caller's
// question, asked before.
//
// parseJWS has read the JWS to the last bit, so the signing input and the
// signature are known here, and the algorithm is the key's; handing the same
// bytes to go-jose would parse them a second time, for half of a signature's
// cost. Tests compare the verdicts with those of go-jose and jwx.
func (j *JWS) VerifySignature(k PublicKey) error {
	switch {
	case k.IsZero() || k.kid != j.Kid:
		return rejected(ReasonKid)
	case k.use != j.use:
		return rejected(ReasonKeyUse)
	case k.alg != j.Alg:
		return rejected(ReasonKeyAlg)
	}
	dot := bytes.LastIndexByte(j.Raw, '.')
	signature, ok := decode64(j.Raw[dot+1:])
	if dot < 0 || !ok || !k.verify(j.Raw[:dot], signature) {
		return rejected(ReasonSignature)
	}
	return nil
}

// signPart makes a compact JWS of claims.
func signPart(claims any, f jwsForm, k PrivateKey) ([]byte, error) {
	if k.public.use != f.use {
		return nil, fmt.Errorf("sign %s: a key of use %s is needed", f.name, f.use)
	}
	payload, err := marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", f.name, err)
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(f.typ)).WithHeader("kid", k.public.kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.public.alg), Key: k.private}, options)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", f.name, err)
	}
	obj, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", f.name, err)
	}
	compact, err := obj.CompactSerialize()
	return []byte(compact), err
}

// marshal encodes JSON without escaping HTML and without a final newline.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
