// Package api holds the words that server and client share on the wire:
// routes, bodies, problem types and the sentinels that a client returns for
// them. It imports nothing of this module, so that a client needs no server.
//
// Times are RFC 3339 in UTC ("…Z"); ids of packages, decisions and
// consultations are UUIDv7 in lower case; digests are base64url without
// padding; binary members (entry, salt, commitment) are base64url too.
package api

import "encoding/json"

// Media types of requests and answers.
const (
	MediaJSON     = "application/json"
	MediaProblem  = "application/problem+json" // RFC 9457
	MediaJOSE     = "application/jose"         // compact JWS, RFC 7515 §9.2.1
	MediaJOSEJSON = "application/jose+json"    // JWE JSON Serialization, RFC 7516
	MediaForm     = "multipart/form-data"
	MediaBinary   = "application/octet-stream"
	MediaText     = "text/plain; charset=utf-8"
	MediaCRL      = "application/pkix-crl"   // RFC 2585; PEM is known by its first line
	MediaPEM      = "application/x-pem-file" // RFC 7468
	MediaBundle   = "application/gzip"       // RFC 6713: a bundle of policy, .tar.gz
)

// HeaderConsultation carries the id of a consultation on reads of content,
// attachments and the audit log.
const HeaderConsultation = "Liaison-Consultation"

// HeaderRequestID names a request in answers, logs and entries.
const HeaderRequestID = "Request-Id"

// HeaderRateLimitPolicy and HeaderRateLimit say in answers which limits the
// request was held against, and what remains of them: structured fields of
// draft-ietf-httpapi-ratelimit-headers-10.
const (
	HeaderRateLimitPolicy = "RateLimit-Policy"
	HeaderRateLimit       = "RateLimit"
)

// Names of the parts of POST /v1/packages, in their fixed order.
const (
	PartManifest   = "manifest"
	PartStatement  = "statement"
	PartContent    = "content"
	PartAttachment = "attachment"
)

// Obligation is a condition that a recipient accepts by acknowledging.
type Obligation struct {
	Code   string          `json:"code"`
	Params json.RawMessage `json:"params"` // an object; {} when there is none
	Text   string          `json:"text,omitempty"`
	Source string          `json:"source,omitempty"`
}

// Reason says why a package was denied, waits, or what the sender is advised.
type Reason struct {
	Code   string          `json:"code"`
	Params json.RawMessage `json:"params"`
	Text   string          `json:"text,omitempty"`
	Fix    string          `json:"fix,omitempty"`
	Source string          `json:"source,omitempty"`
	Rule   string          `json:"rule,omitempty"`
}

// Outcome is what became of a package for one recipient. Obligations stand
// with delivered and acknowledged, Reasons with denied, blocked and pending.
type Outcome struct {
	Recipient   string       `json:"recipient"`
	Outcome     string       `json:"outcome"`
	Decision    string       `json:"decision"`
	Obligations []Obligation `json:"obligations,omitempty"`
	Reasons     []Reason     `json:"reasons,omitempty"`
	Advice      []Reason     `json:"advice,omitempty"`
	// Mismatches are codes in which, as the recipient reported, the content is
	// not what the manifest says.
	Mismatches []string `json:"mismatches,omitempty"`
	// Note says that sample policies took part in the decision.
	Note string `json:"note,omitempty"`
}

// Accepted answers POST /v1/packages: 201 the first time, 200 a repeat.
type Accepted struct {
	ID       string    `json:"id"`
	Outcomes []Outcome `json:"outcomes"`
	Receipt  string    `json:"receipt"`
}

// DryRun is the body of POST /v1/decisions: the payloads, unsigned; the
// manifest's digests and content may be absent.
type DryRun struct {
	Manifest  json.RawMessage `json:"manifest"`
	Statement json.RawMessage `json:"statement"`
}

// Decided answers POST /v1/decisions, every recipient in the order of aud.
type Decided struct {
	Outcomes []Outcome `json:"outcomes"`
	Receipt  string    `json:"receipt"`
}

