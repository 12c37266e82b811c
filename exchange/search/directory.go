package search

import (
	"encoding/binary"
	"sort"
)

// directory is where the sections of a block lie, and what can be said without
// reading them.
type directory struct {
	present posting
	stride  int // positions in one
	strides []stride
	has     map[string]posting
	codes   map[string][]code // by value
	tokens  map[string]*[buckets]section
	bytes   int64 // what it takes in memory, about
}

// posting is a stored set.
type posting struct {
	count int // of its positions
	section
}

// code is a value and the entries that have it.
type code struct {
	value string
	posting
}

// directoryReader reads what fileWriter wrote; the first error stays.
type directoryReader struct {
	rest []byte
	bad  bool
}

func (r *directoryReader) fail() { r.bad, r.rest = true, nil }

func (r *directoryReader) number() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<40 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *directoryReader) time() int64 {
	ms, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return ms
}

func (r *directoryReader) text() string {
	n := r.number()
	if n > len(r.rest) {
		r.fail()
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *directoryReader) section() section {
	s := section{at: int64(r.number()), length: int64(r.number())}
	if len(r.rest) < 4 {
		r.fail()
		return section{}
	}
	s.sum = binary.LittleEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return s
}

func (r *directoryReader) posting() posting { return posting{r.number(), r.section()} }

// parseDirectory reads the directory of a block.
func parseDirectory(raw []byte, b *block) (*directory, error) {
	r := &directoryReader{rest: raw}
	d := &directory{present: r.posting(), has: map[string]posting{}, codes: map[string][]code{}, tokens: map[string]*[buckets]section{}}
	d.stride, d.strides = r.strides(b.Size)
	for n := r.number(); n > 0 && !r.bad; n-- {
		name := r.text()
		d.has[name] = r.posting()
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		name := r.text()
		var list []code
		for values := r.number(); values > 0 && !r.bad; values-- {
			list = append(list, code{r.text(), r.posting()})
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
		return nil, &damaged{b.path, "the directory cannot be read"}
	}
	d.bytes = int64(4*len(raw)) + int64(len(d.tokens))*buckets*24
	return d, nil
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
