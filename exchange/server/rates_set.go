package server

import (
	"math"
	"net/http"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

func listLimits(c *call) error {
	all, err := c.s.cfg.Exchange.Limits(c.r.Context(), c.caller)
	if err != nil {
		return err
	}
	answer := api.Limits{Items: []api.Limit{}}
	for _, r := range all {
		answer.Items = append(answer.Items, limitOf(r))
	}
	return c.answer(http.StatusOK, answer)
}

func putLimit(c *call) error {
	asked, err := readJSON[api.LimitRequest](c)
	if err != nil {
		return err
	}
	if asked.Window < 0 || asked.Window > int64(math.MaxInt64/time.Second) {
		return malformed("window", "window is a number of seconds")
	}
	set, err := c.s.cfg.Exchange.SetRate(c.r.Context(), c.caller, exchange.RateChange{Agency: asked.Agency, Limit: asked.Name,
		Rate: exchange.Rate{Quota: asked.Quota, Window: time.Duration(asked.Window) * time.Second}, Reason: asked.Reason})
	if err != nil {
		return err
	}
	answer := limitOf(set.RateShown)
	answer.Receipt = set.Receipt.Encode()
	return c.answer(http.StatusOK, answer)
}

func limitOf(r exchange.RateShown) api.Limit {
	l := api.Limit{Name: r.Kind.Name, Of: r.Kind.Of, Agency: r.Agency, Quota: r.Rate.Quota, Window: int64(r.Rate.Window / time.Second), Source: r.Source}
	if r.Set != nil {
		l.By, l.Since, l.Reason = r.Set.By, timeOf(r.Set.At), r.Set.Reason
	}
	return l
}
