package envelope

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// defaultLifetime is exp - iat when SealInput.Expires is zero.
const defaultLifetime = 30 * 24 * time.Hour

// SealInput is what a package is made of.
type SealInput struct {
	Exchange string // the ledger's origin
	Iss      string // the sending agency
	JTI      string // empty: a new UUIDv7
	Now      time.Time
	Expires  time.Time // zero: 30 days after Now
	Meta     json.RawMessage

	Officer       string
	Justification string
	Approvals     []Approved
	SubjectRefs   []string
	Texts         map[string]string

	Recipients []RecipientKey // becomes aud, in this order
	CopyToSelf *PublicKey     // an encryption key of Iss, or nil
	SignKey    PrivateKey     // use sig, registered for Iss

	Message     Message // Salt is made when empty; Attachments must be empty
	Attachments []AttachmentSource
	SpoolDir    string // where encrypted attachments wait; empty: os.TempDir
}

// RecipientKey is an encryption key of a recipient, whose certificate the caller
// has checked against its own anchors.
type RecipientKey struct {
	Agency string
	Key    PublicKey
}

// Sealed is a package ready to be posted.
type Sealed struct {
	JTI            string
	ManifestSHA256 string // base64url, over Manifest
	Manifest       []byte
	Statement      []byte
	Content        []byte
	Attachments    []SealedAttachment
}

// Close removes the encrypted attachments from the spool.
func (s *Sealed) Close() error {
	var errs []error
	for _, a := range s.Attachments {
		if err := os.Remove(a.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Seal makes a package. Each part is read back by the parser that the exchange
// runs, so what Seal returns is well formed; an input that cannot be is an
// ErrMalformed whose Detail says where. The caller closes the result.
func Seal(in SealInput) (*Sealed, error) {
	if err := in.complete(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	s := &Sealed{JTI: in.JTI}
	if err := s.make(in); err != nil {
		return nil, errors.Join(fmt.Errorf("seal: %w", err), s.Close())
	}
	return s, nil
}

// complete fills what may be left empty.
func (in *SealInput) complete() error {
	if len(in.Message.Attachments) > 0 {
		return errors.New("the message's attachment list is made here")
	}
	if in.JTI == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		in.JTI = id.String()
	}
	if in.Expires.IsZero() {
		in.Expires = in.Now.Add(defaultLifetime)
	}
	if in.Message.Salt == "" {
		salt := make([]byte, 32)
		rand.Read(salt) // never fails (crypto/rand)
		in.Message.Salt = encode64(salt)
	}
	return nil
}

// make makes the parts, each before the one that names its digest.
func (s *Sealed) make(in SealInput) error {
	m := Manifest{
		Exchange: in.Exchange, Iss: in.Iss, JTI: in.JTI, Aud: make([]string, 0, len(in.Recipients)),
		IAT: in.Now.Unix(), EXP: in.Expires.Unix(), Meta: in.Meta,
	}
	for _, r := range in.Recipients {
		m.Aud = append(m.Aud, r.Agency)
	}
	for i, source := range in.Attachments {
		sealed, opener, err := sealAttachment(in.SpoolDir, in.JTI, i, source)
		if err != nil {
			return err
		}
		s.Attachments = append(s.Attachments, sealed)
		in.Message.Attachments = append(in.Message.Attachments, opener)
		m.Attachments = append(m.Attachments, sealed.AttachmentRef)
	}
	var err error
	if s.Content, m.Content, err = sealContent(in, m.Aud); err != nil {
		return err
	}
	if s.Statement, err = signStatement(in); err != nil {
		return err
	}
	m.StatementSHA256 = digest64(s.Statement)
	if s.Manifest, err = signPart(m, manifestForm, in.SignKey); err != nil {
		return err
	}
	signed, err := ParseManifest(s.Manifest)
	if err != nil {
		return err
	}
	s.ManifestSHA256 = signed.SHA256
	return nil
}

func signStatement(in SealInput) ([]byte, error) {
	st := Statement{
		Iss: in.Iss, JTI: in.JTI, Officer: in.Officer, Justification: in.Justification,
		Approvals:   append([]Approved{}, in.Approvals...),
		SubjectRefs: append([]string{}, in.SubjectRefs...),
		Texts:       in.Texts,
	}
	if st.Texts == nil {
		st.Texts = map[string]string{}
	}
	raw, err := signPart(st, statementForm, in.SignKey)
	if err != nil {
		return nil, err
	}
	_, err = ParseStatement(raw)
	return raw, err
}

// sealContent encrypts the message to every recipient.
func sealContent(in SealInput, aud []string) ([]byte, ContentRef, error) {
	plaintext, err := marshal(in.Message)
	if err != nil {
		return nil, ContentRef{}, err
	}
	if _, err := ParseMessage(plaintext); err != nil {
		return nil, ContentRef{}, err
	}
	keys := make([]PublicKey, 0, len(in.Recipients)+1)
	for _, r := range in.Recipients {
		keys = append(keys, r.Key)
	}
	if in.CopyToSelf != nil {
		keys = append(keys, *in.CopyToSelf)
	}
	raw, err := encrypt(plaintext, keys, in.Iss, aud, in.JTI)
	if err != nil {
		return nil, ContentRef{}, err
	}
	c, err := ParseContent(raw)
	if err != nil {
		return nil, ContentRef{}, err
	}
	return raw, ContentRef{SHA256: c.SHA256, Size: c.Size, PlaintextSHA256: digest64(plaintext)}, nil
}

func encrypt(plaintext []byte, keys []PublicKey, iss string, aud []string, jti string) ([]byte, error) {
	recipients := make([]jose.Recipient, 0, len(keys))
	for _, k := range keys {
		if k.use != UseEncrypt {
			return nil, errors.New("encrypt: every recipient needs a key of use enc")
		}
		recipients = append(recipients, jose.Recipient{Algorithm: jose.ECDH_ES_A256KW, Key: k.key, KeyID: k.kid})
	}
	options := (&jose.EncrypterOptions{}).WithType(TypContent).WithContentType(CtyMessage).
		WithHeader("iss", iss).WithHeader("aud", aud).WithHeader("jti", jti)
	encrypter, err := jose.NewMultiEncrypter(jose.A256GCM, recipients, options)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	obj, err := encrypter.Encrypt(plaintext)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	if len(keys) == 1 {
		return []byte(obj.FullSerialize()), nil
	}
	return general([]byte(obj.FullSerialize()))
}

// general drops the encrypted_key that go-jose writes beside recipients, where
// RFC 7516 section 7.2 has none.
func general(serialized []byte) ([]byte, error) {
	var j struct {
		Protected  json.RawMessage `json:"protected"`
		Recipients json.RawMessage `json:"recipients"`
		IV         json.RawMessage `json:"iv"`
		Ciphertext json.RawMessage `json:"ciphertext"`
		Tag        json.RawMessage `json:"tag"`
	}
	if err := json.Unmarshal(serialized, &j); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return json.Marshal(j)
}
