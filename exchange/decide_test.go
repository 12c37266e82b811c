package exchange_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestDryRun asks policy about a package that is not sealed: every recipient
// is answered, as the post would be, and nothing comes of it but the asker's
// entry.
func TestDryRun(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	it := x.HTTP("it/dcpc", certs.RoleUnit)
	d := draft(x, demo.ITtoBY).To(x, "lv/vp", "by/mia")
	d.About["transfer_basis"] = "internal_eu"
	sealed := x.Seal(d)
	ask := func(edit func(manifest, statement object)) *exchangetest.Answer {
		t.Helper()
		manifest, statement := claimsOf(t, sealed.Manifest), claimsOf(t, sealed.Statement)
		edit(manifest, statement)
		body, err := json.Marshal(object{"manifest": manifest, "statement": statement})
		if err != nil {
			t.Fatal(err)
		}
		return x.Do(it, http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, body)
	}
	a := ask(func(m, _ object) { delete(m, "content"); delete(m, "statement_sha256") })
	var got api.Decided
	if err := json.Unmarshal(a.Body, &got); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if len(got.Outcomes) != 2 || got.Outcomes[0].Outcome != "delivered" || len(got.Outcomes[0].Obligations) == 0 ||
		got.Outcomes[1].Outcome != "denied" || len(got.Outcomes[1].Reasons) == 0 {
		t.Errorf("answer: %+v", got.Outcomes)
	}
	for _, e := range o.expect(t, "dry run", "it/dcpc decision.ask denied") {
		if e.Officer != officer || e.Justification != justification || len(e.Decisions) != 2 {
			t.Errorf("entry: %+v", e)
		}
	}
	for name, c := range map[string]struct {
		edit func(m, s object)
		want api.ProblemType
	}{
		"as another agency":      {func(m, s object) { m["iss"], s["iss"] = "ee/pbgb", "ee/pbgb" }, api.PackageInvalid},
		"with another statement": {func(_, s object) { s["jti"] = noPackage }, api.PackageInvalid},
		"to nobody known":        {func(m, _ object) { m["aud"] = []string{"se/noa"} }, api.PackageInvalid},
		"with a hunch":           {func(m, _ object) { m["meta"].(object)["hunch"] = true }, api.EnvelopeMalformed},
		"without a reason":       {func(_, s object) { s["justification"] = "" }, api.EnvelopeMalformed},
	} {
		refused(t, x, ask(c.edit), c.want)
		if entries := o.next(t); len(entries) != 1 || entries[0].Outcome != "refused" || entries[0].Problem != c.want.Slug {
			t.Errorf("%s: %v", name, lines(entries))
		}
	}
	// The id is free, and the post is answered as the question was.
	answer := x.Post(it, x.PartsOf(sealed))
	p := refused(t, x, answer, api.PolicyDenied)
	if len(p.Outcomes) != 1 || p.Outcomes[0].Recipient != "by/mia" || len(p.Outcomes[0].Reasons) != len(got.Outcomes[1].Reasons) {
		t.Errorf("the post is answered %s", answer.Body)
	}
	if n := listed(t, x.As("it/dcpc", certs.RoleUnit), client.Query{Box: client.Outbox}); n != 0 {
		t.Errorf("the outbox has %d packages", n)
	}
}

// TestListSelects: boxes by state, in pages, and what was searched for is in
// the entry.
func TestListSelects(t *testing.T) {
	t.Parallel()
	x := start(t)
	var ids []string
	for range 5 {
		ids = append(ids, post(t, x, draft(x, demo.EEtoLV)).ID())
	}
	lv := x.As("lv/vp", certs.RoleUnit)
	accept(t, lv, ids[3])
	o := observe(t, x)
	for state, want := range map[string]int{"": 5, "delivered": 4, "acknowledged": 1, "blocked": 0} {
		if n := listed(t, lv, client.Query{State: state}); n != want {
			t.Errorf("state %q: %d, not %d", state, n, want)
		}
		for _, e := range o.next(t) {
			if e.Action != "package.list" || e.Count != uint64(want) || e.Details["box"] != "inbox" || e.Details["state"] != state {
				t.Errorf("state %q is recorded as %+v", state, e)
			}
		}
	}
	if n := listed(t, lv, client.Query{PageSize: 2}); n != 5 {
		t.Errorf("in pages of two: %d", n)
	}
	o.expect(t, "pages", "lv/vp package.list shown", "lv/vp package.list shown", "lv/vp package.list shown")
}
