package search

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
)

// maxWorkers is how many blocks of one search are looked into at a time.
const maxWorkers = 4

// walk goes through the blocks of a search: each worker takes the next one that
// nobody has, and what they find is put on the page in order.
type walk struct {
	*searching
	todo []*block

	mu    sync.Mutex
	taken int       // so many blocks are some worker's
	known []finding // by block
	shown int       // so many blocks are on the page
	err   error     // the first one
}

// finding is what may be shown of a block.
type finding struct {
	done bool
	seqs []uint64
}

// blocks finds in the blocks.
func (s *searching) blocks() error {
	w := &walk{searching: s, todo: s.worthwhile()}
	w.known = make([]finding, len(w.todo))
	mine := s.worker(s.tally)
	if !w.step(mine) { // most pages are full with one block
		return w.err
	}
	var others sync.WaitGroup
	defer others.Wait() // after a panic too
	defer w.stop()
	var tallies []*tally
	for range min(maxWorkers, runtime.GOMAXPROCS(0), len(w.todo)-1) - 1 {
		t := newTally(&s.Request)
		tallies = append(tallies, t)
		others.Go(func() { w.help(s.worker(t)) })
	}
	for w.step(mine) {
	}
	others.Wait()
	for _, t := range tallies {
		s.tally.add(t)
	}
	return w.err
}

// help is what another worker does. A panic is an error of the search, and does
// not end the process; its value may hold what a log must not.
func (w *walk) help(other *worker) {
	defer func() {
		if p := recover(); p != nil {
			w.put(0, nil, fmt.Errorf("panic with a %T in a search\n%s", p, debug.Stack()))
		}
	}()
	for w.step(other) {
	}
}

// stop lets nobody begin another block.
func (w *walk) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = len(w.todo)
}

// worthwhile are the blocks that may have a hit that is shown or counted, in
// the order of the page.
func (s *searching) worthwhile() []*block {
	var all []*block
	for _, b := range s.snap.shelf.blocks {
		if b.Present > 0 && s.span.some(b.Min, b.Max) && (s.counts() || s.paged(b.header)) {
			all = append(all, b)
		}
	}
	if s.Newest {
		slices.Reverse(all)
	}
	return all
}

// step looks into the next block. It reports whether there are others.
func (w *walk) step(one *worker) bool {
	w.mu.Lock()
	if !w.left() {
		w.mu.Unlock()
		return false
	}
	i, page := w.taken, !w.result.More
	w.taken++
	w.mu.Unlock()
	seqs, err := one.block(w.todo[i], page)
	return w.put(i, seqs, err)
}

// left reports whether there is a block to look into.
func (w *walk) left() bool { return w.err == nil && !w.done() && w.taken < len(w.todo) }

// put says what was found in a block, and shows what is in order.
func (w *walk) put(i int, seqs []uint64, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return false
	}
	w.known[i] = finding{true, seqs}
	for ; w.shown < len(w.known) && w.known[w.shown].done; w.shown++ {
		for _, seq := range w.known[w.shown].seqs {
			if !w.take(seq) {
				break
			}
		}
		w.known[w.shown].seqs = nil
	}
	return w.left()
}

// worker looks into one block after the other.
type worker struct {
	*searching // only read
	scratch
	tokens *tokener
	tally  *tally
}

func (s *searching) worker(t *tally) *worker {
	return &worker{searching: s, tokens: s.x.cfg.Key.tokener(), tally: t}
}

// block finds in one block, and returns what may be on the page.
func (w *worker) block(b *block, page bool) ([]uint64, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	o, err := b.open(&w.x.cached, &w.scratch)
	if err != nil {
		return nil, err
	}
	defer o.close()
	hits, err := w.hits(o)
	if err != nil {
		return nil, err
	}
	defer w.give(hits)
	if hits.empty() {
		return nil, nil
	}
	if w.counts() {
		if err := w.count(o, hits); err != nil {
			return nil, err
		}
	}
	if !page || !w.paged(b.header) {
		return nil, nil
	}
	return w.first(b, hits), nil
}

// first are the first hits of a block in the order of the page: as many as it
// can have, and one that says that there are more.
func (w *worker) first(b *block, hits set) (seqs []uint64) {
	walk := hits.each
	if w.Newest {
		walk = hits.eachDown
	}
	walk(func(i int) bool {
		if seq := b.First + uint64(i); w.between(seq) {
			seqs = append(seqs, seq)
		}
		return w.Limit <= 0 || len(seqs) <= w.Limit
	})
	return seqs
}

// hits are the positions that match, lie within the range and are not erased.
func (w *worker) hits(o *opened) (set, error) {
	hits := w.borrow(o.Size)
	if err := o.loadPresent(hits); err != nil {
		return nil, err
	}
	if holes := holesIn(o.block, w.erased); holes != nil {
		hits.without(holes)
	}
	if !w.span.all(o.Min, o.Max) {
		if err := o.narrow(hits, w.span); err != nil {
			return nil, err
		}
	}
	if w.Query.root == nil || hits.empty() {
		return hits, nil
	}
	defer w.give(hits)
	return w.eval(o, w.Query.root, hits)
}
