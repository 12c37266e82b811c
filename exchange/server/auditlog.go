package server

import (
	"math"
	"net/http"
	"strconv"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// maxSeq is the greatest seq that any store counts to.
const maxSeq = math.MaxInt64

func listEntries(c *call) error {
	p := c.parameters()
	after := p.number("after", 0, 0, maxSeq)
	limit := p.number("limit", defaultPage, 1, maxPage)
	if p.err != nil {
		return p.err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	page, err := c.s.cfg.Exchange.Entries(c.r.Context(), c.caller, consultation, after, int(limit))
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
