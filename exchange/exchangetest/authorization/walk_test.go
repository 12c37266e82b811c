package authorization

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// The lengths of the walk. A world is left after a while, so that its state
// stays small.
const (
	worldSteps   = 2500
	tortureSteps = 100_000
)

// TestModel walks at random through what anybody may try, and compares every
// answer, what it shows, and every agency's log with the model. LIAISON_SEED
// walks one of its worlds again.
func TestModel(t *testing.T) {
	t.Parallel()
	worlds, steps := 2, 1000
	if torture.On() {
		worlds, steps = tortureSteps/worldSteps, worldSteps
	}
	seeds := make([]uint64, worlds)
	for i := range seeds {
		seeds[i] = rand.Uint64()
	}
	if s, err := strconv.ParseUint(os.Getenv("LIAISON_SEED"), 10, 64); err == nil {
		seeds, steps = []uint64{s}, worldSteps
	}
	t.Attr("steps", strconv.Itoa(len(seeds)*steps))
	reached := &ends{count: map[string]int{}}
	t.Cleanup(func() { reached.check(t, len(seeds)*steps) })
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := &walk{world: newWorld(t), rand: rand.New(rand.NewPCG(seed, 0)), accepted: map[string]*posted{}, ends: reached}
			for range steps {
				w.step()
			}
			w.review()
			w.compareLedger()
		})
	}
}

// walk is a way through a world.
type walk struct {
	*world
	rand     *rand.Rand
	posted   []*posted // of any fate
	opened   []*consultation
	accepted map[string]*posted // by id
	history  []step
	ends     *ends
}

// step is what was done: enough to tell the story of a difference.
type step struct {
	what    string
	objects []string
}

func one[T any](w *walk, all []T) T { return all[w.rand.IntN(len(all))] }

// chance is true n times of a hundred.
func (w *walk) chance(n int) bool { return w.rand.IntN(100) < n }

// likely is how often each thing is done.
var likely = []struct {
	weight int
	verb   string
}{
	{14, "send"}, {3, "decide"}, {9, "list"}, {9, "show"}, {6, "manifest"}, {13, "acknowledge"}, {12, "content"}, {7, "mismatch"}, {8, "attachment"}, {12, "consult"},
	{4, "entries"}, {5, "entry"}, {1, "agencies"}, {1, "agency"}, {1, "keys"}, {2, "key"}, {1, "checkpoint"}, {1, "witnessed"}, {1, "witnesses"}, {1, "tile"}, {1, "bundle"},
	{1, "openapi"}, {1, "schema"}, {1, "problem"}, {1, "nowhere"},
}

// step does one thing: rarely something of the operator's or of time's.
func (w *walk) step() {
	w.awayFromLimits()
	switch n := w.rand.IntN(1000); {
	case n < 10, n < 60 && w.suspended() != "":
		w.suspendOrAdmit()
	case n < 25:
		w.advance(one(w, []time.Duration{4 * time.Minute, 7 * time.Minute, 16 * time.Minute, 70 * time.Minute, 3 * time.Hour}))
	case n < 28:
		w.told("restart")
		w.restart()
	case n < 29 && len(w.history) > 600:
		agency := one(w, []string{"lv/vp", "ua/npu"})
		if !w.m.agencies[agency].retired {
			w.told("retire the key of "+agency, agency)
			w.retire(agency)
		}
	case n < 32:
		w.review()
	default:
		w.ask(w.verb())
	}
}

func (w *walk) told(what string, objects ...string) {
	w.history = append(w.history, step{what, objects})
}

func (w *walk) verb() string {
	total := 0
	for _, l := range likely {
		total += l.weight
	}
	n := w.rand.IntN(total)
	for _, l := range likely {
		if n -= l.weight; n < 0 {
			return l.verb
		}
	}
	return ""
}

// suspendOrAdmit lets at most one agency be suspended at a time, and not for
// long: the others have something to do with each other.
func (w *walk) suspendOrAdmit() {
	if a := w.suspended(); a != "" {
		w.told("admit "+a, a)
		w.admit(a, false)
		return
	}
	a := one(w, demo.Agencies)
	w.told("suspend "+a, a)
	w.admit(a, true)
}

// suspended is the agency that is, if one is.
func (w *walk) suspended() string {
	for _, a := range demo.Agencies {
		if w.m.agencies[a].suspended {
			return a
		}
	}
	return ""
}

