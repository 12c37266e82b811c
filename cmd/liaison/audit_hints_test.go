package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/search"
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
	if found := hintsOf(earlier, now, 10); len(found) != 0 {
		t.Errorf("what is usual: %+v", found)
	}
	for i := range 12 {
		now = append(now, entry("o-1", "a", day.Add(time.Duration(18+i%2)*time.Hour), "denied", "by/mia", "as always"))
	}
	now = append(now, entry("o-new", "new", day.Add(18*time.Hour), "denied", "by/mia", "the first one"))
	var kinds []string
	for _, h := range hintsOf(earlier, now, 10) {
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
	if found := hintsOf(nil, now, 10); len(found) != 1 || found[0].Kind != "no-justification" {
		t.Errorf("without justification: %+v", found)
	}
}
