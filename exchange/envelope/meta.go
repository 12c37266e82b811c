package envelope

import (
	_ "embed"
	"encoding/json"
)

// MetaVersion is the version of meta that this package reads and writes.
const MetaVersion = 1

// maxMeta is the longest meta, in bytes as they stand in the manifest.
const maxMeta = 16 << 10

//go:embed meta.v1.schema.json
var metaSchema []byte

// MetaSchema returns the published JSON Schema (2020-12) of meta. It is
// rendered from the table that ParseMeta runs; a test compares the two, and a
// fuzz target compares their verdicts.
func MetaSchema() []byte { return append([]byte(nil), metaSchema...) }

// ParseMeta reads a meta object strictly, at most 16 KiB. Its error is an
// ErrMalformed; Detail names the place and what was expected.
func ParseMeta(raw []byte) (Meta, error) {
	if len(raw) > maxMeta {
		return Meta{}, malformed(ReasonTooLarge, "meta: at most 16 KiB")
	}
	var m Meta
	if err := readAll(raw, signedDialect, metaShape, &m); err != nil {
		return Meta{}, err
	}
	return m, nil
}

// Meta says what a package is about, in codes only: nothing in it names or
// describes a person. An optional text is empty when absent; an optional flag or
// object is nil, because absent is neither yes nor no. Lists that are required
// must not be nil when a Meta is marshalled. Relations between the members
// (which basis needs which instrument) are policy's, not the format's.
type Meta struct {
	V                    int64                      `json:"v"`
	MessageType          string                     `json:"message_type"`
	ContentKind          string                     `json:"content_kind"`
	CaseRef              string                     `json:"case_ref"`
	RelatesTo            []Relation                 `json:"relates_to,omitempty"`
	Purpose              string                     `json:"purpose"`
	OriginalPurpose      string                     `json:"original_purpose,omitempty"`
	PurposeChange        *PurposeChange             `json:"purpose_change,omitempty"`
	EuropolPurpose       string                     `json:"europol_purpose,omitempty"`
	LegalBasis           []LegalBasis               `json:"legal_basis"`
	TransferBasis        string                     `json:"transfer_basis"`
	TransferInstrument   string                     `json:"transfer_instrument,omitempty"`
	CrimeAreas           []string                   `json:"crime_areas"`
	Offence              *Offence                   `json:"offence,omitempty"`
	Subjects             []Subject                  `json:"subjects"`
	Art10Ground          string                     `json:"art10_ground,omitempty"`
	StrictNecessity      *bool                      `json:"strict_necessity,omitempty"`
	AssertionType        string                     `json:"assertion_type"`
	Evaluation           *Evaluation                `json:"evaluation,omitempty"`
	Quality              *Quality                   `json:"quality,omitempty"`
	Handling             Handling                   `json:"handling"`
	Classification       string                     `json:"classification"`
	Originator           []string                   `json:"originator"`
	PriorAuthorisation   []PriorAuthorisation       `json:"prior_authorisation,omitempty"`
	NotInTime            *bool                      `json:"not_in_time,omitempty"`
	Onward               *Onward                    `json:"onward,omitempty"`
	Retention            Retention                  `json:"retention"`
	Urgency              Urgency                    `json:"urgency"`
	JudicialAuth         string                     `json:"judicial_auth,omitempty"`
	Refusal              *Refusal                   `json:"refusal,omitempty"`
	CCSpoc               []string                   `json:"cc_spoc,omitempty"`
	CCExemptReason       string                     `json:"cc_exempt_reason,omitempty"`
	CCEuropol            *bool                      `json:"cc_europol,omitempty"`
	ChannelJustification string                     `json:"channel_justification,omitempty"`
	Assurances           []string                   `json:"assurances,omitempty"`
	HRAttestation        *bool                      `json:"hr_attestation,omitempty"`
	ThirdCountryOrigin   *bool                      `json:"third_country_origin,omitempty"`
	SensitiveMatter      string                     `json:"sensitive_matter,omitempty"`
	Request              *Request                   `json:"request,omitempty"`
	Balancing            *Balancing                 `json:"balancing,omitempty"`
	LED39                *LED39                     `json:"led39,omitempty"`
	Language             string                     `json:"language"`
	StructuredFormat     string                     `json:"structured_format,omitempty"`
	ProfilingUsed        *bool                      `json:"profiling_used,omitempty"`
	Ext                  map[string]json.RawMessage `json:"ext,omitempty"` // by jurisdiction
}

// Relation ties a package to an earlier one.
type Relation struct {
	Package  string `json:"package"`
	Relation string `json:"relation"`
}

// PurposeChange is the basis for use under another purpose (LED Art. 4(2)).
type PurposeChange struct {
	LawRef          string `json:"law_ref"`
	Necessity       bool   `json:"necessity"`
	Proportionality bool   `json:"proportionality"`
}

