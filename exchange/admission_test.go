package exchange_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// decidedBy is the reason of the tests' operators.
const decidedBy = "Decided by the board on 20 November, protocol 14"

// operator is one of the exchange's own people, by name.
func operator(x *exchangetest.Exchange, name string) exchange.Caller {
	x.TB.Helper()
	leaf := x.Operator(name).Leaf
	id, err := certs.ParseIdentity(leaf.URIs[0].String())
	if err != nil {
		x.TB.Fatal(err)
	}
	return exchange.Caller{Peer: certs.Peer{Identity: id, Certificate: leaf, Fingerprint: certs.Fingerprint(leaf)}, Request: newID()}
}

// TestAdmissionTwoPersons: what takes away holds at once, what gives waits for
// another operator, for a day, and only if nothing changed meanwhile.
func TestAdmissionTwoPersons(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	one, two := operator(x, "one"), operator(x, "two")
	is := func(suspended bool, roles ...string) exchange.Standing {
		return exchange.Standing{Roles: roles, Suspended: suspended}
	}
	const unit, dpo, rules = certs.RoleUnit, certs.RoleDPO, certs.RolePolicy
	for _, c := range []struct {
		name   string
		who    exchange.Caller
		agency string
		ask    exchange.Standing
		after  time.Duration
		holds  exchange.Standing
		waits  bool
		entry  string
	}{
		{"a role is taken away", one, "lv/vp", is(false, unit), 0, is(false, unit), false, "done"},
		{"it is given again", one, "lv/vp", is(false, unit, dpo), 0, is(false, unit), true, "awaits_second_operator"},
		{"the same person is not a second one", one, "lv/vp", is(false, dpo, unit), 0, is(false, unit), true, "awaits_second_operator"},
		{"another person asks for more", two, "lv/vp", is(false, unit, dpo, rules), 0, is(false, unit), true, "awaits_second_operator"},
		{"the first one for that too", one, "lv/vp", is(false, unit, dpo, rules), 0, is(false, unit, dpo, rules), false, "done"},
		{"suspended by one", two, "lv/vp", is(true, unit, dpo, rules), 0, is(true, unit, dpo, rules), false, "done"},
		{"once more", two, "lv/vp", is(true, unit, dpo, rules), 0, is(true, unit, dpo, rules), false, "repeated"},
		{"readmission", one, "lv/vp", is(false, unit, dpo, rules), 0, is(true, unit, dpo, rules), true, "awaits_second_operator"},
		{"a day later it is void", two, "lv/vp", is(false, unit, dpo, rules), 24 * time.Hour, is(true, unit, dpo, rules), true, "awaits_second_operator"},
		{"a little earlier it is not", one, "lv/vp", is(false, unit, dpo, rules), 24*time.Hour - time.Minute, is(false, unit, dpo, rules), false, "done"},
		{"takes and gives at once", one, "lv/vp", is(true, unit, certs.RoleSupervisor), 0, is(true, unit), true, "awaits_second_operator"},
		{"what changes meanwhile", two, "lv/vp", is(true), 0, is(true), false, "done"},
		{"voids it", two, "lv/vp", is(true, unit, certs.RoleSupervisor), 0, is(true), true, "awaits_second_operator"},
		{"to ask for what holds", one, "lv/vp", is(true), 0, is(true), false, "withdrawn"},
		{"withdraws it", one, "lv/vp", is(true, unit, certs.RoleSupervisor), 0, is(true), true, "awaits_second_operator"},
		{"a new agency", one, "europol/ops", is(false, unit), 0, is(false), true, "awaits_second_operator"},
		{"by two", two, "europol/ops", is(false, unit), 0, is(false, unit), false, "done"},
	} {
		x.Clock.Advance(c.after)
		got, err := p.Service.SetAdmission(t.Context(), c.who, c.agency, c.ask, decidedBy)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		slices.Sort(got.Roles)
		slices.Sort(c.holds.Roles)
		if !slices.Equal(got.Roles, c.holds.Roles) || got.Suspended != c.holds.Suspended || (got.Proposal != nil) != c.waits {
			t.Errorf("%s: %+v, waits %+v", c.name, got.Standing, got.Proposal)
		}
		if last := lastLine(t, p, demo.Operator); last != "exchange/ops agency.admit "+c.entry {
			t.Errorf("%s: %s", c.name, last)
		}
		reg, err := p.Service.Registry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, known := reg.Agency(c.agency)
		if slices.Sort(row.Roles); known && (row.Suspended != c.holds.Suspended || !slices.Equal(row.Roles, c.holds.Roles)) || known == (c.name == "a new agency") {
			t.Errorf("%s: the registry has %+v", c.name, row)
		}
	}
	for name, caller := range map[string]exchange.Caller{"unit": x.Caller("ee/pbgb", certs.RoleUnit), "dpo": x.Caller("ee/pbgb", certs.RoleDPO)} {
		if _, err := p.Service.SetAdmission(t.Context(), caller, "ee/pbgb", is(false, unit), decidedBy); kindOf(err) != "role-forbidden/role-forbidden" {
			t.Errorf("by a %s: %v", name, err)
		}
		if _, err := p.Service.Admission(t.Context(), caller, "ee/pbgb"); kindOf(err) != "role-forbidden/role-forbidden" {
			t.Errorf("read by a %s: %v", name, err)
		}
	}
}

