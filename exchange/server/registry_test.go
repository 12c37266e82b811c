package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// received is what a receipt in an answer proves.
func received(t *testing.T, w *wire, receipt string) audit.Entry {
	t.Helper()
	r, err := audit.ParseReceipt(receipt)
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(w.World.Dir, "ledger", "log.vkey"))
	must(t, err)
	keys, err := audit.ParseKeys(raw)
	must(t, err)
	v, err := r.Verify(keys, nil)
	must(t, err)
	return v.Entry
}

// The life of a key on the wire: published, used, retired, compromised.
func TestKeys(t *testing.T) {
	w := newWire(t)
	ee, it := w.as("ee/pbgb", "unit"), w.as("it/dcpc", "unit")
	key, jwk := w.NewKey("ee/pbgb", envelope.UseSign)
	path, asJSON := api.KeyPath("ee/pbgb", key.Kid()), []string{"Content-Type", api.MediaJSON}
	put := func(body []byte) asked { return asked{http.MethodPut, path, body, asJSON} }
	end := func(query url.Values) asked {
		p := path
		if query != nil {
			p += "?" + query.Encode()
		}
		return asked{method: http.MethodDelete, path: p}
	}

	e := &expect{t, map[string]string{}}
	e.refused(ee, end(nil), "not-found", true) // there is none yet
	e.refused(ee, put([]byte(`{"kty":"EC"}`)), "request-malformed", true)
	e.refused(ee, put(bytes.Repeat([]byte(" "), 64<<10+1)), "too-large", true)
	_, other := w.NewKey("ee/pbgb", envelope.UseSign)
	e.refused(ee, put(other), "request-malformed", true) // under another's thumbprint
	bare, err := key.Public().MarshalJWK(nil)
	must(t, err)
	e.refused(ee, put(bare), "key-refused", true)

	var first, again, ended api.KeyChange
	ee.ask(put(jwk)).want(t, http.StatusCreated).decode(t, &first)
	ee.ask(put(jwk)).want(t, http.StatusOK).decode(t, &again)
	if entry := received(t, w, first.Receipt); entry.Action != "key.publish" || entry.Outcome != "published" || entry.Owner != "ee/pbgb" || entry.Details["key"] != key.Kid() {
		t.Errorf("the receipt proves %+v", entry)
	}
	if entry := received(t, w, again.Receipt); entry.Outcome != "repeated" || again.From != first.From {
		t.Errorf("the repeat says %+v", again)
	}
	if !bytes.Equal(first.JWK, jwk) || first.Until != "" {
		t.Errorf("%+v", first)
	}
	sealed := w.seal(demo.EEtoLV)
	draft := w.Draft(demo.EEtoLV)
	draft.SignKey = key
	ee.post(w.Seal(draft)).want(t, http.StatusCreated)

	for _, query := range []url.Values{{"until": {"now"}}, {"compromised": {"2026"}}, {"until": {"2020-01-01T00:00:00Z"}}, {"compromised": {"2999-01-01T00:00:00Z"}},
		{"until": {"2999-01-01T00:00:00Z"}, "compromised": {"2020-01-01T00:00:00Z"}}, {"reason": {"x"}}} {
		e.refused(ee, end(query), "request-malformed", true)
	}
	e.refused(it, end(nil), "not-found", false)
	e.refused(it, put(jwk), "not-found", false)
	e.refused(w.as("ee/pbgb", "dpo"), end(nil), "role-forbidden", true)
	e.refused(w.as("ee/pbgb", "dpo"), put(jwk), "role-forbidden", true)
	ee.ask(end(nil)).want(t, http.StatusOK).decode(t, &ended)
	if ended.Until == "" || ended.Compromised != "" || received(t, w, ended.Receipt).Outcome != "retired" {
		t.Errorf("%+v", ended)
	}
	e.refused(ee, put(jwk), "conflict", true)
	leaked := w.Clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	ee.ask(end(url.Values{"compromised": {leaked}})).want(t, http.StatusOK).decode(t, &ended)
	if !strings.HasPrefix(ended.Compromised, strings.TrimSuffix(leaked, "Z")) {
		t.Errorf("compromised since %s, said %s", leaked, ended.Compromised)
	}
	e.refused(ee, end(url.Values{"compromised": {w.Clock.Now().UTC().Format(time.RFC3339)}}), "conflict", true)
	var shown api.Key
	it.get(path).want(t, http.StatusOK).decode(t, &shown)
	if shown.Until != ended.Until || shown.Compromised != ended.Compromised || shown.From != first.From {
		t.Errorf("the directory says %+v, the answer said %+v", shown, ended)
	}
	ee.post(sealed).want(t, http.StatusCreated) // by the other key
	e.check(w, "ee/pbgb")
}

// operatorOn speaks as one of the exchange's own people.
func (w *wire) operatorOn(t *testing.T, name string) *caller {
	t.Helper()
	return &caller{wire: w.in(t), http: *w.HTTPWith(w.Operator(name))}
}

