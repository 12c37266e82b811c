package server_test

import (
	"context"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/server"
)

// One stopped exchange for the tests that need a server of their own.
func TestHostile(t *testing.T) {
	w := newWire(t)
	large := w.seal(demo.EEtoLV, 32<<20)
	w.as("ee/pbgb", "unit").post(large).want(t, http.StatusCreated)
	w.Stop()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *wire)
	}{
		{"smuggling", testSmuggling}, {"headers", testHeaders}, {"slow", testSlow}, {"lengths", testLengths}, {"continue", testContinue},
		{"overload", testOverload}, {"faults", testFaults}, {"everything fails", testEverythingFails}, {"search too wide", testSearchTooWide}, {"hosts", testHosts}, {"shares", testShares}, {"large", testLarge}, {"source", testSourceOfHandshakes}, {"handshake time", testHandshakeTime}, {"identity", testConnectionsOfAnIdentity}, {"chatter", testChatter}, {"revocation", testRevocation}, {"revocation under upload", testRevocationUnderUpload}, {"options of all", testOptionsOfAll}, {"retired keys", testRetiredKeys}, {"no TLS", testNoTLS}, {"drain", testDrain}, {"drain cut off", testDrainCutOff}, {"admin", testAdmin},
		{"slow reader", func(t *testing.T, w *wire) { testSlowReader(t, w, large.JTI) }},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, w.in(t)) })
	}
}

// What could be read in two ways is refused, and nothing after it is read.
func testSmuggling(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Grace: time.Second}, unwrapped)
	const inner = "GET " + api.RouteAgencies + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
	chunked := "Transfer-Encoding: chunked"
	for name, c := range map[string]struct {
		header []string
		body   string
	}{
		"two lengths":                {consulting("Content-Length: 0", "Content-Length: 70"), inner},
		"length list":                {consulting("Content-Length: 0, 70"), inner},
		"length with sign":           {consulting("Content-Length: +0"), inner},
		"negative length":            {consulting("Content-Length: -1"), inner},
		"hexadecimal length":         {consulting("Content-Length: 0x0"), inner},
		"length overflow":            {consulting("Content-Length: 18446744073709551616"), inner},
		"empty length":               {consulting("Content-Length: "), inner},
		"length with space":          {consulting("Content-Length : 0"), inner},
		"length by bare CR":          {consulting("X: y\rContent-Length: 0"), inner},
		"unknown encoding":           {consulting("Transfer-Encoding: xchunked"), inner},
		"encoding list":              {consulting("Transfer-Encoding: chunked, identity"), inner},
		"two encodings":              {consulting(chunked, "Transfer-Encoding: identity"), inner},
		"quoted encoding":            {consulting(`Transfer-Encoding: "chunked"`), inner},
		"encoding with vertical tab": {consulting("Transfer-Encoding: \vchunked"), inner},
		"encoding with space":        {consulting("Transfer-Encoding : chunked"), inner},
		"gzip encoding":              {consulting("Transfer-Encoding: gzip, chunked"), inner},
		"folded encoding":            {consulting("Transfer-Encoding:", " chunked", length(5)), "0\r\n\r\n" + inner},
		"length and encoding":        {consulting(length(5), chunked), "0\r\n\r\n" + inner},
		"encoding and length":        {consulting(chunked, length(70)), "0\r\n\r\n" + inner},
		"chunk size with sign":       {consulting(chunked), "+0\r\n\r\n" + inner},
		"chunk size with prefix":     {consulting(chunked), "0x0\r\n\r\n" + inner},
		"chunk size overflow":        {consulting(chunked), "10000000000000000\r\n\r\n" + inner},
		"chunk without CRLF":         {consulting(chunked), "1\r\nx0\r\n\r\n" + inner},
		"chunk extension, bare LF":   {consulting(chunked), "1;a\nb\r\nx\r\n0\r\n\r\n" + inner},
		"chunk line, bare LF":        {consulting(chunked), "1\nx\n0\n\n" + inner},
		"empty chunk size":           {consulting(chunked), "\r\n\r\n" + inner},
		"body of GET":                {head(http.MethodGet, "/v1/x y", length(0)), inner},
		"two hosts":                  {head(http.MethodGet, api.RouteAgencies, "Host: other"), inner},
		"no host":                    {[]string{"GET " + api.RouteAgencies + " HTTP/1.1"}, inner},
		"NUL in a header":            {head(http.MethodGet, api.RouteAgencies, "X: a\x00b"), inner},
		"NUL in a name":              {head(http.MethodGet, api.RouteAgencies, "X\x00: a"), inner},
		"version 2 in plain":         {[]string{"GET " + api.RouteAgencies + " HTTP/2.0", "Host: localhost"}, inner},
		"version 9":                  {[]string{"GET " + api.RouteAgencies + " HTTP/9.9", "Host: localhost"}, inner},
		"no version":                 {[]string{"GET " + api.RouteAgencies}, inner},
		"tab in the request line":    {[]string{"GET\t" + api.RouteAgencies + "\tHTTP/1.1", "Host: localhost"}, inner},
		"HTTP/2 preface":             {[]string{"PRI * HTTP/2.0"}, "\r\nSM\r\n\r\n" + inner},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(t, "ee/pbgb", "dpo")
			conn.send(c.header, c.body)
			if r := conn.one(); r.status < 400 {
				t.Errorf("status %d: %s", r.status, r.body)
			}
		})
	}
}