func (w *walk) advance(d time.Duration) {
	w.told(fmt.Sprint("the clock goes on by ", d))
	w.x.Clock.Advance(d)
}

// awayFromLimits moves the clock past a limit that is so near that it cannot
// be told which side of it a request falls on.
func (w *walk) awayFromLimits() {
	near := func(limit time.Time) bool { return limit.Sub(w.x.Clock.Now()).Abs() < 2*time.Second }
	for slices.ContainsFunc(w.opened, func(c *consultation) bool { return near(c.expires) }) ||
		slices.ContainsFunc(w.posted, func(p *posted) bool { return near(p.lapses) || near(p.signed.Add(window)) }) {
		w.advance(5 * time.Second)
	}
}

// ask asks something at random, well or badly.
func (w *walk) ask(verb string) {
	p := w.some()
	q := question{verb: verb, who: w.who(verb, p), id: w.id(p), n: w.rand.IntN(3), box: one(w, []string{"inbox", "inbox", "outbox"}),
		limit: 1 + w.rand.IntN(60), owner: one(w, []string{"ee/pbgb", "lv/vp", "it/dcpc", operators, "se/noa", "ee/customs"}), seq: 1 + w.rand.IntN(200),
		width: 1 + w.rand.IntN(audit.TileWidth)}
	var jws []byte
	switch verb {
	case "send", "decide":
		p = w.toPost(q.who)
		q.parcel, q.id = &p.parcel, p.id
	case "acknowledge":
		if taken := w.accepted[p.id]; taken != nil {
			p = taken // another that was tried under its id is nobody's
		}
		q.id = w.idOf(p)
		jws, q.ack = w.acknowledge(p, q.who.agency, w.fault(20, "malformed", "another", "misnamed", "differs"))
	case "mismatch":
		if q.code = one(w, codes); w.chance(5) {
			q.code = "weather"
		}
	case "consult":
		if q.who.role != unit != w.chance(10) {
			q.id = ""
		}
	case "content", "attachment":
		q.consultation = w.consultation(q.who, q.id)
	case "entries", "entry":
		q.id, q.consultation = "", w.consultation(q.who, "")
		if w.chance(70) {
			q.owner = q.who.agency
		}
		q.after = w.rand.IntN(len(w.m.logs[q.who.agency]) + 5)
	case "list":
		if w.chance(40) {
			q.state = one(w, []string{"delivered", "pending", "denied", "acknowledged", "blocked", "expired", "mixed"})
		}
		if q.after = 0; w.chance(60) {
			q.after = w.rand.IntN(len(w.m.logs[q.who.agency]) + 5)
		}
		q.due = w.chance(5)
	case "key":
		q.kid = w.sign[one(w, demo.Agencies)].Kid()
		if a := w.m.agencies[q.owner]; a != nil && a.kid != "" && w.chance(60) {
			q.kid = one(w, append([]string{a.kid}, a.others...))
		}
	}
	if verb == "nowhere" || w.chance(7) {
		q.wrong = one(w, wrongs(verb))
	}
	w.compare(q, p, jws)
}

// who is mostly one who might, else anybody.
func (w *walk) who(verb string, p *posted) identity {
	roles := verbs[verb].roles
	switch {
	case w.chance(12):
		return one(w, identities())
	case strings.HasPrefix(roles, dpo):
		return identity{one(w, demo.Agencies), dpo, "demo"}
	case verb == "send" || verb == "decide":
		return identity{one(w, demo.Agencies), unit, "demo"}
	case roles != "" && w.chance(80):
		return identity{one(w, append(slices.Clone(p.to), p.from, p.to[0])), unit, "demo"}.known()
	}
	return one(w, identities())
}

// known is the identity, or another if there is none such.
func (i identity) known() identity {
	if slices.Contains(identities(), i) {
		return i
	}
	return identity{"ee/pbgb", i.role, "demo"}
}

// some is a package that was tried, mostly one of the last.
func (w *walk) some() *posted {
	if len(w.posted) == 0 {
		w.posted = append(w.posted, w.seal(wish{kind: kinds[0], lasts: time.Hour}))
	}
	from := w.posted
	if len(w.accepted) > 0 && w.chance(80) {
		from = slices.DeleteFunc(slices.Clone(from), func(p *posted) bool { return w.accepted[p.id] != p })
	}
	if last := len(from) - 12; last > 0 && w.chance(70) {
		from = from[last:]
	}
	return one(w, from)
}

