package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/policy"
)

// formatting is what the flags of policy fmt say.
type formatting struct {
	drafting
	diff, list, write bool
}

func newPolicyFmt(env *environment) *cobra.Command {
	f := &formatting{drafting: drafting{env: env}}
	c := &cobra.Command{
		Use:   "fmt [--diff | --list | --write] DIR...",
		Short: "Put the rules into the one form that all rules have",
		Long: `fmt formats the .rego files of an author's directory as OPA does. Without a flag it
prints each file that would change, as it would be. The exit code is 1 if a file
would change, so that it can stand in a check; with --write it is 0.`,
		Example: `  liaison policy fmt --write ee
  liaison policy fmt --diff ee`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, dirs []string) error { return f.run(dirs) },
	}
	c.Flags().BoolVarP(&f.diff, "diff", "d", false, "print the differences")
	c.Flags().BoolVarP(&f.list, "list", "l", false, "print the names of files that would change")
	c.Flags().BoolVarP(&f.write, "write", "w", false, "change the files")
	c.MarkFlagsMutuallyExclusive("diff", "list", "write")
	return c
}

// reformatted is a line of fmt --json.
type reformatted struct {
	File    string `json:"file"`
	Written bool   `json:"written"`
}

func (f *formatting) run(dirs []string) error {
	changed := 0
	for _, dir := range dirs {
		if f.write && !isDirectory(dir) {
			return usageError(fmt.Errorf("%s is no directory", dir), policyDirectory)
		}
		desk, err := f.open(dir)
		if err != nil {
			return err
		}
		files, err := desk.Format()
		if err != nil {
			return f.refusedPolicy(err, dir)
		}
		for _, file := range files {
			if !file.Changed {
				continue
			}
			changed++
			if err := f.show(filepath.Join(dir, file.File), desk.Draft.Files[file.File], file); err != nil {
				return err
			}
		}
	}
	if changed > 0 && !f.write {
		return withFix(errors.New(number(changed, "file")+" not formatted"), "liaison policy fmt --write DIR")
	}
	return nil
}

// show prints or writes one file that is not as it should be.
func (f *formatting) show(path string, old []byte, file policy.Formatted) error {
	text := string(file.Text)
	switch {
	case f.write:
		if err := replaceFile(path, old, file.Text); err != nil {
			return err
		}
		text = path
	case f.list:
		text = path
	case f.diff:
		text = udiff.Unified(path, path, string(old), string(file.Text))
	}
	return f.env.output().value(reformatted{path, f.write}, text)
}

// replaceFile writes a file that an author has open perhaps: only if it is still what was read.
func replaceFile(path string, old, text []byte) error {
	now, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, old) {
		return fmt.Errorf("%s changed while it was formatted: it is left as it is", path)
	}
	return os.WriteFile(path, text, 0o644)
}
