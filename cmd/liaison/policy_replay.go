package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/policy"
)

func newPolicyReplay(env *environment) *cobra.Command {
	var profile profileFlags
	var draft, since, makeTest string
	c := &cobra.Command{
		Use:   "replay --draft DIR",
		Short: "Say which past decisions would be others under a draft",
		Long: `replay brings a draft to the exchange, which decides again what it decided before,
with your draft in the place of the rules in force, and tells what would be other:
first what would go now and did not, then what would wait, what would be denied,
and where obligations differ. Nothing comes into force, and nobody else sees it.
It looks at the decisions that your jurisdiction may see: all that it sent or asked,
and what it received.

What agencies and instruments were declared was looked up when a decision was made;
a draft that declares otherwise is tried by its rules alone.

With --make-test it writes a test of a past decision into the draft, which holds the
rules to what they said then.`,
		Example: `  liaison policy replay --draft fi --profile fi-krp-policy
  liaison policy replay --draft fi --since 7d --json | jq -c 'select(.change.kind == "now_allowed")'
  liaison policy replay --draft fi --make-test 0199f3a2-7c20-7a55-8f10-6a1b2c3d4e5f`,
		Args: cobra.NoArgs,
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, _ []string) error {
			b, err := readPolicy(draft)
			if err != nil {
				return err
			}
			if makeTest != "" {
				return writeDecisionTest(ctx, env, c, draft, b.Jurisdiction, makeTest)
			}
			ago, err := parseAgo(since)
			if err != nil {
				return err
			}
			b.Seq, b.Status = 1, policy.Sample // of a draft, which comes into force nowhere
			raw, err := b.Pack(nil)
			if err != nil {
				return err
			}
			return (&pushing{env: env}).refused(replayDraft(ctx, env, c, b.Jurisdiction, raw, env.Now().Add(-ago)), draft)
		}),
	}
	profile.add(c)
	c.Flags().StringVar(&draft, "draft", "", "directory of the draft")
	c.Flags().StringVar(&since, "since", "30d", "how far back: 30d, 12h")
	c.Flags().StringVar(&makeTest, "make-test", "", "write a test of this decision into the draft, and replay nothing")
	_ = c.MarkFlagRequired("draft")
	_ = c.MarkFlagDirname("draft")
	return c
}

// parseAgo reads a time span: days, or what Go reads.
func parseAgo(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, usageError(fmt.Errorf("--since %q is no time span", text), "write it as 30d or 12h")
}

func replayDraft(ctx context.Context, env *environment, c *client.Client, jurisdiction string, raw []byte, since time.Time) error {
	bar := env.progress("decisions", false)
	out := env.output()
	var told []string
	err := c.ReplayPolicy(ctx, jurisdiction, raw, since, func(line api.ReplayLine) error {
		switch {
		case line.Progress != nil:
			bar.set(line.Progress.Done, line.Progress.Of)
			return nil
		case out.json:
			return writeJSON(out.w, line)
		case line.Change != nil:
			told = append(told, changedWords(line.Change))
			return nil
		}
		bar.end()
		_, err := fmt.Fprint(out.w, summaryWords(line.Summary, since), strings.Join(told, ""))
		return err
	})
	bar.end()
	return err
}

// changeOrder are the kinds of change and what they are called, newly allowed
// first.
var changeOrder = []struct{ kind, words string }{
	{"now_allowed", "NOW ALLOWED"}, {"now_pending", "NOW PENDING"}, {"now_denied", "NOW DENIED"}, {"obligations_changed", "OBLIGATIONS"},
}

func summaryWords(s *api.ReplaySummary, since time.Time) string {
	var b strings.Builder
	changed := 0
	for _, n := range s.Changes {
		changed += n
	}
	fmt.Fprintf(&b, "%d decisions since %s: %d would be others, %d as they were\n", s.Decisions, since.UTC().Format(time.DateOnly), changed, s.Unchanged)
	for _, x := range []struct {
		n    int
		what string
	}{{s.Already, "are others already by the rules in force, and are not listed"}, {s.Erased, "more are erased"}, {s.Unread, "were made by another engine and could not be tried"}} {
		if x.n > 0 {
			fmt.Fprintf(&b, "%d %s\n", x.n, x.what)
		}
	}
	if s.Declared {
		b.WriteString("the draft declares otherwise than what is in force: only its rules were tried\n")
	}
	for _, k := range changeOrder {
		if s.Changes[k.kind] == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s  %d\n", k.words, s.Changes[k.kind])
		for title, counts := range map[string]map[string]int{"between": s.Pairs[k.kind]} {
			writeCounts(&b, title, counts)
		}
		writeCounts(&b, "by rule", s.Rules[k.kind])
	}
	if changed > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// writeCounts lists counts, the most first.
func writeCounts(b *strings.Builder, title string, counts map[string]int) {
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		if counts[x] != counts[y] {
			return counts[y] - counts[x]
		}
		return strings.Compare(x, y)
	})
	for _, n := range names[:min(len(names), 20)] {
		fmt.Fprintf(b, "  %-8s %s  %d\n", title, printable(n), counts[n])
	}
}

func changedWords(c *api.ReplayChange) string {
	i := slices.IndexFunc(changeOrder, func(k struct{ kind, words string }) bool { return k.kind == c.Kind })
	words := c.Kind
	if i >= 0 {
		words = changeOrder[i].words
	}
	return printable(fmt.Sprintf("%s  %s  %s to %s, %s of %s: was %s; now %s", words, c.Decision, c.From, c.To, c.Action, c.At, sideWords(c.Was), sideWords(c.Now))) + "\n"
}

func sideWords(s api.ReplaySide) string {
	if detail := append(slices.Clone(s.Codes), s.Obligations...); len(detail) > 0 {
		return s.Verdict + " (" + strings.Join(detail, ", ") + ")"
	}
	return s.Verdict
}

// writeDecisionTest writes a test of a recorded decision into a draft.
func writeDecisionTest(ctx context.Context, env *environment, c *client.Client, dir, jurisdiction, id string) error {
	in, err := c.DecisionInput(ctx, jurisdiction, id)
	if in == nil {
		return err
	}
	var said []policy.LayerSaid
	for _, s := range in.Said {
		said = append(said, policy.LayerSaid(s))
	}
	if len(said) == 0 {
		return withFix(errors.New("the rules of "+jurisdiction+" had no say in this decision"), "choose one that they decided, or use the directory of common")
	}
	what := in.Verdict + " for " + in.Recipient
	if !in.Whole {
		what += ", with what only its sender knows replaced"
	}
	test, err := policy.MakeTest(jurisdiction, id, what, policy.Input{Shared: in.Shared, Own: in.Own}, said)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, test.Name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return withFix(err, "remove the file if it is to be made again")
	}
	_, err = f.Write(test.Text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return env.output().value(map[string]string{"file": path, "test": test.Test}, fmt.Sprintf("%s  %s\nrun it: liaison policy test %s", path, test.Test, dir))
}
