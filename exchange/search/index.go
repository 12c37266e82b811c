package search

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Row is an entry as the log keeps it. Entry is nil once erased.
type Row struct {
	Seq        uint64
	Commitment audit.Commitment
	Entry      []byte
}

// Drop is an entry that was erased after it may have been indexed.
type Drop struct {
	Position int64 // from 1, in the order of erasure
	Owner    string
	Seq      uint64
}

// Log is one snapshot of the log.
type Log interface {
	// Owners are all that have an entry.
	Owners() ([]string, error)
	// Last returns seq and commitment of the owner's newest entry, zero if none.
	Last(owner string) (uint64, audit.Commitment, error)
	// Rows are entries of an owner after a seq, in order.
	Rows(owner string, after uint64, limit int) ([]Row, error)
	// Drops are erasures after a position, in order.
	Drops(after int64, limit int) ([]Drop, error)
}

// Config is what an Index is made of.
type Config struct {
	// Dir is a directory of the index's own. Whatever lies in it can be
	// deleted: the index is built again from the log.
	Dir string
	Key Key
	// View runs f on one snapshot of the log.
	View func(ctx context.Context, f func(Log) error) error
	Log  *slog.Logger // nil: slog.Default
}

// Index is the index of all owners' logs. It is safe for concurrent use. It
// trails the log by what is not a whole block yet; a search reads the rest
// itself.
type Index struct {
	cfg    Config
	mine   string // fingerprint
	hook   func(step string)
	cached atomic.Int64 // bytes of directories in memory
	wake   chan struct{}

	small, large int // sizes of blocks

	round  sync.Mutex // one round at a time
	mu     sync.RWMutex
	owners map[string]*shelf
	// applied is the position up to which the blocks have holes for what was
	// erased; mark is what lies there.
	mark Drop
}

// shelf is the blocks of one owner, as a search may take them along: it is
// replaced, never changed.
type shelf struct {
	blocks []*block // without a gap from seq 1 on
}

func (s *shelf) covered() uint64 {
	if len(s.blocks) == 0 {
		return 0
	}
	return s.blocks[len(s.blocks)-1].last()
}

// ErrAgain says that the index moved on under a search: take a snapshot again.
var ErrAgain = errors.New("the search index moved on")

// LoadKey reads the index's key from a file that only its owner reads, and
// makes it at the first start.
func LoadKey(path string, random func([]byte) (int, error)) (k Key, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := random(k[:]); err != nil {
			return Key{}, err
		}
		return k, writeFile(path, []byte(hex.EncodeToString(k[:])+"\n"), true)
	}
	if err != nil {
		return Key{}, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(b) != len(k) {
		return Key{}, fmt.Errorf("%s does not hold a key of the search index: 64 hexadecimal digits (delete it, and the index is built anew)", path)
	}
	return Key(b), nil
}

// writeFile writes a file whole or not at all. What of the index a crash cuts
// short is found by its sums; only a key must be durable.
func writeFile(path string, data []byte, durable bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Open opens the index. It reads little: owners are looked at when they are
// needed.
func Open(cfg Config) (*Index, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	x := &Index{cfg: cfg, mine: cfg.Key.fingerprint(), owners: map[string]*shelf{}, wake: make(chan struct{}, 1), small: smallSize, large: largeSize}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("search index: %w", err)
	}
	if raw, err := os.ReadFile(x.markPath()); err == nil {
		_ = json.Unmarshal(raw, &x.mark) // what cannot be read is the beginning: holes are made twice
	}
	return x, nil
}

func (x *Index) markPath() string { return filepath.Join(x.cfg.Dir, "erased.json") }

func (x *Index) at(step string) {
	if x.hook != nil {
		x.hook(step)
	}
}

// Wake tells the index that the log has grown.
func (x *Index) Wake() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// pause is how long the index waits between rounds at least: what is not
// indexed yet is searched all the same.
const pause = 500 * time.Millisecond

