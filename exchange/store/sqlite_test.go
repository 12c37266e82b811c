package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/store"
)

func TestSQLite(t *testing.T) {
	suite(t, func(t *testing.T) exchange.Store { return open(t, store.Config{Dir: t.TempDir()}) })
}

func open(t *testing.T, cfg store.Config) *store.SQLite {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestOpenRefusesASecondOpener(t *testing.T) {
	dir := t.TempDir()
	first := open(t, store.Config{Dir: dir})
	if _, err := store.Open(t.Context(), store.Config{Dir: dir}); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("second opener: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, store.Config{Dir: dir})
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, store.Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, dir, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	if _, err := store.Open(t.Context(), store.Config{Dir: dir}); !errors.Is(err, store.ErrNewerSchema) {
		t.Fatalf("newer schema: %v", err)
	}
}

// TestOpenFindsTheParties: a store of before the parties were kept learns
// them from its packages and entries.
func TestOpenFindsTheParties(t *testing.T) {
	dir, p := t.TempDir(), somePackage(1)
	p.Sender = "ee/pbgb"
	s := open(t, store.Config{Dir: dir})
	write(t, s, func(tx exchange.Transaction) {
		tx.PutPackage(p, nil)
		tx.PutDelivery(p.ID, someDelivery(1, "lv/vp", 1))
		entry := []byte(`{"owner":"it/dcpc","action":"package.await","package":"` + p.ID + `"}`)
		rows := []exchange.EntryRow{{Index: 0, Owner: "it/dcpc", Seq: 1, Entry: entry}, {Index: 1, Owner: "by/mia", Seq: 1}} // one is erased
		if err := tx.Append(rows, 0, nil, exchange.Head{Size: 2, Time: at(1)}); err != nil {
			t.Fatal(err)
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, dir, "DROP TABLE parties")
	for _, table := range []string{"agencies", "proposals"} { // of version 5
		exec(t, dir, "ALTER TABLE "+table+" DROP COLUMN bindings")
	}
	for _, query := range []string{"ALTER TABLE agencies DROP COLUMN undeclared", "DROP TABLE activations", "DROP TABLE policy_votes"} { // of version 6
		exec(t, dir, query)
	}
	exec(t, dir, "DROP TABLE rates")                                                                                           // of version 7
	for _, query := range []string{"DROP TABLE erasures", "DROP TABLE erasure_orders", "DROP TABLE holds", "DROP TABLE swept", // of version 8
		"DROP INDEX packages_due", "DROP INDEX packages_lapse", "DROP INDEX decisions_package", "DROP INDEX entries_erased",
		"ALTER TABLE entries DROP COLUMN erased", "ALTER TABLE packages DROP COLUMN erased", "ALTER TABLE packages DROP COLUMN content_erased",
		"ALTER TABLE packages DROP COLUMN erase_at", "ALTER TABLE packages DROP COLUMN content_at",
		"DROP TABLE search_drops", "ALTER TABLE agencies DROP COLUMN supervises", "ALTER TABLE proposals DROP COLUMN supervises", "DROP TABLE samples", "DROP TABLE verdicts", "DROP INDEX decisions_shared",
		"ALTER TABLE deliveries DROP COLUMN mismatches", "ALTER TABLE deliveries DROP COLUMN fetched_at"} { // of versions 9 to 12
		exec(t, dir, query)
	}
	exec(t, dir, "DELETE FROM goose_db_version WHERE version_id >= 4")
	view(t, open(t, store.Config{Dir: dir}), func(r exchange.Reader) {
		parties(t, r, p.ID, "ee/pbgb", "it/dcpc", "lv/vp")
		// What they are kept for was not known: three years, and a month after they lapse.
		got := must[*exchange.Package](t)(r.Package(p.ID))
		equal(t, "terms", []time.Time{got.EraseAt, got.ContentAt}, []time.Time{p.AcceptedAt.Add(1096 * 24 * time.Hour), p.ExpiresAt.Add(30 * 24 * time.Hour)})
	})
}

// TestOpenFindsWhoFetched: a store of before the first fetch was noted takes it
// from the acknowledgements, also where the content is erased; nothing is said
// of who has not acknowledged, nor of an erased package.
func TestOpenFindsWhoFetched(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	const all = 5
	write(t, s, func(tx exchange.Transaction) {
		for n := 1; n <= all; n++ {
			p, d := somePackage(n), someDelivery(n, "lv/vp", uint64(n))
			tx.PutPackage(p, nil)
			if n != 4 { // not acknowledged
				d.Outcome = exchange.StateAcknowledged
				tx.PutAcknowledgement(exchange.Acknowledgement{Package: p.ID, Recipient: d.Recipient, Seq: d.Seq, Index: d.Index, At: at(int64(50 + n))})
			}
			if n == 5 { // noted already
				d.FetchedAt = at(99)
			}
			tx.PutDelivery(p.ID, d)
			tx.PutDelivery(p.ID, someDelivery(n, "ua/npu", uint64(n)))
		}
		tx.EraseContent(packageID(2), 7)
		tx.ErasePackage(packageID(3), 8)
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, dir, "UPDATE deliveries SET fetched_at = 9000 WHERE package = '"+packageID(3)+"'") // as version 12 left it
	exec(t, dir, "DELETE FROM goose_db_version WHERE version_id >= 13")
	view(t, open(t, store.Config{Dir: dir}), func(r exchange.Reader) {
		for n, want := range map[int]time.Time{1: at(51), 2: at(52), 3: {}, 4: {}, 5: at(99)} {
			p := must[*exchange.Package](t)(r.Package(packageID(n)))
			equal(t, "fetched "+p.ID, []time.Time{p.Deliveries[0].FetchedAt, p.Deliveries[1].FetchedAt}, []time.Time{want, {}})
		}
	})
}

// exec changes the database behind the store's back.
func exec(t *testing.T, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "exchange.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesAStuckLog(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, store.Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "exchange.db")+"?_pragma=busy_timeout(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// A reader of an old snapshot beside newer pages in the log: it cannot be emptied.
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM heads").Scan(&n); err != nil {
		t.Fatal(err)
	}
	exec(t, dir, "INSERT INTO inputs (sha256, input) VALUES ('x', x'00')")
	if _, err := store.Open(t.Context(), store.Config{Dir: dir, BusyTimeout: 1}); !errors.Is(err, store.ErrCheckpoint) {
		t.Fatalf("stuck log: %v", err)
	}
}

// TestSettings proves what durability and erasure stand on.
func TestSettings(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir()})
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1", "mmap_size": "0", "trusted_schema": "0",
	} {
		got, err := s.Pragma(t.Context(), pragma)
		if err != nil || got != want {
			t.Errorf("%s is %q, not %q (%v)", pragma, got, want, err)
		}
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, store.Config{Dir: dir})
	write(t, s, func(tx exchange.Transaction) { tx.PutInput("x", []byte("y")) })
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 4 { // lock, database, log and its index
		t.Fatalf("files: %v", files)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v (%v)", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", info.Mode(), err)
	}
}

// TestFull fills the database up. SQLite then rolls the transaction back by
// itself: nothing of it may be there, and nothing that follows may be either.
func TestFull(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir(), MaxPages: 100})
	tx := begin(t, s)
	tx.PutInput("early", []byte("x"))
	n := 0
	for ; tx.Err() == nil && n < 1000; n++ {
		tx.PutInput(digest(string(rune('a'+n))), bytes.Repeat([]byte("x"), 64<<10))
	}
	if tx.Err() == nil {
		t.Fatal("the database takes more than its bound")
	}
	tx.PutInput("late", []byte("x"))
	if err := tx.Commit(); err == nil || errors.Is(err, exchange.ErrCommitUnknown) {
		t.Errorf("commit: %v", err)
	}
	checkNothing(t, s, "early", "late")
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	var head exchange.Head
	write(t, s, func(tx exchange.Transaction) { head = grow(t, tx, "ee/pbgb", "lv/vp") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	view(t, open(t, store.Config{Dir: dir}), func(r exchange.Reader) {
		equal(t, "head", must[exchange.Head](t)(r.Head()), head)
	})
}

func TestClosed(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("begin: %v", err)
	}
	if err := s.View(t.Context(), func(exchange.Reader) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("view: %v", err)
	}
}

