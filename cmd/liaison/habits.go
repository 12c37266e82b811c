package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// hint is something that a reviewer may want to look at, and why.
type hint struct {
	Kind  string `json:"kind"`
	About string `json:"about"` // an officer or a unit
	Why   string `json:"why"`
	Query string `json:"query"` // shows the entries
	Zone  string `json:"zone"`  // of its hours and days
}

// When something is worth a hint.
const (
	hintHistory = 20  // entries before somebody has a habit
	hintVolume  = 10  // entries of a day before it is many
	hintTimes   = 3   // so many times the busiest day, or the usual rate
	hintSends   = 5   // packages before a rate says something
	hintDenied  = 0.3 // rate of denials
)

// habit is what somebody did in a time.
type habit struct {
	entries int
	hours   [24]int
	days    map[string]int
	sends   int
	denied  int
	to      map[string]int
}

// habits are those of all officers and units in a time. Entries are added and
// not kept: a log of any length has as many habits as it has people.
type habits struct {
	clock           *time.Location
	entries         uint64
	officers, units map[string]*habit
	reasons         map[string]map[string]int // of officers: how often which justification; nil: not counted
}

func newHabits(clock *time.Location) *habits {
	return &habits{clock: clock, officers: map[string]*habit{}, units: map[string]*habit{}}
}

func (all *habits) add(e *audit.Entry, at time.Time) {
	all.entries++
	at = at.In(all.clock)
	of(all.officers, e.Officer).add(e, at)
	of(all.units, e.Actor.Identity).add(e, at)
	if all.reasons == nil {
		return
	}
	if all.reasons[e.Officer] == nil {
		all.reasons[e.Officer] = map[string]int{}
	}
	all.reasons[e.Officer][e.Justification]++
}

func of(all map[string]*habit, name string) *habit {
	h := all[name]
	if h == nil {
		h = &habit{days: map[string]int{}, to: map[string]int{}}
		all[name] = h
	}
	return h
}

func (h *habit) add(e *audit.Entry, at time.Time) {
	h.entries++
	h.hours[at.Hour()]++
	h.days[at.Format(time.DateOnly)]++
	if e.Action != "package.send" {
		return
	}
	h.sends++
	if e.Outcome == "denied" {
		h.denied++
	}
	for _, r := range e.Recipients {
		h.to[r]++
	}
}

// hintsOf compares officers and units with their own history.
func hintsOf(was, is *habits, repeat int) (all []hint) {
	for _, name := range slices.Sorted(maps.Keys(is.officers)) {
		before, now := was.officers[name], is.officers[name]
		all = append(all, hoursOf(name, before, now, is.clock)...)
		all = append(all, volumeOf(name, before, now, is.clock)...)
		all = append(all, reasonsOf(name, is.reasons[name], now.entries, repeat)...)
	}
	for _, name := range slices.Sorted(maps.Keys(is.units)) {
		before, now := was.units[name], is.units[name]
		all = append(all, recipientsOf(name, before, now)...)
		all = append(all, denialsOf(name, before, now)...)
	}
	for i := range all {
		all[i].Zone = is.clock.String()
	}
	return all
}

func hoursOf(name string, was, is *habit, clock *time.Location) (all []hint) {
	if was == nil || was.entries < hintHistory {
		return nil
	}
	for hour, n := range is.hours {
		if n > 0 && was.hours[hour]+was.hours[(hour+1)%24]+was.hours[(hour+23)%24] == 0 {
			all = append(all, hint{Kind: "unusual-hour", About: name, Query: preset("officer", name),
				Why: fmt.Sprintf("%s between %02d and %02d h (%s); none of the %d before was within an hour of that", entries(uint64(n)), hour, hour+1, clock, was.entries)})
		}
	}
	return all
}

func volumeOf(name string, was, is *habit, clock *time.Location) (all []hint) {
	if was == nil || was.entries < hintHistory {
		return nil
	}
	most := 0
	for _, n := range was.days {
		most = max(most, n)
	}
	for _, day := range slices.Sorted(maps.Keys(is.days)) {
		if n := is.days[day]; n >= hintVolume && n >= hintTimes*most {
			all = append(all, hint{Kind: "volume", About: name, Query: preset("officer", name),
				Why: fmt.Sprintf("%s on %s (%s); the busiest day before had %d", entries(uint64(n)), day, clock, most)})
		}
	}
	return all
}

func reasonsOf(name string, reasons map[string]int, of, repeat int) (all []hint) {
	texts := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a, b))
	})
	for _, text := range texts {
		switch n := reasons[text]; {
		case n < repeat:
		case text == "":
			all = append(all, hint{Kind: "no-justification", About: name, Why: entries(uint64(n)) + " without a justification", Query: preset("officer", name) + " -justification:*"})
		default:
			all = append(all, hint{Kind: "boilerplate", About: name, Query: preset("officer", name) + " " + preset("justification", text),
				Why: fmt.Sprintf("the same justification, word for word, %d times of %d: %s", n, of, text)})
		}
	}
	return all
}

func recipientsOf(name string, was, is *habit) (all []hint) {
	if was == nil || was.sends < hintHistory {
		return nil
	}
	for _, to := range slices.Sorted(maps.Keys(is.to)) {
		if was.to[to] == 0 {
			all = append(all, hint{Kind: "first-time-counterpart", About: name, Query: preset("identity", name) + " action:package.send " + preset("recipient", to),
				Why: fmt.Sprintf("%d packages to %s; none of the %d before went there", is.to[to], to, was.sends)})
		}
	}
	return all
}

func denialsOf(name string, was, is *habit) []hint {
	if is.sends < hintSends {
		return nil
	}
	rate, before := float64(is.denied)/float64(is.sends), 0.0
	if was != nil && was.sends > 0 {
		before = float64(was.denied) / float64(was.sends)
	}
	if rate < hintDenied || rate < hintTimes*before {
		return nil
	}
	return []hint{{Kind: "denials", About: name, Query: preset("identity", name) + " action:package.send outcome:denied",
		Why: fmt.Sprintf("%d of %d packages were denied (%.0f %%); before it was %.0f %%", is.denied, is.sends, 100*rate, 100*before)}}
}
