package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// mismatchJSON is what mismatch prints with --json.
type mismatchJSON struct {
	ID      string `json:"id"`
	Code    string `json:"code"`
	Receipt string `json:"receipt"`
}

func newMismatch(env *environment) *cobra.Command {
	var profile profileFlags
	var code string
	c := &cobra.Command{
		Use:   "mismatch ID --code CODE",
		Short: "Report that a package's content is not what its manifest says",
		Long: `The exchange and its policy see the manifest of a package, never its content. Who
opens it is the first who can tell that the two do not agree: mismatch says so. The
sender sees it at the package (show, inbox), and both agencies' data-protection
officers find it in their logs, for the codes decide what a package was allowed by.

Open the package first. The report changes nothing of it, and no country's rules
can stop it: what becomes of the data (a correction, an erasure, a restriction) is
said in messages between you and the sender. There is no free text, so that nothing
of the content leaves it. The same code again is answered with the first receipt;
a second thing that differs is a second report. The codes:

` + mismatchHelp(),
		Example: `  liaison mismatch 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --code subjects
  liaison mismatch 0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d --code minors --json | jq -r .receipt > report.txt`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			if !slices.Contains(envelope.MismatchCodes(), code) {
				return usageError(fmt.Errorf("--code %q is none", code), "give one of "+strings.Join(envelope.MismatchCodes(), ", "))
			}
			receipt, err := c.ReportMismatch(ctx, args[0], code)
			if err != nil {
				return err
			}
			e := receipt.Entry
			return env.output().value(mismatchJSON{args[0], code, receipt.Text}, fmt.Sprintf("reported to %s: package %s, %s: %s\nentry %d of %s, %s",
				printable(e.From), args[0], code, mismatchText(code), e.Seq, printable(e.Owner), e.Time))
		}),
	}
	profile.add(c)
	c.Flags().StringVar(&code, "code", "", "what differs")
	_ = c.MarkFlagRequired("code") // fails only for a flag that is not declared
	_ = c.RegisterFlagCompletionFunc("code", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return envelope.MismatchCodes(), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

func mismatchHelp() string {
	var b strings.Builder
	for _, m := range envelope.Mismatches() {
		fmt.Fprintf(&b, "  %-19s %s\n", m.Code, m.Text)
	}
	return b.String()
}

// mismatchText says a code in words; one that this program does not know is
// its own.
func mismatchText(code string) string {
	for _, m := range envelope.Mismatches() {
		if m.Code == code {
			return m.Text
		}
	}
	return code
}

// stateWords is a package's state for a table, with what was reported of it.
func stateWords(d *api.Descriptor) string {
	for _, o := range d.Outcomes {
		if len(o.Mismatches) > 0 {
			return d.State + ", mismatch"
		}
	}
	return d.State
}

func newAuditMismatches(env *environment) *cobra.Command {
	s := &searching{env: env, limit: 1000, top: 20}
	c := &cobra.Command{
		Use:   "mismatches --reason TEXT",
		Short: "List packages whose content was reported not to be what the manifest says",
		Long: `mismatches counts and lists what your agency reported of packages that it opened
(package.mismatch), and what recipients reported of those that it sent
(package.mismatched). Policy decided these packages by a manifest that was wrong:
look at each with the unit, and see that a correction follows.
"audit statistics mismatches" counts them by agency and code, and says how many were
corrected.`,
		Example: `  liaison audit mismatches --since 30d --reason "Monthly look at mismatches"`,
		Args:    cobra.NoArgs,
		RunE: withClient(env, &s.profileFlags, func(ctx context.Context, c *client.Client, _ []string) error {
			s.facets = []string{"action", "counterpart", "code"}
			return s.run(ctx, c, []string{"outcome:reported (action:package.mismatch OR action:package.mismatched)"})
		}),
	}
	s.addPreset(c)
	return c
}
