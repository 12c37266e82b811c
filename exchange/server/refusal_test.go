package server_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// noKey is the thumbprint of no key.
var noKey = strings.Repeat("k", 43)

// asked is one request.
type asked struct {
	method, path string
	body         []byte
	headers      []string
}

func (c *caller) ask(a asked) reply {
	c.t.Helper()
	return c.do(a.method, a.path, a.body, a.headers...)
}

// nobody is the id of no package.
var nobody = uuid.Must(uuid.NewV7()).String()

// everyOperation is a request to each operation that is well formed as far as
// HTTP goes. The open ones leave no entry.
func everyOperation() (gated, open []asked) {
	get := func(path string) asked { return asked{method: http.MethodGet, path: path} }
	post := func(path, media string) asked {
		return asked{http.MethodPost, path, []byte("{}"), []string{"Content-Type", media}}
	}
	gated = []asked{
		post(api.RoutePackages, api.MediaForm+"; boundary=b"), get(api.RoutePackages), get(api.PackagePath(nobody, "")), get(api.PackagePath(nobody, "manifest")),
		post(api.PackagePath(nobody, "acknowledgement"), api.MediaJOSE), post(api.PackagePath(nobody, "mismatch"), api.MediaJSON), get(api.PackagePath(nobody, "content")), get(api.AttachmentPath(nobody, 0)),
		get(api.DecisionPath(nobody)), get(api.PolicyDecisionPath("ee", nobody)), post(api.PolicyReplayPath("ee"), api.MediaBundle),
		{http.MethodPut, api.ShadowPath("ee"), []byte("{}"), []string{"Content-Type", api.MediaBundle}}, get(api.ShadowPath("ee")), {method: http.MethodDelete, path: api.ShadowPath("ee")},
		post(api.RouteDecisions, api.MediaJSON), post(api.RouteConsultations, api.MediaJSON), get(api.RouteAuditEntries), get(api.AuditEntryPath("ee/pbgb", 1)), get(api.RouteAuditStatistics), get(api.RouteAuditExport),
		post(api.RouteErasures, api.MediaJOSE), get(api.RouteErasures), post(api.RouteHolds, api.MediaJSON), get(api.RouteHolds), post(api.ReleasePath(nobody), api.MediaJSON),
		post(api.RouteSamples, api.MediaJSON), get(api.RouteSamples), {http.MethodPut, api.VerdictPath(nobody, 1), []byte("{}"), []string{"Content-Type", api.MediaJSON}},
		{http.MethodPut, api.KeyPath("ee/pbgb", noKey), []byte("{}"), []string{"Content-Type", api.MediaJSON}}, {method: http.MethodDelete, path: api.KeyPath("ee/pbgb", noKey)},
		{http.MethodPut, api.RevocationsPath("ee"), []byte("{}"), []string{"Content-Type", api.MediaCRL}}, {http.MethodPut, api.GracePath("ee"), []byte("{}"), []string{"Content-Type", api.MediaJSON}},
		get(api.RoutePolicies), get(api.PolicyPath("ee")), {http.MethodPut, api.PolicyPath("ee"), []byte("{}"), []string{"Content-Type", api.MediaBundle}},
		post(api.PolicyRollbackPath("ee"), api.MediaJOSE),
		get(api.RouteLimits), {http.MethodPut, api.RouteLimits, []byte("{}"), []string{"Content-Type", api.MediaJSON}},
		get(api.AdmissionPath("ee/pbgb")), {http.MethodPut, api.AdmissionPath("ee/pbgb"), []byte("{}"), []string{"Content-Type", api.MediaJSON}},
	}
	open = []asked{
		get(api.RouteAgencies), get(api.AgencyPath("ee/pbgb")), get(api.KeysPath("ee/pbgb")), get(api.KeyPath("ee/pbgb", noKey)),
		get(api.RevocationsPath("ee")), get(api.RouteCheckpoint), get(api.RouteWitnessed), get(api.RouteWitnesses), get("/log/tile/0/000.p/1"), get(api.RouteOpenAPI), get(api.RouteMetaSchema), get("/problems/not-found"),
	}
	return gated, open
}

// expect sends what must be refused, and keeps which entry it must leave.
type expect struct {
	t     *testing.T
	wants map[string]string // problem by request id; empty: no entry
}

