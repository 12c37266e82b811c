package exchange

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// Bounds of reading through logs: how many entries are read at once, how many
// readings run at a time, of one agency and of all, and how far the clock may
// have been set back without an entry being missed.
const (
	scanPage      = 512
	maxAgencyScan = 2
	maxScans      = 8
	clockSlack    = 10 * time.Minute
)

// scanning bounds the readings of a service.
type scanning struct {
	mu  sync.Mutex
	of  map[string]int
	all int
}

func (s *scanning) begin(agency string) *Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[agency] >= maxAgencyScan || s.all >= maxScans {
		return &Refusal{Kind: Unavailable, Reason: "scans", RetryAfter: 10 * time.Second,
			Detail: "other statistics or exports of your agency, or too many of others, are running", Fix: "repeat when one of them is done"}
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[agency]++
	s.all++
	return nil
}

func (s *scanning) end(agency string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[agency]--; s.of[agency] == 0 {
		delete(s.of, agency)
	}
}

// stretch is a part of an owner's log, from first to last; last before first
// is none.
type stretch struct {
	owner       string
	first, last uint64
}

func (s stretch) count() uint64 {
	if s.last < s.first {
		return 0
	}
	return s.last - s.first + 1
}

// between finds the entries of a time by the heads of their batches, which
// have it even where an entry is erased.
func between(rows Reader, owner string, from, to time.Time) (stretch, error) {
	last, _, err := rows.Last(owner)
	if err != nil {
		return stretch{}, err
	}
	before := func(t time.Time) uint64 { // how many entries are before t
		return uint64(sort.Search(int(last), func(i int) bool {
			if err != nil {
				return true
			}
			var at time.Time
			at, err = timeOf(rows, owner, uint64(i)+1)
			return !at.Before(t)
		}))
	}
	s := stretch{owner: owner, first: before(from) + 1, last: before(to)}
	return s, err
}

// timeOf is the time of an entry, of an erased one as well.
func timeOf(rows Reader, owner string, seq uint64) (time.Time, error) {
	row, err := rows.Entry(owner, seq)
	if err != nil || row == nil {
		return time.Time{}, err
	}
	head, err := rows.HeadCovering(row.Index)
	return head.Time, err
}

// scan reads a stretch page by page, each in a view of its own, so that no
// snapshot is held and no writer waits, however long it takes or f blocks. While
// f has a page the next one is read.
func (s *Service) scan(ctx context.Context, part stretch, f func(rows []EntryRow) error) error {
	ahead, stop := context.WithCancel(ctx)
	pages, failed := make(chan []EntryRow), error(nil)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(pages)
		defer func() { // as in the request itself, it does not end the process; its value may hold what a log must not
			if p := recover(); p != nil {
				failed = fmt.Errorf("panic with a %T in reading a log\n%s", p, debug.Stack())
			}
		}()
		failed = s.readPages(ahead, part, pages)
	})
	defer reading.Wait()
	defer stop()
	for page := range pages {
		if err := f(page); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		runtime.Gosched() // requests first
	}
	return failed
}

// readPages reads a stretch as long as somebody takes its pages.
func (s *Service) readPages(ctx context.Context, part stretch, pages chan<- []EntryRow) error {
	for after := part.first - 1; after < part.last; {
		var page []EntryRow
		err := s.view(ctx, func(rows Reader) (err error) {
			page, err = rows.Entries(part.owner, after, int(min(scanPage, part.last-after)))
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		after = page[len(page)-1].Seq
	}
	return nil
}

// widened is the stretch with what a clock that was set back may have put
// beside it.
func widened(rows Reader, from, to time.Time, exact stretch) (stretch, error) {
	wide, err := between(rows, exact.owner, from.Add(-clockSlack), to.Add(clockSlack))
	return stretch{exact.owner, min(wide.first, exact.first), max(wide.last, exact.last)}, err
}

// described is what an entry of the owner would say of a package that it is a
// party of; nil if it is none, or nothing is left of it.
func (s *Service) described(ctx context.Context, owner, id string) (e *audit.Entry) {
	_ = s.view(ctx, func(rows Reader) error {
		party, err := rows.Party(id, owner)
		if err != nil || !party {
			return err
		}
		p, err := rows.Package(id)
		if err != nil || p == nil {
			return err
		}
		m, err := envelope.ParseManifest(p.Manifest)
		if err != nil {
			return err
		}
		about := manifestEntry(m)
		for _, d := range p.Deliveries {
			if d.Recipient == owner && !d.DueAt.IsZero() {
				about.DueAt = entryTime(d.DueAt)
			}
		}
		e = &about
		return nil
	})
	return e
}
