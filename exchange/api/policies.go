package api

// PolicySignature names a policy key that signed, and its agency.
type PolicySignature struct {
	Agency string `json:"agency"`
	Kid    string `json:"kid"`
}

// PolicyActivation is one state of a jurisdiction's policy that is or was in
// force. Its revisions are digests of its inputs: declared and, if there are
// rules, rules; of common: common.
type PolicyActivation struct {
	Seq      int64             `json:"seq"`
	Status   string            `json:"status"` // sample: written by a project, the law of nobody; or authoritative
	Common   string            `json:"common,omitempty"`
	Declared string            `json:"declared,omitempty"`
	Rules    string            `json:"rules,omitempty"`
	How      string            `json:"how"`               // embedded (in the program), file, push or rollback
	BackTo   int64             `json:"back_to,omitempty"` // of a rollback: the seq that it went back to
	Since    string            `json:"since,omitempty"`
	Signed   []PolicySignature `json:"signed"`       // empty of what is embedded
	By       []string          `json:"by,omitempty"` // who brought it, to readers of the same jurisdiction
}

// PolicyVote is one person's, of common one jurisdiction's, wish for an
// activation that waits for others who want the same.
type PolicyVote struct {
	How      string `json:"how"`
	Seq      int64  `json:"seq"`
	Status   string `json:"status"`
	Proposal string `json:"proposal"` // the same digest of all who want the same
	Agency   string `json:"agency"`   // of the key that signed
	Kid      string `json:"kid"`
	By       string `json:"by,omitempty"` // to readers of the same jurisdiction
	Since    string `json:"since"`
	Expires  string `json:"expires"`
}

// Policy is a jurisdiction's policy as the reader may see it: of its own and
// of common with files and history, of others without.
type Policy struct {
	Jurisdiction string             `json:"jurisdiction"` // or common
	InForce      bool               `json:"in_force"`     // false: something keeps it from being so
	Fault        string             `json:"fault,omitempty"`
	Active       PolicyActivation   `json:"active"`
	Needed       int                `json:"needed"` // how many persons, of common jurisdictions, have to want a change
	Waiting      []PolicyVote       `json:"waiting,omitempty"`
	Files        map[string]string  `json:"files,omitempty"`   // by path
	History      []PolicyActivation `json:"history,omitempty"` // newest first
	Receipt      string             `json:"receipt,omitempty"` // of the reader's own entry
}

// Policies answers GET /v1/policies.
type Policies struct {
	Items   []Policy `json:"items"`
	Receipt string   `json:"receipt"`
}

// PolicyChange answers PUT of a bundle and POST of a rollback: 201 it is in
// force, 200 it was already, 202 it waits for others.
type PolicyChange struct {
	Jurisdiction string           `json:"jurisdiction"`
	Outcome      string           `json:"outcome"` // active, repeated or waiting
	Activation   PolicyActivation `json:"activation"`
	Needed       int              `json:"needed,omitempty"`
	Waiting      []PolicyVote     `json:"waiting,omitempty"` // with waiting: who wants it
	Receipt      string           `json:"receipt"`
}

// PolicyFinding is one thing that is wrong with a policy.
type PolicyFinding struct {
	Input   string `json:"input"` // common, declared/<j> or rules/<j>
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Col     int    `json:"col,omitempty"`
	Source  string `json:"source,omitempty"` // the line, as it stands in the file
	ID      string `json:"id,omitempty"`     // of the check that found it
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}
