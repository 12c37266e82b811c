package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// SearchRequest is a search of a reader, as it was asked: texts are read by
// the service, so that what is wrong with them has its entry.
type SearchRequest struct {
	Owner         string // whose log; "": the caller's own agency's
	Query         string
	From, To      string // RFC 3339 times or dates
	After, Before uint64
	Newest        bool // newest first
	Limit         int  // 0: the greatest page

	Facets    []string
	Top       int // values of each facet; 0: 10
	Histogram search.Interval
}

// SearchPage is what a search shows.
type SearchPage struct {
	Items []EntryRow
	Next  uint64 // where the order goes on; 0 on the last page
	// Counted says that all hits were counted: Count, Facets and Bars.
	Counted bool
	Count   uint64
	Facets  []search.Facet
	Bars    []search.Bar
}

// Search finds entries in a log that the caller may read, under a consultation
// of the log. It is an entry with filter and count, whatever it finds.
func (s *Service) Search(ctx context.Context, c Caller, consultation string, r SearchRequest) (*SearchPage, error) {
	v, err := s.enter(ctx, c, ActEntries, "")
	if err != nil {
		return nil, err
	}
	ask, refused := r.parse()
	if refused != nil {
		return nil, v.refuse(ctx, refused)
	}
	var page *SearchPage
	err = v.onLog(ctx, consultation, r.Owner, func(ctx context.Context, rows Reader, snap search.Snapshot, owner string) error {
		ask.Owner = owner
		page, err = v.search(ctx, rows, snap, ask)
		return err
	})
	if err != nil {
		return nil, v.failedSearch(ctx, err)
	}
	_, err = v.commit(ctx, func(tx *Tx) ([]audit.Entry, *Refusal, error) {
		row, refused, err := v.consultation(tx, tx.Now(), consultation, "")
		if err != nil || refused != nil {
			return nil, refused, err
		}
		owner, refused, err := v.logOwner(tx, r.Owner) // a grant may have ended meanwhile
		if err != nil || refused != nil {
			return nil, refused, err
		}
		e := v.consulted(row)
		e.Count, e.Details = uint64(len(page.Items)), r.details(ask.Query)
		v.another(e.Details, owner)
		return []audit.Entry{e}, nil, nil
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// parse reads the texts.
func (r *SearchRequest) parse() (ask search.Request, refused *Refusal) {
	ask = search.Request{After: r.After, Before: r.Before, Newest: r.Newest, Limit: r.Limit, Facets: r.Facets, Top: r.Top, Histogram: r.Histogram}
	var err error
	if ask.Query, err = search.Parse(r.Query); err != nil {
		return ask, badQuery(err)
	}
	if ask.Range, err = search.ParseRange(r.From, r.To); err != nil {
		return ask, badRequest("range", err.Error())
	}
	if err := search.CheckFacets(r.Facets); err != nil {
		return ask, badRequest("facets", err.Error())
	}
	if r.Histogram != "" && !slices.Contains(search.Intervals, r.Histogram) {
		return ask, badRequest("histogram", fmt.Sprintf("histogram is one of %v", search.Intervals))
	}
	if ask.Limit <= 0 || ask.Limit > maxEntries {
		ask.Limit = maxEntries
	}
	ask.Top = min(ask.Top, search.MaxTop)
	return ask, nil
}

// badQuery says what is wrong with a query, and where.
func badQuery(err error) *Refusal {
	r := badRequest("q", err.Error())
	var syntax *search.SyntaxError
	if errors.As(err, &syntax) {
		r.Detail = fmt.Sprintf("q, character %d: %s", syntax.At, syntax.Problem)
		if syntax.Fix != "" {
			r.Fix = syntax.Fix
		}
	}
	return r
}

// onLog runs f on one snapshot of a log that the caller may read, with the
// index as it was just before, within the time of a search.
func (v *visit) onLog(ctx context.Context, consultation, asked string, f func(ctx context.Context, rows Reader, snap search.Snapshot, owner string) error) error {
	return v.onLogFor(ctx, v.SearchTime, consultation, asked, f)
}

func (v *visit) onLogFor(ctx context.Context, time time.Duration, consultation, asked string, f func(ctx context.Context, rows Reader, snap search.Snapshot, owner string) error) error {
	ctx, cancel := context.WithTimeout(ctx, time)
	defer cancel()
	for {
		snap := v.snapshot(asked)
		err := v.Store.View(ctx, func(rows Reader) error {
			_, r, err := v.consultation(rows, v.Clock(), consultation, "")
			if err != nil {
				return err
			}
			if r != nil {
				return r
			}
			owner, r, err := v.logOwner(rows, asked)
			if err != nil {
				return err
			}
			if r != nil {
				return r
			}
			return f(ctx, rows, snap, owner)
		})
		if !errors.Is(err, search.ErrAgain) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (v *visit) snapshot(asked string) search.Snapshot {
	if v.Index == nil {
		return search.Snapshot{}
	}
	if asked == "" {
		asked = v.agency()
	}
	return v.Index.Snapshot(asked)
}

// searchLog is a log as the index reads it.
type searchLog struct{ Reader }

// Rows implements search.Log.
func (l searchLog) Rows(owner string, after uint64, limit int) ([]search.Row, error) {
	entries, err := l.Entries(owner, after, limit)
	rows := make([]search.Row, len(entries))
	for i, e := range entries {
		rows[i] = search.Row{Seq: e.Seq, Commitment: e.Commitment, Entry: e.Entry}
	}
	return rows, err
}

// LogOf is a log as the index reads it.
func LogOf(rows Reader) search.Log { return searchLog{rows} }

// ViewOfLog is how an index reads the logs of a store.
func ViewOfLog(s Store) func(context.Context, func(search.Log) error) error {
	return func(ctx context.Context, f func(search.Log) error) error {
		return s.View(ctx, func(rows Reader) error { return f(searchLog{rows}) })
	}
}

// search finds, and reads the entries that it found.
func (v *visit) search(ctx context.Context, rows Reader, snap search.Snapshot, ask search.Request) (*SearchPage, error) {
	found, err := v.searchIn(ctx, searchLog{rows}, snap, ask)
	if err != nil {
		return nil, err
	}
	page := &SearchPage{Counted: len(ask.Facets) > 0 || ask.Histogram != "", Count: found.Count, Facets: found.Facets, Bars: found.Bars, Items: []EntryRow{}}
	if found.More {
		page.Next = found.Seqs[len(found.Seqs)-1]
	}
	for _, seq := range found.Seqs {
		row, err := rows.Entry(ask.Owner, seq)
		if err != nil {
			return nil, err
		}
		hit := false
		if row != nil {
			hit, err = search.MatchBytes(row.Entry, ask.Query, ask.Range)
		}
		if !hit { // an index that says what is not so is not believed
			v.Index.DropOwner(ask.Owner, fmt.Errorf("entry %d does not match: %w", seq, errors.Join(err, search.ErrAgain)))
			return nil, search.ErrAgain
		}
		page.Items = append(page.Items, *row)
	}
	return page, nil
}

func (v *visit) searchIn(ctx context.Context, log searchLog, snap search.Snapshot, ask search.Request) (*search.Result, error) {
	if v.Index == nil {
		return search.Scan(ctx, log, ask)
	}
	return v.Index.Search(ctx, log, snap, ask)
}

// failedSearch is the refusal of a search that did not end well.
func (v *visit) failedSearch(ctx context.Context, err error) error {
	switch r := AsRefusal(err); {
	case r != nil:
		return v.refuse(ctx, r)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, search.ErrBars):
		return v.refuse(ctx, badRequest("histogram", err.Error()))
	case errors.Is(err, context.DeadlineExceeded):
		return v.refuse(ctx, &Refusal{Kind: SearchTooWide, Reason: "search-time", Detail: fmt.Sprintf("the search did not end within %v", v.SearchTime),
			Fix: "narrow `from` and `to` or the filter, or leave `facets` and `histogram` out"})
	}
	v.Log.ErrorContext(ctx, "search failed", slog.Any("error", err))
	return unavailable(err)
}

// details are the search as it was asked, for the entry. A long filter stands
// in several parts.
func (r *SearchRequest) details(q search.Query) map[string]string {
	d := map[string]string{}
	put := func(name, value string) {
		if value != "" {
			d[name] = value
		}
	}
	for i, part := range parts(q.String(), 256) {
		name := "q"
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		d[name] = part
	}
	put("from", r.From)
	put("to", r.To)
	if r.After > 0 {
		d["after"] = strconv.FormatUint(r.After, 10)
	}
	if r.Before > 0 {
		d["before"] = strconv.FormatUint(r.Before, 10)
	}
	if r.Newest {
		d["order"] = "newest"
	}
	put("facets", strings.Join(r.Facets, ","))
	put("histogram", string(r.Histogram))
	return d
}

// parts cuts a text into pieces of so many bytes at most, between characters.
func parts(s string, size int) (all []string) {
	for len(s) > size {
		n := size
		for !utf8.RuneStart(s[n]) {
			n--
		}
		all, s = append(all, s[:n]), s[n:]
	}
	if s != "" {
		all = append(all, s)
	}
	return all
}
