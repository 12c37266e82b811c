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

// tableColumn is a column of an export as a table: what stands in it of an
// entry that can be read.
type tableColumn struct {
	name string
	of   func(*audit.Entry) string
}

// tableColumns are those of an export as a table, between the entry's number
// and what is known of its place.
var tableColumns = []tableColumn{
	{"time", func(e *audit.Entry) string { return e.Time }},
	{"operation", func(e *audit.Entry) string { return e.Operation }},
	{"action", func(e *audit.Entry) string { return e.Action }},
	{"outcome", func(e *audit.Entry) string { return e.Outcome }},
	{"agency", func(e *audit.Entry) string { return e.Actor.Agency }},
	{"role", func(e *audit.Entry) string { return e.Actor.Role }},
	{"identity", func(e *audit.Entry) string { return e.Actor.Identity }},
	{"officer", func(e *audit.Entry) string { return e.Officer }},
	{"justification", func(e *audit.Entry) string { return e.Justification }},
	{"case_ref", func(e *audit.Entry) string { return e.CaseRef }},
	{"package", func(e *audit.Entry) string { return e.Package }},
	{"message_type", func(e *audit.Entry) string { return e.MessageType }},
	{"purpose", func(e *audit.Entry) string { return e.Purpose }},
	{"urgency", func(e *audit.Entry) string { return e.Urgency }},
	{"due_at", func(e *audit.Entry) string { return e.DueAt }},
	{"crime_areas", func(e *audit.Entry) string { return list(e.CrimeAreas) }},
	{"subject_categories", func(e *audit.Entry) string { return list(e.SubjectCategories) }},
	{"special_categories", func(e *audit.Entry) string { return list(e.SpecialCategories) }},
	{"minors", func(e *audit.Entry) string { return e.Minors }},
	{"handling", func(e *audit.Entry) string { return e.Handling }},
	{"conditions", func(e *audit.Entry) string { return list(e.Conditions) }},
	{"classification", func(e *audit.Entry) string { return e.Classification }},
	{"legal_basis", func(e *audit.Entry) string { return list(e.LegalBasis) }},
	{"transfer_basis", func(e *audit.Entry) string { return e.TransferBasis }},
	{"transfer_instrument", func(e *audit.Entry) string { return e.TransferInstrument }},
	{"assurances", func(e *audit.Entry) string { return list(e.Assurances) }},
	{"originators", func(e *audit.Entry) string { return list(e.Originators) }},
	{"authorisations", func(e *audit.Entry) string { return list(e.Authorisations) }},
	{"review_by", func(e *audit.Entry) string { return e.ReviewBy }},
	{"erase_by", func(e *audit.Entry) string { return e.EraseBy }},
	{"from", func(e *audit.Entry) string { return e.From }},
	{"recipients", func(e *audit.Entry) string { return list(e.Recipients) }},
	{"decisions", func(e *audit.Entry) string { return decisions(e.Decisions) }},
	{"problem", func(e *audit.Entry) string { return e.Problem }},
	{"reason", func(e *audit.Entry) string { return e.Reason }},
	{"details", func(e *audit.Entry) string { return table(e.Details) }},
	{"count", func(e *audit.Entry) string { return counted(e.Count) }},
	{"consultation", func(e *audit.Entry) string { return e.Consultation }},
	{"request", func(e *audit.Entry) string { return e.Request }},
	{"relations", func(e *audit.Entry) string { return relations(e.Relations) }},
	{"samples", func(e *audit.Entry) string { return list(e.Samples) }},
}

// TableColumns are the columns of an export as a table.
func TableColumns() []string {
	names := []string{"no"}
	for _, c := range tableColumns {
		names = append(names, c.name)
	}
	return append(names, "index", "commitment", "erased", "shortened")
}

// TableRow is an entry as a row of an export. Of an erased one there is its
// place alone; one that cannot be read, for which e is nil, says so.
func TableRow(i audit.Item, e *audit.Entry) []string {
	row := make([]string, 0, len(tableColumns)+5)
	row = append(row, strconv.FormatUint(i.Seq, 10))
	for _, c := range tableColumns {
		cell := ""
		switch {
		case e != nil:
			cell = c.of(e)
		case i.Entry != nil && c.name == "outcome":
			cell = "(cannot be read)"
		}
		row = append(row, cell)
	}
	erased, shortened := "", ""
	if i.Entry == nil {
		erased = "yes"
	}
	if e != nil {
		shortened = list(slices.Sorted(maps.Keys(e.Truncated)))
	}
	return append(row, strconv.FormatInt(i.Index, 10), i.Commitment.String(), erased, shortened)
}

// counted is a number, and nothing for none.
func counted(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
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
