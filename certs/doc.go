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
//   - ClientTLS is the other side. KeyPairFiles follows the files of its certificate, ReplaceKeyPair renews them.
//   - Bindings say who a certificate without an SPIFFE ID is, for a national PKI that cannot issue any.
//   - CA is a small built-in certification authority for demonstrations, tests and small deployments; Office is one at work, with
//     a durable record of what it issued and revoked.
//   - Inspect says what a certificate is, whether it would be believed, and if not, why and what to do.
//
// Why the checks are made here and not left to crypto/tls: Go accepts a client certificate that has no extended key usage at
// all, and a session ticket lets a client return after its certificate was revoked. Hence the explicit clientAuth, the check
// in VerifyConnection, no tickets, and the check of each request.
//
// Where the rows of the attack catalogue on mutual TLS are tested:
//
//	M1 M2 M3 M4  TestVerifyClient, TestHandshakeClients, TestVerifyClientTime, TestVerifyClientCrossSigned
//	M5           TestVerifyClient: name constraints, names of other kinds
//	M6           TestVerifyClient: agencies; TestBinding…; TestOfficeClient, TestOfficeRenewRefuses for the built-in authority
//	M7           TestVerifyClient: identities, subject alternative names; FuzzParseIdentity
//	M8           TestRevoked… and the other tests of revocations_test.go; TestOfficeCRL…
//	M9           TestRevokedOnLiveConnection
//	M10          TestNoResumption
//	M11          TestHandshakeVersions, TestOpenSSLRefused
//	M13          TestVerifyClient: keys, sizes; half and slow handshakes in exchange/server
//	M15          TestReloadUnderLoad, TestClientFollowsFiles, TestReplaceKeyPair…
//	M16          TestHeadersNameNobody in exchange/server
//	M12 M14 M17  concern HTTP and connections: exchange/server
//
// Errors are of type *Error: which check failed, what was expected, and how to mend it. They are for the log of a server and
// the screen of a client, never for the wire.
package certs
