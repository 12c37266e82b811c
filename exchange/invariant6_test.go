package exchange_test

import (
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// TestInvariant6RulesOnlyStricter: rules of Italy and Belarus that allow
// everything do not make common allow what it denies.
func TestInvariant6RulesOnlyStricter(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Configure(func(cfg *node.Config) { cfg.Policies = otherPolicies(t) }))
	_, err := x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, demo.ITtoBY)))
	p := problem(t, err, api.PolicyDenied)
	for _, r := range p.Outcomes[0].Reasons {
		if r.Rule == "" || r.Source == "" || r.Fix == "" {
			t.Errorf("a reason that does not say enough: %+v", r)
		}
	}
	// The same permissive rules do let through what common allows.
	d := draft(x, demo.ITtoLV).To(x, "ee/pbgb")
	if sent := post(t, x, d); sent.Outcomes[0].Outcome != "delivered" {
		t.Errorf("Italy to Estonia: %+v", sent.Outcomes)
	}
}

// TestInvariant6OriginatorControl: data of another jurisdiction wait for it,
// whatever the sender claims. Only where LED art 35(2) passes it over do they
// go, and then the originator is told in the same transaction.
func TestInvariant6OriginatorControl(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	latvian := func() *exchangetest.Draft {
		d := draft(x, demo.EEtoLVUA).To(x, "ua/npu")
		d.About["originator"] = []any{"ee/pbgb", "lv/vp"}
		return d
	}
	claimed := latvian()
	claimed.About["prior_authorisation"] = []any{object{"originator": "lv/vp", "state": "granted", "ref": "LV-1"}}
	for name, d := range map[string]*exchangetest.Draft{"nothing claimed": latvian(), "an authorisation claimed": claimed} {
		sent := post(t, x, d)
		if sent.Outcomes[0].Outcome != "pending" {
			t.Errorf("%s: %+v", name, sent.Outcomes)
		}
		o.expect(t, name, "ee/pbgb package.send pending", "lv/vp package.await pending")
		// Its originator sees what waits for it; its recipient does not.
		if _, err := x.As("lv/vp", certs.RoleUnit).Manifest(t.Context(), sent.ID()); err != nil {
			t.Errorf("%s: the originator cannot see what it is asked about: %v", name, err)
		}
		_, err := x.As("ua/npu", certs.RoleUnit).Package(t.Context(), sent.ID())
		problem(t, err, api.NotFound)
		o.next(t)
	}

	imminent := latvian()
	imminent.About["not_in_time"] = true
	imminent.About["urgency"] = object{"level": "urgent", "ground": "public_security"}
	imminent.Texts = map[string]string{"urgency": "The attack is to take place this evening, the address is known."}
	sent := post(t, x, imminent)
	if sent.Outcomes[0].Outcome != "delivered" {
		t.Fatalf("an imminent threat: %+v", sent.Outcomes)
	}
	if !slices.ContainsFunc(sent.Outcomes[0].Obligations, func(b api.Obligation) bool { return b.Code == "notify_originator" }) {
		t.Errorf("obligations: %+v", sent.Outcomes[0].Obligations)
	}
	entries := o.expect(t, "an imminent threat", "ee/pbgb package.send delivered", "ua/npu package.deliver delivered", "lv/vp originator.notified delivered")
	for _, e := range entries {
		if e.Time != entries[0].Time {
			t.Error("the originator was told in another transaction")
		}
		if e.Owner == "lv/vp" && (e.From != "ee/pbgb" || !slices.Equal(e.Recipients, []string{"ua/npu"}) || e.Justification != "" || e.ManifestSHA256 == "") {
			t.Errorf("the originator is told: %+v", e)
		}
	}
	// To be told is not to get: the package is not Latvia's.
	_, err := x.As("lv/vp", certs.RoleUnit).Package(t.Context(), sent.ID())
	problem(t, err, api.NotFound)
	o.verify(t)
}
