package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, 0},
		{"any error", fs.ErrPermission, 1},
		{"interrupted", context.Canceled, 1},
		{"usage", usageError(errors.New("no file"), ""), 2},
		{"denied", api.PolicyDenied.New("", ""), 3},
		{"absent", api.NotFound.New("", ""), 4},
		{"wrong role", api.RoleForbidden.New("", ""), 4},
		{"suspended", api.IdentityRefused.New("", ""), 4},
		{"no consultation", api.ConsultationRequired.New("", ""), 4},
		{"not verified", verificationError(errors.New("root differs"), ""), 5},
		{"rate limited", api.RateLimited.New("", ""), 6},
		{"unavailable", api.Unavailable.New("", ""), 6},
		{"conflict", api.Conflict.New("", ""), 7},
		{"malformed", api.EnvelopeMalformed.New("", ""), 1},
		{"rejected", api.EnvelopeRejected.New("", ""), 1},
		{"server's own mistake", api.Internal.New("", ""), 1},
		{"a bare sentinel", api.Conflict, 7},
		{"a fix does not change the code", withFix(api.NotFound.New("", ""), "look elsewhere"), 4},
		{"a fix on any error", withFix(fs.ErrPermission, "chmod"), 1},
		{"unknown host", &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, 6},
		{"timeout", context.DeadlineExceeded, 6},
		{"certificate refused by the server", tls.AlertError(42), 4},
		{"server not trusted", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := exitCode(c.err); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
			if c.err == nil {
				return
			}
			if got := exitCode(fmt.Errorf("send: %w", c.err)); got != c.want {
				t.Errorf("wrapped: exit code %d, want %d", got, c.want)
			}
		})
	}
}

// TestEveryProblemHasACode: a new problem type must not fall through to
// "failed" without somebody having thought about it.
func TestEveryProblemHasACode(t *testing.T) {
	failed := map[string]bool{
		"envelope-malformed": true, "envelope-rejected": true, "package-invalid": true,
		"request-malformed": true, "method-not-allowed": true, "too-large": true,
		"range-not-satisfiable": true, "misdirected": true, "key-refused": true, "list-refused": true, "policy-refused": true,
		"unsupported-media-type": true, "internal": true, "order-refused": true, "search-too-wide": true,
	}
	for _, p := range api.ProblemTypes() {
		if _, mapped := problemCodes[p]; mapped == failed[p.Slug] {
			t.Errorf("%s: either it has an exit code of its own, or it is one of those that just failed", p.Slug)
		}
	}
}

// TestExitCodeOfRealConnections meets the errors as net/http returns them.
func TestExitCodeOfRealConnections(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it complains of our refusal
	server.StartTLS()
	_, err := get(server.URL) // its certificate is not among the system's roots
	if got := exitCode(err); got != exitUnverified {
		t.Errorf("a server that is not trusted: exit code %d, want %d (%v)", got, exitUnverified, err)
	}
	server.Close()
	_, err = get(server.URL)
	if got := exitCode(err); got != exitUnavailable {
		t.Errorf("nobody listens: exit code %d, want %d (%v)", got, exitUnavailable, err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	if got := exitCode(err); got != exitUnavailable {
		t.Errorf("too late: exit code %d, want %d (%v)", got, exitUnavailable, err)
	}
}

func get(url string) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, fmt.Errorf("get: %w", err)
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestExitCodeHelp(t *testing.T) {
	help := exitCodeHelp()
	for code := exitDone; code <= exitConflict; code++ {
		if !strings.Contains(help, fmt.Sprintf("  %d  ", code)) {
			t.Errorf("the help does not explain exit code %d:\n%s", code, help)
		}
	}
}
