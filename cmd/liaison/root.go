package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// group is a heading of the help and the commands that stand under it.
type group struct {
	id, title string
	commands  []*cobra.Command
}

// groups is the table of all commands: a new command is one line here and a
// file of its own. Groups without commands are not shown.
func groups(env *environment) []group {
	return []group{
		{"exchange", "Send and receive:", []*cobra.Command{newSend(env), newInbox(env), newShow(env), newOpen(env), newMismatch(env)}},
		{"proof", "Prove and review:", []*cobra.Command{newReceipt(env), newAudit(env), newWitness(env)}},
		{"policy", "Write policy:", []*cobra.Command{newPolicy(env)}},
		{"identity", "Keys and certificates:", []*cobra.Command{newInit(env), newCerts(env), newKeys(env), newSubjects(env)}},
		{"operate", "Run an exchange:", []*cobra.Command{
			newDemo(env), newServe(env), newBackup(env), newRestore(env), newDoctor(env), newAgencies(env), newLimits(env), newLoadtest(env), newVersion(env),
		}},
	}
}

// newRoot returns the command line of liaison, ready to be executed once.
func newRoot(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "liaison",
		Short: "Exchange police intelligence, each country by its own rules",
		Long: `Liaison exchanges police intelligence between agencies. Packages are signed and
end-to-end encrypted; each country's own policy decides whether a package may
go; every action leaves a receipt that verifies offline.

Exit codes:
` + exitCodeHelp() + `
Environment:
  LIAISON_PROFILE  directory of the profile, where --profile is not given
  NO_COLOR         if set to anything, no colours`,
		Example: `  liaison version --json
  liaison completion bash > /etc/bash_completion.d/liaison`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(wrongFlag)
	root.PersistentFlags().BoolVar(&env.json, "json", false, "print one JSON value per line")
	addGroups(root, groups(env))
	return root
}

func addGroups(root *cobra.Command, table []group) {
	for _, g := range table {
		if len(g.commands) == 0 {
			continue
		}
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
}

// run runs one command line and returns the exit code of the process.
func run(ctx context.Context, env *environment, args []string) int {
	err := execute(ctx, newRoot(env), args)
	if err != nil {
		env.json = env.json || slices.Contains(args, "--json") // an unknown command leaves flags unparsed
		report(env, err)
	}
	return exitCode(err)
}

// execute runs args. What fails before a command's own code has begun is the
// caller's mistake: a usage error.
func execute(ctx context.Context, root *cobra.Command, args []string) error {
	begun := false
	prepare(root, &begun)
	root.SetArgs(append([]string{}, args...)) // never nil: cobra would read os.Args
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !begun {
		return usageError(err, fmt.Sprintf("see %s --help", cmd.CommandPath()))
	}
	return err
}

// prepare walks the tree of commands: it notes in begun that a command's own
// code runs, and makes groups refuse a word that is no command of theirs,
// which cobra does for the root alone.
func prepare(c *cobra.Command, begun *bool) {
	if c.HasParent() && c.HasSubCommands() && !c.Runnable() {
		c.Args, c.RunE = noSuchCommand, showHelp
	}
	if c.HasParent() && !c.HasSubCommands() && c.Args != nil && c.Args(c, nil) == nil && c.Args(c, []string{""}) != nil {
		c.Args = noArguments // cobra's own speaks of an unknown command
	}
	if own := c.RunE; own != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			*begun = true
			return own(cmd, args)
		}
	}
	for _, sub := range c.Commands() {
		prepare(sub, begun)
	}
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes flags only, and got %q", c.CommandPath(), args[0])
}

// wrongFlag names the flag that may be meant.
func wrongFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	names := &cobra.Command{SuggestionsMinimumDistance: 2} // the library knows near names of commands only
	c.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if near := names.SuggestionsFor(unknown.GetSpecifiedName()); len(near) > 0 {
		return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, " or --"))
	}
	return err
}

func showHelp(c *cobra.Command, _ []string) error { return c.Help() }

func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // cobra's own default, which it sets for the root alone
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q for %q; did you mean %s?", args[0], c.CommandPath(), strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
}
