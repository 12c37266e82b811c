package audit

import (
	"fmt"
	"strconv"
)

// FaultKind names what is wrong with an owner's log, for programs.
type FaultKind string

// What VerifyOwner can find.
const (
	FaultGap       FaultKind = "gap"         // seq numbers are missing before this one
	FaultRepeat    FaultKind = "repeat"      // this seq was there already, or entries are out of order
	FaultPrev      FaultKind = "prev"        // the entry does not name the commitment of the one before
	FaultChanged   FaultKind = "changed"     // entry or salt is not what was committed to
	FaultMalformed FaultKind = "malformed"   // the entry cannot be read
	FaultOwner     FaultKind = "owner"       // the entry belongs to another agency
	FaultSeq       FaultKind = "seq"         // the entry says that it stands elsewhere
	FaultExchange  FaultKind = "exchange"    // the entry is of another ledger
	FaultNotInTree FaultKind = "not-in-tree" // the commitment is not the leaf at this index
	FaultBeyond    FaultKind = "beyond"      // the index is not covered by the checkpoint
	FaultOrder     FaultKind = "order"       // a later entry of the owner has a lower index in the ledger
	FaultWithheld  FaultKind = "withheld"    // entry or salt is missing, and not marked as erased
	FaultErased    FaultKind = "erased"      // marked as erased, and still there
	FaultReceipt   FaultKind = "receipt"     // a receipt proves another entry at this seq
	FaultTruncated FaultKind = "truncated"   // a receipt proves an entry after the end of the log
)

// faultTexts says each kind in words.
var faultTexts = map[FaultKind]string{
	FaultGap:       "gap before this entry: entries are missing",
	FaultRepeat:    "entry out of order or there twice",
	FaultPrev:      "broken chain: it does not follow the entry before it",
	FaultChanged:   "changed entry: it is not the one that was recorded",
	FaultMalformed: "entry cannot be read",
	FaultOwner:     "entry of another agency",
	FaultSeq:       "entry from another place in the log",
	FaultExchange:  "entry of another ledger",
	FaultNotInTree: "not in the tree: the ledger has something else at this index",
	FaultBeyond:    "not in the tree: the index is not covered by the checkpoint",
	FaultOrder:     "index in the ledger does not rise with the number of the entry",
	FaultWithheld:  "entry withheld: it is missing and not marked as erased",
	FaultErased:    "entry marked as erased but still there",
	FaultReceipt:   "contradicts a receipt: another entry was promised here",
	FaultTruncated: "log cut off: a receipt proves an entry after its end",
}

// Fault is one thing that is wrong with an owner's log. It is an error, with a text for people.
type Fault struct {
	Kind   FaultKind `json:"kind"`
	Owner  string    `json:"owner"`
	Seq    uint64    `json:"seq"`
	Index  int64     `json:"index"` // -1 if there is no item to it
	Detail string    `json:"detail,omitempty"`
}

// Error says where and what, on one line of printable ASCII.
func (f Fault) Error() string {
	text := fmt.Sprintf("%s seq %d", f.Owner, f.Seq)
	if f.Index >= 0 {
		text += fmt.Sprintf(" (index %d)", f.Index)
	}
	text += ": " + faultTexts[f.Kind]
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	return text
}

// quote makes foreign text safe to print.
func quote(s string) string { return strconv.QuoteToASCII(s) }