// Descriptor describes a package to a party. State is the reader's own
// outcome; for the sender the one that all recipients share, else "mixed".
type Descriptor struct {
	ID             string    `json:"id"`
	From           string    `json:"from"`
	To             []string  `json:"to"`
	Type           string    `json:"type"`
	State          string    `json:"state"`
	DueAt          string    `json:"due_at,omitempty"`
	ManifestSHA256 string    `json:"manifest_sha256"`
	Outcomes       []Outcome `json:"outcomes"`
}

// Page is a page of descriptors. Next, if present, is the value of `after`
// for the following page: the reader's own seq, opaque to clients.
type Page struct {
	Items []Descriptor `json:"items"`
	Next  string       `json:"next,omitempty"`
}

// Acknowledged answers POST …/acknowledgement.
type Acknowledged struct {
	ID      string `json:"id"`
	Receipt string `json:"receipt"`
}

// MismatchRequest says in what the content is not what the manifest says.
type MismatchRequest struct {
	Code string `json:"code"`
}

// MismatchReported answers POST …/mismatch: 201 the first time, 200 a repeat.
type MismatchReported struct {
	ID      string `json:"id"`
	Code    string `json:"code"`
	Receipt string `json:"receipt"`
}

// ConsultationRequest says who reads and why (LED art 25). Without Package it
// is for the log.
type ConsultationRequest struct {
	Officer       string `json:"officer"`
	Justification string `json:"justification"`
	CaseRef       string `json:"case_ref,omitempty"`
	Package       string `json:"package,omitempty"`
}

// Consultation answers POST /v1/consultations.
type Consultation struct {
	ID      string `json:"id"`
	Expires string `json:"expires"`
	Receipt string `json:"receipt"`
}

// Agency is a row of the directory.
type Agency struct {
	ID           string   `json:"id"`
	Jurisdiction string   `json:"jurisdiction"`
	Name         string   `json:"name,omitempty"`
	Type         string   `json:"type"`
	Status       string   `json:"status"` // active or suspended
	Competences  []string `json:"competences,omitempty"`
	TimeZone     string   `json:"time_zone,omitempty"` // IANA, as its jurisdiction declares it
}

// Agencies answers GET /v1/agencies.
type Agencies struct {
	Items []Agency `json:"items"`
}

// KeySet answers GET …/keys: the keys in use, as a JWK Set (RFC 7517 §5).
type KeySet struct {
	Keys []json.RawMessage `json:"keys"`
}

// Key is one key of the directory with its history.
type Key struct {
	JWK         json.RawMessage `json:"jwk"` // with use and x5c
	From        string          `json:"from"`
	Until       string          `json:"until,omitempty"`
	Compromised string          `json:"compromised,omitempty"`
}

// KeyChange answers PUT (201 the first time, 200 a repeat) and DELETE of a key.
type KeyChange struct {
	JWK         json.RawMessage `json:"jwk"` // as it was published
	From        string          `json:"from"`
	Until       string          `json:"until,omitempty"`       // may lie ahead: until then the key stays in use
	Compromised string          `json:"compromised,omitempty"` // what was signed from then on is not trusted
	Receipt     string          `json:"receipt"`
}

// AdmissionRequest is what an operator asks an agency's standing to be.
type AdmissionRequest struct {
	Roles     []string `json:"roles"` // unit, dpo, policy, supervisor; may be empty
	Suspended bool     `json:"suspended"`
	Reason    string   `json:"reason"` // it is recorded

	Bindings []Binding `json:"bindings,omitempty"` // absent: none
	// Supervises names agencies whose logs the supervisors of this one may read.
	Supervises []string `json:"supervises,omitempty"`
}

