package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
)

// hashesPerRow is how many stored hashes lie in one row at most: a row then
// fits into one page of 4 KiB.
const hashesPerRow = 120

// entriesAtOnce are the numbers of entries that one statement inserts.
var entriesAtOnce = []int{32, 8, 1}

// entryInserts are the statements for them.
var entryInserts = func() map[int]string {
	m := map[int]string{}
	for _, n := range entriesAtOnce {
		m[n] = "INSERT INTO entries (idx, owner, seq, commitment, salt, entry) VALUES " + placeholders(n, 6)
	}
	return m
}()

func (t *transaction) appendEntries(entries []exchange.EntryRow) {
	for _, n := range entriesAtOnce {
		for ; len(entries) >= n; entries = entries[n:] {
			args := make([]any, 0, 6*n)
			for i := range n {
				e := &entries[i]
				args = append(args, e.Index, e.Owner, int64(e.Seq), e.Commitment[:], e.Salt, e.Entry)
			}
			t.exec(entryInserts[n], args...)
		}
	}
}

func (t *transaction) appendHashes(first int64, hashes []tlog.Hash) {
	for len(hashes) > 0 {
		n := min(hashesPerRow, len(hashes))
		row := make([]byte, 0, n*tlog.HashSize)
		for _, h := range hashes[:n] {
			row = append(row, h[:]...)
		}
		t.exec("INSERT INTO hashes (first, hashes) VALUES ($1, $2)", first, row)
		first, hashes = first+int64(n), hashes[n:]
	}
}

// emptyRoot is that of a tree without entries.
var emptyRoot = audit.EmptyTree().Root()

// ReadHashes implements tlog.HashReader over stored hashes.
func (r *rows) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	if scattered(indexes) {
		return r.scatteredHashes(indexes)
	}
	hashes := make([]tlog.Hash, len(indexes))
	var first, end int64 // what row holds
	var row []byte
	for i, x := range indexes {
		if x < first || x >= end {
			found, err := r.one([]any{&first, &row}, "SELECT first, hashes FROM hashes WHERE first <= $1 ORDER BY first DESC LIMIT 1", x)
			if err != nil {
				return nil, err
			}
			end = first + int64(len(row)/tlog.HashSize)
			if !found || x >= end {
				return nil, fmt.Errorf("stored hash %d is missing", x)
			}
		}
		copy(hashes[i][:], row[(x-first)*tlog.HashSize:])
	}
	return hashes, nil
}

// scattered reports whether hashes lie in many rows: those of a proof, or of a
// tile above the lowest.
func scattered(indexes []int64) bool {
	apart := 0
	for i := 1; i < len(indexes); i++ {
		if d := indexes[i] - indexes[i-1]; d >= hashesPerRow || d <= -hashesPerRow {
			apart++
		}
	}
	return apart > 2
}

// scatteredHashes reads hashes with one statement.
func (r *rows) scatteredHashes(indexes []int64) ([]tlog.Hash, error) {
	list, err := json.Marshal(indexes)
	if err != nil {
		return nil, err
	}
	hashes := make([]tlog.Hash, 0, len(indexes))
	err = r.query(func(row *sql.Rows) error {
		var x int64
		var raw []byte
		if err := row.Scan(&x, &raw); err != nil {
			return err
		}
		if i := len(hashes); i >= len(indexes) || x != indexes[i] || len(raw) != tlog.HashSize {
			return fmt.Errorf("stored hash %d is missing", x)
		}
		hashes = append(hashes, tlog.Hash(raw))
		return nil
	}, `SELECT wanted.value, (SELECT substr(hashes, 1 + 32 * (wanted.value - first), 32) FROM hashes WHERE first <= wanted.value ORDER BY first DESC LIMIT 1)
		FROM json_each($1) AS wanted`, string(list))
	if err == nil && len(hashes) != len(indexes) {
		err = fmt.Errorf("%d stored hashes of %d are missing", len(indexes)-len(hashes), len(indexes))
	}
	return hashes, err
}

const headColumns = "SELECT size, root, at FROM heads "

// Head implements exchange.Reader.
func (r *rows) Head() (exchange.Head, error) {
	h, found, err := r.head(headColumns + "ORDER BY size DESC LIMIT 1")
	if err == nil && !found {
		return exchange.Head{Root: audit.EmptyTree().Root()}, nil
	}
	return h, err
}

