package server

import (
	"net/http"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

func postSample(c *call) error {
	asked, err := readJSON[api.SampleRequest](c)
	if err != nil {
		return err
	}
	if asked.Owner != "" {
		if _, _, err := certs.ParseAgencyID(asked.Owner); err != nil {
			return malformed("owner", "owner is an agency as in ee/pbgb")
		}
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	drawn, err := c.s.cfg.Exchange.DrawSample(c.r.Context(), c.caller, consultation, exchange.SampleRequest{Owner: asked.Owner, Query: asked.Query,
		From: asked.From, To: asked.To, Size: asked.Size, Seed: asked.Seed, Stratum: asked.By})
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, sampleOf(drawn, drawn.Receipt.Encode()))
}

func listSamples(c *call) error {
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	all, err := c.s.cfg.Exchange.Samples(c.r.Context(), c.caller, consultation)
	if err != nil {
		return err
	}
	answer := api.Samples{Items: make([]api.Sample, len(all))}
	for i := range all {
		answer.Items[i] = sampleOf(&all[i], "")
	}
	return c.answer(http.StatusOK, answer)
}

func putVerdict(c *call) error {
	seq, ok := decimal(c.param("seq"))
	if !canonicalUUID(c.param("id")) || !ok || seq == 0 || seq > maxSeq {
		return refuse(exchange.NotFound, "sample-form", "", "")
	}
	asked, err := readJSON[api.VerdictRequest](c)
	if err != nil {
		return err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	view, err := c.s.cfg.Exchange.Review(c.r.Context(), c.caller, consultation, c.param("id"), exchange.Verdict{Seq: seq, Verdict: asked.Verdict, Note: asked.Note})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, sampleOf(view, view.Receipt.Encode()))
}

func sampleOf(v *exchange.SampleView, receipt string) api.Sample {
	s := api.Sample{ID: v.ID, Owner: v.Owner, DrawnBy: v.By, Officer: v.Officer, At: timeOf(v.At), Query: v.Query, From: v.From, To: v.To, Seed: v.Seed,
		By: v.Stratum, Through: v.Through, Population: v.Population, Seqs: v.Seqs, Verdicts: make([]api.Verdict, len(v.Verdicts)), Receipt: receipt}
	if s.Seqs == nil {
		s.Seqs = []uint64{}
	}
	for i, verdict := range v.Verdicts {
		s.Verdicts[i] = api.Verdict{Seq: verdict.Seq, Verdict: verdict.Verdict, Note: verdict.Note, Reviewer: verdict.By, At: timeOf(verdict.At)}
	}
	return s
}