// id is that of a package, or of none.
func (w *walk) id(p *posted) string {
	if w.chance(8) {
		return one(w, []string{noID, uuid.Must(uuid.NewV7()).String()})
	}
	return p.id
}

// idOf is the package's own nearly always: an acknowledgement names it.
func (w *walk) idOf(p *posted) string {
	if w.chance(3) {
		return noID
	}
	return p.id
}

// fault is one of some so many times of a hundred, else none.
func (w *walk) fault(often int, some ...string) string {
	if w.chance(often) {
		return one(w, some)
	}
	return ""
}

// toPost is a package that an identity might post: a new one, good or bad, or
// one that was tried before, its own or another's, or one under an id that is
// taken.
func (w *walk) toPost(who identity) *posted {
	if w.chance(20) && len(w.posted) > 0 {
		return w.some()
	}
	k := wish{kind: one(w, kinds), attachments: max(0, w.rand.IntN(4)-1), large: w.chance(4), lasts: one(w, []time.Duration{time.Hour, 4 * time.Hour, 240 * time.Hour}),
		fault: w.fault(12, "malformed", "stranger", "damaged"), stale: w.chance(3)}
	if own := slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return !w.isFrom(k, who.agency) }); len(own) > 0 {
		k.kind = one(w, own)
	}
	if w.chance(6) && len(w.posted) > 0 {
		k.id = w.some().id
	}
	if k.fault == "stranger" && k.originator != "" {
		k.fault = ""
	}
	p := w.seal(k)
	w.posted = append(w.posted, p)
	return p
}

func (w *walk) isFrom(k kind, agency string) bool {
	s, _ := demo.Find(k.sample, w.x.Clock.Now())
	return s.From == agency
}

// consultation is the caller's own of that object if there is one, or
// another, or none.
func (w *walk) consultation(who identity, object string) string {
	if w.chance(75) {
		for _, c := range slices.Backward(w.opened) {
			if c.who == who && c.object == object {
				return c.id
			}
		}
		if w.m.agencies[who.agency] != nil && w.chance(60) {
			q := question{who: who, verb: "consult", id: object}
			w.compare(q, nil, nil)
			if len(w.opened) > 0 {
				return w.opened[len(w.opened)-1].id
			}
		}
	}
	for _, c := range slices.Backward(w.opened) { // nearly right
		if (c.who.agency == who.agency && c.object == object || c.who == who) && w.chance(50) {
			return c.id
		}
	}
	if len(w.opened) > 0 && w.chance(80) {
		return one(w, w.opened).id
	}
	return one(w, []string{"", noID})
}

// compare asks both the exchange and the model.
func (w *walk) compare(q question, p *posted, jws []byte) {
	w.t.Helper()
	now := w.x.Clock.Now()
	r := w.request(q, p, jws, w.rand.IntN(1000))
	a := w.send(q.who, r)
	want := w.m.ask(q, now)
	got, err := w.understand(q, r.method, a)
	if r.method == http.MethodHead {
		want = answer{status: want.status}
	}
	w.told(fmt.Sprintf("%s %s %s %s %+v → %d %s", q.who, r.method, r.path, q.wrong, q.summary(), a.Status, got.problem), q.who.agency, q.id, q.consultation)
	if err != nil || got.status != want.status || got.problem != want.problem || !slices.Equal(got.seen, want.seen) {
		w.differ(fmt.Sprintf("the exchange: %v %v\nthe model:    %v\n%s", got, err, want, a.Body), q)
	}
	w.ends.add(fmt.Sprint(q.verb, " ", want.status, " ", want.problem))
	w.learn(q, p, a, now)
}

// ends counts how questions ended. Worlds share it.
type ends struct {
	mu    sync.Mutex
	count map[string]int
}

func (e *ends) add(end string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count[strings.TrimSpace(end)]++
}

