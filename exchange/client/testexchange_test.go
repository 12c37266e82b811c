package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/certs/certstest"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

const (
	testOrigin = "test.liaison.example/ledger"
	testReason = "Joint investigation, asked for by the prosecutor."
	testMeta   = `{"v":1,"message_type":"spontaneous","content_kind":"operational","case_ref":"EE-2026-0117","purpose":"investigation",
	"legal_basis":[{"instrument":"ee-police-act","article":"7-46","jurisdiction":"ee"}],"transfer_basis":"internal_eu","crime_areas":["drug_trafficking"],
	"subjects":[{"category":"suspect","count":2,"minors":"none","data_categories":["a","b"],"link":"direct"}],"assertion_type":"fact",
	"handling":{"code":"H1"},"classification":"none","originator":["ee/pbgb"],"retention":{"review_by":"2027-01-01","erase_by":"2028-01-01"},
	"urgency":{"level":"routine"},"language":"en"}`
)

// testKey is a key of the directory, with its private half.
type testKey struct {
	private            envelope.PrivateKey
	published          envelope.PublishedKey
	until, compromised string
}

// testPackage is what the test exchange holds of a package.
type testPackage struct {
	signed      *envelope.SignedManifest
	content     []byte
	attachments [][]byte
	outcome     string
	first       api.Accepted
}

// testExchange is a server of the tests' own, with a ledger, keys and certificates of the real kind. It is honest but for what
// a test makes of it: the members under "lies" are asked before an answer leaves. It checks nothing that a client sends.
type testExchange struct {
	t      testing.TB
	pki    *certstest.PKI
	server *httptest.Server
	mu     sync.Mutex
	ledger *testLedger
	sig    map[string]testKey // by agency
	enc    map[string]testKey
	held   map[string]*testPackage
	calls  []string

	// Lies.
	intercept func(w http.ResponseWriter, r *http.Request) bool // true: answered
	receipt   func(audit.Entry) string                          // another receipt than the one for the entry
	keys      func(agency string, set envelope.KeySet) envelope.KeySet
	content   func(b []byte) []byte
	denies    map[string]bool // recipients
}

func newTestExchange(t testing.TB) *testExchange {
	skey, vkey, err := audit.GenerateKey(testOrigin)
	must(t, err)
	x := &testExchange{t: t, pki: certstest.New(t), ledger: newTestLedger(t, skey, vkey), sig: map[string]testKey{},
		enc: map[string]testKey{}, held: map[string]*testPackage{}, denies: map[string]bool{}}
	for _, agency := range []string{"ee/pbgb", "lv/vp", "ua/npu"} {
		x.sig[agency] = x.newKey(agency, envelope.UseSign)
		x.enc[agency] = x.newKey(agency, envelope.UseEncrypt)
	}
	x.server = httptest.NewUnstartedServer(x.routes())
	x.server.EnableHTTP2 = true
	x.server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{x.pki.Server()}, ClientAuth: tls.RequireAnyClientCert}
	x.server.StartTLS()
	t.Cleanup(x.server.Close)
	return x
}

func (x *testExchange) newKey(agency string, use envelope.Use, options ...certstest.Option) testKey {
	private, err := envelope.Generate(use, envelope.ES256)
	must(x.t, err)
	k := testKey{private: private, published: envelope.PublishedKey{PublicKey: private.Public()}}
	for _, c := range x.pki.Key(agency, string(use), "k1", private.Public().CryptoKey(), options...) {
		k.published.X5C = append(k.published.X5C, c.Raw)
	}
	return k
}

// config is the configuration of a unit's client.
func (x *testExchange) config(agency string) Config {
	ledger, err := audit.ParseKeys([]byte(x.ledger.vkey))
	must(x.t, err)
	return Config{
		Server: x.server.URL, Agency: agency, Officer: "o-17", TLS: x.pki.ClientTLS(x.pki.Client(agency, certs.RoleUnit, "alice")),
		Trust: &certs.Trust{Anchors: x.pki.Anchors("ee", "lv", "ua")}, Ledger: ledger, SpoolDir: x.t.TempDir(),
		Sign: x.sig[agency].private, Decrypt: []envelope.PrivateKey{x.enc[agency].private},
	}
}

// client is a unit's client that does not wait between attempts.
func (x *testExchange) client(agency string) *Client { return x.clientOf(x.config(agency)) }

func (x *testExchange) clientOf(config Config) *Client {
	c, err := New(config)
	must(x.t, err)
	c.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	x.t.Cleanup(c.Close)
	return c
}

