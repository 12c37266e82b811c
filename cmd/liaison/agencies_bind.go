package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newAgenciesBind(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	var certificate, issuer, role, name string
	c := &cobra.Command{
		Use:   "bind AGENCY --certificate FILE --role ROLE --name NAME --reason TEXT",
		Short: "Bind the key of a certificate without SPIFFE ID to an identity",
		Long: `bind says which identity of an agency the holder of a certificate's key has, for a
national PKI that cannot put SPIFFE IDs into its certificates. The certificate still
has to chain to the jurisdiction's anchors and to be for clients; a renewal by the
same authority for the same key needs no new binding.`,
		Example: `  liaison agencies bind lv/vp --certificate lv-card.pem --issuer lv-issuing-ca.pem --role unit --name desk-1 --reason "Letter of the State Police of 20 November"`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			b, err := readBinding(certificate, issuer)
			if err != nil {
				return err
			}
			b.Role, b.Name = role, name
			return askAdmission(ctx, env, c, args[0], &why, false, func(now *client.Admission) api.AdmissionRequest {
				next := slices.Clone(now.Bindings)
				if !slices.Contains(next, b) {
					next = append(next, b)
				}
				return api.AdmissionRequest{Roles: now.Roles, Suspended: now.Suspended, Bindings: next, Supervises: now.Supervises}
			})
		}),
	}
	profile.add(c)
	addReason(c, &why)
	addBinding(c, &certificate, &issuer)
	c.Flags().StringVar(&role, "role", certs.RoleUnit, "the identity's role")
	c.Flags().StringVar(&name, "name", "", "the last part of the identity, like desk-1")
	_ = c.MarkFlagRequired("name")
	return c
}

func newAgenciesUnbind(env *environment) *cobra.Command {
	var profile profileFlags
	var why officerFlags
	var certificate, issuer string
	c := &cobra.Command{
		Use:   "unbind AGENCY --certificate FILE --reason TEXT",
		Short: "End what bind said: the key's next request is refused",
		Long: `unbind takes an identity from the holder of a certificate's key. It holds at once and
needs no second operator; live connections are cut off.`,
		Example: `  liaison agencies unbind lv/vp --certificate lv-card.pem --issuer lv-issuing-ca.pem --reason "The card was reported lost, ticket 2026-902"`,
		Args:    cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			b, err := readBinding(certificate, issuer)
			if err != nil {
				return err
			}
			return askAdmission(ctx, env, c, args[0], &why, false, func(now *client.Admission) api.AdmissionRequest {
				rest := slices.DeleteFunc(slices.Clone(now.Bindings), func(x api.Binding) bool { return x.Key == b.Key && x.Issuer == b.Issuer })
				return api.AdmissionRequest{Roles: now.Roles, Suspended: now.Suspended, Bindings: rest, Supervises: now.Supervises}
			})
		}),
	}
	profile.add(c)
	addReason(c, &why)
	addBinding(c, &certificate, &issuer)
	return c
}

func addBinding(c *cobra.Command, certificate, issuer *string) {
	c.Flags().StringVar(certificate, "certificate", "", "the client's certificate, PEM; its issuer may follow it")
	c.Flags().StringVar(issuer, "issuer", "", "the certificate of its issuer, PEM, if it does not follow")
	_ = c.MarkFlagRequired("certificate")
}

// readBinding reads key and issuer of a binding from certificates.
func readBinding(certificate, issuer string) (b api.Binding, err error) {
	chain, err := certs.LoadChain(certificate)
	if err != nil {
		return b, err
	}
	if issuer != "" {
		above, err := certs.LoadChain(issuer)
		if err != nil {
			return b, err
		}
		chain = append(chain[:1], above...)
	}
	if len(chain) < 2 {
		return b, usageError(fmt.Errorf("%s has no issuer's certificate after the client's", certificate), "name it with --issuer")
	}
	if err := chain[0].CheckSignatureFrom(chain[1]); err != nil {
		return b, fmt.Errorf("%s is not signed by the issuer: %w", certificate, err)
	}
	return api.Binding{Issuer: certs.SPKISHA256(chain[1]), Key: certs.SPKISHA256(chain[0])}, nil
}

func bindingWords(b *strings.Builder, list []api.Binding) {
	for _, one := range list {
		fmt.Fprintf(b, "  bound: %s/%s has key %s of issuer %s\n", printable(one.Role), printable(one.Name), printable(one.Key), printable(one.Issuer))
	}
}
