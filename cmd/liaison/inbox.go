package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/client"
)

func newInbox(env *environment) *cobra.Command {
	var (
		profile profileFlags
		query   client.Query
		limit   int
		due     time.Duration
	)
	c := &cobra.Command{
		Use:   "inbox [--box outbox] [--state STATE] [--due DURATION]",
		Short: "List packages that came, or that you sent",
		Long: `inbox lists packages, oldest first: those addressed to your agency, or with
--box outbox those that it sent. Nothing is opened, and nobody learns that you
looked but your own data-protection officer.

The states are delivered (not acknowledged yet), acknowledged, pending, blocked
and expired; for what you sent to several recipients also mixed. "mismatch" beside
it says that a recipient reported that the content is not what the manifest says.`,
		Example: `  liaison inbox --state delivered
  liaison inbox --due 8h
  liaison inbox --box outbox --limit 20
  liaison inbox --json | jq -r 'select(.state == "delivered") | .id'`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, _ []string) error {
			if query.Box != client.Inbox && query.Box != client.Outbox {
				return usageError(fmt.Errorf("--box %q", query.Box), "give inbox or outbox")
			}
			if limit < 0 || due < 0 {
				return usageError(errors.New("--limit and --due cannot be negative"), "leave them out to see everything")
			}
			if due > 0 {
				query.DueBefore = env.Now().Add(due)
			}
			return listPackages(ctx, env, c, query, limit)
		}),
	}
	profile.add(c)
	c.Flags().StringVar(&query.Box, "box", client.Inbox, "inbox or outbox")
	c.Flags().StringVar(&query.State, "state", "", "only packages in this state")
	c.Flags().StringVar(&query.After, "after", "", "go on after this cursor of the API")
	c.Flags().DurationVar(&due, "due", 0, "only packages that are due within this time, such as 8h")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many packages (default: all)")
	return c
}

func listPackages(ctx context.Context, env *environment, c *client.Client, query client.Query, limit int) error {
	if limit > 0 && limit < 200 {
		query.PageSize = limit
	}
	t := env.output().table("ID", "FROM", "TO", "TYPE", "STATE", "DUE")
	n := 0
	for d, err := range c.Packages(ctx, query) {
		if err != nil {
			return t.fail(err)
		}
		t.row(d, d.ID, d.From, strings.Join(d.To, ","), d.Type, stateWords(&d), d.DueAt)
		if n++; n == limit {
			break
		}
	}
	if n == 0 && !env.json && env.IsTerminal(env.Stdout) {
		fmt.Fprintln(env.Stderr, "no packages")
	}
	return t.flush()
}
