package search

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sync/atomic"
)

// block is one file of the index.
type block struct {
	header
	path string
	dir  atomic.Pointer[directory] // once read; may be dropped at any time
}

// damaged is a file that is not what was written.
type damaged struct {
	path string
	what string
}

func (d *damaged) Error() string { return fmt.Sprintf("search index: %s: %s", d.path, d.what) }

// opened is a block whose file is open: it stays readable whatever becomes of
// its name.
type opened struct {
	*block
	*scratch
	file *os.File
	dir  *directory
}

// scratch is memory that is used for one block after the other.
type scratch struct {
	bytes []byte
	times []int64
	sets  map[int][]set // by size
}

// bytesOf returns so many bytes; they are valid until the next call.
func (s *scratch) bytesOf(n int) []byte {
	s.bytes = slices.Grow(s.bytes[:0], n)[:n]
	return s.bytes
}

// timesOf returns so many times; they are valid until the next call.
func (s *scratch) timesOf(n int) []int64 {
	s.times = slices.Grow(s.times[:0], n)[:n]
	return s.times
}

// borrow returns an empty set, give takes it back.
func (s *scratch) borrow(size int) set {
	if n := len(s.sets[size]); n > 0 {
		b := s.sets[size][n-1]
		s.sets[size] = s.sets[size][:n-1]
		b.clear()
		return b
	}
	return newSet(size)
}

func (s *scratch) give(b set) {
	if s.sets == nil {
		s.sets = map[int][]set{}
	}
	s.sets[64*len(b)] = append(s.sets[64*len(b)], b)
}

// readBlock reads the header of a file.
func readBlock(path string) (*block, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, head, err := readTail(f, path)
	if err != nil {
		return nil, err
	}
	b := &block{path: path}
	if err := json.Unmarshal(head, &b.header); err != nil {
		return nil, &damaged{path, "the header cannot be read"}
	}
	if b.Size <= 0 || b.Size > largeSize || b.Size%64 != 0 || b.First == 0 || (b.First-1)%uint64(b.Size) != 0 {
		return nil, &damaged{path, "the header is of no block"}
	}
	return b, nil
}

// readTail reads directory and header as bytes.
func readTail(f *os.File, path string) (dir, head []byte, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	end := make([]byte, trailer)
	if info.Size() < int64(trailer) {
		return nil, nil, &damaged{path, "too short"}
	}
	if _, err := f.ReadAt(end, info.Size()-int64(trailer)); err != nil {
		return nil, nil, err
	}
	d, h := int64(binary.LittleEndian.Uint32(end)), int64(binary.LittleEndian.Uint32(end[4:]))
	if string(end[12:]) != magic || d+h+int64(trailer) > info.Size() {
		return nil, nil, &damaged{path, "no end"}
	}
	tail := make([]byte, d+h)
	if _, err := f.ReadAt(tail, info.Size()-int64(trailer)-d-h); err != nil {
		return nil, nil, err
	}
	if crc32.Checksum(tail, sums) != binary.LittleEndian.Uint32(end[8:]) {
		return nil, nil, &damaged{path, "the directory's sum is another"}
	}
	return tail[:d], tail[d:], nil
}

// open opens the file and makes sure that the directory is there.
func (b *block) open(cached *atomic.Int64, s *scratch) (*opened, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil, err
	}
	o := &opened{block: b, scratch: s, file: f, dir: b.dir.Load()}
	if o.dir != nil {
		return o, nil
	}
	raw, _, err := readTail(f, b.path)
	if err == nil {
		o.dir, err = parseDirectory(raw, b)
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	if b.dir.CompareAndSwap(nil, o.dir) && cached != nil {
		cached.Add(o.dir.bytes)
	}
	return o, nil
}

func (o *opened) close() { _ = o.file.Close() } // it was only read

// read reads a section. The bytes are valid until the next one is read.
func (o *opened) read(s section) ([]byte, error) {
	if s.length == 0 {
		return nil, nil
	}
	if s.length > 64<<20 {
		return nil, &damaged{o.path, "a section is too long"}
	}
	b := o.bytesOf(int(s.length))
	if _, err := o.file.ReadAt(b, s.at); err != nil {
		return nil, &damaged{o.path, "a section cannot be read: " + err.Error()}
	}
	if crc32.Checksum(b, sums) != s.sum {
		return nil, &damaged{o.path, "a section's sum is another"}
	}
	return b, nil
}

