package exchange_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// TestInvariant1EffectsHaveTheirEntries walks through every action, good and
// refused, and compares what all agencies' logs have got: these entries, and
// no others.
func TestInvariant1EffectsHaveTheirEntries(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	ee, lv := x.As("ee/pbgb", certs.RoleUnit), x.As("lv/vp", certs.RoleUnit)

	d := draft(x, demo.EEtoLVUA)
	d.Attachments = []envelope.AttachmentSource{{Name: "photo.jpg", MediaType: "image/jpeg",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(attached)), nil }}}
	sealed := x.Seal(d)
	if _, err := ee.PostSealed(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	id := sealed.JTI
	o.expect(t, "post", "ee/pbgb package.send delivered", "lv/vp package.deliver delivered", "ua/npu package.deliver delivered")

	if _, err := ee.PostSealed(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	o.expect(t, "repeat", "ee/pbgb package.send repeated")

	_, err := x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.ITtoBY)))
	problem(t, err, api.PolicyDenied)
	o.expect(t, "denial", "it/dcpc package.send denied policy-denied/")

	pending := draft(x, demo.EEtoLV)
	pending.About["handling"] = object{"code": "H3"}
	if sent := post(t, x, pending); sent.Outcomes[0].Outcome != "pending" {
		t.Fatalf("H3 without conditions: %+v", sent.Outcomes)
	}
	o.expect(t, "pending for the sender's head of duty", "ee/pbgb package.send pending")

	waiting := draft(x, demo.EEtoLV)
	waiting.About["originator"] = []any{"it/dcpc"}
	if sent := post(t, x, waiting); sent.Outcomes[0].Outcome != "pending" {
		t.Fatalf("data of Italy: %+v", sent.Outcomes)
	}
	o.expect(t, "pending for an originator", "ee/pbgb package.send pending", "it/dcpc package.await pending")

	if _, err := ee.DryRun(t.Context(), client.SendInput{To: []string{"lv/vp"}, Meta: metaOf(t, x, demo.EEtoLV), Reason: justification}); err != nil {
		t.Fatal(err)
	}
	o.expect(t, "dry run", "ee/pbgb decision.ask delivered")

	if n := listed(t, lv, client.Query{}); n != 1 {
		t.Errorf("inbox of lv/vp has %d packages", n)
	}
	o.expect(t, "list", "lv/vp package.list shown")
	if n := listed(t, x.As("by/mia", certs.RoleUnit), client.Query{}); n != 0 {
		t.Errorf("inbox of by/mia has %d packages", n)
	}
	o.expect(t, "list that shows nothing")

	if _, err := lv.Manifest(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	o.expect(t, "manifest", "lv/vp manifest.read shown")

	accept(t, lv, id)
	o.expect(t, "show, manifest, acknowledge", "lv/vp package.show shown", "lv/vp manifest.read shown",
		"lv/vp package.acknowledge acknowledged", "ee/pbgb package.acknowledged acknowledged")

	c := consult(t, lv, id)
	o.expect(t, "consult", "lv/vp consultation.open opened")
	if _, err := lv.Content(t.Context(), c, id); err != nil {
		t.Fatal(err)
	}
	r, err := lv.Attachment(t.Context(), c, id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	o.expect(t, "content and attachment", "lv/vp content.read released", "lv/vp attachment.read released")

	for _, path := range []string{api.RouteAgencies, api.KeysPath("ee/pbgb"), api.RouteCheckpoint, "/log/tile/0/000.p/1", "/log/tile/entries/000.p/1",
		api.RouteOpenAPI, api.RouteMetaSchema, "/problems/not-found"} {
		if a := x.Do(x.HTTP("ua/npu", certs.RoleUnit), http.MethodGet, path, nil, nil); a.Status != http.StatusOK {
			t.Errorf("GET %s: %d", path, a.Status)
		}
	}
	o.expect(t, "what every party may read")
	o.verify(t)
}

// TestInvariant1RefusalsHaveTheirEntries: what is refused has one entry of
// the agency that tried, with the reason that the answer does not tell.
func TestInvariant1RefusalsHaveTheirEntries(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	o.next(t)
	ee, lv, ua, dpo := x.HTTP("ee/pbgb", certs.RoleUnit), x.HTTP("lv/vp", certs.RoleUnit), x.HTTP("ua/npu", certs.RoleUnit), x.HTTP("ee/pbgb", certs.RoleDPO)
	jose, asJSON := http.Header{"Content-Type": {api.MediaJOSE}}, http.Header{"Content-Type": {api.MediaJSON}}
	absent := "01900000-0000-7000-8000-000000000000"
	for _, c := range []struct {
		name         string
		client       *http.Client
		method, path string
		header       http.Header
		body         string
		problem      api.ProblemType
		entry        string
	}{
		{"another's package", ua, "GET", api.PackagePath(id, ""), nil, "", api.NotFound, "ua/npu package.show refused not-found/not-a-party"},
		{"no package", ua, "GET", api.PackagePath(absent, ""), nil, "", api.NotFound, "ua/npu package.show refused not-found/not-a-party"},
		{"no id", ua, "GET", api.PackagePath("me", ""), nil, "", api.NotFound, "ua/npu request.refused refused not-found/id-form"},
		{"another's manifest", ua, "GET", api.PackagePath(id, "manifest"), nil, "", api.NotFound, "ua/npu manifest.read refused not-found/not-a-party"},
		{"content unread", lv, "GET", api.PackagePath(id, "content"), nil, "", api.Conflict, "lv/vp content.read refused conflict/not-acknowledged"},
		{"own content without consultation", ee, "GET", api.PackagePath(id, "content"), nil, "", api.ConsultationRequired, "ee/pbgb content.read refused consultation-required/consultation-missing"},
		{"bad acknowledgement", lv, "POST", api.PackagePath(id, "acknowledgement"), jose, "x", api.EnvelopeMalformed, "lv/vp package.acknowledge refused envelope-malformed/acknowledgement:parts"},
		{"unit reads the log", ee, "GET", api.RouteAuditEntries, nil, "", api.RoleForbidden, "ee/pbgb audit.list refused role-forbidden/role-forbidden"},
		{"DPO lists packages", dpo, "GET", api.RoutePackages, nil, "", api.RoleForbidden, "ee/pbgb package.list refused role-forbidden/role-forbidden"},
		{"DPO without consultation", dpo, "GET", api.RouteAuditEntries, nil, "", api.ConsultationRequired, "ee/pbgb audit.list refused consultation-required/consultation-missing"},
		{"consultation without reason", lv, "POST", api.RouteConsultations, asJSON, `{"officer":"o","justification":"no","package":"` + id + `"}`, api.RequestMalformed, "lv/vp consultation.open refused request-malformed/bad-justification"},
		{"unknown path", ua, "GET", "/v2/packages", nil, "", api.NotFound, "ua/npu request.refused refused not-found/unknown-path"},
		{"unknown method", ua, "DELETE", api.RoutePackages, nil, "", api.MethodNotAllowed, "ua/npu request.refused refused method-not-allowed/method"},
		{"media type", ua, "POST", api.RouteConsultations, jose, "{}", api.UnsupportedMediaType, "ua/npu request.refused refused unsupported-media-type/content-type"},
		{"unknown parameter", ua, "GET", api.RoutePackages + "?agency=ee/pbgb", nil, "", api.RequestMalformed, "ua/npu request.refused refused request-malformed/query-unknown"},
		{"too large", lv, "POST", api.PackagePath(id, "acknowledgement"), jose, strings.Repeat("x", 50<<10), api.TooLarge, "lv/vp request.refused refused too-large/body-size"},
	} {
		refused(t, x, x.Do(c.client, c.method, c.path, c.header, []byte(c.body)), c.problem)
		for _, e := range o.expect(t, c.name, c.entry) {
			if e.Request == "" || e.Actor.Identity == "" || e.Actor.Certificate == "" || e.Operation != "" {
				t.Errorf("%s: who and what: %+v", c.name, e)
			}
		}
	}

	x.Admission(node.Admission{ID: "ua/npu", Roles: []string{certs.RoleDPO, certs.RoleUnit}, Suspended: true})
	x.Reload()
	refused(t, x, x.Do(ua, "GET", api.RoutePackages, nil, nil), api.IdentityRefused)
	refused(t, x, x.Do(ua, "GET", api.RouteAgencies, nil, nil), api.IdentityRefused)
	x.Admission(node.Admission{ID: "ua/npu", Roles: []string{certs.RoleDPO, certs.RoleUnit}})
	x.Reload()
	o.expect(t, "suspended", "ua/npu package.list refused identity-refused/agency-suspended", "ua/npu request.refused refused identity-refused/agency-suspended")
	o.verify(t)

	p := x.Parts(exchangetest.PartsConfig{})
	acts := map[string]int{}
	for _, e := range ledgerEntries(t, p.Store) {
		if e.Owner == demo.Operator {
			acts[line(e)]++
		}
	}
	// Six agencies, then one of them suspended and admitted again; two keys
	// of each of five; the policies at each of three starts; and the revocation
	// list of each of six authorities, once.
	for act, n := range map[string]int{"exchange/ops agency.admit done": 8, "exchange/ops key.register done": 15, "exchange/ops policy.activate done": 3,
		"exchange/ops revocations.keep done": 6} {
		if acts[act] != n {
			t.Errorf("%s: %d entries, not %d", act, acts[act], n)
		}
		delete(acts, act)
	}
	if len(acts) > 0 {
		t.Errorf("the operator's log has more: %v", acts)
	}
}

// listed counts the packages of a box.
func listed(t testing.TB, c *client.Client, q client.Query) (n int) {
	t.Helper()
	for _, err := range c.Packages(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
