package report

import (
	"strconv"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// transfers lists each transfer to a third country or an international
// organisation.
var transfers = Kind{
	Name: "transfers", Title: "Register of transfers to third countries", Basis: "LED art 35 to 39, 38(3)",
	Help: "each transfer to a third country or an international organisation with date, recipient, basis, document, assurance and justification",
	columns: columns("no", "time", "package", "recipient", "jurisdiction", "purpose", "message_type", "transfer_basis", "instrument", "assurances", "authorisations", "originators",
		"legal_basis", "subject_categories", "special_categories", "minors", "subjects", "handling", "manifest_sha256", "content_sha256", "officer", "justification"),
	start: func(*computation) collector { return &register{} },
}

func columns(names ...string) []Column {
	all := make([]Column, len(names))
	for i, n := range names {
		all[i] = Column{Name: n}
	}
	return all
}

type register struct{}

func (*register) entry(c *computation, e *audit.Entry) error {
	if !isSent(e) {
		return nil
	}
	for _, to := range e.Recipients {
		if !c.third(to, e.Time) {
			continue
		}
		err := c.row(strconv.FormatUint(e.Seq, 10), e.Time, e.Package, to, jurisdiction(to), e.Purpose, e.MessageType, e.TransferBasis, e.TransferInstrument, list(e.Assurances),
			list(e.Authorisations), list(e.Originators), list(e.LegalBasis), list(e.SubjectCategories), list(e.SpecialCategories), e.Minors, e.Details["subjects"], e.Handling,
			e.ManifestSHA256, e.ContentSHA256, e.Officer, e.Justification)
		if err != nil {
			return err
		}
	}
	return nil
}

func (*register) finish(c *computation) error {
	c.note("the personal data themselves (LED 38(3)) are with the sender: manifest_sha256 and content_sha256 say which they were; the exchange cannot read them")
	if c.Protected == nil {
		c.note("which recipients are third countries is not known here: nothing is listed")
	} else if !c.Protected(jurisdiction(c.Owner), c.Now) {
		c.note("LED does not bind %s: its chapter V does not apply to what it sends", jurisdiction(c.Owner))
	}
	return nil
}

// derogations counts what went under LED art 38.
var derogations = Kind{
	Name: "derogations", Title: "Uses of derogations for specific situations", Basis: "LED art 38",
	Help:    "how often data went to each country under LED art 38, by month and letter",
	columns: []Column{{Name: "month"}, {Name: "jurisdiction"}, {Name: "basis"}, {Name: "urgency"}, {Name: "count", Count: true}, {Name: "subjects", Count: true}},
	start:   func(*computation) collector { return &derogated{count: tally{}, subjects: tally{}} },
}

type derogated struct{ count, subjects tally }

func (d *derogated) entry(c *computation, e *audit.Entry) error {
	if !isSent(e) || !strings.HasPrefix(e.TransferBasis, "led38") {
		return nil
	}
	for _, to := range e.Recipients {
		if c.Protected != nil && !c.third(to, e.Time) {
			continue
		}
		names := []string{e.Time[:len("2026-11")], jurisdiction(to), article(e.TransferBasis), e.Urgency}
		d.count.add(1, names...)
		d.subjects.add(subjects(e), names...)
	}
	return nil
}

// article writes a basis as the directive does: led38_1d is "38(1)(d)".
func article(basis string) string {
	rest, ok := strings.CutPrefix(basis, "led")
	if !ok {
		return basis
	}
	art, point, _ := strings.Cut(rest, "_")
	if len(point) == 2 {
		return art + "(" + point[:1] + ")(" + point[1:] + ")"
	}
	return art
}

func (d *derogated) finish(c *computation) error {
	c.note("art 38(1)(d) and (e) are for individual cases: a number that comes back every month is a habit, and asks for a basis under art 37")
	return d.count.each(func(n []string, count int) error {
		return c.row(n[0], n[1], n[2], n[3], number(count), number(d.subjects[strings.Join(n, "\x00")]))
	})
}