// What an operator takes away is gone at once, what it gives waits for a
// second one.
func TestAdmissions(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Configure(func(cfg *node.Config) { cfg.TwoPersons = nil }))
	w := &wire{Exchange: x, t: t, address: x.Node.Addr()}
	first, second := w.operatorOn(t, "first"), w.operatorOn(t, "second")
	lv := w.as("lv/vp", "unit")
	path := api.AdmissionPath("lv/vp")
	put := func(suspended bool, roles ...string) asked {
		body, err := json.Marshal(api.AdmissionRequest{Roles: append([]string{}, roles...), Suspended: suspended, Reason: theReason})
		must(t, err)
		return asked{http.MethodPut, path, body, []string{"Content-Type", api.MediaJSON}}
	}
	var got api.Admission
	first.get(path).want(t, http.StatusOK).decode(t, &got)
	if got.Agency != "lv/vp" || got.Suspended || got.Proposal != nil || strings.Join(got.Roles, " ") != "unit dpo" || received(t, w, got.Receipt).Action != "admission.show" {
		t.Fatalf("%+v", got)
	}
	lv.get(api.RouteAgencies).want(t, http.StatusOK)
	first.ask(put(true, "unit", "dpo")).want(t, http.StatusOK).decode(t, &got)
	if entry := received(t, w, got.Receipt); !got.Suspended || entry.Owner != demo.Operator || entry.Action != "agency.admit" || entry.Details["suspended"] != "true" || entry.Justification != theReason {
		t.Errorf("%+v, %+v", got, entry)
	}
	if r := lv.get(api.RouteAgencies).want(t, http.StatusForbidden); r.problem() != "identity-refused" {
		t.Errorf("%s", r.body)
	}
	for range 2 { // once more by the same is not two
		var waits api.Admission
		first.ask(put(false, "unit", "dpo")).want(t, http.StatusAccepted).decode(t, &waits)
		if !waits.Suspended || waits.Proposal == nil || waits.Proposal.By != "spiffe://exchange/ops/operator/first" || waits.Proposal.Suspended {
			t.Errorf("%+v", waits)
		}
	}
	got = api.Admission{}
	second.ask(put(false, "unit", "dpo")).want(t, http.StatusOK).decode(t, &got)
	if entry := received(t, w, got.Receipt); got.Suspended || got.Proposal != nil || entry.Details["proposed_by"] != "spiffe://exchange/ops/operator/first" ||
		entry.Actor.Identity != "spiffe://exchange/ops/operator/second" {
		t.Errorf("%+v, %+v", got, entry)
	}
	w.as("lv/vp", "unit").get(api.RouteAgencies).want(t, http.StatusOK)

	e := &expect{t, map[string]string{}}
	for _, wrong := range []asked{put(false, "operator"), put(false, "unit", "unit"), put(false, "chief"),
		{http.MethodPut, path, []byte(`{"roles":[],"suspended":true,"reason":"short"}`), []string{"Content-Type", api.MediaJSON}},
		{http.MethodPut, path, []byte(`{"roles":[],"reason":"` + theReason + `"}`), []string{"Content-Type", api.MediaJSON}}} {
		e.refused(first, wrong, "request-malformed", false)
	}
	large := put(true)
	large.body = append(bytes.Repeat([]byte(" "), 64<<10), large.body...)
	e.refused(first, large, "too-large", false)
	own := put(true)
	own.path = api.AdmissionPath(demo.Operator)
	e.refused(first, own, "conflict", false)
	undeclared := put(false, "unit")
	undeclared.path = api.AdmissionPath("lv/none")
	e.refused(first, undeclared, "conflict", false)
	undeclared.path = api.AdmissionPath("lv/UP")
	e.refused(first, undeclared, "not-found", false)
	e.refused(first, asked{method: http.MethodGet, path: api.AdmissionPath("lv/none")}, "not-found", false)
	e.refused(lv, asked{method: http.MethodGet, path: path}, "role-forbidden", false)
	e.refused(lv, put(true), "role-forbidden", false)
	e.refused(first, asked{method: http.MethodGet, path: api.RoutePackages}, "role-forbidden", false)
	e.refused(first, asked{method: http.MethodGet, path: api.RouteAuditEntries}, "role-forbidden", false)
}

