package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// testErasures: what is erased is gone and says by which act, what is beside
// it stays, and what is due is found in its order.
func testErasures(t *testing.T, s exchange.Store) {
	one, two, three := somePackage(1), somePackage(2), somePackage(3)
	one.EraseAt, two.EraseAt, three.EraseAt = at(50), at(40), at(60)
	one.ContentAt, two.ContentAt, three.ContentAt = at(10), at(20), at(30)
	two.Attachments = []exchange.AttachmentRow{{Blob: two.ID + "/0." + digest("a"), SHA256: digest("a"), Size: 1}}
	write(t, s, func(tx exchange.Transaction) {
		for i, p := range []*exchange.Package{one, two, three} {
			tx.PutPackage(p, []byte("content"))
			d := someDelivery(i+1, "lv/vp", uint64(i+1))
			d.FetchedAt, d.Mismatches = at(5), []exchange.Mismatch{{Code: "subjects", At: at(6), Index: 1}}
			if p == three {
				d.Outcome = exchange.StateAcknowledged
			}
			tx.PutDelivery(p.ID, d)
			decision := someDecision(i+1, "lv/vp")
			if p == one {
				decision.Shared = digest("alone")
			}
			tx.PutDecision(decision)
		}
		tx.PutInput(digest("alone"), []byte("input"))
		grow(t, tx, "ee/pbgb", "lv/vp", "ee/pbgb", "ee/pbgb", "ee/pbgb", "ee/pbgb")
	})
	due := func(r exchange.Reader, d exchange.Due) (ids []string) {
		for _, p := range must[[]*exchange.Package](t)(r.DuePackages(d)) {
			ids = append(ids, p.ID)
		}
		return ids
	}
	view(t, s, func(r exchange.Reader) {
		equal(t, "due", due(r, exchange.Due{Class: exchange.ClassPackage, Before: at(50), Limit: 9}), []string{two.ID, one.ID})
		equal(t, "due later", due(r, exchange.Due{Class: exchange.ClassPackage, Before: at(90), Limit: 9, After: exchange.DueMark{At: at(50), Index: one.Index}}), []string{three.ID})
		equal(t, "due of another", len(due(r, exchange.Due{Class: exchange.ClassPackage, Before: at(90), Limit: 9, Sender: "lv/vp"})), 0)
		equal(t, "content that nobody wants", due(r, exchange.Due{Class: exchange.ClassContent, Before: at(90), Limit: 9}), []string{one.ID, two.ID})
		equal(t, "disclosed", must[[]uint64](t)(r.Disclosed("ee/pbgb", 1, 4, 9)), []uint64{2, 3, 4})
		equal(t, "seq before", []uint64{must[uint64](t)(r.SeqBefore("ee/pbgb", 0)), must[uint64](t)(r.SeqBefore("ee/pbgb", 4)), must[uint64](t)(r.SeqBefore("ee/pbgb", 99)),
			must[uint64](t)(r.SeqBefore("xx/none", 99))}, []uint64{0, 3, 5, 0})
		head := must[exchange.Head](t)(r.Head())
		equal(t, "head at", []int64{must[exchange.Head](t)(r.HeadAt(head.Time)).Size, must[exchange.Head](t)(r.HeadAt(head.Time.Add(-1))).Size}, []int64{6, 0})
	})
	act := exchange.ErasureRow{Index: 5, Owner: "ee/pbgb", By: "exchange/ops", Seq: 5, Class: exchange.ClassLog, Why: exchange.ByRetention, What: "entries 1-2,4", At: at(70)}
	order := exchange.ErasureOrder{ID: packageID(9), Owner: "ee/pbgb", Payload: digest("o"), From: 1, To: 4, Through: 2, Erased: 2, Index: 4, At: at(70)}
	hold := exchange.Hold{ID: packageID(8), Owner: "ee/pbgb", Scope: exchange.HoldPeriod, From: at(1), To: at(2), Reason: "why", By: "spiffe://ee/pbgb/dpo/a", At: at(70)}
	write(t, s, func(tx exchange.Transaction) {
		tx.EraseEntries("ee/pbgb", []exchange.SeqRange{{From: 1, To: 2}, {From: 4, To: 4}}, act.Index)
		tx.PutErasure(act)
		tx.ErasePackage(one.ID, 3)
		tx.EraseContent(two.ID, 3)
		tx.PutErasureOrder(order)
		tx.PutHold(hold)
		tx.SetSwept("x", 7)
		tx.SetSwept("x", 8)
		equal(t, "own write", must[*exchange.Package](t)(tx.Package(one.ID)).Erased, true)
	})
	view(t, s, func(r exchange.Reader) {
		for seq, gone := range map[uint64]bool{1: true, 2: true, 3: false, 4: true, 5: false} {
			row := must[*exchange.EntryRow](t)(r.Entry("ee/pbgb", seq))
			if (row.Entry == nil && row.Salt == nil) != gone || (row.Erasure != nil) != gone || gone && *row.Erasure != act {
				t.Errorf("entry %d: %+v", seq, row)
			}
		}
		equal(t, "count", must[int](t)(r.CountErased("ee/pbgb", 1, 5)), 2)
		equal(t, "still disclosed", must[[]uint64](t)(r.Disclosed("ee/pbgb", 0, 9, 9)), []uint64{3, 5})
		if row := must[*exchange.EntryRow](t)(r.Entry("lv/vp", 1)); row.Entry == nil || row.Erasure != nil {
			t.Errorf("another's: %+v", row)
		}
		gone := must[*exchange.Package](t)(r.Package(one.ID))
		if !gone.Erased || gone.State != exchange.StateErased || len(gone.Manifest)+len(gone.Statement)+len(gone.Answer) > 0 || gone.Payload != one.Payload || gone.Act != 3 ||
			gone.Deliveries[0].Outcome != "delivered" || !gone.Deliveries[0].FetchedAt.IsZero() || gone.Deliveries[0].Mismatches != nil {
			t.Errorf("%+v", gone)
		}
		half := must[*exchange.Package](t)(r.Package(two.ID))
		if half.Erased || !half.ContentErased || len(half.Manifest) == 0 || half.Attachments != nil || half.Deliveries[0].FetchedAt != at(5) {
			t.Errorf("%+v", half)
		}
		for id, want := range map[string]string{one.ID: "", two.ID: "", three.ID: "content"} {
			equal(t, "content", string(must[[]byte](t)(r.Content(id))), want)
		}
		equal(t, "input", len(must[[]byte](t)(r.Input(digest("alone")))), 0)
		equal(t, "inbox", len(must[[]*exchange.Package](t)(r.List(exchange.Query{Agency: "lv/vp", State: exchange.StateErased, Limit: 9}))), 1)
		equal(t, "outbox", len(must[[]*exchange.Package](t)(r.List(exchange.Query{Agency: "ee/pbgb", Outbox: true, State: exchange.StateErased, Limit: 9}))), 1)
		equal(t, "acts", must[[]exchange.ErasureRow](t)(r.Erasures("ee/pbgb", 0, 9)), []exchange.ErasureRow{act})
		equal(t, "acts of another", len(must[[]exchange.ErasureRow](t)(r.Erasures("lv/vp", 0, 9))), 0)
		equal(t, "acts since", len(must[[]exchange.ErasureRow](t)(r.ErasuresSince(5, 9))), 0)
		equal(t, "open orders", must[[]exchange.ErasureOrder](t)(r.OpenOrders()), []exchange.ErasureOrder{order})
		equal(t, "holds", must[[]exchange.Hold](t)(r.Holds("ee/pbgb")), []exchange.Hold{hold})
		equal(t, "swept", must[int64](t)(r.Swept("x")), int64(8))
	})
	order.Done, order.Through, order.Erased = true, 4, 3
	write(t, s, func(tx exchange.Transaction) {
		tx.PutErasureOrder(order)
		tx.PutInput(digest("alone"), []byte("asked again"))
		released := hold
		released.Released = at(80)
		tx.PutHold(released)
	})
	view(t, s, func(r exchange.Reader) {
		equal(t, "no open orders", len(must[[]exchange.ErasureOrder](t)(r.OpenOrders())), 0)
		equal(t, "done order", must[*exchange.ErasureOrder](t)(r.ErasureOrder(order.ID)), &order)
		equal(t, "asked again", string(must[[]byte](t)(r.Input(digest("alone")))), "asked again")
		if h := must[[]exchange.Hold](t)(r.Holds("")); len(h) != 1 || h[0].Released != at(80) || h[0].Reason != "" || h[0].By != "" {
			t.Errorf("%+v", h)
		}
	})
	testStale(t, s)
}

