package client

import (
	"errors"
	"fmt"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// ErrNoKey says that the profile lacks the private key that an action needs.
var ErrNoKey = errors.New("the profile has no such private key")

// ErrNotAccepted says that the obligations of a package were not accepted: nothing was acknowledged, and no content read.
var ErrNotAccepted = errors.New("the obligations were not accepted")

// VerifyError says that something a server or another party said did not verify: a receipt, a checkpoint, a key, a
// signature, a digest. Whatever came with it is not to be used.
type VerifyError struct {
	What string // what was verified: "receipt", "checkpoint", "key of lv/vp" …
	Err  error  // which check failed
}

// Error names what did not verify and why.
func (e *VerifyError) Error() string { return fmt.Sprintf("%s does not verify: %v", e.What, e.Err) }

// Unwrap gives the failed check.
func (e *VerifyError) Unwrap() error { return e.Err }

// UnavailableError says that the server could not be reached or broke off. For a call that changes something it is not known
// whether it happened; repeating the same call tells.
type UnavailableError struct {
	Method, Path string
	Err          error
}

// Error names the call and the cause.
func (e *UnavailableError) Error() string { return fmt.Sprintf("%s %s: %v", e.Method, e.Path, e.Err) }

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Temporary reports whether the same call may succeed later without any change: the server was not reached, is overloaded,
// or a limit of the agency was reached.
func Temporary(err error) bool {
	var down *UnavailableError
	return errors.As(err, &down) || errors.Is(err, api.RateLimited) || errors.Is(err, api.Unavailable)
}

// ProfileError says which file of a profile cannot be used and how to mend it.
type ProfileError struct {
	File string // path of the file
	Fix  string // a sentence for the holder of the profile
	Err  error
}

// Error gives file, cause and fix on one line.
func (e *ProfileError) Error() string {
	return fmt.Sprintf("profile: %s: %v; %s", e.File, e.Err, e.Fix)
}

// Unwrap gives the cause.
func (e *ProfileError) Unwrap() error { return e.Err }

func unverified(what string, err error) error {
	var already *VerifyError
	if errors.As(err, &already) {
		return err
	}
	return &VerifyError{What: what, Err: err}
}

func unverifiedf(what, format string, args ...any) error {
	return &VerifyError{What: what, Err: fmt.Errorf(format, args...)}
}
