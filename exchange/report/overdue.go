package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// overdue lists packages whose time to be erased, or reviewed, has come.
var overdue = Kind{
	Name: "overdue", Title: "Erasures and reviews that are due", Basis: "LED art 4(1)(e), 5, 16(6)",
	Help:    "packages whose sender's date to erase or to review lies in the time and has passed, and of which the log shows no erasure",
	columns: []Column{{Name: "due"}, {Name: "what"}, {Name: "days_over", Count: true}, {Name: "direction"}, {Name: "package"}, {Name: "from"}, {Name: "recipients"}, {Name: "message_type"}, {Name: "handling"}, {Name: "no"}},
	passes:  2, whole: true,
	start: func(*computation) collector { return &lapsed{gone: map[[16]byte]bool{}} },
}

// lapsed notes in the first pass what is gone, and lists in the second what is
// not: packages are many, erasures few.
type lapsed struct{ gone map[[16]byte]bool }

func (l *lapsed) entry(c *computation, e *audit.Entry) error {
	if c.pass == 0 {
		l.note(e)
		return nil
	}
	direction := "received"
	switch {
	case isSent(e):
		direction = "sent"
	case !isReceived(e):
		return nil
	}
	if key, ok := id(e.Package); !ok || l.gone[key] {
		return nil
	}
	for _, due := range []struct{ what, day string }{{"erase", e.EraseBy}, {"review", e.ReviewBy}} {
		day, err := time.Parse(time.DateOnly, due.day)
		if err != nil {
			continue
		}
		end := day.AddDate(0, 0, 1) // a day ends with its last moment
		if end.After(c.Now) || day.Before(c.From) || !day.Before(c.To) {
			continue
		}
		over := strconv.Itoa(int(c.Now.Sub(end).Hours() / 24))
		if err := c.row(due.day, due.what, over, direction, e.Package, e.From, list(e.Recipients), e.MessageType, e.Handling, strconv.FormatUint(e.Seq, 10)); err != nil {
			return err
		}
	}
	return nil
}

// note remembers packages that an act of erasure names, or that a notice says
// are erased.
func (l *lapsed) note(e *audit.Entry) {
	if e.Operation == audit.Erasure && e.Outcome == "erased" || strings.HasSuffix(e.Action, ".erased") {
		if key, ok := id(e.Package); ok {
			l.gone[key] = true
		}
	}
	if e.MessageType == "erasure_notice" && (isSent(e) || isReceived(e)) {
		for _, r := range e.Relations {
			if key, ok := id(r.Package); ok {
				l.gone[key] = true
			}
		}
	}
}

func (l *lapsed) finish(c *computation) error {
	c.note("what an agency erased of its own, outside the exchange, the log does not show: these are to be looked at, they are not proven faults")
	return nil
}