// A client that is slow, or sends too much, in its header.
func testHeaders(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Header: 300 * time.Millisecond}, unwrapped)
	slow := s.dial(t, "ee/pbgb", "dpo")
	_, err := io.WriteString(slow, "GET "+api.RouteAgencies+" HTTP/1.1\r\nHost: loc")
	must(t, err)
	if r, ok := slow.answer(); ok && r.status < 400 {
		t.Errorf("half a header was answered with %d", r.status)
	}
	huge := s.dial(t, "ee/pbgb", "dpo")
	huge.send(head(http.MethodGet, api.RouteAgencies, "X: "+strings.Repeat("x", 21<<10)), "")
	if r := huge.one(); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a huge header was answered with %d", r.status)
	}
	many := s.dial(t, "ee/pbgb", "dpo")
	many.send(head(http.MethodGet, api.RouteAgencies, strings.Split(strings.Repeat("X: x,", 8<<10), ",")[:8<<10]...), "")
	if r := many.one(); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("many headers were answered with %d", r.status)
	}
	long := s.dial(t, "ee/pbgb", "dpo")
	long.send(head(http.MethodGet, "/"+strings.Repeat("x", 21<<10)), "")
	if r := long.one(); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long path was answered with %d", r.status)
	}
}

// A body that stops, or only trickles, ends its connection: 400 as long as
// somebody reads it.
func testSlow(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Grace: 300 * time.Millisecond}, unwrapped)
	stopped := s.dial(t, "ee/pbgb", "dpo")
	stopped.send(consulting(length(len(consultationBody))), consultationBody[:10])
	if r := stopped.one(); r.problem() != "request-malformed" {
		t.Errorf("a body that stopped: %d %s", r.status, r.body)
	}
	unread := s.dial(t, "ee/pbgb", "dpo")
	unread.send(head(http.MethodPost, api.RouteConsultations, "Content-Type: text/plain", length(100)), "x")
	if r := unread.one(); r.problem() != "unsupported-media-type" {
		t.Errorf("a body that nobody reads: %d %s", r.status, r.body)
	}
	trickling := s.dial(t, "ee/pbgb", "dpo")
	trickling.send(consulting(length(60000)), "")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
			if _, err := trickling.Write([]byte(" ")); err != nil {
				return
			}
		}
	}()
	if r := trickling.one(); r.problem() != "request-malformed" {
		t.Errorf("a body that trickles: %d %s", r.status, r.body)
	}
	trickling.Close()
	<-gone
	s.log.await(t, "body-slow")
	// The same over HTTP/2, where the other streams of the connection go on.
	lv := s.as("lv/vp", "unit")
	body, never := io.Pipe()
	defer never.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address+api.RouteConsultations, body)
	must(t, err)
	req.Header.Set("Content-Type", api.MediaJSON)
	resp, err := lv.http.Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("over HTTP/2: %d", resp.StatusCode)
	}
	lv.get(api.RouteAgencies).want(t, http.StatusOK)
}

