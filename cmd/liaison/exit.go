package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// The exit codes. Scripts build on them: a number never changes its meaning.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitUnverified  = 5
	exitUnavailable = 6
	exitConflict    = 7
)

// exitMeanings is what the help says of each code, in the order of the codes.
var exitMeanings = [...]string{
	exitDone:        "done",
	exitFailed:      "failed",
	exitUsage:       "the command line is wrong",
	exitRefused:     "refused by policy",
	exitNotFound:    "not found, or not entitled",
	exitUnverified:  "verification failed",
	exitUnavailable: "rate limited or unavailable: try again",
	exitConflict:    "conflict with the state of the thing",
}

func exitCodeHelp() string {
	var b strings.Builder
	for code, meaning := range exitMeanings {
		fmt.Fprintf(&b, "  %d  %s\n", code, meaning)
	}
	return b.String()
}

// exitError is an error that knows its exit code, and what to do about it.
type exitError struct {
	err  error
	code int
	fix  string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usageError says that the command line is wrong: exit code 2.
func usageError(err error, fix string) error {
	return &exitError{err: err, code: exitUsage, fix: fix}
}

// verificationError says that something given or received does not verify:
// exit code 5.
func verificationError(err error, fix string) error {
	return &exitError{err: err, code: exitUnverified, fix: fix}
}

// tryAgainError says that the same may work at another time: exit code 6.
func tryAgainError(err error, fix string) error {
	return &exitError{err: err, code: exitUnavailable, fix: fix}
}

// withFix adds to an error what its reader can do. The exit code stays that
// of err.
func withFix(err error, fix string) error {
	return &exitError{err: err, code: exitCode(err), fix: fix}
}

// problemCodes says which exit code a refusal of the server has; what is not
// listed failed.
var problemCodes = map[api.ProblemType]int{
	api.PolicyDenied:         exitRefused,
	api.ConsultationRequired: exitNotFound,
	api.RoleForbidden:        exitNotFound,
	api.IdentityRefused:      exitNotFound,
	api.NotFound:             exitNotFound,
	api.RateLimited:          exitUnavailable,
	api.Unwitnessed:          exitUnavailable,
	api.Unavailable:          exitUnavailable,
	api.Conflict:             exitConflict,
}

// exitCode returns the exit code for the error of a command.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	var known *exitError
	if errors.As(err, &known) {
		return known.code
	}
	for problem, code := range problemCodes {
		if errors.Is(err, problem) {
			return code
		}
	}
	if certs.Failed(err) == certs.CheckRefused { // at the door: the server says no more than to anybody whom it does not know
		return exitNotFound
	}
	return transportCode(err)
}

// transportCode tells apart the ways not to reach a server: it is not who it
// should be, it does not want us, it is not there.
func transportCode(err error) int {
	var (
		notTrusted *tls.CertificateVerificationError
		unknownCA  x509.UnknownAuthorityError
		alert      tls.AlertError
		network    net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return exitFailed
	case errors.As(err, &notTrusted), errors.As(err, &unknownCA):
		return exitUnverified
	case errors.As(err, &alert):
		return exitNotFound
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return exitUnavailable
	case errors.As(err, &network) && network.Timeout():
		return exitUnavailable
	}
	return dialCode(err)
}

// dialCode: no connection could be made at all, whatever the reason; an
// unknown host may be a name server that does not answer.
func dialCode(err error) int {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return exitUnavailable
	}
	return exitFailed
}