// Run keeps the index up to date until the context ends.
func (x *Index) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var punchAt time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		due := !began.Before(punchAt)
		if err := x.bring(ctx, due); err != nil && ctx.Err() == nil {
			x.cfg.Log.ErrorContext(ctx, "the search index is not up to date; searches read the log itself", slog.Any("error", err))
		}
		if due { // to write large blocks again is work: a tenth of the time at most
			punchAt = time.Now().Add(10 * time.Since(began))
		}
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		case <-time.After(idle):
		}
		timer.Reset(pause)
	}
}

// idle is how long the index waits if nobody wakes it.
const idle = 30 * time.Second

// Round brings the index up to date with what is committed now.
func (x *Index) Round(ctx context.Context) error { return x.bring(ctx, true) }

func (x *Index) bring(ctx context.Context, punch bool) error {
	x.round.Lock()
	defer x.round.Unlock()
	var owners []string
	err := x.cfg.View(ctx, func(log Log) (err error) {
		if err := x.checkMark(log); err != nil {
			return err
		}
		owners, err = log.Owners()
		return err
	})
	if err != nil {
		return err
	}
	if punch {
		if err := x.punch(ctx); err != nil {
			return err
		}
	}
	for _, owner := range owners {
		if err := x.extend(ctx, owner); err != nil {
			return fmt.Errorf("%s: %w", owner, err)
		}
	}
	return nil
}

// checkMark drops the index if the log's erasures are not those that it knows:
// it was made from another store.
func (x *Index) checkMark(log Log) error {
	x.mu.RLock()
	mark := x.mark
	x.mu.RUnlock()
	if mark.Position == 0 {
		return nil
	}
	found, err := log.Drops(mark.Position-1, 1)
	if err != nil || len(found) == 1 && found[0] == mark {
		return err
	}
	x.cfg.Log.Warn("the search index is of another store: it is built anew")
	return x.Drop()
}

// Drop throws the whole index away; it is built again.
func (x *Index) Drop() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.owners, x.mark = map[string]*shelf{}, Drop{}
	entries, err := os.ReadDir(x.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(x.cfg.Dir, e.Name())))
	}
	return err
}

// DropOwner throws an owner's blocks away, because they cannot be trusted.
func (x *Index) DropOwner(owner string, why error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.owners, owner)
	err := os.RemoveAll(x.ownerDir(owner))
	x.cfg.Log.Error("a part of the search index is dropped and built anew", slog.String("owner", owner), slog.Any("error", errors.Join(why, err)))
	x.Wake()
}

