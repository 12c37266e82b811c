package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// limits is how much of an entry is kept: the greatest number of items of each list, and of bytes, as encoded, of each text.
type limits struct {
	text, item, justification, statement                                                  int
	list, recipients, relations, decisions, codes, obligations, rules, revisions, details int
}

// ladder is what Encode tries in turn until the entry fits into MaxEntry: first what is least needed goes, last the statement, and
// the recipients stay (LED art 25(1)). With the widest list of recipients and a statement of the greatest size, the first rungs do.
// The last rung fits whatever the entry holds.
var ladder = []limits{
	{text: 256, item: 192, justification: 2048, statement: MaxEntry, list: 32, recipients: 64, relations: 16, decisions: 64, codes: 16, obligations: 16, rules: 64, revisions: 80, details: 16},
	{text: 256, item: 192, justification: 2048, statement: MaxEntry, list: 32, recipients: 64, relations: 16, decisions: 64, codes: 16, obligations: 16, rules: 8, revisions: 80, details: 4},
	{text: 256, item: 192, justification: 2048, statement: MaxEntry, list: 16, recipients: 64, relations: 16, decisions: 64, codes: 8, obligations: 8, rules: 0, revisions: 80, details: 0},
	{text: 256, item: 192, justification: 2048, statement: MaxEntry, list: 16, recipients: 64, relations: 16, decisions: 64, codes: 4, obligations: 4, rules: 0, revisions: 16, details: 0},
	{text: 256, item: 192, justification: 2048, statement: MaxEntry, list: 8, recipients: 64, relations: 16, decisions: 64, codes: 4, obligations: 0, rules: 0, revisions: 4, details: 0},
	{text: 256, item: 192, justification: 2048, statement: MaxEntry, list: 8, recipients: 64, relations: 16, decisions: 16, codes: 4, obligations: 0, rules: 0, revisions: 4, details: 0},
	{text: 256, item: 192, justification: 2048, statement: 0, list: 16, recipients: 64, relations: 16, decisions: 32, codes: 8, obligations: 8, rules: 0, revisions: 32, details: 4},
	{text: 96, item: 64, justification: 512, statement: 0, list: 4, recipients: 32, relations: 4, decisions: 4, codes: 2, obligations: 2, rules: 0, revisions: 4, details: 0},
}

