package exchange_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// descriptor is a package as an agency sees it.
func descriptor(t testing.TB, x *exchangetest.Exchange, agency, id string) *api.Descriptor {
	t.Helper()
	d, err := x.As(agency, certs.RoleUnit).Package(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// day is a date so many days from now.
func day(x *exchangetest.Exchange, days int) string {
	return x.Clock.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly)
}

// TestAcknowledge: the good way, its repeat, and what both sides see then.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLVUA)).ID()
	jws := acknowledgementOf(t, x, "lv/vp", descriptor(t, x, "lv/vp", id))
	o := observe(t, x)
	first := acknowledge(t, x, id, jws)
	if first.Status != http.StatusCreated {
		t.Fatalf("%d %s", first.Status, first.Body)
	}
	o.expect(t, "acknowledgement", "lv/vp package.acknowledge acknowledged", "ee/pbgb package.acknowledged acknowledged")
	if e := receiptOf(t, x, first).Entry; e.Owner != "lv/vp" || e.Outcome != "acknowledged" || e.SigningKey != x.SignKey("lv/vp").Kid() {
		t.Errorf("its receipt: %+v", e)
	}
	again := acknowledge(t, x, id, jws)
	if again.Status != http.StatusOK || string(again.Body) != string(first.Body) {
		t.Errorf("the same again: %d %s", again.Status, again.Body)
	}
	o.expect(t, "repeat", "lv/vp package.acknowledge repeated")
	later := accepting(t, x, "lv/vp", descriptor(t, x, "lv/vp", id))
	later.IAT++
	o.next(t)
	refused(t, x, acknowledge(t, x, id, signAck(t, x, later)), api.Conflict)
	o.expect(t, "another", "lv/vp package.acknowledge refused conflict/already-acknowledged")
	for agency, want := range map[string]string{"ee/pbgb": "mixed", "lv/vp": "acknowledged", "ua/npu": "delivered"} {
		if d := descriptor(t, x, agency, id); d.State != want || agency != "ee/pbgb" && len(d.Outcomes) != 1 {
			t.Errorf("%s sees %s, %d outcomes", agency, d.State, len(d.Outcomes))
		}
	}
	accept(t, x.As("ua/npu", certs.RoleUnit), id)
	if d := descriptor(t, x, "ee/pbgb", id); d.State != "acknowledged" {
		t.Errorf("both have acknowledged: %s", d.State)
	}
}

// TestAcknowledgeRefuses: acknowledgements that are not what the descriptor
// asks for, and of those who are not asked.
func TestAcknowledgeRefuses(t *testing.T) {
	t.Parallel()
	x := start(t)
	id, other := post(t, x, draft(x, demo.EEtoLV)).ID(), post(t, x, draft(x, demo.EEtoLV)).ID()
	d := descriptor(t, x, "lv/vp", id)
	o := observe(t, x)
	edit := func(f func(a *envelope.Acknowledgement)) []byte {
		a := accepting(t, x, "lv/vp", d)
		a.Obligations = slices.Clone(a.Obligations)
		f(&a)
		return signAck(t, x, a)
	}
	foreign := func(agency string) []byte {
		a := accepting(t, x, "lv/vp", d)
		a.Iss = agency
		return signAck(t, x, a)
	}
	for _, c := range []struct {
		name, as string
		jws      []byte
		want     api.ProblemType
		entry    string
	}{
		{"no obligations", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.Obligations = []envelope.Obligation{} }), api.Conflict, "conflict/acknowledgement-differs"},
		{"one less", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.Obligations = a.Obligations[1:] }), api.Conflict, "conflict/acknowledgement-differs"},
		{"another order", "lv/vp", edit(func(a *envelope.Acknowledgement) { slices.Reverse(a.Obligations) }), api.Conflict, "conflict/acknowledgement-differs"},
		{"another parameter", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.Obligations[0].Params = json.RawMessage(`{"date":"2099-01-01"}`) }), api.Conflict, "conflict/acknowledgement-differs"},
		{"another decision", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.Decision = noPackage }), api.Conflict, "conflict/acknowledgement-differs"},
		{"another package", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.Sub = other }), api.PackageInvalid, "package-invalid/names-another"},
		{"another manifest", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.ManifestSHA256 = sha(nil) }), api.PackageInvalid, "package-invalid/names-another"},
		{"another exchange", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.Exchange = "other.example/ledger" }), api.PackageInvalid, "package-invalid/names-another"},
		{"signed long ago", "lv/vp", edit(func(a *envelope.Acknowledgement) { a.IAT -= 600 }), api.PackageInvalid, "package-invalid/acknowledgement:iat-window"},
		{"signature altered", "lv/vp", func() []byte { b := edit(func(*envelope.Acknowledgement) {}); return flip(b, len(b)-30) }(), api.EnvelopeRejected, "envelope-rejected/acknowledgement:signature"},
		{"a manifest", "lv/vp", x.Seal(draft(x, demo.EEtoLV)).Manifest, api.EnvelopeMalformed, "envelope-malformed/acknowledgement:typ"},
		{"another's, posted by the recipient", "lv/vp", foreign("ua/npu"), api.EnvelopeRejected, "envelope-rejected/signer-is-not-caller"},
		{"the recipient's, posted by another", "ua/npu", edit(func(*envelope.Acknowledgement) {}), api.EnvelopeRejected, "envelope-rejected/signer-is-not-caller"},
		{"by the sender", "ee/pbgb", foreign("ee/pbgb"), api.NotFound, "not-found/not-a-recipient"},
		{"by a stranger", "ua/npu", foreign("ua/npu"), api.NotFound, "not-found/not-a-party"},
	} {
		p := refused(t, x, acknowledgeAs(x, x.HTTP(c.as, certs.RoleUnit), id, c.jws), c.want)
		if differs := c.entry == "conflict/acknowledgement-differs"; (p.Descriptor != nil) != differs || differs && p.Descriptor.ID != id {
			t.Errorf("%s: descriptor %+v", c.name, p.Descriptor)
		}
		o.expect(t, c.name, c.as+" package.acknowledge refused "+c.entry)
	}
	refused(t, x, acknowledgeAs(x, x.HTTP("lv/vp", certs.RoleDPO), id, edit(func(*envelope.Acknowledgement) {})), api.RoleForbidden)
	if a := acknowledge(t, x, id, edit(func(*envelope.Acknowledgement) {})); a.Status != http.StatusCreated {
		t.Errorf("after all that the right one: %d %s", a.Status, a.Body)
	}
}

