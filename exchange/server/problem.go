package server

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// The kinds of refusal that only HTTP knows.
const (
	methodNotAllowed    exchange.Kind = "method-not-allowed"
	rangeNotSatisfiable exchange.Kind = "range-not-satisfiable"
	misdirected         exchange.Kind = "misdirected"
	internal            exchange.Kind = "internal"
)

// problems is the one table from refusals to what a client sees.
var problems = map[exchange.Kind]api.ProblemType{
	exchange.Malformed:       api.EnvelopeMalformed,
	exchange.BadRequest:      api.RequestMalformed,
	exchange.Rejected:        api.EnvelopeRejected,
	exchange.Invalid:         api.PackageInvalid,
	exchange.KeyRefused:      api.KeyRefused,
	exchange.ListRefused:     api.ListRefused,
	exchange.PolicyRefused:   api.PolicyRefused,
	exchange.OrderRefused:    api.OrderRefused,
	exchange.Denied:          api.PolicyDenied,
	exchange.NotFound:        api.NotFound,
	exchange.Conflict:        api.Conflict,
	exchange.RoleForbidden:   api.RoleForbidden,
	exchange.IdentityRefused: api.IdentityRefused,
	exchange.NoConsultation:  api.ConsultationRequired,
	exchange.TooLarge:        api.TooLarge,
	exchange.Unsupported:     api.UnsupportedMediaType,
	exchange.SearchTooWide:   api.SearchTooWide,
	exchange.RateLimited:     api.RateLimited,
	exchange.Unwitnessed:     api.Unwitnessed,
	exchange.Unavailable:     api.Unavailable,
	methodNotAllowed:         api.MethodNotAllowed,
	rangeNotSatisfiable:      api.RangeNotSatisfiable,
	misdirected:              api.Misdirected,
	internal:                 api.Internal,
}

// silent are the problems whose body is one constant, so that it says nothing
// about why.
var silent = map[string]bool{
	api.NotFound.Slug:         true,
	api.EnvelopeRejected.Slug: true,
	api.Internal.Slug:         true,
}

// problemOf is what a client sees of an error. What is no refusal, or of no
// known kind, is an internal error.
func problemOf(err error) *api.Problem {
	r := exchange.AsRefusal(err)
	if r == nil {
		return api.Internal.New("", "")
	}
	t, known := problems[r.Kind]
	if !known {
		t = api.Internal
	}
	if silent[t.Slug] {
		return t.New("", "")
	}
	p := t.New(r.Detail, r.Fix)
	if t.Slug == api.PolicyDenied.Slug {
		p.ID, p.Outcomes = r.ID, outcomesOf(r.Outcomes)
		if r.Receipt != nil {
			p.Receipt = r.Receipt.Encode()
		}
	}
	if t.Slug == api.PolicyRefused.Slug {
		p.Findings = findingsOf(r.Findings)
	}
	if r.Package != nil {
		d := descriptorOf(*r.Package)
		p.Descriptor = &d
	}
	if l := r.Reached; l != nil {
		p.Limit = &api.LimitReached{Name: l.Limit, Of: l.Of, Quota: l.Rate.Quota, Window: int64(l.Rate.Window / time.Second)}
	}
	if t.Status == api.Unavailable.Status || t.Status == api.RateLimited.Status {
		p.RetryAfter = max(1, int(math.Ceil(r.RetryAfter.Seconds())))
	}
	return p
}

// reasonOf is the machine-readable reason for the log.
func reasonOf(err error) string {
	if r := exchange.AsRefusal(err); r != nil {
		return r.Reason
	}
	return "fault"
}

// early is a refusal that was made before the domain was asked: its entry is
// still to be written.
type early struct{ *exchange.Refusal }

func (e early) Unwrap() error { return e.Refusal }

// refuse makes an early refusal.
func refuse(kind exchange.Kind, reason, detail, fix string) error {
	return early{&exchange.Refusal{Kind: kind, Reason: reason, Detail: detail, Fix: fix}}
}

// malformed is a request whose form is not as documented.
func malformed(reason, detail string) error {
	return refuse(exchange.BadRequest, reason, detail, "compare the request with /openapi.json")
}

// overloaded is a refusal for want of a place.
func overloaded(what string) error {
	return &exchange.Refusal{
		Kind: exchange.Unavailable, Reason: "overload", RetryAfter: time.Second,
		Detail: "too many " + what + " of your agency, or of all, at this time", Fix: "repeat the same request after the time in Retry-After",
	}
}

// fail answers with the problem of an error.
func (c *call) fail(err error) error {
	p := problemOf(err)
	h := c.w.Header()
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Type == api.IdentityRefused.URI() {
		h.Set("Connection", "close") // in HTTP/2: finish the streams, then close
	}
	c.problem, c.reason = p, reasonOf(err)
	if err := c.json(p.Status, api.MediaProblem, p); err != nil {
		return fmt.Errorf("answer with a problem: %w", err)
	}
	return nil
}
