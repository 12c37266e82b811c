package exchange_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// TestInvariant4UnknownIsRefused: whatever the exchange does not know is
// refused, and nobody but the sender hears of it.
func TestInvariant4UnknownIsRefused(t *testing.T) {
	t.Parallel()
	x := start(t)
	o := observe(t, x)
	key := x.SignKey("ee/pbgb")
	meta := func(name string, value any) func(header, claims object) {
		return func(_, claims object) { claims["meta"].(object)[name] = value }
	}
	header := func(name string, value any) func(header, claims object) {
		return func(header, _ object) { header[name] = value }
	}
	stranger, err := envelope.GenerateSigning(envelope.ES256)
	if err != nil {
		t.Fatal(err)
	}
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	for _, c := range []struct {
		name   string
		key    envelope.PrivateKey
		edit   func(header, claims object)
		want   api.ProblemType
		reason string
	}{
		{"purpose", key, meta("purpose", "curiosity"), api.EnvelopeMalformed, "manifest:value"},
		{"member of meta", key, meta("hunch", true), api.EnvelopeMalformed, "manifest:unknown-member"},
		{"version of meta", key, meta("v", 2), api.EnvelopeMalformed, "manifest:value"},
		{"message type", key, meta("message_type", "gossip"), api.EnvelopeMalformed, "manifest:value"},
		{"crime area", key, meta("crime_areas", []string{"jaywalking"}), api.EnvelopeMalformed, "manifest:value"},
		{"member of the manifest", key, func(_, claims object) { claims["cc"] = "x" }, api.EnvelopeMalformed, "manifest:unknown-member"},
		{"no algorithm", key, header("alg", "none"), api.EnvelopeMalformed, "manifest:alg"},
		{"algorithm of secrets", key, header("alg", "HS256"), api.EnvelopeMalformed, "manifest:alg"},
		{"another algorithm", key, header("alg", "RS256"), api.EnvelopeMalformed, "manifest:alg"},
		{"algorithm of another kind of key", key, header("alg", "EdDSA"), api.EnvelopeRejected, "manifest:key-alg"},
		{"type of another part", key, header("typ", envelope.TypStatement), api.EnvelopeMalformed, "manifest:typ"},
		{"version of the manifest", key, header("typ", "liaison-manifest2+jwt"), api.EnvelopeMalformed, "manifest:typ"},
		{"header", key, header("jku", "https://127.0.0.1/keys"), api.EnvelopeMalformed, "manifest:unknown-member"},
		{"critical header", key, header("crit", []string{"exp"}), api.EnvelopeMalformed, "manifest:unknown-member"},
		{"key", stranger, func(_, _ object) {}, api.EnvelopeRejected, "signing-key-unknown"},
		{"key of another use", key, header("kid", x.DecryptKeys("ee/pbgb")[0].Kid()), api.EnvelopeRejected, "signing-key-unknown"},
		{"key of another agency", x.SignKey("lv/vp"), func(_, _ object) {}, api.EnvelopeRejected, "signing-key-unknown"},
		{"sender", key, func(_, claims object) { claims["iss"] = "ee/ghost" }, api.EnvelopeRejected, "sender-is-not-caller"},
		{"recipient", key, func(_, claims object) { claims["aud"] = []string{"lv/vp", "ee/ghost"} }, api.PackageInvalid, "recipient-unknown"},
		{"recipient elsewhere", key, func(_, claims object) { claims["aud"] = []string{"se/noa"} }, api.PackageInvalid, "recipient-unknown"},
		{"exchange", key, func(_, claims object) { claims["exchange"] = "other.example/ledger" }, api.PackageInvalid, "other-exchange"},
	} {
		sealed := x.Seal(draft(x, demo.EEtoLV))
		parts := x.PartsOf(sealed)
		parts[0].Body = resigned(t, c.key, envelope.TypManifest, parts[0].Body, c.edit)
		answer := x.Post(ee, parts)
		if p := refused(t, x, answer, c.want); p.Type == api.PackageInvalid.URI() && p.Fix == "" {
			t.Errorf("%s: no fix: %s", c.name, answer.Body)
		}
		o.expect(t, c.name, "ee/pbgb package.send refused "+c.want.Slug+"/"+c.reason)
	}
	t.Run("a signature by secret with the public key", func(t *testing.T) {
		jws, err := key.Public().MarshalJWK(nil)
		if err != nil {
			t.Fatal(err)
		}
		parts := x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
		input := encoded(t, object{"alg": "HS512", "kid": key.Kid(), "typ": envelope.TypManifest}) + "." + encoded(t, claimsOf(t, parts[0].Body))
		mac := hmac.New(sha512.New, jws)
		mac.Write([]byte(input))
		parts[0].Body = []byte(input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
		refused(t, x, x.Post(ee, parts), api.EnvelopeMalformed)
		o.expect(t, "HS512", "ee/pbgb package.send refused envelope-malformed/manifest:alg")
	})
	// An agency whose jurisdiction vouches for it, and that nobody admitted.
	ghost := x.HTTPWith(x.Identity("ee/ghost", certs.RoleUnit, "x"))
	refused(t, x, x.Post(ghost, x.PartsOf(x.Sealed(demo.EEtoLV))), api.IdentityRefused)
	refused(t, x, x.Do(ghost, http.MethodGet, api.RoutePackages, nil, nil), api.IdentityRefused)
	refused(t, x, x.Do(ghost, http.MethodGet, api.RouteAgencies, nil, nil), api.IdentityRefused)
	// A role that the agency may not have.
	refused(t, x, x.Do(x.HTTPWith(x.Identity("ee/pbgb", certs.RoleSupervisor, "x")), http.MethodGet, api.RouteAuditEntries, nil, nil), api.IdentityRefused)
	o.expect(t, "strangers", "ee/pbgb audit.list refused identity-refused/role-not-granted")
	if n := listed(t, x.As("lv/vp", certs.RoleUnit), client.Query{}); n != 0 {
		t.Errorf("lv/vp has %d packages", n)
	}
	o.verify(t)
	// Who belongs to no agency here is on record with the operator.
	strangers := 0
	for _, e := range ledgerEntries(t, x.Parts(exchangetest.PartsConfig{}).Store) {
		if e.Owner == demo.Operator && e.Reason == "agency-unknown" && e.Actor.Agency == "ee/ghost" {
			strangers++
		}
	}
	if strangers != 3 {
		t.Errorf("the operator has %d entries of the stranger", strangers)
	}
}

// TestInvariant4EngineFailure: an engine that fails is no permission and no
// denial: 503 with an entry, and the same request works when it is well again.
func TestInvariant4EngineFailure(t *testing.T) {
	t.Parallel()
	broken := false
	x := start(t, exchangetest.Configure(func(cfg *node.Config) {
		if broken {
			cfg.Policies = otherPolicies(t)
		}
	}))
	italian := func() *exchangetest.Draft {
		d := draft(x, demo.ITtoLV).To(x, "ee/pbgb")
		d.About["case_ref"] = breaking
		return d
	}
	it, ee := x.HTTP("it/dcpc", certs.RoleUnit), x.HTTP("ee/pbgb", certs.RoleUnit)
	delivered := post(t, x, italian()).ID()
	d, err := x.As("ee/pbgb", certs.RoleUnit).Package(t.Context(), delivered)
	if err != nil {
		t.Fatal(err)
	}
	jws, parts := acknowledgementOf(t, x, "ee/pbgb", d), x.PartsOf(x.Seal(italian()))

	broken = true
	x.Restart()
	o := observe(t, x)
	p := refused(t, x, x.Post(it, parts), api.Unavailable)
	if len(p.Outcomes) > 0 {
		t.Errorf("a verdict without an engine: %+v", p)
	}
	o.expect(t, "post", "it/dcpc package.send refused unavailable/policy-engine")
	refused(t, x, acknowledgeAs(x, ee, delivered, jws), api.Unavailable)
	o.expect(t, "acknowledgement", "ee/pbgb package.acknowledge refused unavailable/policy-engine")
	if n := listed(t, x.As("it/dcpc", certs.RoleUnit), client.Query{Box: client.Outbox, State: "delivered"}); n != 1 {
		t.Errorf("the outbox has %d delivered packages", n)
	}

	broken = false
	x.Restart()
	if a := x.Post(it, parts); a.Status != http.StatusCreated {
		t.Errorf("the same package, the engine well: %d %s", a.Status, a.Body)
	}
	if a := acknowledgeAs(x, ee, delivered, jws); a.Status != http.StatusCreated {
		t.Errorf("the same acknowledgement, the engine well: %d %s", a.Status, a.Body)
	}
}

// TestInvariant4NoRulesNoExchange: a jurisdiction without rules gets and
// gives nothing.
func TestInvariant4NoRulesNoExchange(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Configure(func(cfg *node.Config) { cfg.Policies = otherPolicies(t) }))
	for sample, who := range map[string]string{demo.EEtoLV: "ee/pbgb", demo.LVtoEE: "lv/vp"} {
		_, err := x.As(who, certs.RoleUnit).PostSealed(t.Context(), x.Seal(draft(x, sample)))
		p := problem(t, err, api.PolicyDenied)
		if !slices.ContainsFunc(p.Outcomes[0].Reasons, func(r api.Reason) bool { return r.Code == "rules_missing" }) {
			t.Errorf("%s: %+v", sample, p.Outcomes)
		}
	}
}

