package authorization

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// request is a question as it goes over the wire.
type request struct {
	method, path string
	header       http.Header
	body         []byte
}

// send puts a request to the exchange as an identity.
func (w *world) send(who identity, r request) *exchangetest.Answer {
	return w.x.Do(w.client(who), r.method, r.path, r.header, r.body)
}

// request words a question. jws is the acknowledgement, p the package that is
// posted; variant chooses among the ways to be wrong.
func (w *world) request(q question, p *posted, jws []byte, variant int) request {
	r := request{method: http.MethodGet, header: http.Header{}}
	if q.consultation != "" {
		r.header.Set(api.HeaderConsultation, q.consultation)
	}
	switch q.verb {
	case "send":
		contentType, body := exchangetest.Form(p.parts)
		r = request{http.MethodPost, api.RoutePackages, http.Header{"Content-Type": {contentType}}, body}
	case "decide":
		body, err := json.Marshal(api.DryRun{Manifest: plain(p.parts[0].Body), Statement: plain(p.parts[1].Body)})
		w.must(err)
		r = request{http.MethodPost, api.RouteDecisions, http.Header{"Content-Type": {api.MediaJSON}}, body}
	case "consult":
		body, err := json.Marshal(api.ConsultationRequest{Officer: "OFF-1", Justification: "A reason that is long enough to be one", Package: q.id})
		w.must(err)
		r = request{http.MethodPost, api.RouteConsultations, http.Header{"Content-Type": {api.MediaJSON}}, body}
	case "mismatch":
		body, err := json.Marshal(api.MismatchRequest{Code: q.code})
		w.must(err)
		r = request{http.MethodPost, api.PackagePath(q.id, "mismatch"), http.Header{"Content-Type": {api.MediaJSON}}, body}
	case "acknowledge":
		r = request{http.MethodPost, api.PackagePath(q.id, "acknowledgement"), http.Header{"Content-Type": {api.MediaJOSE}}, jws}
	case "list":
		r.path = api.RoutePackages + listing(q)
	case "entries":
		r.path = fmt.Sprintf("%s?after=%d&limit=%d", api.RouteAuditEntries, q.after, q.limit)
	default:
		r.path = path(q)
	}
	return spoil(r, q, variant)
}

func listing(q question) string {
	s := fmt.Sprintf("?box=%s&after=%d&limit=%d", q.box, q.after, q.limit)
	if q.state != "" {
		s += "&state=" + q.state
	}
	if q.due {
		s += "&due_before=2030-01-01T00:00:00Z"
	}
	return s
}

// path is what a question without query and body asks for.
func path(q question) string {
	switch q.verb {
	case "show":
		return api.PackagePath(q.id, "")
	case "manifest", "content":
		return api.PackagePath(q.id, q.verb)
	case "attachment":
		return api.AttachmentPath(q.id, q.n)
	case "entry":
		return fmt.Sprintf("%s/%s/%d", api.RouteAuditEntries, q.owner, q.seq)
	case "agencies":
		return api.RouteAgencies
	case "agency":
		return api.AgencyPath(q.owner)
	case "keys":
		return api.KeysPath(q.owner)
	case "key":
		return api.KeyPath(q.owner, q.kid)
	case "checkpoint":
		return api.RouteCheckpoint
	case "witnessed":
		return api.RouteWitnessed
	case "witnesses":
		return api.RouteWitnesses
	case "tile":
		return "/log/tile/0/" + first(q.width)
	case "bundle":
		return "/log/tile/entries/" + first(q.width)
	case "openapi":
		return api.RouteOpenAPI
	case "schema":
		return api.RouteMetaSchema
	case "problem":
		return api.NotFound.URI()
	}
	return "/v1/nothing"
}

// first is the first tile of a width.
func first(width int) string {
	if width == audit.TileWidth {
		return "000"
	}
	return fmt.Sprintf("000.p/%d", width)
}

