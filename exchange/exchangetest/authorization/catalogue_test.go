package authorization

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// TestIdsCannotBeGuessed: what the exchange numbers it numbers at random (row
// Z2 of the attack catalogue). The design takes UUIDv7, of which 74 bits are
// random, for the 128 of the catalogue: to know an id gives nothing, as
// TestExistence shows.
func TestIdsCannotBeGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := identity{"ee/pbgb", dpo, "demo"}
	const n = 64
	ones := make([]int, 64)
	for range n {
		id, err := uuid.Parse(w.consult(who, ""))
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s is no UUIDv7: %v", id, err)
		}
		var tail uint64
		for _, b := range id[8:] {
			tail = tail<<8 | uint64(b)
		}
		for i := range ones {
			ones[i] += bits.OnesCount64(tail & (1 << i))
		}
	}
	for i, k := range ones[:62] { // the two above are the variant's
		if k < n/8 || k > n-n/8 {
			t.Errorf("bit %d of the random part is set in %d of %d ids", i, k, n)
		}
	}
}

// TestAnothersInbox asks for another agency's boxes and log in all the places
// where a request could name one (rows Z3 and Z5 of the attack catalogue).
func TestAnothersInbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.populate() // of nothing that Belarus may see
	who, reader := identity{"by/mia", unit, "demo"}, identity{"by/mia", dpo, "demo"}
	log := http.Header{api.HeaderConsultation: {w.consult(reader, "")}}
	id := ids[2]
	type asked struct {
		who          identity
		method, path string
		header       http.Header
		status       int
	}
	get := func(status int, paths ...string) (all []asked) {
		for _, p := range paths {
			all = append(all, asked{who, http.MethodGet, p, nil, status})
		}
		return all
	}
	cases := slices.Concat(
		get(http.StatusOK, "/v1/packages", "/v1/packages?box=inbox", "/v1/packages?box=outbox", "/v1/packages?box=inbox&state=delivered&after=0&limit=200", "/v1/packages?after=0"),
		get(http.StatusBadRequest, "/v1/packages?agency=ee/pbgb", "/v1/packages?recipient=lv/vp", "/v1/packages?to=lv%2Fvp", "/v1/packages?iss=ee/pbgb", "/v1/packages?Box=inbox",
			"/v1/packages?box=inbox&box=outbox", "/v1/packages?box[]=inbox", "/v1/packages?box=inbox;agency=lv/vp", "/v1/packages?box=inbox%00", "/v1/packages?box=lv/vp", "/v1/packages?box=all",
			"/v1/packages?box=", "/v1/packages?state=any", "/v1/packages?/agency=lv", "/v1/packages/"+id+"?agency=lv/vp", "/v1/packages/"+id+"/content?as=lv/vp"),
		get(http.StatusNotFound, "/v1/packages/"+id, "/v1/packages/"+strings.ToUpper(id), "/v1/packages/{"+id+"}", "/v1/packages/urn:uuid:"+id, "/v1/packages/"+id+"/", "/v1/packages/"+id+".", "/v1/packages/"+id+".json",
			"/v1/packages/"+id+"%2Fmanifest", "/v1/packages/"+id+"%2fcontent", "/v1/packages/"+id+"/..;/"+id, "/v1/packages/..;/packages/"+id, "/v1//packages/"+id, "/v1/packages//"+id, "//v1/packages/"+id,
			"/v1/./packages/"+id, "/v1/agencies/../packages/"+id, "/v1/packages/"+id+"%00", "/v1/packages/"+id+"%20", "/v1/packages/"+id+";x=1", "/V1/packages/"+id, "/v1/Packages/"+id,
			"/v1/packages/"+id+"/Manifest", "/v1/packages/"+id+"/manifest/", "/v1/packages/"+id+"/manifest.", "/v1/packages/"+id+"/receipt", "/v1/packages/"+id+"/statement", "/v1/packages/"+id+"/proof",
			"/v1/packages/"+id+"/attachments", "/v1/packages/"+id+"/attachments/0.", "/v1/packages/"+id+"/attachments/-1", "/v1/packages/"+id+"/attachments/0/..%2f0", "/v1/lv/vp/packages", "/v1/agencies/lv/vp/packages", "/v1/packages/inbox"),
		[]asked{
			{who, http.MethodHead, "/v1/packages", nil, http.StatusMethodNotAllowed}, {who, http.MethodHead, "/v1/packages/" + id, nil, http.StatusMethodNotAllowed},
			{who, "get", "/v1/packages", nil, http.StatusMethodNotAllowed}, {who, "Get", "/v1/packages/" + id, nil, http.StatusMethodNotAllowed}, {who, http.MethodTrace, "/v1/packages", nil, http.StatusMethodNotAllowed},
			{who, http.MethodPatch, "/v1/packages/" + id, nil, http.StatusMethodNotAllowed}, {who, http.MethodDelete, "/v1/packages/" + id, nil, http.StatusMethodNotAllowed},
			{who, http.MethodGet, "/v1/packages", http.Header{"X-Http-Method-Override": {"DELETE"}, "X-Forwarded-Client-Cert": {"URI=spiffe://lv/vp/unit/demo"}, "X-Agency": {"lv/vp"}, "Forwarded": {"for=lv"}}, http.StatusOK},
			{who, http.MethodGet, "/v1/packages/" + id, http.Header{"X-Original-Url": {"/v1/packages"}, "X-Rewrite-Url": {"/v1/packages"}, "X-Forwarded-Client-Cert": {"URI=spiffe://lv/vp/unit/demo"}}, http.StatusNotFound},
			{reader, http.MethodGet, "/v1/audit/entries?owner=lv/vp", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/entries?owner=lv/vp&q=outcome:*&facets=recipient", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/entries?owner=xx/none&histogram=day", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/entries?agency=lv/vp&after=0", log, http.StatusBadRequest},
			{reader, http.MethodGet, "/v1/audit/entries?after=0&after=1", log, http.StatusBadRequest}, {reader, http.MethodGet, "/v1/audit/entries/lv/vp", log, http.StatusNotFound},
			{reader, http.MethodGet, "/v1/audit/entries/lv/vp/1", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/entries/lv%2Fvp/1", log, http.StatusNotFound},
			{reader, http.MethodGet, "/v1/audit/entries/by/mia/..;/lv/vp/1", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/entries/by/../lv/vp/1", log, http.StatusNotFound},
			{reader, http.MethodGet, "/v1/audit/entries/*/*/1", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/export", log, http.StatusOK}, {reader, http.MethodGet, "/v1/audit/export?owner=lv/vp", log, http.StatusNotFound},
			{reader, http.MethodGet, "/v1/audit/statistics", log, http.StatusBadRequest}, {reader, http.MethodGet, "/v1/audit/statistics?report=monthly&owner=lv/vp", log, http.StatusNotFound}, {reader, http.MethodGet, "/v1/audit/statistics?report=monthly", log, http.StatusOK}, {reader, http.MethodGet, "/v1/audit/entries/exchange/ops/1", log, http.StatusNotFound},
		})
	t.Attr("cases", strconv.Itoa(len(cases)))
	for _, c := range cases {
		a := w.send(c.who, request{c.method, c.path, c.header, nil})
		if a.Status != c.status {
			t.Errorf("%s %s: %d, not %d: %s", c.method, c.path, a.Status, c.status, a.Body)
		}
		for _, other := range []string{"ee/pbgb", "lv/vp", "ua/npu", "it/dcpc", ids[0], id} {
			if contains(a.Body, other) {
				t.Errorf("%s %s shows %s: %s", c.method, c.path, other, a.Body)
			}
		}
	}
}

// TestMassAssignment puts into every JSON body what only the exchange may say
// (row Z4 of the attack catalogue).
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.seal(wish{kind: kinds[0], lasts: time.Hour})
	w.tell(question{who: identity{"ee/pbgb", unit, "demo"}, verb: "send", parcel: &p.parcel}, p, nil, http.StatusCreated)
	who, cases := identity{"lv/vp", unit, "demo"}, 0
	before := w.size()
	for _, member := range []string{`"sender":"lv/vp"`, `"agency":"ee/pbgb"`, `"country":"ee"`, `"jurisdiction":"ee"`, `"role":"dpo"`, `"status":"acknowledged"`, `"state":"delivered"`,
		`"expires":"2099-01-01T00:00:00Z"`, `"id":"` + noID + `"`, `"identity":"spiffe://ee/pbgb/unit/demo"`, `"outcome":"delivered"`, `"Officer":"O"`, `"package ":"x"`, `"__proto__":{"role":"dpo"}`, `"officer":"TWICE"`} {
		dry := fmt.Appendf(nil, `{"manifest":%s,"statement":%s}`, plain(p.parts[0].Body), plain(p.parts[1].Body))
		consult := fmt.Appendf(nil, `{"officer":"O-1","justification":"A reason that is long enough","package":%q}`, p.id)
		into := func(body []byte) []byte { return append([]byte("{"+member+","), body[1:]...) }
		for what, r := range map[string]request{
			"consultation": {http.MethodPost, api.RouteConsultations, http.Header{"Content-Type": {api.MediaJSON}}, into(consult)},
			"dry run":      {http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, into(dry)},
			"its manifest": {http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, bytes.Replace(dry, []byte(`"manifest":{`), []byte(`"manifest":{`+member+`,`), 1)},
			"its statement": {http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}},
				bytes.Replace(dry, []byte(`"statement":{`), []byte(`"statement":{`+member+`,`), 1)},
		} {
			cases++
			if a := w.send(who, r); a.Status != http.StatusBadRequest {
				t.Errorf("%s with %s: %d %s", what, member, a.Status, a.Body)
			}
		}
	}
	t.Attr("cases", strconv.Itoa(cases))
	if grown := w.size() - before; grown != cases {
		t.Errorf("%d refusals, %d entries", cases, grown)
	}
}

