package search

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"sort"
	"sync/atomic"
)

// block is one file of the index.
type block struct {
	header
	path string
	dir  atomic.Pointer[directory] // once read; may be dropped at any time
}

// directory is where the sections of a block lie.
type directory struct {
	present, times section
	has            map[string]section
	codes          map[string][]code // by value
	tokens         map[string]*[buckets]section
	bytes          int64 // what it takes in memory, about
}

type code struct {
	value string
	count int
	section
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
	file *os.File
	dir  *directory
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
func (b *block) open(cached *atomic.Int64) (*opened, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil, err
	}
	o := &opened{block: b, file: f, dir: b.dir.Load()}
	if o.dir != nil {
		return o, nil
	}
	raw, _, err := readTail(f, b.path)
	if err == nil {
		o.dir, err = parseDirectory(raw, b.path)
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

// directoryReader reads what fileWriter wrote; the first error stays.
type directoryReader struct {
	rest []byte
	bad  bool
}

func (r *directoryReader) number() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<40 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *directoryReader) text() string {
	n := r.number()
	if n > len(r.rest) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *directoryReader) section() section {
	s := section{at: int64(r.number()), length: int64(r.number())}
	if len(r.rest) < 4 {
		r.bad, r.rest = true, nil
		return section{}
	}
	s.sum = binary.LittleEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return s
}

func parseDirectory(raw []byte, path string) (*directory, error) {
	r := &directoryReader{rest: raw}
	d := &directory{present: r.section(), times: r.section(), has: map[string]section{}, codes: map[string][]code{}, tokens: map[string]*[buckets]section{}}
	for n := r.number(); n > 0 && !r.bad; n-- {
		name := r.text()
		d.has[name] = r.section()
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		name := r.text()
		var list []code
		for values := r.number(); values > 0 && !r.bad; values-- {
			list = append(list, code{r.text(), r.number(), r.section()})
		}
		d.codes[name] = list
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		name := r.text()
		all := &[buckets]section{}
		for i := range all {
			all[i] = r.section()
		}
		d.tokens[name] = all
	}
	if r.bad || len(r.rest) > 0 {
		return nil, &damaged{path, "the directory cannot be read"}
	}
	d.bytes = int64(4*len(raw)) + int64(len(d.tokens))*buckets*24
	return d, nil
}

// read reads a section.
func (o *opened) read(s section) ([]byte, error) {
	if s.length == 0 {
		return nil, nil
	}
	if s.length > 64<<20 {
		return nil, &damaged{o.path, "a section is too long"}
	}
	b := make([]byte, s.length)
	if _, err := o.file.ReadAt(b, s.at); err != nil {
		return nil, &damaged{o.path, "a section cannot be read: " + err.Error()}
	}
	if crc32.Checksum(b, sums) != s.sum {
		return nil, &damaged{o.path, "a section's sum is another"}
	}
	return b, nil
}

// load adds a stored set to one.
func (o *opened) load(s section, into set) error {
	b, err := o.read(s)
	if err != nil {
		return err
	}
	if err := into.addEncoded(b, 0, o.Size); err != nil {
		return &damaged{o.path, err.Error()}
	}
	return nil
}

// codesWith are the values of a field that begin so.
func (d *directory) codesWith(field, prefix string) []code {
	all := d.codes[field]
	from := sort.Search(len(all), func(i int) bool { return all[i].value >= prefix })
	to := from
	for to < len(all) && len(all[to].value) >= len(prefix) && all[to].value[:len(prefix)] == prefix {
		to++
	}
	return all[from:to]
}

// loadTerm adds the positions of a term.
func (o *opened) loadTerm(key *Key, t Term, into set) error {
	f := fields[t.Field]
	switch {
	case t.Prefix && t.Value == "":
		s, ok := o.dir.has[t.Field]
		if !ok {
			return nil
		}
		return o.load(s, into)
	case f.Token:
		return o.loadToken(t.Field, key.token(t.Field, t.Value), into)
	}
	for _, c := range o.dir.codesWith(t.Field, t.Value) {
		if !t.Prefix && c.value != t.Value {
			break
		}
		if err := o.load(c.section, into); err != nil {
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

// loadTimes reads the time of every position; that of a hole says nothing.
func (o *opened) loadTimes(into []int64) error {
	b, err := o.read(o.dir.times)
	if err != nil {
		return err
	}
	last := int64(0)
	for i := range o.Size {
		step, n := binary.Varint(b)
		if n <= 0 {
			return &damaged{o.path, "the times cannot be read"}
		}
		last += step
		into[i], b = last, b[n:]
	}
	return nil
}

// copyInto puts the whole block into a builder, at an offset.
func (o *opened) copyInto(b *builder, offset int) error {
	part := newSet(o.Size)
	if err := o.load(o.dir.present, part); err != nil {
		return err
	}
	times := make([]int64, o.Size)
	if err := o.loadTimes(times); err != nil {
		return err
	}
	part.each(func(i int) bool {
		b.present.add(offset + i)
		b.times[offset+i] = times[i]
		return true
	})
	move := func(s section, into set) error {
		raw, err := o.read(s)
		if err == nil && into.addEncoded(raw, offset, o.Size) != nil {
			err = &damaged{o.path, errSet.Error()}
		}
		return err
	}
	for name, s := range o.dir.has {
		if err := move(s, b.hasSet(name)); err != nil {
			return err
		}
	}
	for name, list := range o.dir.codes {
		for _, c := range list {
			if err := move(c.section, b.codeSet(name, c.value)); err != nil {
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
