package exchange_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

func ofPackage(id string) func(*envelope.Erasure) {
	return func(o *envelope.Erasure) { o.Package = id }
}

func ofEntries(from, to uint64) func(*envelope.Erasure) {
	return func(o *envelope.Erasure) { o.From, o.To = int64(from), int64(to) }
}

// TestErasureByOrder: a package goes with all that it was, its parties are
// told and keep the tombstone, and the log is whole without the entries that
// an order took.
func TestErasureByOrder(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLVUA)
	d.Message.Text = strings.Repeat(plaintext+"\n", 3000) // becomes a blob
	d.Attachments = []envelope.AttachmentSource{{Name: "photo.jpg", MediaType: "image/jpeg",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(attached)), nil }}}
	other := post(t, x, draft(x, demo.EEtoLVUA)).ID()
	sealed := x.Seal(d)
	sent, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	id, lv := sent.ID(), x.As("lv/vp", certs.RoleUnit)
	accept(t, lv, id)
	reading := consult(t, lv, id)
	o := observe(t, x)
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	done, err := dpo.Erase(t.Context(), x.Order("ee/pbgb", ofPackage(id)))
	if err != nil {
		t.Fatal(err)
	}
	if done.Erased != 1 || !done.Done || done.Receipt.Entry.Operation != audit.Erasure || done.Receipt.Entry.Details["approver"] != "spiffe://ee/pbgb/key/approve/chief" {
		t.Errorf("%+v: %+v", done, done.Receipt.Entry)
	}
	for _, e := range o.expect(t, "order", "ee/pbgb audit.erase erased", "lv/vp package.erased erased", "ua/npu package.erased erased") {
		if e.Package != id || e.Owner != "ee/pbgb" && (e.Justification != "" || e.Actor.Identity != "" || e.Details["why"] != "order") {
			t.Errorf("%+v", e)
		}
	}
	// What is left says that it was; the other package is what it was.
	for _, agency := range []string{"ee/pbgb", "lv/vp", "ua/npu"} {
		left, err := x.As(agency, certs.RoleUnit).Package(t.Context(), id)
		if err != nil || left.State != "erased" {
			t.Errorf("%s: %+v, %v", agency, left, err)
		}
		whole, err := x.As(agency, certs.RoleUnit).Package(t.Context(), other)
		if err != nil || whole.State != "delivered" {
			t.Errorf("%s: %+v, %v", agency, whole, err)
		}
	}
	_, err = x.As("by/mia", certs.RoleUnit).Package(t.Context(), id)
	problem(t, err, api.NotFound)
	raw := x.HTTP("lv/vp", certs.RoleUnit)
	for _, part := range []string{"content", "attachments/0", "manifest"} {
		header := under(reading)
		if part == "manifest" {
			header = nil
		}
		refused(t, x, x.Do(raw, http.MethodGet, api.PackagePath(id, part), header, nil), api.Conflict)
	}
	_, err = x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), sealed)
	problem(t, err, api.Conflict)
	_, err = dpo.Erase(t.Context(), x.Order("ee/pbgb", ofPackage(id)))
	problem(t, err, api.Conflict)
	p, err := x.As("lv/vp", certs.RoleUnit).Package(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.As("lv/vp", certs.RoleUnit).Acknowledge(t.Context(), p)
	problem(t, err, api.Conflict)

	// The entries: those of the order stay, all others go.
	last := done.Receipt.Entry.Seq
	entries, err := dpo.Erase(t.Context(), x.Order("ee/pbgb", ofEntries(1, last)))
	if err != nil || entries.Erased != int(last)-1 || entries.Kept != 1 {
		t.Fatalf("%+v, %v", entries, err)
	}
	fresh := observeAgain(t, x)
	fresh.verifyErased(t, "ee/pbgb", entries.Erased)
	for _, i := range fresh.dpos["ee/pbgb"].items[:last-1] {
		if !i.Erased || i.Entry != nil || i.Salt != nil || !strings.Contains(i.Erasure, "order "+entries.ID) {
			t.Fatalf("%+v", i)
		}
	}
	if kept := fresh.dpos["ee/pbgb"].items[last-1]; kept.Erased {
		t.Error("an order hid an order")
	}
	if where := findEncoded(stateFiles(t, x), attached[:30]); where != "" {
		t.Errorf("attachment in %s", where)
	}
}

