package exchange

import (
	"context"
	"errors"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/policy"
)

// Decide asks policy about a package that is not sealed yet and stores
// nothing but the asker's entry and the decisions. Every recipient is
// answered, denied or not.
func (s *Service) Decide(ctx context.Context, c Caller, d DryRun) (*Decided, error) {
	v, err := s.enter(ctx, c, ActDecide, "")
	if err != nil {
		return nil, err
	}
	q, e, err := v.draft(d)
	if err != nil {
		return nil, v.refuse(ctx, AsRefusal(err))
	}
	for range attempts {
		answer, err := v.ask(ctx, q, e)
		if !errors.Is(err, errStale) {
			return answer, err
		}
	}
	return nil, unavailable(errStale)
}

// draft reads the unsigned payloads. Its errors are refusals.
func (v *visit) draft(d DryRun) (question, audit.Entry, error) {
	manifest, meta, err := envelope.ParseManifestDraft(d.Manifest)
	if err != nil {
		return question{}, audit.Entry{}, refusalOf("manifest", err)
	}
	statement, err := envelope.ParseStatementDraft(d.Statement)
	if err != nil {
		return question{}, audit.Entry{}, refusalOf("statement", err)
	}
	if manifest.Iss != v.agency() || statement.Iss != v.agency() || statement.JTI != manifest.JTI {
		return question{}, audit.Entry{}, &Refusal{Kind: Invalid, Reason: "draft-of-another",
			Detail: "manifest and statement of a dry run name the asking agency (iss) and one package id (jti)",
			Fix:    "use your own agency and one UUIDv7 in both"}
	}
	for _, a := range manifest.Aud {
		if _, known := v.registry.Load().Agency(a); !known {
			return question{}, audit.Entry{}, &Refusal{Kind: Invalid, Reason: "recipient-unknown",
				Detail: "a recipient is not an agency of this exchange", Fix: "compare `aud` with GET /v1/agencies"}
		}
	}
	e := manifestEntry(&envelope.SignedManifest{Manifest: manifest, Claimed: meta})
	visit := v.entry
	e.Owner, e.Operation, e.Action, e.Actor, e.Request = visit.Owner, visit.Operation, visit.Action, visit.Actor, visit.Request
	e.Officer, e.Justification = statement.Officer, statement.Justification
	return question{action: policy.ActionDryRun, id: manifest.JTI, sender: manifest.Iss, recipients: manifest.Aud,
		manifest: &manifest, meta: &meta, statement: &statement}, e, nil
}

// ask is one round of a dry run.
func (v *visit) ask(ctx context.Context, q question, e audit.Entry) (*Decided, error) {
	j, err := v.judge(ctx, q)
	if err != nil {
		return nil, v.failEngine(ctx, err)
	}
	receipt, err := v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		if err := j.stillHolds(tx); err != nil {
			return nil, nil, err
		}
		j.record(tx)
		e.Outcome = j.verdict
		j.enter(&e, q.recipients...)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	v.shadow(j)
	decided := &Decided{Receipt: receipt}
	for i, d := range j.decisions {
		decided.Outcomes = append(decided.Outcomes, outcomeOf(j.set, d, j.ids[i], d.Verdict, v.agency(), true))
	}
	return decided, nil
}
