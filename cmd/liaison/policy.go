package main

import (
	"github.com/spf13/cobra"
)

// newPolicy is the group of what a policy author does. Each subcommand has a
// file of its own, policy_<verb>.go, and a line here.
func newPolicy(_ *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Write, check and bring the rules of a jurisdiction",
		Long: `policy is for authors of policy. What a jurisdiction declares and its rules lie in one
directory: declared.json, and .rego files with the rules and their tests. They are
brought to the exchange as one signed bundle, which is in force when all checks
passed and, unless one person is enough there, a second person brought the same.`,
		Example: `  liaison policy push fi/ --profile fi-krp-policy
  liaison policy status fi --profile fi-krp-policy`,
	}
	c.AddCommand()
	return c
}
