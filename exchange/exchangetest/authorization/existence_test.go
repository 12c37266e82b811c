package authorization

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

var digits = regexp.MustCompile(`[0-9]+`)

// alike says in what two answers differ, but for the request's id and the
// time, which every answer has of its own.
func alike(a, b *exchangetest.Answer) error {
	plain := func(h http.Header) string {
		h = h.Clone()
		h.Del(api.HeaderRequestID)
		h.Del("Date")
		// How much of the asker's own budget is left moves with time; of which limits does not.
		h.Set(api.HeaderRateLimit, digits.ReplaceAllString(h.Get(api.HeaderRateLimit), "0"))
		return fmt.Sprint(h) // sorted by name
	}
	switch {
	case a.Status != b.Status:
		return fmt.Errorf("%d and %d", a.Status, b.Status)
	case !bytes.Equal(a.Body, b.Body):
		return fmt.Errorf("%s\nand\n%s", a.Body, b.Body)
	case plain(a.Header) != plain(b.Header):
		return fmt.Errorf("%s\nand\n%s", plain(a.Header), plain(b.Header))
	}
	return nil
}

// populate posts a package of every fate and returns their ids: acknowledged
// by one of two, delivered, pending for the sender's superior and for an
// originator, lapsed, blocked, and denied.
func (w *world) populate() []string {
	w.t.Helper()
	var ids []string
	add := func(k wish, status int) *posted {
		k.attachments = 1
		p := w.seal(k)
		w.tell(question{who: identity{p.from, unit, "demo"}, verb: "send", parcel: &p.parcel}, p, nil, status)
		ids = append(ids, p.id)
		return p
	}
	accept := func(p *posted, recipient string, status int) {
		jws, ack := w.acknowledge(p, recipient, "")
		w.tell(question{who: identity{recipient, unit, "demo"}, verb: "acknowledge", id: p.id, ack: ack}, p, jws, status)
	}
	lapsing := add(wish{kind: kinds[0], lasts: time.Hour}, 201)
	w.x.Clock.Advance(2 * time.Hour)
	accept(lapsing, "lv/vp", 409)
	blocked := add(wish{kind: kinds[4], lasts: 24 * time.Hour}, 201) // of ua/npu
	w.admit("ua/npu", true)
	accept(blocked, "ee/pbgb", 403)
	w.admit("ua/npu", false)
	accept(add(wish{kind: kinds[1], lasts: 24 * time.Hour}, 201), "lv/vp", 201)
	add(wish{kind: kinds[0], lasts: 24 * time.Hour, large: true}, 201)
	add(wish{kind: kinds[6], lasts: 24 * time.Hour}, 201)
	add(wish{kind: kinds[8], lasts: 24 * time.Hour}, 201)
	add(wish{kind: kinds[5], lasts: 24 * time.Hour}, 403)
	return ids
}

// tell puts a question to both the exchange and the model and expects them to
// agree on a status.
func (w *world) tell(q question, p *posted, jws []byte, status int) *exchangetest.Answer {
	w.t.Helper()
	now := w.x.Clock.Now()
	a := w.send(q.who, w.request(q, p, jws, 0))
	if want := w.m.ask(q, now); a.Status != status || want.status != status {
		w.t.Fatalf("%s %s: %d %s; by the model %d, expected %d", q.who, q.verb, a.Status, a.Body, want.status, status)
	}
	switch {
	case q.verb == "consult" && status == http.StatusCreated:
		v, err := decode[api.Consultation](a)
		w.must(err)
		w.m.opened(q, v.ID, now)
	case q.verb == "send" && status == http.StatusCreated:
		v, err := decode[api.Accepted](a)
		w.must(err)
		for _, o := range v.Outcomes {
			p.decided[o.Recipient] = o
		}
	}
	return a
}

// consult opens a consultation and returns its id.
func (w *world) consult(who identity, object string) string {
	w.t.Helper()
	v, err := decode[api.Consultation](w.tell(question{who: who, verb: "consult", id: object}, nil, nil, http.StatusCreated))
	w.must(err)
	return v.ID
}

// TestExistence asks every identity for every object that it is not entitled
// to, in every way, and for the same of an object that does not exist: the
// answers are the same byte for byte (rows Z1 and Z6 of the attack catalogue),
// and so are the entries in the asker's own log, but for the id it asked for.
func TestExistence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.populate()
	cases := 0
	for _, who := range identities() {
		for _, id := range ids {
			if p, _ := w.m.visible(id, who.agency); p != nil && who.role == unit {
				continue
			}
			for _, q := range w.probes(who, id) {
				cases++
				w.sameAsAbsent(who, q(id), q(noID))
			}
		}
		if who.role == dpo {
			cases += w.sameEntries(who)
		}
	}
	cases += w.sameKeys(identity{"ua/npu", unit, "demo"})
	t.Attr("cases", strconv.Itoa(cases))
	w.samePairs()
}

// probe is a request for the object of an id.
type probe func(id string) request

