package main

import (
	"github.com/spf13/cobra"
)

// newPolicy is the group of what a policy author does. Each subcommand has a
// file of its own, policy_<verb>.go, and a line here.
func newPolicy(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Write, check and bring the rules of a jurisdiction",
		Long: `policy is for authors of policy. What a jurisdiction declares and its rules lie in one
directory:

  declared.json   agencies, languages, instruments: data only
  *.rego          rules and their tests, in Rego; any names, any folders
  README.md       for people; no part of the policy

They are brought to the exchange as one signed bundle, which is in force when all
checks passed and, unless one person is enough there, a second person brought the same.
All of it, from the first line to the rollback, is told in docs/policy.md.`,
		Example: `  liaison policy check fi
  liaison policy test fi --coverage
  liaison policy push fi --profile fi-krp-policy
  liaison policy status fi --profile fi-krp-policy`,
	}
	c.AddCommand(newPolicyNew(env), newPolicyCheck(env), newPolicyFmt(env), newPolicyTest(env), newPolicyEval(env), newPolicyHandbook(env), newPolicyBench(env))
	c.AddCommand(newPolicyExplain(env), newPolicyReplay(env), newPolicyShadow(env))
	c.AddCommand(newPolicyBuild(env), newPolicyPush(env), newPolicyStatus(env), newPolicyRollback(env))
	return c
}
