package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// kindOf is the kind of a refusal with its reason; empty: none.
func kindOf(err error) string {
	if err == nil {
		return ""
	}
	if r := exchange.AsRefusal(err); r != nil {
		return string(r.Kind) + "/" + r.Reason
	}
	return err.Error()
}

// lastLine is an owner's newest entry.
func lastLine(t testing.TB, p *exchangetest.Parts, owner string) string {
	t.Helper()
	last := ""
	for _, e := range ledgerEntries(t, p.Store) {
		if e.Owner == owner {
			last = line(e)
		}
	}
	return last
}

// TestKeysPublished: which key is taken, from whom, and what stands in the
// agency's own log, and in nobody else's.
func TestKeysPublished(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	unit, policyMaker := x.Caller("ee/pbgb", certs.RoleUnit), x.Caller("ee/pbgb", certs.RoleUnit)
	policyMaker.Identity.Role = certs.RolePolicy
	row := exchange.Standing{Roles: []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy}}
	if err := p.Service.ApplyAdmission(t.Context(), "ee/pbgb", row, "another file"); err != nil {
		t.Fatal(err)
	}
	sig, sigJWK := x.NewKey("ee/pbgb", envelope.UseSign)
	approve, approveJWK := x.NewKey("ee/pbgb", envelope.UseApprove)
	rules, rulesJWK := x.NewKey("ee/pbgb", envelope.UsePolicy)
	foreign, foreignJWK := x.NewKey("lv/vp", envelope.UseSign)
	registered := x.PublicKey("ee/pbgb", envelope.UseSign)
	again := x.Certified("ee/pbgb", registered)
	theirs := x.PublicKey("lv/vp", envelope.UseSign)
	stolen := x.Certified("ee/pbgb", theirs) // an authority that certifies what it is given
	asEnc, err := envelope.NewPublicKey(registered.CryptoKey(), envelope.UseEncrypt)
	if err != nil {
		t.Fatal(err)
	}
	otherUse := x.Certified("ee/pbgb", asEnc)
	famous, err := envelope.ParsePublicJWK([]byte(`{"kty":"EC","crv":"P-256","use":"sig",
		"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`))
	if err != nil {
		t.Fatal(err)
	}
	own, err := envelope.NewPublicKey(unit.Certificate.PublicKey, envelope.UseSign)
	if err != nil {
		t.Fatal(err)
	}
	entries := len(ledgerEntries(t, p.Store))
	for i, c := range []struct {
		name   string
		caller exchange.Caller
		agency string
		kid    string
		jwk    []byte
		want   string
	}{
		{"its own", unit, "ee/pbgb", sig.Kid(), sigJWK, ""},
		{"once more", unit, "ee/pbgb", sig.Kid(), sigJWK, ""},
		{"one that an approver signs with", unit, "ee/pbgb", approve.Kid(), approveJWK, ""},
		{"policy's, by the unit", unit, "ee/pbgb", rules.Kid(), rulesJWK, "role-forbidden/key-of-another-role"},
		{"policy's, by policy", policyMaker, "ee/pbgb", rules.Kid(), rulesJWK, ""},
		{"the unit's, by policy", policyMaker, "ee/pbgb", sig.Kid(), sigJWK, "role-forbidden/key-of-another-role"},
		{"by the data-protection officer", x.Caller("ee/pbgb", certs.RoleDPO), "ee/pbgb", approve.Kid(), approveJWK, "role-forbidden/role-forbidden"},
		{"for another agency", unit, "lv/vp", foreign.Kid(), foreignJWK, "not-found/key-of-another-agency"},
		{"for an agency that is not there", unit, "lv/none", foreign.Kid(), foreignJWK, "not-found/key-of-another-agency"},
		{"another agency's, as its own", unit, "ee/pbgb", foreign.Kid(), foreignJWK, "key-refused/key-certificate"},
		{"under another thumbprint", unit, "ee/pbgb", foreign.Kid(), sigJWK, "request-malformed/bad-kid"},
		{"no key", unit, "ee/pbgb", sig.Kid(), []byte(`{}`), "request-malformed/bad-jwk"},
		{"registered for another agency", unit, "ee/pbgb", theirs.Kid(), stolen, "conflict/key-taken"},
		{"registered for another use", unit, "ee/pbgb", asEnc.Kid(), otherUse, "conflict/key-taken"},
		{"registered with another certificate", unit, "ee/pbgb", registered.Kid(), again, "conflict/key-certified"},
		{"known to everybody", unit, "ee/pbgb", famous.Kid(), x.Certified("ee/pbgb", famous.PublicKey), "key-refused/key-published"},
		{"the key of the own TLS certificate", unit, "ee/pbgb", own.Kid(), x.Certified("ee/pbgb", own), "key-refused/key-of-tls"},
	} {
		change, err := p.Service.PublishKey(t.Context(), c.caller, c.agency, c.kid, c.jwk)
		if kindOf(err) != c.want {
			t.Errorf("%s: %q, want %q", c.name, kindOf(err), c.want)
		}
		if err == nil && (change.Repeat != (c.name == "once more") || change.Key.Kid != c.kid) {
			t.Errorf("%s: %+v", c.name, change)
		}
		outcome := map[bool]string{true: "refused " + c.want, false: "published"}[c.want != ""]
		if c.name == "once more" {
			outcome = "repeated"
		}
		all := ledgerEntries(t, p.Store)
		if last := all[len(all)-1]; line(last) != strings.TrimSpace("ee/pbgb key.publish "+outcome) || len(all) != entries+i+1 {
			t.Errorf("%s: %d entries more, the last one %s", c.name, len(all)-entries-i, line(last))
		}
	}
	reg, err := p.Service.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k := reg.KeyByID(theirs.Kid()); k == nil || k.Agency != "lv/vp" || reg.KeyByID(foreign.Kid()) != nil || reg.KeyByID(famous.Kid()) != nil {
		t.Error("the directory has another's key")
	}
}