// size is the number of the ledger's entries.
func (w *world) size() (n int) {
	w.t.Helper()
	a := w.send(identity{"by/mia", unit, "demo"}, request{method: http.MethodGet, path: api.RouteCheckpoint})
	if _, err := fmt.Sscan(strings.Split(string(a.Body), "\n")[1], &n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestRecipientsThatDoNotGet: a recipient that is unknown, that policy denies
// and that is suspended; one wildcard for many (rows Z7 and Z13 of the attack
// catalogue). Who is an agency here is in the directory, which every party
// reads: the design tells the sender which recipient it mistook. None of them
// learns of it.
func TestRecipientsThatDoNotGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ee := identity{"ee/pbgb", unit, "demo"}
	w.admit("lv/vp", true)
	for _, c := range []struct {
		from   identity
		wish   wish
		status int
	}{
		{ee, wish{kind: kinds[0], fault: "stranger", lasts: time.Hour}, http.StatusUnprocessableEntity},
		{ee, wish{kind: kinds[0], lasts: time.Hour}, http.StatusForbidden},
		{ee, wish{kind: kinds[1], lasts: time.Hour}, http.StatusForbidden}, // one of two: the other gets nothing either
		{identity{"it/dcpc", unit, "demo"}, wish{kind: kinds[5], lasts: time.Hour}, http.StatusForbidden},
	} {
		p := w.seal(c.wish)
		a := w.tell(question{who: c.from, verb: "send", parcel: &p.parcel}, p, nil, c.status)
		if contains(a.Body, "ua/npu") {
			t.Errorf("the answer names who is not denied: %s", a.Body)
		}
	}
	p := w.seal(wish{kind: kinds[0], lasts: time.Hour})
	wildcards := []string{"*", "lv/*", "*/vp", "lv", "lv/", "/vp", "lv/vp,ua/npu", "LV/VP", "lv/vp ", "all", "group:eu", "lv/vp\u0000", "lv%2Fvp", "ee/pbgb"}
	for _, to := range wildcards {
		var manifest map[string]any
		w.must(json.Unmarshal(plain(p.parts[0].Body), &manifest))
		manifest["aud"] = []string{to}
		body, err := json.Marshal(map[string]any{"manifest": manifest, "statement": plain(p.parts[1].Body)})
		w.must(err)
		r := request{http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, body}
		if a := w.send(ee, r); a.Status != http.StatusBadRequest && a.Status != http.StatusUnprocessableEntity {
			t.Errorf("recipient %q: %d %s", to, a.Status, a.Body)
		}
	}
	t.Attr("cases", strconv.Itoa(4+len(wildcards)))
	w.admit("lv/vp", false)
	logs, err := w.ledger()
	w.must(err)
	for _, a := range []string{"lv/vp", "ua/npu", "by/mia"} {
		if len(logs[a]) != 0 {
			t.Errorf("%s learns of it: %v", a, logs[a])
		}
	}
}

// TestMovingOverTheWire suspends sender or recipient while the package's bytes
// are on their way (row Z8 of the attack catalogue). A suspended sender is cut
// off, or told so when it is done.
func TestMovingOverTheWire(t *testing.T) {
	t.Parallel()
	for agency, want := range map[string]api.ProblemType{"ee/pbgb": api.IdentityRefused, "lv/vp": api.PolicyDenied} {
		t.Run(strings.Replace(agency, "/", "-", 1), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.seal(wish{kind: kinds[0], attachments: 1, lasts: time.Hour})
			contentType, form := exchangetest.Form(p.parts)
			cut := len(form) - 60 // within the attachment
			body, writer := io.Pipe()
			reading := make(chan struct{}) // closed when the server asks for the body
			go func() {
				<-reading
				_, err := writer.Write(form[:cut])
				// The server has these bytes, or is about to: in both cases it
				// decided, or decides, on what holds no longer in the end.
				w.x.Admission(node.Admission{ID: agency, Roles: []string{unit, dpo}, Suspended: true})
				if err == nil {
					err = w.x.Node.Reload(t.Context())
				}
				if err == nil {
					_, err = writer.Write(form[cut:])
				}
				_ = writer.CloseWithError(err) // nil is the end
			}()
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.x.URL(api.RoutePackages), body)
			w.must(err)
			req.Header.Set("Content-Type", contentType)
			req.Header.Set("Expect", "100-continue")
			resp, err := w.client(identity{"ee/pbgb", unit, "demo"}).Do(req)
			switch {
			case err == nil:
				defer resp.Body.Close()
				raw, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != want.Status || !contains(raw, want.URI()) {
					t.Errorf("%d %s: %v", resp.StatusCode, raw, err)
				}
			case agency != "ee/pbgb":
				t.Fatal(err)
			}
			logs, err := w.ledger()
			w.must(err)
			accepted := func(e entry) bool { return e.outcome != "refused" && e.outcome != "denied" }
			if len(logs["lv/vp"]) != 0 || slices.ContainsFunc(logs["ee/pbgb"], accepted) {
				t.Errorf("Estonia's log %v, Latvia's %v", logs["ee/pbgb"], logs["lv/vp"])
			}
		})
	}
}

