package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// acceptAll accepts any obligations.
func acceptAll(context.Context, *api.Descriptor, []api.Obligation) error { return nil }

// send sends a package that the tests go on with.
func (x *testExchange) send(in SendInput) *Sent {
	x.t.Helper()
	sent, err := x.client("ee/pbgb").Send(x.t.Context(), in)
	must(x.t, err)
	x.t.Cleanup(func() { sent.Close() })
	return sent
}

func TestSendAndOpen(t *testing.T) {
	x := newTestExchange(t)
	big := make([]byte, 3<<20+17)
	rand.Read(big)
	in := x.input("lv/vp", "ua/npu")
	in.Attachments = []envelope.AttachmentSource{x.attach("scan.pdf", big), x.attach("empty.pdf", nil)}
	var done, total int64
	in.Progress = func(sent, all int64) { done, total = sent, all }
	sent := x.send(in)
	if len(sent.Outcomes) != 2 || sent.Repeat || sent.Receipt.Entry.Package != sent.ID() {
		t.Fatalf("sent: %+v", sent)
	}
	if done != total || total < int64(len(big)) {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	for _, agency := range []string{"lv/vp", "ua/npu"} {
		x.held[sent.ID()].outcome = "delivered"
		var asked []api.Obligation
		opened, err := x.client(agency).Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason,
			Accept: func(_ context.Context, _ *api.Descriptor, o []api.Obligation) error { asked = o; return nil }})
		must(t, err)
		if len(asked) != len(testObligations) || asked[1].Code != "erase_by" {
			t.Errorf("%s was asked to accept %v", agency, asked)
		}
		if opened.Acknowledgement == nil || opened.Message.Text != in.Message.Text {
			t.Errorf("%s opened %+v", agency, opened)
		}
		var got bytes.Buffer
		must(t, opened.Attachment(t.Context(), 0, &got, nil))
		if !bytes.Equal(got.Bytes(), big) {
			t.Errorf("%s got another attachment", agency)
		}
		got.Reset()
		if must(t, opened.Attachment(t.Context(), 1, &got, nil)); got.Len() != 0 {
			t.Errorf("%s got %d bytes of an empty attachment", agency, got.Len())
		}
	}
	again, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason})
	must(t, err)
	if again.Acknowledgement != nil {
		t.Error("acknowledged twice")
	}
}

func TestSenderOpensItsCopy(t *testing.T) {
	x := newTestExchange(t)
	in := x.input("lv/vp")
	in.CopyToSelf = true
	sent := x.send(in)
	opened, err := x.client("ee/pbgb").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason})
	must(t, err)
	if opened.Message.Text != in.Message.Text || opened.Acknowledgement != nil {
		t.Errorf("opened %+v", opened)
	}
	in.CopyToSelf = false
	sent = x.send(in)
	if _, err := x.client("ee/pbgb").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason}); err == nil {
		t.Error("opened a package without a copy for the sender")
	}
}

func TestNothingIsAcknowledgedWithoutConsent(t *testing.T) {
	x := newTestExchange(t)
	sent := x.send(x.input("lv/vp"))
	no := errors.New("no")
	for _, accept := range []func(context.Context, *api.Descriptor, []api.Obligation) error{
		nil, func(context.Context, *api.Descriptor, []api.Obligation) error { return no },
	} {
		_, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: accept})
		if !errors.Is(err, ErrNotAccepted) && !errors.Is(err, no) {
			t.Errorf("open: %v", err)
		}
	}
	for _, call := range x.calls {
		if strings.HasSuffix(call, "/acknowledgement") || strings.HasSuffix(call, "/content") {
			t.Errorf("called %s", call)
		}
	}
}

func TestObligationsThatChanged(t *testing.T) {
	x := newTestExchange(t)
	sent := x.send(x.input("lv/vp"))
	var asked []int
	opened, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason,
		Accept: func(_ context.Context, _ *api.Descriptor, o []api.Obligation) error {
			if asked = append(asked, len(o)); len(asked) == 1 {
				first := &x.held[sent.ID()].first.Outcomes[0]
				first.Obligations, first.Decision = first.Obligations[:1], "d-2"
			}
			return nil
		}})
	must(t, err)
	if !slices.Equal(asked, []int{2, 1}) || opened.Acknowledgement == nil {
		t.Errorf("asked with %v obligations", asked)
	}
}

