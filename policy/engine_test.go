package policy

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestDecideWaitsForAProcessor: while all processors evaluate, a call waits
// before its own timeout begins, and leaves if its caller does.
func TestDecideWaitsForAProcessor(t *testing.T) {
	e := NewEngine(Config{Timeout: time.Minute, AllowSamples: true})
	if err := e.Activate(sampleSet(t)); err != nil {
		t.Fatal(err)
	}
	for range cap(e.slots) {
		e.slots <- struct{}{}
	}
	r := request(t, "ee/pbgb", []string{"lv/vp"}, eeLV())
	gone, leave := context.WithCancel(t.Context())
	leave()
	if ds, err := e.Decide(gone, r); !errors.Is(err, ErrEngine) || ds != nil {
		t.Errorf("%v, %v", ds, err)
	}
	<-e.slots
	for range 2 * cap(e.slots) { // each gives its place back
		if ds, err := e.Decide(t.Context(), r); err != nil || ds[0].Verdict != Delivered {
			t.Fatalf("%v, %v", ds, err)
		}
	}
}
