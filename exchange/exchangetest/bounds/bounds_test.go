// Package bounds holds what clients can make the program hold: the real
// program, as a process of its own, measured from outside while clients do
// their worst. Tests only.
package bounds

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/server"
)

// The rows of attacks on resources, and where each is tried:
//
//	E1  slow headers, bodies and readers: TestConnections, TestWindows, TestLoadUnderAttack
//	E2  bodies over a limit, lying, endless, never sent: TestBodies; "body never, after Expect" in TestConnections
//	E3  packed requests: TestBodies
//	E4  too many recipients and attachments: TestBodies; exchange/exchangetest/attack, J29
//	E5  a full disk: exchange, TestInvariant4FullDisk; exchange/store, TestFull; exchange/node, TestScarceDisk, TestSpentDisk
//	E6  the write-ahead log grows: exchange/store, TestLongViewEnds, TestShortViewsGoOn
//	E7  few descriptors: TestFewDescriptors
//	E8  what is not given back: the end of each test here
//	E9  HTTP/2: TestHTTP2, TestWindows
//	E10 queries, cookies and headers without end: TestBodies; exchange/server, TestCheckQuery
//	E11 the worst search: exchange/search
//	E12 a huge export: exchange/server
//	E13 signatures that do not hold: exchange/server, TestBadSignaturesArePenalised
//	E14 killed while writing: exchange, TestJournalKilledAtEachStep; cmd/liaison, TestKillUnderLoad
//	E15 a disk that stalls: exchange, TestJournalQueue
//	E16 idle streams of events: there are none yet

// patience is how long a test waits for what must come; it measures nothing.
// A program that has nothing to do collects its heap every two minutes, and
// what is pooled goes at the second time.
const patience = 6 * time.Minute

const mib = 1 << 20

// many is how many of each there are. The long form has the limits that a
// server has by default; the ordinary one reaches smaller ones with fewer.
func many() int { return torture.Size(300, 10_000) }

func limits() node.Limits {
	if torture.On() {
		return node.Limits{}
	}
	return node.Limits{
		Connections: server.Share{All: 240, Each: 60}, Handshakes: server.Share{All: 120, Each: 30}, Uploads: server.Share{All: 64, Each: 32},
		Handshake: node.Duration(2 * time.Second), Idle: node.Duration(2 * time.Second), Grace: node.Duration(2 * time.Second),
	}
}

// most are the caps of the form that runs.
func most() server.Limits {
	l := limits()
	return server.Limits{Connections: l.Connections, Handshakes: l.Handshakes, Uploads: l.Uploads}.WithDefaults()
}

// program builds the program once, as it ships.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "liaison-bounds-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "liaison")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/liaison-exchange/liaison/cmd/liaison")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait more than they compute
		panic(err)
	}
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// siege is a running program, and those who work with it and against it.
type siege struct {
	*testing.T
	*exchangetest.Process
	world *demo.World
	tls   *tls.Config // of a unit that is up to no good
	start measure
}

// measure is what the program holds at a moment.
type measure struct {
	goroutines, files int
	resident, heap    int64
}

// besiege starts the program on a world of its own, once for all attacks of a
// test, and holds it to account at the end.
func besiege(t *testing.T, edit func(*node.Config), run func(command *exec.Cmd)) *siege {
	t.Helper()
	t.Parallel() // they wait for time limits most of the time
	w, err := demo.Build(demo.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := w.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Limits, cfg.AttachmentLimit = limits(), 2*mib
	if edit != nil {
		edit(&cfg)
	}
	if err := node.WriteConfig(filepath.Join(w.Dir, demo.ConfigFile), cfg); err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), "GOGC=100") // so that the heap says soon what is in use
	if run != nil {
		run(cmd)
	}
	starting.Lock()
	defer starting.Unlock()
	s := &siege{T: t, world: w, Process: exchangetest.StartProcess(t, w, cmd)}
	s.tls = s.identity("by/mia", certs.RoleUnit)
	s.work()
	return s
}

