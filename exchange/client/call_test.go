package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/certs/certstest"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// sleeps makes a client note how long it would have waited.
func sleeps(c *Client) *[]time.Duration {
	var waited []time.Duration
	c.sleep = func(ctx context.Context, d time.Duration) error {
		waited = append(waited, d)
		return ctx.Err()
	}
	return &waited
}

// failing answers the first n calls of a method with a problem.
func (x *testExchange) failing(n int, method string, p *api.Problem, retryAfter string) {
	x.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || n == 0 {
			return false
		}
		n--
		io.Copy(io.Discard, r.Body)
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		reply(w, r, 0, p)
		return true
	}
}

func TestRepeatsThatAreSafe(t *testing.T) {
	unavailable, limited := api.Unavailable.New("", ""), api.RateLimited.New("", "")
	x := newTestExchange(t)
	c := x.client("ee/pbgb")
	waited := sleeps(c)
	var told []time.Duration
	c.waiting = func(d time.Duration, why error) {
		if told = append(told, d); !Temporary(why) {
			t.Errorf("waiting for %v", why)
		}
	}
	defer func() {
		if !slices.Equal(told, *waited) {
			t.Errorf("waited %v, told %v", *waited, told)
		}
	}()
	x.failing(2, http.MethodPost, unavailable, "3")
	sent, err := c.Send(t.Context(), x.input("lv/vp"))
	must(t, err)
	sent.Close()
	if len(*waited) != 2 || (*waited)[0] <= 3*time.Second || (*waited)[0] > 4*time.Second {
		t.Errorf("waited %v, want a little more than the 3 s of Retry-After each", *waited)
	}
	x.failing(2, http.MethodGet, limited, "")
	if _, err := c.Agencies(t.Context()); err != nil {
		t.Errorf("a read was not repeated: %v", err)
	}
	x.failing(1, http.MethodPost, limited, "1")
	if _, err := c.Consult(t.Context(), ConsultInput{Reason: testReason}); err != nil {
		t.Errorf("429 says that nothing happened, and was not repeated: %v", err)
	}
}

func TestRepeatsThatAreNot(t *testing.T) {
	x := newTestExchange(t)
	c := x.client("ee/pbgb")
	waited := sleeps(c)
	x.failing(1, http.MethodPost, api.Unavailable.New("", ""), "1")
	if _, err := c.Consult(t.Context(), ConsultInput{Reason: testReason}); !errors.Is(err, api.Unavailable) {
		t.Errorf("a consultation was asked for twice: %v", err)
	}
	for _, p := range []api.ProblemType{api.EnvelopeRejected, api.PackageInvalid, api.Conflict, api.NotFound, api.Internal} {
		x.failing(1, http.MethodPost, p.New("", ""), "1")
		sent, err := c.Send(t.Context(), x.input("lv/vp"))
		if sent.Close(); !errors.Is(err, p) {
			t.Errorf("%s: %v", p.Slug, err)
		}
	}
	if len(*waited) != 0 {
		t.Errorf("waited %v", *waited)
	}
}

func TestRepeatsEnd(t *testing.T) {
	x := newTestExchange(t)
	c := x.client("ee/pbgb")
	waited := sleeps(c)
	x.failing(1000, http.MethodGet, api.Unavailable.New("", ""), "")
	if _, err := c.Agencies(t.Context()); !errors.Is(err, api.Unavailable) || len(*waited) != 4 {
		t.Errorf("%v after %d pauses, want 4", err, len(*waited))
	}
	*waited = nil
	x.failing(1000, http.MethodGet, api.RateLimited.New("", ""), "600")
	_, err := c.Agencies(t.Context())
	var p *api.Problem
	if !errors.As(err, &p) || p.RetryAfter != 600 || len(*waited) != 0 {
		t.Errorf("%v after %v: a pause beyond the budget is the caller's to make", err, *waited)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.sleep = func(context.Context, time.Duration) error { cancel(); return ctx.Err() }
	x.failing(1000, http.MethodGet, api.Unavailable.New("", ""), "")
	calls := len(x.calls)
	if _, err := c.Agencies(ctx); err == nil || len(x.calls) != calls+1 {
		t.Errorf("went on after the context had ended: %v", err)
	}
}

// TestLostConnection: the answer to a post is lost; the repeat brings the first answer.
func TestLostConnection(t *testing.T) {
	x := newTestExchange(t)
	lose := true
	x.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && lose {
			lose = false
			x.postPackage(r, "ee/pbgb")
			panic(http.ErrAbortHandler)
		}
		return false
	}
	sent, err := x.client("ee/pbgb").Send(t.Context(), x.input("lv/vp"))
	must(t, err)
	defer sent.Close()
	if !sent.Repeat || len(x.held) != 1 {
		t.Errorf("sent: %+v, %d packages", sent, len(x.held))
	}
}

