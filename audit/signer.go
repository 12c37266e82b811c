package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Signer signs the heads of one ledger. Safe for concurrent use if its key is.
//
// It signs whatever it is given: the caller must have proven that the head extends the last one that was signed (CheckExtends).
type Signer struct {
	origin string
	public ed25519.PublicKey
	key    crypto.Signer
}

// NewSigner reads the private key that GenerateKey made.
func NewSigner(skey string) (*Signer, error) {
	origin, key, err := parseSKey(skey, algLedger)
	if err != nil {
		return nil, err
	}
	return NewSignerWith(origin, key)
}

// NewSignerWith signs with a key that may lie elsewhere (PKCS#11, KMS). It must be an Ed25519 key.
func NewSignerWith(origin string, key crypto.Signer) (*Signer, error) {
	if err := checkName(origin); err != nil {
		return nil, err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: %T is not an Ed25519 key", ErrKey, key.Public())
	}
	return &Signer{origin: origin, public: public, key: key}, nil
}

// Origin is the ledger's name.
func (s *Signer) Origin() string { return s.origin }

// VerifierKey is the public key, as ParseKeys reads it.
func (s *Signer) VerifierKey() string { return formatVKey(s.origin, algLedger, s.public) }

// Checkpoint signs a head (c2sp.org/tlog-checkpoint). There is no time in it and Ed25519 is deterministic: the same head
// gives the same bytes, whenever and however often it is signed.
func (s *Signer) Checkpoint(size int64, root tlog.Hash) ([]byte, error) {
	if size < 0 || size > MaxSize {
		return nil, fmt.Errorf("%w: checkpoint of size %d", ErrSize, size)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", s.origin, size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{s})
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// noteSigner is the note.Signer of a Signer, kept inside so that nobody can have another text signed.
type noteSigner struct{ s *Signer }

func (n noteSigner) Name() string    { return n.s.origin }
func (n noteSigner) KeyHash() uint32 { return keyID(n.s.origin, algLedger, n.s.public) }
func (n noteSigner) Sign(msg []byte) ([]byte, error) {
	return n.s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}