// TestAcknowledgeExpired: after exp there is nothing to acknowledge. Both
// sides' logs say so, once.
func TestAcknowledgeExpired(t *testing.T) {
	t.Parallel()
	x := start(t)
	short := func() string {
		d := draft(x, demo.EEtoLV)
		d.Expires = d.Now.Add(2 * time.Hour)
		return post(t, x, d).ID()
	}
	inTime, tooLate := short(), short()
	x.Clock.Advance(119 * time.Minute)
	accept(t, x.As("lv/vp", certs.RoleUnit), inTime)
	x.Clock.Advance(2 * time.Minute)
	jws := acknowledgementOf(t, x, "lv/vp", descriptor(t, x, "lv/vp", tooLate))
	o := observe(t, x)
	refused(t, x, acknowledge(t, x, tooLate, jws), api.Conflict)
	o.expect(t, "too late", "lv/vp package.acknowledge expired conflict/expired", "ee/pbgb package.expired expired")
	refused(t, x, acknowledge(t, x, tooLate, jws), api.Conflict)
	o.expect(t, "again", "lv/vp package.acknowledge refused conflict/state-expired")
	for _, agency := range []string{"ee/pbgb", "lv/vp"} {
		if d := descriptor(t, x, agency, tooLate); d.State != "expired" {
			t.Errorf("%s sees %s", agency, d.State)
		}
	}
	neverReleased(t, x, tooLate, "lv/vp")
	if d := descriptor(t, x, "ee/pbgb", inTime); d.State != "acknowledged" {
		t.Errorf("the other one is %s", d.State)
	}
}

// neverReleased: the content is closed to an agency that consults and asks.
func neverReleased(t testing.TB, x *exchangetest.Exchange, id, agency string) {
	t.Helper()
	c := x.As(agency, certs.RoleUnit)
	_, err := c.Content(t.Context(), consult(t, c, id), id)
	problem(t, err, api.Conflict)
}

