package exchange_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// draftOf packs the sample policy of a jurisdiction with other files; an empty
// one is left out.
func draftOf(t testing.TB, j string, changes map[string]string) []byte {
	t.Helper()
	in := policy.Samples()
	b := policy.Bundle{Jurisdiction: j, Seq: 1, Status: policy.Sample, Files: map[string][]byte{}}
	maps.Copy(b.Files, in.Rules[j].Files)
	if b.Files["declared.json"] = in.Declared[j].Files["declared.json"]; j == policy.CommonBundle {
		b.Files = maps.Clone(in.Common.Files)
	}
	for name, text := range changes {
		if b.Files[name] = []byte(text); text == "" {
			delete(b.Files, name)
		}
	}
	raw, err := b.Pack(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// nothing is an entry package that refuses all.
func nothing(j, kind string) string {
	return "package jurisdiction." + j + "." + kind + "\n\ndefault allow := false\n"
}

// replayedBy is what a policy officer of an agency is told.
func replayedBy(t testing.TB, s *exchange.Service, c exchange.Caller, j string, draft []byte) (changes []*exchange.ReplayChange, sum *exchange.ReplaySummary) {
	t.Helper()
	err := s.Replay(t.Context(), c, j, draft, time.Time{}, func() error { return nil }, func(r exchange.Replayed) error {
		if r.Change != nil {
			changes = append(changes, r.Change)
		}
		if r.Summary != nil {
			sum = r.Summary
		}
		return nil
	})
	if err != nil || sum == nil {
		t.Fatalf("replay of %s: %v", j, err)
	}
	return changes, sum
}

// author is a policy officer as the server passes one to the service.
func author(x *exchangetest.Exchange, agency string) exchange.Caller {
	c := x.Caller(agency, "unit")
	c.Identity.Role = "policy"
	return c
}

// TestReplay: of a draft that refuses all, each jurisdiction is told of the
// decisions that it may see, and of no other in no count; the rules in force
// change nothing; nothing comes into force.
func TestReplay(t *testing.T) {
	t.Parallel()
	x := start(t)
	authors(x, "ee/pbgb", "lv/vp", "ua/npu", "it/dcpc", "by/mia")
	h := lookBack(t, x)
	p := x.Parts(exchangetest.PartsConfig{})
	before := p.Policy.Set()
	for agency, want := range map[string]struct {
		sees   int
		denied []string
	}{
		"ee/pbgb": {7, []string{h.toLatvia, h.toUkraine, h.waits, h.held, h.acknowledged}},
		"lv/vp":   {2, []string{h.toLatvia, h.acknowledged}},
		"ua/npu":  {1, []string{h.toUkraine}},
		"it/dcpc": {2, []string{h.dry, h.waits}},
		"by/mia":  {0, nil},
	} {
		j := agency[:2]
		if j == "ee" {
			if _, sum := replayedBy(t, p.Service, author(x, agency), j, draftOf(t, j, nil)); sum.Decisions != want.sees || sum.Unchanged != want.sees || len(sum.Changes) != 0 {
				t.Errorf("its own rules change: %+v", sum)
			}
		}
		draft := map[string]string{"send.rego": nothing(j, "send"), "receive.rego": nothing(j, "receive"), "onward.rego": nothing(j, "onward")}
		for name := range policy.Samples().Rules[j].Files {
			if draft[name] == "" {
				draft[name] = ""
			}
		}
		changes, sum := replayedBy(t, p.Service, author(x, agency), j, draftOf(t, j, draft))
		var got []string
		for _, c := range changes {
			got = append(got, c.Decision)
			if c.Kind != exchange.NowDenied || c.Now.Verdict != policy.Denied || c.Was.Verdict == policy.Denied {
				t.Errorf("%+v", c)
			}
		}
		slices.Sort(got)
		slices.Sort(want.denied)
		if !slices.Equal(got, want.denied) || sum.Decisions != want.sees || sum.Changes[exchange.NowDenied] != len(want.denied) {
			t.Errorf("%s refuses all: it is told of %v, not %v; %+v", agency, got, want.denied, sum)
		}
	}
	if p.Policy.Set() != before {
		t.Error("a replay changed what is in force")
	}
	for _, c := range []struct{ agency, j string }{{"lv/vp", "ee"}, {"by/mia", "xx"}} {
		err := p.Service.Replay(t.Context(), author(x, c.agency), c.j, draftOf(t, "ee", nil), time.Time{}, nil, nil)
		if r := exchange.AsRefusal(err); r == nil || r.Kind != exchange.NotFound {
			t.Errorf("%s replays %s: %v", c.agency, c.j, err)
		}
	}
}

// TestReplayTellsNewlyAllowedFirst: what the rules denied and the draft lets go
// comes before all else.
func TestReplayTellsNewlyAllowedFirst(t *testing.T) {
	t.Parallel()
	x := start(t)
	authors(x, "ee/pbgb", "lv/vp")
	lookBack(t, x)
	p := x.Parts(exchangetest.PartsConfig{})
	if err := p.Service.Activate(t.Context(), otherRules(t)); err != nil {
		t.Fatal(err)
	}
	// As Latvia refuses all now, its own samples as a draft give back what was decided then: nothing is other than recorded.
	changes, sum := replayedBy(t, p.Service, author(x, "lv/vp"), "lv", draftOf(t, "lv", nil))
	if len(changes) != 0 || sum.Unchanged != sum.Decisions || sum.Decisions == 0 {
		t.Errorf("%+v", sum)
	}
	// A draft of Estonia changes nothing of that: what is other than then is so by the rules in force.
	changes, sum = replayedBy(t, p.Service, author(x, "ee/pbgb"), "ee", draftOf(t, "ee", nil))
	if len(changes) != 0 || sum.Already == 0 {
		t.Errorf("%+v", sum)
	}
}
