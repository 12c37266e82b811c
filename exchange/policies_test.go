package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// desk is where policy authors of a test work.
type desk struct {
	testing.TB
	x    *exchangetest.Exchange
	p    *exchangetest.Parts
	keys map[string]envelope.PrivateKey // by agency
	seen int                            // entries that a test has looked at
}

func newDesk(t testing.TB, cfg exchangetest.PartsConfig, agencies ...string) *desk {
	t.Helper()
	x := start(t)
	d := &desk{TB: t, x: x, p: x.Parts(cfg), keys: map[string]envelope.PrivateKey{}}
	for _, a := range agencies {
		d.must(d.p.Service.ApplyAdmission(t.Context(), a, exchange.Standing{Roles: []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy}}, "of the test"))
		d.keys[a] = d.newKey(a)
	}
	d.entries()
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) newKey(agency string) envelope.PrivateKey {
	d.Helper()
	key, jwk := d.x.NewKey(agency, envelope.UsePolicy)
	d.must(d.p.Service.Register(d.Context(), agency, jwk))
	return key
}

// caller is a person of an agency.
func (d *desk) caller(agency, role, name string) exchange.Caller {
	d.Helper()
	leaf := d.x.Identity(agency, role, name).Leaf
	id, err := certs.ParseIdentity(leaf.URIs[0].String())
	d.must(err)
	return exchange.Caller{Peer: certs.Peer{Identity: id, Certificate: leaf, Fingerprint: certs.Fingerprint(leaf)}, Request: "00000000-0000-7000-8000-000000000000"}
}

func (d *desk) author(agency, name string) exchange.Caller {
	return d.caller(agency, certs.RolePolicy, name)
}

// draft is the policy in force of a jurisdiction, with a line more that means
// nothing, so that it is another.
func (d *desk) draft(jurisdiction string, seq int64, line string) *policy.Bundle {
	in := d.p.Policy.Set().Inputs()
	b := &policy.Bundle{Jurisdiction: jurisdiction, Seq: seq, Status: policy.Sample, Files: map[string][]byte{}}
	if jurisdiction == policy.CommonBundle {
		b.Status = policy.Authoritative
		maps.Copy(b.Files, in.Common.Files)
		b.Files["lib.rego"] = append(bytes.Clone(b.Files["lib.rego"]), "\n# "+line+"\n"...)
		return b
	}
	maps.Copy(b.Files, in.Declared[jurisdiction].Files)
	maps.Copy(b.Files, in.Rules[jurisdiction].Files)
	b.Files["send.rego"] = append(bytes.Clone(b.Files["send.rego"]), "\n# "+line+"\n"...)
	return b
}

func (d *desk) pack(b *policy.Bundle, key envelope.PrivateKey) []byte {
	d.Helper()
	raw, err := b.Pack(key.Signer())
	d.must(err)
	return raw
}

func (d *desk) push(c exchange.Caller, jurisdiction string, raw []byte) (*exchange.PolicyChange, error) {
	return d.p.Service.PushPolicy(context.Background(), c, jurisdiction, raw)
}

// came pushes what must come to that outcome.
func (d *desk) came(c exchange.Caller, raw []byte, outcome string) *exchange.PolicyChange {
	d.Helper()
	b, err := policy.ReadBundle(raw)
	d.must(err)
	change, err := d.push(c, b.Jurisdiction, raw)
	if err != nil {
		r := exchange.AsRefusal(err)
		d.Fatalf("expected %s: %v %v %+v", outcome, err, r.Detail, r.Findings)
	}
	if change.Outcome != outcome {
		d.Fatalf("expected %s, got %s", outcome, change.Outcome)
	}
	if own, ok := d.p.Policy.Set().Inputs().Rules[b.Jurisdiction]; ok && (outcome != exchange.PolicyWaiting) != (own.Revision() == change.Inputs["rules"]) {
		d.Fatalf("%s, and in force is %s, not %v", outcome, own.Revision(), change.Inputs)
	}
	return change
}

// entries are the lines of the ledger since the last time.
func (d *desk) entries() (lines []string) {
	d.Helper()
	all := ledgerEntries(d.TB, d.p.Store)
	for _, e := range all[d.seen:] {
		lines = append(lines, line(e))
	}
	d.seen = len(all)
	return lines
}