// testStale: what outlived its use, and only that.
func testStale(t *testing.T, s exchange.Store) {
	write(t, s, func(tx exchange.Transaction) {
		for i, expires := range []int64{10, 20, 30} {
			tx.PutConsultation(exchange.ConsultationRow{ID: packageID(50 + i), Agency: "lv/vp", Identity: "i", Officer: "o", Justification: "j", Expires: at(expires)})
		}
		for i, id := range []int{20, 3, 21} { // 3 is a package
			d := someDecision(id, "ua/npu")
			d.At, d.Shared = at(int64(i)), digest(fmt.Sprint("of ", id))
			tx.PutDecision(d)
		}
		tx.PutInput(digest("of 20"), []byte("input"))
	})
	var consulted, asked []exchange.StaleRow
	view(t, s, func(r exchange.Reader) {
		consulted = must[[]exchange.StaleRow](t)(r.StaleConsultations(at(25), 0, 9))
		var next int64
		var err error
		if asked, next, err = r.StaleInputs(at(2), 3, 9); err != nil || next != 5 {
			t.Errorf("%d, %v", next, err)
		}
	})
	if len(consulted) != 2 || consulted[1].At != at(20) || len(asked) != 1 || asked[0].Shared != digest("of 20") {
		t.Fatalf("%+v %+v", consulted, asked)
	}
	write(t, s, func(tx exchange.Transaction) {
		tx.EraseConsultations(consulted)
		tx.EraseInputs(asked)
	})
	view(t, s, func(r exchange.Reader) {
		if c := must[*exchange.ConsultationRow](t)(r.Consultation(packageID(50))); c.Officer != "" || c.Justification != "" || c.Identity != "" || c.Agency != "lv/vp" {
			t.Errorf("%+v", c)
		}
		if c := must[*exchange.ConsultationRow](t)(r.Consultation(packageID(52))); c.Officer != "o" {
			t.Errorf("%+v", c)
		}
		equal(t, "stale again", len(must[[]exchange.StaleRow](t)(r.StaleConsultations(at(25), 0, 9))), 0)
		equal(t, "input", len(must[[]byte](t)(r.Input(digest("of 20")))), 0)
		equal(t, "own", len(must[*exchange.DecisionRow](t)(r.Decision(someDecision(20, "ua/npu").ID)).Own), 0)
	})
	if clean, err := s.Scrub(t.Context()); !clean || err != nil {
		t.Errorf("scrub: %v, %v", clean, err)
	}
	view(t, s, func(r exchange.Reader) {
		must[exchange.Head](t)(r.Head())
		write(t, s, func(tx exchange.Transaction) { tx.SetSwept("y", 1) })
		ctx := t.Context()
		begun := time.Now()
		if clean, err := s.Scrub(ctx); clean || err != nil {
			t.Errorf("scrub under a reader: %v, %v after %v", clean, err, time.Since(begun))
		}
	})
}

