package node_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// told reads the feed's file until it has so many lines.
func told(t *testing.T, path string, least int) (lines []string) {
	t.Helper()
	for t.Context().Err() == nil {
		raw, err := os.ReadFile(path)
		if lines = strings.Split(strings.TrimSpace(string(raw)), "\n"); err == nil && len(lines) >= least && bytes.HasSuffix(raw, []byte("\n")) {
			return lines
		}
	}
	t.Fatalf("%d lines, not %d", len(lines), least)
	return nil
}

// TestSecurityFeed: what is recorded is told to a file, once, over a restart,
// and without a word of why; an exchange that cannot tell goes on and says so.
func TestSecurityFeed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out", "siem.jsonl")
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) { c.SIEM = &node.SIEM{File: path} }))
	send := func() {
		t.Helper()
		d := x.Draft(demo.EEtoLV)
		if _, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(d)); err != nil {
			t.Fatal(err)
		}
	}
	send() // nobody waits for the directory that is not there
	for status, ready := admin(t, x, "/readyz?verbose"); !strings.Contains(ready, "entries wait since"); status, ready = admin(t, x, "/readyz?verbose") {
		if t.Context().Err() != nil || status != http.StatusOK {
			t.Fatal(status, ready)
		}
	}
	if _, metrics := admin(t, x, "/metrics"); !strings.Contains(metrics, "liaison_siem_lag_entries") {
		t.Error("no metric of the feed")
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	size := int(x.Node.LedgerSize())
	told(t, path, size)
	x.Restart()
	send()
	lines := told(t, path, int(x.Node.LedgerSize()))
	if len(lines) != int(x.Node.LedgerSize()) {
		t.Errorf("%d lines of %d entries: some were told again", len(lines), x.Node.LedgerSize())
	}
	for i, line := range lines {
		var v struct {
			Index int
			Time  string
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Index != i || v.Time == "" || strings.Contains(line, "justification") || strings.Contains(line, "officer") {
			t.Errorf("line %d: %v: %s", i, err, line)
		}
	}
}

// TestSecurityFeedConfig refuses what would send to nobody, to somebody
// unknown, or in clear.
func TestSecurityFeedConfig(t *testing.T) {
	t.Parallel()
	base := exchangetest.New(t)
	cfg, err := base.World.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]*node.SIEM{
		"one of file and syslog":                {},
		"siem: one of file and syslog":          {File: "f", Syslog: "tls://h:1"},
		"for syslog":                            {File: "f", Roots: "r"},
		"tls://host:port":                       {Syslog: "tcp://h:514", Roots: "r"},
		"roots: required":                       {Syslog: "tls://h:6514"},
		"siem: certificate and key go together": {Syslog: "tls://h:6514", Roots: "r", Key: "k"},
	} {
		cfg.SIEM = s
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
