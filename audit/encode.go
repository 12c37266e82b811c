package audit

import (
	"fmt"
	"maps"
	"slices"
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
	{text: 264, item: 264, justification: 2048, statement: MaxEntry, list: 32, recipients: 64, relations: 16, decisions: 64, codes: 16, obligations: 16, rules: 64, revisions: 80, details: 16},
	{text: 264, item: 264, justification: 2048, statement: MaxEntry, list: 32, recipients: 64, relations: 16, decisions: 64, codes: 16, obligations: 16, rules: 8, revisions: 80, details: 4},
	{text: 264, item: 264, justification: 2048, statement: MaxEntry, list: 16, recipients: 64, relations: 16, decisions: 64, codes: 8, obligations: 8, rules: 0, revisions: 80, details: 0},
	{text: 264, item: 264, justification: 2048, statement: MaxEntry, list: 16, recipients: 64, relations: 16, decisions: 64, codes: 4, obligations: 4, rules: 0, revisions: 16, details: 0},
	{text: 264, item: 264, justification: 2048, statement: MaxEntry, list: 8, recipients: 64, relations: 16, decisions: 64, codes: 4, obligations: 0, rules: 0, revisions: 4, details: 0},
	{text: 264, item: 264, justification: 2048, statement: MaxEntry, list: 8, recipients: 64, relations: 16, decisions: 16, codes: 4, obligations: 0, rules: 0, revisions: 4, details: 0},
	{text: 264, item: 264, justification: 2048, statement: 0, list: 16, recipients: 64, relations: 16, decisions: 32, codes: 8, obligations: 8, rules: 0, revisions: 32, details: 4},
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
		e.Statement = appendCompact(make([]byte, 0, len(e.Statement)+64), e.Statement)
	}
	for _, l := range ladder {
		fitted := e
		fitted.within(l)
		if b := fitted.appendTo(make([]byte, 0, 2048+len(e.Statement))); len(b) <= MaxEntry {
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

// fit cuts a text to at most limit bytes as encoded, and says how many bytes that takes away.
func fit(s string, limit int) (kept string, left int) {
	if len(s)*maxGrowth <= limit {
		return s, 0
	}
	n := 0
	for i, r := range s {
		if n += encodedRune(r); n > limit {
			return s[:i], len(s) - i
		}
	}
	return s, 0
}

func (c *cutter) text(name string, s *string, limit int) {
	kept, left := fit(*s, limit)
	if left > 0 {
		c.leave(name, left)
		*s = kept
	}
}

func (c *cutter) list(name string, list *[]string, limit, item int) {
	if n := len(*list) - limit; n > 0 {
		c.leave(name, n)
		*list = (*list)[:limit]
	}
	copied := false
	for i, s := range *list {
		kept, left := fit(s, item)
		if left == 0 {
			continue
		}
		if c.leave(name+"[]", left); !copied {
			*list, copied = slices.Clone(*list), true
		}
		(*list)[i] = kept
	}
}

func (c *cutter) relations(e *Entry, l limits) {
	if n := len(e.Relations) - l.relations; n > 0 {
		c.leave("relations", n)
		e.Relations = e.Relations[:l.relations]
	}
	e.Relations = slices.Clone(e.Relations) // within may change its items
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
	fits := len(m) <= limit
	for k, v := range m {
		_, left := fit(v, item)
		_, leftOfName := fit(k, item)
		fits = fits && left+leftOfName == 0
	}
	if fits {
		return m
	}
	kept := make(map[string]string, min(len(m), limit))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(kept) == limit || encodedLen(k) > item {
			c.leave(name, 1)
			continue
		}
		v, left := fit(m[k], item)
		if kept[k] = v; left > 0 {
			c.leave(name+"[]", left)
		}
	}
	return kept
}
