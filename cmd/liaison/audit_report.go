package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// auditReport is what audit verify prints with --json.
type auditReport struct {
	Verdict   string `json:"verdict"` // "whole" or "faulty"
	Owner     string `json:"owner"`
	Reader    string `json:"reader,omitempty"` // who reads, if the log is another agency's
	Ledger    string `json:"ledger"`
	Size      int64  `json:"size"` // of the ledger
	Entries   uint64 `json:"entries"`
	Disclosed int    `json:"disclosed"`
	Erased    int    `json:"erased"`
	Receipts  int    `json:"receipts"`        // that the log was held against
	Seen      int64  `json:"seen,omitempty"`  // size of the newest head that was verified before
	Ended     uint64 `json:"ended,omitempty"` // where another agency's log ended when this profile verified it last
	// EndOf is the other ledger, of before a loss, of which an end is remembered,
	// EndLater a remembered end that is newer than this copy: the log was not
	// held against either.
	EndOf    string `json:"end_of_ledger,omitempty"`
	EndLater uint64 `json:"ended_later,omitempty"`
	// Witnesses are those whose cosignatures count, Witnessed how many of them
	// cosigned the newest head that they did, which has WitnessedSize entries.
	Witnesses     int           `json:"witnesses"`
	Witnessed     int           `json:"witnessed"`
	WitnessedSize int64         `json:"witnessed_size,omitempty"`
	Cosigned      []cosigned    `json:"cosigned,omitempty"`
	Faults        []audit.Fault `json:"faults,omitempty"`
	MoreFaults    int           `json:"more_faults,omitempty"`
}

// cosigned is a cosignature that was verified.
type cosigned struct {
	Witness string    `json:"witness"`
	At      time.Time `json:"at"`
}

// words say the verdict.
func (r auditReport) words(now time.Time) string {
	var b strings.Builder
	owner := r.Owner
	if owner == "" {
		owner = "an agency"
	}
	if r.Verdict == "whole" {
		fmt.Fprintf(&b, "The log of %s is whole and unchanged.\n", printable(owner))
	} else {
		fmt.Fprintf(&b, "The log of %s is NOT proven: %s.\n", printable(owner), number(len(r.Faults)+r.MoreFaults, "fault"))
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Entries > 0 {
		line("entries", "1 to %d: %d read, %d erased", r.Entries, r.Disclosed, r.Erased)
	}
	line("ledger", "%s, %d entries of all agencies", r.Ledger, r.Size)
	if r.Reader != "" {
		line("reader", "%s, as a supervisor", printable(r.Reader))
	}
	switch {
	case r.Receipts > 0:
		line("held against", "%s, %s%s", number(r.Receipts, "receipt"), r.before(), r.endedWords())
	case r.Reader != "":
		line("held against", "no receipt of this log, %s%s", r.before(), r.endedWords())
		line("not proven", "that no newer entries are missing at its end: receipts of %s show it (--receipts)", printable(owner))
	}
	switch {
	case r.EndOf != "":
		line("set aside", "where the log ended when this profile verified it last: that is of another ledger, %s", printable(r.EndOf))
	case r.EndLater > 0:
		line("not held", "against its end as of the last time (entry %d): that is newer than this copy", r.EndLater)
	}
	line("witnesses", "%s", r.witnessWords(now))
	r.faultWords(&b)
	return b.String()
}

// endedWords say where another agency's log ended before.
func (r auditReport) endedWords() string {
	if r.Ended == 0 {
		return ""
	}
	return fmt.Sprintf(", and its end as of the last time (entry %d)", r.Ended)
}

// before says what became of the newest head that was verified before.
func (r auditReport) before() string {
	switch {
	case r.Seen == 0:
		return "no head that was verified before"
	case r.Seen > r.Size:
		return fmt.Sprintf("not the newest head that this profile has verified: it is newer (%d entries) than this copy", r.Seen)
	}
	return fmt.Sprintf("the newest head that this profile had verified (%d entries)", r.Seen)
}

func (r auditReport) witnessWords(now time.Time) string {
	if r.Witnesses == 0 {
		return "none known to you: that there is no second history only witnesses.yaml in the profile can tell"
	}
	if r.Witnessed == 0 {
		return fmt.Sprintf("none of %d has cosigned: nobody vouches yet that there is no second history", r.Witnesses)
	}
	text := fmt.Sprintf("%d of %d cosigned the head of %d entries", r.Witnessed, r.Witnesses, r.WitnessedSize)
	for _, c := range r.Cosigned {
		text += fmt.Sprintf("; %s %s", printable(c.Witness), ago(now.Sub(c.At)))
	}
	return text
}

// ago says an age in words.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "in the future"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// faultsShown is how many faults of one kind are told one by one.
const faultsShown = 10

// faultWords tell the faults by kind: where, what it means, what to do.
func (r auditReport) faultWords(b *strings.Builder) {
	var kinds []audit.FaultKind
	of := map[audit.FaultKind][]audit.Fault{}
	for _, f := range r.Faults {
		if of[f.Kind] == nil {
			kinds = append(kinds, f.Kind)
		}
		of[f.Kind] = append(of[f.Kind], f)
	}
	for _, kind := range kinds {
		list := of[kind]
		fmt.Fprintf(b, "\n  %s (%s)\n", printable(kind.String()), string(kind))
		for _, f := range list[:min(len(list), faultsShown)] {
			where := f.Where()
			if f.Detail != "" {
				where += ": " + f.Detail
			}
			fmt.Fprintf(b, "    where  %s\n", printable(where))
		}
		if more := len(list) - faultsShown; more > 0 {
			fmt.Fprintf(b, "           and %d more\n", more)
		}
		fmt.Fprintf(b, "    means  %s\n    do     %s\n", kind.Means(), kind.Do())
	}
	if r.MoreFaults > 0 {
		fmt.Fprintf(b, "\n  and %s that are not listed\n", number(r.MoreFaults, "more fault"))
	}
}