// A certificate without a SPIFFE ID speaks for whom two operators bound its
// key to, until one of them unbinds it.
func TestBindings(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Configure(func(cfg *node.Config) { cfg.TwoPersons = nil }))
	w := &wire{Exchange: x, t: t, address: x.Node.Addr()}
	first, second := w.operatorOn(t, "first"), w.operatorOn(t, "second")
	card, issuer := x.Nameless("lv")
	bound := api.Binding{Issuer: certs.SPKISHA256(issuer), Key: certs.SPKISHA256(card.Leaf), Role: "unit", Name: "desk-1"}
	put := func(agency string, bindings ...api.Binding) asked {
		body, err := json.Marshal(api.AdmissionRequest{Roles: []string{"unit", "dpo"}, Reason: theReason, Bindings: bindings})
		must(t, err)
		return asked{http.MethodPut, api.AdmissionPath(agency), body, []string{"Content-Type", api.MediaJSON}}
	}
	holder := func() (int, error) {
		r, err := x.HTTPWith(card).Get(x.URL(api.RoutePackages + "?box=inbox"))
		if err != nil {
			return 0, err
		}
		return r.StatusCode, r.Body.Close()
	}
	if status, err := holder(); err == nil {
		t.Fatalf("before anybody bound it: %d", status)
	}
	var waits, holds, gone api.Admission
	first.ask(put("lv/vp", bound)).want(t, http.StatusAccepted).decode(t, &waits)
	if entry := received(t, w, waits.Receipt); len(waits.Bindings) != 0 || waits.Proposal == nil || len(waits.Proposal.Bindings) != 1 || !strings.Contains(entry.Details["bind_1"], bound.Key) {
		t.Errorf("one operator: %+v, %v", waits, entry.Details)
	}
	if status, err := holder(); err == nil {
		t.Fatalf("bound by one operator: %d", status)
	}
	second.ask(put("lv/vp", bound)).want(t, http.StatusOK).decode(t, &holds)
	if entry := received(t, w, holds.Receipt); len(holds.Bindings) != 1 || holds.Bindings[0] != bound || !strings.Contains(entry.Details["bind_1"], bound.Key) {
		t.Errorf("two operators: %+v, %v", holds, entry.Details)
	}
	if status, err := holder(); status != http.StatusOK {
		t.Fatalf("bound: %d, %v", status, err)
	}
	x.Restart()
	w.address = x.Node.Addr()
	first = w.operatorOn(t, "first")
	if status, err := holder(); status != http.StatusOK {
		t.Fatalf("after a start: %d, %v", status, err)
	}

	e := &expect{t, map[string]string{}}
	other := func(edit func(*api.Binding)) api.Binding { b := bound; edit(&b); return b }
	for name, list := range map[string][]api.Binding{
		"twice":               {bound, bound},
		"two identities":      {bound, other(func(b *api.Binding) { b.Name = "desk-2" })},
		"no role of its own":  {other(func(b *api.Binding) { b.Role = "policy" })},
		"the operator's role": {other(func(b *api.Binding) { b.Role = "operator" })},
		"no name":             {other(func(b *api.Binding) { b.Name = "" })},
		"no digest":           {other(func(b *api.Binding) { b.Key = "x" })},
		"another's authority": {other(func(b *api.Binding) { b.Issuer = certs.SPKISHA256(x.CA("ee").Certificate()) })},
	} {
		t.Log(name)
		e.refused(first, put("lv/vp", list...), "request-malformed", false)
	}
	var many []api.Binding
	for i := range 10 {
		digest := sha256.Sum256([]byte{byte(i)})
		many = append(many, other(func(b *api.Binding) { b.Key = base64.RawURLEncoding.EncodeToString(digest[:]) }))
	}
	e.refused(first, put("lv/vp", many...), "request-malformed", false)
	taken := bound
	taken.Issuer = certs.SPKISHA256(x.CA("ee").Certificate())
	e.refused(first, put("ee/pbgb", taken), "conflict", false)

	live := x.HTTPWith(card)
	if r, err := live.Get(x.URL(api.RouteAgencies)); err != nil || r.StatusCode != http.StatusOK || r.Body.Close() != nil {
		t.Fatal(err)
	}
	first.ask(put("lv/vp")).want(t, http.StatusOK).decode(t, &gone)
	if entry := received(t, w, gone.Receipt); len(gone.Bindings) != 0 || gone.Proposal != nil || !strings.Contains(entry.Details["unbind_1"], bound.Key) {
		t.Errorf("unbound: %+v, %v", gone, entry.Details)
	}
	if r, err := live.Get(x.URL(api.RouteAgencies)); err == nil {
		t.Errorf("unbound, on a live connection: %d", r.StatusCode)
		_ = r.Body.Close()
	}
	if status, err := holder(); err == nil {
		t.Errorf("unbound: %d", status)
	}

	file := node.Admission{ID: "lv/vp", Roles: []string{"unit", "dpo"}, Bindings: []node.Binding{node.Binding(bound)}}
	x.Admission(file)
	x.Reload()
	if status, err := holder(); status != http.StatusOK {
		t.Errorf("bound by its file: %d, %v", status, err)
	}
	x.Admission(node.Admission{ID: "lv/vp", Roles: file.Roles})
	x.Reload()
	if status, err := holder(); err == nil {
		t.Errorf("unbound by its file: %d", status)
	}
	x.Stop()
	x.Admission(file)
	x.Start()
	if status, err := holder(); status != http.StatusOK {
		t.Errorf("bound by its file at a start: %d, %v", status, err)
	}
}
