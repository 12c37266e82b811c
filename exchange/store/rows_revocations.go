package store

import (
	"database/sql"

	"github.com/liaison-exchange/liaison/exchange"
)

// Revocations implements exchange.Reader.
func (r *rows) Revocations(jurisdiction string) (all []exchange.RevocationRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var l exchange.RevocationRow
		var at int64
		err := row.Scan(&l.Jurisdiction, &l.Issuer, &l.Number, &l.Digest, &l.PEM, &at)
		l.At = fromMillis(at)
		all = append(all, l)
		return err
	}, "SELECT jurisdiction, issuer, number, digest, pem, at FROM revocations WHERE $1 IN ('', jurisdiction) ORDER BY jurisdiction, issuer", jurisdiction)
	return all, err
}

// PutRevocation implements exchange.Writer.
func (t *transaction) PutRevocation(l exchange.RevocationRow) {
	t.write(`INSERT INTO revocations (jurisdiction, issuer, number, digest, pem, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (jurisdiction, issuer) DO UPDATE SET number = excluded.number, digest = excluded.digest, pem = excluded.pem, at = excluded.at`,
		l.Jurisdiction, l.Issuer, l.Number, l.Digest, l.PEM, millis(l.At))
}

// Grace implements exchange.Reader.
func (r *rows) Grace(jurisdiction string) (*exchange.GraceRow, error) {
	all, err := r.graces(jurisdiction)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Graces implements exchange.Reader.
func (r *rows) Graces() ([]exchange.GraceRow, error) { return r.graces("") }

func (r *rows) graces(jurisdiction string) (all []exchange.GraceRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var g exchange.GraceRow
		var until, wanted, at int64
		err := row.Scan(&g.Jurisdiction, &until, &wanted, &g.Waiting.By, &g.Waiting.Reason, &at)
		g.Until, g.Waiting.Until, g.Waiting.At = fromMillis(until), fromMillis(wanted), fromMillis(at)
		all = append(all, g)
		return err
	}, "SELECT jurisdiction, until, wanted, identity, reason, at FROM graces WHERE $1 IN ('', jurisdiction) ORDER BY jurisdiction", jurisdiction)
	return all, err
}

// PutGrace implements exchange.Writer.
func (t *transaction) PutGrace(g exchange.GraceRow) {
	t.write(`INSERT INTO graces (jurisdiction, until, wanted, identity, reason, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (jurisdiction) DO UPDATE SET until = excluded.until, wanted = excluded.wanted, identity = excluded.identity,
		reason = excluded.reason, at = excluded.at`,
		g.Jurisdiction, millis(g.Until), millis(g.Waiting.Until), g.Waiting.By, g.Waiting.Reason, millis(g.Waiting.At))
}
