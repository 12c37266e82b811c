package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// roundTrip is a function as the client's transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzAnswer gives one answer to every request: whatever it is, each call of the client ends, with an error or with something that
// fits what was asked; and what needs the ledger's signature is never believed, since the ledger has signed nothing.
func FuzzAnswer(f *testing.F) {
	const id = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"
	f.Add(uint8(0), uint16(200), api.MediaJSON, "", []byte(`{"items":[{"id":"lv/vp","jurisdiction":"lv","type":"spoc","status":"active"}]}`))
	f.Add(uint8(1), uint16(200), api.MediaJSON, "", []byte(`{"id":"`+id+`","from":"ee/pbgb","to":["lv/vp"],"type":"spontaneous","state":"delivered","manifest_sha256":"x","outcomes":[{"recipient":"lv/vp","outcome":"delivered","decision":"d"}]}`))
	f.Add(uint8(2), uint16(200), api.MediaJSON, "", []byte(`{"items":[{"id":"1"}],"next":"7"}`))
	f.Add(uint8(3), uint16(201), api.MediaJSON, "", []byte(`{"id":"`+id+`","expires":"2026-11-22T10:00:00Z","receipt":"c2sp.org/tlog-proof@v1\n"}`))
	f.Add(uint8(4), uint16(200), api.MediaBinary, "", []byte("test.liaison.example/ledger\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— test.liaison.example/ledger AAAAAAAA\n"))
	f.Add(uint8(5), uint16(200), api.MediaBinary, "", make([]byte, 64))
	f.Add(uint8(6), uint16(200), api.MediaJSON, "", []byte(`{"keys":[]}`))
	f.Add(uint8(7), uint16(200), api.MediaJSON, "", []byte(`{"jwk":{},"from":"2026-11-22T10:00:00Z"}`))
	f.Add(uint8(8), uint16(200), api.MediaJSON, "", []byte(`{"items":[{"owner":"lv/vp","seq":1,"index":0,"commitment":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}],"next":"1"}`))
	f.Add(uint8(9), uint16(206), api.MediaBinary, "bytes 5-9/10", []byte("56789"))
	f.Add(uint8(10), uint16(403), api.MediaProblem, "", []byte(`{"type":"/problems/policy-denied","title":"t","status":403,"outcomes":[],"receipt":""}`))
	f.Add(uint8(11), uint16(409), api.MediaProblem, "", []byte(`{"type":"/problems/conflict","title":"t","status":409,"descriptor":{"id":"`+id+`"}}`))
	skey, vkey, err := audit.GenerateKey(testOrigin)
	must(f, err)
	foreign, err := json.Marshal(api.Consultation{ID: id, Expires: "2026-11-22T10:00:00Z", Receipt: newTestLedger(f, skey, vkey).add(audit.Entry{
		Owner: "lv/vp", Actor: audit.Actor{Agency: "lv/vp"}, Action: actConsult, Package: id, Officer: "o-17", Justification: testReason, Outcome: "opened"})})
	must(f, err)
	f.Add(uint8(3), uint16(201), api.MediaJSON, "", foreign)
	x := newTestExchange(f)
	config := x.config("lv/vp")
	config.Retries = Retries{Tries: 1}
	f.Fuzz(func(t *testing.T, call uint8, status uint16, media, contentRange string, body []byte) {
		if status < 200 || status > 599 {
			return // net/http gives the client no other
		}
		config := config
		requests := 0
		config.Wrap = func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if requests++; requests > 20 {
					t.Fatalf("%d requests for one call", requests)
				}
				h := http.Header{"Content-Type": {media}, "Content-Range": {contentRange}, "Retry-After": {contentRange}}
				return &http.Response{StatusCode: int(status), Status: http.StatusText(int(status)), Header: h, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
			})
		}
		c, err := New(config)
		must(t, err)
		defer c.Close()
		answered(t, c, call, id)
	})
}

