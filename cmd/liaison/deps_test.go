package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const modulePath = "github.com/liaison-exchange/liaison"

// room is a package of this module and what it may import of the others.
type room struct {
	path string
	may  []string // paths of rooms; everything: all of them
	why  string
}

var everything = []string{"*"}

// rooms is the map of the house. A package that is not in it is a breach.
var rooms = []room{
	{"exchange/api", nil, "words on the wire: a client that imports them must not get the server with them"},
	{"exchange/envelope", nil, "the format stands alone, so that anybody can make and open a package without the exchange"},
	{"exchange/ratelimit", nil, "counts requests of a key; it does not know what a request is"},
	{"exchange/ratelimit/redistest", nil, "a real Redis and its faults; tests only"},
	{"exchange/report", []string{"audit"}, "figures and exports are made of entries alone, so that whoever has the entries makes the same"},
	{"exchange/siem", []string{"audit"}, "tells what entries say to somebody outside; who may be told what is decided here alone"},
	{"audit", nil, "a verifier must be able to check a proof without the code that made the entries"},
	{"certs", nil, "identity is decided from certificates alone, not from what the exchange thinks of them"},
	{"certs/certstest", []string{"certs"}, "throw-away certificates for tests"},
	{"policy", nil, "a verdict depends on its input and revisions only, so that it can be replayed"},

	{"policy/library", nil, "the common rules are text, embedded"},
	{"policy/jurisdictions", nil, "the sample rules are text, embedded"},

	{"exchange/search", []string{"audit"}, "what a query means is decided by the entry alone: reviewers check with it what the exchange found"},

	{"exchange", []string{"exchange/envelope", "exchange/report", "exchange/search", "policy", "audit", "certs"}, "the domain: knows what it decides with, not how it is asked (HTTP) or kept (SQL)"},
	{"exchange/store", []string{"exchange", "exchange/search", "audit"}, "stores what the domain says; it decides nothing, so it needs no policy and no envelope"},
	{"exchange/console", []string{"exchange", "exchange/report", "policy", "audit", "certs"}, "pages over the same service and gate as the API"},
	{"exchange/server", []string{"exchange", "exchange/api", "exchange/envelope", "exchange/report", "exchange/search", "certs", "policy", "audit", "exchange/ratelimit"}, "turns requests into calls of the service; cannot reach past it into the store"},
	{"exchange/client", []string{"exchange/api", "exchange/envelope", "audit", "certs"}, "the sender's side trusts nothing of the server, so it shares no server code"},
	{"exchange/witness", []string{"audit", "certs"}, "both ends of the protocol by which agencies watch a ledger: of an exchange it needs its heads, so that an agency can run it without one"},
	{"exchange/node", []string{"exchange/witness", "exchange/api", "exchange/envelope", "audit", "certs", "policy", "exchange/ratelimit", "exchange", "exchange/report", "exchange/search", "exchange/siem", "exchange/store", "exchange/console", "exchange/server", "policy/library", "policy/jurisdictions"}, "the one place where the parts of a server meet"},
	{"exchange/exchangetest", everything, "a whole exchange inside a test"},
	{"exchange/exchangetest/bounds", everything, "floods on the program as a process; tests only"},
	{"exchange/exchangetest/attack", everything, "attacks on a whole exchange; tests only"},
	{"exchange/exchangetest/torture", nil, "how much a test tries; tests only"},
	{"exchange/exchangetest/authorization", everything, "a second opinion on who may see and do what; tests only"},

	{"cmd/liaison", everything, "commands over all rooms"},
	{"cmd/liaison/authority", []string{"certs"}, "renews certificates for a jurisdiction: an exchange never has the key of its authority"},
	{"cmd/liaison/demo", everything, "a whole exchange with a story"},
	{"cmd/liaison/doctor", everything, "looks at everything and changes nothing"},
	{"cmd/liaison/loadtest", everything, "a whole exchange under load"},
}

