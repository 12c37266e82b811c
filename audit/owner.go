package audit

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Item is one entry of an owner's log as it was exported. Entry and Salt are nil once the entry is erased: Commitment and Index stay.
type Item struct {
	Owner       string
	Seq         uint64
	Index       int64
	Commitment  Commitment
	Entry, Salt []byte
	Erased      bool
	// Erasure is what the exchange says of an erased entry: when, why, by whom. It proves nothing.
	Erasure string
}

// Position is one place in an owner's log that is known from elsewhere: from a receipt, or from a verification before.
type Position struct {
	Seq        uint64
	Commitment Commitment
}

// OwnerLog is what VerifyOwner checks against.
type OwnerLog struct {
	Owner      string
	Checkpoint Checkpoint
	// Hashes of the checkpoint's tree, themselves proven: VerifyTiles.
	Hashes tlog.HashReader
	// After is where a verification before ended; the zero value begins at Seq 1.
	After Position
	// Known are places that the log must contain, from verified receipts. The receipt of the very reading that exported the log is the
	// best of them: without one, a log that is cut off at its end looks whole.
	Known []Position
	// Former are the origins that the ledger had before it was restored after a loss: entries of before may name them, in front of all that
	// name its origin of now.
	Former []string
}

// Report is the result of VerifyOwner. The log is whole and unchanged if and only if there are no faults.
type Report struct {
	Owner             string
	Disclosed, Erased int      // entries that were checked by content, and entries of which only the commitment is left
	Last              Position // where the log ends: After of the next verification
	Faults            []Fault  // in the order of the log, at most maxFaults
	More              int      // faults beyond those
}

