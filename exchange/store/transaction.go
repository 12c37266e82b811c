package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/liaison-exchange/liaison/exchange"
)

// errEnded is the error of a transaction that is over.
var errEnded = errors.New("the transaction has ended")

// transaction is the one writing transaction. SQLite is in this process, so
// writes are executed as they come: there is no round trip to save.
type transaction struct {
	rows
	writes int
	ended  bool
}

var _ exchange.Transaction = (*transaction)(nil)

// Begin implements exchange.Store. SQLite has one writer: to begin is to lock
// the head.
func (s *SQLite) Begin(ctx context.Context) (exchange.Transaction, error) {
	session, err := s.writer.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	t := &transaction{rows: newRows(ctx, s, session)}
	if t.exec("BEGIN IMMEDIATE"); t.err != nil {
		s.writer.give(session, t.err)
		return nil, fmt.Errorf("begin: %w", t.err)
	}
	return t, nil
}

// View implements exchange.Store.
func (s *SQLite) View(ctx context.Context, f func(exchange.Reader) error) (err error) {
	session, err := s.readers.take(ctx)
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	ctx, end := s.wal.begin(ctx)
	defer end()
	r := newRows(ctx, s, session)
	unfinished := errors.New("view did not return")
	defer func() { s.readers.give(session, errors.Join(unfinished, r.err)) }()
	if r.exec("BEGIN"); r.err != nil {
		return fmt.Errorf("view: %w", r.err)
	}
	err = f(&r)
	r.exec("ROLLBACK")
	unfinished = nil
	if err != nil && errors.Is(context.Cause(ctx), ErrViewEnded) {
		return fmt.Errorf("view: %w", ErrViewEnded)
	}
	return err
}

// Writes implements exchange.Transaction.
func (t *transaction) Writes() int { return t.writes }

// write executes one write of a change.
func (t *transaction) write(query string, args ...any) int64 {
	t.writes++
	return t.exec(query, args...)
}

// Append implements exchange.Transaction.
func (t *transaction) Append(entries []exchange.EntryRow, first int64, hashes []tlog.Hash, head exchange.Head) error {
	t.appendEntries(entries)
	t.appendHashes(first, hashes)
	t.exec("INSERT INTO heads (size, root, at) VALUES ($1, $2, $3)", head.Size, head.Root[:], millis(head.Time))
	if t.err != nil {
		return fmt.Errorf("append: %w", t.err)
	}
	return nil
}

// Commit implements exchange.Transaction.
func (t *transaction) Commit() error {
	if t.err != nil {
		err := t.err
		t.Rollback()
		return fmt.Errorf("commit: %w", err)
	}
	t.exec("COMMIT")
	err := t.err
	if err == nil {
		t.fold()
	}
	t.end()
	if err == nil {
		return nil
	}
	if rolledBack(err) {
		return fmt.Errorf("commit: %w", err)
	}
	return fmt.Errorf("%w: %w", exchange.ErrCommitUnknown, err)
}

// rolledBack reports whether a failed COMMIT has surely left nothing: the
// disk was full before the commit record was whole, a deferred constraint
// does not hold, or the lock was not to be had. After an error of I/O or
// fsync nobody knows what a later reader of the log will find.
func rolledBack(err error) bool {
	if errors.Is(err, errEnded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true // COMMIT was not executed
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_BUSY:
		return true
	}
	return false
}

// Rollback implements exchange.Transaction. After an error nothing more is
// executed: closing the connection ends the transaction.
func (t *transaction) Rollback() {
	if t.ended {
		return
	}
	t.ctx = t.whole // to leave is always possible
	t.exec("ROLLBACK")
	t.end()
}

// end gives the connection back.
func (t *transaction) end() {
	if t.ended {
		return
	}
	t.ended = true
	t.store.writer.give(t.session, t.err)
	if t.err == nil {
		t.err = errEnded
	}
}