// forTests are rooms that the tests of every room may import, of leaves too.
var forTests = []string{"exchange/exchangetest", "exchange/exchangetest/torture", "certs/certstest", "exchange/ratelimit/redistest", "policy/library", "policy/jurisdictions"}

// noRooms are names that say nothing: what would lie in such a room belongs
// into the room that uses it.
var noRooms = []string{"pkg", "util", "utils", "common", "types", "models", "helpers"}

// library is something from outside this module, with the only rooms that may
// import it.
type library struct {
	prefix string   // of import paths, at a slash
	rooms  []string // nil: tests of any room, and the rooms in forTests; everything: any room
	why    string
}

// libraries are all that may be imported from outside the standard library. A
// new one is a line here, with its reason; what has two uses has two lines.
var libraries = []library{
	{"github.com/labstack/echo/v4", []string{"exchange/server"}, "its support ends: the move to the next version is a job for one room"},
	{"github.com/go-jose/go-jose/v4", []string{"exchange/envelope"}, "accepts sloppy forms: nobody may reach it but through our strict parser"},
	{"github.com/tink-crypto/tink-go/v2", []string{"exchange/envelope"}, "encryption of attachments is part of the format"},
	{"github.com/santhosh-tekuri/jsonschema/v6", []string{"exchange/envelope", "policy"}, "schema of meta, and of the inputs of policy"},
	{"github.com/gowebpki/jcs", []string{"exchange/envelope", "policy", "audit"}, "canonical JSON where a digest is computed over values"},
	{"github.com/open-policy-agent/opa", []string{"policy"}, "one compiler per jurisdiction and fail-closed evaluation are enforced in one place"},
	{"github.com/redis/go-redis/v9", []string{"exchange/ratelimit"}, "Redis only slows or unslows requests; nothing else may come to depend on it"},
	{"github.com/go-redis/redis_rate/v10", []string{"exchange/ratelimit"}, "one limiter, with its fallback"},
	{"github.com/throttled/throttled/v2", []string{"exchange/ratelimit"}, "one limiter, with its fallback"},
	{"modernc.org/sqlite", []string{"exchange/store"}, "SQL lies in one room"},
	{"github.com/jackc/pgx/v5", []string{"exchange/store"}, "SQL lies in one room"},
	{"github.com/pressly/goose/v3", []string{"exchange/store"}, "migrations belong to the schema"},
	{"gocloud.dev", []string{"exchange/store"}, "blobs are stored where rows are"},
	{"golang.org/x/mod/sumdb/tlog", []string{"audit", "exchange", "exchange/store", "exchange/client", "exchange/witness", "exchange/node", "cmd/liaison"}, "tree arithmetic: of the ledger, of its journal and store, and of those who check it; node checks what it restores"},
	{"golang.org/x/mod/sumdb/note", []string{"audit"}, "signed notes are made and verified in one place"},
	{"github.com/spiffe/go-spiffe/v2", []string{"certs"}, "who a certificate speaks for is decided in one room"},

	{"github.com/spf13/cobra", []string{"cmd/liaison"}, "the command line"},
	{"github.com/spf13/pflag", []string{"cmd/liaison"}, "flags of the command line"},
	{"golang.org/x/term", []string{"cmd/liaison"}, "is this a terminal?"},
	{"github.com/schollz/progressbar/v3", []string{"cmd/liaison", "cmd/liaison/demo", "cmd/liaison/loadtest"}, "progress is shown by commands"},
	{"github.com/itchyny/gojq", []string{"cmd/liaison"}, "queries over printed JSON"},
	{"github.com/HdrHistogram/hdrhistogram-go", []string{"cmd/liaison/loadtest"}, "latencies under load"},
	{"github.com/aymanbagabas/go-udiff", []string{"cmd/liaison", "policy", "exchange/console"}, "differences between revisions and verdicts"},
	{"github.com/goccy/go-yaml", []string{"cmd/liaison", "exchange/client", "exchange/node", "policy"}, "strict YAML, where people write files"},

	{"github.com/alecthomas/chroma/v2", []string{"exchange/console"}, "colours for shown rules"},
	{"github.com/yuin/goldmark", []string{"exchange/console"}, "pages written in Markdown"},
	{"github.com/yuin/goldmark", []string{"cmd/liaison"}, "the handbook of policy is Markdown; its HTML is made where it is written to a file, without templates"},
	{"codeberg.org/go-pdf/fpdf", []string{"exchange/console", "cmd/liaison"}, "reports that a data-protection officer signs on paper"},
	{"golang.org/x/image/font/gofont", []string{"exchange/console"}, "letters of a PDF, Latin, Greek and Cyrillic; BSD licence, as Go's"},
	{"github.com/tmaxmax/go-sse", []string{"exchange/client"}, "the client's end of the event stream"},
	{"github.com/cenkalti/backoff/v5", []string{"exchange/client", "exchange/node", "exchange/store", "cmd/liaison/authority"}, "patience with what lies beyond the process"},
	{"github.com/prometheus/client_golang", []string{"exchange", "exchange/store", "exchange/server", "exchange/console", "exchange/ratelimit", "exchange/siem", "exchange/node", "policy"}, "each room of the server has its metrics; tools have none"},
	{"go.opentelemetry.io/otel", []string{"exchange/server", "exchange/client", "exchange/node"}, "traces begin and end at the edge"},
	{"software.sslmate.com/src/go-pkcs12", []string{"cmd/liaison"}, "certificates for browsers, which want a format that the standard library does not have"},
	{"github.com/google/uuid", everything, "ids"},
	{"golang.org/x/sync", everything, "groups of goroutines that end together"},
	{"golang.org/x/text", []string{"exchange/client"}, "one spelling of a person's name (NFKC, case folded), so that its reference is the same everywhere"},
	{"golang.org/x/sys", []string{"exchange/store", "exchange/node"}, "locks and durability of files"},

	{"github.com/santhosh-tekuri/jsonschema/v6", nil, "is what the server answers what its OpenAPI file says?"},
	{"github.com/rogpeppe/go-internal", nil, "scripts of what a user sees"},
	{"github.com/google/go-cmp", nil, "differences in tests"},
	{"pgregory.net/rapid", nil, "properties"},
	{"go.uber.org/goleak", nil, "goroutines that nobody waits for"},
	{"github.com/getkin/kin-openapi", nil, "is the OpenAPI file valid, and is it true?"},
	{"github.com/lestrrat-go/jwx/v3", nil, "a second JOSE: the format must not be what our own library accepts"},
	{"github.com/transparency-dev/formats", nil, "a second parser of receipts"},
	{"github.com/chromedp/chromedp", nil, "the console in a browser"},
	{"github.com/johannesboyne/gofakes3", nil, "an S3 inside a test"},
}

