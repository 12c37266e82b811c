package audit

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func kinds(r Report) []FaultKind {
	var ks []FaultKind
	for _, f := range r.Faults {
		ks = append(ks, f.Kind)
	}
	return ks
}

func verify(t testing.TB, items []Item, log OwnerLog) Report {
	t.Helper()
	r, err := VerifyOwner(each(items), log)
	must(t, err)
	return r
}

func TestVerifyOwner(t *testing.T) {
	l := newLedger(t)
	l.fill(300, "ee/pbgb", "lv/vp")
	r := verify(t, l.items["ee/pbgb"], l.log("ee/pbgb"))
	last := l.items["ee/pbgb"][299]
	if r.Err() != nil || r.Disclosed != 300 || r.Erased != 0 || r.Last != (Position{300, last.Commitment}) {
		t.Errorf("%+v", r)
	}
	// The next verification goes on where this one ended.
	l.fill(3, "ee/pbgb", "lv/vp")
	log := l.log("ee/pbgb")
	log.After = r.Last
	if r := verify(t, l.items["ee/pbgb"][300:], log); r.Err() != nil || r.Disclosed != 3 {
		t.Errorf("%+v", r)
	}
	log.After.Commitment = Commitment{1}
	if r := verify(t, l.items["ee/pbgb"][300:], log); !slices.Equal(kinds(r), []FaultKind{FaultPrev}) {
		t.Errorf("history before was rewritten: %v", kinds(r))
	}
	if r := verify(t, nil, l.log("it/dcpc")); r.Err() != nil || r.Last.Seq != 0 {
		t.Errorf("an empty log: %+v", r)
	}
}

// After an erasure the chain, the tree and the gapless numbers still stand, and the erased entry cannot be exchanged for another.
func TestErasedEntryStillLinks(t *testing.T) {
	l := newLedger(t)
	l.fill(8, "ee/pbgb", "lv/vp")
	items := slices.Clone(l.items["ee/pbgb"])
	for _, i := range []int{0, 3, 4, 7} {
		items[i].Entry, items[i].Salt, items[i].Erased = nil, nil, true
	}
	r := verify(t, items, l.log("ee/pbgb"))
	if r.Err() != nil || r.Erased != 4 || r.Disclosed != 4 {
		t.Fatalf("%+v", r)
	}
	items[4].Commitment, items[4].Index = l.items["lv/vp"][3].Commitment, l.items["lv/vp"][3].Index
	if got := kinds(verify(t, items, l.log("ee/pbgb"))); !slices.Equal(got, []FaultKind{FaultPrev}) {
		t.Errorf("an erased entry was exchanged for a stranger's: %v", got)
	}
}

