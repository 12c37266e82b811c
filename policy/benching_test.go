package policy

import (
	"maps"
	"slices"
	"testing"
)

// TestBench: every layer of a draft is measured on both packages, and takes as many steps as an activation counts.
func TestBench(t *testing.T) {
	d := draftOf(t, map[string]string{"send.rego": finnishSend, "fi_test.rego": finnishTest})
	list, err := d.Bench(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]int{}
	for _, m := range list {
		steps[m.Layer+" "+m.Package] = m.Steps
		if m.Steps <= 0 || m.Steps > m.MaxSteps || m.Allocs <= 0 || m.P50 < 0 || m.P50 > m.P95 || m.P95 > m.P99 {
			t.Errorf("%+v", m)
		}
	}
	want := []string{"common (package) largest", "common (package) ordinary", "common (recipient) largest", "common (recipient) ordinary", "fi/send largest", "fi/send ordinary"}
	if got := slices.Sorted(maps.Keys(steps)); !slices.Equal(got, want) {
		t.Errorf("measured %v", got)
	}
	if steps["common (package) largest"] <= steps["common (package) ordinary"] {
		t.Errorf("the largest package takes no more steps: %v", steps)
	}
}
