package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// What the catalogue of attacks asks of the log, and which tests hold it. TestAttackMap sees that each of them is there.
//
//	A1 entries or tiles cut off               TestA01CutOff, TestCommands (cut off), TestTamperedLogsAreNamed
//	A2 two heads of one size                  TestA02TwoHistories, TestJournalSeesAnotherStore, TestWitness, TestWitnessesRememberForTheExchange
//	A3 an old copy of the store               TestA03OldCopy, TestJournalRefusesARollback, TestWitnessesRememberForTheExchange
//	A4 an action without its entry            TestA04OneEntryHidden, TestInvariant1EffectsHaveTheirEntries, TestInvariant1RefusalsHaveTheirEntries, TestJournalKilledAtEachStep
//	A5 any byte of any store changed          TestA05EveryByte, TestEveryBitOfALogCounts, TestEveryBitOfAReceiptCounts, TestRandomTampering, TestCopyEveryByte
//	A6 forged tiles                           TestA06EveryByteOfATile, TestForgedTiles
//	A7 forged checkpoints                     TestOpenCheckpointIsStrict, FuzzOpenCheckpoint, TestParseSubmissionIsStrict
//	A8 clocks that jump                       TestA08Clock, TestFormatTime
//	A9 text that breaks lines or terminals    TestLogInjection, TestPrintable
//	A10 erasure misused                       TestErasedEntryStillLinks, TestTamperedLogsAreNamed, TestErasedBytesAreGone
//	A11 content guessed from a leaf           TestCommitmentHidesEntry
//	A12 no room for the log                   TestInvariant4FullDisk, TestInvariant4NoLedgerNoEffect, TestJournalStorageErrors
//	A13 a flood to hide in                    TestA13Flood, TestEveryOperationIsLimited, TestWhoIsLimited
//	A14 nobody witnesses any more             TestWitnessDown, TestWitnessTolerance
//	A15 the log is read unseen                TestA15ReadingIsRecorded, TestAuditPages, TestAuditEntry, TestInvariant8ReadingIsAnAction
//	A16 a head is signed before its tree      TestA16HeadAfterTree, TestJournalKilledAtEachStep, TestJournalKilledUnderLoad
//	A17 a node taken for a leaf               TestNodeIsNoLeaf, TestVector

// TestAttackMap: the map above names tests that are there, for each row.
func TestAttackMap(t *testing.T) {
	source, err := os.ReadFile("ledger_attacks_test.go")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, dir := range []string{".", "../audit", "witness", "store", "server", "../cmd/liaison"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
					there[fn.Name.Name] = true
				}
			}
		}
	}
	rows := regexp.MustCompile(`(?m)^//\tA(\d+) .*?\s\s+(.*)$`).FindAllStringSubmatch(string(source), -1)
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) {
			t.Errorf("row A%s stands in place %d", row[1], i+1)
		}
		for _, name := range regexp.MustCompile(`(Test|Fuzz)\w+`).FindAllString(row[2], -1) {
			if !there[name] {
				t.Errorf("A%s: there is no test %s", row[1], name)
			}
		}
	}
	if len(rows) != 17 {
		t.Errorf("%d rows", len(rows))
	}
}

// shown is a store as somebody shows it who may have changed it.
type shown struct {
	exchange.Reader
	row    func(*exchange.EntryRow) bool // false: it is not shown
	hashes func([]int64, []tlog.Hash)
}

// entries are all rows that are shown, in their order.
func (s shown) entries(size int64) (rows []exchange.EntryRow, err error) {
	for i := range size {
		row, err := s.EntryAt(i)
		if err != nil {
			return nil, err
		}
		row.Entry, row.Salt = bytes.Clone(row.Entry), bytes.Clone(row.Salt)
		if s.row == nil || s.row(row) {
			rows = append(rows, *row)
		}
	}
	return rows, nil
}