// TestCursors: a cursor is the reader's own seq and no secret, so it is not
// signed; whatever stands in it, a page shows the reader's own or nothing, and
// what is no number is refused (row Z11 of the attack catalogue).
func TestCursors(t *testing.T) {
	t.Parallel()
	w := steady(t)
	w.populate()
	cases := 0
	for _, a := range []string{"ee/pbgb", "lv/vp", "by/mia"} {
		reader := identity{a, dpo, "demo"}
		under := w.consult(reader, "")
		for _, after := range []int{0, 1, 2, 3, 5, 8, 13, 39} {
			for _, limit := range []int{1, 3, 200} {
				cases += 3
				w.compare(question{who: identity{a, unit, "demo"}, verb: "list", box: "inbox", after: after, limit: limit}, nil, nil)
				w.compare(question{who: identity{a, unit, "demo"}, verb: "list", box: "outbox", after: after, limit: limit}, nil, nil)
				w.compare(question{who: reader, verb: "entries", after: after, limit: limit, consultation: under}, nil, nil)
			}
		}
		for _, bad := range []string{"-1", "+1", "01", "0x1", "1e3", "1.0", "%201", "9223372036854775808", "18446744073709551616", "1_0", "%D9%A1", "NaN", noID, "1%00", "*"} {
			for _, path := range []string{"/v1/packages?after=", "/v1/packages?box=outbox&after=", "/v1/packages?limit=", "/v1/audit/entries?after=", "/v1/audit/entries?limit="} {
				cases++
				who := identity{a, unit, "demo"}
				if strings.Contains(path, "audit") {
					who = reader
				}
				r := request{http.MethodGet, path + bad, http.Header{api.HeaderConsultation: {under}}, nil}
				if got := w.send(who, r); got.Status != http.StatusBadRequest {
					t.Errorf("%s: %d %s", r.path, got.Status, got.Body)
				}
			}
		}
	}
	t.Attr("cases", strconv.Itoa(cases))
}