// TestInvariant4NoLedgerNoEffect: while the ledger cannot be kept, nothing is
// taken, shown or released. It says 503, and means that nothing happened.
func TestInvariant4NoLedgerNoEffect(t *testing.T) {
	t.Parallel()
	x := start(t)
	ee, lv := x.HTTP("ee/pbgb", certs.RoleUnit), x.HTTP("lv/vp", certs.RoleUnit)
	id := post(t, x, draft(x, demo.EEtoLV)).ID()
	lvClient := x.As("lv/vp", certs.RoleUnit)
	accept(t, lvClient, id)
	read := http.Header{api.HeaderConsultation: {consult(t, lvClient, id)}}

	// The file that would tell a rollback cannot be written any more.
	anchor := filepath.Join(x.World.Dir, "ledger", "ledger.key.anchor")
	if err := errors.Join(os.Remove(anchor), os.MkdirAll(filepath.Join(anchor, "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	var accepted, turnedAway [][]exchangetest.Part
	for len(turnedAway) == 0 { // the anchor follows the ledger within a second
		parts := x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
		switch a := x.Post(ee, parts); a.Status {
		case http.StatusCreated:
			accepted = append(accepted, parts)
		case http.StatusServiceUnavailable:
			turnedAway = append(turnedAway, parts)
			if a.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		default:
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	for _, path := range []string{api.RoutePackages, api.PackagePath(id, ""), api.PackagePath(id, "manifest"), api.PackagePath(id, "content")} {
		a := x.Do(lv, http.MethodGet, path, read, nil)
		refused(t, x, a, api.Unavailable)
	}
	// Not even a refusal is given that cannot be written down.
	refused(t, x, x.Do(lv, http.MethodGet, api.PackagePath(noPackage, ""), nil, nil), api.Unavailable)
	refused(t, x, x.Do(x.HTTP("lv/vp", certs.RoleDPO), http.MethodGet, api.RoutePackages, nil, nil), api.Unavailable)
	refused(t, x, x.Do(lv, http.MethodGet, "/v2/packages", nil, nil), api.Unavailable)
	refused(t, x, x.Post(ee, turnedAway[0][1:]), api.Unavailable)

	if err := os.RemoveAll(anchor); err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		a := x.Post(ee, turnedAway[0])
		done = a.Status == http.StatusCreated
		if !done && a.Status != http.StatusServiceUnavailable {
			t.Fatalf("nothing of it had happened, but: %d %s", a.Status, a.Body)
		}
	}
	if n := listed(t, x.As("ee/pbgb", certs.RoleUnit), client.Query{Box: client.Outbox}); n != 2+len(accepted) {
		t.Errorf("%d packages, accepted were %d", n, 2+len(accepted))
	}
	o := observe(t, x)
	o.verify(t)
}

// TestInvariant4FullDisk: when the database can grow no more, posts are
// turned away whole, and all that was promised before stands.
func TestInvariant4FullDisk(t *testing.T) {
	t.Parallel()
	x := start(t)
	x.Stop()
	info, err := os.Stat(filepath.Join(x.World.Dir, "state", "exchange.db"))
	if err != nil {
		t.Fatal(err)
	}
	p := x.Parts(exchangetest.PartsConfig{Store: store.Config{MaxPages: info.Size()/4096 + 40}})
	caller := x.Caller("ee/pbgb", certs.RoleUnit)
	var receipts []audit.Receipt
	var last []exchangetest.Part
	for range 1000 {
		last = x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
		got, err := p.Service.Post(t.Context(), caller, incoming(last))
		if err != nil {
			if r := exchange.AsRefusal(err); r == nil || r.Kind != exchange.Unavailable {
				t.Fatalf("a full disk said %v", err)
			}
			break
		}
		receipts = append(receipts, got.Receipt)
	}
	if len(receipts) == 0 || len(receipts) == 1000 {
		t.Fatalf("%d packages fitted", len(receipts))
	}
	p.Close()

	p = x.Parts(exchangetest.PartsConfig{})
	again, err := p.Service.Post(t.Context(), caller, incoming(last))
	if err != nil || again.Repeat {
		t.Errorf("the package that was turned away: repeat %v, %v", again != nil && again.Repeat, err)
	}
	sends := 0
	for _, e := range ledgerEntries(t, p.Store) {
		if e.Action == "package.send" {
			sends++
		}
	}
	if sends != len(receipts)+1 {
		t.Errorf("%d entries of %d packages", sends, len(receipts)+1)
	}
	err = p.Store.View(t.Context(), func(rows exchange.Reader) error {
		for _, want := range receipts {
			got, err := p.Journal.Receipt(rows, want.Index)
			if err != nil {
				return err
			}
			if got.Encode() != want.Encode() {
				t.Errorf("receipt of entry %d is another by now", want.Index)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