// starting is held by the one program that starts: policies are compiled and
// tested then, within time limits.
var starting sync.Mutex

// fewFiles lets the program open 64 files.
func fewFiles(cmd *exec.Cmd) {
	path := cmd.Path
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", `ulimit -n 64; exec "$0" "$@"`, path}
}

// identity is the TLS configuration of a profile.
func (s *siege) identity(agency, role string) *tls.Config {
	s.Helper()
	p, err := client.LoadProfile(s.world.Profile(agency, role))
	if err == nil {
		var cfg client.Config
		if cfg, err = p.Config(); err == nil {
			return cfg.TLS
		}
	}
	s.Fatal(err)
	return nil
}

// in is the same siege in another test, measured from now on.
func (s *siege) in(t *testing.T) *siege {
	t.Helper()
	inside, process := *s, *s.Process
	process.TB = t
	inside.T, inside.Process = t, &process
	inside.start = inside.measure()
	// The greatest residence counts from now on.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	return &inside
}

func (s *siege) measure() measure {
	s.Helper()
	m := s.Metrics()
	now, _ := s.Resident()
	return measure{goroutines: int(m["go_goroutines"]), files: s.Files(), resident: now, heap: int64(m["go_memstats_heap_alloc_bytes"])}
}

// liaison runs a command of the program and returns what it printed.
func (s *siege) liaison(args ...string) ([]byte, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(s.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("liaison %s: %w: %s", strings.Join(args, " "), err, problem.Bytes())
	}
	return out.Bytes(), nil
}

// work is what a legitimate unit does: send, list, acknowledge, read. Each
// command opens connections of its own.
func (s *siege) work() {
	s.Helper()
	const reason = "Work that goes on whatever others do"
	ee, lv := s.world.Profile("ee/pbgb", certs.RoleUnit), s.world.Profile("lv/vp", certs.RoleUnit)
	out, err := s.liaison("send", "--json", "--profile", ee, "--to", "lv/vp", "--meta", filepath.Join(s.world.Dir, "meta", "ee-lv.json"), "--reason", reason, "Hello Riga")
	if err != nil {
		s.Fatal(err)
	}
	var sent struct{ ID string }
	if err := json.Unmarshal(out, &sent); err != nil || sent.ID == "" {
		s.Fatalf("%s: %v", out, err)
	}
	inbox, err := s.liaison("inbox", "--json", "--profile", lv)
	if err != nil || !bytes.Contains(inbox, []byte(sent.ID)) {
		s.Fatalf("%s is not in the inbox: %v", sent.ID, err)
	}
	if opened, err := s.liaison("open", sent.ID, "--json", "--yes", "--profile", lv, "--reason", reason); err != nil || !bytes.Contains(opened, []byte("Hello Riga")) {
		s.Fatalf("%s: %v", opened, err)
	}
}

// holds asserts what the program may hold now, over what it held at the
// start: so many goroutines, and so much memory. Garbage may be as much again
// as what is in use, and the work that goes on meanwhile has its part.
func (s *siege) holds(goroutines int, bytes int64) {
	s.Helper()
	now := s.measure()
	_, peak := s.Resident()
	bound := 2*bytes + 48*mib
	s.Logf("goroutines %d → %d, files %d → %d, resident %d → at most %d MiB (bound +%d)", s.start.goroutines, now.goroutines,
		s.start.files, now.files, s.start.resident/mib, peak/mib, bound/mib)
	if grown := now.goroutines - s.start.goroutines; grown > goroutines+16 {
		s.Errorf("%d more goroutines, at most %d were expected", grown, goroutines+16)
	}
	if grown := peak - s.start.resident; grown > bound {
		s.Errorf("%d MiB more memory, the bound is %d", grown/mib, bound/mib)
	}
}

// recovers waits until the program holds what it held at the start.
func (s *siege) recovers() {
	s.Helper()
	s.settles()
	s.work()
}

