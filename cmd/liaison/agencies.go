package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newAgencies(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "agencies",
		Short: "Who takes part, and with which roles",
		Long: `agencies shows who takes part in the exchange. With the profile of an operator it
also admits agencies, suspends and readmits them and changes their roles.

What takes something away holds at once. What gives something waits until a second
operator runs the same command within 24 hours, unless the exchange is configured
with two_persons: false.

A national PKI that cannot put SPIFFE IDs into its certificates takes part by
bindings: bind says which identity the holder of a certificate's key has.`,
		Example: `  liaison agencies list
  liaison agencies suspend by/mia --reason "Their authority reports a stolen key, ticket 2026-881"`,
	}
	c.AddCommand(newAgenciesList(env), newAgenciesShow(env),
		newAgenciesSet(env, "admit AGENCY --role ROLE", "Admit an agency with some roles",
			"admit lets an agency take part that its jurisdiction declares, with the roles that its\nidentities may have. A second operator confirms it.", true,
			func(_ *client.Admission, roles []string) api.AdmissionRequest {
				return api.AdmissionRequest{Roles: roles}
			}),
		newAgenciesSet(env, "suspend AGENCY", "Suspend an agency: its next request is refused",
			"suspend holds at once and needs no second operator: live connections of the agency are\ncut off, what is on its way is refused, and nothing goes to it.", false,
			func(now *client.Admission, _ []string) api.AdmissionRequest {
				return api.AdmissionRequest{Roles: now.Roles, Suspended: true, Bindings: now.Bindings, Supervises: now.Supervises}
			}),
		newAgenciesSet(env, "readmit AGENCY", "End an agency's suspension",
			"readmit ends a suspension, with the roles as they are. A second operator confirms it.", false,
			func(now *client.Admission, _ []string) api.AdmissionRequest {
				return api.AdmissionRequest{Roles: now.Roles, Bindings: now.Bindings, Supervises: now.Supervises}
			}),
		newAgenciesSet(env, "roles AGENCY --role ROLE", "Set the roles that an agency's identities may have",
			"roles names all roles that the agency shall have. One that is missing is gone at once,\na new one waits for a second operator.", true,
			func(now *client.Admission, roles []string) api.AdmissionRequest {
				return api.AdmissionRequest{Roles: roles, Suspended: now.Suspended, Bindings: now.Bindings, Supervises: now.Supervises}
			}),
		newAgenciesBind(env), newAgenciesUnbind(env), newAgenciesSupervise(env))
	return c
}

func newAgenciesList(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the agencies of the exchange",
		Long: `list shows the directory of agencies as every party reads it: who takes part, of what
type, and whether it is suspended.`,
		Example: `  liaison agencies list --json | jq -r 'select(.status == "suspended") | .id'`,
		Args:    cobra.NoArgs,
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, _ []string) error {
			all, err := c.Agencies(ctx)
			if err != nil {
				return err
			}
			t := env.output().table("AGENCY", "STATUS", "TYPE", "NAME")
			for _, a := range all {
				t.row(a, a.ID, a.Status, a.Type, a.Name)
			}
			return t.flush()
		}),
	}
	profile.add(c)
	return c
}

func newAgenciesShow(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "show AGENCY",
		Short: "Show an operator an agency's roles, and what waits for a second operator",
		Long: `show tells an operator the roles and bindings that an agency has, whether it is
suspended, and what one operator asked for that waits for another.`,
		Example: `  liaison agencies show lv/vp --profile exchange-ops-operator`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			a, err := c.Admission(ctx, args[0])
			if err != nil {
				return err
			}
			return env.output().value(a.Admission, admissionWords(a))
		}),
	}
	profile.add(c)
	return c
}

// newAgenciesSet is a command that asks for an agency's standing. want makes
// it of what holds now and the roles of the flags.
func newAgenciesSet(env *environment, use, short, long string, takesRoles bool, want func(now *client.Admission, roles []string) api.AdmissionRequest) *cobra.Command {
	var profile profileFlags
	var roles []string
	var why officerFlags
	verb, _, _ := strings.Cut(use, " ")
	example := "  liaison agencies " + verb + ` lv/vp --reason "Decided by the board on 20 November, protocol 14"`
	if takesRoles {
		example = strings.Replace(example, " --reason", " --role unit --role dpo --reason", 1)
	}
	c := &cobra.Command{
		Use:     use + " --reason TEXT",
		Short:   short,
		Long:    long,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			return askAdmission(ctx, env, c, args[0], &why, verb == "admit", func(now *client.Admission) api.AdmissionRequest { return want(now, roles) })
		}),
	}
	profile.add(c)
	addReason(c, &why)
	if takesRoles {
		c.Flags().StringArrayVar(&roles, "role", nil, "unit, dpo, policy or supervisor; repeat for more")
	}
	return c
}

// addReason adds the flag that says why an operator acts.
func addReason(c *cobra.Command, why *officerFlags) {
	c.Flags().StringVar(&why.reason, "reason", "", "why, in 20 to 500 characters; it is recorded")
}

// askAdmission asks for the standing that want makes of what holds now, of
// nothing if the agency is new, and shows what came of it.
func askAdmission(ctx context.Context, env *environment, c *client.Client, agency string, why *officerFlags, isNew bool, want func(now *client.Admission) api.AdmissionRequest) error {
	if err := why.needReason(); err != nil {
		return err
	}
	now := &client.Admission{}
	if !isNew {
		var err error
		if now, err = c.Admission(ctx, agency); err != nil {
			return err
		}
	}
	request := want(now)
	request.Reason = why.reason
	set, err := c.SetAdmission(ctx, agency, request)
	if err != nil {
		return err
	}
	return env.output().value(set.Admission, admissionWords(set))
}

// admissionWords tell what holds and what waits.
func admissionWords(a *client.Admission) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", printable(a.Agency), standingWords(a.Roles, a.Suspended))
	bindingWords(&b, a.Bindings)
	supervisionWords(&b, a.Supervises)
	if p := a.Proposal; p != nil {
		fmt.Fprintf(&b, "awaits a second operator: %s\n", printable(standingWords(p.Roles, p.Suspended)))
		bindingWords(&b, p.Bindings)
		supervisionWords(&b, p.Supervises)
		fmt.Fprintf(&b, "  asked for by %s: %s\n", printable(p.By), printable(p.Reason))
		fmt.Fprintf(&b, "  another operator runs the same command before %s\n", printable(p.Expires))
	}
	return b.String()
}

func standingWords(roles []string, suspended bool) string {
	words := "active"
	if suspended {
		words = "suspended"
	}
	if len(roles) == 0 {
		return words + ", no roles"
	}
	return words + ", roles " + strings.Join(roles, ", ")
}