// want compares the lines of the ledger since the last time.
func (d *desk) want(lines ...string) {
	d.Helper()
	if got := d.entries(); !slices.Equal(got, lines) {
		d.Errorf("entries:\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// refused does what must be refused for a reason: with an entry, and nothing
// changes.
func (d *desk) refused(what string, kind exchange.Kind, reason string, do func() error) *exchange.Refusal {
	d.Helper()
	before, active := d.p.Policy.Set(), d.p.Service.ActivePolicies()
	d.entries()
	r := exchange.AsRefusal(do())
	if r == nil || r.Kind != kind || r.Reason != reason {
		d.Fatalf("%s: expected %s (%s), got %v", what, kind, reason, r)
	}
	if got := d.entries(); len(got) != 1 || !strings.HasSuffix(got[0], " refused "+string(kind)+"/"+reason) {
		d.Errorf("%s: entries %v", what, got)
	}
	if d.p.Policy.Set() != before || len(d.p.Service.ActivePolicies()) != len(active) {
		d.Errorf("%s: what is in force has changed", what)
	}
	return r
}

// TestPushPolicy: a bundle is in force when two persons of its jurisdiction
// brought the same, with entries of both and of the operator.
func TestPushPolicy(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp", "ee/pbgb")
	anna, janis := d.author("lv/vp", "anna"), d.author("lv/vp", "janis")
	first := d.pack(d.draft("lv", 2, "first"), d.keys["lv/vp"])
	change := d.came(anna, first, exchange.PolicyWaiting)
	if change.Needed != 2 || len(change.Waiting) != 1 || change.Waiting[0].By != anna.Identity.String() {
		t.Errorf("%+v", change)
	}
	d.came(anna, first, exchange.PolicyWaiting) // the same person twice is one
	d.came(janis, d.pack(d.draft("lv", 2, "another"), d.keys["lv/vp"]), exchange.PolicyWaiting)
	d.want("lv/vp policy.push waiting", "lv/vp policy.push waiting", "lv/vp policy.push waiting")
	change = d.came(janis, first, exchange.PolicyActive)
	d.want("lv/vp policy.push active", "exchange/ops policy.push active")
	if len(change.By) != 2 || len(change.Signed) != 1 || change.Signed[0].Kid != d.keys["lv/vp"].Kid() || change.At.IsZero() {
		t.Errorf("%+v", change)
	}
	d.came(anna, first, exchange.PolicyRepeated)
	d.want("lv/vp policy.push repeated")
	state, _, err := d.p.Service.ShowPolicy(t.Context(), anna, "lv")
	d.must(err)
	if state.Seq != 2 || !state.InForce || len(state.Waiting) != 0 || len(state.History) != 2 || len(state.Sources) != 2 {
		t.Errorf("%+v", state)
	}
	// Others see what is in force, and no person and no file of it.
	foreign, _, err := d.p.Service.ShowPolicy(t.Context(), d.author("ee/pbgb", "kati"), "lv")
	d.must(err)
	if foreign.Seq != 2 || foreign.Sources != nil || foreign.History != nil || len(foreign.By) != 0 || len(foreign.Signed) != 1 {
		t.Errorf("Estonia sees %+v", foreign)
	}
}

// TestPushPolicyRefuses: each step can refuse; then nothing changes, and the
// entry says why.
func TestPushPolicyRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp", "ee/pbgb")
	anna, kati := d.author("lv/vp", "anna"), d.author("ee/pbgb", "kati")
	good := d.draft("lv", 2, "new")
	edited := func(b *policy.Bundle, file, old, with string) *policy.Bundle {
		if !bytes.Contains(b.Files[file], []byte(old)) {
			t.Fatalf("%s has no %q", file, old)
		}
		b.Files[file] = bytes.ReplaceAll(b.Files[file], []byte(old), []byte(with))
		return b
	}
	unsigned, err := good.Pack(nil)
	d.must(err)
	lost, _ := d.x.NewKey("lv/vp", envelope.UsePolicy) // certified, and nobody published it
	signing := d.x.SignKey("lv/vp")
	retired := d.newKey("lv/vp")
	retire(t, d.p, retired.Kid(), 0)
	old := d.draft("lv", 1, "old")
	for _, c := range []struct {
		name         string
		caller       exchange.Caller
		jurisdiction string
		raw          []byte
		kind         exchange.Kind
		reason       string
	}{
		{"a unit", d.caller("lv/vp", certs.RoleUnit, "unit"), "lv", d.pack(good, d.keys["lv/vp"]), exchange.RoleForbidden, "role-forbidden"},
		{"of another jurisdiction", kati, "lv", d.pack(good, d.keys["lv/vp"]), exchange.NotFound, "policy-of-another"},
		{"of none", anna, "xx", d.pack(good, d.keys["lv/vp"]), exchange.NotFound, "policy-of-another"},
		{"no bundle", anna, "lv", []byte("rules, honestly"), exchange.PolicyRefused, "bundle-form"},
		{"another's bundle", anna, "lv", d.pack(d.draft("ee", 2, "new"), d.keys["ee/pbgb"]), exchange.PolicyRefused, "bundle-of-another"},
		{"unsigned", anna, "lv", unsigned, exchange.PolicyRefused, "unsigned"},
		{"another's key", anna, "lv", d.pack(good, d.keys["ee/pbgb"]), exchange.PolicyRefused, "key-of-another"},
		{"a key that nobody published", anna, "lv", d.pack(good, lost), exchange.PolicyRefused, "key-unknown"},
		{"a key of another use", anna, "lv", d.pack(good, signing), exchange.PolicyRefused, "key-unknown"},
		{"a retired key", anna, "lv", d.pack(good, retired), exchange.PolicyRefused, "key-not-trusted"},
		{"the seq in force", anna, "lv", d.pack(old, d.keys["lv/vp"]), exchange.Conflict, "policy-seq"},
		{"what does not build", anna, "lv", d.pack(edited(d.draft("lv", 2, ""), "send.rego", "deny contains", "dney contains"), d.keys["lv/vp"]), exchange.PolicyRefused, "findings"},
		{"no author any more", anna, "lv", d.pack(edited(d.draft("lv", 2, ""), "declared.json", `"policy",`, ""), d.keys["lv/vp"]), exchange.PolicyRefused, "no-author"},
	} {
		r := d.refused(c.name, c.kind, c.reason, func() error {
			_, err := d.push(c.caller, c.jurisdiction, c.raw)
			return err
		})
		if c.reason == "findings" && (len(r.Findings) == 0 || r.Findings[0].File != "send.rego" || r.Findings[0].Line == 0) {
			t.Errorf("%s: findings %+v", c.name, r.Findings)
		}
	}
	if d.p.Service.PolicyRefusals()["key-of-another"] != 1 {
		t.Errorf("counted: %v", d.p.Service.PolicyRefusals())
	}
}

// TestVotesEnd: who wanted it too long ago, with a key that ended, or without
// the role any more, does not count.
func TestVotesEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp")
	anna, janis, ilze := d.author("lv/vp", "anna"), d.author("lv/vp", "janis"), d.author("lv/vp", "ilze")
	second := d.newKey("lv/vp")
	b := d.draft("lv", 2, "new")
	d.came(anna, d.pack(b, d.keys["lv/vp"]), exchange.PolicyWaiting)
	retire(t, d.p, d.keys["lv/vp"].Kid(), 0)
	d.came(janis, d.pack(b, second), exchange.PolicyWaiting) // Anna's key has ended
	d.came(ilze, d.pack(b, second), exchange.PolicyActive)

	later := d.draft("lv", 3, "later")
	d.came(anna, d.pack(later, second), exchange.PolicyWaiting)
	change := d.came(anna, d.pack(later, second), exchange.PolicyWaiting)
	if end := change.Waiting[0].Expires(); !end.Equal(change.Waiting[0].At.Add(24 * time.Hour)) {
		t.Errorf("it waits until %s", end)
	}
	vote := change.Waiting[0]
	vote.At = vote.At.Add(-25 * time.Hour)
	d.rewrite(func(tx *exchange.Tx) { tx.PutPolicyVote(vote) })
	d.came(janis, d.pack(later, second), exchange.PolicyWaiting)
}

// rewrite changes rows behind the service's back.
func (d *desk) rewrite(do func(tx *exchange.Tx)) {
	d.Helper()
	_, err := d.p.Journal.Commit(context.Background(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		do(tx)
		return []audit.Entry{{Owner: demo.Operator, Operation: audit.Alteration, Action: "test", Outcome: "done"}}, nil
	})
	d.must(err)
}

// TestDeclarationHoldsAtOnce: what a jurisdiction declares of an agency that
// is admitted holds with the activation, and what it does not declare any more
// is gone.
func TestDeclarationHoldsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp")
	anna, janis := d.author("lv/vp", "anna"), d.author("lv/vp", "janis")
	declare := func(seq int64, old, with string) {
		t.Helper()
		b := d.draft("lv", seq, "")
		b.Files["declared.json"] = bytes.ReplaceAll(b.Files["declared.json"], []byte(old), []byte(with))
		raw := d.pack(b, d.keys["lv/vp"])
		d.came(anna, raw, exchange.PolicyWaiting)
		d.came(janis, raw, exchange.PolicyActive)
	}
	agency := func() exchange.Agency {
		reg, err := d.p.Service.Registry(t.Context())
		d.must(err)
		a, _ := reg.Agency("lv/vp")
		return a
	}
	declare(2, `"dpo",`, "")
	if a := agency(); a.Allows(certs.RoleDPO) || !a.Allows(certs.RoleUnit) {
		t.Errorf("%+v", a)
	}
	d.refused("a role that is not declared any more", exchange.IdentityRefused, "role-not-granted", func() error {
		_, err := d.p.Service.Consult(t.Context(), d.x.Caller("lv/vp", certs.RoleDPO), exchange.ConsultationRequest{})
		return err
	})
	declare(3, `"unit",`, `"unit", "dpo",`)
	if a := agency(); !a.Allows(certs.RoleDPO) {
		t.Errorf("%+v", a)
	}
	declare(4, "State Police", "Police of the State")
	if a := agency(); a.Name != "Police of the State" {
		t.Errorf("%+v", a)
	}
}

