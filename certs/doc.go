// Package certs says who speaks and whose keys to believe.
//
// An identity is an SPIFFE ID in a certificate: spiffe://<jurisdiction>/<agency>/<role>/<name>. A jurisdiction vouches only
// for itself: a certificate that names jurisdiction j is verified against the anchors of j and against no others (Anchors),
// so no review is needed to see that the authority of one country cannot make an identity of another.
//
// The same holds for the keys that sign and encrypt packages. They have certificates of their own, with the SAN
// spiffe://<jurisdiction>/<agency>/key/<use>/<name>; a key certificate never opens a connection and a client certificate
// never vouches for a key.
//
// The parts, from the inside out:
//
//   - Identity and KeyIdentity parse the two kinds of SPIFFE ID, and nothing else.
//   - Anchors verifies client certificates and key certificates against the anchors of the jurisdiction that they name.
//   - Revocations holds the certificate revocation lists (RFC 5280 section 5) of the jurisdictions.
//   - Trust joins anchors, revocations and the server's own certificate: what is true at one moment.
//   - Gatekeeper guards a server: TLS 1.3 with client certificates, the check of every request, and a reload without a
//     failed request.
//   - ClientTLS is the other side.
//   - CA is a small built-in certification authority for demonstrations, tests and small deployments.
//
// Why the checks are made here and not left to crypto/tls: Go accepts a client certificate that has no extended key usage at
// all, and a session ticket lets a client return after its certificate was revoked. Hence the explicit clientAuth, the check
// in VerifyConnection, no tickets, and the check of each request.
//
// Errors are of type *Error: which check failed, what was expected, and how to mend it. They are for the log of a server and
// the screen of a client, never for the wire.
package certs
