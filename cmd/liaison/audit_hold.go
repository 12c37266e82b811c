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

func newAuditHold(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "hold",
		Short: "Keep records of your agency from being erased",
		Long: `A hold keeps records from being erased, by their time and by order, while a court,
an authority or an inspection still needs them. It covers what your agency has: its
own entries, and packages that it sent. What another agency has of the same package
is that agency's.`,
		Example: `  liaison audit hold add --case EE-2026-0117 --reason "Complaint before the court, 2026-117"
  liaison audit hold list --reason "Quarterly look at holds"
  liaison audit hold release 3f1c2a4b-… --reason "The court has decided, 2026-117"`,
	}
	c.AddCommand(newHoldAdd(env), newHoldList(env), newHoldRelease(env))
	return c
}

// holdScopes are the flags that say what a hold covers.
type holdScopes struct {
	pkg, caseRef, from, to, query string
	all                           bool
}

func (s *holdScopes) request() (api.HoldRequest, error) {
	switch {
	case s.pkg != "":
		return api.HoldRequest{Scope: "package", Value: s.pkg}, nil
	case s.caseRef != "":
		return api.HoldRequest{Scope: "case", Value: s.caseRef}, nil
	case s.query != "":
		return api.HoldRequest{Scope: "query", Value: s.query}, nil
	case s.all:
		return api.HoldRequest{Scope: "all"}, nil
	}
	from, err1 := time.Parse(time.DateOnly, s.from)
	to, err2 := time.Parse(time.DateOnly, s.to)
	if err := errors.Join(err1, err2); err != nil || to.Before(from) {
		return api.HoldRequest{}, usageError(errors.New("no scope, or not a period"), "give --package, --case, --query, --all, or --from and --to with days as 2026-03-01")
	}
	return api.HoldRequest{Scope: "period", Begin: from.Format(time.RFC3339), End: to.Add(24 * time.Hour).Format(time.RFC3339)}, nil
}

func newHoldAdd(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	var scopes holdScopes
	c := &cobra.Command{
		Use:   "add (--package ID | --case REF | --from DAY --to DAY | --query QUERY | --all) --reason TEXT",
		Short: "Make a hold",
		Long: `add makes a hold on a package and the entries about it, on all that bears a case
reference, on all of some days, both included, or on everything of your agency.`,
		Example: `  liaison audit hold add --case EE-2026-0117 --reason "Complaint before the court, 2026-117"
  liaison audit hold add --from 2026-03-01 --to 2026-03-31 --reason "Inspection of March by the authority"`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, _ []string) error {
			if err := why.needReason(); err != nil {
				return err
			}
			want, err := scopes.request()
			if err != nil {
				return err
			}
			want.Reason = why.reason
			set, err := c.AddHold(ctx, want)
			if err != nil {
				return err
			}
			return env.output().value(set.Hold, fmt.Sprintf("Hold %s: %s is kept until you release it.\n", set.ID, covers(set.Hold)))
		}),
	}
	profile.add(c)
	addReason(c, &why)
	f := c.Flags()
	f.StringVar(&scopes.pkg, "package", "", "a package, and the entries about it")
	f.StringVar(&scopes.caseRef, "case", "", "what bears this case reference")
	f.StringVar(&scopes.from, "from", "", "what became true from this day on, as 2026-03-01")
	f.StringVar(&scopes.to, "to", "", "and until the end of this one")
	f.StringVar(&scopes.query, "query", "", "what this query matches, as audit search takes it")
	f.BoolVar(&scopes.all, "all", false, "everything of your agency")
	c.MarkFlagsMutuallyExclusive("package", "case", "from", "query", "all")
	c.MarkFlagsRequiredTogether("from", "to")
	return c
}

// covers says in words what a hold keeps.
func covers(h api.Hold) string {
	switch h.Scope {
	case "package":
		return "package " + printable(h.Value)
	case "query":
		return "what matches " + printable(h.Value)
	case "case":
		return "case " + printable(h.Value)
	case "period":
		return "what became true from " + printable(h.Begin) + " to " + printable(h.End)
	case "all":
		return "everything"
	}
	return printable(h.Scope + " " + h.Value)
}

func newHoldList(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	c := &cobra.Command{
		Use:     "list --reason TEXT",
		Short:   "List the holds that hold",
		Long:    `list shows what must not be erased now, newest first.`,
		Example: `  liaison audit hold list --reason "Quarterly look at holds"`,
		Args:    cobra.NoArgs,
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, _ []string) error {
			if err := why.needReason(); err != nil {
				return err
			}
			opened, err := c.Consult(ctx, client.ConsultInput{Officer: why.officer, Reason: why.reason})
			if err != nil {
				return err
			}
			all, err := c.Holds(ctx, opened.ID)
			if err != nil {
				return err
			}
			t := env.output().table("HOLD", "KEEPS", "SINCE", "BY", "WHY")
			for _, h := range all {
				t.row(h, h.ID, covers(h), h.Since, h.By, h.Reason)
			}
			return t.flush()
		}),
	}
	profile.add(c)
	why.add(c)
	return c
}

func newHoldRelease(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	c := &cobra.Command{
		Use:     "release HOLD --reason TEXT",
		Short:   "Release a hold",
		Long:    `release ends a hold. What is overdue by then is erased soon after.`,
		Example: `  liaison audit hold release 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --reason "The court has decided, 2026-117"`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			if err := why.needReason(); err != nil {
				return err
			}
			set, err := c.ReleaseHold(ctx, args[0], why.reason)
			if err != nil {
				return err
			}
			return env.output().value(set.Hold, fmt.Sprintf("Hold %s is released: %s is erased when its time comes, or has come.\n", set.ID, covers(set.Hold)))
		}),
	}
	profile.add(c)
	addReason(c, &why)
	return c
}
