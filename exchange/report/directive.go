package report

import (
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// directive counts what Directive (EU) 2023/977 art 18(2) asks for.
var directive = Kind{
	Name: "directive-2023-977", Title: "Requests for information: yearly figures", Basis: "Directive (EU) 2023/977 art 18(2)",
	Help:    "requests sent, received, answered and refused, by state, urgency and ground; time limits met and not met",
	columns: []Column{{Name: "figure"}, {Name: "article"}, {Name: "jurisdiction"}, {Name: "bound"}, {Name: "urgency"}, {Name: "ground"}, {Name: "count", Count: true}},
	start: func(*computation) collector {
		return &requests{count: tally{}, open: map[[16]byte]asked{}, done: map[[16]byte]bool{}}
	},
}

// Figures of the directive, and the letter of art 18(2) that asks for each.
const (
	figSent        = "requests_sent"
	figReceived    = "requests_received"
	figAnswered    = "requests_answered"
	figRefused     = "requests_refused"
	figInTime      = "answered_in_time"
	figJudicial    = "limit_exceeded_judicial_authorisation"
	figLate        = "limit_exceeded_otherwise"
	figOpen        = "open_within_limit"
	figOverdue     = "open_over_limit"
	figGotAnswer   = "answers_received"
	figGotRefusal  = "refusals_received"
	figNoLimit     = "answered_without_limit"
	figNotRequest  = "answers_to_unknown_requests"
	figDelayNotice = "delay_notices_sent"
)

var articles = map[string]string{figSent: "18(2)(a)", figReceived: "18(2)(b)", figAnswered: "18(2)(b)", figRefused: "18(2)(c)", figJudicial: "18(2)(d)"}

// asked is a request that the owner received.
type asked struct {
	state    string // who asked
	urgent   bool
	judicial bool  // an authorisation of a court was needed
	due      int64 // Unix milliseconds; 0: no limit
}

// requests holds the open requests of the time: some hundred bytes for each.
type requests struct {
	count tally
	open  map[[16]byte]asked
	done  map[[16]byte]bool // asked before the time and answered in it, or known not to be a request
}

func (r *requests) add(c *computation, figure, state string, urgent bool, ground, at string) {
	urgency := "routine"
	if urgent {
		urgency = "urgent"
	}
	t, _ := audit.ParseTime(at)
	bound := "unknown"
	if c.Directive != nil {
		bound = yes(c.Directive(state, t))
	}
	r.count.add(1, figure, state, bound, urgency, ground)
}

func (r *requests) entry(c *computation, e *audit.Entry) error {
	switch {
	case isSent(e):
		r.sent(c, e)
	case isReceived(e):
		r.received(c, e)
	}
	return nil
}

func (r *requests) received(c *computation, e *audit.Entry) {
	urgent := e.Urgency == "urgent"
	switch e.MessageType {
	case request:
		r.add(c, figReceived, jurisdiction(e.From), urgent, "", e.Time)
		if key, ok := id(e.Package); ok {
			r.open[key] = askedOf(e)
		}
	case "answer", "partial_answer":
		r.add(c, figGotAnswer, jurisdiction(e.From), urgent, "", e.Time)
	case ownRefusal:
		r.add(c, figGotRefusal, jurisdiction(e.From), urgent, ground(e), e.Time)
	}
}

func askedOf(e *audit.Entry) asked {
	a := asked{state: jurisdiction(e.From), urgent: e.Urgency == "urgent"}
	if due, err := audit.ParseTime(e.DueAt); err == nil {
		a.due = due.UnixMilli()
	}
	return a
}

func (r *requests) sent(c *computation, e *audit.Entry) {
	switch e.MessageType {
	case request:
		for _, to := range e.Recipients {
			r.add(c, figSent, jurisdiction(to), e.Urgency == "urgent", "", e.Time)
		}
	case "answer", ownRefusal, "partial_answer", "delay_notice":
		for _, rel := range e.Relations {
			if rel.Relation == answers {
				r.reply(c, e, rel.Package)
				return
			}
		}
		for _, to := range e.Recipients {
			r.add(c, figNotRequest, jurisdiction(to), false, "", e.Time)
		}
	}
}

// reply counts what ends a request: its first answer, or its refusal. A delay
// notice that names a court marks it.
func (r *requests) reply(c *computation, e *audit.Entry, pack string) {
	key, ok := id(pack)
	if !ok || r.done[key] {
		return
	}
	a, ok := r.open[key]
	if !ok {
		if a, ok = r.earlier(c, pack); !ok {
			r.done[key] = true
			r.add(c, figNotRequest, jurisdiction(first(e.Recipients)), false, "", e.Time)
			return
		}
	}
	a.judicial = a.judicial || judicial(e)
	switch e.MessageType {
	case "delay_notice":
		r.open[key] = a
		r.add(c, figDelayNotice, a.state, a.urgent, "", e.Time)
		return
	case "partial_answer":
		r.open[key] = a // the rest is still due
		return
	case ownRefusal:
		r.add(c, figRefused, a.state, a.urgent, ground(e), e.Time)
		if partial(e) {
			r.open[key] = a
			return
		}
	default:
		r.add(c, figAnswered, a.state, a.urgent, "", e.Time)
	}
	delete(r.open, key)
	r.done[key] = true
	r.add(c, r.limit(a, e.Time), a.state, a.urgent, "", e.Time)
}

// limit says how an answer stands to its time limit.
func (r *requests) limit(a asked, at string) string {
	t, err := audit.ParseTime(at)
	switch {
	case a.due == 0 || err != nil:
		return figNoLimit
	case t.UnixMilli() <= a.due:
		return figInTime
	case a.judicial:
		return figJudicial
	}
	return figLate
}

// earlier looks for a request from before the time.
func (r *requests) earlier(c *computation, pack string) (asked, bool) {
	if c.Package == nil {
		return asked{}, false
	}
	e := c.Package(pack)
	if e == nil || e.MessageType != request || e.From == c.Owner {
		return asked{}, false
	}
	return askedOf(e), true
}

func (r *requests) finish(c *computation) error {
	end := min(c.To.UnixMilli(), c.Now.UnixMilli())
	at := audit.FormatTime(time.UnixMilli(end))
	for _, a := range r.open {
		figure := figOpen
		if a.due > 0 && a.due < end {
			figure = figOverdue
		}
		r.add(c, figure, a.state, a.urgent, "", at)
	}
	c.note("art 18(2)(a): counted by the agency whose log this is; its member state adds up its single point of contact and its law enforcement authorities")
	c.note("an answer to several packages counts for the first that it names; a partial answer leaves its request open; open requests are those that came in this time")
	c.note("a limit counts as exceeded for a judicial authorisation if the answer, or a delay notice before it, said that one was needed")
	return r.count.each(func(n []string, count int) error {
		return c.row(n[0], articles[n[0]], n[1], n[2], n[3], n[4], number(count))
	})
}

// ground is the letter of art 6(1) that a refusal names.
func ground(e *audit.Entry) string {
	if g := e.Details["refusal"]; g != "" {
		return g
	}
	return "not recorded"
}

func partial(e *audit.Entry) bool { return e.Details["refusal_partial"] == "yes" }

// judicial reports whether an authorisation of a court was needed.
func judicial(e *audit.Entry) bool {
	j := e.Details["judicial_authorisation"]
	return j != "" && j != "not_required"
}

func first(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return items[0]
}
