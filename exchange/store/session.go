package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"modernc.org/sqlite"
)

// ErrClosed is what a closed store returns.
var ErrClosed = errors.New("the store is closed")

// pool holds the connections of one kind.
type pool struct {
	db     *sql.DB
	free   chan *session // what nobody uses; a nil one is opened when taken
	closed chan struct{}
	once   sync.Once
}

// newPool opens nothing yet.
func newPool(path string, pragmas []string, size int) (*pool, error) {
	connector, err := sqlite.NewConnector(address(path, pragmas...))
	if err != nil {
		return nil, err
	}
	p := &pool{db: sql.OpenDB(connector), free: make(chan *session, size), closed: make(chan struct{})}
	p.db.SetMaxOpenConns(size)
	p.db.SetMaxIdleConns(size)
	for range size {
		p.free <- nil
	}
	return p, nil
}

// take waits for a connection.
func (p *pool) take(ctx context.Context) (*session, error) {
	select {
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case s := <-p.free:
		if s != nil {
			return s, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, ErrClosed
	}
	c, err := p.db.Conn(ctx)
	if err != nil {
		p.free <- nil
		return nil, err
	}
	return &session{conn: c, stmts: map[string]*sql.Stmt{}}, nil
}

// give brings a connection back: after an error it is not used again, since
// SQLite may have ended its transaction without a word.
func (p *pool) give(s *session, err error) {
	if err != nil {
		s.drop()
		s = nil
	}
	p.free <- s
}

// close waits until every connection came back.
func (p *pool) close() (err error) {
	if p == nil {
		return nil
	}
	p.once.Do(func() {
		close(p.closed)
		for range cap(p.free) {
			if s := <-p.free; s != nil {
				s.finalize()
				err = errors.Join(err, s.conn.Close())
			}
		}
		err = errors.Join(err, p.db.Close())
	})
	return err
}

// session is one connection and the statements prepared on it, all of them
// constants of this package.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (s *session) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.stmts[query]; st != nil {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = st
	return st, nil
}

// finalize closes the statements, as database/sql does not for those of a
// single connection: SQLite keeps a connection open, and its transaction,
// for as long as it has any. What a failed one returns again is known.
func (s *session) finalize() {
	for _, st := range s.stmts {
		_ = st.Close()
	}
}

// drop closes the connection for good, with its transaction.
func (s *session) drop() {
	s.finalize()
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}