// standard restricts packages of the standard library in code that is not a
// test. What is not named here is free.
var standard = []library{
	{"database/sql", []string{"exchange/store"}, "SQL lies in one room"},
	{"html/template", []string{"exchange/console"}, "HTML lies in one room, behind its content security policy"},
	{"net/http", []string{"exchange/api", "exchange/server", "exchange/console", "exchange/client", "exchange/witness", "exchange/node", "exchange/exchangetest", "cmd/liaison", "cmd/liaison/authority", "cmd/liaison/demo", "cmd/liaison/doctor", "cmd/liaison/loadtest"}, "the domain, the audit log, the policy and the format can be used, and proven, without a web server"},
	{"log", []string{}, "log/slog with attributes, so that what is logged can be read by a machine"},
	{"unsafe", []string{}, "nothing here is worth it"},
	{"C", []string{}, "the binary is built without cgo"},
}

// topLevel is what may lie beside go.mod, besides names that begin with a dot.
var topLevel = []string{"cmd", "exchange", "policy", "audit", "certs", "docs", "deploy",
	"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md"}

// imported is one package as its files import it.
type imported struct {
	path  string // within the module
	code  []string
	tests []string
}

func TestImportLaw(t *testing.T) {
	root := os.DirFS("../..")
	house, err := readHouse(root)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(house, func(p imported) bool { return p.path == "cmd/liaison" }) {
		t.Fatal("the house was not read: cmd/liaison is missing")
	}
	for _, b := range breaches(house) {
		t.Error(b)
	}
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile("../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !mayLieOnTop(e.Name(), string(ignore)) {
			t.Errorf("%s lies at the top level; only these may: %s", e.Name(), strings.Join(topLevel, " "))
		}
	}
}

