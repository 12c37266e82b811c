package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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

	small, large, stride int // sizes of blocks, and of strides

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

// Open opens the index. It reads little: owners are looked at when they are
// needed.
func Open(cfg Config) (*Index, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	x := &Index{cfg: cfg, mine: cfg.Key.fingerprint(), owners: map[string]*shelf{}, wake: make(chan struct{}, 1), small: smallSize, large: largeSize, stride: strideSize}
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

// shelf returns an owner's blocks; nil if nobody has looked at them yet.
func (x *Index) shelf(owner string) *shelf {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.owners[owner]
}
