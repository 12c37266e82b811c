package audit

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// appendTo writes the entry's JSON. It is written by hand so that its bytes depend on nothing but this file, and because an
// exchange writes three of them for a package. Members that are empty are left out.
func (e *Entry) appendTo(b []byte) []byte {
	w := writer(append(b, '{'))
	w.text("owner", e.Owner)
	w.number("seq", e.Seq)
	w.text("prev", e.Prev)
	w.text("exchange", e.Exchange)
	w.text("time", e.Time)
	w.text("operation", e.Operation)
	w.text("action", e.Action)
	w.text("outcome", e.Outcome)
	w.actor(e.Actor)
	w.text("officer", e.Officer)
	w.text("justification", e.Justification)
	w.text("case_ref", e.CaseRef)
	w.text("consultation", e.Consultation)
	w.text("request", e.Request)
	w.exchanged(e)
	w.text("manifest_sha256", e.ManifestSHA256)
	w.text("content_sha256", e.ContentSHA256)
	w.text("signing_key", e.SigningKey)
	if len(e.Statement) > 0 {
		w.name("statement")
		w = append(w, e.Statement...) // compact and escaped by Encode
	}
	w.decisions(e.Decisions)
	w.table("revisions", e.Revisions)
	w.text("engine", e.Engine)
	w.list("samples", e.Samples)
	w.text("problem", e.Problem)
	w.text("reason", e.Reason)
	w.table("details", e.Details)
	w.number("count", e.Count)
	w.counts("truncated", e.Truncated)
	return append(w, '}')
}

// writer appends members to a JSON object.
type writer []byte

func (w *writer) name(name string) {
	if last := (*w)[len(*w)-1]; last != '{' && last != '[' {
		*w = append(*w, ',')
	}
	*w = append(*w, '"')
	*w = append(append(*w, name...), '"', ':')
}

func (w *writer) text(name, s string) {
	if s != "" {
		w.name(name)
		*w = appendString(*w, s)
	}
}

func (w *writer) number(name string, n uint64) {
	if n != 0 {
		w.name(name)
		*w = strconv.AppendUint(*w, n, 10)
	}
}

func (w *writer) list(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.name(name)
	for i, s := range list {
		*w = append(*w, separator(i, '['))
		*w = appendString(*w, s)
	}
	*w = append(*w, ']')
}

// separator opens a list before its first item, and parts the others.
func separator(i int, open byte) byte {
	if i == 0 {
		return open
	}
	return ','
}

func (w *writer) table(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.name(name)
	for i, k := range slices.Sorted(maps.Keys(m)) {
		*w = append(appendString(append(*w, separator(i, '{')), k), ':')
		*w = appendString(*w, m[k])
	}
	*w = append(*w, '}')
}

func (w *writer) counts(name string, m map[string]int) {
	if len(m) == 0 {
		return
	}
	w.name(name)
	for i, k := range slices.Sorted(maps.Keys(m)) {
		*w = append(appendString(append(*w, separator(i, '{')), k), ':')
		*w = strconv.AppendInt(*w, int64(m[k]), 10)
	}
	*w = append(*w, '}')
}

func (w *writer) actor(a Actor) {
	if a == (Actor{}) {
		return
	}
	w.name("actor")
	*w = append(*w, '{')
	w.text("agency", a.Agency)
	w.text("role", a.Role)
	w.text("identity", a.Identity)
	w.text("certificate", a.Certificate)
	*w = append(*w, '}')
}

// exchanged writes what the manifest says.
func (w *writer) exchanged(e *Entry) {
	w.text("package", e.Package)
	w.text("message_type", e.MessageType)
	w.text("content_kind", e.ContentKind)
	w.relations(e.Relations)
	w.text("purpose", e.Purpose)
	w.text("urgency", e.Urgency)
	w.text("due_at", e.DueAt)
	w.list("crime_areas", e.CrimeAreas)
	w.list("subject_categories", e.SubjectCategories)
	w.list("special_categories", e.SpecialCategories)
	w.text("minors", e.Minors)
	w.text("handling", e.Handling)
	w.list("conditions", e.Conditions)
	w.text("classification", e.Classification)
	w.list("legal_basis", e.LegalBasis)
	w.text("transfer_basis", e.TransferBasis)
	w.text("transfer_instrument", e.TransferInstrument)
	w.list("assurances", e.Assurances)
	w.list("originators", e.Originators)
	w.list("authorisations", e.Authorisations)
	w.text("review_by", e.ReviewBy)
	w.text("erase_by", e.EraseBy)
	w.text("from", e.From)
	w.list("recipients", e.Recipients)
}