// TestUndeclaredAgency: an agency that its jurisdiction does not declare any
// more has no role, whatever the operator says, until it is declared again.
func TestUndeclaredAgency(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp")
	d.must(d.p.Service.Admit(t.Context(), exchange.Agency{ID: "lv/old", Jurisdiction: "lv", Type: "spoc", Roles: []string{certs.RoleUnit}}))
	raw := d.pack(d.draft("lv", 2, ""), d.keys["lv/vp"])
	d.came(d.author("lv/vp", "anna"), raw, exchange.PolicyWaiting)
	d.came(d.author("lv/vp", "janis"), raw, exchange.PolicyActive)
	reg, err := d.p.Service.Registry(t.Context())
	d.must(err)
	if a, _ := reg.Agency("lv/old"); a.Takes() || a.Allows(certs.RoleUnit) {
		t.Errorf("%+v", a)
	}
	d.refused("it calls", exchange.IdentityRefused, "agency-undeclared", func() error {
		_, err := d.p.Service.List(t.Context(), d.caller("lv/old", certs.RoleUnit, "one"), exchange.Listing{Limit: 1})
		return err
	})
}

// TestCommonQuorum: common changes when enough jurisdictions signed the same:
// persons of one of them are one.
func TestCommonQuorum(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp", "ee/pbgb", "it/dcpc")
	few := policy.Samples() // each push of common builds and tests the rules of all
	few.Rules = map[string]policy.Source{"lv": few.Rules["lv"], "ee": few.Rules["ee"], "it": few.Rules["it"]}
	d.must(d.p.Service.Activate(t.Context(), onSamples(t, few)))
	b := d.draft(policy.CommonBundle, 2, "new")
	before := d.p.Policy.Set()
	change := d.came(d.author("lv/vp", "anna"), d.pack(b, d.keys["lv/vp"]), exchange.PolicyWaiting)
	if change.Needed != 2 {
		t.Errorf("%d of three are needed", change.Needed)
	}
	d.came(d.author("lv/vp", "janis"), d.pack(b, d.keys["lv/vp"]), exchange.PolicyWaiting)
	d.came(d.author("it/dcpc", "anna"), d.pack(d.draft(policy.CommonBundle, 2, "other"), d.keys["it/dcpc"]), exchange.PolicyWaiting)
	d.refused("with the key of another", exchange.PolicyRefused, "key-of-another", func() error {
		_, err := d.push(d.author("ee/pbgb", "kati"), policy.CommonBundle, d.pack(b, d.keys["lv/vp"]))
		return err
	})
	if d.p.Policy.Set() != before {
		t.Fatal("one jurisdiction changed common")
	}
	change = d.came(d.author("ee/pbgb", "kati"), d.pack(b, d.keys["ee/pbgb"]), exchange.PolicyActive)
	if len(change.Signed) != 2 || d.p.Policy.Set().Revisions()["common"] != change.Inputs["common"] {
		t.Errorf("%+v", change)
	}
}