// ReadHashes implements tlog.HashReader.
func (s shown) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes, err := s.Reader.ReadHashes(indexes)
	if err == nil && s.hashes != nil {
		s.hashes(indexes, hashes)
	}
	return hashes, err
}

// victim is a small ledger whose readers verify what they are shown.
type victim struct {
	*running
	keys audit.Keys
	last audit.Receipt // the newest of ee/pbgb
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	l := newLedger(t, t.TempDir())
	v := &victim{running: l.start(t)}
	for i := range 3 {
		v.last = v.commit(t, send(fmt.Sprint(i), "ee/pbgb", "lv/vp"))
	}
	signer, err := l.signer()
	if err != nil {
		t.Fatal(err)
	}
	if v.keys, err = audit.ParseKeys([]byte(signer.VerifierKey())); err != nil {
		t.Fatal(err)
	}
	return v
}

// verify is what a data-protection officer's tool does with what it is shown: entries, tiles, a checkpoint. The kinds of the faults
// that it names, and those that it cannot go on after.
func (v *victim) verify(t *testing.T, rows exchange.Reader, harm func(*shown), note []byte) (kinds []audit.FaultKind) {
	t.Helper()
	s := shown{Reader: rows}
	if harm != nil {
		harm(&s)
	}
	cp, err := audit.OpenCheckpoint(note, v.keys)
	if err != nil {
		return []audit.FaultKind{audit.FaultHead}
	}
	tiles := func(_ context.Context, tile audit.TilePath) ([]byte, error) { return audit.TileData(tile, cp.Size, s) }
	list, err := s.entries(cp.Size)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := v.last.Verify(v.keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	items := func(yield func(audit.Item, error) bool) {
		for _, r := range list {
			if r.Owner == "ee/pbgb" && !yield(audit.Item{Owner: r.Owner, Seq: r.Seq, Index: r.Index, Commitment: r.Commitment, Entry: r.Entry, Salt: r.Salt}, nil) {
				return
			}
		}
	}
	report, err := audit.VerifyOwner(items, audit.OwnerLog{Owner: "ee/pbgb", Checkpoint: cp, Hashes: audit.VerifyTiles(t.Context(), cp, tiles),
		Known: []audit.Position{{Seq: receipt.Entry.Seq, Commitment: receipt.Commitment}}})
	if errors.Is(err, audit.ErrTiles) {
		return []audit.FaultKind{audit.FaultTiles}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Faults {
		if f.Kind.Means() == "" || f.Kind.Do() == "" {
			t.Errorf("%s is not explained", f.Kind)
		}
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

// on reads the victim's store.
func (v *victim) on(t *testing.T, f func(rows exchange.Reader)) {
	t.Helper()
	if err := v.store.View(t.Context(), func(rows exchange.Reader) error { f(rows); return nil }); err != nil {
		t.Fatal(err)
	}
}

// names fails unless exactly these faults are named.
func names(t *testing.T, what string, got []audit.FaultKind, want ...audit.FaultKind) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: named %v, want %v", what, got, want)
	}
}

func TestA01CutOff(t *testing.T) {
	v := newVictim(t)
	v.on(t, func(rows exchange.Reader) {
		names(t, "as it is", v.verify(t, rows, nil, v.Checkpoint()))
		names(t, "the last entry", v.verify(t, rows, func(s *shown) {
			s.row = func(r *exchange.EntryRow) bool { return r.Owner != "ee/pbgb" || r.Seq < 3 }
		}, v.Checkpoint()), audit.FaultTruncated)
		names(t, "all entries", v.verify(t, rows, func(s *shown) { s.row = func(*exchange.EntryRow) bool { return false } }, v.Checkpoint()), audit.FaultTruncated)
	})
}

// TestA02TwoHistories: a thief with copies of store, key and anchor signs a second history. Who saw one head finds that the other does
// not fit, in both directions.
func TestA02TwoHistories(t *testing.T) {
	dir := t.TempDir()
	first := newLedger(t, dir)
	j := first.start(t)
	j.commit(t, send("1", "ee/pbgb", "lv/vp"))
	j.stop(t)
	copyDir(t, dir, dir+"-copy")
	second := ledgerIn(dir + "-copy")
	for _, l := range []ledger{first, second} {
		if err := os.Chmod(l.key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := first.start(t), second.start(t)
	a.commit(t, send("2", "ee/pbgb", "lv/vp"))
	b.commit(t, send("2", "ee/pbgb", "lv/vp"))
	b.commit(t, send("3", "ee/pbgb", "lv/vp"))
	signer, err := first.signer()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := audit.ParseKeys([]byte(signer.VerifierKey()))
	if err != nil {
		t.Fatal(err)
	}
	open := func(j *running) audit.Checkpoint {
		cp, err := audit.OpenCheckpoint(j.Checkpoint(), keys)
		if err != nil {
			t.Fatal(err)
		}
		return cp
	}
	seen, now := open(a), open(b)
	err = b.store.View(t.Context(), func(rows exchange.Reader) error { return audit.VerifyExtends(seen, now, rows) })
	if !errors.Is(err, audit.ErrFork) {
		t.Errorf("the second history: %v", err)
	}
	err = exchange.HeadLog{Journal: b.Journal, Store: b.store}.Extends(t.Context(), seen)
	if !errors.Is(err, audit.ErrFork) {
		t.Errorf("a collector that kept the first head: %v", err)
	}
}

func TestA03OldCopy(t *testing.T) {
	v := newVictim(t)
	old, err := audit.OpenCheckpoint(v.Checkpoint(), v.keys)
	if err != nil {
		t.Fatal(err)
	}
	v.commit(t, send("later", "ee/pbgb", "lv/vp"))
	seen, err := audit.OpenCheckpoint(v.Checkpoint(), v.keys)
	if err != nil {
		t.Fatal(err)
	}
	v.on(t, func(rows exchange.Reader) {
		if err := audit.VerifyExtends(seen, old, rows); !errors.Is(err, audit.ErrBehind) {
			t.Errorf("the head of an old copy: %v", err)
		}
	})
}

func TestA04OneEntryHidden(t *testing.T) {
	v := newVictim(t)
	v.on(t, func(rows exchange.Reader) {
		for seq := uint64(1); seq < 3; seq++ {
			names(t, fmt.Sprint("entry ", seq), v.verify(t, rows, func(s *shown) {
				s.row = func(r *exchange.EntryRow) bool { return r.Owner != "ee/pbgb" || r.Seq != seq }
			}, v.Checkpoint()), audit.FaultGap)
			got := v.verify(t, rows, func(s *shown) { // and those after it renumbered
				s.row = func(r *exchange.EntryRow) bool {
					if r.Owner == "ee/pbgb" && r.Seq > seq {
						r.Seq--
						return true
					}
					return r.Owner != "ee/pbgb" || r.Seq != seq
				}
			}, v.Checkpoint())
			if !slices.Contains(got, audit.FaultSeq) || !slices.Contains(got, audit.FaultTruncated) {
				t.Errorf("entry %d hidden, the others renumbered: %v", seq, got)
			}
		}
	})
}

// TestA05EveryByte: whichever byte of an entry, its salt, its commitment, its place or of the signed head is another, it is named.
func TestA05EveryByte(t *testing.T) {
	v := newVictim(t)
	v.on(t, func(rows exchange.Reader) {
		for seq := uint64(1); seq <= 3; seq++ {
			row, err := rows.Entry("ee/pbgb", seq)
			if err != nil {
				t.Fatal(err)
			}
			for part, c := range map[string]struct {
				size  int
				bytes func(*exchange.EntryRow) []byte
				want  audit.FaultKind
			}{
				"entry":      {len(row.Entry), func(r *exchange.EntryRow) []byte { return r.Entry }, audit.FaultChanged},
				"salt":       {len(row.Salt), func(r *exchange.EntryRow) []byte { return r.Salt }, audit.FaultChanged},
				"commitment": {len(row.Commitment), func(r *exchange.EntryRow) []byte { return r.Commitment[:] }, audit.FaultNotInTree},
			} {
				for at := range c.size {
					got := v.verify(t, rows, func(s *shown) {
						s.row = func(r *exchange.EntryRow) bool {
							if r.Owner == "ee/pbgb" && r.Seq == seq {
								c.bytes(r)[at] ^= 1 << (at % 8)
							}
							return true
						}
					}, v.Checkpoint())
					if !slices.Contains(got, c.want) {
						t.Fatalf("entry %d, byte %d of its %s: named %v", seq, at, part, got)
					}
				}
			}
			got := v.verify(t, rows, func(s *shown) {
				s.row = func(r *exchange.EntryRow) bool {
					if r.Seq == seq {
						r.Index++
					}
					return true
				}
			}, v.Checkpoint())
			if len(got) == 0 {
				t.Errorf("entry %d at another index is not named", seq)
			}
		}
		note := v.Checkpoint()
		for at := range note {
			harmed := bytes.Clone(note)
			harmed[at] ^= 1 << (at % 8)
			names(t, fmt.Sprintf("byte %d of the head", at), v.verify(t, rows, nil, harmed), audit.FaultHead)
		}
	})
	anchor, err := os.ReadFile(v.ledger.anchor)
	if err != nil {
		t.Fatal(err)
	}
	v.stop(t)
	for at := range anchor { // a node does not start beside an anchor that was changed
		harmed := bytes.Clone(anchor)
		harmed[at] ^= 1 << (at % 8)
		if err := os.WriteFile(v.ledger.anchor, harmed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := audit.ReadAnchor(v.ledger.anchor, v.keys); !errors.Is(err, audit.ErrCheckpoint) && !errors.Is(err, audit.ErrSignature) {
			t.Fatalf("byte %d of the anchor: %v", at, err)
		}
	}
	v.ledger.refuses(t, audit.ErrCheckpoint)
	if err := os.WriteFile(v.ledger.anchor, anchor, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestA06EveryByteOfATile: each byte of each stored hash that a proof needs.
func TestA06EveryByteOfATile(t *testing.T) {
	v := newVictim(t)
	v.on(t, func(rows exchange.Reader) {
		cp, err := audit.OpenCheckpoint(v.Checkpoint(), v.keys)
		if err != nil {
			t.Fatal(err)
		}
		for leaf := range cp.Size {
			for at := range tlog.HashSize {
				names(t, fmt.Sprintf("byte %d of leaf %d", at, leaf), v.verify(t, rows, func(s *shown) {
					s.hashes = func(indexes []int64, hashes []tlog.Hash) {
						for i, x := range indexes {
							if x == tlog.StoredHashIndex(0, leaf) {
								hashes[i][at] ^= 1 << (at % 8)
							}
						}
					}
				}, v.Checkpoint()), audit.FaultTiles)
			}
		}
	})
	v.stop(t)
	s, err := v.ledger.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cfg, err := v.ledger.config(harmedHashes{s})
	if err != nil {
		t.Fatal(err)
	}
	if j, err := exchange.OpenJournal(t.Context(), cfg); err == nil { // stored hashes that the journal itself would build upon
		t.Errorf("a journal starts on hashes that were changed: %v", j.Close())
	}
}

// harmedHashes is a store whose stored hashes were changed.
type harmedHashes struct{ exchange.Store }

// View implements exchange.Store.
func (h harmedHashes) View(ctx context.Context, f func(exchange.Reader) error) error {
	return h.Store.View(ctx, func(rows exchange.Reader) error {
		return f(shown{Reader: rows, hashes: func(_ []int64, hashes []tlog.Hash) {
			for i := range hashes {
				hashes[i][5] ^= 4
			}
		}})
	})
}

// TestA08Clock: numbers and chains do not hang on the clock.
func TestA08Clock(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	l := newLedger(t, t.TempDir())
	j := l.start(t, func(cfg *exchange.JournalConfig) { cfg.Clock = func() time.Time { return now } })
	var receipts []audit.Receipt
	for i, jump := range []time.Duration{0, 10 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour, time.Second} {
		now = now.Add(jump)
		receipts = append(receipts, j.commit(t, send(fmt.Sprint(i), "ee/pbgb", "lv/vp")))
	}
	j.stop(t)
	if size := l.verify(t, receipts...); size != 8 {
		t.Errorf("%d entries", size)
	}
}

// TestA13Flood: what hides among many is found by its number: each of an agency's entries has one, and they are counted.
func TestA13Flood(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	var needle audit.Receipt
	for i := range 200 {
		r := j.commit(t, send(fmt.Sprint(i), "ee/pbgb", "lv/vp"))
		if i == 120 {
			needle = r
		}
	}
	v := &victim{running: j, last: needle}
	signer, err := l.signer()
	if err != nil {
		t.Fatal(err)
	}
	if v.keys, err = audit.ParseKeys([]byte(signer.VerifierKey())); err != nil {
		t.Fatal(err)
	}
	v.on(t, func(rows exchange.Reader) {
		names(t, "one of 200", v.verify(t, rows, func(s *shown) {
			s.row = func(r *exchange.EntryRow) bool { return r.Owner != "ee/pbgb" || r.Seq != 121 }
		}, v.Checkpoint()), audit.FaultGap, audit.FaultReceipt)
	})
}

// TestA15ReadingIsRecorded: whoever reads the whole log leaves one entry a page, and comes to an end: what the reading itself adds does
// not make it go on for ever.
func TestA15ReadingIsRecorded(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	dpo := x.As("ee/pbgb", "dpo")
	c := consult(t, dpo, "")
	o.expect(t, "consultation", "ee/pbgb consultation.open opened")
	n := 0
	for _, err := range dpo.Entries(t.Context(), c, 0) {
		if n++; err != nil || n > 1000 {
			t.Fatalf("entry %d: %v", n, err)
		}
	}
	entries := o.expect(t, "the whole log", "ee/pbgb audit.list shown")
	if entries[0].Count != uint64(n) || entries[0].Officer != reader || entries[0].Justification != why || entries[0].CaseRef != caseRef {
		t.Errorf("%d entries read, recorded as %+v", n, entries[0])
	}
	items, more, err := dpo.EntriesPage(t.Context(), c, "", 1<<40, 100)
	if err != nil || len(items) > 0 || more {
		t.Errorf("behind the end: %d, %v", len(items), err)
	}
	o.expect(t, "nothing shown, nothing recorded")
}

// TestA16HeadAfterTree: at each step of a commit, whoever asks gets a head whose tree is there: never one that cannot be verified.
func TestA16HeadAfterTree(t *testing.T) {
	for _, step := range []string{exchange.StepBegin, exchange.StepChanged, exchange.StepAppended, exchange.StepCommit, exchange.StepCommitted, exchange.StepSigned, exchange.StepAnswered} {
		t.Run(step, func(t *testing.T) {
			v := newVictim(t)
			arrived, release := v.batch.hold(step)
			done := make(chan error, 1)
			go func() {
				_, err := v.Commit(context.WithoutCancel(t.Context()), send("held", "ee/pbgb", "lv/vp"))
				done <- err
			}()
			<-arrived
			note := v.Checkpoint()
			v.on(t, func(rows exchange.Reader) { names(t, "while it is held", v.verify(t, rows, nil, note)) })
			release()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			v.on(t, func(rows exchange.Reader) { names(t, "afterwards", v.verify(t, rows, nil, v.Checkpoint())) })
			if strings.HasPrefix(string(v.Checkpoint()), strings.Join(strings.SplitN(string(note), "\n", 3)[:2], "\n")+"\n") && step != exchange.StepSigned && step != exchange.StepAnswered {
				t.Error("the head did not move")
			}
		})
	}
}