// mayLieOnTop allows what is on the list, dot names, and what git ignores: it
// was built here and is not part of the source.
func mayLieOnTop(name, ignore string) bool {
	if strings.HasPrefix(name, ".") || slices.Contains(topLevel, name) {
		return true
	}
	return slices.ContainsFunc(strings.Fields(ignore), func(pattern string) bool {
		ignored, err := path.Match(strings.Trim(pattern, "/"), name)
		return ignored && err == nil
	})
}

func TestMayLieOnTop(t *testing.T) {
	const ignore = "/bin/\n*.test\n"
	for name, want := range map[string]bool{
		"exchange": true, "go.mod": true, ".ci": true, "bin": true, "policy.test": true,
		"pkg": false, "binary": false, "notes.md": false, "test": false,
	} {
		if got := mayLieOnTop(name, ignore); got != want {
			t.Errorf("%s may lie on top: %v, want %v", name, got, want)
		}
	}
}

// readHouse reads the imports of every package under root, whatever the build
// constraints of its files. It reads the files itself instead of asking the go
// command, so that a cached test result is dropped when one of them changes.
func readHouse(root fs.FS) ([]imported, error) {
	byPath := map[string]*imported{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && !belongs(root, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		return readFile(root, name, byPath)
	})
	var house []imported
	for _, p := range byPath {
		house = append(house, *p)
	}
	slices.SortFunc(house, func(a, b imported) int { return strings.Compare(a.path, b.path) })
	return house, err
}

// belongs tells whether the go command would look for packages of this module
// in dir.
func belongs(root fs.FS, dir string) bool {
	if dir == "." {
		return true
	}
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return false
	}
	_, err := fs.Stat(root, dir+"/go.mod")
	return err != nil
}

func readFile(root fs.FS, name string, byPath map[string]*imported) error {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if byPath[dir] == nil {
		byPath[dir] = &imported{path: dir}
	}
	list := &byPath[dir].code
	if strings.HasSuffix(name, "_test.go") {
		list = &byPath[dir].tests
	}
	for _, spec := range file.Imports {
		what, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !slices.Contains(*list, what) {
			*list = append(*list, what)
		}
	}
	return nil
}

// breaches returns what in the house is against the law, one sentence each.
func breaches(house []imported) []string {
	var found []string
	for _, p := range house {
		for _, part := range strings.Split(p.path, "/") {
			if slices.Contains(noRooms, part) {
				found = append(found, fmt.Sprintf("%s: no room may be called %s: it says nothing", p.path, part))
			}
		}
		at := slices.IndexFunc(rooms, func(r room) bool { return r.path == p.path })
		if at < 0 {
			found = append(found, fmt.Sprintf("%s is not on the map of rooms", p.path))
			continue
		}
		found = append(found, rooms[at].breaches(p)...)
	}
	return found
}

func (r room) breaches(p imported) []string {
	var found []string
	for _, what := range p.code {
		if why := r.forbids(what, false); why != "" {
			found = append(found, fmt.Sprintf("%s imports %s: %s", r.path, what, why))
		}
	}
	for _, what := range p.tests {
		if why := r.forbids(what, true); why != "" {
			found = append(found, fmt.Sprintf("a test of %s imports %s: %s", r.path, what, why))
		}
	}
	return found
}

