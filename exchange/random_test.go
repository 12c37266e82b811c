package exchange_test

import (
	"flag"
	"net/http"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// model is what a random walk knows of the exchange.
type model struct {
	x        *exchangetest.Exchange
	packages []*known
	refusals int // answers that were refusals, 503 aside
}

// known is an accepted package.
type known struct {
	id, from     string
	to           []string
	outcome      string
	parts        []exchangetest.Part
	acknowledged map[string][]byte // by recipient: what it signed
}

// TestInvariant1RandomWalk does what comes to its mind for a while: sends,
// denials, malformed and repeated packages, acknowledgements once and again,
// reading, restarts. What each agency sees is what the model says, and in the
// end state and ledger tell the same story, row by row.
func TestInvariant1RandomWalk(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"rapid.checks": "4", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	m := &model{x: start(t)}
	steps := map[string]func(*rapid.T){
		"send": m.send, "hold": m.hold, "denied": m.denied, "malformed": m.malformed, "repeat": m.repeat, "acknowledge": m.acknowledge,
		"acknowledge again": m.acknowledgeAgain, "read": m.read, "list": m.list, "stranger": m.stranger,
	}
	names := []string{"send", "send", "hold", "denied", "malformed", "repeat", "acknowledge", "acknowledge", "acknowledge again", "read", "read", "list", "stranger"}
	rapid.Check(t, func(rt *rapid.T) {
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 15, 25).Draw(rt, "steps") {
			steps[name](rt)
		}
		m.x.Restart()
		for _, agency := range m.x.World.Agencies {
			m.boxes(rt, agency)
		}
	})
	p := m.x.Parts(exchangetest.PartsConfig{})
	compareStateAndLedger(t, m, p.Store)
}

func (m *model) client(agency string) *http.Client { return m.x.HTTP(agency, certs.RoleUnit) }

var sendable = []string{demo.EEtoLVUA, demo.EEtoLV, demo.LVtoEE, demo.ITtoLV, demo.UAtoEE}

func (m *model) accept(rt *rapid.T, d *exchangetest.Draft, outcome string) {
	sealed := m.x.Seal(d)
	k := &known{id: sealed.JTI, from: d.Iss, outcome: outcome, parts: m.x.PartsOf(sealed), acknowledged: map[string][]byte{}}
	for _, r := range d.Recipients {
		k.to = append(k.to, r.Agency)
	}
	if a := m.x.Post(m.client(d.Iss), k.parts); a.Status != http.StatusCreated {
		rt.Fatalf("send: %d %s", a.Status, a.Body)
	}
	m.packages = append(m.packages, k)
}

func (m *model) send(rt *rapid.T) {
	m.accept(rt, draft(m.x, rapid.SampledFrom(sendable).Draw(rt, "sample")), policy.Delivered)
}

func (m *model) hold(rt *rapid.T) {
	d := draft(m.x, rapid.SampledFrom(sendable).Draw(rt, "sample"))
	d.About["handling"] = object{"code": "H3"}
	m.accept(rt, d, policy.Pending)
}

// refusal expects a status and counts.
func (m *model) refusal(rt *rapid.T, a *exchangetest.Answer, status int) {
	if a.Status != status {
		rt.Fatalf("expected %d, got %d %s", status, a.Status, a.Body)
	}
	m.refusals++
}

func (m *model) denied(rt *rapid.T) {
	if a := m.x.Post(m.client("it/dcpc"), m.x.PartsOf(m.x.Seal(draft(m.x, demo.ITtoBY)))); a.Status != http.StatusForbidden {
		rt.Fatalf("Italy to Belarus: %d %s", a.Status, a.Body)
	}
}

func (m *model) malformed(rt *rapid.T) {
	parts := m.x.PartsOf(m.x.Seal(draft(m.x, demo.EEtoLV)))
	i := rapid.IntRange(0, 2).Draw(rt, "part")
	parts[i].Body = parts[i].Body[:len(parts[i].Body)-rapid.IntRange(1, 40).Draw(rt, "cut")]
	a := m.x.Post(m.client("ee/pbgb"), parts)
	m.refusal(rt, a, a.Status)
	if a.Status != http.StatusBadRequest && a.Status != http.StatusUnprocessableEntity {
		rt.Fatalf("cut off: %d %s", a.Status, a.Body)
	}
}