// loadSet adds a stored set to one.
func (o *opened) loadSet(s section, into set) error {
	b, err := o.read(s)
	if err != nil {
		return err
	}
	if err := into.addEncoded(b, 0, o.Size); err != nil {
		return &damaged{o.path, err.Error()}
	}
	return nil
}

// loadPresent adds the positions that have entries.
func (o *opened) loadPresent(into set) error {
	if o.Present == o.Size {
		into.fill()
		return nil
	}
	return o.loadSet(o.dir.present.section, into)
}

// load adds a stored set to one, or at least what of it lies among some
// positions that have entries. What all have is not read.
func (o *opened) load(p posting, among, into set) error {
	switch p.count {
	case 0:
		return nil
	case o.Present:
		into.or(among)
		return nil
	}
	return o.loadSet(p.section, into)
}

// common counts what of a stored set lies among some positions.
func (o *opened) common(p posting, among set) (int, error) {
	b, err := o.read(p.section)
	if err != nil {
		return 0, err
	}
	n, err := among.commonEncoded(b)
	if err != nil {
		return 0, &damaged{o.path, err.Error()}
	}
	return n, nil
}

// loadTerm adds the positions of a term, or at least those of them that lie
// among some that have entries.
func (o *opened) loadTerm(tokens *tokener, t Term, among, into set) error {
	f := fields[t.Field]
	switch {
	case t.Prefix && t.Value == "":
		return o.load(o.dir.has[t.Field], among, into)
	case f.Token:
		return o.loadToken(t.Field, tokens.token(t.Field, t.Value), into)
	}
	for _, c := range o.dir.codesWith(t.Field, t.Value) {
		if !t.Prefix && c.value != t.Value {
			break
		}
		if err := o.load(c.posting, among, into); err != nil {
			return err
		}
	}
	return nil
}

func (o *opened) loadToken(field string, want keyed, into set) error {
	all := o.dir.tokens[field]
	if all == nil {
		return nil
	}
	return o.bucket(all[want[0]], func(t keyed, positions []uint16) {
		if t == want {
			for _, i := range positions {
				into.add(int(i))
			}
		}
	})
}

// bucket reads the tokens of a bucket. The positions are valid until f returns.
func (o *opened) bucket(s section, f func(t keyed, positions []uint16)) error {
	b, err := o.read(s)
	if err != nil {
		return err
	}
	var positions []uint16
	for len(b) > 0 {
		if len(b) < 8 {
			return &damaged{o.path, "a token is cut short"}
		}
		t := keyed(b[:8])
		n, size := binary.Uvarint(b[8:])
		if size <= 0 || n > uint64(o.Size) {
			return &damaged{o.path, "a token cannot be read"}
		}
		b, positions = b[8+size:], positions[:0]
		at := -1
		for range n {
			step, size := binary.Uvarint(b)
			if size <= 0 || step == 0 || step > uint64(o.Size-1-at) {
				return &damaged{o.path, "a token's position cannot be read"}
			}
			at += int(step)
			positions = append(positions, uint16(at))
			b = b[size:]
		}
		f(t, positions)
	}
	return nil
}

// copyInto puts the whole block into a builder, at an offset.
func (o *opened) copyInto(b *builder, offset int) error {
	present := newSet(o.Size)
	if err := o.loadPresent(present); err != nil {
		return err
	}
	present.each(func(i int) bool { b.present.add(offset + i); return true })
	if err := o.copyTimes(b.times[offset:]); err != nil {
		return err
	}
	move := func(p posting, into set) error {
		raw, err := o.read(p.section)
		if err == nil && into.addEncoded(raw, offset, o.Size) != nil {
			err = &damaged{o.path, errSet.Error()}
		}
		return err
	}
	for name, p := range o.dir.has {
		if err := move(p, b.hasSet(name)); err != nil {
			return err
		}
	}
	for name, list := range o.dir.codes {
		for _, c := range list {
			if err := move(c.posting, b.codeSet(name, c.value)); err != nil {
				return err
			}
		}
	}
	for name, all := range o.dir.tokens {
		m := b.tokenMap(name)
		for _, s := range all {
			err := o.bucket(s, func(t keyed, positions []uint16) {
				for _, i := range positions {
					m[t] = append(m[t], uint16(offset+int(i)))
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