// Lengths that lie.
func testLengths(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Header: 300 * time.Millisecond, Grace: 300 * time.Millisecond, Attachment: 1 << 20}, unwrapped)
	short := s.dial(t, "ee/pbgb", "dpo")
	short.send(consulting(length(len(consultationBody)-5)), consultationBody)
	first, ok := short.answer()
	if !ok || first.problem() != "request-malformed" {
		t.Errorf("a length too short: %d %s", first.status, first.body)
	}
	if second, ok := short.answer(); ok && second.status < 400 {
		t.Errorf("the rest was taken for a request: %d", second.status)
	}
	broken := s.dial(t, "ee/pbgb", "dpo")
	broken.send(consulting(length(len(consultationBody)+100)), consultationBody)
	must(t, broken.CloseWrite())
	if r := broken.one(); r.problem() != "request-malformed" {
		t.Errorf("a length too long: %d %s", r.status, r.body)
	}
	form := []string{"Content-Type: " + api.MediaForm + "; boundary=b"}
	huge := s.dial(t, "ee/pbgb", "unit")
	huge.send(head(http.MethodPost, api.RoutePackages, append(form, length(1<<40))...), "")
	if r := huge.one(); r.problem() != "too-large" {
		t.Errorf("a huge length: %d %s", r.status, r.body)
	}
	endless := s.dial(t, "ee/pbgb", "unit")
	endless.send(head(http.MethodPost, api.RoutePackages, append(form, "Transfer-Encoding: chunked")...), "")
	go func() {
		for chunk := "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n"; ; {
			if _, err := io.WriteString(endless, chunk); err != nil {
				return
			}
		}
	}()
	if r := endless.one(); r.problem() != "request-malformed" {
		t.Errorf("an endless body: %d %s", r.status, r.body)
	}
	good := s.dial(t, "ee/pbgb", "dpo")
	good.send(consulting("Transfer-Encoding: chunked"), "5\r\n"+consultationBody[:5]+"\r\n"+hex(len(consultationBody)-5)+"\r\n"+consultationBody[5:]+"\r\n0\r\n\r\n")
	if r, _ := good.answer(); r.status != http.StatusCreated {
		t.Errorf("a good chunked body: %d %s", r.status, r.body)
	}
}

func testContinue(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Grace: time.Second, Header: time.Second}, unwrapped)
	c := s.dial(t, "ee/pbgb", "dpo")
	c.send(consulting(length(len(consultationBody)), "Expect: 100-continue"), "")
	c.continued()
	_, err := io.WriteString(c, consultationBody)
	must(t, err)
	if r, _ := c.answer(); r.status != http.StatusCreated {
		t.Errorf("%d %s", r.status, r.body)
	}
	// What is refused by its header is refused before its body is sent.
	c.send(head(http.MethodPost, api.RouteConsultations, "Content-Type: text/plain", "Expect: 100-continue", length(10)), "")
	if r := c.one(); r.problem() != "unsupported-media-type" {
		t.Errorf("%d %s", r.status, r.body)
	}
	other := s.dial(t, "ee/pbgb", "dpo")
	other.send(consulting(length(10), "Expect: the-unexpected"), "")
	if r := other.one(); r.status != http.StatusExpectationFailed {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// More than the limit at a time is refused with 503, and not for longer than
// it lasts.
func testOverload(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Requests: server.Share{All: 2, Each: 2}, Uploads: server.Share{All: 1}}, unwrapped)
	unit := s.plain("ee/pbgb", "unit")
	upload := s.dial(t, "ee/pbgb", "unit")
	upload.send(head(http.MethodPost, api.RoutePackages, "Content-Type: "+api.MediaForm+"; boundary=b", length(100), "Expect: 100-continue"), "")
	upload.continued()
	form := []string{"Content-Type", api.MediaForm + "; boundary=b"}
	if r := unit.do(http.MethodPost, api.RoutePackages, []byte("x"), form...).want(t, http.StatusServiceUnavailable); r.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	unit.get(api.RouteAgencies).want(t, http.StatusOK)

	request := s.dial(t, "ee/pbgb", "dpo")
	request.send(consulting(length(len(consultationBody)), "Expect: 100-continue"), "")
	request.continued()
	gated, open := everyOperation()
	watched := s.as("ee/pbgb", "unit")
	for _, a := range append(gated, open...) {
		watched.ask(a).want(t, http.StatusServiceUnavailable)
	}
	_, err := io.WriteString(request, consultationBody)
	must(t, err)
	if r, _ := request.answer(); r.status != http.StatusCreated {
		t.Errorf("%d %s", r.status, r.body)
	}
	must(t, upload.Close())
	s.log.await(t, "body-broken")
	unit.do(http.MethodPost, api.RoutePackages, []byte("x"), form...).want(t, http.StatusBadRequest)
}