// TestRollbackPolicy: an order puts what was in force back, by two persons,
// and nothing else.
func TestRollbackPolicy(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp", "ee/pbgb")
	anna, janis := d.author("lv/vp", "anna"), d.author("lv/vp", "janis")
	was := d.p.Policy.Set().Revisions()
	raw := d.pack(d.draft("lv", 2, "new"), d.keys["lv/vp"])
	d.came(anna, raw, exchange.PolicyWaiting)
	d.came(janis, raw, exchange.PolicyActive)
	order := func(edit func(*envelope.Rollback)) []byte {
		o := envelope.Rollback{Exchange: d.p.Service.Origin(), Iss: "lv/vp", IAT: d.x.Clock.Now().Unix(), Jurisdiction: "lv", Seq: 3,
			Declared: was["declared/lv"], Rules: was["rules/lv"], Reason: "The new rule refuses what courts asked for"}
		edit(&o)
		key := d.keys[o.Iss]
		jws, err := envelope.SignRollback(o, key)
		d.must(err)
		return jws
	}
	same := func(*envelope.Rollback) {}
	good := order(same)
	for _, c := range []struct {
		name   string
		jws    []byte
		kind   exchange.Kind
		reason string
	}{
		{"no order", []byte("back"), exchange.Malformed, "order:parts"},
		{"another's", order(func(o *envelope.Rollback) { o.Iss = "ee/pbgb" }), exchange.PolicyRefused, "key-of-another"},
		{"for another", order(func(o *envelope.Rollback) { o.Jurisdiction = "ee" }), exchange.PolicyRefused, "order-of-another"},
		{"another exchange", order(func(o *envelope.Rollback) { o.Exchange = "other.example/ledger" }), exchange.PolicyRefused, "other-exchange"},
		{"an old one", order(func(o *envelope.Rollback) { o.IAT -= 400 }), exchange.PolicyRefused, "order-time"},
		{"the seq in force", order(func(o *envelope.Rollback) { o.Seq = 2 }), exchange.Conflict, "policy-seq"},
		{"what never was", order(func(o *envelope.Rollback) { o.Rules = was["rules/ee"] }), exchange.PolicyRefused, "no-such-activation"},
		{"half of what was", order(func(o *envelope.Rollback) { o.Rules = "" }), exchange.PolicyRefused, "no-such-activation"},
		{"changed", tamperedOrder(good), exchange.PolicyRefused, "signature"},
	} {
		d.refused(c.name, c.kind, c.reason, func() error {
			_, err := d.p.Service.RollbackPolicy(t.Context(), anna, "lv", c.jws)
			return err
		})
	}
	d.refused("of another jurisdiction", exchange.NotFound, "policy-of-another", func() error {
		_, err := d.p.Service.RollbackPolicy(t.Context(), d.author("ee/pbgb", "kati"), "lv", good)
		return err
	})
	change, err := d.p.Service.RollbackPolicy(t.Context(), anna, "lv", good)
	d.must(err)
	if change.Outcome != exchange.PolicyWaiting {
		t.Fatalf("%+v", change)
	}
	change, err = d.p.Service.RollbackPolicy(t.Context(), janis, "lv", order(same))
	d.must(err)
	if change.Outcome != exchange.PolicyActive || change.BackTo != 1 || change.Seq != 3 || change.How != exchange.HowRollback {
		t.Fatalf("%+v", change)
	}
	if now := d.p.Policy.Set().Revisions(); !maps.Equal(now, was) {
		t.Errorf("in force is %v, not %v", now, was)
	}
	if change, err = d.p.Service.RollbackPolicy(t.Context(), anna, "lv", order(same)); err != nil || change.Outcome != exchange.PolicyRepeated {
		t.Errorf("%+v, %v", change, err)
	}
}

