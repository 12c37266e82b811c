package exchange

import (
	"context"
	"io"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/policy"
)

// Caller is who asks: a verified certificate and the request's id.
type Caller struct {
	certs.Peer
	Request string
}

// Parts is a package as it arrives: each part is read when it is wanted, in
// this order. Errors are refusals (wrong order, too large) or I/O errors.
type Parts interface {
	Manifest() ([]byte, error)
	Statement() ([]byte, error)
	// Afford is asked when the sender's signatures hold, and before policy is:
	// an error says that a limit of the sender leaves no room.
	Afford(ctx context.Context, c Cost) error
	Content() ([]byte, error)
	// Attachment returns the next attachment, io.EOF after the last. A
	// reader is valid until the next call.
	Attachment() (io.Reader, error)
}

// Outcome is what became of a package for one recipient, masked for its
// reader.
type Outcome struct {
	Recipient   string              `json:"recipient"`
	Outcome     string              `json:"outcome"`
	Decision    string              `json:"decision"`
	Obligations []policy.Obligation `json:"obligations,omitempty"`
	Reasons     []policy.Reason     `json:"reasons,omitempty"`
	Advice      []policy.Reason     `json:"advice,omitempty"`
	Sampled     []string            `json:"sampled,omitempty"` // jurisdictions whose sample rules took part
	Mismatches  []string            `json:"-"`                 // codes that the recipient reported
}

// Accepted answers Post. Repeat is true for a package that was accepted
// before: outcomes and receipt are then the first ones.
type Accepted struct {
	ID       string
	Outcomes []Outcome
	Receipt  audit.Receipt
	Repeat   bool
}

// Decided answers Decide.
type Decided struct {
	Outcomes []Outcome
	Receipt  audit.Receipt
}

// DryRun holds the unsigned payloads of a question to policy.
type DryRun struct {
	Manifest, Statement []byte // JSON
}

// View is a package as one party sees it: a descriptor.
type View struct {
	ID, From       string
	To             []string
	Type, State    string
	DueAt          time.Time
	ManifestSHA256 string
	Outcomes       []Outcome
}

// Page is a page of a box; Next is zero on the last one.
type Page struct {
	Items []View
	Next  uint64
}

// Listing asks for a page of the caller's box.
type Listing struct {
	Outbox    bool
	State     string
	DueBefore time.Time
	After     uint64
	Limit     int // 0: 50; at most 200
}

// Acknowledged answers Acknowledge.
type Acknowledged struct {
	ID      string
	Receipt audit.Receipt
	Repeat  bool
}

// ConsultationRequest says who reads, why, and what.
type ConsultationRequest struct {
	Officer, Justification, CaseRef string
	Package                         string // empty: the log
}

// Consultation answers Consult.
type Consultation struct {
	ID      string
	Expires time.Time
	Receipt audit.Receipt
}

// EntriesPage is a page of an owner's log; Next is zero on the last one.
type EntriesPage struct {
	Items []EntryRow
	Next  uint64
}
