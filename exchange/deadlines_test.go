package exchange_test

import (
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestDueAt: the clock of Directive (EU) 2023/977 art 5(1) runs for requests
// between states that it binds, from the delivery on, and for nobody else.
func TestDueAt(t *testing.T) {
	x := exchangetest.New(t)
	for _, c := range []struct {
		name, sample, kind, urgency, recipient string
		limit                                  time.Duration // 0: no clock runs
	}{
		{"urgent request", demo.EEtoLV, "request", "urgent", "lv/vp", 8 * time.Hour},
		{"routine request", demo.EEtoLV, "request", "routine", "lv/vp", 7 * 24 * time.Hour},
		{"own initiative", demo.EEtoLV, "spontaneous", "urgent", "lv/vp", 0},
		{"a third state asks", demo.UAtoEE, "request", "routine", "ee/pbgb", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := draft(x, c.sample)
			d.About["message_type"] = c.kind
			d.About["urgency"] = map[string]any{"level": c.urgency}
			if c.urgency == "urgent" {
				d.About["urgency"] = map[string]any{"level": "urgent", "ground": "life"}
				d.Texts = map[string]string{"urgency": "A life is in danger according to the witness"}
			}
			if c.kind == "request" {
				d.About["request"] = map[string]any{"what": true, "purpose_facts": true, "availability_reason": true, "person_link": true, "restrictions": true}
			}
			before := x.Clock.Now()
			sent := post(t, x, d)
			after := x.Clock.Now()
			seen, err := x.As(c.recipient, certs.RoleUnit).Package(t.Context(), sent.ID())
			if err != nil {
				t.Fatal(err)
			}
			if c.limit == 0 {
				if seen.DueAt != "" {
					t.Errorf("due at %s", seen.DueAt)
				}
				return
			}
			due, err := time.Parse(time.RFC3339, seen.DueAt)
			if err != nil {
				t.Fatal(err)
			}
			if due.Before(before.Add(c.limit).Truncate(time.Second)) || due.After(after.Add(c.limit)) {
				t.Errorf("due at %s, accepted between %s and %s", due, before, after)
			}
		})
	}
	var urgent []string
	for d, err := range x.As("lv/vp", certs.RoleUnit).Packages(t.Context(), client.Query{Box: client.Inbox, DueBefore: x.Clock.Now().Add(24 * time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		urgent = append(urgent, d.ID)
	}
	if len(urgent) != 1 {
		t.Errorf("%d packages are due within a day, want the urgent request alone", len(urgent))
	}
}

// TestKeysLapse: a key lapses with its certificate: nobody seals to it, and
// nothing that it signs is taken any more.
func TestKeysLapse(t *testing.T) {
	x := exchangetest.New(t)
	p := x.Parts(exchangetest.PartsConfig{})
	reg, err := p.Service.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := reg.Keys("ee/pbgb")
	if len(keys) != 3 { // that signs, that decrypts, that approves
		t.Fatalf("%d keys", len(keys))
	}
	for _, k := range keys {
		if now := x.Clock.Now(); !k.TrustedAt(now) || k.TrustedAt(now.Add(31*24*time.Hour)) || k.TrustedAt(now.Add(-time.Hour)) {
			t.Errorf("key %s is trusted for longer than its certificate", k.Kid)
		}
	}
}
