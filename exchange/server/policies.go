package server

import (
	"net/http"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/policy"
)

func listPolicies(c *call) error {
	all, receipt, err := c.s.cfg.Exchange.ListPolicies(c.r.Context(), c.caller)
	if err != nil {
		return err
	}
	answer := api.Policies{Items: []api.Policy{}, Receipt: receipt.Encode()}
	for _, state := range all {
		answer.Items = append(answer.Items, policyOf(state))
	}
	return c.answer(http.StatusOK, answer)
}

func getPolicy(c *call) error {
	state, receipt, err := c.s.cfg.Exchange.ShowPolicy(c.r.Context(), c.caller, c.param("j"))
	if err != nil {
		return err
	}
	answer := policyOf(*state)
	answer.Receipt = receipt.Encode()
	return c.answer(http.StatusOK, answer)
}

// putPolicy takes a bundle. Its sets are built one at a time, and hold much.
func putPolicy(c *call) error {
	if err := c.takeLarge(); err != nil {
		return err
	}
	raw, err := c.read(policy.MaxBundleSize)
	if err != nil {
		return err
	}
	change, err := c.s.cfg.Exchange.PushPolicy(c.r.Context(), c.caller, c.param("j"), raw)
	if err != nil {
		return err
	}
	return c.answerChange(change)
}

func rollbackPolicy(c *call) error {
	if err := c.takeLarge(); err != nil {
		return err
	}
	jws, err := c.read(maxJWS)
	if err != nil {
		return err
	}
	change, err := c.s.cfg.Exchange.RollbackPolicy(c.r.Context(), c.caller, c.param("j"), jws)
	if err != nil {
		return err
	}
	return c.answerChange(change)
}

func (c *call) answerChange(change *exchange.PolicyChange) error {
	status := map[string]int{exchange.PolicyActive: http.StatusCreated, exchange.PolicyRepeated: http.StatusOK, exchange.PolicyWaiting: http.StatusAccepted}[change.Outcome]
	return c.answer(status, api.PolicyChange{Jurisdiction: change.Jurisdiction, Outcome: change.Outcome, Activation: activationOf(change.Activation),
		Needed: change.Needed, Waiting: votesOf(change.Waiting), Receipt: change.Receipt.Encode()})
}

func policyOf(state exchange.PolicyState) api.Policy {
	p := api.Policy{Jurisdiction: state.Jurisdiction, InForce: state.InForce, Fault: state.Fault, Active: activationOf(state.Activation),
		Needed: state.Needed, Waiting: votesOf(state.Waiting)}
	for _, a := range state.History {
		p.History = append(p.History, activationOf(a))
	}
	if state.Sources != nil {
		p.Files = map[string]string{}
	}
	for _, src := range state.Sources {
		for path, body := range src.Files {
			p.Files[path] = string(body)
		}
	}
	return p
}

func activationOf(a exchange.Activation) api.PolicyActivation {
	out := api.PolicyActivation{Seq: a.Seq, Status: a.Status, Common: a.Inputs[policy.CommonBundle], Declared: a.Inputs["declared"], Rules: a.Inputs["rules"],
		How: a.How, BackTo: a.BackTo, Since: timeOf(a.At), Signed: []api.PolicySignature{}, By: a.By}
	for _, s := range a.Signed {
		out.Signed = append(out.Signed, api.PolicySignature(s))
	}
	return out
}

func votesOf(votes []exchange.PolicyVote) (all []api.PolicyVote) {
	for _, v := range votes {
		all = append(all, api.PolicyVote{How: v.How, Seq: v.Seq, Status: v.Status, Proposal: v.Proposal, Agency: v.Agency, Kid: v.Kid, By: v.By,
			Since: timeOf(v.At), Expires: timeOf(v.Expires())})
	}
	return all
}

func findingsOf(found []policy.Finding) (all []api.PolicyFinding) {
	for _, f := range found {
		all = append(all, api.PolicyFinding{Input: f.Input, File: f.File, Line: f.Line, Col: f.Col, Source: f.Source, ID: f.ID, Message: f.Message, Fix: f.Fix})
	}
	return all
}