// probes are all requests that name a package: with a consultation of another
// package where the asker has one, so that nothing hides behind its lack.
func (w *world) probes(who identity, id string) []probe {
	jws, _ := w.acknowledge(&posted{parcel: parcel{id: id}, manifestSHA256: exampleDigest}, who.agency, "")
	var all []probe
	for _, verb := range []string{"show", "manifest", "content", "attachment"} {
		for _, consultation := range []string{"", noID} {
			all = append(all, func(id string) request {
				return w.request(question{who: who, verb: verb, id: id, consultation: consultation}, nil, nil, 0)
			})
		}
	}
	part := func(name string) probe {
		return func(id string) request {
			return request{http.MethodGet, api.PackagePath(id, name), http.Header{"Range": {"bytes=0-1"}, api.HeaderConsultation: {noID}}, nil}
		}
	}
	return append(all, part("attachments/0"), part("attachments/99"),
		func(id string) request {
			return w.request(question{who: who, verb: "acknowledge", id: id}, nil, jws, 0)
		},
		func(id string) request {
			return w.request(question{who: who, verb: "acknowledge", id: id}, nil, []byte("x.y.z"), 0)
		},
		func(id string) request {
			return w.request(question{who: who, verb: "mismatch", id: id, code: "subjects"}, nil, nil, 0)
		},
		func(id string) request { return w.request(question{who: who, verb: "consult", id: id}, nil, nil, 0) })
}

// exampleDigest has the form of a digest.
const exampleDigest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

// sameAsAbsent sends two requests that must not be told apart.
func (w *world) sameAsAbsent(who identity, foreign, absent request) {
	w.t.Helper()
	if err := alike(w.send(who, foreign), w.send(who, absent)); err != nil {
		w.t.Errorf("%s %s %s and %s can be told apart: %v", who, foreign.method, foreign.path, absent.path, err)
	}
}

// sameEntries asks for entries of other agencies, there or not, as for those
// of an agency that is none.
func (w *world) sameEntries(who identity) (cases int) {
	under := w.consult(who, "")
	none := w.request(question{who: who, verb: "entry", owner: "fr/dcpj", seq: 1, consultation: under}, nil, nil, 0)
	for _, owner := range []string{"ee/pbgb", "lv/vp", operators, "se/noa"} {
		if owner == who.agency {
			continue
		}
		for _, seq := range []int{1, 2, 1 << 40} {
			cases++
			w.sameAsAbsent(who, w.request(question{who: who, verb: "entry", owner: owner, seq: seq, consultation: under}, nil, nil, 0), none)
		}
	}
	return cases
}

// sameKeys asks for keys that are another agency's, or nobody's.
func (w *world) sameKeys(who identity) (cases int) {
	none := w.request(question{who: who, verb: "key", owner: "se/noa", kid: exampleDigest}, nil, nil, 0)
	for _, q := range []question{{owner: "ee/pbgb", kid: exampleDigest}, {owner: "ee/pbgb", kid: w.sign["lv/vp"].Kid()}, {owner: "se/noa", kid: w.sign["lv/vp"].Kid()}} {
		cases++
		q.verb, q.who = "key", who
		w.sameAsAbsent(who, w.request(q, nil, nil, 0), none)
	}
	return cases
}

// samePairs reads what the askers' own logs hold of the questions that were
// refused as not found, two at a time: what was another's and what was absent
// is recorded alike.
func (w *world) samePairs() {
	w.t.Helper()
	w.hangUp()
	p := w.x.Parts(exchangetest.PartsConfig{})
	defer p.Close()
	pairs := 0
	w.must(p.Store.View(w.t.Context(), func(rows exchange.Reader) error {
		for owner := range w.m.agencies {
			all, err := rows.Entries(owner, 0, 1<<30)
			if err != nil {
				return err
			}
			var refused []map[string]any
			for _, row := range all {
				var e map[string]any
				if err := json.Unmarshal(row.Entry, &e); err != nil {
					return err
				}
				if e["problem"] == api.NotFound.Slug {
					for _, own := range []string{"seq", "prev", "time", "request", "package"} {
						delete(e, own)
					}
					refused = append(refused, e)
				}
			}
			for i := 0; i+1 < len(refused); i += 2 {
				pairs++
				if a, b := fmt.Sprint(refused[i]), fmt.Sprint(refused[i+1]); a != b {
					w.t.Errorf("the log of %s tells them apart:\n%s\n%s", owner, a, b)
				}
			}
		}
		return nil
	}))
	if pairs < 100 {
		w.t.Errorf("%d pairs of entries were compared", pairs)
	}
}

// TestRelationToAnothersPackage: what a package claims to relate to is not
// found, whether it is another's or absent.
func TestRelationToAnothersPackage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := w.populate()[2] // of Estonia, for Latvia and Ukraine
	var shown []string
	for _, id := range []string{foreign, noID} {
		p := w.seal(wish{kind: kind{sample: kinds[3].sample, verdict: "delivered",
			change: map[string]any{"relates_to": []any{map[string]any{"package": id, "relation": "concerns"}}}}, lasts: time.Hour})
		a := w.send(identity{"it/dcpc", unit, "demo"}, w.request(question{verb: "decide"}, p, nil, 0))
		v, err := decode[api.Decided](a)
		w.must(err)
		if a.Status != http.StatusOK || len(v.Outcomes) != 1 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		v.Outcomes[0].Decision = ""
		shown = append(shown, fmt.Sprintf("%+v", v.Outcomes))
	}
	if shown[0] != shown[1] {
		t.Errorf("a relation tells that a package exists:\n%s\n%s", shown[0], shown[1])
	}
}
