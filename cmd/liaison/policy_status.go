package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

func newPolicyStatus(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "status [JURISDICTION]",
		Short: "Show which policy is in force, and what waits",
		Long: `status shows which policy is in force of each jurisdiction: its seq, whether it is a
sample, since when, how it came and who signed it; and what waits for others who want
the same. With JURISDICTION, or common, it shows one; of your own jurisdiction and of
common with what was in force before.`,
		Example: `  liaison policy status --profile fi-krp-policy
  liaison policy status fi --json | jq -r '.history[].seq'`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			if len(args) == 1 {
				p, err := c.Policy(ctx, args[0])
				if err != nil {
					return err
				}
				return env.output().value(p.Policy, policyWords(p.Policy))
			}
			all, err := c.Policies(ctx)
			if err != nil {
				return err
			}
			t := env.output().table("POLICY", "SEQ", "STATUS", "SINCE", "HOW", "SIGNED BY", "NOTE")
			for _, p := range all {
				t.row(p, p.Jurisdiction, strconv.FormatInt(p.Active.Seq, 10), p.Active.Status, p.Active.Since, p.Active.How, signerWords(p.Active), noteWords(p))
			}
			return t.flush()
		}),
	}
	profile.add(c)
	return c
}

func signerWords(a api.PolicyActivation) string {
	var agencies []string
	for _, s := range a.Signed {
		if !slices.Contains(agencies, s.Agency) {
			agencies = append(agencies, s.Agency)
		}
	}
	if len(agencies) == 0 {
		return "nobody"
	}
	return strings.Join(agencies, " ")
}

// noteWords say what is out of the ordinary.
func noteWords(p api.Policy) string {
	var notes []string
	switch {
	case p.Fault != "":
		notes = append(notes, "NOT IN FORCE: "+p.Fault)
	case !p.InForce:
		notes = append(notes, "NOT IN FORCE")
	case p.Jurisdiction != policy.CommonBundle && p.Active.Rules == "":
		notes = append(notes, "no rules: everything is refused")
	}
	if n := len(p.Waiting); n > 0 {
		notes = append(notes, fmt.Sprintf("waits: seq %d, %d of %d", p.Waiting[0].Seq, n, p.Needed))
	}
	return strings.Join(notes, "; ")
}

func policyWords(p api.Policy) string {
	var w strings.Builder
	a := p.Active
	fmt.Fprintf(&w, "%s: seq %d, status %s, since %s%s\n", printable(p.Jurisdiction), a.Seq, printable(a.Status), printable(a.Since), backWords(a))
	fmt.Fprintf(&w, "  %-9s %s\n  %-9s %s\n", "how", printable(a.How), "signed by", printable(signerWords(a)))
	if len(a.By) > 0 {
		fmt.Fprintf(&w, "  %-9s %s\n", "brought by", printable(strings.Join(a.By, ", ")))
	}
	w.WriteString(revisionWords(a))
	if note := noteWords(p); note != "" {
		fmt.Fprintf(&w, "  %s\n", printable(note))
	}
	for _, v := range p.Waiting {
		fmt.Fprintf(&w, "  waits: seq %d (%s) wanted by %s, until %s\n", v.Seq, printable(v.How), printable(voterWords(v)), printable(v.Expires))
	}
	if len(p.History) > 1 {
		w.WriteString("before:\n")
		for _, h := range p.History[1:] {
			fmt.Fprintf(&w, "  seq %d, %s, %s, since %s\n", h.Seq, printable(h.Status), printable(h.How), printable(h.Since))
		}
	}
	return w.String()
}

func newPolicyRollback(env *environment) *cobra.Command {
	var profile profileFlags
	var to string
	var why officerFlags
	c := &cobra.Command{
		Use:   "rollback JURISDICTION --to SEQ|REVISION --reason TEXT",
		Short: "Put an earlier policy in force again",
		Long: `rollback signs an order to put an earlier state of the policy in force again, with
policy.jwk of the profile, under a new seq. --to names that state by its seq, or by
the digest of its rules, or of what was declared. It goes the way of a push: all is
built and tested first, and a second person brings the same unless one is enough.
"liaison policy status JURISDICTION" shows what was in force before.`,
		Example: `  liaison policy rollback fi --to 2 --reason "Rule fi-3 refuses what the courts asked for" --profile fi-krp-policy`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			if to == "" {
				return usageError(errors.New("back to what?"), "give --to SEQ; liaison policy status "+args[0]+" shows what was in force")
			}
			if err := why.needReason(); err != nil {
				return err
			}
			key, err := policyKeyOf(env, &profile)
			if err != nil {
				return err
			}
			now, err := c.Policy(ctx, args[0])
			if err != nil {
				return notYours(err, args[0])
			}
			old, err := findActivation(now, to)
			if err != nil {
				return err
			}
			order := &envelope.Rollback{Exchange: c.Exchange(), Iss: c.Agency(), IAT: env.Now().Unix(), Jurisdiction: args[0], Seq: now.Active.Seq + 1,
				Common: old.Common, Declared: old.Declared, Rules: old.Rules, Reason: why.reason}
			change, err := c.RollbackPolicy(ctx, order, key)
			if err != nil {
				return (&pushing{env: env}).refused(err, args[0])
			}
			second := fmt.Sprintf("liaison policy rollback %s --to %d --reason TEXT --profile THEIR-PROFILE", args[0], old.Seq)
			return env.output().value(change.PolicyChange, changeWords(change, second))
		}),
	}
	profile.add(c)
	addReason(c, &why)
	c.Flags().StringVar(&to, "to", "", "seq, or revision of rules or declared data, that was in force before")
	return c
}

// findActivation finds what was in force by its seq or a revision.
func findActivation(p *client.Policy, to string) (api.PolicyActivation, error) {
	for i, a := range p.History {
		if to == strconv.FormatInt(a.Seq, 10) || to == a.Rules || to == a.Declared || to == a.Common {
			if i == 0 {
				return a, &exitError{err: fmt.Errorf("%s is in force now", to), code: exitConflict, fix: "name an earlier one; liaison policy status " + p.Jurisdiction + " shows them"}
			}
			return a, nil
		}
	}
	return api.PolicyActivation{}, &exitError{err: fmt.Errorf("%s was never in force for %s", to, p.Jurisdiction), code: exitNotFound,
		fix: "liaison policy status " + p.Jurisdiction + " shows what was"}
}
