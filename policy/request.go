package policy

import (
	"encoding/json"
	"time"
)

// Actions that are decided. All of them ask the same layers.
const (
	ActionSend            = "send"
	ActionAcknowledgement = "acknowledgement"
	ActionRelease         = "release"
	ActionDryRun          = "dry_run"
)

// Request is one package with all its recipients and one action. For an acknowledgement Recipients holds the one
// agency that acknowledges.
type Request struct {
	// Action is one of the Action constants; anything else is denied.
	Action string
	// Now is the exchange's clock. Facts and dates are looked up as of its day in UTC.
	Now time.Time
	// MessageType must equal the claimed message_type; a difference is denied.
	MessageType string
	Sender      Party
	Recipients  []Recipient
	// Claimed is the manifest's meta, strictly validated by the caller. What is not in the input schema is denied.
	Claimed json.RawMessage
	// Justification and Texts come from the statement. Texts is keyed by the name of the meta field that it explains.
	Justification Text
	Texts         map[string]Text
	// Attachments and ContentSize (bytes) as the manifest declares them; zero in a dry run without content.
	Attachments int
	ContentSize int64
	Known       Known
}

// Party is an agency as the exchange's registry knows it, never as a package claims it.
type Party struct {
	ID           string // "<jurisdiction>/<agency>"
	Jurisdiction string
	Type         string // one of the agency types of the declared schema
	Active       bool   // admitted and not suspended
	Competences  []string
}

// Recipient is one recipient of the request.
type Recipient struct{ Party }

// Known is what the exchange itself knows about this package: from its own records, never from a claim.
type Known struct {
	// Relations has one element for each claimed relates_to that the exchange looked up. A claimed relation that
	// is missing here counts as not found.
	Relations []Relation
	// Approvals are verified answers to pends of this package.
	Approvals []Approval
	// Authorisations are the originators' known permissions that concern this package.
	Authorisations []Authorisation
	Counters       Counters
}

// Relation is an earlier package that this one names, seen from its sender.
type Relation struct {
	Package  string // id
	Relation string // answers, corrects, supersedes, forwards, concerns
	// Found is true when the package exists and the sender of the request was a party of it.
	Found       bool
	MessageType string
	From        string // agency id of its sender
	// Outcomes maps each of its recipients to the outcome there.
	Outcomes map[string]string
	// Originators, Handling, Conditions, OnwardRule and OnwardListed are those of the earlier package.
	// A package that forwards it inherits them.
	Originators  []string
	Handling     string
	Conditions   []string
	OnwardRule   string
	OnwardListed []string
}

// Approval is a verified answer (liaison-approval+jwt) to pends of this package. It resolves only its codes,
// for its recipient, when By and Jurisdiction are the ones that the pend names.
type Approval struct {
	Recipient    string
	Codes        []string
	By           string
	Jurisdiction string
	Granted      bool // false: refused, which denies
}

// Authorisation is what an originating jurisdiction has said about passing its data on.
type Authorisation struct {
	Originator string   // agency id
	State      string   // granted, general, pending, refused or withdrawn
	Recipients []string // agencies or jurisdictions that it covers; empty covers none, unless State is general
	Purposes   []string // purposes that it covers; empty covers none, unless State is general
	From       time.Time
	Until      time.Time // zero: no end
}

// Counters are the exchange's counts that rules read.
type Counters struct {
	// Derogations counts this year's deliveries of the sender under LED article 38, by recipient jurisdiction.
	Derogations map[string]int
}
