package exchangetest

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Part is one part of a package on the wire.
type Part struct {
	Name, Media string
	Body        []byte
}

// PartsOf are the parts of a sealed package, in their order. A test changes
// them before it posts them.
func (x *Exchange) PartsOf(s *envelope.Sealed) []Part {
	x.TB.Helper()
	parts := []Part{
		{api.PartManifest, api.MediaJOSE, s.Manifest},
		{api.PartStatement, api.MediaJOSE, s.Statement},
		{api.PartContent, api.MediaJOSEJSON, s.Content},
	}
	for _, a := range s.Attachments {
		r, err := a.Open()
		x.must(err)
		body, err := io.ReadAll(r)
		x.must(err)
		x.must(r.Close())
		parts = append(parts, Part{api.PartAttachment, api.MediaBinary, body})
	}
	return parts
}

// Form writes parts as multipart/form-data (RFC 7578).
func Form(parts []Part) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf("form-data; name=%q", p.Name)}, "Content-Type": {p.Media}})
		if err == nil {
			_, err = part.Write(p.Body)
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

// Answer is an HTTP answer, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem is the answer's problem; what is none ends the test.
func (x *Exchange) Problem(a *Answer) *api.Problem {
	x.TB.Helper()
	p, err := api.ParseProblem(a.Body)
	if err != nil || a.Header.Get("Content-Type") != api.MediaProblem {
		x.TB.Fatalf("%d %s is no problem: %s", a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	return p
}

// Do makes one request. The header may be nil.
func (x *Exchange) Do(c *http.Client, method, path string, header http.Header, body []byte) *Answer {
	x.TB.Helper()
	req, err := http.NewRequestWithContext(x.TB.Context(), method, x.URL(path), bytes.NewReader(body))
	x.must(err)
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := c.Do(req)
	x.must(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	x.must(err)
	return &Answer{resp.StatusCode, resp.Header, raw}
}

// Post posts parts as a package.
func (x *Exchange) Post(c *http.Client, parts []Part) *Answer {
	x.TB.Helper()
	contentType, body := Form(parts)
	return x.Do(c, http.MethodPost, api.RoutePackages, http.Header{"Content-Type": {contentType}}, body)
}
