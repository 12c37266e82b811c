package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/client"
)

// withClient makes a command's code of a function that needs a client of the
// profile.
func withClient(env *environment, profile *profileFlags, run func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		dir, err := profile.path(env)
		if err != nil {
			return err
		}
		p, err := client.LoadProfile(dir)
		if err != nil {
			return clientError(err)
		}
		config, err := p.Config()
		if err != nil {
			return clientError(err)
		}
		config.Now, config.Waiting = env.Now, env.waiting
		c, err := client.New(config)
		if err != nil {
			return err
		}
		defer c.Close()
		return clientError(explainRefusal(run(cmd.Context(), c, args), p, env.Now()))
	}
}

// waiting tells on standard error that the command waits, if it is for long
// enough to wonder.
func (e *environment) waiting(wait time.Duration, why error) {
	if wait < time.Second {
		return
	}
	seconds := int(math.Ceil(wait.Seconds()))
	if e.json {
		_ = writeJSON(e.Stderr, map[string]any{"waiting_seconds": seconds, "why": why.Error()})
		return
	}
	fmt.Fprintf(e.Stderr, "liaison: waiting %d s, then it is tried again: %s\n", seconds, printable(why.Error()))
}

// clientError gives an error of the client its exit code and its fix.
func clientError(err error) error {
	var (
		known   *exitError
		profile *client.ProfileError
		bad     *client.VerifyError
		down    *client.UnavailableError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &profile):
		return &exitError{err: err, code: exitFailed} // the fix is a part of its text
	case errors.As(err, &bad):
		return verificationError(err, "do not use what did not verify; keep this message and tell your data-protection officer and the operator")
	case errors.As(err, &down):
		return &exitError{err: err, code: exitUnavailable, fix: "try again; if it stays so, ask the operator of the exchange"}
	case errors.Is(err, client.ErrNoKey):
		return withFix(err, "use the profile of a unit that has this key")
	}
	return err
}

// needReason refuses what the exchange would refuse, before anything is asked.
func (o *officerFlags) needReason() error {
	n := len([]rune(o.reason))
	if n >= 20 && n <= 500 {
		return nil
	}
	return usageError(errors.New("no reason, or not one of 20 to 500 characters"),
		`say why in 20 to 500 characters, for the record: --reason "Request of the prosecutor in case 2026-117"`)
}
