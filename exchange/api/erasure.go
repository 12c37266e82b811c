package api

// Erasure says when, why and by whom something was erased. It proves nothing:
// the entry of that number does.
type Erasure struct {
	At    string `json:"at"`
	Why   string `json:"why"`   // retention or order
	Class string `json:"class"` // of record: package, content, log, inputs, consultation
	By    string `json:"by"`    // agency
	Order string `json:"order,omitempty"`
	Seq   uint64 `json:"seq"` // of the owner's entry that tells of it
}

// ErasureDone answers an order to erase: what became of it.
type ErasureDone struct {
	ID      string `json:"id"` // of the order
	Package string `json:"package,omitempty"`
	First   uint64 `json:"first,omitempty"` // entries
	Last    uint64 `json:"last,omitempty"`
	Erased  int    `json:"erased"` // packages or entries
	Held    int    `json:"held"`   // entries under a hold, which stay
	Kept    int    `json:"kept"`   // entries that tell of erasures and holds, which no order erases
	Done    bool   `json:"done"`   // false: the rest follows by itself
	Receipt string `json:"receipt"`
}

// ErasurePreview answers GET /v1/audit/erasures: what of the reader's agency
// will be erased by a day if nobody does anything.
type ErasurePreview struct {
	On      string         `json:"on"`
	Classes []ErasureClass `json:"classes"`
	Items   []ErasureItem  `json:"items"`
	More    bool           `json:"more,omitempty"` // there are more than `limit`
	Receipt string         `json:"receipt"`
}

// ErasureClass counts one class of record.
type ErasureClass struct {
	Class string `json:"class"`
	Count int    `json:"count"` // that will be erased
	Held  int    `json:"held"`  // that would be, but for a hold
	Days  int    `json:"days"`  // how long they are kept, where the record itself does not say
}

// ErasureItem is one package, or entries of the log.
type ErasureItem struct {
	Class   string `json:"class"`
	Package string `json:"package,omitempty"`
	First   uint64 `json:"first,omitempty"`
	Last    uint64 `json:"last,omitempty"`
	Due     string `json:"due,omitempty"`
	Held    bool   `json:"held,omitempty"`
}

// HoldRequest asks that records be kept from being erased.
type HoldRequest struct {
	Scope  string `json:"scope"`           // package, case, period, query or all
	Value  string `json:"value,omitempty"` // a package's id, a case reference or a query
	Begin  string `json:"begin,omitempty"` // of a period
	End    string `json:"end,omitempty"`   // exclusive
	Reason string `json:"reason"`          // it is recorded
}

// Hold is what must not be erased.
type Hold struct {
	ID       string `json:"id"`
	Scope    string `json:"scope"`
	Value    string `json:"value,omitempty"`
	Begin    string `json:"begin,omitempty"`
	End      string `json:"end,omitempty"`
	Reason   string `json:"reason"`
	By       string `json:"by"` // identity
	Since    string `json:"since"`
	Released string `json:"released,omitempty"`
	Receipt  string `json:"receipt,omitempty"` // in the answers to POST
}

// Holds answers GET /v1/audit/holds: those that hold, newest first.
type Holds struct {
	Items []Hold `json:"items"`
}

// ReleaseRequest says why a hold is not needed any more.
type ReleaseRequest struct {
	Reason string `json:"reason"` // it is recorded
}