// forbids returns why the room may not import what, or "".
func (r room) forbids(what string, test bool) string {
	first, _, _ := strings.Cut(what, "/")
	switch {
	case within(what, modulePath):
		return r.forbidsRoom(strings.TrimPrefix(what, modulePath+"/"), test)
	case strings.Contains(first, "."):
		return r.forbidsLibrary(what, test)
	case test:
		return ""
	}
	for _, l := range standard {
		if what == l.prefix && !listed(l.rooms, r.path) {
			return l.why
		}
	}
	return ""
}

// forbidsRoom: tests use real parts instead of mocks, so those of a room over
// others may import any; a leaf is tested alone, or it is none.
func (r room) forbidsRoom(other string, test bool) string {
	leaf := len(r.may) == 0
	if listed(r.may, other) || test && (!leaf || other == r.path || listed(forTests, other)) {
		return ""
	}
	return r.why
}

func (r room) forbidsLibrary(what string, test bool) string {
	why := "this library is not on the list"
	for _, l := range libraries {
		if !within(what, l.prefix) {
			continue
		}
		if l.rooms == nil && (test || listed(forTests, r.path)) || listed(l.rooms, r.path) {
			return ""
		}
		why = l.why
	}
	return why
}

func within(what, prefix string) bool {
	return what == prefix || strings.HasPrefix(what, prefix+"/")
}

func listed(list []string, name string) bool {
	return slices.Contains(list, name) || slices.Equal(list, everything)
}

// TestBreachesAreFound plants breaches, to see that the law has teeth.
func TestBreachesAreFound(t *testing.T) {
	ours := func(room string) string { return modulePath + "/" + room }
	for _, c := range []struct {
		name  string
		house imported
		want  string // part of the only breach; "" if there is none
	}{
		{"an allowed room", imported{path: "exchange", code: []string{ours("audit"), "context"}}, ""},
		{"a forbidden room", imported{path: "exchange", code: []string{ours("exchange/store")}}, "exchange imports " + ours("exchange/store") + ": the domain"},
		{"a leaf that knows the house", imported{path: "audit", code: []string{ours("exchange")}}, "without the code that made the entries"},
		{"a room whose name begins like an allowed one", imported{path: "exchange/store", code: []string{ours("exchange/server")}}, "decides nothing"},
		{"node without client", imported{path: "exchange/node", code: []string{ours("exchange/client")}}, "where the parts of a server meet"},
		{"the test's own room", imported{path: "audit", tests: []string{ours("audit")}}, ""},
		{"a test with a whole exchange", imported{path: "exchange/server", tests: []string{ours("exchange/exchangetest")}}, ""},
		{"code with a whole exchange", imported{path: "exchange/server", code: []string{ours("exchange/exchangetest")}}, "past it into the store"},
		{"a test with real parts", imported{path: "exchange", tests: []string{ours("exchange/store"), ours("exchange/node")}}, ""},
		{"a test of a leaf with the house", imported{path: "audit", tests: []string{ours("exchange")}}, "a test of audit"},
		{"everything", imported{path: "cmd/liaison/demo", code: []string{ours("exchange/client"), ours("exchange/node")}}, ""},
		{"a library in its room", imported{path: "exchange/server", code: []string{"github.com/labstack/echo/v4/middleware"}}, ""},
		{"a library elsewhere", imported{path: "exchange/console", code: []string{"github.com/labstack/echo/v4"}}, "its support ends"},
		{"a library elsewhere, in a test", imported{path: "audit", tests: []string{"github.com/go-jose/go-jose/v4"}}, "sloppy"},
		{"a library whose name begins like a listed one", imported{path: "exchange/server", code: []string{"github.com/labstack/echo/v4x"}}, "not on the list"},
		{"an unknown library", imported{path: "cmd/liaison", code: []string{"example.org/left-pad"}}, "not on the list"},
		{"a library for tests, in a test", imported{path: "policy", tests: []string{"pgregory.net/rapid"}}, ""},
		{"a library for tests, in code", imported{path: "policy", code: []string{"pgregory.net/rapid"}}, "properties"},
		{"a library for tests, in a room for tests", imported{path: "certs/certstest", code: []string{"github.com/google/go-cmp/cmp"}}, ""},
		{"a library with a second use, in a test", imported{path: "exchange/server", tests: []string{"github.com/santhosh-tekuri/jsonschema/v6"}}, ""},
		{"a library with a second use, in code", imported{path: "exchange/server", code: []string{"github.com/santhosh-tekuri/jsonschema/v6"}}, "OpenAPI"},
		{"SQL outside the store", imported{path: "exchange", code: []string{"database/sql"}}, "SQL lies in one room"},
		{"HTTP in the domain", imported{path: "exchange", code: []string{"net/http"}}, "without a web server"},
		{"HTTP in a test of the domain", imported{path: "exchange", tests: []string{"net/http"}}, ""},
		{"cgo", imported{path: "exchange/store", code: []string{"C"}}, "without cgo"},
		{"a room that is not on the map", imported{path: "exchange/magic"}, "not on the map"},
		{"the module's root", imported{path: "."}, "not on the map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := breaches([]imported{c.house})
			if c.want == "" && len(found) > 0 {
				t.Errorf("a breach where none is: %q", found)
			}
			if c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)) {
				t.Errorf("breaches %q, want one that says %q", found, c.want)
			}
		})
	}
	for _, name := range noRooms {
		if found := breaches([]imported{{path: "exchange/" + name}}); len(found) != 2 {
			t.Errorf("a room called %s: breaches %q, want its name and its absence from the map", name, found)
		}
	}
}

