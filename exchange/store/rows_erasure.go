package store

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// Nothing here removes a row. An UPDATE that makes a cell smaller leaves it on
// its page, and secure_delete overwrites what the old one held; a DELETE may
// join pages, which copies the neighbours and leaves their old bytes in the
// gap of the page that they left.

// EraseEntries implements exchange.Writer. What goes is noted for the search
// index, which lies outside: from this commit on no search finds or counts it.
func (t *transaction) EraseEntries(owner string, seqs []exchange.SeqRange, act int64) {
	for _, r := range seqs {
		t.write("UPDATE verdicts SET note = '' WHERE owner = $1 AND seq BETWEEN $2 AND $3 AND note <> ''", owner, int64(r.From), int64(r.To))
		t.write("UPDATE samples SET identity = '', officer = '', query = '' WHERE agency = $1 AND seq BETWEEN $2 AND $3", owner, int64(r.From), int64(r.To))
		t.write("INSERT INTO search_drops (owner, seq) SELECT owner, seq FROM entries WHERE owner = $1 AND seq BETWEEN $2 AND $3 AND entry IS NOT NULL ORDER BY seq",
			owner, int64(r.From), int64(r.To))
		t.write("UPDATE entries SET entry = NULL, salt = NULL, erased = $4 WHERE owner = $1 AND seq BETWEEN $2 AND $3 AND entry IS NOT NULL",
			owner, int64(r.From), int64(r.To), act)
	}
}

// ErasePackage implements exchange.Writer.
func (t *transaction) ErasePackage(id string, act int64) {
	t.eraseInputsOf(id)
	t.write(`UPDATE parts SET manifest = x'', statement = x'', answer = x'', content = NULL
		WHERE idx = (SELECT idx FROM packages WHERE id = $1)`, id)
	t.write(`UPDATE packages SET state = $2, content_blob = '', attachments = '', content_size = 0, erased = $3, content_erased = coalesce(content_erased, $3)
		WHERE id = $1`, id, exchange.StateErased, act)
	t.write("UPDATE deliveries SET due_at = 0, fetched_at = 0, mismatches = '' WHERE package = $1", id)
	delete(t.packages, id)
}

// eraseInputsOf takes what was asked about a package's recipients. A shared
// part that another decision has to the byte is that one's as well: it goes
// with the last of them.
func (t *transaction) eraseInputsOf(id string) {
	t.write("UPDATE decisions SET own = x'' WHERE package = $1", id)
	t.write("UPDATE inputs SET input = x'' WHERE sha256 IN (SELECT shared FROM decisions WHERE package = $1) AND "+unneeded, id)
}

// unneeded is true of an input of which no decision is left that can be
// replayed.
const unneeded = "NOT EXISTS (SELECT 1 FROM decisions d WHERE d.shared = inputs.sha256 AND length(d.own) > 0)"

// EraseContent implements exchange.Writer.
func (t *transaction) EraseContent(id string, act int64) {
	t.write("UPDATE parts SET content = NULL WHERE idx = (SELECT idx FROM packages WHERE id = $1)", id)
	t.write("UPDATE packages SET content_blob = '', attachments = '', content_erased = $2 WHERE id = $1", id, act)
	delete(t.packages, id)
}

// EraseConsultations implements exchange.Writer.
func (t *transaction) EraseConsultations(stale []exchange.StaleRow) {
	for _, s := range stale {
		t.write("UPDATE consultations SET identity = '', officer = '', justification = '', case_ref = '' WHERE rowid = $1", s.Position)
	}
}

// EraseInputs implements exchange.Writer.
func (t *transaction) EraseInputs(stale []exchange.StaleRow) {
	for _, s := range stale {
		t.write("UPDATE decisions SET own = x'' WHERE rowid = $1", s.Position)
		t.write("UPDATE inputs SET input = x'' WHERE sha256 = $1 AND "+unneeded, s.Shared)
	}
}

// PutErasure implements exchange.Writer.
func (t *transaction) PutErasure(e exchange.ErasureRow) {
	t.write("INSERT INTO erasures (idx, owner, agency, seq, class, why, order_id, what, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		e.Index, e.Owner, e.By, int64(e.Seq), e.Class, e.Why, e.Order, e.What, millis(e.At))
}

const erasureColumns = "SELECT idx, owner, agency, seq, class, why, order_id, what, at FROM erasures "

func (r *rows) erasures(query string, args ...any) (all []exchange.ErasureRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var e exchange.ErasureRow
		var seq, at int64
		err := row.Scan(&e.Index, &e.Owner, &e.By, &seq, &e.Class, &e.Why, &e.Order, &e.What, &at)
		e.Seq, e.At = uint64(seq), fromMillis(at)
		all = append(all, e)
		return err
	}, query, args...)
	return all, err
}

