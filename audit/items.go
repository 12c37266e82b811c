package audit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"sync"
)

// ErrItem says that a line of an exported log is not one entry.
var ErrItem = errors.New("malformed line of an exported log")

// maxItem bounds a line of an exported log: an entry of the greatest size in base64, and what stands beside it.
const maxItem = 32 << 10

// item is the form of an exported entry, the same as in the API.
type item struct {
	Owner      string `json:"owner"`
	Seq        uint64 `json:"seq"`
	Index      int64  `json:"index"`
	Commitment string `json:"commitment"`
	Entry      string `json:"entry,omitempty"`
	Salt       string `json:"salt,omitempty"`
	Erased     bool   `json:"erased,omitempty"`

	Erasure json.RawMessage `json:"erasure,omitempty"` // a text, or the object that the API has
}

// AppendItem appends an entry as a line of an exported log: the JSON object of the API, one a line.
func AppendItem(b []byte, i Item) ([]byte, error) {
	raw := item{Owner: i.Owner, Seq: i.Seq, Index: i.Index, Commitment: i.Commitment.String(),
		Entry: base64.RawURLEncoding.EncodeToString(i.Entry), Salt: base64.RawURLEncoding.EncodeToString(i.Salt), Erased: i.Erased}
	var err error
	if i.Erasure != "" {
		if raw.Erasure, err = json.Marshal(i.Erasure); err != nil {
			return b, err
		}
	}
	line, err := json.Marshal(raw)
	return append(append(b, line...), '\n'), err
}

// ParseItem reads a line of an exported log, without its line break.
func ParseItem(line []byte) (Item, error) {
	return parseItem(line, &memory{})
}

func parseItem(line []byte, m *memory) (Item, error) {
	if i, ok := plainItem(line, m); ok {
		return i, nil
	}
	var raw item
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return Item{}, fmt.Errorf("%w: %w", ErrItem, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Item{}, fmt.Errorf("%w: something follows the object", ErrItem)
	}
	if err := checkMembers(line); err != nil {
		return Item{}, err
	}
	i := Item{Owner: raw.Owner, Seq: raw.Seq, Index: raw.Index, Erased: raw.Erased, Erasure: string(raw.Erasure)}
	if i.Seq == 0 || i.Seq > MaxSize || i.Index < 0 || i.Index > MaxSize {
		return Item{}, fmt.Errorf("%w: seq %d or index %d is out of bounds", ErrItem, i.Seq, i.Index)
	}
	var err error
	if bytes.HasPrefix(raw.Erasure, []byte(`"`)) {
		if err = json.Unmarshal(raw.Erasure, &i.Erasure); err != nil {
			return Item{}, fmt.Errorf("%w: erasure: %w", ErrItem, err)
		}
	}
	if i.Commitment, err = ParseCommitment(raw.Commitment); err != nil {
		return Item{}, fmt.Errorf("%w: commitment: %w", ErrItem, err)
	}
	var ok1, ok2 bool
	if i.Entry, ok1 = m.decode([]byte(raw.Entry)); ok1 {
		i.Salt, ok2 = m.decode([]byte(raw.Salt))
	}
	if !ok1 || !ok2 {
		return Item{}, fmt.Errorf("%w: entry or salt: %w", ErrItem, ErrEncoding)
	}
	return i, nil
}

// checkMembers refuses a name that is spelt otherwise, as "Owner" is "owner" to the library, or there twice.
func checkMembers(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	_, err := d.Token()
	seen := map[json.Token]bool{}
	for err == nil && d.More() {
		var name json.Token
		if name, err = d.Token(); err != nil {
			break
		}
		switch name {
		case "owner", "seq", "index", "commitment", "entry", "salt", "erased", "erasure":
		default:
			return fmt.Errorf("%w: unknown member %q", ErrItem, name)
		}
		if seen[name] {
			return fmt.Errorf("%w: %q is there twice", ErrItem, name)
		}
		seen[name] = true
		err = d.Decode(new(json.RawMessage))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrItem, err)
	}
	return nil
}

