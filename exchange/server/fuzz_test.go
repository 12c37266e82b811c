package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// Targets that speak HTTP/2 to a whole exchange. Every answer is held against
// the OpenAPI document, and none may be the server's fault.

// fuzzWire is an exchange with one package that its recipient has read.
type fuzzWire struct {
	*wire
	transports map[string]*http.Transport // by identity
	words      *strings.Replacer          // what differs from run to run
}

var fuzzIdentities = []string{"ee/pbgb unit", "lv/vp unit", "ee/pbgb dpo", "lv/vp dpo", demo.Operator + " operator"}

func newFuzzWire(f *testing.F) *fuzzWire {
	f.Helper()
	w := newWire(f)
	fuzz := &fuzzWire{wire: w, transports: map[string]*http.Transport{}}
	for _, identity := range fuzzIdentities {
		agency, role, _ := strings.Cut(identity, " ")
		transport := &http.Transport{TLSClientConfig: w.tlsOf(agency, role), ForceAttemptHTTP2: true, DisableCompression: true}
		f.Cleanup(transport.CloseIdleConnections)
		fuzz.transports[identity] = transport
	}
	sealed := w.seal(demo.EEtoLV, 100)
	w.as("ee/pbgb", "unit").post(sealed).want(f, http.StatusCreated)
	lv := w.as("lv/vp", "unit")
	lv.do(http.MethodPost, api.PackagePath(sealed.JTI, "acknowledgement"), lv.acknowledgement("lv/vp", sealed.JTI), "Content-Type", api.MediaJOSE).want(f, http.StatusCreated)
	fuzz.words = strings.NewReplacer("@ID@", sealed.JTI, "@READING@", lv.consult(sealed.JTI), "@REVIEW@", w.as("ee/pbgb", "dpo").consult(""),
		"@KID@", w.signKey("lv/vp").Kid())
	return fuzz
}

// ask sends a request of one of the identities; false if no client would.
func (w *fuzzWire) ask(t *testing.T, identity, method, target, headers string, body []byte) (reply, bool) {
	t.Helper()
	u, err := url.Parse("https://" + w.address + w.words.Replace(target))
	if err != nil || u.Host != w.address || u.User != nil {
		return reply{}, false
	}
	req, err := http.NewRequestWithContext(t.Context(), method, u.String(), bytes.NewReader(body))
	if err != nil {
		return reply{}, false
	}
	for line := range strings.Lines(w.words.Replace(headers)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if slices.Contains([]string{"connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection", "te", "expect", "host"}, strings.ToLower(name)) {
			return reply{}, false // the connection's, which the client writes itself
		}
		req.Header[name] = append(req.Header[name], value)
	}
	resp, err := w.transports[identity].RoundTrip(req) //nolint:bodyclose // it is, behind the watcher
	if err != nil {
		return reply{}, false
	}
	resp, err = exchangetest.Watch(t, given{resp}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: raw}
	w.judge(t, method, target, r)
	return r, true
}

// given is an answer that is there already.
type given struct{ resp *http.Response }

func (g given) RoundTrip(*http.Request) (*http.Response, error) { return g.resp, nil }

// judge: the answer is short, no fault, and a refusal is of a known type.
func (w *fuzzWire) judge(t *testing.T, method, target string, r reply) {
	t.Helper()
	if r.status >= http.StatusInternalServerError || len(r.body) > 1<<20 {
		t.Fatalf("%s %s: %d, %d bytes: %.300s", method, target, r.status, len(r.body), r.body)
	}
	if r.status < http.StatusBadRequest || method == http.MethodHead || r.header.Get(api.HeaderRequestID) == "" {
		return
	}
	known := slices.ContainsFunc(api.ProblemTypes(), func(p api.ProblemType) bool { return p.Slug == r.problem() && p.Status == r.status })
	if !known {
		t.Fatalf("%s %s: %d: no known problem: %.300s", method, target, r.status, r.body)
	}
}