// Each way to tamper with an owner's log is found and named, and only that is named.
func TestTamperedLogsAreNamed(t *testing.T) {
	l := newLedger(t)
	l.fill(10, "ee/pbgb", "lv/vp")
	own, others := l.items["ee/pbgb"], l.items["lv/vp"]
	known := []Position{{8, own[7].Commitment}, {10, own[9].Commitment}}
	resigned := func(i Item, change func(*Entry)) Item { // another entry with a commitment that fits it
		e, err := ParseEntry(i.Entry)
		must(t, err)
		change(&e)
		i.Entry, err = e.Encode()
		must(t, err)
		i.Commitment = Commit(Salt(i.Salt), i.Entry)
		return i
	}
	for name, c := range map[string]struct {
		change func(items []Item) []Item
		want   []FaultKind
	}{
		"as it is":        {func(i []Item) []Item { return i }, nil},
		"one cut out":     {func(i []Item) []Item { return slices.Delete(i, 3, 4) }, []FaultKind{FaultGap}},
		"beginning gone":  {func(i []Item) []Item { return i[2:] }, []FaultKind{FaultGap}},
		"promised gone":   {func(i []Item) []Item { return slices.Delete(i, 7, 8) }, []FaultKind{FaultGap, FaultReceipt}},
		"end gone":        {func(i []Item) []Item { return i[:9] }, []FaultKind{FaultTruncated}},
		"more of the end": {func(i []Item) []Item { return i[:5] }, []FaultKind{FaultTruncated, FaultTruncated}},
		"all gone":        {func([]Item) []Item { return nil }, []FaultKind{FaultTruncated, FaultTruncated}},
		"swapped":         {func(i []Item) []Item { i[3], i[4] = i[4], i[3]; return i }, []FaultKind{FaultGap, FaultRepeat, FaultOrder, FaultGap}},
		"twice":           {func(i []Item) []Item { return slices.Insert(i, 4, i[3]) }, []FaultKind{FaultRepeat, FaultOrder}},
		"renumbered after a cut": {func(i []Item) []Item {
			i = slices.Delete(i, 3, 4)
			i[3].Seq = 4
			return i
		}, []FaultKind{FaultSeq, FaultPrev, FaultGap}},
		"changed entry": {func(i []Item) []Item {
			i[2].Entry = bytes.Replace(i[2].Entry, []byte("o-17"), []byte("o-18"), 1)
			return i
		}, []FaultKind{FaultChanged}},
		"changed salt":     {func(i []Item) []Item { i[2].Salt = make([]byte, 32); return i }, []FaultKind{FaultChanged}},
		"short salt":       {func(i []Item) []Item { i[2].Salt = i[2].Salt[:31]; return i }, []FaultKind{FaultWithheld}},
		"withheld":         {func(i []Item) []Item { i[2].Entry, i[2].Salt = nil, nil; return i }, []FaultKind{FaultWithheld}},
		"salt withheld":    {func(i []Item) []Item { i[2].Salt, i[2].Erased = nil, true; return i }, []FaultKind{FaultWithheld}},
		"erased but there": {func(i []Item) []Item { i[2].Erased = true; return i }, []FaultKind{FaultErased}},
		"written anew":     {func(i []Item) []Item { i[4] = resigned(i[4], func(e *Entry) { e.Officer = "o-18" }); return i }, []FaultKind{FaultNotInTree, FaultPrev}},
		"promise anew":     {func(i []Item) []Item { i[7] = resigned(i[7], func(e *Entry) { e.Officer = "o-18" }); return i }, []FaultKind{FaultNotInTree, FaultReceipt, FaultPrev}},
		"other ledger":     {func(i []Item) []Item { i[9] = resigned(i[9], func(e *Entry) { e.Exchange = "x" }); return i }, []FaultKind{FaultNotInTree, FaultReceipt, FaultExchange}},
		"stranger's entry": {func(i []Item) []Item {
			i[4].Entry, i[4].Salt, i[4].Commitment, i[4].Index = others[4].Entry, others[4].Salt, others[4].Commitment, others[4].Index
			return i
		}, []FaultKind{FaultOwner, FaultPrev, FaultPrev}},
		"stranger's item":  {func(i []Item) []Item { i[4] = others[4]; return i }, []FaultKind{FaultOwner, FaultOwner, FaultPrev, FaultPrev}},
		"other index":      {func(i []Item) []Item { i[4].Index++; return i }, []FaultKind{FaultNotInTree}},
		"index beyond":     {func(i []Item) []Item { i[9].Index = 20; return i }, []FaultKind{FaultBeyond}},
		"negative index":   {func(i []Item) []Item { i[0].Index = -1; return i }, []FaultKind{FaultBeyond, FaultOrder}},
		"other commitment": {func(i []Item) []Item { i[4].Commitment[0] ^= 1; return i }, []FaultKind{FaultNotInTree, FaultChanged, FaultPrev}},
		"entry is no entry": {func(i []Item) []Item {
			i[9].Entry = []byte("{}")
			i[9].Commitment = Commit(Salt(i[9].Salt), i[9].Entry)
			return i
		}, []FaultKind{FaultNotInTree, FaultReceipt, FaultMalformed}},
	} {
		log := l.log("ee/pbgb")
		log.Known = known
		report := verify(t, c.change(slices.Clone(own)), log)
		if got := kinds(report); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %v, want %v", name, got, c.want)
		}
		for _, f := range report.Faults {
			if text := f.Error(); f.Kind.String() == "" || f.Kind.Means() == "" || f.Kind.Do() == "" || !strings.Contains(text, f.Kind.String()) || !errors.Is(report.Err(), f) {
				t.Errorf("fault without a text: %q", text)
			}
		}
	}
	log := l.log("ee/pbgb")
	log.Known = append(known, Position{8, Commitment{}})
	if got := kinds(verify(t, own, log)); !slices.Contains(got, FaultReceipt) {
		t.Errorf("two receipts for one place: %v", got)
	}
}

// Every bit of a small log counts, in entries, salts and commitments.
func TestEveryBitOfALogCounts(t *testing.T) {
	l := newLedger(t)
	l.fill(3, "ee/pbgb", "lv/vp")
	log := l.log("ee/pbgb")
	for n := range l.items["ee/pbgb"] {
		for _, part := range []func(*Item) []byte{
			func(i *Item) []byte { i.Entry = bytes.Clone(i.Entry); return i.Entry },
			func(i *Item) []byte { i.Salt = bytes.Clone(i.Salt); return i.Salt },
			func(i *Item) []byte { return i.Commitment[:] },
		} {
			for at := range len(part(&l.items["ee/pbgb"][n])) {
				items := slices.Clone(l.items["ee/pbgb"])
				part(&items[n])[at] ^= 1 << (at % 8)
				if verify(t, items, log).Err() == nil {
					t.Fatalf("entry %d: byte %d can be changed", n, at)
				}
			}
		}
	}
}

