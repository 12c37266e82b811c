package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

const origin = "test.liaison.example/ledger"

// ledger is a ledger on disk: its state, and apart from it key and anchor.
type ledger struct {
	state, key, anchor string
	pages              int64
}

// newLedger makes the key of a ledger in dir.
func newLedger(t testing.TB, dir string) ledger {
	t.Helper()
	skey, _, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	l := ledgerIn(dir)
	if err := os.Mkdir(filepath.Dir(l.key), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.key, []byte(skey), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

func ledgerIn(dir string) ledger {
	return ledger{state: filepath.Join(dir, "state"), key: filepath.Join(dir, "key", "ledger"), anchor: filepath.Join(dir, "key", "anchor")}
}

func (l ledger) signer() (*audit.Signer, error) {
	skey, err := os.ReadFile(l.key)
	if err != nil {
		return nil, err
	}
	return audit.NewSigner(string(skey))
}

func (l ledger) open(ctx context.Context) (*store.SQLite, error) {
	return store.Open(ctx, store.Config{Dir: l.state, MaxPages: l.pages})
}

// config is a journal's over a store.
func (l ledger) config(s exchange.Store) (exchange.JournalConfig, error) {
	signer, err := l.signer()
	return exchange.JournalConfig{Store: s, Signer: signer, AnchorPath: l.anchor}, err
}

// running is a journal on a ledger.
type running struct {
	*exchange.Journal
	ledger ledger
	store  *store.SQLite
	batch  *batchGate
}

// start opens a journal; adjust may change its configuration. It is closed,
// and the ledger verified, when the test ends.
func (l ledger) start(t *testing.T, adjust ...func(*exchange.JournalConfig)) *running {
	t.Helper()
	s, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := l.config(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	for _, f := range adjust {
		f(&cfg)
	}
	r := &running{ledger: l, store: s, batch: newBatchGate()}
	if r.Journal, err = exchange.OpenJournalHooked(t.Context(), cfg, r.batch.at); err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	t.Cleanup(func() { r.stop(t) })
	return r
}

// stop ends the journal and its store; it may be called twice.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Errorf("close journal: %v", err)
	}
	if err := r.store.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		t.Errorf("close store: %v", err)
	}
}

// batchGate holds the journal at a step until the test lets it go on.
type batchGate struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the journal may go on
	seen map[string]chan struct{} // closed when the journal has come there
	hook func(step string)
}

func newBatchGate() *batchGate {
	return &batchGate{held: map[string]chan struct{}{}, seen: map[string]chan struct{}{}}
}

// hold makes the journal wait at its next coming to the step. It returns how
// to wait for that, and how to let it go on.
func (g *batchGate) hold(step string) (arrived <-chan struct{}, release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held, seen := make(chan struct{}), make(chan struct{})
	g.held[step], g.seen[step] = held, seen
	return seen, func() { close(held) }
}

func (g *batchGate) at(step string) {
	g.mu.Lock()
	held, seen, hook := g.held[step], g.seen[step], g.hook
	delete(g.held, step)
	g.mu.Unlock()
	if hook != nil {
		hook(step)
	}
	if held != nil {
		close(seen)
		<-held
	}
}

// outcome is what Commit returned.
type outcome struct {
	receipt audit.Receipt
	err     error
}

// together commits changes in one batch, in their order.
func (r *running) together(t *testing.T, changes ...exchange.Change) []outcome {
	t.Helper()
	arrived, release := r.batch.hold(exchange.StepBegin)
	all := make([]outcome, len(changes))
	var done sync.WaitGroup
	for i, c := range changes {
		done.Go(func() { all[i].receipt, all[i].err = r.Commit(context.WithoutCancel(t.Context()), c) })
		if i == 0 {
			<-arrived
		}
		for r.Waiting() < i {
			runtime.Gosched()
		}
	}
	release()
	done.Wait()
	return all
}

