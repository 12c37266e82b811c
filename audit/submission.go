package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxSubmission is the greatest length of a Submission, in bytes: an old size, 63 hashes, a checkpoint.
const MaxSubmission = MaxCheckpoint + 4<<10

// What a witness says of a submission (c2sp.org/tlog-witness), in the order in which it asks.
var (
	ErrSubmission = errors.New("malformed submission to a witness")
	ErrOldSize    = errors.New("the old size is greater than the checkpoint's")
	ErrConflict   = errors.New("the old size is not that of the newest checkpoint that was cosigned")
	ErrRoots      = errors.New("another checkpoint of this size was cosigned")
	ErrProof      = errors.New("the checkpoint does not extend the newest one that was cosigned")
)

// Submission is what a ledger sends to a witness (add-checkpoint): its new checkpoint, and the proof that it extends the newest
// one that the witness has cosigned, of size Old.
type Submission struct {
	Old   int64
	Proof tlog.TreeProof
	Note  []byte // the signed checkpoint
}

// Encode writes the body of the request.
func (s Submission) Encode() []byte {
	b := fmt.Appendf(nil, "old %d\n", s.Old)
	for _, h := range s.Proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), s.Note...)
}

// ParseSubmission reads the body of a request, in exactly the form that Encode writes. It verifies nothing: see Check.
func ParseSubmission(b []byte) (Submission, error) {
	if len(b) > MaxSubmission {
		return Submission{}, fmt.Errorf("%w: longer than %d bytes", ErrSubmission, MaxSubmission)
	}
	head, checkpoint, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	digits, old := strings.CutPrefix(lines[0], "old ")
	if !ok || !old || len(lines) > 1+63 {
		return Submission{}, fmt.Errorf("%w: not an old size, at most 63 hashes, an empty line and a checkpoint", ErrSubmission)
	}
	s := Submission{Note: []byte(checkpoint)}
	var err error
	if s.Old, err = parseSize(digits); err != nil {
		return Submission{}, fmt.Errorf("%w: old size: %w", ErrSubmission, err)
	}
	for _, line := range lines[1:] {
		h, err := decode32(base64.StdEncoding, line)
		if err != nil {
			return Submission{}, fmt.Errorf("%w: proof: %w", ErrSubmission, err)
		}
		s.Proof = append(s.Proof, h)
	}
	return s, nil
}

// Origin is the first line of the submitted checkpoint: whose it claims to be.
func (s Submission) Origin() string {
	origin, _, _ := strings.Cut(string(s.Note), "\n")
	return origin
}

// Check holds the submission against the newest checkpoint that the witness has cosigned for this ledger; the zero Checkpoint if
// it never has. cp is the submitted one, opened. Only if the error is nil may it be cosigned.
func (s Submission) Check(last, cp Checkpoint) error {
	switch {
	case s.Old > cp.Size:
		return fmt.Errorf("%w: %d and %d", ErrOldSize, s.Old, cp.Size)
	case s.Old != last.Size:
		return fmt.Errorf("%w: %d, cosigned %d", ErrConflict, s.Old, last.Size)
	case s.Old == cp.Size && last.Note != nil && last.Root != cp.Root:
		return fmt.Errorf("%w: size %d", ErrRoots, cp.Size)
	case s.Old == 0 || s.Old == cp.Size:
		if len(s.Proof) > 0 {
			return fmt.Errorf("%w: a proof where none is to be", ErrProof)
		}
		return nil
	}
	if err := tlog.CheckTree(s.Proof, cp.Size, cp.Root, last.Size, last.Root); err != nil {
		return fmt.Errorf("%w: size %d against size %d", ErrProof, cp.Size, last.Size)
	}
	return nil
}

// ProveExtends proves, from stored hashes, that a tree of one size extends that of an older one, for a Submission.
func ProveExtends(older, size int64, r tlog.HashReader) (tlog.TreeProof, error) {
	if older < 0 || size < older || size > MaxSize {
		return nil, fmt.Errorf("%w: %d and %d", ErrSize, older, size)
	}
	if older == 0 || older == size {
		return nil, nil
	}
	proof, err := tlog.ProveTree(size, older, r)
	if err != nil {
		return nil, fmt.Errorf("prove that size %d extends size %d: %w", size, older, err)
	}
	return proof, nil
}

// Cosignature returns the line of the witness's own cosignature on a checkpoint: the answer to a submission.
func (c *Cosigner) Cosignature(cp Checkpoint, seconds int64) ([]byte, error) {
	if seconds <= 0 {
		return nil, fmt.Errorf("cosign: %w: time %d", ErrCheckpoint, seconds)
	}
	text, _, ok := splitNote(cp.Note)
	if !ok {
		return nil, fmt.Errorf("cosign: %w", ErrCheckpoint)
	}
	signed, err := note.Sign(&note.Note{Text: text}, cosigner{c, uint64(seconds)})
	if err != nil {
		return nil, fmt.Errorf("cosign: %w", err)
	}
	return signed[len(text)+1:], nil
}

// Merge adds what a witness answered to a checkpoint, if there is a valid cosignature of that witness in it; other lines are left
// out. An older cosignature of the same witness is replaced.
func (c Checkpoint) Merge(answer []byte, w Witness) (Checkpoint, Cosignature, error) {
	text, lines, ok := splitNote(c.Note)
	if !ok {
		return Checkpoint{}, Cosignature{}, fmt.Errorf("merge: %w", ErrCheckpoint)
	}
	own := w.linePrefix()
	kept := lines[:0:0]
	for _, line := range lines {
		if !isLineOf(line, own) {
			kept = append(kept, line)
		}
	}
	for line := range strings.Lines(string(answer)) {
		line, ended := strings.CutSuffix(line, "\n")
		if !ended || !isLineOf(line, own) {
			continue
		}
		merged := c
		merged.Note = []byte(text + "\n" + strings.Join(append(kept, line), "\n") + "\n")
		if err := checkSignatureLines(merged.Note); err != nil {
			return Checkpoint{}, Cosignature{}, err
		}
		cs, err := merged.Cosignatures([]Witness{w})
		if err == nil && len(cs) != 1 {
			err = ErrEncoding
		}
		if err != nil {
			return Checkpoint{}, Cosignature{}, fmt.Errorf("%w: cosignature of %s: %w", ErrSignature, w.name, err)
		}
		return merged, cs[0], nil
	}
	return Checkpoint{}, Cosignature{}, fmt.Errorf("%w: no cosignature of %s", ErrSignature, w.name)
}

// linePrefix is the witness's name as its lines begin, and its key id.
func (w Witness) linePrefix() [2]string {
	id := keyID(w.name, algWitness, w.key)
	return [2]string{"— " + w.name + " ", string([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})}
}

func isLineOf(line string, of [2]string) bool {
	encoded, ok := strings.CutPrefix(line, of[0])
	raw, err := decodeExact(base64.StdEncoding, encoded)
	return ok && err == nil && strings.HasPrefix(string(raw), of[1])
}

// ParseWitnessSize reads the answer of a witness to a submission whose old size was another than its own.
func ParseWitnessSize(body []byte) (int64, error) {
	digits, ended := strings.CutSuffix(string(body), "\n")
	n, err := parseSize(digits)
	if !ended || err != nil {
		return 0, fmt.Errorf("%w: %s is no size", ErrSubmission, strconv.QuoteToASCII(string(body[:min(len(body), 40)])))
	}
	return n, nil
}