// TestKeysEndOnlyStricter: an end moves to earlier times, a compromise is
// never taken back, and a key that ended does not come back.
func TestKeysEndOnlyStricter(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	unit, hour := x.Caller("ee/pbgb", certs.RoleUnit), time.Hour
	key, jwk := x.NewKey("ee/pbgb", envelope.UseSign)
	if _, err := p.Service.PublishKey(t.Context(), unit, "ee/pbgb", key.Kid(), jwk); err != nil {
		t.Fatal(err)
	}
	t0 := x.Clock.Now().Truncate(time.Second)
	for _, c := range []struct {
		name               string
		until, compromised time.Duration // from t0; 0: not given
		want               string
		repeat             bool
		ends, leaked       time.Duration // then; ends 0: about now
	}{
		{"in three hours", 3 * hour, 0, "", false, 3 * hour, 0},
		{"later", 4 * hour, 0, "", true, 3 * hour, 0},
		{"earlier", 2 * hour, 0, "", false, 2 * hour, 0},
		{"in the past", -hour, 0, "request-malformed/bad-until", false, 2 * hour, 0},
		{"compromised tomorrow", 0, 24 * hour, "request-malformed/bad-compromised", false, 2 * hour, 0},
		{"both", hour, -hour, "request-malformed/bad-until", false, 2 * hour, 0},
		{"compromised since an hour", 0, -hour, "", false, 0, -hour},
		{"the same again", 0, -hour, "", true, 0, -hour},
		{"a later compromise", 0, -hour + time.Second, "conflict/compromise-later", false, 0, -hour},
		{"an earlier one", 0, -2 * hour, "", false, 0, -2 * hour},
		{"none any more", 0, 0, "", true, 0, -2 * hour},
		{"an end that lies ahead", 5 * hour, 0, "", true, 0, -2 * hour},
	} {
		var end exchange.Retirement
		if c.until != 0 {
			end.Until = t0.Add(c.until)
		}
		if c.compromised != 0 {
			end.Compromised = t0.Add(c.compromised)
		}
		change, err := p.Service.RetireKey(t.Context(), unit, "ee/pbgb", key.Kid(), end)
		if kindOf(err) != c.want || err == nil && change.Repeat != c.repeat {
			t.Errorf("%s: %q, repeat %v", c.name, kindOf(err), err == nil && change.Repeat)
		}
		reg, err := p.Service.Registry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row := reg.KeyByID(key.Kid()).KeyRow
		if ends := row.Until.Sub(t0); c.ends != 0 && ends != c.ends || c.ends == 0 && (ends < 0 || ends > hour/2) {
			t.Errorf("%s: it ends %s after", c.name, ends)
		}
		if c.leaked == 0 && !row.Compromised.IsZero() || c.leaked != 0 && row.Compromised.Sub(t0) != c.leaked {
			t.Errorf("%s: compromised since %s", c.name, row.Compromised)
		}
	}
	if _, err := p.Service.PublishKey(t.Context(), unit, "ee/pbgb", key.Kid(), jwk); kindOf(err) != "conflict/key-retired" {
		t.Errorf("it came back: %v", err)
	}
	if err := p.Service.Register(t.Context(), "ee/pbgb", jwk); err != nil {
		t.Errorf("the registry file still has it: %v", err)
	}
	if reg, err := p.Service.Registry(t.Context()); err != nil || reg.KeyByID(key.Kid()).TrustedAt(x.Clock.Now()) {
		t.Errorf("the registry file brought it back: %v", err)
	}
	for who, caller := range map[string]exchange.Caller{"key-of-another-agency": x.Caller("lv/vp", certs.RoleUnit)} {
		if _, err := p.Service.RetireKey(t.Context(), caller, "ee/pbgb", key.Kid(), exchange.Retirement{}); kindOf(err) != "not-found/"+who {
			t.Errorf("%s: %v", who, err)
		}
		if _, err := p.Service.RetireKey(t.Context(), caller, "lv/vp", key.Kid(), exchange.Retirement{}); kindOf(err) != "not-found/no-such-key" {
			t.Errorf("as one of its own: %v", err)
		}
	}
}

