// Torture runs all tests in their long forms and every fuzz target for a while,
// and ends with one table: what was tried, how often, and what failed.
//
//	go -C .tools run ./torture -fuzztime 60s ./audit/... ./certs
//
// A test says what it tried with t.Attr(family, number): kills, cases, steps.
// Of passing tests nothing is printed, of failing ones everything.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	fuzztime := flag.String("fuzztime", "60s", "how long each fuzz target runs")
	tests := flag.Bool("tests", true, "run the tests, not only the fuzz targets")
	race := flag.Bool("race", false, "run the tests under the race detector, which takes several times as long")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	t := &table{}
	if *tests {
		t.test(packages, *race)
	}
	t.fuzz(packages, *fuzztime)
	t.print()
	if t.failed() {
		os.Exit(1)
	}
}

// table is what was tried, by family, in the order in which it came up.
type table struct{ rows []*row }

type row struct {
	family          string
	count, failures int
}

func (t *table) row(family string) *row {
	for _, r := range t.rows {
		if r.family == family {
			return r
		}
	}
	t.rows = append(t.rows, &row{family: family})
	return t.rows[len(t.rows)-1]
}

func (t *table) failed() bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool { return r.failures > 0 })
}

func (t *table) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nfamily\tcount\tfailures\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t\n", r.family, r.count, r.failures)
	}
	w.Flush()
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output, Key, Value string
	Elapsed                                   float64
}

// running is what a test has said so far.
type running struct {
	output bytes.Buffer
	attrs  map[string]int
}

// test runs the long forms in one of the two build configurations of the
// Makefile.
func (t *table) test(packages []string, race bool) {
	args := []string{"test", "-json", "-vet=off", "-count=1", "-timeout=4h"}
	env := append(os.Environ(), "LIAISON_TORTURE=1")
	if race {
		args = append(args, "-race")
		env = append(env, "CGO_ENABLED=1", "GOFLAGS="+strings.TrimSuffix(os.Getenv("GOFLAGS"), "-trimpath"))
	}
	cmd := command(append(args, packages...)...)
	cmd.Env = env
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		t.events(pipe)
		err = cmd.Wait()
	}
	if tests := t.row("tests"); err != nil && tests.failures == 0 {
		fmt.Println("go test:", err) // what no test says: a build that failed
		tests.failures++
	}
}

// events reads what go test reports until it ends.
func (t *table) events(r io.Reader) {
	tests, skips := t.row("tests"), t.row("tests skipped")
	known, broken := map[string]*running{}, map[string]bool{} // tests, and packages in which one failed
	for d := json.NewDecoder(r); ; {
		var e event
		if err := d.Decode(&e); err != nil {
			if err != io.EOF {
				fmt.Println("go test -json:", err)
				tests.failures++
			}
			return
		}
		name := e.Package + " " + e.Test
		if known[name] == nil {
			known[name] = &running{attrs: map[string]int{}}
		}
		now := known[name]
		switch e.Action {
		case "build-output":
			fmt.Print(e.Output)
		case "output":
			now.output.WriteString(e.Output)
		case "attr":
			n, err := strconv.Atoi(e.Value)
			if err != nil {
				fmt.Printf("%s: the attribute %s is %q, not a number\n", name, e.Key, e.Value)
				tests.failures++
			}
			now.attrs[e.Key] += n
		case "pass", "fail", "skip":
			if e.Test != "" {
				tests.count++
				broken[e.Package] = broken[e.Package] || e.Action == "fail"
			}
			if e.Test != "" && e.Action == "skip" {
				skips.count++
			}
			if e.Test != "" || e.Action == "pass" || !broken[e.Package] {
				t.ended(e, now)
			}
			delete(known, name)
		}
	}
}

// ended counts a test, or a package when it has no name.
func (t *table) ended(e event, r *running) {
	failed := e.Action == "fail"
	for family, n := range r.attrs {
		t.row(family).count += n
		if failed {
			t.row(family).failures++
		}
	}
	switch {
	case failed:
		fmt.Printf("FAIL %s %s\n%s", e.Package, e.Test, r.output.String())
		t.row("tests").failures++
	case e.Test == "" && e.Action == "pass":
		fmt.Printf("ok   %s %.0fs\n", e.Package, e.Elapsed)
	}
}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

// fuzz runs every target of the packages, one after the other.
func (t *table) fuzz(packages []string, fuzztime string) {
	list := command(append([]string{"list", "-f", "{{.Dir}}"}, packages...)...)
	dirs, err := list.Output()
	if err != nil {
		fmt.Println("go list:", err)
		t.row("fuzz targets").failures++
	}
	for dir := range strings.FieldsSeq(string(dirs)) {
		files, _ := filepath.Glob(filepath.Join(dir, "*_test.go")) // the pattern is good
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				fmt.Println(err)
				t.row("fuzz targets").failures++
			}
			for _, m := range fuzzTarget.FindAllSubmatch(text, -1) {
				t.target(dir, string(m[1]), fuzztime)
			}
		}
	}
}

// onlyLate is how go test reports, instead of PASS, that the last input still
// ran when the time was up, as happens on a busy machine (golang.org/issue/75804).
var onlyLate = regexp.MustCompile(`(?m)^--- FAIL: Fuzz\w+ \([0-9.]+s\)\n    context deadline exceeded\nFAIL\n`)

var executions = regexp.MustCompile(`fuzz: elapsed: .*execs: (\d+)`)

// target fuzzes one target. Minimising what is only interesting takes longer
// than it is worth, so it is all but off.
func (t *table) target(dir, name, fuzztime string) {
	cmd := command("test", "-vet=off", "-run=^$", "-fuzz=^"+name+"$", "-fuzztime="+fuzztime, "-fuzzminimizetime=1x", ".")
	cmd.Dir = dir
	out, err := cmd.Output()
	targets, sum, r := t.row("fuzz targets"), t.row("executions"), t.row(filepath.Base(dir)+" "+name)
	targets.count++
	if all := executions.FindAllSubmatch(out, -1); len(all) > 0 {
		r.count, _ = strconv.Atoi(string(all[len(all)-1][1])) // digits
		sum.count += r.count
	}
	if err != nil && !onlyLate.Match(out) {
		fmt.Printf("FAIL %s %s: %v\n%s", dir, name, err, out)
		targets.failures++
		r.failures++
		return
	}
	fmt.Printf("ok   %s %s: %d executions\n", filepath.Base(dir), name, r.count)
}

// command runs go at the root of the repository.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	return cmd
}
