package exchange_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// field is a text member of a JSON object.
func field(t testing.TB, body []byte, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	s, _ := members[name].(string)
	return s
}

// TestAuditPages reads a log page by page: whole, in order, each entry once.
// Each page is an entry of its own; a page with nothing on it is none.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	x := start(t)
	for range 4 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	dpo, raw := x.As("lv/vp", certs.RoleDPO), x.HTTP("lv/vp", certs.RoleDPO)
	read := under(consult(t, dpo, ""))
	page := func(after, limit uint64) (items []audit.Item, next string) {
		t.Helper()
		a := x.Do(raw, http.MethodGet, fmt.Sprintf("%s?after=%d&limit=%d", api.RouteAuditEntries, after, limit), read, nil)
		var p api.AuditPage
		if err := json.Unmarshal(a.Body, &p); err != nil || a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for _, w := range p.Items {
			i, err := client.Item(w)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, i)
		}
		return items, p.Next
	}
	var all []audit.Item
	for after := uint64(0); len(all) < 5; after = all[len(all)-1].Seq { // four deliveries and the consultation
		items, next := page(after, 2)
		if all = append(all, items...); next != strconv.FormatUint(all[len(all)-1].Seq, 10) {
			t.Errorf("after %d: next is %q", after, next)
		}
	}
	for i, item := range all {
		if item.Seq != uint64(i+1) || item.Owner != "lv/vp" {
			t.Errorf("place %d: entry %d of %s", i, item.Seq, item.Owner)
		}
	}
	// The three pages have left three entries; the last of them is the end.
	items, next := page(5, 200)
	if len(items) != 3 || next != "" {
		t.Fatalf("%d entries behind, next %q", len(items), next)
	}
	for i, item := range items {
		e, err := audit.ParseEntry(item.Entry)
		if err != nil || e.Action != "audit.list" || e.Officer != reader || e.Justification != why || e.Count != 2 || e.Details["after"] != strconv.Itoa(2*i) {
			t.Errorf("reading is recorded as %+v, %v", e, err)
		}
	}
	if items, next = page(9, 200); len(items) != 0 || next != "" {
		t.Errorf("behind the end: %d entries", len(items))
	}
	if items, _ = page(8, 200); len(items) != 1 { // the reading of three; the empty page left none
		t.Errorf("an empty page left %d entries", len(items)-1)
	}
	for _, bad := range []string{"after=-1", "after=x", "after=1e3", "after=01", "limit=0", "limit=1000", "owner=EE", "colour=red", "after=1&after=2"} {
		refused(t, x, x.Do(raw, http.MethodGet, api.RouteAuditEntries+"?"+bad, read, nil), api.RequestMalformed)
	}
}

// TestAuditEntry reads single entries.
func TestAuditEntry(t *testing.T) {
	t.Parallel()
	x := start(t)
	sent := post(t, x, draft(x, demo.EEtoLV))
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	c := consult(t, dpo, "")
	o := observe(t, x)
	item, err := dpo.Entry(t.Context(), c, "ee/pbgb", sent.Receipt.Entry.Seq)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := audit.ParseReceipt(sent.Receipt.Text)
	if err != nil {
		t.Fatal(err)
	}
	if string(item.Entry) != string(receipt.Entry) || string(item.Salt) != string(receipt.Salt) || item.Index != receipt.Index {
		t.Error("the DPO reads another entry than the receipt proves")
	}
	o.expect(t, "entry", "ee/pbgb audit.show shown")
	_, err = dpo.Entry(t.Context(), c, "lv/vp", 1)
	problem(t, err, api.NotFound)
	o.expect(t, "another's entry", "ee/pbgb audit.show refused not-found/entry-of-another")
	_, err = dpo.Entry(t.Context(), c, "ee/pbgb", 1<<50)
	problem(t, err, api.NotFound)
	o.expect(t, "no entry", "ee/pbgb audit.show refused not-found/no-such-entry")
	_, err = dpo.Entry(t.Context(), noPackage, "ee/pbgb", 1)
	problem(t, err, api.ConsultationRequired)
	o.expect(t, "no consultation", "ee/pbgb audit.show refused consultation-required/consultation-of-another")
	x.Clock.Advance(8*time.Hour + time.Second)
	_, err = dpo.Entry(t.Context(), c, "ee/pbgb", 1)
	problem(t, err, api.ConsultationRequired)
}

// TestAuditVerifies: what a DPO exports is proven without trust in the
// server, and an entry that is altered, left out or put elsewhere shows.
func TestAuditVerifies(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	for range 6 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	x.Restart()
	post(t, x, draft(x, demo.EEtoLV))
	o = &observer{x: x, dpos: o.dpos}
	for _, a := range x.World.Agencies { // the node has another address by now
		o.dpos[a].client = x.As(a, certs.RoleDPO)
	}
	o.next(t)
	o.verify(t)

	items := o.dpos["ee/pbgb"].items
	head, err := o.dpos["ee/pbgb"].client.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	verify := func(items []audit.Item) error {
		report, err := audit.VerifyOwner(func(yield func(audit.Item, error) bool) {
			for _, i := range items {
				if !yield(i, nil) {
					return
				}
			}
		}, audit.OwnerLog{Owner: "ee/pbgb", Checkpoint: head, Hashes: o.dpos["ee/pbgb"].client.Hashes(t.Context(), head)})
		return errors.Join(err, report.Err())
	}
	harm := func(f func(items []audit.Item) []audit.Item) error {
		copied := append([]audit.Item(nil), items...)
		return verify(f(copied))
	}
	for name, f := range map[string]func([]audit.Item) []audit.Item{
		"an entry left out": func(i []audit.Item) []audit.Item { return append(i[:2], i[3:]...) },
		"two exchanged":     func(i []audit.Item) []audit.Item { i[2], i[3] = i[3], i[2]; return i },
		"an entry altered": func(i []audit.Item) []audit.Item {
			i[2].Entry = append([]byte(nil), i[2].Entry...)
			i[2].Entry[len(i[2].Entry)/2] ^= 1
			return i
		},
	} {
		if harm(f) == nil {
			t.Errorf("%s: not seen", name)
		}
	}
}