func (x *testExchange) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request, agency string) (int, any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.calls = append(x.calls, r.Method+" "+r.URL.Path)
			if x.intercept != nil && x.intercept(w, r) {
				return
			}
			status, body := h(r, callerAgency(r))
			reply(w, r, status, body)
		})
	}
	handle("POST /v1/packages", x.postPackage)
	handle("POST /v1/decisions", x.decide)
	handle("GET /v1/packages", x.list)
	handle("GET /v1/packages/{id}", x.describe)
	handle("GET /v1/packages/{id}/manifest", func(r *http.Request, _ string) (int, any) { return 200, x.held[r.PathValue("id")].signed.Raw })
	handle("POST /v1/packages/{id}/acknowledgement", x.acknowledge)
	handle("POST /v1/consultations", x.consult)
	handle("GET /v1/packages/{id}/content", x.getContent)
	handle("GET /v1/packages/{id}/attachments/{n}", x.getAttachment)
	handle("GET /v1/agencies", func(*http.Request, string) (int, any) {
		return 200, api.Agencies{Items: []api.Agency{{ID: "lv/vp", Jurisdiction: "lv", Type: "spoc", Status: "active"}}}
	})
	handle("GET /v1/agencies/{j}/{a}", func(r *http.Request, _ string) (int, any) { return 200, api.Agency{ID: pathAgency(r)} })
	handle("GET /v1/agencies/{j}/{a}/keys", func(r *http.Request, _ string) (int, any) {
		a := pathAgency(r)
		set := envelope.KeySet{x.sig[a].published, x.enc[a].published}
		if x.keys != nil {
			set = x.keys(a, set)
		}
		return 200, set
	})
	handle("GET /v1/agencies/{j}/{a}/keys/{kid}", x.getKey)
	handle("DELETE /v1/agencies/{j}/{a}/keys/{kid}", func(*http.Request, string) (int, any) { return 404, api.NotFound.New("", "") })
	handle("GET /v1/audit/entries", x.getEntries)
	handle("GET /v1/audit/entries/{j}/{a}/{seq}", func(r *http.Request, _ string) (int, any) {
		seq, _ := strconv.Atoi(r.PathValue("seq"))
		return 200, WireItem(x.ledger.items[pathAgency(r)][seq-1])
	})
	handle("GET /log/checkpoint", func(*http.Request, string) (int, any) { return 200, x.ledger.head() })
	handle("GET /log/{path...}", x.getTile)
	return mux
}

func callerAgency(r *http.Request) string {
	id, _ := certs.ParseIdentity(r.TLS.PeerCertificates[0].URIs[0].String())
	return id.AgencyID()
}

func pathAgency(r *http.Request) string { return r.PathValue("j") + "/" + r.PathValue("a") }

func reply(w http.ResponseWriter, r *http.Request, status int, body any) {
	switch b := body.(type) {
	case []byte:
		w.Header().Set("Content-Type", api.MediaBinary)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	case *api.Problem:
		w.Header().Set("Content-Type", api.MediaProblem)
		w.WriteHeader(b.Status)
		json.NewEncoder(w).Encode(b)
	default:
		w.Header().Set("Content-Type", api.MediaJSON)
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(b)
	}
}

// record appends an entry and returns its receipt, or the lie instead.
func (x *testExchange) record(e audit.Entry) string {
	e.Actor.Agency = e.Owner
	if x.receipt != nil {
		return x.receipt(e)
	}
	return x.ledger.add(e)
}

func (x *testExchange) postPackage(r *http.Request, agency string) (int, any) {
	p := &testPackage{outcome: "delivered"}
	media, params := r.Header.Get("Content-Type"), ""
	if _, after, ok := strings.Cut(media, "boundary="); ok {
		params = after
	}
	var manifest []byte
	form := multipart.NewReader(r.Body, params)
	for i := 0; ; i++ {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, api.EnvelopeMalformed.New(err.Error(), "")
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return 0, api.EnvelopeMalformed.New(err.Error(), "")
		}
		name, media := partOf(i)
		if part.FormName() != name || part.Header.Get("Content-Type") != media {
			return 0, api.EnvelopeMalformed.New(fmt.Sprintf("part %d is %s", i, part.FormName()), "")
		}
		switch i {
		case 0:
			manifest = b
		case 1:
		case 2:
			p.content = b
		default:
			p.attachments = append(p.attachments, b)
		}
	}
	var err error
	if p.signed, err = envelope.ParseManifest(manifest); err != nil {
		return 0, api.EnvelopeMalformed.New(err.Error(), "")
	}
	if old, ok := x.held[p.signed.JTI]; ok {
		return 200, old.first
	}
	e := audit.Entry{Owner: agency, Action: actSend, Package: p.signed.JTI, ManifestSHA256: p.signed.SHA256, Outcome: "delivered",
		ContentSHA256: p.signed.Content.SHA256}
	if denied := x.decideAll(&e, p.signed.Aud); denied != nil {
		e.Outcome, e.ContentSHA256 = "denied", ""
		problem := api.PolicyDenied.New("", "")
		problem.ID, problem.Outcomes, problem.Receipt = p.signed.JTI, denied, x.record(e)
		return 0, problem
	}
	p.first = api.Accepted{ID: p.signed.JTI}
	for _, d := range e.Decisions {
		p.first.Outcomes = append(p.first.Outcomes, api.Outcome{Recipient: d.Recipient, Outcome: d.Outcome, Decision: d.ID,
			Obligations: testObligations})
	}
	p.first.Receipt = x.record(e)
	x.held[p.signed.JTI] = p
	return 201, p.first
}

