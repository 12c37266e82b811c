package store

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// ErrViewEnded is what a view meets that lasted while the write-ahead log
// outgrew its bound: what was committed since could not leave the log.
var ErrViewEnded = errors.New("the view lasted too long: the write-ahead log had to be folded")

// wal is the write-ahead log and its bound. SQLite folds it by itself, but
// starts it anew only in a moment in which nobody reads: one long view, or
// views that overlap for ever, would let it grow without end.
type wal struct {
	path     string
	most     int64
	patience time.Duration

	// Of the writer: how often folding failed since it last did not, when it
	// failed last, and the size at which it is tried again sooner.
	failures int
	failed   time.Time
	next     int64

	mu    sync.Mutex
	views map[*view]struct{}
}

// view is one that runs.
type view struct {
	begun time.Time // of the machine's own clock
	end   context.CancelCauseFunc
}

// begin counts a view; its context ends when it has to.
func (w *wal) begin(ctx context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	v := &view{begun: time.Now(), end: end}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.views[v] = struct{}{}
	return ctx, func() {
		end(nil)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.views, v)
	}
}

// hurry ends the views that have had their time.
func (w *wal) hurry() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for v := range w.views {
		if time.Since(v.begun) >= w.patience {
			v.end(ErrViewEnded)
		}
	}
}

// size is how large the log's file is; 0 if there is none.
func (w *wal) size() int64 { return fileSize(w.path) }

// foldTime is how long the writer waits for the views that still run, in
// milliseconds. Who is still there after that is not ours, a backup perhaps:
// for it the writer waits half as long each time, so that a long copy does not
// hold up everybody again and again.
const foldTime = 250

// foldPause is how long after a fold that failed the next one is tried, if
// the log does not grow.
const foldPause = time.Second

// fold folds the log after a commit, if it has outgrown its bound. When a view
// is in the way, the writer goes on and comes back when the log has grown by a
// part of the bound.
func (t *transaction) fold() {
	w := &t.store.wal
	size := w.size()
	if size < w.most || size < w.next && time.Since(w.failed) < foldPause {
		return
	}
	w.hurry()
	t.exec("PRAGMA busy_timeout=" + strconv.Itoa(foldTime>>min(w.failures, 7)))
	folded := t.truncateLog()
	t.exec("PRAGMA busy_timeout=" + t.store.busy)
	if folded {
		w.failures, w.next = 0, 0
		return
	}
	w.failures, w.failed, w.next = w.failures+1, time.Now(), size+w.most/16
}

// LogSize is how large the write-ahead log is, in bytes. It is bounded by
// Config.MaxLog, and what is written while a view that has to end does.
func (s *SQLite) LogSize() int64 { return s.wal.size() }

// truncateLog reports whether all of the log went into the database.
func (t *transaction) truncateLog() bool {
	var busy, pages, folded int
	_, err := t.one([]any{&busy, &pages, &folded}, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err == nil && busy == 0
}