// check tells a long walk that did not get around: each of these ends must be
// reached, and often.
func (e *ends) check(t *testing.T, steps int) {
	for _, end := range []string{
		"send 201", "send 200", "send 400 envelope-malformed", "send 403 policy-denied", "send 403 role-forbidden", "send 403 identity-refused",
		"send 409 conflict", "send 422 envelope-rejected", "send 422 package-invalid", "decide 200", "decide 422 package-invalid",
		"acknowledge 201", "acknowledge 200", "acknowledge 403 policy-denied", "acknowledge 404 not-found", "acknowledge 409 conflict", "acknowledge 422 envelope-rejected",
		"acknowledge 422 package-invalid", "mismatch 201", "mismatch 200", "mismatch 400 request-malformed", "mismatch 404 not-found", "mismatch 409 conflict", "consult 201", "consult 403 role-forbidden", "consult 404 not-found",
		"content 200", "content 403 consultation-required", "content 404 not-found", "content 409 conflict", "attachment 200", "attachment 404 not-found",
		"list 200", "show 200", "show 404 not-found", "manifest 200", "manifest 404 not-found", "entries 200", "entries 403 consultation-required",
		"entry 200", "entry 404 not-found", "key 200", "key 404 not-found", "nowhere 404 not-found",
	} {
		if e.count[end] < steps/5000 {
			t.Errorf("%d of %d steps ended as %q", e.count[end], steps, end)
		}
	}
	if steps >= tortureSteps {
		for _, end := range slices.Sorted(maps.Keys(e.count)) {
			t.Logf("%6d %s", e.count[end], end)
		}
	}
}

// summary is what of a question its request does not show.
func (q question) summary() string {
	s := "consultation " + q.consultation
	if q.parcel != nil {
		s = fmt.Sprintf("parcel %s from %s to %s %s fault %q", q.parcel.id, q.parcel.from, q.parcel.to, q.parcel.verdict, q.parcel.fault)
	}
	return s + " " + q.ack.fault
}

// learn keeps what an answer made known: ids of consultations, decisions to
// acknowledge.
func (w *walk) learn(q question, p *posted, a *exchangetest.Answer, now time.Time) {
	switch {
	case q.verb == "consult" && a.Status == http.StatusCreated:
		v, err := decode[api.Consultation](a)
		w.must(err)
		w.m.opened(q, v.ID, now)
		w.opened = append(w.opened, w.m.consultations[v.ID])
	case q.verb == "send" && a.Status < 300:
		v, err := decode[api.Accepted](a)
		w.must(err)
		w.accepted[p.id] = p
		for _, o := range v.Outcomes {
			p.decided[o.Recipient] = o
		}
	}
}

// review looks through all boxes and logs that can be looked at.
func (w *walk) review() {
	for _, a := range demo.Agencies {
		if w.m.agencies[a].suspended {
			continue
		}
		w.awayFromLimits()
		for _, box := range []string{"inbox", "outbox"} {
			w.compare(question{who: identity{a, unit, "demo"}, verb: "list", box: box, limit: 200}, nil, nil)
		}
		reader := identity{a, dpo, "demo"}
		w.compare(question{who: reader, verb: "consult"}, nil, nil)
		q := question{who: reader, verb: "entries", consultation: w.opened[len(w.opened)-1].id, limit: 200, after: max(0, len(w.m.logs[a])-200)}
		w.compare(q, nil, nil)
	}
}

// compareLedger compares every log, entry by entry, with the model's.
func (w *walk) compareLedger() {
	w.t.Helper()
	logs, err := w.ledger()
	w.must(err)
	for owner, want := range w.m.logs {
		got := logs[owner]
		if len(got) != len(want) {
			w.t.Errorf("log of %s: %d entries, %d by the model", owner, len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if (owner != operators || i >= w.began) && got[i] != want[i] {
				w.t.Errorf("log of %s, entry %d: %s; by the model %s", owner, i+1, got[i], want[i])
				break
			}
		}
	}
}

// differ tells of a difference: the steps that led to it are those that
// touched the same object or agency's standing, the newest last.
func (w *walk) differ(what string, q question) {
	w.t.Helper()
	var b strings.Builder
	var told []string
	for _, s := range w.history {
		about := q.id != "" && slices.Contains(s.objects, q.id) || q.consultation != "" && slices.Contains(s.objects, q.consultation) ||
			len(s.objects) < 3 && !strings.HasPrefix(s.what, "the clock")
		if about {
			told = append(told, s.what)
		}
	}
	if n := len(told) - 25; n > 0 {
		told = told[n:]
	}
	for _, line := range told {
		fmt.Fprintln(&b, " ", line)
	}
	w.t.Fatalf("step %d, LIAISON_SEED from the name of the test:\n%s%s\n%s", len(w.history), b.String(), w.history[len(w.history)-1].what, what)
}