var testObligations = []api.Obligation{
	{Code: "no_judicial_use", Params: json.RawMessage(`{}`), Text: "Not for use in court."},
	{Code: "erase_by", Params: json.RawMessage(`{"date":"2028-01-01"}`), Text: "Erase by 2028-01-01."},
}

func partOf(i int) (name, media string) {
	switch i {
	case 0:
		return api.PartManifest, api.MediaJOSE
	case 1:
		return api.PartStatement, api.MediaJOSE
	case 2:
		return api.PartContent, api.MediaJOSEJSON
	}
	return api.PartAttachment, api.MediaBinary
}

// decideAll writes a decision for each recipient into the entry and returns the outcomes of those that are denied.
func (x *testExchange) decideAll(e *audit.Entry, aud []string) (denied []api.Outcome) {
	for _, a := range aud {
		d := audit.Decision{ID: uuid.NewString(), Recipient: a, Outcome: "delivered"}
		if x.denies[a] {
			d.Outcome = "denied"
			denied = append(denied, api.Outcome{Recipient: a, Outcome: "denied", Decision: d.ID,
				Reasons: []api.Reason{{Code: "recipient_suspended", Text: "Suspended.", Fix: "Leave it out.", Source: "LED art 35", Rule: "R28"}}})
		}
		e.Decisions = append(e.Decisions, d)
	}
	return denied
}

func (x *testExchange) decide(r *http.Request, agency string) (int, any) {
	var body api.DryRun
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return 0, api.RequestMalformed.New(err.Error(), "")
	}
	m, _, err := envelope.ParseManifestDraft(body.Manifest)
	if err != nil {
		return 0, api.EnvelopeMalformed.New(err.Error(), "")
	}
	if _, err := envelope.ParseStatementDraft(body.Statement); err != nil {
		return 0, api.EnvelopeMalformed.New(err.Error(), "")
	}
	e := audit.Entry{Owner: agency, Action: actDecide}
	denied := x.decideAll(&e, m.Aud)
	got := api.Decided{Outcomes: denied}
	for _, d := range e.Decisions {
		if d.Outcome != "denied" {
			got.Outcomes = append(got.Outcomes, api.Outcome{Recipient: d.Recipient, Outcome: d.Outcome, Decision: d.ID})
		}
	}
	got.Receipt = x.record(e)
	return 200, got
}

func (x *testExchange) descriptor(p *testPackage, agency string) api.Descriptor {
	d := api.Descriptor{ID: p.signed.JTI, From: p.signed.Iss, To: p.signed.Aud, Type: "spontaneous", State: p.outcome, ManifestSHA256: p.signed.SHA256}
	for _, o := range p.first.Outcomes {
		if o.Recipient == agency || agency == p.signed.Iss {
			o.Outcome = p.outcome
			d.Outcomes = append(d.Outcomes, o)
		}
	}
	return d
}

func (x *testExchange) list(r *http.Request, agency string) (int, any) {
	var page api.Page
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	for i := after; i < after+2 && i < 5; i++ {
		page.Items = append(page.Items, api.Descriptor{ID: strconv.Itoa(i), Type: r.URL.Query().Get("box") + r.URL.Query().Get("state")})
		page.Next = strconv.Itoa(i + 1)
	}
	if after+2 >= 5 {
		page.Next = ""
	}
	return 200, page
}

func (x *testExchange) describe(r *http.Request, agency string) (int, any) {
	p, ok := x.held[r.PathValue("id")]
	if !ok {
		return 0, api.NotFound.New("", "")
	}
	return 200, x.descriptor(p, agency)
}

