package policy

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRedecide: the input that was recorded and the Set that decided give the same decision again, word for word.
func TestRedecide(t *testing.T) {
	c, e := newCorpus(t, sampleSet(t), 7), sampleEngine(t)
	seen := map[string]int{}
	for range 500 {
		r := c.request(t)
		ds, err := e.Decide(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			again, err := c.set.Redecide(t.Context(), time.Minute, d.Recipient, d.Input)
			if err != nil {
				t.Fatal(err)
			}
			plain := *c.set
			plain.memo = nil // the rules as they are written, asked one by one
			same, err := plain.Redecide(t.Context(), time.Minute, d.Recipient, d.Input)
			if err != nil || !reflect.DeepEqual(again, same) {
				t.Fatalf("what is remembered is not what the rules say, %v:\n%s", err, cmp.Diff(again, same))
			}
			if !reflect.DeepEqual(d, again) {
				t.Fatalf("decided again, it is another decision:\n%s\n%s %s", cmp.Diff(d, again), d.Input.Shared, d.Input.Own)
			}
			seen[d.Verdict]++
		}
	}
	if seen[Denied] < 50 || seen[Pending] < 10 || seen[Delivered] < 20 {
		t.Errorf("the corpus is one-sided: %v", seen)
	}
}

// TestRedecideWithoutRules: what was decided before any rule was asked is so again.
func TestRedecideWithoutRules(t *testing.T) {
	s, r := sampleSet(t), request(t, "ee/pbgb", []string{"lv/vp"}, with(eeLV(), meta{"purpose": nil}))
	d := decide(t, r)[0]
	again, err := s.Redecide(t.Context(), time.Minute, "lv/vp", d.Input)
	if err != nil || again.Verdict != Denied || again.Reasons[0].Code != codeMetaInvalid || again.Reasons[0].Code != d.Reasons[0].Code {
		t.Errorf("%+v, %v", again, err)
	}
	none := denyWithoutSet(r)[0]
	again, err = (*Set)(nil).Redecide(t.Context(), time.Minute, "lv/vp", none.Input)
	if diff := cmp.Diff(none, again); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
}

// TestRedecideRefusesOtherInputs: what is not an input of this engine is an error, never a verdict.
func TestRedecideRefusesOtherInputs(t *testing.T) {
	s, good := sampleSet(t), decide(t, request(t, "ee/pbgb", []string{"lv/vp"}, eeLV()))[0].Input
	for name, in := range map[string]Input{
		"erased":           {},
		"shared erased":    {Own: good.Own},
		"own erased":       {Shared: good.Shared},
		"no JSON":          {Shared: good.Shared[:len(good.Shared)-1], Own: good.Own},
		"a member lacks":   {Shared: []byte(`{"action":"send"}`), Own: good.Own},
		"of another shape": {Shared: good.Own, Own: good.Shared},
	} {
		if d, err := s.Redecide(t.Context(), time.Minute, "lv/vp", in); !errors.Is(err, ErrInput) || d.Verdict != "" {
			t.Errorf("%s: %+v, %v", name, d.Verdict, err)
		}
	}
	if _, err := s.Redecide(t.Context(), time.Minute, "lv/other", good); !errors.Is(err, ErrInput) {
		t.Errorf("of another recipient: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // it may be done before it is stopped
		if d, err := s.Redecide(gone, time.Minute, "lv/vp", good); err != nil {
			if !errors.Is(err, ErrEngine) || d.Verdict != "" {
				t.Errorf("stopped: %+v, %v", d, err)
			}
			return
		}
	}
}