// answered makes one of the client's calls and judges what it makes of the answer.
func answered(t *testing.T, c *Client, call uint8, id string) {
	t.Helper()
	ctx := t.Context()
	switch call % 12 {
	case 0:
		_, _ = c.Agencies(ctx)
	case 1:
		if d, err := c.Package(ctx, id); err == nil && d.ID != id {
			t.Fatalf("package %+v", d)
		}
	case 2:
		n := 0
		for range c.Packages(ctx, Query{}) {
			if n++; n > 1000 {
				t.Fatal("a list without end")
			}
		}
	case 3:
		if _, err := c.Consult(ctx, ConsultInput{Reason: testReason, Package: id}); err == nil {
			t.Fatal("a receipt that nobody signed")
		}
	case 4:
		if _, err := c.Checkpoint(ctx); err == nil {
			t.Fatal("a checkpoint that nobody signed")
		}
	case 5:
		tile := audit.TilePath{Width: 2}
		if data, err := c.Tile(ctx, tile); err == nil && len(data) != 64 {
			t.Fatalf("a tile of %d bytes", len(data))
		}
	case 6:
		if keys, err := c.Keys(ctx, "lv/vp"); err == nil {
			for _, k := range keys {
				mistrusted(t, k)
			}
		}
	case 7:
		if k, err := c.Key(ctx, "lv/vp", "x", c.now()); err == nil {
			mistrusted(t, k)
		}
	case 8:
		_, _, _ = c.EntriesPage(ctx, id, "", 0, 10)
		_, _ = c.Entry(ctx, id, "lv/vp", 1)
	case 9:
		r, err := c.Attachment(ctx, id, id, 0, 5)
		if err == nil {
			must(t, r.Close())
		}
	case 10:
		if _, err := c.DryRun(ctx, SendInput{To: []string{"ee/pbgb"}, Meta: []byte(testMeta), Reason: testReason}); err == nil {
			t.Fatal("a decision that nobody signed")
		}
	case 11:
		if _, err := c.Open(ctx, id, OpenOptions{Reason: testReason, Accept: acceptAll}); err == nil {
			t.Fatal("a package that nobody signed")
		}
	}
}

// mistrusted: no key that a server makes up is vouched for by the own anchors.
func mistrusted(t *testing.T, k Key) {
	t.Helper()
	var bad *VerifyError
	if !errors.As(k.Err, &bad) {
		t.Fatalf("key %s is believed: %v", k.Kid(), k.Err)
	}
}

// inMemory is the exchange as a transport, and the caller's certificate in it.
func (x *testExchange) inMemory(leaf *x509.Certificate) roundTrip {
	routes := x.routes()
	return func(r *http.Request) (*http.Response, error) {
		in := r.Clone(r.Context())
		if in.Body == nil {
			in.Body = http.NoBody
		}
		in.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, in)
		return w.Result(), nil
	}
}

// FuzzTampered changes some bytes of one of the answers with which an honest exchange lets a package be read: it is read as it was
// sealed, or not at all.
func FuzzTampered(f *testing.F) {
	for nth := range uint8(8) {
		f.Add(nth, uint16(0), []byte{})
		f.Add(nth, uint16(40), []byte("x"))
	}
	f.Add(uint8(0), uint16(30), []byte(`"from":"ua/npu"`))
	x := newTestExchange(f)
	sent := x.send(x.input("lv/vp"))
	config := x.config("lv/vp")
	leaf, err := x509.ParseCertificate(x.pki.Client("lv/vp", certs.RoleUnit, "alice").Certificate[0])
	must(f, err)
	honest := x.inMemory(leaf)
	f.Fuzz(func(t *testing.T, nth uint8, at uint16, patch []byte) {
		x.t, x.ledger.t = t, t
		x.held[sent.ID()].outcome = "delivered"
		config, n := config, uint8(0)
		config.Wrap = func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := honest(r)
				if n++; n != nth%8+1 || err != nil {
					return resp, err
				}
				body, err := io.ReadAll(resp.Body)
				from := int(at) % (len(body) + 1)
				copy(body[from:], patch)
				resp.Body = io.NopCloser(bytes.NewReader(body))
				return resp, err
			})
		}
		c, err := New(config)
		must(t, err)
		c.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		defer c.Close()
		opened, err := c.Open(t.Context(), sent.ID(), OpenOptions{Reason: testReason, Accept: acceptAll})
		if err != nil {
			return
		}
		if opened.Message.Text != x.input("lv/vp").Message.Text || opened.Manifest.JTI != sent.ID() || opened.Manifest.Iss != "ee/pbgb" || opened.Descriptor.ManifestSHA256 != opened.Manifest.SHA256 || opened.Descriptor.From != "ee/pbgb" || opened.Consultation.Receipt == nil {
			t.Fatalf("read %+v", opened)
		}
	})
}