// TestViewsSurvive: a view that fails, panics or is one too many takes
// nothing from the others.
func TestViewsSurvive(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir(), Readers: 2})
	failed := errors.New("failed")
	for range 5 {
		if err := s.View(t.Context(), func(exchange.Reader) error { return failed }); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = s.View(t.Context(), func(exchange.Reader) error { panic("no") })
		}()
	}
	var open, done sync.WaitGroup
	hold := make(chan struct{})
	open.Add(2)
	for range 2 {
		done.Go(func() {
			if err := s.View(t.Context(), func(exchange.Reader) error { open.Done(); <-hold; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	open.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error, 1)
	go func() { waits <- s.View(ctx, func(exchange.Reader) error { return nil }) }()
	cancel()
	if err := <-waits; !errors.Is(err, context.Canceled) {
		t.Errorf("a third view of two: %v", err)
	}
	close(hold)
	done.Wait()
	view(t, s, func(exchange.Reader) {})
}

// TestErasedBytesAreGone: what a row replaced is not left on disk once the
// log is folded in.
func TestErasedBytesAreGone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	canary := []byte("canary-0123456789-canary")
	p := somePackage(1)
	p.State = string(canary)
	write(t, s, func(tx exchange.Transaction) { tx.PutPackage(p, nil) })
	if !onDisk(t, dir, canary) {
		t.Fatal("the canary was never on disk: the test proves nothing")
	}
	write(t, s, func(tx exchange.Transaction) { tx.SetState(p.ID, "x") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, store.Config{Dir: dir})
	if onDisk(t, dir, canary) {
		t.Error("replaced bytes are still on disk")
	}
}

func onDisk(t *testing.T, dir string, what []byte) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "exchange.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, what) {
			return true
		}
	}
	return false
}
