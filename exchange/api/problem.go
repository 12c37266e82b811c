package api

import (
	"encoding/json"
	"net/http"
)

// ProblemType is one kind of problem (RFC 9457). Its Slug is the last segment
// of the problem's type, /problems/<slug>, where the server serves a page.
type ProblemType struct {
	Slug   string
	Status int
	Title  string
	// Help is the text of the type's page: what it means and what to do.
	Help string
}

// The problem types. No other leaves a server.
var (
	EnvelopeMalformed = ProblemType{"envelope-malformed", http.StatusBadRequest, "The envelope is malformed",
		"A part of the package does not have the form that the specification asks for. Nothing was stored. Build the part again, strictly by the specification of the envelope."}
	RequestMalformed = ProblemType{"request-malformed", http.StatusBadRequest, "The request is malformed",
		"A parameter, header or body of the request does not have the documented form. Compare it with /openapi.json."}
	PolicyDenied = ProblemType{"policy-denied", http.StatusForbidden, "Policy denies this exchange",
		"The common rules or those of a jurisdiction do not allow this. Each denied recipient is named with the rule, its source and a fix. Nothing was released; seal again without the denied recipients, or mend what the fix names."}
	ConsultationRequired = ProblemType{"consultation-required", http.StatusForbidden, "Say first who reads, and why",
		"Reading content or the log needs a consultation (POST /v1/consultations) of this identity that is still valid; send its id in the header Liaison-Consultation."}
	RoleForbidden = ProblemType{"role-forbidden", http.StatusForbidden, "This role may not do that",
		"The identity is known, but its role does not include this action. Use an identity of the right role of your agency."}
	IdentityRefused = ProblemType{"identity-refused", http.StatusForbidden, "This identity is not accepted",
		"The certificate was verified, but its agency is not admitted, is suspended, or may not have this role, or the certificate was revoked. Ask the operator of the exchange."}
	NotFound = ProblemType{"not-found", http.StatusNotFound, "Not found",
		"There is no such thing, or you are not entitled to it; the answer is the same."}
	MethodNotAllowed = ProblemType{"method-not-allowed", http.StatusMethodNotAllowed, "Method not allowed",
		"The path exists, but not with this method. Compare with /openapi.json."}
	Conflict = ProblemType{"conflict", http.StatusConflict, "Conflict",
		"The request does not fit the state of the thing: another payload under an id that is taken, a second acknowledgement, content before acknowledgement, obligations that changed meanwhile, a key that is taken or retired."}
	TooLarge = ProblemType{"too-large", http.StatusRequestEntityTooLarge, "Too large",
		"A part or the whole request is larger than the limit."}
	UnsupportedMediaType = ProblemType{"unsupported-media-type", http.StatusUnsupportedMediaType, "Unsupported media type",
		"The Content-Type or Content-Encoding is not one that this call takes. Compressed requests are never taken."}
	RangeNotSatisfiable = ProblemType{"range-not-satisfiable", http.StatusRequestedRangeNotSatisfiable, "Range not satisfiable",
		"The attachment has no such bytes. Content-Range says how long it is."}
	Misdirected = ProblemType{"misdirected", http.StatusMisdirectedRequest, "Wrong host",
		"The request, or the name in the TLS handshake, is for a host that this server has no certificate for. Connect to the host that the request names."}
	EnvelopeRejected = ProblemType{"envelope-rejected", http.StatusUnprocessableEntity, "The envelope is rejected",
		"A signature, key or identity does not hold. The answer is the same whatever the reason; your data-protection officer finds the reason in the entry."}
	PackageInvalid = ProblemType{"package-invalid", http.StatusUnprocessableEntity, "The package is invalid",
		"Signature and identity hold, but the package cannot be accepted as it is: digests, times, recipients or keys. The detail says what, the fix what to do."}
	KeyRefused = ProblemType{"key-refused", http.StatusUnprocessableEntity, "The key is refused",
		"The key cannot be registered: its certificate does not chain to the anchors of its agency's own jurisdiction, names another agency or use or is revoked, or its private half is known to others. The detail says what. Make a new key, have it certified by the authority of your jurisdiction, and publish it with the chain."}
	ListRefused = ProblemType{"list-refused", http.StatusUnprocessableEntity, "The revocation list is refused",
		"What was sent is no full revocation list (RFC 5280) of an authority of the jurisdiction: damaged, unsigned, signed by another, a delta or indirect list, or without number or nextUpdate. Fetch the newest list from the authority itself and send it as it is."}
	PolicyRefused = ProblemType{"policy-refused", http.StatusUnprocessableEntity, "The policy is refused",
		"The bundle or order cannot come into force; what is in force stays as it is. Either its form or signature does not hold, or the checks and tests found what the findings name, by file and line. liaison policy check finds the same on your machine. Mend it and bring it again."}
	OrderRefused = ProblemType{"order-refused", http.StatusUnprocessableEntity, "The order is refused",
		"The order to erase cannot take effect; nothing was erased. It is for another exchange, was signed more than a week ago, or was signed and brought by one person. The detail says what, the fix what to do."}
	SearchTooWide = ProblemType{"search-too-wide", http.StatusUnprocessableEntity, "The search is too wide",
		"The search did not end within two seconds and was stopped. Narrow the time or the filter, or ask for fewer counts. After a start the index of an old log may still be being built: then the same search is quick some minutes later."}
	RateLimited = ProblemType{"rate-limited", http.StatusTooManyRequests, "Too many requests",
		"A limit of your agency or identity is reached: `limit` says which, and how much it allows in how many seconds. Nothing of the request happened. Repeat it after the time in Retry-After. RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10) say in every answer what remains."}
	Unavailable = ProblemType{"unavailable", http.StatusServiceUnavailable, "Unavailable for now",
		"The exchange cannot do this now: overload, or its audit log, store or policy engine fails. Nothing of it happened, or all of it: repeat the same request, the answer tells which."}
	Unwitnessed = ProblemType{"unwitnessed", http.StatusServiceUnavailable, "The ledger is not witnessed",
		"For longer than the exchange goes on without, too few other agencies have cosigned the head of its ledger: nobody could tell a second history. New packages wait until they are back, but for urgent ones; reading, acknowledging and all else go on. GET /log/witnesses says which witness was seen when. Nothing of the request happened: repeat it later."}
	Internal = ProblemType{"internal", http.StatusInternalServerError, "Internal error",
		"Something failed that should not. Tell the operator the request id."}
)

