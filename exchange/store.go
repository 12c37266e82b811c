package exchange

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// Store keeps state, entries and tree. Only the journal writes. A Store is
// safe for concurrent use; it decides nothing about who may see a row.
type Store interface {
	// Begin opens the journal's transaction and locks the head row, so that
	// everything read after it is as of the last commit. One at a time.
	Begin(ctx context.Context) (Transaction, error)

	// View runs f on one consistent snapshot of what is committed. Nothing
	// of rows may be used after f returns.
	View(ctx context.Context, f func(rows Reader) error) error

	// Scrub leaves nothing of what was erased and committed in any file beside
	// the database. It reports false, without having waited, if somebody reads
	// an older state: try again.
	Scrub(ctx context.Context) (bool, error)

	// Close ends the store; the journal must have stopped.
	Close() error
}

// ErrCommitUnknown is what Commit returns when it cannot be told whether the
// transaction is durable. The journal answers nobody with success and stops.
var ErrCommitUnknown = errors.New("outcome of commit unknown")

// Transaction is the journal's, used from one goroutine. Writes are queued;
// they have no error of their own: the first storage error, or the end of the
// context of Begin, ends the transaction, is returned by Err, Append and
// Commit, and every later call does nothing. A store may not retry inside a
// transaction and has no savepoints: after an error nothing of the
// transaction may become true.
type Transaction interface {
	Reader
	Writer

	// Load reads what a batch of changes needs, in as few round trips as the
	// engine allows. Only an economy: reads work without it.
	Load(needs []Need) error

	// Writes counts the calls of Writer's methods: a change that failed
	// without one can be left out, one that failed after one cannot.
	Writes() int

	// Append queues the batch's entries, its stored hashes (from stored index
	// first on) and the new head. It is the last call before Commit.
	Append(entries []EntryRow, first int64, hashes []tlog.Hash, head Head) error

	// Err returns the first storage error, nil while there is none.
	Err() error

	// Commit makes all of it durable, or none, and ends the transaction. Its
	// error wraps ErrCommitUnknown if that cannot be told.
	Commit() error

	// Rollback drops it; after an error it also drops the connection. It does
	// nothing to a transaction that has ended.
	Rollback()
}

// Need names a row that a change will read.
type Need struct {
	Package string // a package's id
	Agency  string // not empty: only if this agency is a party of it
}

// Head is the ledger's unsigned head after one batch.
type Head struct {
	Size int64
	Root tlog.Hash
	Time time.Time
}

