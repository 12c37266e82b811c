package server_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
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

// wire is a whole exchange, spoken to without its client.
type wire struct {
	*exchangetest.Exchange
	t       testing.TB
	address string // of the listener
}

func newWire(t testing.TB) *wire {
	x := exchangetest.New(t)
	return &wire{Exchange: x, t: t, address: x.Node.Addr()}
}

// in is the same exchange in another test.
func (w *wire) in(t testing.TB) *wire {
	inside := *w
	inside.t = t
	return &inside
}

// tlsOf is the TLS configuration of an identity's profile.
func (w *wire) tlsOf(agency, role string) *tls.Config {
	w.t.Helper()
	p, err := client.LoadProfile(w.World.Profile(agency, role))
	if err != nil {
		w.t.Fatal(err)
	}
	cfg, err := p.Config()
	if err != nil {
		w.t.Fatal(err)
	}
	return cfg.TLS
}

// caller is one identity on the wire.
type caller struct {
	*wire
	http http.Client
}

// as speaks HTTP/2 as an identity; every answer is held against the document.
func (w *wire) as(agency, role string) *caller { return w.speaking(agency, role, true) }

// plain speaks HTTP/1.1.
func (w *wire) plain(agency, role string) *caller { return w.speaking(agency, role, false) }

func (w *wire) speaking(agency, role string, h2 bool) *caller {
	w.t.Helper()
	return w.calling(w.tlsOf(agency, role), h2)
}

// stranger is an identity of the agency that the registry does not let in:
// its certificate is good, its role is none of the agency's.
func (w *wire) stranger(agency string) *caller {
	w.t.Helper()
	j, name, err := certs.ParseAgencyID(agency)
	if err != nil {
		w.t.Fatal(err)
	}
	ca, err := certs.LoadCA(filepath.Join(w.World.Dir, "ca", j), w.Clock.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := certs.GenerateKey()
	if err != nil {
		w.t.Fatal(err)
	}
	cert, err := ca.IssueClient(certs.Identity{Jurisdiction: j, Agency: name, Role: certs.RoleSupervisor, Name: "stranger"}, key.Public(), time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := w.tlsOf(agency, "unit").Clone()
	pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return w.calling(cfg, true)
}

func (w *wire) calling(cfg *tls.Config, h2 bool) *caller {
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: h2, DisableCompression: true}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &caller{wire: w, http: http.Client{
		Transport:     exchangetest.Watch(w.t, transport),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is an answer read whole.
type reply struct {
	status  int
	header  http.Header
	trailer http.Header
	body    []byte
	proto   string
}

// problem is the slug of the reply's problem.
func (r reply) problem() string {
	var p api.Problem
	if json.Unmarshal(r.body, &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

func (r reply) decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("decode %s: %v", r.body, err)
	}
}

// do sends one request. Headers are pairs of name and value.
func (c *caller) do(method, path string, body []byte, headers ...string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "https://"+c.address+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return reply{status: resp.StatusCode, header: resp.Header, trailer: resp.Trailer, body: raw, proto: resp.Proto}
}

func (c *caller) get(path string, headers ...string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, headers...)
}

func (c *caller) postJSON(path string, v any) reply {
	c.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(http.MethodPost, path, raw, "Content-Type", api.MediaJSON)
}

// want fails the test if a reply is not of the status.
func (r reply) want(t testing.TB, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

const (
	theReason = "Preparing the answer to a request of the other unit."
	theText   = "The blue van leaves at nine."
)

// seal makes a sample package, with attachments of the given sizes.
func (w *wire) seal(sample string, attachments ...int) *envelope.Sealed {
	w.t.Helper()
	s, ok := demo.Find(sample, w.Clock.Now())
	if !ok {
		w.t.Fatalf("no sample %s", sample)
	}
	meta, err := json.Marshal(s.Meta)
	if err != nil {
		w.t.Fatal(err)
	}
	in := client.SendInput{To: s.To, Meta: meta, Reason: theReason, Message: envelope.Message{Text: theText}}
	for _, size := range attachments {
		in.Attachments = append(in.Attachments, envelope.AttachmentSource{Name: "scan.bin", MediaType: api.MediaBinary,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, size))), nil }})
	}
	sealed, err := w.As(s.From, "unit").Seal(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = sealed.Close() })
	return sealed
}