func TestStatesThatCannotBeOpened(t *testing.T) {
	x := newTestExchange(t)
	sent := x.send(x.input("lv/vp"))
	x.held[sent.ID()].outcome = "pending"
	_, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	var state *StateError
	if !errors.As(err, &state) || state.State != "pending" || !errors.Is(err, api.Conflict) {
		t.Errorf("open: %v", err)
	}
}

func TestDeniedNow(t *testing.T) {
	x := newTestExchange(t)
	sent := x.send(x.input("lv/vp"))
	x.denies["lv/vp"] = true
	_, err := x.client("lv/vp").Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
	if !errors.Is(err, api.PolicyDenied) {
		t.Errorf("open: %v", err)
	}
}

func TestRepeat(t *testing.T) {
	x := newTestExchange(t)
	sent := x.send(x.input("lv/vp"))
	x.ledger.fill(10)
	again, err := x.client("ee/pbgb").PostSealed(t.Context(), sent.Sealed)
	must(t, err)
	if !again.Repeat || again.Receipt.Text != sent.Receipt.Text {
		t.Errorf("repeat: %v, receipt the same: %v", again.Repeat, again.Receipt.Text == sent.Receipt.Text)
	}
}

func TestDenied(t *testing.T) {
	x := newTestExchange(t)
	x.denies["ua/npu"] = true
	sent, err := x.client("ee/pbgb").Send(t.Context(), x.input("lv/vp", "ua/npu"))
	defer sent.Close()
	var p *api.Problem
	if !errors.As(err, &p) || !errors.Is(err, api.PolicyDenied) || len(p.Outcomes) != 1 || p.Outcomes[0].Reasons[0].Rule != "R28" {
		t.Fatalf("send: %v", err)
	}
	if sent.Receipt == nil || sent.Receipt.Entry.Outcome != "denied" || sent.Outcomes != nil {
		t.Errorf("sent: %+v", sent)
	}
}

func TestDryRun(t *testing.T) {
	x := newTestExchange(t)
	x.denies["ua/npu"] = true
	got, err := x.client("ee/pbgb").DryRun(t.Context(), x.input("lv/vp", "ua/npu"))
	must(t, err)
	if len(got.Outcomes) != 2 || got.Receipt == nil || len(x.held) != 0 {
		t.Errorf("dry run: %+v", got)
	}
	in := x.input("lv/vp")
	in.Meta = json.RawMessage(`{"v":1}`)
	calls := len(x.calls)
	if _, err := x.client("ee/pbgb").DryRun(t.Context(), in); !errors.Is(err, envelope.ErrMalformed) || len(x.calls) != calls {
		t.Errorf("dry run of a bad meta: %v", err)
	}
}

func TestLists(t *testing.T) {
	x := newTestExchange(t)
	c := x.client("ee/pbgb")
	var ids []string
	for d, err := range c.Packages(t.Context(), Query{Box: Outbox, State: "delivered"}) {
		must(t, err)
		if ids = append(ids, d.ID); d.Type != "outboxdelivered" {
			t.Errorf("the query was %q", d.Type)
		}
	}
	if strings.Join(ids, "") != "01234" {
		t.Errorf("listed %v", ids)
	}
	for d := range c.Packages(t.Context(), Query{After: "3"}) {
		if d.ID != "3" {
			t.Errorf("after 3 comes %s", d.ID)
		}
		break
	}
	agencies, err := c.Agencies(t.Context())
	must(t, err)
	if len(agencies) != 1 || agencies[0].ID != "lv/vp" {
		t.Errorf("agencies %v", agencies)
	}
	one, err := c.AgencyByID(t.Context(), "lv/vp")
	must(t, err)
	if one.ID != "lv/vp" {
		t.Errorf("agency %v", one)
	}
}

