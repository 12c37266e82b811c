package exchange_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// shadowing is a story of drafts beside the rules in force.
type shadowing struct {
	testing.TB
	x *exchangetest.Exchange
	p *exchangetest.Parts
}

func newShadowing(t testing.TB) *shadowing {
	x := start(t)
	authors(x, "ee/pbgb", "lv/vp", "ua/npu")
	return &shadowing{t, x, x.Parts(exchangetest.PartsConfig{})}
}

// fails is a draft of Latvia that does not come to an answer where the checks
// of a draft cannot see it: for one case only.
func fails(t testing.TB, condition string) []byte {
	receive := "package jurisdiction.lv.receive\n\ndefault allow := false\n\nallow if {\n\tinput.claimed.case_ref == \"LOOP\"\n" + condition + "}\n"
	return draftOf(t, "lv", map[string]string{"receive.rego": receive, "lv_test.rego": ""})
}

var (
	brokenRule = "\tnot substring(input.claimed.case_ref, -1, 1) == \"x\"\n"
	slowRule   = "\tsome a in " + thousand + "\n\tsome b in " + thousand + "\n\tsome c in " + thousand + "\n\ta + b + c == -1\n"
	thousand   = "[" + strings.Repeat("0, ", 999) + "0]"
)

// refusesAll is a draft of a jurisdiction that lets nothing go.
func refusesAll(t testing.TB, j string) []byte {
	changes := map[string]string{}
	for name := range policy.Samples().Rules[j].Files {
		changes[name] = ""
	}
	for _, kind := range []string{"send", "receive", "onward"} {
		changes[kind+".rego"] = nothing(j, kind)
	}
	return draftOf(t, j, changes)
}

// keepsLonger is a draft of Estonia without its limit of five years.
func keepsLonger(t testing.TB) []byte {
	send := policy.Samples().Rules["ee"].Files["send.rego"]
	longer := bytes.Replace(send, []byte("retention_days > 1827"), []byte("retention_days > 18270"), 1)
	if bytes.Equal(send, longer) {
		t.Fatal("Estonia has no such limit any more")
	}
	return draftOf(t, "ee", map[string]string{"send.rego": string(longer), "ee_test.rego": ""})
}

func (s *shadowing) start(agency string, draft []byte) {
	s.Helper()
	if _, err := s.p.Service.StartShadow(s.Context(), author(s.x, agency), agency[:2], draft); err != nil {
		s.Fatal(err)
	}
}

// came is what a shadow came to, after all that was handed to it.
func (s *shadowing) came(agency string) *exchange.ShadowState {
	s.Helper()
	s.p.Service.DrainShadow(agency[:2])
	state, err := s.p.Service.ShowShadow(s.Context(), author(s.x, agency), agency[:2], 1000)
	if err != nil {
		s.Fatal(err)
	}
	return state
}

// counted compares the counters of a shadow.
func (s *shadowing) counted(what, agency, want string) *exchange.ShadowState {
	s.Helper()
	c := s.came(agency)
	got := fmt.Sprintf("compared %d same %d %v dropped %d failed %d", c.Compared, c.Same, c.Changes, c.Dropped, c.Failed)
	if got != want {
		s.Errorf("%s: %s: %s, not %s", what, agency, got, want)
	}
	return c
}

// posted posts a sample, changed, and says what came of it.
func (s *shadowing) posted(sample string, change func(*exchangetest.Draft)) string {
	s.Helper()
	d := draft(s.x, sample)
	d.About["case_ref"] = "LOOP"
	if change != nil {
		change(d)
	}
	a, err := s.p.Service.Post(s.Context(), s.x.Caller(d.Iss, certs.RoleUnit), incoming(s.x.PartsOf(s.x.Seal(d))))
	var outcomes []exchange.Outcome
	if r := exchange.AsRefusal(err); r != nil {
		outcomes = r.Outcomes
	} else if err != nil {
		s.Fatal(err)
	} else {
		outcomes = a.Outcomes
	}
	var told []string
	for _, o := range outcomes {
		told = append(told, fmt.Sprint(o.Recipient, o.Outcome, o.Obligations, o.Reasons, o.Advice))
	}
	return strings.Join(told, "; ")
}