// FuzzRequest asks for anything, as a unit and as a data-protection officer.
func FuzzRequest(f *testing.F) {
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	reading, review := api.HeaderConsultation+": @READING@", api.HeaderConsultation+": @REVIEW@"
	for _, target := range []string{
		api.RoutePackages + "?box=inbox&state=delivered&due_before=2026-11-22T08:00:00Z&after=1&limit=200", api.PackagePath("@ID@", ""), api.PackagePath("@ID@", "manifest"),
		api.RouteAgencies, api.AgencyPath("lv/vp"), api.KeysPath("lv/vp"), api.KeyPath("lv/vp", "@KID@"), api.RouteCheckpoint, api.RouteWitnessed, api.RouteWitnesses, "/log/tile/0/000.p/3", "/log/tile/entries/000.p/1",
		api.RouteMetaSchema, "/problems/not-found", "/v1/events", "/v1/../admin", "/v1/packages/%2e%2e", "//v1/packages", "/v1/packages/@ID@/attachments/-0",
	} {
		f.Add(uint8(1), uint8(0), target, "", []byte{})
	}
	f.Add(uint8(1), uint8(0), api.PackagePath("@ID@", "content"), reading, []byte{})
	f.Add(uint8(1), uint8(0), api.AttachmentPath("@ID@", 0), reading+"\nRange: bytes=-10", []byte{})
	f.Add(uint8(1), uint8(0), api.AttachmentPath("@ID@", 0), reading+"\nRange: bytes=0-1\nIf-Range: x", []byte{})
	f.Add(uint8(2), uint8(0), api.RouteAuditEntries+"?after=1&limit=2", review, []byte{})
	f.Add(uint8(2), uint8(0), api.AuditEntryPath("ee/pbgb", 1), review, []byte{})
	f.Add(uint8(0), uint8(2), api.RouteConsultations, "Content-Type: application/json; charset=UTF-8", []byte(`{"officer":"o.fficer","justification":"`+theReason+`","package":"@ID@"}`))
	f.Add(uint8(0), uint8(2), api.RouteDecisions, "Content-Type: application/json", []byte(`{"manifest":{},"statement":{}}`))
	f.Add(uint8(0), uint8(2), api.RoutePackages, "Content-Type: multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"manifest\"\r\nContent-Type: application/jose\r\n\r\na.b.c\r\n--x--\r\n"))
	f.Add(uint8(1), uint8(2), api.PackagePath("@ID@", "acknowledgement"), "Content-Type: application/jose", []byte("e30.e30.AAAA"))
	f.Add(uint8(1), uint8(3), api.KeyPath("lv/vp", "@KID@"), "Content-Type: application/json", []byte(`{"kty":"OKP","crv":"Ed25519","use":"sig"}`))
	f.Add(uint8(1), uint8(5), api.KeyPath("ee/pbgb", "@KID@")+"?until=2026-11-22T08:00:00Z&compromised=2026-11-22T08:00:00Z", "", []byte{})
	f.Add(uint8(4), uint8(3), "/v1/agencies/by/mia/admission", "Content-Type: application/json", []byte(`{"roles":["unit","dpo"],"suspended":true,"reason":"`+theReason+`"}`))
	f.Add(uint8(4), uint8(0), "/v1/agencies/by/mia/admission", "", []byte{})
	w := newFuzzWire(f)
	f.Fuzz(func(t *testing.T, identity, method uint8, target, headers string, body []byte) {
		body = []byte(w.words.Replace(string(body)))
		w.ask(t, fuzzIdentities[int(identity)%len(fuzzIdentities)], methods[int(method)%len(methods)], target, headers, body)
	})
}

// FuzzDryRun asks for decisions about any payloads: what is decided is decided
// for each recipient once, what is not is the caller's fault.
func FuzzDryRun(f *testing.F) {
	w := newFuzzWire(f)
	sample, _ := demo.Find(demo.EEtoLV, w.Clock.Now())
	meta, err := json.Marshal(sample.Meta)
	must(f, err)
	const both = `"iss":"ee/pbgb","jti":"0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"`
	manifest := `{"exchange":"` + demo.Origin + `",` + both + `,"aud":["lv/vp"],"iat":1795312345,"exp":1797904345,"meta":` + string(meta) + `}`
	statement := `{` + both + `,"officer":"o.fficer","justification":"` + theReason + `","approvals":[],"subject_refs":[],"texts":{"urgency":"They may leave today."}}`
	f.Add([]byte(manifest), []byte(statement))
	f.Add([]byte(strings.Replace(manifest, `["lv/vp"]`, `["lv/vp","ua/npu","by/mia","xx/none"]`, 1)), []byte(statement))
	f.Add([]byte(strings.Replace(manifest, `"v":1`, `"v":2`, 1)), []byte(strings.Replace(statement, "o.fficer", "o fficer", 1)))
	f.Fuzz(func(t *testing.T, manifest, statement []byte) {
		body := []byte(w.words.Replace(`{"manifest":` + string(manifest) + `,"statement":` + string(statement) + `}`))
		r, ok := w.ask(t, "ee/pbgb unit", http.MethodPost, api.RouteDecisions, "Content-Type: application/json", body)
		if !ok || r.status != http.StatusOK {
			return
		}
		var decided api.Decided
		var asked struct{ Manifest struct{ Aud []string } }
		r.decode(t, &decided)
		if err := json.Unmarshal(body, &asked); err != nil || len(decided.Outcomes) != len(asked.Manifest.Aud) {
			t.Fatalf("decided %+v for %v: %v", decided.Outcomes, asked.Manifest.Aud, err)
		}
		for i, o := range decided.Outcomes {
			if o.Recipient != asked.Manifest.Aud[i] || o.Outcome == "delivered" && o.Recipient == "by/mia" {
				t.Fatalf("decided %+v for %v", o, asked.Manifest.Aud)
			}
		}
	})
}

