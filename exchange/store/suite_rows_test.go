package store_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

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
	changed.FetchedAt, changed.Mismatches = at(6000), []exchange.Mismatch{{Code: "subjects", At: at(7000), Index: 42}, {Code: "minors", At: at(8000), Index: 43}}
	write(t, s, func(tx exchange.Transaction) {
		tx.SetState(small.ID, "mixed")
		tx.PutDelivery(small.ID, changed)
	})
	want.State, want.Deliveries[0] = "mixed", changed
	view(t, s, func(r exchange.Reader) {
		equal(t, "changed package", must[*exchange.Package](t)(r.Package(small.ID)), &want)
	})
}

// parties asserts who is a party of a package.
func parties(t *testing.T, rows exchange.Reader, id string, want ...string) {
	t.Helper()
	var got []string
	for _, agency := range []string{"by/mia", "ee/pbgb", "it/dcpc", "lv/vp", "ua/npu"} {
		if must[bool](t)(rows.Party(id, agency)) {
			got = append(got, agency)
		}
	}
	equal(t, "parties", got, want)
}

func testParties(t *testing.T, s exchange.Store) {
	p, other := somePackage(1), somePackage(2)
	p.Sender, other.Sender = "ee/pbgb", "by/mia"
	write(t, s, func(tx exchange.Transaction) {
		tx.PutPackage(p, nil)
		tx.PutPackage(other, nil)
		tx.PutDelivery(p.ID, someDelivery(1, "lv/vp", 1))
		tx.PutDelivery(p.ID, someDelivery(1, "ua/npu", 0)) // it became visible to nobody
		parties(t, tx, p.ID, "ee/pbgb", "lv/vp")
		tx.PutParty(p.ID, "it/dcpc")
		tx.PutParty(p.ID, "it/dcpc")
		parties(t, tx, p.ID, "ee/pbgb", "it/dcpc", "lv/vp")
	})
	view(t, s, func(r exchange.Reader) {
		parties(t, r, p.ID, "ee/pbgb", "it/dcpc", "lv/vp")
		parties(t, r, other.ID, "by/mia")
		parties(t, r, packageID(3))
	})
	tx := begin(t, s)
	defer tx.Rollback()
	if err := tx.Load([]exchange.Need{{Package: p.ID, Agency: "by/mia"}, {Package: other.ID, Agency: "by/mia"}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{p.ID, other.ID} { // what was not loaded is read
		if got := must[*exchange.Package](t)(tx.Package(id)); got == nil || got.ID != id {
			t.Errorf("package %s: %+v", id, got)
		}
	}
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
	agency := exchange.Agency{ID: "ee/pbgb", Declared: []string{"unit"}, File: "digest", Jurisdiction: "ee", Name: "Police and Border Guard Board", Type: "spoc",
		Roles: []string{"unit", "dpo"}, Competences: []string{"prevention"}, Bindings: []exchange.Binding{{Issuer: "i", Key: "k", Role: "unit", Name: "n"}}}
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
	agency.Suspended, agency.Name, agency.Bindings = false, "PBGB", append(agency.Bindings, exchange.Binding{Issuer: "j", Key: "l", Role: "dpo", Name: "m"})
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

// testProposals: one for an agency, replaced as a whole.
func testProposals(t *testing.T, s exchange.Store) {
	read := func() (p *exchange.Proposal) {
		view(t, s, func(rows exchange.Reader) { p = must[*exchange.Proposal](t)(rows.Proposal("lv/vp")) })
		return p
	}
	if p := read(); p != nil {
		t.Errorf("there is one at the beginning: %+v", p)
	}
	first := exchange.Proposal{Agency: "lv/vp", Standing: exchange.Standing{Roles: []string{"unit", "dpo"}, Suspended: true, Bindings: []exchange.Binding{{Issuer: "i", Key: "k", Role: "unit", Name: "n"}}}, By: "spiffe://exchange/ops/operator/one", Reason: "why", At: at(1)}
	second := exchange.Proposal{Agency: "lv/vp", By: "spiffe://exchange/ops/operator/two", Reason: "why not", At: at(2)}
	for _, want := range []exchange.Proposal{first, second} {
		write(t, s, func(tx exchange.Transaction) {
			tx.PutProposal(want)
			tx.PutProposal(exchange.Proposal{Agency: "ee/pbgb", By: "another", At: at(3)})
		})
		if got := read(); got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v, wrote %+v", got, want)
		}
	}
	write(t, s, func(tx exchange.Transaction) { tx.DropProposal("lv/vp") })
	if p := read(); p != nil {
		t.Errorf("it is still there: %+v", p)
	}
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
