package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newAgenciesSupervise(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	var of []string
	c := &cobra.Command{
		Use:   "supervise AGENCY --of OWNER --reason TEXT",
		Short: "Set whose logs the supervisors of an agency may read",
		Long: `supervise names all agencies whose audit logs the supervisors of an agency may read
besides their own. What is missing ends at once, what is new waits for a second
operator. Both sides find the grant and its end in their logs, and every reading
is an entry of the reader. Without --of it ends for all.`,
		Example: `  liaison agencies supervise ee/dpi --of ee/pbgb --reason "Act on the Data Protection Inspectorate, letter of 20 November"`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			return askAdmission(ctx, env, c, args[0], &why, false, func(now *client.Admission) api.AdmissionRequest {
				return api.AdmissionRequest{Roles: now.Roles, Suspended: now.Suspended, Bindings: now.Bindings, Supervises: of}
			})
		}),
	}
	profile.add(c)
	addReason(c, &why)
	c.Flags().StringArrayVar(&of, "of", nil, "an agency whose log may be read; repeat for more")
	return c
}

func supervisionWords(b *strings.Builder, owners []string) {
	if len(owners) > 0 {
		fmt.Fprintf(b, "  its supervisors may read the logs of %s\n", printable(strings.Join(owners, ", ")))
	}
}
