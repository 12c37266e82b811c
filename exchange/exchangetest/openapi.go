package exchangetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/server"
)

// Watch holds every answer that comes through a round tripper against the
// OpenAPI document: status, headers, media type and body. What the document
// does not have fails the test. What was seen counts for Coverage.
func Watch(t testing.TB, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatalf("openapi: %v", err)
	}
	return &watcher{TB: t, next: next, contract: c}
}

// Coverage lists each documented operation × status that no watched client of
// this process has seen.
func Coverage() ([]string, error) {
	c, err := loadContract()
	if err != nil {
		return nil, err
	}
	return c.unseen(), nil
}

// loadContract reads the document once for a process: tests of a package
// share what they have seen.
var loadContract = sync.OnceValues(func() (*contract, error) { return newContract(server.OpenAPI()) })

// contract is the document, compiled. It is safe for concurrent use.
type contract struct {
	operations []*operation
	problems   map[string]*jsonschema.Schema // by the schema's name, for what no operation has

	mu   sync.Mutex
	seen map[string]bool // "operationId status"; guarded by mu
}

type operation struct {
	id, method string
	path       *regexp.Regexp
	answers    map[int]answer
}

// answer is one documented status.
type answer struct {
	headers map[string]*regexp.Regexp
	bodies  map[string]*jsonschema.Schema // by media type; nil: any bytes
}

// watcher is the round tripper of one test.
type watcher struct {
	testing.TB
	next     http.RoundTripper
	contract *contract
}

// RoundTrip passes the request on and judges the answer.
func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := w.contract.judge(r, resp); err != nil {
		w.Errorf("openapi: %s %s: %d: %v", r.Method, r.URL.Path, resp.StatusCode, err)
	}
	return resp, nil
}

// CloseIdleConnections lets a client close its connections through the watcher.
func (w *watcher) CloseIdleConnections() {
	if c, ok := w.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// always are the headers that every answer has.
var always = map[string]*regexp.Regexp{
	api.HeaderRequestID:       regexp.MustCompile(`^[0-9a-f-]{36}$`),
	"Cache-Control":           regexp.MustCompile(`^(no-store|max-age=31536000, immutable)$`),
	"X-Content-Type-Options":  regexp.MustCompile(`^nosniff$`),
	"Content-Security-Policy": regexp.MustCompile(`^default-src 'none'`),
}

// judge holds an answer against the document.
func (c *contract) judge(r *http.Request, resp *http.Response) error {
	if err := checkHeaders(always, resp.Header); err != nil {
		return err
	}
	op := c.find(r)
	if op == nil {
		return c.judgeUnknown(r, resp)
	}
	documented, ok := op.answers[resp.StatusCode]
	if !ok {
		return fmt.Errorf("%s has no such status", op.id)
	}
	c.mu.Lock()
	c.seen[op.id+" "+strconv.Itoa(resp.StatusCode)] = true
	c.mu.Unlock()
	if err := checkHeaders(documented.headers, resp.Header); err != nil {
		return err
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	schema, ok := documented.bodies[media]
	if !ok {
		return fmt.Errorf("%s has no body of type %s", op.id, media)
	}
	return checkBody(schema, resp)
}

// judgeUnknown holds the answer to what is no operation: a problem.
func (c *contract) judgeUnknown(r *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusMethodNotAllowed && resp.Header.Get("Allow") == "" {
		return errors.New("405 without Allow")
	}
	if r.Method == http.MethodHead { // has no body
		if resp.StatusCode < http.StatusBadRequest {
			return errors.New("an operation that is not documented succeeded")
		}
		return nil
	}
	body, err := readBody(resp)
	if err != nil {
		return err
	}
	for _, schema := range c.problems {
		if schema.Validate(body) == nil {
			return sameStatus(body, resp.StatusCode)
		}
	}
	return errors.New("the body is no problem of the document")
}

func sameStatus(body any, status int) error {
	if got := fmt.Sprint(body.(object)["status"]); got != strconv.Itoa(status) {
		return fmt.Errorf("the body's status is %s", got)
	}
	return nil
}

func checkHeaders(want map[string]*regexp.Regexp, h http.Header) error {
	for name, pattern := range want {
		if v := h.Values(name); len(v) != 1 || !pattern.MatchString(v[0]) {
			return fmt.Errorf("header %s is %q", name, v)
		}
	}
	return nil
}

// checkBody holds a JSON body against its schema; other bodies pass.
func checkBody(schema *jsonschema.Schema, resp *http.Response) error {
	media := resp.Header.Get("Content-Type")
	if schema == nil || media != api.MediaJSON && media != api.MediaProblem {
		return nil
	}
	body, err := readBody(resp)
	if err != nil {
		return err
	}
	if err := schema.Validate(body); err != nil {
		return err
	}
	if media == api.MediaProblem {
		return sameStatus(body, resp.StatusCode)
	}
	return nil
}

// readBody reads a JSON body and puts it back.
func readBody(resp *http.Response) (any, error) {
	raw, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(raw))
}

// find returns the operation of a request, nil if the document has none.
func (c *contract) find(r *http.Request) *operation {
	for _, op := range c.operations {
		if op.method == r.Method && op.path.MatchString(r.URL.EscapedPath()) {
			return op
		}
	}
	return nil
}

// unseen lists what no answer showed.
func (c *contract) unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, op := range c.operations {
		for status := range op.answers {
			if key := op.id + " " + strconv.Itoa(status); !c.seen[key] {
				out = append(out, key)
			}
		}
	}
	slices.Sort(out)
	return out
}