// Encode writes the entry as it is stored, hashed and shown: one JSON object in UTF-8, at most MaxEntry bytes. Control and format
// characters (line breaks, escape sequences, text direction) and <, >, & are written as \u escapes, bytes that are no UTF-8 as
// U+FFFD. What does not fit is left out, the same for the same entry, and counted in "truncated". It fails only for an entry without
// owner, seq, prev, exchange or time, for an operation outside LED art 25(1), and for a statement that is no strict JSON object.
func (e Entry) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	if len(e.Statement) > 0 {
		if err := checkStatement(e.Statement); err != nil {
			return nil, err
		}
		compact, err := json.Marshal(e.Statement)
		if err != nil {
			return nil, fmt.Errorf("encode statement: %w", err)
		}
		e.Statement = escapeFormat(compact)
	}
	for _, l := range ladder {
		fitted := e
		fitted.within(l)
		b, err := json.Marshal(fitted)
		if err != nil {
			return nil, fmt.Errorf("encode audit entry: %w", err)
		}
		if b = escapeFormat(b); len(b) <= MaxEntry {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: longer than %d bytes whatever is left out", ErrEntry, MaxEntry) // the ladder's last rung rules this out
}

// within cuts the entry to the limits. It changes no memory that the entry shares with its caller.
func (e *Entry) within(l limits) {
	c := cutter{left: maps.Clone(e.Truncated)}
	for _, f := range e.texts() {
		c.text(f.name, f.text, l.text)
	}
	c.text("justification", &e.Justification, l.justification)
	for _, f := range e.lists() {
		c.list(f.name, f.list, l.list, l.item)
	}
	c.list("recipients", &e.Recipients, l.recipients, l.item)
	c.relations(e, l)
	c.decisions(e, l)
	e.Revisions = c.table("revisions", e.Revisions, l.revisions, l.item)
	e.Details = c.table("details", e.Details, l.details, l.text)
	if n := len(e.Statement); n > l.statement {
		e.Statement = nil
		c.leave("statement", n)
	}
	e.Truncated = c.result()
}

type namedText struct {
	name string
	text *string
}

type namedList struct {
	name string
	list *[]string
}

// texts are the single texts that may be cut, all but the justification.
func (e *Entry) texts() []namedText {
	return []namedText{
		{"action", &e.Action}, {"outcome", &e.Outcome},
		{"actor.agency", &e.Actor.Agency}, {"actor.role", &e.Actor.Role}, {"actor.identity", &e.Actor.Identity}, {"actor.certificate", &e.Actor.Certificate},
		{"officer", &e.Officer}, {"case_ref", &e.CaseRef}, {"consultation", &e.Consultation}, {"request", &e.Request},
		{"package", &e.Package}, {"message_type", &e.MessageType}, {"content_kind", &e.ContentKind}, {"purpose", &e.Purpose},
		{"urgency", &e.Urgency}, {"due_at", &e.DueAt}, {"minors", &e.Minors}, {"handling", &e.Handling}, {"classification", &e.Classification},
		{"transfer_basis", &e.TransferBasis}, {"transfer_instrument", &e.TransferInstrument}, {"review_by", &e.ReviewBy}, {"erase_by", &e.EraseBy},
		{"from", &e.From}, {"manifest_sha256", &e.ManifestSHA256}, {"content_sha256", &e.ContentSHA256}, {"signing_key", &e.SigningKey},
		{"engine", &e.Engine}, {"problem", &e.Problem}, {"reason", &e.Reason},
	}
}

// lists are the lists of texts, all but the recipients.
func (e *Entry) lists() []namedList {
	return []namedList{
		{"crime_areas", &e.CrimeAreas}, {"subject_categories", &e.SubjectCategories}, {"special_categories", &e.SpecialCategories},
		{"conditions", &e.Conditions}, {"legal_basis", &e.LegalBasis}, {"assurances", &e.Assurances}, {"originators", &e.Originators},
		{"authorisations", &e.Authorisations}, {"samples", &e.Samples},
	}
}

// cutter cuts members to their limits and counts what it leaves out. It copies whatever it changes.
type cutter struct{ left map[string]int }

func (c *cutter) leave(name string, n int) {
	if c.left == nil {
		c.left = map[string]int{}
	}
	c.left[name] += n
}

// result is the counts, bounded even if the caller brought counts of its own.
func (c *cutter) result() map[string]int {
	const most, longest = 96, 40 // above what Encode itself can give
	for name := range c.left {
		if len(c.left) > most || encodedLen(name) > longest {
			return map[string]int{"truncated": len(c.left)}
		}
	}
	return c.left
}

func (c *cutter) text(name string, s *string, limit int) {
	if len(*s)*maxGrowth <= limit {
		return
	}
	kept, n := 0, 0
	for i, r := range *s {
		if n += encodedRune(r); n > limit {
			break
		}
		kept = i + runeBytes((*s)[i:])
	}
	if kept < len(*s) {
		c.leave(name, utf8.RuneCountInString((*s)[kept:]))
		*s = (*s)[:kept]
	}
}

func (c *cutter) list(name string, list *[]string, limit, item int) {
	if n := len(*list) - limit; n > 0 {
		c.leave(name, n)
		*list = (*list)[:limit]
	}
	copied := false
	for i, s := range *list {
		if c.text(name+"[]", &s, item); len(s) < len((*list)[i]) {
			if !copied {
				*list, copied = slices.Clone(*list), true
			}
			(*list)[i] = s
		}
	}
}

func (c *cutter) relations(e *Entry, l limits) {
	if n := len(e.Relations) - l.relations; n > 0 {
		c.leave("relations", n)
		e.Relations = e.Relations[:l.relations]
	}
	e.Relations = slices.Clone(e.Relations)
	for i := range e.Relations {
		c.text("relations[]", &e.Relations[i].Package, l.item)
		c.text("relations[]", &e.Relations[i].Relation, l.item)
	}
}

func (c *cutter) decisions(e *Entry, l limits) {
	if n := len(e.Decisions) - l.decisions; n > 0 {
		c.leave("decisions", n)
		e.Decisions = e.Decisions[:l.decisions]
	}
	e.Decisions = slices.Clone(e.Decisions)
	for i := range e.Decisions {
		d := &e.Decisions[i]
		for _, s := range []*string{&d.ID, &d.Recipient, &d.Outcome, &d.InputSHA256} {
			c.text("decisions[]", s, l.item)
		}
		c.list("decisions[].codes", &d.Codes, l.codes, l.item)
		c.list("decisions[].obligations", &d.Obligations, l.obligations, l.item)
		c.list("decisions[].rules", &d.Rules, l.rules, l.item)
	}
}

// table keeps the first names in their order; a name that is too long is left out whole.
func (c *cutter) table(name string, m map[string]string, limit, item int) map[string]string {
	if len(m) == 0 {
		return m
	}
	kept := make(map[string]string, min(len(m), limit))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(kept) == limit || encodedLen(k) > item {
			c.leave(name, 1)
			continue
		}
		v := m[k]
		c.text(name+"[]", &v, item)
		kept[k] = v
	}
	return kept
}

// maxGrowth is how many bytes a byte of text can become.
const maxGrowth = 6

// encodedLen is the length of a text inside an encoded entry, its quotation marks not counted.
func encodedLen(s string) (n int) {
	for _, r := range s {
		n += encodedRune(r)
	}
	return n
}

// encodedRune bounds the length of one character of a text inside an encoded entry.
func encodedRune(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 2
	case r < ' ' || r == '<' || r == '>' || r == '&':
		return 6
	case r < 0x7f:
		return 1
	case !hidden(r):
		return utf8.RuneLen(r)
	case r > 0xffff:
		return 12
	}
	return 6
}

// runeBytes is how many bytes the first character of s takes there.
func runeBytes(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// hidden says whether a character beyond space can act on a display without being seen: control, format (text direction, tags),
// line and paragraph separators, private use; and U+FFFD, for which there would be two ways to write it.
func hidden(r rune) bool {
	return r == 0x7f || r == utf8.RuneError || r >= 0x80 && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// escapeFormat replaces each hidden character in encoded JSON by its \u escape. Such characters stand only inside of strings.
func escapeFormat(b []byte) []byte {
	first := slices.IndexFunc(b, func(c byte) bool { return c >= 0x7f })
	if first < 0 {
		return b
	}
	out := make([]byte, first, len(b)+64)
	copy(out, b)
	for i := first; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case !hidden(r):
			out = append(out, b[i:i+n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}
