package report

import (
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// records is what a controller's record of processing says, as far as the
// exchange knows it.
var records = Kind{
	Name: "records", Title: "Records of processing", Basis: "LED art 24(1)",
	Help:    "purposes, recipients, categories, bases and times of erasure, as the log shows them",
	columns: []Column{{Name: "article"}, {Name: "item"}, {Name: "direction"}, {Name: "value"}, {Name: "count", Count: true}, {Name: "first"}, {Name: "last"}},
	start:   func(*computation) collector { return &processing{count: tally{}, seen: map[string]*span{}} },
}

// span is from when to when something was seen.
type span struct{ first, last string }

type processing struct {
	count tally
	seen  map[string]*span
}

func (p *processing) entry(c *computation, e *audit.Entry) error {
	direction := "sent"
	switch {
	case isReceived(e):
		direction = "received"
	case !isSent(e):
		return nil
	}
	add := func(article, item string, values ...string) {
		for _, v := range values {
			if v == "" {
				continue
			}
			p.count.add(1, article, item, direction, v)
			p.see(strings.Join([]string{article, item, direction, v}, "\x00"), e.Time)
		}
	}
	add("24(1)(b)", "purpose", e.Purpose)
	if direction == "sent" {
		for _, to := range e.Recipients {
			item := "recipient"
			if c.third(to, e.Time) {
				item = "recipient_third_country"
				add("24(1)(f)", "transfer_basis", to+" "+article(e.TransferBasis))
				add("24(1)(f)", "transfer_instrument", e.TransferInstrument)
			}
			add("24(1)(c)", item, to)
		}
	} else {
		add("24(1)(c)", "sender", e.From)
	}
	add("24(1)(d)", "subject_category", e.SubjectCategories...)
	add("24(1)(d)", "special_category", e.SpecialCategories...)
	if e.Minors != "" {
		add("24(1)(d)", "minors", e.Minors)
	}
	add("24(1)(g)", "legal_basis", e.LegalBasis...)
	add("24(1)(h)", "erase_in_month", month(e.EraseBy))
	add("24(1)(h)", "review_in_month", month(e.ReviewBy))
	return nil
}

func month(day string) string { return day[:min(len(day), len("2026-11"))] }

func (p *processing) see(key, at string) {
	s := p.seen[key]
	switch {
	case s != nil:
		s.last = at
	case len(p.seen) < maxTally:
		p.seen[key] = &span{at, at}
	}
}

func (p *processing) finish(c *computation) error {
	c.note("not known to the exchange, add it yourself: name and contact of the controller and of its data-protection officer (24(1)(a)), profiling (24(1)(e)), security measures (24(1)(i))")
	c.note("the exchange is a processor: its own record (24(2)) is its operator's")
	return p.count.each(func(n []string, count int) error {
		s := p.seen[strings.Join(n, "\x00")]
		if s == nil {
			s = &span{}
		}
		return c.row(n[0], n[1], n[2], n[3], number(count), s.first, s.last)
	})
}
