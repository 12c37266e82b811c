package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/liaison-exchange/liaison/exchange"
)

// suite is what every exchange.Store must hold to. The factory opens an empty
// store; the test closes it.
func suite(t *testing.T, open func(t *testing.T) exchange.Store) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s exchange.Store)
	}{
		{"empty", testEmpty},
		{"packages", testPackages},
		{"records", testRecords},
		{"registry", testRegistry}, {"proposals", testProposals}, {"revocations", testRevocations}, {"policies", testPolicies}, {"rates", testRates}, {"erasures", testErasures}, {"shared inputs", testSharedInputs},
		{"boxes", testBoxes},
		{"load", testLoad},
		{"parties", testParties},
		{"ledger", testLedger},
		{"chains", testChains},
		{"blob names", testBlobNames},
		{"isolation", testIsolation},
		{"errors stick", testErrorsStick},
		{"constraint at commit", testConstraintAtCommit},
		{"ended context", testEndedContext},
		{"one transaction", testOneTransaction},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			c.run(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// at is a time as rows keep it.
func at(seconds int64) time.Time { return time.UnixMilli(1795312345000 + seconds*1000).UTC() }

func begin(t *testing.T, s exchange.Store) exchange.Transaction {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	return tx
}

// write commits what f writes.
func write(t *testing.T, s exchange.Store, f func(tx exchange.Transaction)) {
	t.Helper()
	tx := begin(t, s)
	f(tx)
	if err := tx.Commit(); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// view runs f on what is committed.
func view(t *testing.T, s exchange.Store, f func(rows exchange.Reader)) {
	t.Helper()
	if err := s.View(t.Context(), func(rows exchange.Reader) error { f(rows); return nil }); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// must returns the value of a read that may not fail.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func packageID(n int) string { return fmt.Sprintf("0199f3a2-7c1e-7b3a-9d52-%012x", n) }

func digest(s string) string {
	d := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

// testLoad proves that what is read in advance is what is read without it.
func testLoad(t *testing.T, s exchange.Store) {
	const n = 150 // more than one statement looks up
	write(t, s, func(tx exchange.Transaction) {
		for i := range n {
			tx.PutPackage(somePackage(i), []byte("c"))
			tx.PutDelivery(packageID(i), someDelivery(i, "lv/vp", uint64(i+1)))
		}
	})
	tx := begin(t, s)
	defer tx.Rollback()
	var needs []exchange.Need
	for i := range n + 20 { // the last ones do not exist
		needs = append(needs, exchange.Need{Package: packageID(i)}, exchange.Need{Package: packageID(i)})
	}
	if err := tx.Load(needs); err != nil {
		t.Fatal(err)
	}
	for i := range n + 20 {
		got := must[*exchange.Package](t)(tx.Package(packageID(i)))
		if i >= n {
			if got != nil {
				t.Fatalf("package %d does not exist", i)
			}
			continue
		}
		if got == nil || got.ID != packageID(i) || len(got.Deliveries) != 1 {
			t.Fatalf("package %d: %+v", i, got)
		}
	}
	// Nobody's change of what was read is another's, and no write is hidden.
	must[*exchange.Package](t)(tx.Package(packageID(0))).Deliveries[0].Outcome = "nonsense"
	equal(t, "outcome", must[*exchange.Package](t)(tx.Package(packageID(0))).Deliveries[0].Outcome, "delivered")
	tx.SetState(packageID(0), "expired")
	equal(t, "state", must[*exchange.Package](t)(tx.Package(packageID(0))).State, "expired")
	d := someDelivery(1, "lv/vp", 2)
	d.Outcome = "blocked"
	tx.PutDelivery(packageID(1), d)
	equal(t, "outcome", must[*exchange.Package](t)(tx.Package(packageID(1))).Deliveries[0].Outcome, "blocked")
	p := somePackage(n)
	tx.PutPackage(p, nil)
	if must[*exchange.Package](t)(tx.Package(p.ID)) == nil {
		t.Error("a package that was absent in advance and then written is not there")
	}
	equal(t, "writes", tx.Writes(), 3)
}

func testIsolation(t *testing.T, s exchange.Store) {
	write(t, s, func(tx exchange.Transaction) { grow(t, tx, "ee/pbgb") })
	view(t, s, func(r exchange.Reader) {
		before := must[exchange.Head](t)(r.Head())
		tx := begin(t, s)
		tx.PutPackage(somePackage(1), []byte("c"))
		grow(t, tx, "ee/pbgb", "lv/vp")
		if must[*exchange.Package](t)(r.Package(packageID(1))) != nil {
			t.Error("a view sees what is not committed")
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		equal(t, "head in an open view", must[exchange.Head](t)(r.Head()), before)
		if must[*exchange.Package](t)(r.Package(packageID(1))) != nil {
			t.Error("a view sees what was committed after it began")
		}
		view(t, s, func(r exchange.Reader) { // a second view, beside the first
			equal(t, "head in a new view", must[exchange.Head](t)(r.Head()).Size, int64(3))
		})
	})
	tx := begin(t, s)
	tx.PutPackage(somePackage(2), []byte("c"))
	tx.Rollback()
	tx.Rollback()
	view(t, s, func(r exchange.Reader) {
		if must[*exchange.Package](t)(r.Package(packageID(2))) != nil {
			t.Error("what was rolled back is there")
		}
	})
}

// testErrorsStick proves that after an error nothing is executed: not in the
// transaction, and above all not outside of it.
func testErrorsStick(t *testing.T, s exchange.Store) {
	write(t, s, func(tx exchange.Transaction) { tx.PutPackage(somePackage(1), []byte("c")) })
	tx := begin(t, s)
	tx.PutInput("before", []byte("x"))
	tx.PutPackage(somePackage(1), []byte("twin"))
	if tx.Err() == nil {
		t.Fatal("the same package was written twice")
	}
	first := tx.Err()
	tx.PutInput("after", []byte("x"))
	if _, err := tx.Package(packageID(1)); err == nil {
		t.Error("read after an error")
	}
	if err := tx.Append(nil, 0, nil, exchange.Head{Size: 1}); !errors.Is(err, first) {
		t.Errorf("append: %v", err)
	}
	if err := tx.Commit(); !errors.Is(err, first) || errors.Is(err, exchange.ErrCommitUnknown) {
		t.Errorf("commit: %v", err)
	}
	tx.PutInput("after the end", []byte("x"))
	checkNothing(t, s, "before", "after", "after the end")
}

// checkNothing says that none of the inputs is there, and that the store
// takes the next commit.
func checkNothing(t *testing.T, s exchange.Store, inputs ...string) {
	t.Helper()
	view(t, s, func(r exchange.Reader) {
		for _, name := range inputs {
			if must[[]byte](t)(r.Input(name)) != nil {
				t.Errorf("%q was written", name)
			}
		}
	})
	write(t, s, func(tx exchange.Transaction) { tx.PutInput("next", []byte("x")) })
	view(t, s, func(r exchange.Reader) {
		if must[[]byte](t)(r.Input("next")) == nil {
			t.Error("the next commit did not last")
		}
	})
}

func testConstraintAtCommit(t *testing.T, s exchange.Store) {
	tx := begin(t, s)
	tx.PutInput("neighbour", []byte("x"))
	tx.PutDelivery(packageID(9), someDelivery(9, "lv/vp", 1)) // of no package: told at commit only
	if tx.Err() != nil {
		t.Fatalf("told too early: %v", tx.Err())
	}
	err := tx.Commit()
	if err == nil || errors.Is(err, exchange.ErrCommitUnknown) {
		t.Errorf("commit: %v", err)
	}
	tx.Rollback()
	checkNothing(t, s, "neighbour")
}

func testEndedContext(t *testing.T, s exchange.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, last := range map[string]func(tx exchange.Transaction) error{
		"write":  func(tx exchange.Transaction) error { tx.PutInput("late", nil); return tx.Err() },
		"read":   func(tx exchange.Transaction) error { _, err := tx.Input("x"); return err },
		"commit": func(tx exchange.Transaction) error { return tx.Commit() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := s.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		tx.PutInput("early", []byte("x"))
		cancel()
		if err := last(tx); !errors.Is(err, context.Canceled) || errors.Is(err, exchange.ErrCommitUnknown) {
			t.Errorf("%s after the context's end: %v", name, err)
		}
		tx.Rollback()
		checkNothing(t, s, "early", "late")
	}
	cancel()
	if _, err := s.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("begin: %v", err)
	}
	if err := s.View(ctx, func(exchange.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("view: %v", err)
	}
	write(t, s, func(exchange.Transaction) {})
}

func testOneTransaction(t *testing.T, s exchange.Store) {
	first := begin(t, s)
	first.PutInput("a", []byte("1"))
	second := make(chan error, 1)
	go func() {
		tx, err := s.Begin(context.WithoutCancel(t.Context()))
		if err == nil {
			var v []byte
			if v, err = tx.Input("a"); err == nil && v == nil {
				err = errors.New("the second transaction began before the first one ended")
			}
			tx.Rollback()
		}
		second <- err
	}()
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
}
