package demo

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// Names of the samples, and of their files under meta/.
const (
	EEtoLV   = "ee-lv"    // delivered at once
	EEtoLVUA = "ee-lv-ua" // delivered to both, with obligations
	ITtoBY   = "it-by"    // denied
	ITtoLV   = "it-lv"
	LVtoEE   = "lv-ee"
	UAtoEE   = "ua-ee"
)

// Sample is a bare meta object that suits a sender and its recipients.
type Sample struct {
	Name string
	From string
	To   []string
	Meta map[string]any
}

// Samples returns the demo's samples, dated from today; those with more
// recipients stand first.
func Samples(today time.Time) []Sample {
	both := sample(EEtoLVUA, today, "ee-police-act", "ee/pbgb", "lv/vp", "ua/npu")
	both.Meta["transfer_basis"], both.Meta["transfer_instrument"] = "led37_1a", "ee-ua-police-2009"
	both.Meta["crime_areas"] = []any{"migrant_smuggling"}
	denied := sample(ITtoBY, today, "it-public-security-act", "it/dcpc", "by/mia")
	denied.Meta["transfer_basis"] = "led38_1d"
	fromUA := sample(UAtoEE, today, "ua-police-law", "ua/npu", "ee/pbgb")
	fromUA.Meta["transfer_basis"] = "non_eu_law"
	return []Sample{both, sample(EEtoLV, today, "ee-police-act", "ee/pbgb", "lv/vp"), sample(LVtoEE, today, "lv-police-law", "lv/vp", "ee/pbgb"),
		sample(ITtoLV, today, "it-public-security-act", "it/dcpc", "lv/vp"), fromUA, denied}
}

// sample is a routine, spontaneous message about two suspects inside the EU.
func sample(name string, today time.Time, law, from string, to ...string) Sample {
	day := func(days int) string { return today.UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	j, _, _ := certs.ParseAgencyID(from)
	return Sample{Name: name, From: from, To: to, Meta: map[string]any{
		"v": 1, "message_type": "spontaneous", "content_kind": "operational", "purpose": "investigation",
		"case_ref":       strings.ToUpper(j) + "-2026-0117",
		"legal_basis":    []any{map[string]any{"instrument": law, "article": "7", "jurisdiction": j}},
		"transfer_basis": "internal_eu", "crime_areas": []any{"drug_trafficking"},
		"offence": map[string]any{"max_penalty_years": 10, "serious": true},
		"subjects": []any{map[string]any{"category": "suspect", "count": 2, "minors": "none",
			"data_categories": []any{"a", "b"}, "link": "direct"}},
		"assertion_type": "fact",
		"evaluation":     map[string]any{"scheme": "4x4", "source": "B", "information": "2"},
		"quality":        map[string]any{"verified_at": day(-2), "as_of": day(-3), "completeness": "partial"},
		"handling":       map[string]any{"code": "H1"}, "classification": "none", "originator": []any{from},
		"onward":    map[string]any{"rule": "with_authorisation"},
		"retention": map[string]any{"review_by": day(365), "erase_by": day(730)},
		"urgency":   map[string]any{"level": "routine"}, "channel_justification": "third_party_involved",
		"hr_attestation": true, "language": "en",
	}}
}

// Find returns a sample by name.
func Find(name string, today time.Time) (Sample, bool) {
	for _, s := range Samples(today) {
		if s.Name == name {
			return s, true
		}
	}
	return Sample{}, false
}

// writeMeta leaves the sample meta objects as files.
func (w *World) writeMeta() error {
	var errs []error
	for _, s := range Samples(w.clock()) {
		raw, err := json.MarshalIndent(s.Meta, "", "  ")
		if err != nil {
			return err
		}
		errs = append(errs, certs.WritePublic(w.path("meta", s.Name+".json"), append(raw, '\n')))
	}
	return errors.Join(errs...)
}
