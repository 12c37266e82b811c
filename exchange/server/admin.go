package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// checkTimeout bounds one check of /readyz.
const checkTimeout = 2 * time.Second

// Check is one thing without which the server is not ready.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// AdminHandler returns what the operator's own machine may ask: /livez,
// /readyz (with ?verbose each check on a line, and warnings) and /metrics. It knows no
// identities: it belongs on a loopback listener.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.RouteLive, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.MediaText)
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET "+api.RouteReady, s.ready)
	mux.Handle("GET "+api.RouteMetrics, promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{}))
	return mux
}

// ready answers 200 if every check holds, else 503.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	checks := append([]Check{{"server", s.accepting}, {"exchange", s.cfg.Exchange.Health}}, s.cfg.Checks...)
	status, lines := http.StatusOK, []string{}
	for _, check := range checks {
		if err := check.within(r.Context()); err != nil {
			status = http.StatusServiceUnavailable
			lines = append(lines, "[-] "+check.Name+": "+err.Error())
		} else {
			lines = append(lines, "[+] "+check.Name)
		}
	}
	for _, warning := range s.cfg.Warnings {
		if err := warning.within(r.Context()); err != nil {
			lines = append(lines, "[!] "+warning.Name+": "+err.Error())
		}
	}
	body := "ok"
	if status != http.StatusOK {
		body = "not ready"
	}
	if r.URL.Query().Has("verbose") {
		body = strings.Join(append(lines, body), "\n")
	}
	w.Header().Set("Content-Type", api.MediaText)
	w.WriteHeader(status)
	fmt.Fprintln(w, body)
}

func (c Check) within(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return c.Run(ctx)
}

func (s *Server) accepting(context.Context) error {
	if s.draining.Load() {
		return errors.New("shutting down")
	}
	return nil
}
