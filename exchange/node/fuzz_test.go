package node

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzConfig: a configuration is refused with the file's name, or is whole, keeps its admin listener at home, and reads the same when it
// is written again.
func FuzzConfig(f *testing.F) {
	const good = "listen: 127.0.0.1:1\nstate: s\nledger_key: l\ncertificate: c\nkey: k\nanchors: a\noperator: exchange/ops\nregistry: r\nrevocations: /r\n"
	f.Add([]byte(good + "admin: 127.0.0.1:2\nattachment_limit: 5\npolicy_timeout: 50ms\nallow_sample_policies: true\n"))
	f.Add([]byte(good + "admin: 0.0.0.0:2\n"))
	f.Add([]byte(good + "policy_timeout: 50\n"))
	f.Add([]byte(good + "state: t\n"))
	f.Add([]byte("base: &a {listen: x}\n<<: *a\n" + good))
	f.Add([]byte(good + "---\n" + good))
	dir := f.TempDir()
	path := filepath.Join(dir, "exchange.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, path, data)
		cfg, err := LoadConfig(path)
		if err != nil {
			if !strings.HasPrefix(err.Error(), path) {
				t.Fatalf("error out of place: %v", err)
			}
			return
		}
		oneDocument(t, data)
		if host, _, err := net.SplitHostPort(cfg.Admin); cfg.Admin != "" && (err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback()) {
			t.Fatalf("admin at %q", cfg.Admin)
		}
		for _, p := range []string{cfg.State, cfg.LedgerKey, cfg.Certificate, cfg.Key, cfg.Anchors, cfg.Registry} {
			if !filepath.IsAbs(p) {
				t.Fatalf("the path %q is relative", p)
			}
		}
		if cfg.Clock != nil || cfg.Log != nil || cfg.Policies != nil || cfg.AttachmentLimit < 0 || cfg.PolicyTimeout < 0 {
			t.Fatalf("%+v", cfg)
		}
		if err := WriteConfig(path, cfg); err != nil {
			t.Fatal(err)
		}
		if again, err := LoadConfig(path); err != nil || cmp.Diff(cfg, again) != "" {
			t.Fatalf("%v: %s", err, cmp.Diff(cfg, again))
		}
	})
}

// oneDocument: nothing stands in the file that was not read.
func oneDocument(t *testing.T, data []byte) {
	t.Helper()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies++
		}
	}
	if bodies > 1 {
		t.Fatalf("%d documents in %q", bodies, data)
	}
}

// FuzzAdmission: what the operator says of an agency is refused, or reads the same when it is written again.
func FuzzAdmission(f *testing.F) {
	f.Add([]byte("id: ee/pbgb\nroles: [unit, dpo]\nsuspended: true\n"))
	f.Add([]byte("id: ee/pbgb\nroles: [unit]\n---\nsuspended: true\n"))
	f.Add([]byte("{id: ee/pbgb, roles: &a [unit], suspended: yes}"))
	f.Add([]byte("id: ../x\nroles: []\nid: ee/pbgb\n"))
	path := filepath.Join(f.TempDir(), AgencyFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, path, data)
		a, digest, err := readAdmission(path)
		if err != nil {
			return
		}
		oneDocument(t, data)
		if sum := sha256.Sum256(data); digest != base64.RawURLEncoding.EncodeToString(sum[:]) {
			t.Fatalf("digest %s", digest)
		}
		again, err := yaml.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, again)
		if back, _, err := readAdmission(path); err != nil || cmp.Diff(a, back, cmpopts.EquateEmpty()) != "" {
			t.Fatalf("%v: %s", err, cmp.Diff(a, back))
		}
	})
}

// FuzzKeysFile: what keys.jwks gives out are JSON values, each for the strict reader of keys to judge; a set that this reader takes whole is
// given out whole.
func FuzzKeysFile(f *testing.F) {
	k, err := envelope.GenerateSigning(envelope.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(envelope.KeySet{{PublicKey: k.Public(), X5C: [][]byte{{1}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"keys":[{},null,1]}`))
	f.Add([]byte(`{"keys":{}}`))
	path := filepath.Join(f.TempDir(), KeysFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, path, data)
		keys, err := readKeys(path)
		strict, serr := envelope.ParseKeySet(data)
		if serr == nil && (err != nil || len(keys) != len(strict)) {
			t.Fatalf("%d keys of %d, %v", len(keys), len(strict), err)
		}
		for i, raw := range keys {
			if !json.Valid(raw) {
				t.Fatalf("key %q", raw)
			}
			if serr != nil {
				continue
			}
			if k, err := envelope.ParsePublicJWK(raw); err != nil || k.Kid() != strict[i].Kid() {
				t.Fatalf("key %d: %v", i, err)
			}
		}
	})
}
