package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestSizes: what is large, deep or long is refused for its size, and costs a
// bounded multiple of what was sent (J8, J20, J21, J23, J29). It runs alone:
// memory is measured.
func TestSizes(t *testing.T) {
	a := enter(t)
	k := a.delivered()
	a.alone()
	a.run(each(2, large(a, k))...)
	a.given(k)
	a.accepted()
}

// large are requests of up to tens of megabytes.
func large(a *arena, k *acknowledgement) (all []attack) {
	const mega = 1 << 20
	flaws := []flaw{
		{"J20", "ten million dots", func(j *jws) { j.finished = func(string) string { return strings.Repeat(".", 10_000_000) } }, tooLarge},
		{"J23", "a header of 5 MB", add(`"x":"` + strings.Repeat("x", 5*mega) + `"`), tooLarge},
		{"J23", "a header of 9,000 levels", add(`"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), form("too-large")},
		{"J23", "a header of 20,000 levels", add(`"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), tooLarge},
		{"J23", "100,000 members", func(j *jws) { j.payload = "{" + strings.Repeat(`"a":1,`, 100_000) + `"b":1}` }, tooLarge},
		{"J23", "a number of a million digits", func(j *jws) { j.payload = `{"iat":1` + strings.Repeat("0", 1_000_000) + "}" }, tooLarge},
		{"J23", "a payload of blanks", func(j *jws) { j.payload += strings.Repeat(" ", 8*mega) }, tooLarge},
		{"J23", "a payload of a little too much", func(j *jws) { j.payload += strings.Repeat(" ", 25<<10) }, form("too-large")},
		{"J24", "a megabyte of what is no UTF-8", func(j *jws) { j.payload = strings.Repeat("\xff", mega) }, tooLarge},
		{"J18", "a signature of a megabyte", func(j *jws) { j.signature = func(string) string { return strings.Repeat("x", mega) } }, tooLarge},
		{"J39", "a JWS of a megabyte inside", func(j *jws) { j.payload = strings.Repeat(encode(j.payload), 2000) }, tooLarge},
	}
	all = append(all, attacks(carriers(k), flaws)...)
	content := func(row, name string, want verdict, text func(f *forgery) string) {
		all = append(all, attack{row: row, name: "content: " + name, want: want, make: post(func(f *forgery) {
			was := f.content
			f.content = text(f)
			// A size that the manifest may not even name would be its flaw.
			if len(f.content) > 8*mega {
				f.manifest.payload = strings.Replace(f.manifest.payload, fmt.Sprintf(`"size":%d`, len(was)), fmt.Sprintf(`"size":%d`, 8*mega), 1)
			}
		})})
	}
	tooMuch := refusal("package.send", api.TooLarge, "part-size")
	content("J29", "ten thousand recipients", malformed("content:count"), func(f *forgery) string {
		one := `{"encrypted_key":` + f.member("encrypted_key") + `},`
		return `{"recipients":[` + strings.TrimSuffix(strings.Repeat(one, 10_000), ",") + `],` + f.content[1:]
	})
	content("J23", "a million levels", malformed("content:type"), func(*forgery) string { return strings.Repeat("[", mega) })
	content("J23", "a million levels of objects", malformed("content:unknown-member"), func(*forgery) string { return strings.Repeat(`{"a":`, mega) })
	content("J23", "a million members", malformed("content:unknown-member"), func(*forgery) string { return "{" + strings.Repeat(`"a":1,`, mega) + `"b":1}` })
	content("J14", "tag a hundred thousand times", malformed("content:duplicate-member"), func(f *forgery) string {
		return "{" + strings.Repeat(`"tag":`+f.member("tag")+",", 100_000) + f.content[1:]
	})
	content("J23", "a protected header of 6 MB", malformed("content:too-large"), func(f *forgery) string {
		return swap(f.member("protected"), quote(strings.Repeat("A", 6*mega)))(f.content)
	})
	content("J19", "a ciphertext of 7 MB with one character too many", malformed("content:base64url"), func(f *forgery) string {
		return swap(f.member("ciphertext"), quote(strings.Repeat("A", 7*mega)+"="))(f.content)
	})
	content("J24", "7 MB of escapes", malformed("content:base64url"), func(f *forgery) string {
		return swap(f.member("ciphertext"), `"`+strings.Repeat(`\u003d`, mega)+`"`)(f.content)
	})
	content("J23", "blanks of 8 MB and more", tooMuch, func(f *forgery) string { return f.content + strings.Repeat(" ", 8*mega) })
	content("J25", "12 MB that would be much more", tooMuch, func(*forgery) string { return strings.Repeat("\x00", 12*mega) })
	return append(all, frames(a)...)
}

// frames: what is large around the parts, and what says that it is compressed.
func frames(a *arena) (all []attack) {
	as := func(name string, want verdict, change func(r *request)) {
		all = append(all, attack{row: "J23", name: "form: " + name, want: want, make: func(a *arena) request {
			r := a.forge().request()
			change(&r)
			return r
		}})
	}
	as("a preamble of 5 MB", refusal("package.send", api.RequestMalformed, "form*"), func(r *request) { r.Body = append([]byte(strings.Repeat("x", 5<<20)+"\r\n"), r.Body...) })
	as("a part's header of 2 MB", refusal("package.send", api.RequestMalformed, "form*"), func(r *request) {
		r.Body = []byte(strings.Replace(string(r.Body), "Content-Type:", "X-Filler: "+strings.Repeat("x", 2<<20)+"\r\nContent-Type:", 1))
	})
	as("a thousand headers of a part", refusal("package.send", api.RequestMalformed, "form*"), func(r *request) {
		r.Body = []byte(strings.Replace(string(r.Body), "Content-Type:", strings.Repeat("X: y\r\n", 10_000)+"Content-Type:", 1))
	})
	for _, coding := range []string{"gzip", "deflate", "br", "zstd", "identity", ""} {
		as("Content-Encoding "+coding, refusal("request.refused", api.UnsupportedMediaType, "content-encoding"), func(r *request) { r.Header = http.Header{"Content-Encoding": {coding}} })
	}
	as("attachments of nothing, a thousand", invalid("attachment-extra"), func(r *request) {
		f := a.forge()
		f.parts = func(p []exchangetest.Part) []exchangetest.Part {
			for range 1000 {
				p = append(p, exchangetest.Part{Name: api.PartAttachment, Media: api.MediaBinary})
			}
			return p
		}
		*r = f.request()
	})
	return all
}
