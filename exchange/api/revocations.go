package api

// RevocationsTaken answers PUT of revocation lists (201 if something was new,
// 200 if all of it was here).
type RevocationsTaken struct {
	Jurisdiction string           `json:"jurisdiction"`
	Lists        []RevocationList `json:"lists"` // those of the request
	Receipt      string           `json:"receipt"`
}

// RevocationList is one authority's revocation list.
type RevocationList struct {
	Issuer     string `json:"issuer"` // base64url SHA-256 of the authority's subject public key info
	Number     string `json:"number"` // decimal
	ThisUpdate string `json:"this_update"`
	NextUpdate string `json:"next_update"`
	Revoked    int    `json:"revoked"` // certificates on it
}

// GraceRequest asks that the overdue lists of a jurisdiction serve for longer.
type GraceRequest struct {
	Until  string `json:"until"`  // at most a week ahead; now or earlier ends a grace
	Reason string `json:"reason"` // it is recorded
}

// Grace is until when the overdue lists of a jurisdiction serve, beyond what
// the exchange is configured for.
type Grace struct {
	Jurisdiction string         `json:"jurisdiction"`
	Until        string         `json:"until,omitempty"`
	Proposal     *GraceProposal `json:"proposal,omitempty"`
	Receipt      string         `json:"receipt"`
}

// GraceProposal is what one operator asked for. It holds when another operator
// asks for the same before it expires.
type GraceProposal struct {
	Until   string `json:"until"`
	By      string `json:"by"` // the first operator's identity
	Reason  string `json:"reason"`
	Expires string `json:"expires"`
}