// ways to be wrong, and how a request comes to be so.
var ways = map[string][]func(r *request, q question){
	"method": {
		func(r *request, _ question) { r.method = http.MethodHead },
		func(r *request, _ question) { r.method = http.MethodPut },
		func(r *request, _ question) { r.method = http.MethodDelete },
		func(r *request, _ question) { r.method = http.MethodPatch },
		func(r *request, _ question) { r.method = http.MethodOptions },
		func(r *request, _ question) { r.method = strings.ToLower(r.method) },
	},
	"spelling": {
		func(r *request, _ question) { r.path = strings.Replace(r.path, "/v1/", "/v1//", 1) },
		func(r *request, _ question) { r.path = strings.Replace(r.path, "/v1/", "/v1/./", 1) },
		func(r *request, _ question) { r.path = strings.Replace(r.path, "/v1/", "/v1/..;/v1/", 1) },
		func(r *request, _ question) { r.path = strings.Replace(r.path, "/v1/", "/%76%31/", 1) },
		func(r *request, _ question) { p, query, _ := strings.Cut(r.path, "?"); r.path = p + "/?" + query },
	},
	"path": {
		func(r *request, _ question) { r.path = "/v2/packages" },
		func(r *request, _ question) { r.path = "/" },
		func(r *request, _ question) { r.path = "/metrics" },
		func(r *request, _ question) { r.path = "/livez" },
		func(r *request, _ question) { r.path = strings.Replace(r.path, "/v1/", "/V1/", 1) },
	},
	"id": {
		func(r *request, q question) {
			r.path = strings.Replace(r.path, q.id, strings.ToUpper(q.id[:35])+"F", 1)
		},
		func(r *request, q question) { r.path = strings.Replace(r.path, q.id, q.id[1:], 1) },
		func(r *request, q question) { r.path = strings.Replace(r.path, q.id, "-", 1) },
	},
	"number": {
		func(r *request, _ question) { r.path += "0000000000000000000" },
		func(r *request, _ question) { r.path += "x" },
		func(r *request, _ question) { r.path += "/1" },
	},
	"query": {
		func(r *request, _ question) { r.path += also(r.path) + "agency=ee" },
		func(r *request, _ question) { r.path += also(r.path) + "iss=ee" },
	},
	"body": {
		func(r *request, _ question) { r.body = []byte(`{"sender":"ee/pbgb"}`) },
	},
	"media": {
		func(r *request, _ question) { r.header = http.Header{"Content-Type": {"text/plain"}} },
		func(r *request, _ question) { r.header = http.Header{} },
	},
	"encoding": {
		func(r *request, _ question) { r.header = r.header.Clone(); r.header.Set("Content-Encoding", "gzip") },
	},
	"consultation": {
		func(r *request, _ question) { r.header = http.Header{api.HeaderConsultation: {"all"}} },
		func(r *request, _ question) { r.header = http.Header{api.HeaderConsultation: {noID, noID}} },
	},
}

func also(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}

func spoil(r request, q question, variant int) request {
	if w := ways[q.wrong]; w != nil {
		w[variant%len(w)](&r, q)
	}
	return r
}

// wrongs are the ways in which a verb's request can be wrong.
func wrongs(name string) []string {
	switch name {
	case "nowhere":
		return []string{"path"}
	case "send":
		return []string{"method", "media", "encoding", "spelling"}
	case "decide", "consult":
		return []string{"method", "media", "encoding", "spelling", "body", "query"}
	case "mismatch":
		return []string{"method", "media", "encoding", "spelling", "id", "body", "query"}
	case "acknowledge":
		return []string{"method", "media", "encoding", "spelling", "id", "query"}
	case "show", "manifest":
		return []string{"method", "spelling", "id", "query", "body", "encoding"}
	case "content":
		return []string{"method", "spelling", "id", "query", "body", "encoding", "consultation"}
	case "attachment":
		return []string{"method", "spelling", "id", "number", "query", "body", "consultation"}
	case "entries":
		return []string{"method", "spelling", "query", "body", "consultation"}
	case "entry":
		return []string{"method", "spelling", "number", "query", "body", "consultation"}
	case "list":
		return []string{"method", "spelling", "query", "body"}
	case "key":
		return []string{"query", "body"} // its other methods are its owner's
	}
	return []string{"method", "query", "body"}
}

// understand reads an answer as the model words it.
func (w *world) understand(q question, method string, a *exchangetest.Answer) (answer, error) {
	got := answer{status: a.Status}
	if method == http.MethodHead {
		return got, nil
	}
	if a.Status >= 400 {
		p, err := api.ParseProblem(a.Body)
		if err != nil || a.Header.Get("Content-Type") != api.MediaProblem || p.Status != a.Status {
			return got, fmt.Errorf("no problem: %d %s", a.Status, a.Body)
		}
		got.problem = strings.TrimPrefix(p.Type, "/problems/")
		got.seen = outcomesOf(p.Outcomes)
		return got, w.onlyVisible(q, p.Descriptor)
	}
	var err error
	got.seen, err = w.seen(q, a)
	return got, err
}

