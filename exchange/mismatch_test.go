package exchange_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// openAs opens a package as a recipient.
func openAs(t testing.TB, x *exchangetest.Exchange, agency, id string) {
	t.Helper()
	if _, err := x.As(agency, certs.RoleUnit).Open(t.Context(), id, client.OpenOptions{Officer: reader, Reason: why, CaseRef: caseRef, Accept: acceptAll}); err != nil {
		t.Fatal(err)
	}
}

// reported are the codes that a reader sees of a recipient.
func reported(t testing.TB, x *exchangetest.Exchange, reader, id, recipient string) []string {
	t.Helper()
	for _, o := range descriptor(t, x, reader, id).Outcomes {
		if o.Recipient == recipient {
			return o.Mismatches
		}
	}
	return nil
}

// TestMismatch: a recipient that has the content reports, both logs say so,
// the sender sees it, and another recipient learns nothing. A repeat is
// answered with the first receipt.
func TestMismatch(t *testing.T) {
	t.Parallel()
	x := start(t)
	sent := post(t, x, draft(x, demo.EEtoLVUA))
	id := sent.ID()
	openAs(t, x, "lv/vp", id)
	openAs(t, x, "ua/npu", id)
	o := observe(t, x)
	lv := x.As("lv/vp", certs.RoleUnit)
	first, err := lv.ReportMismatch(t.Context(), id, "subjects")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range o.expect(t, "a report", "lv/vp package.mismatch reported", "ee/pbgb package.mismatched reported") {
		if e.Operation != audit.Disclosure || e.Package != id || e.From != "ee/pbgb" || e.ManifestSHA256 != sent.Sealed.ManifestSHA256 || e.Details["mismatch"] != "subjects" || e.Actor.Agency != "lv/vp" {
			t.Errorf("%+v", e)
		}
		if own := e.Owner == "lv/vp"; (e.Actor.Identity != "") != own || (e.Request != "") != own || e.Officer != "" || e.Justification != "" {
			t.Errorf("%s is told of persons: %+v", e.Owner, e)
		}
	}
	if e := first.Entry; e.Owner != "lv/vp" || e.Outcome != "reported" || e.Package != id {
		t.Errorf("its receipt: %+v", e)
	}
	again, err := lv.ReportMismatch(t.Context(), id, "subjects")
	if err != nil || again.Text != first.Text {
		t.Errorf("the same again: another receipt, or %v", err)
	}
	o.expect(t, "the same again", "lv/vp package.mismatch repeated")
	second, err := lv.ReportMismatch(t.Context(), id, "minors")
	if err != nil || second.Text == first.Text {
		t.Errorf("another code: %v", err)
	}
	o.expect(t, "another code", "lv/vp package.mismatch reported", "ee/pbgb package.mismatched reported")
	for reader, want := range map[string][]string{"ee/pbgb": {"subjects", "minors"}, "lv/vp": {"subjects", "minors"}, "ua/npu": nil} {
		if got := reported(t, x, reader, id, "lv/vp"); !slices.Equal(got, want) {
			t.Errorf("%s sees %q", reader, got)
		}
	}
	if got := reported(t, x, "ua/npu", id, "ua/npu"); len(got) > 0 {
		t.Errorf("Ukraine is said to have reported %q", got)
	}
	if d := descriptor(t, x, "ee/pbgb", id); d.State != "acknowledged" {
		t.Errorf("a report makes the package %s", d.State)
	}
	o.next(t)
	o.verify(t)
	// It stays, over a start.
	x.Restart()
	if got := reported(t, x, "ee/pbgb", id, "lv/vp"); !slices.Equal(got, []string{"subjects", "minors"}) {
		t.Errorf("after a start the sender sees %q", got)
	}
	if again, err := x.As("lv/vp", certs.RoleUnit).ReportMismatch(t.Context(), id, "subjects"); err != nil || again.Text != first.Text {
		t.Errorf("after a start: another receipt, or %v", err)
	}
}

// TestMismatchRefuses: who could not have read it cannot report, and who is
// no party learns nothing by trying.
func TestMismatchRefuses(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLVUA)).ID()
	accept(t, x.As("ua/npu", certs.RoleUnit), id)
	o := observe(t, x)
	report := func(agency, role, id, body string) *exchangetest.Answer {
		return x.Do(x.HTTP(agency, role), http.MethodPost, api.PackagePath(id, "mismatch"), http.Header{"Content-Type": {api.MediaJSON}}, []byte(body))
	}
	const good = `{"code":"subjects"}`
	for _, c := range []struct {
		name, agency, id, body string
		want                   api.ProblemType
		entry                  string
	}{
		{"not acknowledged", "lv/vp", id, good, api.Conflict, "conflict/not-acknowledged"},
		{"not fetched", "ua/npu", id, good, api.Conflict, "conflict/not-fetched"},
		{"the sender", "ee/pbgb", id, good, api.NotFound, "not-found/not-a-recipient"},
		{"a stranger", "it/dcpc", id, good, api.NotFound, "not-found/not-a-party"},
		{"of nothing", "it/dcpc", noPackage, good, api.NotFound, "not-found/not-a-party"},
		{"another code", "lv/vp", id, `{"code":"weather"}`, api.RequestMalformed, "request-malformed/bad-code"},
		{"another code, of nothing", "lv/vp", noPackage, `{"code":"weather"}`, api.RequestMalformed, "request-malformed/bad-code"},
	} {
		refused(t, x, report(c.agency, certs.RoleUnit, c.id, c.body), c.want)
		o.expect(t, c.name, c.agency+" package.mismatch refused "+c.entry)
	}
	refused(t, x, report("ua/npu", certs.RoleDPO, id, good), api.RoleForbidden)
	o.expect(t, "another role", "ua/npu package.mismatch refused role-forbidden/role-forbidden")
	// There is no free text in it.
	refused(t, x, report("ua/npu", certs.RoleUnit, id, `{"code":"subjects","note":"two more persons"}`), api.RequestMalformed)
	o.next(t)
	openAs(t, x, "ua/npu", id)
	o.next(t)
	if a := report("ua/npu", certs.RoleUnit, id, good); a.Status != http.StatusCreated {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	o.expect(t, "after all that", "ua/npu package.mismatch reported", "ee/pbgb package.mismatched reported")
}