// ProblemTypes lists all problem types.
func ProblemTypes() []ProblemType {
	return []ProblemType{EnvelopeMalformed, RequestMalformed, PolicyDenied, ConsultationRequired, RoleForbidden,
		IdentityRefused, NotFound, MethodNotAllowed, Conflict, TooLarge, UnsupportedMediaType, RangeNotSatisfiable, Misdirected, EnvelopeRejected,
		PackageInvalid, KeyRefused, ListRefused, PolicyRefused, OrderRefused, SearchTooWide, RateLimited, Unwitnessed, Unavailable, Internal}
}

// URI returns the value of a problem's member `type`.
func (t ProblemType) URI() string { return "/problems/" + t.Slug }

// Error makes a problem type a sentinel: errors.Is(err, api.NotFound) holds
// for any *Problem of that type.
func (t ProblemType) Error() string { return t.Title }

// Problem is the body of every refusal (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Fix    string `json:"fix,omitempty"`

	// ID, Outcomes and Receipt stand in policy-denied: the denied recipients
	// only, and the receipt of the sender's own entry.
	ID       string    `json:"id,omitempty"`
	Outcomes []Outcome `json:"outcomes,omitempty"`
	Receipt  string    `json:"receipt,omitempty"`
	// Descriptor stands in the conflict of an acknowledgement whose
	// obligations or decision changed.
	Descriptor *Descriptor `json:"descriptor,omitempty"`

	// Findings stands in policy-refused: what the checks found.
	Findings []PolicyFinding `json:"findings,omitempty"`
	// Limit stands in rate-limited: which limit was reached.
	Limit *LimitReached `json:"limit,omitempty"`

	// RequestID and RetryAfter (seconds) come from headers.
	RequestID  string `json:"-"`
	RetryAfter int    `json:"-"`
}

// LimitReached names a limit and whose it is: an agency's ("ee/pbgb"), or an
// identity's (its SPIFFE ID).
type LimitReached struct {
	Name   string `json:"name"`
	Of     string `json:"of"`
	Quota  int64  `json:"quota"`
	Window int64  `json:"window"` // in seconds
}

// New returns a problem of type t.
func (t ProblemType) New(detail, fix string) *Problem {
	return &Problem{Type: t.URI(), Title: t.Title, Status: t.Status, Detail: detail, Fix: fix}
}

// Error returns title and detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// Is reports whether target is the problem's type.
func (p *Problem) Is(target error) bool {
	t, ok := target.(ProblemType)
	return ok && t.URI() == p.Type
}

// ParseProblem reads the body of a refusal.
func ParseProblem(body []byte) (*Problem, error) {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	return &p, nil
}
