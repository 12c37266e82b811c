package api

// AuditPage answers GET /v1/audit/entries. With order=newest `next` is the
// value of `before` for the following page, otherwise that of `after`.
type AuditPage struct {
	Items  []AuditItem  `json:"items"`
	Next   string       `json:"next,omitempty"`
	Counts *AuditCounts `json:"counts,omitempty"` // if facets or a histogram were asked for
}

// AuditCounts counts all hits of a search, and not only those of the page.
type AuditCounts struct {
	Hits      uint64       `json:"hits"`
	Facets    []AuditFacet `json:"facets,omitempty"`
	Histogram []AuditBar   `json:"histogram,omitempty"` // without intervals of no hit
}

// AuditFacet counts the values of a field, the most frequent first. An entry
// with several values counts for each.
type AuditFacet struct {
	Field  string            `json:"field"`
	Values []AuditFacetValue `json:"values"`
	Others int               `json:"others,omitempty"` // how many further values there are
}

// AuditFacetValue is a value and how many hits have it.
type AuditFacetValue struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// AuditBar is how many hits there were in the interval that begins then.
type AuditBar struct {
	From  string `json:"from"`
	Count uint64 `json:"count"`
}

// SampleRequest asks for a random sample of a log. Without a seed one is made;
// with the same seed, range and log the sample is the same.
type SampleRequest struct {
	Owner string `json:"owner,omitempty"` // whose log; absent: the own agency's
	Query string `json:"query,omitempty"`
	From  string `json:"from,omitempty"` // a date or time
	To    string `json:"to,omitempty"`
	Size  int    `json:"size"`
	Seed  string `json:"seed,omitempty"`
	By    string `json:"by,omitempty"` // a field: each of its values is represented
}

// Sample is what was drawn: of all entries up to `through` that matched, those
// of each value of the field `by` whose SHA-256 over seed, line feed, owner,
// line feed and seq in decimal is smallest.
type Sample struct {
	ID         string    `json:"id"`
	Owner      string    `json:"owner"`
	DrawnBy    string    `json:"drawn_by"` // identity
	Officer    string    `json:"officer"`
	At         string    `json:"at"`
	Query      string    `json:"query,omitempty"`
	From       string    `json:"from,omitempty"`
	To         string    `json:"to,omitempty"`
	Seed       string    `json:"seed"`
	By         string    `json:"by,omitempty"`
	Through    uint64    `json:"through"`
	Population uint64    `json:"population"`
	Seqs       []uint64  `json:"seqs"`
	Verdicts   []Verdict `json:"verdicts"`
	Receipt    string    `json:"receipt,omitempty"`
}

// VerdictRequest says what a reviewer found about one entry.
type VerdictRequest struct {
	Verdict string `json:"verdict"`
	Note    string `json:"note,omitempty"` // erased together with the entry
}

// Verdict is what a reviewer found about one entry of a sample.
type Verdict struct {
	Seq      uint64 `json:"seq"`
	Verdict  string `json:"verdict"`
	Note     string `json:"note,omitempty"`
	Reviewer string `json:"reviewer"` // identity
	At       string `json:"at"`
}

// Samples answers GET /v1/audit/samples, newest first.
type Samples struct {
	Items []Sample `json:"items"`
}
