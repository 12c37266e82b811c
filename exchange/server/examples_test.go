package server

import (
	"encoding/json"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// The examples of the document.
const (
	exampleID           = "0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d"
	exampleDecision     = "0199f3a2-7c20-7a55-8f10-6a1b2c3d4e5f"
	exampleConsultation = "0199f3a4-11d0-7e02-b1c3-0d5e6f7a8b9c"
	exampleDigest       = "kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM"
	exampleReason       = "Their certification authority is whole again, see ticket 2026-881."
	exampleTime         = "2026-11-22T08:00:00.000Z"
	exampleReceipt      = "c2sp.org/tlog-proof@v1\nextra eyJlbnRyeSI6IuKApiIsInNhbHQiOiLigKYifQ==\nindex 41\n\ndemo.liaison.example/ledger\n42\nroot…\n\n— demo.liaison.example/ledger signature…\n"
	examplePEM          = "-----BEGIN X509 CRL-----\nMIIB…\n-----END X509 CRL-----\n"
	exampleJWS          = "eyJhbGciOiJFUzI1NiIsImtpZCI6IuKApiIsInR5cCI6IuKApiJ9.e30.c2lnbmF0dXJl"
)

var (
	exampleDelivered = api.Outcome{Recipient: "lv/vp", Outcome: "delivered", Decision: exampleDecision,
		Obligations: []api.Obligation{{Code: "no_judicial_use", Params: json.RawMessage(`{}`),
			Text: "Not as evidence in court without the sender's consent.", Source: "Europol Regulation art 19(2)"}}}
	exampleDenied = api.Outcome{Recipient: "by/mia", Outcome: "denied", Decision: exampleDecision,
		Reasons: []api.Reason{{Code: "recipient_suspended", Params: json.RawMessage(`{}`), Text: "The recipient is suspended.",
			Fix: "Seal the package again without this recipient.", Source: "LED art 35-38", Rule: "R28"}}}
	exampleDescriptor = api.Descriptor{ID: exampleID, From: "ee/pbgb", To: []string{"lv/vp"}, Type: "request", State: "delivered",
		DueAt: exampleTime, ManifestSHA256: exampleDigest, Outcomes: []api.Outcome{exampleDelivered}}
	exampleAgency = api.Agency{ID: "ee/pbgb", Jurisdiction: "ee", Name: "Police and Border Guard Board", Type: "spoc",
		Status: "active", Competences: []string{"prevention", "investigation"}, TimeZone: "Europe/Tallinn"}
	exampleActivation = api.PolicyActivation{Seq: 8, Status: "authoritative", Declared: exampleDigest, Rules: exampleDigest, How: "push", Since: exampleTime,
		Signed: []api.PolicySignature{{Agency: "fi/krp", Kid: exampleDigest}}, By: []string{"spiffe://fi/krp/policy/a.virta", "spiffe://fi/krp/policy/s.laine"}}
	exampleVote = api.PolicyVote{How: "push", Seq: 9, Status: "authoritative", Proposal: exampleDigest, Agency: "fi/krp", Kid: exampleDigest,
		By: "spiffe://fi/krp/policy/a.virta", Since: exampleTime, Expires: exampleTime}
	examplePolicy = api.Policy{Jurisdiction: "fi", InForce: true, Active: exampleActivation, Needed: 2, Waiting: []api.PolicyVote{exampleVote}}
	exampleLimit  = api.Limit{Name: "packages", Of: "agency", Agency: "lv/vp", Quota: 600, Window: 60, Source: "operator",
		By: "spiffe://exchange/ops/operator/a.berg", Since: exampleTime, Reason: exampleReason}
	exampleShadow = api.Shadow{Jurisdiction: "lv", Revisions: map[string]string{"declared/lv": exampleDigest, "rules/lv": exampleDigest}, By: "spiffe://lv/vp/policy/j.berzins",
		Since: exampleTime, Until: exampleTime, Compared: 12, Same: 11, Changes: map[string]int{"now_allowed": 1}, Rules: map[string]map[string]int{"now_allowed": {"lv-4": 1}},
		Differences: []api.ReplayChange{{Kind: "now_allowed", Decision: exampleDecision, Action: "send", At: exampleTime, From: "lv/vp", To: "ee/pbgb",
			Was: api.ReplaySide{Verdict: "denied", Codes: []string{"too_many_subjects"}, Rules: []string{"lv-4"}}, Now: api.ReplaySide{Verdict: "delivered"}}}, Receipt: exampleReceipt}
	exampleJWK = json.RawMessage(`{"kty":"EC","crv":"P-256","kid":"` + exampleDigest + `","use":"enc","x":"` + exampleDigest +
		`","y":"` + exampleDigest + `","x5c":["MIIB…"]}`)
	exampleItem = api.AuditItem{Owner: "ee/pbgb", Seq: 17, Index: 41, Commitment: exampleDigest, Entry: "eyJvd25lciI6ImVlL3BiZ2IifQ", Salt: exampleDigest}
)

// bodies are the examples of the operations' answers.
var bodies = map[string]any{
	"postPackage":    api.Accepted{ID: exampleID, Outcomes: []api.Outcome{exampleDelivered}, Receipt: exampleReceipt},
	"listPackages":   api.Page{Items: []api.Descriptor{exampleDescriptor}, Next: "17"},
	"getPackage":     exampleDescriptor,
	"getManifest":    exampleJWS,
	"acknowledge":    api.Acknowledged{ID: exampleID, Receipt: exampleReceipt},
	"reportMismatch": api.MismatchReported{ID: exampleID, Code: "subjects", Receipt: exampleReceipt},
	"getContent":     nil,
	"getAttachment":  nil,
	"askDecision":    api.Decided{Outcomes: []api.Outcome{exampleDelivered, exampleDenied}, Receipt: exampleReceipt},
	"getDecision": api.Explanation{ID: exampleDecision, Package: exampleID, Recipient: "lv/vp", Action: "send", At: exampleTime, Verdict: "denied",
		Layers: []api.ExplainedLayer{{Layer: "common", Said: "delivered", Because: []api.Because{}}, {Layer: "lv/receive", Said: "denied", Because: []api.Because{
			{Kind: "deny", Code: "too_many_subjects", Params: json.RawMessage(`{}`), Rule: "lv-4", Title: "Not in bulk", Conditions: []string{"derived.subjects is 501, more than 500"},
				Text: "Latvia takes data of at most 500 persons in one package.", Fix: "Send several packages, each for its case.", Source: "Law on Police (sample)",
				File: "rules/lv/receive.rego", Line: 37}}}},
		Revisions: map[string]string{"common": exampleDigest, "rules/lv": exampleDigest}, Engine: "liaison-policy/1 opa/1.22.2", Receipt: exampleReceipt},
	"replayPolicy": api.ReplayLine{Change: &api.ReplayChange{Kind: "now_allowed", Decision: exampleDecision, Action: "send", At: exampleTime, From: "ee/pbgb", To: "lv/vp",
		Was: api.ReplaySide{Verdict: "denied", Codes: []string{"too_many_subjects"}, Rules: []string{"lv-4"}}, Now: api.ReplaySide{Verdict: "delivered"}}},
	"putShadow":    exampleShadow,
	"getShadow":    exampleShadow,
	"deleteShadow": exampleShadow,
	"getPolicyDecision": api.RecordedInput{ID: exampleDecision, Package: exampleID, Recipient: "lv/vp", Verdict: "denied", Whole: true, Shared: json.RawMessage(`{"action":"send"}`),
		Own: json.RawMessage(`{"recipient":{"id":"lv/vp"}}`), Receipt: exampleReceipt,
		Said: []api.LayerSaid{{Package: "jurisdiction.lv.receive", Parts: map[string]string{"allow": "true", "deny": `{"too_many_subjects"}`}}}},
	"openConsultation": api.Consultation{ID: exampleConsultation, Expires: exampleTime, Receipt: exampleReceipt},
	"listEntries": api.AuditPage{Items: []api.AuditItem{exampleItem, {Owner: "ee/pbgb", Seq: 18, Index: 44, Commitment: exampleDigest, Erased: true,
		Erasure: &api.Erasure{At: exampleTime, Why: "retention", Class: "log", By: "exchange/ops", Seq: 4411}}}},
	"getEntry":     exampleItem,
	"postSample":   exampleSample,
	"listSamples":  api.Samples{Items: []api.Sample{exampleSample}},
	"putVerdict":   exampleSample,
	"orderErasure": api.ErasureDone{ID: exampleID, First: 17, Last: 216, Erased: 198, Kept: 2, Done: true, Receipt: exampleReceipt},
	"previewErasures": api.ErasurePreview{On: exampleTime, Classes: []api.ErasureClass{{Class: "package", Count: 1, Days: 1096}, {Class: "log", Count: 312, Held: 4, Days: 1096}},
		Items: []api.ErasureItem{{Class: "package", Package: exampleID, Due: exampleTime}, {Class: "log", First: 1, Last: 316}}, Receipt: exampleReceipt},
	"addHold": api.Hold{ID: exampleConsultation, Scope: "package", Value: exampleID, Reason: exampleReason, By: "spiffe://ee/pbgb/dpo/m.saar", Since: exampleTime, Receipt: exampleReceipt},
	"listHolds": api.Holds{Items: []api.Hold{{ID: exampleConsultation, Scope: "period", Begin: exampleTime, End: "2026-12-22T08:00:00.000Z", Reason: exampleReason,
		By: "spiffe://ee/pbgb/dpo/m.saar", Since: exampleTime}}},
	"releaseHold":   api.Hold{ID: exampleConsultation, Scope: "case", Reason: exampleReason, By: "spiffe://ee/pbgb/dpo/m.saar", Since: exampleTime, Released: exampleTime, Receipt: exampleReceipt},
	"getStatistics": api.StatisticsLine{Row: []string{"requests_refused", "18(2)(c)", "lv", "yes", "urgent", "f.ii", "3", "this exchange only"}},
	"getExport":     exampleItem,
	"putRevocations": api.RevocationsTaken{Jurisdiction: "ee", Receipt: exampleReceipt, Lists: []api.RevocationList{
		{Issuer: exampleDigest, Number: "1042", ThisUpdate: exampleTime, NextUpdate: exampleTime, Revoked: 3}}},
	"putGrace": api.Grace{Jurisdiction: "ee", Receipt: exampleReceipt, Proposal: &api.GraceProposal{Until: exampleTime,
		By: "spiffe://exchange/ops/operator/a.berg", Reason: "Their authority moves house until Thursday.", Expires: exampleTime}},
	"getRevocations": examplePEM,
	"listPolicies":   api.Policies{Items: []api.Policy{examplePolicy}, Receipt: exampleReceipt},
	"getPolicy": api.Policy{Jurisdiction: "fi", InForce: true, Active: exampleActivation, Needed: 2, Receipt: exampleReceipt,
		Files: map[string]string{"send.rego": "package jurisdiction.fi.send\n\ndefault allow := false\n"}, History: []api.PolicyActivation{exampleActivation}},
	"putPolicy": api.PolicyChange{Jurisdiction: "fi", Outcome: "waiting", Activation: api.PolicyActivation{Seq: 9, Status: "authoritative", Declared: exampleDigest,
		Rules: exampleDigest, How: "push", Signed: []api.PolicySignature{}}, Needed: 2, Waiting: []api.PolicyVote{exampleVote}, Receipt: exampleReceipt},
	"rollbackPolicy": api.PolicyChange{Jurisdiction: "fi", Outcome: "active", Activation: exampleActivation, Needed: 2, Receipt: exampleReceipt},
	"listAgencies":   api.Agencies{Items: []api.Agency{exampleAgency}},
	"getAgency":      exampleAgency,
	"listKeys":       api.KeySet{Keys: []json.RawMessage{exampleJWK}},
	"getKey":         api.Key{JWK: exampleJWK, From: exampleTime, Until: exampleTime},
	"publishKey":     api.KeyChange{JWK: exampleJWK, From: exampleTime, Receipt: exampleReceipt},
	"retireKey":      api.KeyChange{JWK: exampleJWK, From: exampleTime, Until: exampleTime, Receipt: exampleReceipt},
	"getAdmission":   api.Admission{Agency: "lv/vp", Roles: []string{"unit", "dpo"}, Suspended: true, Receipt: exampleReceipt},
	"putAdmission": api.Admission{Agency: "lv/vp", Roles: []string{"unit", "dpo"}, Suspended: true, Receipt: exampleReceipt,
		Proposal: &api.Proposal{Roles: []string{"unit", "dpo"}, By: "spiffe://exchange/ops/operator/first", Reason: exampleReason, Since: exampleTime, Expires: exampleTime,
			Bindings: []api.Binding{{Issuer: exampleDigest, Key: exampleDigest, Role: "unit", Name: "desk-1"}}}},
	"listLimits": api.Limits{Items: []api.Limit{{Name: "packages", Of: "agency", Quota: 3000, Window: 60, Source: "built-in"}, exampleLimit}},
	"putLimit": api.Limit{Name: "packages", Of: "agency", Agency: "lv/vp", Quota: 600, Window: 60, Source: "operator", Receipt: exampleReceipt,
		By: "spiffe://exchange/ops/operator/a.berg", Since: exampleTime, Reason: exampleReason},
	"getCheckpoint": "demo.liaison.example/ledger\n42\nroot…\n\n— demo.liaison.example/ledger signature…\n",
	"getWitnessed":  "demo.liaison.example/ledger\n42\nroot…\n\n— demo.liaison.example/ledger signature…\n— witness.lv.example/vp cosignature…\n",
	"listWitnesses": api.Witnesses{Quorum: 1, ToleranceSeconds: 14400, Size: 42, Since: exampleTime, Witnesses: []api.Witness{
		{Name: "witness.lv.example/vp", VKey: "witness.lv.example/vp+1b2c3d4e+BK…", Size: 42, CosignedAt: exampleTime, Cosigns: true}}},
	"getTile":       nil,
	"getOpenAPI":    nil,
	"getMetaSchema": nil,
	"getProblem":    "Not found\n\nThere is no such thing, or you are not entitled to it; the answer is the same.\n\nHTTP status: 404\nType: /problems/not-found\n",
}

// requests are the examples of the operations' JSON bodies.
var requests = map[string]any{
	"askDecision": api.DryRun{
		Manifest:  json.RawMessage(`{"iss":"ee/pbgb","aud":["lv/vp"],"jti":"` + exampleID + `","meta":{"v":1}}`),
		Statement: json.RawMessage(`{"iss":"ee/pbgb","jti":"` + exampleID + `","officer":"k.tamm","justification":"Case EE-2026-0117, lead from an interview."}`),
	},
	"reportMismatch": api.MismatchRequest{Code: "subjects"},
	"addHold":        api.HoldRequest{Scope: "package", Value: exampleID, Reason: exampleReason},
	"releaseHold":    api.ReleaseRequest{Reason: exampleReason},
	"putLimit":       api.LimitRequest{Name: "packages", Agency: "lv/vp", Quota: 600, Window: 60, Reason: exampleReason},
	"putGrace":       api.GraceRequest{Until: exampleTime, Reason: "Their authority moves house until Thursday."},
	"openConsultation": api.ConsultationRequest{Officer: "j.berzins", Justification: "Preparing the answer to request EE-2026-0117.",
		CaseRef: "LV-2026-0442", Package: exampleID},
	"publishKey":   exampleJWK,
	"postSample":   api.SampleRequest{Query: "action:content.read", From: "2026-11-01", Size: 30, By: "outcome"},
	"putVerdict":   api.VerdictRequest{Verdict: "unclear", Note: "The case file names another purpose."},
	"putAdmission": api.AdmissionRequest{Roles: []string{"unit", "dpo"}, Reason: exampleReason},
}

// details are what the examples of problems say.
var details = map[string][2]string{
	api.EnvelopeMalformed.Slug:    {"manifest: /aud: 1 to 31 agency ids", "build the manifest strictly by the specification of the envelope"},
	api.RequestMalformed.Slug:     {"the query has an unknown parameter", "compare the request with /openapi.json"},
	api.PolicyDenied.Slug:         {"", ""},
	api.ConsultationRequired.Slug: {"this needs a valid consultation", "open one with POST /v1/consultations and send its id in Liaison-Consultation"},
	api.RoleForbidden.Slug:        {"identities of this role may not do this", ""},
	api.IdentityRefused.Slug:      {"the agency is suspended", ""},
	api.MethodNotAllowed.Slug:     {"this path is for GET, POST only", ""},
	api.Conflict.Slug:             {"the package is not acknowledged: its outcome is delivered", "acknowledge the package first; what is blocked or expired stays closed"},
	api.TooLarge.Slug:             {"the part content is larger than its limit", ""},
	api.UnsupportedMediaType.Slug: {"requests are not compressed", "send the body as it is, without Content-Encoding"},
	api.RangeNotSatisfiable.Slug:  {"the attachment has 1024 bytes", "ask for bytes that it has"},
	api.ListRefused.Slug:          {"this is no full revocation list of an authority of the jurisdiction", "send the newest full list, DER or PEM"},
	api.PolicyRefused.Slug:        {"the checks found something: what is in force stays", "mend what the findings name; liaison policy check finds the same"},
	api.OrderRefused.Slug:         {"the order is signed and brought by the same person, or it cannot be told that they are two", "let one person sign, and another bring the order"},
	api.PackageInvalid.Slug:       {"a recipient is not an agency of this exchange", "compare `aud` with GET /v1/agencies"},
	api.KeyRefused.Slug:           {"its private half is published in a standard or in test vectors", "make a key of your own"},
	api.RateLimited.Slug:          {`ee/pbgb has used up its limit "packages" of 3000 a minute; there is room again in 17 s`, ""},
	api.Unavailable.Slug:          {"the exchange cannot record this now", "repeat the same request after the time in Retry-After"},
}

// exampleProblem is the example of a problem type.
func exampleProblem(t api.ProblemType) *api.Problem {
	p := t.New(details[t.Slug][0], details[t.Slug][1])
	switch t.Slug {
	case api.PolicyDenied.Slug:
		p.ID, p.Outcomes, p.Receipt = exampleID, []api.Outcome{exampleDenied}, exampleReceipt
	case api.PolicyRefused.Slug:
		p.Findings = []api.PolicyFinding{{Input: "rules/fi", File: "send.rego", Line: 12, Col: 1, Message: "unknown rule \"dney\": did you mean deny?"}}
	case api.RateLimited.Slug:
		p.Limit = &api.LimitReached{Name: "packages", Of: "ee/pbgb", Quota: 3000, Window: 60}
	case api.Conflict.Slug:
		p.Descriptor = &exampleDescriptor
	}
	return p
}

var exampleSample = api.Sample{ID: exampleConsultation, Owner: "ee/pbgb", DrawnBy: "spiffe://ee/pbgb/dpo/m.saar", Officer: "EE-dpo-0417", At: exampleTime, Query: "action:content.read", From: "2026-11-01",
	Seed: "4f6c1d2e", By: "outcome", Through: 4711, Population: 812, Seqs: []uint64{17, 1204}, Receipt: exampleReceipt,
	Verdicts: []api.Verdict{{Seq: 17, Verdict: "lawful", Reviewer: "spiffe://ee/pbgb/dpo/m.saar", At: exampleTime}}}