// TestAcknowledgeBlocked: what policy denies by now is closed for good, and
// its sender is told: here because a date of erasure has passed, and because
// the sender has been suspended meanwhile.
func TestAcknowledgeBlocked(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLV)
	d.About["retention"] = object{"review_by": day(x, 1), "erase_by": day(x, 1)}
	lapsing := post(t, x, d).ID()
	fromIT := post(t, x, draft(x, demo.ITtoLV)).ID()
	x.Clock.Advance(72 * time.Hour)

	check := func(id, sender, reason string) {
		t.Helper()
		jws := acknowledgementOf(t, x, "lv/vp", descriptor(t, x, "lv/vp", id))
		o := observe(t, x)
		answer := acknowledge(t, x, id, jws)
		p := refused(t, x, answer, api.PolicyDenied)
		if p.ID != id || len(p.Outcomes) != 1 || p.Outcomes[0].Recipient != "lv/vp" || p.Outcomes[0].Outcome != "blocked" ||
			!slices.ContainsFunc(p.Outcomes[0].Reasons, func(r api.Reason) bool { return r.Code == reason }) {
			t.Errorf("told is: %s", answer.Body)
		}
		if e := receiptOf(t, x, answer).Entry; e.Owner != "lv/vp" || e.Outcome != "blocked" || e.Package != id {
			t.Errorf("its receipt: %+v", e)
		}
		o.expect(t, "blocked", "lv/vp package.acknowledge blocked policy-denied/", sender+" package.blocked blocked")
		refused(t, x, acknowledge(t, x, id, jws), api.Conflict)
		o.expect(t, "again", "lv/vp package.acknowledge refused conflict/state-blocked")
		if d := descriptor(t, x, "lv/vp", id); d.State != "blocked" {
			t.Errorf("the recipient sees %s", d.State)
		}
		neverReleased(t, x, id, "lv/vp")
	}
	check(lapsing, "ee/pbgb", "retention_past")
	if d := descriptor(t, x, "ee/pbgb", lapsing); d.State != "blocked" {
		t.Errorf("the sender sees %s", d.State)
	}

	suspended := func(yes bool) {
		x.Admission(node.Admission{ID: "it/dcpc", Roles: []string{certs.RoleDPO, certs.RoleUnit}, Suspended: yes})
		if err := x.Node.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	jws := acknowledgementOf(t, x, "lv/vp", descriptor(t, x, "lv/vp", fromIT))
	suspended(true)
	answer := acknowledge(t, x, fromIT, jws)
	refused(t, x, answer, api.PolicyDenied)
	suspended(false) // does not open it again
	refused(t, x, acknowledge(t, x, fromIT, jws), api.Conflict)
	neverReleased(t, x, fromIT, "lv/vp")
}

// TestAcknowledgeChanged: obligations that are others by now are read again,
// and only then accepted.
func TestAcknowledgeChanged(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLV)
	d.About["quality"] = object{"verified_at": day(x, -28), "as_of": day(x, -29), "completeness": "partial"}
	id := post(t, x, d).ID()
	before := descriptor(t, x, "lv/vp", id)
	x.Clock.Advance(4 * 24 * time.Hour) // 32 days after it was verified
	o := observe(t, x)
	p := refused(t, x, acknowledge(t, x, id, acknowledgementOf(t, x, "lv/vp", before)), api.Conflict)
	if p.Descriptor == nil {
		t.Fatal("the new descriptor is missing")
	}
	o.expect(t, "changed", "lv/vp package.acknowledge refused conflict/decision-changed")
	own := p.Descriptor.Outcomes[0]
	if own.Decision == before.Outcomes[0].Decision || !slices.ContainsFunc(own.Obligations, func(b api.Obligation) bool { return b.Code == "verify_before_use" }) {
		t.Errorf("the new decision: %+v", own)
	}
	neverReleased(t, x, id, "lv/vp")
	if a := acknowledge(t, x, id, acknowledgementOf(t, x, "lv/vp", p.Descriptor)); a.Status != http.StatusCreated {
		t.Errorf("the new one: %d %s", a.Status, a.Body)
	}
	// The client does the same by itself, and asks its user again.
	d = draft(x, demo.EEtoLV)
	d.About["quality"] = object{"verified_at": day(x, -28), "as_of": day(x, -29), "completeness": "partial"}
	id = post(t, x, d).ID()
	x.Clock.Advance(4 * 24 * time.Hour)
	asked := 0
	_, err := x.As("lv/vp", certs.RoleUnit).Open(t.Context(), id, client.OpenOptions{Officer: reader, Reason: why,
		Accept: func(_ context.Context, _ *api.Descriptor, _ []api.Obligation) error { asked++; return nil }})
	if err != nil || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// TestAcknowledgeParallel: fifty at once, of different payloads and equal
// ones: one is the acknowledgement.
func TestAcknowledgeParallel(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	a := accepting(t, x, "lv/vp", descriptor(t, x, "lv/vp", id))
	o := observe(t, x)
	jws := make([][]byte, 50)
	for i := range jws {
		b := a
		b.IAT -= int64(i / 2) // each twice
		jws[i] = signAck(t, x, b)
		if i%2 == 1 {
			jws[i] = jws[i-1]
		}
	}
	c := x.HTTP("lv/vp", certs.RoleUnit)
	statuses := map[int]int{}
	for _, a := range atOnce(len(jws), func(i int) *exchangetest.Answer { return acknowledgeAs(x, c, id, jws[i]) }) {
		statuses[a.Status]++
	}
	if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != 1 || statuses[http.StatusConflict] != len(jws)-2 {
		t.Errorf("answers: %v", statuses)
	}
	made := map[string]int{}
	for _, l := range lines(o.next(t)) {
		made[l]++
	}
	if made["lv/vp package.acknowledge acknowledged"] != 1 || made["ee/pbgb package.acknowledged acknowledged"] != 1 ||
		made["lv/vp package.acknowledge repeated"] != 1 || made["lv/vp package.acknowledge refused conflict/already-acknowledged"] != len(jws)-2 || len(made) != 4 {
		t.Errorf("entries: %v", made)
	}
	o.verify(t)
}