// Changes of a sample: Latvia does not read it; Estonia may not send it.
func unread(d *exchangetest.Draft) { d.About["language"] = "lt" }

func tooLong(d *exchangetest.Draft) {
	retention := maps.Clone(d.About["retention"].(map[string]any))
	retention["erase_by"] = "2033-01-01"
	d.About["retention"] = retention
}

// TestShadow: a stricter and a looser draft give their differences, each to
// its own jurisdiction, and nothing of what it may not see.
func TestShadow(t *testing.T) {
	t.Parallel()
	x := start(t)
	authors(x, "ee/pbgb", "lv/vp", "ua/npu")
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	signed := acknowledgementOf(t, x, "lv/vp", descriptor(t, x, "lv/vp", id))
	s := &shadowing{t, x, x.Parts(exchangetest.PartsConfig{})}
	before := s.p.Policy.Set()
	s.start("ee/pbgb", keepsLonger(t))
	s.start("lv/vp", refusesAll(t, "lv"))
	s.start("ua/npu", refusesAll(t, "ua"))

	s.posted(demo.EEtoLV, nil)
	s.counted("delivered", "ee/pbgb", "compared 1 same 1 map[] dropped 0 failed 0")
	c := s.counted("delivered", "lv/vp", "compared 1 same 0 map[now_denied:1] dropped 0 failed 0")
	if d := c.Differences[0]; d.From != "ee/pbgb" || d.To != "lv/vp" || d.Action != policy.ActionSend || d.Was.Verdict != policy.Delivered || d.Now.Verdict != policy.Denied || d.Decision == "" {
		t.Errorf("%+v", d)
	}
	if c.Ended != "" || c.Revisions["rules/lv"] == "" || len(c.Revisions) != 2 || !c.Until.Equal(c.Since.Add(exchange.ShadowLasts)) || len(c.Rules[exchange.NowDenied]) == 0 {
		t.Errorf("%+v", c)
	}

	s.posted(demo.EEtoLV, tooLong)
	c = s.counted("denied by Estonia", "ee/pbgb", "compared 2 same 1 map[now_allowed:1] dropped 0 failed 0")
	if d := c.Differences[0]; !slices.Contains(d.Was.Codes, "retention_too_long") || d.Now.Verdict != policy.Delivered || c.Rules[exchange.NowAllowed]["ee-2"] != 1 {
		t.Errorf("%+v", c)
	}
	s.posted(demo.EEtoLVUA, unread)
	s.counted("denied by Latvia", "ee/pbgb", "compared 4 same 3 map[now_allowed:1] dropped 0 failed 0")
	s.counted("denied twice", "lv/vp", "compared 1 same 0 map[now_denied:1] dropped 0 failed 0")
	s.counted("delivered beside what was denied", "ua/npu", "compared 0 same 0 map[] dropped 0 failed 0")

	if _, err := s.p.Service.Acknowledge(t.Context(), x.Caller("lv/vp", certs.RoleUnit), id, signed); err != nil {
		t.Fatal(err)
	}
	c = s.counted("acknowledged", "lv/vp", "compared 2 same 0 map[now_denied:2] dropped 0 failed 0")
	if c.Differences[0].Action != policy.ActionAcknowledgement || c.Differences[1].Action != policy.ActionSend {
		t.Errorf("the newest is not first: %+v", c.Differences)
	}
	s.counted("acknowledged", "ee/pbgb", "compared 5 same 4 map[now_allowed:1] dropped 0 failed 0")
	if s.p.Policy.Set() != before {
		t.Error("a shadow changed what is in force")
	}
	if one, err := s.p.Service.ShowShadow(t.Context(), author(x, "lv/vp"), "lv", 1); err != nil || len(one.Differences) != 1 {
		t.Errorf("%v %+v", err, one)
	}
}

