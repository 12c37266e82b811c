package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// call is one request on its way. It belongs to one goroutine.
type call struct {
	s      *Server
	op     *operation
	w      http.ResponseWriter
	r      *http.Request
	param  func(name string) string
	body   *pacedBody
	guest  *guest // its connection; nil: not of a door
	caller exchange.Caller
	large  bool // it holds much in memory, and has a place for that
	urgent bool // a package that says so

	policies, budgets strings.Builder // of the limits that it was held against

	// What the request's one event says.
	begun   time.Time
	status  int // 0 until the header is out
	sent    int64
	problem *api.Problem
	reason  string
}

// serve takes one request from its first to its last step.
func (s *Server) serve(ec echo.Context, op *operation) {
	c := &call{s: s, op: op, w: ec.Response().Writer, r: ec.Request(), param: ec.Param, begun: time.Now()}
	c.guest = guestOf(c.r.Context())
	c.guest.progress()
	c.caller.Request = uuid.Must(uuid.NewV7()).String()
	c.setHeader()
	s.cfg.Metrics.inFlight.Inc()
	defer s.cfg.Metrics.inFlight.Dec()
	defer c.record()
	defer c.giveLarge()
	var err error
	if c.body, err = s.newBody(c); err == nil {
		err = c.identify()
	}
	switch holder := c.holder(); {
	case err == nil && s.requests.take(holder):
		defer s.requests.give(holder)
		if err = c.room(); err == nil {
			err = c.charge()
		}
		if err == nil {
			err = c.attempt()
			c.regret(err)
		}
	case s.refusals.take(holder):
		defer s.refusals.give(holder)
		if err == nil {
			err = overloaded("requests")
		}
	default:
		// Even a refusal waits until it is taken: who lets so many wait gets none.
		c.reason = "overload"
		panic(http.ErrAbortHandler)
	}
	if err != nil && c.status == 0 {
		err = c.fail(c.recorded(err))
	}
	if err == nil {
		err = c.taken()
	}
	if err != nil {
		// The header is out, or cannot get out: the client must not take
		// what it has for the whole.
		c.reason = "cut-off"
		s.cfg.Log.LogAttrs(c.r.Context(), slog.LevelDebug, "answer cut off", c.named(slog.Any("error", err))...)
		panic(http.ErrAbortHandler)
	}
}

// setHeader sets what every answer bears.
func (c *call) setHeader() {
	h := c.w.Header()
	h.Set(api.HeaderRequestID, c.caller.Request)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// attempt does what the request asks for. A panic of a handler is a fault.
func (c *call) attempt() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic with a %T", p) // its value may hold what the log must not
			c.s.cfg.Log.LogAttrs(c.r.Context(), slog.LevelError, "panic in a handler",
				c.named(slog.String("panic", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))...)
		}
	}()
	if c.op.open {
		if err := c.checkAdmitted(); err != nil {
			return err
		}
	}
	if err := c.checkForm(); err != nil {
		return err
	}
	return c.op.handle(c)
}

// identify says who the caller is, as of now.
func (c *call) identify() error {
	peer, err := c.s.cfg.Gatekeeper.Peer(c.r.TLS)
	if err != nil {
		return &exchange.Refusal{Kind: exchange.IdentityRefused, Reason: certificateReason(err), Err: err,
			Detail: notAcceptedAnyMore, Fix: "connect again with a valid certificate"}
	}
	c.caller.Peer = peer
	c.s.cfg.Metrics.seen.see(peer)
	return nil
}

// holder is whose share of the places a call takes.
func (c *call) holder() string { return c.caller.Identity.AgencyID() }

// takeLarge takes the place of a call that holds much in memory.
func (c *call) takeLarge() error {
	if c.large {
		return nil
	}
	if !c.s.large.take(c.holder()) {
		return overloaded("large packages and answers")
	}
	c.large = true
	return nil
}

func (c *call) giveLarge() {
	if c.large {
		c.s.large.give(c.holder())
	}
}

// checkForm holds what every operation asks of a request: the path's one
// spelling, no unknown parameter, a body of the right type or none.
func (c *call) checkForm() error {
	switch {
	case !c.s.cfg.Gatekeeper.Serves(c.r.Host), c.r.TLS.ServerName != "" && !c.s.cfg.Gatekeeper.Serves(c.r.TLS.ServerName):
		return refuse(misdirected, "host", "this server has no certificate for the host that the request names", "connect to the host that the request is for")
	case !canonicalPath(c.r.URL.EscapedPath()):
		return refuse(exchange.NotFound, "path-spelling", "", "")
	case len(c.r.Header["Content-Encoding"]) > 0:
		return refuse(exchange.Unsupported, "content-encoding", "requests are not compressed", "send the body as it is, without Content-Encoding")
	case c.op.method == "": // neither path nor method is known
		return nil
	case c.op.media == "" && c.r.ContentLength != 0:
		return malformed("unexpected-body", "this call takes no body")
	}
	if c.op.media != "" {
		if err := c.checkMedia(); err != nil {
			return err
		}
	}
	return checkQuery(c.r.URL.RawQuery, c.op.query)
}

