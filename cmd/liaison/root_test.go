package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommandsExplainThemselves holds every command to the conventions: help
// with an example, RunE (so that its errors reach the exit code), arguments
// that are checked, and a place in a group.
func TestCommandsExplainThemselves(t *testing.T) {
	root := newRoot(&newWorld().environment)
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		if c.Name() == "help" || c.Name() == "completion" {
			return // cobra's own
		}
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s: help is missing: short, long and example are needed", c.CommandPath())
		}
		if c.Run != nil || c.Runnable() && c.Args == nil {
			t.Errorf("%s: use RunE, and say which arguments it takes", c.CommandPath())
		}
		if c.Parent() == root && c.GroupID == "" {
			t.Errorf("%s: stands in no group", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(root)
}

// TestUsageErrors: an error before a command's own code is the caller's, one
// within it is not.
func TestUsageErrors(t *testing.T) {
	own := errors.New("disk full")
	newTree := func() *cobra.Command {
		root := newRoot(&newWorld().environment)
		group := &cobra.Command{Use: "shelf", Short: "x"}
		write := &cobra.Command{Use: "write FILE", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return own }}
		write.Flags().String("to", "", "")
		if err := write.MarkFlagRequired("to"); err != nil {
			t.Fatal(err)
		}
		group.AddCommand(write)
		root.AddCommand(group)
		return root
	}
	for line, want := range map[string]int{
		"shelf":                  exitDone, // its help
		"shelf writ":             exitUsage,
		"shelf write":            exitUsage,
		"shelf write f":          exitUsage, // --to is missing
		"shelf write f --to":     exitUsage,
		"shelf write f g --to x": exitUsage,
		"shelf write f --to x":   exitFailed,
	} {
		err := execute(context.Background(), newTree(), strings.Fields(line))
		if got := exitCode(err); got != want {
			t.Errorf("%s: exit code %d, want %d (%v)", line, got, want, err)
		}
		if (want == exitFailed) != errors.Is(err, own) {
			t.Errorf("%s: error %v", line, err)
		}
	}
	err := execute(context.Background(), newTree(), []string{"shelf", "writ"})
	if !strings.Contains(err.Error(), "did you mean write?") || fixOf(err) != "see liaison shelf --help" {
		t.Errorf("a near miss: %v; fix: %s", err, fixOf(err))
	}
}

// TestNoArguments: without arguments the help is printed, and those of the
// process are not read.
func TestNoArguments(t *testing.T) {
	args := os.Args
	t.Cleanup(func() { os.Args = args })
	os.Args = []string{"liaison", "no-such-command"}
	w := newWorld()
	if code := run(t.Context(), &w.environment, nil); code != exitDone || !strings.Contains(w.stdout.String(), "Exit codes:") {
		t.Errorf("exit code %d, printed %q %q", code, w.stdout.String(), w.stderr.String())
	}
}

func TestProfilePath(t *testing.T) {
	w := newWorld()
	var flags profileFlags
	if _, err := flags.path(&w.environment); exitCode(err) != exitUsage || fixOf(err) == "" {
		t.Errorf("no profile: error %v, want a usage error with a fix", err)
	}
	w.vars["LIAISON_PROFILE"] = "from-env"
	if dir, err := flags.path(&w.environment); dir != "from-env" || err != nil {
		t.Errorf("profile %q, error %v", dir, err)
	}
	c := &cobra.Command{Use: "show", RunE: func(*cobra.Command, []string) error { return nil }}
	flags.add(c)
	c.SetArgs([]string{"--profile", "from-flag"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if dir, err := flags.path(&w.environment); dir != "from-flag" || err != nil {
		t.Errorf("profile %q, error %v", dir, err)
	}
}

func TestBuildOf(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Version: "v0.1.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "4de26b7"}, {Key: "vcs.time", Value: "2026-11-01T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		},
	}
	want := build{Version: "v0.1.0", Go: "go1.26.8", Revision: "4de26b7", Time: "2026-11-01T12:00:00Z", Modified: true}
	if got := buildOf(info); got != want {
		t.Errorf("build %+v, want %+v", got, want)
	}
	if got := want.String(); got != "liaison v0.1.0 (go1.26.8, revision 4de26b7, modified)" {
		t.Errorf("printed %q", got)
	}
	if got := buildOf(&debug.BuildInfo{GoVersion: "go1.26.8"}).String(); got != "liaison (devel) (go1.26.8)" {
		t.Errorf("without version control: printed %q", got)
	}
}
