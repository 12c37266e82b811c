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
