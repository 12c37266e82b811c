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
		answer.Items = append(answer.Items, c.s.agencyOf(a))
	}
	return c.answer(http.StatusOK, answer)
}

func getAgency(c *call) error {
	_, a, err := c.listed()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, c.s.agencyOf(a))
}

// listKeys gives what may be used now. Retired keys are asked for by their
// kid.
func listKeys(c *call) error {
	reg, a, err := c.listed()
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
	reg, a, err := c.listed()
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

// agencyID is the {j}/{a} of the path.
func (c *call) agencyID() string { return c.param("j") + "/" + c.param("a") }

// listed is the agency that the path names, as the directory has it.
func (c *call) listed() (*exchange.Registry, exchange.Agency, error) {
	reg, err := c.s.cfg.Exchange.Registry(c.r.Context())
	if err != nil {
		return nil, exchange.Agency{}, err
	}
	a, ok := reg.Agency(c.agencyID())
	if !ok {
		return nil, a, refuse(exchange.NotFound, "no-such-agency", "", "")
	}
	return reg, a, nil
}

func publishKey(c *call) error {
	jwk, err := c.read(maxJSON)
	if err != nil {
		return err
	}
	change, err := c.s.cfg.Exchange.PublishKey(c.r.Context(), c.caller, c.agencyID(), c.param("kid"), jwk)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if change.Repeat {
		status = http.StatusOK
	}
	return c.answer(status, keyChangeOf(change))
}

func retireKey(c *call) error {
	p := c.parameters()
	end := exchange.Retirement{Until: p.moment("until"), Compromised: p.moment("compromised")}
	if p.err != nil {
		return p.err
	}
	change, err := c.s.cfg.Exchange.RetireKey(c.r.Context(), c.caller, c.agencyID(), c.param("kid"), end)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, keyChangeOf(change))
}

func keyChangeOf(change *exchange.KeyChange) api.KeyChange {
	k := change.Key
	return api.KeyChange{JWK: k.JWK, From: timeOf(k.From), Until: timeOf(k.Until), Compromised: timeOf(k.Compromised), Receipt: change.Receipt.Encode()}
}

func getAdmission(c *call) error {
	found, err := c.s.cfg.Exchange.Admission(c.r.Context(), c.caller, c.agencyID())
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, admissionOf(found))
}

// putAdmission answers 202 to what waits for a second operator.
func putAdmission(c *call) error {
	asked, err := readJSON[api.AdmissionRequest](c)
	if err != nil {
		return err
	}
	set, err := c.s.cfg.Exchange.SetAdmission(c.r.Context(), c.caller, c.agencyID(),
		exchange.Standing{Roles: asked.Roles, Suspended: asked.Suspended, Bindings: bindingsAsked(asked.Bindings), Supervises: asked.Supervises}, asked.Reason)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if set.Proposal != nil {
		status = http.StatusAccepted
	}
	return c.answer(status, admissionOf(set))
}

func admissionOf(a *exchange.Admission) api.Admission {
	out := api.Admission{Agency: a.Agency, Roles: append([]string{}, a.Roles...), Suspended: a.Suspended,
		Bindings: bindingsOf(a.Bindings), Supervises: a.Supervises, Receipt: a.Receipt.Encode()}
	if p := a.Proposal; p != nil {
		out.Proposal = &api.Proposal{Roles: append([]string{}, p.Roles...), Suspended: p.Suspended,
			Bindings: bindingsOf(p.Bindings), Supervises: p.Supervises, By: p.By, Reason: p.Reason,
			Since: timeOf(p.At), Expires: timeOf(p.Expires())}
	}
	return out
}

func bindingsAsked(list []api.Binding) (all []exchange.Binding) {
	for _, b := range list {
		all = append(all, exchange.Binding(b))
	}
	return all
}

func bindingsOf(list []exchange.Binding) (all []api.Binding) {
	for _, b := range list {
		all = append(all, api.Binding(b))
	}
	return all
}