func (x *testExchange) acknowledge(r *http.Request, agency string) (int, any) {
	p := x.held[r.PathValue("id")]
	body, _ := io.ReadAll(r.Body)
	a, err := envelope.ParseAcknowledgement(body)
	if err != nil || r.Header.Get("Content-Type") != api.MediaJOSE {
		return 0, api.EnvelopeMalformed.New(fmt.Sprint(err), "")
	}
	if err := a.VerifySignature(x.sig[agency].published.PublicKey); err != nil {
		return 0, api.EnvelopeRejected.New("", "")
	}
	e := audit.Entry{Owner: agency, Action: actAcknowledge, Package: p.signed.JTI, ManifestSHA256: p.signed.SHA256, Outcome: "acknowledged"}
	if x.denies[agency] {
		e.Outcome = "blocked"
		problem := api.PolicyDenied.New("", "")
		problem.Receipt = x.record(e)
		return 0, problem
	}
	d := x.descriptor(p, agency)
	if len(a.Obligations) != len(d.Outcomes[0].Obligations) || a.Decision != d.Outcomes[0].Decision {
		problem := api.Conflict.New("", "")
		problem.Descriptor = &d
		return 0, problem
	}
	p.outcome = "acknowledged"
	return 201, api.Acknowledged{ID: p.signed.JTI, Receipt: x.record(e)}
}

func (x *testExchange) consult(r *http.Request, agency string) (int, any) {
	var body api.ConsultationRequest
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return 0, api.RequestMalformed.New(err.Error(), "")
	}
	id := uuid.NewString()
	e := audit.Entry{Owner: agency, Action: actConsult, Package: body.Package, Officer: body.Officer, Justification: body.Justification,
		CaseRef: body.CaseRef, Consultation: id, Outcome: "opened"}
	return 201, api.Consultation{ID: id, Expires: "2026-11-22T10:00:00.000Z", Receipt: x.record(e)}
}

func (x *testExchange) getContent(r *http.Request, agency string) (int, any) {
	p := x.held[r.PathValue("id")]
	if r.Header.Get(api.HeaderConsultation) == "" {
		return 0, api.ConsultationRequired.New("", "")
	}
	if x.content != nil {
		return 200, x.content(p.content)
	}
	return 200, p.content
}

func (x *testExchange) getAttachment(r *http.Request, _ string) (int, any) {
	n, _ := strconv.Atoi(r.PathValue("n"))
	return 200, x.held[r.PathValue("id")].attachments[n]
}

func (x *testExchange) getKey(r *http.Request, _ string) (int, any) {
	for _, keys := range []map[string]testKey{x.sig, x.enc} {
		if k := keys[pathAgency(r)]; k.published.Kid() == r.PathValue("kid") {
			jwk, err := k.published.MarshalJSON()
			must(x.t, err)
			return 200, api.Key{JWK: jwk, From: "2020-01-01T00:00:00Z", Until: k.until, Compromised: k.compromised}
		}
	}
	return 0, api.NotFound.New("", "")
}

func (x *testExchange) getEntries(r *http.Request, agency string) (int, any) {
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	items := x.ledger.items[agency]
	var page api.AuditPage
	for i := after; i < min(after+3, len(items)); i++ {
		page.Items = append(page.Items, WireItem(items[i]))
	}
	if after+3 < len(items) {
		page.Next = strconv.Itoa(after + 3)
	}
	return 200, page
}

func (x *testExchange) getTile(r *http.Request, _ string) (int, any) {
	tile, err := audit.ParseTilePath(r.PathValue("path"))
	if err != nil {
		return 0, api.RequestMalformed.New(err.Error(), "")
	}
	if size := x.ledger.tree.Size(); tile.Width < audit.TileWidth && tile.Index*audit.TileWidth+audit.TileWidth <= size>>(8*tile.Level) {
		return 0, api.NotFound.New("the partial tile is gone", "")
	}
	data, err := audit.TileData(tile, x.ledger.tree.Size(), x.ledger)
	if err != nil {
		return 0, api.NotFound.New(err.Error(), "")
	}
	return 200, data
}

func (x *testExchange) input(to ...string) SendInput {
	return SendInput{To: to, Meta: json.RawMessage(testMeta), Message: envelope.Message{Subject: "Case 117", Text: "Grüße aus Tallinn"}, Reason: testReason}
}

func (x *testExchange) attach(name string, b []byte) envelope.AttachmentSource {
	return envelope.AttachmentSource{Name: name, MediaType: "application/pdf", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