// faulty is a domain in which two calls fail as none should.
type faulty struct{ server.Exchange }

const thePanic = "a fault with a n0t-f0r-th3-w1re"

func (faulty) Manifest(context.Context, exchange.Caller, string) ([]byte, error) { panic(thePanic) }

func (faulty) Show(context.Context, exchange.Caller, string) (*exchange.View, error) {
	return nil, errors.New(thePanic)
}

// A fault is 500 with nothing about it, an entry and a line in the log; the
// server goes on.
func testFaults(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, func(x server.Exchange) server.Exchange { return faulty{x} })
	unit := s.as("ee/pbgb", "unit")
	for _, part := range []string{"manifest", ""} {
		r := unit.get(api.PackagePath(nobody, part)).want(t, http.StatusInternalServerError)
		if string(r.body) != `{"type":"/problems/internal","title":"Internal error","status":500}` {
			t.Errorf("%s", r.body)
		}
		s.log.await(t, r.header.Get(api.HeaderRequestID))
		if e := s.entryOf(r); e.Problem != "internal" {
			t.Errorf("entry %+v", e)
		}
	}
	s.log.await(t, thePanic)
	s.log.await(t, "stack=")
	unit.get(api.RouteAgencies).want(t, http.StatusOK)
}

// failing is a domain in which everything fails as nothing should.
type failing struct{ server.Exchange }

var errFailing = errors.New(thePanic)

func (failing) Post(context.Context, exchange.Caller, exchange.Parts) (*exchange.Accepted, error) {
	return nil, errFailing
}

func (failing) Decide(context.Context, exchange.Caller, exchange.DryRun) (*exchange.Decided, error) {
	return nil, errFailing
}

func (failing) List(context.Context, exchange.Caller, exchange.Listing) (*exchange.Page, error) {
	return nil, errFailing
}

func (failing) Show(context.Context, exchange.Caller, string) (*exchange.View, error) {
	return nil, errFailing
}

func (failing) Manifest(context.Context, exchange.Caller, string) ([]byte, error) {
	return nil, errFailing
}

func (failing) Acknowledge(context.Context, exchange.Caller, string, []byte) (*exchange.Acknowledged, error) {
	return nil, errFailing
}

func (failing) Consult(context.Context, exchange.Caller, exchange.ConsultationRequest) (*exchange.Consultation, error) {
	return nil, errFailing
}

func (failing) Content(context.Context, exchange.Caller, string, string) (exchange.Blob, error) {
	return nil, errFailing
}

func (failing) Attachment(context.Context, exchange.Caller, string, int, string) (exchange.Blob, error) {
	return nil, errFailing
}

func (failing) Explain(context.Context, exchange.Caller, string) (*exchange.Explained, error) {
	return nil, errFailing
}

func (failing) Replay(context.Context, exchange.Caller, string, []byte, time.Time, func() error, func(exchange.Replayed) error) error {
	return errFailing
}

func (failing) StartShadow(context.Context, exchange.Caller, string, []byte) (*exchange.ShadowState, error) {
	return nil, errFailing
}

