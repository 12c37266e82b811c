package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/policy"
)

// evaluating is what the flags of policy eval say.
type evaluating struct {
	drafting
	meta, from, to, today, action, reason string
	input                                 string
	text                                  []string
	trace, printMeta, printInput          bool
}

func newPolicyEval(env *environment) *cobra.Command {
	e := &evaluating{drafting: drafting{env: env}}
	c := &cobra.Command{
		Use:   "eval DIR --from AGENCY --to AGENCY [--meta FILE] [--today DATE] [--trace]",
		Short: "Decide a package by your rules and all others, and say what each layer said",
		Long: `eval makes the whole decision that an exchange with these rules would make: common,
your directory, and of the others what this program has as samples. --meta is the
file that "liaison send --meta" takes; without it an ordinary message about two suspects
is decided, which --print-meta prints. Agencies count as admitted, and nothing is known
of earlier packages and permissions.

The exit code is 0 if the package would be delivered or wait, 3 if it would be denied.
--trace lists each rule that was tried, and the first condition that did not hold.`,
		Example: `  liaison policy eval fi --from fi/unit --to ee/pbgb
  liaison policy eval fi --from fi/unit --to ee/pbgb --print-meta > meta.json
  liaison policy eval fi --meta meta.yaml --from ee/pbgb --to fi/unit --today 2027-06-01 --trace
  liaison policy eval fi --meta meta.yaml --from fi/unit --to ua/npu --json | jq -r .verdict`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd, args[0]) },
	}
	e.add(c)
	f := c.Flags()
	f.StringVar(&e.meta, "meta", "", "file with the package's codes, YAML or JSON (default: an ordinary message about two suspects)")
	f.StringVar(&e.from, "from", "", "agency that sends, such as ee/pbgb")
	f.StringVar(&e.to, "to", "", "agency that receives")
	f.StringVar(&e.today, "today", "", "day on which it is decided, such as 2027-06-01 (default: today)")
	f.StringVar(&e.action, "action", policy.ActionSend, "what is decided: send, acknowledgement, release or dry_run")
	f.StringVar(&e.reason, "reason", "Information for the case that meta names, as its investigators need it.", "justification in the statement; rules see its length, and whether it is a stock phrase")
	f.StringArrayVar(&e.text, "text", nil, "explain a member of meta, as NAME=TEXT; repeat for more")
	f.BoolVar(&e.printMeta, "print-meta", false, "print an example of meta for --from, and decide nothing")
	f.BoolVar(&e.printInput, "print-input", false, "print the input that rules see, and nothing else")
	f.BoolVar(&e.trace, "trace", false, "list each rule that was tried, and which condition did not hold")
	f.StringVar(&e.input, "input", "", "decide a recorded input, such as --print-input prints, instead of a package")
	for _, name := range []string{"meta", "from", "to", "today", "action"} {
		c.MarkFlagsMutuallyExclusive("input", name)
	}
	return c
}

// evaluated is what eval --json prints.
type evaluated struct {
	From        string               `json:"from"`
	To          string               `json:"to"`
	Today       string               `json:"today"`
	Verdict     string               `json:"verdict"`
	Reasons     []reasonJSON         `json:"reasons"`
	Obligations []obligationJSON     `json:"obligations"`
	Advice      []reasonJSON         `json:"advice"`
	Pends       []pendJSON           `json:"pends"`
	Layers      []policy.LayerAnswer `json:"layers"`
	Samples     []string             `json:"samples"`
}

type reasonJSON struct {
	Code     string          `json:"code"`
	Params   json.RawMessage `json:"params"`
	Layer    string          `json:"layer"`
	Rule     string          `json:"rule"`
	Text     string          `json:"text"`
	Fix      string          `json:"fix,omitempty"`
	Source   string          `json:"source,omitempty"`
	Audience string          `json:"audience"`
}

type obligationJSON struct {
	Code   string          `json:"code"`
	Params json.RawMessage `json:"params"`
	On     string          `json:"on"`
	Rule   string          `json:"rule"`
	Text   string          `json:"text"`
	Source string          `json:"source,omitempty"`
}

type pendJSON struct {
	Code         string    `json:"code"`
	By           string    `json:"by"`
	Jurisdiction string    `json:"jurisdiction"`
	Expires      time.Time `json:"expires"`
}