// onlyVisible holds the descriptor in a conflict against what its reader may
// see.
func (w *world) onlyVisible(q question, d *api.Descriptor) error {
	if d == nil {
		return nil
	}
	p, recipients := w.m.visible(d.ID, q.who.agency)
	if p == nil || descriptor(p, recipients) != describe(*d) {
		return fmt.Errorf("a conflict shows %s", describe(*d))
	}
	return nil
}

func outcomesOf(all []api.Outcome) (seen []string) {
	for _, o := range all {
		seen = append(seen, o.Recipient+"="+o.Outcome)
	}
	return seen
}

func describe(d api.Descriptor) string {
	outcomes := outcomesOf(d.Outcomes)
	for i, o := range d.Outcomes {
		outcomes[i] += fmt.Sprint(o.Mismatches)
	}
	slices.Sort(outcomes)
	return fmt.Sprint(d.ID, " from ", d.From, " to ", d.To, " ", d.State, " ", outcomes)
}

func decode[T any](a *exchangetest.Answer) (v T, err error) {
	err = json.Unmarshal(a.Body, &v)
	return v, err
}

// seen is what a good answer shows, item by item.
func (w *world) seen(q question, a *exchangetest.Answer) ([]string, error) {
	switch q.verb {
	case "send":
		v, err := decode[api.Accepted](a)
		return outcomesOf(v.Outcomes), err
	case "decide":
		v, err := decode[api.Decided](a)
		return outcomesOf(v.Outcomes), err
	case "show":
		v, err := decode[api.Descriptor](a)
		return []string{describe(v)}, err
	case "list":
		v, err := decode[api.Page](a)
		var seen []string
		for _, d := range v.Items {
			seen = append(seen, describe(d))
		}
		return following(seen, v.Next), err
	case "manifest", "content", "attachment":
		return []string{w.labels[sha256.Sum256(a.Body)]}, nil
	case "acknowledge":
		v, err := decode[api.Acknowledged](a)
		return []string{v.ID}, err
	case "mismatch":
		v, err := decode[api.MismatchReported](a)
		return []string{v.ID + " " + v.Code}, err
	case "consult":
		return nil, nil
	case "entries":
		return seenEntries(a)
	case "entry":
		v, err := decode[api.AuditItem](a)
		if err != nil {
			return nil, err
		}
		s, err := seenEntry(v)
		return []string{s}, err
	}
	return seenInDirectory(q, a)
}

func following(seen []string, next string) []string {
	if next != "" {
		seen = append(seen, "next "+next)
	}
	return seen
}

func seenEntries(a *exchangetest.Answer) (seen []string, err error) {
	v, err := decode[api.AuditPage](a)
	if err != nil {
		return nil, err
	}
	for _, item := range v.Items {
		s, err := seenEntry(item)
		if err != nil {
			return nil, err
		}
		seen = append(seen, s)
	}
	return following(seen, v.Next), nil
}

func seenEntry(item api.AuditItem) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(item.Entry)
	if err != nil {
		return "", err
	}
	e, err := audit.ParseEntry(raw)
	return fmt.Sprint(e.Owner, " ", item.Seq, " ", entryOf(e)), err
}

// seenInDirectory is what is open to all.
func seenInDirectory(q question, a *exchangetest.Answer) (seen []string, err error) {
	switch q.verb {
	case "agencies":
		v, err := decode[api.Agencies](a)
		for _, x := range v.Items {
			seen = append(seen, x.ID+" "+x.Status)
		}
		return seen, err
	case "agency":
		v, err := decode[api.Agency](a)
		return []string{v.ID + " " + v.Status}, err
	case "keys":
		v, err := decode[api.KeySet](a)
		for _, k := range v.Keys {
			key, err := envelope.ParsePublicJWK(k)
			if err != nil {
				return nil, err
			}
			seen = append(seen, key.Kid())
		}
		slices.Sort(seen)
		return seen, err
	case "key":
		v, err := decode[api.Key](a)
		state := " in use"
		if v.Until != "" {
			state = " retired"
		}
		return []string{q.kid + state}, err
	}
	return []string{q.verb}, nil
}