// commit commits a change alone.
func (r *running) commit(t *testing.T, c exchange.Change) audit.Receipt {
	t.Helper()
	receipt, err := r.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// newID is a package's id.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// send is a change as the exchange makes it for a package: its rows, and an
// entry for the sender and each recipient.
func send(id, sender string, recipients ...string) exchange.Change {
	return func(tx *exchange.Tx) ([]audit.Entry, error) {
		if old, err := tx.Package(id); err != nil || old != nil {
			return nil, errors.Join(err, fmt.Errorf("package %s is there", id))
		}
		p := typicalPackage(id, sender, recipients)
		var err error
		if p.Seq, err = tx.NextSeq(sender); err != nil {
			return nil, err
		}
		p.Index, p.AcceptedAt = tx.NextIndex(0), tx.Now()
		tx.PutPackage(p, typicalContent)
		tx.PutInput(id, typicalInput)
		entries := []audit.Entry{typicalEntry(sender, "package.send", p, recipients...)}
		for _, recipient := range recipients {
			d := exchange.Delivery{Recipient: recipient, Outcome: "delivered", Decision: id + recipient, Index: tx.NextIndex(len(entries))}
			if d.Seq, err = tx.NextSeq(recipient); err != nil {
				return nil, err
			}
			tx.PutDelivery(id, d)
			tx.PutDecision(exchange.DecisionRow{ID: d.Decision, Package: id, Recipient: recipient, Action: "send", At: tx.Now(),
				Verdict: typicalVerdict, InputSHA256: strings.Repeat("i", 43), Shared: id, Own: typicalVerdict})
			entries = append(entries, typicalEntry(recipient, "package.deliver", p, recipient))
		}
		return entries, nil
	}
}

var (
	typicalContent   = bytes.Repeat([]byte("c"), 4<<10)
	typicalManifest  = bytes.Repeat([]byte("m"), 2500)
	typicalStatement = bytes.Repeat([]byte("s"), 900)
	typicalInput     = bytes.Repeat([]byte("i"), 2<<10)
	typicalVerdict   = bytes.Repeat([]byte("v"), 500)
	typicalDigest    = strings.Repeat("d", 43)
)

func typicalPackage(id, sender string, recipients []string) *exchange.Package {
	return &exchange.Package{ID: id, Sender: sender, Type: "request", State: "delivered", Manifest: typicalManifest, Statement: typicalStatement,
		ManifestSHA256: typicalDigest, Payload: typicalDigest, ContentSHA256: typicalDigest, ContentSize: int64(len(typicalContent)),
		ExpiresAt: time.Unix(1797904345, 0), Answer: []byte(strings.Join(recipients, ","))}
}

func typicalEntry(owner, action string, p *exchange.Package, recipients ...string) audit.Entry {
	e := audit.Entry{Owner: owner, Operation: audit.Disclosure, Action: action, Outcome: "delivered", Package: p.ID, MessageType: p.Type,
		Actor:   audit.Actor{Agency: p.Sender, Role: "unit", Identity: "spiffe://" + p.Sender + "/unit/one", Certificate: typicalDigest},
		Purpose: "investigation", CrimeAreas: []string{"drug_trafficking"}, SubjectCategories: []string{"suspect"}, Handling: "H1", LegalBasis: []string{"ee-police-act 7-46"},
		From: p.Sender, Recipients: recipients, ManifestSHA256: typicalDigest, ContentSHA256: typicalDigest, SigningKey: typicalDigest,
		Revisions: map[string]string{"common": typicalDigest, "rules/ee": typicalDigest, "rules/lv": typicalDigest}, Engine: "opa 1.22.2"}
	for _, r := range recipients {
		e.Decisions = append(e.Decisions, audit.Decision{ID: p.ID, Recipient: r, Outcome: "delivered", Codes: []string{"no_judicial_use"}, InputSHA256: typicalDigest})
	}
	return e
}

// verify proves, on a store that no journal writes to, that the ledger is
// whole, that effects and entries are the same, and that every receipt that
// was answered holds. It returns the ledger's size.
func (l ledger) verify(t *testing.T, answered ...audit.Receipt) (size int64) {
	t.Helper()
	s, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(t.Context(), func(rows exchange.Reader) error {
		head, err := rows.Head()
		if err != nil {
			return err
		}
		size = head.Size
		entries := l.verifyEntries(t, rows, head)
		verifyEffects(t, rows, entries)
		l.verifyReceipts(t, rows, answered)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// verifyEntries checks tree, commitments and chains.
func (l ledger) verifyEntries(t *testing.T, rows exchange.Reader, head exchange.Head) []audit.Entry {
	t.Helper()
	var cs []audit.Commitment
	var entries []audit.Entry
	type last struct {
		seq  uint64
		prev string
	}
	chains := map[string]last{}
	for i := range head.Size {
		row, err := rows.EntryAt(i)
		if err != nil || row == nil {
			t.Fatalf("entry %d of %d: %v %v", i, head.Size, row, err)
		}
		e, err := audit.ParseEntry(row.Entry)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if audit.Commit(audit.Salt(row.Salt), row.Entry) != row.Commitment {
			t.Fatalf("entry %d: entry and salt do not make its commitment", i)
		}
		c, known := chains[e.Owner]
		if !known {
			c.prev = audit.FirstPrev
		}
		if e.Owner != row.Owner || e.Seq != row.Seq || e.Seq != c.seq+1 || e.Prev != c.prev || e.Exchange != origin {
			t.Fatalf("entry %d of %s breaks its chain: seq %d after %d", i, e.Owner, e.Seq, c.seq)
		}
		chains[e.Owner] = last{e.Seq, row.Commitment.String()}
		cs, entries = append(cs, row.Commitment), append(entries, e)
	}
	if more, err := rows.EntryAt(head.Size); more != nil || err != nil {
		t.Fatalf("there is an entry beyond the head: %v %v", more, err)
	}
	g, err := audit.EmptyTree().Grow(cs)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := audit.LoadTree(head.Size, rows)
	if err != nil {
		t.Fatal(err)
	}
	if g.Tree().Root() != head.Root || tree.Root() != head.Root {
		t.Fatalf("three trees of size %d: %v by entries, %v by hashes, %v by head", head.Size, g.Tree().Root(), tree.Root(), head.Root)
	}
	return entries
}

// verifyEffects checks that every package has exactly its entries.
func verifyEffects(t *testing.T, rows exchange.Reader, entries []audit.Entry) {
	t.Helper()
	sent, delivered := 0, 0
	senders := map[string]bool{}
	for i, e := range entries {
		p, err := rows.Package(e.Package)
		if err != nil || p == nil {
			t.Fatalf("entry %d has no effect: %v", i, err)
		}
		if e.Action == "package.send" {
			senders[e.Owner] = true
			sent++
			if p.Index != int64(i) || p.Seq != e.Seq || p.Sender != e.Owner || len(p.Deliveries) != len(e.Recipients) {
				t.Fatalf("entry %d and its package differ: %+v", i, p)
			}
			continue
		}
		delivered++
		for _, d := range p.Deliveries {
			if d.Recipient == e.Owner && (d.Index != int64(i) || d.Seq != e.Seq || string(d.Verdict) != string(typicalVerdict)) {
				t.Fatalf("entry %d and its delivery differ: %+v", i, d)
			}
		}
	}
	for sender := range senders {
		for after := uint64(0); ; {
			page, err := rows.List(exchange.Query{Agency: sender, Outbox: true, After: after, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				sent, delivered, after = sent-1, delivered-len(p.Deliveries), p.Seq
			}
		}
	}
	if sent != 0 || delivered != 0 {
		t.Fatalf("%d packages and %d deliveries without an effect or an entry", sent, delivered)
	}
}

// verifyReceipts checks receipts by themselves and against the store.
func (l ledger) verifyReceipts(t *testing.T, rows exchange.Reader, answered []audit.Receipt) {
	t.Helper()
	signer, err := l.signer()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := audit.ParseKeys([]byte(signer.VerifierKey()))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range answered {
		v, err := r.Verify(keys, nil)
		if err != nil {
			t.Fatalf("receipt of entry %d: %v", r.Index, err)
		}
		row, err := rows.EntryAt(r.Index)
		if err != nil || row == nil || !bytes.Equal(row.Entry, r.Entry) {
			t.Fatalf("entry %d is not what its receipt says: %v", r.Index, err)
		}
		if root, err := tlog.TreeHash(v.Size, rows); err != nil || root != v.Checkpoint.Root {
			t.Fatalf("the head of receipt %d is not of this ledger: %v", r.Index, err)
		}
	}
}
