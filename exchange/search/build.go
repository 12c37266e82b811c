package search

import "slices"

// The sizes of blocks. A small one is made as soon as so many entries of an
// owner are there; so many small ones that follow each other, from a multiple
// on, are merged into a large one. A block is always full: position 0 is the
// first entry of the run, and an erased one leaves a hole.
const (
	smallSize = 1 << 10
	largeSize = 1 << 16
)

// builder is a block that is being made.
type builder struct {
	key     *Key
	tokener *tokener
	size    int
	stride  int // of times
	present set
	times   []int64 // milliseconds; those of holes say nothing
	codes   map[string]map[string]set
	tokens  map[string]map[keyed][]uint16
	has     map[string]set // entries with any value of the field
}

func newBuilder(key *Key, size, stride int) *builder {
	return &builder{key: key, tokener: key.tokener(), size: size, stride: stride, present: newSet(size), times: make([]int64, size),
		codes: map[string]map[string]set{}, tokens: map[string]map[keyed][]uint16{}, has: map[string]set{}}
}

// add puts an entry at a position; one that cannot be read leaves a hole, as
// an erased one does: it matches nothing.
func (b *builder) add(i int, entry []byte) {
	e, ok := ReadStored(entry)
	if !ok {
		return
	}
	b.present.add(i)
	b.times[i] = e.millis
	for _, f := range inOrder {
		f.values(e.Entry, func(v string) {
			if v != "" {
				b.put(f, v, i)
			}
		})
	}
}

// absorb takes a smaller block in, behind what is there.
func (b *builder) absorb(part *builder, offset int) {
	copy(b.present[offset/64:], part.present)
	copy(b.times[offset:], part.times)
	for name, s := range part.has {
		copy(b.hasSet(name)[offset/64:], s)
	}
	for name, values := range part.codes {
		for v, s := range values {
			copy(b.codeSet(name, v)[offset/64:], s)
		}
	}
	for name, tokens := range part.tokens {
		m := b.tokenMap(name)
		for t, list := range tokens {
			for _, i := range list {
				m[t] = append(m[t], uint16(offset+int(i)))
			}
		}
	}
}

func (b *builder) put(f *Field, v string, i int) {
	b.hasSet(f.Name).add(i)
	if f.Token {
		m, t := b.tokenMap(f.Name), b.tokener.token(f.Name, v)
		if list := m[t]; len(list) == 0 || int(list[len(list)-1]) != i {
			m[t] = append(list, uint16(i))
		}
		return
	}
	b.codeSet(f.Name, v).add(i)
}

func (b *builder) hasSet(field string) set {
	s := b.has[field]
	if s == nil {
		s = newSet(b.size)
		b.has[field] = s
	}
	return s
}

func (b *builder) codeSet(field, value string) set {
	m := b.codes[field]
	if m == nil {
		m = map[string]set{}
		b.codes[field] = m
	}
	s := m[value]
	if s == nil {
		s = newSet(b.size)
		m[value] = s
	}
	return s
}

func (b *builder) tokenMap(field string) map[keyed][]uint16 {
	m := b.tokens[field]
	if m == nil {
		m = map[keyed][]uint16{}
		b.tokens[field] = m
	}
	return m
}

// punch makes a hole at each of the positions.
func (b *builder) punch(holes set) {
	b.present.without(holes)
	for name, s := range b.has {
		if s.without(holes); s.empty() {
			delete(b.has, name)
		}
	}
	for _, m := range b.codes {
		for v, s := range m {
			if s.without(holes); s.empty() {
				delete(m, v)
			}
		}
	}
	for _, m := range b.tokens {
		for t, list := range m {
			list = slices.DeleteFunc(list, func(i uint16) bool { return holes.has(int(i)) })
			if m[t] = list; len(list) == 0 {
				delete(m, t)
			}
		}
	}
}
