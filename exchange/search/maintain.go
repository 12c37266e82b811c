package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/liaison-exchange/liaison/audit"
)

// extend makes blocks of an owner's entries as long as there are enough.
func (x *Index) extend(ctx context.Context, owner string) error {
	for {
		more, err := x.extendOnce(ctx, owner)
		if d := (*damaged)(nil); errors.As(err, &d) {
			x.DropOwner(owner, err)
			return nil
		}
		if err != nil || !more {
			return err
		}
	}
}

func (x *Index) extendOnce(ctx context.Context, owner string) (more bool, err error) {
	var s *shelf
	var last uint64
	err = x.cfg.View(ctx, func(log Log) error {
		if s = x.shelf(owner); s == nil {
			if s, err = x.load(log, owner); err != nil {
				return err
			}
		}
		last, _, err = log.Last(owner)
		return err
	})
	if errors.Is(err, ErrAgain) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	size := x.small
	switch covered := s.covered(); {
	case last < covered+uint64(x.small):
		return false, x.merge(owner) // what a crash left undone
	case last >= covered+uint64(x.large) && covered%uint64(x.large) == 0:
		size = x.large
	}
	b, commitment, err := x.read(ctx, owner, s.covered(), size)
	if err != nil {
		return false, err
	}
	made, err := x.put(b, header{Owner: owner, First: s.covered() + 1, Commitment: commitment.String()}, 0)
	if err != nil {
		return false, err
	}
	blocks := append(slices.Clone(s.blocks), made)
	if ok, err := x.swap(owner, s, blocks); err != nil || !ok {
		return ok, err
	}
	return true, x.merge(owner)
}

// read makes a block of the entries after a seq, with the commitment of the
// last one. Parts of a small block's size are read one by one, each in a view of
// its own, and looked into side by side.
func (x *Index) read(ctx context.Context, owner string, after uint64, size int) (*builder, audit.Commitment, error) {
	b, last := x.builder(size), audit.Commitment{}
	for offset := 0; offset < size; {
		var parts []*builder
		var working sync.WaitGroup
		for range min(maxWorkers, runtime.GOMAXPROCS(0), (size-offset)/x.small) {
			rows, err := x.rows(ctx, owner, after+uint64(offset+len(parts)*x.small))
			if err != nil {
				working.Wait()
				return nil, last, err
			}
			part := x.builder(x.small)
			parts, last = append(parts, part), rows[x.small-1].Commitment
			working.Go(func() {
				for i, row := range rows {
					part.add(i, row.Entry)
				}
			})
		}
		working.Wait()
		for _, part := range parts {
			b.absorb(part, offset)
			offset += x.small
		}
	}
	return b, last, nil
}

// rows are the entries of a small block.
func (x *Index) rows(ctx context.Context, owner string, after uint64) (rows []Row, err error) {
	err = x.cfg.View(ctx, func(log Log) error {
		rows, err = log.Rows(owner, after, x.small)
		return err
	})
	for i := range x.small {
		if err == nil && (i >= len(rows) || rows[i].Seq != after+1+uint64(i)) {
			err = fmt.Errorf("entry %d is missing in the log", after+1+uint64(i))
		}
	}
	return rows, err
}

// merge makes large blocks of small ones, where there are enough.
func (x *Index) merge(owner string) error {
	many := x.large / x.small
	for {
		s := x.shelf(owner)
		if s == nil {
			return nil
		}
		at := slices.IndexFunc(s.blocks, func(b *block) bool { return b.Size == x.small })
		if at < 0 || len(s.blocks) < at+many { // small blocks begin where large ones end
			return nil
		}
		parts := s.blocks[at : at+many]
		b := x.builder(x.large)
		for i, part := range parts {
			if err := x.copyBlock(part, b, i*x.small); err != nil {
				return err
			}
		}
		made, err := x.put(b, header{Owner: owner, First: parts[0].First, Commitment: parts[many-1].Commitment}, 0)
		if err != nil {
			return err
		}
		blocks := slices.Concat(s.blocks[:at], []*block{made}, s.blocks[at+many:])
		if ok, err := x.swap(owner, s, blocks); err != nil || !ok {
			return err
		}
	}
}

// builder begins a block.
func (x *Index) builder(size int) *builder {
	return newBuilder(&x.cfg.Key, size, min(size, x.stride))
}

func (x *Index) copyBlock(part *block, b *builder, offset int) error {
	o, err := part.open(nil, &scratch{})
	if err != nil {
		return err
	}
	defer o.close()
	return o.copyInto(b, offset)
}

// punchAtOnce is how many erasures are taken out in one go.
const punchAtOnce = 200_000

// punch takes the postings of erased entries out. Until then searches leave
// these entries out by themselves.
func (x *Index) punch(ctx context.Context) error {
	for {
		x.mu.RLock()
		mark := x.mark
		x.mu.RUnlock()
		var drops []Drop
		err := x.cfg.View(ctx, func(log Log) (err error) {
			drops, err = log.Drops(mark.Position, punchAtOnce)
			return err
		})
		if err != nil || len(drops) == 0 {
			return err
		}
		byOwner := map[string][]uint64{}
		for _, d := range drops {
			byOwner[d.Owner] = append(byOwner[d.Owner], d.Seq)
		}
		for owner, seqs := range byOwner {
			if err := x.punchOwner(ctx, owner, seqs); err != nil {
				return err
			}
		}
		x.at("punched")
		mark = drops[len(drops)-1]
		raw, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		if err := writeFile(x.markPath(), raw, false); err != nil {
			return err
		}
		x.mu.Lock()
		x.mark = mark
		x.mu.Unlock()
		x.at("marked")
	}
}

func (x *Index) punchOwner(ctx context.Context, owner string, seqs []uint64) error {
	s := x.shelf(owner)
	if s == nil {
		err := x.cfg.View(ctx, func(log Log) (err error) {
			s, err = x.load(log, owner)
			return err
		})
		if errors.Is(err, ErrAgain) {
			s, err = x.shelf(owner), nil
		}
		if err != nil || s == nil {
			return err
		}
	}
	slices.Sort(seqs)
	blocks := slices.Clone(s.blocks)
	for i, b := range blocks {
		holes := holesIn(b, seqs)
		if holes == nil {
			continue
		}
		punched, err := x.punchBlock(b, holes)
		if d := (*damaged)(nil); errors.As(err, &d) {
			x.DropOwner(owner, err) // it is built again from what is left in the log
			return nil
		}
		if err != nil {
			return err
		}
		blocks[i] = punched
	}
	_, err := x.swap(owner, s, blocks)
	return err
}

// holesIn are the positions of some seqs, sorted, in a block; nil if none.
func holesIn(b *block, seqs []uint64) set {
	from, _ := slices.BinarySearch(seqs, b.First)
	var holes set
	for _, seq := range seqs[from:] {
		if seq > b.last() {
			break
		}
		if holes == nil {
			holes = newSet(b.Size)
		}
		holes.add(int(seq - b.First))
	}
	return holes
}

// punchBlock writes a block again with holes; the same one if they are there.
func (x *Index) punchBlock(old *block, holes set) (*block, error) {
	b := x.builder(old.Size)
	if err := x.copyBlock(old, b, 0); err != nil {
		return nil, err
	}
	if b.present.common(holes) == 0 {
		return old, nil
	}
	b.punch(holes)
	return x.put(b, header{Owner: old.Owner, First: old.First, Commitment: old.Commitment}, generation(old.path)+1)
}