// tamperedOrder is a compact JWS with another signature.
func tamperedOrder(jws []byte) []byte { return flip(jws, len(jws)-10) }

// failingStore fails commits while it is told to.
type failingStore struct {
	exchange.Store
	fail *bool
}

type failingTransaction struct{ exchange.Transaction }

var errDisk = errors.New("the disk is full")

func (s failingStore) Begin(ctx context.Context) (exchange.Transaction, error) {
	tx, err := s.Store.Begin(ctx)
	if err == nil && *s.fail {
		return failingTransaction{tx}, nil
	}
	return tx, err
}

func (t failingTransaction) Commit() error {
	t.Rollback()
	return errDisk
}

// TestNoSwapWithoutEntry: if the entry cannot be written, what is in force
// stays; once it can, the same bundle comes into force.
func TestNoSwapWithoutEntry(t *testing.T) {
	t.Parallel()
	fail := false
	d := newDesk(t, exchangetest.PartsConfig{Wrap: func(s exchange.Store) exchange.Store { return failingStore{s, &fail} }}, "lv/vp")
	raw := d.pack(d.draft("lv", 2, "new"), d.keys["lv/vp"])
	d.came(d.author("lv/vp", "anna"), raw, exchange.PolicyWaiting)
	before, janis := d.p.Policy.Set(), d.author("lv/vp", "janis")
	d.entries()
	fail = true
	_, err := d.push(janis, "lv", raw)
	fail = false
	if r := exchange.AsRefusal(err); r == nil || r.Kind != exchange.Unavailable {
		t.Fatalf("%v", err)
	}
	if d.p.Policy.Set() != before || len(d.entries()) != 0 {
		t.Error("it came into force without an entry")
	}
	d.came(janis, raw, exchange.PolicyActive)
	d.want("lv/vp policy.push active", "exchange/ops policy.push active")
}