func TestStrangeAnswers(t *testing.T) {
	x := newTestExchange(t)
	c := x.client("ee/pbgb")
	c.retries.Tries = 1
	raw := func(status int, media, body string) func(w http.ResponseWriter, _ *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Location", "/v1/agencies/lv/vp")
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		check  func(error) bool
	}{
		"a page":           {raw(200, "text/html", "<html>"), func(err error) bool { return strings.Contains(err.Error(), "not JSON") }},
		"half a document":  {raw(200, api.MediaJSON, `{"items":[`), func(err error) bool { return err != nil }},
		"a redirect":       {raw(307, "", ""), func(err error) bool { var p *api.Problem; return errors.As(err, &p) && p.Status == 307 }},
		"a gateway":        {raw(502, "text/html", ""), func(err error) bool { return Temporary(err) }},
		"a balancer":       {raw(503, "text/html", ""), func(err error) bool { return errors.Is(err, api.Unavailable) }},
		"no problem":       {raw(403, "text/html", ""), func(err error) bool { var p *api.Problem; return errors.As(err, &p) && p.Status == 403 }},
		"a broken problem": {raw(404, api.MediaProblem, "{"), func(err error) bool { return !errors.Is(err, api.NotFound) }},
		"a lying problem": {raw(404, api.MediaProblem, `{"type":"/problems/not-found","status":200}`), func(err error) bool {
			var p *api.Problem
			return errors.As(err, &p) && p.Status == 404
		}},
		"no end": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", api.MediaJSON)
			chunk := make([]byte, 1<<20)
			for range 20 {
				if _, err := w.Write(chunk); err != nil {
					return true
				}
			}
			return true
		}, func(err error) bool { return errors.Is(err, errTooLong) }},
	} {
		t.Run(name, func(t *testing.T) {
			x.intercept = test.answer
			calls := len(x.calls)
			_, err := c.Agencies(t.Context())
			if err == nil || !test.check(err) {
				t.Errorf("error: %v", err)
			}
			if len(x.calls) != calls+1 {
				t.Errorf("%d calls: a redirect was followed, or a call repeated", len(x.calls)-calls)
			}
		})
	}
}

// TestWrongServers: who is not the server that the profile knows gets no request.
func TestWrongServers(t *testing.T) {
	x := newTestExchange(t)
	for name, certificate := range map[string]tls.Certificate{
		"of a stranger":   x.pki.Server(certstest.Rogue()),
		"of another host": x.pki.Server(certstest.Hosts("elsewhere.example")),
		"expired":         x.pki.Server(certstest.Expired()),
		"of a client":     x.pki.Client("ee/pbgb", certs.RoleUnit, "mallory"),
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
			must(t, err)
			defer listener.Close()
			go serveNobody(listener)
			config := x.config("ee/pbgb")
			config.Server = "https://" + listener.Addr().String()
			_, err = x.clientOf(config).Agencies(t.Context())
			if certs.Failed(err) == "" || Temporary(err) {
				t.Errorf("error: %v", err)
			}
		})
	}
	t.Run("of old", func(t *testing.T) {
		old := httptest.NewUnstartedServer(x.routes())
		old.TLS = &tls.Config{Certificates: []tls.Certificate{x.pki.Server()}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
		old.StartTLS()
		defer old.Close()
		config := x.config("ee/pbgb")
		config.TLS.MinVersion = tls.VersionTLS12 // the client does not go below 1.3 all the same
		config.Server = old.URL
		if _, err := x.clientOf(config).Agencies(t.Context()); err == nil {
			t.Error("spoke TLS 1.2")
		}
	})
	t.Run("not there", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		must(t, listener.Close())
		config := x.config("ee/pbgb")
		config.Server = "https://" + listener.Addr().String()
		if _, err = x.clientOf(config).Agencies(t.Context()); !Temporary(err) {
			t.Errorf("error: %v", err)
		}
	})
}

// serveNobody makes handshakes until the listener ends.
func serveNobody(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.(*tls.Conn).Handshake() // fails, as it should: the client tells why
		conn.Close()
	}
}
