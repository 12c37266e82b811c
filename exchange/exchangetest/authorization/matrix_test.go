package authorization

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// steady is a walk that goes where it is sent.
func steady(t *testing.T) *walk {
	return &walk{world: newWorld(t), rand: rand.New(rand.NewPCG(0, 0)), accepted: map[string]*posted{}, ends: &ends{count: map[string]int{}}}
}

// TestMatrix asks every identity for every object by every call, in every form
// that a call can have wrong, and compares what comes with the model (rows Z1
// and Z10 of the attack catalogue).
func TestMatrix(t *testing.T) {
	t.Parallel()
	w := steady(t)
	ids := append(w.populate(), noID)
	cases := 0
	ask := func(q question) {
		cases++
		w.compare(q, nil, nil)
	}
	for _, who := range identities() {
		for _, id := range ids {
			consultation := ""
			if p, _ := w.m.visible(id, who.agency); p != nil && who.role == unit && w.m.agencies[who.agency] != nil {
				ask(question{who: who, verb: "consult", id: id})
				consultation = w.opened[len(w.opened)-1].id
			}
			for _, q := range []question{{verb: "show"}, {verb: "manifest"}, {verb: "content"}, {verb: "attachment"}, {verb: "attachment", n: 1},
				{verb: "content", consultation: consultation}, {verb: "attachment", consultation: consultation},
				{verb: "attachment", n: 1, consultation: consultation}, {verb: "mismatch", code: "subjects"}, {verb: "mismatch", code: "subjects"}, {verb: "mismatch", code: "weather"}, {verb: "consult"}} {
				q.who, q.id = who, id
				ask(q)
			}
		}
		for verb, v := range verbs {
			if verb == "send" || verb == "decide" || verb == "acknowledge" {
				continue // they have a body of their own; the walk does them
			}
			for _, wrong := range wrongs(verb) {
				ask(question{who: who, verb: verb, wrong: wrong, id: ids[0], owner: "ee/pbgb", seq: 1, limit: 5, box: "inbox", width: 1, kid: w.m.agencies["lv/vp"].kid})
			}
			if v.open {
				ask(question{who: who, verb: verb, owner: "ee/pbgb", kid: w.m.agencies["lv/vp"].kid, width: 1})
			}
		}
	}
	cases += w.everyConsultation(ids[2])
	w.retire("lv/vp")
	for _, q := range []question{{verb: "keys"}, {verb: "key", kid: w.m.agencies["lv/vp"].kid}, {verb: "key", kid: w.m.agencies["lv/vp"].others[0]}} {
		q.who, q.owner = identity{"ee/pbgb", unit, "demo"}, "lv/vp"
		ask(q)
	}
	t.Attr("cases", strconv.Itoa(cases))
	w.review()
	w.compareLedger()
}

// everyConsultation reads a package and the logs under every consultation of
// them that was opened, whoever's, and under some of other packages, while they
// last and after.
func (w *walk) everyConsultation(id string) (cases int) {
	for _, who := range []identity{{"it/dcpc", supervisor, "first"}, {"it/dcpc", dpo, "demo"}, {"lv/vp", dpo, "demo"}} {
		w.compare(question{who: who, verb: "consult"}, nil, nil)
	}
	some := slices.DeleteFunc(slices.Clone(w.opened), func(c *consultation) bool { return c.object != id && c.object != "" && w.rand.IntN(4) > 0 })
	for _, passed := range []time.Duration{0, 16 * time.Minute, 8 * time.Hour} {
		w.x.Clock.Advance(passed)
		for _, c := range some {
			for _, q := range []question{
				{who: identity{"lv/vp", unit, "demo"}, verb: "content", id: id}, {who: identity{"lv/vp", unit, "second"}, verb: "content", id: id},
				{who: identity{"ee/pbgb", unit, "demo"}, verb: "content", id: id}, {who: identity{"lv/vp", unit, "demo"}, verb: "attachment", id: id},
				{who: identity{"lv/vp", dpo, "demo"}, verb: "entries", limit: 3}, {who: identity{"it/dcpc", dpo, "demo"}, verb: "entries", limit: 3},
				{who: identity{"it/dcpc", supervisor, "first"}, verb: "entry", owner: "it/dcpc", seq: 1},
			} {
				cases++
				q.consultation = c.id
				w.compare(q, nil, nil)
			}
		}
	}
	return cases
}

