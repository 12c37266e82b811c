package server

import (
	"net/http"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

func orderErasure(c *call) error {
	jws, err := c.read(maxJWS)
	if err != nil {
		return err
	}
	done, err := c.s.cfg.Exchange.Erase(c.r.Context(), c.caller, jws)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if done.Repeat {
		status = http.StatusOK
	}
	return c.answer(status, api.ErasureDone{ID: done.ID, Package: done.Package, First: done.From, Last: done.To, Erased: done.Erased, Held: done.Held,
		Kept: done.Kept, Done: done.Done, Receipt: done.Receipt.Encode()})
}

func previewErasures(c *call) error {
	p := c.parameters()
	on := p.moment("on")
	limit := p.number("limit", defaultPage, 1, maxPage)
	if p.err != nil {
		return p.err
	}
	if on.IsZero() {
		on = c.s.cfg.Clock()
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	found, err := c.s.cfg.Exchange.PreviewErasures(c.r.Context(), c.caller, consultation, on, int(limit))
	if err != nil {
		return err
	}
	answer := api.ErasurePreview{On: timeOf(found.On), Classes: []api.ErasureClass{}, Items: []api.ErasureItem{}, More: found.More, Receipt: found.Receipt.Encode()}
	for _, k := range found.Classes {
		answer.Classes = append(answer.Classes, api.ErasureClass(k))
	}
	for _, i := range found.Items {
		answer.Items = append(answer.Items, api.ErasureItem{Class: i.Class, Package: i.Package, First: i.From, Last: i.To, Due: timeOf(i.Due), Held: i.Held})
	}
	return c.answer(http.StatusOK, answer)
}

func addHold(c *call) error {
	asked, err := readJSON[api.HoldRequest](c)
	if err != nil {
		return err
	}
	want := exchange.HoldRequest{Scope: asked.Scope, Value: asked.Value, Reason: asked.Reason}
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{asked.Begin, &want.From}, {asked.End, &want.To}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = audit.ParseTime(t.text); err != nil {
			return malformed("period", "begin and end are times as in 2026-11-22T08:00:00Z")
		}
	}
	set, err := c.s.cfg.Exchange.AddHold(c.r.Context(), c.caller, want)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, holdOf(set.Hold, set.Receipt.Encode()))
}

func listHolds(c *call) error {
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	all, err := c.s.cfg.Exchange.ListHolds(c.r.Context(), c.caller, consultation)
	if err != nil {
		return err
	}
	answer := api.Holds{Items: []api.Hold{}}
	for _, h := range all {
		answer.Items = append(answer.Items, holdOf(h, ""))
	}
	return c.answer(http.StatusOK, answer)
}

func releaseHold(c *call) error {
	asked, err := readJSON[api.ReleaseRequest](c)
	if err != nil {
		return err
	}
	set, err := c.s.cfg.Exchange.ReleaseHold(c.r.Context(), c.caller, c.param("id"), asked.Reason)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, holdOf(set.Hold, set.Receipt.Encode()))
}

func holdOf(h exchange.Hold, receipt string) api.Hold {
	return api.Hold{ID: h.ID, Scope: h.Scope, Value: h.Value, Begin: timeOf(h.From), End: timeOf(h.To), Reason: h.Reason, By: h.By,
		Since: timeOf(h.At), Released: timeOf(h.Released), Receipt: receipt}
}

// erasureOf says why an entry is no more; nil while it is.
func erasureOf(row exchange.EntryRow) *api.Erasure {
	if row.Entry != nil {
		return nil
	}
	e := row.Erasure
	if e == nil {
		e = &exchange.ErasureRow{}
	}
	return &api.Erasure{At: timeOf(e.At), Why: e.Why, Class: e.Class, By: e.By, Order: e.Order, Seq: e.Seq}
}