// testSharedInputs: what two packages, and a question that never became one,
// asked of policy to the byte is kept until the last of them is erased, and
// not longer, in whatever order they go.
func testSharedInputs(t *testing.T, s exchange.Store) {
	ask := exchange.StaleRow{}
	steps := map[string]func(tx exchange.Transaction){
		"first package":  func(tx exchange.Transaction) { tx.ErasePackage(packageID(1), 3) },
		"second package": func(tx exchange.Transaction) { tx.ErasePackage(packageID(2), 3) },
		"question":       func(tx exchange.Transaction) { tx.EraseInputs([]exchange.StaleRow{ask}) },
	}
	orders := [][]string{{"first package", "second package", "question"}, {"question", "second package", "first package"}, {"second package", "question", "first package"}}
	for n, order := range orders {
		write(t, s, func(tx exchange.Transaction) {
			for id := 1; id <= 3; id++ {
				if n == 0 && id < 3 {
					tx.PutPackage(somePackage(id), nil)
				}
				for _, recipient := range []string{"lv/vp", "it/dcpc"} {
					d := someDecision(id, recipient)
					d.ID += fmt.Sprint(n)
					tx.PutDecision(d)
				}
			}
			tx.PutInput(digest("shared"), []byte("input"))
		})
		view(t, s, func(r exchange.Reader) {
			all, _, err := r.Decisions(0, 99)
			if err != nil {
				t.Fatal(err)
			}
			ask = exchange.StaleRow{Position: int64(len(all)), Shared: digest("shared")} // the last question, of one recipient
		})
		write(t, s, func(tx exchange.Transaction) {
			tx.EraseInputs([]exchange.StaleRow{{Position: ask.Position - 1, Shared: ask.Shared}}) // the other recipient
			tx.EraseInputs(nil)
		})
		for i, step := range order {
			view(t, s, func(r exchange.Reader) {
				equal(t, fmt.Sprint(order, " before ", step), string(must[[]byte](t)(r.Input(digest("shared")))), "input")
			})
			write(t, s, steps[step])
			write(t, s, steps[order[0]]) // again, as a list of erasures does: nothing is counted twice
			view(t, s, func(r exchange.Reader) {
				want := "input"
				if i == len(order)-1 {
					want = ""
				}
				equal(t, fmt.Sprint(order, " after ", step), string(must[[]byte](t)(r.Input(digest("shared")))), want)
			})
		}
	}
}
