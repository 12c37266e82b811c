package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// reporter is a test, of either kind.
type reporter interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// attack is one hostile request and all that may come of it.
type attack struct {
	row  string // of the catalogue: "J12"
	name string
	from string // the agency that sends it; empty: ee/pbgb
	role string // of the identity that sends it; empty: unit
	// make makes the request right before it is sent.
	make func(a *arena) request
	want verdict
	// id is the package that must not be there afterwards; empty: what a
	// request to post brings is the one that the arena has sealed.
	id string
}

// request is a request as it goes out.
type request struct {
	Method string // empty: POST
	Path   string
	Media  string // Content-Type; empty: none
	Header http.Header
	Body   []byte
}

// verdict is what the exchange says to an attack, and what it writes down.
type verdict struct {
	problem api.ProblemType // zero: any that is not the exchange's own failure
	// entry is the one entry that the sender's log holds of it, as line
	// writes it; empty: none.
	entry string
}

// Verdicts on a package; reason is for the sender's own log only.
func malformed(reason string) verdict { return refusal("package.send", api.EnvelopeMalformed, reason) }
func rejected(reason string) verdict  { return refusal("package.send", api.EnvelopeRejected, reason) }
func invalid(reason string) verdict   { return refusal("package.send", api.PackageInvalid, reason) }

// refusal is a verdict on any action.
func refusal(action string, problem api.ProblemType, reason string) verdict {
	return verdict{problem, action + " refused " + problem.Slug + "/" + reason}
}

// patience is a guard against a request that never ends. It measures nothing.
const patience = 30 * time.Second

// Each request may make the process, client included, allocate so many bytes,
// and so much more for each byte of its body. An arena that is not alone in
// the process has what others do meanwhile on top.
const (
	allocates = 2 << 20
	perByte   = 16
	others    = 64 << 20
)

// glance is after how many attacks all boxes are looked into. What came into
// one stays there; and nothing comes without an entry, of which there is one
// after each attack.
const glance = 10

// run sends attacks one after the other.
func (a *arena) run(attacks ...attack) {
	a.t.Helper()
	for _, c := range attacks {
		name := c.row + "/" + c.name
		if a.names[name] {
			a.t.Errorf("two attacks are called %s", name)
		}
		a.names[name] = true
		a.t.Run(name, func(t *testing.T) { a.try(t, c) })
	}
}

// try sends one attack and holds everything against what may come of it.
func (a *arena) try(t reporter, c attack) {
	t.Helper()
	if c.from == "" {
		c.from = "ee/pbgb"
	}
	if c.role == "" {
		c.role = certs.RoleUnit
	}
	r := c.make(a)
	if c.id == "" && r.Path == api.RoutePackages {
		c.id = a.sealed.jti
	}
	if c.id != "" {
		a.ids[c.id] = c.from
	}
	size, before := a.size(t), allocated()
	got := a.do(t, a.HTTP(c.from, c.role), r)
	if used := allocated() - before; used > a.allocates+perByte*uint64(len(r.Body)) {
		t.Errorf("a body of %d bytes made the process allocate %d", len(r.Body), used)
	}
	checkAnswer(t, got, c.want)
	var want []string
	if c.want.entry != "" {
		want = []string{c.want.entry}
	}
	if grown := a.size(t) - size; grown != len(want) {
		t.Errorf("the ledger has %d more entries: somebody else has one of this", grown)
	}
	if len(a.names)%glance == 0 {
		a.nothingMoved(t, c.from)
	}
	var lines []string
	for _, e := range a.entries(c.from) {
		lines = append(lines, line(e))
	}
	if !slices.EqualFunc(lines, want, matches) {
		t.Errorf("recorded %q\nexpected %q", lines, want)
	}
}

// matches holds a line against a wanted one, which may end in * for any rest.
func matches(got, want string) bool {
	prefix, open := strings.CutSuffix(want, "*")
	return got == want || open && strings.HasPrefix(got, prefix)
}

// checkAnswer holds an answer against the problem that it should be.
func checkAnswer(t reporter, got *exchangetest.Answer, want verdict) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(got.Body, &p); err != nil {
		t.Fatalf("%d %s: %v", got.Status, got.Body, err)
	}
	if want.problem.Status == 0 { // any refusal will do
		i := slices.IndexFunc(api.ProblemTypes(), func(known api.ProblemType) bool { return known.URI() == p.Type })
		if i < 0 || api.ProblemTypes()[i].Status >= http.StatusInternalServerError {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		want.problem = api.ProblemTypes()[i]
	}
	if got.Status != want.problem.Status || p.Status != got.Status || p.Type != want.problem.URI() || got.Header.Get("Content-Type") != api.MediaProblem {
		t.Errorf("expected %d %s, got %d %s %s", want.problem.Status, want.problem.Slug, got.Status, got.Header.Get("Content-Type"), got.Body)
	}
	switch want.problem.Slug {
	case api.NotFound.Slug, api.EnvelopeRejected.Slug:
		if !bytes.Equal(got.Body, constant(want.problem)) {
			t.Errorf("the body tells something: %s", got.Body)
		}
	case api.EnvelopeMalformed.Slug, api.PackageInvalid.Slug:
		if p.Detail == "" || p.Fix == "" {
			t.Errorf("no detail, or no fix: %s", got.Body)
		}
	}
	if strings.Contains(string(got.Body), lureHost) {
		t.Errorf("the answer repeats what was sent: %s", got.Body)
	}
}

// constant is the one body of a problem that says nothing.
func constant(p api.ProblemType) []byte {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
	}{p.URI(), p.Title, p.Status})
	if err != nil {
		panic(err) // two strings and a number
	}
	return body
}

// allocated is how many bytes the process has allocated in its life.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// do makes one request, and reads its answer whole.
func (a *arena) do(t reporter, c *http.Client, r request) *exchangetest.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), patience) // that has ended when the arena is left
	defer cancel()
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, a.URL(r.Path), bytes.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if r.Media != "" {
		req.Header["Content-Type"] = []string{r.Media}
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &exchangetest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}
