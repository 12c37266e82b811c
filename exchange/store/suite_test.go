package store_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
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
		{"registry", testRegistry},
		{"boxes", testBoxes},
		{"load", testLoad},
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

func somePackage(n int) *exchange.Package {
	id := packageID(n)
	return &exchange.Package{
		ID: id, Sender: "ee/pbgb", Type: "request", State: "delivered",
		Manifest: []byte("manifest " + id), Statement: []byte("statement " + id), ManifestSHA256: digest("m" + id), Payload: digest("p" + id),
		ContentSHA256: digest("c" + id), ContentSize: int64(7 + n), AcceptedAt: at(int64(n)), ExpiresAt: at(int64(n) + 3600),
		Seq: uint64(n + 1), Index: int64(3 * n), Answer: []byte(`[{"recipient":"lv/vp"}]`),
	}
}

func someDelivery(n int, recipient string, seq uint64) exchange.Delivery {
	return exchange.Delivery{Recipient: recipient, Outcome: "delivered", Decision: "d-" + recipient + packageID(n), DueAt: at(int64(n) + 100), Seq: seq, Index: int64(3*n + 1)}
}

func someDecision(n int, recipient string) exchange.DecisionRow {
	return exchange.DecisionRow{ID: "d-" + recipient + packageID(n), Package: packageID(n), Recipient: recipient, Action: "send", At: at(int64(n)),
		Verdict: []byte(`{"outcome":"delivered"}`), InputSHA256: digest("input"), Shared: digest("shared"), Own: []byte(`{"recipient":{}}`)}
}

func testEmpty(t *testing.T, s exchange.Store) {
	check := func(r exchange.Reader) {
		equal(t, "head", must[exchange.Head](t)(r.Head()), exchange.Head{Root: audit.EmptyTree().Root()})
		equal(t, "registry", must[*exchange.Registry](t)(r.Registry()).Version(), int64(0))
		for what, got := range map[string]bool{
			"package":         must[*exchange.Package](t)(r.Package(packageID(1))) == nil,
			"content":         must[[]byte](t)(r.Content(packageID(1))) == nil,
			"decision":        must[*exchange.DecisionRow](t)(r.Decision("x")) == nil,
			"acknowledgement": must[*exchange.Acknowledgement](t)(r.Acknowledgement(packageID(1), "lv/vp")) == nil,
			"consultation":    must[*exchange.ConsultationRow](t)(r.Consultation("x")) == nil,
			"input":           must[[]byte](t)(r.Input("x")) == nil,
			"revision":        must[*exchange.RevisionRow](t)(r.Revision("x")) == nil,
			"entry":           must[*exchange.EntryRow](t)(r.Entry("ee/pbgb", 1)) == nil,
			"entry at":        must[*exchange.EntryRow](t)(r.EntryAt(0)) == nil,
			"entries":         len(must[[]exchange.EntryRow](t)(r.Entries("ee/pbgb", 0, 10))) == 0,
			"commitments":     len(must[[]audit.Commitment](t)(r.Commitments(0, 10))) == 0,
			"list":            len(must[[]*exchange.Package](t)(r.List(exchange.Query{Agency: "lv/vp", Limit: 10}))) == 0,
		} {
			if !got {
				t.Errorf("an empty store has a row: %s", what)
			}
		}
		seq, prev, err := r.Last("ee/pbgb")
		if seq != 0 || prev != (audit.Commitment{}) || err != nil {
			t.Errorf("last of nobody: %d %v %v", seq, prev, err)
		}
		if _, err := r.HeadCovering(0); err == nil {
			t.Error("a head covers an entry that is not")
		}
		if _, err := r.ReadHashes([]int64{0}); err == nil {
			t.Error("a stored hash that is not was read")
		}
	}
	view(t, s, check)
	tx := begin(t, s)
	check(tx)
	tx.Rollback()
}

