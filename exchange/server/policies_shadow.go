package server

import (
	"net/http"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/policy"
)

// How many differences one answer has: at most, and if the request does not say.
const (
	mostDifferences = 1000
	someDifferences = 100
)

// putShadow takes a draft. Its set is built, and holds much.
func putShadow(c *call) error {
	j, err := c.policyName()
	if err != nil {
		return err
	}
	if err := c.takeLarge(); err != nil {
		return err
	}
	raw, err := c.read(policy.MaxBundleSize)
	if err != nil {
		return err
	}
	state, err := c.s.cfg.Exchange.StartShadow(c.r.Context(), c.caller, j, raw)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, shadowOf(state))
}

func getShadow(c *call) error {
	j, limit, err := c.shadowQuery()
	if err != nil {
		return err
	}
	state, err := c.s.cfg.Exchange.ShowShadow(c.r.Context(), c.caller, j, limit)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, shadowOf(state))
}

func deleteShadow(c *call) error {
	j, limit, err := c.shadowQuery()
	if err != nil {
		return err
	}
	state, err := c.s.cfg.Exchange.StopShadow(c.r.Context(), c.caller, j, limit)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, shadowOf(state))
}

func (c *call) shadowQuery() (jurisdiction string, limit int, err error) {
	p := c.parameters()
	limit = int(p.number("limit", someDifferences, 1, mostDifferences))
	if p.err != nil {
		return "", 0, p.err
	}
	jurisdiction, err = c.policyName()
	return jurisdiction, limit, err
}

func shadowOf(s *exchange.ShadowState) api.Shadow {
	out := api.Shadow{Jurisdiction: s.Jurisdiction, Revisions: s.Revisions, By: s.By, Since: timeOf(s.Since), Until: timeOf(s.Until), Ended: s.Ended,
		Compared: s.Compared, Same: s.Same, Dropped: s.Dropped, Failed: s.Failed, Changes: s.Changes, Rules: s.Rules,
		Differences: []api.ReplayChange{}, Receipt: s.Receipt.Encode()}
	if s.Ended != "" {
		out.EndedAt = timeOf(s.EndedAt)
	}
	for _, d := range s.Differences {
		out.Differences = append(out.Differences, changeOf(d))
	}
	return out
}
