package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// profileFlags are the flags of commands that talk to a server.
type profileFlags struct {
	dir string
}

// add declares --profile on a command, or on a group for all its commands.
func (p *profileFlags) add(c *cobra.Command) {
	c.PersistentFlags().StringVar(&p.dir, "profile", "", "directory of the profile (default: LIAISON_PROFILE)")
	if err := c.MarkPersistentFlagDirname("profile"); err != nil {
		panic(err) // only if the line above did not declare it
	}
}

// path returns the directory of the profile, from the flag or else from
// LIAISON_PROFILE. Having neither is a usage error.
func (p *profileFlags) path(env *environment) (string, error) {
	if p.dir != "" {
		return p.dir, nil
	}
	if dir := env.Getenv("LIAISON_PROFILE"); dir != "" {
		return dir, nil
	}
	return "", usageError(errors.New("no profile: who are you, and which exchange is meant?"),
		"give --profile DIR or set LIAISON_PROFILE; liaison demo leaves some under its directory, in profiles/")
}

// officerFlags are the flags of commands that send, or that read content or
// the log: the exchange records who did it and why (LED art 25).
type officerFlags struct {
	officer, reason string
}

// add declares --officer and --reason on a command.
func (o *officerFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&o.officer, "officer", "", "pseudonym of the officer who acts (default: the profile's)")
	c.Flags().StringVar(&o.reason, "reason", "", "justification, 20 to 500 characters; it is recorded")
}
