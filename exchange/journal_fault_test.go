package exchange_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

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
