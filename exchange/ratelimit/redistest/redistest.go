// Package redistest starts a real Redis for a test, and puts faults between
// it and who uses it.
package redistest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a Redis of a test.
type Server struct {
	TB   testing.TB
	Addr string
	args []string
	dir  string
	cmd  *exec.Cmd
}

// StartSentinel starts a sentinel on a free port by a configuration file,
// which it writes.
func StartSentinel(t testing.TB, file string) *Server {
	t.Helper()
	return start(t, []string{file, "--sentinel"})
}

// Start starts a Redis on a free port, with a directory of its own; the end of
// the test ends it. Where there is no redis-server the test is skipped, unless
// LIAISON_TEST_REQUIRE asks for it. args are more of its command line.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, append([]string{"--save", "", "--appendonly", "no"}, args...))
}

// StartSocket is Start, and returns the path of the server's socket.
func StartSocket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path has 107 bytes at most, a test's name may have more
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	Start(t, "--unixsocket", path)
	return path
}

func start(t testing.TB, args []string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		required := strings.Split(os.Getenv("LIAISON_TEST_REQUIRE"), ",") //nolint:forbidigo // tests ask here, in one place, for what may be missing
		if slices.Contains(required, "all") || slices.Contains(required, "redis") {
			t.Fatalf("LIAISON_TEST_REQUIRE asks for redis: %v", err)
		}
		t.Skip("no redis-server")
	}
	s := &Server{TB: t, Addr: freeAddress(t), dir: t.TempDir(), args: append([]string{program}, args...)}
	s.Up()
	t.Cleanup(s.Down)
	return s
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	return d.DialContext(context.Background(), "tcp", addr)
}

// Await waits for what happens elsewhere, and looks for it often.
func Await(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !f(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}

// Up starts it, also again after Down, on the same port and with nothing in
// it, and waits until it answers.
func (s *Server) Up() {
	s.TB.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append(slices.Clone(s.args[1:]), "--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"))
	s.cmd = exec.CommandContext(context.Background(), s.args[0], args...)
	if err := s.cmd.Start(); err != nil {
		s.TB.Fatal(err)
	}
	Await(s.TB, "redis-server answers", s.answers)
}

// answers reports whether it speaks; a refusal for want of a password is an
// answer too.
func (s *Server) answers() bool {
	conn, err := dial(s.Addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(conn, "PING\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH"))
}

// Down ends it at once; one that is down stays so.
func (s *Server) Down() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Stop halts it where it is: connections stay open and nothing answers.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Continue lets it go on.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.TB.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.TB.Fatal(err)
	}
}

// Do sends one command, its words separated by a space, and returns the first
// line of the answer.
func (s *Server) Do(command string) string {
	s.TB.Helper()
	conn, err := dial(s.Addr)
	if err != nil {
		s.TB.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s\r\n", command)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		s.TB.Fatal(err)
	}
	return strings.TrimSpace(line)
}
