package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrEncoding says that a text is not the one base64 or decimal form of a value.
var ErrEncoding = errors.New("malformed encoding")

// FirstPrev is Entry.Prev of an owner's first entry: 32 zero bytes, base64url.
var FirstPrev = Commitment{}.String()

// Salt is the random key of an entry's commitment. It is kept and erased together with the entry: without it, nobody can
// test a guess of the entry against the commitment.
type Salt [32]byte

// NewSalt returns 32 bytes from the system's random source, which never fails in Go 1.24 and later.
func NewSalt() Salt {
	var s Salt
	_, _ = rand.Read(s[:]) // documented to crash the program rather than return an error
	return s
}

// String is base64url without padding.
func (s Salt) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// Commitment is what the ledger holds of an entry, and all of it that other agencies can see:
// HMAC-SHA-256 (RFC 2104) with the salt as key and the bytes of the entry as message.
type Commitment [32]byte

// Commit commits to the bytes of an entry.
func Commit(salt Salt, entry []byte) Commitment {
	mac := hmac.New(sha256.New, salt[:])
	mac.Write(entry)
	return Commitment(mac.Sum(nil))
}

// String is base64url without padding.
func (c Commitment) String() string { return base64.RawURLEncoding.EncodeToString(c[:]) }

// ParseCommitment reads what String wrote, and nothing else.
func ParseCommitment(s string) (Commitment, error) {
	b, err := decode32(base64.RawURLEncoding, s)
	return Commitment(b), err
}

// Leaf is the leaf hash of the commitment in the ledger's tree: SHA-256(0x00 || commitment), RFC 6962 section 2.1.
func (c Commitment) Leaf() tlog.Hash {
	var b [1 + len(c)]byte // b[0] is the 0x00
	copy(b[1:], c[:])
	return sha256.Sum256(b[:])
}

// decodeExact decodes only the one canonical text of a value. The decoder alone would also take line breaks and, unless
// strict, stray bits in the last character.
func decodeExact(enc *base64.Encoding, s string) ([]byte, error) {
	b, err := enc.DecodeString(s)
	if err != nil || enc.EncodeToString(b) != s {
		return nil, fmt.Errorf("%w: not canonical base64", ErrEncoding)
	}
	return b, nil
}

// decode32 decodes the canonical text of exactly 32 bytes.
func decode32(enc *base64.Encoding, s string) (b [32]byte, err error) {
	if len(s) != enc.EncodedLen(len(b)) {
		if _, err = decodeExact(enc, s); err == nil {
			err = fmt.Errorf("%w: not 32 bytes", ErrEncoding)
		}
		return b, err
	}
	var room [len(b) + 2]byte // padding counts until it is read
	n, err := enc.Strict().Decode(room[:], []byte(s))
	if err != nil || n != len(b) { // fewer if the decoder passed over line breaks
		return b, fmt.Errorf("%w: not canonical base64", ErrEncoding)
	}
	return [32]byte(room[:]), nil
}
