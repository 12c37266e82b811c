package exchange_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

const noPackage = "01900000-0000-7000-8000-000000000000"

// same compares two answers in all that their receiver sees, but for the
// request's id and the time.
func same(t testing.TB, what string, a, b *exchangetest.Answer) {
	t.Helper()
	header := func(h http.Header) string {
		h = h.Clone()
		h.Del(api.HeaderRequestID)
		h.Del("Date")
		var lines []string
		for _, name := range slices.Sorted(maps.Keys(h)) {
			lines = append(lines, fmt.Sprint(name, h[name]))
		}
		return strings.Join(lines, "\n")
	}
	if a.Status != b.Status || !bytes.Equal(a.Body, b.Body) || header(a.Header) != header(b.Header) {
		t.Errorf("%s can be told apart:\n%d %s\n%s\n\n%d %s\n%s", what, a.Status, a.Body, header(a.Header), b.Status, b.Body, header(b.Header))
	}
}

// TestInvariant7EverybodySeesOnlyTheirOwn asks for every part of a package as
// every identity: who is no party gets what a package that does not exist
// gets, byte for byte.
func TestInvariant7EverybodySeesOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	x := start(t)
	delivered := post(t, x, draft(x, demo.EEtoLV)).ID()
	accept(t, x.As("lv/vp", certs.RoleUnit), delivered)
	pending := draft(x, demo.EEtoLV)
	pending.About["handling"] = object{"code": "H3"}
	held := post(t, x, pending).ID()
	denied := x.Seal(draft(x, demo.ITtoBY))
	_, err := x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), denied)
	problem(t, err, api.PolicyDenied)

	may := map[string]map[string]bool{ // package → who sees it
		delivered:  {"ee/pbgb": true, "lv/vp": true},
		held:       {"ee/pbgb": true}, // not its recipient, while it is pending
		denied.JTI: {},                // not even its sender: it was never accepted
	}
	type call struct{ method, part string }
	calls := []call{{"GET", ""}, {"GET", "manifest"}, {"GET", "content"}, {"GET", "attachments/0"}, {"POST", "acknowledgement"}}
	// Each consults what it may, so that nothing hides behind a missing consultation.
	for _, agency := range x.World.Agencies {
		c := x.HTTP(agency, certs.RoleUnit)
		for id, who := range may {
			for _, k := range calls {
				header, body := http.Header{}, []byte(nil)
				if k.method == "POST" {
					header.Set("Content-Type", api.MediaJOSE)
					body = signAck(t, x, accepting(t, x, agency, &api.Descriptor{ID: id, ManifestSHA256: denied.ManifestSHA256,
						Outcomes: []api.Outcome{{Recipient: agency, Decision: noPackage}}}))
				}
				header.Set(api.HeaderConsultation, noPackage)
				got := x.Do(c, k.method, api.PackagePath(id, k.part), header, body)
				none := x.Do(c, k.method, api.PackagePath(noPackage, k.part), header, body)
				refused(t, x, none, api.NotFound)
				acknowledging := k.method == "POST"
				switch {
				case !who[agency], acknowledging && agency == "ee/pbgb":
					same(t, fmt.Sprintf("%s %s/%s by %s", k.method, id, k.part, agency), got, none)
				case got.Status == http.StatusNotFound:
					t.Errorf("%s %s/%s by its party %s: %d", k.method, id, k.part, agency, got.Status)
				}
			}
			asked := x.Do(c, "POST", api.RouteConsultations, http.Header{"Content-Type": {api.MediaJSON}},
				fmt.Appendf(nil, `{"officer":%q,"justification":%q,"package":%q}`, reader, why, id))
			if want := map[bool]int{true: http.StatusCreated, false: http.StatusNotFound}[who[agency]]; asked.Status != want {
				t.Errorf("consultation of %s by %s: %d, not %d", id, agency, asked.Status, want)
			}
		}
	}
	// Latvia's DPO asks for entries of its own that do not exist, and for
	// another's that do.
	dpo := x.As("lv/vp", certs.RoleDPO)
	log := http.Header{api.HeaderConsultation: {consult(t, dpo, "")}}
	raw := x.HTTP("lv/vp", certs.RoleDPO)
	none := x.Do(raw, "GET", api.AuditEntryPath("lv/vp", 1<<40), log, nil)
	refused(t, x, none, api.NotFound)
	for _, owner := range []string{"ee/pbgb", "exchange/ops", "se/noa"} {
		same(t, "entry of "+owner, x.Do(raw, "GET", api.AuditEntryPath(owner, 1), log, nil), none)
	}
	for item, err := range dpo.Entries(t.Context(), log.Get(api.HeaderConsultation), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if item.Owner != "lv/vp" {
			t.Errorf("Latvia reads an entry of %s", item.Owner)
		}
	}
}

