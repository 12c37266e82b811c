package attack_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// encode is base64url without padding (RFC 7515 section 2).
func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func decode(s string) string {
	b, err := base64.RawURLEncoding.DecodeString(s)
	must(err)
	return string(b)
}

// sha is SHA-256 in base64url.
func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return encode(string(sum[:]))
}

// sign makes the raw signature of the key's own algorithm.
func sign(k envelope.PrivateKey, input string) string {
	switch p := k.Signer().(type) {
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, p, sum[:])
		if err != nil {
			panic(err)
		}
		return string(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	case ed25519.PrivateKey:
		return string(ed25519.Sign(p, []byte(input)))
	}
	panic("no such key")
}

// jws is a compact JWS in the making: texts, so that whatever is changed in
// them is signed.
type jws struct {
	header, payload string // JSON
	key             envelope.PrivateKey

	segments  func(header, payload string) (string, string) // changes what is signed
	signature func(input string) string                     // makes another raw signature
	finished  func(compact string) string                   // changes what is sent
}

// compact is the JWS as it is sent.
func (j *jws) compact() string {
	header, payload := encode(j.header), encode(j.payload)
	if j.segments != nil {
		header, payload = j.segments(header, payload)
	}
	input := header + "." + payload
	signature := j.signature
	if signature == nil {
		signature = func(input string) string { return sign(j.key, input) }
	}
	out := input + "." + encode(signature(input))
	if j.finished != nil {
		out = j.finished(out)
	}
	return out
}

// in returns a change of a text that replaces what must be in it, once.
func in(text *string, old, with string) {
	if !strings.Contains(*text, old) {
		panic(fmt.Sprintf("%q is not in %s", old, *text))
	}
	*text = strings.Replace(*text, old, with, 1)
}

// newJWS takes a compact JWS apart.
func newJWS(compact []byte, key envelope.PrivateKey) jws {
	segments := strings.Split(string(compact), ".")
	return jws{header: decode(segments[0]), payload: decode(segments[1]), key: key}
}

// sealed is a package that nothing is wrong with, and that was not sent.
type sealed struct {
	jti                 string
	at                  time.Time
	manifest, statement jws
	digest              string // of the statement, as the manifest names it
	content             string
}

// age is how old a sealed package may be: its time must hold for the last
// attack that is made of it, on a slow machine too.
const age = time.Minute

// forge returns the parts of a sealed package of ee/pbgb to lv/vp, to be
// changed. It is the same package until it is old or was accepted.
func (a *arena) forge() *forgery {
	if now := a.Clock.Now(); a.jti == "" || now.Sub(a.at) > age {
		s := a.Sealed(demo.EEtoLV)
		key := a.SignKey("ee/pbgb")
		a.sealed = sealed{digest: sha(string(s.Statement)), jti: s.JTI, at: now, manifest: newJWS(s.Manifest, key), statement: newJWS(s.Statement, key), content: string(s.Content)}
	}
	return &forgery{a: a, manifest: a.manifest, statement: a.statement, content: a.content}
}

// forgery is a package as texts.
type forgery struct {
	a                   *arena
	manifest, statement jws
	content             string
	parts               func([]exchangetest.Part) []exchangetest.Part // changes what is sent
	sent                string                                        // the statement, after request
}

// signWith has manifest and statement signed with another key.
func (f *forgery) signWith(k envelope.PrivateKey) {
	f.manifest.signWith(k)
	f.statement.signWith(k)
}

// request puts the parts together. The manifest has the digests of what is
// sent, whatever that is.
func (f *forgery) request() request {
	statement := f.statement.compact()
	f.sent = statement
	f.manifest.payload = strings.Replace(f.manifest.payload, f.a.digest, sha(statement), 1)
	if f.content != f.a.content {
		f.manifest.payload = strings.Replace(f.manifest.payload, sha(f.a.content), sha(f.content), 1)
		f.manifest.payload = strings.Replace(f.manifest.payload, fmt.Sprintf(`"size":%d`, len(f.a.content)), fmt.Sprintf(`"size":%d`, len(f.content)), 1)
	}
	parts := []exchangetest.Part{
		{Name: api.PartManifest, Media: api.MediaJOSE, Body: []byte(f.manifest.compact())},
		{Name: api.PartStatement, Media: api.MediaJOSE, Body: []byte(statement)},
		{Name: api.PartContent, Media: api.MediaJOSEJSON, Body: []byte(f.content)},
	}
	if f.parts != nil {
		parts = f.parts(parts)
	}
	return multipart(parts)
}

