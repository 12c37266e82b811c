package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxReceipt is the greatest length of a receipt, in bytes.
const MaxReceipt = MaxCheckpoint + 64<<10

// Errors of receipts.
var (
	ErrReceipt     = errors.New("malformed receipt")
	ErrNotIncluded = errors.New("the entry is not in the ledger under this checkpoint")
	ErrOtherLedger = errors.New("the entry was written for another ledger")
)

// The parts of a receipt's text that never vary.
const (
	receiptHeader = "c2sp.org/tlog-proof@v1\n"
	extraStart    = `{"entry":"`
	extraMiddle   = `","salt":"`
	extraEnd      = `"}`
)

// Receipt is the proof that an entry is in the ledger: whoever has the ledger's public key verifies it without asking anybody.
// It holds the entry itself, so it is for the entry's owner.
type Receipt struct {
	Entry, Salt []byte // as stored; Salt has 32 bytes
	Index       int64
	Proof       tlog.RecordProof
	Checkpoint  []byte // signed note
}

// Verified is what a receipt proves.
type Verified struct {
	Entry        Entry
	Commitment   Commitment
	Index, Size  int64
	Checkpoint   Checkpoint
	Witnessed    int // how many of the given witnesses cosigned the checkpoint
	Cosignatures []Cosignature
}

