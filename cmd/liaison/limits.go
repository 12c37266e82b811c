package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newLimits(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "limits",
		Short: "How much may happen in how long, for operators",
		Long: `limits shows and sets how much an agency, a unit or a source may do in how long:
packages, recipients, bytes, urgency, reads and more. A quota may be used at once
and comes back evenly. Each answer of the exchange says what remains of it.

What operators set holds at once, on all nodes, and before the configuration. Each
change is an entry in the log of the exchange's own agency.`,
		Example: `  liaison limits list
  liaison limits set packages 600/1m --agency by/mia --reason "A loop in their software, ticket 2026-881"`,
	}
	c.AddCommand(newLimitsList(env), newLimitsSet(env))
	return c
}

func newLimitsList(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the limits in force, and where each comes from",
		Long: `list shows what holds for all, then what agencies have of their own. SOURCE is
operator (set with "limits set"), configuration, or built-in.`,
		Example: `  liaison limits list --json | jq 'select(.source == "operator")'`,
		Args:    cobra.NoArgs,
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, _ []string) error {
			all, err := c.Limits(ctx)
			if err != nil {
				return err
			}
			t := env.output().table("LIMIT", "OF", "QUOTA", "IN", "SOURCE", "WHY")
			for _, l := range all {
				of := "each " + l.Of
				if l.Agency != "" {
					of = l.Agency
				}
				t.row(l, l.Name, of, fmt.Sprint(l.Quota), (time.Duration(l.Window) * time.Second).String(), l.Source, l.Reason)
			}
			return t.flush()
		}),
	}
	profile.add(c)
	return c
}

func newLimitsSet(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	var agency string
	c := &cobra.Command{
		Use:   "set LIMIT QUOTA/WINDOW --reason TEXT",
		Short: "Set a limit, of one agency or of all that have none of their own",
		Long: `set makes a limit what you say, at once and on all nodes. QUOTA/WINDOW is how much in
how long: 600/1m, 1200/1h, 107374182400/24h. "default" takes back what operators have
set, so that the configuration holds again.

The limits of the exchange's own agency are kept by its configuration alone, so that
no operator locks the others out.`,
		Example: `  liaison limits set packages 600/1m --agency by/mia --reason "A loop in their software, ticket 2026-881"
  liaison limits set packages default --agency by/mia --reason "Their software is mended, ticket 2026-881"`,
		Args: cobra.ExactArgs(2),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			if err := why.needReason(); err != nil {
				return err
			}
			quota, window, err := parseRate(args[1])
			if err != nil {
				return err
			}
			set, err := c.SetLimit(ctx, api.LimitRequest{Name: args[0], Agency: agency, Quota: quota, Window: window, Reason: why.reason})
			if err != nil {
				return err
			}
			of := "each " + set.Of
			if set.Agency != "" {
				of = set.Agency
			}
			return env.output().value(set.Limit, fmt.Sprintf("%s of %s: %d in %s (%s)\n", set.Name, printable(of), set.Quota, time.Duration(set.Window)*time.Second, set.Source))
		}),
	}
	profile.add(c)
	c.Flags().StringVar(&agency, "agency", "", "the agency that it is for (default: all that have none of their own)")
	addReason(c, &why)
	return c
}

// parseRate reads "600/1m"; "default" is 0 in 0.
func parseRate(s string) (quota, seconds int64, err error) {
	if s == "default" {
		return 0, 0, nil
	}
	var window string
	if _, err := fmt.Sscanf(s, "%d/%s", &quota, &window); err == nil {
		if d, err := time.ParseDuration(window); err == nil && quota > 0 && d >= time.Second && d%time.Second == 0 {
			return quota, int64(d / time.Second), nil
		}
	}
	return 0, 0, usageError(errors.New("not of the form QUOTA/WINDOW"), `write how much in how long, in whole seconds: 600/1m, 1200/1h, or "default"`)
}