func multipart(parts []exchangetest.Part) request {
	media, body := exchangetest.Form(parts)
	return request{Path: api.RoutePackages, Media: media, Body: body}
}

// post makes a request of a forged package.
func post(edit func(f *forgery)) func(a *arena) request {
	return func(a *arena) request {
		f := a.forge()
		edit(f)
		return f.request()
	}
}

// accepted posts a package that nothing is wrong with: what was refused
// before was refused for its flaw alone.
func (a *arena) accepted(edits ...func(f *forgery)) {
	a.t.Helper()
	f := a.forge()
	for _, edit := range edits {
		edit(f)
	}
	got := a.do(a.t, a.HTTP("ee/pbgb", certs.RoleUnit), f.request())
	if got.Status != http.StatusCreated {
		a.t.Fatalf("a package without a flaw: %d %s", got.Status, got.Body)
	}
	a.expect("ee/pbgb", "package.send delivered")
	a.expect("lv/vp", "package.deliver delivered")
	now := a.look()
	for box, page := range now {
		if moved := box == "outbox of ee/pbgb" || box == "inbox of lv/vp"; moved != strings.Contains(page, a.jti) || moved == (page == a.boxes[box]) {
			a.t.Errorf("the %s: %s", box, page)
		}
	}
	delete(a.ids, a.jti) // it was refused with its flaws, and is there without
	a.boxes, a.sealed = now, sealed{}
}

// expect holds the newest entries of an agency against what they should be.
func (a *arena) expect(agency string, want ...string) {
	a.t.Helper()
	var lines []string
	for _, e := range a.entries(agency) {
		lines = append(lines, line(e))
	}
	if fmt.Sprint(lines) != fmt.Sprint(want) {
		a.t.Errorf("%s recorded %q, expected %q", agency, lines, want)
	}
}

// delivered posts a package of ee/pbgb to lv/vp and returns the
// acknowledgement that it waits for, to be changed.
func (a *arena) delivered() *acknowledgement {
	a.t.Helper()
	id := a.forge().a.jti
	a.accepted()
	got := a.do(a.t, a.logs["lv/vp"].unit, request{Method: http.MethodGet, Path: api.PackagePath(id, "")})
	var d api.Descriptor
	a.decode(got.Body, &d)
	obligations := []envelope.Obligation{}
	for _, o := range d.Outcomes[0].Obligations {
		obligations = append(obligations, envelope.Obligation{Code: o.Code, Params: o.Params})
	}
	claims, err := json.Marshal(envelope.Acknowledgement{Exchange: demo.Origin, Iss: "lv/vp", Sub: id, IAT: iat, ManifestSHA256: d.ManifestSHA256,
		Decision: d.Outcomes[0].Decision, Obligations: obligations})
	if err != nil {
		a.t.Fatal(err)
	}
	key := a.SignKey("lv/vp")
	return &acknowledgement{id: id, jws: jws{key: key, payload: string(claims),
		header: `{"alg":"ES256","kid":"` + key.Kid() + `","typ":"` + envelope.TypAcknowledgement + `"}`}}
}

// iat stands in an acknowledgement for the time at which it is sent.
const iat = 1234567890

// acknowledgement is an acknowledgement as texts.
type acknowledgement struct {
	id string
	jws
}

// request makes the request of a changed acknowledgement.
func (k *acknowledgement) request(a *arena, edit func(*jws)) request {
	j := k.jws
	in(&j.payload, fmt.Sprint(iat), fmt.Sprint(a.Clock.Now().Unix()))
	edit(&j)
	return request{Path: api.PackagePath(k.id, "acknowledgement"), Media: api.MediaJOSE, Body: []byte(j.compact())}
}

// given acknowledges as the package asks for it: what was refused before was
// refused for its flaw alone.
func (a *arena) given(k *acknowledgement) {
	a.t.Helper()
	got := a.do(a.t, a.HTTP("lv/vp", certs.RoleUnit), k.request(a, func(*jws) {}))
	if got.Status != http.StatusCreated {
		a.t.Fatalf("an acknowledgement without a flaw: %d %s", got.Status, got.Body)
	}
	a.expect("lv/vp", "package.acknowledge acknowledged")
	a.expect("ee/pbgb", "package.acknowledged acknowledged")
	a.boxes = a.look()
}