// TestMismatchNeedsTheContent: who has fetched an attachment has not seen what
// it belongs to.
func TestMismatchNeedsTheContent(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLV)
	d.Attachments = files("one")
	id := post(t, x, d).ID()
	lv := x.As("lv/vp", certs.RoleUnit)
	accept(t, lv, id)
	body, err := lv.Attachment(t.Context(), consult(t, lv, id), id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	o := observe(t, x)
	_, err = lv.ReportMismatch(t.Context(), id, "subjects")
	problem(t, err, api.Conflict)
	o.expect(t, "an attachment alone", "lv/vp package.mismatch refused conflict/not-fetched")
}

// TestMismatchErased: of an erased package nothing is reported, and what was
// reported of its content goes with it.
func TestMismatchErased(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	openAs(t, x, "lv/vp", id)
	lv := x.As("lv/vp", certs.RoleUnit)
	if _, err := lv.ReportMismatch(t.Context(), id, "minors"); err != nil {
		t.Fatal(err)
	}
	order := x.Order("ee/pbgb", func(e *envelope.Erasure) { e.Package = id })
	if a := x.Do(x.HTTP("ee/pbgb", certs.RoleDPO), http.MethodPost, api.RouteErasures, http.Header{"Content-Type": {api.MediaJOSE}}, order); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for _, code := range []string{"minors", "subjects"} {
		_, err := lv.ReportMismatch(t.Context(), id, code)
		if p := problem(t, err, api.Conflict); p.Descriptor == nil || p.Descriptor.State != "erased" {
			t.Errorf("%s: %+v", code, p)
		}
	}
	if got := reported(t, x, "ee/pbgb", id, "lv/vp"); len(got) > 0 {
		t.Errorf("the tombstone says %q", got)
	}
}

// TestMismatchParallel: the same at once is one report, and every answer has
// its receipt.
func TestMismatchParallel(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	openAs(t, x, "lv/vp", id)
	o := observe(t, x)
	c := x.HTTP("lv/vp", certs.RoleUnit)
	answers := atOnce(20, func(int) *exchangetest.Answer {
		return x.Do(c, http.MethodPost, api.PackagePath(id, "mismatch"), http.Header{"Content-Type": {api.MediaJSON}}, []byte(`{"code":"handling"}`))
	})
	statuses, bodies := map[int]int{}, map[string]bool{}
	for _, a := range answers {
		statuses[a.Status]++
		bodies[field(t, a.Body, "receipt")] = true
	}
	if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != 19 || len(bodies) != 1 {
		t.Errorf("answers %v, %d receipts", statuses, len(bodies))
	}
	made := map[string]int{}
	for _, e := range o.next(t) {
		made[line(e)]++
	}
	if made["lv/vp package.mismatch reported"] != 1 || made["ee/pbgb package.mismatched reported"] != 1 || made["lv/vp package.mismatch repeated"] != 19 || len(made) != 3 {
		t.Errorf("entries: %v", made)
	}
}

// TestMismatchStatistics: both sides count it, by agency; a correction closes it.
func TestMismatchStatistics(t *testing.T) {
	t.Parallel()
	x := start(t)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	openAs(t, x, "lv/vp", id)
	if _, err := x.As("lv/vp", certs.RoleUnit).ReportMismatch(t.Context(), id, "subjects"); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(time.Minute)
	ask := func(agency, report string) (rows [][]string) {
		t.Helper()
		c := x.As(agency, certs.RoleDPO)
		rows, _ = statistics(t, c, consult(t, c, ""), client.StatisticsQuery{Report: report})
		return rows
	}
	for agency, want := range map[string][]string{"ee/pbgb": {"received", "lv/vp", "subjects", "1", "0", "1"}, "lv/vp": {"made", "ee/pbgb", "subjects", "1", "0", "1"}} {
		if rows := ask(agency, "mismatches"); len(rows) != 1 || !slices.Equal(rows[0][:6], want) {
			t.Errorf("%s: %q", agency, rows)
		}
		found := slices.ContainsFunc(ask(agency, "monthly"), func(r []string) bool {
			return r[0] == "mismatch" && r[2] == want[0]+", "+want[1]+": subjects" && r[3] == "1"
		})
		if !found {
			t.Errorf("the month of %s does not have it", agency)
		}
	}
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	page, err := dpo.Search(t.Context(), consult(t, dpo, ""), client.SearchInput{Query: "code:subjects action:package.mismatched counterpart:lv/vp", Facets: []string{"code"}, Top: 5, Limit: 5})
	if err != nil || len(page.Items) != 1 || len(page.Counts.Facets) != 1 || page.Counts.Facets[0].Values[0].Value != "subjects" {
		t.Errorf("%+v, %v", page, err)
	}
}