var ownerForm = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+$`)

func (x *Index) ownerDir(owner string) string {
	return filepath.Join(x.cfg.Dir, strings.ReplaceAll(owner, "/", "_"))
}

// shelf returns an owner's blocks; nil if nobody has looked at them yet.
func (x *Index) shelf(owner string) *shelf {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.owners[owner]
}

// load looks at what lies on disk of an owner, as of a snapshot.
func (x *Index) load(log Log, owner string) (*shelf, error) {
	if !ownerForm.MatchString(owner) {
		return nil, fmt.Errorf("search index: %q is no owner", owner)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.owners[owner] != nil {
		return nil, ErrAgain // and may be ahead of the snapshot
	}
	s, err := x.scan(owner)
	if err != nil {
		return nil, err
	}
	if last := s.covered(); last > 0 {
		rows, err := log.Rows(owner, last-1, 1)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 || rows[0].Seq != last || rows[0].Commitment.String() != s.blocks[len(s.blocks)-1].Commitment {
			x.cfg.Log.Warn("the search index is of another log: it is built anew", slog.String("owner", owner))
			if err := os.RemoveAll(x.ownerDir(owner)); err != nil {
				return nil, err
			}
			s = &shelf{}
		}
	}
	x.owners[owner] = s
	return s, nil
}

// scan reads the headers of an owner's files. What is damaged, of another key,
// beyond a gap, older or merged is removed.
func (x *Index) scan(owner string) (*shelf, error) {
	dir := x.ownerDir(owner)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []*block
	remove := map[string]bool{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		b, err := readBlock(path)
		if err != nil || b.Key != x.mine || b.Owner != owner || b.name() != strings.SplitN(e.Name(), ".", 2)[0] {
			remove[path] = true
			continue
		}
		all = append(all, b)
		remove[path] = true // unless it is taken below
	}
	slices.SortFunc(all, func(a, b *block) int { // in order, larger before smaller, newer before older
		switch {
		case a.First != b.First:
			return compare(a.First, b.First)
		case a.Size != b.Size:
			return compare(uint64(b.Size), uint64(a.Size))
		}
		return compare(generation(b.path), generation(a.path))
	})
	s := &shelf{}
	for _, b := range all {
		if b.First == s.covered()+1 {
			s.blocks = append(s.blocks, b)
			delete(remove, b.path)
		}
	}
	for path := range remove {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// name is a block's file name without its generation.
func (h header) name() string { return fmt.Sprintf("%d-%015d", h.Size, h.First) }

// generation counts how often a block was written: a file that is open
// somewhere is never replaced.
func generation(path string) (n uint64) {
	_, after, _ := strings.Cut(filepath.Base(path), ".")
	if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
		return 0
	}
	return n
}

// put writes a block and returns it as it lies there.
func (x *Index) put(b *builder, h header, generation uint64) (*block, error) {
	data, err := b.encode(&h)
	if err != nil {
		return nil, err
	}
	made := &block{header: h, path: filepath.Join(x.ownerDir(h.Owner), fmt.Sprintf("%s.%d", h.name(), generation))}
	x.at("build")
	if err := writeFile(made.path, data, false); err != nil {
		return nil, err
	}
	x.at("written")
	return made, nil
}

// swap makes the new blocks visible in place of old ones, and then removes the
// old files.
func (x *Index) swap(owner string, old *shelf, blocks []*block) (bool, error) {
	x.mu.Lock()
	if x.owners[owner] != old { // dropped meanwhile
		x.mu.Unlock()
		return false, nil
	}
	x.owners[owner] = &shelf{blocks}
	x.mu.Unlock()
	x.at("swapped")
	kept := map[string]bool{}
	for _, b := range blocks {
		kept[b.path] = true
	}
	var errs []error
	for _, b := range old.blocks {
		if !kept[b.path] {
			errs = append(errs, os.Remove(b.path))
		}
	}
	x.at("removed")
	return true, errors.Join(errs...)
}

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
	var rows []Row
	err = x.cfg.View(ctx, func(log Log) error {
		if s = x.shelf(owner); s == nil {
			if s, err = x.load(log, owner); err != nil {
				return err
			}
		}
		last, _, err := log.Last(owner)
		if err != nil || last < s.covered()+uint64(x.small) {
			return err
		}
		rows, err = log.Rows(owner, s.covered(), x.small)
		return err
	})
	if errors.Is(err, ErrAgain) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if len(rows) < x.small {
		return false, x.merge(owner) // what a crash left undone
	}
	b := newBuilder(&x.cfg.Key, x.small)
	for i, row := range rows {
		if row.Seq != s.covered()+1+uint64(i) {
			return false, fmt.Errorf("entry %d is missing in the log", s.covered()+1+uint64(i))
		}
		b.add(i, row.Entry)
	}
	made, err := x.put(b, header{Owner: owner, First: s.covered() + 1, Commitment: rows[x.small-1].Commitment.String()}, 0)
	if err != nil {
		return false, err
	}
	blocks := append(slices.Clone(s.blocks), made)
	if ok, err := x.swap(owner, s, blocks); err != nil || !ok {
		return ok, err
	}
	return true, x.merge(owner)
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
		b := newBuilder(&x.cfg.Key, x.large)
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

func (x *Index) copyBlock(part *block, b *builder, offset int) error {
	o, err := part.open(nil)
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
	b := newBuilder(&x.cfg.Key, old.Size)
	if err := x.copyBlock(old, b, 0); err != nil {
		return nil, err
	}
	if b.present.common(holes) == 0 {
		return old, nil
	}
	b.punch(holes)
	return x.put(b, header{Owner: old.Owner, First: old.First, Commitment: old.Commitment}, generation(old.path)+1)
}
