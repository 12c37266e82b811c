package exchange_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// TestJournalParallel: many callers, and still one ledger without a gap.
func TestJournalParallel(t *testing.T) {
	const callers, each = 64, 8
	l := newLedger(t, t.TempDir())
	var changes, entries atomic.Int64
	j := l.start(t, func(cfg *exchange.JournalConfig) {
		cfg.Batch = 40 // fewer than wait
		cfg.Observe = func(b exchange.Batch) {
			changes.Add(int64(b.Changes))
			entries.Add(int64(b.Entries))
		}
	})
	agencies := []string{"ee/pbgb", "lv/vp", "it/dcpc", "ua/npu", "by/mia", "europol/ops"}
	var mu sync.Mutex
	var receipts []audit.Receipt
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			for range each {
				who := rand.Perm(len(agencies))
				id := newID()
				r, err := j.Commit(t.Context(), send(id, agencies[who[0]], agencies[who[1]], agencies[who[2]]), exchange.Need{Package: id})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				receipts = append(receipts, r)
				mu.Unlock()
			}
		})
	}
	done.Wait()
	again(t, j, receipts)
	j.stop(t)
	if size := l.verify(t, receipts...); size != 3*callers*each+3 || changes.Load() != callers*each+1 || entries.Load() != size {
		t.Errorf("%d entries; observed %d changes with %d entries", size, changes.Load(), entries.Load())
	}
}