func (s *siege) settles() {
	s.Helper()
	s.await("what was held is given back", func() (string, bool) {
		now := s.measure()
		return fmt.Sprintf("%+v, at the start %+v", now, s.start), now.goroutines <= s.start.goroutines+8 && now.files <= s.start.files+8 && now.heap <= s.start.heap+32*mib
	})
}

// meta is what lets a package from Estonia to Latvia through.
func (s *siege) meta() ([]byte, error) {
	return os.ReadFile(filepath.Join(s.world.Dir, "meta", "ee-lv.json"))
}

// await asks again and again, with work in between, so that the program's
// collector runs.
func (s *siege) await(what string, is func() (seen string, ok bool)) {
	s.Helper()
	for begun := time.Now(); ; s.stir() {
		seen, ok := is()
		if ok {
			return
		}
		if time.Since(begun) > patience {
			s.Fatalf("it never came that %s: %s", what, seen)
		}
	}
}

// stir makes garbage in the program: what is garbage already is found then.
func (s *siege) stir() {
	for range 20 {
		s.Metrics()
	}
}

// account holds the program to account at the end of all attacks.
func (s *siege) account() {
	s.Helper()
	for name, n := range s.Metrics() {
		if strings.HasPrefix(name, "liaison_http_requests_total") && strings.Contains(name, `status="5`) && !strings.Contains(name, `status="503"`) {
			s.Errorf("%s %v", name, n)
		}
	}
	for _, line := range strings.Split(s.Log.String(), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, `"level":"ERROR"`) {
			s.Errorf("log: %s", line)
		}
	}
	for _, agency := range s.world.Agencies {
		if _, err := s.liaison("audit", "verify", "--profile", s.world.Profile(agency, certs.RoleDPO), "--reason", "Check after an attack on the exchange"); err != nil {
			s.Error(err)
		}
	}
}

// tcp connects from a source address of its own: the n-th has few others.
func (s *siege) tcp(n int) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+n%25), byte(1+n%11))}
	d := net.Dialer{LocalAddr: from, Timeout: patience}
	return d.DialContext(s.Context(), "tcp", s.Addr)
}

// speak connects with a protocol and does the handshake as the bad unit.
func (s *siege) speak(n int, protocol string) (*tls.Conn, error) {
	raw, err := s.tcp(n)
	if err != nil {
		return nil, err
	}
	cfg := s.tls.Clone()
	cfg.NextProtos, cfg.ServerName = []string{protocol}, "127.0.0.1"
	conn := tls.Client(raw, cfg)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := conn.HandshakeContext(s.Context()); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// crowd opens n connections, many at a time; those that the server does not
// want are left out. The end of the test closes them.
func (s *siege) crowd(n int, open func(i int) (net.Conn, error)) []net.Conn {
	s.Helper()
	var (
		mu    sync.Mutex
		conns []net.Conn
		next  atomic.Int64
		wg    sync.WaitGroup
	)
	for range 32 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if c, err := open(i); err == nil {
					mu.Lock()
					conns = append(conns, c)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	s.Cleanup(func() { hangUp(conns) })
	s.Attr("connections", strconv.Itoa(n))
	if len(conns) == 0 {
		s.Fatal("nobody came in: the test shows nothing")
	}
	return conns
}

func hangUp(conns []net.Conn) {
	for _, c := range conns {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn() // without a farewell that nobody reads
		}
		_ = c.Close()
	}
}

// ended waits until the server has closed them all.
func (s *siege) ended(conns []net.Conn) {
	s.Helper()
	var wg sync.WaitGroup
	var open atomic.Int64
	for _, c := range conns {
		wg.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				open.Add(1)
			}
		})
	}
	wg.Wait()
	if n := open.Load(); n > 0 {
		s.Errorf("%d of %d connections were left open", n, len(conns))
	}
}

// drip writes a byte to each, again and again, slower than anybody works,
// until all are closed or the test stops it.
func (s *siege) drip(conns []net.Conn) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for _, c := range conns {
				_ = c.SetWriteDeadline(time.Now().Add(time.Second))
				_, _ = c.Write([]byte("a"))
			}
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}
