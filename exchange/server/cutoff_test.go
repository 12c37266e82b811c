package server_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// ticking is an exchange that looks at its files and connections when the test says so.
func ticking(t *testing.T, edit func(*node.Config)) (*wire, func()) {
	t.Helper()
	ticks := make(chan time.Time)
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) {
		c.Ticks = ticks
		if edit != nil {
			edit(c)
		}
	}))
	// The second tick is taken after the first one's work is done.
	return &wire{Exchange: x, t: t, address: x.Node.Addr()}, func() {
		ticks <- x.Clock.Now()
		ticks <- x.Clock.Now()
	}
}

// streaming is a request under way: the server waits for the client.
type streaming struct {
	name  string
	begin func(t *testing.T, c *caller) (end func() error)
}

// far is more than lies in buffers between the two.
const far = 12 << 20

// download reads the beginning of an attachment.
func download(id string) streaming {
	return streaming{"download", func(t *testing.T, c *caller) func() error {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+c.address+api.AttachmentPath(id, 0), nil)
		must(t, err)
		req.Header.Set(api.HeaderConsultation, c.consult(id))
		resp, err := c.http.Do(req)
		must(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		if _, err := io.ReadFull(resp.Body, make([]byte, 1<<10)); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", resp.Status, err)
		}
		return func() error {
			_, err := io.Copy(io.Discard, resp.Body)
			return err
		}
	}}
}

// upload sends the head of a request whose body the server then waits for.
var upload = streaming{"upload", func(t *testing.T, c *caller) func() error {
	t.Helper()
	body, bytes := io.Pipe()
	waited := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(waited) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.address+api.RoutePackages, body)
	must(t, err)
	req.Header.Set("Content-Type", api.MediaForm+"; boundary=b")
	req.Header.Set("Expect", "100-continue")
	failed := make(chan error, 1)
	go func() {
		resp, err := c.http.Do(req)
		if err == nil {
			err = resp.Body.Close() // an answer is no cut
		}
		failed <- err
	}()
	select {
	case <-waited:
	case err := <-failed:
		t.Fatalf("the upload ended before it began: %v", err)
	}
	t.Cleanup(func() { _ = bytes.Close() })
	return func() error {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := bytes.Write(chunk); err != nil { // the client gave up
				return <-failed
			}
		}
	}
}}

// cause is why somebody may not stay, and what log and entry say of it.
type cause struct {
	reason string
	do     func(t *testing.T, w *wire, tick func(), one *tls.Certificate)
}

var causes = []cause{
	{"certificate-revoked", func(_ *testing.T, w *wire, _ func(), one *tls.Certificate) { w.WriteList("lv", w.List("lv", one.Leaf)) }},
	{"certificate-dates", func(_ *testing.T, w *wire, _ func(), _ *tls.Certificate) { w.Clock.Advance(61 * time.Minute) }},
	{"certificate-crl", func(_ *testing.T, w *wire, tick func(), _ *tls.Certificate) {
		w.WriteList("lv", w.List("lv")) // due in half an hour
		tick()
		w.Clock.Advance(32 * time.Minute)
	}},
	{"agency", func(t *testing.T, w *wire, _ func(), _ *tls.Certificate) {
		w.Admission(node.Admission{ID: "lv/vp", Roles: []string{certs.RoleUnit, certs.RoleDPO}, Suspended: true})
		must(t, w.Node.Reload(t.Context()))
	}},
}

// A connection ends with the identity at its end, whatever is under way on it
// (row M9 of the attack catalogue): within one look at the connections, which
// is at most four seconds. It does not come back (row M10). Others stay.
func TestCutOff(t *testing.T) {
	for _, why := range causes {
		t.Run(why.reason, func(t *testing.T) {
			t.Parallel()
			w, tick := ticking(t, func(c *node.Config) { c.CRLGrace = node.Duration(time.Minute) })
			other := w.as("lv/vp", "dpo")
			other.get(api.RouteAgencies).want(t, http.StatusOK)
			if why.reason != "certificate-revoked" { // an exchange can be suspended, or age, once
				w.in(t).cut(t, tick, upload, true, why)
				return
			}
			for _, kind := range []streaming{download(w.shared(t)), upload} {
				for _, h2 := range []bool{false, true} {
					w.in(t).cut(t, tick, kind, h2, why)
				}
			}
			other.get(api.RouteAgencies).want(t, http.StatusOK)
		})
	}
}

// shared is a package with a long attachment that lv/vp may read.
func (w *wire) shared(t *testing.T) string {
	t.Helper()
	sealed := w.seal(demo.EEtoLV, far)
	w.as("ee/pbgb", "unit").post(sealed).want(t, http.StatusCreated)
	lv := w.as("lv/vp", "unit")
	lv.do(http.MethodPost, api.PackagePath(sealed.JTI, "acknowledgement"), lv.acknowledgement("lv/vp", sealed.JTI), "Content-Type", api.MediaJOSE).want(t, http.StatusCreated)
	return sealed.JTI
}

func (w *wire) cut(t *testing.T, tick func(), kind streaming, h2 bool, why cause) {
	t.Helper()
	name := fmt.Sprintf("%s-%t", kind.name, h2)
	one := w.Identity("lv/vp", "unit", name)
	cfg := w.tlsOf("lv/vp", "unit").Clone()
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &one, nil }
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: h2, DisableCompression: true, ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	c := &caller{wire: w, http: http.Client{Transport: transport}}
	end := kind.begin(t, c)
	tick() // nothing has happened: nobody is cut off
	c.get(api.RouteAgencies).want(t, http.StatusOK)
	why.do(t, w, tick, &one)
	tick()
	if err := end(); err == nil {
		t.Errorf("%s: went on to its end", name)
	}
	if !h2 {
		c.http.CloseIdleConnections()
	}
	if r, err := c.http.Get("https://" + c.address + api.RouteAgencies); err == nil {
		_ = r.Body.Close()
		if why.reason != "agency" || r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: came back: %s", name, r.Status)
		}
	}
	identity := `"identity":"spiffe://lv/vp/unit/` + name + `"`
	lines := strings.Split(w.Log.String(), "\n")
	if !slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, "connection cut off") && strings.Contains(line, identity) && strings.Contains(line, `"reason":"`+why.reason+`"`)
	}) {
		t.Errorf("%s: the log does not say %s", name, why.reason)
	}
	if kind.name == "upload" && why.reason == "certificate-revoked" { // in the other cases nobody is left to read it
		w.cutEntry(t, name, why.reason)
	}
}

// cutEntry waits for the entry of an upload that was cut off: its handler ends
// after the connection.
func (w *wire) cutEntry(t *testing.T, name, reason string) {
	t.Helper()
	for t.Context().Err() == nil {
		for _, e := range w.entries("lv/vp") {
			if e.Actor.Identity == "spiffe://lv/vp/unit/"+name && e.Outcome == "refused" {
				if e.Reason != reason || e.Problem != "identity-refused" || e.Action == "" {
					t.Errorf("%s: %+v", name, e)
				}
				return
			}
		}
		runtime.Gosched()
	}
}
