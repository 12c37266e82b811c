package server

import (
	"net/http"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// maxList bounds the lists of one request: some 25,000 revoked certificates.
// Larger ones come as files.
const maxList = 1 << 20

func putRevocations(c *call) error {
	if err := c.takeLarge(); err != nil {
		return err
	}
	data, err := c.read(maxList)
	if err != nil {
		return err
	}
	taken, err := c.s.cfg.Exchange.BringRevocations(c.r.Context(), c.caller, c.param("j"), data)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if taken.Repeat {
		status = http.StatusOK
	}
	answer := api.RevocationsTaken{Jurisdiction: c.param("j"), Receipt: taken.Receipt.Encode()}
	for _, list := range taken.Lists {
		answer.Lists = append(answer.Lists, listOf(list))
	}
	return c.answer(status, answer)
}

func listOf(list certs.CRL) api.RevocationList {
	return api.RevocationList{Issuer: list.Issuer, Number: list.Number.String(), ThisUpdate: timeOf(list.ThisUpdate),
		NextUpdate: timeOf(list.NextUpdate), Revoked: list.Revoked}
}

// getRevocations gives the lists as one file, <jurisdiction>.crl: they can be
// brought to another exchange, or laid beside a client's anchors.
func getRevocations(c *call) error {
	lists, err := c.s.cfg.Exchange.Revocations(c.r.Context(), c.param("j"))
	if err != nil {
		return err
	}
	if len(lists) > large {
		if err := c.takeLarge(); err != nil {
			return err
		}
	}
	return c.bytes(http.StatusOK, api.MediaPEM, lists)
}

func putGrace(c *call) error {
	asked, err := readJSON[api.GraceRequest](c)
	if err != nil {
		return err
	}
	until, err := audit.ParseTime(asked.Until)
	if err != nil {
		return malformed("until", "until is a time in UTC, like 2026-11-22T08:00:00.000Z")
	}
	set, err := c.s.cfg.Exchange.SetGrace(c.r.Context(), c.caller, c.param("j"), until, asked.Reason)
	if err != nil {
		return err
	}
	answer := api.Grace{Jurisdiction: set.Jurisdiction, Until: timeOf(set.Until), Receipt: set.Receipt.Encode()}
	status := http.StatusOK
	if p := set.Waiting; p.By != "" {
		status = http.StatusAccepted
		answer.Proposal = &api.GraceProposal{Until: timeOf(p.Until), By: p.By, Reason: p.Reason, Expires: timeOf(p.Expires())}
	}
	return c.answer(status, answer)
}