func (e *expect) refused(c *caller, a asked, problem string, entry bool) reply {
	e.t.Helper()
	r := c.ask(a)
	if r.problem() != problem {
		e.t.Errorf("%s %s %v: got %d %s, want %s", a.method, a.path, a.headers, r.status, r.body, problem)
	}
	if !entry {
		problem = ""
	}
	e.wants[r.header.Get(api.HeaderRequestID)] = problem
	return r
}

// check looks for the entries.
func (e *expect) check(w *wire, agency string) {
	e.t.Helper()
	entries := w.entries(agency)
	for id, problem := range e.wants {
		if got := entries[id].Problem; got != problem {
			e.t.Errorf("request %s: entry of problem %q, want %q", id, got, problem)
		}
	}
}

// Each operation refuses what is wrong with any request, before the domain is
// asked, and each refusal has its entry, but for what everybody may read.
func testEveryOperationRefuses(t *testing.T, w *wire) {
	unit, supervisor := w.as("ee/pbgb", "unit"), w.stranger("ee/pbgb")
	e := &expect{t, map[string]string{}}
	gated, open := everyOperation()
	for i, a := range append(gated, open...) {
		leaves := i < len(gated)
		query := a
		query.path += "?" + url.Values{"unknown": {"1"}}.Encode()
		e.refused(unit, query, "request-malformed", leaves)
		packed := a
		packed.headers = append([]string{"Content-Encoding", "gzip"}, a.headers...)
		e.refused(unit, packed, "unsupported-media-type", leaves)
		elsewhere := a
		elsewhere.headers = append([]string{"Host", "other.example:443"}, a.headers...)
		e.refused(unit, elsewhere, "misdirected", leaves)
		if a.body == nil {
			body := a
			body.body = []byte("{}")
			e.refused(unit, body, "request-malformed", leaves)
		} else {
			typeless := a
			typeless.headers = []string{"Content-Type", "text/plain"}
			e.refused(unit, typeless, "unsupported-media-type", leaves)
			typeless.headers = append(a.headers, a.headers...)
			e.refused(unit, typeless, "unsupported-media-type", leaves)
		}
		// Who may not be here at all leaves an entry everywhere.
		e.refused(supervisor, a, "identity-refused", true)
	}
	e.check(w, "ee/pbgb")
}

// part is one part of a form that a test makes.
type part struct{ name, media, body string }

