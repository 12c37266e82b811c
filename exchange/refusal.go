package exchange

import (
	"errors"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/policy"
)

// Kind says what sort of refusal it is; the server maps each to one problem.
type Kind string

// The kinds of refusal.
const (
	Malformed       Kind = "envelope-malformed"    // a part's form, without a look at keys or registry
	BadRequest      Kind = "request-malformed"     // a parameter or body that is no part of a package
	Rejected        Kind = "envelope-rejected"     // signature, key or identity; the reason stands in the entry only
	Invalid         Kind = "package-invalid"       // told to the sender, once its signature and identity hold
	KeyRefused      Kind = "key-refused"           // a key that cannot be registered
	ListRefused     Kind = "list-refused"          // a revocation list that is none of the jurisdiction's
	PolicyRefused   Kind = "policy-refused"        // a bundle or an order that cannot come into force
	OrderRefused    Kind = "order-refused"         // an order to erase that cannot take effect
	Denied          Kind = "policy-denied"         // Outcomes name the denied recipients
	NotFound        Kind = "not-found"             // absent, or not entitled
	Conflict        Kind = "conflict"              // does not fit the state
	RoleForbidden   Kind = "role-forbidden"        // the role may not do that
	IdentityRefused Kind = "identity-refused"      // agency not admitted, suspended, or may not have the role
	NoConsultation  Kind = "consultation-required" // missing, lapsed, or of another identity
	TooLarge        Kind = "too-large"
	Unsupported     Kind = "unsupported-media-type"
	SearchTooWide   Kind = "search-too-wide" // it would take too long
	RateLimited     Kind = "rate-limited"    // Reached says by what; no entry of its own
	Unwitnessed     Kind = "unwitnessed"     // too few witnesses cosign; no entry of its own
	Unavailable     Kind = "unavailable"     // nothing of it happened, or all of it
)

// Refusal is how a method of Service says no. Detail and Fix may go to the
// caller; Reason and the wrapped error never do.
type Refusal struct {
	Kind   Kind
	Detail string
	Fix    string
	Reason string // short, machine-readable, for the entry and the log

	ID         string           // the package, with Denied
	Outcomes   []Outcome        // with Denied
	Receipt    *audit.Receipt   // with Denied
	Package    *View            // with the Conflict of a changed decision
	Reached    *Reached         // with RateLimited
	RetryAfter time.Duration    // with RateLimited, Unwitnessed and Unavailable
	Findings   []policy.Finding // with PolicyRefused: what is wrong, by input, file and line

	Err error
}

// Error says what was refused, for the log.
func (r *Refusal) Error() string {
	s := string(r.Kind)
	if r.Reason != "" {
		s += " (" + r.Reason + ")"
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// AsRefusal returns the refusal in err, nil if there is none.
func AsRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
