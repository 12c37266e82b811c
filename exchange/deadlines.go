package exchange

import (
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/policy"
)

// The time limits of Directive (EU) 2023/977 art 5(1), in calendar time and
// UTC. Whether an urgent request can be answered from a database is known to
// the requested state only, so that every urgent one begins with 8 hours.
const (
	urgentLimit  = 8 * time.Hour
	routineLimit = 7 * 24 * time.Hour
)

// dueAt is when a recipient must answer, counted from its delivery; zero if
// no limit runs. One runs for requests only, between two states that the
// directive binds, and for the recipient's single point of contact, not for
// those in copy.
func (j *judgement) dueAt(recipient string, delivered time.Time) time.Time {
	to, _ := j.registry.Agency(recipient)
	from, _ := j.registry.Agency(j.sender)
	switch {
	case j.verdict != policy.Delivered:
		return time.Time{}
	case j.meta.MessageType != "request", to.Type != "spoc", slices.Contains(j.meta.CCSpoc, recipient),
		!bound(j.set, from.Jurisdiction, delivered), !bound(j.set, to.Jurisdiction, delivered):
		return time.Time{}
	case j.meta.Urgency.Level == "urgent":
		return delivered.Add(urgentLimit)
	}
	return delivered.Add(routineLimit)
}

func bound(set *policy.Set, jurisdiction string, at time.Time) bool {
	return set != nil && set.Dir977Bound(jurisdiction, at)
}
