package main

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// TestClientErrors: each kind of error of the client has its exit code, and most have a fix.
func TestClientErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		fix  bool
	}{
		{&client.VerifyError{What: "receipt", Err: errors.New("x")}, exitUnverified, true},
		{errors.Join(errors.New("x"), &client.VerifyError{What: "ledger", Err: errors.New("x")}), exitUnverified, true},
		{&client.UnavailableError{Method: "GET", Path: "/", Err: io.ErrUnexpectedEOF}, exitUnavailable, true},
		{&client.ProfileError{File: "tls.crt", Err: errors.New("x"), Fix: "y"}, exitFailed, false},
		{&client.StateError{ID: "0", State: "pending"}, exitConflict, false},
		{fmt.Errorf("sign.jwk: %w", client.ErrNoKey), exitFailed, true},
		{client.ErrNotAccepted, exitFailed, false},
		{api.PolicyDenied.New("", "fix it"), exitRefused, true},
		{api.RateLimited.New("", ""), exitUnavailable, false},
		{api.NotFound.New("", ""), exitNotFound, false},
		{usageError(errors.New("x"), "y"), exitUsage, true},
		{nil, exitDone, false},
	} {
		got := clientError(test.err)
		if exitCode(got) != test.code || (fixOf(got) != "") != test.fix {
			t.Errorf("%v: exit code %d, fix %q", test.err, exitCode(got), fixOf(got))
		}
	}
}
