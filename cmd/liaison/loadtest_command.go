package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/cmd/liaison/loadtest"
)

func newLoadtest(env *environment) *cobra.Command {
	var p profileFlags
	var o loadtest.Options
	c := &cobra.Command{
		Use:   "loadtest",
		Short: "Measure a running exchange, and check that it kept every promise",
		Long: `loadtest posts generated packages as the unit of a profile, each client waiting
for its answer before it posts again; with --rate no sooner than its turn comes,
and the latency counts from then. Packages are sealed before the clock
starts. At the end it looks for every package that was answered with 201: its
receipt must verify, the outbox must have it, and where the profile of the
agency's data-protection officer lies beside the unit's, the log must hold it
and have no gap.

In a demo --profile alone is enough. Do not run it against an exchange that
carries real packages: what it sends is delivered.`,
		Example: `  liaison loadtest --profile demo-data/profiles/ee-pbgb-unit
  liaison loadtest --profile demo-data/profiles/ee-pbgb-unit --clients 64 --packages 20000
  liaison loadtest --profile demo-data/profiles/ee-pbgb-unit --rate 100 --packages 1000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Rate < 0 {
				return usageError(fmt.Errorf("--rate %d", o.Rate), "give a number from 1, or leave it out")
			}
			if o.Profile, err = p.path(env); err != nil {
				return err
			}
			o.Progress = loadProgress(env)
			r, err := loadtest.Run(c.Context(), o)
			if err != nil {
				return err
			}
			if err := env.output().value(r, loadReport(r)); err != nil {
				return err
			}
			return r.Failed()
		},
	}
	p.add(c)
	c.Flags().IntVar(&o.Clients, "clients", 16, "how many post at the same time")
	c.Flags().IntVar(&o.Packages, "packages", 2000, "how many to post")
	c.Flags().IntVar(&o.Rate, "rate", 0, "how many to post a second (default: as fast as the answers come)")
	c.Flags().IntVar(&o.Size, "size", 4096, "bytes of each message")
	c.Flags().DurationVar(&o.Duration, "duration", 0, "the longest that posting may take (default 15s)")
	c.Flags().StringArrayVar(&o.To, "to", nil, "recipient, may be repeated (default: what the sample policies permit)")
	c.Flags().StringVar(&o.DPO, "dpo-profile", "", "profile of the data-protection officer (default: the one beside the unit's)")
	c.Flags().StringVar(&o.Admin, "admin", "", "URL of the admin listener, for the server's CPU (default: the demo's)")
	return c
}

// loadProgress shows a bar for each stage on a terminal, and nothing anywhere
// else. It is called from many goroutines.
func loadProgress(env *environment) func(string, int, int) {
	if env.json || !env.IsTerminal(env.Stderr) {
		return nil
	}
	var mu sync.Mutex
	bars := map[string]*progressbar.ProgressBar{}
	return func(stage string, _, total int) {
		mu.Lock()
		defer mu.Unlock()
		if bars[stage] == nil {
			bars[stage] = progressbar.NewOptions(total, progressbar.OptionSetWriter(env.Stderr),
				progressbar.OptionSetDescription(stage), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		}
		_ = bars[stage].Add(1) // a bar that cannot be drawn is no failure
	}
}

// loadReport is the result in words.
func loadReport(r *loadtest.Result) string {
	s := fmt.Sprintf("%d clients, %d packages to %v in %.1f s: %.0f a second\nlatency p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
		r.Clients, r.Posted, r.To, r.Seconds, r.PerSecond, r.P50, r.P99, r.Max)
	if r.CPU > 0 {
		s += fmt.Sprintf("server CPU %.0f µs a package\n", r.CPU)
	}
	for kind, n := range r.Refused {
		s += fmt.Sprintf("refused %d: %s\n", n, kind)
	}
	for _, id := range r.LostOrLied {
		s += "lost: " + id + "\n"
	}
	return s + fmt.Sprintf("accepted %d, found %d, gaps %d (checked: %s)", r.Accepted, r.Found, r.Gaps, r.Checked)
}