// FuzzProblem: a refusal of the server is one to the caller as well, of the status that came, and never temporary for ever.
func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"type":"/problems/not-found","title":"Not found","status":404,"detail":"d","fix":"f"}`), uint16(404), "")
	f.Add([]byte(`{"type":"/problems/rate-limited","status":429}`), uint16(429), "-5")
	f.Add([]byte(`null`), uint16(503), "99999999999999999999")
	f.Fuzz(func(t *testing.T, body []byte, status uint16, after string) {
		resp := &http.Response{StatusCode: int(status), Header: http.Header{"Content-Type": {api.MediaProblem}, "Retry-After": {after}}, Body: io.NopCloser(bytes.NewReader(body))}
		err := problem(get("/", nil), resp)
		if err == nil {
			t.Fatal("no error")
		}
		if wait := retryAfter(err); wait < 0 || wait > 3600e9 {
			t.Fatalf("waits %s", wait)
		}
		var p *api.Problem
		if errors.As(err, &p) && (p.Status != int(status) || len(p.Error()) > len(body)+100) {
			t.Fatalf("%+v", p)
		}
	})
}

// FuzzID: what is no id of a package or agency never becomes a part of a path.
func FuzzID(f *testing.F) {
	f.Add("0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d")
	f.Add("{0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d}")
	f.Add("ee/pbgb")
	f.Add("ee/../pbgb")
	f.Fuzz(func(t *testing.T, id string) {
		if checkID(id) == nil && (uuid.Validate(id) != nil || len(id) != 36 || strings.ToLower(id) != id) {
			t.Fatalf("%q is taken for a package", id)
		}
		j, a, err := certs.ParseAgencyID(id)
		if err == nil && (j+"/"+a != id || strings.ContainsAny(id, ".%?# \x00") || strings.Count(id, "/") != 1) {
			t.Fatalf("%q is taken for an agency", id)
		}
	})
}

// FuzzProfileFiles: the other files of a profile are refused with the file's name and a fix, or good to use.
func FuzzProfileFiles(f *testing.F) {
	key, err := envelope.Generate(envelope.UseSign, envelope.ES256)
	must(f, err)
	jwk, err := key.MarshalPrivate()
	must(f, err)
	_, vkey, err := audit.GenerateKey(testOrigin)
	must(f, err)
	f.Add([]byte(vkey+"\n"), []byte("witnesses:\n  - x+00000000+BAAA\n"), jwk)
	f.Add([]byte(""), []byte("witnesses: [&a x, *a]\nwitnesses: []\n"), []byte(`{"keys":[]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, ledger, witnesses, sign []byte) {
		p := &Profile{Dir: dir}
		for name, data := range map[string][]byte{FileLedger: ledger, FileWitnesses: witnesses, FileSign: sign, FileDecrypt: sign} {
			must(t, os.WriteFile(p.path(name), data, 0o600))
		}
		var config Config
		for _, load := range []func(*Config) error{p.loadLedger, p.loadWitnesses, p.loadSign, p.loadDecrypt} {
			err := load(&config)
			var bad *ProfileError
			if err != nil && (!errors.As(err, &bad) || bad.Fix == "" || bad.File == "") {
				t.Fatalf("error out of place: %v", err)
			}
		}
		if config.Ledger.Origin() != "" && strings.TrimSuffix(config.Ledger.String(), "\n") != strings.TrimSuffix(string(ledger), "\n") {
			t.Fatalf("%q is read as %s", ledger, config.Ledger)
		}
		for _, k := range config.Decrypt {
			if k.IsZero() {
				t.Fatal("an empty key")
			}
		}
	})
}