// some draws a package for which f holds, nil if there is none.
func (m *model) some(rt *rapid.T, f func(*known) bool) *known {
	var fit []*known
	for _, k := range m.packages {
		if f(k) {
			fit = append(fit, k)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return rapid.SampledFrom(fit).Draw(rt, "package")
}

func (m *model) repeat(rt *rapid.T) {
	if k := m.some(rt, func(*known) bool { return true }); k != nil {
		if a := m.x.Post(m.client(k.from), k.parts); a.Status != http.StatusOK {
			rt.Fatalf("repeat: %d %s", a.Status, a.Body)
		}
	}
}

func (m *model) acknowledge(rt *rapid.T) {
	k := m.some(rt, func(k *known) bool { return k.outcome == policy.Delivered && len(k.acknowledged) < len(k.to) })
	if k == nil {
		return
	}
	i := slices.IndexFunc(k.to, func(a string) bool { return k.acknowledged[a] == nil })
	agency := k.to[i]
	jws := acknowledgementOf(m.x.TB, m.x, agency, descriptor(m.x.TB, m.x, agency, k.id))
	if a := acknowledgeAs(m.x, m.client(agency), k.id, jws); a.Status != http.StatusCreated {
		rt.Fatalf("acknowledge: %d %s", a.Status, a.Body)
	}
	k.acknowledged[agency] = jws
}

func (m *model) acknowledgeAgain(rt *rapid.T) {
	k := m.some(rt, func(k *known) bool { return len(k.acknowledged) > 0 })
	if k == nil {
		return
	}
	for agency, jws := range k.acknowledged {
		if a := acknowledgeAs(m.x, m.client(agency), k.id, jws); a.Status != http.StatusOK {
			rt.Fatalf("acknowledge again: %d %s", a.Status, a.Body)
		}
	}
}

// read reads the content of a package as one of its recipients, who may only
// after its acknowledgement.
func (m *model) read(rt *rapid.T) {
	k := m.some(rt, func(k *known) bool { return k.outcome == policy.Delivered })
	if k == nil {
		return
	}
	agency := rapid.SampledFrom(k.to).Draw(rt, "recipient")
	header := under(consult(m.x.TB, m.x.As(agency, certs.RoleUnit), k.id))
	a := m.x.Do(m.client(agency), http.MethodGet, api.PackagePath(k.id, "content"), header, nil)
	if k.acknowledged[agency] == nil {
		m.refusal(rt, a, http.StatusConflict)
	} else if a.Status != http.StatusOK || string(a.Body) != string(k.parts[2].Body) {
		rt.Fatalf("content: %d %s", a.Status, a.Body)
	}
}

func (m *model) list(rt *rapid.T) {
	m.boxes(rt, rapid.SampledFrom(m.x.World.Agencies).Draw(rt, "agency"))
}

func (m *model) stranger(rt *rapid.T) {
	k := m.some(rt, func(k *known) bool { return true })
	if k == nil {
		return
	}
	agency := rapid.SampledFrom(m.x.World.Agencies).Draw(rt, "agency")
	if agency == k.from || slices.Contains(k.to, agency) {
		return
	}
	m.refusal(rt, m.x.Do(m.client(agency), http.MethodGet, api.PackagePath(k.id, ""), nil, nil), http.StatusNotFound)
}

// boxes compares what an agency's boxes show with the model, in their order.
func (m *model) boxes(rt *rapid.T, agency string) {
	type shown struct{ id, state string }
	var in, out []shown
	for _, k := range m.packages {
		if k.from == agency {
			state := k.outcome
			if n := len(k.acknowledged); n == len(k.to) {
				state = "acknowledged"
			} else if n > 0 {
				state = "mixed"
			}
			out = append(out, shown{k.id, state})
		}
		if slices.Contains(k.to, agency) && k.outcome == policy.Delivered {
			state := k.outcome
			if k.acknowledged[agency] != nil {
				state = "acknowledged"
			}
			in = append(in, shown{k.id, state})
		}
	}
	for box, want := range map[string][]shown{client.Inbox: in, client.Outbox: out} {
		var got []shown
		for d, err := range m.x.As(agency, certs.RoleUnit).Packages(m.x.TB.Context(), client.Query{Box: box, PageSize: 7}) {
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, shown{d.ID, d.State})
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%s of %s:\n%v\nmodel:\n%v", box, agency, got, want)
		}
	}
}

// compareStateAndLedger goes from each row to its entry and back.
func compareStateAndLedger(t *testing.T, m *model, s exchange.Store) {
	t.Helper()
	entries := ledgerEntries(t, s)
	claimed := map[int64]bool{}
	claim := func(what string, index int64, owner, want string, id string) {
		t.Helper()
		if index < 0 || index >= int64(len(entries)) || claimed[index] {
			t.Fatalf("%s: entry %d is none, or another's too", what, index)
		}
		claimed[index] = true
		if e := entries[index]; line(e) != owner+" "+want || e.Package != id {
			t.Errorf("%s: its entry is %s of %s", what, line(e), e.Package)
		}
	}
	err := s.View(t.Context(), func(rows exchange.Reader) error {
		for _, k := range m.packages {
			p, err := rows.Package(k.id)
			if err != nil || p == nil {
				t.Fatalf("package %s: %v", k.id, err)
			}
			claim("package", p.Index, k.from, "package.send "+k.outcome, k.id)
			if entries[p.Index].Seq != p.Seq || entries[p.Index].ManifestSHA256 != p.ManifestSHA256 || len(p.Deliveries) != len(k.to) {
				t.Errorf("package %s: row and entry differ", k.id)
			}
			for _, d := range p.Deliveries {
				if k.outcome == policy.Delivered {
					claim("delivery", d.Index, d.Recipient, "package.deliver delivered", k.id)
				} else if d.Seq != 0 {
					t.Errorf("package %s waits, and %s sees it", k.id, d.Recipient)
				}
				a, err := rows.Acknowledgement(k.id, d.Recipient)
				if err != nil {
					return err
				}
				if (a != nil) != (k.acknowledged[d.Recipient] != nil) || (a != nil) != (d.Outcome == exchange.StateAcknowledged) {
					t.Errorf("package %s for %s: %s, acknowledgement %v", k.id, d.Recipient, d.Outcome, a != nil)
				}
				if a != nil {
					claim("acknowledgement", a.Index, d.Recipient, "package.acknowledge acknowledged", k.id)
					claim("its notice", a.Index+1, k.from, "package.acknowledged acknowledged", k.id)
				}
			}
		}
		return compareRest(t, m, rows, entries, claimed)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compareRest goes through the entries that no row has claimed: none of them
// may say that there is one.
func compareRest(t *testing.T, m *model, rows exchange.Reader, entries []audit.Entry, claimed map[int64]bool) error {
	t.Helper()
	refusals := 0
	for i, e := range entries {
		for _, d := range e.Decisions {
			row, err := rows.Decision(d.ID)
			if err != nil {
				return err
			}
			if row == nil || row.InputSHA256 != d.InputSHA256 || row.Recipient != d.Recipient {
				t.Errorf("%s: decision %s is not kept", line(e), d.ID)
			}
		}
		switch {
		case claimed[int64(i)]:
		case e.Action == "consultation.open" && e.Outcome == "opened":
			if row, err := rows.Consultation(e.Consultation); err != nil || row == nil || row.Package != e.Package || row.Officer != e.Officer {
				t.Errorf("consultation %s: %+v, %v", e.Consultation, row, err)
			}
		case e.Outcome == "refused":
			refusals++
		case slices.Contains([]string{"repeated", "shown", "released", "done"}, e.Outcome), e.Outcome == policy.Denied && e.Action == "package.send":
		default:
			t.Errorf("entry %d has no effect: %s", i, line(e))
		}
	}
	if refusals != m.refusals {
		t.Errorf("%d refusals were answered, %d are recorded", m.refusals, refusals)
	}
	return nil
}
