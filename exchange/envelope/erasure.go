package envelope

import "time"

// Erasure is an agency's signed order to erase records of its own before their
// time: by a key of use approve, one person's. It takes effect when another
// person, the agency's data-protection officer, brings it.
type Erasure struct {
	Exchange string `json:"exchange"`
	Iss      string `json:"iss"`               // agency of the key, and owner of what is erased
	JTI      string `json:"jti"`               // of the order, a UUIDv7: the same order again does nothing
	IAT      int64  `json:"iat"`               // seconds since 1970 (UTC)
	Package  string `json:"package,omitempty"` // id of a package that it sent: this one alone,
	From     int64  `json:"from,omitempty"`    // or entries of its log, from this seq
	To       int64  `json:"to,omitempty"`      // to this one
	Reason   string `json:"reason"`            // why, 20 to 500 characters, and nothing of what is erased
}

// SignedErasure is an order whose form holds.
type SignedErasure struct {
	Erasure
	JWS
}

// MaxErased is how many entries one order names at most.
const MaxErased = 100_000

// erasureLasts is how long an order waits for its countersignature.
const erasureLasts = 7 * 24 * time.Hour

var erasureShape = object(
	must("exchange", "", matching(originGrammar), func(o *Erasure) *string { return &o.Exchange }),
	must("iss", "", agencyShape, func(o *Erasure) *string { return &o.Iss }),
	must("jti", "", uuidShape, func(o *Erasure) *string { return &o.JTI }),
	must("iat", "", timeShape, func(o *Erasure) *int64 { return &o.IAT }),
	may("package", "", uuidShape, func(o *Erasure) *string { return &o.Package }),
	may("from", "", integer(1, maxInteger), func(o *Erasure) *int64 { return &o.From }),
	may("to", "", integer(1, maxInteger), func(o *Erasure) *int64 { return &o.To }),
	must("reason", "", text(20, 500), func(o *Erasure) *string { return &o.Reason }),
)

// ParseErasure checks an order as far as that goes without a key or the
// registry; at most 4 KiB. It keeps raw. Its error is an ErrMalformed.
func ParseErasure(raw []byte) (*SignedErasure, error) {
	var o SignedErasure
	var err error
	if o.JWS, err = parsePart(raw, erasureForm, erasureShape, &o.Erasure); err != nil {
		return nil, err
	}
	entries := o.From > 0 || o.To > 0
	switch {
	case entries == (o.Package != ""):
		return nil, malformed(ReasonMissingMember, "order: a package, or entries from and to")
	case entries && (o.From == 0 || o.To < o.From || o.To-o.From >= MaxErased):
		return nil, malformed(ReasonMissingMember, "order: from one entry to the same or a later one, at most 100000")
	}
	return &o, nil
}

// SignErasure signs an order with a key of use approve. What does not parse is
// not signed.
func SignErasure(o Erasure, k PrivateKey) ([]byte, error) {
	raw, err := signPart(o, erasureForm, k)
	if err != nil {
		return nil, err
	}
	_, err = ParseErasure(raw)
	return raw, err
}

// CheckTime checks iat at first sight: at most a week ago, since the second
// person may have to read first. Its error is an *InvalidError.
func (o *Erasure) CheckTime(now time.Time) error {
	skew := int64(MaxSkew / time.Second)
	if seconds := now.Unix(); o.IAT < seconds-int64(erasureLasts/time.Second) || o.IAT > seconds+skew {
		return &InvalidError{ReasonIAT, "order /iat: more than a week ago, or not yet", "have the approver sign the order again"}
	}
	return nil
}