// TestHouseIsRead reads a small house from files: a breach must not hide
// behind a build constraint or in a second file.
func TestHouseIsRead(t *testing.T) {
	const source = "package x\n\nimport (\n\t\"fmt\"\n\tother \"net/http\"\n)\n"
	house, err := readHouse(tree(map[string]string{
		"audit/a.go":           "package audit\n\nimport \"fmt\"\n",
		"audit/b.go":           "//go:build plan9\n\npackage audit\n\nimport _ \"net/http\"\n",
		"audit/a_test.go":      "package audit_test\n\nimport \"testing\"\n",
		"audit/testdata/c.go":  source,
		"audit/.hidden/c.go":   source,
		".tools/c.go":          source,
		"deploy/other/go.mod":  "module other\n",
		"deploy/other/main.go": source,
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []imported{{path: "audit", code: []string{"fmt", "net/http"}, tests: []string{"testing"}}}
	if diff := cmp.Diff(want, house, cmp.AllowUnexported(imported{})); diff != "" {
		t.Errorf("house (-want +got):\n%s", diff)
	}
}

func tree(files map[string]string) fs.FS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

// TestMapIsSound looks for mistakes in the tables themselves: a room named
// twice or not at all would make a law that never applies.
func TestMapIsSound(t *testing.T) {
	known := map[string]bool{}
	for _, r := range rooms {
		if known[r.path] || r.why == "" {
			t.Errorf("room %s stands twice, or without a reason", r.path)
		}
		known[r.path] = true
	}
	check := func(who string, list []string) {
		for _, name := range list {
			if name != "*" && !known[name] {
				t.Errorf("%s names a room that is not on the map: %s", who, name)
			}
		}
	}
	for _, r := range rooms {
		check(r.path, r.may)
	}
	check("forTests", forTests)
	for _, l := range slices.Concat(libraries, standard) {
		check(l.prefix, l.rooms)
		if l.why == "" {
			t.Errorf("%s stands without a reason", l.prefix)
		}
	}
}
