package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// raceAtExit is how long a process under the race detector waits at its end
// for what goroutines still do: by default a second, and the stories run
// hundreds of processes.
const raceAtExit = "atexit_sleep_ms=20"

// TestMain makes this test binary the `liaison` of the scripts, so that they
// run what a user runs, and under the race detector too.
func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		os.Exit(runSystem())
	}
	if os.Getenv("GORACE") == "" {
		_ = os.Setenv("GORACE", raceAtExit)
	}
	testscript.Main(m, map[string]func(){
		"liaison": func() { os.Exit(runSystem()) },
	})
}

// TestScript runs what a user sees: testdata/script/*.txtar.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"until":   until,
			"demo":    startDemo,
			"setenv":  setFrom,
			"serving": startServing,
		},
	})
}

// exits is the script command `exits CODE PROGRAM [ARG]…`: the program must
// end with exactly that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%s did not run: %v", args[1], err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until is the script command `until PATTERN PROGRAM [ARG]…`: the program runs
// again and again, until what it prints has the pattern.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM [ARG]...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for range 500 {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("never printed %s", args[0])
}

// startDemo is the script command `demo DIR`: the demo runs in the
// background, with everything in DIR, until the script ends. It returns when
// DIR/demo.json says that one may begin.
func startDemo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: demo DIR")
	}
	stop, err := runDemo(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(stop()) })
}

// runDemo runs the demo with everything in dir, until stop. It returns when
// dir/demo.json says that one may begin.
func runDemo(dir string) (stop func() error, err error) {
	cmd := exec.Command("liaison", "demo", "--json", "--dir", dir)
	cmd.Path, cmd.Env = os.Args[0], append(os.Environ(), asProcess+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		return nil
	}
	lines := bufio.NewScanner(out)
	var told []string
	for lines.Scan() {
		told = append(told, lines.Text())
		if strings.HasPrefix(lines.Text(), `{"dir":`) && strings.Contains(lines.Text(), `"done":true`) {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			_, err := os.Stat(filepath.Join(dir, "demo.json"))
			return stop, err
		}
	}
	return nil, errors.Join(stop(), fmt.Errorf("the demo did not get to its end:\n%s", strings.Join(told, "\n")))
}

// startServing is the script command `serving FILE COMMAND...`: liaison runs
// in the background until the script ends. Its first line, which says that it
// serves, goes to the file.
func startServing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serving FILE COMMAND...")
	}
	cmd := exec.Command("liaison", args[1:]...)
	cmd.Path, cmd.Env, cmd.Dir = os.Args[0], append(os.Environ(), asProcess+"=1"), ts.Getenv("WORK")
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("%s: %v\n%s", args[1:], err, log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		ts.Fatalf("%s says nothing: %v", args[1:], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(line), 0o600))
}

// setFrom is the script command `setenv NAME FILE MEMBER`, where MEMBER may be
// a path of members and positions (outcomes.0.decision): the variable gets
// a member of the first JSON value in a file.
func setFrom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv NAME FILE MEMBER")
	}
	var value any
	ts.Check(json.NewDecoder(strings.NewReader(ts.ReadFile(args[1]))).Decode(&value))
	for _, name := range strings.Split(args[2], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if ts.Check(err); i >= len(v) {
				ts.Fatalf("%s has no %q", args[1], args[2])
			}
			value = v[i]
		}
	}
	text, ok := value.(string)
	if n, is := value.(float64); is { // a whole number
		text, ok = strconv.FormatInt(int64(n), 10), true
	}
	if !ok {
		ts.Fatalf("%s has no text %q", args[1], args[2])
	}
	ts.Setenv(args[0], text)
}