// object is a JSON object of the document.
type object = map[string]any

// newContract compiles a document.
func newContract(raw []byte) (*contract, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	doc, ok := parsed.(object)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	closeObjects(doc)
	b := &builder{doc: doc, compiler: jsonschema.NewCompiler()}
	b.compiler.DefaultDraft(jsonschema.Draft2020)
	b.compiler.AssertFormat()
	if err := b.compiler.AddResource("openapi.json", doc); err != nil {
		return nil, err
	}
	c := &contract{problems: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	for path, item := range members(doc, "paths") {
		for method := range item.(object) {
			c.operations = append(c.operations, b.operation(path, method))
		}
	}
	for name := range members(doc, "components", "schemas") {
		if strings.HasPrefix(name, "problem-") {
			c.problems[name] = b.schema("components", "schemas", name)
		}
	}
	// Paths with fewer parameters first: /a/b before /a/{x}.
	slices.SortFunc(c.operations, func(x, y *operation) int {
		return strings.Count(x.path.String(), "(") - strings.Count(y.path.String(), "(")
	})
	return c, b.err
}

// closeObjects makes schemas of answers strict: the document lets clients
// expect more members than it has, tests do not.
func closeObjects(v any) {
	switch v := v.(type) {
	case object:
		if _, ok := v["properties"].(object); ok && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, m := range v {
			closeObjects(m)
		}
	case []any:
		for _, m := range v {
			closeObjects(m)
		}
	}
}

// builder compiles parts of a document; the first error stays.
type builder struct {
	doc      object
	compiler *jsonschema.Compiler
	err      error
}

func (b *builder) operation(path, method string) *operation {
	at := []string{"paths", path, method}
	id, _ := members(b.doc, at...)["operationId"].(string)
	op := &operation{id: id, method: strings.ToUpper(method), path: pathPattern(path), answers: map[int]answer{}}
	for status := range members(b.doc, append(at, "responses")...) {
		code, err := strconv.Atoi(status)
		if err != nil {
			b.err = errors.Join(b.err, fmt.Errorf("%s: status %q", id, status))
		}
		op.answers[code] = b.answer(append(slices.Clone(at), "responses", status))
	}
	return op
}

func (b *builder) answer(at []string) answer {
	a := answer{headers: map[string]*regexp.Regexp{}, bodies: map[string]*jsonschema.Schema{}}
	for name := range members(b.doc, append(slices.Clone(at), "headers")...) {
		pattern, _ := members(b.doc, "components", "headers", name, "schema")["pattern"].(string)
		a.headers[name] = regexp.MustCompile(pattern)
	}
	at = append(slices.Clone(at), "content")
	for media, content := range members(b.doc, at...) {
		a.bodies[media] = nil
		if _, ok := content.(object)["schema"]; ok {
			a.bodies[media] = b.schema(append(slices.Clone(at), media, "schema")...)
		}
	}
	return a
}

// schema compiles the schema at a place of the document.
func (b *builder) schema(at ...string) *jsonschema.Schema {
	var where strings.Builder
	for _, name := range at {
		where.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name)))
	}
	schema, err := b.compiler.Compile("openapi.json#" + where.String())
	b.err = errors.Join(b.err, err)
	return schema
}

// members returns the object at a place of the document, empty if there is
// none.
func members(doc object, at ...string) object {
	for _, name := range at {
		doc, _ = doc[name].(object)
	}
	return maps.Clone(doc)
}

var parameter = regexp.MustCompile(`\\\{([a-z]+)\\\}`)

// pathPattern matches the paths of a template. {path} may hold slashes.
func pathPattern(template string) *regexp.Regexp {
	quoted := parameter.ReplaceAllStringFunc(regexp.QuoteMeta(template), func(p string) string {
		if p == `\{path\}` {
			return `(.+)`
		}
		return `([^/]+)`
	})
	return regexp.MustCompile("^" + quoted + "$")
}