// TestInvariant7DeniedRecipientLearnsNothing: neither its boxes nor its log
// change, and what it can ask is answered as before.
func TestInvariant7DeniedRecipientLearnsNothing(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	sealed := x.Seal(draft(x, demo.ITtoBY))
	_, err := x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), sealed)
	p := problem(t, err, api.PolicyDenied)
	if len(p.Outcomes) != 1 || p.Outcomes[0].Recipient != "by/mia" || p.Outcomes[0].Outcome != "denied" || len(p.Outcomes[0].Reasons) == 0 {
		t.Errorf("the sender is told: %+v", p.Outcomes)
	}
	o.expect(t, "denial", "it/dcpc package.send denied policy-denied/")
	by := x.HTTP("by/mia", certs.RoleUnit)
	same(t, "the denied package", x.Do(by, "GET", api.PackagePath(sealed.JTI, ""), nil, nil), x.Do(by, "GET", api.PackagePath(noPackage, ""), nil, nil))
	same(t, "its manifest", x.Do(by, "GET", api.PackagePath(sealed.JTI, "manifest"), nil, nil), x.Do(by, "GET", api.PackagePath(noPackage, "manifest"), nil, nil))
	for _, q := range []client.Query{{}, {State: "denied"}, {Box: client.Outbox}} {
		if n := listed(t, x.As("by/mia", certs.RoleUnit), q); n != 0 {
			t.Errorf("%+v shows %d packages", q, n)
		}
	}
	// A denied recipient beside one that would be allowed: only the denied one
	// is named, and the other learns nothing either.
	o.next(t)
	both := draft(x, demo.ITtoBY).To(x, "lv/vp", "by/mia")
	_, err = x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), x.Seal(both))
	p = problem(t, err, api.PolicyDenied)
	for _, outcome := range p.Outcomes {
		if outcome.Recipient != "by/mia" && len(outcome.Reasons) == 0 {
			t.Errorf("named, and not denied: %+v", outcome)
		}
	}
	o.expect(t, "denial of one of two", "it/dcpc package.send denied policy-denied/")
	if n := listed(t, x.As("lv/vp", certs.RoleUnit), client.Query{}); n != 0 {
		t.Errorf("lv/vp has %d packages", n)
	}
}

// TestInvariant7RejectionsSayNothing: whatever fails of signature, key or
// identity has one body.
func TestInvariant7RejectionsSayNothing(t *testing.T) {
	t.Parallel()
	x := start(t)
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	var first *exchangetest.Answer
	for name, edit := range map[string]func(parts []exchangetest.Part){
		"manifest altered":           func(p []exchangetest.Part) { p[0].Body = flip(p[0].Body, len(p[0].Body)-30) },
		"statement altered":          func(p []exchangetest.Part) { p[1].Body = flip(p[1].Body, len(p[1].Body)-30) },
		"another sender":             func(p []exchangetest.Part) { copy(p, x.PartsOf(x.Seal(draft(x, demo.LVtoEE)))) },
		"another sender's statement": func(p []exchangetest.Part) { p[1] = x.PartsOf(x.Seal(draft(x, demo.LVtoEE)))[1] },
	} {
		parts := x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
		edit(parts)
		a := x.Post(ee, parts)
		refused(t, x, a, api.EnvelopeRejected)
		if first == nil {
			first = a
		}
		same(t, name, a, first)
	}
}
