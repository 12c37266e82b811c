package search

import (
	"context"
	"errors"
	"io/fs"
	"slices"
)

// Snapshot is what a search takes along of the index. It must be taken before
// the snapshot of the log.
type Snapshot struct {
	shelf *shelf
	mark  int64
}

// Snapshot returns the index of an owner as it is now.
func (x *Index) Snapshot(owner string) Snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return Snapshot{x.owners[owner], x.mark.Position}
}

// Search finds. ErrAgain says that snapshot and log do not fit together any
// more: take both again. Blocks that cannot be read are dropped, and built
// again by Run.
func (x *Index) Search(ctx context.Context, log Log, snap Snapshot, r Request) (*Result, error) {
	if snap.shelf == nil {
		s, err := x.load(log, r.Owner)
		if err != nil {
			return nil, err
		}
		snap.shelf = s
		x.Wake()
	}
	s := begin(ctx, log, snap, r)
	s.x = x
	err := s.run()
	switch d := (*damaged)(nil); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrAgain // merged meanwhile
	case errors.As(err, &d):
		x.DropOwner(r.Owner, err)
		return nil, ErrAgain
	case err != nil:
		return nil, err
	}
	x.bound()
	return s.result, nil
}

// Scan is Search without an index: it reads the whole log.
func Scan(ctx context.Context, log Log, r Request) (*Result, error) {
	s := begin(ctx, log, Snapshot{shelf: &shelf{}}, r)
	return s.result, s.run()
}

// maxCached bounds the directories in memory.
const maxCached = 128 << 20

// bound forgets the directories when there are too many.
func (x *Index) bound() {
	if x.cached.Load() < maxCached {
		return
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.cached.Store(0)
	for _, s := range x.owners {
		for _, b := range s.blocks {
			b.dir.Store(nil)
		}
	}
}

// searching is one search on its way.
type searching struct {
	x    *Index          // nil: there are no blocks
	ctx  context.Context //nolint:containedctx // of one call
	log  Log
	snap Snapshot
	Request
	span   span
	erased []uint64 // sorted; blocks do not know it yet
	tally  *tally
	result *Result
}

func begin(ctx context.Context, log Log, snap Snapshot, r Request) *searching {
	s := &searching{ctx: ctx, log: log, snap: snap, Request: r, span: r.Range.span(), result: &Result{}}
	s.tally = newTally(&s.Request)
	return s
}

func (s *searching) run() error {
	if err := s.pending(); err != nil {
		return err
	}
	parts := []func() error{s.blocks, s.tail}
	if s.Newest {
		slices.Reverse(parts)
	}
	for _, part := range parts {
		if s.done() {
			break
		}
		if err := part(); err != nil {
			return err
		}
	}
	return s.tally.finish(s.result)
}

// done reports whether nothing that follows matters.
func (s *searching) done() bool { return s.result.More && !s.counts() }

// pending reads what was erased and is still in the blocks.
func (s *searching) pending() error {
	const page = 10_000
	for at := s.snap.mark; ; {
		drops, err := s.log.Drops(at, page)
		if err != nil {
			return err
		}
		for _, d := range drops {
			if at = d.Position; d.Owner == s.Owner {
				s.erased = append(s.erased, d.Seq)
			}
		}
		if len(drops) < page {
			slices.Sort(s.erased)
			return s.ctx.Err()
		}
	}
}

// take puts a hit on the page.
func (s *searching) take(seq uint64) bool {
	if s.Limit > 0 && len(s.result.Seqs) == s.Limit {
		s.result.More = true
		return false
	}
	s.result.Seqs = append(s.result.Seqs, seq)
	return true
}

// between reports whether a hit may be on the page, paged whether any of a
// block may.
func (s *searching) between(seq uint64) bool {
	return (s.After == 0 || seq > s.After) && (s.Before == 0 || seq < s.Before)
}

func (s *searching) paged(h header) bool {
	return (s.After == 0 || h.last() > s.After) && (s.Before == 0 || h.First < s.Before)
}

// tail reads the entries that no block has yet.
func (s *searching) tail() error {
	const page = 500
	at := s.snap.shelf.covered()
	if !s.counts() && s.After > at {
		at = s.After // nothing before it is shown or counted
	}
	var hits []uint64
	for {
		rows, err := s.log.Rows(s.Owner, at, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if at = row.Seq; s.matches(row.Entry) && s.between(at) {
				hits = append(hits, row.Seq)
			}
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if len(rows) < page || !s.counts() && s.Before > 0 && at >= s.Before {
			break
		}
	}
	if s.Newest {
		slices.Reverse(hits)
	}
	for _, seq := range hits {
		if !s.take(seq) {
			break
		}
	}
	return nil
}

// matches decides by the entry itself, and counts it.
func (s *searching) matches(entry []byte) bool {
	e, ok := ReadStored(entry)
	if !ok || !s.span.holds(e.millis) || !Match(e.Entry, s.Query) {
		return false
	}
	if s.counts() {
		s.tally.entry(e)
	}
	return true
}
