package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// rows reads and writes on one connection, within its transaction. The first
// error sticks: nothing is executed after it.
//
// The context is looked at between statements and rows only. A statement that
// is interrupted makes SQLite end the whole transaction by itself.
type rows struct {
	store   *SQLite
	session *session
	ctx     context.Context
	whole   context.Context // ctx without its end
	err     error

	registry *exchange.Registry           // of this transaction, once read
	moved    bool                         // this transaction wrote to the registry
	packages map[string]*exchange.Package // read in advance; nil: there is none
}

func newRows(ctx context.Context, store *SQLite, s *session) rows {
	return rows{store: store, session: s, ctx: ctx, whole: context.WithoutCancel(ctx)}
}

// prepare returns the statement, or nil after an error.
func (r *rows) prepare(query string) *sql.Stmt {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err != nil {
		return nil
	}
	st, err := r.session.prepare(r.whole, query)
	if err != nil {
		r.err = err
		return nil
	}
	return st
}

// exec returns how many rows were written.
func (r *rows) exec(query string, args ...any) int64 {
	st := r.prepare(query)
	if st == nil {
		return 0
	}
	res, err := st.ExecContext(r.whole, args...)
	if err != nil {
		r.err = err
		return 0
	}
	n, err := res.RowsAffected()
	if err != nil {
		r.err = err
	}
	return n
}

// query calls scan for each row. What scan returns as an error sticks too.
func (r *rows) query(scan func(*sql.Rows) error, query string, args ...any) error {
	st := r.prepare(query)
	if st == nil {
		return r.err
	}
	result, err := st.QueryContext(r.whole, args...)
	if err != nil {
		r.err = err
		return err
	}
	defer result.Close()
	for err == nil && result.Next() {
		if err = r.ctx.Err(); err == nil {
			err = scan(result)
		}
	}
	if err == nil {
		err = result.Err()
	}
	r.err = err
	return err
}

// one scans the one row that the query returns, if it does.
func (r *rows) one(dest []any, query string, args ...any) (found bool, err error) {
	err = r.query(func(row *sql.Rows) error {
		found = true
		return row.Scan(dest...)
	}, query, args...)
	return found && err == nil, err
}

// Err returns the first error.
func (r *rows) Err() error { return r.err }

// placeholders is "($1,$2),($3,$4)…": so many rows of so many values.
func placeholders(count, values int) string {
	var b strings.Builder
	for i := range count * values {
		switch {
		case i%values > 0:
			b.WriteByte(',')
		case i > 0:
			b.WriteString("),(")
		default:
			b.WriteByte('(')
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	b.WriteByte(')')
	return b.String()
}

// Times are Unix milliseconds; no time is 0.

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// A flag is 0 or 1.
func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// Lists that nothing is looked up by are JSON in a column; an empty one is
// the empty text.

func listText[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

func parseList[T any](text string) (list []T, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &list)
	}
	return list, err
}
