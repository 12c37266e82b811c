package policy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// corpus makes random packages: of every sender to several recipients, in every field that a rule looks at, good and
// bad, with approvals, authorisations and relations.
type maker struct {
	t   testing.TB
	r   *rand.Rand
	set *Set
	ids []string
}

func newMaker(t testing.TB, seed uint64) *maker {
	c := &maker{t: t, r: rand.New(rand.NewPCG(seed, 1)), set: sampleSet(t)}
	for _, j := range c.set.Jurisdictions() {
		d, _ := c.set.Declared(j)
		for _, a := range d.Agencies {
			c.ids = append(c.ids, a.ID)
		}
	}
	return c
}

func choose[T any](c *maker, list ...T) T { return list[c.r.IntN(len(list))] }

func (c *maker) maybe() bool { return c.r.IntN(4) == 0 }

func (c *maker) law(j string) string {
	d, _ := c.set.Declared(j)
	for _, i := range d.Instruments {
		if i.Kind == "law" {
			return i.ID
		}
	}
	return "none-such"
}

func (c *maker) meta(sender string) meta {
	j := jurisdictionOf(sender)
	m := with(eeLV(), meta{
		"legal_basis": []any{meta{"instrument": c.law(j), "article": "1", "jurisdiction": j}}, "originator": []any{sender},
		"subjects": []any{meta{"category": "suspect", "count": 1 + c.r.IntN(40), "minors": "none", "data_categories": []any{"a", "b"}, "link": "direct"}},
		"case_ref": fmt.Sprintf("EE-2026-%04d", c.r.IntN(10000)), "offence": meta{"max_penalty_years": 1 + c.r.IntN(12), "serious": c.maybe()},
	})
	subject := m["subjects"].([]any)[0].(meta)
	changes := []func(){
		func() { m["message_type"] = choose(c, "request", "answer", "correction", "refusal", "erasure_notice") },
		func() { m["purpose"] = choose(c, allPurposes...) },
		func() {
			m["transfer_basis"], m["transfer_instrument"] = choose(c, "internal_eu", "led36", "led37_1a", "led38_1a", "led38_1d"), "ee-ua-police-2009"
		},
		func() { m["originator"] = []any{choose(c, append(c.ids, "us/fbi")...)} },
		func() { subject["category"] = choose(c, "victim", "witness", "contact", "unknown", "convicted") },
		func() { subject["count"] = 1 + c.r.IntN(900) },
		func() { subject["minors"] = choose(c, "u15", "u18") },
		func() { subject["special_categories"] = []any{"health"} },
		func() { m["offence"] = meta{"max_penalty_years": c.r.IntN(3), "serious": c.maybe()} },
		func() {
			m["retention"] = meta{"review_by": choose(c, "2027-11-22", "2020-01-01"), "erase_by": choose(c, "", "2028-11-22", "2034-01-01")}
		},
		func() { m["handling"] = meta{"code": choose(c, "H0", "H1", "H2", "H3")} },
		func() { m["language"] = choose(c, "en", "lv", "et", "uk", "it") },
		func() {
			m["urgency"], m["not_in_time"] = meta{"level": "urgent", "ground": choose(c, "none", "life", "public_security")}, c.maybe()
		},
		func() { m["profiling_used"] = true },
		func() {
			m["relates_to"] = []any{meta{"package": "p", "relation": choose(c, "forwards", "answers", "corrects")}}
		},
	}
	for range c.r.IntN(4) {
		choose(c, changes...)()
	}
	return m
}

func (c *maker) request() Request {
	sender := choose(c, c.ids...)
	var to []string
	for range 1 + c.r.IntN(3) {
		if r := choose(c, c.ids...); r != sender {
			to = append(to, r)
		}
	}
	r := request(c.t, sender, to, c.meta(sender))
	r.Action = choose(c, actions...)
	r.Now = today.Add(time.Duration(c.r.IntN(100*24)) * time.Hour)
	r.Attachments, r.ContentSize = c.r.IntN(3), int64(c.r.IntN(100_000))
	r.Texts = texts(choose(c, "urgency", "transfer_basis"))
	r.Sender.Active = c.r.IntN(40) > 0
	for _, id := range to {
		if c.maybe() {
			r.Known.Approvals = append(r.Known.Approvals, Approval{
				Recipient: id, Codes: []string{"second_officer", "national_review", "handling_review"}, By: choose(c, "second_officer", "head_of_duty", "originator"),
				Jurisdiction: jurisdictionOf(sender), Granted: !c.maybe(),
			})
		}
	}
	r.Known.Relations = []Relation{{
		Package: "p", Relation: choose(c, "forwards", "answers", "corrects"), Found: !c.maybe(), MessageType: "answer", From: choose(c, sender, "it/dcpc"),
		Outcomes: map[string]string{"lv/vp": "delivered"}, Originators: []string{choose(c, "it/dcpc", "lv/vp")}, Handling: "H1", Conditions: []string{"covert_only"},
	}}
	if c.maybe() {
		r.Known.Authorisations = []Authorisation{{Originator: choose(c, c.ids...), State: choose(c, "general", "pending", "refused")}}
	}
	return r
}

// TestRedecide: the input that was recorded and the Set that decided give the same decision again, word for word.
func TestRedecide(t *testing.T) {
	c, e := newMaker(t, 7), sampleEngine(t)
	seen := map[string]int{}
	for range 300 {
		r := c.request()
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
