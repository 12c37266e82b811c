package server

import (
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/search"
)

// maxSeq is the greatest seq that any store counts to.
const maxSeq = math.MaxInt64

// maxTop is the greatest number of values of a facet.
const maxTop = search.MaxTop

// searchParameters make a search of a listing.
var searchParameters = []string{"q", "from", "to", "before", "order", "facets", "top", "histogram"}

func listEntries(c *call) error {
	p := c.parameters()
	owner := p.agency("owner")
	after := p.number("after", 0, 0, maxSeq)
	limit := p.number("limit", defaultPage, 1, maxPage)
	asked := exchange.SearchRequest{Owner: owner, Query: p.values.Get("q"), From: p.values.Get("from"), To: p.values.Get("to"),
		After: after, Before: p.number("before", 0, 1, maxSeq), Newest: p.word("order", "oldest", "newest") == "newest", Limit: int(limit),
		Facets: p.list("facets"), Top: int(p.number("top", 10, 1, maxTop)), Histogram: p.interval("histogram")}
	if p.err != nil {
		return p.err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(searchParameters, p.values.Has) {
		return searchEntries(c, consultation, asked)
	}
	page, err := c.s.cfg.Exchange.Entries(c.r.Context(), c.caller, consultation, owner, after, int(limit))
	if err != nil {
		return err
	}
	answer := api.AuditPage{Items: make([]api.AuditItem, len(page.Items))}
	for i, row := range page.Items {
		answer.Items[i] = auditItemOf(row)
	}
	if page.Next > 0 {
		answer.Next = strconv.FormatUint(page.Next, 10)
	}
	return c.answer(http.StatusOK, answer)
}

func searchEntries(c *call, consultation string, r exchange.SearchRequest) error {
	page, err := c.s.cfg.Exchange.Search(c.r.Context(), c.caller, consultation, r)
	if err != nil {
		return err
	}
	answer := api.AuditPage{Items: make([]api.AuditItem, len(page.Items))}
	for i, row := range page.Items {
		answer.Items[i] = auditItemOf(row)
	}
	if page.Next > 0 {
		answer.Next = strconv.FormatUint(page.Next, 10)
	}
	if page.Counted {
		answer.Counts = countsOf(page)
	}
	return c.answer(http.StatusOK, answer)
}

func countsOf(page *exchange.SearchPage) *api.AuditCounts {
	counts := &api.AuditCounts{Hits: page.Count}
	for _, f := range page.Facets {
		facet := api.AuditFacet{Field: f.Field, Values: make([]api.AuditFacetValue, len(f.Values)), Others: f.Others}
		for i, v := range f.Values {
			facet.Values[i] = api.AuditFacetValue(v)
		}
		counts.Facets = append(counts.Facets, facet)
	}
	for _, b := range page.Bars {
		counts.Histogram = append(counts.Histogram, api.AuditBar{From: timeOf(b.From), Count: b.Count})
	}
	return counts
}

func getEntry(c *call) error {
	owner := c.param("j") + "/" + c.param("a")
	seq, ok := decimal(c.param("seq"))
	if _, _, err := certs.ParseAgencyID(owner); err != nil || !ok || seq == 0 || seq > maxSeq {
		return refuse(exchange.NotFound, "entry-form", "", "")
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	row, err := c.s.cfg.Exchange.Entry(c.r.Context(), c.caller, consultation, owner, seq)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, auditItemOf(*row))
}
