package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liaison-exchange/liaison/exchange/api"
)

// world is an environment within the test: what it prints, and what of it is a
// terminal.
type world struct {
	environment
	stdout, stderr bytes.Buffer
	vars           map[string]string
	terminal       bool
}

func newWorld() *world {
	w := &world{vars: map[string]string{}}
	w.environment = environment{
		Stdin:      strings.NewReader(""),
		Stdout:     &w.stdout,
		Stderr:     &w.stderr,
		Getenv:     func(name string) string { return w.vars[name] },
		Now:        func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) },
		IsTerminal: func(any) bool { return w.terminal },
	}
	return w
}

func TestTable(t *testing.T) {
	show := func(w *world) string {
		table := w.output().table("ID", "FROM")
		table.row(map[string]string{"id": "1"}, "1", "ee/pbgb")
		table.row(map[string]string{"id": "<2>"}, "long\tid", "lv/vp")
		if err := table.flush(); err != nil {
			t.Fatal(err)
		}
		return w.stdout.String()
	}
	for name, c := range map[string]struct {
		terminal, json bool
		want           string
	}{
		"pipe":               {want: "1\tee/pbgb\nlong id\tlv/vp\n"},
		"terminal":           {terminal: true, want: "ID       FROM\n1        ee/pbgb\nlong id  lv/vp\n"},
		"json":               {json: true, want: "{\"id\":\"1\"}\n{\"id\":\"<2>\"}\n"},
		"json on a terminal": {json: true, terminal: true, want: "{\"id\":\"1\"}\n{\"id\":\"<2>\"}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.terminal, w.json = c.terminal, c.json
			if diff := cmp.Diff(c.want, show(w)); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEmptyTable: on a terminal nothing found is said, and what failed is not
// taken for nothing found.
func TestEmptyTable(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		for _, json := range []bool{false, true} {
			w := newWorld()
			w.terminal, w.json = terminal, json
			if err := w.output().table("ID").fail(errBroken); !errors.Is(err, errBroken) || w.stdout.Len() > 0 {
				t.Errorf("terminal %v, json %v, failed: %q, %v", terminal, json, w.stdout.String(), err)
			}
			want := ""
			if terminal && !json {
				want = "none\n"
			}
			if err := w.output().table("ID").flush(); err != nil || w.stdout.String() != want {
				t.Errorf("terminal %v, json %v: %q, %v", terminal, json, w.stdout.String(), err)
			}
		}
	}
}

type brokenPipe struct{}

var errBroken = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

// TestOutputFails: what was not printed must not look printed, or a script
// takes half a list for the whole.
func TestOutputFails(t *testing.T) {
	for _, json := range []bool{false, true} {
		for _, terminal := range []bool{false, true} {
			w := newWorld()
			w.Stdout, w.json, w.terminal = brokenPipe{}, json, terminal
			if err := w.output().value(1, "1"); !errors.Is(err, errBroken) {
				t.Errorf("value, json %v: error %v", json, err)
			}
			table := w.output().table("N", "NAME") // one column would not wait for flush
			table.row(1, "1", "one")
			if err := table.flush(); !errors.Is(err, errBroken) {
				t.Errorf("table, json %v, terminal %v: error %v", json, terminal, err)
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Jõgeva, 23 °C":        "Jõgeva, 23 °C",
		"two\r\nlines\tand":    "two  lines and",
		"\x1b]0;title\x07\x9b": "\ufffd]0;title\ufffd\ufffd",
		"evil\u202Egpj.exe":    "evil\ufffdgpj.exe",
		"not\xffUTF-8":         "not\ufffdUTF-8",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestColor(t *testing.T) {
	for _, c := range []struct {
		terminal      bool
		noColor, term string
		want          bool
	}{
		{true, "", "xterm", true},
		{true, "1", "xterm", false},
		{true, "", "dumb", false},
		{false, "", "xterm", false},
	} {
		w := newWorld()
		w.terminal = c.terminal
		w.vars["NO_COLOR"], w.vars["TERM"] = c.noColor, c.term
		report(&w.environment, withFix(errors.New("no"), "yes"))
		if got := strings.Contains(w.stderr.String(), "\x1b["); got != c.want {
			t.Errorf("%+v: coloured %v", c, got)
		}
	}
}

// denied is a refusal as the server sends it, with text of another party that
// tries to steer the terminal.
func denied() error {
	p := api.PolicyDenied.New("1 of 2 recipients is denied", "seal again without by/mia")
	p.RequestID = "r-1"
	p.Outcomes = []api.Outcome{{
		Recipient: "by/mia", Outcome: "denied", Decision: "d-1", Note: "sample policies",
		Reasons: []api.Reason{{Code: "recipient_suspended", Text: "suspended\x1b[2J", Rule: "R28", Source: "LED art 35-38", Fix: "ask the operator"}},
	}}
	return p
}

func TestReport(t *testing.T) {
	w := newWorld()
	report(&w.environment, denied())
	want := `liaison: Policy denies this exchange: 1 of 2 recipients is denied
  by/mia: denied (decision d-1)
    recipient_suspended: suspended` + "\ufffd" + `[2J
      by R28, LED art 35-38
      fix: ask the operator
    sample policies
request r-1
fix: seal again without by/mia
`
	if diff := cmp.Diff(want, w.stderr.String()); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}

	w = newWorld()
	w.json = true
	report(&w.environment, withFix(api.RateLimited.New("urgent budget", "wait"), "wait a minute"))
	want = `{"error":"Too many requests: urgent budget","fix":"wait a minute","exit":6,` +
		`"problem":{"type":"/problems/rate-limited","title":"Too many requests","status":429,"detail":"urgent budget","fix":"wait"}}` + "\n"
	if diff := cmp.Diff(want, w.stderr.String()); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// TestFixOf: advice nearest to the user wins, and an empty one hides nothing.
func TestFixOf(t *testing.T) {
	problem := api.Conflict.New("taken", "use a new id")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"the server's":            {problem, "use a new id"},
		"the command's":           {withFix(problem, "run show"), "run show"},
		"an empty one of command": {withFix(problem, ""), "use a new id"},
		"of two, the outer":       {withFix(withFix(problem, "inner"), "outer"), "outer"},
		"of two, the one with":    {withFix(withFix(problem, "inner"), ""), "inner"},
		"none":                    {errBroken, ""},
	} {
		if got := fixOf(c.err); got != c.want {
			t.Errorf("%s: fix %q, want %q", name, got, c.want)
		}
	}
}
