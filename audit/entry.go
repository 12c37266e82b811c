package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxEntry is the greatest length of an encoded entry, in bytes. Encode keeps to it by construction.
const MaxEntry = 16 << 10

// The operations that Directive (EU) 2016/680 (LED) art 25(1) orders to be logged. An entry that records none of them
// (a refusal before anything was processed, for instance) has no operation.
const (
	Collection   = "collection"
	Alteration   = "alteration"
	Consultation = "consultation"
	Disclosure   = "disclosure"
	Combination  = "combination"
	Erasure      = "erasure"
)

// ErrEntry says that bytes are no entry, or that an entry lacks what every entry must have.
var ErrEntry = errors.New("malformed audit entry")

// Entry is one record of the audit log. It belongs to one agency, Owner, and holds only what that agency may know.
// All members but the first five may be absent. Texts are codes, identifiers and digests; free text is only the justification
// and what the statement holds. Digests and fingerprints are SHA-256, base64url without padding. Times are RFC 3339 UTC.
type Entry struct {
	// Owner is the agency, "ee/pbgb"; Seq counts its entries from 1 without a gap; Prev is the commitment of its entry before
	// this one (FirstPrev at Seq 1); Exchange is the ledger's origin.
	Owner    string `json:"owner"`
	Seq      uint64 `json:"seq"`
	Prev     string `json:"prev"`
	Exchange string `json:"exchange"`
	Time     string `json:"time"` // as FormatTime writes it

	Operation string `json:"operation,omitempty"` // one of the six of LED art 25(1)
	Action    string `json:"action,omitempty"`    // what was done, "package.send"
	Outcome   string `json:"outcome,omitempty"`   // what became of it, "delivered"

	// Who and why: the person as far as it is possible (a pseudonym that only its own agency resolves) and the reason.
	Actor         Actor  `json:"actor,omitzero"`
	Officer       string `json:"officer,omitempty"`
	Justification string `json:"justification,omitempty"`
	CaseRef       string `json:"case_ref,omitempty"`
	Consultation  string `json:"consultation,omitempty"` // id of the consultation under which something was read
	Request       string `json:"request,omitempty"`      // id of the request

	// What was exchanged, as its manifest says.
	Package            string     `json:"package,omitempty"`
	MessageType        string     `json:"message_type,omitempty"`
	ContentKind        string     `json:"content_kind,omitempty"`
	Relations          []Relation `json:"relations,omitempty"`
	Purpose            string     `json:"purpose,omitempty"`
	Urgency            string     `json:"urgency,omitempty"`
	DueAt              string     `json:"due_at,omitempty"`
	CrimeAreas         []string   `json:"crime_areas,omitempty"`
	SubjectCategories  []string   `json:"subject_categories,omitempty"` // LED art 6
	SpecialCategories  []string   `json:"special_categories,omitempty"` // LED art 10
	Minors             string     `json:"minors,omitempty"`
	Handling           string     `json:"handling,omitempty"`
	Conditions         []string   `json:"conditions,omitempty"`
	Classification     string     `json:"classification,omitempty"`
	LegalBasis         []string   `json:"legal_basis,omitempty"`
	TransferBasis      string     `json:"transfer_basis,omitempty"` // LED arts 35 to 39
	TransferInstrument string     `json:"transfer_instrument,omitempty"`
	Assurances         []string   `json:"assurances,omitempty"`
	Originators        []string   `json:"originators,omitempty"`
	Authorisations     []string   `json:"authorisations,omitempty"` // "<originator>:<state>[:<ref>]", LED art 35(1)(c)
	ReviewBy           string     `json:"review_by,omitempty"`
	EraseBy            string     `json:"erase_by,omitempty"`
	From               string     `json:"from,omitempty"`
	Recipients         []string   `json:"recipients,omitempty"`

	// What proves it: digests of the parts, the key that signed, and, in the sender's own entry only, the statement's claims.
	ManifestSHA256 string          `json:"manifest_sha256,omitempty"`
	ContentSHA256  string          `json:"content_sha256,omitempty"`
	SigningKey     string          `json:"signing_key,omitempty"` // RFC 7638 thumbprint
	Statement      json.RawMessage `json:"statement,omitempty"`

	// What decided it. Revisions maps the name of a policy input ("common", "declared/ee", "rules/ee") to its digest;
	// Samples names the jurisdictions whose rules were samples and not their law.
	Decisions []Decision        `json:"decisions,omitempty"`
	Revisions map[string]string `json:"revisions,omitempty"`
	Engine    string            `json:"engine,omitempty"`
	Samples   []string          `json:"samples,omitempty"`

	// Why it was refused: the problem's type as the caller saw it, and the reason that only the owner's DPO sees.
	Problem string `json:"problem,omitempty"`
	Reason  string `json:"reason,omitempty"`

	Details map[string]string `json:"details,omitempty"` // what an action adds: values before and after, search terms
	Count   uint64            `json:"count,omitempty"`   // how many events this entry stands for, or how many rows were shown

	// Truncated maps the name of a member to how much of it Encode left out: items of a list, bytes of a text or of the statement;
	// with "[]" behind the name, bytes of its items.
	Truncated map[string]int `json:"truncated,omitempty"`
}

