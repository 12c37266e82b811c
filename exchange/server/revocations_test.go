package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// of is a bare caller with any certificate of the world's authorities.
func (w *wire) of(agency, role, name string) *caller {
	w.t.Helper()
	return &caller{wire: w, http: *w.HTTPWith(w.Identity(agency, role, name))}
}

func (c *caller) bring(jurisdiction string, list []byte) reply {
	c.t.Helper()
	return c.do(http.MethodPut, api.RevocationsPath(jurisdiction), list, "Content-Type", api.MediaCRL)
}

// Anybody may bring a newer list, of any jurisdiction; it authenticates itself.
func TestBringRevocations(t *testing.T) {
	w := newWire(t)
	mallory := w.Identity("ee/pbgb", "unit", "mallory")
	lost := &caller{wire: w, http: *w.HTTPWith(mallory)}
	lost.get(api.RouteAgencies).want(t, http.StatusOK)
	lv := w.as("lv/vp", "dpo")

	older, list := w.List("ee"), w.List("ee", mallory.Leaf)
	var taken, again api.RevocationsTaken
	lv.bring("ee", list).want(t, http.StatusCreated).decode(t, &taken)
	if len(taken.Lists) != 1 || taken.Lists[0].Number != "3" || taken.Lists[0].Revoked != 1 || taken.Jurisdiction != "ee" || taken.Receipt == "" {
		t.Errorf("%+v", taken)
	}
	lv.bring("ee", list).want(t, http.StatusOK).decode(t, &again)
	if again.Lists[0] != taken.Lists[0] {
		t.Errorf("%+v is not %+v", again, taken)
	}
	if r := lv.bring("ee", older).want(t, http.StatusConflict); r.problem() != "conflict" {
		t.Errorf("an older list: %s", r.body)
	}
	var kept []byte
	for _, role := range []string{"unit", "dpo"} {
		got := w.as("it/dcpc", role).get(api.RevocationsPath("ee")).want(t, http.StatusOK)
		kept = got.body
		if got.header.Get("Content-Type") != api.MediaPEM || !bytes.HasPrefix(kept, []byte("-----BEGIN X509 CRL-----")) {
			t.Errorf("%s", kept)
		}
	}
	lv.bring("ee", kept).want(t, http.StatusOK) // what is given can be brought
	for name, c := range map[string]struct {
		jurisdiction string
		list         []byte
		status       int
		problem      string
	}{
		"of another":               {"ee", w.List("lv"), http.StatusUnprocessableEntity, "list-refused"},
		"no list":                  {"ee", []byte("hello"), http.StatusUnprocessableEntity, "list-refused"},
		"cut off":                  {"ee", list[:len(list)-1], http.StatusUnprocessableEntity, "list-refused"},
		"flipped":                  {"ee", append(bytes.Clone(list[:len(list)-2]), list[len(list)-2]^1, list[len(list)-1]), http.StatusUnprocessableEntity, "list-refused"},
		"certificates":             {"ee", certs.EncodeChain(w.CA("ee").Certificate()), http.StatusUnprocessableEntity, "list-refused"},
		"empty":                    {"ee", []byte{}, http.StatusUnprocessableEntity, "list-refused"},
		"unknown jurisdiction":     {"xx", list, http.StatusNotFound, "not-found"},
		"more than a megabyte":     {"ee", make([]byte, 1<<20+1), http.StatusRequestEntityTooLarge, "too-large"},
		"100 MB":                   {"ee", make([]byte, 100<<20), http.StatusRequestEntityTooLarge, "too-large"},
		"jurisdiction in capitals": {"EE", list, http.StatusNotFound, "not-found"},
	} {
		if r := lv.bring(c.jurisdiction, c.list); r.status != c.status || r.problem() != c.problem {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	lv.get(api.RevocationsPath("xx")).want(t, http.StatusNotFound)

	// In force before the answer left: the live connection is gone, and a new one is refused.
	if err := try(lost.http, w.URL(api.RouteAgencies)); err == nil {
		t.Error("a revoked identity is served")
	}
	w.of("ee/pbgb", "unit", "other").get(api.RouteAgencies).want(t, http.StatusOK)

	entries := w.entries("lv/vp")
	brought := 0
	for _, e := range entries {
		if e.Action == "revocations.bring" && e.Outcome == "done" {
			brought++
			if e.Details["jurisdiction"] != "ee" || !strings.Contains(e.Details["lists"], "number 3,") {
				t.Errorf("%+v", e)
			}
		}
	}
	if brought != 1 {
		t.Errorf("%d entries of one list", brought)
	}
}

// try makes a request and reads its answer.
func try(c http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return problemOf(resp)
	}
	return nil
}

func problemOf(resp *http.Response) error {
	var p api.Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		return err
	}
	return &p
}

