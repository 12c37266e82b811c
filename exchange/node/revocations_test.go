package node_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// ticking is an exchange that looks at files and connections when the test
// says so: the second tick is taken when the first one's work is done.
func ticking(t *testing.T, edit func(*node.Config)) (*exchangetest.Exchange, func()) {
	t.Helper()
	ticks := make(chan time.Time)
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) {
		c.Ticks = ticks
		if edit != nil {
			edit(c)
		}
	}))
	return x, func() {
		ticks <- x.Clock.Now()
		ticks <- x.Clock.Now()
	}
}

// admin asks the admin listener.
func admin(t *testing.T, x *exchangetest.Exchange, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+x.Node.AdminAddr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// served tells whether an identity is answered.
func served(t *testing.T, x *exchangetest.Exchange, c *http.Client) bool {
	t.Helper()
	c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.URL(api.RouteAgencies), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// metric is whether the metrics have a line that begins and ends so.
func metric(body, begin, end string) bool {
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, begin) && strings.HasSuffix(line, end+"\n") {
			return true
		}
	}
	return false
}

// A list grows old: alarm at half of its time, grace, then its jurisdiction
// is refused and no other; the exchange stays ready. Anybody mends it (row M8
// of the attack catalogue).
func TestListGrowsOld(t *testing.T) {
	t.Parallel()
	x, tick := ticking(t, func(c *node.Config) { c.CRLGrace = node.Duration(10 * time.Minute) })
	ee, lv := x.HTTPWith(x.Identity("ee/pbgb", certs.RoleUnit, "one")), x.HTTPWith(x.Identity("lv/vp", certs.RoleUnit, "one"))
	x.WriteList("ee", x.List("ee")) // valid for half an hour
	seen := 0
	for _, c := range []struct {
		ahead  time.Duration
		state  certs.CRLState
		served bool
	}{
		{0, certs.CRLFresh, true}, {14 * time.Minute, certs.CRLFresh, true}, {2 * time.Minute, certs.CRLAging, true},
		{15 * time.Minute, certs.CRLOverdue, true}, {8 * time.Minute, certs.CRLOverdue, true}, {2 * time.Minute, certs.CRLLapsed, false},
	} {
		x.Clock.Advance(c.ahead)
		tick()
		tick()
		if got := served(t, x, ee); got != c.served || !served(t, x, lv) {
			t.Errorf("%s: served %v, another jurisdiction %v", c.state, got, served(t, x, lv))
		}
		status, ready := admin(t, x, api.RouteReady+"?verbose")
		if status != http.StatusOK || strings.Contains(ready, "[!] revocations: ee: "+string(c.state)) != (c.state != certs.CRLFresh) {
			t.Errorf("%s: ready %d %s", c.state, status, ready)
		}
		_, metrics := admin(t, x, api.RouteMetrics)
		for _, state := range certs.CRLStates() {
			want := " 0"
			if state == c.state {
				want = " 1"
			}
			if !metric(metrics, `liaison_revocation_list_state{issuer="CN=Liaison CA ee",jurisdiction="ee"`, `state="`+string(state)+`"}`+want) {
				t.Errorf("%s: no metric with state %s%s", c.state, state, want)
			}
		}
		if c.state != certs.CRLFresh {
			seen++
		}
	}
	// One line for each change, however often it was looked at.
	for _, state := range []certs.CRLState{certs.CRLAging, certs.CRLOverdue, certs.CRLLapsed} {
		line := `"msg":"revocation list","jurisdiction":"ee","issuer":"CN=Liaison CA ee","state":"` + string(state) + `"`
		if n := strings.Count(x.Log.String(), line); n != 1 {
			t.Errorf("%d lines of %s", n, state)
		}
	}
	if _, metrics := admin(t, x, api.RouteMetrics); !metric(metrics, `liaison_certificate_refusals_total{check="crl"}`, "") {
		t.Error("refusals are not counted by check")
	}
	// The jurisdiction itself cannot come in; another one brings its list.
	answer := x.Do(lv, http.MethodPut, api.RevocationsPath("ee"), http.Header{"Content-Type": {api.MediaCRL}}, x.List("ee"))
	if answer.Status != http.StatusCreated || !served(t, x, ee) {
		t.Errorf("%d %s; served again: %v", answer.Status, answer.Body, served(t, x, ee))
	}
}

