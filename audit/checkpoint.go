package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxCheckpoint is the greatest length of a signed checkpoint, in bytes: room for many cosignatures, post-quantum ones too.
const MaxCheckpoint = 128 << 10

// Errors of OpenCheckpoint: the text is no checkpoint of this ledger, or nobody trusted has signed it.
var (
	ErrCheckpoint = errors.New("malformed checkpoint")
	ErrSignature  = errors.New("checkpoint without a valid signature of the ledger")
)

// Checkpoint is a head of the ledger whose signature was verified. Note is the whole signed note, cosignatures included.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   []byte
}

// OpenCheckpoint verifies a signed checkpoint (c2sp.org/tlog-checkpoint) with the keys of its ledger. The origin must be theirs,
// numbers and encodings canonical, the size at most MaxSize. Extension lines, which C2SP leaves optional, our ledgers never write:
// refused. Signatures of unknown keys are ignored, as C2SP demands; one of a known key that is wrong, or the same key twice, is refused.
func OpenCheckpoint(signed []byte, k Keys) (Checkpoint, error) {
	if err := checkSignatureLines(signed); err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open(signed, k.verifiers())
	if err != nil {
		return Checkpoint{}, noteError(err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != k.origin {
		return Checkpoint{}, fmt.Errorf("%w: not exactly origin %s, size and root", ErrCheckpoint, k.origin)
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: size: %w", ErrCheckpoint, err)
	}
	root, err := decode32(base64.StdEncoding, lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: root: %w", ErrCheckpoint, err)
	}
	if size == 0 && root != emptyRoot {
		return Checkpoint{}, fmt.Errorf("%w: wrong root of an empty tree", ErrCheckpoint)
	}
	return Checkpoint{Origin: k.origin, Size: size, Root: root, Note: bytes.Clone(signed)}, nil
}

// noteError tells a note that is no note from one that nobody known has signed.
func noteError(err error) error {
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	if errors.As(err, &unverified) || errors.As(err, &invalid) {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return fmt.Errorf("%w: %w", ErrCheckpoint, err)
}

// parseSize reads a decimal without sign or leading zeros, from 0 to MaxSize.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%w: not a canonical decimal", ErrEncoding)
	}
	if n > MaxSize {
		return 0, fmt.Errorf("%w: more than %d", ErrSize, int64(MaxSize))
	}
	return n, nil
}

// checkSignatureLines refuses what note.Open passes over: signatures that are not canonical base64, and a key that signs twice.
func checkSignatureLines(signed []byte) error {
	if len(signed) > MaxCheckpoint {
		return fmt.Errorf("%w: longer than %d bytes", ErrCheckpoint, MaxCheckpoint)
	}
	_, lines, ok := splitNote(signed)
	if !ok {
		return fmt.Errorf("%w: not a signed note", ErrCheckpoint)
	}
	seen := map[string]bool{}
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, "— ")
		name, encoded, _ := strings.Cut(rest, " ")
		sig, err := decodeExact(base64.StdEncoding, encoded)
		if !ok || err != nil || len(sig) < 5 {
			return fmt.Errorf("%w: malformed signature line", ErrCheckpoint)
		}
		key := name + " " + string(sig[:4])
		if seen[key] {
			return fmt.Errorf("%w: two signatures of one key", ErrCheckpoint)
		}
		seen[key] = true
	}
	return nil
}

// splitNote parts a signed note into its text, with the last line break, and its signature lines, without theirs.
func splitNote(signed []byte) (text string, lines []string, ok bool) {
	i := bytes.LastIndex(signed, []byte("\n\n"))
	if i < 0 || !bytes.HasSuffix(signed, []byte("\n")) || i+2 >= len(signed) {
		return "", nil, false
	}
	return string(signed[:i+1]), strings.Split(string(signed[i+2:len(signed)-1]), "\n"), true
}