// again asks for every receipt again, also on a snapshot that is older than
// the newest signed head, and compares byte for byte.
func again(t *testing.T, j *running, receipts []audit.Receipt) {
	t.Helper()
	err := j.store.View(t.Context(), func(rows exchange.Reader) error {
		if _, err := rows.Head(); err != nil { // the snapshot is taken
			return err
		}
		j.commit(t, send(newID(), "ee/pbgb", "lv/vp", "it/dcpc"))
		for _, r := range receipts {
			twin, err := j.Receipt(rows, r.Index)
			if err != nil {
				return err
			}
			if twin.Encode() != r.Encode() {
				t.Errorf("the receipt of entry %d is another one now", r.Index)
			}
		}
		_, err := j.Receipt(rows, int64(1000000))
		if err == nil {
			t.Error("a receipt of an entry that is not")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// failing is a change that writes and then fails.
func failing(id string, err error) exchange.Change {
	return func(tx *exchange.Tx) ([]audit.Entry, error) {
		tx.PutInput("of "+id, []byte("x"))
		if _, e := send(id, "by/mia", "it/dcpc")(tx); e != nil {
			return nil, e
		}
		return nil, err
	}
}

// absent says that nothing of a failed change is there.
func (r *running) absent(t *testing.T, ids ...string) {
	t.Helper()
	err := r.store.View(t.Context(), func(rows exchange.Reader) error {
		for _, id := range ids {
			p, err := rows.Package(id)
			input, err2 := rows.Input("of " + id)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			if p != nil || input != nil {
				t.Errorf("something of %s is there", id)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestJournalFailedChanges: a change that cannot be takes nobody with it.
func TestJournalFailedChanges(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	refused := errors.New("refused")
	bad := map[string]struct {
		change exchange.Change
		check  func(error) bool
	}{
		"error after a write": {failing("a", refused), func(err error) bool { return errors.Is(err, refused) }},
		"error before any write": {func(*exchange.Tx) ([]audit.Entry, error) { return nil, refused },
			func(err error) bool { return errors.Is(err, refused) }},
		"panic after a write": {func(tx *exchange.Tx) ([]audit.Entry, error) {
			_, _ = failing("b", nil)(tx)
			panic("with a secret")
		}, func(err error) bool { return err != nil && !strings.Contains(err.Error(), "secret") }},
		"panic of the runtime": {func(tx *exchange.Tx) ([]audit.Entry, error) {
			return []audit.Entry{}[:tx.NextIndex(5)], nil
		}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "out of range") }},
		"no entry": {failing("c", nil), func(err error) bool { return err != nil }},
		"two entries of one owner": {func(tx *exchange.Tx) ([]audit.Entry, error) {
			es, err := send("d", "ee/pbgb", "lv/vp")(tx)
			return append(es, es[0]), err
		}, func(err error) bool { return err != nil }},
		"an entry that cannot be": {func(tx *exchange.Tx) ([]audit.Entry, error) {
			es, err := send("e", "ee/pbgb", "lv/vp")(tx)
			es[1].Operation = "nonsense"
			return es, err
		}, func(err error) bool { return errors.Is(err, audit.ErrEntry) }},
		"an entry without an owner": {func(tx *exchange.Tx) ([]audit.Entry, error) {
			es, err := send("f", "ee/pbgb", "lv/vp")(tx)
			es[0].Owner = ""
			return es, err
		}, func(err error) bool { return errors.Is(err, audit.ErrEntry) }},
	}
	changes, names := []exchange.Change{send(newID(), "ee/pbgb", "lv/vp")}, []string{""}
	for name, b := range bad { // in any order, with good ones between
		changes = append(changes, b.change, send(newID(), "ee/pbgb", "lv/vp"))
		names = append(names, name, "")
	}
	var receipts []audit.Receipt
	for i, o := range j.together(t, changes...) {
		if names[i] != "" {
			if !bad[names[i]].check(o.err) || errors.Is(o.err, exchange.ErrStorage) {
				t.Errorf("%s: %v", names[i], o.err)
			}
			continue
		}
		if o.err != nil {
			t.Errorf("neighbour: %v", o.err)
		}
		receipts = append(receipts, o.receipt)
	}
	if err := j.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	for _, o := range j.together(t, failing("g", refused), failing("h", refused)) { // none is left
		if !errors.Is(o.err, refused) {
			t.Error(o.err)
		}
	}
	j.absent(t, "a", "b", "c", "d", "e", "f", "g", "h")
	receipts = append(receipts, j.commit(t, send(newID(), "by/mia", "it/dcpc")))
	j.stop(t)
	if size := l.verify(t, receipts...); size != int64(2*len(receipts)) {
		t.Errorf("%d entries of %d changes", size, len(receipts))
	}
}

// TestJournalChangeRunsAgain: a neighbour of a failed change starts over from
// what is committed.
func TestJournalChangeRunsAgain(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	var seqs []uint64
	counts := func(tx *exchange.Tx) ([]audit.Entry, error) {
		seq, err := tx.NextSeq("ee/pbgb")
		seqs = append(seqs, seq)
		if err != nil {
			return nil, err
		}
		return send("0", "ee/pbgb", "lv/vp")(tx)
	}
	outcomes := j.together(t, counts, failing("1", errors.New("no")), send("2", "ee/pbgb", "lv/vp"))
	if outcomes[0].err != nil || outcomes[1].err == nil || outcomes[2].err != nil {
		t.Fatal(outcomes)
	}
	if !slices.Equal(seqs, []uint64{1, 1}) {
		t.Errorf("the seqs that it saw: %v", seqs)
	}
	j.stop(t)
	l.verify(t, outcomes[0].receipt, outcomes[2].receipt)
}

// faultyStore hands out transactions that the test can harm.
type faultyStore struct {
	exchange.Store
	begin  func(ctx context.Context) (context.Context, error)
	commit func(tx exchange.Transaction) error
}

type faultyTransaction struct {
	exchange.Transaction
	commit func(tx exchange.Transaction) error
}

func (s *faultyStore) Begin(ctx context.Context) (exchange.Transaction, error) {
	if s.begin != nil {
		var err error
		if ctx, err = s.begin(ctx); err != nil {
			return nil, err
		}
	}
	tx, err := s.Store.Begin(ctx)
	if err == nil && s.commit != nil {
		tx = faultyTransaction{tx, s.commit}
	}
	return tx, err
}

func (t faultyTransaction) Commit() error { return t.commit(t.Transaction) }

// TestJournalStorageErrors: each one costs the whole batch, leaves nothing,
// and is over with the next.
func TestJournalStorageErrors(t *testing.T) {
	full := func(tx *exchange.Tx) ([]audit.Entry, error) {
		es, err := send("full", "ee/pbgb", "lv/vp")(tx)
		for i := range 40 {
			tx.PutInput(fmt.Sprint("of full", i), make([]byte, 64<<10))
		}
		return es, err
	}
	dangling := func(tx *exchange.Tx) ([]audit.Entry, error) { // found at COMMIT
		tx.PutDelivery("absent", exchange.Delivery{Recipient: "lv/vp"})
		return send("dangling", "ee/pbgb", "lv/vp")(tx)
	}
	twin := func(tx *exchange.Tx) ([]audit.Entry, error) {
		es, err := send("twin", "ee/pbgb", "lv/vp")(tx)
		tx.PutPackage(typicalPackage("twin", "ee/pbgb", nil), nil)
		return es, err
	}
	var cancel context.CancelFunc
	cancelled := func(tx *exchange.Tx) ([]audit.Entry, error) {
		es, err := send("cancelled", "ee/pbgb", "lv/vp")(tx)
		cancel()
		return es, err
	}
	swallowed := func(tx *exchange.Tx) ([]audit.Entry, error) { // a change that hides the error
		es, _ := twin(tx)
		return es, nil
	}
	faulty := &faultyStore{begin: func(ctx context.Context) (context.Context, error) {
		ctx, cancel = context.WithCancel(ctx)
		return ctx, nil
	}}
	l := newLedger(t, t.TempDir())
	l.pages = 300
	j := l.start(t, func(cfg *exchange.JournalConfig) {
		faulty.Store, cfg.Store = cfg.Store, faulty
		cfg.Fatal = func(err error) { t.Errorf("fatal: %v", err) }
	})
	receipts := []audit.Receipt{j.commit(t, send(newID(), "ee/pbgb", "lv/vp"))}
	for name, bad := range map[string]exchange.Change{"full": full, "dangling": dangling, "twin": twin, "cancelled": cancelled, "swallowed": swallowed} {
		before := j.Checkpoint()
		for i, o := range j.together(t, send("n1", "ee/pbgb", "lv/vp"), bad, send("n2", "lv/vp", "ee/pbgb")) {
			if !errors.Is(o.err, exchange.ErrStorage) {
				t.Errorf("%s: change %d: %v", name, i, o.err)
			}
		}
		j.absent(t, "n1", "n2", name)
		if string(j.Checkpoint()) != string(before) {
			t.Errorf("%s: a head was signed", name)
		}
		if j.Health() == nil {
			t.Errorf("%s: healthy", name)
		}
		receipts = append(receipts, j.commit(t, send(newID(), "lv/vp", "ee/pbgb")))
		if err := j.Health(); err != nil {
			t.Errorf("%s: after a commit: %v", name, err)
		}
	}
	unreachable := errors.New("unreachable")
	faulty.begin = func(context.Context) (context.Context, error) { return nil, unreachable }
	for _, o := range j.together(t, send("n1", "ee/pbgb", "lv/vp"), send("n2", "ee/pbgb", "lv/vp")) {
		if !errors.Is(o.err, exchange.ErrStorage) || !errors.Is(o.err, unreachable) {
			t.Errorf("no transaction: %v", o.err)
		}
	}
	faulty.begin = nil
	receipts = append(receipts, j.commit(t, send(newID(), "ee/pbgb", "lv/vp")))
	j.stop(t)
	l.verify(t, receipts...)
}

// TestJournalCommitUnknown: nobody is told success, the journal fails for
// good, and the next start finds a whole ledger, whatever became of it.
func TestJournalCommitUnknown(t *testing.T) {
	for name, fault := range map[string]struct {
		commit func(tx exchange.Transaction) error
		size   int64
	}{
		"lost":      {func(tx exchange.Transaction) error { tx.Rollback(); return exchange.ErrCommitUnknown }, 2},
		"persisted": {func(tx exchange.Transaction) error { return errors.Join(tx.Commit(), exchange.ErrCommitUnknown) }, 6},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, t.TempDir())
			faulty, fatal := &faultyStore{}, make(chan error, 2)
			s, err := l.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := l.config(faulty)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
			faulty.Store, cfg.Fatal = s, func(err error) { fatal <- err }
			r := &running{ledger: l, store: s, batch: newBatchGate()}
			if r.Journal, err = exchange.OpenJournalHooked(t.Context(), cfg, r.batch.at); err != nil {
				t.Fatal(err)
			}
			first := r.commit(t, send(newID(), "ee/pbgb", "lv/vp"))
			before := r.Checkpoint()
			faulty.commit = fault.commit
			for _, o := range r.together(t, send("n1", "ee/pbgb", "lv/vp"), send("n2", "ee/pbgb", "lv/vp")) {
				if !errors.Is(o.err, exchange.ErrStorage) || !errors.Is(o.err, exchange.ErrCommitUnknown) {
					t.Errorf("answer: %v", o.err)
				}
			}
			if err := <-fatal; !errors.Is(err, exchange.ErrCommitUnknown) {
				t.Errorf("fatal: %v", err)
			}
			faulty.commit = nil
			if _, err := r.Commit(t.Context(), send("n3", "ee/pbgb", "lv/vp")); !errors.Is(err, exchange.ErrStopped) {
				t.Errorf("next commit: %v", err)
			}
			if err := r.Health(); !errors.Is(err, exchange.ErrCommitUnknown) {
				t.Errorf("health: %v", err)
			}
			if string(r.Checkpoint()) != string(before) {
				t.Error("a head was signed")
			}
			if err := r.Close(); !errors.Is(err, exchange.ErrCommitUnknown) {
				t.Errorf("close: %v", err)
			}
			if len(fatal) != 0 {
				t.Error("fatal twice")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if size := l.verify(t, first); size != fault.size {
				t.Errorf("size %d", size)
			}
			l.start(t).commit(t, send("n3", "ee/pbgb", "lv/vp"))
		})
	}
}

// flakyKey is a ledger key whose device may be away.
type flakyKey struct {
	ed25519.PrivateKey
	away atomic.Bool
}

func (k *flakyKey) Sign(r io.Reader, m []byte, o crypto.SignerOpts) ([]byte, error) {
	if k.away.Load() {
		return nil, errors.New("the key is away")
	}
	return k.PrivateKey.Sign(r, m, o)
}

// TestJournalSigningFails: what cannot be signed is not promised, though it
// is on disk; the next head covers it.
func TestJournalSigningFails(t *testing.T) {
	l := newLedger(t, t.TempDir())
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := &flakyKey{PrivateKey: private}
	signer, err := audit.NewSignerWith(origin, key)
	if err != nil {
		t.Fatal(err)
	}
	j := l.start(t, func(cfg *exchange.JournalConfig) { cfg.Signer = signer })
	j.commit(t, send("1", "ee/pbgb", "lv/vp"))
	before := j.Checkpoint()
	key.away.Store(true)
	if _, err := j.Commit(t.Context(), send("2", "ee/pbgb", "lv/vp")); !errors.Is(err, exchange.ErrStorage) {
		t.Errorf("answer: %v", err)
	}
	receipt := func(index int64) (r audit.Receipt, err error) {
		err = j.store.View(t.Context(), func(rows exchange.Reader) error { r, err = j.Receipt(rows, index); return err })
		return r, err
	}
	if _, err := receipt(2); !errors.Is(err, exchange.ErrStorage) {
		t.Errorf("receipt of what is not signed: %v", err)
	}
	if string(j.Checkpoint()) != string(before) {
		t.Error("the checkpoint moved")
	}
	key.away.Store(false)
	j.commit(t, send("3", "ee/pbgb", "lv/vp"))
	keys, err := audit.ParseKeys([]byte(signer.VerifierKey()))
	if err != nil {
		t.Fatal(err)
	}
	for index := range int64(6) {
		r, err := receipt(index)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Verify(keys, nil); err != nil {
			t.Errorf("receipt of entry %d: %v", index, err)
		}
	}
	j.stop(t)
	l.verify(t)
}

// TestJournalQueue: the queue is bounded, who has gone is left out, and Close
// commits what waits.
func TestJournalQueue(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t, func(cfg *exchange.JournalConfig) { cfg.Queue = 3 })
	arrived, release := j.batch.hold(exchange.StepBegin)
	var done sync.WaitGroup
	commit := func(ctx context.Context, id string, want error) {
		_, err := j.Commit(ctx, send(id, "ee/pbgb", "lv/vp"))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	wait := func(n int) {
		for j.Waiting() < n {
			runtime.Gosched()
		}
	}
	done.Go(func() { commit(t.Context(), "1", nil) })
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); commit(ctx, "gone", context.Canceled) }()
	wait(1)
	cancel()
	<-gone
	done.Go(func() { commit(t.Context(), "2", nil) })
	done.Go(func() { commit(t.Context(), "3", nil) })
	wait(3)
	commit(t.Context(), "busy", exchange.ErrBusy)
	commit(ctx, "late", context.Canceled)
	closed := make(chan error)
	go func() { closed <- j.Close() }()
	for !errors.Is(j.Health(), exchange.ErrStopped) {
		runtime.Gosched()
	}
	commit(t.Context(), "after", exchange.ErrStopped)
	release()
	done.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	j.absent(t, "gone", "busy", "late", "after")
	j.stop(t)
	if size := l.verify(t); size != 6 {
		t.Errorf("size %d", size)
	}
}

// TestJournalCallerLeaves: a caller that goes in the middle of its batch
// harms nobody, and its change happens.
func TestJournalCallerLeaves(t *testing.T) {
	l := newLedger(t, t.TempDir())
	j := l.start(t)
	arrived, release := j.batch.hold(exchange.StepChanged)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := j.Commit(ctx, send("1", "ee/pbgb", "lv/vp"))
		left <- err
	}()
	<-arrived
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	receipt := j.commit(t, send("2", "ee/pbgb", "lv/vp"))
	if receipt.Index != 2 {
		t.Errorf("index %d: the change of the caller that left did not happen", receipt.Index)
	}
	j.stop(t)
	l.verify(t, receipt)
}

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

// TestJournalEmpty: a first start anchors the empty ledger, and a journal
// without its parts does not start.
func TestJournalEmpty(t *testing.T) {
	l := newLedger(t, t.TempDir())
	l.start(t).stop(t)
	if _, err := os.Stat(l.anchor); err != nil {
		t.Error(err)
	}
	l.start(t).stop(t)
	if size := l.verify(t); size != 0 {
		t.Errorf("size %d", size)
	}
	if _, err := exchange.OpenJournal(t.Context(), exchange.JournalConfig{}); err == nil {
		t.Error("a journal of nothing")
	}
}