// HeadCovering implements exchange.Reader.
func (r *rows) HeadCovering(index int64) (exchange.Head, error) {
	h, found, err := r.head(headColumns+"WHERE size > $1 ORDER BY size LIMIT 1", index)
	if err == nil && !found {
		return h, fmt.Errorf("no head covers entry %d", index)
	}
	return h, err
}

func (r *rows) head(query string, args ...any) (h exchange.Head, found bool, err error) {
	var at int64
	var root []byte
	found, err = r.one([]any{&h.Size, &root, &at}, query, args...)
	if found && len(root) != len(h.Root) {
		return h, false, fmt.Errorf("head of size %d has a root of %d bytes", h.Size, len(root))
	}
	copy(h.Root[:], root)
	h.Time = fromMillis(at)
	return h, found, err
}

// Commitments implements exchange.Reader.
func (r *rows) Commitments(first int64, n int) ([]audit.Commitment, error) {
	var all []audit.Commitment
	err := r.query(func(row *sql.Rows) error {
		var index int64
		var raw []byte
		if err := row.Scan(&index, &raw); err != nil {
			return err
		}
		c, err := commitment(index, raw)
		if want := first + int64(len(all)); err == nil && index != want {
			err = fmt.Errorf("entry %d is missing", want)
		}
		all = append(all, c)
		return err
	}, "SELECT idx, commitment FROM entries WHERE idx >= $1 ORDER BY idx LIMIT $2", first, n)
	return all, err
}

func commitment(index int64, raw []byte) (c audit.Commitment, err error) {
	if len(raw) != len(c) {
		return c, fmt.Errorf("entry %d has a commitment of %d bytes", index, len(raw))
	}
	return audit.Commitment(raw), nil
}

const entryColumns = "SELECT idx, owner, seq, commitment, salt, entry, erased FROM entries "

// Entries implements exchange.Reader.
func (r *rows) Entries(owner string, after uint64, limit int) ([]exchange.EntryRow, error) {
	return r.entries(entryColumns+"WHERE owner = $1 AND seq > $2 ORDER BY seq LIMIT $3", owner, int64(after), limit)
}

// Entry implements exchange.Reader.
func (r *rows) Entry(owner string, seq uint64) (*exchange.EntryRow, error) {
	return r.entry(entryColumns+"WHERE owner = $1 AND seq = $2", owner, int64(seq))
}

// EntryAt implements exchange.Reader.
func (r *rows) EntryAt(index int64) (*exchange.EntryRow, error) {
	return r.entry(entryColumns+"WHERE idx = $1", index)
}

// EntriesFrom implements exchange.Reader.
func (r *rows) EntriesFrom(index int64, limit int) ([]exchange.EntryRow, error) {
	return r.entries(entryColumns+"WHERE idx >= $1 ORDER BY idx LIMIT $2", index, limit)
}

func (r *rows) entry(query string, args ...any) (*exchange.EntryRow, error) {
	all, err := r.entries(query, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func (r *rows) entries(query string, args ...any) (all []exchange.EntryRow, err error) {
	err = r.query(func(row *sql.Rows) error {
		var e exchange.EntryRow
		var seq int64
		var raw []byte
		var act sql.NullInt64
		if err := row.Scan(&e.Index, &e.Owner, &seq, &raw, &e.Salt, &e.Entry, &act); err != nil {
			return err
		}
		if e.Seq = uint64(seq); act.Valid {
			e.Erasure = &exchange.ErasureRow{Index: act.Int64}
		}
		e.Commitment, err = commitment(e.Index, raw)
		all = append(all, e)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, r.tellErasures(all)
}

// tellErasures reads the acts that erased some of the entries.
func (r *rows) tellErasures(entries []exchange.EntryRow) error {
	acts := map[int64]*exchange.ErasureRow{}
	for i := range entries {
		e := entries[i].Erasure
		if e == nil {
			continue
		}
		act, known := acts[e.Index]
		if !known {
			var err error
			if act, err = r.Erasure(e.Index); err != nil {
				return err
			}
			acts[e.Index] = act
		}
		if act != nil {
			entries[i].Erasure = act
		}
	}
	return nil
}

// Last implements exchange.Reader.
func (r *rows) Last(owner string) (uint64, audit.Commitment, error) {
	var seq int64
	var raw []byte
	found, err := r.one([]any{&seq, &raw}, "SELECT seq, commitment FROM entries WHERE owner = $1 ORDER BY seq DESC LIMIT 1", owner)
	if !found {
		return 0, audit.Commitment{}, err
	}
	c, err := commitment(-1, raw)
	return uint64(seq), c, err
}
