package exchange_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// authors gives agencies a policy officer, and returns how each speaks.
func authors(x *exchangetest.Exchange, agencies ...string) map[string]*http.Client {
	clients := map[string]*http.Client{}
	for _, a := range agencies {
		x.Admission(node.Admission{ID: a, Roles: []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy}})
	}
	x.Reload()
	for _, a := range agencies {
		clients[a] = x.HTTPWith(x.Identity(a, certs.RolePolicy, "author"))
	}
	return clients
}

// lookedBack are the decisions of a history in which much was denied, waits or
// was tried before it went.
type lookedBack struct {
	deniedBefore, deliveredBefore string // of an attempt under an id that was accepted later: denied, and delivered beside it
	toLatvia, toUkraine           string // of the package that was accepted under it
	acknowledged                  string // Latvia's acknowledgement
	dry                           string // Italy's question about Latvia
	waits                         string // of Estonia to Latvia, for Italy as the originator
	held                          string // of Estonia to Latvia, for Estonia's own superior
}

func lookBack(t *testing.T, x *exchangetest.Exchange) lookedBack {
	t.Helper()
	var h lookedBack
	d := draft(x, demo.EEtoLVUA)
	good := d.About["classification"]
	d.JTI, d.About["language"] = "01900000-0000-7000-8000-00000000a001", "lt" // Latvia does not read it
	p := problem(t, first2(x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(d))), api.PolicyDenied)
	for _, row := range decisions(t, x) {
		if row.Package == d.JTI && row.Recipient == "ua/npu" {
			h.deliveredBefore = row.ID
		}
	}
	h.deniedBefore = p.Outcomes[slices.IndexFunc(p.Outcomes, func(o api.Outcome) bool { return o.Recipient == "lv/vp" })].Decision
	d.About["language"], d.About["classification"] = "en", good
	sent := post(t, x, d)
	for _, o := range sent.Outcomes {
		if o.Recipient == "lv/vp" {
			h.toLatvia = o.Decision
		} else {
			h.toUkraine = o.Decision
		}
	}
	accept(t, x.As("lv/vp", certs.RoleUnit), sent.ID())
	for _, row := range decisions(t, x) {
		if row.Action == "acknowledgement" {
			h.acknowledged = row.ID
		}
	}
	dry := x.Seal(draft(x, demo.ITtoLV))
	body, err := json.Marshal(object{"manifest": claimsOf(t, dry.Manifest), "statement": claimsOf(t, dry.Statement)})
	if err != nil {
		t.Fatal(err)
	}
	a := x.Do(x.HTTP("it/dcpc", certs.RoleUnit), http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, body)
	var asked api.Decided
	if err := json.Unmarshal(a.Body, &asked); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	h.dry = asked.Outcomes[0].Decision
	waits := draft(x, demo.EEtoLV)
	waits.About["originator"] = []any{"it/dcpc"}
	h.waits = post(t, x, waits).Outcomes[0].Decision
	held := draft(x, demo.EEtoLV)
	held.About["handling"] = object{"code": "H3"}
	h.held = post(t, x, held).Outcomes[0].Decision
	return h
}

func first2[T any](_ T, err error) error { return err }

