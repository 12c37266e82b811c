package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/search"
	"github.com/liaison-exchange/liaison/policy"
)

// TestHints: what stands out against one's own history is a hint that says
// why; what is usual is none, and neither is anything of somebody new.
func TestHints(t *testing.T) {
	entry := func(officer, unit string, at time.Time, outcome, to, why string) audit.Entry {
		return audit.Entry{Owner: "ee/pbgb", Action: "package.send", Outcome: outcome, Time: audit.FormatTime(at), Officer: officer, Justification: why, Recipients: []string{to},
			Actor: audit.Actor{Identity: "spiffe://ee/pbgb/unit/" + unit}}
	}
	day := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	var earlier, now []audit.Entry
	for i := range 60 {
		at := day.AddDate(0, 0, -1-i/2).Add(time.Duration(i%8) * time.Hour)
		earlier = append(earlier, entry("o-1", "a", at, "delivered", "lv/vp", fmt.Sprint("reason ", i)), entry("o-2", "b", at, "delivered", "lv/vp", fmt.Sprint("reason ", i)))
		now = append(now, entry("o-2", "b", day.AddDate(0, 0, i/2).Add(time.Duration(i%8)*time.Hour), "delivered", "lv/vp", fmt.Sprint("other reason ", i)))
	}
	if found := hintsOf(habitsOf(t, earlier, time.UTC), habitsOf(t, now, time.UTC), 10); len(found) != 0 {
		t.Errorf("what is usual: %+v", found)
	}
	for i := range 12 {
		now = append(now, entry("o-1", "a", day.Add(time.Duration(18+i%2)*time.Hour), "denied", "by/mia", "as always"))
	}
	now = append(now, entry("o-new", "new", day.Add(18*time.Hour), "denied", "by/mia", "the first one"))
	var kinds []string
	for _, h := range hintsOf(habitsOf(t, earlier, time.UTC), habitsOf(t, now, time.UTC), 10) {
		if kinds = append(kinds, h.Kind); !strings.Contains(h.About, "o-1") && !strings.HasSuffix(h.About, "/unit/a") {
			t.Errorf("%+v", h)
		}
		q, err := search.Parse(h.Query)
		hits := 0
		for i := range now {
			if err == nil && search.Match(&now[i], q) {
				hits++
			}
		}
		if err != nil || hits != 12 || h.Why == "" {
			t.Errorf("%+v: %d hits (%v)", h, hits, err)
		}
	}
	slices.Sort(kinds)
	if want := []string{"boilerplate", "denials", "first-time-counterpart", "unusual-hour", "volume"}; !slices.Equal(slices.Compact(kinds), want) {
		t.Errorf("hints %q, want %q", kinds, want)
	}
	now = nil
	for range 10 {
		now = append(now, entry("o-3", "c", day, "delivered", "lv/vp", ""))
	}
	if found := hintsOf(habitsOf(t, nil, time.UTC), habitsOf(t, now, time.UTC), 10); len(found) != 1 || found[0].Kind != "no-justification" {
		t.Errorf("without justification: %+v", found)
	}
}

// TestHintsByTheAgencysClock: an hour is unusual by the clock of the agency
// and not by UTC, in winter and in summer; a night that UTC cuts in two is one
// day there.
func TestHintsByTheAgencysClock(t *testing.T) {
	tallinn := policy.TimeZone("Europe/Tallinn")
	entry := func(at time.Time) audit.Entry {
		return audit.Entry{Owner: "ee/pbgb", Action: "content.read", Outcome: "released", Time: audit.FormatTime(at), Officer: "o-1", Justification: at.String()}
	}
	// Office hours of summer, 9 to 16 in Tallinn, are 6 to 13 in UTC; those of winter 7 to 14.
	var earlier, now []audit.Entry
	for i := range 80 {
		earlier = append(earlier, entry(time.Date(2026, 8, 3+i/8, 9+i%8, 30, 0, 0, tallinn)))
		now = append(now, entry(time.Date(2026, 11, 2+i/8, 9+i%8, 30, 0, 0, tallinn)))
	}
	if found := hintsOf(habitsOf(t, earlier, tallinn), habitsOf(t, now, tallinn), 10); len(found) != 0 {
		t.Errorf("office hours of winter after those of summer: %+v", found)
	}
	night := append(slices.Clone(now), entry(time.Date(2026, 11, 20, 3, 10, 0, 0, tallinn)))
	found := hintsOf(habitsOf(t, earlier, tallinn), habitsOf(t, night, tallinn), 10)
	if len(found) != 1 || found[0].Kind != "unusual-hour" || found[0].Zone != "Europe/Tallinn" || !strings.Contains(found[0].Why, "between 03 and 04 h (Europe/Tallinn)") {
		t.Errorf("3 o'clock in Tallinn: %+v", found)
	}
	// 18 h in Tallinn is unusual there; in UTC it is 16 h, and none either was near.
	late := append(slices.Clone(now), entry(time.Date(2026, 11, 20, 18, 10, 0, 0, tallinn)))
	if found := hintsOf(habitsOf(t, earlier, tallinn), habitsOf(t, late, tallinn), 10); len(found) != 1 || !strings.Contains(found[0].Why, "between 18 and 19 h (Europe/Tallinn)") {
		t.Errorf("18 h in Tallinn: %+v", found)
	}
	// 23 h and 1 h of one night in UTC are one day in Tallinn.
	var many []audit.Entry
	for i := range 30 {
		many = append(many, entry(time.Date(2026, 11, 21, 22, 30, 0, 0, time.UTC).Add(time.Duration(i)*5*time.Minute)))
	}
	volume := func(clock *time.Location) (all []string) {
		for _, h := range hintsOf(habitsOf(t, earlier, clock), habitsOf(t, many, clock), 10) {
			if h.Kind == "volume" {
				all = append(all, h.Why)
			}
		}
		return all
	}
	if got := volume(tallinn); len(got) != 1 || !strings.Contains(got[0], "30 entries on 2026-11-22 (Europe/Tallinn)") {
		t.Errorf("one night in Tallinn: %q", got)
	}
	if got := volume(time.UTC); len(got) != 0 && strings.Contains(got[0], "30 entries") {
		t.Errorf("in UTC: %q", got)
	}
}

func habitsOf(t *testing.T, all []audit.Entry, clock *time.Location) *habits {
	t.Helper()
	h := newHabits(clock)
	h.reasons = map[string]map[string]int{}
	for i := range all {
		at, err := audit.ParseTime(all[i].Time)
		if err != nil {
			t.Fatal(err)
		}
		h.add(&all[i], at)
	}
	return h
}
