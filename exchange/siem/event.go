// Package siem tells an operator's security monitoring what is recorded: each
// entry at least once, as one line of JSON, to a file or to a syslog receiver.
// It says what happened and to whom, never why: no justification, no officer,
// no case, nothing that the statement or the details hold.
package siem

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/liaison-exchange/liaison/audit"
)

// Row is a committed entry of the ledger; Entry is nil if it is erased.
type Row struct {
	Index int64
	Owner string
	Seq   uint64
	Entry []byte
}

// event is what is told of an entry. It is a list of what may be told: a member
// that is not here does not leave the exchange, whatever entries come to have.
type event struct {
	Index          int64    `json:"index"`
	Owner          string   `json:"owner"`
	Seq            uint64   `json:"seq"`
	Exchange       string   `json:"exchange,omitempty"`
	Time           string   `json:"time,omitempty"`
	Operation      string   `json:"operation,omitempty"`
	Action         string   `json:"action,omitempty"`
	Outcome        string   `json:"outcome,omitempty"`
	Agency         string   `json:"agency,omitempty"`
	Role           string   `json:"role,omitempty"`
	Certificate    string   `json:"certificate,omitempty"` // fingerprint
	Request        string   `json:"request,omitempty"`
	Package        string   `json:"package,omitempty"`
	MessageType    string   `json:"message_type,omitempty"`
	Urgency        string   `json:"urgency,omitempty"`
	Handling       string   `json:"handling,omitempty"`
	Classification string   `json:"classification,omitempty"`
	From           string   `json:"from,omitempty"`
	Recipients     []string `json:"recipients,omitempty"`
	Decided        []ruling `json:"decisions,omitempty"`
	Problem        string   `json:"problem,omitempty"`
	Reason         string   `json:"reason,omitempty"`
	Count          uint64   `json:"count,omitempty"`
	Erased         bool     `json:"erased,omitempty"`
}

// ruling is a decision in brief.
type ruling struct {
	Recipient string   `json:"recipient,omitempty"`
	Outcome   string   `json:"outcome,omitempty"`
	Codes     []string `json:"codes,omitempty"`
}

// uuidForm is that of ids that the exchange or a sender made; what has another
// form somebody wrote.
var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// told is what is told of a row, and whether it is a refusal.
func told(r Row) (line []byte, alert bool, err error) {
	e := audit.Entry{}
	if r.Entry != nil {
		if e, err = audit.ParseEntry(r.Entry); err != nil {
			// It stays a gap that is seen, and does not stop what follows.
			e = audit.Entry{Action: "(entry cannot be read)"}
		}
	}
	v := event{Index: r.Index, Owner: r.Owner, Seq: r.Seq, Exchange: e.Exchange, Time: e.Time, Operation: e.Operation, Action: e.Action, Outcome: e.Outcome,
		Agency: e.Actor.Agency, Role: e.Actor.Role, Certificate: e.Actor.Certificate, Request: idOnly(e.Request), Package: idOnly(e.Package), MessageType: e.MessageType, Urgency: e.Urgency,
		Handling: e.Handling, Classification: e.Classification, From: e.From, Recipients: e.Recipients, Problem: e.Problem, Reason: e.Reason, Count: e.Count, Erased: r.Entry == nil}
	for _, d := range e.Decisions {
		v.Decided = append(v.Decided, ruling{d.Recipient, d.Outcome, d.Codes})
	}
	line, err = json.Marshal(v)
	if err != nil {
		return nil, false, fmt.Errorf("encode event %d: %w", r.Index, err)
	}
	return line, e.Outcome == "refused" || e.Outcome == "denied", nil
}

func idOnly(s string) string {
	if !uuidForm.MatchString(s) {
		return ""
	}
	return s
}
