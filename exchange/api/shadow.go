package api

// RouteShadow is a draft of a jurisdiction beside what is in force.
const RouteShadow = "/v1/policies/{j}/shadow"

// ShadowPath returns the path of the shadow of a jurisdiction's policy.
func ShadowPath(jurisdiction string) string { return PolicyPath(jurisdiction) + "/shadow" }

// Shadow is what a draft beside the policy in force came to. It is held in
// memory: a restart of the exchange ends it.
type Shadow struct {
	Jurisdiction string                    `json:"jurisdiction"`
	Revisions    map[string]string         `json:"revisions"` // of the draft
	By           string                    `json:"by"`        // who started it
	Since        string                    `json:"since"`
	Until        string                    `json:"until"`              // when it ends by itself
	Ended        string                    `json:"ended,omitempty"`    // why it ended: lapsed, activated (the policy came into force anew) or unbuilt (it does not build beside what came into force of others)
	EndedAt      string                    `json:"ended_at,omitempty"` // when it ended
	Compared     int                       `json:"compared"`           // decisions that you may see
	Same         int                       `json:"same"`
	Dropped      int                       `json:"dropped"`     // not compared: too many at once, or the rules changed
	Failed       int                       `json:"failed"`      // not compared: the draft gave no answer in time
	Changes      map[string]int            `json:"changes"`     // by kind
	Rules        map[string]map[string]int `json:"rules"`       // by kind and rule
	Differences  []ReplayChange            `json:"differences"` // newest first; of more than 1,000 the newest
	Receipt      string                    `json:"receipt"`
}
