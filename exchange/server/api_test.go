package server_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/server"
	"github.com/liaison-exchange/liaison/policy"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !partial() {
		code = covered()
	}
	os.Exit(code)
}

// partial reports whether only some tests were asked for.
func partial() bool {
	for _, arg := range os.Args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if (name == "test.run" || name == "test.fuzz" || name == "test.list" || name == "test.skip") && value != "" {
			return true
		}
	}
	return false
}

// covered fails the run if the document has what no test has seen.
func covered() int {
	unseen, err := exchangetest.Coverage()
	if err != nil || len(unseen) > 0 {
		fmt.Printf("documented, and seen by no test: %v\n%s\n", err, strings.Join(unseen, "\n"))
		return 1
	}
	return 0
}

// One exchange for the tests that leave it as usable as they found it.
func TestWire(t *testing.T) {
	w := newWire(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *wire)
	}{
		{"life", testLife}, {"ranges", testRanges}, {"decisions", testDecisionsAndDenials}, {"directory", testDirectory}, {"log", testLog}, {"statistics", testStatistics}, {"export", testExport},
		{"documents", testDocuments}, {"every operation refuses", testEveryOperationRefuses}, {"refusals", testRefusals},
		{"not found", testNotFoundIsOneAnswer}, {"rejected", testRejectedIsOneAnswer}, {"erasing", testErasing}, {"full tiles", testFullTilesMayBeKept}, {"log is silent", testLogIsSilent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, w.in(t)) })
	}
}

// The whole life of a package, by hand.
func testLife(t *testing.T, w *wire) {
	ee, lv := w.as("ee/pbgb", "unit"), w.plain("lv/vp", "unit")
	sealed := w.seal(demo.EEtoLV, 1000)
	first := ee.post(sealed).want(t, http.StatusCreated)
	if first.proto != "HTTP/2.0" || first.header.Get("Location") != api.PackagePath(sealed.JTI, "") {
		t.Errorf("%s, Location %q", first.proto, first.header.Get("Location"))
	}
	var sent, again api.Accepted
	first.decode(t, &sent)
	ee.post(sealed).want(t, http.StatusOK).decode(t, &again)
	if sent.ID != sealed.JTI || again.Receipt != sent.Receipt || sent.Outcomes[0].Outcome != "delivered" {
		t.Errorf("first %+v, then %+v", sent, again)
	}
	if sent.Outcomes[0].Note == "" {
		t.Error("an outcome of sample policies does not say so")
	}

	var inbox api.Page
	r := lv.get(api.RoutePackages+"?box=inbox&state=delivered&limit=10").want(t, http.StatusOK)
	if r.decode(t, &inbox); r.proto != "HTTP/1.1" || len(inbox.Items) != 1 || inbox.Items[0].ID != sealed.JTI {
		t.Errorf("%s: %+v", r.proto, inbox)
	}
	if got := lv.get(api.PackagePath(sealed.JTI, "manifest")).want(t, http.StatusOK); !bytes.Equal(got.body, sealed.Manifest) {
		t.Error("another manifest")
	}
	consultation := lv.consult(sealed.JTI)
	lv.get(api.PackagePath(sealed.JTI, "content"), api.HeaderConsultation, consultation).want(t, http.StatusConflict)
	lv.get(api.AttachmentPath(sealed.JTI, 0), api.HeaderConsultation, consultation).want(t, http.StatusConflict)

	ack := lv.acknowledgement("lv/vp", sealed.JTI)
	path := api.PackagePath(sealed.JTI, "acknowledgement")
	var done, repeated api.Acknowledged
	lv.do(http.MethodPost, path, ack, "Content-Type", api.MediaJOSE).want(t, http.StatusCreated).decode(t, &done)
	lv.do(http.MethodPost, path, ack, "Content-Type", api.MediaJOSE).want(t, http.StatusOK).decode(t, &repeated)
	if done.Receipt == "" || done != repeated {
		t.Errorf("first %+v, then %+v", done, repeated)
	}
	testOtherAcknowledgements(t, lv, sealed.JTI)
	content := lv.get(api.PackagePath(sealed.JTI, "content"), api.HeaderConsultation, consultation).want(t, http.StatusOK)
	if !bytes.Equal(content.body, sealed.Content) || content.header.Get("Content-Length") != fmt.Sprint(len(sealed.Content)) {
		t.Errorf("another content, Content-Length %s", content.header.Get("Content-Length"))
	}
	if bytes.Contains(content.body, []byte(theText)) {
		t.Error("the content is readable")
	}
	testMismatches(t, w, sealed.JTI)
}