// TestShadowAffectsNothing: the same posts have the same outcomes and entries
// with a shadow and without, whatever becomes of the shadow.
func TestShadowAffectsNothing(t *testing.T) {
	t.Parallel()
	s := newShadowing(t)
	seen := len(ledgerEntries(t, s.p.Store))
	posts := func() (told []string) {
		told = append(told, s.posted(demo.EEtoLV, nil), s.posted(demo.EEtoLVUA, unread), s.posted(demo.EEtoLV, tooLong), s.posted(demo.ITtoBY, nil))
		all := ledgerEntries(t, s.p.Store)
		for _, e := range all[seen:] {
			told = append(told, line(e))
		}
		seen = len(all)
		return told
	}
	want := posts()
	begin := func(draft []byte) {
		s.start("lv/vp", draft)
		s.start("ee/pbgb", keepsLonger(t))
		seen = len(ledgerEntries(t, s.p.Store))
	}
	begin(refusesAll(t, "lv"))
	if got := posts(); !slices.Equal(got, want) {
		t.Errorf("beside drafts:\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	s.counted("beside drafts", "lv/vp", "compared 1 same 0 map[now_denied:1] dropped 0 failed 0")

	for what, rule := range map[string]string{"a draft that fails": brokenRule, "a slow draft": slowRule} {
		begin(fails(t, rule))
		s.p.Service.HurryShadow("lv")
		if got := posts(); !slices.Equal(got, want) {
			t.Errorf("beside %s:\n%s", what, strings.Join(got, "\n"))
		}
		s.counted(what, "lv/vp", "compared 0 same 0 map[] dropped 0 failed 1")
		s.counted("beside "+what, "ee/pbgb", "compared 4 same 3 map[now_allowed:1] dropped 0 failed 0")
	}

	begin(refusesAll(t, "lv"))
	release := sync.OnceFunc(s.p.Service.HoldShadow("lv"))
	defer release() // the exchange waits for its workers when it closes
	if got := posts(); !slices.Equal(got, want) {
		t.Errorf("beside a draft that does not come to an end:\n%s", strings.Join(got, "\n"))
	}
	for range exchange.ShadowQueue {
		s.posted(demo.EEtoLV, nil)
	}
	release()
	s.counted("a full queue", "lv/vp", fmt.Sprintf("compared %d same 0 map[now_denied:%[1]d] dropped 1 failed 0", exchange.ShadowQueue))
}

// TestShadowEnds: by the activation of that jurisdiction's policy and no
// other's, after 30 days, by who started it, and by another start.
func TestShadowEnds(t *testing.T) {
	t.Parallel()
	s := newShadowing(t)
	s.start("ee/pbgb", keepsLonger(t))
	s.start("lv/vp", refusesAll(t, "lv"))
	if err := s.p.Service.Activate(t.Context(), otherRules(t)); err != nil {
		t.Fatal(err)
	}
	if c := s.came("lv/vp"); c.Ended != exchange.ShadowActivated || c.EndedAt.Before(c.Since) {
		t.Errorf("%+v", c)
	}
	s.posted(demo.EEtoLV, nil)
	s.posted(demo.EEtoLV, tooLong)
	s.counted("ended", "lv/vp", "compared 0 same 0 map[] dropped 0 failed 0")
	// Estonia's draft goes on beside the new rules of Latvia, which refuse: that is none of its doing.
	if c := s.counted("goes on", "ee/pbgb", "compared 2 same 2 map[] dropped 0 failed 0"); c.Ended != "" {
		t.Errorf("%+v", c)
	}

	s.start("lv/vp", draftOf(t, "lv", nil))
	s.posted(demo.LVtoEE, nil)
	if c := s.counted("started again", "lv/vp", "compared 1 same 0 map[now_allowed:1] dropped 0 failed 0"); c.Ended != "" {
		t.Errorf("%+v", c)
	}
	stopped, err := s.p.Service.StopShadow(t.Context(), author(s.x, "lv/vp"), "lv", 10)
	if err != nil || stopped.Compared != 1 || len(stopped.Differences) != 1 {
		t.Errorf("%v %+v", err, stopped)
	}
	for what, err := range map[string]error{
		"none shown":   first2(s.p.Service.ShowShadow(t.Context(), author(s.x, "lv/vp"), "lv", 1)),
		"none stopped": first2(s.p.Service.StopShadow(t.Context(), author(s.x, "lv/vp"), "lv", 1)),
		"of another":   first2(s.p.Service.ShowShadow(t.Context(), author(s.x, "lv/vp"), "ee", 1)),
		"of common":    first2(s.p.Service.StartShadow(t.Context(), author(s.x, "lv/vp"), "common", nil)),
	} {
		if r := exchange.AsRefusal(err); r == nil || r.Kind != exchange.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	broken := draftOf(t, "lv", map[string]string{"send.rego": "package jurisdiction.lv.send\n\ndefault allow := true\n"})
	if r := exchange.AsRefusal(first2(s.p.Service.StartShadow(t.Context(), author(s.x, "lv/vp"), "lv", broken))); r == nil || r.Kind != exchange.PolicyRefused || len(r.Findings) == 0 {
		t.Errorf("a draft that does not build: %+v", r)
	}
	if r := exchange.AsRefusal(first2(s.p.Service.ShowShadow(t.Context(), s.x.Caller("lv/vp", certs.RoleUnit), "lv", 1))); r == nil || r.Kind != exchange.RoleForbidden {
		t.Errorf("a unit: %+v", r)
	}
	s.x.Clock.Advance(exchange.ShadowLasts)
	if c := s.came("ee/pbgb"); c.Ended != exchange.ShadowLapsed || !c.EndedAt.Equal(c.Until) {
		t.Errorf("%+v", c)
	}
}

// TestShadowOfADraftThatDoesNotBuild: when others' policy comes into force that
// a draft does not stand beside, its shadow ends and says so, with the next
// package; what was counted stays to be seen.
func TestShadowOfADraftThatDoesNotBuild(t *testing.T) {
	t.Parallel()
	s := newShadowing(t)
	in := policy.Samples()
	common := in.Common
	common.Files = maps.Clone(common.Files)
	common.Files["lib.rego"] = append(bytes.Clone(common.Files["lib.rego"]), "\n# METADATA\n# title: What this story needs\nin_story if input.claimed.language == \"en\"\n"...)
	in.Common = common
	with := onSamples(t, in)
	if err := s.p.Service.Activate(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	receive := "package jurisdiction.lv.receive\n\nimport data.liaison.lib as common\n\ndefault allow := false\n\nallow if not common.in_story\n"
	s.start("lv/vp", draftOf(t, "lv", map[string]string{"receive.rego": receive, "lv_test.rego": ""}))
	s.start("ee/pbgb", keepsLonger(t))
	s.posted(demo.EEtoLV, nil)
	s.counted("beside what it needs", "lv/vp", "compared 1 same 0 map[now_denied:1] dropped 0 failed 0")
	without, err := policy.BuildOn(with, policy.Samples())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.p.Service.Activate(t.Context(), without); err != nil {
		t.Fatal(err)
	}
	if c := s.came("lv/vp"); c.Ended != "" {
		t.Errorf("it ended before anything was decided: %+v", c)
	}
	s.posted(demo.EEtoLV, nil)
	if c := s.counted("beside what it cannot do without", "lv/vp", "compared 1 same 0 map[now_denied:1] dropped 0 failed 0"); c.Ended != exchange.ShadowUnbuilt || c.EndedAt.Before(c.Since) {
		t.Errorf("%+v", c)
	}
	if c := s.counted("another draft", "ee/pbgb", "compared 2 same 2 map[] dropped 0 failed 0"); c.Ended != "" {
		t.Errorf("a draft that builds ended: %+v", c)
	}
}
