package server

import (
	"encoding/json"
	"net/http"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

func listAgencies(c *call) error {
	reg, err := c.s.cfg.Exchange.Registry(c.r.Context())
	if err != nil {
		return err
	}
	answer := api.Agencies{Items: []api.Agency{}}
	for _, a := range reg.Agencies() {
		answer.Items = append(answer.Items, agencyOf(a))
	}
	return c.answer(http.StatusOK, answer)
}

func getAgency(c *call) error {
	_, a, err := c.agency()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, agencyOf(a))
}

// listKeys gives what may be used now. Retired keys are asked for by their
// kid.
func listKeys(c *call) error {
	reg, a, err := c.agency()
	if err != nil {
		return err
	}
	set, now := api.KeySet{Keys: []json.RawMessage{}}, c.s.cfg.Clock()
	for _, k := range reg.Keys(a.ID) {
		if k.TrustedAt(now) {
			set.Keys = append(set.Keys, k.JWK)
		}
	}
	return c.answer(http.StatusOK, set)
}

func getKey(c *call) error {
	reg, a, err := c.agency()
	if err != nil {
		return err
	}
	k := reg.KeyByID(c.param("kid"))
	if k == nil || k.Agency != a.ID {
		return refuse(exchange.NotFound, "no-such-key", "", "")
	}
	return c.answer(http.StatusOK, api.Key{
		JWK: k.JWK, From: timeOf(k.From), Until: timeOf(k.Until), Compromised: timeOf(k.Compromised),
	})
}

// agency is the {j}/{a} of the path.
func (c *call) agency() (*exchange.Registry, exchange.Agency, error) {
	reg, err := c.s.cfg.Exchange.Registry(c.r.Context())
	if err != nil {
		return nil, exchange.Agency{}, err
	}
	a, ok := reg.Agency(c.param("j") + "/" + c.param("a"))
	if !ok {
		return nil, a, refuse(exchange.NotFound, "no-such-agency", "", "")
	}
	return reg, a, nil
}
