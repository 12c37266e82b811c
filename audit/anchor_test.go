package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// clone is a copy of the whole ledger at its present size: a snapshot, or a second node on a copied database.
func (l *ledger) clone() *ledger {
	c := *l
	c.stored, c.leaves, c.items = slices.Clone(l.stored), slices.Clone(l.leaves), map[string][]Item{}
	for o, items := range l.items {
		c.items[o] = slices.Clone(items)
	}
	return &c
}

// Truncated, rolled back, forked and reordered ledgers are found and named from nothing but an older signed head.
func TestExtends(t *testing.T) {
	l := newLedger(t)
	l.fill(70, "ee/pbgb")
	old, snapshot := l.checkpoint(), l.clone()
	for size := range old.Size { // every older head is extended by every later one
		older, err := LoadTree(size, l)
		must(t, err)
		must(t, CheckExtends(Checkpoint{testOrigin, size, older.Root(), nil}, l.tree, l))
	}
	l.fill(300, "ee/pbgb")
	must(t, CheckExtends(old, l.tree, l))
	must(t, CheckExtends(l.checkpoint(), l.tree, l))

	if err := CheckExtends(l.checkpoint(), snapshot.tree, snapshot); !errors.Is(err, ErrBehind) {
		t.Errorf("restored from a snapshot: %v", err)
	}
	if err := CheckExtends(l.checkpoint(), EmptyTree(), snapshot); !errors.Is(err, ErrBehind) {
		t.Errorf("emptied: %v", err)
	}
	fork := snapshot.clone()
	fork.fill(300, "ee/pbgb")
	if err := CheckExtends(l.checkpoint(), fork.tree, fork); !errors.Is(err, ErrFork) {
		t.Errorf("two histories of one size: %v", err)
	}
	fork.fill(1, "ee/pbgb")
	if err := CheckExtends(l.checkpoint(), fork.tree, fork); !errors.Is(err, ErrFork) {
		t.Errorf("two histories: %v", err)
	}
	for name, change := range map[string]func([]Commitment) []Commitment{
		"reordered": func(cs []Commitment) []Commitment { cs[3], cs[4] = cs[4], cs[3]; return cs },
		"changed":   func(cs []Commitment) []Commitment { cs[3][0] ^= 1; return cs },
		"cut out":   func(cs []Commitment) []Commitment { return slices.Delete(cs, 3, 4) },
		"slipped in": func(cs []Commitment) []Commitment {
			return slices.Insert(cs, 3, Commitment{})
		},
	} {
		g, err := EmptyTree().Grow(change(slices.Clone(l.leaves)))
		must(t, err)
		rewritten := &ledger{t: t, stored: g.Stored()}
		if err := CheckExtends(old, g.Tree(), rewritten); !errors.Is(err, ErrFork) {
			t.Errorf("%s: %v", name, err)
		}
		// The attacker's own storage cannot talk the proof round: the old hashes do not lead to the new root.
		if CheckExtends(old, g.Tree(), l) == nil {
			t.Errorf("%s: proven with the old hashes", name)
		}
	}
	lost := errors.New("connection lost")
	err := CheckExtends(old, l.tree, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return nil, lost }))
	if !errors.Is(err, lost) || errors.Is(err, ErrFork) || errors.Is(err, ErrBehind) {
		t.Errorf("a proof that cannot be made: %v", err)
	}
}

func TestVerifyExtends(t *testing.T) {
	l := newLedger(t)
	empty := l.checkpoint()
	l.fill(300, "ee/pbgb")
	old, snapshot := l.checkpoint(), l.clone()
	l.fill(300, "ee/pbgb")
	snapshot.fill(301, "ee/pbgb")
	for name, c := range map[string]struct {
		older Checkpoint
		newer *ledger
		want  error
	}{
		"nothing seen before": {empty, l, nil}, "grown": {old, l, nil}, "the same": {l.checkpoint(), l, nil},
		"forked": {l.checkpoint(), snapshot, ErrFork}, "behind": {snapshot.checkpoint(), l, ErrBehind},
		"other ledger": {Checkpoint{Origin: "other.example", Size: 1}, l, ErrOtherLedger}, "nonsense": {Checkpoint{Origin: testOrigin, Size: -1}, l, ErrSize},
	} {
		cp := c.newer.checkpoint()
		if err := VerifyExtends(c.older, cp, VerifyTiles(context.Background(), cp, c.newer.fetch)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnchor(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.anchor")
	l := newLedger(t)
	if cp, err := CheckAnchor(path, l.keys, l.tree, l); err != nil || cp.Size != 0 {
		t.Errorf("a new ledger: %v", err)
	}
	l.fill(3, "ee/pbgb")
	if _, err := CheckAnchor(path, l.keys, l.tree, l); !errors.Is(err, ErrNoAnchor) {
		t.Errorf("a ledger whose anchor is gone: %v", err)
	}
	snapshot := l.clone()
	for range 3 {
		must(t, WriteAnchor(path, l.checkpoint().Note))
		cp, err := CheckAnchor(path, l.keys, l.tree, l)
		if err != nil || cp.Size != l.tree.Size() {
			t.Errorf("%+v, %v", cp, err)
		}
		l.fill(1, "ee/pbgb")
		if _, err := CheckAnchor(path, l.keys, l.tree, l); err != nil {
			t.Errorf("a ledger that grew after its anchor: %v", err)
		}
	}
	if _, err := CheckAnchor(path, l.keys, snapshot.tree, snapshot); !errors.Is(err, ErrBehind) {
		t.Errorf("a ledger that was rolled back: %v", err)
	}
	if _, err := CheckAnchor(path, l.keys, EmptyTree(), snapshot); !errors.Is(err, ErrBehind) {
		t.Errorf("a ledger that was emptied: %v", err)
	}
	snapshot.fill(5, "ee/pbgb")
	if _, err := CheckAnchor(path, l.keys, snapshot.tree, snapshot); !errors.Is(err, ErrFork) {
		t.Errorf("a forked ledger: %v", err)
	}
	if _, err := ReadAnchor(path, newLedger(t).keys); !errors.Is(err, ErrSignature) {
		t.Errorf("another ledger's anchor: %v", err)
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	info, err := os.Stat(path)
	if must(t, err); len(files) != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("%d files, mode %v", len(files), info.Mode())
	}
}

// A write that fails leaves the old anchor as it was, and nothing beside it.
func TestAnchorWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "anchor")
	must(t, os.MkdirAll(filepath.Join(path, "full"), 0o700)) // a directory in the way: the rename fails
	if err := WriteAnchor(path, []byte("x")); err == nil {
		t.Error("written over a directory")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
	if err := WriteAnchor(filepath.Join(dir, "absent", "anchor"), []byte("x")); err == nil {
		t.Error("written into a directory that is not there")
	}
	if _, err := ReadAnchor(path, Keys{}); err == nil || errors.Is(err, ErrNoAnchor) {
		t.Errorf("an anchor that cannot be read passes for none: %v", err)
	}
}
