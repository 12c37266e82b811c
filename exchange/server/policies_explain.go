package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/policy"
)

func getDecision(c *call) error {
	id, err := c.packageID()
	if err != nil {
		return err
	}
	x, err := c.s.cfg.Exchange.Explain(c.r.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, explanationOf(x))
}

func explanationOf(x *exchange.Explained) api.Explanation {
	d := &x.Decision
	out := api.Explanation{
		ID: x.ID, Package: x.Package, Recipient: d.Recipient, Action: x.Action, At: timeOf(x.At), Verdict: d.Verdict,
		Layers: make([]api.ExplainedLayer, 0, len(x.Why.Layers)), Obligations: obligationsOf(d.Obligations),
		Revisions: d.Revisions, Engine: d.Engine, Note: sampleNote(d.Sampled), Receipt: x.Receipt.Encode(),
	}
	if x.Recorded {
		out.Note = strings.Join(slices.DeleteFunc([]string{out.Note, "another version of the policy engine decided: this is what was recorded"}, func(s string) bool { return s == "" }), "; ")
	}
	if out.Revisions == nil {
		out.Revisions = map[string]string{}
	}
	for _, l := range x.Why.Layers {
		layer := api.ExplainedLayer{Layer: l.Layer, Said: l.Said, Hidden: l.Hidden, Because: make([]api.Because, 0, len(l.Because))}
		for _, b := range l.Because {
			layer.Because = append(layer.Because, api.Because{
				Kind: b.Kind, Code: b.Code, Params: paramsOf(b.Params), Rule: b.Rule, Title: b.Title, Conditions: b.Conditions,
				Text: b.Text, Fix: b.Fix, Source: b.Source, File: b.File, Line: b.Line, By: b.By, Resolved: b.Resolved,
			})
		}
		out.Layers = append(out.Layers, layer)
	}
	return out
}

func getPolicyDecision(c *call) error {
	j, err := c.policyName()
	if err != nil {
		return err
	}
	id, err := c.packageID()
	if err != nil {
		return err
	}
	in, err := c.s.cfg.Exchange.DecisionInput(c.r.Context(), c.caller, j, id)
	if err != nil {
		return err
	}
	out := api.RecordedInput{ID: in.ID, Package: in.Package, Recipient: in.Recipient, Verdict: in.Verdict, Whole: in.Whole, Shared: in.Shared, Own: in.Own,
		Said: make([]api.LayerSaid, 0, len(in.Said)), Receipt: in.Receipt.Encode()}
	for _, s := range in.Said {
		out.Said = append(out.Said, api.LayerSaid(s))
	}
	return c.answer(http.StatusOK, out)
}

// policyName is the {j} of the path: a jurisdiction, or common. What is neither
// names nothing.
func (c *call) policyName() (string, error) {
	j := c.param("j")
	if _, _, err := certs.ParseAgencyID(j + "/x"); err != nil && j != policy.LayerCommon {
		return "", refuse(exchange.NotFound, "jurisdiction-form", "", "")
	}
	return j, nil
}