// TestConditionalRequests: no answer bears a validator, and conditions are
// ignored, so that they tell nothing (row Z12 of the attack catalogue).
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.populate()[2]
	lv, by := identity{"lv/vp", unit, "demo"}, identity{"by/mia", unit, "demo"}
	under := w.consult(lv, id)
	conditions := []http.Header{{"If-None-Match": {"*"}}, {"If-None-Match": {`"x"`}}, {"If-Match": {"*"}}, {"If-Match": {`"x"`}}, {"If-Modified-Since": {"Fri, 31 Dec 2100 23:59:59 GMT"}},
		{"If-Unmodified-Since": {"Thu, 01 Jan 1970 00:00:00 GMT"}}, {"If-Range": {`"x"`}, "Range": {"bytes=0-0"}}}
	cases := 0
	for _, who := range []identity{lv, by} {
		for _, verb := range []string{"show", "manifest", "content", "attachment", "list", "agencies", "agency", "keys", "key", "openapi", "schema", "problem", "tile"} {
			q := question{who: who, verb: verb, id: id, consultation: under, box: "inbox", limit: 5, owner: "ee/pbgb", kid: w.sign["ee/pbgb"].Kid(), width: 1}
			r := w.request(q, nil, nil, 0)
			plain := w.send(who, r)
			for _, c := range conditions {
				cases++
				with := r
				with.header = r.header.Clone()
				for name, v := range c {
					with.header[name] = v
				}
				got := w.send(who, with)
				if err := alike(got, plain); err != nil {
					t.Errorf("%s %s with %v: %v", who, r.path, c, err)
				}
				for _, validator := range []string{"ETag", "Last-Modified", "Vary", "Age"} {
					if got.Header.Get(validator) != "" {
						t.Errorf("%s: %s: %s", r.path, validator, got.Header.Get(validator))
					}
				}
			}
		}
	}
	t.Attr("cases", strconv.Itoa(cases))
}

