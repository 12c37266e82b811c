package store_test

import (
	"testing"

	"github.com/liaison-exchange/liaison/exchange"
)

// testPolicies: the history of each jurisdiction, the newest of each, and one
// vote of each voter.
func testPolicies(t *testing.T, s exchange.Store) {
	first := exchange.Activation{Jurisdiction: "fi", Seq: 1, Status: "sample", Inputs: map[string]string{"declared": digest("d")}, How: "file",
		Signed: []exchange.PolicySignature{{Agency: "fi/krp", Kid: digest("k")}}, At: at(1)}
	second := exchange.Activation{Jurisdiction: "fi", Seq: 9, Status: "authoritative", Inputs: map[string]string{"declared": digest("d"), "rules": digest("r")},
		How: "push", Signed: first.Signed, By: []string{"spiffe://fi/krp/policy/a", "spiffe://fi/krp/policy/b"}, At: at(2)}
	back := second
	back.Jurisdiction, back.Seq, back.How, back.BackTo = "common", 10, "rollback", 3
	vote := exchange.PolicyVote{Jurisdiction: "fi", Voter: "spiffe://fi/krp/policy/a", Proposal: digest("p"), How: "push", Seq: 10, Status: "sample",
		PolicySignature: first.Signed[0], By: "spiffe://fi/krp/policy/a", At: at(3)}
	changed, other, foreign := vote, vote, vote
	changed.Proposal, changed.At = digest("q"), at(4)
	other.Voter, other.At = "spiffe://fi/krp/policy/b", at(5)
	foreign.Jurisdiction = "lv"
	write(t, s, func(tx exchange.Transaction) {
		before := must[*exchange.Registry](t)(tx.Registry()).Version()
		for _, a := range []exchange.Activation{second, first, back} {
			tx.PutActivation(a)
		}
		if now := must[*exchange.Registry](t)(tx.Registry()).Version(); now == before {
			t.Error("an activation does not move the registry")
		}
		for _, v := range []exchange.PolicyVote{vote, other, foreign, changed} {
			tx.PutPolicyVote(v)
		}
		equal(t, "own write", must[[]exchange.PolicyVote](t)(tx.PolicyVotes("fi")), []exchange.PolicyVote{changed, other})
	})
	view(t, s, func(r exchange.Reader) {
		equal(t, "history", must[[]exchange.Activation](t)(r.Activations("fi")), []exchange.Activation{second, first})
		equal(t, "the newest of each", must[[]exchange.Activation](t)(r.ActivePolicies()), []exchange.Activation{back, second})
		equal(t, "of none", len(must[[]exchange.Activation](t)(r.Activations("xx"))), 0)
		equal(t, "all votes", len(must[[]exchange.PolicyVote](t)(r.PolicyVotes(""))), 3)
	})
	write(t, s, func(tx exchange.Transaction) { tx.DropPolicyVotes("fi") })
	view(t, s, func(r exchange.Reader) {
		equal(t, "votes of another", must[[]exchange.PolicyVote](t)(r.PolicyVotes("")), []exchange.PolicyVote{foreign})
	})
	tx := must[exchange.Transaction](t)(s.Begin(t.Context()))
	defer tx.Rollback()
	if tx.PutActivation(first); tx.Err() == nil {
		t.Error("an activation replaces another with its seq")
	}
}