// plainItem reads the line in the one form that AppendItem writes, which is what almost all lines have.
func plainItem(line []byte, m *memory) (i Item, ok bool) {
	r := plainReader{rest: line, ok: true}
	owner := r.text(`{"owner":"`)
	seq := r.digits(`","seq":`)
	index := r.digits(`,"index":`)
	commitment := r.text(`,"commitment":"`)
	r.skip(`"`)
	var entry, salt []byte
	if r.has(`,"entry":"`) {
		entry = r.text(`,"entry":"`)
		r.skip(`"`)
	}
	if r.has(`,"salt":"`) {
		salt = r.text(`,"salt":"`)
		r.skip(`"`)
	}
	if i.Erased = r.has(`,"erased":true`); i.Erased {
		r.skip(`,"erased":true`)
	}
	if r.skip("}"); !r.ok || len(r.rest) > 0 || bytes.IndexByte(owner, '\\') >= 0 || !ascii(owner) || seq == 0 || seq > MaxSize || index > MaxSize {
		return Item{}, false
	}
	i.Owner, i.Seq, i.Index = m.name(owner), seq, int64(index)
	c, ok := m.decode(commitment)
	if !ok || len(c) != len(i.Commitment) {
		return Item{}, false
	}
	i.Commitment = Commitment(c)
	if i.Entry, ok = m.decode(entry); !ok {
		return Item{}, false
	}
	i.Salt, ok = m.decode(salt)
	return i, ok
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

var strictURL = base64.RawURLEncoding.Strict()

// minItem is less than the shortest line: empty lines get no memory.
const minItem = 64

// memory is where the items of one piece of a log lie together: one by one they would be most of the work of reading it.
type memory struct {
	bytes []byte // what is left
	owner string // of the item before
}

// decode decodes canonical base64url; nothing is nil.
func (m *memory) decode(s []byte) ([]byte, bool) {
	if len(s) == 0 {
		return nil, true
	}
	size := strictURL.DecodedLen(len(s))
	if size > len(m.bytes) {
		m.bytes = make([]byte, size)
	}
	b := m.bytes[:size:size]
	m.bytes = m.bytes[size:]
	n, err := strictURL.Decode(b, s)
	// The decoder passes over line breaks, which would be a second text of the same bytes.
	return b, err == nil && n == len(b) && strictURL.EncodedLen(n) == len(s)
}

func (m *memory) name(owner []byte) string {
	if m.owner != string(owner) {
		m.owner = string(owner)
	}
	return m.owner
}

// plainReader takes a line apart from the left.
type plainReader struct {
	rest []byte
	ok   bool
}

func (r *plainReader) has(s string) bool { return bytes.HasPrefix(r.rest, []byte(s)) }

func (r *plainReader) skip(s string) {
	if r.ok = r.ok && r.has(s); r.ok {
		r.rest = r.rest[len(s):]
	}
}

// text is what stands between a prefix and the next quote.
func (r *plainReader) text(prefix string) []byte {
	r.skip(prefix)
	n := bytes.IndexByte(r.rest, '"')
	if r.ok = r.ok && n >= 0; !r.ok {
		return nil
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *plainReader) digits(prefix string) uint64 {
	r.skip(prefix)
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(r.rest[:n]), 10, 63)
	if r.ok = r.ok && err == nil && (n == 1 || r.rest[0] != '0'); r.ok {
		r.rest = r.rest[n:]
	}
	return v
}

// ReadItems reads an exported log, one entry a line, with all processors. An error says in which line; it is the last.
func ReadItems(r io.Reader) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		line := 0
		for lines, err := range ordered(chunks(r), 1, parseChunk) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			for _, i := range lines.items {
				if line++; !yield(i, nil) {
					return
				}
			}
			if lines.err != nil {
				yield(Item{}, fmt.Errorf("line %d: %w", line+1, lines.err))
				return
			}
		}
	}
}

type parsedLines struct {
	items []Item
	err   error // of the line after the items
}

// parseChunk reads a piece of a log and gives it back: nothing of it is in the items.
func parseChunk(one []*[]byte) (p parsedLines) {
	chunk := *one[0]
	defer chunkPool.Put(one[0])
	m := memory{bytes: make([]byte, len(chunk)*3/4)}
	p.items = make([]Item, 0, min(bytes.Count(chunk, []byte("\n")), len(chunk)/minItem))
	for line := range bytes.Lines(chunk) {
		trimmed, ended := bytes.CutSuffix(line, []byte("\n"))
		i, err := parseItem(trimmed, &m)
		if err == nil && !ended {
			err = fmt.Errorf("%w: the last line has no end", ErrItem)
		}
		if err != nil {
			p.err = err
			return p
		}
		p.items = append(p.items, i)
	}
	return p
}

// chunkSize is about how much is parsed in one go.
const chunkSize = 256 << 10

var chunkPool = sync.Pool{New: func() any { b := make([]byte, chunkSize+maxItem); return &b }}

// chunks cuts a text into pieces that end with a line.
func chunks(r io.Reader) iter.Seq2[*[]byte, error] {
	return func(yield func(*[]byte, error) bool) {
		in := bufio.NewReaderSize(r, maxItem)
		for {
			chunk := chunkPool.Get().(*[]byte) //nolint:forcetypeassert // nothing else is in it
			n, err := fill(in, (*chunk)[:chunkSize])
			*chunk = (*chunk)[:n]
			if err == nil {
				rest, tail := in.ReadSlice('\n')
				*chunk, err = append(*chunk, rest...), tail
			}
			end := err == io.EOF //nolint:errorlint // only the end itself: an error that holds one is an error
			if errors.Is(err, bufio.ErrBufferFull) {
				err = fmt.Errorf("%w: longer than %d bytes", ErrItem, maxItem)
			}
			if err != nil && !end {
				yield(nil, err)
				return
			}
			if n > 0 && !yield(chunk, nil) || end {
				return
			}
		}
	}
}

// fill reads until b is full or r has an error, which it returns as it is: io.ReadFull makes two ends of one.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var read int
		read, err = r.Read(b[n:])
		n += read
	}
	return n, err
}
