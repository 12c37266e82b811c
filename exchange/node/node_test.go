package node_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/server"
)

// world makes a demo's world and its configuration.
func world(t *testing.T) (*demo.World, node.Config) {
	t.Helper()
	w, err := demo.Build(demo.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := w.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	return w, cfg
}

// start starts a node that the test's end stops.
func start(t *testing.T, w *demo.World, cfg node.Config) *node.Node {
	t.Helper()
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := n.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := w.WriteProfiles("https://" + n.Addr()); err != nil {
		t.Fatal(err)
	}
	return n
}

// agencies lists the directory as an agency's unit.
func agencies(t *testing.T, w *demo.World, as string) (map[string]string, error) {
	t.Helper()
	c, err := client.FromProfile(w.Profile(as, certs.RoleUnit))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := c.Agencies(t.Context())
	status := map[string]string{}
	for _, a := range all {
		status[a.ID] = a.Status
	}
	return status, err
}

// TestOneAgencysTrouble: what is wrong with one agency's files keeps no other
// from being admitted, served and suspended.
func TestOneAgencysTrouble(t *testing.T) {
	w, cfg := world(t)
	broken := filepath.Join(cfg.Registry, "by-mia", node.KeysFile)
	if err := os.WriteFile(broken, []byte(`{"keys":[{"kty":"EC"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, w, cfg)
	got, err := agencies(t, w, "ee/pbgb")
	if err != nil || got["lv/vp"] != "active" || got["by/mia"] != "active" {
		t.Fatalf("%v, %v", got, err)
	}
	suspended := node.Admission{ID: "lv/vp", Roles: []string{certs.RoleUnit, certs.RoleDPO}, Suspended: true}
	keys, err := os.ReadFile(filepath.Join(cfg.Registry, "lv-vp", node.KeysFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := node.WriteAdmission(cfg.Registry, suspended, keys); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "by-mia") || strings.Contains(err.Error(), "lv-vp") {
		t.Errorf("reload: %v", err)
	}
	if got, err = agencies(t, w, "ee/pbgb"); err != nil || got["lv/vp"] != "suspended" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := agencies(t, w, "lv/vp"); err == nil {
		t.Error("a suspended agency reads the directory")
	}
}

// TestNoPolicies: without leave to use samples nothing starts, and the error
// says what to do.
func TestNoPolicies(t *testing.T) {
	_, cfg := world(t)
	cfg.AllowSamplePolicies, cfg.PolicyFiles = false, ""
	if _, err := node.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "allow_sample_policies") {
		t.Errorf("%v", err)
	}
}

// TestConfig: what a configuration must have, and what it must not.
func TestConfig(t *testing.T) {
	_, good := world(t)
	for _, c := range []struct {
		name string
		edit func(*node.Config)
		want string
	}{
		{"good", func(*node.Config) {}, ""},
		{"no state", func(c *node.Config) { c.State = "" }, "state: required"},
		{"open admin", func(c *node.Config) { c.Admin = "0.0.0.0:8444" }, "loopback"},
		{"admin without port", func(c *node.Config) { c.Admin = "127.0.0.1" }, "admin"},
		{"bad operator", func(c *node.Config) { c.Operator = "exchange" }, "operator"},
		{"negative limit", func(c *node.Config) { c.AttachmentLimit = -1 }, "attachment_limit"},
		{"negative share", func(c *node.Config) { c.Limits.Uploads.Each = -1 }, "uploads"},
		{"more for one than for all", func(c *node.Config) { c.Limits.Connections = server.Share{All: 5, Each: 6} }, "connections"},
		{"negative streams", func(c *node.Config) { c.Limits.Streams = -1 }, "streams"},
		{"limits", func(c *node.Config) { c.Limits.Connections = server.Share{All: 5, Each: 5} }, ""},
	} {
		cfg := good
		c.edit(&cfg)
		if err := cfg.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "exchange.yaml")
	for text, want := range map[string]string{
		"listen: ':8443'\nlisten_too: x\n":         "listen_too",
		"listen: ':8443'\npolicy_timeout: 50\n":    "unit",
		"limits: {idle: 50}\n":                     "unit",
		"limits: {request: {all: 5}}\n":            "request",
		"limits: {requests: {every: 5}}\n":         "every",
		"limits: {requests: 5}\n":                  "requests",
		"listen: ':8443'\npolicy_timeout: minus\n": "unit",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := node.LoadConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestLedgerKeyOfOthers: a key that others can read is no secret.
func TestLedgerKeyOfOthers(t *testing.T) {
	_, cfg := world(t)
	if err := os.Chmod(cfg.LedgerKey, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := node.Start(t.Context(), cfg)
	var refused *certs.Error
	if !errors.As(err, &refused) || refused.Check != certs.CheckFile || !strings.Contains(refused.Fix, "chmod 600 "+cfg.LedgerKey) {
		t.Errorf("%v", err)
	}
}
