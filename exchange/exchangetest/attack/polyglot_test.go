package attack_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestMediaTypes: a body is what its media type says, or it is refused before
// it is read (J40).
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	a.run(each(2, mediaTypes(k))...)
	a.run(each(2, partTypes())...)
	a.given(k)
	a.accepted()
}

// mediaTypes: what a request says of its body.
func mediaTypes(k *acknowledgement) (all []attack) {
	unsupported := refusal("request.refused", api.UnsupportedMediaType, "content-type")
	types := []string{"", "*/*", "application/json", "application/json; charset=utf-16", "application/jose; charset=utf-8", "application/jose;x=y", "application/jose+json", "application/jwt", "application/JOSE/x", "application/jose, application/json", "text/plain", "text/html",
		"application/octet-stream", "application/x-www-form-urlencoded", "multipart/mixed; boundary=b", "multipart/form-data/x; boundary=b", "application/xml", "application/problem+json", "jose", ";", "application/", "\u0430pplication/jose"}
	for _, media := range types {
		all = append(all, attack{row: "J40", name: fmt.Sprintf("package as %q", media), want: unsupported, make: func(a *arena) request {
			r := a.forge().request()
			r.Header, r.Media = http.Header{"Content-Type": {media}}, ""
			return r
		}})
		all = append(all, attack{row: "J40", name: fmt.Sprintf("acknowledgement as %q", media), from: "lv/vp", want: unsupported, make: func(a *arena) request {
			r := k.request(a, func(*jws) {})
			r.Header, r.Media = http.Header{"Content-Type": {media}}, ""
			return r
		}})
	}
	twice := func(r request, other string) request {
		r.Header, r.Media = http.Header{"Content-Type": {r.Media, other}}, ""
		return r
	}
	return append(all,
		attack{row: "J40", name: "package of two types", want: unsupported, make: func(a *arena) request { return twice(a.forge().request(), api.MediaJSON) }},
		attack{row: "J40", name: "acknowledgement of two types", from: "lv/vp", want: unsupported, make: func(a *arena) request { return twice(k.request(a, func(*jws) {}), api.MediaJSON) }},
		attack{row: "J40", name: "package without a boundary", want: refusal("request.refused", api.RequestMalformed, "boundary"), make: func(a *arena) request {
			r := a.forge().request()
			r.Media = api.MediaForm
			return r
		}},
		attack{row: "J40", name: "package with another boundary", want: refusal("package.send", api.RequestMalformed, "form*"), make: func(a *arena) request {
			r := a.forge().request()
			r.Media = api.MediaForm + "; boundary=other"
			return r
		}},
		attack{row: "J40", name: "acknowledgement as a form", from: "lv/vp", want: unsupported, make: func(a *arena) request {
			ack := k.request(a, func(*jws) {})
			r := multipart([]exchangetest.Part{{Name: "acknowledgement", Media: api.MediaJOSE, Body: ack.Body}})
			r.Path = ack.Path
			return r
		}})
}

// partTypes: what the parts of a form say of themselves, and their order.
func partTypes() (all []attack) {
	as := func(name, reason string, change func(p []exchangetest.Part) []exchangetest.Part) {
		all = append(all, attack{row: "J40", name: "form: " + name, want: malformed(reason), make: post(func(f *forgery) { f.parts = change })})
	}
	type parts = []exchangetest.Part
	for i, name := range []string{"manifest", "statement", "content"} {
		for _, media := range []string{"", "text/plain", "application/json", "application/jwt", "application/jose; charset=utf-8", "APPLICATION/JOSE", "application/octet-stream", "multipart/form-data"} {
			as(name+" as "+media, "part-type", func(p parts) parts { p[i].Media = media; return p })
		}
		for _, other := range []string{"", "Manifest", "manifest[]", "content ", "attachment", "../x", "\u0441ontent"} {
			if other != name {
				as(name+" named "+other, "part-order", func(p parts) parts { p[i].Name = other; return p })
			}
		}
		as(name+" twice", "part-order", func(p parts) parts { return append(p[:i+1:i+1], p[i:]...) })
		as(name+" last", "part-order", func(p parts) parts { return append(append(p[:i:i], p[i+1:]...), p[i]) })
		if i == 2 {
			all = all[:len(all)-2] // a second content would be an attachment, and it is the last one
			as("content twice", "part-order", func(p parts) parts { return append(p, p[2]) })
		}
	}
	as("nothing", "part-missing", func(parts) parts { return nil })
	as("the manifest alone", "part-missing", func(p parts) parts { return p[:1] })
	as("no content", "part-missing", func(p parts) parts { return p[:2] })
	as("no statement", "part-order", func(p parts) parts { return append(p[:1:1], p[2]) })
	as("backwards", "part-order", func(p parts) parts { return parts{p[2], p[1], p[0]} })
	return all
}
