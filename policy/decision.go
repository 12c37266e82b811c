package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
)

// Verdicts.
const (
	Delivered = "delivered"
	Pending   = "pending"
	Denied    = "denied"
)

// Audiences of a reason or an advice.
const (
	AudienceAll    = "all"
	AudienceSender = "sender"
	AudienceOwn    = "own" // the agencies of the jurisdiction whose layer said it
)

// LayerCommon is the layer of the baseline. The other layers are "<jurisdiction>/send", "/receive" and "/onward".
const LayerCommon = "common"

// ErrEngine is wrapped by every error of Decide: the engine failed or ran out of time. It is never a permission and
// never a legal refusal.
var ErrEngine = errors.New("policy engine failed")

// Decision is the verdict on a package for one recipient. Nothing in it is shared with another decision that a
// caller may change, except the bytes of Input.
type Decision struct {
	Recipient   string
	Verdict     string
	Reasons     []Reason // of a denial; of a pending one, the pends' texts
	Obligations []Obligation
	Advice      []Reason
	Pends       []Pend
	Rules       []string          // ids of the rules that decided, sorted
	Revisions   map[string]string // "common", "declared/<j>", "rules/<j>" to revision: every input that was asked
	Engine      string
	Input       Input
	Sample      bool     // some input is a sample, not the law of anybody
	Sampled     []string // whose, sorted
}

// Reason says why, in codes; the texts come from the metadata of the revision that decided.
type Reason struct {
	Code     string
	Params   json.RawMessage // an object, {} when there are none
	Rule     string
	Layer    string
	Text     string
	Fix      string
	Source   string
	Audience string
}

// Obligation is a condition that the recipient accepts by acknowledging. Each code stands once, merged over all
// layers: days to the least, dates to the earliest, restrictions to the union, permitted uses to the intersection.
type Obligation struct {
	Code   string
	Params json.RawMessage // an object with sorted names, {} when there are none
	On     string          // recipient, sender, exchange or dpo
	Rule   string
	Text   string
	Source string
}

// Pend says who may resolve it and until when; expired means denied.
type Pend struct {
	Code         string
	By           string // originator, second_officer, head_of_duty, head_of_authority or recipient
	Jurisdiction string
	Expires      time.Time
}

// Input is what was evaluated, as JSON: Shared is the same for all recipients of a package, Own is the recipient's.
// It has no text and no person. The two objects share no member name; their union is the input of every rule.
type Input struct{ Shared, Own []byte }

// Digest is base64url(SHA-256(SHA-256(Shared) || SHA-256(Own))), so that the shared part can be stored once for a
// package and still be committed to by every decision.
func (in Input) Digest() string {
	shared, own := sha256.Sum256(in.Shared), sha256.Sum256(in.Own)
	sum := sha256.Sum256(append(shared[:], own[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
