package api

// RoutePolicyReplay takes a draft bundle and answers in JSON lines.
const RoutePolicyReplay = "/v1/policies/{j}/replay"

// MediaLines is JSON values, one a line.
const MediaLines = "application/jsonl"

// PolicyReplayPath returns the path of the replay of a jurisdiction's draft.
func PolicyReplayPath(jurisdiction string) string { return PolicyPath(jurisdiction) + "/replay" }

// ReplayLine is one line of the answer to POST /v1/policies/{j}/replay: it has
// one of its members. Progress comes while it runs; then the changes, newly
// allowed first; the summary is the last line, and without it the answer is
// not whole.
type ReplayLine struct {
	Progress *ReplayProgress `json:"progress,omitempty"`
	Change   *ReplayChange   `json:"change,omitempty"`
	Summary  *ReplaySummary  `json:"summary,omitempty"`
}

// ReplayProgress counts recorded decisions, those that are not for the reader
// included.
type ReplayProgress struct {
	Done int64 `json:"done"`
	Of   int64 `json:"of"`
}

// ReplayChange is a decision that would be another one under the draft.
type ReplayChange struct {
	Kind     string     `json:"kind"` // now_allowed, now_pending, now_denied, obligations_changed
	Decision string     `json:"decision"`
	Action   string     `json:"action"`
	At       string     `json:"at"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Was      ReplaySide `json:"was"`
	Now      ReplaySide `json:"now"`
}

// ReplaySide is a decision in brief. Reasons that are not for the reader are
// left out.
type ReplaySide struct {
	Verdict     string   `json:"verdict"`
	Codes       []string `json:"codes,omitempty"`
	Rules       []string `json:"rules,omitempty"`
	Obligations []string `json:"obligations,omitempty"`
}

// ReplaySummary counts: of changes more than are listed.
type ReplaySummary struct {
	Decisions int                       `json:"decisions"` // that you may see
	Unchanged int                       `json:"unchanged"`
	Already   int                       `json:"already,omitempty"`  // other than then, and so by the rules in force too
	Erased    int                       `json:"erased,omitempty"`   // their input is
	Unread    int                       `json:"unread,omitempty"`   // of another engine
	Changes   map[string]int            `json:"changes"`            // by kind
	Pairs     map[string]map[string]int `json:"pairs"`              // by kind and pair of jurisdictions
	Rules     map[string]map[string]int `json:"rules"`              // by kind and rule
	Declared  bool                      `json:"declared,omitempty"` // the draft declares otherwise; what was declared then was looked up then
}