// Erasure implements exchange.Reader.
func (r *rows) Erasure(index int64) (*exchange.ErasureRow, error) {
	all, err := r.erasures(erasureColumns+"WHERE idx = $1", index)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Erasures implements exchange.Reader.
func (r *rows) Erasures(owner string, before int64, limit int) ([]exchange.ErasureRow, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	if owner == "" {
		return r.erasures(erasureColumns+"WHERE idx < $1 ORDER BY idx DESC LIMIT $2", before, limit)
	}
	return r.erasures(erasureColumns+"WHERE owner = $1 AND idx < $2 ORDER BY idx DESC LIMIT $3", owner, before, limit)
}

// ErasuresSince implements exchange.Reader.
func (r *rows) ErasuresSince(after int64, limit int) ([]exchange.ErasureRow, error) {
	return r.erasures(erasureColumns+"WHERE idx > $1 ORDER BY idx LIMIT $2", after, limit)
}

// PutErasureOrder implements exchange.Writer.
func (t *transaction) PutErasureOrder(o exchange.ErasureOrder) {
	t.write(`INSERT INTO erasure_orders (id, owner, payload, package, first, last, through, erased, kept, held, done, idx, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (id) DO UPDATE SET through = excluded.through, erased = excluded.erased, kept = excluded.kept, held = excluded.held, done = excluded.done`,
		o.ID, o.Owner, o.Payload, o.Package, int64(o.From), int64(o.To), int64(o.Through), o.Erased, o.Kept, o.Held, flag(o.Done), o.Index, millis(o.At))
}

const orderColumns = "SELECT id, owner, payload, package, first, last, through, erased, kept, held, done, idx, at FROM erasure_orders "

func (r *rows) orders(query string, args ...any) (all []exchange.ErasureOrder, err error) {
	err = r.query(func(row *sql.Rows) error {
		var o exchange.ErasureOrder
		var at int64
		err := row.Scan(&o.ID, &o.Owner, &o.Payload, &o.Package, &o.From, &o.To, &o.Through, &o.Erased, &o.Kept, &o.Held, &o.Done, &o.Index, &at)
		o.At = fromMillis(at)
		all = append(all, o)
		return err
	}, query, args...)
	return all, err
}

// ErasureOrder implements exchange.Reader.
func (r *rows) ErasureOrder(id string) (*exchange.ErasureOrder, error) {
	all, err := r.orders(orderColumns+"WHERE id = $1", id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// OpenOrders implements exchange.Reader.
func (r *rows) OpenOrders() ([]exchange.ErasureOrder, error) {
	return r.orders(orderColumns + "WHERE done = 0 ORDER BY idx")
}

// PutHold implements exchange.Writer.
func (t *transaction) PutHold(h exchange.Hold) {
	if !h.Released.IsZero() {
		h.Value, h.Reason, h.By = "", "", ""
	}
	t.write(`INSERT INTO holds (id, owner, scope, value, since, until, reason, identity, at, released)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET value = excluded.value, reason = excluded.reason, identity = excluded.identity, released = excluded.released`,
		h.ID, h.Owner, h.Scope, h.Value, millis(h.From), millis(h.To), h.Reason, h.By, millis(h.At), millis(h.Released))
}

// Holds implements exchange.Reader.
func (r *rows) Holds(owner string) (all []exchange.Hold, err error) {
	err = r.query(func(row *sql.Rows) error {
		var h exchange.Hold
		var since, until, at, released int64
		err := row.Scan(&h.ID, &h.Owner, &h.Scope, &h.Value, &since, &until, &h.Reason, &h.By, &at, &released)
		h.From, h.To, h.At, h.Released = fromMillis(since), fromMillis(until), fromMillis(at), fromMillis(released)
		all = append(all, h)
		return err
	}, `SELECT id, owner, scope, value, since, until, reason, identity, at, released FROM holds
		WHERE owner = $1 OR $1 = '' ORDER BY at DESC, id`, owner)
	return all, err
}

// Disclosed implements exchange.Reader.
func (r *rows) Disclosed(owner string, after, through uint64, limit int) (seqs []uint64, err error) {
	err = r.query(func(row *sql.Rows) error {
		var seq int64
		err := row.Scan(&seq)
		seqs = append(seqs, uint64(seq))
		return err
	}, "SELECT seq FROM entries WHERE owner = $1 AND seq > $2 AND seq <= $3 AND entry IS NOT NULL ORDER BY seq LIMIT $4", owner, int64(after), int64(through), limit)
	return seqs, err
}

// SeqBefore implements exchange.Reader: an owner's seqs and indexes rise
// together, so it halves.
func (r *rows) SeqBefore(owner string, index int64) (uint64, error) {
	last, _, err := r.Last(owner)
	if err != nil {
		return 0, err
	}
	low, high := uint64(0), last // all through low are below, none above high is
	for low < high {
		middle := low + (high-low+1)/2
		var at int64
		found, err := r.one([]any{&at}, "SELECT idx FROM entries WHERE owner = $1 AND seq = $2", owner, int64(middle))
		switch {
		case err != nil:
			return 0, err
		case !found:
			return 0, fmt.Errorf("entry %d of %s is missing", middle, owner)
		case at < index:
			low = middle
		default:
			high = middle - 1
		}
	}
	return low, nil
}

// HeadAt implements exchange.Reader: heads have no index by time, which every
// batch would pay for. Where the clock was set back the older answer is given.
func (r *rows) HeadAt(t time.Time) (exchange.Head, error) {
	last, err := r.Head()
	if err != nil {
		return last, err
	}
	found := exchange.Head{Root: emptyRoot}
	low, high := int64(0), last.Size
	for low < high {
		middle := low + (high-low)/2 // a head of that size or more
		h, _, err := r.head(headColumns+"WHERE size > $1 ORDER BY size LIMIT 1", middle)
		switch {
		case err != nil:
			return h, err
		case h.Time.After(t):
			high = middle
		default:
			found, low = h, h.Size
		}
	}
	return found, nil
}

// Swept implements exchange.Reader.
func (r *rows) Swept(what string) (through int64, err error) {
	_, err = r.one([]any{&through}, "SELECT through FROM swept WHERE what = $1", what)
	return through, err
}

// SetSwept implements exchange.Writer.
func (t *transaction) SetSwept(what string, through int64) {
	t.write("INSERT INTO swept (what, through) VALUES ($1, $2) ON CONFLICT (what) DO UPDATE SET through = excluded.through", what, through)
}

// DuePackages implements exchange.Reader.
func (r *rows) DuePackages(d exchange.Due) ([]*exchange.Package, error) {
	column, gone := "p.erase_at", "p.erased IS NULL"
	if d.Class == exchange.ClassContent {
		column, gone = "p.content_at", "p.content_erased IS NULL AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.package = p.id AND d.outcome = 'acknowledged')"
	}
	return r.listed(packageColumns+"FROM packages p JOIN parts t ON t.idx = p.idx WHERE "+gone+" AND "+column+" > 0 AND ("+column+", p.idx) > ($1, $2) AND "+column+
		" <= $3 AND (p.sender = $4 OR $4 = '') ORDER BY "+column+", p.idx LIMIT $5", millis(d.After.At), d.After.Index, millis(d.Before), d.Sender, d.Limit)
}

// StaleConsultations implements exchange.Reader.
func (r *rows) StaleConsultations(before time.Time, after int64, limit int) (stale []exchange.StaleRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var s exchange.StaleRow
		var expires int64
		err := row.Scan(&s.Position, &s.Agency, &expires)
		s.At = fromMillis(expires)
		stale = append(stale, s)
		return err
	}, "SELECT rowid, agency, expires FROM consultations WHERE rowid > $1 AND expires < $2 AND justification <> '' ORDER BY rowid LIMIT $3", after, millis(before), limit)
	return stale, err
}

// StaleInputs implements exchange.Reader. It looks at so many decisions at
// most, and says where it stopped.
func (r *rows) StaleInputs(before time.Time, after int64, limit int) (stale []exchange.StaleRow, next int64, err error) {
	next = after
	err = r.query(func(row *sql.Rows) error {
		var s exchange.StaleRow
		var ours bool
		err := row.Scan(&s.Position, &s.Shared, &ours)
		if next = s.Position; ours {
			stale = append(stale, s)
		}
		return err
	}, `SELECT d.rowid, d.shared, length(d.own) > 0 AND NOT EXISTS (SELECT 1 FROM packages p WHERE p.id = d.package AND p.erased IS NULL)
		FROM decisions d WHERE d.rowid > $1 AND d.at < $2 ORDER BY d.rowid LIMIT $3`, after, millis(before), limit)
	return stale, next, err
}

// CountErased implements exchange.Reader.
func (r *rows) CountErased(owner string, after, through uint64) (n int, err error) {
	_, err = r.one([]any{&n}, "SELECT count(*) FROM entries WHERE owner = $1 AND seq > $2 AND seq <= $3 AND erased IS NOT NULL", owner, int64(after), int64(through))
	return n, err
}
