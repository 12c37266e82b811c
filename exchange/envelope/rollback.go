package envelope

import "time"

// Rollback is a jurisdiction's signed order to put an earlier state of its
// policy, or of common, in force again: by a key of use policy. It names the
// revisions themselves and not only when they were in force, so that the
// exchange cannot choose.
type Rollback struct {
	Exchange     string `json:"exchange"`
	Iss          string `json:"iss"`                // agency of the key
	IAT          int64  `json:"iat"`                // seconds since 1970 (UTC)
	Jurisdiction string `json:"jurisdiction"`       // whose policy; common
	Seq          int64  `json:"seq"`                // of the new activation: above that in force
	Common       string `json:"common,omitempty"`   // revision: this one alone,
	Declared     string `json:"declared,omitempty"` // or this one,
	Rules        string `json:"rules,omitempty"`    // with this one if there were rules
	Reason       string `json:"reason"`             // why, 20 to 500 characters
}

// SignedRollback is an order whose form holds.
type SignedRollback struct {
	Rollback
	JWS
}

var rollbackShape = object(
	must("exchange", "", matching(originGrammar), func(o *Rollback) *string { return &o.Exchange }),
	must("iss", "", agencyShape, func(o *Rollback) *string { return &o.Iss }),
	must("iat", "", timeShape, func(o *Rollback) *int64 { return &o.IAT }),
	must("jurisdiction", "", jurisdictionShape, func(o *Rollback) *string { return &o.Jurisdiction }),
	must("seq", "", integer(1, maxInteger), func(o *Rollback) *int64 { return &o.Seq }),
	may("common", "", matching(digestGrammar), func(o *Rollback) *string { return &o.Common }),
	may("declared", "", matching(digestGrammar), func(o *Rollback) *string { return &o.Declared }),
	may("rules", "", matching(digestGrammar), func(o *Rollback) *string { return &o.Rules }),
	must("reason", "", text(20, 500), func(o *Rollback) *string { return &o.Reason }),
)

// ParseRollback checks an order as far as that goes without a key or the
// registry; at most 4 KiB. It keeps raw. Its error is an ErrMalformed.
func ParseRollback(raw []byte) (*SignedRollback, error) {
	var o SignedRollback
	var err error
	if o.JWS, err = parsePart(raw, rollbackForm, rollbackShape, &o.Rollback); err != nil {
		return nil, err
	}
	if common := o.Jurisdiction == "common"; common != (o.Common != "") || common == (o.Declared != "") || common && o.Rules != "" {
		return nil, malformed(ReasonMissingMember, "order: common alone of common, else declared with or without rules")
	}
	return &o, nil
}

// SignRollback signs an order with a key of use policy. What does not parse is
// not signed.
func SignRollback(o Rollback, k PrivateKey) ([]byte, error) {
	raw, err := signPart(o, rollbackForm, k)
	if err != nil {
		return nil, err
	}
	_, err = ParseRollback(raw)
	return raw, err
}

// CheckTime checks iat at first sight: within five minutes of now. Its error is
// an *InvalidError.
func (o *Rollback) CheckTime(now time.Time) error { return checkIAT("order", o.IAT, now) }
