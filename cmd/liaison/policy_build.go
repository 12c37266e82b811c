package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/policy"
)

func newPolicyBuild(env *environment) *cobra.Command {
	var profile profileFlags
	var out, status string
	var seq int64
	c := &cobra.Command{
		Use:   "build DIR -o FILE --seq N",
		Short: "Pack and sign a directory of policy as one file",
		Long: `build makes of a directory the one file that an exchange takes: an OPA bundle (.tar.gz)
signed with policy.jwk of the profile. "liaison policy push" makes it by itself; build
is for policies that come to the exchange as files: the operator lays the file into the
directory that "policies" of its configuration names, as <jurisdiction>.tar.gz. Your
signature and the operator's hand are two persons.

The seq must be above that of what is in force. build does not check the rules: run
"liaison policy check" first.`,
		Example: `  liaison policy build fi -o fi.tar.gz --seq 1 --status authoritative --profile fi-krp-policy`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" || seq < 1 {
				return usageError(errors.New("where to, and which seq?"), "give -o FILE and --seq N, a number above that of what is in force")
			}
			b, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			key, err := policyKeyOf(env, &profile)
			if err != nil {
				return err
			}
			b.Seq, b.Status = seq, status
			raw, err := b.Pack(key.Signer())
			if errors.Is(err, policy.ErrBundle) {
				return usageError(err, policyDirectory)
			}
			if err != nil {
				return err
			}
			if err := certs.WritePublic(out, raw); err != nil {
				return err
			}
			made := struct {
				File         string `json:"file"`
				Jurisdiction string `json:"jurisdiction"`
				Seq          int64  `json:"seq"`
				Status       string `json:"status"`
				Kid          string `json:"kid"`
			}{out, b.Jurisdiction, b.Seq, b.Status, key.Kid()}
			return env.output().value(made, fmt.Sprintf("%s: policy of %s, seq %d, status %s, signed with key %s", printable(out), b.Jurisdiction, b.Seq, b.Status, key.Kid()))
		},
	}
	profile.add(c)
	c.Flags().StringVarP(&out, "output", "o", "", "file to write")
	c.Flags().Int64Var(&seq, "seq", 0, "number of this state of the policy, above that of what is in force")
	c.Flags().StringVar(&status, "status", policy.Sample, "sample or authoritative")
	return c
}