func testPackages(t *testing.T, s exchange.Store) {
	small, large := somePackage(1), somePackage(2)
	large.ContentBlob = large.ID + "/content." + large.ContentSHA256
	large.Attachments = []exchange.AttachmentRow{{Blob: large.ID + "/0." + digest("a"), SHA256: digest("a"), Size: 1 << 40}}
	large.ExpiresAt = time.Time{}
	write(t, s, func(tx exchange.Transaction) {
		tx.PutPackage(small, []byte("content"))
		tx.PutPackage(large, nil)
		for _, recipient := range []string{"ua/npu", "lv/vp"} {
			tx.PutDelivery(small.ID, someDelivery(1, recipient, 1))
			tx.PutDecision(someDecision(1, recipient))
		}
		undecided := someDelivery(2, "lv/vp", 0)
		undecided.DueAt, undecided.Decision = time.Time{}, "absent"
		tx.PutDelivery(large.ID, undecided)
		// What a transaction wrote, it reads.
		equal(t, "own write", len(must[*exchange.Package](t)(tx.Package(small.ID)).Deliveries), 2)
	})
	want := *small
	for _, recipient := range []string{"lv/vp", "ua/npu"} { // in the order of recipients
		d := someDelivery(1, recipient, 1)
		d.Verdict = someDecision(1, recipient).Verdict
		want.Deliveries = append(want.Deliveries, d)
	}
	view(t, s, func(r exchange.Reader) {
		equal(t, "package", must[*exchange.Package](t)(r.Package(small.ID)), &want)
		equal(t, "content", must[[]byte](t)(r.Content(small.ID)), []byte("content"))
		got := must[*exchange.Package](t)(r.Package(large.ID))
		equal(t, "attachments", got.Attachments, large.Attachments)
		if !got.ExpiresAt.IsZero() || !got.Deliveries[0].DueAt.IsZero() || got.Deliveries[0].Verdict != nil {
			t.Errorf("no time, or no verdict, became one: %v %v %s", got.ExpiresAt, got.Deliveries[0].DueAt, got.Deliveries[0].Verdict)
		}
		if c := must[[]byte](t)(r.Content(large.ID)); c != nil {
			t.Errorf("content of a blob: %q", c)
		}
	})
	changed := want.Deliveries[0]
	changed.Outcome, changed.Decision, changed.Seq, changed.DueAt = "acknowledged", want.Deliveries[1].Decision, 9, at(5000)
	write(t, s, func(tx exchange.Transaction) {
		tx.SetState(small.ID, "mixed")
		tx.PutDelivery(small.ID, changed)
	})
	want.State, want.Deliveries[0] = "mixed", changed
	view(t, s, func(r exchange.Reader) {
		equal(t, "changed package", must[*exchange.Package](t)(r.Package(small.ID)), &want)
	})
}

func testRecords(t *testing.T, s exchange.Store) {
	decision := someDecision(1, "lv/vp")
	ack := exchange.Acknowledgement{Package: packageID(1), Recipient: "lv/vp", JWS: []byte("a.b.c"), Payload: digest("ack"), Seq: 4, Index: 17, At: at(1)}
	consultation := exchange.ConsultationRow{ID: "c1", Agency: "lv/vp", Identity: "spiffe://lv/vp/unit/one", Officer: "o-1",
		Justification: "to answer the request of Estonia", CaseRef: "LV-1", Package: packageID(1), Expires: at(900)}
	revision := exchange.RevisionRow{Digest: digest("rules"), Kind: "rules", Jurisdiction: "lv", Body: []byte{0, 1, 2, 255}, At: at(3)}
	write(t, s, func(tx exchange.Transaction) {
		tx.PutDecision(decision)
		tx.PutInput(digest("shared"), []byte("first"))
		tx.PutInput(digest("shared"), []byte("second"))
		tx.PutAcknowledgement(ack)
		tx.PutConsultation(consultation)
		tx.PutRevision(revision)
		again := revision
		again.Body = []byte("other")
		tx.PutRevision(again)
	})
	view(t, s, func(r exchange.Reader) {
		equal(t, "decision", must[*exchange.DecisionRow](t)(r.Decision(decision.ID)), &decision)
		equal(t, "input", must[[]byte](t)(r.Input(digest("shared"))), []byte("first"))
		equal(t, "acknowledgement", must[*exchange.Acknowledgement](t)(r.Acknowledgement(packageID(1), "lv/vp")), &ack)
		equal(t, "consultation", must[*exchange.ConsultationRow](t)(r.Consultation("c1")), &consultation)
		equal(t, "revision", must[*exchange.RevisionRow](t)(r.Revision(revision.Digest)), &revision)
	})
}

