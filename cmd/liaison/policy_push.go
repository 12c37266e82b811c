package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// pushing is what the flags of policy push say.
type pushing struct {
	env     *environment
	profile profileFlags
	seq     int64
	status  string
	diff    bool
}

func newPolicyPush(env *environment) *cobra.Command {
	p := &pushing{env: env}
	c := &cobra.Command{
		Use:   "push DIR | BUNDLE",
		Short: "Check, sign and bring a policy to the exchange",
		Long: `push checks the directory as the exchange will, with the common rules that are in force
there, shows what is new against what is in force, signs all of it with policy.jwk of
the profile and brings it. The exchange builds and tests the whole new set before
anything changes; if it refuses, what is in force stays.

Unless one person is enough there, the bundle waits until a second policy author of
the jurisdiction brings the same within 24 hours: same files, seq and status. A
change of common waits until enough jurisdictions have signed the same.

A bundle that "liaison policy build" made is brought as it is. Exit code 1: refused,
with what was found; 7: another change came first.`,
		Example: `  liaison policy push fi --profile fi-krp-policy
  liaison policy push fi --diff --profile fi-krp-policy
  liaison policy push fi.tar.gz --json | jq -r .outcome`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &p.profile, func(ctx context.Context, c *client.Client, args []string) error { return p.run(ctx, c, args[0]) }),
	}
	p.profile.add(c)
	c.Flags().Int64Var(&p.seq, "seq", 0, "number of this state of the policy (default: that in force, plus one if anything differs)")
	c.Flags().StringVar(&p.status, "status", "", "sample or authoritative (default: that in force)")
	c.Flags().BoolVar(&p.diff, "diff", false, "show the changed lines")
	return c
}

func (p *pushing) run(ctx context.Context, c *client.Client, path string) error {
	b, err := readPolicy(path)
	if err != nil {
		return err
	}
	now, err := c.Policy(ctx, b.Jurisdiction)
	if err != nil {
		return notYours(err, b.Jurisdiction)
	}
	raw, err := p.pack(b, now, path)
	if err != nil {
		return err
	}
	if err := p.check(ctx, c, b, path); err != nil {
		return err
	}
	if err := p.news(b, now); err != nil {
		return err
	}
	change, err := c.PushPolicy(ctx, b.Jurisdiction, b.Seq, raw)
	if err != nil {
		return p.refused(err, path)
	}
	second := fmt.Sprintf("liaison policy push %s --seq %d --status %s --profile THEIR-PROFILE", shellWord(path), b.Seq, b.Status)
	return p.env.output().value(change.PolicyChange, changeWords(change, second))
}

// notYours says why a policy cannot be read: of another jurisdiction nobody
// sees the files, and of one that is not there nobody sees anything.
func notYours(err error, jurisdiction string) error {
	if errors.Is(err, api.NotFound) {
		return withFix(err, "this exchange has no policy of "+jurisdiction+" yet: the operator brings the first one, as a file that the jurisdiction signed (liaison policy build)")
	}
	return err
}

// pack signs a directory; a bundle is taken as it is.
func (p *pushing) pack(b *policy.Bundle, now *client.Policy, path string) ([]byte, error) {
	if !isDirectory(path) {
		if p.seq != 0 || p.status != "" {
			return nil, usageError(errors.New("a bundle has its seq and status already"), "leave out --seq and --status, or bring the directory")
		}
		return os.ReadFile(path)
	}
	b.Seq, b.Status = p.seq, p.status
	if b.Status == "" {
		b.Status = now.Active.Status
	}
	if b.Seq == 0 {
		b.Seq = nextSeq(b, now)
	}
	key, err := policyKeyOf(p.env, &p.profile)
	if err != nil {
		return nil, err
	}
	raw, err := b.Pack(key.Signer())
	if errors.Is(err, policy.ErrBundle) {
		return nil, usageError(err, policyDirectory)
	}
	return raw, err
}

// nextSeq is the seq of a directory that states none. What is in force as it
// is keeps its seq, and so changes nothing; what nobody has signed yet does not.
func nextSeq(b *policy.Bundle, now *client.Policy) int64 {
	same := b.Status == now.Active.Status && maps.EqualFunc(b.Files, now.Files, func(body []byte, text string) bool { return string(body) == text })
	if same && len(now.Active.Signed) > 0 {
		return now.Active.Seq
	}
	return now.Active.Seq + 1
}

// policyKeyOf reads the policy key of the profile.
func policyKeyOf(env *environment, flags *profileFlags) (envelope.PrivateKey, error) {
	dir, err := flags.path(env)
	if err != nil {
		return envelope.PrivateKey{}, err
	}
	profile, err := client.LoadProfile(dir)
	if err != nil {
		return envelope.PrivateKey{}, clientError(err)
	}
	key, err := profile.PolicyKey()
	if errors.Is(err, client.ErrNoKey) {
		return key, withFix(err, "use the profile of a policy author, or make a key: liaison keys rotate --use policy")
	}
	return key, err
}