// Reader reads committed rows, or in a Transaction also its own queued ones.
// A row that does not exist is nil with a nil error. Times have whole
// milliseconds, UTC. Rows are the caller's own, but not the bytes in them.
type Reader interface {
	// Registry returns the registry as of this transaction. The value is
	// shared and immutable; it is read again only when its version moved.
	Registry() (*Registry, error)
	Proposal(agency string) (*Proposal, error)
	Revocations(jurisdiction string) ([]RevocationRow, error) // of all for ""
	Grace(jurisdiction string) (*GraceRow, error)
	Graces() ([]GraceRow, error)
	Rates() ([]RateRow, error)

	Activations(jurisdiction string) ([]Activation, error) // newest first
	ActivePolicies() ([]Activation, error)                 // the newest of each jurisdiction, and of common
	PolicyVotes(jurisdiction string) ([]PolicyVote, error) // oldest first; of all for ""

	// Party reports whether the agency sent the package, received it, or is
	// one that it waits for. What is absent and what is another's is read
	// alike, so that they cannot be told apart by the time that it takes.
	Party(id, agency string) (bool, error)
	Package(id string) (*Package, error) // with deliveries, without content bytes
	Content(id string) ([]byte, error)   // content kept in the row; nil if it is a blob
	List(q Query) ([]*Package, error)
	Decision(id string) (*DecisionRow, error)
	Acknowledgement(id, recipient string) (*Acknowledgement, error)
	Consultation(id string) (*ConsultationRow, error)
	Input(sha256 string) ([]byte, error)
	Inputs(sha256 []string) (map[string][]byte, error) // those that are kept

	// Decisions returns decisions in the order in which they were recorded,
	// from the first position after one, and the position of the last; a page
	// that is not full is the end. DecisionsSince returns the position before
	// the first one that may have been recorded at a time or later.
	Decisions(after int64, limit int) ([]DecisionRow, int64, error)
	DecisionsSince(at time.Time) (after, last int64, err error)
	// Releases tells what became of accepted packages, one row a recipient.
	Releases(packages []string) ([]ReleaseRow, error)
	Revision(digest string) (*RevisionRow, error)

	Entries(owner string, after uint64, limit int) ([]EntryRow, error)
	// Samples are an agency's, newest first. Verdicts are in the order of seq.
	Sample(id string) (*Sample, error)
	Samples(agency string, limit int) ([]Sample, error)
	Verdicts(sample string) ([]Verdict, error)
	// Owners are all that have an entry. Drops are erasures after a position,
	// in order, for the search index.
	Owners() ([]string, error)
	Drops(after int64, limit int) ([]search.Drop, error)
	Entry(owner string, seq uint64) (*EntryRow, error)
	EntryAt(index int64) (*EntryRow, error)
	// EntriesFrom returns entries of all owners from an index on, in the order
	// of the ledger.
	EntriesFrom(index int64, limit int) ([]EntryRow, error)
	// Last returns seq and commitment of the owner's newest entry, zero if none.
	Last(owner string) (uint64, audit.Commitment, error)

	// Head returns the newest head; of an empty ledger the empty tree's.
	Head() (Head, error)
	// HeadCovering returns the head of the batch that added the entry; it is
	// an error if there is none.
	HeadCovering(index int64) (Head, error)
	// Commitments returns those of n entries from index first on, fewer at
	// the ledger's end.
	Commitments(first int64, n int) ([]audit.Commitment, error)
	tlog.HashReader

	// Erasure returns the act of which the entry at that index tells.
	Erasure(index int64) (*ErasureRow, error)
	// Erasures returns acts of one owner, of all for "", newest first, from
	// those before an index; zero: from the newest.
	Erasures(owner string, before int64, limit int) ([]ErasureRow, error)
	// ErasuresSince returns acts in their order, from the first after an index.
	ErasuresSince(after int64, limit int) ([]ErasureRow, error)
	ErasureOrder(id string) (*ErasureOrder, error)
	OpenOrders() ([]ErasureOrder, error) // not done yet, oldest first
	Holds(owner string) ([]Hold, error)  // released ones too, newest first; of all for ""

	// Disclosed returns the seqs of entries of an owner that are not erased,
	// after one and through another.
	Disclosed(owner string, after, through uint64, limit int) ([]uint64, error)
	// SeqBefore returns the seq of the owner's last entry below an index, zero
	// if there is none.
	SeqBefore(owner string, index int64) (uint64, error)
	// HeadAt returns the newest head of a time or before, of none the empty
	// tree's: what is in it is as old.
	HeadAt(t time.Time) (Head, error)
	// Swept is how far the sweeper has gone in what.
	Swept(what string) (int64, error)
	// DuePackages returns packages whose EraseAt has come, or whose content
	// has lapsed, in the order of that time and of Index, from the first after
	// a mark on. The time is that mark's next.
	DuePackages(d Due) ([]*Package, error)
	// StaleConsultations returns consultations that lapsed before a time and
	// still say who and why; StaleInputs decisions of before a time, and which
	// of them keep an input although they are of no package that is.
	StaleConsultations(before time.Time, after int64, limit int) ([]StaleRow, error)
	StaleInputs(before time.Time, after int64, limit int) (stale []StaleRow, next int64, err error)
	// CountErased counts entries of an owner that are erased.
	CountErased(owner string, after, through uint64) (int, error)

	// Blobs calls f for the name of every blob that a row names.
	Blobs(f func(name string) error) error
}

// Writer queues writes of a change.
type Writer interface {
	PutPackage(p *Package, content []byte) // insert, without Deliveries; content nil: it is a blob
	SetState(id, state string)
	PutDelivery(id string, d Delivery)    // insert or replace
	PutParty(id, agency string)           // beside sender and recipients
	PutDecision(d DecisionRow)            // insert
	PutInput(sha256 string, input []byte) // no effect if it is there
	PutAcknowledgement(a Acknowledgement) // insert
	PutConsultation(c ConsultationRow)    // insert
	PutRevision(r RevisionRow)            // no effect if it is there

	// The registry's rows, insert or replace; each moves its version. A key
	// keeps its agency and use: another's is a storage error.
	PutAgency(a Agency)
	PutKey(k KeyRow)

	PutActivation(a Activation) // insert; moves the registry's version
	PutPolicyVote(v PolicyVote) // insert or replace, by jurisdiction and voter
	DropPolicyVotes(j string)   // those about a jurisdiction's policy

	PutProposal(p Proposal) // insert or replace
	DropProposal(agency string)

	PutRevocation(r RevocationRow) // insert or replace, by jurisdiction and issuer
	PutGrace(g GraceRow)           // insert or replace

	PutSample(s Sample)   // insert
	PutVerdict(v Verdict) // insert or replace, by sample and seq

	PutRate(r RateRow) // insert or replace, by agency and limit
	DropRate(agency, limit string)

	// What follows takes bytes away for good, and names the act that says so
	// by the index of its entry. Rows are emptied and never removed: to remove
	// one moves others, and leaves copies of them behind.
	EraseEntries(owner string, seqs []SeqRange, act int64)
	ErasePackage(id string, act int64) // all that is kept of it but who, when, digests and outcomes
	EraseContent(id string, act int64) // and attachments
	EraseConsultations(rows []StaleRow)
	EraseInputs(rows []StaleRow)
	PutErasure(e ErasureRow)        // insert
	PutErasureOrder(o ErasureOrder) // insert or replace
	PutHold(h Hold)                 // insert or replace; of a released one only that it was is kept
	SetSwept(what string, through int64)
}