// formOf is a sealed package as a request's body.
func formOf(t testing.TB, s *envelope.Sealed) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	add := func(name, media string, content []byte) {
		w, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + name + `"`}, "Content-Type": {media}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add(api.PartManifest, api.MediaJOSE, s.Manifest)
	add(api.PartStatement, api.MediaJOSE, s.Statement)
	add(api.PartContent, api.MediaJOSEJSON, s.Content)
	for _, a := range s.Attachments {
		r, err := a.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		add(api.PartAttachment, api.MediaBinary, content)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return form.FormDataContentType(), b.Bytes()
}

// post posts a sealed package.
func (c *caller) post(s *envelope.Sealed) reply {
	c.t.Helper()
	contentType, body := formOf(c.t, s)
	return c.do(http.MethodPost, api.RoutePackages, body, "Content-Type", contentType)
}

// acknowledgement signs the acceptance of a package by its only recipient.
func (c *caller) acknowledgement(agency, id string) []byte {
	c.t.Helper()
	var d api.Descriptor
	c.get(api.PackagePath(id, "")).want(c.t, http.StatusOK).decode(c.t, &d)
	return c.accepting(agency, d, id)
}

// accepting signs the acceptance of what a descriptor says, of any id.
func (w *wire) accepting(agency string, d api.Descriptor, id string) []byte {
	w.t.Helper()
	a := envelope.Acknowledgement{Exchange: demo.Origin, Iss: agency, Sub: id, IAT: w.Clock.Now().Unix(),
		ManifestSHA256: d.ManifestSHA256, Decision: d.Outcomes[0].Decision}
	for _, o := range d.Outcomes[0].Obligations {
		a.Obligations = append(a.Obligations, envelope.Obligation{Code: o.Code, Params: o.Params})
	}
	jws, err := envelope.SignAcknowledgement(a, w.signKey(agency))
	if err != nil {
		w.t.Fatal(err)
	}
	return jws
}

func (w *wire) signKey(agency string) envelope.PrivateKey {
	w.t.Helper()
	raw, err := os.ReadFile(w.World.Profile(agency, "unit") + "/sign.jwk")
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := envelope.ParsePrivateJWK(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// consult opens a consultation and returns its id; of the log for an empty
// package.
func (c *caller) consult(pkg string) string {
	c.t.Helper()
	var opened api.Consultation
	c.postJSON(api.RouteConsultations, api.ConsultationRequest{Officer: "o.fficer", Justification: theReason, Package: pkg}).
		want(c.t, http.StatusCreated).decode(c.t, &opened)
	return opened.ID
}

// entries reads an agency's whole log, by the id of the request.
func (w *wire) entries(agency string) map[string]audit.Entry {
	w.t.Helper()
	dpo := w.As(agency, "dpo")
	seen, err := dpo.Consult(w.t.Context(), client.ConsultInput{Officer: "d.po", Reason: theReason})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]audit.Entry{}
	for item, err := range dpo.Entries(w.t.Context(), seen.ID, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		var e audit.Entry
		if err := json.Unmarshal(item.Entry, &e); err != nil {
			w.t.Fatal(err)
		}
		out[e.Request] = e
	}
	return out
}

// resigned is the manifest of a sealed package with another payload under the
// same id, signed by its sender.
func (w *wire) resigned(s *envelope.Sealed) string {
	w.t.Helper()
	parts := strings.Split(string(s.Manifest), ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		w.t.Fatal(err)
	}
	var claims map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		w.t.Fatal(err)
	}
	claims["exp"] = w.Clock.Now().Add(24 * time.Hour).Unix()
	if payload, err = json.Marshal(claims); err != nil {
		w.t.Fatal(err)
	}
	input := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload)
	key := w.signKey(claims["iss"].(string)).Signer()
	return input + "." + base64.RawURLEncoding.EncodeToString(signES256(w.t, key, input))
}

// signES256 signs as RFC 7518 §3.4 does: r and s, 32 bytes each.
func signES256(t testing.TB, key crypto.Signer, input string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 64)
	rs.R.FillBytes(out[:32])
	rs.S.FillBytes(out[32:])
	return out
}
