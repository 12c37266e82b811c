package exchange_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// TestReplayIsExact: what a replay tells is what comes of deciding each
// recorded decision as a whole by the draft, and where that is other, by the
// rules in force: whether these or others decided, whatever a draft changes.
func TestReplayIsExact(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Unwatched())
	authors(x, "ee/pbgb")
	p := x.Parts(exchangetest.PartsConfig{})
	var recorded []policy.Decision
	keep := func(d policy.Decision) { recorded = append(recorded, d) }
	recordMany(t, p, 300, keep)
	if err := p.Service.Activate(t.Context(), shorterInLatvia(t)); err != nil {
		t.Fatal(err)
	}
	recordMany(t, p, 301, keep)
	send := string(policy.Samples().Rules["ee"].Files["send.rego"])
	asks := strings.Replace(send, `oblige contains {"code": "erase_within", "params": {"days": 365}} if input.claimed.retention.erase_by == ""`,
		`oblige contains {"code": "erase_within", "params": {"days": 36}} if input.derived.minors == true`, 1)
	waits := strings.NewReplacer(`deny contains "minors_not_accepted"`, `pend contains "national_review"`, "code: minors_not_accepted", "code: national_review").
		Replace(refusing(`input.claimed.purpose == "prevention"`))
	rcp := strings.Replace(string(policy.Samples().Common.Files["rcp.rego"]), "input.derived.protected == true\n\tinput.facts.route", "input.claimed.purpose != \"prevention\"\n\tinput.derived.protected == true\n\tinput.facts.route", 1)
	declared := string(policy.Samples().Declared["ee"].Files["declared.json"])
	for name, c := range map[string]struct {
		j       string
		changes map[string]string
		least   map[string]int
	}{
		"nothing":          {"ee", nil, map[string]int{"unchanged": 400}},
		"a refusal":        {"ee", map[string]string{"send.rego": noMinors()}, map[string]int{exchange.NowDenied: 50, "unchanged": 200, "already": 10}},
		"only obligations": {"ee", map[string]string{"send.rego": asks}, map[string]int{exchange.ObligationsChange: 50, "unchanged": 200, "already": 10}},
		"a pend":           {"ee", map[string]string{"send.rego": waits}, map[string]int{exchange.NowPending: 50, "unchanged": 200, "already": 10}},
		"what is declared": {"ee", map[string]string{"declared.json": declared + "\n"}, map[string]int{"unchanged": 400, "already": 10}},
		"common":           {policy.CommonBundle, map[string]string{"rcp.rego": rcp, "common_test.rego": ""}, map[string]int{exchange.ObligationsChange: 20, "unchanged": 200, "already": 10}},
		"a layer that goes": {"ee", map[string]string{"send.rego": "", "ee_test.rego": ""},
			map[string]int{exchange.NowDenied: 400}},
	} {
		if c.changes != nil && c.j == "ee" {
			c.changes["ee_test.rego"] = ""
		}
		raw := draftOf(t, c.j, c.changes)
		changes, sum := replayedBy(t, p.Service, author(x, "ee/pbgb"), c.j, raw)
		want, ids := slowly(t, p, raw, recorded), map[string]int{}
		got := map[string]int{"unchanged": sum.Unchanged, "already": sum.Already, "unread": sum.Unread}
		maps.Copy(got, sum.Changes)
		for _, k := range []string{"unchanged", "already", "unread"} {
			want[k] += 0
		}
		if !reflect.DeepEqual(got, want) || sum.Decisions != len(recorded) {
			t.Errorf("%s: a replay tells %v of %d, deciding all %v", name, got, sum.Decisions, want)
		}
		for kind, n := range c.least {
			if got[kind] < n {
				t.Errorf("%s: %s only %d times: %v", name, kind, got[kind], got)
			}
		}
		for _, change := range changes {
			ids[change.Kind]++
			if change.Was.Verdict == "" || change.Now.Verdict == "" || change.Kind == exchange.NowDenied && len(change.Now.Rules) == 0 {
				t.Fatalf("%+v", change)
			}
		}
		for kind, n := range sum.Changes {
			if ids[kind] != min(n, 1000) {
				t.Errorf("%s: %d of %d changes of %s are told", name, ids[kind], n, kind)
			}
		}
	}
}

// shorterInLatvia are rules under which Latvia erases sooner.
func shorterInLatvia(t testing.TB) *policy.Set {
	t.Helper()
	in := policy.Samples()
	lv := in.Rules["lv"]
	lv.Files = maps.Clone(lv.Files)
	lv.Files["receive.rego"] = []byte(strings.Replace(string(lv.Files["receive.rego"]), `{"days": 1095}`, `{"days": 109}`, 1))
	delete(lv.Files, "lv_test.rego")
	lv.Seq++
	in.Rules["lv"] = lv
	return onSamples(t, in)
}

// slowly decides all anew, as a whole, and counts.
func slowly(t testing.TB, p *exchangetest.Parts, raw []byte, recorded []policy.Decision) map[string]int {
	t.Helper()
	b, err := policy.ReadBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	now := p.Policy.Set()
	in := b.Apply(now.Inputs())
	in.AllowSamples = true
	draft, err := policy.BuildOn(now, in)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	decided := func(s *policy.Set, was policy.Decision) policy.Decision {
		d, err := s.Redecide(t.Context(), time.Minute, was.Recipient, was.Input)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, was := range recorded {
		then := decided(draft, was)
		kind := changeBetween(was, then)
		switch {
		case kind == "":
			kind = "unchanged"
		case changeBetween(decided(now, was), then) == "":
			kind = "already"
		}
		counts[kind]++
	}
	return counts
}

// changeBetween says what changes for those who send and receive.
func changeBetween(a, b policy.Decision) string {
	type asked struct{ code, params string }
	of := func(d policy.Decision) (list []asked) {
		for _, o := range d.Obligations {
			list = append(list, asked{o.Code, string(o.Params)})
		}
		return list
	}
	switch {
	case a.Verdict != b.Verdict:
		return map[string]string{policy.Delivered: exchange.NowAllowed, policy.Pending: exchange.NowPending, policy.Denied: exchange.NowDenied}[b.Verdict]
	case !reflect.DeepEqual(of(a), of(b)), !reflect.DeepEqual(a.Pends, b.Pends):
		return exchange.ObligationsChange
	}
	return ""
}
