package exchange_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// copyDir copies a state directory as a backup of the stopped exchange does.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// refuses says that a journal does not start, and why.
func (l ledger) refuses(t *testing.T, want error) {
	t.Helper()
	s, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cfg, err := l.config(s)
	if err != nil {
		t.Fatal(err)
	}
	j, err := exchange.OpenJournal(t.Context(), cfg)
	if err == nil {
		_ = j.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("start: %v, want: %v", err, want)
	}
}

// TestJournalRefusesARollback: a store that is behind or beside what was
// signed is not built upon.
func TestJournalRefusesARollback(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t, dir)
	grow := func(n int) {
		j := l.start(t)
		for range n {
			j.commit(t, send(newID(), "ee/pbgb", "lv/vp"))
		}
		j.stop(t)
	}
	grow(2)
	old := filepath.Join(dir, "old")
	copyDir(t, l.state, old)
	oldAnchor, err := os.ReadFile(l.anchor)
	if err != nil {
		t.Fatal(err)
	}
	grow(2)
	newest := filepath.Join(dir, "newest")
	copyDir(t, l.state, newest)
	anchor, err := os.ReadFile(l.anchor)
	if err != nil {
		t.Fatal(err)
	}
	restore := func(state string, signed []byte) {
		t.Helper()
		copyDir(t, state, l.state)
		if err := os.WriteFile(l.anchor, signed, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	restore(old, anchor)
	l.refuses(t, audit.ErrBehind)
	if kept, err := os.ReadFile(l.anchor); err != nil || string(kept) != string(anchor) {
		t.Errorf("the refusal changed the anchor: %v", err)
	}
	restore(old, oldAnchor) // an old copy of both: another history begins
	grow(3)
	if err := os.WriteFile(l.anchor, anchor, 0o600); err != nil {
		t.Fatal(err)
	}
	l.refuses(t, audit.ErrFork)
	if err := os.Remove(l.anchor); err != nil {
		t.Fatal(err)
	}
	l.refuses(t, audit.ErrNoAnchor)
	if err := os.RemoveAll(l.state); err != nil { // an empty store beside an anchor
		t.Fatal(err)
	}
	if err := os.WriteFile(l.anchor, anchor, 0o600); err != nil {
		t.Fatal(err)
	}
	l.refuses(t, audit.ErrBehind)
	restore(newest, append(anchor, []byte("— other AAAA\n")...))
	l.refuses(t, audit.ErrCheckpoint)
	restore(newest, oldAnchor) // an anchor may be behind: a crash leaves it so
	grow(1)
	l.verify(t)
}

// TestJournalSeesAnotherStore: what is exchanged under a running journal is
// not built upon either.
func TestJournalSeesAnotherStore(t *testing.T) {
	l := newLedger(t, t.TempDir())
	faulty := &faultyStore{}
	j := l.start(t, func(cfg *exchange.JournalConfig) { faulty.Store, cfg.Store = cfg.Store, faulty })
	j.commit(t, send("1", "ee/pbgb", "lv/vp"))
	j.commit(t, send("2", "ee/pbgb", "lv/vp"))
	own := faulty.Store
	for n, want := range map[int]error{1: audit.ErrBehind, 2: audit.ErrFork, 3: audit.ErrFork} {
		other := newLedger(t, t.TempDir())
		o := other.start(t)
		for i := range n {
			o.commit(t, send(fmt.Sprint(i), "ee/pbgb", "lv/vp"))
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		before := j.Checkpoint()
		faulty.Store = o.store
		if _, err := j.Commit(t.Context(), send("x", "ee/pbgb", "lv/vp")); !errors.Is(err, exchange.ErrStorage) || !errors.Is(err, want) {
			t.Errorf("store with %d changes: %v, want: %v", n, err, want)
		}
		if string(j.Checkpoint()) != string(before) {
			t.Error("a fork was signed")
		}
		faulty.Store = own
		o.stop(t)
		if size := other.verify(t); size != int64(2*n) {
			t.Errorf("the other store has %d entries", size)
		}
	}
	receipt := j.commit(t, send("3", "ee/pbgb", "lv/vp"))
	j.stop(t)
	l.verify(t, receipt)
}

// TestJournalReceiptOfADamagedStore: an old head is not signed on a store's
// word.
func TestJournalReceiptOfADamagedStore(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	for i := range 4 {
		j.commit(t, send(fmt.Sprint(i), "ee/pbgb", "lv/vp"))
	}
	harm := map[string]func(r *harmedReader){
		"another root":       func(r *harmedReader) { r.head = func(h exchange.Head) exchange.Head { h.Root[0] ^= 1; return h } },
		"another size":       func(r *harmedReader) { r.head = func(h exchange.Head) exchange.Head { h.Size++; return h } },
		"another commitment": func(r *harmedReader) { r.row = func(e *exchange.EntryRow) { e.Commitment[0] ^= 1 } },
		"erased":             func(r *harmedReader) { r.row = func(e *exchange.EntryRow) { e.Entry, e.Salt = nil, nil } },
	}
	for name, f := range harm {
		err := j.store.View(t.Context(), func(rows exchange.Reader) error {
			r := &harmedReader{Reader: rows}
			if _, err := j.Receipt(r, 2); err != nil {
				return err
			}
			f(r)
			_, err := j.Receipt(r, 2)
			if err == nil || errors.Is(err, exchange.ErrErased) != (name == "erased") {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestJournalReceiptOfAnotherStore: a store that is whole, but not this
// ledger's, does not get its heads signed.
func TestJournalReceiptOfAnotherStore(t *testing.T) {
	grown := func() *running {
		j := newLedger(t, t.TempDir()).start(t)
		for i := range 3 {
			j.commit(t, send(fmt.Sprint(i), "ee/pbgb", "lv/vp"))
		}
		return j
	}
	j, other := grown(), grown()
	for index := range int64(6) {
		err := other.store.View(t.Context(), func(rows exchange.Reader) error {
			_, err := j.Receipt(rows, index)
			return err
		})
		if !errors.Is(err, audit.ErrFork) {
			t.Errorf("receipt of entry %d of another ledger: %v", index, err)
		}
	}
}

// TestJournalReceiptBeforeTheHeadIsSigned: who sees a batch between its
// commit and its signature waits for the signature.
func TestJournalReceiptBeforeTheHeadIsSigned(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	arrived, release := j.batch.hold(exchange.StepCommitted)
	var done sync.WaitGroup
	var first audit.Receipt
	done.Go(func() { first = j.commit(t, send("1", "ee/pbgb", "lv/vp")) })
	<-arrived
	err := j.store.View(t.Context(), func(rows exchange.Reader) error {
		asked := make(chan struct{})
		done.Go(func() {
			<-asked
			for range 100 { // let the question come first
				runtime.Gosched()
			}
			release()
		})
		again, err := j.Receipt(&harmedReader{Reader: rows, asked: asked}, 0)
		done.Wait()
		if err == nil && again.Encode() != first.Encode() {
			t.Error("two receipts")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// harmedReader reads from a store that somebody changed, or watches.
type harmedReader struct {
	exchange.Reader
	head  func(exchange.Head) exchange.Head
	row   func(*exchange.EntryRow)
	asked chan struct{} // closed when the newest head is read
}

func (r *harmedReader) Head() (exchange.Head, error) {
	h, err := r.Reader.Head()
	if r.asked != nil {
		close(r.asked)
	}
	return h, err
}

func (r *harmedReader) HeadCovering(index int64) (exchange.Head, error) {
	h, err := r.Reader.HeadCovering(index)
	if r.head != nil {
		h = r.head(h)
	}
	return h, err
}

func (r *harmedReader) EntryAt(index int64) (*exchange.EntryRow, error) {
	e, err := r.Reader.EntryAt(index)
	if r.row != nil {
		r.row(e)
	}
	return e, err
}

// TestJournalAnchor: the anchor follows by itself, and while it cannot be
// written nothing is taken.
func TestJournalAnchor(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	signer, err := l.signer()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := audit.ParseKeys([]byte(signer.VerifierKey()))
	if err != nil {
		t.Fatal(err)
	}
	anchored := func(f func()) {
		t.Helper()
		arrived, release := j.batch.hold(exchange.StepAnchored)
		f()
		<-arrived
		defer release()
		if cp, err := audit.ReadAnchor(l.anchor, keys); err != nil || string(cp.Note) != string(j.Checkpoint()) {
			t.Errorf("anchor of size %d: %v", cp.Size, err)
		}
	}
	anchored(func() { j.commit(t, send("1", "ee/pbgb", "lv/vp")) })
	away := filepath.Dir(l.anchor) + ".away"
	if err := os.Rename(filepath.Dir(l.anchor), away); err != nil {
		t.Fatal(err)
	}
	j.commit(t, send("2", "ee/pbgb", "lv/vp"))
	for j.Health() == nil {
		runtime.Gosched()
	}
	if _, err := j.Commit(t.Context(), send("3", "ee/pbgb", "lv/vp")); !errors.Is(err, exchange.ErrStorage) {
		t.Errorf("commit without an anchor: %v", err)
	}
	anchored(func() {
		if err := os.Rename(away, filepath.Dir(l.anchor)); err != nil {
			t.Fatal(err)
		}
	})
	if err := j.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	j.commit(t, send("4", "ee/pbgb", "lv/vp"))
	j.absent(t, "3")
	j.stop(t)
	if cp, err := audit.ReadAnchor(l.anchor, keys); err != nil || cp.Size != 6 {
		t.Errorf("anchor after Close: size %d, %v", cp.Size, err)
	}
}
