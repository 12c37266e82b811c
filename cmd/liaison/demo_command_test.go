package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/ratelimit/redistest"
)

// TestDemoCountsInRedis: with --redis the story is told as ever, the limits of
// its agencies are counted in that Redis, under the exchange's name, and the
// demo says where and not with which password.
func TestDemoCountsInRedis(t *testing.T) {
	server := redistest.Start(t)
	if got := server.Do("ACL SETUSER demo on >secret ~liaison:* +evalsha +eval +get +set +time +ping +hello"); got != "+OK" {
		t.Fatal(got)
	}
	counted := watchCounts(t, server, `"SET" "liaison:demo.liaison.example/ledger:2:{ee/pbgb}:`)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "demo", "--once", "--redis", "redis://demo:secret@"+server.Addr)
	cmd.Env = append(os.Environ(), asProcess+"=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs.String())
	}
	if want := fmt.Sprintf("Its limits are counted in the Redis at %s, and by itself while that cannot be used.\n", server.Addr); !strings.Contains(string(out), want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
	if strings.Contains(string(out)+errs.String(), "secret") {
		t.Errorf("it tells the password:\n%s%s", out, errs.String())
	}
	redistest.Await(t, "an agency's count in Redis", counted)
}

// watchCounts reports whether Redis was told a command with the text. The
// demo's counts are gone within milliseconds, so that to look for them later
// would not find them.
func watchCounts(t *testing.T, server *redistest.Server, text string) func() bool {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "MONITOR\r\n")
	lines := bufio.NewScanner(conn)
	if !lines.Scan() || lines.Text() != "+OK" {
		t.Fatalf("%q, %v", lines.Text(), lines.Err())
	}
	var seen atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				seen.Store(true)
			}
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-ended })
	return seen.Load
}

// TestDemoRefusesRedis: what is no Redis to count in is said before anything
// starts, without the password.
func TestDemoRefusesRedis(t *testing.T) {
	for url, want := range map[string]string{
		"":                               "not of the form redis://",
		"http://demo:secret@127.0.0.1:1": "not of the form redis://",
		"redis://demo:secret@10.0.0.1:1": "10.0.0.1:1 is another machine: only with TLS, as rediss://",
	} {
		r := shell{t: t}.run("demo", "--once", "--redis", url).exits(exitUsage)
		if !strings.Contains(r.errors, want) || strings.Contains(r.errors+r.out, "secret") {
			t.Errorf("%q: %s%s", url, r.out, r.errors)
		}
	}
}
