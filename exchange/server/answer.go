package server

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/policy"
)

func pageOf(p exchange.Page) api.Page {
	page := api.Page{Items: make([]api.Descriptor, len(p.Items))}
	for i, v := range p.Items {
		page.Items[i] = descriptorOf(v)
	}
	if p.Next > 0 {
		page.Next = strconv.FormatUint(p.Next, 10)
	}
	return page
}

func descriptorOf(v exchange.View) api.Descriptor {
	return api.Descriptor{
		ID: v.ID, From: v.From, To: v.To, Type: v.Type, State: v.State, DueAt: timeOf(v.DueAt),
		ManifestSHA256: v.ManifestSHA256, Outcomes: outcomesOf(v.Outcomes),
	}
}

func outcomesOf(all []exchange.Outcome) []api.Outcome {
	out := make([]api.Outcome, len(all))
	for i, o := range all {
		out[i] = api.Outcome{
			Recipient: o.Recipient, Outcome: o.Outcome, Decision: o.Decision,
			Obligations: obligationsOf(o.Obligations), Reasons: reasonsOf(o.Reasons), Advice: reasonsOf(o.Advice),
			Mismatches: o.Mismatches, Note: sampleNote(o.Sampled),
		}
	}
	return out
}

// sampleNote says whose rules were not the law of anybody.
func sampleNote(sampled []string) string {
	if len(sampled) == 0 {
		return ""
	}
	return "sample, written by this project, not the law of " + strings.Join(sampled, ", ")
}

func obligationsOf(all []policy.Obligation) []api.Obligation {
	var out []api.Obligation
	for _, o := range all {
		out = append(out, api.Obligation{Code: o.Code, Params: paramsOf(o.Params), Text: o.Text, Source: o.Source})
	}
	return out
}

func reasonsOf(all []policy.Reason) []api.Reason {
	var out []api.Reason
	for _, r := range all {
		out = append(out, api.Reason{Code: r.Code, Params: paramsOf(r.Params), Text: r.Text, Fix: r.Fix, Source: r.Source, Rule: r.Rule})
	}
	return out
}

// paramsOf is an object always.
func paramsOf(params json.RawMessage) json.RawMessage {
	if len(params) == 0 {
		return json.RawMessage("{}")
	}
	return params
}

func (s *Server) agencyOf(a exchange.Agency) api.Agency {
	status := "active"
	if !a.Takes() {
		status = "suspended"
	}
	return api.Agency{ID: a.ID, Jurisdiction: a.Jurisdiction, Name: a.Name, Type: a.Type, Status: status, Competences: a.Competences,
		TimeZone: s.cfg.Exchange.TimeZone(a.Jurisdiction)}
}

// auditItemOf shows an entry in the stored bytes, as a receipt does.
func auditItemOf(row exchange.EntryRow) api.AuditItem {
	return api.AuditItem{
		Owner: row.Owner, Seq: row.Seq, Index: row.Index, Commitment: row.Commitment.String(),
		Entry: base64.RawURLEncoding.EncodeToString(row.Entry), Salt: base64.RawURLEncoding.EncodeToString(row.Salt),
		Erased: row.Entry == nil, Erasure: erasureOf(row),
	}
}

// timeOf is RFC 3339 in UTC; empty for the zero time.
func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return audit.FormatTime(t)
}