// TestKeysRetiredInFlight: a key ends by the API after policy has decided and
// before the package is recorded.
func TestKeysRetiredInFlight(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	retired := func(agency, kid string, end exchange.Retirement) func() {
		return func() {
			if _, err := p.Service.RetireKey(t.Context(), x.Caller(agency, certs.RoleUnit), agency, kid, end); err != nil {
				t.Error(err)
			}
		}
	}
	publish := func(agency string, use envelope.Use) envelope.PrivateKey {
		key, jwk := x.NewKey(agency, use)
		if _, err := p.Service.PublishKey(t.Context(), x.Caller(agency, certs.RoleUnit), agency, key.Kid(), jwk); err != nil {
			t.Fatal(err)
		}
		return key
	}
	yesterday := x.Clock.Now().Add(-24 * time.Hour)
	for _, c := range []struct {
		name string
		use  envelope.Use
		end  exchange.Retirement
		want string // the sender's entry
	}{
		{"signing key", envelope.UseSign, exchange.Retirement{}, "refused envelope-rejected/signing-key-not-trusted"},
		{"signing key that leaked", envelope.UseSign, exchange.Retirement{Compromised: yesterday}, "refused envelope-rejected/signing-key-not-trusted"},
		{"recipient's key", envelope.UseEncrypt, exchange.Retirement{}, "refused package-invalid/content:recipient-key-unusable"},
		{"signing key whose end comes meanwhile", envelope.UseSign, exchange.Retirement{Until: x.Clock.Now().Add(time.Hour)}, "refused envelope-rejected/signing-key-not-trusted"},
		{"signing key, but later", envelope.UseSign, exchange.Retirement{Until: x.Clock.Now().Add(12 * time.Hour)}, "delivered"},
	} {
		d, agency := draft(x, demo.EEtoLV), "ee/pbgb"
		var key envelope.PrivateKey
		if c.use == envelope.UseSign {
			key = publish(agency, c.use)
			d.SignKey = key
		} else {
			agency = "lv/vp"
			key = publish(agency, c.use)
			d.Recipients[0].Key = key.Public()
		}
		in := incoming(x.PartsOf(x.Seal(d)))
		in.before = retired(agency, key.Kid(), c.end)
		if c.name == "signing key whose end comes meanwhile" {
			in.before()
			x.Clock.Advance(time.Until(c.end.Until) - time.Minute)
			in = incoming(x.PartsOf(resealed(x, d)))
			in.before = func() { x.Clock.Advance(2 * time.Minute) }
		}
		_, err := p.Service.Post(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), in)
		if r := exchange.AsRefusal(err); c.want == "delivered" && err != nil || r != nil && r.Kind == exchange.Invalid && r.Fix == "" {
			t.Errorf("%s: %+v", c.name, err)
		}
		if got := lastLine(t, p, "ee/pbgb"); got != "ee/pbgb package.send "+c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// resealed seals a draft as of now.
func resealed(x *exchangetest.Exchange, d *exchangetest.Draft) *envelope.Sealed {
	again := *d
	again.JTI, again.Now = newID(), x.Clock.Now()
	return x.Seal(&again)
}

// TestKeysRevoked: a key whose certificate its authority revokes is refused
// when the list arrives, though nobody retired it; nobody else's is.
func TestKeysRevoked(t *testing.T) {
	t.Parallel()
	x := start(t)
	post(t, x, draft(x, demo.EEtoLV))
	k, err := x.As("ee/pbgb", certs.RoleUnit).Key(t.Context(), "ee/pbgb", x.SignKey("ee/pbgb").Kid(), x.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	chain, err := certs.ParseDER(k.X5C)
	if err != nil {
		t.Fatal(err)
	}
	sealed, others := x.Seal(draft(x, demo.EEtoLV)), x.Seal(draft(x, demo.LVtoEE))
	x.Revoke("ee", chain[0].SerialNumber)
	if err := x.Node.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), sealed)
	problem(t, err, api.EnvelopeRejected)
	if _, err := x.As("lv/vp", certs.RoleUnit).PostSealed(t.Context(), others); err != nil {
		t.Errorf("a package by another's: %v", err)
	}
}
