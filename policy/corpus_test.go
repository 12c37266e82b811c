package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// corpus makes requests at random: every agency of a Set, every message type, recipients inside and outside, and any
// value that the schema of the input has. The same seed gives the same requests for the same Set.
type corpus struct {
	*rand.Rand
	set      *Set
	agencies []Party
}

func newCorpus(t testing.TB, s *Set, seed uint64) *corpus {
	t.Helper()
	c := &corpus{Rand: rand.New(rand.NewPCG(seed, 977)), set: s}
	for _, j := range s.Jurisdictions() {
		d, _ := s.Declared(j)
		for _, a := range d.Agencies {
			c.agencies = append(c.agencies, agency(t, s, a.ID))
		}
	}
	return c
}

func pick[T any](c *corpus, list ...T) T { return list[c.IntN(len(list))] }

// ids are agencies on the exchange, and one that is not.
func (c *corpus) id() string {
	if c.IntN(8) == 0 {
		return "se/noa"
	}
	return c.agencies[c.IntN(len(c.agencies))].ID
}

// value is any value of the shape.
func (c *corpus) value(s *shape) any {
	switch s.kind {
	case kindBoolean:
		return c.IntN(2) == 0
	case kindInteger:
		return pick(c, max(s.min, 0), min(s.max, 5), min(s.max, 6), min(s.max, 700))
	case kindString:
		return c.str(s)
	case kindArray:
		list := []any{}
		for range s.min + c.IntN(min(s.max, s.min+3)-s.min+1) {
			list = append(list, c.value(s.items))
		}
		return list
	case kindObject:
		m := meta{}
		for _, f := range s.fields {
			if f.required || c.IntN(2) == 0 {
				m[f.name] = c.value(f.shape)
			}
		}
		return m
	}
	return meta{}
}

func (c *corpus) str(s *shape) string {
	if s.enum != nil {
		return pick(c, s.enum...)
	}
	for _, v := range []string{c.id(), "ee", "en", "p-1", "x", pick(c, "2026-11-01", "2026-11-22", "2027-05-01", "2033-01-01"), "2027-01-01", ""} {
		if s.accepts(v) {
			return v
		}
	}
	panic(fmt.Sprintf("no value for %+v", s))
}

func (c *corpus) law(j string) string {
	for _, i := range c.set.declared[j].Instruments {
		if i.Kind == "law" {
			return i.ID
		}
	}
	return "none"
}

// basis is one that carries many of a sender's transfers, or any.
func (c *corpus) basis(sender string) string {
	usual := "internal_eu"
	if sender != "europol" && c.set.facts.flag(tableNotLED, sender, "2026-11-22") {
		usual = "non_eu_law"
	}
	return pick(c, usual, usual, usual, usual, "led37_1a", "led36", "europol_25_1b", "internal_eu")
}

// claimed is a package that goes in many cases, with up to five of its members changed.
func (c *corpus) claimed(sender Party) meta {
	m := from(sender.ID, c.law(sender.Jurisdiction), meta{
		"transfer_basis": c.basis(sender.Jurisdiction), "europol_purpose": pick(c, "none", "cross_check", "cross_check"),
	})
	if c.IntN(2) == 0 {
		m["message_type"] = c.value(claimedShape.member("message_type"))
	}
	if c.IntN(8) == 0 {
		m["subjects"] = []any{group("suspect", 1, "minors", "u18")}
	}
	for range max(0, c.IntN(9)-3) {
		f := claimedShape.fields[c.IntN(len(claimedShape.fields))]
		if f.name != "v" && f.name != "ext" {
			m[f.name] = c.value(f.shape)
		}
	}
	return m
}

func (c *corpus) request(t testing.TB) Request {
	t.Helper()
	from := c.agencies
	inside := func(p Party) bool { return c.set.facts.flag(tableLED, p.Jurisdiction, "2026-11-22") }
	if c.IntN(2) == 0 {
		from = slices.DeleteFunc(slices.Clone(from), func(p Party) bool { return !inside(p) })
	}
	sender := pick(c, from...)
	m := c.claimed(sender)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{
		Action: pick(c, actions...), Now: today.AddDate(c.IntN(8), 0, c.IntN(3)), MessageType: m["message_type"].(string), Sender: sender, Claimed: b,
		Justification: pick(c, NewText(reason), NewText(reason), NewText(reason), NewText("short")), Attachments: c.IntN(3) / 2, ContentSize: pick(c, int64(4096), 4096, 70000),
	}
	if c.IntN(3) > 0 {
		r.Now = today
	}
	if c.IntN(2) == 0 {
		r.Texts = texts("urgency", "strict_necessity", "purpose_change")
	}
	others := slices.DeleteFunc(slices.Clone(from), func(p Party) bool { return p.ID == sender.ID })
	c.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, p := range others[:1+c.IntN(3)] {
		p.Active = c.IntN(30) > 0
		r.Recipients = append(r.Recipients, Recipient{p})
	}
	r.Known = c.known(&r, m)
	return r
}

// known is what the exchange may know of such a package.
func (c *corpus) known(r *Request, m meta) Known {
	var k Known
	if list, ok := m["relates_to"].([]any); ok {
		for _, e := range list {
			k.Relations = append(k.Relations, c.relation(e.(meta), r.Recipients[0].ID, pick(c, r.Sender.ID, c.id())))
		}
	}
	if c.IntN(4) == 0 {
		k.Approvals = append(k.Approvals, Approval{
			Recipient: r.Recipients[0].ID, Codes: []string{"second_officer", "handling_review"}, By: pick(c, "second_officer", "head_of_duty"),
			Jurisdiction: r.Sender.Jurisdiction, Granted: c.IntN(4) > 0,
		})
	}
	for range c.IntN(3) {
		k.Authorisations = append(k.Authorisations, Authorisation{
			Originator: c.id(), State: pick(c, "granted", "general", "pending", "refused", "withdrawn"),
			Recipients: []string{r.Recipients[0].ID}, Purposes: []string{"investigation"}, From: today.Add(-time.Hour),
		})
	}
	k.Counters.Derogations = map[string]int{r.Recipients[0].Jurisdiction: c.IntN(20)}
	return k
}

func (c *corpus) relation(e meta, recipient, from string) Relation {
	return Relation{
		Package: e["package"].(string), Relation: e["relation"].(string), Found: c.IntN(5) > 0, MessageType: "request", From: from,
		Outcomes: map[string]string{recipient: pick(c, "delivered", "pending", "acknowledged")}, Originators: []string{c.id()},
		Handling: pick(c, "H0", "H1", "H2", "H3"), Conditions: []string{"covert_only"}, OnwardRule: pick(c, "none", "with_authorisation", "eu_only", "listed"),
	}
}
