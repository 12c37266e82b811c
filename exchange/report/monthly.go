package report

import (
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// monthly counts what a data-protection officer reports each month.
var monthly = Kind{
	Name: "monthly", Title: "Report of the month", Basis: "LED art 25(2), 34",
	Help:    "volumes, what policy allowed and denied by country and why, refusals, derogations, transfers, special categories and minors, mismatches, reads and uses of the log",
	columns: []Column{{Name: "figure"}, {Name: "jurisdiction"}, {Name: "detail"}, {Name: "count", Count: true}},
	start:   func(*computation) collector { return &volumes{count: tally{}} },
}

// The figures of the month, in the order in which they are told.
const (
	FigSent         = "sent"              // packages sent, by recipient's jurisdiction and outcome
	FigReceived     = "received"          // packages received, by sender's jurisdiction
	FigAcknowledged = "acknowledged"      // own packages, by the recipient's jurisdiction
	FigEnded        = "ended"             // own packages, that were blocked or expired
	FigDenied       = "denied"            // by policy, by jurisdiction and code
	FigRefused      = "refused"           // requests to the exchange, by problem and reason
	FigTransfer     = "third_country"     // transfers, by jurisdiction and basis
	FigDerogation   = "derogation"        // of them under LED art 38
	FigSpecial      = "special_category"  // packages with LED art 10 data, by jurisdiction and category
	FigMinors       = "minors"            // packages with minors
	FigMismatch     = "mismatch"          // reports that content is not what its manifest says, by the other side
	FigOperation    = "operation"         // LED art 25(1), by operation
	FigReads        = "content_read"      // contents and attachments read, by the sender's jurisdiction
	FigLog          = "log_read"          // uses of the log, by action
	FigErased       = "erased"            // entries of the time that are gone
	FigSamples      = "by_sample_rules"   // decisions that sample rules made, by jurisdiction
	FigIncomplete   = "shortened_entries" // entries that do not hold all
)

type volumes struct{ count tally }

func (v *volumes) entry(c *computation, e *audit.Entry) error {
	add := func(figure, jurisdiction, detail string) { v.count.add(1, figure, jurisdiction, detail) }
	if e.Operation != "" {
		add(FigOperation, "", e.Operation)
	}
	for _, j := range e.Samples {
		add(FigSamples, j, "")
	}
	if len(e.Truncated) > 0 {
		add(FigIncomplete, "", "")
	}
	switch {
	case e.Outcome == "refused":
		add(FigRefused, "", e.Problem+" "+e.Reason)
	case e.Action == sent && e.Outcome != "repeated":
		v.sent(c, e)
	case isReceived(e):
		add(FigReceived, jurisdiction(e.From), e.MessageType)
		v.sensitive(e, "received from", jurisdiction(e.From))
	case e.Action == "package.acknowledged":
		add(FigAcknowledged, jurisdiction(e.Actor.Agency), "")
	case e.Action == "package.blocked", e.Action == "package.expired":
		add(FigEnded, jurisdiction(e.Actor.Agency), strings.TrimPrefix(e.Action, "package."))
	case e.Action == reportsMismatch, e.Action == hasMismatch:
		if m, ok := mismatchOf(e); ok {
			add(FigMismatch, jurisdiction(m.agency), m.direction+", "+m.agency+": "+m.code)
		}
	case e.Action == "content.read", e.Action == "attachment.read":
		add(FigReads, jurisdiction(e.From), strings.TrimSuffix(e.Action, ".read"))
	case strings.HasPrefix(e.Action, "audit."):
		add(FigLog, "", e.Action)
	}
	return nil
}

func (v *volumes) sent(c *computation, e *audit.Entry) {
	outcomes := map[string]audit.Decision{}
	for _, d := range e.Decisions {
		outcomes[d.Recipient] = d
	}
	for _, to := range e.Recipients {
		j, outcome := jurisdiction(to), e.Outcome
		d := outcomes[to]
		if e.Outcome == denied {
			if outcome = "not sent: another recipient is denied"; d.Outcome == denied {
				outcome = denied
				for _, code := range d.Codes {
					v.count.add(1, FigDenied, j, code)
				}
			}
		}
		v.count.add(1, FigSent, j, outcome)
		if e.Outcome != delivered {
			continue
		}
		v.sensitive(e, "sent to", j)
		if c.third(to, e.Time) {
			v.count.add(1, FigTransfer, j, article(e.TransferBasis))
			if strings.HasPrefix(e.TransferBasis, "led38") {
				v.count.add(1, FigDerogation, j, article(e.TransferBasis))
			}
		}
	}
}

// sensitive counts special categories and minors.
func (v *volumes) sensitive(e *audit.Entry, direction, j string) {
	for _, s := range e.SpecialCategories {
		v.count.add(1, FigSpecial, j, direction+": "+s)
	}
	switch e.Minors {
	case "u15":
		v.count.add(1, FigMinors, j, direction+": under 15")
	case "u18":
		v.count.add(1, FigMinors, j, direction+": under 18")
	}
}

func (v *volumes) finish(c *computation) error {
	if c.sum.Erased > 0 {
		v.count.add(c.sum.Erased, FigErased, "", "")
	}
	return v.count.each(func(n []string, count int) error { return c.row(n[0], n[1], n[2], number(count)) })
}
