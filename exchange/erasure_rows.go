package exchange

import "time"

// The classes of record that are erased by themselves, each in its time.
const (
	ClassPackage      = "package"      // manifest, statement, content, attachments, decision inputs
	ClassContent      = "content"      // content and attachments of what nobody acknowledged
	ClassLog          = "log"          // entries
	ClassInputs       = "inputs"       // decision inputs of dry runs and of what was denied
	ClassConsultation = "consultation" // who consulted and why, beside the entry that says so
)

// Why something was erased.
const (
	ByRetention = "retention"
	ByOrder     = "order"
)

// StateErased is the state of a package of which only the tombstone is left.
// The outcomes of its deliveries stay what they were.
const StateErased = "erased"

// ErasureRow is one act of erasure: what of one owner was erased at once. It
// names no person: the entry does, until it is erased itself.
type ErasureRow struct {
	Index int64  // of the entry that tells of it
	Owner string // of what was erased
	By    string // agency that did it: the owner by its order, else the operator
	Seq   uint64 // of that entry, which is the owner's
	Class string
	Why   string // ByRetention or ByOrder
	Order string // id of the order
	What  string // parseable: see Erased
	At    time.Time
}

// ErasureOrder is an order and how far it is carried out.
type ErasureOrder struct {
	ID, Owner string
	Payload   string // SHA-256 of the order's payload: what a repeat must equal
	Package   string // or
	From, To  uint64 // entries
	Through   uint64 // done so far
	Erased    int    // entries or packages
	Kept      int    // entries that no order erases
	Held      int    // entries under a hold
	Done      bool
	Index     int64 // of the entry that tells of the order
	At        time.Time
}

// Hold keeps records of its owner from being erased.
type Hold struct {
	ID, Owner string
	Scope     string    // package, case, period, query or all
	Value     string    // a package's id, a case reference or a query
	From, To  time.Time // of a period; To is exclusive
	Reason    string
	By        string // identity
	At        time.Time
	Released  time.Time // zero: it holds
}

// SeqRange is entries from a seq to one.
type SeqRange struct{ From, To uint64 }

// ranges joins seqs, which rise, to ranges.
func ranges(seqs []uint64) (all []SeqRange) {
	for _, s := range seqs {
		if n := len(all); n > 0 && all[n-1].To+1 == s {
			all[n-1].To = s
			continue
		}
		all = append(all, SeqRange{s, s})
	}
	return all
}

// Due asks for packages that are to be erased.
type Due struct {
	Class  string // ClassPackage or ClassContent
	Before time.Time
	After  DueMark
	Limit  int
	Sender string // empty: of all
}

// DueMark is a place in the order of what falls due.
type DueMark struct {
	At    time.Time
	Index int64
}

// StaleRow names a row whose text has outlived its use.
type StaleRow struct {
	Position int64
	Agency   string    // of a consultation
	At       time.Time // when that lapsed
	Shared   string    // of a decision: digest of its shared input
}

func (p *Package) dueMark(class string) DueMark {
	if class == ClassContent {
		return DueMark{p.ContentAt, p.Index}
	}
	return DueMark{p.EraseAt, p.Index}
}
