package envelope

import (
	"encoding/json"
	"time"
)

// Acknowledgement is a recipient's signed acceptance of a package and of the
// obligations that came with it.
type Acknowledgement struct {
	Exchange       string       `json:"exchange"`
	Iss            string       `json:"iss"`             // the recipient
	Sub            string       `json:"sub"`             // package id
	IAT            int64        `json:"iat"`             // seconds since 1970 (UTC)
	ManifestSHA256 string       `json:"manifest_sha256"` // over the compact JWS
	Decision       string       `json:"decision"`        // id of the decision that made the obligations
	Obligations    []Obligation `json:"obligations"`     // those of the descriptor, in its order
}

// Obligation is a condition with its parameters, a JSON object.
type Obligation struct {
	Code   string          `json:"code"`
	Params json.RawMessage `json:"params"`
}

// SignedAcknowledgement is an acknowledgement whose form holds.
type SignedAcknowledgement struct {
	Acknowledgement
	JWS
}

var obligationShape = object(
	must("code", "", codeShape, func(o *Obligation) *string { return &o.Code }),
	must("params", "", anyObject, func(o *Obligation) *json.RawMessage { return &o.Params }),
)

var acknowledgementShape = object(
	must("exchange", "", matching(originGrammar), func(a *Acknowledgement) *string { return &a.Exchange }),
	must("iss", "", agencyShape, func(a *Acknowledgement) *string { return &a.Iss }),
	must("sub", "", uuidShape, func(a *Acknowledgement) *string { return &a.Sub }),
	must("iat", "", timeShape, func(a *Acknowledgement) *int64 { return &a.IAT }),
	must("manifest_sha256", "", matching(digestGrammar), func(a *Acknowledgement) *string { return &a.ManifestSHA256 }),
	must("decision", "", codeShape, func(a *Acknowledgement) *string { return &a.Decision }),
	must("obligations", "", list(obligationShape, 0, 64), func(a *Acknowledgement) *[]Obligation { return &a.Obligations }),
)

// ParseAcknowledgement checks an acknowledgement as far as that goes without a
// key or the registry; at most 16 KiB. It keeps raw. Its error is an ErrMalformed.
func ParseAcknowledgement(raw []byte) (*SignedAcknowledgement, error) {
	var a SignedAcknowledgement
	var err error
	if a.JWS, err = parsePart(raw, acknowledgementForm, acknowledgementShape, &a.Acknowledgement); err != nil {
		return nil, err
	}
	return &a, nil
}

// SignAcknowledgement signs an acknowledgement with a key of use sig. What does
// not parse is not signed; a nil params counts as {}.
func SignAcknowledgement(a Acknowledgement, k PrivateKey) ([]byte, error) {
	a.Obligations = append([]Obligation{}, a.Obligations...)
	for i, o := range a.Obligations {
		if len(o.Params) == 0 {
			a.Obligations[i].Params = json.RawMessage("{}")
		}
	}
	raw, err := signPart(a, acknowledgementForm, k)
	if err != nil {
		return nil, err
	}
	_, err = ParseAcknowledgement(raw)
	return raw, err
}

// CheckTime checks iat at first sight: within five minutes of now. Its error is
// an *InvalidError.
func (a *Acknowledgement) CheckTime(now time.Time) error {
	return checkIAT("acknowledgement", a.IAT, now)
}

// CheckExchange checks that it is meant for the exchange whose ledger has this
// origin. Its error is an *InvalidError.
func (a *Acknowledgement) CheckExchange(origin string) error {
	return checkExchange("acknowledgement", a.Exchange, origin)
}
