package envelope

import "time"

// Verdicts of an approval.
const (
	Granted = "granted"
	Refused = "refused"
)

// Approval is one person's signed answer to what holds a package pending, by a
// key of use approve.
type Approval struct {
	Exchange       string   `json:"exchange"`
	Iss            string   `json:"iss"` // the approver's agency
	Sub            string   `json:"sub"` // package id
	IAT            int64    `json:"iat"` // seconds since 1970 (UTC)
	ManifestSHA256 string   `json:"manifest_sha256"`
	Recipient      string   `json:"recipient"` // for whom the package is pending
	Codes          []string `json:"codes"`     // what is resolved, nothing else
	Verdict        string   `json:"verdict"`
}

// SignedApproval is an approval whose form holds.
type SignedApproval struct {
	Approval
	JWS
}

var approvalShape = object(
	must("exchange", "", matching(originGrammar), func(a *Approval) *string { return &a.Exchange }),
	must("iss", "", agencyShape, func(a *Approval) *string { return &a.Iss }),
	must("sub", "", uuidShape, func(a *Approval) *string { return &a.Sub }),
	must("iat", "", timeShape, func(a *Approval) *int64 { return &a.IAT }),
	must("manifest_sha256", "", matching(digestGrammar), func(a *Approval) *string { return &a.ManifestSHA256 }),
	must("recipient", "", agencyShape, func(a *Approval) *string { return &a.Recipient }),
	must("codes", "", set(codeShape, 1, 16), func(a *Approval) *[]string { return &a.Codes }),
	must("verdict", "", enum(Granted, Refused), func(a *Approval) *string { return &a.Verdict }),
)

// ParseApproval checks an approval as far as that goes without a key or the
// registry; at most 4 KiB. It keeps raw. Its error is an ErrMalformed.
func ParseApproval(raw []byte) (*SignedApproval, error) {
	var a SignedApproval
	var err error
	if a.JWS, err = parsePart(raw, approvalForm, approvalShape, &a.Approval); err != nil {
		return nil, err
	}
	return &a, nil
}

// SignApproval signs an approval with a key of use approve. What does not parse
// is not signed.
func SignApproval(a Approval, k PrivateKey) ([]byte, error) {
	raw, err := signPart(a, approvalForm, k)
	if err != nil {
		return nil, err
	}
	_, err = ParseApproval(raw)
	return raw, err
}

// CheckTime checks iat at first sight: within five minutes of now. Its error is
// an *InvalidError.
func (a *Approval) CheckTime(now time.Time) error { return checkIAT("approval", a.IAT, now) }

// CheckExchange checks that it is meant for the exchange whose ledger has this
// origin. Its error is an *InvalidError.
func (a *Approval) CheckExchange(origin string) error {
	return checkExchange("approval", a.Exchange, origin)
}
