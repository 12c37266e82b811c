package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func newPolicyBench(env *environment) *cobra.Command {
	d := &drafting{env: env}
	count := 1000
	c := &cobra.Command{
		Use:   "bench DIR [--count N]",
		Short: "Measure how long the rules take, and how near they are to the limit",
		Long: `bench asks each layer of a policy, and common, many times about an ordinary package
and about the largest that the schema allows: steps of evaluation (an exchange refuses
rules that take more than the limit), allocations, and times of one answer. An exchange
remembers answers, so that it is as slow as this only where nobody asked the same before.
Steps are the same on every machine; times are not.`,
		Example: `  liaison policy bench fi
  liaison policy bench fi --count 10000 --json | jq -r '[.layer, .package, .steps] | @tsv'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if count < 1 || count > 1_000_000 {
				return usageError(fmt.Errorf("--count %d", count), "give 1 to 1000000")
			}
			return d.bench(cmd, args[0], count)
		},
	}
	d.add(c)
	c.Flags().IntVar(&count, "count", count, "how often each layer is asked")
	return c
}

func (d *drafting) bench(cmd *cobra.Command, dir string, count int) error {
	desk, err := d.open(dir)
	if err != nil {
		return err
	}
	list, err := desk.Bench(cmd.Context(), count)
	if err != nil {
		return d.refusedPolicy(err, dir)
	}
	t := d.env.output().table("LAYER", "PACKAGE", "STEPS", "OF AT MOST", "ALLOCS", "P50", "P95", "P99")
	for _, m := range list {
		t.row(m, m.Layer, m.Package, strconv.Itoa(m.Steps), strconv.Itoa(m.MaxSteps), strconv.Itoa(m.Allocs),
			m.P50.Round(100*time.Nanosecond).String(), m.P95.Round(100*time.Nanosecond).String(), m.P99.Round(100*time.Nanosecond).String())
	}
	return t.flush()
}