func (e *evaluating) run(cmd *cobra.Command, dir string) error {
	if e.input != "" {
		return e.recorded(cmd, dir)
	}
	if e.from == "" || e.to == "" {
		return usageError(errors.New("from whom, and to whom?"), "give --from AGENCY and --to AGENCY, or --input FILE")
	}
	q, err := e.question()
	if err != nil {
		return err
	}
	desk, err := e.open(dir)
	if err != nil {
		return err
	}
	if e.printMeta || e.meta == "" {
		if q.Meta, err = desk.ExampleMeta(e.from, q.Now); err != nil {
			return err
		}
	}
	if e.printMeta {
		_, err := fmt.Fprintln(e.env.Stdout, string(q.Meta))
		return err
	}
	answer, err := desk.Evaluate(cmd.Context(), q)
	return e.tell(answer, err, dir)
}

// recorded decides an input from a file.
func (e *evaluating) recorded(cmd *cobra.Command, dir string) error {
	raw, err := os.ReadFile(e.input)
	if err != nil {
		return usageError(err, "give a file that you can read")
	}
	desk, err := e.open(dir)
	if err != nil {
		return err
	}
	answer, err := desk.EvaluateInput(cmd.Context(), raw, e.trace)
	return e.tell(answer, err, dir)
}

// tell prints an answer, and ends the command as it says.
func (e *evaluating) tell(answer *policy.Answer, err error, dir string) error {
	var refused *policy.BuildError
	switch {
	case errors.As(err, &refused):
		return e.refusedPolicy(err, dir)
	case errors.Is(err, policy.ErrEngine):
		return err
	case err != nil:
		return usageError(err, "see liaison policy eval --help; the schema of meta is served at /schemas/meta")
	}
	if e.printInput {
		return e.writeInput(answer.Decision.Input)
	}
	j := forJSON(answer)
	if err := e.env.output().value(j, answerWords(answer)); err != nil {
		return err
	}
	if answer.Decision.Verdict == policy.Denied {
		return &exitError{err: errors.New("policy would deny this package"), code: exitRefused, fix: "see above what each rule asks for"}
	}
	return nil
}

// writeInput writes the two parts of an input as the one object that rules see.
func (e *evaluating) writeInput(in policy.Input) error {
	all := map[string]json.RawMessage{}
	for _, part := range [][]byte{in.Shared, in.Own} {
		if err := json.Unmarshal(part, &all); err != nil {
			return err
		}
	}
	out, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.env.Stdout, string(out))
	return err
}

func (e *evaluating) question() (q policy.Question, err error) {
	q = policy.Question{Action: e.action, From: e.from, To: e.to, Now: e.env.Now().UTC(), Justification: policy.NewText(e.reason), Texts: map[string]policy.Text{}, Trace: e.trace}
	if e.today != "" {
		day, err := time.Parse(time.DateOnly, e.today)
		if err != nil {
			return q, usageError(fmt.Errorf("--today %s is no day", e.today), "write it as 2027-06-01")
		}
		q.Now = day.Add(12 * time.Hour)
	}
	for _, t := range e.text {
		name, text, ok := strings.Cut(t, "=")
		if !ok {
			return q, usageError(fmt.Errorf("--text %s", t), "write --text NAME=TEXT")
		}
		q.Texts[name] = policy.NewText(text)
	}
	if e.meta != "" {
		q.Meta, err = readDocument(e.meta)
	}
	return q, err
}

func forJSON(a *policy.Answer) evaluated {
	d := &a.Decision
	j := evaluated{From: a.From, To: a.To, Today: a.Now.Format(time.DateOnly), Verdict: d.Verdict, Layers: a.Layers,
		Reasons: reasonsJSON(d.Reasons), Advice: reasonsJSON(d.Advice), Obligations: []obligationJSON{}, Pends: []pendJSON{}, Samples: append([]string{}, d.Sampled...)}
	for _, o := range d.Obligations {
		j.Obligations = append(j.Obligations, obligationJSON(o))
	}
	for _, p := range d.Pends {
		j.Pends = append(j.Pends, pendJSON(p))
	}
	return j
}

