package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// SearchInput is a search in a log. All members may be empty.
type SearchInput struct {
	Owner         string // whose log; "": the own agency's
	Query         string // as exchange/search describes it
	From, To      string // RFC 3339 times, or dates
	After, Before uint64
	Newest        bool // newest first
	Limit         int

	Facets    []string // fields whose values are counted
	Top       int      // how many values of each
	Histogram string   // hour, day, week, month or year
}

// SearchPage is what a search found.
type SearchPage struct {
	Items  []audit.Item // not verified, but of that owner and in order
	Next   uint64       // where the order goes on: for Before with Newest, else for After; 0 at the end
	Counts *api.AuditCounts
}

func (s *SearchInput) values() url.Values {
	v := url.Values{}
	put := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	number := func(name string, n uint64) {
		if n > 0 {
			v.Set(name, strconv.FormatUint(n, 10))
		}
	}
	put("owner", s.Owner)
	put("q", s.Query)
	put("from", s.From)
	put("to", s.To)
	number("after", s.After)
	number("before", s.Before)
	put("order", "oldest") // it makes a search even of a search for everything
	if s.Newest {
		put("order", "newest")
	}
	number("limit", uint64(max(s.Limit, 0)))
	put("facets", strings.Join(s.Facets, ","))
	number("top", uint64(max(s.Top, 0)))
	put("histogram", s.Histogram)
	return v
}

// Search reads one page of what a search finds, under a consultation for the log.
func (c *Client) Search(ctx context.Context, consultation string, s SearchInput) (*SearchPage, error) {
	k := get(api.RouteAuditEntries, s.values())
	k.header = http.Header{api.HeaderConsultation: {consultation}}
	var wire api.AuditPage
	if _, err := c.fetchJSON(ctx, k, &wire); err != nil {
		return nil, err
	}
	page := &SearchPage{Counts: wire.Counts}
	if wire.Next != "" {
		next, err := strconv.ParseUint(wire.Next, 10, 63)
		if err != nil || len(wire.Items) == 0 || next != wire.Items[len(wire.Items)-1].Seq {
			return nil, unverifiedf("search", "the next page begins at %.32q, which is not where this one ends", wire.Next)
		}
		page.Next = next
	}
	owner := s.Owner
	if owner == "" {
		owner = c.Agency()
	}
	low, high := s.After, s.Before // what the next entry must lie between; 0: no bound
	for _, w := range wire.Items {
		item, err := Item(w)
		if err != nil {
			return nil, err
		}
		if item.Owner != owner || item.Seq <= low || high > 0 && item.Seq >= high {
			return nil, unverifiedf("search", "entry %d of %q is not in the place where it came", item.Seq, item.Owner)
		}
		if s.Newest {
			high = item.Seq
		} else {
			low = item.Seq
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// Searched reads all that a search finds, page by page. It ends at the first error, which it yields.
func (c *Client) Searched(ctx context.Context, consultation string, s SearchInput) iter.Seq2[audit.Item, error] {
	return func(yield func(audit.Item, error) bool) {
		for {
			page, err := c.Search(ctx, consultation, s)
			if err != nil {
				yield(audit.Item{}, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == 0 {
				return
			}
			if s.Newest {
				s.Before = page.Next
			} else {
				s.After = page.Next
			}
		}
	}
}
