package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/policy"
)

// checking is what the flags of policy check say.
type checking struct {
	drafting
	list, strict bool
}

func newPolicyCheck(env *environment) *cobra.Command {
	k := &checking{drafting: drafting{env: env}}
	c := &cobra.Command{
		Use:   "check DIR... | --list",
		Short: "Find everything that an exchange would refuse, and what is probably a mistake",
		Long: `check finds all that an exchange refuses when a policy is brought (errors): what is no
Rego, unknown packages, rules and codes, values that the input cannot have, missing
texts, tests that fail, rules that take too long. It also finds what would be taken
and is probably not meant (warnings): a rule that no test goes through, a limit
looser than common's, a helper that nobody uses, a text that says another number
than its rule. --list tells all checks, why they are made and what to do.

Each finding has its place, its line with a caret, the name of the check in brackets,
and a fix. The exit code is 1 if there is an error; with --strict a warning too.`,
		Example: `  liaison policy check ee
  liaison policy check --strict ee lv
  liaison policy check --list
  liaison policy check --json ee | jq -r 'select(.severity == "error") | .message'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, dirs []string) error { return k.run(cmd, dirs) },
	}
	k.add(c)
	c.Flags().BoolVar(&k.list, "list", false, "print all checks: name, severity, why, fix")
	c.Flags().BoolVar(&k.strict, "strict", false, "fail on warnings too")
	return c
}

func (k *checking) run(cmd *cobra.Command, dirs []string) error {
	if k.list {
		return k.checks()
	}
	if len(dirs) == 0 {
		return usageError(fmt.Errorf("no directory to check"), policyDirectory)
	}
	failed := 0
	for _, dir := range dirs {
		desk, err := k.open(dir)
		if err != nil {
			return err
		}
		found, err := desk.Check(cmd.Context())
		if err != nil {
			return err
		}
		if err := k.print(found, dir); err != nil {
			return err
		}
		if err := k.sum(desk, found, dir); err != nil {
			return err
		}
		for _, f := range found {
			if k.strict || f.Severity == policy.SeverityError {
				failed++
			}
		}
	}
	if failed > 0 {
		return withFix(fmt.Errorf("%s to mend", number(failed, "finding")), "mend the errors from the first one; what a check means: liaison policy check --list")
	}
	return nil
}

// sum says in one line how a directory is.
func (k *checking) sum(desk *policy.Desk, found []policy.Finding, dir string) error {
	if k.env.json {
		return nil
	}
	words := "nothing found"
	if len(found) > 0 {
		words = severities(found)
	}
	_, err := fmt.Fprintf(k.env.Stdout, "%s (%s): %s\n", dir, desk.Draft.Jurisdiction, words)
	return err
}

func (k *checking) checks() error {
	for _, c := range policy.Checks() {
		text := fmt.Sprintf("%-18s %-8s %s\n%28sfix: %s", c.ID, c.Severity, c.Why, "", c.Fix)
		if err := k.env.output().value(c, text); err != nil {
			return err
		}
	}
	return nil
}