// An overdue list serves for longer only if two operators say so, for a time.
func TestGrace(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) { c.TwoPersons = nil }))
	w := &wire{Exchange: x, t: t, address: x.Node.Addr()}
	first, second := w.of("exchange/ops", "operator", "first"), w.of("exchange/ops", "operator", "second")
	until := w.Clock.Now().Add(6 * 24 * time.Hour).UTC().Truncate(time.Second)
	ask := func(c *caller, jurisdiction string, until time.Time) reply {
		t.Helper()
		body, err := json.Marshal(api.GraceRequest{Until: audit.FormatTime(until), Reason: "their authority moves house this week"})
		must(t, err)
		return c.do(http.MethodPut, api.GracePath(jurisdiction), body, "Content-Type", api.MediaJSON)
	}
	var grace api.Grace
	waits := func(r reply) {
		t.Helper()
		grace = api.Grace{}
		r.want(t, http.StatusAccepted).decode(t, &grace)
		if grace.Proposal == nil || grace.Until != "" {
			t.Errorf("%+v", grace)
		}
	}
	waits(ask(first, "by", until))
	waits(ask(first, "by", until)) // one person twice is one person
	waits(ask(second, "by", until.Add(-time.Hour)))
	waits(ask(first, "by", until)) // another time than the second asked for
	w.Clock.Advance(25 * time.Hour)
	first, second = w.of("exchange/ops", "operator", "first"), w.of("exchange/ops", "operator", "second")
	waits(ask(second, "by", until)) // too late to confirm: asks anew
	holds := func(r reply, want time.Time) {
		t.Helper()
		grace = api.Grace{}
		r.want(t, http.StatusOK).decode(t, &grace)
		if grace.Proposal != nil || grace.Until != audit.FormatTime(want) {
			t.Errorf("%+v, want until %s", grace, want)
		}
	}
	holds(ask(first, "by", until), until)
	holds(ask(first, "by", until), until)
	sooner := until.Add(-time.Hour)
	holds(ask(second, "by", sooner), sooner) // to shorten it one is enough

	if r := ask(first, "by", w.Clock.Now().Add(8*24*time.Hour)).want(t, http.StatusBadRequest); r.problem() != "request-malformed" {
		t.Errorf("%s", r.body)
	}
	ask(first, "xx", until).want(t, http.StatusNotFound)
	first.do(http.MethodPut, api.GracePath("by"), make([]byte, 64<<10+1), "Content-Type", api.MediaJSON).want(t, http.StatusRequestEntityTooLarge)
	for _, body := range []string{`{"until":"tomorrow","reason":"their authority moves house this week"}`, `{"until":"2026-11-22T08:00:00Z","reason":"short"}`} {
		first.do(http.MethodPut, api.GracePath("by"), []byte(body), "Content-Type", api.MediaJSON).want(t, http.StatusBadRequest)
	}
	if r := ask(w.of("by/mia", "unit", "own"), "by", until).want(t, http.StatusForbidden); r.problem() != "role-forbidden" {
		t.Errorf("%s", r.body)
	}
}