// Binding says that the holder of a key has an identity of the agency,
// although its certificate has no SPIFFE ID. Issuer and key are base64url of
// the SHA-256 of a subject public key info.
type Binding struct {
	Issuer string `json:"issuer"`
	Key    string `json:"key"`
	Role   string `json:"role"`
	Name   string `json:"name"`
}

// Admission is an agency's standing with the operator, and what waits for a
// second operator.
type Admission struct {
	Agency     string    `json:"agency"`
	Roles      []string  `json:"roles"` // the agency's jurisdiction may allow less
	Suspended  bool      `json:"suspended"`
	Bindings   []Binding `json:"bindings,omitempty"`
	Supervises []string  `json:"supervises,omitempty"`
	Proposal   *Proposal `json:"proposal,omitempty"`
	Receipt    string    `json:"receipt"`
}

// Proposal is a standing that one operator asked for. It holds when another
// operator asks for the same before it expires.
type Proposal struct {
	Roles      []string  `json:"roles"`
	Suspended  bool      `json:"suspended"`
	Bindings   []Binding `json:"bindings,omitempty"`
	Supervises []string  `json:"supervises,omitempty"`
	By         string    `json:"by"` // the first operator's identity
	Reason     string    `json:"reason"`
	Since      string    `json:"since"`
	Expires    string    `json:"expires"`
}

// Limit is how much may happen in how long: of each agency, identity or
// source, or, with Agency, of that agency.
type Limit struct {
	Name   string `json:"name"`
	Of     string `json:"of"` // agency, unit or source
	Agency string `json:"agency,omitempty"`
	Quota  int64  `json:"quota"`
	Window int64  `json:"window"` // in seconds
	Source string `json:"source"` // operator, configuration or built-in

	By     string `json:"by,omitempty"` // the operator's identity, with since and reason
	Since  string `json:"since,omitempty"`
	Reason string `json:"reason,omitempty"`

	Receipt string `json:"receipt,omitempty"` // in the answer to PUT: what holds from now on
}

// Limits answers GET /v1/limits: what holds for all, then what agencies have
// of their own.
type Limits struct {
	Items []Limit `json:"items"`
}

// LimitRequest is what an operator asks a limit to be. With quota and window
// 0 what operators have set is taken back.
type LimitRequest struct {
	Name   string `json:"name"`
	Agency string `json:"agency,omitempty"` // absent: for all that have none of their own
	Quota  int64  `json:"quota"`
	Window int64  `json:"window"` // in seconds
	Reason string `json:"reason"` // it is recorded
}

// AuditItem is one entry as its owner reads it. Entry and Salt are absent
// once erased.
type AuditItem struct {
	Owner      string   `json:"owner"`
	Seq        uint64   `json:"seq"`
	Index      int64    `json:"index"`
	Commitment string   `json:"commitment"`
	Entry      string   `json:"entry,omitempty"`
	Salt       string   `json:"salt,omitempty"`
	Erased     bool     `json:"erased,omitempty"`
	Erasure    *Erasure `json:"erasure,omitempty"` // with erased
}

// Witnesses answers GET /log/witnesses: the agencies that cosign the ledger's
// heads, and how old the newest head is that enough of them (quorum) have
// cosigned. Since is when it had its quorum; before the first, when the
// counting began. Missing: that is longer ago than the tolerance, and new
// packages wait, but for urgent ones.
type Witnesses struct {
	Quorum           int       `json:"quorum"`
	ToleranceSeconds int64     `json:"tolerance_seconds"`
	Size             int64     `json:"size"` // of that head
	Since            string    `json:"since,omitempty"`
	Missing          bool      `json:"missing"`
	Witnesses        []Witness `json:"witnesses"`
}

// Witness is what the exchange knows of one witness.
type Witness struct {
	Name       string `json:"name"`
	VKey       string `json:"vkey"`
	Size       int64  `json:"size"` // of the newest head that it cosigned; 0 if unknown
	CosignedAt string `json:"cosigned_at,omitempty"`
	Cosigns    bool   `json:"cosigns"` // it did when it was last asked
}
