package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Witness is the public key of another agency that cosigns heads of ledgers (c2sp.org/tlog-cosignature, Ed25519).
type Witness struct {
	name string
	key  ed25519.PublicKey
}

// ParseWitness reads a verifier key of signature type 0x04.
func ParseWitness(vkey string) (Witness, error) {
	name, key, err := parseVKey(vkey, algWitness)
	return Witness{name, key}, err
}

// Name is the witness's name, as it stands in its cosignatures.
func (w Witness) Name() string { return w.name }

// String is the verifier key.
func (w Witness) String() string { return formatVKey(w.name, algWitness, w.key) }

// Cosignature says that a witness had seen no other history of the ledger than the one up to a checkpoint, at the given time.
type Cosignature struct {
	Witness string
	Time    time.Time // whole seconds, UTC, by the witness's clock
}

// Cosignatures verifies the cosignatures of the given witnesses on the checkpoint, in the order of the note. Each public key counts
// once, whatever names it has: an Ed25519 cosignature does not commit to the name. A wrong one of a known witness is an error.
func (c Checkpoint) Cosignatures(ws []Witness) ([]Cosignature, error) {
	var list []note.Verifier
	for i, w := range ws {
		if len(w.key) == ed25519.PublicKeySize && !slices.ContainsFunc(ws[:i], func(o Witness) bool { return w.key.Equal(o.key) }) {
			list = append(list, verifier{w.name, keyID(w.name, algWitness, w.key), w.verify})
		}
	}
	n, err := note.Open(c.Note, note.VerifierList(list...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("witness cosignature: %w", noteError(err))
	}
	var cs []Cosignature
	for _, sig := range n.Sigs {
		raw, err := decodeExact(base64.StdEncoding, sig.Base64)
		if err != nil {
			return nil, fmt.Errorf("witness cosignature: %w", err)
		}
		cs = append(cs, Cosignature{sig.Name, time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC()})
	}
	return cs, nil
}

// verify checks a timestamped signature: eight bytes of POSIX time, big-endian, then an Ed25519 signature.
func (w Witness) verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at > 0 && at <= math.MaxInt64 && ed25519.Verify(w.key, cosigned(at, text), sig[8:])
}

// cosigned is the message under a cosignature.
func cosigned(at uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), text...)
}

// Cosigner signs as a witness. Before it signs it must have verified that the checkpoint extends the newest one that it ever
// signed for that origin: VerifyExtends.
type Cosigner struct {
	witness Witness
	key     crypto.Signer
}

// GenerateWitnessKey makes the key pair of a witness.
func GenerateWitnessKey(name string) (skey, vkey string, err error) {
	return generate(name, algWitness)
}

// NewCosigner reads the private key that GenerateWitnessKey made.
func NewCosigner(skey string) (*Cosigner, error) {
	name, key, err := parseSKey(skey, algWitness)
	if err != nil {
		return nil, err
	}
	return &Cosigner{Witness{name, key.Public().(ed25519.PublicKey)}, key}, nil
}

// Witness is the public half.
func (c *Cosigner) Witness() Witness { return c.witness }

// Cosign returns the checkpoint's note with the cosignature appended; an older one of the same witness is replaced.
func (c *Cosigner) Cosign(cp Checkpoint, at time.Time) ([]byte, error) {
	if at.Unix() <= 0 {
		return nil, fmt.Errorf("cosign: %w: time %s", ErrCheckpoint, at)
	}
	_, err := note.Open(cp.Note, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return nil, fmt.Errorf("cosign: %w", noteError(err))
	}
	n := unverified.Note
	signed, err := note.Sign(n, cosigner{c, uint64(at.Unix())})
	if err != nil {
		return nil, fmt.Errorf("cosign: %w", err)
	}
	return signed, nil
}

// cosigner is the note.Signer of a Cosigner at one moment.
type cosigner struct {
	c  *Cosigner
	at uint64
}

func (s cosigner) Name() string    { return s.c.witness.name }
func (s cosigner) KeyHash() uint32 { return keyID(s.c.witness.name, algWitness, s.c.witness.key) }
func (s cosigner) Sign(text []byte) ([]byte, error) {
	sig, err := s.c.key.Sign(rand.Reader, cosigned(s.at, text), crypto.Hash(0))
	return append(binary.BigEndian.AppendUint64(nil, s.at), sig...), err
}