// LegalBasis is one article of one instrument of one jurisdiction (LED Art. 8).
type LegalBasis struct {
	Instrument   string `json:"instrument"`
	Article      string `json:"article"`
	Jurisdiction string `json:"jurisdiction"`
}

// Offence is how grave the matter is, for the refusal ground of Directive (EU)
// 2023/977 Art. 6(1)(g). MaxPenaltyYears is 0 to 99.
type Offence struct {
	NationalCode    string `json:"national_code,omitempty"`
	MaxPenaltyYears int64  `json:"max_penalty_years"`
	Serious         bool   `json:"serious"`
}

// Subject is a group of persons of one category (LED Art. 6), counted, not named.
type Subject struct {
	Category          string   `json:"category"`
	Count             int64    `json:"count"`
	Minors            string   `json:"minors"`
	SpecialCategories []string `json:"special_categories,omitempty"`
	DataCategories    []string `json:"data_categories"`
	Link              string   `json:"link,omitempty"`
	LinkTypeOnly      *bool    `json:"link_type_only,omitempty"`
	UnknownReason     string   `json:"unknown_reason,omitempty"`
}

// Evaluation grades source and information (LED Art. 7(1); Europol Regulation Art. 29).
type Evaluation struct {
	Scheme            string `json:"scheme"`
	Source            string `json:"source"`
	Information       string `json:"information"`
	OriginScheme      string `json:"origin_scheme,omitempty"`
	OriginSource      string `json:"origin_source,omitempty"`
	OriginInformation string `json:"origin_information,omitempty"`
}

// Quality says how fresh and whole the data are (LED Art. 7(2)). Dates are YYYY-MM-DD.
type Quality struct {
	VerifiedAt   string `json:"verified_at"`
	AsOf         string `json:"as_of"`
	Completeness string `json:"completeness"`
	KnownIssues  *bool  `json:"known_issues,omitempty"`
}

// Handling is the machine form of restrictions on use (LED Art. 9(3)).
type Handling struct {
	Code       string      `json:"code"`
	GB         string      `json:"gb,omitempty"`
	Conditions []Condition `json:"conditions,omitempty"`
	TLP        string      `json:"tlp,omitempty"`
}

// Condition is one handling condition. DomesticEquivalent says that the same
// condition binds domestic recipients as well (LED Art. 9(4)).
type Condition struct {
	Code               string `json:"code"`
	DomesticEquivalent *bool  `json:"domestic_equivalent,omitempty"`
}

// PriorAuthorisation is what an originator said to passing its data on (LED Art. 35(1)(c), (2)).
type PriorAuthorisation struct {
	Originator string `json:"originator"`
	State      string `json:"state"`
	Ref        string `json:"ref,omitempty"`
	GrantedAt  string `json:"granted_at,omitempty"`
	Until      string `json:"until,omitempty"`
}

// Onward is to whom the recipient may pass the data on (LED Art. 35(1)(e)).
type Onward struct {
	Rule   string   `json:"rule"`
	Listed []string `json:"listed,omitempty"`
}

// Retention is until when the data may be kept (LED Art. 5). Dates are YYYY-MM-DD.
type Retention struct {
	ReviewBy string `json:"review_by,omitempty"`
	EraseBy  string `json:"erase_by,omitempty"`
	Basis    string `json:"basis,omitempty"`
}

// Urgency starts the clock of Directive (EU) 2023/977 Art. 5.
type Urgency struct {
	Level  string `json:"level"`
	Ground string `json:"ground,omitempty"`
}

// Refusal is why a request is refused (Directive (EU) 2023/977 Art. 6(1)).
type Refusal struct {
	Code    string `json:"code"`
	Sub     string `json:"sub,omitempty"`
	Partial *bool  `json:"partial,omitempty"`
}

// Request says which of the required parts a request has (Directive (EU) 2023/977 Art. 4).
type Request struct {
	What               bool `json:"what"`
	PurposeFacts       bool `json:"purpose_facts"`
	AvailabilityReason bool `json:"availability_reason"`
	PersonLink         bool `json:"person_link"`
	Restrictions       bool `json:"restrictions"`
}

// Balancing is the result of weighing interests (LED Art. 38(2), 39(1)(b)).
type Balancing struct {
	Result string `json:"result"`
}

// LED39 attests the conditions of LED Art. 39(1) one by one.
type LED39 struct {
	SpecificCase         bool `json:"specific_case"`
	StrictlyNecessary    bool `json:"strictly_necessary"`
	RightsBalanced       bool `json:"rights_balanced"`
	AuthorityIneffective bool `json:"authority_ineffective"`
	AuthorityInformed    bool `json:"authority_informed"`
}
