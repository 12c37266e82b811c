package attack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// TestConfusion sends everything that is signed, sealed or published as
// everything that it is not (J36). All of it is genuine.
func TestConfusion(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	things := a.artefacts(k)
	slots := confusionSlots(k)
	for n, thing := range slices.Sorted(maps.Keys(things)) {
		for i, s := range slots {
			if s.name == thing || (i+n)%2 > 0 && !torture.On() {
				continue
			}
			a.run(attack{row: "J36", name: thing + " as " + s.name, from: s.from, want: s.want, make: func(a *arena) request { return s.make(a, things[thing]) }})
		}
		a.run(each(2, mistaken(thing, things[thing]))...)
	}
	a.given(k)
	a.accepted()
}

// artefacts are genuine things of an exchange.
func (a *arena) artefacts(k *acknowledgement) map[string][]byte {
	a.t.Helper()
	f := a.forge()
	ack := k.request(a, func(*jws) {}).Body
	approver := a.register("ee/pbgb", envelope.UseApprove, envelope.ES256)
	approval, err := envelope.SignApproval(envelope.Approval{Exchange: demo.Origin, Iss: "ee/pbgb", Sub: a.jti, IAT: a.Clock.Now().Unix(),
		ManifestSHA256: sha(f.manifest.compact()), Recipient: "lv/vp", Codes: []string{"x"}, Verdict: "granted"}, approver)
	must(err)
	get := func(path string) []byte {
		got := a.do(a.t, a.logs["lv/vp"].unit, request{Method: http.MethodGet, Path: path})
		if got.Status != http.StatusOK {
			a.t.Fatalf("%s: %d %s", path, got.Status, got.Body)
		}
		return got.Body
	}
	first := k.id
	form := f.request()
	answer := a.post(form, http.StatusCreated)
	a.expect("ee/pbgb", "package.send delivered")
	a.expect("lv/vp", "package.deliver delivered")
	a.boxes, a.sealed = a.look(), sealed{}
	var accepted api.Accepted
	a.decode(answer, &accepted)
	jwk, err := a.SignKey("ee/pbgb").Public().MarshalJWK(nil)
	must(err)
	private, err := a.SignKey("ee/pbgb").MarshalPrivate()
	must(err)
	return map[string][]byte{
		"manifest": get(api.PackagePath(first, "manifest")), "statement": []byte(f.sent), "content": []byte(f.content), "acknowledgement": ack, "approval": approval,
		"receipt": []byte(accepted.Receipt), "answer": answer, "checkpoint": get(api.RouteCheckpoint), "JWK": jwk, "private JWK": private, "JWK set": get(api.KeysPath("lv/vp")), "key with history": get(api.KeyPath("lv/vp", a.SignKey("lv/vp").Kid())),
		"certificate": a.Identity("ee/pbgb", certs.RoleUnit, "x").Certificate[0], "descriptor": get(api.PackagePath(first, "")), "agencies": get(api.RouteAgencies), "schema": get(api.RouteMetaSchema), "OpenAPI document, cut": get(api.RouteOpenAPI)[:30_000],
		"problem page": get(api.EnvelopeRejected.URI()), "form": form.Body, "manifest's payload": []byte(f.manifest.payload), "dry run": []byte(`{"manifest":` + f.manifest.payload + `,"statement":` + f.statement.payload + `}`),
		"consultation": []byte(`{"officer":"OFF-17","justification":"Both units act on Friday night"}`), "obligations": []byte(k.payload),
	}
}

// slot is a place where something is taken.
type slot struct {
	name string // of what belongs there
	from string
	want verdict
	make func(a *arena, thing []byte) request
}

