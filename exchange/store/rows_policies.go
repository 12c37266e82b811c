package store

import (
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/liaison-exchange/liaison/exchange"
)

// Activations implements exchange.Reader.
func (r *rows) Activations(jurisdiction string) ([]exchange.Activation, error) {
	return r.activations("WHERE jurisdiction = $1 ORDER BY seq DESC", jurisdiction)
}

// ActivePolicies implements exchange.Reader.
func (r *rows) ActivePolicies() ([]exchange.Activation, error) {
	return r.activations("AS a WHERE seq = (SELECT MAX(seq) FROM activations WHERE jurisdiction = a.jurisdiction) ORDER BY jurisdiction")
}

func (r *rows) activations(which string, args ...any) (all []exchange.Activation, err error) {
	err = r.query(func(row *sql.Rows) error {
		var a exchange.Activation
		var inputs, signed, by string
		var at int64
		if err := row.Scan(&a.Jurisdiction, &a.Seq, &a.Status, &inputs, &a.How, &a.BackTo, &signed, &by, &at); err != nil {
			return err
		}
		var err2, err3 error
		a.At, err = fromMillis(at), json.Unmarshal([]byte(inputs), &a.Inputs)
		a.Signed, err2 = parseList[exchange.PolicySignature](signed)
		a.By, err3 = parseList[string](by)
		all = append(all, a)
		return errors.Join(err, err2, err3)
	}, "SELECT jurisdiction, seq, status, inputs, how, back_to, signed, identities, at FROM activations "+which, args...)
	return all, err
}

// PutActivation implements exchange.Writer.
func (t *transaction) PutActivation(a exchange.Activation) {
	inputs, err := json.Marshal(a.Inputs)
	signed, err2 := listText(a.Signed)
	by, err3 := listText(a.By)
	if err = errors.Join(err, err2, err3); err != nil {
		t.fail(err)
		return
	}
	t.write(`INSERT INTO activations (jurisdiction, seq, status, inputs, how, back_to, signed, identities, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		a.Jurisdiction, a.Seq, a.Status, string(inputs), a.How, a.BackTo, signed, by, millis(a.At))
	t.moveRegistry()
}

// PolicyVotes implements exchange.Reader.
func (r *rows) PolicyVotes(jurisdiction string) (all []exchange.PolicyVote, err error) {
	err = r.query(func(row *sql.Rows) error {
		var v exchange.PolicyVote
		var at int64
		err := row.Scan(&v.Jurisdiction, &v.Voter, &v.Proposal, &v.How, &v.Seq, &v.Status, &v.Agency, &v.Kid, &v.By, &at)
		v.At = fromMillis(at)
		all = append(all, v)
		return err
	}, `SELECT jurisdiction, voter, proposal, how, seq, status, agency, kid, identity, at FROM policy_votes
		WHERE $1 IN ('', jurisdiction) ORDER BY jurisdiction, at, voter`, jurisdiction)
	return all, err
}

// PutPolicyVote implements exchange.Writer.
func (t *transaction) PutPolicyVote(v exchange.PolicyVote) {
	t.write(`INSERT INTO policy_votes (jurisdiction, voter, proposal, how, seq, status, agency, kid, identity, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (jurisdiction, voter) DO UPDATE SET proposal = excluded.proposal,
		how = excluded.how, seq = excluded.seq, status = excluded.status, agency = excluded.agency, kid = excluded.kid,
		identity = excluded.identity, at = excluded.at`,
		v.Jurisdiction, v.Voter, v.Proposal, v.How, v.Seq, v.Status, v.Agency, v.Kid, v.By, millis(v.At))
}

// DropPolicyVotes implements exchange.Writer.
func (t *transaction) DropPolicyVotes(jurisdiction string) {
	t.write("DELETE FROM policy_votes WHERE jurisdiction = $1", jurisdiction)
}