func form(t *testing.T, parts ...part) asked {
	t.Helper()
	var b bytes.Buffer
	f := multipart.NewWriter(&b)
	for _, p := range parts {
		w, err := f.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.name + `"`}, "Content-Type": {p.media}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(p.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return asked{http.MethodPost, api.RoutePackages, b.Bytes(), []string{"Content-Type", f.FormDataContentType()}}
}

// What each call refuses for reasons of its own, with its entry.
func testRefusals(t *testing.T, w *wire) {
	unit, dpo := w.as("ee/pbgb", "unit"), w.as("ee/pbgb", "dpo")
	sealed := w.seal(demo.EEtoLV)
	unit.post(sealed).want(t, http.StatusCreated)
	e := &expect{t, map[string]string{}}
	for _, path := range []string{"/", "/v1", "/v2/packages", "/v1/packages/", "//v1/packages", "/v1//packages", "/v1/packages/" + strings.ToUpper(sealed.JTI),
		"/v1/p%61ckages", "/v1/packages/" + sealed.JTI + "%2Fmanifest", "/v1/packages/" + sealed.JTI + "/../" + sealed.JTI, "/v1/packages/..;/agencies",
		"/v1/packages/" + sealed.JTI + "/attachments/-1", "/v1/packages/" + sealed.JTI + "/attachments/00", "/livez", "/metrics", "/readyz"} {
		e.refused(unit, asked{method: http.MethodGet, path: path}, "not-found", true)
	}
	for _, method := range []string{http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodOptions, http.MethodTrace, "BREW", "get"} {
		r := e.refused(unit, asked{method: method, path: api.RoutePackages}, "method-not-allowed", true)
		if r.header.Get("Allow") != "POST, GET" {
			t.Errorf("%s: Allow %q", method, r.header.Get("Allow"))
		}
	}
	for _, query := range []string{"box=sent", "state=open", "limit=0", "limit=201", "after=-1", "due_before=now", "box=inbox&box=outbox", "box="} {
		e.refused(unit, asked{method: http.MethodGet, path: api.RoutePackages + "?" + query}, "request-malformed", true)
	}
	jose := []string{"Content-Type", api.MediaJOSE}
	ack := api.PackagePath(sealed.JTI, "acknowledgement")
	e.refused(unit, asked{http.MethodPost, ack, bytes.Repeat([]byte("a"), 48<<10+1), jose}, "too-large", true)
	e.refused(unit, asked{http.MethodPost, ack, []byte("not a JWS"), jose}, "envelope-malformed", true)
	for _, path := range []string{api.RouteDecisions, api.RouteConsultations, api.PackagePath(sealed.JTI, "mismatch")} {
		asJSON := []string{"Content-Type", api.MediaJSON}
		e.refused(unit, asked{http.MethodPost, path, bytes.Repeat([]byte(" "), 64<<10+1), asJSON}, "too-large", true)
		for _, body := range []string{"", "[]", "{}", "null", `{"role":"operator"}`, `{"officer":"a","officer":"b"}`, "\xff"} {
			e.refused(unit, asked{http.MethodPost, path, []byte(body), asJSON}, "request-malformed", true)
		}
	}
	consult := func(pkg string) asked {
		body, err := json.Marshal(api.ConsultationRequest{Officer: "o.fficer", Justification: theReason, Package: pkg})
		if err != nil {
			t.Fatal(err)
		}
		return asked{http.MethodPost, api.RouteConsultations, body, []string{"Content-Type", api.MediaJSON}}
	}
	e.refused(unit, consult(nobody), "not-found", true)
	e.refused(unit, consult("../"+nobody), "request-malformed", true)
	content := api.PackagePath(sealed.JTI, "content")
	e.refused(unit, asked{method: http.MethodGet, path: content}, "consultation-required", true)
	e.refused(unit, asked{method: http.MethodGet, path: content, headers: []string{api.HeaderConsultation, "none"}}, "consultation-required", true)
	e.refused(unit, asked{method: http.MethodGet, path: content, headers: []string{api.HeaderConsultation, unit.consult(sealed.JTI), api.HeaderConsultation, nobody}}, "consultation-required", true)
	e.refused(unit, asked{method: http.MethodGet, path: api.AttachmentPath(sealed.JTI, 0), headers: []string{"Range", "bytes=5-1"}}, "request-malformed", true)
	e.refused(unit, asked{method: http.MethodGet, path: api.AttachmentPath(sealed.JTI, 0), headers: []string{api.HeaderConsultation, unit.consult(sealed.JTI)}}, "not-found", true)
	e.refused(dpo, asked{method: http.MethodGet, path: api.RoutePackages}, "role-forbidden", true)
	e.refused(unit, asked{method: http.MethodGet, path: api.RouteAuditEntries}, "role-forbidden", true)
	testPostRefusals(t, w, e)
	e.check(w, "ee/pbgb")
}

// testPostRefusals sends packages that are wrong, each in one way.
func testPostRefusals(t *testing.T, w *wire, e *expect) {
	unit := w.as("ee/pbgb", "unit")
	good, other := w.seal(demo.EEtoLV), w.seal(demo.EEtoLV)
	m := part{api.PartManifest, api.MediaJOSE, string(good.Manifest)}
	s := part{api.PartStatement, api.MediaJOSE, string(good.Statement)}
	c := part{api.PartContent, api.MediaJOSEJSON, string(good.Content)}
	a := part{api.PartAttachment, api.MediaBinary, "unannounced"}
	with := func(p part, body string) part { p.body = body; return p }
	e.refused(unit, form(t), "envelope-malformed", true)
	e.refused(unit, form(t, s, m, c), "envelope-malformed", true)
	e.refused(unit, form(t, m, s), "envelope-malformed", true)
	e.refused(unit, form(t, m, s, c, part{"sender", "text/plain", "lv/vp"}), "envelope-malformed", true)
	e.refused(unit, form(t, m, s, c, a), "package-invalid", true)
	e.refused(unit, form(t, with(m, "a.b.c"), s, c), "envelope-malformed", true)
	e.refused(unit, form(t, m, with(s, string(other.Statement)), c), "package-invalid", true)
	e.refused(unit, form(t, m, s, with(c, string(other.Content))), "package-invalid", true)
	e.refused(unit, form(t, with(m, strings.Repeat("m", 48<<10+1)), s, c), "too-large", true)
	e.refused(unit, form(t, with(m, string(tampered(good.Manifest))), s, c), "envelope-rejected", true)
	cut := form(t, m, s, c)
	cut.body = cut.body[:len(cut.body)-20]
	e.refused(unit, cut, "request-malformed", true)
	// The same id for another package, after it was used.
	unit.ask(form(t, m, s, c)).want(t, http.StatusCreated)
	e.refused(unit, form(t, with(m, w.resigned(good)), s, c), "conflict", true)
}

// tampered is a compact JWS with another signature, still base64url.
func tampered(jws []byte) []byte {
	out := bytes.Clone(jws)
	at := &out[len(out)-10]
	if *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	return out
}

// What does not exist and what one is not entitled to are one answer.
func testNotFoundIsOneAnswer(t *testing.T, w *wire) {
	ee, it := w.as("ee/pbgb", "unit"), w.as("it/dcpc", "unit")
	sealed := w.seal(demo.EEtoLV)
	ee.post(sealed).want(t, http.StatusCreated)
	plain := func(r reply) reply {
		r.header.Del(api.HeaderRequestID)
		r.header.Del("Date")
		return r
	}
	for _, part := range []string{"", "manifest", "content", "attachments/0"} {
		foreign := plain(it.get(api.PackagePath(sealed.JTI, part), api.HeaderConsultation, nobody).want(t, http.StatusNotFound))
		absent := plain(it.get(api.PackagePath(nobody, part), api.HeaderConsultation, nobody).want(t, http.StatusNotFound))
		nonsense := plain(it.get("/no/such/path").want(t, http.StatusNotFound))
		for _, other := range []reply{absent, nonsense} {
			if diff := cmp.Diff(foreign, other, cmp.AllowUnexported(reply{})); diff != "" {
				t.Errorf("%q: the answers differ:\n%s", part, diff)
			}
		}
	}
	ack := asked{http.MethodPost, api.PackagePath(sealed.JTI, "acknowledgement"), w.as("lv/vp", "unit").acknowledgement("lv/vp", sealed.JTI), []string{"Content-Type", api.MediaJOSE}}
	if r := it.ask(ack); r.status < 400 || bytes.Contains(r.body, []byte("ee/pbgb")) {
		t.Errorf("acknowledged for another: %d %s", r.status, r.body)
	}
}

// Every failure of signature, key or identity is one answer.
func testRejectedIsOneAnswer(t *testing.T, w *wire) {
	sealed := w.seal(demo.EEtoLV)
	other := *sealed
	other.Manifest = tampered(sealed.Manifest)
	signature := w.as("ee/pbgb", "unit").post(&other).want(t, http.StatusUnprocessableEntity)
	identity := w.as("it/dcpc", "unit").post(sealed).want(t, http.StatusUnprocessableEntity)
	if !bytes.Equal(signature.body, identity.body) || signature.problem() != "envelope-rejected" {
		t.Errorf("%s\n%s", signature.body, identity.body)
	}
}

// The server's log says what happened, and nothing of what was written.
func testLogIsSilent(t *testing.T, w *wire) {
	ee := w.as("ee/pbgb", "unit")
	sealed := w.seal(demo.EEtoLV)
	posted := ee.post(sealed).want(t, http.StatusCreated)
	ee.consult(sealed.JTI)
	ee.get(api.RoutePackages+"?after=987654321").want(t, http.StatusOK)
	ee.get("/s3cret-path").want(t, http.StatusNotFound)
	log := w.Log.String()
	if !strings.Contains(log, posted.header.Get(api.HeaderRequestID)) || !strings.Contains(log, `"route":"/v1/packages"`) {
		t.Error("the log lacks the request")
	}
	for _, secret := range []string{theReason, theText, "o.fficer", "EE-unit-0417", "987654321", "s3cret-path", string(sealed.Statement), string(sealed.Manifest)} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %.40q", secret)
		}
	}
}
