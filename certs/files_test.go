package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	for mode, writeFile := range map[os.FileMode]func(string, []byte) error{0o600: certs.WriteSecret, 0o644: certs.WritePublic} {
		path := filepath.Join(dir, mode.String())
		for _, data := range []string{"first, and longer", "second"} {
			if err := writeFile(path, []byte(data)); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != data {
				t.Errorf("%q, %v", got, err)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v, want %v, %v", info.Mode(), mode, err)
		}
	}
	// A name that cannot be replaced: the old stays, and no temporary file is left.
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := certs.WriteSecret(filepath.Join(dir, "taken"), []byte("secret")); certs.Failed(err) != certs.CheckSetup {
		t.Errorf("over a directory: %v", err)
	}
	if err := certs.WriteSecret(filepath.Join(dir, "absent", "x"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("files left: %v, %v", files, err)
	}
}

func TestLoadKeyPair(t *testing.T) {
	p, dir := New(t), t.TempDir()
	client := p.Client("ee/pbgb", certs.RoleUnit, "alice")
	key, err := certs.EncodePrivateKey(client.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	other, err := certs.EncodePrivateKey(p.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := certs.EncodePrivateKey(p224)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "tls.crt", string(certs.EncodeChain(client.Leaf)))
	for name, c := range map[string]struct {
		key  string
		want certs.Check
	}{
		"good": {string(key), ""}, "of another": {string(other), certs.CheckKey}, "weak": {string(weak), certs.CheckKey}, "three": {string(key) + string(key) + string(key), certs.CheckForm},
		"the other first": {string(other) + string(key), ""}, "the other second": {string(key) + string(other), ""}, "two others": {string(other) + string(other), certs.CheckKey},
		"not PKCS #8": {string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), certs.CheckForm}, "empty": {"", certs.CheckForm},
		"damaged": {strings.Replace(string(key), "MIG", "AAA", 1), certs.CheckForm},
	} {
		write(t, dir, "tls.key", c.key)
		pair, err := certs.LoadKeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		if got := certs.Failed(err); got != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == "" && !pair.Leaf.Equal(client.Leaf) {
			t.Errorf("%s: another leaf", name)
		}
		if c.want != "" && !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the error does not name the file: %v", name, err)
		}
		if block, _ := pem.Decode([]byte(c.key)); err != nil && block != nil && strings.Contains(err.Error(), string(block.Bytes)) {
			t.Errorf("%s: the error has the key in it", name)
		}
	}
	if _, err := certs.LoadKeyPair(filepath.Join(dir, "absent"), filepath.Join(dir, "tls.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := certs.LoadRoots(filepath.Join(dir, "tls.key")); certs.Failed(err) != certs.CheckForm {
		t.Errorf("a key as roots: %v", err)
	}
}

func TestTrustFiles(t *testing.T) {
	p, dir := New(t), t.TempDir()
	for _, d := range []string{"anchors", "crl"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.WriteAnchors(filepath.Join(dir, "anchors"), "ee", "hub")
	server := p.Server()
	key, err := certs.EncodePrivateKey(server.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "server.crt", string(certs.EncodeChain(server.Leaf)))
	write(t, dir, "server.key", string(key))
	files := certs.TrustFiles{
		Anchors: filepath.Join(dir, "anchors"), Operator: "hub", Revocations: certs.RevocationConfig{Dir: filepath.Join(dir, "crl"), Optional: []string{certs.EveryJurisdiction}},
		Certificate: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key"),
	}
	mallory := parse(t, p.Client("ee/pbgb", certs.RoleUnit, "mallory"))
	p.Revoke("ee", mallory[0])
	p.WriteCRL(files.Revocations.Dir, "ee")
	trust, err := files.Load(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keeper := newKeeper(t, trust)
	for role, want := range map[string]string{"hub": certs.RoleOperator, "ee": certs.RoleUnit} {
		if _, err := keeper.Peer(stateOf(p.Client(role+"/x", want, "x").Leaf)); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	// A revocation survives the loss of its list, as long as the process lives.
	if err := os.Remove(filepath.Join(files.Revocations.Dir, "ee.crl")); err != nil {
		t.Fatal(err)
	}
	next, err := files.Load(keeper.Trust(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.VerifyClient(mallory, time.Now()); certs.Failed(err) != certs.CheckRevoked {
		t.Errorf("after the loss of the list: %v", err)
	}
	for name, spoil := range map[string]func(*certs.TrustFiles){
		"no anchors": func(f *certs.TrustFiles) { f.Anchors = dir }, "operator without anchors": func(f *certs.TrustFiles) { f.Operator = "lv" },
		"no lists": func(f *certs.TrustFiles) { f.Revocations.Dir = filepath.Join(dir, "absent") }, "no key": func(f *certs.TrustFiles) { f.Key = filepath.Join(dir, "absent") },
	} {
		bad := files
		spoil(&bad)
		if _, err := bad.Load(trust, time.Now()); certs.Failed(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error tells people all and has its parts for the log; the subject, which a stranger chose, cannot forge a line.
func TestErrorIsOneLine(t *testing.T) {
	_, err := certs.ParseIdentity("spiffe://ee/x\nlevel=INFO msg=forged")
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	lines := &certs.Error{Check: certs.CheckChain, Subject: "a\nb", Err: errors.New("one\ntwo")}
	if got := lines.Error(); got != `certs: chain: "a\nb": one; two` {
		t.Errorf("%s", got)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Error("refused", slog.Any("cause", err))
	for _, want := range []string{"cause.check=identity", "cause.subject=", "cause.expected=", "cause.fix="} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
	if plain := errors.New("plain"); !errors.Is(certs.Explain(plain), plain) || certs.Explain(nil) != nil || certs.Failed(plain) != "" {
		t.Error("errors of others are changed")
	}
}
