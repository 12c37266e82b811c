package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/client"
)

func newKeys(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Whose keys are whose",
		Long:  "Keys sign packages and encrypt content. They come from the exchange's directory; whether to believe them is decided by the anchors in your profile.",
		Example: `  liaison keys list lv/vp
  liaison keys rotate --use sig`,
	}
	c.AddCommand(newKeysList(env), newKeysPublish(env), newKeysRotate(env), newKeysRetire(env), newKeysExport(env))
	return c
}

// keyJSON is what keys list prints with --json.
type keyJSON struct {
	Agency   string `json:"agency"`
	Kid      string `json:"kid"`
	Use      string `json:"use"`
	Alg      string `json:"alg"`
	Identity string `json:"identity,omitempty"`
	NotAfter string `json:"not_after,omitempty"`
	Verified bool   `json:"verified"`
	Unlisted bool   `json:"unlisted,omitempty"` // the profile has no revocation list of the jurisdiction
	Error    string `json:"error,omitempty"`
}

func newKeysList(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "list [AGENCY]",
		Short: "List the keys of an agency, or of all, and verify them against your anchors",
		Long: `list shows the keys in use, as the exchange's directory has them, and holds each
against the anchors that your profile pins. The exchange is not asked whether a
key is genuine: a key that your anchors do not vouch for is never used. Whether a
key was revoked is known from the list beside the anchors, anchors/<j>.crl; where
your profile has none, the table says so.

With AGENCY, a key that does not verify has the exit code 5.`,
		Example: `  liaison keys list
  liaison keys list lv/vp --json | jq -r 'select(.verified | not) | .error'`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			agencies := args
			if len(args) == 0 {
				all, err := c.Agencies(ctx)
				if err != nil {
					return err
				}
				for _, a := range all {
					agencies = append(agencies, a.ID)
				}
			}
			refusals, err := listKeys(ctx, env, c, agencies)
			if err == nil && len(args) > 0 {
				err = errors.Join(refusals...)
			}
			return err
		}),
	}
	profile.add(c)
	return c
}

// listKeys prints keys and returns what did not verify.
func listKeys(ctx context.Context, env *environment, c *client.Client, agencies []string) (refusals []error, err error) {
	t := env.output().table("AGENCY", "USE", "KEY", "NAME", "UNTIL", "VERIFIED")
	for _, agency := range agencies {
		keys, err := c.Keys(ctx, agency)
		if err != nil {
			return nil, t.fail(fmt.Errorf("keys of %s: %w", agency, err))
		}
		for _, k := range keys {
			row := keyJSON{Agency: agency, Kid: k.Kid(), Use: string(k.Use()), Alg: k.Alg(), Verified: k.Err == nil, Unlisted: k.Unlisted}
			if k.Identity.Name != "" {
				row.Identity = k.Identity.String()
			}
			if !k.NotAfter.IsZero() {
				row.NotAfter = k.NotAfter.UTC().Format(time.RFC3339)
			}
			verdict := "yes"
			if k.Unlisted {
				verdict = "yes, but no revocation list in the profile"
			}
			if k.Err != nil {
				row.Error = k.Err.Error()
				verdict = "NO: " + row.Error
				refusals = append(refusals, k.Err)
			}
			t.row(row, agency, row.Use, row.Kid, k.Identity.Name, row.NotAfter, verdict)
		}
	}
	return refusals, t.flush()
}