// TestWhoSeesWhichDecision asks every agency for every decision: who may not
// see it gets what a decision that does not exist gets.
func TestWhoSeesWhichDecision(t *testing.T) {
	t.Parallel()
	x := start(t)
	policy := authors(x, "ee/pbgb", "lv/vp", "ua/npu", "it/dcpc", "by/mia")
	h := lookBack(t, x)
	for what, c := range map[string]struct {
		id  string
		may string
	}{
		"denied before":          {h.deniedBefore, "ee"},
		"delivered beside it":    {h.deliveredBefore, "ee"},
		"delivered to Latvia":    {h.toLatvia, "ee lv"},
		"delivered to Ukraine":   {h.toUkraine, "ee ua"},
		"Latvia's acknowledging": {h.acknowledged, "ee lv"},
		"Italy's dry run":        {h.dry, "it"},
		"waits for Italy":        {h.waits, "ee it"},
		"waits for a superior":   {h.held, "ee"},
	} {
		for _, agency := range []string{"ee/pbgb", "lv/vp", "ua/npu", "it/dcpc", "by/mia"} {
			clients := map[string]*http.Client{"unit": x.HTTP(agency, certs.RoleUnit), "dpo": x.HTTP(agency, certs.RoleDPO), "policy": policy[agency]}
			for role, client := range clients {
				got := x.Do(client, http.MethodGet, api.DecisionPath(c.id), nil, nil)
				none := x.Do(client, http.MethodGet, api.DecisionPath(noPackage), nil, nil)
				if strings.Contains(c.may, agency[:2]) {
					checkExplanation(t, what+" for "+agency+" "+role, got)
				} else {
					same(t, what+" for "+agency+" "+role, got, none)
				}
				if role != "policy" {
					continue
				}
				path := func(j, id string) string { return api.PolicyDecisionPath(j, id) }
				in := x.Do(client, http.MethodGet, path(agency[:2], c.id), nil, nil)
				if strings.Contains(c.may, agency[:2]) != (in.Status == http.StatusOK) {
					t.Errorf("input of %s for %s: %d %s", what, agency, in.Status, in.Body)
				}
				if agency[:2] != "ee" {
					same(t, "another's policy", x.Do(client, http.MethodGet, path("ee", c.id), nil, nil), x.Do(client, http.MethodGet, path("ee", noPackage), nil, nil))
				}
			}
		}
	}
	refused(t, x, x.Do(x.HTTP("ee/pbgb", certs.RoleUnit), http.MethodGet, api.PolicyDecisionPath("ee", h.toLatvia), nil, nil), api.RoleForbidden)
}

func checkExplanation(t *testing.T, what string, a *exchangetest.Answer) {
	t.Helper()
	var e api.Explanation
	if err := json.Unmarshal(a.Body, &e); err != nil || a.Status != http.StatusOK || len(e.Layers) == 0 || e.Receipt == "" || e.Revisions["common"] == "" {
		t.Errorf("%s: %d %s", what, a.Status, a.Body)
	}
}

// TestExplainOverTheWire: a denial is explained to its sender by the rule and
// the condition that decided it, each look has its entry, and the recipient of
// a package does not read what only its sender may know.
func TestExplainOverTheWire(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	d := draft(x, demo.EEtoLV)
	d.About["language"] = "lt"
	p := problem(t, first2(x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(d))), api.PolicyDenied)
	id := p.Outcomes[0].Decision
	o.next(t)
	why, err := x.As("ee/pbgb", certs.RoleUnit).Explain(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(why.Layers, func(l api.ExplainedLayer) bool { return l.Layer == "lv/receive" })
	if i < 0 || why.Layers[i].Said != "denied" || len(why.Layers[i].Because) == 0 {
		t.Fatalf("%+v", why)
	}
	b := why.Layers[i].Because[0]
	if b.Code != "language_not_accepted" || b.File != "" || !strings.HasPrefix(b.Conditions[0], `claimed.language is "lt", none of `) {
		t.Errorf("%+v", b)
	}
	for _, e := range o.expect(t, "explained", "ee/pbgb decision.explain shown") {
		if e.Details["decision"] != id || e.Package != why.Package {
			t.Errorf("%+v", e)
		}
	}
	_, err = x.As("lv/vp", certs.RoleUnit).Explain(t.Context(), id)
	problem(t, err, api.NotFound)
	o.expect(t, "not for Latvia", "lv/vp decision.explain refused not-found/not-a-party")
}

// decisions are all rows of the stopped exchange, in their order.
func decisions(t *testing.T, x *exchangetest.Exchange) []decisionRow {
	t.Helper()
	return readDecisions(t, x)
}