func TestEndlessList(t *testing.T) {
	x := newTestExchange(t)
	x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		reply(w, r, 200, api.Page{Items: []api.Descriptor{{ID: "0"}}, Next: "7"})
		return true
	}
	n := 0
	for _, err := range x.client("ee/pbgb").Packages(t.Context(), Query{}) {
		if n++; err != nil {
			if n != 3 {
				t.Errorf("failed after %d: %v", n, err)
			}
			return
		}
	}
	t.Error("the list ended well")
}

// TestEntries reads a log as a data-protection officer's tool does, and proves it whole.
func TestEntries(t *testing.T) {
	x := newTestExchange(t)
	for range 4 {
		x.send(x.input("lv/vp"))
		x.ledger.fill(100)
	}
	c := x.client("ee/pbgb")
	consultation, err := c.Consult(t.Context(), ConsultInput{Reason: testReason})
	must(t, err)
	var items []audit.Item
	for item, err := range c.Entries(t.Context(), consultation.ID, 0) {
		must(t, err)
		items = append(items, item)
	}
	cp, err := c.Checkpoint(t.Context())
	must(t, err)
	report, err := audit.VerifyOwner(func(yield func(audit.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}, audit.OwnerLog{Owner: "ee/pbgb", Checkpoint: cp, Hashes: c.Hashes(t.Context(), cp),
		Known: []audit.Position{{Seq: consultation.Receipt.Entry.Seq, Commitment: consultation.Receipt.Commitment}}})
	must(t, err)
	if len(report.Faults) != 0 || report.Disclosed != 5 {
		t.Errorf("report %+v", report)
	}
	one, err := c.Entry(t.Context(), consultation.ID, "ee/pbgb", 2)
	must(t, err)
	if one.Seq != 2 || !bytes.Equal(one.Entry, items[1].Entry) {
		t.Errorf("entry %+v", one)
	}
}

// TestParallel: one client, many callers.
func TestParallel(t *testing.T) {
	x := newTestExchange(t)
	c := x.client("ee/pbgb")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			sent, err := c.Send(t.Context(), x.input("lv/vp"))
			if err != nil {
				t.Error(err)
			}
			sent.Close()
		})
	}
	group.Wait()
	cp, ok, err := c.ledger.latest(t.Context())
	if err != nil || !ok || cp.Size != 16 {
		t.Errorf("newest checkpoint: %d, %v", cp.Size, err)
	}
}

func TestUsage(t *testing.T) {
	x := newTestExchange(t)
	for name, spoil := range map[string]func(*Config){
		"http":      func(c *Config) { c.Server = "http://exchange.example" },
		"no agency": func(c *Config) { c.Agency = "ee" },
		"no tls":    func(c *Config) { c.TLS = nil },
		"no trust":  func(c *Config) { c.Trust = nil },
		"no ledger": func(c *Config) { c.Ledger = audit.Keys{} },
	} {
		config := x.config("ee/pbgb")
		if spoil(&config); func() error { _, err := New(config); return err }() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	config := x.config("ee/pbgb")
	config.Sign, config.Decrypt, config.Officer = envelope.PrivateKey{}, nil, ""
	c := x.clientOf(config)
	in := x.input("lv/vp")
	if _, err := c.Send(t.Context(), in); err == nil || !strings.Contains(err.Error(), "officer") {
		t.Errorf("without officer: %v", err)
	}
	in.Officer = "o-1"
	if _, err := c.Send(t.Context(), in); !errors.Is(err, ErrNoKey) {
		t.Errorf("without signing key: %v", err)
	}
	if _, err := c.Open(t.Context(), "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", OpenOptions{Officer: "o-1"}); !errors.Is(err, ErrNoKey) {
		t.Errorf("without decryption key: %v", err)
	}
	for _, id := range []string{"", "../agencies", "0199F3A2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "{0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d}"} {
		if _, err := c.Package(t.Context(), id); err == nil {
			t.Errorf("id %q was asked for", id)
		}
	}
	for _, agency := range []string{"", "lv", "../x", "lv/vp/x"} {
		if _, err := c.Keys(t.Context(), agency); err == nil {
			t.Errorf("agency %q was asked for", agency)
		}
	}
	if len(x.calls) != 0 {
		t.Errorf("called %v", x.calls)
	}
}
