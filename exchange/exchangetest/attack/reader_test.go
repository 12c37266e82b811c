package attack_test

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"fmt"
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
)

// TestOracle: the exchange cannot see that a content does not open, so it
// delivers it. Its reader hears one error, whatever is wrong inside (J30).
func TestOracle(t *testing.T) {
	t.Parallel()
	a := enter(t)
	flip := func(name string, at int) func(f *forgery) {
		return func(f *forgery) {
			raw := []byte(decode(strings.Trim(f.member(name), `"`)))
			raw[(at+len(raw))%len(raw)] ^= 1
			f.put(name, quote(encode(string(raw))))
		}
	}
	heard := map[string][]string{}
	for name, edit := range map[string]func(f *forgery){
		"first bit of the key": flip("encrypted_key", 0), "last bit of the key": flip("encrypted_key", -1), "middle of the key": flip("encrypted_key", 20), "first bit of the iv": flip("iv", 0), "last bit of the iv": flip("iv", -1),
		"first bit of the text": flip("ciphertext", 0), "last bit of the text": flip("ciphertext", -1), "middle of the text": flip("ciphertext", 31), "first bit of the tag": flip("tag", 0), "last bit of the tag": flip("tag", -1),
		"text cut": func(f *forgery) {
			f.put("ciphertext", quote(encode(decode(strings.Trim(f.member("ciphertext"), `"`))[:20])))
		},
		"text of others": func(f *forgery) { f.put("ciphertext", quote(encode(strings.Repeat("x", 500)))) },
		"tag of zeroes":  func(f *forgery) { f.put("tag", quote(encode(string(make([]byte, 16))))) },
		"another epk": func(f *forgery) {
			f.header(func(h string) string {
				raw := newKey(ecdh.P256())
				start := strings.Index(h, `"epk":{`) + len(`"epk":`)
				end := start + strings.IndexByte(h[start:], '}') + 1
				return h[:start] + fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, encode(string(raw[1:33])), encode(string(raw[33:]))) + h[end:]
			})
		},
		"a header in another order": func(f *forgery) {
			f.header(func(h string) string { return `{"enc":"A256GCM",` + strings.Replace(h[1:], `"enc":"A256GCM",`, "", 1) })
		},
		"a header with a blank": func(f *forgery) { f.header(func(h string) string { return h + " " }) },
		// J33: the ciphertext of another package, made one's own by its header.
		"another's ciphertext": func(f *forgery) {
			other := a.Sealed(demo.ITtoLV)
			jti := f.a.jti
			f.content = string(other.Content)
			f.header(func(h string) string { return strings.NewReplacer(other.JTI, jti, "it/dcpc", "ee/pbgb").Replace(h) })
		},
	} {
		id := a.forge().a.jti
		a.post(post(edit)(a), http.StatusCreated)
		a.sealed = sealed{}
		opened, err := a.open("lv/vp", id)
		var bad *client.VerifyError
		if opened != nil && err == nil || !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		heard[err.Error()] = append(heard[err.Error()], name)
		a.names["J30/"+name] = true
	}
	a.settle()
	if len(heard) != 1 {
		t.Errorf("the reader can tell one from another: %q", heard)
	}
	a.accepted()
}

// TestForwarding: what one agency has read it cannot pass on as if it came
// from the one who wrote it (J31, J33).
func TestForwarding(t *testing.T) {
	t.Parallel()
	a := enter(t)
	id := a.forge().a.jti
	f := *a.forge()
	f.request()
	a.accepted(func(g *forgery) { g.statement.finished = func(string) string { return f.sent } })
	manifest := a.do(t, a.logs["lv/vp"].unit, request{Method: http.MethodGet, Path: api.PackagePath(id, "manifest")}).Body
	content := f.content
	a.settle()
	// Latvia seals the same message to Italy, in Estonia's name as far as it can.
	seal := func(iss, jti string) []exchangetest.Part {
		d := a.Draft(demo.LVtoEE).To(a.Exchange, "it/dcpc")
		d.Iss, d.JTI = iss, jti
		return a.PartsOf(a.Seal(d))
	}
	as := func(name string, want verdict, parts func() []exchangetest.Part) {
		a.run(attack{row: "J31", name: name, from: "lv/vp", id: noPackage, want: want, make: func(*arena) request { return multipart(parts()) }})
	}
	as("iss of Estonia, the key of Latvia", rejected("sender-is-not-caller"), func() []exchangetest.Part { return seal("ee/pbgb", noPackage) })
	as("Estonia's manifest, a content for Italy", rejected("sender-is-not-caller"), func() []exchangetest.Part {
		p := seal("lv/vp", id)
		p[0].Body = manifest
		return p
	})
	as("Estonia's content under Latvia's manifest", invalid("content:content-iss"), func() []exchangetest.Part {
		p := seal("lv/vp", noPackage)
		return under(p, content, a.SignKey("lv/vp"))
	})
	as("Estonia's content, resealed to Italy in its name", invalid("content:content-iss"), func() []exchangetest.Part {
		inner := seal("ee/pbgb", noPackage)
		return under(seal("lv/vp", noPackage), string(inner[2].Body), a.SignKey("lv/vp"))
	})
	a.run(attack{row: "J33", name: "Estonia's content as Italy's own", from: "it/dcpc", id: noPackage, want: invalid("content:content-iss"), make: func(*arena) request {
		return multipart(under(a.PartsOf(a.Seal(a.Draft(demo.ITtoLV))), content, a.SignKey("it/dcpc")))
	}})
	a.accepted()
}

