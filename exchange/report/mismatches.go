package report

import (
	"github.com/liaison-exchange/liaison/audit"
)

// mismatches counts reports that content is not what its manifest says: those
// that recipients made of the owner's packages, and those that it made itself.
var mismatches = Kind{
	Name: "mismatches", Title: "Content that is not what its manifest says", Basis: "LED art 4(1)(d), 7(2)",
	Help: "reports of mismatches, received and made, by agency and code, and how many of the packages were corrected",
	columns: []Column{{Name: "direction"}, {Name: "agency"}, {Name: "code"}, {Name: "reports", Count: true}, {Name: "corrected", Count: true}, {Name: "open", Count: true},
		{Name: "first"}, {Name: "last"}},
	start: func(*computation) collector {
		return &reported{at: map[[16]byte][]mismatch{}}
	},
}

// What entries say of a mismatch: the recipient's own, and the sender's.
const (
	reportsMismatch = "package.mismatch"
	hasMismatch     = "package.mismatched"
	corrects        = "corrects"
	supersedes      = "supersedes"
)

// mismatch is one report.
type mismatch struct {
	direction, agency, code, at string
	corrected                   bool
}

// reported holds the reports of the time by package.
type reported struct{ at map[[16]byte][]mismatch }

// mismatchOf reads a report; ok is false for what is none.
func mismatchOf(e *audit.Entry) (m mismatch, ok bool) {
	m = mismatch{code: e.Details["mismatch"], at: e.Time}
	switch e.Action {
	case reportsMismatch:
		m.direction, m.agency = "made", e.From
	case hasMismatch:
		m.direction, m.agency = "received", e.Actor.Agency
	}
	return m, m.direction != "" && e.Outcome == "reported"
}

func (r *reported) entry(_ *computation, e *audit.Entry) error {
	if m, ok := mismatchOf(e); ok {
		if key, ok := id(e.Package); ok {
			r.at[key] = append(r.at[key], m)
		}
		return nil
	}
	if !isSent(e) && !isReceived(e) {
		return nil
	}
	for _, rel := range e.Relations {
		key, ok := id(rel.Package)
		if !ok || rel.Relation != corrects && rel.Relation != supersedes {
			continue
		}
		for i := range r.at[key] {
			r.at[key][i].correctedBy(e)
		}
	}
	return nil
}

// correctedBy notes a later package that corrects this one: of the sender, to
// who reported it.
func (m *mismatch) correctedBy(e *audit.Entry) {
	switch m.direction {
	case "made":
		m.corrected = m.corrected || e.From == m.agency
	default:
		for _, to := range e.Recipients {
			m.corrected = m.corrected || isSent(e) && to == m.agency
		}
	}
}

func (r *reported) finish(c *computation) error {
	all, corrected, first, last := tally{}, tally{}, map[string]string{}, map[string]string{}
	for _, list := range r.at {
		for _, m := range list {
			all.add(1, m.direction, m.agency, m.code)
			key := m.direction + "\x00" + m.agency + "\x00" + m.code
			if m.corrected {
				corrected.add(1, m.direction, m.agency, m.code)
			}
			if first[key] == "" || m.at < first[key] {
				first[key] = m.at
			}
			last[key] = max(last[key], m.at)
		}
	}
	c.note("corrected: in the same time a package that corrects or supersedes the one that was reported went from its sender to who reported it")
	c.note("each can be listed: liaison audit mismatches")
	return all.each(func(n []string, count int) error {
		key := n[0] + "\x00" + n[1] + "\x00" + n[2]
		return c.row(n[0], n[1], n[2], number(count), number(corrected[key]), number(count-corrected[key]), first[key], last[key])
	})
}
