package exchange_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
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
// comes before all else, then what would wait, what it denies, and last where
// it asks for something else; of each kind what was decided first.
func TestReplayTellsNewlyAllowedFirst(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Unwatched())
	authors(x, "ee/pbgb")
	p := x.Parts(exchangetest.PartsConfig{})
	if err := p.Service.Activate(t.Context(), inEstonia(t, refusing("input.claimed.offence.serious == true"))); err != nil {
		t.Fatal(err)
	}
	recordMany(t, p, 700, nil) // more than a page
	draft := refusing(`input.claimed.purpose == "detection"`) + `
# METADATA
# title: Prevention waits
# custom:
#   rule: ee-98
#   code: national_review
#   text:
#     en: Prevention waits.
#   fix:
#     en: Wait.
#   source: a draft
pend contains "national_review" if input.claimed.purpose == "prevention"

# METADATA
# title: A report
# custom:
#   rule: ee-97
#   code: report_use
#   text:
#     en: Report.
#   source: a draft
oblige contains {"code": "report_use", "params": {"days": 9}} if input.claimed.offence.max_penalty_years > 6
`
	changes, sum := replayedBy(t, p.Service, author(x, "ee/pbgb"), "ee", draftOf(t, "ee", map[string]string{"send.rego": draft, "ee_test.rego": ""}))
	order := []string{exchange.NowAllowed, exchange.NowPending, exchange.NowDenied, exchange.ObligationsChange}
	for _, kind := range order {
		if sum.Changes[kind] < 3 {
			t.Errorf("%d changes of %s", sum.Changes[kind], kind)
		}
	}
	if !slices.IsSortedFunc(changes, func(a, b *exchange.ReplayChange) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), a.At.Compare(b.At))
	}) {
		t.Error("the changes are told in another order")
	}
}

// inEstonia are rules under which Estonia sends otherwise.
func inEstonia(t testing.TB, send string) *policy.Set {
	t.Helper()
	in := policy.Samples()
	ee := in.Rules["ee"]
	ee.Files = maps.Clone(ee.Files)
	ee.Files["send.rego"] = []byte(send)
	delete(ee.Files, "ee_test.rego")
	ee.Seq++
	in.Rules["ee"] = ee
	return onSamples(t, in)
}

// TestReplayAfterAnActivation: what is other than recorded because of the rules
// in force is no doing of a draft.
func TestReplayAfterAnActivation(t *testing.T) {
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

// TestReplayOfErasedInputs: a decision whose input is erased is counted for
// those who had the package, and for nobody else.
func TestReplayOfErasedInputs(t *testing.T) {
	t.Parallel()
	x := start(t)
	authors(x, "ee/pbgb", "lv/vp", "ua/npu", "it/dcpc")
	h := lookBack(t, x)
	p := x.Parts(exchangetest.PartsConfig{})
	var rows []exchange.DecisionRow
	err := p.Store.View(t.Context(), func(r exchange.Reader) error {
		for _, id := range []string{h.toLatvia, h.toUkraine, h.waits} {
			row, err := r.Decision(id)
			if err != nil {
				return err
			}
			rows = append(rows, *row)
		}
		return nil
	})
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	_, err = p.Journal.Commit(t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		for i, row := range rows {
			row.ID = uuid.Must(uuid.NewV7()).String()
			if row.Shared = digestOf([]byte(row.ID)); i == 1 {
				row.Shared, row.Own = rows[1].Shared, nil
			}
			tx.PutDecision(row)
		}
		return []audit.Entry{{Owner: "exchange/ops", Operation: audit.Alteration, Action: "test.seed", Outcome: "done"}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for agency, want := range map[string]struct{ sees, erased int }{
		"ee/pbgb": {7, 3}, "lv/vp": {2, 1}, "ua/npu": {1, 1}, "it/dcpc": {2, 0}, // what Italy is asked about is not told without the input
	} {
		_, sum := replayedBy(t, p.Service, author(x, agency), agency[:2], draftOf(t, agency[:2], nil))
		if sum.Decisions != want.sees || sum.Erased != want.erased {
			t.Errorf("%s sees %d and %d erased ones, not %v", agency, sum.Decisions, sum.Erased, want)
		}
	}
}

// stopping ends something with a view of the store, before or after it.
type stopping struct {
	exchange.Store
	left  atomic.Int64
	after bool
	stop  func()
}

func (s *stopping) View(ctx context.Context, f func(exchange.Reader) error) error {
	now := s.left.Add(-1) == 0
	if now && !s.after {
		s.stop()
	}
	err := s.Store.View(ctx, f)
	if now {
		s.stop()
	}
	return err
}

// TestReplayIsStopped: a replay whose reader goes away ends, at whatever page,
// and makes way for the next.
func TestReplayIsStopped(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Unwatched())
	authors(x, "ee/pbgb")
	wrapped := &stopping{}
	p := x.Parts(exchangetest.PartsConfig{Wrap: func(s exchange.Store) exchange.Store { wrapped.Store = s; return wrapped }})
	recordMany(t, p, 1200, nil)
	draft := draftOf(t, "ee", map[string]string{"send.rego": noMinors(), "ee_test.rego": ""})
	for _, view := range []int{0, 1, 2, 3, 3, 3, 3, 3} { // the bounds and the pages; and when all was read
		wrapped.after = view == 3
		ctx, cancel := context.WithCancel(t.Context())
		wrapped.stop = cancel
		err := p.Service.Replay(ctx, author(x, "ee/pbgb"), "ee", draft, time.Time{}, func() error { wrapped.left.Store(int64(view + 1)); return nil }, func(r exchange.Replayed) error {
			if r.Change != nil || r.Summary != nil {
				t.Errorf("stopped at view %d, it tells %+v", view, r)
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped at view %d: %v", view, err)
		}
		cancel()
	}
	gone := errors.New("gone")
	lines := 0
	err := p.Service.Replay(t.Context(), author(x, "ee/pbgb"), "ee", draft, time.Time{}, func() error { return nil }, func(r exchange.Replayed) error {
		if r.Change == nil {
			return nil // progress
		}
		lines++
		return gone
	})
	if !errors.Is(err, gone) || lines != 1 {
		t.Errorf("%v after %d changes", err, lines)
	}
	if _, sum := replayedBy(t, p.Service, author(x, "ee/pbgb"), "ee", draft); sum.Decisions != 1200 {
		t.Errorf("then it tells %+v", sum)
	}
}
