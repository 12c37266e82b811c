package server_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/ratelimit/redistest"
)

// limited is an exchange with rates of a test's own for Estonia's agency, and
// ticks for what happens by itself.
func limited(t *testing.T, rates map[string]node.Rate, edit ...func(*node.Config)) (*wire, chan time.Time) {
	t.Helper()
	ticks := make(chan time.Time)
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) {
		c.Ticks = ticks
		c.Limits.Agencies = map[string]map[string]node.Rate{"ee/pbgb": rates}
		for _, f := range edit {
			f(c)
		}
	}))
	return &wire{Exchange: x, t: t, address: x.Node.Addr()}, ticks
}

func hourly(n int64) node.Rate { return node.Rate{Quota: n, Window: node.Duration(time.Hour)} }

// tooMany expects a refusal by a limit that says all there is to say.
func (w *wire) tooMany(r reply, limit, of string, quota int64) reply {
	w.t.Helper()
	r.want(w.t, http.StatusTooManyRequests)
	var p api.Problem
	r.decode(w.t, &p)
	if p.Limit == nil || *p.Limit != (api.LimitReached{Name: limit, Of: of, Quota: quota, Window: 3600}) {
		w.t.Errorf("%s: limit %+v, want %s of %s, %d", r.body, p.Limit, limit, of, quota)
	}
	after, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || after < 1 || after > 3600 || !strings.Contains(p.Detail, fmt.Sprintf("in %d s", after)) {
		w.t.Errorf("Retry-After %q, detail %q", r.header.Get("Retry-After"), p.Detail)
	}
	if !strings.Contains(r.header.Get(api.HeaderRateLimitPolicy), fmt.Sprintf(`"%s";q=%d;w=3600`, limit, quota)) ||
		!regexp.MustCompile(`"`+limit+`";r=0;t=[0-9]+`).MatchString(r.header.Get(api.HeaderRateLimit)) {
		w.t.Errorf("%s: %s, %s: %s", limit, api.HeaderRateLimitPolicy, r.header.Get(api.HeaderRateLimitPolicy), r.header.Get(api.HeaderRateLimit))
	}
	return r
}

// Each operation has a limit, says in each answer what remains of it, and
// refuses beyond it: before anything is read, and without an entry each. A
// minute of refusals is one entry for each limit, with their count.
func TestEveryOperationIsLimited(t *testing.T) {
	of := map[string]string{
		"POST " + api.RoutePackages: exchange.LimitPackages, "POST " + api.RouteDecisions: exchange.LimitDecisions,
		"GET " + api.RouteAuditEntries: exchange.LimitSearches, "GET " + api.AuditEntryPath("ee/pbgb", 1): exchange.LimitSearches,
		"GET " + api.RouteAuditStatistics: exchange.LimitSearches, "GET " + api.RouteAuditExport: exchange.LimitSearches,
		"POST " + api.RouteSamples: exchange.LimitSearches, "GET " + api.RouteSamples: exchange.LimitSearches, "PUT " + api.VerdictPath(nobody, 1): exchange.LimitSearches,
		"GET " + api.RouteErasures: exchange.LimitSearches, "GET " + api.RouteHolds: exchange.LimitSearches,
		"POST " + api.RouteErasures: exchange.LimitChanges, "POST " + api.RouteHolds: exchange.LimitChanges, "POST " + api.ReleasePath(nobody): exchange.LimitChanges,
		"POST " + api.PackagePath(nobody, "mismatch"): exchange.LimitChanges,
	}
	rates := map[string]node.Rate{}
	for _, name := range []string{exchange.LimitPackages, exchange.LimitDecisions, exchange.LimitReads, exchange.LimitSearches, exchange.LimitChanges} {
		rates[name] = hourly(3)
	}
	w, ticks := limited(t, rates)
	unit := w.as("ee/pbgb", "unit")
	gated, open := everyOperation()
	used, refused, requests := map[string]int{}, map[string]uint64{}, map[string]bool{}
	for range 4 {
		for _, a := range append(gated, open...) {
			limit := of[a.method+" "+a.path]
			switch {
			case limit != "":
			case a.method == http.MethodPut || a.method == http.MethodDelete || strings.HasSuffix(a.path, "/admission"), strings.HasSuffix(a.path, "/rollback"), a.path == api.RouteLimits:
				limit = exchange.LimitChanges
			default:
				limit = exchange.LimitReads
			}
			r := unit.ask(a)
			if used[limit]++; used[limit] > 3 {
				w.tooMany(r, limit, "ee/pbgb", 3)
				refused[limit]++
				requests[r.header.Get(api.HeaderRequestID)] = true
			} else if want := fmt.Sprintf(`"%s";r=%d;`, limit, 3-used[limit]); r.status == http.StatusTooManyRequests || !strings.Contains(r.header.Get(api.HeaderRateLimit), want) {
				t.Errorf("%s %s: %d, %s %q, want %s", a.method, a.path, r.status, api.HeaderRateLimit, r.header.Get(api.HeaderRateLimit), want)
			}
		}
	}
	w.as("lv/vp", "unit").get(api.RouteAgencies).want(t, http.StatusOK) // another agency has its own

	w.Clock.Advance(2 * time.Hour) // all of it is there again
	ticks <- time.Time{}
	ticks <- time.Time{} // what the first one did is done
	found := map[string]uint64{}
	for _, e := range w.limitEntries("ee/pbgb") {
		if e.Problem != "rate-limited" || e.Details["limit"] != e.Reason || e.Actor.Agency != "ee/pbgb" {
			t.Errorf("%+v", e)
		}
		found[e.Reason] += e.Count
	}
	for limit, n := range refused {
		if found[limit] != n {
			t.Errorf("%s: entries count %d, want %d", limit, found[limit], n)
		}
	}
	for id := range w.entries("ee/pbgb") {
		if requests[id] {
			t.Errorf("request %s has an entry of its own", id)
		}
	}
}

