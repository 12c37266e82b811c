package certs_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// pairFiles are the two files of a pair in a directory of their own.
type pairFiles struct{ cert, key string }

func newPairFiles(t *testing.T) pairFiles {
	dir := t.TempDir()
	return pairFiles{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

func (f pairFiles) replace(t *testing.T, pair tls.Certificate) {
	t.Helper()
	if err := certs.ReplaceKeyPair(f.cert, f.key, []*x509.Certificate{pair.Leaf}, pair.PrivateKey.(crypto.Signer)); err != nil {
		t.Fatal(err)
	}
}

// holds fails unless the files are this pair.
func (f pairFiles) holds(t *testing.T, when string, want tls.Certificate) {
	t.Helper()
	got, err := certs.LoadKeyPair(f.cert, f.key)
	if err != nil || !got.Leaf.Equal(want.Leaf) {
		t.Fatalf("%s: %v, leaf %v", when, err, got.Leaf)
	}
}

// A crash between any two steps of a replacement leaves a working pair, and the next replacement works as well.
func TestReplaceKeyPairCrash(t *testing.T) {
	p := New(t)
	old, next, last := p.Client("ee/pbgb", certs.RoleUnit, "a"), p.Client("ee/pbgb", certs.RoleUnit, "a"), p.Client("ee/pbgb", certs.RoleUnit, "a")
	for done := range 4 {
		f := newPairFiles(t)
		f.replace(t, old)
		steps, err := certs.Replacement(f.cert, f.key, []*x509.Certificate{next.Leaf}, next.PrivateKey.(crypto.Signer))
		if err != nil || len(steps) != 3 {
			t.Fatalf("%d steps, %v", len(steps), err)
		}
		for _, step := range steps[:done] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		want := old
		if done >= 2 {
			want = next
		}
		f.holds(t, "after the crash", want)
		if info, err := os.Stat(f.key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("step %d: mode %v, %v", done, info.Mode(), err)
		}
		f.replace(t, last)
		f.holds(t, "after the next renewal", last)
		if data, err := os.ReadFile(f.key); err != nil || strings.Count(string(data), "BEGIN") != 1 {
			t.Errorf("step %d: old keys are left in the file, %v", done, err)
		}
	}
}

func TestReplaceKeyPairRefuses(t *testing.T) {
	p, f := New(t), newPairFiles(t)
	old := p.Client("ee/pbgb", certs.RoleUnit, "a")
	f.replace(t, old)
	err := certs.ReplaceKeyPair(f.cert, f.key, []*x509.Certificate{old.Leaf}, p.NewKey())
	if certs.Failed(err) != certs.CheckKey {
		t.Errorf("a key that is not the certificate's: %v", err)
	}
	f.holds(t, "after the refusal", old)
	if err := os.Chmod(f.key, 0o644); err != nil {
		t.Fatal(err)
	}
	next := p.Client("ee/pbgb", certs.RoleUnit, "a")
	err = certs.ReplaceKeyPair(f.cert, f.key, []*x509.Certificate{next.Leaf}, next.PrivateKey.(crypto.Signer))
	if certs.Failed(err) != certs.CheckFile {
		t.Errorf("beside a key that others may read: %v", err)
	}
}

// Readers and two writers at once: every read is a whole pair.
func TestReplaceKeyPairConcurrently(t *testing.T) {
	p, f := New(t), newPairFiles(t)
	f.replace(t, p.Client("ee/pbgb", certs.RoleUnit, "a"))
	files, err := certs.WatchKeyPair(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	var last tls.Certificate
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if pair := files.Pair(); !same(pair) {
					t.Error("a pair that does not fit")
					return
				}
			}
		})
		writers.Go(func() {
			for range 20 {
				f.replace(t, p.Client("ee/pbgb", certs.RoleUnit, "a"))
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	last = p.Client("ee/pbgb", certs.RoleUnit, "a")
	f.replace(t, last)
	f.holds(t, "at the end", last)
}

func same(pair *tls.Certificate) bool {
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return false
	}
	key, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(pair.Leaf.PublicKey)
}

// A client that runs follows the files, and keeps the old pair while they cannot be used.
func TestClientFollowsFiles(t *testing.T) {
	p, f := New(t), newPairFiles(t)
	f.replace(t, p.Client("ee/pbgb", certs.RoleUnit, "first"))
	files, err := certs.WatchKeyPair(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	config, err := certs.ClientTLS(certs.ClientConfig{Files: files, Roots: p.ServerRoots(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	keeper := newKeeper(t, p.Trust("", "ee"))
	seen := func() string {
		state := make(chan tls.ConnectionState, 1)
		server := keeper.ServerTLS()
		verify := server.VerifyConnection
		server.VerifyConnection = func(s tls.ConnectionState) error { state <- s; return verify(s) }
		if _, serverErr, clientErr := handshake(t, server, config); serverErr != nil || clientErr != nil {
			t.Fatalf("server: %v, client: %v", serverErr, clientErr)
		}
		return (<-state).PeerCertificates[0].Subject.CommonName
	}
	if got := seen(); got != "first" {
		t.Errorf("at first %q", got)
	}
	second := p.Client("ee/pbgb", certs.RoleUnit, "second")
	f.replace(t, second)
	if got := seen(); got != "second" {
		t.Errorf("after the renewal %q", got)
	}
	if err := os.WriteFile(f.cert, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != "second" {
		t.Errorf("with a damaged file %q", got)
	}
	if err := certs.WritePublic(f.cert, certs.EncodeChain(second.Leaf)); err != nil {
		t.Fatal(err)
	}
	f.replace(t, p.Client("ee/pbgb", certs.RoleUnit, "third"))
	if got := seen(); got != "third" {
		t.Errorf("when it is mended %q", got)
	}
}

func TestLoadKeyPairRefusesOpenFiles(t *testing.T) {
	p, f := New(t), newPairFiles(t)
	f.replace(t, p.Client("ee/pbgb", certs.RoleUnit, "a"))
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o666} {
		if err := os.Chmod(f.key, mode); err != nil {
			t.Fatal(err)
		}
		_, err := certs.LoadKeyPair(f.cert, f.key)
		var e *certs.Error
		if !errors.As(err, &e) || e.Check != certs.CheckFile || !strings.Contains(e.Fix, "chmod 600 "+f.key) || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400, 0o700} {
		if err := os.Chmod(f.key, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := certs.LoadKeyPair(f.cert, f.key); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestRenewAt(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := certs.RenewAt(&x509.Certificate{NotBefore: from, NotAfter: from.AddDate(0, 0, 30)}); !got.Equal(from.AddDate(0, 0, 20)) {
		t.Errorf("a certificate of 30 days is renewed at %v", got)
	}
}