// TestMatrixWhileSuspended: a suspended agency is told so, whatever it asks
// for and however wrong it asks, and nothing else.
func TestMatrixWhileSuspended(t *testing.T) {
	t.Parallel()
	w := steady(t)
	id := w.populate()[2]
	under := w.consult(identity{"lv/vp", unit, "demo"}, id)
	w.admit("lv/vp", true)
	cases := 0
	for _, who := range []identity{{"lv/vp", unit, "demo"}, {"lv/vp", dpo, "demo"}} {
		for verb := range verbs {
			if verb == "send" || verb == "decide" || verb == "acknowledge" {
				continue
			}
			for _, wrong := range append(wrongs(verb), "") {
				q := question{who: who, verb: verb, wrong: wrong, id: id, consultation: under, owner: "ee/pbgb", seq: 1, limit: 5, box: "inbox", width: 1, kid: w.m.agencies["lv/vp"].kid}
				if verb == "nowhere" && wrong == "" {
					continue
				}
				cases++
				w.m.ask(q, w.x.Clock.Now()) // for the log
				a := w.send(who, w.request(q, nil, nil, 1))
				if a.Status != http.StatusForbidden || w.x.Problem(a).Type != api.IdentityRefused.URI() {
					t.Errorf("%s %s, wrong in its %q: %d %s", who, verb, wrong, a.Status, a.Body)
				}
			}
		}
	}
	t.Attr("cases", strconv.Itoa(cases))
	w.compareLedger()
}

// TestNobodyActsForAnother: the operator reads nothing, a data-protection
// officer sends nothing, and nobody acknowledges for a recipient but itself
// (row Z10 of the attack catalogue).
func TestNobodyActsForAnother(t *testing.T) {
	t.Parallel()
	w := steady(t)
	p := w.seal(wish{kind: kinds[0], lasts: time.Hour})
	post := question{who: identity{"ee/pbgb", unit, "demo"}, verb: "send", parcel: &p.parcel}
	cases := 0
	check := func(who identity, verb string, r request, want api.ProblemType) {
		t.Helper()
		cases++
		a := w.send(who, r)
		if a.Status != want.Status || w.x.Problem(a).Type != want.URI() {
			t.Errorf("%s %s: %d %s", who, verb, a.Status, a.Body)
		}
	}
	for _, who := range []identity{{"ee/pbgb", dpo, "demo"}, {operators, operator, "first"}, {"it/dcpc", supervisor, "first"}} {
		check(who, "send", w.request(post, p, nil, 0), api.RoleForbidden)
		check(who, "decide", w.request(question{verb: "decide"}, p, nil, 0), api.RoleForbidden)
	}
	check(identity{"lv/vp", unit, "demo"}, "send for Estonia", w.request(post, p, nil, 0), api.EnvelopeRejected)
	w.tell(post, p, nil, http.StatusCreated)

	jws, _ := w.acknowledge(p, "lv/vp", "")
	theirs := w.request(question{verb: "acknowledge", id: p.id}, nil, jws, 0)
	for _, who := range []identity{{"ee/pbgb", unit, "demo"}, {"it/dcpc", unit, "demo"}} {
		check(who, "Latvia's own acknowledgement", theirs, api.EnvelopeRejected)
		own, _ := w.acknowledge(p, who.agency, "")
		check(who, "its own acknowledgement", w.request(question{verb: "acknowledge", id: p.id}, nil, own, 0), api.NotFound)
	}
	for _, who := range []identity{{"lv/vp", dpo, "demo"}, {operators, operator, "first"}} {
		check(who, "Latvia's own acknowledgement", theirs, api.RoleForbidden)
	}
	for _, verb := range []string{"show", "manifest", "content", "attachment", "list", "entries", "entry"} {
		q := question{verb: verb, id: p.id, box: "inbox", limit: 1, owner: operators, seq: 1, consultation: noID}
		check(identity{operators, operator, "first"}, verb, w.request(q, nil, nil, 0), api.RoleForbidden)
	}
	for _, object := range []string{"", p.id} {
		check(identity{operators, operator, "first"}, "consult", w.request(question{verb: "consult", id: object}, nil, nil, 0), api.RoleForbidden)
	}
	t.Attr("cases", strconv.Itoa(cases))
	if a := w.send(identity{"lv/vp", unit, "demo"}, theirs); a.Status != http.StatusCreated {
		t.Errorf("Latvia itself: %d %s", a.Status, a.Body)
	}
}

// TestLogShowsCommitmentsOnly: what the ledger shows to everybody holds none
// of what the entries say (row Z5 of the attack catalogue).
func TestLogShowsCommitmentsOnly(t *testing.T) {
	t.Parallel()
	w := steady(t)
	ids := w.populate()
	who := identity{"by/mia", unit, "demo"}
	checkpoint := w.send(who, request{method: http.MethodGet, path: api.RouteCheckpoint})
	var origin string
	var size int
	if _, err := fmt.Sscan(string(checkpoint.Body), &origin, &size); err != nil {
		t.Fatal(err)
	}
	bundle := w.send(who, request{method: http.MethodGet, path: "/log/tile/entries/" + first(min(size, audit.TileWidth))})
	// Each commitment is 32 bytes behind its length, and nothing else.
	if want := min(size, audit.TileWidth) * (2 + 32); bundle.Status != http.StatusOK || len(bundle.Body) != want {
		t.Errorf("%d bytes for %d entries, not %d", len(bundle.Body), size, want)
	}
	for _, secret := range append(ids, "ee/pbgb", "package.send", "OFF-17") {
		if contains(bundle.Body, secret) || contains(checkpoint.Body, secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}