// limitEntries are the entries of what limits refused.
func (w *wire) limitEntries(agency string) (found []audit.Entry) {
	w.t.Helper()
	dpo := w.As(agency, "dpo")
	seen, err := dpo.Consult(w.t.Context(), client.ConsultInput{Officer: "d.po", Reason: theReason})
	must(w.t, err)
	for item, err := range dpo.Entries(w.t.Context(), seen.ID, 0) {
		must(w.t, err)
		var e audit.Entry
		must(w.t, json.Unmarshal(item.Entry, &e))
		if e.Action == "request.limited" {
			found = append(found, e)
		}
	}
	return found
}

// named is an identity of an agency that is admitted, with a name of its own.
func (w *wire) named(agency, role, name string) *caller {
	w.t.Helper()
	j, a, err := certs.ParseAgencyID(agency)
	must(w.t, err)
	ca, err := certs.LoadCA(filepath.Join(w.World.Dir, "ca", j), w.Clock.Now)
	must(w.t, err)
	key, err := certs.GenerateKey()
	must(w.t, err)
	cert, err := ca.IssueClient(certs.Identity{Jurisdiction: j, Agency: a, Role: role, Name: name}, key.Public(), time.Hour)
	must(w.t, err)
	cfg := w.tlsOf("ee/pbgb", "unit").Clone()
	pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return w.calling(cfg, true)
}

// R4: who is limited is who the certificate says, whatever headers say and
// however often it is renewed; another name is another unit of the same
// agency. Agencies that the exchange does not know have one budget for each
// jurisdiction, which makes them up.
func TestWhoIsLimited(t *testing.T) {
	w, _ := limited(t, map[string]node.Rate{exchange.LimitUnitPackages: hourly(2), exchange.LimitPackages: hourly(5)},
		func(c *node.Config) { c.Limits.Rates[exchange.LimitReads] = hourly(3) })
	post := func(c *caller, headers ...string) reply {
		return c.do(http.MethodPost, api.RoutePackages, []byte("--b--"), append(headers, "Content-Type", api.MediaForm+"; boundary=b")...)
	}
	of := func(name string) string { return "spiffe://ee/pbgb/unit/" + name }
	post(w.named("ee/pbgb", "unit", "desk-1"), "X-Forwarded-For", "192.0.2.1").want(t, http.StatusBadRequest)
	post(w.named("ee/pbgb", "unit", "desk-1"), "X-Real-IP", "192.0.2.2").want(t, http.StatusBadRequest)
	for i := range 3 { // each with a certificate of its own, and another story
		w.tooMany(post(w.named("ee/pbgb", "unit", "desk-1"), "X-Forwarded-For", fmt.Sprint("192.0.2.", i), "Forwarded", "for=192.0.2.9"), exchange.LimitUnitPackages, of("desk-1"), 2)
	}
	for range 2 {
		post(w.named("ee/pbgb", "unit", "desk-2")).want(t, http.StatusBadRequest)
	}
	post(w.named("ee/pbgb", "unit", "desk-3")).want(t, http.StatusBadRequest)
	w.tooMany(post(w.named("ee/pbgb", "unit", "desk-4")), exchange.LimitPackages, "ee/pbgb", 5)

	for i := range 3 {
		w.named(fmt.Sprint("ee/made-up-", i), "unit", "x").get(api.RouteAgencies).want(t, http.StatusForbidden)
	}
	w.tooMany(w.named("ee/made-up-9", "unit", "x").get(api.RouteAgencies), exchange.LimitReads, "ee", 3)
	w.named("lv/made-up", "unit", "x").get(api.RouteAgencies).want(t, http.StatusForbidden)
}