func (failing) ShowShadow(context.Context, exchange.Caller, string, int) (*exchange.ShadowState, error) {
	return nil, errFailing
}

func (failing) StopShadow(context.Context, exchange.Caller, string, int) (*exchange.ShadowState, error) {
	return nil, errFailing
}

func (failing) DecisionInput(context.Context, exchange.Caller, string, string) (*exchange.RecordedInput, error) {
	return nil, errFailing
}

func (failing) Entries(context.Context, exchange.Caller, string, string, uint64, int) (*exchange.EntriesPage, error) {
	return nil, errFailing
}

func (failing) Search(context.Context, exchange.Caller, string, exchange.SearchRequest) (*exchange.SearchPage, error) {
	return nil, errFailing
}

func (failing) DrawSample(context.Context, exchange.Caller, string, exchange.SampleRequest) (*exchange.SampleView, error) {
	return nil, errFailing
}

func (failing) Samples(context.Context, exchange.Caller, string) ([]exchange.SampleView, error) {
	return nil, errFailing
}

func (failing) Review(context.Context, exchange.Caller, string, string, exchange.Verdict) (*exchange.SampleView, error) {
	return nil, errFailing
}

func (failing) Entry(context.Context, exchange.Caller, string, string, uint64) (*exchange.EntryRow, error) {
	return nil, errFailing
}

func (failing) Export(context.Context, exchange.Caller, string, exchange.ExportQuery, func(exchange.ExportHead) (io.Writer, error)) (audit.Receipt, error) {
	return audit.Receipt{}, errFailing
}

func (failing) Statistics(context.Context, exchange.Caller, string, exchange.StatisticsQuery, exchange.StatisticsTeller) error {
	return errFailing
}

func (failing) PublishKey(context.Context, exchange.Caller, string, string, []byte) (*exchange.KeyChange, error) {
	return nil, errFailing
}

func (failing) RetireKey(context.Context, exchange.Caller, string, string, exchange.Retirement) (*exchange.KeyChange, error) {
	return nil, errFailing
}

func (failing) Admission(context.Context, exchange.Caller, string) (*exchange.Admission, error) {
	return nil, errFailing
}

func (failing) SetAdmission(context.Context, exchange.Caller, string, exchange.Standing, string) (*exchange.Admission, error) {
	return nil, errFailing
}

func (failing) BringRevocations(context.Context, exchange.Caller, string, []byte) (*exchange.RevocationsTaken, error) {
	return nil, errFailing
}

func (failing) SetGrace(context.Context, exchange.Caller, string, time.Time, string) (*exchange.Grace, error) {
	return nil, errFailing
}

func (failing) ListPolicies(context.Context, exchange.Caller) ([]exchange.PolicyState, audit.Receipt, error) {
	return nil, audit.Receipt{}, errFailing
}

func (failing) ShowPolicy(context.Context, exchange.Caller, string) (*exchange.PolicyState, audit.Receipt, error) {
	return nil, audit.Receipt{}, errFailing
}

func (failing) PushPolicy(context.Context, exchange.Caller, string, []byte) (*exchange.PolicyChange, error) {
	return nil, errFailing
}

func (failing) RollbackPolicy(context.Context, exchange.Caller, string, []byte) (*exchange.PolicyChange, error) {
	return nil, errFailing
}

func (failing) Limits(context.Context, exchange.Caller) ([]exchange.RateShown, error) {
	return nil, errFailing
}

func (failing) ReportMismatch(context.Context, exchange.Caller, string, string) (*exchange.MismatchReported, error) {
	return nil, errFailing
}

func (failing) SetRate(context.Context, exchange.Caller, exchange.RateChange) (*exchange.RateSet, error) {
	return nil, errFailing
}

func (failing) Erase(context.Context, exchange.Caller, []byte) (*exchange.ErasureDone, error) {
	return nil, errFailing
}

func (failing) PreviewErasures(context.Context, exchange.Caller, string, time.Time, int) (*exchange.Preview, error) {
	return nil, errFailing
}

