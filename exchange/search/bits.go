package search

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// set is a set of positions in a block.
type set []uint64

func newSet(size int) set { return make(set, size/64) }

func (s set) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s set) remove(i int)   { s[i>>6] &^= 1 << (i & 63) }
func (s set) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

func (s set) clear() { clear(s) }

func (s set) fill() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s set) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) and(o set) {
	for i, w := range o[:len(s)] {
		s[i] &= w
	}
}

func (s set) or(o set) {
	for i, w := range o[:len(s)] {
		s[i] |= w
	}
}

func (s set) without(o set) {
	for i, w := range o[:len(s)] {
		s[i] &^= w
	}
}

// common counts what two sets share.
func (s set) common(o set) (n int) {
	for i, w := range o[:len(s)] {
		n += bits.OnesCount64(s[i] & w)
	}
	return n
}

// each calls f for the positions in order until it returns false.
func (s set) each(f func(i int) bool) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			if !f(w<<6 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}

// eachDown is each from the last to the first.
func (s set) eachDown(f func(i int) bool) {
	for w := len(s) - 1; w >= 0; w-- {
		for word := s[w]; word != 0; {
			top := 63 - bits.LeadingZeros64(word)
			if !f(w<<6 + top) {
				return
			}
			word &^= 1 << top
		}
	}
}

// The two forms of a stored set: distances from one position to the next, or
// the words as they are.
const (
	asList  = 'l'
	asWords = 'w'
)

// encode writes the shorter form.
func (s set) encode(b []byte) []byte {
	start, last := len(b), -1
	b = append(b, asList)
	s.each(func(i int) bool {
		b = binary.AppendUvarint(b, uint64(i-last))
		last = i
		return len(b)-start < 8*len(s)
	})
	if len(b)-start < 8*len(s) {
		return b
	}
	b = append(b[:start], asWords)
	for _, w := range s {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

var errSet = errors.New("a set of the index cannot be read")

// addEncoded adds what encode wrote of a set of the same size, moved by an
// offset.
func (s set) addEncoded(b []byte, offset, size int) error {
	switch {
	case len(b) == 0:
		return errSet
	case b[0] == asWords && len(b) == 1+size/8:
		for i := range size / 64 {
			s[offset/64+i] |= binary.LittleEndian.Uint64(b[1+8*i:])
		}
		return nil
	case b[0] != asList:
		return errSet
	}
	at := -1
	for b = b[1:]; len(b) > 0; {
		next, n := follow(b, at, size)
		if n == 0 {
			return errSet
		}
		s.add(offset + next)
		at, b = next, b[n:]
	}
	return nil
}

// follow reads the position that follows one in a list, and how many bytes it
// takes: 0 if it cannot be.
func follow(b []byte, at, size int) (next, n int) {
	step := uint64(b[0])
	if n = 1; step >= 0x80 { // most take one byte
		step, n = binary.Uvarint(b)
	}
	if n <= 0 || step == 0 || step > uint64(size-1-at) {
		return 0, 0
	}
	return at + int(step), n
}

// commonEncoded counts what a set shares with what encode wrote of another one
// of its size.
func (s set) commonEncoded(b []byte) (n int, err error) {
	switch {
	case len(b) == 0:
		return 0, errSet
	case b[0] == asWords && len(b) == 1+8*len(s):
		for i, w := range s {
			n += bits.OnesCount64(w & binary.LittleEndian.Uint64(b[1+8*i:]))
		}
		return n, nil
	case b[0] != asList:
		return 0, errSet
	}
	at := -1
	for b = b[1:]; len(b) > 0; {
		next, size := follow(b, at, 64*len(s))
		if size == 0 {
			return 0, errSet
		}
		if s.has(next) {
			n++
		}
		at, b = next, b[size:]
	}
	return n, nil
}