// under has a manifest name another content, and signs it again.
func under(p []exchangetest.Part, content string, key envelope.PrivateKey) []exchangetest.Part {
	j := newJWS(p[0].Body, key)
	in(&j.payload, sha(string(p[2].Body)), sha(content))
	in(&j.payload, fmt.Sprintf(`"size":%d`, len(p[2].Body)), fmt.Sprintf(`"size":%d`, len(content)))
	p[0].Body, p[2].Body = []byte(j.compact()), []byte(content)
	return p
}

// liar stands between a client and the exchange, and changes what is read.
type liar struct {
	next   http.RoundTripper
	change map[string][]byte // by the end of a path
}

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for end, body := range l.change {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, end) {
			resp.Body.Close()
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
		}
	}
	return resp, nil
}

// TestLyingExchange: a recipient's client believes the exchange nothing: what
// it serves in place of the real parts is refused (J30 to J33).
func TestLyingExchange(t *testing.T) {
	t.Parallel()
	a := enter(t, exchangetest.Unwatched())
	id := a.forge().a.jti
	var sent *forgery
	a.accepted(func(f *forgery) { sent = f })
	k := sent.manifest
	other := a.Sealed(demo.EEtoLV)
	stranger, err := envelope.GenerateSigning(envelope.ES256)
	must(err)
	forged := func(edit func(j *jws)) []byte {
		j := k
		edit(&j)
		return []byte(j.compact())
	}
	jwk, err := stranger.Public().MarshalJWK(nil)
	must(err)
	for name, change := range map[string]map[string][]byte{
		"another manifest": {"/manifest": other.Manifest}, "another content": {"/content": other.Content}, "another of both": {"/manifest": other.Manifest, "/content": other.Content},
		"a content with one bit less": {"/content": []byte(strings.Replace(sent.content, `"tag":"`, `"tag":"A`, 1))}, "no content": {"/content": nil}, "a content of nothing": {"/content": []byte("{}")},
		"a manifest for others":            {"/manifest": forged(func(j *jws) { in(&j.payload, `["lv/vp"]`, `["it/dcpc"]`) })},
		"a manifest signed by a stranger":  {"/manifest": forged(func(j *jws) { j.key = stranger })},
		"a manifest and key of a stranger": {"/manifest": forged(func(j *jws) { j.signWith(stranger) }), "/keys/" + stranger.Kid(): []byte(`{"jwk":` + string(jwk) + `,"from":"2026-01-01T00:00:00Z"}`)},
		"a manifest of another agency":     {"/manifest": forged(func(j *jws) { in(&j.payload, `"iss":"ee/pbgb"`, `"iss":"it/dcpc"`); j.signWith(a.SignKey("it/dcpc")) })},
		"a manifest without a signature":   {"/manifest": forged(func(j *jws) { set("alg", `"none"`)(j); j.signature = func(string) string { return "" } })},
		"a manifest with one blank more":   {"/manifest": forged(func(j *jws) { j.payload += " " })},
	} {
		p, err := client.LoadProfile(a.World.Profile("lv/vp", certs.RoleUnit))
		must(err)
		cfg, err := p.Config()
		must(err)
		cfg.Now, cfg.Wrap = a.Clock.Now, func(next http.RoundTripper) http.RoundTripper { return &liar{next, change} }
		c, err := client.New(cfg)
		must(err)
		opened, err := c.Open(t.Context(), id, client.OpenOptions{Officer: "OFF-2", Reason: "A test reads what was sent to it", Accept: acceptAll})
		if err == nil || opened != nil && opened.Message != nil {
			t.Errorf("%s: opened", name)
		}
		c.Close()
		a.names["J31/"+name] = true
	}
	if _, err := a.open("lv/vp", id); err != nil {
		t.Errorf("the real one: %v", err)
	}
	a.settle()
}