// testMismatches has Latvia report what differs, once and again, and before
// that somebody who is no party.
func testMismatches(t *testing.T, w *wire, id string) {
	ee, lv := w.as("ee/pbgb", "unit"), w.as("lv/vp", "unit")
	path, report := api.PackagePath(id, "mismatch"), api.MismatchRequest{Code: "subjects"}
	w.as("it/dcpc", "unit").postJSON(path, report).want(t, http.StatusNotFound)
	ee.postJSON(path, report).want(t, http.StatusNotFound)
	lv.postJSON(path, api.MismatchRequest{Code: "weather"}).want(t, http.StatusBadRequest)
	var first, again api.MismatchReported
	lv.postJSON(path, report).want(t, http.StatusCreated).decode(t, &first)
	lv.postJSON(path, report).want(t, http.StatusOK).decode(t, &again)
	if first != again || first.ID != id || first.Code != "subjects" || first.Receipt == "" {
		t.Errorf("first %+v, then %+v", first, again)
	}
	var d api.Descriptor
	ee.get(api.PackagePath(id, "")).want(t, http.StatusOK).decode(t, &d)
	if !slices.Equal(d.Outcomes[0].Mismatches, []string{"subjects"}) {
		t.Errorf("the sender sees %+v", d.Outcomes[0])
	}
	other := w.seal(demo.EEtoLV)
	ee.post(other).want(t, http.StatusCreated)
	lv.postJSON(api.PackagePath(other.JTI, "mismatch"), report).want(t, http.StatusConflict)
}

// testOtherAcknowledgements acknowledges a package again with other words,
// and one that does not exist.
func testOtherAcknowledgements(t *testing.T, lv *caller, id string) {
	var d api.Descriptor
	lv.get(api.PackagePath(id, "")).want(t, http.StatusOK).decode(t, &d)
	d.Outcomes[0].Decision = nobody
	jose := []string{"Content-Type", api.MediaJOSE}
	other := lv.do(http.MethodPost, api.PackagePath(id, "acknowledgement"), lv.accepting("lv/vp", d, id), jose...).want(t, http.StatusConflict)
	if other.problem() != "conflict" {
		t.Errorf("%s", other.body)
	}
	lv.do(http.MethodPost, api.PackagePath(nobody, "acknowledgement"), lv.accepting("lv/vp", d, nobody), jose...).want(t, http.StatusNotFound)
}

func testRanges(t *testing.T, w *wire) {
	ee := w.as("ee/pbgb", "unit")
	sealed := w.seal(demo.EEtoLV, 100_000)
	ee.post(sealed).want(t, http.StatusCreated)
	path, consultation := api.AttachmentPath(sealed.JTI, 0), ee.consult(sealed.JTI)
	whole := ee.get(path, api.HeaderConsultation, consultation).want(t, http.StatusOK).body
	size := len(whole)
	for asked, want := range map[string][2]int{
		"bytes=0-0": {0, 1}, "bytes=100-199": {100, 200}, "bytes=70000-": {70000, size}, "bytes=-10": {size - 10, size}, "bytes=5-99999999": {5, size},
	} {
		got := ee.get(path, api.HeaderConsultation, consultation, "Range", asked).want(t, http.StatusPartialContent)
		if !bytes.Equal(got.body, whole[want[0]:want[1]]) {
			t.Errorf("%s: %d other bytes", asked, len(got.body))
		}
		if r := got.header.Get("Content-Range"); r != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size) {
			t.Errorf("%s: Content-Range %s", asked, r)
		}
	}
	for _, asked := range []string{fmt.Sprintf("bytes=%d-", size), "bytes=-0"} {
		got := ee.get(path, api.HeaderConsultation, consultation, "Range", asked).want(t, http.StatusRequestedRangeNotSatisfiable)
		if r := got.header.Get("Content-Range"); r != fmt.Sprintf("bytes */%d", size) {
			t.Errorf("%s: Content-Range %s", asked, r)
		}
	}
	ee.get(path, api.HeaderConsultation, consultation, "Range", "bytes=0-1,5-6").want(t, http.StatusBadRequest)
}

