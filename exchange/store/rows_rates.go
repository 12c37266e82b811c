package store

import (
	"database/sql"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// Rates implements exchange.Reader.
func (r *rows) Rates() (all []exchange.RateRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var l exchange.RateRow
		var window, at int64
		err := row.Scan(&l.Agency, &l.Limit, &l.Rate.Quota, &window, &l.By, &l.Reason, &at)
		l.Rate.Window, l.At = time.Duration(window)*time.Second, fromMillis(at)
		all = append(all, l)
		return err
	}, "SELECT agency, name, quota, seconds, identity, reason, at FROM rates ORDER BY agency, name")
	return all, err
}

// PutRate implements exchange.Writer.
func (t *transaction) PutRate(r exchange.RateRow) {
	t.write(`INSERT INTO rates (agency, name, quota, seconds, identity, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (agency, name) DO UPDATE SET quota = excluded.quota, seconds = excluded.seconds, identity = excluded.identity,
		reason = excluded.reason, at = excluded.at`,
		r.Agency, r.Limit, r.Rate.Quota, int64(r.Rate.Window/time.Second), r.By, r.Reason, millis(r.At))
}

// DropRate implements exchange.Writer.
func (t *transaction) DropRate(agency, limit string) {
	t.write("DELETE FROM rates WHERE agency = $1 AND name = $2", agency, limit)
}
