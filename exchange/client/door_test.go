package client

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/certs/certstest"
)

// TestRefusedAtTheDoor: whatever HTTP/2 remembers of a refused certificate, the client finds out.
func TestRefusedAtTheDoor(t *testing.T) {
	p := certstest.New(t)
	keeper, err := certs.NewGatekeeper(p.Trust("", "ee"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS, server.EnableHTTP2 = keeper.ServerTLS(), true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for name, c := range map[string]struct {
		pair tls.Certificate
		want certs.Check
	}{
		"good": {p.Client("ee/pbgb", certs.RoleUnit, "a"), ""}, "expired": {p.Client("ee/pbgb", certs.RoleUnit, "a", certstest.Expired()), certs.CheckRefused},
	} {
		base, err := parseServer(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		config := p.ClientTLS(c.pair)
		door := &Client{base: base, tls: config}
		for range 5 {
			if got := certs.Failed(door.atTheDoor(t.Context(), errors.New("http2: client conn could not be established"))); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}
