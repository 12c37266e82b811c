// Package doctor looks at everything that a profile or an exchange depends on, says in words what it found, and for each fault
// how to mend it. It changes nothing.
package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

// State is how something is.
type State string

// The states. A fault keeps something from working, now or within days; a warning will become one.
const (
	OK      State = "ok"
	Warning State = "warning"
	Fault   State = "fault"
)

// Finding is the result of one check.
type Finding struct {
	Check   string `json:"check"`   // what was looked at: certificate, anchor, clock …
	Subject string `json:"subject"` // which one: a file, an address
	State   State  `json:"state"`
	Text    string `json:"text"`
	Fix     string `json:"fix,omitempty"` // what to do now; empty if it is ok
}

// Faults counts the faults.
func Faults(found []Finding) int {
	n := 0
	for _, f := range found {
		if f.State == Fault {
			n++
		}
	}
	return n
}

// examination is one run of the doctor.
type examination struct {
	now   time.Time
	found []Finding
}

func (e *examination) ok(check, subject, format string, args ...any) {
	e.found = append(e.found, Finding{Check: check, Subject: subject, State: OK, Text: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(check, subject, text, fix string) {
	e.found = append(e.found, Finding{Check: check, Subject: subject, State: Warning, Text: text, Fix: fix})
}

// fault tells an error. Its own fix, where it has one, is better than ours.
func (e *examination) fault(check, subject string, err error, fix string) {
	var (
		certificate *certs.Error
		profile     *client.ProfileError
		problem     *api.Problem
	)
	text := err.Error()
	switch {
	case errors.As(err, &profile):
		subject, text, fix = profile.File, profile.Err.Error(), profile.Fix
	case errors.As(err, &certificate):
		if text = certificate.Err.Error(); certificate.Want != "" {
			text += " (expected " + certificate.Want + ")"
		}
		if certificate.Fix != "" && !errors.Is(err, fs.ErrNotExist) { // of an absent file the caller knows what belongs there
			fix = certificate.Fix
		}
	case errors.As(err, &problem) && problem.Fix != "":
		fix = problem.Fix
	}
	e.found = append(e.found, Finding{Check: check, Subject: subject, State: Fault, Text: text, Fix: fix})
}