// Whatever is dropped, doubled or moved in a log whose end is known, something is found.
func TestRandomTampering(t *testing.T) {
	l := newLedger(t)
	l.fill(20, "ee/pbgb", "lv/vp")
	own := l.items["ee/pbgb"]
	rapid.Check(t, func(t *rapid.T) {
		items := slices.Clone(own)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			i, j := rapid.IntRange(0, len(items)-1).Draw(t, "i"), rapid.IntRange(0, len(items)-1).Draw(t, "j")
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				items = slices.Delete(items, i, i+1)
			case 1:
				items = slices.Insert(items, j, items[i])
			case 2:
				items[i], items[j] = items[j], items[i]
			case 3:
				items[i].Entry, items[i].Salt, items[i].Commitment = items[j].Entry, items[j].Salt, items[j].Commitment
			}
		}
		log := l.log("ee/pbgb")
		log.Known = []Position{{20, own[19].Commitment}}
		r, err := VerifyOwner(each(items), log)
		if err != nil {
			t.Fatal(err)
		}
		same := slices.EqualFunc(items, own, func(a, b Item) bool { return a.Seq == b.Seq && a.Commitment == b.Commitment })
		if same != (r.Err() == nil) {
			t.Fatalf("same %v, found %v", same, kinds(r))
		}
	})
}

func TestVerifyOwnerReadErrors(t *testing.T) {
	l := newLedger(t)
	l.fill(2, "ee/pbgb")
	lost := errors.New("connection lost")
	var broken iter.Seq2[Item, error] = func(yield func(Item, error) bool) { _ = yield(l.items["ee/pbgb"][0], nil) && yield(Item{}, lost) }
	if _, err := VerifyOwner(broken, l.log("ee/pbgb")); !errors.Is(err, lost) {
		t.Errorf("items that cannot be read: %v", err)
	}
	for _, bad := range []tlog.HashReaderFunc{
		func([]int64) ([]tlog.Hash, error) { return nil, lost },
		func([]int64) ([]tlog.Hash, error) { return nil, nil },
	} {
		log := l.log("ee/pbgb")
		log.Hashes = bad
		if r, err := VerifyOwner(each(l.items["ee/pbgb"]), log); err == nil {
			t.Errorf("hashes that cannot be read: %+v", r)
		}
	}
	// Faults are bounded, and none is lost from the count.
	l.fill(248, "ee/pbgb")
	items := slices.Clone(l.items["ee/pbgb"])
	for i := range items {
		items[i].Salt = make([]byte, 32)
	}
	if r := verify(t, items, l.log("ee/pbgb")); len(r.Faults) != maxFaults || r.More != 150 {
		t.Errorf("%d faults and %d more", len(r.Faults), r.More)
	}
}

// A selection of a log is verified without the entries between, and a fault in it is named; without a tree what is in no tree is not.
func TestVerifySelection(t *testing.T) {
	l := newLedger(t)
	l.fill(12, "ee/pbgb", "lv/vp")
	own := l.items["ee/pbgb"]
	some := []Item{own[2], own[3], own[7], own[11]}
	select1 := func(items []Item, log OwnerLog) Report {
		r, err := VerifySelection(each(items), log)
		must(t, err)
		return r
	}
	log := l.log("ee/pbgb")
	log.Known = nil
	if r := select1(some, log); r.Err() != nil || r.Disclosed != 4 {
		t.Errorf("%+v", r)
	}
	if got := kinds(verify(t, some, log)); !slices.Contains(got, FaultGap) {
		t.Errorf("as a whole log: %v", got)
	}
	forged := slices.Clone(some)
	e, err := ParseEntry(forged[2].Entry)
	must(t, err)
	e.Outcome = "denied"
	forged[2].Entry, err = e.Encode()
	must(t, err)
	forged[2].Commitment = Commit(Salt(forged[2].Salt), forged[2].Entry)
	if got := kinds(select1(forged, log)); !slices.Equal(got, []FaultKind{FaultNotInTree}) {
		t.Errorf("a made-up entry: %v", got)
	}
	without := log
	without.Hashes = nil
	if r := select1(forged, without); r.Err() != nil {
		t.Errorf("without a tree: %v", r.Err())
	}
	forged[2].Commitment[0] ^= 1
	if got := kinds(select1(forged, without)); !slices.Equal(got, []FaultKind{FaultChanged}) {
		t.Errorf("without a tree, another commitment: %v", got)
	}
	for name, c := range map[string]struct {
		items []Item
		want  FaultKind
	}{
		"another order": {[]Item{own[7], own[2]}, FaultRepeat}, "twice": {[]Item{own[2], own[2]}, FaultRepeat}, "another's": {[]Item{l.items["lv/vp"][2]}, FaultOwner},
		"not what follows": {[]Item{own[2], func() Item { i := own[5]; i.Seq = 4; return i }()}, FaultPrev},
	} {
		if got := kinds(select1(c.items, log)); !slices.Contains(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
