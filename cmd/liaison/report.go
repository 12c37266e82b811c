package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// failure is how an error is printed with --json, on standard error.
type failure struct {
	Error   string       `json:"error"`
	Fix     string       `json:"fix,omitempty"`
	Exit    int          `json:"exit"`
	Problem *api.Problem `json:"problem,omitempty"`
}

// report prints an error on standard error: what happened, and what to do.
// With --json it is one line of JSON, the server's problem within it.
func report(env *environment, err error) {
	f := failure{Error: err.Error(), Fix: fixOf(err), Exit: exitCode(err)}
	errors.As(err, &f.Problem)
	text := f.text(env.color(env.Stderr))
	if env.json {
		text = f.json()
	}
	_, _ = io.WriteString(env.Stderr, text) // if it cannot be written, nobody is left to tell
}

// fixOf returns what to do about an error: the command's own advice, else the
// server's, or that of the check of a certificate.
func fixOf(err error) string {
	var known *exitError
	for e := err; errors.As(e, &known); e = known.err {
		if known.fix != "" {
			return known.fix
		}
	}
	var problem *api.Problem
	if errors.As(err, &problem) {
		return problem.Fix
	}
	var certificate *certs.Error
	if errors.As(err, &certificate) && !strings.Contains(err.Error(), certificate.Fix) {
		return certificate.Fix
	}
	return ""
}

func (f failure) json() string {
	var b strings.Builder
	if err := writeJSON(&b, f); err != nil {
		return f.text(false) // a problem whose raw members are no JSON
	}
	return b.String()
}

func (f failure) text(color bool) string {
	failed, fix := "liaison:", "fix:"
	if color {
		failed, fix = "\x1b[1;31mliaison:\x1b[0m", "\x1b[1mfix:\x1b[0m"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", failed, printable(f.Error))
	if f.Problem != nil {
		for _, o := range f.Problem.Outcomes {
			writeOutcome(&b, o)
		}
		if f.Problem.RetryAfter > 0 {
			fmt.Fprintf(&b, "retry after %d s\n", f.Problem.RetryAfter)
		}
		if f.Problem.RequestID != "" {
			fmt.Fprintf(&b, "request %s\n", printable(f.Problem.RequestID))
		}
	}
	if f.Fix != "" {
		fmt.Fprintf(&b, "%s %s\n", fix, printable(f.Fix))
	}
	return b.String()
}

// writeOutcome prints what was decided for one recipient, and why.
func writeOutcome(w *strings.Builder, o api.Outcome) {
	fmt.Fprintf(w, "  %s: %s (decision %s)\n", printable(o.Recipient), printable(o.Outcome), printable(o.Decision))
	for _, r := range o.Reasons {
		fmt.Fprintf(w, "    %s\n", printable(strings.Join(nonEmpty(r.Code, r.Text), ": ")))
		if from := nonEmpty(r.Rule, r.Source); len(from) > 0 {
			fmt.Fprintf(w, "      by %s\n", printable(strings.Join(from, ", ")))
		}
		if r.Fix != "" {
			fmt.Fprintf(w, "      fix: %s\n", printable(r.Fix))
		}
	}
	if o.Note != "" {
		fmt.Fprintf(w, "    %s\n", printable(o.Note))
	}
}

func nonEmpty(texts ...string) []string {
	var kept []string
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return kept
}