// Package is a package as the exchange keeps it.
type Package struct {
	ID, Sender     string
	Type           string // message type
	State          string // the sender's: the outcome that all recipients share, else StateMixed
	Manifest       []byte // compact JWS as received
	Statement      []byte
	ManifestSHA256 string // base64url
	Payload        string // SHA-256 of the manifest's payload, base64url: what a repeat must equal
	ContentSHA256  string
	ContentSize    int64
	ContentBlob    string // name of the blob, empty if the content lies in the row
	Attachments    []AttachmentRow
	AcceptedAt     time.Time
	ExpiresAt      time.Time
	Seq            uint64    // sender's entry of the acceptance: the outbox's cursor
	Index          int64     // its index in the ledger
	Answer         []byte    // the first answer's outcomes as JSON, for a repeat
	EraseAt        time.Time // when it is due to be erased
	ContentAt      time.Time // when its content is, if nobody has acknowledged it
	Erased         bool      // with State StateErased: only the tombstone is left
	ContentErased  bool      // content and attachments are
	Act            int64     // index of the entry that tells of it, if one of them is
	Deliveries     []Delivery
}

// AttachmentRow names one attachment's blob.
type AttachmentRow struct {
	Blob   string
	SHA256 string
	Size   int64
}

// Delivery is one recipient's side of a package.
type Delivery struct {
	Recipient string
	Outcome   string
	Decision  string // id of the decision in force
	Verdict   []byte // that decision's verdict; read with the row, written by PutDecision
	DueAt     time.Time
	Seq       uint64 // recipient's entry that made it visible: the inbox's cursor; 0 while invisible
	Index     int64

	FetchedAt  time.Time  // when the recipient first had the content; zero: not yet
	Mismatches []Mismatch // that it reported, each code once
}

// DecisionRow is one verdict on one package for one recipient.
type DecisionRow struct {
	ID, Package, Recipient string
	Action                 string
	At                     time.Time
	Verdict                []byte // policy.Decision as JSON, without its input
	InputSHA256            string // digest over both parts, policy.Input.Digest
	Shared                 string // SHA-256 of the shared part, kept by PutInput
	Own                    []byte // the recipient's part
}

// ReleaseRow is what became of a package for a recipient: what tells who may
// look back at its decisions.
type ReleaseRow struct {
	Package, Sender, Recipient string
	Seq                        uint64 // as in Delivery
	Decision                   string // in force
	Answer                     []byte // as in Package
}

// Acknowledgement is a recipient's signed acceptance.
type Acknowledgement struct {
	Package, Recipient string
	JWS                []byte
	Payload            string // SHA-256 of its payload
	Seq                uint64
	Index              int64
	At                 time.Time
}

// ConsultationRow is who reads what, why, and until when.
type ConsultationRow struct {
	ID, Agency, Identity            string
	Officer, Justification, CaseRef string
	Package                         string // empty: the log
	Expires                         time.Time
}

// RevisionRow keeps one signed input of policy while a decision names it.
type RevisionRow struct {
	Digest, Kind, Jurisdiction string // kind: common, declared, rules
	Body                       []byte
	At                         time.Time
}

// EntryRow is an entry as stored. Entry and Salt are nil once erased.
type EntryRow struct {
	Index      int64
	Owner      string
	Seq        uint64
	Commitment audit.Commitment
	Salt       []byte
	Entry      []byte
	Erasure    *ErasureRow // why it is no more; nil: it is
}

// Query selects packages of one agency's box in the order of its own seq:
// Package.Seq in the outbox, Delivery.Seq in the inbox, where it is not zero.
type Query struct {
	Agency    string
	Outbox    bool
	State     string    // Package.State or Delivery.Outcome; empty: any
	DueBefore time.Time // a delivery (in the inbox: the agency's own) falls due before it; zero: any
	After     uint64
	Limit     int // at least 1
}

// Blobs keeps large content and attachments. A blob's name,
// "<package id>/<part>.<SHA-256, base64url>" with a part of [a-z0-9]{1,16},
// says what it holds and is never reused for other bytes. Safe for concurrent
// use.
type Blobs interface {
	// Create opens a new blob. Nothing is visible under name before Commit.
	Create(ctx context.Context, name string) (BlobWriter, error)
	// Open opens a blob; the error is fs.ErrNotExist if there is none.
	Open(ctx context.Context, name string) (Blob, error)
	// Sweep removes blobs that are older than age and that keep denies.
	Sweep(ctx context.Context, age time.Duration, keep func(name string) bool) (int, error)
	// Remove removes a blob for good; one that is gone is no error.
	Remove(ctx context.Context, name string) error
}

// BlobWriter writes one blob. Close without Commit drops it.
type BlobWriter interface {
	io.Writer
	// Commit makes the blob durable, its directory entry included.
	Commit() error
	Close() error
}

// Blob reads one blob.
type Blob interface {
	io.ReadSeekCloser
	Size() int64
}
