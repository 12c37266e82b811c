package exchangetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
)

// Process is the program as a process of its own, which a test can measure
// and kill.
type Process struct {
	TB    testing.TB
	Addr  string // of the API
	Admin string // of health and metrics
	Log   *Log

	cmd *exec.Cmd
}

// StartProcess starts a `liaison serve` of a world with a command that runs
// the program, waits until it serves, and names it in the world's profiles.
// The end of the test kills it.
func StartProcess(t testing.TB, w *demo.World, program *exec.Cmd) *Process {
	t.Helper()
	program.Args = append(program.Args, "serve", "--config", filepath.Join(w.Dir, demo.ConfigFile))
	p := &Process{TB: t, Log: &Log{}, cmd: program}
	stderr, err := program.StderrPipe()
	if err == nil {
		err = program.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	lines := bufio.NewScanner(io.TeeReader(stderr, p.Log))
	for p.Addr == "" && lines.Scan() {
		var line struct{ Msg, Address, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			p.Addr, p.Admin = line.Address, line.Admin
		}
	}
	if p.Addr == "" {
		_ = program.Wait()
		t.Fatalf("the server did not start: %s", p.Log)
	}
	go func() { _, _ = io.Copy(p.Log, stderr) }() // so that it never waits for its log to be read
	if err := w.WriteProfiles("https://" + p.Addr); err != nil {
		t.Fatal(err)
	}
	return p
}

// Kill is kill -9.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Files is how many descriptors the process has open.
func (p *Process) Files() int {
	p.TB.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	if err != nil {
		p.TB.Fatal(err)
	}
	return len(open)
}

// Resident is the process's memory now and at its greatest, in bytes.
func (p *Process) Resident() (now, most int64) {
	p.TB.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		p.TB.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			now = kb << 10
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			most = kb << 10
		}
	}
	return now, most
}

// Metrics are the samples of /metrics, by name and labels as they stand there.
func (p *Process) Metrics() map[string]float64 {
	p.TB.Helper()
	req, err := http.NewRequestWithContext(p.TB.Context(), http.MethodGet, "http://"+p.Admin+"/metrics", nil)
	if err != nil {
		p.TB.Fatal(err)
	}
	resp, err := admin().Do(req)
	for tries := 0; err != nil && tries < 5; tries++ { // on a busy machine a request may be late
		resp, err = admin().Do(req)
	}
	if err != nil {
		p.TB.Fatal(err)
	}
	defer resp.Body.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = v
		}
	}
	return all
}

// admin is a client that leaves no connection behind, which would be counted.
var admin = sync.OnceValue(func() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
})
