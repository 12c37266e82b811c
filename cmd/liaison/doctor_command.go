package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/cmd/liaison/doctor"
)

func newDoctor(env *environment) *cobra.Command {
	var profile profileFlags
	var config, witness string
	minFree := uint64(1024)
	c := &cobra.Command{
		Use:   "doctor [--profile DIR | --config FILE | --witness DIR]",
		Short: "Look at everything that must be right, and say how to mend what is not",
		Long: `doctor looks at a profile: modes of private files, certificates and how long they
last, anchors, revocation lists, keys and whether the exchange has them, the log's
key, the clock, disk space, and the connection to the exchange from end to end.
With --config it looks at an exchange, and at how old the cosignatures of its
witnesses are; with --witness at the directory of a witness of your own. It
changes nothing.

Each check is ok, a warning (it will become a fault) or a fault, with what to do now.
The exit code is 0 if there is no fault, else 1.`,
		Example: `  liaison doctor --profile ee-pbgb-unit
  liaison doctor --witness /var/lib/witness
  liaison doctor --config /etc/liaison/exchange.yaml --json | jq -r 'select(.state != "ok") | .fix'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config != "" && profile.dir != "" || witness != "" && config+profile.dir != "" {
				return usageError(errors.New("one of a profile, an exchange and a witness"), "give --profile, --config or --witness")
			}
			if witness != "" {
				return reportFindings(env, doctor.Witness(doctor.WitnessConfig{Dir: witness, MinFree: minFree << 20, Now: env.Now}))
			}
			if config != "" {
				return reportFindings(env, doctor.Exchange(cmd.Context(), doctor.ExchangeConfig{File: config, MinFree: minFree << 20, Now: env.Now}))
			}
			dir, err := profile.path(env)
			if err != nil {
				return err
			}
			return reportFindings(env, doctor.Profile(cmd.Context(), doctor.ProfileConfig{Dir: dir, MinFree: minFree << 20, Now: env.Now}))
		},
	}
	profile.add(c)
	c.Flags().StringVar(&config, "config", "", "configuration of an exchange, to look at that instead")
	c.Flags().StringVar(&witness, "witness", "", "directory of a witness, to look at that instead")
	_ = c.MarkFlagDirname("witness")
	c.Flags().Uint64Var(&minFree, "min-free", minFree, "MiB that should be free on the disk")
	_ = c.MarkFlagFilename("config", "yaml", "yml")
	return c
}

// reportFindings prints all, and fails if there is a fault.
func reportFindings(env *environment, found []doctor.Finding) error {
	for _, f := range found {
		text := fmt.Sprintf("%-8s %s: %s: %s", f.State, f.Check, printable(f.Subject), printable(f.Text))
		if f.Fix != "" {
			text += "\n" + strings.Repeat(" ", 9) + "fix: " + printable(f.Fix)
		}
		if err := env.output().value(f, text); err != nil {
			return err
		}
	}
	if n := doctor.Faults(found); n > 0 {
		return withFix(fmt.Errorf("faults: %d", n), "mend them in the order in which they stand, and run the doctor again")
	}
	return nil
}