func reasonsJSON(list []policy.Reason) []reasonJSON {
	out := []reasonJSON{}
	for _, r := range list {
		out = append(out, reasonJSON{Code: r.Code, Params: r.Params, Layer: r.Layer, Rule: r.Rule, Text: r.Text, Fix: r.Fix, Source: r.Source, Audience: r.Audience})
	}
	return out
}

// answerWords tells a decision: the verdict first, then why and what to do, then what each layer said.
func answerWords(a *policy.Answer) string {
	var b strings.Builder
	d := &a.Decision
	verdict := map[string]string{policy.Delivered: "would be delivered", policy.Pending: "would wait", policy.Denied: "would be denied"}[d.Verdict]
	fmt.Fprintf(&b, "%s to %s on %s: %s\n", printable(a.From), printable(a.To), a.Now.Format(time.DateOnly), verdict)
	for _, r := range d.Reasons {
		fmt.Fprintf(&b, "\n  %s: %s\n", printable(r.Code), printable(r.Text))
		fmt.Fprintf(&b, "    said by %s, rule %s%s\n", printable(r.Layer), printable(r.Rule), sourceWords(r.Source))
		if r.Fix != "" {
			fmt.Fprintf(&b, "    fix: %s\n", printable(r.Fix))
		}
		if r.Audience != policy.AudienceAll {
			fmt.Fprintf(&b, "    read by: %s\n", map[string]string{policy.AudienceSender: "the sender alone", policy.AudienceOwn: "the agencies of the jurisdiction that says it"}[r.Audience])
		}
	}
	for _, p := range d.Pends {
		fmt.Fprintf(&b, "  waits for the %s of %s until %s (%s)\n", strings.ReplaceAll(p.By, "_", " "), printable(p.Jurisdiction), p.Expires.UTC().Format(time.RFC3339), printable(p.Code))
	}
	if len(d.Obligations) > 0 {
		fmt.Fprintf(&b, "\nobligations, merged over all layers:\n")
	}
	for _, o := range d.Obligations {
		params := ""
		if string(o.Params) != "{}" {
			params = " " + paramWords(o.Params)
		}
		fmt.Fprintf(&b, "  %s%s on the %s: %s (rule %s)\n", printable(o.Code), printable(params), o.On, printable(o.Text), printable(o.Rule))
	}
	for _, r := range d.Advice {
		fmt.Fprintf(&b, "\nadvice %s: %s\n", printable(r.Code), printable(strings.Join(nonEmpty(r.Text, r.Fix), " ")))
	}
	fmt.Fprintf(&b, "\nwho was asked:\n")
	for _, l := range a.Layers {
		fmt.Fprintf(&b, "  %s\n", printable(layerWords(l)))
		for _, t := range l.Traced {
			b.WriteString(tracedWords(t))
		}
	}
	if s := sampleWords(d.Sampled); s != "" {
		fmt.Fprintf(&b, "\n%s\n", s)
	}
	return b.String()
}

func sourceWords(source string) string {
	if source == "" {
		return ""
	}
	return ", " + printable(source)
}

func layerWords(l policy.LayerAnswer) string {
	var words []string
	for _, part := range []struct {
		verb  string
		codes []string
	}{{"denies", l.Deny}, {"lets it wait", l.Pend}, {"obliges", l.Oblige}, {"advises", l.Advise}} {
		if len(part.codes) > 0 {
			words = append(words, part.verb+" ("+strings.Join(part.codes, ", ")+")")
		}
	}
	switch {
	case !l.Rules:
		words = append(words, "has no rules")
	case !l.Allow:
		words = append([]string{"does not allow it"}, words...)
	case len(l.Deny) == 0:
		words = append([]string{"allows it"}, words...)
	}
	return fmt.Sprintf("%-16s %s", l.Layer, strings.Join(words, ", "))
}

func tracedWords(t policy.TracedRule) string {
	if t.Holds {
		return fmt.Sprintf("    + %s (%s:%d)\n", printable(t.Rule), t.File, t.Line)
	}
	words := fmt.Sprintf("    - %s (%s:%d)\n", printable(t.Rule), t.File, t.Line)
	if t.Failed != nil {
		words += fmt.Sprintf("        not so: %s\n", printable(t.Failed.Text))
		for _, v := range t.Failed.Values {
			words += fmt.Sprintf("        %s\n", printable(v))
		}
	}
	return words
}
