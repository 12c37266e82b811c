package envelope

import (
	"bytes"
	"slices"
	"strconv"
)

const (
	maxJWERecipients = MaxRecipients + 1 // the agencies of aud and one copy for the sender
	wrappedKeySize   = 40                // A256KW of a 32-byte key (RFC 3394)
	ivSize           = 12
	tagSize          = 16
)

// Content is a JWE whose form holds. Nothing of it is decrypted.
type Content struct {
	Iss        string   // the sender, as the protected header binds it
	Aud        []string // the recipients, likewise
	JTI        string   // the package, likewise
	Recipients []ContentRecipient
	SHA256     string // base64url, over the content as sent
	Size       int64  // bytes of the content as sent

	raw []byte
}

// ContentRecipient is one JWE recipient.
type ContentRecipient struct {
	Kid string // thumbprint of an encryption key
}

// recipientHeader are the parameters that stand in the protected header (of all
// recipients) or in the per-recipient header, never in both.
type recipientHeader struct {
	alg, kid string
	epk      *ephemeral
}

type ephemeral struct{ kty, crv, x, y string }

type protectedHeader struct {
	recipientHeader
	enc, typ, cty, iss, jti string
	aud                     []string
}

type jweRecipient struct {
	header *recipientHeader
	key    []byte
}

type jwe struct {
	protected, iv, ciphertext, tag []byte
	single                         jweRecipient
	recipients                     []jweRecipient
}

// base64 reads a string of canonical base64url; it is quick about long ones.
func (r *reader) base64() []byte {
	if r.peek() == '"' {
		s := r.data[r.pos+1:]
		if n := bytes.IndexByte(s, '"'); n > 0 && canonical64(s[:n]) {
			r.pos += n + 2
			return s[:n]
		}
	}
	v := r.str()
	if r.err == nil && (len(v) == 0 || !canonical64(v)) {
		r.fail(ReasonBase64, "canonical base64url, not empty")
	}
	return v
}

// bytes64 is base64url of exactly size bytes, or of any length when size is 0.
func bytes64(size int) shape[[]byte] {
	want := "base64url of " + strconv.Itoa(size) + " bytes"
	return shape[[]byte]{read: func(r *reader, dst *[]byte) {
		*dst = r.base64()
		if r.err == nil && size > 0 && len(*dst) != length64(size) {
			r.fail(ReasonValue, want)
		}
	}}
}

var coordinate = octets

var ephemeralShape = object(
	must("kty", "", constant("EC", ReasonValue), func(e *ephemeral) *string { return &e.kty }),
	must("crv", "", constant("P-256", ReasonValue), func(e *ephemeral) *string { return &e.crv }),
	must("x", "", coordinate, func(e *ephemeral) *string { return &e.x }),
	must("y", "", coordinate, func(e *ephemeral) *string { return &e.y }),
)

// onCurve is an ephemeral key that is a point of P-256.
var onCurve = shape[ephemeral]{read: func(r *reader, dst *ephemeral) {
	ephemeralShape.read(r, dst)
	if r.err != nil {
		return
	}
	if _, err := pointP256(dst.x, dst.y); err != nil {
		r.fail(ReasonCurve, "a point of P-256")
	}
}}

func recipientMembers[S any](at func(*S) *recipientHeader) []member[S] {
	return []member[S]{
		may("alg", "", constant(algEncrypt, ReasonAlg), func(s *S) *string { return &at(s).alg }),
		may("kid", "", matching(digestGrammar), func(s *S) *string { return &at(s).kid }),
		maybe("epk", "", onCurve, func(s *S) **ephemeral { return &at(s).epk }),
	}
}

var recipientHeaderShape = object(recipientMembers(func(h *recipientHeader) *recipientHeader { return h })...)

