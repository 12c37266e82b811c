package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/policy"
)

// newDirectory is what the flags of policy new say.
type newDirectory struct {
	drafting
	archetype string
	profile   profileFlags
}

func newPolicyNew(env *environment) *cobra.Command {
	b := &newDirectory{drafting: drafting{env: env}}
	c := &cobra.Command{
		Use:   "new JURISDICTION [DIR]",
		Short: "Begin a policy: a directory with a declaration, rules and tests that pass",
		Long: `new makes an author's directory (by default named like the jurisdiction) that can be
checked, tested and brought to an exchange as it is. Its rules stand on an archetype of
the common library, and add one rule of their own as an example. With --profile it
begins with what the jurisdiction declares on the exchange already.

Archetypes:
  led_state                   a state bound by Directive (EU) 2016/680
  adequate_state              a third state with an adequacy decision (LED 36)
  treaty_state                a third state with a binding agreement (LED 37(1)(a))
  third_state                 any other third state
  eu_agency                   an agency such as Europol
  international_organisation  such as INTERPOL
  advisory_mission            gives advice, and handles no data of persons`,
		Example: `  liaison policy new fi
  liaison policy new fi --profile fi-krp-policy
  liaison policy new ge georgia --archetype third_state`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return b.run(cmd, args) },
	}
	b.add(c)
	b.profile.add(c)
	c.Flags().StringVar(&b.archetype, "archetype", "led_state", "what kind of jurisdiction it is")
	_ = c.RegisterFlagCompletionFunc("archetype", cobra.FixedCompletions(policy.Archetypes(policy.Samples()), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// madePolicy is what new --json prints.
type madePolicy struct {
	Jurisdiction string   `json:"jurisdiction"`
	Dir          string   `json:"dir"`
	Files        []string `json:"files"`
}

// declared is what the jurisdiction declares on the exchange, as it is written
// there; nil without a profile.
func (b *newDirectory) declared(cmd *cobra.Command, jurisdiction string) (found []byte, err error) {
	if b.profile.dir == "" {
		return nil, nil
	}
	ask := withClient(b.env, &b.profile, func(ctx context.Context, c *client.Client, _ []string) error {
		now, err := c.Policy(ctx, jurisdiction)
		if err != nil {
			return notYours(err, jurisdiction)
		}
		found = []byte(now.Files["declared.json"])
		return nil
	})
	return found, ask(cmd, nil)
}

func (b *newDirectory) run(cmd *cobra.Command, args []string) error {
	dir := args[len(args)-1]
	in, err := b.inputs()
	if err != nil {
		return err
	}
	declared, err := b.declared(cmd, args[0])
	if err != nil {
		return err
	}
	files, err := policy.Begin(policy.Start{Jurisdiction: args[0], Archetype: b.archetype, Declared: declared}, in)
	if err != nil {
		return usageError(err, "see liaison policy new --help")
	}
	d, err := policy.ParseDeclared(files["declared.json"])
	if err != nil {
		return err
	}
	if err := writePolicy(dir, files); err != nil {
		return err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, filepath.Join(dir, name))
	}
	slices.Sort(names)
	return b.env.output().value(madePolicy{args[0], dir, names}, b.next(d.ContactPoint, dir, names))
}

// writePolicy writes files into a directory that has none of them: nothing of an author is ever written over.
func writePolicy(dir string, files map[string][]byte) error {
	there, err := os.ReadDir(dir)
	switch {
	case err == nil && len(there) > 0:
		return withFix(fmt.Errorf("%s is there and not empty", dir), "name another directory: liaison policy new JURISDICTION DIR")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// next says what was made and what comes now, for the agency that is asked
// first.
func (b *newDirectory) next(agency, dir string, names []string) string {
	j, _, _ := strings.Cut(agency, "/")
	partner := "ee/pbgb"
	if j == "ee" {
		partner = "lv/vp"
	}
	return fmt.Sprintf(`A policy of %s stands in %s:
  %s

Next:
  1. correct %s: name, languages, agencies, laws
  2. liaison policy check %s
  3. liaison policy test %s --coverage
  4. write your rules, each with a test, and look again
  5. liaison policy eval %s --from %s --to %s   what would be decided
  6. liaison policy push %s --profile %s   bring it to the exchange
`, j, dir, strings.Join(names, "\n  "), filepath.Join(dir, "declared.json"), dir, dir, dir, agency, partner, dir, cmp.Or(b.profile.dir, "PROFILE"))
}