// Encode writes the receipt as a c2sp.org/tlog-proof@v1 text, which ParseReceipt reads back to the same receipt.
func (r Receipt) Encode() string {
	extra := make([]byte, 0, 128+base64.RawURLEncoding.EncodedLen(len(r.Entry)))
	extra = append(extra, extraStart...)
	extra = base64.RawURLEncoding.AppendEncode(extra, r.Entry)
	extra = append(extra, extraMiddle...)
	extra = base64.RawURLEncoding.AppendEncode(extra, r.Salt)
	extra = append(extra, extraEnd...)

	b := make([]byte, 0, 128+base64.StdEncoding.EncodedLen(len(extra))+45*len(r.Proof)+len(r.Checkpoint))
	b = append(b, receiptHeader+"extra "...)
	b = base64.StdEncoding.AppendEncode(b, extra)
	b = append(b, "\nindex "...)
	b = strconv.AppendInt(b, r.Index, 10)
	b = append(b, '\n')
	for _, h := range r.Proof {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	b = append(b, '\n')
	return string(append(b, r.Checkpoint...))
}

// ParseReceipt reads a receipt in exactly the form that Encode writes: encoding what it returns gives the same text.
// It verifies nothing: see Verify.
func ParseReceipt(text string) (Receipt, error) {
	if len(text) > MaxReceipt {
		return Receipt{}, fmt.Errorf("%w: longer than %d bytes", ErrReceipt, MaxReceipt)
	}
	rest, ok := strings.CutPrefix(text, receiptHeader)
	if !ok {
		return Receipt{}, fmt.Errorf("%w: first line is not %s", ErrReceipt, strings.TrimSpace(receiptHeader))
	}
	head, checkpoint, ok := strings.Cut(rest, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || len(lines) > 2+63 {
		return Receipt{}, fmt.Errorf("%w: not extra, index, at most 63 hashes, blank line, checkpoint", ErrReceipt)
	}
	r := Receipt{Checkpoint: []byte(checkpoint), Proof: tlog.RecordProof{}}
	var err error
	if r.Entry, r.Salt, err = parseExtra(lines[0]); err != nil {
		return Receipt{}, fmt.Errorf("%w: extra: %w", ErrReceipt, err)
	}
	if r.Index, err = parseIndex(lines[1]); err != nil {
		return Receipt{}, fmt.Errorf("%w: index: %w", ErrReceipt, err)
	}
	for _, line := range lines[2:] {
		h, err := decode32(base64.StdEncoding, line)
		if err != nil {
			return Receipt{}, fmt.Errorf("%w: proof: %w", ErrReceipt, err)
		}
		r.Proof = append(r.Proof, h)
	}
	if err := checkSignatureLines(r.Checkpoint); err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	return r, nil
}

// parseExtra reads the line with entry and salt. Its JSON has one form only: no spaces, no other order, no escapes.
func parseExtra(line string) (entry, salt []byte, err error) {
	encoded, ok := strings.CutPrefix(line, "extra ")
	if !ok {
		return nil, nil, fmt.Errorf("%w: line is missing", ErrEncoding)
	}
	extra, err := decodeExact(base64.StdEncoding, encoded)
	if err != nil {
		return nil, nil, err
	}
	body, ok1 := strings.CutPrefix(string(extra), extraStart)
	body, ok2 := strings.CutSuffix(body, extraEnd)
	e, s, ok3 := strings.Cut(body, extraMiddle)
	if !ok1 || !ok2 || !ok3 {
		return nil, nil, fmt.Errorf(`%w: not {"entry":"…","salt":"…"}`, ErrEncoding)
	}
	if entry, err = decodeExact(base64.RawURLEncoding, e); err != nil {
		return nil, nil, err
	}
	if len(entry) > MaxEntry {
		return nil, nil, fmt.Errorf("%w: entry longer than %d bytes", ErrEncoding, MaxEntry)
	}
	fixed, err := decode32(base64.RawURLEncoding, s)
	return entry, fixed[:], err
}

func parseIndex(line string) (int64, error) {
	digits, ok := strings.CutPrefix(line, "index ")
	if !ok {
		return 0, fmt.Errorf("%w: line is missing", ErrEncoding)
	}
	return parseSize(digits)
}

// Verify checks the whole chain: the checkpoint's signature, the entry and salt against the commitment, the commitment against the
// tree, the entry's form and the ledger that it names. Cosignatures of the given witnesses are verified and counted; none are required.
func (r Receipt) Verify(k Keys, witnesses []Witness) (Verified, error) {
	cp, err := OpenCheckpoint(r.Checkpoint, k)
	if err != nil {
		return Verified{}, err
	}
	cosignatures, err := cp.Cosignatures(witnesses)
	if err != nil {
		return Verified{}, err
	}
	c, err := r.commitment()
	if err != nil {
		return Verified{}, err
	}
	if r.Index < 0 || r.Index >= cp.Size {
		return Verified{}, fmt.Errorf("%w: index %d of a ledger of size %d", ErrNotIncluded, r.Index, cp.Size)
	}
	if err := tlog.CheckRecord(r.Proof, cp.Size, cp.Root, r.Index, c.Leaf()); err != nil {
		return Verified{}, fmt.Errorf("%w: %w", ErrNotIncluded, err)
	}
	e, err := ParseEntry(r.Entry)
	if err != nil {
		return Verified{}, err
	}
	if e.Exchange != cp.Origin {
		return Verified{}, fmt.Errorf("%w: %s", ErrOtherLedger, e.Exchange)
	}
	return Verified{e, c, r.Index, cp.Size, cp, len(cosignatures), cosignatures}, nil
}

func (r Receipt) commitment() (Commitment, error) {
	if len(r.Salt) != len(Salt{}) {
		return Commitment{}, fmt.Errorf("%w: salt of %d bytes", ErrReceipt, len(r.Salt))
	}
	return Commit(Salt(r.Salt), r.Entry), nil
}

// Upgrade proves the same entry under a newer checkpoint, one that witnesses have cosigned meanwhile. The hashes must be proven to
// be of that checkpoint: VerifyTiles. The receipt itself must have been verified.
func (r Receipt) Upgrade(to Checkpoint, hashes tlog.HashReader) (Receipt, error) {
	c, err := r.commitment()
	if err != nil {
		return Receipt{}, err
	}
	proof, err := ProveRecord(to.Size, r.Index, hashes)
	if err != nil {
		return Receipt{}, fmt.Errorf("upgrade receipt: %w", err)
	}
	if err := tlog.CheckRecord(proof, to.Size, to.Root, r.Index, c.Leaf()); err != nil {
		return Receipt{}, fmt.Errorf("upgrade receipt: %w: %w", ErrNotIncluded, err)
	}
	return Receipt{Entry: r.Entry, Salt: r.Salt, Index: r.Index, Proof: proof, Checkpoint: to.Note}, nil
}