func (failing) AddHold(context.Context, exchange.Caller, exchange.HoldRequest) (*exchange.HoldSet, error) {
	return nil, errFailing
}

func (failing) ListHolds(context.Context, exchange.Caller, string) ([]exchange.Hold, error) {
	return nil, errFailing
}

func (failing) ReleaseHold(context.Context, exchange.Caller, string, string) (*exchange.HoldSet, error) {
	return nil, errFailing
}

func (failing) Registry(context.Context) (*exchange.Registry, error) { return nil, errFailing }

// Whatever fails, the answer is a documented 500 that says nothing.
func testEverythingFails(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, func(x server.Exchange) server.Exchange { return failing{x} })
	unit := s.as("ee/pbgb", "unit")
	gated, open := everyOperation()
	for _, a := range append(gated, open...) {
		if a.path == api.RouteDecisions {
			a.body = []byte(`{"manifest":{},"statement":{}}`)
		}
		if strings.HasPrefix(a.path, api.RouteConsultations) {
			a.body = []byte(consultationBody)
		}
		if a.path == api.AdmissionPath("ee/pbgb") && a.body != nil {
			a.body = []byte(`{"roles":[],"suspended":true,"reason":"` + theReason + `"}`)
		}
		if a.path == api.PackagePath(nobody, "mismatch") {
			a.body = []byte(`{"code":"subjects"}`)
		}
		if a.path == api.RouteLimits && a.body != nil {
			a.body = []byte(`{"name":"reads","quota":1,"window":60,"reason":"` + theReason + `"}`)
		}
		if a.path == api.RouteSamples && a.body != nil {
			a.body = []byte(`{"size":1}`)
		}
		if a.path == api.VerdictPath(nobody, 1) {
			a.body = []byte(`{"verdict":"lawful"}`)
		}
		if a.path == api.RouteHolds && a.body != nil {
			a.body = []byte(`{"scope":"all","reason":"` + theReason + `"}`)
		}
		if a.path == api.ReleasePath(nobody) {
			a.body = []byte(`{"reason":"` + theReason + `"}`)
		}
		if a.path == api.GracePath("ee") {
			a.body = []byte(`{"until":"2026-11-22T08:00:00Z","reason":"` + theReason + `"}`)
		}
		if r := unit.ask(a).want(t, http.StatusInternalServerError); strings.Contains(string(r.body), thePanic) {
			t.Errorf("%s", r.body)
		}
	}
}

// retiring is a domain in which keys of lv/vp are not in use any more.
type retiring struct {
	server.Exchange
	change func(*exchange.KeyRow)
}

func (r retiring) Registry(ctx context.Context) (*exchange.Registry, error) {
	reg, err := r.Exchange.Registry(ctx)
	if err != nil {
		return nil, err
	}
	var keys []exchange.KeyRow
	for _, a := range reg.Agencies() {
		for _, k := range reg.Keys(a.ID) {
			if row := k.KeyRow; a.ID == "lv/vp" {
				r.change(&row)
				keys = append(keys, row)
			}
		}
	}
	return exchange.NewRegistry(reg.Version()+1, reg.Agencies(), keys)
}

// The key set has what may be used now; what may not is found by its kid.
func testRetiredKeys(t *testing.T, w *wire) {
	past, future := w.Clock.Now().Add(-time.Minute), w.Clock.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		change func(*exchange.KeyRow)
		listed int
	}{
		"in use":            {func(*exchange.KeyRow) {}, 3},
		"not used for long": {func(k *exchange.KeyRow) { k.Until = future }, 3},
		"retired":           {func(k *exchange.KeyRow) { k.Until = past }, 0},
		"compromised":       {func(k *exchange.KeyRow) { k.Compromised = past }, 0},
		"not yet":           {func(k *exchange.KeyRow) { k.From = future }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.small(t, server.Limits{}, func(x server.Exchange) server.Exchange { return retiring{x, c.change} })
			lv := s.as("lv/vp", "unit")
			var set api.KeySet
			lv.get(api.KeysPath("lv/vp")).want(t, http.StatusOK).decode(t, &set)
			if len(set.Keys) != c.listed {
				t.Errorf("%d keys", len(set.Keys))
			}
			var key api.Key
			lv.get(api.KeyPath("lv/vp", w.signKey("lv/vp").Kid())).want(t, http.StatusOK).decode(t, &key)
			if (key.Until != "") != (name == "retired" || name == "not used for long") || (key.Compromised != "") != (name == "compromised") {
				t.Errorf("%+v", key)
			}
		})
	}
}

