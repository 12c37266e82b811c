package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/policy"
)

func newPolicyExplain(env *environment) *cobra.Command {
	var profile profileFlags
	draft := &explainingInput{drafting: drafting{env: env}}
	ask := withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
		x, err := c.Explain(ctx, args[0])
		if x == nil {
			return err
		}
		if e := env.output().value(x.Explanation, explanationWords(&x.Explanation)); e != nil {
			return e
		}
		return err
	})
	c := &cobra.Command{
		Use:   "explain {DECISION-ID | --input FILE --dir DIR}",
		Short: "Say why a decision is as it is, layer by layer",
		Long: `explain asks the exchange why it decided as it did. Each package is decided by
several layers: the common rules, those of the sender, those of the recipient,
and those of countries whose data are in it. explain says what each of them said,
by which rule, and which condition decided it, with the values that it saw; then
what to do about it. The rules are those that decided, whatever is in force now.

Outcomes of send, show and of a refusal name the decision. It is explained to the
sender's side, to a recipient that got the package, and to an originator that is
asked; of reasons that are not for you it says only that they decided. Each look
is recorded.

With --input it asks nobody: your directory, and of the others what this program has
as samples, decide an input, such as "policy eval --print-input" prints, and it says why.`,
		Example: `  liaison policy explain 0199f3a2-7c20-7a55-8f10-6a1b2c3d4e5f
  liaison policy explain 0199f3a2-7c20-7a55-8f10-6a1b2c3d4e5f --json | jq '.layers[].because'
  liaison policy explain --input input.json --dir fi`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case draft.input != "" && len(args) > 0:
				return usageError(errors.New("a decision of the exchange, or an input?"), "give DECISION-ID, or --input FILE --dir DIR")
			case draft.input != "":
				return draft.run(cmd.Context())
			case len(args) == 0:
				return usageError(errors.New("which decision?"), "give its id, as send and show name it, or --input FILE --dir DIR")
			}
			return ask(cmd, args)
		},
	}
	profile.add(c)
	draft.add(c)
	c.Flags().StringVar(&draft.input, "input", "", "explain how --dir decides this input, and ask no exchange")
	c.Flags().StringVar(&draft.dir, "dir", "", "directory of the draft that decides --input")
	c.MarkFlagsRequiredTogether("input", "dir")
	_ = c.MarkFlagFilename("input")
	_ = c.MarkFlagDirname("dir")
	return c
}

// explainingInput is what the flags of explain --input say.
type explainingInput struct {
	drafting
	input, dir string
}

// explainedInput is what explain --input --json prints.
type explainedInput struct {
	Sender      string               `json:"sender"`
	Recipient   string               `json:"recipient"`
	Action      string               `json:"action"`
	At          string               `json:"at"`
	Verdict     string               `json:"verdict"`
	Layers      []api.ExplainedLayer `json:"layers"`
	Obligations []api.Obligation     `json:"obligations,omitempty"`
	Revisions   map[string]string    `json:"revisions"`
	Engine      string               `json:"engine"`
	Samples     []string             `json:"samples"`
}

// run decides an input by a directory, and says why it is decided so.
func (e *explainingInput) run(ctx context.Context) error {
	raw, err := os.ReadFile(e.input)
	if err != nil {
		return usageError(err, "give a file that you can read")
	}
	desk, err := e.open(e.dir)
	if err != nil {
		return err
	}
	answer, why, err := desk.ExplainInput(ctx, raw)
	var refused *policy.BuildError
	switch {
	case errors.As(err, &refused):
		return e.refusedPolicy(err, e.dir)
	case errors.Is(err, policy.ErrEngine):
		return err
	case err != nil:
		return usageError(err, "liaison policy eval DIR --print-input prints an input; so does GET /v1/policies/{j}/decisions/{id}")
	}
	d := &answer.Decision
	x := explainedInput{Sender: answer.From, Recipient: answer.To, Action: answer.Action, At: answer.Now.UTC().Format(time.RFC3339), Verdict: d.Verdict,
		Revisions: d.Revisions, Engine: d.Engine, Samples: append([]string{}, d.Sampled...)}
	for _, l := range why.Layers {
		layer := api.ExplainedLayer{Layer: l.Layer, Said: l.Said, Because: make([]api.Because, 0, len(l.Because))}
		for _, b := range l.Because {
			layer.Because = append(layer.Because, api.Because{Kind: b.Kind, Code: b.Code, Params: b.Params, Rule: b.Rule, Title: b.Title, Conditions: b.Conditions,
				Text: b.Text, Fix: b.Fix, Source: b.Source, File: b.File, Line: b.Line, By: b.By, Resolved: b.Resolved})
		}
		x.Layers = append(x.Layers, layer)
	}
	for _, o := range d.Obligations {
		x.Obligations = append(x.Obligations, api.Obligation{Code: o.Code, Params: o.Params, Text: o.Text, Source: o.Source})
	}
	head := fmt.Sprintf("%s  %s from %s to %s, %s\nby %s and this program's samples\n", strings.ToUpper(x.Verdict), x.Action, printable(x.Sender), printable(x.Recipient), x.At, printable(e.dir))
	return e.env.output().value(x, head+whyWords(x.Verdict, x.Layers, x.Obligations))
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
	return b.String() + whyWords(x.Verdict, x.Layers, x.Obligations)
}

// whyWords tells each layer, and then what to do.
func whyWords(verdict string, layers []api.ExplainedLayer, obligations []api.Obligation) string {
	var b strings.Builder
	for _, l := range layers {
		fmt.Fprintf(&b, "\n%s %s\n", printable(l.Layer), saidWords(l))
		for _, because := range l.Because {
			if verdict != "denied" || because.Kind == "deny" || because.Kind == "pend" {
				writeBecause(&b, because) // who is denied does not ask for obligations
			}
		}
	}
	if len(obligations) > 0 {
		b.WriteString("\nthe recipient accepts, over all layers\n")
		for _, o := range obligations {
			fmt.Fprintf(&b, "  %s\n", printable(obligationWords(o)))
		}
	}
	if fixes := fixesOf(layers); len(fixes) > 0 {
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
func fixesOf(layers []api.ExplainedLayer) []string {
	var fixes []string
	for _, l := range layers {
		for _, w := range l.Because {
			if w.Kind == "deny" && w.Fix != "" && !slices.Contains(fixes, w.Fix) {
				fixes = append(fixes, w.Fix)
			}
		}
	}
	return fixes
}