// TestStartPutsTheStateInForce: after a start what was activated is in force,
// and not what the program brought; who does not build any more is without
// rules, and the others go on.
func TestStartPutsTheStateInForce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, exchangetest.PartsConfig{}, "lv/vp")
	raw := d.pack(d.draft("lv", 2, "new"), d.keys["lv/vp"])
	d.came(d.author("lv/vp", "anna"), raw, exchange.PolicyWaiting)
	change := d.came(d.author("lv/vp", "janis"), raw, exchange.PolicyActive)
	usual, err := exchangetest.Policies()
	d.must(err)
	d.must(d.p.Service.OpenPolicies(t.Context(), usual.Inputs(), usual))
	if got := d.p.Policy.Set().Revisions()["rules/lv"]; got != change.Inputs["rules"] {
		t.Fatalf("after a start %s is in force", got)
	}
	broken := policy.Source{Files: map[string][]byte{"send.rego": []byte("package jurisdiction.ee.send\n\ndefault allow := true\n")}, Status: policy.Sample, Seq: 2}
	in := usual.Inputs()
	d.rewrite(func(tx *exchange.Tx) {
		tx.PutRevision(exchange.RevisionRow{Digest: broken.Revision(), Kind: "rules", Jurisdiction: "ee", Body: sourceJSON(t, broken), At: tx.Now()})
		tx.PutActivation(exchange.Activation{Jurisdiction: "ee", Seq: 2, Status: policy.Sample, How: exchange.HowPush, At: tx.Now(),
			Inputs: map[string]string{"declared": in.Declared["ee"].Revision(), "rules": broken.Revision()}})
	})
	d.must(d.p.Service.OpenPolicies(t.Context(), usual.Inputs(), usual))
	now := d.p.Policy.Set().Revisions()
	if now["rules/ee"] != "" || now["declared/ee"] == "" || now["rules/lv"] != change.Inputs["rules"] {
		t.Errorf("in force: %v", now)
	}
	if err := d.p.Service.PolicyHealth(); err == nil || !strings.Contains(err.Error(), "ee: rules/ee/send.rego") {
		t.Errorf("health: %v", err)
	}
	if _, is := d.p.Service.ActivePolicies()["ee"]; is {
		t.Error("Estonia's policy is shown as active")
	}
	state, _, err := d.p.Service.ShowPolicy(t.Context(), d.author("lv/vp", "anna"), "ee")
	d.must(err)
	if state.InForce || state.Fault == "" {
		t.Errorf("%+v", state)
	}
}

func sourceJSON(t testing.TB, src policy.Source) []byte {
	t.Helper()
	b, err := json.Marshal(src)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
