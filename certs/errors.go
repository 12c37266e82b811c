package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
)

// Check names one check, so that callers and tests can tell failures apart without reading text.
type Check string

// The checks that may fail.
const (
	CheckForm     Check = "form"     // not a certificate, too long a chain, a damaged file
	CheckIdentity Check = "identity" // the SPIFFE ID is missing, doubled, malformed or another's
	CheckRole     Check = "role"     // the identity may not have this role here
	CheckAnchor   Check = "anchor"   // no anchor of the jurisdiction, or its anchor may not vouch for this agency
	CheckChain    Check = "chain"    // the chain does not end in an anchor of the jurisdiction
	CheckNames    Check = "names"    // a name constraint of an issuer is breached, or the host is another
	CheckDates    Check = "dates"    // expired, or not yet valid
	CheckUsage    Check = "usage"    // key usage or extended key usage, or a CA where a leaf must be
	CheckKey      Check = "key"      // a weak key, or not the key that was meant
	CheckRevoked  Check = "revoked"  // on the revocation list of its issuer
	CheckCRL      Check = "crl"      // the revocation list is missing, stale, damaged or older than the one before
	CheckRefused  Check = "refused"  // the other side refused our certificate, and does not say why
	CheckFile     Check = "file"     // a private file that others may read
	CheckSetup    Check = "setup"    // anchors, files or arguments that cannot be used
)

// Error says what failed and how to mend it. It is meant for the log of a server and for the screen of a client, and never
// leaves a server: to a stranger all refusals look alike.
type Error struct {
	Check   Check
	Subject string // what was checked: an SPIFFE ID, else subject and serial number of a certificate, or a file
	Want    string // what would have been right: which anchor, which usage, which host
	Fix     string // a sentence for the person who can mend it
	Err     error  // the cause
}

// Error gives the failure on one line, whatever the cause has in it. Subject may come from a stranger and is quoted.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "certs: %s: %q: %v", e.Check, e.Subject, e.Err)
	if e.Want != "" {
		fmt.Fprintf(&b, " (expected %s)", e.Want)
	}
	return strings.ReplaceAll(b.String(), "\n", "; ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue gives the parts of the error as attributes.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("check", string(e.Check)), slog.String("subject", e.Subject), slog.String("expected", e.Want),
		slog.String("fix", e.Fix), slog.Any("error", e.Err))
}

// Failed gives the check that failed, or "" for an error that is not of this package.
func Failed(err error) Check {
	var e *Error
	if errors.As(err, &e) {
		return e.Check
	}
	return ""
}

// Explain turns what a TLS client of ClientTLS reports about the server's certificate, and a refusal of its own certificate,
// into an *Error with a Fix. Other errors are returned as they are.
func Explain(err error) error {
	var own *Error
	var bad *tls.CertificateVerificationError
	switch {
	case err == nil, errors.As(err, &own):
		return err
	case errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0:
		return explainVerify(bad.UnverifiedCertificates[0], bad.Err, "a chain to server-roots.pem", serverFix)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" { // crypto/tls reports an alert of the other side so
		return explainAlert(op)
	}
	return err
}

const serverFix = "check that server-roots.pem is the one that the operator of the exchange gave out, and that the address is the server's"

// explainAlert: the alert tells no reason, and must not; the log of the server has it.
func explainAlert(err *net.OpError) error {
	return &Error{
		Check: CheckRefused, Subject: "own client certificate", Err: err, Want: "a certificate that the exchange accepts",
		Fix: "look at it with liaison certs show; if nothing is wrong with it, ask the operator of the exchange, whose log has the reason",
	}
}

// explainVerify sorts the errors of x509.Certificate.Verify.
func explainVerify(leaf *x509.Certificate, err error, want, fix string) *Error {
	e := &Error{Check: CheckChain, Subject: describe(leaf), Want: want, Fix: fix, Err: err}
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(err, &host):
		e.Check = CheckNames
	case errors.As(err, &invalid):
		e.Check, e.Fix = explainInvalid(invalid.Reason, fix)
		if invalid.Cert != nil { // which may be an issuer
			e.Subject = describe(invalid.Cert)
		}
	}
	return e
}

func explainInvalid(reason x509.InvalidReason, fix string) (Check, string) {
	switch reason {
	case x509.Expired:
		return CheckDates, "renew the certificate, and check the clocks"
	case x509.CANotAuthorizedForThisName, x509.NameConstraintsWithoutSANs, x509.UnconstrainedName, x509.TooManyConstraints:
		return CheckNames, "the issuer may not issue for this name: have it issued by the authority of the jurisdiction"
	case x509.IncompatibleUsage:
		return CheckUsage, "have the certificate issued for this use by authorities that may issue for it"
	}
	return CheckChain, fix
}

// describe names a certificate: its SPIFFE ID if it has exactly one URI, else subject and serial number.
func describe(c *x509.Certificate) string {
	if uris, err := rawURIs(c); err == nil && len(uris) == 1 && len(uris[0]) <= maxIDLength {
		return uris[0]
	}
	return fmt.Sprintf("%.200s, serial %x", c.Subject, c.SerialNumber)
}

func setupError(subject string, err error, fix string) *Error {
	return &Error{Check: CheckSetup, Subject: subject, Err: err, Fix: fix}
}
