package report

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// What the entry of an export says, and its details are called.
const (
	ActionExport   = "audit.export"
	Exported       = "exported"
	detailSHA256   = "sha256"
	detailBytes    = "bytes"
	detailFirst    = "first"
	detailLast     = "last"
	detailFormat   = "format"
	detailFrom     = "from"
	detailTo       = "to"
	detailQuery    = "query"
	detailOf       = "owner" // whose log, if not the reader's
	manifestFormat = "liaison-export/1"
)

// Export is what an export was, for its entry.
type Export struct {
	Of, Query, Format, From, To string
	First, Last                 uint64 // of the entries in it
	Bytes                       int64
	SHA256                      []byte
}

// Details are the export as its entry has it.
func (x Export) Details() map[string]string {
	d := map[string]string{detailFormat: x.Format, detailFrom: x.From, detailTo: x.To}
	if x.Of != "" {
		d[detailOf] = x.Of
	}
	PutText(d, detailQuery, x.Query)
	if x.SHA256 != nil {
		d[detailSHA256] = base64.RawURLEncoding.EncodeToString(x.SHA256)
		d[detailBytes] = strconv.FormatInt(x.Bytes, 10)
		d[detailFirst], d[detailLast] = strconv.FormatUint(x.First, 10), strconv.FormatUint(x.Last, 10)
	}
	return d
}

// textPiece is how many bytes of a text fit into one detail of an entry, and
// maxPieces how many details are left for one.
const (
	textPiece = 256
	maxPieces = 8
)

// PutText puts a text into details, in as many as it takes, so that the entry
// has it whole. It reports whether there are enough.
func PutText(details map[string]string, name, text string) bool {
	n, length, piece := 0, 0, ""
	flush := func() {
		if n++; n > 1 {
			details[name+"_"+strconv.Itoa(n)] = piece
		} else if piece != "" {
			details[name] = piece
		}
		length, piece = 0, ""
	}
	for _, r := range text {
		encoded, _ := json.Marshal(string(r))
		if length+len(encoded)-len(`""`) > textPiece {
			flush()
		}
		length, piece = length+len(encoded)-len(`""`), piece+string(r)
	}
	flush()
	return n <= maxPieces
}

// Text is a text that PutText put into details.
func Text(details map[string]string, name string) string {
	text := details[name]
	for n := 2; ; n++ {
		piece, ok := details[name+"_"+strconv.Itoa(n)]
		if !ok {
			return text
		}
		text += piece
	}
}

// manifest is the manifest of an export: what its entry says, in words, and
// the receipt that proves the entry.
type manifest struct {
	Format        string `json:"format"`
	Exchange      string `json:"exchange"`
	Owner         string `json:"owner"` // whose log it is
	At            string `json:"at"`
	By            string `json:"by"`
	Officer       string `json:"officer"`
	Justification string `json:"justification"`
	CaseRef       string `json:"case_ref,omitempty"`
	Consultation  string `json:"consultation"`
	Query         string `json:"query"`
	From          string `json:"from"`
	To            string `json:"to"`
	Kind          string `json:"kind"`
	Entries       uint64 `json:"entries"`
	First         string `json:"first"`
	Last          string `json:"last"`
	Bytes         string `json:"bytes"`
	SHA256        string `json:"sha256"` // hexadecimal, as sha256sum prints it
	Checkpoint    string `json:"checkpoint"`
	Receipt       string `json:"receipt"`
}

// ErrManifest says that a manifest is none, or does not hold.
var ErrManifest = errors.New("the manifest does not hold")

// Manifest is what is proven of an export.
type Manifest struct {
	audit.Verified
	Of     string // whose log
	Query  string
	Format string
	SHA256 []byte
	Bytes  int64
}

// MakeManifest writes the manifest of an export from the receipt of its entry.
// The same receipt gives the same bytes.
func MakeManifest(receipt audit.Receipt, keys audit.Keys, witnesses []audit.Witness) ([]byte, Manifest, error) {
	v, err := receipt.Verify(keys, witnesses)
	if err != nil {
		return nil, Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	e := &v.Entry
	if e.Action != ActionExport || e.Outcome != Exported || len(e.Truncated) > 0 {
		return nil, Manifest{}, fmt.Errorf("%w: its receipt is of %s %s, not of an export", ErrManifest, e.Action, e.Outcome)
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(e.Details[detailSHA256])
	size, err2 := strconv.ParseInt(e.Details[detailBytes], 10, 64)
	if err := errors.Join(err, err2); err != nil || len(sum) != 32 {
		return nil, Manifest{}, fmt.Errorf("%w: its entry has no digest: %w", ErrManifest, err)
	}
	m := Manifest{Verified: v, Of: e.Owner, Query: Text(e.Details, detailQuery), Format: e.Details[detailFormat], SHA256: sum, Bytes: size}
	if of := e.Details[detailOf]; of != "" {
		m.Of = of
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(manifest{Format: manifestFormat, Exchange: e.Exchange, Owner: m.Of, At: e.Time, By: e.Actor.Identity, Officer: e.Officer, Justification: e.Justification,
		CaseRef: e.CaseRef, Consultation: e.Consultation, Query: m.Query, From: e.Details[detailFrom], To: e.Details[detailTo], Kind: m.Format, Entries: e.Count,
		First: e.Details[detailFirst], Last: e.Details[detailLast], Bytes: e.Details[detailBytes], SHA256: hex.EncodeToString(sum), Checkpoint: string(receipt.Checkpoint),
		Receipt: receipt.Encode()})
	return b.Bytes(), m, err
}

// VerifyManifest reads a manifest and proves it: its receipt by the ledger's
// key, and each of its words by the receipt. A byte that differs is an error.
func VerifyManifest(raw []byte, keys audit.Keys, witnesses []audit.Witness) (Manifest, error) {
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil || m.Format != manifestFormat {
		return Manifest{}, fmt.Errorf("%w: it is no manifest of an export", ErrManifest)
	}
	receipt, err := audit.ParseReceipt(m.Receipt)
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	again, proven, err := MakeManifest(receipt, keys, witnesses)
	if err != nil {
		return Manifest{}, err
	}
	if !bytes.Equal(raw, again) {
		return Manifest{}, fmt.Errorf("%w: %s is not what its receipt proves", ErrManifest, differing(raw, again))
	}
	return proven, nil
}

// differing is the first member that two manifests do not share.
func differing(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range y {
		if i >= len(x) || x[i] != y[i] {
			name, _, _ := strings.Cut(strings.TrimSpace(y[i]), ":")
			return strings.Trim(name, `"{},`)
		}
	}
	return "its end"
}