// TestListenersAreApart: what operates the exchange is not on its API, for
// nobody, and its API is not where it is operated (row Z14 of the attack
// catalogue).
func TestListenersAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cases := 0
	for _, who := range identities() {
		for _, path := range []string{api.RouteLive, api.RouteReady, api.RouteReady + "?verbose", api.RouteMetrics, "/debug/pprof/", "/debug/vars", "/admin", "/v1/admin", "/console"} {
			cases++
			a := w.send(who, request{method: http.MethodGet, path: path})
			if a.Status != http.StatusNotFound && (a.Status != http.StatusForbidden || w.x.Problem(a).Type != api.IdentityRefused.URI()) {
				t.Errorf("%s %s: %d %s", who, path, a.Status, a.Body)
			}
		}
	}
	id := w.populate()[2]
	for _, path := range []string{api.RoutePackages, api.PackagePath(id, ""), api.PackagePath(id, "content"), api.RouteAuditEntries, api.RouteAgencies, api.RouteCheckpoint, "/log/tile/0/000.p/1", api.RouteOpenAPI} {
		cases++
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.x.Node.AdminAddr()+path, nil)
		w.must(err)
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		w.must(resp.Body.Close())
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("admin %s: %d", path, resp.StatusCode)
		}
	}
	t.Attr("cases", strconv.Itoa(cases))
}
