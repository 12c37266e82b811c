package envelope

// Statement is the signed part of a package that only the exchange and the
// sender's own data-protection officer read.
type Statement struct {
	Iss           string            `json:"iss"`
	JTI           string            `json:"jti"`
	Officer       string            `json:"officer"`       // pseudonym
	Justification string            `json:"justification"` // 20 to 500 characters
	Approvals     []Approved        `json:"approvals"`
	SubjectRefs   []string          `json:"subject_refs"` // base64url, HMACs under a key of the sender
	Texts         map[string]string `json:"texts"`        // name of a member of meta: what explains it
}

// Approved is one approval in the sender's own record. It is a claim, never an
// Approval: that names the manifest, which names the statement.
type Approved struct {
	Approver string `json:"approver"` // pseudonym
	Role     string `json:"role"`
	At       int64  `json:"at"` // seconds since 1970 (UTC)
}

// SignedStatement is a statement whose form holds.
type SignedStatement struct {
	Statement
	JWS
}

// refShape is a subject reference: base64url of 16 to 64 bytes.
var refShape = shape[string]{read: func(r *reader, dst *string) {
	v := r.str()
	if r.err == nil && (len(v) < length64(16) || len(v) > length64(64) || !canonical64(v)) {
		r.fail(ReasonValue, "canonical base64url of 16 to 64 bytes")
		return
	}
	*dst = string(v)
}}

var approvedShape = object(
	must("approver", "", matching(officerGrammar), func(a *Approved) *string { return &a.Approver }),
	must("role", "", codeShape, func(a *Approved) *string { return &a.Role }),
	must("at", "", timeShape, func(a *Approved) *int64 { return &a.At }),
)

var statementShape = object(
	must("iss", "", agencyShape, func(s *Statement) *string { return &s.Iss }),
	must("jti", "", uuidShape, func(s *Statement) *string { return &s.JTI }),
	must("officer", "", matching(officerGrammar), func(s *Statement) *string { return &s.Officer }),
	must("justification", "", text(20, 500), func(s *Statement) *string { return &s.Justification }),
	must("approvals", "", list(approvedShape, 0, 16), func(s *Statement) *[]Approved { return &s.Approvals }),
	must("subject_refs", "", set(refShape, 0, 100), func(s *Statement) *[]string { return &s.SubjectRefs }),
	must("texts", "", dict(memberNameGrammar, text(1, 2000), 32), func(s *Statement) *map[string]string { return &s.Texts }),
)

// ParseStatement checks a statement as far as that goes without a key or the
// registry; at most 6 KiB. It keeps raw. Its error is an ErrMalformed.
func ParseStatement(raw []byte) (*SignedStatement, error) {
	var s SignedStatement
	var err error
	if s.JWS, err = parsePart(raw, statementForm, statementShape, &s.Statement); err != nil {
		return nil, err
	}
	return &s, nil
}

// ParseStatementDraft reads the unsigned payload of a statement, for a dry run.
// Its error is an ErrMalformed.
func ParseStatementDraft(payload []byte) (Statement, error) {
	if len(payload) > maxStatement {
		return Statement{}, malformed(ReasonTooLarge, "statement")
	}
	var s Statement
	if err := readAll(payload, signedDialect, statementShape, &s); err != nil {
		return Statement{}, within(err, "statement")
	}
	return s, nil
}