// An identity that does not hold any more is refused on the connection that
// it has, which ends.
func testRevocation(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	one := s.dial(t, "ee/pbgb", "unit")
	one.send(head(http.MethodGet, api.RouteAgencies), "")
	if r, _ := one.answer(); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	two, lv := s.as("ee/pbgb", "unit"), s.as("lv/vp", "unit")
	two.get(api.RouteAgencies).want(t, http.StatusOK)
	lv.get(api.RouteAgencies).want(t, http.StatusOK)

	s.forget(t, "ee")

	one.send(head(http.MethodGet, api.RouteAgencies), "")
	if r := one.one(); r.problem() != "identity-refused" {
		t.Errorf("over HTTP/1.1: %d %s", r.status, r.body)
	}
	if r := two.get(api.RouteAgencies); r.problem() != "identity-refused" {
		t.Errorf("over HTTP/2: %d %s", r.status, r.body)
	}
	if resp, err := two.http.Get("https://" + s.address + api.RouteAgencies); err == nil {
		resp.Body.Close()
		t.Errorf("a new connection was answered with %d", resp.StatusCode)
	}
	lv.get(api.RouteAgencies).want(t, http.StatusOK)
}

// forget takes a jurisdiction's anchors away: its certificates hold no more.
func (s *small) forget(t *testing.T, jurisdiction string) {
	t.Helper()
	before := s.gate.Trust()
	others := map[string][]certs.Anchor{}
	for _, j := range before.Anchors.Jurisdictions() {
		if j != jurisdiction {
			others[j] = before.Anchors.Of(j)
		}
	}
	anchors, err := certs.NewAnchors(others)
	must(t, err)
	must(t, s.gate.Reload(&certs.Trust{Anchors: anchors, Server: before.Server}))
}

// revoke puts an identity's certificate on its authority's list, until the
// test ends.
func (s *small) revoke(t *testing.T, agency, role string) {
	t.Helper()
	cfg, err := s.World.NodeConfig()
	must(t, err)
	j, _, err := certs.ParseAgencyID(agency)
	must(t, err)
	file := filepath.Join(cfg.Revocations, j+".crl")
	before, err := os.ReadFile(file)
	must(t, err)
	t.Cleanup(func() { must(t, certs.WritePublic(file, before)) })
	ca := s.CA(j)
	ca.Revoke(s.Peer(agency, role).Certificate.SerialNumber)
	list, err := ca.CRL(big.NewInt(2), s.Clock.Now().Add(time.Hour))
	must(t, err)
	must(t, certs.WritePublic(file, list))
	trust, err := s.trust(cfg)
	must(t, err)
	must(t, s.gate.Reload(trust))
}

// decided is the domain with policies.
func decided(t *testing.T) func(server.Exchange) server.Exchange {
	return func(x server.Exchange) server.Exchange {
		policies, err := exchangetest.Policies()
		must(t, err)
		must(t, x.(*exchange.Service).Activate(t.Context(), policies))
		return x
	}
}

// A certificate that ends while its package is being uploaded is asked again
// before the package is accepted.
func testRevocationUnderUpload(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, decided(t))
	sealed := w.Sealed(demo.EEtoLV)
	contentType, body := formOf(t, sealed)
	upload := s.dial(t, "ee/pbgb", "unit")
	upload.send(head(http.MethodPost, api.RoutePackages, "Content-Type: "+contentType, length(len(body)), "Expect: 100-continue"), "")
	upload.continued()
	s.revoke(t, "ee/pbgb", "unit")
	_, err := upload.Write(body)
	must(t, err)
	if r, _ := upload.answer(); r.problem() != "identity-refused" {
		t.Errorf("%d %s", r.status, r.body)
	}
	var inbox api.Page
	s.as("lv/vp", "unit").get(api.RoutePackages).want(t, http.StatusOK).decode(t, &inbox)
	for _, item := range inbox.Items {
		if item.ID == sealed.JTI {
			t.Error("the package was accepted")
		}
	}
}