func testDecisionsAndDenials(t *testing.T, w *wire) {
	it := w.as("it/dcpc", "unit")
	denied := it.post(w.seal(demo.ITtoBY)).want(t, http.StatusForbidden)
	var p api.Problem
	denied.decode(t, &p)
	if denied.problem() != "policy-denied" || len(p.Outcomes) != 1 || p.Outcomes[0].Recipient != "by/mia" || p.Receipt == "" {
		t.Errorf("%s", denied.body)
	}
	sample, _ := demo.Find(demo.ITtoBY, w.Clock.Now())
	id := uuid.Must(uuid.NewV7()).String()
	dry := map[string]any{
		"manifest": map[string]any{"exchange": demo.Origin, "iss": "it/dcpc", "aud": sample.To, "jti": id,
			"iat": w.Clock.Now().Unix(), "exp": w.Clock.Now().Unix() + 86400, "meta": sample.Meta},
		"statement": map[string]any{"iss": "it/dcpc", "jti": id, "officer": "o.fficer", "justification": theReason,
			"approvals": []any{}, "subject_refs": []any{}, "texts": map[string]any{}},
	}
	var decided api.Decided
	it.postJSON(api.RouteDecisions, dry).want(t, http.StatusOK).decode(t, &decided)
	if len(decided.Outcomes) != 1 || decided.Outcomes[0].Outcome != "denied" || len(decided.Outcomes[0].Reasons) == 0 {
		t.Errorf("%+v", decided.Outcomes)
	}
	testLookingBack(t, w, p.Outcomes[0].Decision)
	dry["manifest"].(map[string]any)["iss"] = "lv/vp"
	it.postJSON(api.RouteDecisions, dry).want(t, http.StatusUnprocessableEntity)
}

// testLookingBack asks why a package of Italy to Belarus was denied, and what
// the rules were asked.
func testLookingBack(t *testing.T, w *wire, id string) {
	it, by := w.as("it/dcpc", "unit"), w.as("by/mia", "dpo")
	var why api.Explanation
	it.get(api.DecisionPath(id)).want(t, http.StatusOK).decode(t, &why)
	if why.ID != id || why.Verdict != "denied" || why.Layers[0].Layer != "common" || why.Receipt == "" {
		t.Errorf("%+v", why)
	}
	for _, path := range []string{api.DecisionPath(id), api.DecisionPath(nobody), "/v1/decisions/none"} {
		by.get(path).want(t, http.StatusNotFound)
	}
	author := w.author("it/dcpc")
	var in api.RecordedInput
	author.get(api.PolicyDecisionPath("it", id)).want(t, http.StatusOK).decode(t, &in)
	if in.ID != id || !in.Whole || len(in.Said) != 1 || in.Said[0].Package != "jurisdiction.it.send" {
		t.Errorf("%+v", in)
	}
	for _, path := range []string{api.PolicyDecisionPath("by", id), api.PolicyDecisionPath("it", nobody), api.PolicyDecisionPath("it", "none"), "/v1/policies/I_/decisions/" + id} {
		author.get(path).want(t, http.StatusNotFound)
	}
	it.get(api.PolicyDecisionPath("it", id)).want(t, http.StatusForbidden)
	testReplaying(t, author, id)
	testShadow(t, author)
}

// testShadow lets the rules of Italy run beside themselves.
func testShadow(t *testing.T, author *caller) {
	in := policy.Samples()
	b := policy.Bundle{Jurisdiction: "it", Seq: 1, Status: policy.Sample, Files: maps.Clone(in.Rules["it"].Files)}
	b.Files["declared.json"] = in.Declared["it"].Files["declared.json"]
	raw, err := b.Pack(nil)
	if err != nil {
		t.Fatal(err)
	}
	start := func(j string, body []byte) reply {
		return author.do(http.MethodPut, api.ShadowPath(j), body, "Content-Type", api.MediaBundle)
	}
	stop := func(query string) reply { return author.do(http.MethodDelete, api.ShadowPath("it")+query, nil) }
	author.get(api.ShadowPath("it")).want(t, http.StatusNotFound)
	stop("").want(t, http.StatusNotFound)
	for _, want := range []struct {
		r      reply
		status int
	}{{start("it", raw), http.StatusCreated}, {author.get(api.ShadowPath("it") + "?limit=1000"), http.StatusOK}, {stop("?limit=1"), http.StatusOK}} {
		var s api.Shadow
		want.r.want(t, want.status).decode(t, &s)
		if s.Jurisdiction != "it" || s.Revisions["rules/it"] == "" || s.Since == "" || s.Until == "" || s.Ended != "" || s.Differences == nil || s.Receipt == "" {
			t.Errorf("%s", want.r.body)
		}
	}
	for path, status := range map[string]int{api.ShadowPath("by"): http.StatusNotFound, "/v1/policies/I_/shadow": http.StatusNotFound, api.ShadowPath("it") + "?limit=1001": http.StatusBadRequest} {
		author.get(path).want(t, status)
		author.do(http.MethodDelete, path, nil).want(t, status)
	}
	start("by", raw).want(t, http.StatusNotFound)
	start("I_", raw).want(t, http.StatusNotFound)
	start("it", []byte("none")).want(t, http.StatusUnprocessableEntity)
	start("it", bytes.Repeat([]byte("x"), policy.MaxBundleSize+1)).want(t, http.StatusRequestEntityTooLarge)
}