// sealWith is seal with metadata that a test has changed.
func (w *wire) sealWith(sample string, edit func(meta map[string]any), texts map[string]string) *envelope.Sealed {
	w.t.Helper()
	s, _ := demo.Find(sample, w.Clock.Now())
	raw, err := json.Marshal(s.Meta)
	must(w.t, err)
	meta := map[string]any{}
	must(w.t, json.Unmarshal(raw, &meta))
	edit(meta)
	raw, err = json.Marshal(meta)
	must(w.t, err)
	sealed, err := w.As(s.From, "unit").Seal(w.t.Context(), client.SendInput{To: s.To, Meta: raw, Reason: theReason, Texts: texts, Message: envelope.Message{Text: theText}})
	must(w.t, err)
	w.t.Cleanup(func() { _ = sealed.Close() })
	return sealed
}

// R7: a package costs its recipients and bytes, by what its sender signed,
// and all or nothing; a repeat costs no more.
func TestPackagesCost(t *testing.T) {
	w, _ := limited(t, map[string]node.Rate{exchange.LimitRecipients: hourly(3), exchange.LimitBytes: hourly(150_000)})
	ee := w.as("ee/pbgb", "unit")
	first := w.seal(demo.EEtoLV)
	r := ee.post(first).want(t, http.StatusCreated)
	for _, want := range []string{`"packages";q=`, `"packages-of-unit";q=`, `"recipients";q=3;w=3600`, `"bytes";q=150000;w=3600`} {
		if !strings.Contains(r.header.Get(api.HeaderRateLimitPolicy), want) {
			t.Errorf("%s: %s", want, r.header.Get(api.HeaderRateLimitPolicy))
		}
	}
	for range 5 {
		ee.post(first).want(t, http.StatusOK)
	}
	ee.post(w.seal(demo.EEtoLV)).want(t, http.StatusCreated)
	large := ee.post(w.seal(demo.EEtoLV, 200_000)).want(t, http.StatusTooManyRequests)
	if !strings.Contains(string(large.body), `"limit":{"name":"bytes","of":"ee/pbgb","quota":150000,"window":3600}`) {
		t.Errorf("%s", large.body)
	}
	ee.post(w.seal(demo.EEtoLV)).want(t, http.StatusCreated)
	w.tooMany(ee.post(w.seal(demo.EEtoLV)), exchange.LimitRecipients, "ee/pbgb", 3)
	w.Clock.Advance(21 * time.Minute)
	ee.post(w.seal(demo.EEtoLV)).want(t, http.StatusCreated)
}

// Urgency has a budget of its own, and urgency that policy finds false costs
// ten times as much.
func TestUrgencyCosts(t *testing.T) {
	w, _ := limited(t, map[string]node.Rate{exchange.LimitUrgent: hourly(12)})
	ee := w.as("ee/pbgb", "unit")
	urgent := func(texts map[string]string) *envelope.Sealed {
		return w.sealWith(demo.EEtoLV, func(m map[string]any) { m["urgency"] = map[string]any{"level": "urgent", "ground": "life"} }, texts)
	}
	r := ee.post(urgent(map[string]string{"urgency": "They may leave with the child today at nine."}))
	if !strings.Contains(r.header.Get(api.HeaderRateLimit), `"urgent";r=11;`) {
		w.t.Errorf("%d %s: %s", r.status, r.body, r.header.Get(api.HeaderRateLimit))
	}
	r = ee.post(urgent(nil))
	if r.status != http.StatusForbidden || !strings.Contains(string(r.body), "urgency_ground_missing") {
		w.t.Fatalf("%d %s", r.status, r.body)
	}
	r = ee.post(urgent(nil)) // the last one
	if r.status != http.StatusForbidden {
		w.t.Fatalf("%d %s", r.status, r.body)
	}
	w.tooMany(ee.post(urgent(nil)), exchange.LimitUrgent, "ee/pbgb", 12)
}

