package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/policy"
)

func newPolicyShadow(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "shadow",
		Short: "Let a draft run beside the rules in force, and see what would be others",
		Long: `shadow puts a draft of your jurisdiction beside the rules in force. From then on the
exchange decides by the draft too what it decided, after the answer has left its hands, and
counts and lists where the draft says otherwise. Nobody is refused anything and nothing goes
because of it, and nobody else sees it. It looks at what your jurisdiction sends or asks,
and at what reached it.

It ends with "stop", after 30 days, and when your policy comes into force anew. It is held
in the memory of the exchange: a restart ends it, and what it counted is gone. "replay"
tries a draft on what was decided in the past.`,
		Example: `  liaison policy shadow start fi --profile fi-krp-policy
  liaison policy shadow status --profile fi-krp-policy
  liaison policy shadow stop --profile fi-krp-policy`,
	}
	c.AddCommand(newShadowStart(env), newShadowStatus(env), newShadowStop(env))
	return c
}

func newShadowStart(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "start DIR",
		Short: "Put a draft beside the rules in force",
		Long: `start brings the draft in DIR to the exchange, unsigned, and puts it beside the rules in
force. It is built and tested first, as by a push. It takes the place of the draft that
ran before it, whose counts are gone; "stop" shows them for the last time.`,
		Example: `  liaison policy shadow start fi --profile fi-krp-policy`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			b, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			b.Seq, b.Status = 1, policy.Sample // of a draft, which comes into force nowhere
			raw, err := b.Pack(nil)
			if err != nil {
				return err
			}
			got, err := c.StartShadow(ctx, b.Jurisdiction, raw)
			if errors.Is(err, api.NotFound) {
				return withFix(err, "a draft of "+b.Jurisdiction+" is for the policy authors of "+b.Jurisdiction+" alone")
			}
			if err != nil {
				return (&pushing{env: env}).refused(err, args[0])
			}
			return env.output().value(got.Shadow, fmt.Sprintf("%s: the draft runs beside the rules in force until %s\nlook at it: liaison policy shadow status", got.Jurisdiction, got.Until))
		}),
	}
	profile.add(c)
	return c
}

func newShadowStatus(env *environment) *cobra.Command {
	return shadowLook(env, &cobra.Command{
		Use:   "status",
		Short: "Show where the draft says otherwise",
		Long: `status shows how many decisions the draft was compared with, what would be others, by
kind and rule, and the newest of them. One that ended by itself is shown until the next
one starts.`,
		Example: `  liaison policy shadow status --profile fi-krp-policy
  liaison policy shadow status --limit 1000 --json | jq -c '.differences[]'`,
	}, (*client.Client).Shadow)
}

func newShadowStop(env *environment) *cobra.Command {
	return shadowLook(env, &cobra.Command{
		Use:     "stop",
		Short:   "End the draft's run, and show what it came to",
		Long:    `stop ends the run of the draft and shows for the last time what "status" shows.`,
		Example: `  liaison policy shadow stop --profile fi-krp-policy`,
	}, (*client.Client).StopShadow)
}

// shadowLook makes a command of a call that shows the shadow of the profile's
// jurisdiction.
func shadowLook(env *environment, c *cobra.Command, look func(*client.Client, context.Context, string, int) (*client.Shadow, error)) *cobra.Command {
	var profile profileFlags
	var limit int
	c.Args = cobra.NoArgs
	c.RunE = withClient(env, &profile, func(ctx context.Context, cl *client.Client, _ []string) error {
		if limit < 1 || limit > 1000 {
			return usageError(fmt.Errorf("--limit %d is not from 1 to 1000", limit), "leave it out to see 20")
		}
		j, _, err := certs.ParseAgencyID(cl.Agency())
		if err != nil {
			return err
		}
		got, err := look(cl, ctx, j, limit)
		if errors.Is(err, api.NotFound) {
			return withFix(err, "no draft of "+j+" runs beside the rules in force; start one: liaison policy shadow start DIR")
		}
		if err != nil {
			return err
		}
		return env.output().value(got.Shadow, shadowWords(&got.Shadow))
	})
	profile.add(c)
	c.Flags().IntVar(&limit, "limit", 20, "how many of the newest differences")
	return c
}

func shadowWords(s *api.Shadow) string {
	var b strings.Builder
	changed := 0
	for _, n := range s.Changes {
		changed += n
	}
	switch s.Ended {
	case "":
		fmt.Fprintf(&b, "%s: a draft runs since %s, until %s\n", s.Jurisdiction, s.Since, s.Until)
	case "activated":
		fmt.Fprintf(&b, "%s: a draft ran since %s, and ended %s: the policy of %s came into force anew\n", s.Jurisdiction, s.Since, s.EndedAt, s.Jurisdiction)
	case "lapsed":
		fmt.Fprintf(&b, "%s: a draft ran since %s, and ended %s: its 30 days were over\n", s.Jurisdiction, s.Since, s.EndedAt)
	default:
		fmt.Fprintf(&b, "%s: a draft ran since %s, and ended %s: it does not build beside what came into force of others; liaison policy check says why\n", s.Jurisdiction, s.Since, s.EndedAt)
	}
	fmt.Fprintf(&b, "%d decisions compared: %d would be others, %d the same\n", s.Compared, changed, s.Same)
	if s.Dropped > 0 {
		fmt.Fprintf(&b, "%d more were not compared: too many came at once, or rules changed meanwhile\n", s.Dropped)
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, "%d more were not compared: the draft gave no answer in time\n", s.Failed)
	}
	for _, k := range changeOrder {
		if s.Changes[k.kind] > 0 {
			fmt.Fprintf(&b, "\n%s  %d\n", k.words, s.Changes[k.kind])
			writeCounts(&b, "by rule", s.Rules[k.kind])
		}
	}
	if len(s.Differences) > 0 {
		b.WriteString("\nnewest first:\n")
	}
	for i := range s.Differences {
		b.WriteString(changedWords(&s.Differences[i]))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