// check finds here what the exchange would find there: with its common.
func (p *pushing) check(ctx context.Context, c *client.Client, b *policy.Bundle, path string) error {
	in := policy.Samples()
	if b.Jurisdiction != policy.CommonBundle {
		common, err := c.Policy(ctx, policy.CommonBundle)
		if err != nil {
			return err
		}
		in = bundleOf(common).Apply(in)
	}
	d := &drafting{env: p.env}
	found, err := policy.NewDesk(b, in, p.env.Now().UTC().Format(time.DateOnly)).Check(ctx)
	if err != nil {
		return d.refusedPolicy(err, path)
	}
	errs := slices.DeleteFunc(found, func(f policy.Finding) bool { return f.Severity != policy.SeverityError })
	if len(errs) == 0 {
		return nil
	}
	return d.refusedPolicy(&policy.BuildError{Findings: errs}, path)
}

// bundleOf is the policy that the exchange shows.
func bundleOf(p *client.Policy) *policy.Bundle {
	b := &policy.Bundle{Jurisdiction: p.Jurisdiction, Seq: p.Active.Seq, Status: p.Active.Status, Files: map[string][]byte{}}
	for path, text := range p.Files {
		b.Files[path] = []byte(text)
	}
	return b
}

// news shows what the bundle changes, to people.
func (p *pushing) news(b *policy.Bundle, now *client.Policy) error {
	if p.env.json {
		return nil
	}
	_, err := fmt.Fprint(p.env.Stdout, newsWords(b, now, p.diff))
	return err
}

func newsWords(b *policy.Bundle, now *client.Policy, diff bool) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s: seq %d, status %s; in force is seq %d, status %s\n", b.Jurisdiction, b.Seq, b.Status, now.Active.Seq, printable(now.Active.Status))
	paths := map[string]bool{}
	for path := range b.Files {
		paths[path] = true
	}
	for path := range now.Files {
		paths[path] = true
	}
	changes := 0
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		old, had := now.Files[path]
		body, has := b.Files[path]
		switch {
		case !had:
			fmt.Fprintf(&w, "  new      %s\n", printable(path))
		case !has:
			fmt.Fprintf(&w, "  gone     %s\n", printable(path))
		case !bytes.Equal([]byte(old), body):
			fmt.Fprintf(&w, "  changed  %s\n", printable(path))
		default:
			continue
		}
		if changes++; diff {
			w.WriteString(diffLines(path, old, string(body)))
		}
	}
	if changes == 0 {
		w.WriteString("  no file differs\n")
	}
	return w.String()
}

// diffLines is a unified diff whose lines cannot steer a terminal.
func diffLines(path, old, body string) string {
	var w strings.Builder
	for line := range strings.Lines(udiff.Unified("in force/"+path, "new/"+path, old, body)) {
		line = strings.TrimSuffix(line, "\n")
		w.WriteString("    " + strings.ReplaceAll(printable(strings.ReplaceAll(line, "\t", "    ")), "\n", " ") + "\n")
	}
	return w.String()
}

// refused prints what the exchange found, and says so.
func (p *pushing) refused(err error, path string) error {
	var problem *api.Problem
	if !errors.As(err, &problem) || len(problem.Findings) == 0 {
		return err
	}
	found := make([]policy.Finding, len(problem.Findings))
	for i, f := range problem.Findings {
		found[i] = policy.Finding{Input: f.Input, File: f.File, Line: f.Line, Col: f.Col, Source: f.Source, ID: f.ID, Severity: policy.SeverityError, Message: f.Message, Fix: f.Fix}
	}
	d := &drafting{env: p.env}
	if printed := d.print(found, path); printed != nil {
		return printed
	}
	return withFix(err, problem.Fix)
}

// changeWords say what became of a change, and what has to follow. second is
// the command that another person runs.
func changeWords(change *client.PolicyChange, second string) string {
	j, a := printable(change.Jurisdiction), change.Activation
	switch change.Outcome {
	case "active":
		return fmt.Sprintf("%s: seq %d is in force%s\n%s", j, a.Seq, backWords(a), revisionWords(a))
	case "repeated":
		return fmt.Sprintf("%s: seq %d is in force already, since %s", j, a.Seq, printable(a.Since))
	}
	var w strings.Builder
	fmt.Fprintf(&w, "%s: seq %d is not in force yet: %d of %d want it\n", j, a.Seq, len(change.Waiting), change.Needed)
	for _, v := range change.Waiting {
		fmt.Fprintf(&w, "  %s, until %s\n", printable(voterWords(v)), printable(v.Expires))
	}
	who := "another policy author of " + j
	if change.Jurisdiction == policy.CommonBundle {
		who = "a policy author of each of the others"
	}
	fmt.Fprintf(&w, "%s runs, with the same files:\n  %s\n", who, second)
	return w.String()
}

func voterWords(v api.PolicyVote) string {
	if v.By != "" {
		return v.By
	}
	return v.Agency
}

func backWords(a api.PolicyActivation) string {
	if a.BackTo == 0 {
		return ""
	}
	return fmt.Sprintf(": it is what seq %d was", a.BackTo)
}

// revisionWords list the revisions of an activation.
func revisionWords(a api.PolicyActivation) string {
	var w strings.Builder
	for _, r := range [][2]string{{"common", a.Common}, {"declared", a.Declared}, {"rules", a.Rules}} {
		if r[1] != "" {
			fmt.Fprintf(&w, "  %-9s %s\n", r[0], printable(r[1]))
		}
	}
	return w.String()
}

// shellWord is a word as a shell takes it.
func shellWord(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(printable(s), "'", `'\''`) + "'"
}
