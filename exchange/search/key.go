package search

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// keyed is a token of a value.
type keyed [8]byte

// Key makes tokens of values that the index must not show.
type Key [32]byte

// tokener makes many tokens, one after the other.
type tokener struct {
	mac hash.Hash
	in  []byte
	out []byte
}

func (k *Key) tokener() *tokener { return &tokener{mac: hmac.New(sha256.New, k[:])} }

func (m *tokener) token(field, value string) keyed {
	m.mac.Reset()
	m.in = append(append(append(m.in[:0], field...), 0), value...)
	m.mac.Write(m.in)
	m.out = m.mac.Sum(m.out[:0])
	return keyed(m.out[:8])
}

// fingerprint tells whether an index was made with this key, and for the same
// fields.
func (k *Key) fingerprint() string {
	shape := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		shape.Write([]byte(name))
		if fields[name].Token {
			shape.Write([]byte{1})
		}
		shape.Write([]byte{0})
	}
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte("fingerprint"))
	mac.Write(shape.Sum(nil))
	return string(base32Text(mac.Sum(nil)[:10]))
}

func base32Text(b []byte) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c&31])
	}
	return out
}

// LoadKey reads the index's key from a file that only its owner reads, and
// makes it at the first start.
func LoadKey(path string, random func([]byte) (int, error)) (k Key, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := random(k[:]); err != nil {
			return Key{}, err
		}
		return k, writeFile(path, []byte(hex.EncodeToString(k[:])+"\n"), true)
	}
	if err != nil {
		return Key{}, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(b) != len(k) {
		return Key{}, fmt.Errorf("%s does not hold a key of the search index: 64 hexadecimal digits (delete it, and the index is built anew)", path)
	}
	return Key(b), nil
}