func (w *writer) relations(rs []Relation) {
	if len(rs) == 0 {
		return
	}
	w.name("relations")
	for i, r := range rs {
		*w = append(*w, separator(i, '['), '{')
		w.text("package", r.Package)
		w.text("relation", r.Relation)
		*w = append(*w, '}')
	}
	*w = append(*w, ']')
}

func (w *writer) decisions(ds []Decision) {
	if len(ds) == 0 {
		return
	}
	w.name("decisions")
	for i, d := range ds {
		*w = append(*w, separator(i, '['), '{')
		w.text("id", d.ID)
		w.text("recipient", d.Recipient)
		w.text("outcome", d.Outcome)
		w.list("codes", d.Codes)
		w.list("rules", d.Rules)
		w.list("obligations", d.Obligations)
		w.text("input_sha256", d.InputSHA256)
		*w = append(*w, '}')
	}
	*w = append(*w, ']')
}

// appendString writes a JSON string. Whatever is not plainly visible is escaped; bytes that are no UTF-8 become \ufffd.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for len(s) > 0 {
		n := plain(s)
		b, s = append(b, s[:n]...), s[n:]
		if s == "" {
			break
		}
		if s[0] == '"' || s[0] == '\\' {
			b, s = append(b, '\\', s[0]), s[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if escaped(r) {
			b = appendEscape(b, r)
		} else {
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return append(b, '"')
}

// appendCompact writes valid JSON again without spaces, its strings escaped as appendString does.
func appendCompact(b []byte, raw json.RawMessage) []byte {
	inside := false
	for i := 0; i < len(raw); {
		c := raw[i]
		n := 1
		switch {
		case c == '"':
			inside = !inside
			b = append(b, c)
		case !inside && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
		case inside && c == '\\':
			n = 2 // the escaped character cannot end the string
			b = append(b, raw[i:i+n]...)
		default:
			var r rune
			if r, n = utf8.DecodeRune(raw[i:]); inside && escaped(r) {
				b = appendEscape(b, r)
			} else {
				b = append(b, raw[i:i+n]...)
			}
		}
		i += n
	}
	return b
}

// plain is the length of the longest start of s that can stand in a JSON string as it is and is all visible ASCII.
func plain(s string) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return i
		}
	}
	return len(s)
}

// escaped says whether a character is written as a \u escape: all that can act on a display or a page without being seen as what it
// is. Control and format characters (text direction, tags), line and paragraph separators, private use, <, > and &; and U+FFFD, for which
// there would be two ways to write it.
func escaped(r rune) bool {
	switch {
	case r < 0x7f:
		return r < ' ' || r == '<' || r == '>' || r == '&'
	case r >= 0xc0 && r < 0x530: // Latin, Greek and Cyrillic have none
		return false
	}
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// appendEscape writes \uXXXX, or two of them for a character beyond U+FFFF.
func appendEscape(b []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		b = appendEscape(b, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return hex.AppendEncode(append(b, '\\', 'u'), []byte{byte(r >> 8), byte(r)})
}

// encodedRune is the length of one character of a text inside an encoded entry.
func encodedRune(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 2
	case !escaped(r):
		return utf8.RuneLen(r)
	case r > 0xffff:
		return 12
	}
	return 6
}

// encodedLen is the length of a text inside an encoded entry, its quotation marks not counted.
func encodedLen(s string) (n int) {
	for _, r := range s {
		n += encodedRune(r)
	}
	return n
}

// maxGrowth is how many bytes one byte of a text can become.
const maxGrowth = 6
