package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
)

func newPolicyExplain(env *environment) *cobra.Command {
	var profile profileFlags
	c := &cobra.Command{
		Use:   "explain DECISION-ID",
		Short: "Say why a decision is as it is, layer by layer",
		Long: `explain asks the exchange why it decided as it did. Each package is decided by
several layers: the common rules, those of the sender, those of the recipient,
and those of countries whose data are in it. explain says what each of them said,
by which rule, and which condition decided it, with the values that it saw; then
what to do about it. The rules are those that decided, whatever is in force now.

Outcomes of send, show and of a refusal name the decision. It is explained to the
sender's side, to a recipient that got the package, and to an originator that is
asked; of reasons that are not for you it says only that they decided. Each look
is recorded.`,
		Example: `  liaison policy explain 0199f3a2-7c20-7a55-8f10-6a1b2c3d4e5f
  liaison policy explain 0199f3a2-7c20-7a55-8f10-6a1b2c3d4e5f --json | jq '.layers[].because'`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			x, err := c.Explain(ctx, args[0])
			if x == nil {
				return err
			}
			if e := env.output().value(x.Explanation, explanationWords(&x.Explanation)); e != nil {
				return e
			}
			return err
		}),
	}
	profile.add(c)
	return c
}

// explanationWords tells a decision: the verdict first, then each layer, then
// what to do.
func explanationWords(x *api.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s to %s, %s\n", strings.ToUpper(x.Verdict), x.Action, printable(x.Recipient), x.At)
	fmt.Fprintf(&b, "decision %s of package %s\n", printable(x.ID), printable(x.Package))
	if x.Note != "" {
		fmt.Fprintf(&b, "note: %s\n", printable(x.Note))
	}
	for _, l := range x.Layers {
		fmt.Fprintf(&b, "\n%s %s\n", printable(l.Layer), saidWords(l))
		for _, because := range l.Because {
			if x.Verdict != "denied" || because.Kind == "deny" || because.Kind == "pend" {
				writeBecause(&b, because) // who is denied does not ask for obligations
			}
		}
	}
	if len(x.Obligations) > 0 {
		b.WriteString("\nthe recipient accepts, over all layers\n")
		for _, o := range x.Obligations {
			fmt.Fprintf(&b, "  %s\n", printable(obligationWords(o)))
		}
	}
	if fixes := fixesOf(x); len(fixes) > 0 {
		b.WriteString("\nhow to fix it\n")
		for _, f := range fixes {
			fmt.Fprintf(&b, "  %s\n", printable(f))
		}
	}
	return b.String()
}

func saidWords(l api.ExplainedLayer) string {
	said := map[string]string{"delivered": "takes nothing away", "pending": "holds it back", "denied": "denies"}[l.Said]
	if l.Hidden {
		said += ", for a reason that is not for you"
	}
	return said
}

// kindWords are what a layer may say.
var kindWords = map[string]string{"deny": "denies", "pend": "holds back", "oblige": "obliges", "advise": "advises"}

func writeBecause(b *strings.Builder, w api.Because) {
	head := kindWords[w.Kind] + " " + w.Code
	if p := string(w.Params); p != "" && p != "{}" {
		head += " " + paramWords(w.Params)
	}
	fmt.Fprintf(b, "  %s (%s)\n", printable(head), printable(strings.Join(nonEmpty("rule "+w.Rule, w.Title), ", ")))
	for _, text := range nonEmpty(w.Text) {
		fmt.Fprintf(b, "    %s\n", printable(text))
	}
	for _, c := range w.Conditions {
		fmt.Fprintf(b, "    because %s\n", strings.ReplaceAll(printable(c), "; or ", "\n         or "))
	}
	if w.By != "" {
		state := "waits for"
		if w.Resolved {
			state = "was granted by"
		}
		fmt.Fprintf(b, "    %s %s\n", state, printable(w.By))
	}
	var at []string
	if w.File != "" {
		at = append(at, fmt.Sprintf("%s:%d", w.File, w.Line))
	}
	if all := append(at, nonEmpty(w.Source)...); len(all) > 0 {
		fmt.Fprintf(b, "    at %s\n", printable(strings.Join(all, ", ")))
	}
}

// fixesOf are what to do about denials, each once.
func fixesOf(x *api.Explanation) []string {
	var fixes []string
	for _, l := range x.Layers {
		for _, w := range l.Because {
			if w.Kind == "deny" && w.Fix != "" && !slices.Contains(fixes, w.Fix) {
				fixes = append(fixes, w.Fix)
			}
		}
	}
	return fixes
}