// A revocation is never taken back: by an older file, a lost one, a damaged
// one, or a restart with any of these.
func TestRevocationOutlivesFiles(t *testing.T) {
	t.Parallel()
	x, tick := ticking(t, nil)
	one := x.Identity("ee/pbgb", certs.RoleUnit, "one")
	two := x.HTTPWith(x.Identity("ee/pbgb", certs.RoleUnit, "two"))
	older := x.List("ee")
	x.WriteList("ee", x.List("ee", one.Leaf))
	tick()
	broken := append(bytes.Clone(older[:len(older)-1]), older[len(older)-1]^1)
	for _, restart := range []bool{false, true} {
		for name, file := range map[string][]byte{"older": older, "damaged": broken, "empty": {}, "lost": nil} {
			if file == nil {
				if err := os.Remove(x.ListFile("ee")); err != nil && !errors.Is(err, fs.ErrNotExist) { // lost already
					t.Fatal(err)
				}
			} else {
				x.WriteList("ee", file)
			}
			if restart {
				x.Restart()
			} else {
				tick()
			}
			if served(t, x, x.HTTPWith(one)) || !served(t, x, two) {
				t.Errorf("%s, restart %v: the revoked one is served, or another is not", name, restart)
			}
			if _, metrics := admin(t, x, api.RouteMetrics); file != nil && !metric(metrics, `liaison_revocation_file_refused{jurisdiction="ee"}`, " 1") {
				t.Errorf("%s, restart %v: the file is not said to be refused", name, restart)
			}
		}
	}
}

// A key whose certificate is revoked: what was accepted before is repeated
// and stays verifiable, nothing new is taken.
func TestKeyRevokedOnTheWay(t *testing.T) {
	t.Parallel()
	x, tick := ticking(t, nil)
	before, after := x.Sealed(demo.EEtoLV), x.Sealed(demo.EEtoLV)
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	if a := x.Post(ee, x.PartsOf(before)); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	x.WriteList("ee", x.List("ee", keyCertificate(t, x, "ee/pbgb", x.SignKey("ee/pbgb").Kid())))
	tick()
	if a := x.Post(ee, x.PartsOf(before)); a.Status != http.StatusOK {
		t.Errorf("the repeat of what was accepted: %d %s", a.Status, a.Body)
	}
	if a := x.Post(ee, x.PartsOf(after)); a.Status != http.StatusUnprocessableEntity || x.Problem(a).Type != api.EnvelopeRejected.URI() {
		t.Errorf("a new package: %d %s", a.Status, a.Body)
	}
	// Content for a key that is revoked is refused too, and the sender is told.
	for _, k := range x.DecryptKeys("ee/pbgb") {
		x.WriteList("ee", x.List("ee", keyCertificate(t, x, "ee/pbgb", k.Kid())))
	}
	toRevoked := x.Sealed(demo.LVtoEE)
	tick()
	if a := x.Post(x.HTTP("lv/vp", certs.RoleUnit), x.PartsOf(toRevoked)); a.Status != http.StatusUnprocessableEntity || x.Problem(a).Type != api.PackageInvalid.URI() {
		t.Errorf("content for a revoked key: %d %s", a.Status, a.Body)
	}
	// Its recipient still verifies the first one: it was signed before.
	if _, err := x.As("lv/vp", certs.RoleUnit).Manifest(t.Context(), before.JTI); err != nil {
		t.Errorf("the manifest of before: %v", err)
	}
}

// keyCertificate reads the certificate of a registered key.
func keyCertificate(t *testing.T, x *exchangetest.Exchange, agency, kid string) *x509.Certificate {
	t.Helper()
	keys, err := x.As(agency, certs.RoleUnit).Keys(context.Background(), agency)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Kid() == kid {
			leaf, err := x509.ParseCertificate(k.X5C[0])
			if err != nil {
				t.Fatal(err)
			}
			return leaf
		}
	}
	t.Fatalf("%s has no key %s", agency, kid)
	return nil
}
