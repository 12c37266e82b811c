package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

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

// TestWaitingIsTold: who waits for a limit sees for how long and why, and a script can read it.
func TestWaitingIsTold(t *testing.T) {
	why := api.RateLimited.New(`ee/pbgb has used up its limit "packages" of 3000 a minute; there is room again in 17 s`, "")
	for _, test := range []struct {
		json bool
		wait time.Duration
		want string
	}{
		{false, 17200 * time.Millisecond, "liaison: waiting 18 s, then it is tried again: " + why.Error() + "\n"},
		{true, 17200 * time.Millisecond, `{"waiting_seconds":18,"why":"` + strings.ReplaceAll(why.Error(), `"`, `\"`) + "\"}\n"},
		{false, 300 * time.Millisecond, ""},
	} {
		var out strings.Builder
		env := &environment{Stderr: &out, json: test.json}
		if env.waiting(test.wait, why); out.String() != test.want {
			t.Errorf("%s, want %s", out.String(), test.want)
		}
	}
}
