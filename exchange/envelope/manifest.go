package envelope

import (
	"encoding/json"
	"slices"
	"time"
)

// Limits of a manifest.
const (
	MaxRecipients  = 31                  // agencies in aud
	MaxAttachments = 64                  // attachments of one package
	MaxContent     = 8 << 20             // bytes of the content as sent
	MaxLifetime    = 90 * 24 * time.Hour // exp - iat
	MaxSkew        = 5 * time.Minute     // |iat - now| at first sight

	minAttachment = 56 // bytes: stream header (40) and one empty segment's tag (16)
)

// Manifest is the signed part of a package that every party reads.
type Manifest struct {
	Exchange        string          `json:"exchange"`         // the ledger's origin
	Iss             string          `json:"iss"`              // the sending agency
	Aud             []string        `json:"aud"`              // 1 to 31 distinct agencies, never Iss
	JTI             string          `json:"jti"`              // UUIDv7: the package's id
	IAT             int64           `json:"iat"`              // seconds since 1970 (UTC)
	EXP             int64           `json:"exp"`              // when an unacknowledged package lapses
	StatementSHA256 string          `json:"statement_sha256"` // over the statement as sent
	Content         ContentRef      `json:"content"`
	Attachments     []AttachmentRef `json:"attachments,omitempty"`
	Meta            json.RawMessage `json:"meta"`
}

// ContentRef ties the content to the manifest. Digests are base64url.
type ContentRef struct {
	SHA256          string `json:"sha256"`           // over the content as sent
	Size            int64  `json:"size"`             // bytes of the content as sent
	PlaintextSHA256 string `json:"plaintext_sha256"` // over the message that it encrypts
}

// AttachmentRef is the digest (base64url) and the size in bytes of an attachment.
type AttachmentRef struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// SignedManifest is a manifest whose form holds. Claimed is its meta, typed.
type SignedManifest struct {
	Manifest
	JWS
	Claimed Meta
}

// manifestClaims is what one pass over a payload fills.
type manifestClaims struct {
	Manifest
	claimed Meta
}

var timeShape = integer(0, maxInteger)

var contentRefShape = object(
	must("sha256", "", matching(digestGrammar), func(c *ContentRef) *string { return &c.SHA256 }),
	must("size", "", integer(1, MaxContent), func(c *ContentRef) *int64 { return &c.Size }),
	must("plaintext_sha256", "", matching(digestGrammar), func(c *ContentRef) *string { return &c.PlaintextSHA256 }),
)

var attachmentRefShape = object(
	must("sha256", "", matching(digestGrammar), func(a *AttachmentRef) *string { return &a.SHA256 }),
	must("size", "", integer(minAttachment, maxInteger), func(a *AttachmentRef) *int64 { return &a.Size }),
)

// metaMember reads meta once, into both its bytes and its typed form.
var metaMember = shape[manifestClaims]{read: func(r *reader, m *manifestClaims) {
	r.peek()
	start := r.pos
	metaShape.read(r, &m.claimed)
	if r.err != nil {
		return
	}
	m.Meta = r.data[start:r.pos]
	if len(m.Meta) > maxMeta {
		r.fail(ReasonTooLarge, "at most 16 KiB")
	}
}}

// manifestShape is the payload of a manifest; of a draft, digests and content
// can be absent.
func manifestShape(draft bool) shape[manifestClaims] {
	statement := must("statement_sha256", "", matching(digestGrammar), func(m *manifestClaims) *string { return &m.StatementSHA256 })
	content := must("content", "", contentRefShape, func(m *manifestClaims) *ContentRef { return &m.Content })
	statement.required = !draft
	content.required = !draft
	return object(
		must("exchange", "", matching(originGrammar), func(m *manifestClaims) *string { return &m.Exchange }),
		must("iss", "", agencyShape, func(m *manifestClaims) *string { return &m.Iss }),
		must("aud", "", set(agencyShape, 1, MaxRecipients), func(m *manifestClaims) *[]string { return &m.Aud }),
		must("jti", "", uuidShape, func(m *manifestClaims) *string { return &m.JTI }),
		must("iat", "", timeShape, func(m *manifestClaims) *int64 { return &m.IAT }),
		must("exp", "", timeShape, func(m *manifestClaims) *int64 { return &m.EXP }),
		statement, content,
		may("attachments", "", list(attachmentRefShape, 0, MaxAttachments), func(m *manifestClaims) *[]AttachmentRef { return &m.Attachments }),
		must("meta", "", metaMember, func(m *manifestClaims) *manifestClaims { return m }),
	)
}

