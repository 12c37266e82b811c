package envelope

import "encoding/json"

// The shapes that members of meta share.
var (
	codeShape         = matching(codeGrammar)
	dateShape         = matching(dateGrammar)
	agencyShape       = matching(agencyGrammar)
	uuidShape         = matching(uuidGrammar)
	jurisdictionShape = matching(jurisdictionGrammar)
	gradeShape        = matching(gradeGrammar)

	purposeShape = enum("prevention", "detection", "investigation", "prosecution",
		"execution_of_penalty", "public_security_threat", "missing_person")

	schemeShape = enum("4x4", "5x5x5", "3x5x2", "6x6")

	dataCategoryShape = enum("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
)

// The 31 crime areas of Europol Regulation Annex I.
var crimeAreaShape = enumOr(nationalGrammar,
	"terrorism", "organised_crime", "drug_trafficking", "money_laundering", "nuclear_substances",
	"migrant_smuggling", "human_trafficking", "motor_vehicle_crime", "murder_grievous_injury",
	"organ_trade", "kidnapping", "racism_xenophobia", "robbery_aggravated_theft", "cultural_goods",
	"fraud", "eu_financial_interests", "insider_dealing", "racketeering_extortion",
	"counterfeiting_piracy", "administrative_documents_forgery", "money_forgery", "computer_crime",
	"corruption", "arms_trafficking", "endangered_animals", "endangered_plants",
	"environmental_crime", "hormonal_substances", "sexual_abuse", "genocide_war_crimes",
	"restrictive_measures")

var relationShape = object(
	must("package", "id of the earlier package", uuidShape, func(v *Relation) *string { return &v.Package }),
	must("relation", "", enum("answers", "corrects", "supersedes", "forwards", "concerns"),
		func(v *Relation) *string { return &v.Relation }),
)

var purposeChangeShape = object(
	must("law_ref", "", codeShape, func(v *PurposeChange) *string { return &v.LawRef }),
	must("necessity", "", boolean, func(v *PurposeChange) *bool { return &v.Necessity }),
	must("proportionality", "", boolean, func(v *PurposeChange) *bool { return &v.Proportionality }),
)

var legalBasisShape = object(
	must("instrument", "", codeShape, func(v *LegalBasis) *string { return &v.Instrument }),
	must("article", "", codeShape, func(v *LegalBasis) *string { return &v.Article }),
	must("jurisdiction", "", jurisdictionShape, func(v *LegalBasis) *string { return &v.Jurisdiction }),
)

var offenceShape = object(
	may("national_code", "", codeShape, func(v *Offence) *string { return &v.NationalCode }),
	must("max_penalty_years", "", integer(0, 99), func(v *Offence) *int64 { return &v.MaxPenaltyYears }),
	must("serious", "", boolean, func(v *Offence) *bool { return &v.Serious }),
)

var subjectShape = object(
	must("category", "LED Art. 6; Europol Regulation Annex II", enum("suspect", "convicted",
		"potential_offender", "victim", "potential_victim", "witness", "informant", "contact",
		"associate", "missing_person", "unidentified", "unknown"),
		func(v *Subject) *string { return &v.Category }),
	must("count", "number of persons", integer(1, 100000), func(v *Subject) *int64 { return &v.Count }),
	must("minors", "", enum("none", "u18", "u15"), func(v *Subject) *string { return &v.Minors }),
	may("special_categories", "LED Art. 10", set(enum("racial_ethnic", "political", "religious",
		"union", "genetic", "biometric", "health", "sex_life"), 0, 8),
		func(v *Subject) *[]string { return &v.SpecialCategories }),
	must("data_categories", "letters of Europol Regulation Annex II.B(2)", set(dataCategoryShape, 1, 12),
		func(v *Subject) *[]string { return &v.DataCategories }),
	may("link", "", enum("direct", "contact_of_contact"), func(v *Subject) *string { return &v.Link }),
	maybe("link_type_only", "", boolean, func(v *Subject) **bool { return &v.LinkTypeOnly }),
	may("unknown_reason", "", enum("not_yet_established", "urgent_case", "third_party_report"),
		func(v *Subject) *string { return &v.UnknownReason }),
)

var evaluationShape = object(
	must("scheme", "", schemeShape, func(v *Evaluation) *string { return &v.Scheme }),
	must("source", "", gradeShape, func(v *Evaluation) *string { return &v.Source }),
	must("information", "", gradeShape, func(v *Evaluation) *string { return &v.Information }),
	may("origin_scheme", "", schemeShape, func(v *Evaluation) *string { return &v.OriginScheme }),
	may("origin_source", "", gradeShape, func(v *Evaluation) *string { return &v.OriginSource }),
	may("origin_information", "", gradeShape, func(v *Evaluation) *string { return &v.OriginInformation }),
)

var qualityShape = object(
	must("verified_at", "", dateShape, func(v *Quality) *string { return &v.VerifiedAt }),
	must("as_of", "", dateShape, func(v *Quality) *string { return &v.AsOf }),
	must("completeness", "", enum("complete", "partial"), func(v *Quality) *string { return &v.Completeness }),
	maybe("known_issues", "", boolean, func(v *Quality) **bool { return &v.KnownIssues }),
)

var conditionShape = object(
	must("code", "", enum("no_judicial_use", "no_onward", "consult_originator", "named_recipients_only",
		"no_automated_matching", "no_contact_with_subject", "covert_only", "sanitise_first", "eu_only"),
		func(v *Condition) *string { return &v.Code }),
	maybe("domestic_equivalent", "LED Art. 9(4)", boolean, func(v *Condition) **bool { return &v.DomesticEquivalent }),
)

var handlingShape = object(
	must("code", "", enum("H0", "H1", "H2", "H3"), func(v *Handling) *string { return &v.Code }),
	may("gb", "", enum("P", "C"), func(v *Handling) *string { return &v.GB }),
	may("conditions", "LED Art. 9(3)", list(conditionShape, 0, 16), func(v *Handling) *[]Condition { return &v.Conditions }),
	may("tlp", "", enum("red", "amber_strict", "amber", "green", "clear"), func(v *Handling) *string { return &v.TLP }),
)

var priorAuthorisationShape = object(
	must("originator", "", agencyShape, func(v *PriorAuthorisation) *string { return &v.Originator }),
	must("state", "", enum("not_required", "granted", "general", "pending", "refused", "withdrawn", "emergency_35_2"),
		func(v *PriorAuthorisation) *string { return &v.State }),
	may("ref", "", codeShape, func(v *PriorAuthorisation) *string { return &v.Ref }),
	may("granted_at", "", dateShape, func(v *PriorAuthorisation) *string { return &v.GrantedAt }),
	may("until", "", dateShape, func(v *PriorAuthorisation) *string { return &v.Until }),
)

var onwardShape = object(
	must("rule", "", enum("none", "with_authorisation", "eu_only", "listed"), func(v *Onward) *string { return &v.Rule }),
	may("listed", "", set(jurisdictionShape, 0, 64), func(v *Onward) *[]string { return &v.Listed }),
)

var retentionShape = object(
	may("review_by", "", dateShape, func(v *Retention) *string { return &v.ReviewBy }),
	may("erase_by", "", dateShape, func(v *Retention) *string { return &v.EraseBy }),
	may("basis", "", codeShape, func(v *Retention) *string { return &v.Basis }),
)

var urgencyShape = object(
	must("level", "", enum("routine", "urgent"), func(v *Urgency) *string { return &v.Level }),
	may("ground", "Directive (EU) 2023/977 Art. 5(1)", enum("public_security", "life", "liberty", "losing_relevance"),
		func(v *Urgency) *string { return &v.Ground }),
)

var refusalShape = object(
	must("code", "letter of Directive (EU) 2023/977 Art. 6(1)", enum("a", "b", "c", "d", "e", "f", "g", "h"),
		func(v *Refusal) *string { return &v.Code }),
	may("sub", "", enum("i", "ii", "iii"), func(v *Refusal) *string { return &v.Sub }),
	maybe("partial", "", boolean, func(v *Refusal) **bool { return &v.Partial }),
)

var requestShape = object(
	must("what", "", boolean, func(v *Request) *bool { return &v.What }),
	must("purpose_facts", "", boolean, func(v *Request) *bool { return &v.PurposeFacts }),
	must("availability_reason", "", boolean, func(v *Request) *bool { return &v.AvailabilityReason }),
	must("person_link", "", boolean, func(v *Request) *bool { return &v.PersonLink }),
	must("restrictions", "", boolean, func(v *Request) *bool { return &v.Restrictions }),
)

var balancingShape = object(
	must("result", "", enum("transfer_prevails", "subject_prevails"), func(v *Balancing) *string { return &v.Result }),
)

var led39Shape = object(
	must("specific_case", "", boolean, func(v *LED39) *bool { return &v.SpecificCase }),
	must("strictly_necessary", "", boolean, func(v *LED39) *bool { return &v.StrictlyNecessary }),
	must("rights_balanced", "", boolean, func(v *LED39) *bool { return &v.RightsBalanced }),
	must("authority_ineffective", "", boolean, func(v *LED39) *bool { return &v.AuthorityIneffective }),
	must("authority_informed", "", boolean, func(v *LED39) *bool { return &v.AuthorityInformed }),
)

var metaShape = object(
	must("v", "version of this vocabulary", integer(MetaVersion, MetaVersion), func(m *Meta) *int64 { return &m.V }),
	must("message_type", "Directive (EU) 2023/977 Art. 4 to 8; LED Art. 7(3), 16, 30, 35", enum("request", "answer",
		"partial_answer", "spontaneous", "refusal", "clarification_request", "clarification",
		"delay_notice", "correction", "erasure_notice", "restriction_notice", "onward_request",
		"onward_authorisation", "onward_withdrawal", "use_permission", "use_report", "breach_notice"),
		func(m *Meta) *string { return &m.MessageType }),
	must("content_kind", "", enum("operational", "strategic", "statistical"), func(m *Meta) *string { return &m.ContentKind }),
	must("case_ref", "opaque reference of the sending agency", codeShape, func(m *Meta) *string { return &m.CaseRef }),
	may("relates_to", "", list(relationShape, 0, 16), func(m *Meta) *[]Relation { return &m.RelatesTo }),
	must("purpose", "LED Art. 1(1), 4(1)(b)", purposeShape, func(m *Meta) *string { return &m.Purpose }),
	may("original_purpose", "purpose of collection, where it differs", purposeShape, func(m *Meta) *string { return &m.OriginalPurpose }),
	maybe("purpose_change", "LED Art. 4(2)", purposeChangeShape, func(m *Meta) **PurposeChange { return &m.PurposeChange }),
	may("europol_purpose", "Europol Regulation Art. 18(2), 19", enum("cross_check", "strategic", "operational", "facilitate_exchange"),
		func(m *Meta) *string { return &m.EuropolPurpose }),
	must("legal_basis", "LED Art. 8", list(legalBasisShape, 1, 8), func(m *Meta) *[]LegalBasis { return &m.LegalBasis }),
	must("transfer_basis", "LED Art. 35 to 39; Europol Regulation Art. 25", enum("internal_eu", "led36", "led37_1a", "led37_1b",
		"led38_1a", "led38_1b", "led38_1c", "led38_1d", "led38_1e", "led39", "europol_25_1a",
		"europol_25_1b", "europol_25_1c", "europol_25_4a", "europol_25_5", "europol_25_6", "non_eu_law"),
		func(m *Meta) *string { return &m.TransferBasis }),
	may("transfer_instrument", "id of a declared instrument", codeShape, func(m *Meta) *string { return &m.TransferInstrument }),
	must("crime_areas", "Europol Regulation Annex I", set(crimeAreaShape, 1, 8), func(m *Meta) *[]string { return &m.CrimeAreas }),
	maybe("offence", "Directive (EU) 2023/977 Art. 2(3), 6(1)(g)", offenceShape, func(m *Meta) **Offence { return &m.Offence }),
	must("subjects", "persons by category, counted; LED Art. 6", list(subjectShape, 0, 32), func(m *Meta) *[]Subject { return &m.Subjects }),
	may("art10_ground", "LED Art. 10", enum("authorised_by_law", "vital_interests", "manifestly_public"), func(m *Meta) *string { return &m.Art10Ground }),
	maybe("strict_necessity", "LED Art. 10; explained in the statement", boolean, func(m *Meta) **bool { return &m.StrictNecessity }),
	must("assertion_type", "LED Art. 7(1)", enum("fact", "assessment", "mixed"), func(m *Meta) *string { return &m.AssertionType }),
	maybe("evaluation", "LED Art. 7(1); Europol Regulation Art. 29", evaluationShape, func(m *Meta) **Evaluation { return &m.Evaluation }),
	maybe("quality", "LED Art. 7(2)", qualityShape, func(m *Meta) **Quality { return &m.Quality }),
	must("handling", "LED Art. 9(3)", handlingShape, func(m *Meta) *Handling { return &m.Handling }),
	must("classification", "Council Decision 2013/488/EU", enumOr(nationalGrammar, "none", "le_sensitive", "r_ue", "c_ue", "s_ue"),
		func(m *Meta) *string { return &m.Classification }),
	must("originator", "LED Art. 35(1)(c)", set(agencyShape, 1, 8), func(m *Meta) *[]string { return &m.Originator }),
	may("prior_authorisation", "LED Art. 35(1)(c), 35(2)", list(priorAuthorisationShape, 0, 16),
		func(m *Meta) *[]PriorAuthorisation { return &m.PriorAuthorisation }),
	maybe("not_in_time", "LED Art. 35(2): authorisation cannot be had in good time", boolean, func(m *Meta) **bool { return &m.NotInTime }),
	maybe("onward", "LED Art. 35(1)(e)", onwardShape, func(m *Meta) **Onward { return &m.Onward }),
	must("retention", "LED Art. 5", retentionShape, func(m *Meta) *Retention { return &m.Retention }),
	must("urgency", "Directive (EU) 2023/977 Art. 4(4), 5", urgencyShape, func(m *Meta) *Urgency { return &m.Urgency }),
	may("judicial_auth", "Directive (EU) 2023/977 Art. 5(2), 9", enum("not_required", "required_pending", "granted", "refused"),
		func(m *Meta) *string { return &m.JudicialAuth }),
	maybe("refusal", "Directive (EU) 2023/977 Art. 6", refusalShape, func(m *Meta) **Refusal { return &m.Refusal }),
	may("cc_spoc", "Directive (EU) 2023/977 Art. 4(2), 8", set(agencyShape, 0, 31), func(m *Meta) *[]string { return &m.CCSpoc }),
	may("cc_exempt_reason", "", enum("sensitive_investigation", "terrorism_non_emergency", "person_safety"),
		func(m *Meta) *string { return &m.CCExemptReason }),
	maybe("cc_europol", "Directive (EU) 2023/977 Art. 12", boolean, func(m *Meta) **bool { return &m.CCEuropol }),
	may("channel_justification", "Directive (EU) 2023/977 Art. 13(2)", enum("third_party_involved", "urgency", "siena_incident", "out_of_scope"),
		func(m *Meta) *string { return &m.ChannelJustification }),
	may("assurances", "LED recital 71", set(enum("no_death_penalty", "no_inhuman_treatment", "no_political_use", "purpose_undertaking"), 0, 4),
		func(m *Meta) *[]string { return &m.Assurances }),
	maybe("hr_attestation", "not obtained in obvious violation of human rights; Europol Regulation Art. 23(9)", boolean,
		func(m *Meta) **bool { return &m.HRAttestation }),
	maybe("third_country_origin", "", boolean, func(m *Meta) **bool { return &m.ThirdCountryOrigin }),
	may("sensitive_matter", "", enum("none", "political", "military", "religious", "racial"), func(m *Meta) *string { return &m.SensitiveMatter }),
	maybe("request", "Directive (EU) 2023/977 Art. 4", requestShape, func(m *Meta) **Request { return &m.Request }),
	maybe("balancing", "LED Art. 38(2), 39(1)(b)", balancingShape, func(m *Meta) **Balancing { return &m.Balancing }),
	maybe("led39", "LED Art. 39(1)", led39Shape, func(m *Meta) **LED39 { return &m.LED39 }),
	must("language", "Directive (EU) 2023/977 Art. 4(6), 11", matching(languageGrammar), func(m *Meta) *string { return &m.Language }),
	may("structured_format", "", codeShape, func(m *Meta) *string { return &m.StructuredFormat }),
	maybe("profiling_used", "LED Art. 11, 24(1)(e)", boolean, func(m *Meta) **bool { return &m.ProfilingUsed }),
	may("ext", "national members, by jurisdiction, under that jurisdiction's declared schema", dict(jurisdictionGrammar, anyObject, 8),
		func(m *Meta) *map[string]json.RawMessage { return &m.Ext }),
)

// renderMetaSchema renders the schema that meta.v1.schema.json holds.
func renderMetaSchema() ([]byte, error) {
	s := described(metaShape.schema, "What a package is about, in codes only. Before the schema applies: "+
		"UTF-8 without control characters, member names unique, numbers integers within 2^53, at most 16 levels and 16 KiB.")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = "urn:liaison:meta:v1"
	s["title"] = "Liaison meta, version 1"
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}
