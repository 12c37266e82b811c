package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// explainTimeout bounds one explanation: it asks every rule that had a say once more, by itself.
const explainTimeout = 5 * time.Second

// Explanation says why a decision is as it is, layer by layer.
type Explanation struct {
	Recipient string
	Verdict   string
	Layers    []LayerExplanation
}

// LayerExplanation is what one layer said. Hidden: it decided for a reason that is not for the reader.
type LayerExplanation struct {
	Layer   string
	Said    string // Denied, Pending, or Delivered when it takes nothing away
	Hidden  bool
	Because []Because
}

// Because is one thing that a layer said, the rule that said it, and the conditions that made it: of a rule that is not
// met the one that failed, of a rule that fired all that held.
type Because struct {
	Kind       string // deny, pend, oblige or advise
	Code       string
	Params     json.RawMessage
	Rule       string
	Layer      string
	Title      string
	Text       string
	Fix        string
	Source     string
	Audience   string
	Conditions []string
	File       string // "common/rcp.rego", "rules/lv/send.rego"; empty when no rule of a file decided
	Line       int
	By         string // who resolves a pend
	Resolved   bool   // of a pend: an approval did
	private    []string
}

// Explain says why a decision of this Set is as it is: d is the recorded decision with its Input. It asks the rules again
// as they are written, under OPA's tracer.
func (s *Set) Explain(ctx context.Context, d Decision) (_ *Explanation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", ErrEngine, p)
		}
	}()
	x := &Explanation{Recipient: d.Recipient, Verdict: d.Verdict}
	if s == nil || undecided(d.Input) {
		x.Layers = []LayerExplanation{{Layer: LayerCommon, Said: d.Verdict, Because: fromReasons(d.Reasons)}}
		return x, nil
	}
	rec, err := readRecorded(d.Input)
	if err != nil {
		return nil, err
	}
	cancel := topdown.NewCancel()
	e := &explainer{evaluation: &evaluation{ctx: ctx, cancel: cancel, reg: s.registry}, set: s, rec: rec, input: wholeInput(rec.in)}
	asked := rec.layers
	for _, w := range asked { // compiled before the time runs
		if _, err := e.plainOf(w.jurisdiction + "/" + w.kind); err != nil {
			return nil, err
		}
	}
	timer := time.AfterFunc(explainTimeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()
	if err := e.baseline(x); err != nil {
		return nil, err
	}
	for _, w := range asked {
		if err := e.national(x, w); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Recorded says of a decision what was recorded, without a look at the rules: for one that another engine made.
func Recorded(d Decision) *Explanation {
	x := &Explanation{Recipient: d.Recipient, Verdict: d.Verdict}
	kind := map[string]string{Denied: kindDeny, Pending: kindPend}[d.Verdict]
	add := func(kind, said string, list []Reason) {
		for _, r := range list {
			i := slices.IndexFunc(x.Layers, func(l LayerExplanation) bool { return l.Layer == r.Layer })
			if i < 0 {
				i = len(x.Layers)
				x.Layers = append(x.Layers, LayerExplanation{Layer: r.Layer, Said: said})
			}
			x.Layers[i].Because = append(x.Layers[i].Because, fromReason(kind, r))
		}
	}
	add(kind, d.Verdict, d.Reasons)
	add(kindAdvise, Delivered, d.Advice)
	return x
}

func fromReasons(list []Reason) []Because {
	var all []Because
	for _, r := range list {
		all = append(all, fromReason(kindDeny, r))
	}
	return all
}

func fromReason(kind string, r Reason) Because {
	return Because{Kind: kind, Code: r.Code, Params: r.Params, Rule: r.Rule, Layer: r.Layer, Text: r.Text, Fix: r.Fix, Source: r.Source, Audience: r.Audience}
}

// Mask leaves out what is not for the reader, as Mask does of the decision; of a layer that decided for such a reason
// only that stays. File and line of rules are for the agencies whose rules they are, and the baseline's for all; what the
// exchange and the sender know of the package beside its manifest is for the sender's side.
func (x *Explanation) Mask(reader string, isSender bool) *Explanation {
	j := jurisdictionOf(reader)
	out := &Explanation{Recipient: x.Recipient, Verdict: x.Verdict, Layers: make([]LayerExplanation, len(x.Layers))}
	for i, l := range x.Layers {
		all := l.Because
		l.Because = nil
		for _, b := range all {
			if !audible(b.Audience, b.Layer, j, isSender) {
				l.Hidden = l.Hidden || b.Kind == kindDeny || b.Kind == kindPend
				continue
			}
			if l.Layer != LayerCommon && jurisdictionOf(l.Layer) != j {
				b.File, b.Line = "", 0
			}
			if !isSender {
				b.Conditions = withoutPrivate(b.Conditions, b.private)
			}
			l.Because = append(l.Because, b)
		}
		out.Layers[i] = l
	}
	return out
}

// privateCondition stands for a condition on what only the sender's side may know.
const privateCondition = "it turns on what only the sender may know"

func withoutPrivate(conditions, private []string) []string {
	out := slices.Clone(conditions)
	for i, c := range out {
		if slices.Contains(private, c) {
			out[i] = privateCondition
		}
	}
	return out
}

// audible reports whether a reason of an audience is for a reader.
func audible(audience, layer, jurisdiction string, isSender bool) bool {
	switch audience {
	case AudienceAll:
		return true
	case AudienceSender:
		return isSender
	case AudienceOwn:
		return jurisdictionOf(layer) == jurisdiction
	}
	return false
}
