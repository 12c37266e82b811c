package exchange_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/policy"
)

// suspend suspends an agency, or ends that.
func suspend(t testing.TB, p *exchangetest.Parts, agency string, yes bool) {
	t.Helper()
	reg, err := p.Service.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row, _ := reg.Agency(agency)
	row.Suspended = yes
	if err := p.Service.Admit(t.Context(), row); err != nil {
		t.Fatal(err)
	}
}

// retire ends the trust in a key after a while: an act of the exchange, with
// its entry.
func retire(t testing.TB, p *exchangetest.Parts, kid string, after time.Duration) {
	t.Helper()
	_, err := p.Journal.Commit(t.Context(), func(tx *exchange.Tx) ([]audit.Entry, error) {
		reg, err := tx.Registry()
		if err != nil {
			return nil, err
		}
		row := reg.KeyByID(kid).KeyRow
		row.Until = tx.Now().Add(after)
		tx.PutKey(row)
		return []audit.Entry{{Owner: demo.Operator, Operation: audit.Alteration, Action: "key.retire", Outcome: "done", SigningKey: kid}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMovingUnderPost changes what a decision stands on after policy has
// decided and before the package is recorded: the package is judged again.
func TestMovingUnderPost(t *testing.T) {
	t.Parallel()
	x := start(t)
	usual, err := exchangetest.Policies()
	if err != nil {
		t.Fatal(err)
	}
	p := x.Parts(exchangetest.PartsConfig{})
	var twin, other []exchangetest.Part
	nothing := func() {}
	for _, c := range []struct {
		name       string
		move, undo func()
		kind       exchange.Kind // empty: accepted
		last       string        // the newest entry of the sender
	}{
		{"nothing", nothing, nothing, "", "delivered"},
		{"recipient suspended", func() { suspend(t, p, "lv/vp", true) }, func() { suspend(t, p, "lv/vp", false) }, exchange.Denied, "denied policy-denied/"},
		{"sender suspended", func() { suspend(t, p, "ee/pbgb", true) }, func() { suspend(t, p, "ee/pbgb", false) }, exchange.IdentityRefused,
			"refused identity-refused/agency-suspended"},
		{"unrelated suspension", func() { suspend(t, p, "by/mia", true) }, func() { suspend(t, p, "by/mia", false) }, "", "delivered"},
		{"policies", func() { activate(t, p, otherPolicies(t)) }, func() { activate(t, p, usual) }, exchange.Denied, "denied policy-denied/"},
		{"an hour passes while the bytes arrive", func() { x.Clock.Advance(time.Hour) }, nothing, "", "delivered"},
		{"it lapses while the bytes arrive", func() { x.Clock.Advance(3 * time.Hour) }, nothing, exchange.Invalid, "refused package-invalid/lapsed"},
		{"its twin is accepted", func() { mustPost(t, x, p, twin) }, nothing, "", "repeated"},
		{"another takes its id", func() { mustPost(t, x, p, other) }, nothing, exchange.Conflict, "refused conflict/id-taken"},
		{"recipient's key retired", func() { retire(t, p, x.DecryptKeys("lv/vp")[0].Kid(), 0) }, nothing, exchange.Invalid,
			"refused package-invalid/content:recipient-key-unusable"},
		{"signing key retired", func() { retire(t, p, x.SignKey("ee/pbgb").Kid(), 0) }, nothing, exchange.Rejected,
			"refused envelope-rejected/signing-key-not-trusted"},
	} {
		d := draft(x, demo.EEtoLV)
		if c.name == "signing key retired" {
			d = draft(x, demo.EEtoLVUA).To(x, "ua/npu") // whose key is not retired
		}
		if c.name == "it lapses while the bytes arrive" {
			d.Expires = x.Clock.Now().Add(2 * time.Hour)
		}
		d.JTI = newID()
		twin = x.PartsOf(x.Seal(d))
		d.Message.Text = "another " + plaintext
		other = x.PartsOf(x.Seal(d))
		in, moved := incoming(twin), 0
		in.before = func() {
			moved++
			c.move()
		}
		got, err := p.Service.Post(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), in)
		if r := exchange.AsRefusal(err); c.kind == "" && err != nil || c.kind != "" && (r == nil || r.Kind != c.kind) || moved != 1 {
			t.Errorf("%s: expected %q, got %+v, %v; the content was read %d times", c.name, c.kind, got, err, moved)
		}
		var last audit.Entry
		for _, e := range ledgerEntries(t, p.Store) {
			if e.Owner == "ee/pbgb" {
				last = e
			}
		}
		if line(last) != "ee/pbgb package.send "+c.last {
			t.Errorf("%s: the last entry is %s", c.name, line(last))
		}
		c.undo()
	}
}

// activate puts policies in force.
func activate(t testing.TB, p *exchangetest.Parts, set *policy.Set) {
	t.Helper()
	if err := p.Service.Activate(t.Context(), set); err != nil {
		t.Fatal(err)
	}
}

// mustPost posts as ee/pbgb and expects it accepted.
func mustPost(t testing.TB, x *exchangetest.Exchange, p *exchangetest.Parts, parts []exchangetest.Part) {
	t.Helper()
	if got, err := p.Service.Post(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), incoming(parts)); err != nil || got.Repeat {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestMovingUnderAcknowledgement: as TestMovingUnderPost, for an
// acknowledgement that waits for the batch in which the change is.
func TestMovingUnderAcknowledgement(t *testing.T) {
	t.Parallel()
	x := start(t)
	var ids []string
	var signed [][]byte
	for range 3 {
		id := post(t, x, draft(x, demo.EEtoLV)).ID()
		ids, signed = append(ids, id), append(signed, acknowledgementOf(t, x, "lv/vp", descriptor(t, x, "lv/vp", id)))
	}
	gate := newBatchGate()
	p := x.Parts(exchangetest.PartsConfig{Journal: func(ctx context.Context, cfg exchange.JournalConfig) (*exchange.Journal, error) {
		return exchange.OpenJournalHooked(ctx, cfg, gate.at)
	}})
	nothing := func() {}
	for i, c := range []struct {
		name                  string
		move, meanwhile, undo func() // move is in the batch for which the acknowledgement waits
		kind                  exchange.Kind
	}{
		{"recipient suspended", func() { suspend(t, p, "lv/vp", true) }, nothing, func() { suspend(t, p, "lv/vp", false) }, exchange.IdentityRefused},
		{"sender suspended", func() { suspend(t, p, "ee/pbgb", true) }, nothing,
			func() {
				retire(t, p, x.SignKey("lv/vp").Kid(), time.Minute)
				suspend(t, p, "ee/pbgb", false) // after which the service knows of both
			}, exchange.Denied},
		{"its key ends", func() { _, _ = p.Service.Show(t.Context(), x.Caller("by/mia", certs.RoleUnit), noPackage) },
			func() { x.Clock.Advance(2 * time.Minute) }, nothing, exchange.Rejected},
	} {
		arrived, release := gate.hold(exchange.StepBegin)
		var done sync.WaitGroup
		var answered error
		done.Go(c.move)
		<-arrived
		done.Go(func() {
			_, answered = p.Service.Acknowledge(t.Context(), x.Caller("lv/vp", certs.RoleUnit), ids[i], signed[i])
		})
		for p.Journal.Waiting() == 0 {
			runtime.Gosched()
		}
		c.meanwhile()
		release()
		done.Wait()
		if r := exchange.AsRefusal(answered); r == nil || r.Kind != c.kind {
			t.Errorf("%s: expected %q, got %v", c.name, c.kind, answered)
		}
		c.undo()
	}
	for _, e := range ledgerEntries(t, p.Store) {
		if e.Outcome == exchange.StateAcknowledged {
			t.Errorf("acknowledged all the same: %s", line(e))
		}
	}
}

// TestMovingFailedSuspension: a suspension that shares its batch with a post
// and is lost with it never happened. Nobody goes on as if it had.
func TestMovingFailedSuspension(t *testing.T) {
	t.Parallel()
	x := start(t)
	parts := x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
	gate, faulty := newBatchGate(), &faultyStore{}
	p := x.Parts(exchangetest.PartsConfig{
		Wrap: func(s exchange.Store) exchange.Store { faulty.Store = s; return faulty },
		Journal: func(ctx context.Context, cfg exchange.JournalConfig) (*exchange.Journal, error) {
			return exchange.OpenJournalHooked(ctx, cfg, gate.at)
		}})
	lost := errors.New("the disk is full")
	faulty.commit = func(exchange.Transaction) error { return lost }
	arrived, release := gate.hold(exchange.StepBegin)
	var done sync.WaitGroup
	var suspension, posted error
	done.Go(func() {
		reg, err := p.Service.Registry(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		row, _ := reg.Agency("by/mia")
		row.Suspended = true
		suspension = p.Service.Admit(t.Context(), row)
	})
	<-arrived
	caller := x.Caller("by/mia", certs.RoleUnit)
	done.Go(func() { _, posted = p.Service.Show(t.Context(), caller, noPackage) })
	for p.Journal.Waiting() == 0 {
		runtime.Gosched()
	}
	release()
	done.Wait()
	if r := exchange.AsRefusal(posted); !errors.Is(suspension, lost) || r == nil || r.Kind != exchange.Unavailable {
		t.Fatalf("a batch that was lost said %v and %v", suspension, posted)
	}
	faulty.commit = nil
	if got, err := p.Service.Post(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), incoming(parts)); err != nil || got.Repeat {
		t.Errorf("a post afterwards: %v", err)
	}
	if _, err := p.Service.Show(t.Context(), caller, noPackage); exchange.AsRefusal(err) == nil || exchange.AsRefusal(err).Kind != exchange.NotFound {
		t.Errorf("the agency that was not suspended: %v", err)
	}
	if reg, err := p.Service.Registry(t.Context()); err != nil || suspendedIn(reg, "by/mia") {
		t.Errorf("the directory shows what never happened: %v", err)
	}
}

func suspendedIn(r *exchange.Registry, agency string) bool {
	a, _ := r.Agency(agency)
	return a.Suspended
}

// TestMovingSuspensionAmongPosts: packages are posted from all sides while
// their recipient is suspended. In the ledger's order nothing is given to it
// after that.
func TestMovingSuspensionAmongPosts(t *testing.T) {
	t.Parallel()
	x := start(t)
	const callers, each = 8, 6
	var forms [callers][each][]exchangetest.Part
	for i := range forms {
		for k := range forms[i] {
			forms[i][k] = x.PartsOf(x.Seal(draft(x, demo.EEtoLV)))
		}
	}
	p := x.Parts(exchangetest.PartsConfig{})
	caller := x.Caller("ee/pbgb", certs.RoleUnit)
	var done sync.WaitGroup
	half := make(chan struct{}, callers*each)
	for i := range forms {
		done.Go(func() {
			for _, parts := range forms[i] {
				_, err := p.Service.Post(t.Context(), caller, incoming(parts))
				if r := exchange.AsRefusal(err); err != nil && (r == nil || r.Kind != exchange.Denied) {
					t.Error(err)
				}
				half <- struct{}{}
			}
		})
	}
	for range callers * each / 3 {
		<-half
	}
	suspend(t, p, "lv/vp", true)
	done.Wait()
	suspended, before, denied := false, 0, 0
	for _, e := range ledgerEntries(t, p.Store) {
		switch l := line(e); {
		case e.Action == string(exchange.ActAdmit) && e.Details["suspended"] == "true":
			suspended = true
		case l == "lv/vp package.deliver delivered" || l == "ee/pbgb package.send delivered":
			before++
			if suspended {
				t.Errorf("after the suspension: %s", l)
			}
		case l == "ee/pbgb package.send denied policy-denied/":
			denied++
			if !suspended {
				t.Error("denied before the suspension")
			}
		}
	}
	if !suspended || before/2+denied != callers*each {
		t.Errorf("suspended %v; %d delivered, %d denied", suspended, before/2, denied)
	}
}

// TestMovingPoliciesAmongPosts: policies change again and again while sixteen
// post. Each decision names the revisions of one set.
func TestMovingPoliciesAmongPosts(t *testing.T) {
	t.Parallel()
	x := start(t)
	const callers, each = 16, 4
	var forms [callers][each][]exchangetest.Part
	for i := range forms {
		for k := range forms[i] {
			forms[i][k] = x.PartsOf(x.Seal(draft(x, demo.EEtoLVUA).To(x, "ua/npu")))
		}
	}
	p := x.Parts(exchangetest.PartsConfig{})
	usual, err := exchangetest.Policies()
	if err != nil {
		t.Fatal(err)
	}
	sets := []*policy.Set{otherPolicies(t), usual}
	caller := x.Caller("ee/pbgb", certs.RoleUnit)
	var done sync.WaitGroup
	posted := make(chan struct{}, callers*each)
	for i := range forms {
		done.Go(func() {
			for _, parts := range forms[i] {
				_, err := p.Service.Post(t.Context(), caller, incoming(parts))
				for r := exchange.AsRefusal(err); r != nil && r.Kind == exchange.Unavailable; r = exchange.AsRefusal(err) {
					_, err = p.Service.Post(t.Context(), caller, incoming(parts)) // the policies moved too often
				}
				if err != nil {
					t.Error(err)
				}
				posted <- struct{}{}
			}
		})
	}
	for i := range callers * each {
		<-posted
		if i%4 == 0 {
			activate(t, p, sets[i/4%2])
		}
	}
	done.Wait()
	consistent := func(named map[string]string) (which int) {
		for i, set := range sets {
			all := set.Revisions()
			fits := true
			for input, revision := range named {
				fits = fits && all[input] == revision
			}
			if fits {
				return i
			}
		}
		return -1
	}
	made := map[int]int{}
	activations := 0
	for _, e := range ledgerEntries(t, p.Store) {
		if e.Action == string(exchange.ActActivate) {
			activations++
			if which := consistent(e.Revisions); which < 0 || !maps.Equal(e.Revisions, sets[which].Revisions()) {
				t.Errorf("activated is none of the sets: %v", e.Revisions)
			}
		}
		if len(e.Decisions) == 0 {
			continue
		}
		which := consistent(e.Revisions)
		if made[which]++; which < 0 {
			t.Errorf("a decision of mixed revisions: %v", e.Revisions)
		}
	}
	if made[0] == 0 || made[1] == 0 || made[0]+made[1] != 2*callers*each || activations < 4 {
		t.Errorf("decisions by set: %v; %d activations", made, activations)
	}
}
