package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// verdict is a test whose failure is a result.
type verdict struct {
	testing.TB
	failed string
}

func (v *verdict) Helper() {}

func (v *verdict) Errorf(format string, args ...any) { v.failed = fmt.Sprintf(format, args...) }

// fixed is a round tripper with one answer.
type fixed struct {
	status int
	header http.Header
	body   string
}

func (f fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: f.status, Header: f.header, Body: io.NopCloser(bytes.NewReader([]byte(f.body))), Request: r}, nil
}

// An answer that the document does not have fails the test that sees it.
func TestWatchFindsWhatIsNotDocumented(t *testing.T) {
	header := func(edit func(http.Header)) http.Header {
		h := http.Header{api.HeaderRequestID: {nobody}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
			"Content-Security-Policy": {"default-src 'none'"}, "Content-Type": {api.MediaJSON}, "Content-Length": {"1"}}
		h.Set(api.HeaderRateLimitPolicy, `"reads";q=100;w=60, "bytes";q=5;w=86400`)
		h.Set(api.HeaderRateLimit, `"reads";r=42;t=17, "bytes";r=0;t=86400`)
		edit(h)
		return h
	}
	same := header(func(http.Header) {})
	problem := header(func(h http.Header) { h.Set("Content-Type", api.MediaProblem) })
	const good = `{"items":[{"id":"ee/pbgb","jurisdiction":"ee","type":"spoc","status":"active"}]}`
	const gone = `{"type":"/problems/not-found","title":"Not found","status":404}`
	for name, c := range map[string]struct {
		method, path string
		answer       fixed
		good         bool
	}{
		"good":                   {http.MethodGet, api.RouteAgencies, fixed{200, same, good}, true},
		"other status":           {http.MethodGet, api.RouteAgencies, fixed{202, same, good}, false},
		"problem of no status":   {http.MethodGet, api.RouteAgencies, fixed{404, problem, gone}, false},
		"other media type":       {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Set("Content-Type", "text/html") }), good}, false},
		"no media type":          {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Del("Content-Type") }), good}, false},
		"no request id":          {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Del(api.HeaderRequestID) }), good}, false},
		"no length":              {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Del("Content-Length") }), good}, false},
		"may be sniffed":         {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Del("X-Content-Type-Options") }), good}, false},
		"no limits":              {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Del(api.HeaderRateLimit) }), good}, false},
		"limits of another form": {http.MethodGet, api.RouteAgencies, fixed{200, header(func(h http.Header) { h.Set(api.HeaderRateLimit, "42") }), good}, false},
		"unknown member":         {http.MethodGet, api.RouteAgencies, fixed{200, same, `{"items":[],"total":0}`}, false},
		"member lacks":           {http.MethodGet, api.RouteAgencies, fixed{200, same, `{"items":[{"id":"ee/pbgb"}]}`}, false},
		"wrong value":            {http.MethodGet, api.RouteAgencies, fixed{200, same, `{"items":[{"id":"EE/pbgb","jurisdiction":"ee","type":"spoc","status":"active"}]}`}, false},
		"not JSON":               {http.MethodGet, api.RouteAgencies, fixed{200, same, `items`}, false},
		"no Retry-After":         {http.MethodGet, api.RouteAgencies, fixed{503, problem, `{"type":"/problems/unavailable","title":"Unavailable for now","status":503}`}, false},
		"unknown path":           {http.MethodGet, "/none", fixed{404, problem, gone}, true},
		"unknown path found":     {http.MethodGet, "/none", fixed{200, same, good}, false},
		"status differs":         {http.MethodGet, "/none", fixed{403, problem, gone}, false},
		"talkative not-found":    {http.MethodGet, "/none", fixed{404, problem, `{"type":"/problems/not-found","title":"Not found","status":404,"detail":"not yours"}`}, false},
		"method without Allow":   {http.MethodPut, api.RouteAgencies, fixed{405, problem, `{"type":"/problems/method-not-allowed","title":"Method not allowed","status":405}`}, false},
		"HEAD that succeeds":     {http.MethodHead, api.RouteAgencies, fixed{200, same, ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := &verdict{TB: t}
			req, err := http.NewRequestWithContext(t.Context(), c.method, "https://exchange"+c.path, nil)
			must(t, err)
			resp, err := exchangetest.Watch(v, c.answer).RoundTrip(req)
			must(t, err)
			resp.Body.Close()
			if (v.failed == "") != c.good {
				t.Errorf("verdict: %q", v.failed)
			}
		})
	}
}