// publicKey is a key as agencies register it, and its thumbprint (RFC 7638).
func publicKey(n byte) (jwk []byte, kid string) {
	public := ed25519.NewKeyFromSeed(slices.Repeat([]byte{n}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	x := base64.RawURLEncoding.EncodeToString(public)
	return fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":"%s","use":"sig"}`, x), digest(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`)
}

func testRegistry(t *testing.T, s exchange.Store) {
	agency := exchange.Agency{ID: "ee/pbgb", Jurisdiction: "ee", Name: "Police and Border Guard Board", Type: "spoc",
		Roles: []string{"unit", "dpo"}, Competences: []string{"prevention"}}
	jwk, kid := publicKey(1)
	key := exchange.KeyRow{Agency: agency.ID, Kid: kid, Use: "sig", JWK: jwk, From: at(0)}
	var before int64
	write(t, s, func(tx exchange.Transaction) {
		before = must[*exchange.Registry](t)(tx.Registry()).Version()
		tx.PutAgency(agency)
		tx.PutKey(key)
		if must[*exchange.Registry](t)(tx.Registry()).Key(agency.ID, kid, "sig") == nil {
			t.Error("a transaction does not see its own key")
		}
	})
	registry := func() (r *exchange.Registry) {
		view(t, s, func(rows exchange.Reader) { r = must[*exchange.Registry](t)(rows.Registry()) })
		return r
	}
	first := registry()
	if first.Version() <= before {
		t.Errorf("version did not move: %d after %d", first.Version(), before)
	}
	if again := registry(); again != first {
		t.Error("the registry was parsed again though its version did not move")
	}
	got, _ := first.Agency(agency.ID)
	equal(t, "agency", got, agency)
	equal(t, "key", first.KeyByID(kid).KeyRow, key)

	// What is not committed stays in its transaction, and its version says nothing to others.
	agency.Suspended = true
	tx := begin(t, s)
	tx.PutAgency(agency)
	if a, _ := must[*exchange.Registry](t)(tx.Registry()).Agency(agency.ID); !a.Suspended {
		t.Error("a transaction does not see its own agency")
	}
	if a, _ := registry().Agency(agency.ID); a.Suspended {
		t.Error("a view sees what is not committed")
	}
	tx.Rollback()
	tx = begin(t, s) // and its version is given again to another registry
	tx.PutAgency(agency)
	must[*exchange.Registry](t)(tx.Registry())
	tx.Rollback()
	agency.Suspended, agency.Name = false, "PBGB"
	key.Until, key.Compromised = at(10), at(5)
	write(t, s, func(tx exchange.Transaction) { tx.PutAgency(agency) })
	a, _ := registry().Agency(agency.ID)
	equal(t, "agency after rollback and change", a, agency)
	write(t, s, func(tx exchange.Transaction) { tx.PutKey(key) })
	equal(t, "retired key", registry().KeyByID(kid).KeyRow, key)
	if old, _ := first.Agency(agency.ID); old.Name == agency.Name {
		t.Error("a registry that was handed out has changed")
	}

	// Nobody takes over another's key.
	for _, theft := range []exchange.KeyRow{
		{Agency: "lv/vp", Kid: kid, Use: "sig", JWK: jwk, From: at(0)},
		{Agency: agency.ID, Kid: kid, Use: "policy", JWK: jwk, From: at(0)},
	} {
		tx := begin(t, s)
		tx.PutKey(theft)
		if tx.Err() == nil || tx.Commit() == nil {
			t.Errorf("key of %s for %s was overwritten by %s for %s", key.Agency, key.Use, theft.Agency, theft.Use)
		}
	}
	equal(t, "key after the thefts", registry().KeyByID(kid).KeyRow, key)
}

func testBoxes(t *testing.T, s exchange.Store) {
	write(t, s, func(tx exchange.Transaction) {
		for n := range 6 {
			p := somePackage(n)
			if n == 4 {
				p.State = "mixed"
			}
			tx.PutPackage(p, []byte("c"))
			// The recipient's own order is another than the sender's.
			d := someDelivery(n, "lv/vp", uint64(10-n))
			switch n {
			case 2:
				d.Outcome, d.Seq = "pending", 0 // invisible
			case 3:
				d.DueAt = time.Time{}
			case 4:
				d.Outcome = "acknowledged"
			}
			tx.PutDelivery(p.ID, d)
			tx.PutDelivery(p.ID, someDelivery(n, "ua/npu", 0))
		}
	})
	for _, c := range []struct {
		name string
		q    exchange.Query
		want []int
	}{
		{"inbox in the order of own seq", exchange.Query{Agency: "lv/vp", Limit: 10}, []int{5, 4, 3, 1, 0}},
		{"inbox after a cursor", exchange.Query{Agency: "lv/vp", After: 6, Limit: 2}, []int{3, 1}},
		{"inbox by outcome", exchange.Query{Agency: "lv/vp", State: "acknowledged", Limit: 10}, []int{4}},
		{"inbox due", exchange.Query{Agency: "lv/vp", DueBefore: at(104), Limit: 10}, []int{1, 0}},
		{"inbox by outcome and due", exchange.Query{Agency: "lv/vp", State: "delivered", DueBefore: at(106), After: 5, Limit: 10}, []int{1, 0}[:2]},
		{"inbox of one to whom nothing is visible", exchange.Query{Agency: "ua/npu", Limit: 10}, nil},
		{"outbox", exchange.Query{Agency: "ee/pbgb", Outbox: true, Limit: 10}, []int{0, 1, 2, 3, 4, 5}},
		{"outbox page", exchange.Query{Agency: "ee/pbgb", Outbox: true, After: 2, Limit: 2}, []int{2, 3}},
		{"outbox by state", exchange.Query{Agency: "ee/pbgb", Outbox: true, State: "mixed", Limit: 10}, []int{4}},
		{"outbox due", exchange.Query{Agency: "ee/pbgb", Outbox: true, DueBefore: at(102), Limit: 10}, []int{0, 1}},
		{"outbox by state and due", exchange.Query{Agency: "ee/pbgb", Outbox: true, State: "delivered", DueBefore: at(106), After: 1, Limit: 10}, []int{1, 2, 3, 5}},
		{"outbox of another", exchange.Query{Agency: "lv/vp", Outbox: true, Limit: 10}, nil},
	} {
		view(t, s, func(r exchange.Reader) {
			var got []string
			for _, p := range must[[]*exchange.Package](t)(r.List(c.q)) {
				got = append(got, p.ID)
				if len(p.Deliveries) != 2 || len(p.Manifest) == 0 {
					t.Errorf("%s: %s lacks deliveries or manifest", c.name, p.ID)
				}
			}
			var want []string
			for _, n := range c.want {
				want = append(want, packageID(n))
			}
			equal(t, c.name, got, want)
		})
	}
	err := s.View(t.Context(), func(r exchange.Reader) error { _, err := r.List(exchange.Query{Agency: "lv/vp"}); return err })
	if err == nil {
		t.Error("a list without a limit was made")
	}
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

// grow appends entries of the owners to the ledger, one batch.
func grow(t *testing.T, tx exchange.Transaction, owners ...string) exchange.Head {
	t.Helper()
	head := must[exchange.Head](t)(tx.Head())
	tree := must[audit.Tree](t)(audit.LoadTree(head.Size, tx))
	var rows []exchange.EntryRow
	var cs []audit.Commitment
	seqs := map[string]uint64{}
	for i, owner := range owners {
		if _, known := seqs[owner]; !known {
			seq, _, err := tx.Last(owner)
			if err != nil {
				t.Fatal(err)
			}
			seqs[owner] = seq
		}
		seqs[owner]++
		salt, entry := audit.NewSalt(), fmt.Appendf(nil, `{"owner":%q,"seq":%d}`, owner, seqs[owner])
		c := audit.Commit(salt, entry)
		cs = append(cs, c)
		rows = append(rows, exchange.EntryRow{Index: head.Size + int64(i), Owner: owner, Seq: seqs[owner], Commitment: c, Salt: salt[:], Entry: entry})
	}
	g := must[*audit.Growth](t)(tree.Grow(cs))
	next := exchange.Head{Size: g.Tree().Size(), Root: g.Tree().Root(), Time: at(g.Tree().Size())}
	if err := tx.Append(rows, g.FirstStored(), g.Stored(), next); err != nil {
		t.Fatal(err)
	}
	return next
}

func testLedger(t *testing.T, s exchange.Store) {
	var heads []exchange.Head
	var size int64
	for _, n := range []int{1, 1, 2, 7, 33, 100, 300, 1} {
		write(t, s, func(tx exchange.Transaction) {
			owners := make([]string, n)
			for i := range owners {
				owners[i] = fmt.Sprintf("j/%d", i%5)
			}
			heads = append(heads, grow(t, tx, owners...))
		})
		size += int64(n)
	}
	view(t, s, func(r exchange.Reader) {
		equal(t, "head", must[exchange.Head](t)(r.Head()), heads[len(heads)-1])
		batch := 0
		for i := range size {
			if i == heads[batch].Size {
				batch++
			}
			equal(t, fmt.Sprintf("head that covers %d", i), must[exchange.Head](t)(r.HeadCovering(i)), heads[batch])
		}
		if _, err := r.HeadCovering(size); err == nil {
			t.Error("a head covers an entry that is not")
		}
		// Every head is the tree over the commitments, and every stored hash is there.
		all := must[[]audit.Commitment](t)(r.Commitments(0, int(size)+10))
		equal(t, "commitments", int64(len(all)), size)
		for _, h := range heads {
			equal(t, "root", must[tlog.Hash](t)(tlog.TreeHash(h.Size, r)), h.Root)
			equal(t, "root of commitments", must[*audit.Growth](t)(audit.EmptyTree().Grow(all[:h.Size])).Tree().Root(), h.Root)
		}
		equal(t, "part of the commitments", must[[]audit.Commitment](t)(r.Commitments(5, 3)), all[5:8])
		stored := make([]int64, tlog.StoredHashCount(size))
		for i := range stored {
			stored[i] = int64(len(stored) - 1 - i)
		}
		want := must[*audit.Growth](t)(audit.EmptyTree().Grow(all)).Stored()
		slices.Reverse(want)
		equal(t, "stored hashes", must[[]tlog.Hash](t)(r.ReadHashes(stored)), want)
		if _, err := r.ReadHashes([]int64{0, int64(len(stored))}); err == nil {
			t.Error("a stored hash that is not was read")
		}
	})
}

func testChains(t *testing.T, s exchange.Store) {
	write(t, s, func(tx exchange.Transaction) { grow(t, tx, "ee/pbgb", "lv/vp", "ee/pbgb", "ee/pbgb", "lv/vp") })
	view(t, s, func(r exchange.Reader) {
		page := must[[]exchange.EntryRow](t)(r.Entries("ee/pbgb", 1, 5))
		equal(t, "seqs", []uint64{page[0].Seq, page[1].Seq}, []uint64{2, 3})
		equal(t, "indexes", []int64{page[0].Index, page[1].Index}, []int64{2, 3})
		equal(t, "limit", len(must[[]exchange.EntryRow](t)(r.Entries("ee/pbgb", 0, 1))), 1)
		equal(t, "entry by owner", *must[*exchange.EntryRow](t)(r.Entry("ee/pbgb", 2)), page[0])
		equal(t, "entry by index", *must[*exchange.EntryRow](t)(r.EntryAt(2)), page[0])
		if c := audit.Commit(audit.Salt(page[0].Salt), page[0].Entry); c != page[0].Commitment {
			t.Error("entry and salt do not make the commitment")
		}
		seq, prev, err := r.Last("ee/pbgb")
		if seq != 3 || prev != page[1].Commitment || err != nil {
			t.Errorf("last: %d %v %v", seq, prev, err)
		}
	})
	// A gap is not passed over.
	tx := begin(t, s)
	gap := must[*exchange.EntryRow](t)(tx.EntryAt(4))
	gap.Index, gap.Seq = 6, gap.Seq+1
	if err := tx.Append([]exchange.EntryRow{*gap}, 100, nil, exchange.Head{Size: 7, Time: at(0)}); err != nil {
		t.Fatal(err)
	}
	if cs, err := tx.Commitments(3, 10); err == nil {
		t.Errorf("%d commitments over a gap", len(cs))
	}
	tx.Rollback()
	// An owner's seq is taken once.
	tx = begin(t, s)
	defer tx.Rollback()
	twin := must[*exchange.EntryRow](t)(tx.EntryAt(2))
	twin.Index = 5
	if err := tx.Append([]exchange.EntryRow{*twin}, 100, nil, exchange.Head{Size: 6, Time: at(0)}); err == nil {
		t.Error("two entries of one owner have the same seq")
	}
}

func testBlobNames(t *testing.T, s exchange.Store) {
	var want []string
	write(t, s, func(tx exchange.Transaction) {
		for n := range 4 {
			p := somePackage(n)
			if n%2 == 1 {
				p.ContentBlob = p.ID + "/content." + p.ContentSHA256
				want = append(want, p.ContentBlob)
			}
			for i := range n {
				name := fmt.Sprintf("%s/%d.%s", p.ID, i, digest(fmt.Sprint(n, i)))
				p.Attachments = append(p.Attachments, exchange.AttachmentRow{Blob: name, Size: 1})
				want = append(want, name)
			}
			tx.PutPackage(p, nil)
		}
	})
	var got []string
	view(t, s, func(r exchange.Reader) {
		if err := r.Blobs(func(name string) error { got = append(got, name); return nil }); err != nil {
			t.Error(err)
		}
	})
	equal(t, "names", got, want)
	stop := errors.New("stop")
	err := s.View(t.Context(), func(r exchange.Reader) error { return r.Blobs(func(string) error { return stop }) })
	if !errors.Is(err, stop) {
		t.Errorf("blobs: %v", err)
	}
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