var protectedShape = object(append(
	recipientMembers(func(p *protectedHeader) *recipientHeader { return &p.recipientHeader }),
	must("enc", "", constant("A256GCM", ReasonAlg), func(p *protectedHeader) *string { return &p.enc }),
	must("typ", "", constant(TypContent, ReasonTyp), func(p *protectedHeader) *string { return &p.typ }),
	must("cty", "", constant(CtyMessage, ReasonTyp), func(p *protectedHeader) *string { return &p.cty }),
	must("iss", "", agencyShape, func(p *protectedHeader) *string { return &p.iss }),
	must("aud", "", set(agencyShape, 1, MaxRecipients), func(p *protectedHeader) *[]string { return &p.aud }),
	must("jti", "", uuidShape, func(p *protectedHeader) *string { return &p.jti }),
)...)

var jweRecipientShape = object(
	maybe("header", "", recipientHeaderShape, func(j *jweRecipient) **recipientHeader { return &j.header }),
	must("encrypted_key", "", bytes64(wrappedKeySize), func(j *jweRecipient) *[]byte { return &j.key }),
)

var jweShape = object(
	must("protected", "", bytes64(0), func(j *jwe) *[]byte { return &j.protected }),
	must("iv", "", bytes64(ivSize), func(j *jwe) *[]byte { return &j.iv }),
	must("ciphertext", "", bytes64(0), func(j *jwe) *[]byte { return &j.ciphertext }),
	must("tag", "", bytes64(tagSize), func(j *jwe) *[]byte { return &j.tag }),
	may("encrypted_key", "", bytes64(wrappedKeySize), func(j *jwe) *[]byte { return &j.single.key }),
	maybe("header", "", recipientHeaderShape, func(j *jwe) **recipientHeader { return &j.single.header }),
	may("recipients", "", list(jweRecipientShape, 1, maxJWERecipients), func(j *jwe) *[]jweRecipient { return &j.recipients }),
)

// ParseContent checks the form of a content, at most 8 MiB: flattened or general
// JWE JSON serialization, exact header members, lengths, 1 to 32 recipients with
// distinct kid, every epk a point of P-256. It keeps raw. Its error is an
// ErrMalformed.
func ParseContent(raw []byte) (*Content, error) {
	if len(raw) > MaxContent {
		return nil, malformed(ReasonTooLarge, "content: at most 8 MiB")
	}
	var j jwe
	if err := readAll(raw, signedDialect, jweShape, &j); err != nil {
		return nil, within(err, "content")
	}
	var p protectedHeader
	if len(j.protected) > length64(maxHeader) {
		return nil, malformed(ReasonTooLarge, "content /protected: at most 4 KiB")
	}
	header, _ := decode64(j.protected)
	if err := readAll(header, signedDialect, protectedShape, &p); err != nil {
		return nil, within(err, "content protected header")
	}
	recipients, err := j.list()
	if err != nil {
		return nil, err
	}
	c := &Content{Iss: p.iss, Aud: p.aud, JTI: p.jti, SHA256: digest64(raw), Size: int64(len(raw)), raw: raw}
	for i, r := range recipients {
		kid, err := r.union(p.recipientHeader, i)
		if err != nil {
			return nil, err
		}
		if slices.Contains(c.Recipients, ContentRecipient{kid}) {
			return nil, recipientFault(ReasonDuplicateValue, i, "each kid once")
		}
		c.Recipients = append(c.Recipients, ContentRecipient{kid})
	}
	return c, nil
}

// list returns the recipients of either form; the members of the two do not mix.
func (j *jwe) list() ([]jweRecipient, error) {
	if j.recipients == nil {
		if j.single.key == nil {
			return nil, malformed(ReasonMissingMember, "content: encrypted_key, or recipients")
		}
		return []jweRecipient{j.single}, nil
	}
	if j.single.key != nil || j.single.header != nil {
		return nil, malformed(ReasonUnknownMember, "content: header and encrypted_key beside recipients")
	}
	return j.recipients, nil
}

