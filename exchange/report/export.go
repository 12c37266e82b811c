package report

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// The formats of an export: lines with all that verifies each entry, for
// programs; a table for people.
const (
	Lines = "jsonl"
	Table = "csv"
)

// line is an entry as the API gives it, one a line.
type line struct {
	Owner      string `json:"owner"`
	Seq        uint64 `json:"seq"`
	Index      int64  `json:"index"`
	Commitment string `json:"commitment"`
	Entry      string `json:"entry,omitempty"`
	Salt       string `json:"salt,omitempty"`
	Erased     bool   `json:"erased,omitempty"`
}

// AppendLine appends an entry as a line of an export.
func AppendLine(b []byte, i audit.Item) ([]byte, error) {
	encoded, err := json.Marshal(line{Owner: i.Owner, Seq: i.Seq, Index: i.Index, Commitment: i.Commitment.String(), Erased: i.Entry == nil,
		Entry: base64.RawURLEncoding.EncodeToString(i.Entry), Salt: base64.RawURLEncoding.EncodeToString(i.Salt)})
	if err != nil {
		return b, fmt.Errorf("encode entry %d: %w", i.Seq, err)
	}
	return append(append(b, encoded...), '\n'), nil
}

// ErrLine says that a line is none of an export.
var ErrLine = errors.New("no line of an export")

// ParseLine reads a line of an export, and holds the entry against its
// commitment.
func ParseLine(b []byte) (audit.Item, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return audit.Item{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	i := audit.Item{Owner: l.Owner, Seq: l.Seq, Index: l.Index, Erased: l.Erased}
	var err, err1, err2 error
	i.Commitment, err = audit.ParseCommitment(l.Commitment)
	if !l.Erased {
		i.Entry, err1 = base64.RawURLEncoding.Strict().DecodeString(l.Entry)
		i.Salt, err2 = base64.RawURLEncoding.Strict().DecodeString(l.Salt)
	}
	if err := errors.Join(err, err1, err2); err != nil {
		return audit.Item{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	switch {
	case l.Erased && l.Entry == "" && l.Salt == "":
	case l.Erased, len(i.Salt) != len(audit.Salt{}), audit.Commit(audit.Salt(i.Salt), i.Entry) != i.Commitment:
		return audit.Item{}, fmt.Errorf("%w: entry %d is not the one that was committed to", ErrLine, l.Seq)
	}
	return i, nil
}

// tableColumns are those of an export as a table.
var tableColumns = []string{"no", "time", "operation", "action", "outcome", "agency", "role", "identity", "officer", "justification", "case_ref", "package", "message_type",
	"purpose", "urgency", "due_at", "crime_areas", "subject_categories", "special_categories", "minors", "handling", "conditions", "classification", "legal_basis", "transfer_basis",
	"transfer_instrument", "assurances", "originators", "authorisations", "review_by", "erase_by", "from", "recipients", "decisions", "problem", "reason", "details", "count",
	"consultation", "request", "relations", "samples", "index", "commitment", "erased", "shortened"}

// TableColumns are the columns of an export as a table.
func TableColumns() []string { return slices.Clone(tableColumns) }

// TableRow is an entry as a row of an export. Of an erased one there is its
// place alone; one that cannot be read says so.
func TableRow(i audit.Item) []string {
	row := make([]string, len(tableColumns))
	set := func(name, value string) { row[slices.Index(tableColumns, name)] = value }
	set("no", strconv.FormatUint(i.Seq, 10))
	set("index", strconv.FormatInt(i.Index, 10))
	set("commitment", i.Commitment.String())
	if i.Entry == nil {
		set("erased", "yes")
		return row
	}
	e, err := audit.ParseEntry(i.Entry)
	if err != nil {
		set("outcome", "(cannot be read)")
		return row
	}
	for name, value := range map[string]string{"time": e.Time, "operation": e.Operation, "action": e.Action, "outcome": e.Outcome, "agency": e.Actor.Agency, "role": e.Actor.Role,
		"identity": e.Actor.Identity, "officer": e.Officer, "justification": e.Justification, "case_ref": e.CaseRef, "package": e.Package, "message_type": e.MessageType,
		"purpose": e.Purpose, "urgency": e.Urgency, "due_at": e.DueAt, "crime_areas": list(e.CrimeAreas), "subject_categories": list(e.SubjectCategories),
		"special_categories": list(e.SpecialCategories), "minors": e.Minors, "handling": e.Handling, "conditions": list(e.Conditions), "classification": e.Classification,
		"legal_basis": list(e.LegalBasis), "transfer_basis": e.TransferBasis, "transfer_instrument": e.TransferInstrument, "assurances": list(e.Assurances),
		"originators": list(e.Originators), "authorisations": list(e.Authorisations), "review_by": e.ReviewBy, "erase_by": e.EraseBy, "from": e.From, "recipients": list(e.Recipients),
		"decisions": decisions(e.Decisions), "problem": e.Problem, "reason": e.Reason, "details": table(e.Details), "consultation": e.Consultation, "request": e.Request,
		"relations": relations(e.Relations), "samples": list(e.Samples)} {
		set(name, value)
	}
	if e.Count > 0 {
		set("count", strconv.FormatUint(e.Count, 10))
	}
	if len(e.Truncated) > 0 {
		set("shortened", list(slices.Sorted(maps.Keys(e.Truncated))))
	}
	return row
}

func decisions(all []audit.Decision) string {
	var parts []string
	for _, d := range all {
		text := d.Recipient + " " + d.Outcome
		if len(d.Codes) > 0 {
			text += " (" + list(d.Codes) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func relations(all []audit.Relation) string {
	var parts []string
	for _, r := range all {
		parts = append(parts, r.Relation+" "+r.Package)
	}
	return strings.Join(parts, ", ")
}

func table(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+": "+m[k])
	}
	return strings.Join(parts, ", ")
}