// OPTIONS * goes the way of every request: identified, refused, recorded.
func testOptionsOfAll(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	c := s.dial(t, "ee/pbgb", "unit")
	c.send(head(http.MethodOptions, "*"), "")
	r, _ := c.answer()
	if r.status == http.StatusOK || r.header.Get(api.HeaderRequestID) == "" {
		t.Fatalf("%d, request %q", r.status, r.header.Get(api.HeaderRequestID))
	}
	if e := s.entryOf(r); e.Problem != r.problem() {
		t.Errorf("answer %s, entry %+v", r.problem(), e)
	}
}

// The handler alone, without the listener's TLS, serves nobody.
func testNoTLS(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	bare := httptest.NewServer(s.server.Handler())
	defer bare.Close()
	for _, path := range []string{api.RouteAgencies, api.RoutePackages, "/none"} {
		resp, err := http.Get(bare.URL + path)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// Shutdown lets what is in flight finish, and cuts off what does not.
func testDrain(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	c := s.dial(t, "ee/pbgb", "dpo")
	c.send(consulting(length(len(consultationBody)), "Expect: 100-continue"), "")
	c.continued()
	done := make(chan error, 1)
	go func() { done <- s.server.Shutdown(context.Background()) }()
	for s.ready() == http.StatusOK {
		runtime.Gosched()
	}
	_, err := io.WriteString(c, consultationBody)
	must(t, err)
	if r := c.one(); r.status != http.StatusCreated {
		t.Errorf("%d %s", r.status, r.body)
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}

}

func testDrainCutOff(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{Drain: 50 * time.Millisecond}, unwrapped)
	c := s.dial(t, "ee/pbgb", "dpo")
	c.send(consulting(length(100), "Expect: 100-continue"), "")
	c.continued()
	if err := s.server.Shutdown(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if r, ok := c.answer(); ok && r.status < 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// ready asks the admin handler.
func (s *small) ready() int { return s.admin(api.RouteReady).Code }

func (s *small) admin(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.server.AdminHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func testAdmin(t *testing.T, w *wire) {
	s := w.small(t, server.Limits{}, unwrapped)
	s.as("ee/pbgb", "unit").get(api.RouteAgencies).want(t, http.StatusOK)
	for path, want := range map[string]string{
		api.RouteLive: "ok\n", api.RouteReady: "ok\n", api.RouteReady + "?verbose": "[+] server\n[+] exchange\n[+] extra\nok\n",
	} {
		if got := s.admin(path); got.Code != http.StatusOK || got.Body.String() != want {
			t.Errorf("%s: %d %q", path, got.Code, got.Body)
		}
	}
	if got := s.admin(api.RouteMetrics).Body.String(); !strings.Contains(got, `liaison_http_requests_total{operation="listAgencies",status="200"} 1`) {
		t.Errorf("%s", got)
	}
	must(t, s.server.Shutdown(context.Background()))
	if got := s.admin(api.RouteReady + "?verbose"); got.Code != http.StatusServiceUnavailable || !strings.HasPrefix(got.Body.String(), "[-] server: shutting down\n") {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}

// An answer that nobody takes is cut off, and the log says so.
func testSlowReader(t *testing.T, w *wire, id string) {
	s := w.small(t, server.Limits{Grace: 300 * time.Millisecond, Rate: 1 << 30}, unwrapped)
	consultation := s.as("ee/pbgb", "unit").consult(id)
	c := s.dial(t, "ee/pbgb", "unit")
	c.send(head(http.MethodGet, api.AttachmentPath(id, 0), api.HeaderConsultation+": "+consultation), "")
	s.log.await(t, "answer cut off")
	resp, err := http.ReadResponse(c.r, nil)
	must(t, err)
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the whole came through")
	}
}