// union checks that each recipient parameter stands in exactly one of the two
// headers (RFC 7516 section 7.2.1) and returns the kid.
func (j *jweRecipient) union(shared recipientHeader, i int) (kid string, err error) {
	var own recipientHeader
	if j.header != nil {
		own = *j.header
		if own == (recipientHeader{}) {
			return "", recipientFault(ReasonMissingMember, i, "no header member, or a header that is not empty")
		}
	}
	switch {
	case own.alg != "" && shared.alg != "", own.kid != "" && shared.kid != "", own.epk != nil && shared.epk != nil:
		return "", recipientFault(ReasonDuplicateMember, i, "each parameter in one header only")
	case own.alg+shared.alg == "", own.kid+shared.kid == "", own.epk == nil && shared.epk == nil:
		return "", recipientFault(ReasonMissingMember, i, "alg, kid and epk")
	}
	return own.kid + shared.kid, nil
}

func recipientFault(reason string, i int, want string) error {
	return malformed(reason, "content /recipients/"+strconv.Itoa(i)+": "+want)
}

// Check checks a content against the manifest that names it: digest and size,
// iss, aud and jti replicated, exactly one JWE recipient for each agency in aud
// and at most one more, for the sender. keys says whose encryption key a kid is
// ("" for nobody's) and whether it may be used now. Its error is an
// *InvalidError. Ask it once the manifest's signature holds.
func (c *Content) Check(m *SignedManifest, keys func(kid string) (agency string, usable bool)) error {
	if err := c.checkBinding(m); err != nil {
		return err
	}
	count := make(map[string]int, len(c.Recipients))
	for i, r := range c.Recipients {
		agency, usable := keys(r.Kid)
		if err := checkRecipient(m, agency, usable, i); err != nil {
			return err
		}
		if count[agency]++; count[agency] > 1 {
			return recipientInvalid(ReasonRecipientTwice, i, "a second key of one agency", "encrypt to one key of each agency")
		}
	}
	for i, agency := range m.Aud {
		if count[agency] == 0 {
			return &InvalidError{
				ReasonRecipientMissing, "manifest /aud/" + strconv.Itoa(i) + ": the content is not encrypted to it",
				"encrypt to a current key of every agency in aud",
			}
		}
	}
	return nil
}

func checkRecipient(m *SignedManifest, agency string, usable bool, i int) error {
	switch {
	case agency == "":
		return recipientInvalid(ReasonRecipientUnknown, i, "a key that nobody has registered", "take the recipients' current keys from the directory")
	case agency != m.Iss && !slices.Contains(m.Aud, agency):
		return recipientInvalid(ReasonRecipientExtra, i, "a key of an agency that is not in aud", "encrypt to the agencies in aud only")
	case !usable:
		return recipientInvalid(ReasonRecipientRetired, i, "a key that is retired or not yet valid", "take the recipients' current keys from the directory")
	}
	return nil
}

func recipientInvalid(code string, i int, what, fix string) error {
	return &InvalidError{code, "content /recipients/" + strconv.Itoa(i) + ": " + what, fix}
}

// checkBinding checks what binds ciphertext and manifest to each other.
func (c *Content) checkBinding(m *SignedManifest) error {
	const replicate = "copy iss, aud and jti of the manifest into the protected header and encrypt again"
	const rehash = "hash the content as it is sent, then sign the manifest"
	switch {
	case c.SHA256 != m.Content.SHA256:
		return &InvalidError{ReasonContentDigest, "manifest /content/sha256: not the digest of the content", rehash}
	case c.Size != m.Content.Size:
		return &InvalidError{ReasonContentSize, "manifest /content/size: not the size of the content", rehash}
	case c.Iss != m.Iss:
		return &InvalidError{ReasonContentIss, "content protected header /iss: not that of the manifest", replicate}
	case !slices.Equal(c.Aud, m.Aud):
		return &InvalidError{ReasonContentAud, "content protected header /aud: not that of the manifest, in its order", replicate}
	case c.JTI != m.JTI:
		return &InvalidError{ReasonContentJTI, "content protected header /jti: not that of the manifest", replicate}
	}
	return nil
}
