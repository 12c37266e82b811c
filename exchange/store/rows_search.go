package store

import (
	"database/sql"

	"github.com/liaison-exchange/liaison/exchange/search"
)

// Owners implements exchange.Reader. It jumps from one owner to the next.
func (r *rows) Owners() (all []string, err error) {
	for owner := ""; ; {
		found, err := r.one([]any{&owner}, "SELECT owner FROM entries WHERE owner > $1 ORDER BY owner LIMIT 1", owner)
		if err != nil || !found {
			return all, err
		}
		all = append(all, owner)
	}
}

// Drops implements exchange.Reader.
func (r *rows) Drops(after int64, limit int) (all []search.Drop, err error) {
	err = r.query(func(row *sql.Rows) error {
		var d search.Drop
		var seq int64
		err := row.Scan(&d.Position, &d.Owner, &seq)
		d.Seq = uint64(seq)
		all = append(all, d)
		return err
	}, "SELECT position, owner, seq FROM search_drops WHERE position > $1 ORDER BY position LIMIT $2", after, limit)
	return all, err
}
