package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Types of signed-note keys (c2sp.org/signed-note): plain Ed25519 for ledgers, timestamped cosignatures for witnesses.
const (
	algLedger  = 0x01
	algWitness = 0x04
)

// maxName bounds the name of a ledger, a witness and an owner, maxKeys the keys of one ledger.
const (
	maxName = 128
	maxKeys = 16
)

// ErrKey says that a text is not a key of the kind that is wanted.
var ErrKey = errors.New("malformed ledger key")

// checkName says whether a text can be the origin of a ledger or the name of a witness: a schema-less URL in printable ASCII.
func checkName(name string) error {
	outside := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("./:_-", r)
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, outside) {
		return fmt.Errorf("%w: a name has 1 to %d of letters, digits and ./:_-", ErrKey, maxName)
	}
	return nil
}

// GenerateKey makes the key of a new ledger: the private skey, which NewSigner reads, and the public vkey, which ParseKeys
// reads, both in the C2SP signed-note form. The name in both is the ledger's origin.
func GenerateKey(origin string) (skey, vkey string, err error) { return generate(origin, algLedger) }

func generate(name string, alg byte) (skey, vkey string, err error) {
	if err := checkName(name); err != nil {
		return "", "", err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	return formatSKey(name, alg, private), formatVKey(name, alg, public), nil
}

// keyID is the 32-bit key id of a signed note: SHA-256(name || 0x0A || type || public key)[:4].
func keyID(name string, alg byte, key ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(slices.Concat([]byte(name), []byte{'\n', alg}, key))
	return binary.BigEndian.Uint32(sum[:])
}

func formatVKey(name string, alg byte, key ed25519.PublicKey) string {
	return formatKey(name, keyID(name, alg, key), alg, key)
}

func formatSKey(name string, alg byte, key ed25519.PrivateKey) string {
	return "PRIVATE+KEY+" + formatKey(name, keyID(name, alg, key.Public().(ed25519.PublicKey)), alg, key.Seed())
}

func formatKey(name string, id uint32, alg byte, key []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(append([]byte{alg}, key...)))
}

// parseKey takes a key apart. The caller proves the form exact by writing the key again.
func parseKey(text string, alg byte) (name string, key []byte, err error) {
	name, rest, _ := strings.Cut(text, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	key, err = base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != alg {
		return "", nil, fmt.Errorf("%w: not a signed-note key of type 0x%02x", ErrKey, alg)
	}
	return name, key[1:], checkName(name)
}

func parseVKey(vkey string, alg byte) (string, ed25519.PublicKey, error) {
	name, key, err := parseKey(vkey, alg)
	if err != nil {
		return "", nil, err
	}
	if formatVKey(name, alg, key) != vkey {
		return "", nil, fmt.Errorf("%w: key id or encoding is wrong", ErrKey)
	}
	return name, key, nil
}

// parseSKey never puts any of its input into an error.
func parseSKey(skey string, alg byte) (string, ed25519.PrivateKey, error) {
	rest, ok := strings.CutPrefix(skey, "PRIVATE+KEY+")
	if !ok {
		return "", nil, fmt.Errorf("%w: not a private key", ErrKey)
	}
	name, seed, err := parseKey(rest, alg)
	if err != nil {
		return "", nil, err
	}
	private := ed25519.NewKeyFromSeed(seed)
	if formatSKey(name, alg, private) != skey {
		return "", nil, fmt.Errorf("%w: key id or encoding is wrong", ErrKey)
	}
	return name, private, nil
}

// Keys are the verifier keys of one ledger: the current one first, then those that it signed with before. Immutable.
type Keys struct {
	origin string
	vkeys  []string
	keys   []ed25519.PublicKey
}

// ParseKeys reads the file form: one verifier key a line, the current one first, all of one origin. A last line break may be
// missing; anything else (blank lines, comments, repeated keys, other key types) is refused.
func ParseKeys(file []byte) (Keys, error) {
	lines := strings.Split(string(bytes.TrimSuffix(file, []byte("\n"))), "\n")
	if len(lines) > maxKeys {
		return Keys{}, fmt.Errorf("%w: more than %d keys", ErrKey, maxKeys)
	}
	var k Keys
	for i, line := range lines {
		name, key, err := parseVKey(line, algLedger)
		switch {
		case err != nil:
			return Keys{}, fmt.Errorf("line %d: %w", i+1, err)
		case i > 0 && name != k.origin:
			return Keys{}, fmt.Errorf("line %d: %w: its origin is not %s", i+1, ErrKey, k.origin)
		case slices.Contains(k.vkeys, line):
			return Keys{}, fmt.Errorf("line %d: %w: the key stands here twice", i+1, ErrKey)
		}
		k.origin, k.vkeys, k.keys = name, append(k.vkeys, line), append(k.keys, key)
	}
	return k, nil
}

// Origin is the ledger's name, the same in all of its keys.
func (k Keys) Origin() string { return k.origin }

// Current is the verifier key with which the ledger signs now.
func (k Keys) Current() string {
	if len(k.vkeys) == 0 {
		return ""
	}
	return k.vkeys[0]
}

// String is the file form, as ParseKeys reads it.
func (k Keys) String() string {
	if len(k.vkeys) == 0 {
		return ""
	}
	return strings.Join(k.vkeys, "\n") + "\n"
}

// verifiers are the keys in the form that note.Open wants.
func (k Keys) verifiers() note.Verifiers {
	var list []note.Verifier
	for _, key := range k.keys {
		list = append(list, verifier{k.origin, keyID(k.origin, algLedger, key), func(msg, sig []byte) bool {
			return ed25519.Verify(key, msg, sig)
		}})
	}
	return note.VerifierList(list...)
}

// verifier is a note.Verifier.
type verifier struct {
	name  string
	id    uint32
	check func(msg, sig []byte) bool
}

func (v verifier) Name() string                { return v.name }
func (v verifier) KeyHash() uint32             { return v.id }
func (v verifier) Verify(msg, sig []byte) bool { return v.check(msg, sig) }
