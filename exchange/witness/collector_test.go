package witness

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// Checkpoint, Submission and Extends make a book what a collector asks about.
func (b *book) Checkpoint() []byte { return b.head().Note }

func (b *book) Submission(_ context.Context, old int64, head audit.Checkpoint) (audit.Submission, error) {
	proof, err := audit.ProveExtends(old, head.Size, b.stored)
	return audit.Submission{Old: old, Proof: proof, Note: head.Note}, err
}

func (b *book) Extends(_ context.Context, older audit.Checkpoint) error {
	return audit.CheckExtends(older, b.tree, b.stored)
}

// TestCollectorQuorum: a head counts once so many have cosigned that same head, and the quorum is missing when the tolerance is over:
// not a moment before, and at once not any more.
func TestCollectorQuorum(t *testing.T) {
	b := newBook(t)
	b.grow(3)
	now := at
	cfg := CollectorConfig{Log: b, Keys: b.keys, Quorum: 2, Tolerance: time.Hour, Path: filepath.Join(t.TempDir(), "witnessed"),
		Clock: func() time.Time { return now }, Slog: slog.New(slog.DiscardHandler)}
	var down [3]atomic.Bool
	for i := range down {
		w, _ := newWitness(t, b)
		h := w.Handler()
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if down[i].Load() {
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(rw, r)
		}))
		t.Cleanup(s.Close)
		own, err := audit.ParseWitness(w.VerifierKey())
		must(t, err)
		cfg.Peers = append(cfg.Peers, Peer{Witness: own, URL: s.URL})
	}
	down[1].Store(true)
	down[2].Store(true)
	c, err := NewCollector(t.Context(), cfg)
	must(t, err)
	witnessed := func(what string, want int64) {
		t.Helper()
		var size int64
		if note := c.Witnessed(); note != nil {
			cp, err := audit.OpenCheckpoint(note, b.keys)
			must(t, err)
			size = cp.Size
		}
		if size != want || c.Status().Witnessed != want {
			t.Errorf("%s: witnessed %d, want %d", what, size, want)
		}
	}
	witnessed("one of two", 0)
	now = now.Add(time.Hour)
	if c.Missing() {
		t.Error("missing at the last moment of the tolerance")
	}
	now = now.Add(1)
	if !c.Missing() {
		t.Error("not missing when the tolerance is over")
	}
	down[1].Store(false)
	must(t, c.Round(t.Context()))
	witnessed("two", 3)
	if c.Missing() || c.Status().Wanting {
		t.Error("missing though the quorum is back")
	}
	b.grow(2)
	down[0].Store(true)
	must(t, c.Round(t.Context()))
	witnessed("one has the new head, another the old one", 3)
	down[2].Store(false)
	must(t, c.Round(t.Context()))
	witnessed("two others", 5)

	again, err := NewCollector(t.Context(), cfg) // a restart
	must(t, err)
	if again.Status().Witnessed != 5 {
		t.Errorf("after a restart: %+v", again.Status())
	}
	fork := newBook(t)
	fork.grow(9)
	cfg.Log = fork
	if _, err := NewCollector(t.Context(), cfg); err == nil {
		t.Error("another ledger is taken for this one")
	}
	cfg.Log, cfg.Quorum = b, 4
	if _, err := NewCollector(t.Context(), cfg); err == nil {
		t.Error("a quorum of four of three")
	}
	old := *b
	old.tree, old.stored = audit.EmptyTree(), nil
	old.grow(1)
	cfg.Log, cfg.Quorum = &old, 2
	if _, err := NewCollector(t.Context(), cfg); !errors.Is(err, audit.ErrBehind) {
		t.Errorf("a store that is behind: %v", err)
	}
}