// E13: signatures that do not hold are a penalty of the unit that sent them,
// and of no other.
func TestBadSignaturesArePenalised(t *testing.T) {
	w, _ := limited(t, map[string]node.Rate{exchange.LimitBadSignatures: hourly(2)})
	bad := w.seal(demo.EEtoLV)
	good := *bad
	bad.Statement = tampered(bad.Statement)
	ee := w.as("ee/pbgb", "unit")
	for range 2 {
		ee.post(bad).want(t, http.StatusUnprocessableEntity)
	}
	w.tooMany(ee.post(&good), exchange.LimitBadSignatures, "spiffe://ee/pbgb/unit/demo", 2)
	w.named("ee/pbgb", "unit", "desk-2").post(&good).want(t, http.StatusCreated)
	w.Clock.Advance(31 * time.Minute)
	ee.post(&good).want(t, http.StatusOK)
}

// R9: before anybody is known, a source may begin so many handshakes, and
// fewer of them may fail.
func TestHandshakesAreLimited(t *testing.T) {
	w, _ := limited(t, nil, func(c *node.Config) {
		c.Limits.Rates[exchange.LimitHandshakes], c.Limits.Rates[exchange.LimitBadHandshakes] = hourly(8), hourly(2)
	})
	shakes := func() bool {
		conn, err := tls.Dial("tcp", w.address, w.tlsOf("ee/pbgb", "unit"))
		if err != nil {
			return false
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /v1/agencies HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", w.address)
		_, err = io.ReadAll(conn)
		return err == nil
	}
	count := func(n int) (ok int) {
		for range n {
			if shakes() {
				ok++
			}
		}
		return ok
	}
	if n := count(10); n != 8 {
		t.Errorf("%d of 10 handshakes, want 8", n)
	}
	w.Clock.Advance(time.Hour)
	for range 2 {
		conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		if err == nil {
			conn.Close()
			t.Fatal("TLS 1.2 is taken")
		}
	}
	redistest.Await(t, "both failures are counted", func() bool { return strings.Count(w.Log.String(), "handshake failed") >= 2 })
	if n := count(3); n != 0 {
		t.Errorf("%d handshakes after the failures of the same source", n)
	}
	w.Clock.Advance(time.Hour)
	if !shakes() {
		t.Error("it does not end")
	}
}

// Three servers that share a Redis show one budget; when it is killed no
// request within the limits is lost, at most one share more passes, and they
// find back to it by themselves.
func TestServersShareRedis(t *testing.T) {
	redis := redistest.Start(t)
	var nodes []*wire
	for range 3 {
		w, _ := limited(t, map[string]node.Rate{exchange.LimitDecisions: hourly(30)}, func(c *node.Config) {
			c.Redis = &node.Redis{Addresses: []string{redis.Addr}, Nodes: 3}
		})
		nodes = append(nodes, w)
	}
	ask := func(i int) reply {
		return nodes[i%3].as("ee/pbgb", "unit").postJSON(api.RouteDecisions, map[string]any{"manifest": map[string]any{}, "statement": map[string]any{}})
	}
	for _, w := range nodes {
		w.sharing(true)
	}
	for i := range 15 {
		r := ask(i)
		if want := fmt.Sprintf(`"decisions";r=%d;`, 29-i); r.status == http.StatusTooManyRequests || !strings.Contains(r.header.Get(api.HeaderRateLimit), want) {
			t.Fatalf("%d: %d, %s", i, r.status, r.header.Get(api.HeaderRateLimit))
		}
	}
	redis.Down()
	passed := 15
	for i := range 90 {
		switch r := ask(i); r.status {
		case http.StatusTooManyRequests:
			if i < 15 {
				t.Errorf("request %d after the end of Redis was within the limit: %s", i, r.body)
			}
		case http.StatusBadRequest:
			passed++
		default:
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if passed > 30+30 || passed < 15+30 {
		t.Errorf("%d passed: the limit is 30, the nodes' shares 10 each", passed)
	}
	for _, w := range nodes {
		w.sharing(false)
	}
	redis.Up()
	for _, w := range nodes {
		w.sharing(true)
	}
	if r := ask(0); !strings.Contains(r.header.Get(api.HeaderRateLimit), `"decisions";r=29;`) {
		t.Errorf("counted together again: %s", r.header.Get(api.HeaderRateLimit))
	}
}

// sharing waits until a node counts with the others, or alone, by what its
// readyz says.
func (w *wire) sharing(want bool) {
	w.t.Helper()
	redistest.Await(w.t, fmt.Sprint("counting together: ", want), func() bool {
		resp, err := http.Get("http://" + w.Node.AdminAddr() + "/readyz?verbose")
		must(w.t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must(w.t, err)
		if resp.StatusCode != http.StatusOK {
			w.t.Fatalf("without Redis a node is ready all the same: %s", body)
		}
		return want != strings.Contains(string(body), "[!] limits: shared limits cannot be used")
	})
}

// An operator sets a limit of one agency and of all: at once, with an entry
// each, for good, and what is taken back leaves what the configuration says.
func TestOperatorSetsLimits(t *testing.T) {
	w, _ := limited(t, map[string]node.Rate{exchange.LimitDecisions: hourly(50)})
	ops := w.as(demo.Operator, "operator")
	set := func(c *caller, limit, agency string, quota, window int64) reply {
		return c.do(http.MethodPut, api.RouteLimits, must2(json.Marshal(api.LimitRequest{Name: limit, Agency: agency, Quota: quota, Window: window, Reason: theReason})), "Content-Type", api.MediaJSON)
	}
	ask := func(agency string) reply {
		return w.as(agency, "unit").postJSON(api.RouteDecisions, map[string]any{"manifest": map[string]any{}, "statement": map[string]any{}})
	}
	quota := func(agency string, want int64) {
		t.Helper()
		if r := ask(agency); !strings.Contains(r.header.Get(api.HeaderRateLimitPolicy), fmt.Sprintf(`"decisions";q=%d;`, want)) {
			t.Errorf("%s: %s, want %d", agency, r.header.Get(api.HeaderRateLimitPolicy), want)
		}
	}
	quota("ee/pbgb", 50)
	var done api.Limit
	r := set(ops, exchange.LimitDecisions, "ee/pbgb", 3, 3600).want(t, http.StatusOK)
	if r.decode(t, &done); done.Quota != 3 || done.Source != "operator" || done.By == "" || done.Receipt == "" {
		t.Errorf("%+v", done)
	}
	quota("ee/pbgb", 3)
	quota("ee/pbgb", 3)
	w.tooMany(ask("ee/pbgb"), exchange.LimitDecisions, "ee/pbgb", 3)
	set(ops, exchange.LimitDecisions, "", 7, 3600).want(t, http.StatusOK)
	quota("lv/vp", 7)
	w.tooMany(ask("ee/pbgb"), exchange.LimitDecisions, "ee/pbgb", 3)

	w.Restart()
	w.address = w.Node.Addr()
	ops = w.as(demo.Operator, "operator")
	quota("ee/pbgb", 3)
	quota("lv/vp", 7)
	var all api.Limits
	ops.get(api.RouteLimits).want(t, http.StatusOK).decode(t, &all)
	of := map[string]string{}
	for _, l := range all.Items {
		of[l.Name+" "+l.Agency] = fmt.Sprint(l.Quota, " ", l.Source)
	}
	if of["decisions ee/pbgb"] != "3 operator" || of["decisions "] != "7 operator" || !strings.HasSuffix(of["reads "], " configuration") {
		t.Errorf("%v", of)
	}
	set(ops, exchange.LimitDecisions, "ee/pbgb", 0, 0).want(t, http.StatusOK)
	quota("ee/pbgb", 50)

	for _, c := range []struct {
		by            *caller
		limit, agency string
		quota, window int64
		status        int
	}{
		{w.as("ee/pbgb", "unit"), exchange.LimitReads, "", 1, 60, http.StatusForbidden},
		{w.as("ee/pbgb", "dpo"), exchange.LimitReads, "ee/pbgb", 1 << 40, 60, http.StatusForbidden},
		{ops, "parcels", "", 1, 60, http.StatusBadRequest},
		{ops, exchange.LimitReads, "EE", 1, 60, http.StatusBadRequest},
		{ops, exchange.LimitReads, "", 0, 60, http.StatusBadRequest},
		{ops, exchange.LimitReads, "", -1, 60, http.StatusBadRequest},
		{ops, exchange.LimitReads, "", 1 << 51, 60, http.StatusBadRequest},
		{ops, exchange.LimitReads, "", 1, -60, http.StatusBadRequest},
		{ops, exchange.LimitReads, "", 1, 1 << 40, http.StatusBadRequest},
		{ops, exchange.LimitHandshakes, "ee/pbgb", 1, 60, http.StatusBadRequest},
		{ops, exchange.LimitChanges, demo.Operator, 1, 60, http.StatusConflict},
	} {
		set(c.by, c.limit, c.agency, c.quota, c.window).want(t, c.status)
	}
	w.as("ee/pbgb", "unit").get(api.RouteLimits).want(t, http.StatusForbidden)
	ops.do(http.MethodPut, api.RouteLimits, make([]byte, 100_000), "Content-Type", api.MediaJSON).want(t, http.StatusRequestEntityTooLarge)

	// Nobody locks the operators out, themselves included.
	set(ops, exchange.LimitChanges, "", 1, 3600).want(t, http.StatusOK)
	for range 3 {
		ops.get(api.RouteLimits).want(t, http.StatusOK)
	}
}

func must2(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