func confusionSlots(k *acknowledgement) []slot {
	part := func(i int) func(a *arena, thing []byte) request {
		return func(a *arena, thing []byte) request {
			f := a.forge()
			f.parts = func(p []exchangetest.Part) []exchangetest.Part {
				p[i].Body = thing
				if i == 0 {
					return p
				}
				// The manifest names what is sent.
				digests := [][2]string{{}, {sha(f.sent), sha(string(thing))}, {sha(f.content), sha(string(thing))}}[i]
				j := f.manifest
				in(&j.payload, digests[0], digests[1])
				if i == 2 {
					in(&j.payload, fmt.Sprintf(`"size":%d`, len(f.content)), fmt.Sprintf(`"size":%d`, len(thing)))
				}
				p[0].Body = []byte(j.compact())
				return p
			}
			return f.request()
		}
	}
	post := func(path, media string) func(a *arena, thing []byte) request {
		return func(_ *arena, thing []byte) request { return request{Path: path, Media: media, Body: thing} }
	}
	put := func(path, media string) func(a *arena, thing []byte) request {
		return func(_ *arena, thing []byte) request {
			return request{Method: http.MethodPut, Path: path, Media: media, Body: thing}
		}
	}
	return []slot{
		{name: "manifest", want: noSuch("manifest"), make: part(0)},
		{name: "statement", want: noSuch("statement"), make: part(1)},
		{name: "content", want: malformed("content:*"), make: part(2)},
		{name: "acknowledgement", from: "lv/vp", want: noSuch("acknowledgement"), make: post(api.PackagePath(k.id, "acknowledgement"), api.MediaJOSE)},
		{name: "dry run", want: refusal("request.refused", api.RequestMalformed, "json"), make: post(api.RouteDecisions, api.MediaJSON)},
		{name: "consultation", want: refusal("request.refused", api.RequestMalformed, "json"), make: post(api.RouteConsultations, api.MediaJSON)},
		{name: "JWK", want: refusal("key.publish", api.RequestMalformed, "bad-jwk"), make: put(api.KeyPath("ee/pbgb", k.key.Kid()), api.MediaJSON)},
		{name: "revocation list", want: refusal("revocations.bring", api.ListRefused, "list-not-of-the-jurisdiction"), make: put(api.RevocationsPath("ee"), api.MediaCRL)},
		{name: "form", want: refusal("package.send", api.RequestMalformed, "form*"), make: func(a *arena, thing []byte) request {
			r := a.forge().request()
			r.Body = thing
			return r
		}},
	}
}

// mistaken: a thing under its own media type where nobody takes it, and with
// what takes no body at all.
func mistaken(thing string, body []byte) (all []attack) {
	unsupported := refusal("request.refused", api.UnsupportedMediaType, "content-type")
	media := api.MediaJSON
	switch {
	case bytes.Count(body, []byte(".")) == 2 && !bytes.HasPrefix(body, []byte("{")):
		media = api.MediaJOSE
	case thing == "content":
		media = api.MediaJOSEJSON
	case !json.Valid(body):
		media = "text/plain"
	}
	if media != api.MediaJSON {
		for _, path := range []string{api.RouteDecisions, api.RouteConsultations} {
			all = append(all, attack{row: "J36", name: thing + " to " + path, want: unsupported, make: func(*arena) request { return request{Path: path, Media: media, Body: body} }})
		}
	}
	all = append(all, attack{row: "J36", name: thing + " to " + api.RoutePackages, want: unsupported, make: func(*arena) request { return request{Path: api.RoutePackages, Media: media, Body: body} }})
	return append(all, attack{row: "J36", name: thing + " with what takes no body", want: refusal("request.refused", api.RequestMalformed, "unexpected-body"), make: func(*arena) request {
		return request{Method: http.MethodGet, Path: api.PackagePath(noPackage, ""), Media: media, Body: body}
	}})
}

// noSuch: of no such part.
func noSuch(part string) verdict {
	action := "package.send"
	if part == "acknowledgement" {
		action = "package.acknowledge"
	}
	return refusal(action, api.EnvelopeMalformed, part+":*")
}
