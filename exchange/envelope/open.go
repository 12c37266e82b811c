package envelope

import (
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// OpenInput is what a recipient needs to open a package.
type OpenInput struct {
	Exchange string // the ledger's origin, as the recipient knows it
	Self     string // the recipient's own agency; the sender opens its own copy
	Manifest []byte
	Content  []byte

	// SenderKey returns the signing key of iss with this kid that was valid when
	// the package was accepted, its certificate checked against the recipient's
	// own anchors. Its error is returned, wrapped.
	SenderKey func(iss, kid string) (PublicKey, error)

	// RecipientKeys, if not nil, says whose encryption key a kid was when the
	// package was accepted, for Content.Check. Without it only the number of JWE
	// recipients and the own one among them are checked.
	RecipientKeys func(kid string) (agency string, usable bool)

	// Decrypt are the recipient's own keys of use enc, old ones included.
	Decrypt []PrivateKey
}

// Open checks a package as the recipient sees it and decrypts its message. It
// believes nothing that the exchange has checked: form, signature, exchange,
// recipients, digests, the binding of ciphertext and manifest, the digest of the
// plaintext, and equal attachment lists. Errors are ErrMalformed, ErrRejected,
// *InvalidError, or that of SenderKey. Whatever keeps the content from opening is
// the same ErrRejected.
func Open(in OpenInput) (*Message, *SignedManifest, error) {
	m, err := ParseManifest(in.Manifest)
	if err != nil {
		return nil, nil, err
	}
	key, err := in.SenderKey(m.Iss, m.Kid)
	if err != nil {
		return nil, nil, fmt.Errorf("open: key of the sender: %w", err)
	}
	if err := m.VerifySignature(key); err != nil {
		return nil, nil, err
	}
	if m.Exchange != in.Exchange || in.Self != m.Iss && !slices.Contains(m.Aud, in.Self) {
		return nil, nil, rejected(ReasonNotForUs)
	}
	c, err := ParseContent(in.Content)
	if err != nil {
		return nil, nil, err
	}
	if err := in.checkRecipients(c, m); err != nil {
		return nil, nil, err
	}
	plaintext, err := c.decrypt(in.Decrypt)
	if err != nil {
		return nil, nil, err
	}
	if digest64(plaintext) != m.Content.PlaintextSHA256 {
		return nil, nil, rejected(ReasonPlaintext)
	}
	message, err := ParseMessage(plaintext)
	if err != nil || len(message.Attachments) != len(m.Attachments) {
		return nil, nil, rejected(ReasonPlaintext)
	}
	return message, m, nil
}

func (in *OpenInput) checkRecipients(c *Content, m *SignedManifest) error {
	if in.RecipientKeys != nil {
		return c.Check(m, in.RecipientKeys)
	}
	if err := c.checkBinding(m); err != nil {
		return err
	}
	if n := len(c.Recipients) - len(m.Aud); n < 0 || n > 1 {
		return &InvalidError{ReasonCount, "content /recipients: one for each agency in aud, and at most one more", "ask the sender to seal the package again"}
	}
	return nil
}

// decrypt opens the content with the key of ours that it names.
func (c *Content) decrypt(keys []PrivateKey) ([]byte, error) {
	i, key := c.match(keys)
	if i < 0 {
		return nil, rejected(ReasonUnopenable)
	}
	obj, err := jose.ParseEncryptedJSON(string(c.raw),
		[]jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, rejected(ReasonUnopenable)
	}
	at, _, plaintext, err := obj.DecryptMulti(key.private)
	if err != nil || at != i {
		return nil, rejected(ReasonUnopenable)
	}
	return plaintext, nil
}

// match finds the first recipient whose key is among ours, -1 if there is none.
func (c *Content) match(keys []PrivateKey) (int, PrivateKey) {
	for i, r := range c.Recipients {
		for _, k := range keys {
			if k.public.use == UseEncrypt && k.public.kid == r.Kid {
				return i, k
			}
		}
	}
	return -1, PrivateKey{}
}
