package search

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"maps"
	"slices"
)

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
const magic = "LSNIDX02"

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

// posting writes a set and how many positions it has.
func (w *fileWriter) posting(s set) {
	w.number(s.count())
	from := len(w.data)
	w.data = s.encode(w.data)
	w.section(from)
}

func (w *fileWriter) text(s string) {
	w.dir = binary.AppendUvarint(w.dir, uint64(len(s)))
	w.dir = append(w.dir, s...)
}

func (w *fileWriter) number(n int) { w.dir = binary.AppendUvarint(w.dir, uint64(n)) }

func (w *fileWriter) time(ms int64) { w.dir = binary.AppendVarint(w.dir, ms) }

// encode makes the block's file. It completes the header.
func (b *builder) encode(h *header) ([]byte, error) {
	h.Key, h.Size, h.Present = b.key.fingerprint(), b.size, b.present.count()
	h.Min, h.Max = b.bounds(0, b.size)
	w := &fileWriter{}
	w.posting(b.present)
	b.writeTimes(w)
	w.number(len(b.has))
	for _, name := range slices.Sorted(maps.Keys(b.has)) {
		w.text(name)
		w.posting(b.has[name])
	}
	w.number(len(b.codes))
	for _, name := range slices.Sorted(maps.Keys(b.codes)) {
		w.text(name)
		w.number(len(b.codes[name]))
		for _, v := range slices.Sorted(maps.Keys(b.codes[name])) {
			w.text(v)
			w.posting(b.codes[name][v])
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