var (
	fullManifest  = manifestShape(false)
	draftManifest = manifestShape(true)
)

// ParseManifest checks a manifest as far as that goes without a key or the
// registry: compact form, header, payload (24 KiB), meta (16 KiB). It keeps raw.
// Its error is an ErrMalformed. Signature and times are checked by
// VerifySignature and CheckTimes.
func ParseManifest(raw []byte) (*SignedManifest, error) {
	var c manifestClaims
	j, err := parsePart(raw, manifestForm, fullManifest, &c)
	if err != nil {
		return nil, err
	}
	if slices.Contains(c.Aud, c.Iss) {
		return nil, malformed(ReasonValue, "manifest /aud: never the sender")
	}
	return &SignedManifest{Manifest: c.Manifest, JWS: j, Claimed: c.claimed}, nil
}

// ParseManifestDraft reads the unsigned payload of a manifest, for a dry run.
// statement_sha256 and content may be absent. Its error is an ErrMalformed.
func ParseManifestDraft(payload []byte) (Manifest, Meta, error) {
	if len(payload) > maxManifest {
		return Manifest{}, Meta{}, malformed(ReasonTooLarge, "manifest")
	}
	var c manifestClaims
	if err := readAll(payload, signedDialect, draftManifest, &c); err != nil {
		return Manifest{}, Meta{}, within(err, "manifest")
	}
	if slices.Contains(c.Aud, c.Iss) {
		return Manifest{}, Meta{}, malformed(ReasonValue, "manifest /aud: never the sender")
	}
	return c.Manifest, c.claimed, nil
}

// CheckTimes checks iat and exp at first sight: iat within five minutes of now,
// exp after iat and now, at most 90 days after iat. Its error is an
// *InvalidError. A repeat is recognised before this is asked.
func (m *Manifest) CheckTimes(now time.Time) error {
	if err := checkIAT("manifest", m.IAT, now); err != nil {
		return err
	}
	switch {
	case m.EXP <= m.IAT || m.EXP-m.IAT > int64(MaxLifetime/time.Second):
		return &InvalidError{ReasonEXP, "manifest /exp: not after iat, or more than 90 days after it", "choose an exp of at most 90 days after iat and sign again"}
	case m.EXP <= now.Unix():
		return &InvalidError{ReasonExpired, "manifest /exp: in the past", "choose a later exp and sign again"}
	}
	return nil
}

// CheckExchange checks that the manifest is meant for the exchange whose ledger
// has this origin. Its error is an *InvalidError.
func (m *Manifest) CheckExchange(origin string) error {
	return checkExchange("manifest", m.Exchange, origin)
}

func checkExchange(part, claimed, origin string) error {
	if claimed != origin {
		return &InvalidError{
			ReasonExchange, part + " /exchange: not the origin of this exchange's ledger",
			"take the name from the verifier key of this exchange and sign again",
		}
	}
	return nil
}

func checkIAT(part string, iat int64, now time.Time) error {
	skew := int64(MaxSkew / time.Second)
	if seconds := now.Unix(); iat < seconds-skew || iat > seconds+skew {
		return &InvalidError{
			ReasonIAT, part + " /iat: not within 5 minutes of the exchange's clock",
			"set the clock of the system that signs, and sign again",
		}
	}
	return nil
}

// CheckPair checks that a statement belongs to a manifest: same key and sender
// (else ErrRejected), same jti and the digest that the manifest names (else
// *InvalidError). Ask it once both signatures hold.
func CheckPair(m *SignedManifest, s *SignedStatement) error {
	switch {
	case m.Kid != s.Kid:
		return rejected(ReasonPairKey)
	case m.Iss != s.Iss:
		return rejected(ReasonPairIssuer)
	case m.JTI != s.JTI:
		return &InvalidError{ReasonPairJTI, "statement /jti: not that of the manifest", "make the statement and the manifest of one package together"}
	case m.StatementSHA256 != s.SHA256:
		return &InvalidError{ReasonStatementDigest, "manifest /statement_sha256: not the digest of the statement", "hash the statement as it is sent, then sign the manifest"}
	}
	return nil
}
