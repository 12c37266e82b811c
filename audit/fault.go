package audit

import (
	"fmt"
	"strconv"
)

// FaultKind names what is wrong with an owner's log, for programs.
type FaultKind string

// What a verifier can find. The three before the last two are about the ledger's heads, the last two about an exported file.
const (
	FaultGap         FaultKind = "gap"         // seq numbers are missing before this one
	FaultRepeat      FaultKind = "repeat"      // this seq was there already, or entries are out of order
	FaultPrev        FaultKind = "prev"        // the entry does not name the commitment of the one before
	FaultChanged     FaultKind = "changed"     // entry or salt is not what was committed to
	FaultMalformed   FaultKind = "malformed"   // the entry cannot be read
	FaultOwner       FaultKind = "owner"       // the entry belongs to another agency
	FaultSeq         FaultKind = "seq"         // the entry says that it stands elsewhere
	FaultExchange    FaultKind = "exchange"    // the entry is of another ledger
	FaultNotInTree   FaultKind = "not-in-tree" // the commitment is not the leaf at this index
	FaultBeyond      FaultKind = "beyond"      // the index is not covered by the checkpoint
	FaultOrder       FaultKind = "order"       // a later entry of the owner has a lower index in the ledger
	FaultWithheld    FaultKind = "withheld"    // entry or salt is missing, and not marked as erased
	FaultErased      FaultKind = "erased"      // marked as erased, and still there
	FaultReceipt     FaultKind = "receipt"     // a receipt proves another entry at this seq
	FaultTruncated   FaultKind = "truncated"   // a receipt proves an entry after the end of the log
	FaultTiles       FaultKind = "tiles"       // the tree that was given is not that of the checkpoint
	FaultHead        FaultKind = "head"        // a head is not signed by the ledger, or does not extend one that was seen or witnessed
	FaultCosignature FaultKind = "cosignature" // a cosignature of a known witness is wrong
	FaultDigest      FaultKind = "digest"      // a file is not the one that was exported
	FaultCount       FaultKind = "count"       // it has another number of entries
)

// faultText says a kind in words: what it is, what it means, what to do.
type faultText struct{ is, means, do string }

const (
	doFetch    = "Fetch the log again. If the fault stays, keep this copy and your receipts, and bring both to your supervisory authority and to the operator."
	doKeep     = "Change nothing. Keep a copy (liaison audit copy) and your receipts, and bring both to your supervisory authority and to the operator."
	doCompare  = "Use nothing of this ledger that you have not verified before. Compare heads with another agency (log.checkpoint in the profile), and tell your supervisory authority, the operator and the witnesses."
	doExport   = "Do not use the file: have it exported anew, and find out who changed it."
	hidesWrong = "Somebody with access to the store, or the exchange itself, does not show what was recorded."
)

var faultTexts = map[FaultKind]faultText{
	FaultGap:         {"gap before this entry: entries are missing", "One or more entries of your agency are hidden or were removed. " + hidesWrong, doKeep},
	FaultRepeat:      {"entry out of order or there twice", "What you were given is not the log in its order: an entry stands in the place of another.", doFetch},
	FaultPrev:        {"broken chain: it does not follow the entry before it", "This entry, or the one before it, was exchanged for another.", doKeep},
	FaultChanged:     {"changed entry: it is not the one that was recorded", "The text or its salt was altered after it was recorded. What it says now cannot be trusted.", doKeep},
	FaultMalformed:   {"entry cannot be read", "It is what was recorded, but no entry that an exchange writes: the program that wrote it was not this one.", doKeep},
	FaultOwner:       {"entry of another agency", "You were shown what is not yours, or an entry of yours was hidden behind another's.", doKeep},
	FaultSeq:         {"entry from another place in the log", "Entries were renumbered: that hides a gap.", doKeep},
	FaultExchange:    {"entry of another ledger", "It was written for another exchange.", doKeep},
	FaultNotInTree:   {"not in the tree: the ledger has something else at this index", "Nobody has promised this entry: it was written, or changed, behind the ledger's back.", doKeep},
	FaultBeyond:      {"not in the tree: the index is not covered by the checkpoint", "The entry is newer than the head that came with it, or was made up.", doFetch},
	FaultOrder:       {"index in the ledger does not rise with the number of the entry", "Entries were put in another order than they happened.", doKeep},
	FaultWithheld:    {"entry withheld: it is missing and not marked as erased", "The exchange does not show an entry that it has to show you. " + hidesWrong, doKeep},
	FaultErased:      {"entry marked as erased but still there", "An erasure was recorded but not carried out.", "Ask the operator to carry out the erasure, then verify again."},
	FaultReceipt:     {"contradicts a receipt: another entry was promised here", "The exchange signed for another entry in this place: its history was rewritten.", doKeep},
	FaultTruncated:   {"log cut off: a receipt proves an entry after its end", "The newest entries are gone: they were removed, or an old copy of the store was restored.", doKeep},
	FaultTiles:       {"the ledger's tree does not match its signed head", "The hashes that were given, or the copy of them, were altered: nothing can be proven with them.", doFetch},
	FaultHead:        {"the ledger's head does not fit together with one that was signed before", "The ledger's history was rewritten or cut off, or there are two of it.", doCompare},
	FaultCosignature: {"wrong cosignature of a witness", "The head was altered after the witness signed, or the witness's key in witnesses.yaml is not its own.", "Ask the witness for its verifier key and for the newest head that it cosigned, and compare."},
	FaultDigest:      {"not the file that was exported: its SHA-256 is another one", "Bytes of the file were changed, added or cut off after it was exported.", doExport},
	FaultCount:       {"another number of entries than was exported", "Lines of the file were taken out, added or doubled.", doExport},
}

// Means says what a fault of this kind means, Do what its reader does about it.
func (k FaultKind) Means() string { return faultTexts[k].means }

// Do says what to do about a fault of this kind.
func (k FaultKind) Do() string { return faultTexts[k].do }

// String says the kind in words.
func (k FaultKind) String() string { return faultTexts[k].is }

// Fault is one thing that is wrong with an owner's log or with the ledger's heads (Seq 0, Index -1). It is an error, with a text for people.
type Fault struct {
	Kind   FaultKind `json:"kind"`
	Owner  string    `json:"owner"`
	Seq    uint64    `json:"seq"`
	Index  int64     `json:"index"` // -1 if there is no item to it
	Detail string    `json:"detail,omitempty"`
}

// Error says where and what, on one line of printable ASCII.
func (f Fault) Error() string {
	text := f.Where() + ": " + f.Kind.String()
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	return text
}

// Where says the place of a fault.
func (f Fault) Where() string {
	if f.Seq == 0 && f.Index < 0 {
		return "the ledger"
	}
	text := fmt.Sprintf("%s seq %d", f.Owner, f.Seq)
	if f.Index >= 0 {
		text += fmt.Sprintf(" (index %d)", f.Index)
	}
	return text
}

// quote makes foreign text safe to print.
func quote(s string) string { return strconv.QuoteToASCII(s) }
