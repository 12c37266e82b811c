package server_test

import (
	"bytes"
	"maps"
	"net/http"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/policy"
)

// TestPolicies: a bundle and an order over the wire, with every status that
// the document has for them.
func TestPolicies(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Configure(func(cfg *node.Config) { cfg.TwoPersons = nil }))
	x.Admission(node.Admission{ID: "lv/vp", Roles: []string{"unit", "dpo", "policy"}})
	x.Reload()
	w := &wire{Exchange: x, t: t, address: x.Node.Addr()}
	author := func(name string) *caller {
		return &caller{wire: w.in(t), http: *x.HTTPWith(x.Identity("lv/vp", "policy", name))}
	}
	anna, janis := author("anna"), author("janis")
	key, jwk := x.NewKey("lv/vp", envelope.UsePolicy)
	anna.ask(asked{http.MethodPut, api.KeyPath("lv/vp", key.Kid()), jwk, []string{"Content-Type", api.MediaJSON}}).want(t, http.StatusCreated)

	var before api.Policy
	anna.get(api.PolicyPath("lv")).want(t, http.StatusOK).decode(t, &before)
	bundle := func(seq int64, edit func(files map[string][]byte)) asked {
		in := policy.Samples()
		b := &policy.Bundle{Jurisdiction: "lv", Seq: seq, Status: policy.Sample, Files: map[string][]byte{}}
		maps.Copy(b.Files, in.Declared["lv"].Files)
		maps.Copy(b.Files, in.Rules["lv"].Files)
		edit(b.Files)
		raw, err := b.Pack(key.Signer())
		must(t, err)
		return asked{http.MethodPut, api.PolicyPath("lv"), raw, []string{"Content-Type", api.MediaBundle}}
	}
	comment := func(files map[string][]byte) {
		files["send.rego"] = append(bytes.Clone(files["send.rego"]), "\n# changed\n"...)
	}
	var change api.PolicyChange
	anna.ask(bundle(2, comment)).want(t, http.StatusAccepted).decode(t, &change)
	if change.Outcome != "waiting" || change.Needed != 2 || len(change.Waiting) != 1 || received(t, w, change.Receipt).Action != "policy.push" {
		t.Errorf("%+v", change)
	}
	janis.ask(bundle(2, comment)).want(t, http.StatusCreated)
	janis.ask(bundle(2, comment)).want(t, http.StatusOK)
	anna.ask(bundle(2, func(map[string][]byte) {})).want(t, http.StatusConflict)
	refused := anna.ask(bundle(3, func(files map[string][]byte) {
		files["send.rego"] = bytes.Replace(files["send.rego"], []byte("deny contains"), []byte("dney contains"), 1)
	})).want(t, http.StatusUnprocessableEntity)
	if p, err := api.ParseProblem(refused.body); err != nil || p.Type != api.PolicyRefused.URI() || len(p.Findings) == 0 || p.Findings[0].File != "send.rego" || p.Findings[0].Line == 0 {
		t.Errorf("%s", refused.body)
	}
	elsewhere := bundle(3, comment)
	elsewhere.path = api.PolicyPath("ee")
	anna.ask(elsewhere).want(t, http.StatusNotFound)
	anna.get(api.PolicyPath("xx")).want(t, http.StatusNotFound)
	huge := bundle(3, comment)
	huge.body = make([]byte, policy.MaxBundleSize+1)
	anna.ask(huge).want(t, http.StatusRequestEntityTooLarge)
	w.as("lv/vp", "unit").ask(bundle(3, comment)).want(t, http.StatusForbidden)

	order := func(body []byte) asked {
		return asked{http.MethodPost, api.PolicyRollbackPath("lv"), body, []string{"Content-Type", api.MediaJOSE}}
	}
	jws, err := envelope.SignRollback(envelope.Rollback{Exchange: x.Node.Origin(), Iss: "lv/vp", IAT: x.Clock.Now().Unix(), Jurisdiction: "lv", Seq: 3,
		Declared: before.Active.Declared, Rules: before.Active.Rules, Reason: theReason}, key)
	must(t, err)
	foreignOrder := order(jws)
	foreignOrder.path = api.PolicyRollbackPath("ee")
	anna.ask(foreignOrder).want(t, http.StatusNotFound)
	late, err := envelope.SignRollback(envelope.Rollback{Exchange: x.Node.Origin(), Iss: "lv/vp", IAT: x.Clock.Now().Unix(), Jurisdiction: "lv", Seq: 2,
		Declared: before.Active.Declared, Rules: before.Active.Rules, Reason: theReason}, key)
	must(t, err)
	anna.ask(order(late)).want(t, http.StatusConflict)
	anna.ask(order(make([]byte, 64<<10))).want(t, http.StatusRequestEntityTooLarge)
	anna.ask(order([]byte("back"))).want(t, http.StatusBadRequest)
	anna.ask(order(tampered(jws))).want(t, http.StatusUnprocessableEntity)
	anna.ask(order(jws)).want(t, http.StatusAccepted)
	janis.ask(order(jws)).want(t, http.StatusCreated)
	janis.ask(order(jws)).want(t, http.StatusOK)

	var all api.Policies
	anna.get(api.RoutePolicies).want(t, http.StatusOK).decode(t, &all)
	var now api.Policy
	anna.get(api.PolicyPath("lv")).want(t, http.StatusOK).decode(t, &now)
	if len(all.Items) < 7 || now.Active.BackTo != 1 || now.Active.Rules != before.Active.Rules || len(now.History) != 3 || now.Files["send.rego"] == "" {
		t.Errorf("%d policies; %+v", len(all.Items), now)
	}
	var foreign api.Policy
	anna.get(api.PolicyPath("ee")).want(t, http.StatusOK).decode(t, &foreign)
	if foreign.Files != nil || foreign.History != nil {
		t.Errorf("Latvia sees Estonia's: %+v", foreign)
	}
}