// testReplaying tries drafts of Italy on what was decided: its own rules, some
// that would let the package go as far as Italy is concerned, and what is none.
func testReplaying(t *testing.T, author *caller, id string) {
	in := policy.Samples()
	files := maps.Clone(in.Rules["it"].Files)
	files["declared.json"] = in.Declared["it"].Files["declared.json"]
	draft := func(j string) []byte {
		b := policy.Bundle{Jurisdiction: j, Seq: 1, Status: policy.Sample, Files: files}
		raw, err := b.Pack(nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	try := func(j, query string, body []byte) reply {
		return author.do(http.MethodPost, api.PolicyReplayPath(j)+query, body, "Content-Type", api.MediaBundle)
	}
	same := try("it", "?since=2020-01-01T00:00:00Z", draft("it")).want(t, http.StatusOK)
	lines := bytes.Split(bytes.TrimSpace(same.body), []byte("\n"))
	var last api.ReplayLine
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || last.Summary == nil || last.Summary.Decisions == 0 || last.Summary.Unchanged != last.Summary.Decisions || len(last.Summary.Changes) != 0 {
		t.Errorf("%v: %s", err, same.body)
	}
	try("by", "", draft("it")).want(t, http.StatusNotFound)
	try("it", "?since=yesterday", draft("it")).want(t, http.StatusBadRequest)
	try("it", "", bytes.Repeat([]byte("x"), policy.MaxBundleSize+1)).want(t, http.StatusRequestEntityTooLarge)
	try("it", "", []byte("none")).want(t, http.StatusUnprocessableEntity)
	files["send.rego"] = []byte("package jurisdiction.it.send\n")
	try("it", "", draft("it")).want(t, http.StatusUnprocessableEntity)
	files["send.rego"] = []byte("package jurisdiction.it.send\n\ndefault allow := false\n")
	delete(files, "it_test.rego")
	refuses := try("it", "?since=2020-01-01T00:00:00Z", draft("it")).want(t, http.StatusOK)
	if !bytes.Contains(refuses.body, []byte(`"now_denied"`)) && !bytes.Contains(refuses.body, []byte(`"changes":{}`)) || bytes.Contains(refuses.body, []byte(id)) {
		t.Errorf("%s", refuses.body)
	}
}

// author is a policy officer of an agency, which may have one from now on.
func (w *wire) author(agency string) *caller {
	w.t.Helper()
	w.Admission(node.Admission{ID: agency, Roles: []string{"unit", "dpo", "policy"}})
	w.Reload()
	pair := w.Identity(agency, "policy", "author")
	cfg := w.tlsOf(agency, "unit").Clone()
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return w.calling(cfg, true)
}

// testTooManyHolds keeps a package as often as an agency may.
func testTooManyHolds(t *testing.T, dpo *caller) {
	for range 100 {
		dpo.postJSON(api.RouteHolds, api.HoldRequest{Scope: "package", Value: nobody, Reason: theReason}).want(t, http.StatusCreated)
	}
	dpo.postJSON(api.RouteHolds, api.HoldRequest{Scope: "package", Value: nobody, Reason: theReason}).want(t, http.StatusConflict)
}

// testErasing has Estonia's officer erase a package and entries, before that
// keep them, and look at what is due.
func testErasing(t *testing.T, w *wire) {
	ee, dpo := w.as("ee/pbgb", "unit"), w.as("ee/pbgb", "dpo")
	sealed := w.seal(demo.EEtoLV)
	ee.post(sealed).want(t, http.StatusCreated)
	order := func(c *caller, edit func(*envelope.Erasure)) reply {
		return c.do(http.MethodPost, api.RouteErasures, w.Order("ee/pbgb", edit), "Content-Type", api.MediaJOSE)
	}
	ofPackage := func(o *envelope.Erasure) { o.Package = sealed.JTI }

	var hold, released api.Hold
	dpo.postJSON(api.RouteHolds, api.HoldRequest{Scope: "package", Value: sealed.JTI, Reason: theReason}).want(t, http.StatusCreated).decode(t, &hold)
	dpo.postJSON(api.RouteHolds, api.HoldRequest{Scope: "some", Reason: theReason}).want(t, http.StatusBadRequest)
	dpo.postJSON(api.RouteHolds, api.HoldRequest{Scope: "period", Begin: "2026", End: "2027", Reason: theReason}).want(t, http.StatusBadRequest)
	order(dpo, ofPackage).want(t, http.StatusConflict)
	consultation := dpo.consult("")
	var held api.Holds
	dpo.get(api.RouteHolds, api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &held)
	if len(held.Items) != 1 || held.Items[0].ID != hold.ID || held.Items[0].Value != sealed.JTI {
		t.Errorf("%+v", held)
	}
	dpo.get(api.RouteHolds).want(t, http.StatusForbidden)
	var due api.ErasurePreview
	dpo.get(api.RouteErasures+"?on=2040-01-01T00:00:00Z", api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &due)
	if len(due.Classes) != 3 || due.Classes[0].Held != 1 || due.Receipt == "" {
		t.Errorf("%+v", due)
	}
	dpo.get(api.RouteErasures).want(t, http.StatusForbidden)
	for _, query := range []string{"?on=tomorrow", "?limit=0", "?limit=1000"} {
		dpo.get(api.RouteErasures+query, api.HeaderConsultation, consultation).want(t, http.StatusBadRequest)
	}
	dpo.postJSON(api.ReleasePath(hold.ID), api.ReleaseRequest{Reason: theReason}).want(t, http.StatusOK).decode(t, &released)
	if released.Released == "" {
		t.Errorf("%+v", released)
	}
	dpo.postJSON(api.ReleasePath(hold.ID), api.ReleaseRequest{Reason: theReason}).want(t, http.StatusNotFound)
	dpo.postJSON(api.ReleasePath(hold.ID), api.ReleaseRequest{Reason: "short"}).want(t, http.StatusBadRequest)
	for path, media := range map[string]string{api.RouteHolds: api.MediaJSON, api.ReleasePath(hold.ID): api.MediaJSON, api.RouteErasures: api.MediaJOSE} {
		dpo.do(http.MethodPost, path, bytes.Repeat([]byte(" "), 64<<10+1), "Content-Type", media).want(t, http.StatusRequestEntityTooLarge)
	}
	testTooManyHolds(t, w.as("lv/vp", "dpo"))

	order(ee, ofPackage).want(t, http.StatusForbidden)
	order(w.as("lv/vp", "dpo"), ofPackage).want(t, http.StatusUnprocessableEntity)
	dpo.do(http.MethodPost, api.RouteErasures, []byte("a.b.c"), "Content-Type", api.MediaJOSE).want(t, http.StatusBadRequest)
	order(dpo, func(o *envelope.Erasure) { o.Package = nobody }).want(t, http.StatusNotFound)
	if r := order(dpo, func(o *envelope.Erasure) { o.Package, o.Exchange = sealed.JTI, "elsewhere.example/ledger" }); r.problem() != "order-refused" {
		t.Errorf("%d %s", r.status, r.body)
	}
	jws := w.Order("ee/pbgb", ofPackage)
	var done, again api.ErasureDone
	dpo.do(http.MethodPost, api.RouteErasures, jws, "Content-Type", api.MediaJOSE).want(t, http.StatusCreated).decode(t, &done)
	dpo.do(http.MethodPost, api.RouteErasures, jws, "Content-Type", api.MediaJOSE).want(t, http.StatusOK).decode(t, &again)
	if done.Erased != 1 || !done.Done || done != again {
		t.Errorf("%+v, then %+v", done, again)
	}
	var left api.Descriptor
	ee.get(api.PackagePath(sealed.JTI, "")).want(t, http.StatusOK).decode(t, &left)
	if left.State != "erased" || left.From != "ee/pbgb" || len(left.To) != 1 {
		t.Errorf("%+v", left)
	}
	var p api.Problem
	ee.post(sealed).want(t, http.StatusConflict).decode(t, &p)
	if p.Descriptor == nil || p.Descriptor.State != "erased" {
		t.Errorf("%+v", p)
	}
	ee.get(api.PackagePath(sealed.JTI, "manifest")).want(t, http.StatusConflict)

	order(dpo, func(o *envelope.Erasure) { o.From, o.To = 1, 2 }).want(t, http.StatusCreated).decode(t, &done)
	var item api.AuditItem
	dpo.get(api.AuditEntryPath("ee/pbgb", 1), api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &item)
	if done.Erased != 2 || !item.Erased || item.Entry != "" || item.Salt != "" || item.Erasure == nil || item.Erasure.Why != "order" || item.Erasure.By != "ee/pbgb" {
		t.Errorf("%+v: %+v %+v", done, item, item.Erasure)
	}
}

func testDirectory(t *testing.T, w *wire) {
	dpo := w.as("ee/pbgb", "dpo") // every role reads it
	var all api.Agencies
	dpo.get(api.RouteAgencies).want(t, http.StatusOK).decode(t, &all)
	var one api.Agency
	dpo.get(api.AgencyPath("lv/vp")).want(t, http.StatusOK).decode(t, &one)
	if len(all.Items) < 5 || one.ID != "lv/vp" || one.Status != "active" {
		t.Errorf("%+v, %+v", all, one)
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	dpo.get(api.KeysPath("lv/vp")).want(t, http.StatusOK).decode(t, &set)
	uses := map[any]bool{}
	for _, k := range set.Keys {
		uses[k["use"]] = true
		if _, ok := k["key_ops"]; ok || k["d"] != nil || len(k["x5c"].([]any)) == 0 {
			t.Errorf("%v", k)
		}
		var key api.Key
		dpo.get(api.KeyPath("lv/vp", k["kid"].(string))).want(t, http.StatusOK).decode(t, &key)
		if key.From == "" || key.Until != "" || key.Compromised != "" {
			t.Errorf("%+v", key)
		}
		// A key of another agency is not to be found under this one.
		dpo.get(api.KeyPath("ee/pbgb", k["kid"].(string))).want(t, http.StatusNotFound)
	}
	if !uses["sig"] || !uses["enc"] {
		t.Errorf("uses %v", uses)
	}
	dpo.get(api.AgencyPath("xx/none")).want(t, http.StatusNotFound)
	dpo.get(api.KeysPath("xx/none")).want(t, http.StatusNotFound)
}

func testLog(t *testing.T, w *wire) {
	ee, dpo := w.as("ee/pbgb", "unit"), w.as("ee/pbgb", "dpo")
	for range 2 {
		ee.post(w.seal(demo.EEtoLV)).want(t, http.StatusCreated)
	}
	consultation := dpo.consult("")
	var page, next api.AuditPage
	dpo.get(api.RouteAuditEntries+"?limit=1", api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &page)
	dpo.get(api.RouteAuditEntries+"?after="+page.Next, api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &next)
	if len(page.Items) != 1 || page.Next != "1" || len(next.Items) == 0 || next.Items[0].Seq != 2 {
		t.Fatalf("%+v, then %+v", page, next)
	}
	var item api.AuditItem
	dpo.get(api.AuditEntryPath("ee/pbgb", 2), api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &item)
	if item != next.Items[0] {
		t.Errorf("%+v is not %+v", item, next.Items[0])
	}
	for _, path := range []string{api.AuditEntryPath("lv/vp", 1), api.AuditEntryPath("ee/pbgb", 1<<40), api.RouteAuditEntries + "/ee/pbgb/0", api.RouteAuditEntries + "/ee/pbgb/02"} {
		dpo.get(path, api.HeaderConsultation, consultation).want(t, http.StatusNotFound)
	}
	testSearch(t, dpo, consultation)
	testSamples(t, w, dpo, consultation)
	dpo.get(api.RouteAuditEntries).want(t, http.StatusForbidden)
	dpo.get(api.AuditEntryPath("ee/pbgb", 1)).want(t, http.StatusForbidden)

	checkpoint := ee.get(api.RouteCheckpoint).want(t, http.StatusOK)
	if !strings.HasPrefix(string(checkpoint.body), demo.Origin+"\n") {
		t.Errorf("%s", checkpoint.body)
	}
	tile := ee.get("/log/"+audit.TilePath{Level: 0, Index: 0, Width: 2}.String()).want(t, http.StatusOK)
	if len(tile.body) != 2*32 || tile.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d bytes, Cache-Control %s", len(tile.body), tile.header.Get("Cache-Control"))
	}
	bundle := ee.get("/log/"+audit.TilePath{Level: audit.EntriesLevel, Index: 0, Width: 2}.String()).want(t, http.StatusOK)
	if cs, err := audit.ParseBundle(bundle.body); err != nil || len(cs) != 2 {
		t.Errorf("%d commitments, %v", len(cs), err)
	}
	for _, path := range []string{"/log/tile/0/001", "/log/tile/8/0/000", "/log/tile/0/0", "/log/tile/00/000", "/log/tile/0/000.p/256", "/log/tile/63/x999/x999/999"} {
		ee.get(path).want(t, http.StatusNotFound)
	}
}

// testSearch searches the log: two packages were sent to lv/vp.
func testSearch(t *testing.T, dpo *caller, consultation string) {
	search := func(query string) reply {
		return dpo.get(api.RouteAuditEntries+"?"+query, api.HeaderConsultation, consultation)
	}
	sent := "q=" + url.QueryEscape(`action:package.send (recipient:lv/vp OR recipient:it/dcpc) -purpose:none_such*`)
	if r := search(sent).want(t, http.StatusBadRequest); !strings.Contains(string(r.body), "q, character 69: purpose is never") {
		t.Errorf("%s", r.body)
	}
	sent = "q=" + url.QueryEscape(`action:package.send outcome:delivered (recipient:lv/vp OR recipient:it/dcpc) -urgency:urgent`)
	var page, first, second api.AuditPage
	search(sent+"&from=2020-01-01&facets=outcome,recipient&top=3&histogram=day").want(t, http.StatusOK).decode(t, &page)
	if c := page.Counts; len(page.Items) < 2 || c == nil || c.Hits != uint64(len(page.Items)) || len(c.Facets) != 2 || c.Facets[0].Values[0].Value != "delivered" || len(c.Histogram) != 1 {
		t.Errorf("%+v", page)
	}
	search(sent+"&order=newest&limit=1").want(t, http.StatusOK).decode(t, &first)
	search(sent+"&order=newest&limit=1&before="+first.Next).want(t, http.StatusOK).decode(t, &second)
	if len(first.Items) != 1 || len(second.Items) != 1 || first.Items[0].Seq <= second.Items[0].Seq || first.Counts != nil {
		t.Errorf("%+v, then %+v", first, second)
	}
	for _, query := range []string{"owner=lv/vp", "owner=lv/vp&q=outcome:denied&facets=outcome", "owner=xx/none"} {
		search(query).want(t, http.StatusNotFound)
	}
	for _, query := range []string{"q=denied", "q=", "from=yesterday", "to=2026-13-01", "from=2026-11-02&to=2026-11-01", "facets=officer", "facets=outcome,outcome", "facets=colour", "histogram=minute", "order=random",
		"before=0", "top=0", "top=101", "owner=EE", "q=" + strings.Repeat("x", 3000)} {
		search(query).want(t, http.StatusBadRequest)
	}
}

// testSamples draws a sample twice with one seed, and reviews it.
func testSamples(t *testing.T, w *wire, dpo *caller, consultation string) {
	under := []string{"Content-Type", api.MediaJSON, api.HeaderConsultation, consultation}
	ask := func(method, path string, v any, header ...string) reply {
		body, err := json.Marshal(v)
		must(t, err)
		return dpo.do(method, path, body, header...)
	}
	var first, second api.Sample
	want := api.SampleRequest{Query: "action:package.send", Size: 2, Seed: "s-1", By: "outcome"}
	ask(http.MethodPost, api.RouteSamples, want, under...).want(t, http.StatusCreated).decode(t, &first)
	ask(http.MethodPost, api.RouteSamples, want, under...).want(t, http.StatusCreated).decode(t, &second)
	if len(first.Seqs) != 2 || !slices.Equal(first.Seqs, second.Seqs) || first.ID == second.ID || first.Population < 2 || received(t, w, first.Receipt).Action != "audit.sample" {
		t.Errorf("%+v, then %+v", first, second)
	}
	for _, wrong := range []api.SampleRequest{{Size: 0}, {Size: 1001}, {Size: 1, Query: "denied"}, {Size: 1, By: "officer"}, {Size: 1, Seed: "a b"}, {Size: 1, From: "yesterday"}, {Size: 1, Owner: "EE"}} {
		ask(http.MethodPost, api.RouteSamples, wrong, under...).want(t, http.StatusBadRequest)
	}
	ask(http.MethodPost, api.RouteSamples, api.SampleRequest{Size: 1, Owner: "lv/vp"}, under...).want(t, http.StatusNotFound)
	ask(http.MethodPost, api.RouteSamples, want, under[:2]...).want(t, http.StatusForbidden)
	for path, method := range map[string]string{api.RouteSamples: http.MethodPost, api.VerdictPath(first.ID, first.Seqs[0]): http.MethodPut} {
		dpo.do(method, path, bytes.Repeat([]byte(" "), 64<<10+1), under...).want(t, http.StatusRequestEntityTooLarge)
	}

	verdict := api.VerdictRequest{Verdict: "unclear", Note: "The case file names another purpose."}
	var reviewed api.Sample
	ask(http.MethodPut, api.VerdictPath(first.ID, first.Seqs[0]), verdict, under...).want(t, http.StatusOK).decode(t, &reviewed)
	if e := received(t, w, reviewed.Receipt); len(reviewed.Verdicts) != 1 || reviewed.Verdicts[0].Note != verdict.Note || e.Action != "audit.review" || e.Details["verdict"] != "unclear" || strings.Contains(fmt.Sprint(e), "case file") {
		t.Errorf("%+v, %+v", reviewed, e)
	}
	ask(http.MethodPut, api.VerdictPath(first.ID, first.Seqs[0]), api.VerdictRequest{Verdict: "fine"}, under...).want(t, http.StatusBadRequest)
	ask(http.MethodPut, api.VerdictPath(first.ID, first.Seqs[0]), verdict, under[:2]...).want(t, http.StatusForbidden)
	for _, path := range []string{api.VerdictPath(first.ID, 1<<40), api.VerdictPath(nobody, 1), api.VerdictPath("none", 1), api.VerdictPath(first.ID, 0)} {
		ask(http.MethodPut, path, verdict, under...).want(t, http.StatusNotFound)
	}
	var all api.Samples
	dpo.get(api.RouteSamples, api.HeaderConsultation, consultation).want(t, http.StatusOK).decode(t, &all)
	if len(all.Items) != 2 || len(all.Items[0].Verdicts)+len(all.Items[1].Verdicts) != 1 {
		t.Errorf("%+v", all)
	}
	dpo.get(api.RouteSamples).want(t, http.StatusForbidden)
	other := w.as("lv/vp", "dpo")
	dpo = other
	theirs := []string{"Content-Type", api.MediaJSON, api.HeaderConsultation, other.consult("")}
	ask(http.MethodPut, api.VerdictPath(first.ID, first.Seqs[0]), verdict, theirs...).want(t, http.StatusNotFound)
	other.get(api.RouteSamples, theirs[2:]...).want(t, http.StatusOK).decode(t, &all)
	if len(all.Items) != 0 {
		t.Errorf("another agency sees %+v", all)
	}
}

// A search that takes too long is refused, and no fault.
func testSearchTooWide(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, func(x server.Exchange) server.Exchange {
		x.(*exchange.Service).SearchTime = time.Nanosecond
		return x
	})
	dpo := s.as("ee/pbgb", "dpo")
	r := dpo.get(api.RouteAuditEntries+"?q=outcome:denied", api.HeaderConsultation, dpo.consult("")).want(t, http.StatusUnprocessableEntity)
	sample := dpo.do(http.MethodPost, api.RouteSamples, []byte(`{"size":1}`), "Content-Type", api.MediaJSON, api.HeaderConsultation, dpo.consult("")).want(t, http.StatusUnprocessableEntity)
	if sample.problem() != "search-too-wide" {
		t.Errorf("%s", sample.body)
	}
	if r.problem() != "search-too-wide" || !strings.Contains(string(r.body), "narrow") {
		t.Errorf("%s", r.body)
	}
}

func testFullTilesMayBeKept(t *testing.T, w *wire) {
	ee := w.as("ee/pbgb", "unit")
	for range audit.TileWidth {
		ee.get(api.RoutePackages+"/none").want(t, http.StatusNotFound) // each with its entry
	}
	for _, level := range []int{0, audit.EntriesLevel} {
		tile := ee.get("/log/"+audit.TilePath{Level: level, Index: 0, Width: audit.TileWidth}.String()).want(t, http.StatusOK)
		if c := tile.header.Get("Cache-Control"); c != "max-age=31536000, immutable" {
			t.Errorf("Cache-Control %s", c)
		}
	}
}

func testDocuments(t *testing.T, w *wire) {
	ee := w.as("ee/pbgb", "unit")
	if got := ee.get(api.RouteOpenAPI).want(t, http.StatusOK); !bytes.Equal(got.body, server.OpenAPI()) {
		t.Error("another document")
	}
	if got := ee.get(api.RouteMetaSchema).want(t, http.StatusOK); !bytes.Contains(got.body, []byte("2020-12")) {
		t.Errorf("%.80s", got.body)
	}
	for _, p := range api.ProblemTypes() {
		if got := ee.get(p.URI()).want(t, http.StatusOK); !bytes.Contains(got.body, []byte(p.Help)) {
			t.Errorf("%s: %s", p.Slug, got.body)
		}
	}
	ee.get("/problems/none").want(t, http.StatusNotFound)
}