// TestAdmissionRolesOfBothSides: an agency has the roles that the operator
// admits and its jurisdiction lists.
func TestAdmissionRolesOfBothSides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		admitted, declared []string
		role               string
		want               bool
	}{
		{[]string{"unit", "dpo"}, []string{"unit", "dpo"}, "dpo", true},
		{[]string{"unit", "dpo"}, []string{"unit"}, "dpo", false},
		{[]string{"unit"}, []string{"unit", "dpo"}, "dpo", false},
		{[]string{"unit", "dpo"}, nil, "dpo", true},
		{nil, []string{"unit"}, "unit", false},
	} {
		a := exchange.Agency{Roles: c.admitted, Declared: c.declared}
		if a.Allows(c.role) != c.want {
			t.Errorf("admitted %v, declared %v: %s allowed: %v", c.admitted, c.declared, c.role, !c.want)
		}
	}
	x := start(t)
	x.Admission(node.Admission{ID: "ee/pbgb", Roles: []string{certs.RoleUnit, certs.RoleOperator}})
	if err := x.Node.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := x.Parts(exchangetest.PartsConfig{})
	reg, err := p.Service.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := reg.Agency("ee/pbgb"); !a.Allows(certs.RoleUnit) || a.Allows(certs.RoleOperator) {
		t.Errorf("Estonia does not declare its own operators: %+v", a)
	}
}

// TestAdmissionOutlivesTheFile: a registry file that did not change undoes
// nothing that operators did since, at no start; one that did change counts.
func TestAdmissionOutlivesTheFile(t *testing.T) {
	t.Parallel()
	x := start(t)
	ops := x.As(demo.Operator, certs.RoleOperator)
	suspend := api.AdmissionRequest{Roles: []string{certs.RoleUnit}, Suspended: true, Reason: decidedBy}
	if _, err := ops.SetAdmission(t.Context(), "lv/vp", suspend); err != nil {
		t.Fatal(err)
	}
	check := func(when string, suspended bool, roles ...string) {
		t.Helper()
		got, err := x.As(demo.Operator, certs.RoleOperator).Admission(t.Context(), "lv/vp")
		if err != nil {
			t.Fatal(err)
		}
		if got.Suspended != suspended || !slices.Equal(got.Roles, roles) {
			t.Errorf("%s: suspended %v, roles %v", when, got.Suspended, got.Roles)
		}
	}
	check("at once", true, certs.RoleUnit)
	if err := x.Node.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after a reload", true, certs.RoleUnit)
	x.Restart()
	check("after a restart", true, certs.RoleUnit)
	x.Admission(node.Admission{ID: "lv/vp", Roles: []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy}})
	x.Restart()
	check("after the file has changed", false, certs.RoleUnit, certs.RoleDPO, certs.RolePolicy)
	if _, err := x.As(demo.Operator, certs.RoleOperator).SetAdmission(t.Context(), "lv/vp", suspend); err != nil {
		t.Fatal(err)
	}
	x.Restart()
	check("and is old again", true, certs.RoleUnit)
}

// TestSuspensionInFlight: an operator suspends by the API while a package is
// on its way: the sender's is refused, the recipient's denied, and what was
// delivered before is out of reach until it is readmitted.
func TestSuspensionInFlight(t *testing.T) {
	t.Parallel()
	x := start(t)
	before := post(t, x, draft(x, demo.EEtoLV)).ID()
	p := x.Parts(exchangetest.PartsConfig{})
	ops := operator(x, "one")
	suspended := func(agency string) func() {
		return func() {
			if _, err := p.Service.SetAdmission(t.Context(), ops, agency, exchange.Standing{Suspended: true}, decidedBy); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct{ name, agency, want string }{
		{"the recipient", "lv/vp", "denied policy-denied/"},
		{"the sender", "ee/pbgb", "refused identity-refused/agency-suspended"},
	} {
		d := draft(x, demo.EEtoLVUA)
		if c.agency == "ee/pbgb" {
			d = draft(x, demo.EEtoLVUA).To(x, "ua/npu")
		}
		in := incoming(x.PartsOf(x.Seal(d)))
		in.before = suspended(c.agency)
		if _, err := p.Service.Post(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), in); err == nil {
			t.Errorf("%s was suspended, and the package accepted", c.name)
		}
		if got := lastLine(t, p, "ee/pbgb"); got != "ee/pbgb package.send "+c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	lv := x.Caller("lv/vp", certs.RoleUnit)
	if _, err := p.Service.Show(t.Context(), lv, before); kindOf(err) != "identity-refused/agency-suspended" {
		t.Errorf("what it had received: %v", err)
	}
	for _, name := range []string{"one", "two"} {
		standing := exchange.Standing{Roles: []string{certs.RoleUnit, certs.RoleDPO}}
		if _, err := p.Service.SetAdmission(t.Context(), operator(x, name), "lv/vp", standing, decidedBy); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Service.Show(t.Context(), lv, before); err != nil {
		t.Errorf("after its readmission: %v", err)
	}
}
