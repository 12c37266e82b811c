package api

import (
	"encoding/json"
	"net/url"
)

// Routes of recorded decisions, and of drafts of policy that are tried on
// them. {j} is a jurisdiction, or common.
const (
	RouteDecision       = "/v1/decisions/{id}"
	RoutePolicyDecision = "/v1/policies/{j}/decisions/{id}"
)

// DecisionPath returns the path of a recorded decision.
func DecisionPath(id string) string { return RouteDecisions + "/" + url.PathEscape(id) }

// PolicyDecisionPath returns the path of a recorded decision as the rules of a
// jurisdiction saw it.
func PolicyDecisionPath(jurisdiction, id string) string {
	return "/v1/policies/" + url.PathEscape(jurisdiction) + "/decisions/" + url.PathEscape(id)
}

// Explanation answers GET /v1/decisions/{id}: what was decided, and why, layer
// by layer. Reasons that are not for the reader are left out.
type Explanation struct {
	ID          string            `json:"id"`
	Package     string            `json:"package"`
	Recipient   string            `json:"recipient"`
	Action      string            `json:"action"` // send, acknowledgement, release, dry_run
	At          string            `json:"at"`
	Verdict     string            `json:"verdict"` // delivered, pending, denied
	Layers      []ExplainedLayer  `json:"layers"`
	Obligations []Obligation      `json:"obligations,omitempty"` // merged over all layers
	Revisions   map[string]string `json:"revisions"`             // of the rules and declarations that decided
	Engine      string            `json:"engine"`
	Note        string            `json:"note,omitempty"`
	Receipt     string            `json:"receipt"`
}

// ExplainedLayer is what one layer said: common, or a jurisdiction's send,
// receive or onward.
type ExplainedLayer struct {
	Layer   string    `json:"layer"`
	Said    string    `json:"said"`             // delivered (it takes nothing away), pending, denied
	Hidden  bool      `json:"hidden,omitempty"` // it decided for a reason that is not for you
	Because []Because `json:"because"`
}

// Because is one thing that a layer said, the rule that said it, and the
// conditions that decided it: of a rule that is not met the one that failed.
type Because struct {
	Kind       string          `json:"kind"` // deny, pend, oblige, advise
	Code       string          `json:"code"`
	Params     json.RawMessage `json:"params"`
	Rule       string          `json:"rule"`
	Title      string          `json:"title,omitempty"`
	Conditions []string        `json:"conditions,omitempty"`
	Text       string          `json:"text,omitempty"`
	Fix        string          `json:"fix,omitempty"`
	Source     string          `json:"source,omitempty"`
	File       string          `json:"file,omitempty"` // of the rule; absent if its rules are not yours to read
	Line       int             `json:"line,omitempty"`
	By         string          `json:"by,omitempty"`       // who resolves a pend
	Resolved   bool            `json:"resolved,omitempty"` // of a pend: an approval did
}

// RecordedInput answers GET /v1/policies/{j}/decisions/{id}: what the rules of
// a jurisdiction were asked, and what they said. Shared and Own are the two
// parts of the input; their union is what each rule reads.
type RecordedInput struct {
	ID        string          `json:"id"`
	Package   string          `json:"package"`
	Recipient string          `json:"recipient"`
	Verdict   string          `json:"verdict"`
	Whole     bool            `json:"whole"` // false: what only the sender's side may know is replaced by what is ordinary
	Shared    json.RawMessage `json:"shared"`
	Own       json.RawMessage `json:"own"`
	Said      []LayerSaid     `json:"said"`
	Receipt   string          `json:"receipt"`
}

// LayerSaid is what one entry package said, each part as a Rego term.
type LayerSaid struct {
	Package string            `json:"package"`
	Parts   map[string]string `json:"parts"` // allow, deny, pend, oblige, advise; of common met
}