// canonicalPath reports whether a path is spelt in the one way that names
// anything: no escapes, no empty and no dot segments.
func canonicalPath(p string) bool {
	for _, b := range []byte(p) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
		case b == '/' || b == '-' || b == '_' || b == '.':
		default:
			return false
		}
	}
	for _, segment := range strings.Split(strings.TrimPrefix(p, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// checkAdmitted is the gate of operations that the domain does not gate: the
// agency is admitted, not suspended, and may have the role. The domain words
// and records the refusal.
func (c *call) checkAdmitted() error {
	if admitted, err := c.s.admitted(c.r.Context(), c.caller.Identity); admitted || err != nil {
		return err
	}
	return c.s.cfg.Exchange.Refuse(c.r.Context(), c.caller, c.what(),
		&exchange.Refusal{Kind: exchange.IdentityRefused, Reason: "agency", Detail: "the agency or its role is not admitted"})
}

// what names the request in the entry of its refusal, in words of ours.
func (c *call) what() string {
	method := c.r.Method
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "OTHER"
	}
	return method + " " + c.op.route
}

// recorded writes the entry of what failed before the domain could, and
// returns what the caller is to see. The client may be gone by now: its
// attempt is recorded all the same.
func (c *call) recorded(err error) error {
	r := exchange.AsRefusal(err)
	if r == nil {
		c.s.cfg.Log.LogAttrs(c.r.Context(), slog.LevelError, "request failed", c.named(slog.String("route", c.op.route), slog.Any("error", err))...)
		r = &exchange.Refusal{Kind: internal, Reason: "fault", Err: err}
		err = early{r}
	}
	if !errors.As(err, new(early)) {
		return err
	}
	if c.op.open || c.caller.Certificate == nil {
		return r
	}
	return c.s.cfg.Exchange.Refuse(context.WithoutCancel(c.r.Context()), c.caller, c.what(), r)
}

// json answers with a JSON body.
func (c *call) json(status int, media string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if len(b) > large {
		if err := c.takeLarge(); err != nil {
			return err
		}
	}
	return c.bytes(status, media, b)
}

// answer answers with a JSON body of package api.
func (c *call) answer(status int, v any) error { return c.json(status, api.MediaJSON, v) }

// bytes answers with a body that is in memory.
func (c *call) bytes(status int, media string, b []byte) error {
	w, err := c.start(status, media, int64(len(b)))
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// stream answers with the next size bytes of a reader.
func (c *call) stream(status int, media string, r io.Reader, size int64) error {
	w, err := c.start(status, media, size)
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, r, size)
	return err
}

// start sends the header of an answer and returns where its body goes. A
// negative size is not known.
func (c *call) start(status int, media string, size int64) (io.Writer, error) {
	w := &pacedWriter{w: c.w, guest: c.guest, pace: c.s.pace(http.NewResponseController(c.w).SetWriteDeadline)}
	if c.r.ProtoMajor == 1 {
		large, until := c.body.leftover()
		if large || len(c.r.TransferEncoding) > 0 {
			// net/http prefers Transfer-Encoding to a Content-Length beside
			// it and does not tell; what another reader might take for the
			// next request is not read (RFC 9112 §6.1).
			c.w.Header().Set("Connection", "close")
		} else if until.After(w.pace.start) {
			w.pace.start = until
		}
	}
	if err := w.pace.after(0); err != nil {
		return nil, fmt.Errorf("deadline of the answer: %w", err)
	}
	c.w.Header().Set("Content-Type", media)
	if size >= 0 {
		c.w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	c.w.WriteHeader(status)
	c.status, c.sent = status, max(size, 0)
	return w, nil
}

// taken waits until the connection has taken the answer: its place is held
// until then. In HTTP/2 a small answer would wait behind our back, one for each
// stream; in HTTP/1 there is one for a connection.
func (c *call) taken() error {
	if c.r.ProtoMajor == 1 {
		return nil
	}
	return http.NewResponseController(c.w).Flush()
}

// record writes the request's one event and counts it. No payload, no query,
// nothing that a person wrote.
func (c *call) record() {
	took := time.Since(c.begun)
	c.s.cfg.Metrics.observe(c, took)
	attrs := []slog.Attr{
		slog.String("method", c.r.Method), slog.String("route", c.op.route), slog.Int("status", c.status), slog.Duration("took", took),
	}
	if c.caller.Certificate != nil {
		attrs = append(attrs, slog.String("agency", c.caller.Identity.AgencyID()), slog.String("role", c.caller.Identity.Role))
	}
	level := slog.LevelInfo
	if c.problem != nil {
		attrs = append(attrs, slog.String("problem", c.problem.Type), slog.String("reason", c.reason))
	}
	if c.status >= http.StatusInternalServerError || c.status == 0 || c.reason == "cut-off" {
		level = slog.LevelWarn
	}
	c.s.cfg.Log.LogAttrs(c.r.Context(), level, "request", c.named(attrs...)...)
}

// named are the attributes of a line about the request, which names it.
func (c *call) named(attrs ...slog.Attr) []slog.Attr {
	return append(attrs, slog.String("request_id", c.caller.Request))
}