// FuzzPost signs any payloads with the sender's real key and posts them with a
// content that was encrypted for them: past the signature, everything else has
// to hold. What is accepted is what was signed, with a receipt that says so.
func FuzzPost(f *testing.F) {
	w := newFuzzWire(f)
	sample, _ := demo.Find(demo.EEtoLV, w.Clock.Now())
	meta, err := json.Marshal(sample.Meta)
	must(f, err)
	to, err := w.As("ee/pbgb", "unit").EncryptionKey(f.Context(), "lv/vp")
	must(f, err)
	in := envelope.SealInput{Exchange: demo.Origin, Iss: "ee/pbgb", Meta: meta, Officer: "o.fficer", Justification: theReason, SignKey: w.signKey("ee/pbgb"),
		Recipients: []envelope.RecipientKey{{Agency: "lv/vp", Key: to}}, Message: envelope.Message{Text: theText}}
	manifest := `{"exchange":"` + demo.Origin + `","iss":"ee/pbgb","aud":["lv/vp"],"jti":"@JTI@","iat":@IAT@,"exp":@EXP@,"statement_sha256":"@STATEMENT@","content":@CONTENT@,"meta":` + string(meta) + `}`
	statement := `{"iss":"ee/pbgb","jti":"@JTI@","officer":"o.fficer","justification":"` + theReason + `","approvals":[],"subject_refs":[],"texts":{}}`
	f.Add([]byte(manifest), []byte(statement))
	f.Add([]byte(strings.Replace(manifest, `"lv/vp"`, `"by/mia"`, 1)), []byte(statement))
	f.Add([]byte(strings.Replace(manifest, `@JTI@`, `@ID@`, 1)), []byte(statement))
	f.Add([]byte(strings.Replace(manifest, `"content"`, `"attachments":[],"content"`, 1)), []byte(strings.Replace(statement, `{}`, `{"urgency":"They may leave today."}`, 1)))
	f.Fuzz(func(t *testing.T, manifest, statement []byte) {
		in := in
		in.Now = w.Clock.Now()
		sealed, err := envelope.Seal(in)
		must(t, err)
		honest, err := envelope.ParseManifest(sealed.Manifest)
		must(t, err)
		content, err := json.Marshal(honest.Content)
		must(t, err)
		words := strings.NewReplacer("@JTI@", sealed.JTI, "@CONTENT@", string(content), "@IAT@", fmt.Sprint(in.Now.Unix()), "@EXP@", fmt.Sprint(in.Now.Unix()+86400))
		sealed.Statement = w.signed(t, envelope.TypStatement, words.Replace(string(statement)))
		digest := sha256.Sum256(sealed.Statement)
		sealed.Manifest = w.signed(t, envelope.TypManifest, w.words.Replace(strings.ReplaceAll(words.Replace(string(manifest)),
			"@STATEMENT@", base64.RawURLEncoding.EncodeToString(digest[:]))))
		contentType, body := formOf(t, sealed)
		r, ok := w.ask(t, "ee/pbgb unit", http.MethodPost, api.RoutePackages, "Content-Type: "+contentType, body)
		if !ok || r.status >= http.StatusBadRequest {
			return
		}
		var accepted api.Accepted
		r.decode(t, &accepted)
		receipt, err := audit.ParseReceipt(accepted.Receipt)
		must(t, err)
		entry, err := audit.ParseEntry(receipt.Entry)
		must(t, err)
		digest = sha256.Sum256(sealed.Manifest)
		if accepted.ID != sealed.JTI || len(accepted.Outcomes) != 1 || accepted.Outcomes[0].Recipient != "lv/vp" ||
			entry.Package != sealed.JTI || entry.ManifestSHA256 != base64.RawURLEncoding.EncodeToString(digest[:]) {
			t.Fatalf("accepted %+v, recorded %s", accepted, receipt.Entry)
		}
	})
}

// signed is any payload as a compact JWS of the sender.
func (w *fuzzWire) signed(t *testing.T, typ, payload string) []byte {
	t.Helper()
	key := w.in(t).signKey("ee/pbgb")
	header := `{"alg":"ES256","kid":"` + key.Kid() + `","typ":"` + typ + `"}`
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return []byte(input + "." + base64.RawURLEncoding.EncodeToString(signES256(t, key.Signer(), input)))
}