// Actor is who acted: agency and role, the SPIFFE ID and the fingerprint of the client certificate.
type Actor struct {
	Agency      string `json:"agency,omitempty"`
	Role        string `json:"role,omitempty"`
	Identity    string `json:"identity,omitempty"`
	Certificate string `json:"certificate,omitempty"`
}

// Relation names another package and how this one relates to it: "answers", "corrects", "forwards".
type Relation struct {
	Package  string `json:"package,omitempty"`
	Relation string `json:"relation,omitempty"`
}

// Decision is a verdict for one recipient: codes that deny or pend, rules that were met or not, codes of obligations, and the
// digest of the input, by which the decision can be replayed.
type Decision struct {
	ID          string   `json:"id,omitempty"`
	Recipient   string   `json:"recipient,omitempty"`
	Outcome     string   `json:"outcome,omitempty"`
	Codes       []string `json:"codes,omitempty"`
	Rules       []string `json:"rules,omitempty"`
	Obligations []string `json:"obligations,omitempty"`
	InputSHA256 string   `json:"input_sha256,omitempty"`
}

// The two forms of Entry.Time: whole seconds or milliseconds.
const (
	layoutSeconds = "2006-01-02T15:04:05Z"
	layoutMillis  = "2006-01-02T15:04:05.000Z"
)

// FormatTime writes a time for Entry.Time: RFC 3339, UTC, milliseconds always, so that texts sort as times do.
func FormatTime(t time.Time) string { return t.UTC().Format(layoutMillis) }

// ParseTime reads Entry.Time: UTC with "Z", whole seconds or exactly three digits of a fraction.
func ParseTime(s string) (time.Time, error) {
	layout := layoutMillis
	if len(s) == len(layoutSeconds) {
		layout = layoutSeconds
	}
	t, err := time.Parse(layout, s)
	if err != nil || t.Format(layout) != s {
		return time.Time{}, fmt.Errorf("%w: time %q is not RFC 3339 in UTC with at most milliseconds", ErrEntry, s)
	}
	return t, nil
}

// operations is the closed list of LED art 25(1).
var operations = []string{Collection, Alteration, Consultation, Disclosure, Combination, Erasure}

// check says whether the entry has what every entry must have. These members are never cut.
func (e *Entry) check() error { return e.header().check() }

func (e *Entry) header() header {
	return header{e.Owner, e.Seq, e.Prev, e.Exchange, e.Time, e.Operation}
}

func (e header) check() error {
	switch {
	case e.Owner == "" || len(e.Owner) > maxName:
		return fmt.Errorf("%w: owner must have 1 to %d bytes", ErrEntry, maxName)
	case e.Seq == 0 || e.Seq > MaxSize:
		return fmt.Errorf("%w: seq %d is not within 1 to %d", ErrEntry, e.Seq, int64(MaxSize))
	case checkName(e.Exchange) != nil:
		return fmt.Errorf("%w: exchange: %w", ErrEntry, checkName(e.Exchange))
	case e.Operation != "" && !slices.Contains(operations, e.Operation):
		return fmt.Errorf("%w: operation %q is none of LED art 25(1)", ErrEntry, e.Operation)
	}
	if _, err := ParseCommitment(e.Prev); err != nil {
		return fmt.Errorf("%w: prev: %w", ErrEntry, err)
	}
	if first := e.Prev == FirstPrev; first != (e.Seq == 1) {
		return fmt.Errorf("%w: prev is all zero at seq 1 and only there", ErrEntry)
	}
	_, err := ParseTime(e.Time)
	return err
}
