package search

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/liaison-exchange/liaison/audit"
)

// The sizes of blocks. A small one is made as soon as so many entries of an
// owner are there; so many small ones that follow each other, from a multiple
// on, are merged into a large one. A block is always full: position 0 is the
// first entry of the run, and an erased one leaves a hole.
const (
	smallSize = 1 << 10
	largeSize = 1 << 16
)

// keyed is a token of a value.
type keyed [8]byte

// Key makes tokens of values that the index must not show.
type Key [32]byte

func (k *Key) token(field, value string) keyed { return k.tokener().token(field, value) }

// tokener makes many tokens, one after the other.
type tokener struct {
	mac hash.Hash
	in  []byte
	out []byte
}

func (k *Key) tokener() *tokener { return &tokener{mac: hmac.New(sha256.New, k[:])} }

func (m *tokener) token(field, value string) keyed {
	m.mac.Reset()
	m.in = append(append(append(m.in[:0], field...), 0), value...)
	m.mac.Write(m.in)
	m.out = m.mac.Sum(m.out[:0])
	return keyed(m.out[:8])
}

// fingerprint tells whether an index was made with this key, and for the same
// fields.
func (k *Key) fingerprint() string {
	shape := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		shape.Write([]byte(name))
		if fields[name].Token {
			shape.Write([]byte{1})
		}
		shape.Write([]byte{0})
	}
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte("fingerprint"))
	mac.Write(shape.Sum(nil))
	return string(base32Text(mac.Sum(nil)[:10]))
}

func base32Text(b []byte) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c&31])
	}
	return out
}

// builder is a block that is being made.
type builder struct {
	key     *Key
	tokener *tokener
	size    int
	present set
	times   []int64 // milliseconds; 0 in a hole
	codes   map[string]map[string]set
	tokens  map[string]map[keyed][]uint16
	has     map[string]set // entries with any value of the field
}

func newBuilder(key *Key, size int) *builder {
	return &builder{key: key, tokener: key.tokener(), size: size, present: newSet(size), times: make([]int64, size),
		codes: map[string]map[string]set{}, tokens: map[string]map[keyed][]uint16{}, has: map[string]set{}}
}

// add puts an entry at a position; one that cannot be read leaves a hole, as
// an erased one does: it matches nothing.
func (b *builder) add(i int, entry []byte) {
	e, at, ok := decode(entry)
	if !ok {
		return
	}
	b.present.add(i)
	b.times[i] = at
	for _, f := range inOrder {
		f.values(e, func(v string) {
			if v != "" {
				b.put(f, v, i)
			}
		})
	}
}

// decode reads an entry and its time. These bytes were written by Encode, of
// which this is the quick reverse: what is shown is parsed strictly besides,
// and whoever checks a log does that with all of it.
func decode(entry []byte) (*audit.Entry, int64, bool) {
	if len(entry) == 0 {
		return nil, 0, false
	}
	var e audit.Entry
	if err := json.Unmarshal(entry, &e); err != nil {
		return nil, 0, false
	}
	at, err := audit.ParseTime(e.Time)
	return &e, at.UnixMilli(), err == nil
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
	holes.each(func(i int) bool { b.times[i] = 0; return true })
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

// header says what a block is; it is a part of its file.
type header struct {
	Key        string `json:"key"` // Key.fingerprint
	Owner      string `json:"owner"`
	First      uint64 `json:"first"` // seq of position 0
	Size       int    `json:"size"`
	Present    int    `json:"present"`
	Min        int64  `json:"min"` // times of the entries, in milliseconds
	Max        int64  `json:"max"`
	Commitment string `json:"commitment"` // of the last entry: is it still this log?
}

func (h header) last() uint64 { return h.First + uint64(h.Size) - 1 }

// A file is sections, a directory of them, the header as JSON, and at the end
// the lengths of the two, their sum and the magic. Each section has its sum in
// the directory.
const magic = "LSNIDX01"

const trailer = 4 + 4 + 4 + len(magic)

var sums = crc32.MakeTable(crc32.Castagnoli)

// section is where something lies in a file.
type section struct {
	at, length int64
	sum        uint32
}

// fileWriter writes the sections of a file.
type fileWriter struct{ data, dir []byte }

func (w *fileWriter) section(from int) {
	w.dir = binary.AppendUvarint(w.dir, uint64(from))
	w.dir = binary.AppendUvarint(w.dir, uint64(len(w.data)-from))
	w.dir = binary.LittleEndian.AppendUint32(w.dir, crc32.Checksum(w.data[from:], sums))
}

func (w *fileWriter) set(s set) {
	from := len(w.data)
	w.data = s.encode(w.data)
	w.section(from)
}

func (w *fileWriter) text(s string) {
	w.dir = binary.AppendUvarint(w.dir, uint64(len(s)))
	w.dir = append(w.dir, s...)
}

func (w *fileWriter) number(n int) { w.dir = binary.AppendUvarint(w.dir, uint64(n)) }

// encode makes the block's file. It completes the header.
func (b *builder) encode(h *header) ([]byte, error) {
	h.Key, h.Size, h.Present = b.key.fingerprint(), b.size, b.present.count()
	h.Min, h.Max = 0, 0
	b.present.each(func(i int) bool {
		if h.Max == 0 || b.times[i] < h.Min {
			h.Min = b.times[i]
		}
		h.Max = max(h.Max, b.times[i])
		return true
	})
	w := &fileWriter{}
	w.set(b.present)
	b.writeTimes(w)
	w.number(len(b.has))
	for _, name := range slices.Sorted(maps.Keys(b.has)) {
		w.text(name)
		w.set(b.has[name])
	}
	w.number(len(b.codes))
	for _, name := range slices.Sorted(maps.Keys(b.codes)) {
		w.text(name)
		w.number(len(b.codes[name]))
		for _, v := range slices.Sorted(maps.Keys(b.codes[name])) {
			w.text(v)
			w.number(b.codes[name][v].count())
			w.set(b.codes[name][v])
		}
	}
	w.number(len(b.tokens))
	for _, name := range slices.Sorted(maps.Keys(b.tokens)) {
		w.text(name)
		writeTokens(w, b.tokens[name])
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	tail := append(w.dir, head...)
	file := append(w.data, tail...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(w.dir)))
	file = binary.LittleEndian.AppendUint32(file, uint32(len(head)))
	file = binary.LittleEndian.AppendUint32(file, crc32.Checksum(tail, sums))
	return append(file, magic...), nil
}

// writeTimes writes the difference of each time to the one before.
func (b *builder) writeTimes(w *fileWriter) {
	from, last := len(w.data), int64(0)
	for _, at := range b.times {
		if at == 0 {
			at = last
		}
		w.data = binary.AppendVarint(w.data, at-last)
		last = at
	}
	w.section(from)
}

// buckets is in how many parts the tokens of a field lie.
const buckets = 256

// writeTokens writes tokens and their positions, in buckets by first byte.
func writeTokens(w *fileWriter, m map[keyed][]uint16) {
	all := slices.SortedFunc(maps.Keys(m), func(a, b keyed) int { return bytes.Compare(a[:], b[:]) })
	next := 0
	for bucket := range buckets {
		from := len(w.data)
		for ; next < len(all) && int(all[next][0]) == bucket; next++ {
			list := m[all[next]]
			w.data = append(w.data, all[next][:]...)
			w.data = binary.AppendUvarint(w.data, uint64(len(list)))
			last := -1
			for _, i := range list {
				w.data = binary.AppendUvarint(w.data, uint64(int(i)-last))
				last = int(i)
			}
		}
		w.section(from)
	}
}
