package demo

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/liaison-exchange/liaison/certs"
)

// Names of the sample meta objects under meta/.
const (
	MetaEELV   = "ee-lv"    // EE to LV alone: delivered at once
	MetaEELVUA = "ee-lv-ua" // EE to LV and UA: delivered, with obligations
	MetaITBY   = "it-by"    // IT to BY: denied
	MetaLVEE   = "lv-ee"
	MetaUAEE   = "ua-ee"
)

// Metas returns the sample meta objects by name, dated from today.
func Metas(today time.Time) map[string]map[string]any {
	day := func(days int) string { return today.UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	base := func(caseRef, from, instrument, article string) map[string]any {
		j, _, _ := certs.ParseAgencyID(from)
		return map[string]any{
			"v": 1, "message_type": "spontaneous", "content_kind": "operational", "case_ref": caseRef, "purpose": "investigation",
			"legal_basis":    []any{map[string]any{"instrument": instrument, "article": article, "jurisdiction": j}},
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
		}
	}
	with := func(m map[string]any, key string, value any) map[string]any { m[key] = value; return m }

	both := base("EE-2026-0118", "ee/pbgb", "ee-police-act", "7-46")
	both["transfer_basis"], both["transfer_instrument"] = "led37_1a", "ee-ua-police-2009"
	both["crime_areas"] = []any{"migrant_smuggling"}
	denied := with(base("IT-2026-0904", "it/dcpc", "it-police-act", "1"), "transfer_basis", "led38_1d")
	fromUA := with(base("UA-2026-0331", "ua/npu", "ua-police-act", "1"), "transfer_basis", "non_eu_law")
	return map[string]map[string]any{
		MetaEELV:   base("EE-2026-0117", "ee/pbgb", "ee-police-act", "7-46"),
		MetaEELVUA: both,
		MetaITBY:   denied,
		MetaLVEE:   base("LV-2026-0052", "lv/vp", "lv-police-act", "12"),
		MetaUAEE:   fromUA,
	}
}

// writeMeta leaves the sample meta objects as files.
func (w *World) writeMeta() error {
	var errs []error
	for name, meta := range Metas(w.clock()) {
		raw, err := json.MarshalIndent(meta, "", "  ")
		if err != nil {
			return err
		}
		errs = append(errs, certs.WritePublic(w.path("meta", name+".json"), append(raw, '\n')))
	}
	return errors.Join(errs...)
}