// observeAgain reads all logs from their beginning.
func observeAgain(t testing.TB, x *exchangetest.Exchange) *observer {
	t.Helper()
	o := &observer{x: x, dpos: map[string]*watchedLog{}}
	for _, a := range x.World.Agencies {
		w := &watchedLog{client: x.As(a, certs.RoleDPO), consultation: consult(t, x.As(a, certs.RoleDPO), "")}
		for item, err := range w.client.Entries(t.Context(), w.consultation, 0) {
			if err != nil {
				t.Fatal(err)
			}
			w.items = append(w.items, item)
		}
		o.dpos[a] = w
	}
	return o
}

func itemsOf(items []audit.Item) iter.Seq2[audit.Item, error] {
	return func(yield func(audit.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// verifyErased holds an agency's log against the ledger's head: so many
// entries are gone, and it is whole.
func (o *observer) verifyErased(t testing.TB, agency string, erased int) {
	t.Helper()
	w := o.dpos[agency]
	head, err := w.client.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.VerifyOwner(itemsOf(w.items), audit.OwnerLog{Owner: agency, Checkpoint: head, Hashes: w.client.Hashes(t.Context(), head)})
	if err = errors.Join(err, report.Err()); err != nil {
		t.Errorf("log of %s: %v", agency, err)
	}
	if report.Erased != erased {
		t.Errorf("log of %s: %d erased, want %d", agency, report.Erased, erased)
	}
}

// TestErasureNeedsTwo: nobody erases alone, and nobody what is another's.
func TestErasureNeedsTwo(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLVUA)).ID()
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	bring := func(agency, role, name string, order []byte) *exchangetest.Answer {
		return x.Do(x.HTTPWith(x.Identity(agency, role, name)), http.MethodPost, api.RouteErasures, http.Header{"Content-Type": {api.MediaJOSE}}, order)
	}
	forged := x.Order("ee/pbgb", ofPackage(id))
	forged = flip(forged, len(forged)-20)
	o := observe(t, x)
	for name, c := range map[string]struct {
		agency, role, who string
		order             []byte
		problem           api.ProblemType
		reason            string
	}{
		"the approver alone":           {"ee/pbgb", certs.RoleUnit, "chief", x.Order("ee/pbgb", ofPackage(id)), api.RoleForbidden, "role-forbidden"},
		"one person in two roles":      {"ee/pbgb", certs.RoleDPO, "chief", x.Order("ee/pbgb", ofPackage(id)), api.OrderRefused, "one-person"},
		"a recipient the sender's":     {"lv/vp", certs.RoleDPO, "other", x.Order("lv/vp", ofPackage(id)), api.NotFound, "not-the-sender"},
		"a stranger the sender's":      {"by/mia", certs.RoleDPO, "other", x.Order("by/mia", ofPackage(id)), api.NotFound, "not-a-party"},
		"an order of another agency":   {"lv/vp", certs.RoleDPO, "other", x.Order("ee/pbgb", ofPackage(id)), api.EnvelopeRejected, "order-of-another-agency"},
		"entries that are not":         {"ee/pbgb", certs.RoleDPO, "other", x.Order("ee/pbgb", ofEntries(1, 90_000)), api.NotFound, "no-such-entry"},
		"an order of long ago":         {"ee/pbgb", certs.RoleDPO, "other", x.Order("ee/pbgb", func(o *envelope.Erasure) { o.Package = id; o.IAT -= 8 * 86400 }), api.OrderRefused, "order:iat-window"},
		"signed with the sender's key": {"ee/pbgb", certs.RoleDPO, "other", signedBySender(t, x, id), api.EnvelopeRejected, "approve-key-unknown"},
		"a forged signature":           {"ee/pbgb", certs.RoleDPO, "other", forged, api.EnvelopeRejected, "order:signature"},
		"for another exchange":         {"ee/pbgb", certs.RoleDPO, "other", x.Order("ee/pbgb", func(o *envelope.Erasure) { o.Package = id; o.Exchange = "x.example/ledger" }), api.OrderRefused, "other-exchange"},
	} {
		o.next(t)
		refused(t, x, bring(c.agency, c.role, c.who, c.order), c.problem)
		entries := o.next(t)
		if len(entries) != 1 || entries[0].Reason != c.reason {
			t.Errorf("%s: %v", name, lines(entries))
		}
	}
	if left, err := x.As("lv/vp", certs.RoleUnit).Package(t.Context(), id); err != nil || left.State != "delivered" {
		t.Fatalf("%+v, %v", left, err)
	}
	// Another order under the id of one.
	order := x.Order("ee/pbgb", ofEntries(1, 1))
	if _, err := dpo.Erase(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	first, err := envelope.ParseErasure(order)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dpo.Erase(t.Context(), x.Order("ee/pbgb", func(o *envelope.Erasure) { o.From, o.To, o.JTI = 2, 2, first.JTI }))
	problem(t, err, api.Conflict)
	// What one agency erased, others still have.
	fresh := observeAgain(t, x)
	fresh.verifyErased(t, "ee/pbgb", 1)
	fresh.verifyErased(t, "lv/vp", 0)
}

// signedBySender is an order under a key of use sig.
func signedBySender(t testing.TB, x *exchangetest.Exchange, id string) []byte {
	t.Helper()
	raw := x.Order("ee/pbgb", ofPackage(id))
	return resigned(t, x.SignKey("ee/pbgb"), envelope.TypErasure, raw, func(_, _ object) {})
}

// TestHolds: what a hold covers is erased neither by its time nor by order,
// and what is released is.
func TestHolds(t *testing.T) {
	t.Parallel()
	x := start(t)
	held := post(t, x, draft(x, demo.EEtoLV)).ID()
	free := draft(x, demo.EEtoLV)
	free.About["case_ref"] = "EE-2026-0999"
	unheld := post(t, x, free).ID()
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	var holds []*client.HoldSet
	for _, want := range []api.HoldRequest{
		{Scope: "query", Value: "case:" + caseRef + " recipient:lv/vp", Reason: "Complaint before the court, 2026-117"},
		{Scope: "case", Value: caseRef, Reason: "Complaint before the court, 2026-117"},
		{Scope: "package", Value: held, Reason: "Complaint before the court, 2026-117"},
		{Scope: "period", Begin: "2020-01-01T00:00:00Z", End: "2021-01-01T00:00:00Z", Reason: "Complaint before the court, 2026-117"},
	} {
		h, err := dpo.AddHold(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		holds = append(holds, h)
	}
	_, err := dpo.Erase(t.Context(), x.Order("ee/pbgb", ofPackage(held)))
	problem(t, err, api.Conflict)
	entries, err := dpo.Erase(t.Context(), x.Order("ee/pbgb", ofEntries(1, 2)))
	if err != nil || entries.Held != 1 || entries.Erased != 1 {
		t.Fatalf("%+v, %v", entries, err)
	}
	for _, bad := range []api.HoldRequest{{Scope: "query", Value: "nobody:knows"}, {Scope: "query"}, {Scope: "case"}, {Scope: "package", Value: "x"}, {Scope: "all", Value: "x"}, {Scope: "none"}} {
		bad.Reason = "Complaint before the court, 2026-117"
		_, err := dpo.AddHold(t.Context(), bad)
		problem(t, err, api.RequestMalformed)
	}
	// The recipient's own hold does not keep what the sender has.
	if _, err := x.As("lv/vp", certs.RoleDPO).AddHold(t.Context(), api.HoldRequest{Scope: "all", Reason: "Complaint before the court, 2026-118"}); err != nil {
		t.Fatal(err)
	}
	p := x.Parts(exchangetest.PartsConfig{})
	x.Clock.Advance(5 * 366 * 24 * time.Hour)
	done, err := p.Service.SweepDue(t.Context())
	if err != nil || done[exchange.ClassPackage] != 1 {
		t.Fatalf("%v, %v", done, err)
	}
	check := func(id string, erased bool) {
		t.Helper()
		v, err := p.Service.Show(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), id)
		if err != nil || (v.State == exchange.StateErased) != erased {
			t.Errorf("%s: %+v, %v", id, v, err)
		}
	}
	check(held, false)
	check(unheld, true)
	if n := disclosed(t, p.Store, "lv/vp"); n == 0 {
		t.Error("entries of Latvia went that are held")
	}
	before := disclosed(t, p.Store, "ee/pbgb")
	if again, err := p.Service.SweepDue(t.Context()); err != nil || again[exchange.ClassPackage]+again[exchange.ClassLog] != 0 {
		t.Errorf("%v, %v", again, err)
	}
	for _, h := range holds[:3] {
		if _, err := p.Service.ReleaseHold(t.Context(), x.Caller("ee/pbgb", certs.RoleDPO), h.ID, "The court has decided, 2026-117"); err != nil {
			t.Fatal(err)
		}
	}
	done, err = p.Service.SweepDue(t.Context())
	if err != nil || done[exchange.ClassPackage] != 1 || done[exchange.ClassLog] == 0 || disclosed(t, p.Store, "ee/pbgb") >= before+8 {
		t.Errorf("%v, %v", done, err)
	}
	check(held, true)
	if where := findEncoded(stateFiles(t, x), caseRef); where != "" && !strings.Contains(where, "registry") {
		rows := ledgerOf(t, p.Store, "lv/vp")
		if !strings.Contains(rows, caseRef) {
			t.Errorf("the case reference stands in %s", where)
		}
	}
}

// disclosed counts the entries of an owner that are not erased.
func disclosed(t testing.TB, s exchange.Store, owner string) (n int) {
	t.Helper()
	err := s.View(context.Background(), func(rows exchange.Reader) error {
		seqs, err := rows.Disclosed(owner, 0, 1<<40, 1<<30)
		n = len(seqs)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ledgerOf is what is left of an owner's entries.
func ledgerOf(t testing.TB, s exchange.Store, owner string) string {
	t.Helper()
	var b strings.Builder
	err := s.View(context.Background(), func(rows exchange.Reader) error {
		all, err := rows.Entries(owner, 0, 1<<30)
		for _, row := range all {
			b.Write(row.Entry)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSweeper: each class goes in its time and not before, its agency is told,
// what is not due stays, and a preview has said so.
func TestSweeper(t *testing.T) {
	t.Parallel()
	x := start(t)
	acknowledged, lapsed := post(t, x, draft(x, demo.EEtoLV)).ID(), post(t, x, draft(x, demo.EEtoLV)).ID()
	accept(t, x.As("lv/vp", certs.RoleUnit), acknowledged)
	if _, err := x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.ITtoBY))); err == nil {
		t.Fatal("delivered")
	}
	consult(t, x.As("lv/vp", certs.RoleUnit), acknowledged)
	consult(t, x.As("ee/pbgb", certs.RoleDPO), "")
	p := x.Parts(exchangetest.PartsConfig{})
	dpo := x.Caller("ee/pbgb", certs.RoleDPO)
	opened, err := p.Service.Consult(t.Context(), dpo, exchange.ConsultationRequest{Officer: reader, Justification: why})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	preview := func(in time.Duration) map[string]int {
		t.Helper()
		got, err := p.Service.PreviewErasures(t.Context(), dpo, opened.ID, x.Clock.Now().Add(in), 100)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, c := range got.Classes {
			counts[c.Class] = c.Count
		}
		return counts
	}
	soon, later, last := preview(29*day), preview(125*day), preview(6*366*day)
	if soon["content"]+soon["package"]+soon["log"] != 0 || later["content"] != 1 || last["package"] != 2 || last["log"] == 0 {
		t.Errorf("%v %v %v", soon, later, last)
	}
	sweep := func(after time.Duration, want exchange.Swept) {
		t.Helper()
		x.Clock.Advance(after)
		done, err := p.Service.SweepDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, class := range []string{exchange.ClassPackage, exchange.ClassContent, exchange.ClassInputs, exchange.ClassConsultation} {
			if done[class] != want[class] {
				t.Errorf("after %v: %v, want %v", after, done, want)
				break
			}
		}
	}
	sweep(29*day, exchange.Swept{})
	sweep(2*day, exchange.Swept{exchange.ClassConsultation: 3})
	sweep(94*day, exchange.Swept{exchange.ClassContent: 1})
	state := func(id string) string {
		v, err := p.Service.Show(t.Context(), x.Caller("lv/vp", certs.RoleUnit), id)
		if err != nil {
			t.Fatal(err)
		}
		return v.State
	}
	if state(lapsed) != "delivered" {
		t.Errorf("%s", state(lapsed))
	}
	sweep(250*day, exchange.Swept{exchange.ClassInputs: 1})
	sweep(400*day, exchange.Swept{exchange.ClassPackage: 2})
	if state(lapsed) != "erased" || state(acknowledged) != "erased" {
		t.Errorf("%s %s", state(lapsed), state(acknowledged))
	}
	if n := disclosed(t, p.Store, "lv/vp"); n < 6 {
		t.Errorf("%d entries left", n)
	}
	x.Clock.Advance(322 * day) // beyond three years of what was written on the first day
	done, err := p.Service.SweepDue(t.Context())
	if err != nil || done[exchange.ClassLog] == 0 {
		t.Fatalf("%v, %v", done, err)
	}
	left := ledgerOf(t, p.Store, "ee/pbgb")
	if strings.Contains(left, justification) || !strings.Contains(left, string(exchange.ActErase)) {
		t.Errorf("%s", left)
	}
	for _, secret := range []string{officer, justification, caseRef, why, reader} {
		// lv's and the DPO's own new entries say who read in this test.
		if secret == why || secret == reader {
			continue
		}
		if where := findEncoded(stateFiles(t, x), secret); where != "" {
			t.Errorf("%q stands in %s", secret, where)
		}
	}
}

// TestErasedEntryCannotBeGuessed (A11): who has the ledger and a list of what
// an entry may have said cannot find out which it was, once its salt is gone.
func TestErasedEntryCannotBeGuessed(t *testing.T) {
	t.Parallel()
	x := start(t)
	post(t, x, draft(x, demo.EEtoLV))
	p := x.Parts(exchangetest.PartsConfig{})
	entry := func(seq uint64) (row *exchange.EntryRow) {
		t.Helper()
		err := p.Store.View(t.Context(), func(rows exchange.Reader) (err error) {
			row, err = rows.Entry("ee/pbgb", seq)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	target := entry(1)
	dictionary := [][]byte{target.Entry} // as good as a list can be
	for i := range 100 {
		dictionary = append(dictionary, []byte(fmt.Sprintf("guess %d", i)))
	}
	guess := func(row *exchange.EntryRow) bool {
		salts := []audit.Salt{{}}
		if len(row.Salt) == len(audit.Salt{}) {
			salts = append(salts, audit.Salt(row.Salt))
		}
		err := p.Store.View(t.Context(), func(rows exchange.Reader) error {
			for _, owner := range []string{"ee/pbgb", "lv/vp", demo.Operator} {
				all, err := rows.Entries(owner, 0, 1000)
				if err != nil {
					return err
				}
				for _, other := range all {
					if len(other.Salt) == len(audit.Salt{}) {
						salts = append(salts, audit.Salt(other.Salt))
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		leaf := row.Commitment.Leaf()
		for _, text := range dictionary {
			if sha256.Sum256(append([]byte{0}, text...)) == [32]byte(leaf) || audit.Commitment(sha256.Sum256(text)).Leaf() == leaf {
				return true
			}
			for _, salt := range salts {
				if audit.Commit(salt, text).Leaf() == leaf {
					return true
				}
			}
		}
		return false
	}
	if !guess(target) {
		t.Fatal("the attack does not even find an entry that is there")
	}
	if _, err := p.Service.Erase(t.Context(), x.Caller("ee/pbgb", certs.RoleDPO), x.Order("ee/pbgb", ofEntries(1, 1))); err != nil {
		t.Fatal(err)
	}
	if gone := entry(1); gone.Entry != nil || gone.Salt != nil || gone.Commitment != target.Commitment || guess(gone) {
		t.Errorf("%+v", gone)
	}
}

// TestOrdersSurviveACrash: what was ordered is erased by the sweeper of the
// next start, and its entry says how much.
func TestOrdersSurviveACrash(t *testing.T) {
	t.Parallel()
	x := start(t)
	for range 5 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	p := x.Parts(exchangetest.PartsConfig{})
	order := exchange.ErasureOrder{ID: newID(), Owner: "ee/pbgb", Payload: strings.Repeat("p", 43), From: 2, To: 4, Through: 2, Erased: 1, At: x.Clock.Now()}
	_, err := p.Journal.Commit(t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		order.Index = tx.NextIndex(0)
		tx.PutErasureOrder(order)
		return []audit.Entry{{Owner: "ee/pbgb", Operation: audit.Erasure, Action: string(exchange.ActErase), Outcome: "ordered"}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Service.SweepDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = p.Store.View(t.Context(), func(rows exchange.Reader) error {
		got, err := rows.ErasureOrder(order.ID)
		if err != nil || !got.Done || got.Erased != 3 {
			t.Errorf("%+v, %v", got, err)
		}
		seqs, err := rows.Disclosed("ee/pbgb", 0, 5, 10)
		if !slices.Equal(seqs, []uint64{1, 2, 5}) {
			t.Errorf("%v", seqs)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if last := newest(t, p, "ee/pbgb"); last.Outcome != "done" || last.Details["erased"] != "3" {
		t.Errorf("%+v", last)
	}
}