// Err is nil if the log is whole and unchanged, else all of its listed faults, each a Fault.
func (r Report) Err() error {
	var errs []error
	for _, f := range r.Faults {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// maxFaults bounds how many faults a report lists.
const maxFaults = 100

// VerifyOwner checks an owner's log offline, in the order of seq: that its numbers run without a gap, that each entry names the
// commitment before it, that each disclosed entry is the one that was committed to, for this owner, place and ledger, that each commitment
// stands at its index in the tree, and that everything known from elsewhere is in it.
//
// Two limits, by design. Of an erased entry nothing but the commitment remains; the entry after it vouches for that commitment, so of several
// erased ones in a row only the last is vouched for. And a log without Known may end early.
//
// The error is about reading (items, tiles); what is wrong with the log stands in the report.
func VerifyOwner(items iter.Seq2[Item, error], log OwnerLog) (Report, error) {
	return verifyItems(items, log, false)
}

func verifyItems(items iter.Seq2[Item, error], log OwnerLog, selection bool) (Report, error) {
	v := ownerVerifier{log: log, selection: selection, last: log.After, index: -1, known: map[uint64]Commitment{}, report: Report{Owner: log.Owner}}
	for _, p := range log.Known {
		if c, ok := v.known[p.Seq]; ok && c != p.Commitment {
			v.fault(FaultReceipt, Item{Seq: p.Seq, Index: -1}, "two receipts promise different entries")
		}
		v.known[p.Seq] = p.Commitment
	}
	for batch, err := range ordered(items, TileWidth, inspect) {
		if err != nil {
			return Report{}, fmt.Errorf("read the log of %s: %w", log.Owner, err)
		}
		if err := v.batch(batch); err != nil {
			return Report{}, err
		}
	}
	return v.finish(), nil
}

// VerifySelection checks some entries of an owner's log, in the order of seq, as VerifyOwner does those of a whole log: numbers may be
// missing between them, and what follows the entry before it is held against that. Without Hashes the tree is not asked, and an entry is
// held against its commitment only.
func VerifySelection(items iter.Seq2[Item, error], log OwnerLog) (Report, error) {
	return verifyItems(items, log, true)
}

// inspected is an item with all that can be said of it alone.
type inspected struct {
	Item
	leaf   tlog.Hash
	same   bool   // entry and salt are what was committed to
	header header // of a disclosed entry
	err    error  // why it cannot be read
}

// inspect is the work on a batch that needs no order.
func inspect(items []Item) []inspected {
	list := make([]inspected, len(items))
	before := &header{}
	for n, i := range items {
		list[n] = inspected{Item: i, leaf: i.Commitment.Leaf()}
		if i.Entry == nil || len(i.Salt) != len(Salt{}) {
			continue
		}
		if list[n].same = Commit(Salt(i.Salt), i.Entry) == i.Commitment; list[n].same {
			list[n].header, list[n].err = readHeader(i.Entry, before)
			before = &list[n].header
		}
		list[n].Entry = []byte{} // read; not nil
	}
	return list
}

// ownerVerifier is where one verification stands.
type ownerVerifier struct {
	log     OwnerLog
	last    Position
	index   int64 // of the item before
	known   map[uint64]Commitment
	report  Report
	current bool // an entry of the ledger's present origin was seen

	selection bool // some entries only
}

func (v *ownerVerifier) fault(kind FaultKind, i Item, detail string) {
	if len(v.report.Faults) == maxFaults {
		v.report.More++
		return
	}
	v.report.Faults = append(v.report.Faults, Fault{Kind: kind, Owner: v.log.Owner, Seq: i.Seq, Index: i.Index, Detail: detail})
}

// batch checks items whose leaves are read from the tree in one go: neighbours share their tiles.
func (v *ownerVerifier) batch(items []inspected) error {
	if v.selection && v.log.Hashes == nil {
		for n := range items {
			v.item(&items[n])
		}
		return nil
	}
	indexes := make([]int64, 0, len(items))
	for n := range items {
		if i := &items[n]; i.Index >= 0 && i.Index < v.log.Checkpoint.Size {
			indexes = append(indexes, tlog.StoredHashIndex(0, i.Index))
		}
	}
	leaves, err := v.log.Hashes.ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("read the tree: %w", err)
	}
	if len(leaves) != len(indexes) {
		return fmt.Errorf("read the tree: %d hashes for %d indexes", len(leaves), len(indexes))
	}
	for n := range items {
		switch i := &items[n]; {
		case i.Index < 0 || i.Index >= v.log.Checkpoint.Size:
			v.fault(FaultBeyond, i.Item, fmt.Sprintf("the checkpoint covers %d", v.log.Checkpoint.Size))
		case i.leaf != leaves[0]:
			v.fault(FaultNotInTree, i.Item, "")
			leaves = leaves[1:]
		default:
			leaves = leaves[1:]
		}
		v.item(&items[n])
	}
	return nil
}

// item checks one entry against the one before and against what is known, and goes on from there whatever it found.
func (v *ownerVerifier) item(i *inspected) {
	next := v.last.Seq + 1
	switch {
	case i.Owner != v.log.Owner:
		v.fault(FaultOwner, i.Item, "the item is marked as one of "+quote(i.Owner))
	case i.Seq > next && !v.selection:
		v.fault(FaultGap, i.Item, fmt.Sprintf("%d expected", next))
	case i.Seq < next:
		v.fault(FaultRepeat, i.Item, fmt.Sprintf("%d expected", next))
	}
	if i.Index <= v.index {
		v.fault(FaultOrder, i.Item, fmt.Sprintf("the entry before is at index %d", v.index))
	}
	if c, ok := v.known[i.Seq]; ok {
		if c != i.Commitment {
			v.fault(FaultReceipt, i.Item, "")
		}
		delete(v.known, i.Seq)
	}
	v.content(i, i.Seq == next)
	v.last, v.index = Position{i.Seq, i.Commitment}, max(v.index, i.Index)
}

// content checks what is disclosed of an entry. Its link to the entry before is checked only if that one is at hand.
func (v *ownerVerifier) content(i *inspected, follows bool) {
	switch {
	case i.Entry == nil && i.Salt == nil && i.Erased:
		v.report.Erased++
		return
	case i.Entry == nil || len(i.Salt) != len(Salt{}):
		v.fault(FaultWithheld, i.Item, "")
		return
	case i.Erased:
		v.fault(FaultErased, i.Item, "")
	}
	v.report.Disclosed++
	if !i.same {
		v.fault(FaultChanged, i.Item, "")
		return
	}
	e := &i.header
	if i.err != nil {
		v.fault(FaultMalformed, i.Item, i.err.Error())
		return
	}
	if e.Owner != v.log.Owner {
		v.fault(FaultOwner, i.Item, "the entry is one of "+quote(e.Owner))
	}
	if e.Seq != i.Seq {
		v.fault(FaultSeq, i.Item, fmt.Sprintf("the entry itself says %d", e.Seq))
	}
	now := e.Exchange == v.log.Checkpoint.Origin
	if v.current = v.current || now; !now && (v.current || !slices.Contains(v.log.Former, e.Exchange)) {
		v.fault(FaultExchange, i.Item, "the entry is of "+quote(e.Exchange))
	}
	if follows && e.Prev != v.last.Commitment.String() {
		v.fault(FaultPrev, i.Item, "")
	}
}

// finish looks for what is known and did not come.
func (v *ownerVerifier) finish() Report {
	for _, p := range v.log.Known {
		if _, missing := v.known[p.Seq]; !missing || p.Seq <= v.log.After.Seq {
			continue
		}
		delete(v.known, p.Seq)
		if p.Seq > v.last.Seq {
			v.fault(FaultTruncated, Item{Seq: p.Seq, Index: -1}, fmt.Sprintf("the log ends at %d", v.last.Seq))
		} else {
			v.fault(FaultReceipt, Item{Seq: p.Seq, Index: -1}, "the log skips it")
		}
	}
	v.report.Last = v.last
	return v.report
}
