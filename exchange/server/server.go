package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/ratelimit"
)

// Config is what a Server is made of. Exchange and Gatekeeper are required.
type Config struct {
	Exchange   Exchange
	Gatekeeper *certs.Gatekeeper // who may connect, and who a request is from
	Limits     Limits
	Limiter    ratelimit.Limiter // counts what callers do; closed by its owner; nil: in this process

	Space func() Space // how much room there is; nil: Ample

	Metrics  *Metrics            // registered by the caller; nil: counted for nobody
	Gatherer prometheus.Gatherer // what /metrics shows; nil: nothing
	Checks   []Check             // of /readyz, beside the domain's own
	Warnings []Check             // shown by /readyz?verbose; they make nothing unready

	Clock func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default
}

// Server serves the API. It is safe for concurrent use.
type Server struct {
	cfg      Config
	limits   Limits
	routes   *echo.Echo
	http     *http.Server
	requests *places // of agencies
	refusals *places // being told to those who found no place
	uploads  *places
	large    *places
	sources  ratelimit.Limiter // of handshakes; each node's own, before anybody is known
	tally    tally
	draining atomic.Bool

	mu    sync.Mutex
	doors []*door // guarded by mu
}

// New returns a server over its parts. It listens nowhere yet.
func New(cfg Config) (*Server, error) {
	if cfg.Exchange == nil || cfg.Gatekeeper == nil {
		return nil, errors.New("server: exchange and gatekeeper are required")
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics()
	}
	if cfg.Gatherer == nil {
		cfg.Gatherer = prometheus.NewRegistry()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Limiter == nil {
		cfg.Limiter = ratelimit.NewMemory(countsKept, cfg.Clock)
	}
	if cfg.Space == nil {
		cfg.Space = func() Space { return Ample }
	}
	cfg.Metrics.seen.clock = cfg.Clock
	limits := cfg.Limits.WithDefaults()
	s := &Server{
		cfg:      cfg,
		limits:   limits,
		requests: newPlaces(limits.Requests),
		refusals: newPlaces(limits.Requests),
		uploads:  newPlaces(limits.Uploads),
		large:    newPlaces(limits.Large),
		sources:  ratelimit.NewMemory(sourcesKept, cfg.Clock),
	}
	s.routes = s.router()
	s.http = &http.Server{
		Handler:                      s.Handler(),
		TLSConfig:                    cfg.Gatekeeper.ServerTLS(), // the door's: here it says that there is HTTP/2
		ConnContext:                  withGuest,
		DisableGeneralOptionsHandler: true, // OPTIONS * goes the way of every request
		ReadHeaderTimeout:            limits.Header,
		ReadTimeout:                  limits.Header + limits.Grace, // of requests that never reach a call; a call sets its own
		IdleTimeout:                  limits.Idle,
		MaxHeaderBytes:               maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: limits.Streams,
			SendPingTimeout:      limits.Grace, // a connection on which nothing comes is asked whether it is there
			PingTimeout:          limits.Header,
			WriteByteTimeout:     limits.Grace,
		},
		ErrorLog: slog.NewLogLogger(cfg.Log.With(slog.String("from", "net/http")).Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handler returns the API's handler. Its requests must have come over a
// listener with the Gatekeeper's TLS configuration; all others are refused.
func (s *Server) Handler() http.Handler { return s.routes }

// Serve accepts connections of the listener, with TLS, until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(s.open(l))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// Shutdown stops accepting and lets requests in flight finish, at most for
// Limits.Drain or until ctx ends; then it closes what is left and says so.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(ctx, s.limits.Drain)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were cut off: %w", errors.Join(err, s.http.Close()))
	}
	return nil
}
