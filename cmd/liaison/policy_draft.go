package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/policy"
)

// drafting is what the commands on an author's directory share.
type drafting struct {
	env    *environment
	common string
}

func (d *drafting) add(c *cobra.Command) {
	c.Flags().StringVar(&d.common, "common", "", "directory or bundle of common that the exchange uses, instead of the one in this program")
	_ = c.MarkFlagDirname("common")
}

// inputs are those of this program, with another common if one is named.
func (d *drafting) inputs() (policy.Inputs, error) {
	in := policy.Samples()
	if d.common == "" {
		return in, nil
	}
	b, err := readPolicy(d.common)
	if err != nil {
		return in, err
	}
	if b.Jurisdiction != policy.CommonBundle {
		return in, usageError(fmt.Errorf("%s holds the policy of %s", d.common, b.Jurisdiction), "--common takes common: a directory with codes.json and facts.json, or its bundle")
	}
	b.Status, b.Seq = policy.Authoritative, max(b.Seq, 1)
	return b.Apply(in), nil
}

// open opens an author's directory.
func (d *drafting) open(dir string) (*policy.Desk, error) {
	in, err := d.inputs()
	if err != nil {
		return nil, err
	}
	b, err := readPolicy(dir)
	if err != nil {
		return nil, err
	}
	return policy.NewDesk(b, in, d.env.Now().UTC().Format(time.DateOnly)), nil
}

// readPolicy reads a directory or a bundle, signed or not.
func readPolicy(path string) (*policy.Bundle, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError(fmt.Errorf("there is no %s", path), policyDirectory)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return readPolicyFile(path, info.Size())
	}
	b, err := policy.OpenDir(os.DirFS(path))
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", path, err), policyDirectory)
	}
	return b, nil
}

func readPolicyFile(path string, size int64) (*policy.Bundle, error) {
	if size > policy.MaxBundleSize {
		return nil, usageError(fmt.Errorf("%s is larger than any bundle", path), policyDirectory)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := policy.ReadBundle(raw)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", path, err), policyDirectory)
	}
	return b, nil
}

// policyDirectory says what a directory of policy looks like.
const policyDirectory = "give a directory with declared.json and .rego files, such as one that \"liaison policy new ee\" makes, or a bundle"

// isDirectory: a bundle is looked at, never written.
func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// refusedPolicy prints what is wrong with a policy, and says so; another error it returns as it is.
func (d *drafting) refusedPolicy(err error, dir string) error {
	var refused *policy.BuildError
	if !errors.As(err, &refused) {
		return err
	}
	if printed := d.print(refused.Findings, dir); printed != nil {
		return printed
	}
	return withFix(fmt.Errorf("%s: %s", dir, severities(refused.Findings)), "mend them from the first one; the others may follow from it")
}

// print prints findings, each with its line and a caret.
func (d *drafting) print(found []policy.Finding, dir string) error {
	for _, f := range found {
		if err := d.env.output().value(f, f.Text(d.place(f, dir))); err != nil {
			return err
		}
	}
	return nil
}

// place is the directory of the files of a finding's input, as its reader can open it.
func (d *drafting) place(f policy.Finding, dir string) string {
	if f.Input == policy.CommonBundle && !strings.HasPrefix(dir, d.common) {
		return filepath.Join(d.common, "common")
	}
	return filepath.Clean(dir)
}

func severities(found []policy.Finding) string {
	n := map[string]int{}
	for _, f := range found {
		n[f.Severity]++
	}
	words := number(n[policy.SeverityError], "error")
	if n[policy.SeverityWarning] > 0 {
		words += ", " + number(n[policy.SeverityWarning], "warning")
	}
	return words
}
