package certs_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	. "github.com/liaison-exchange/liaison/certs/certstest"
)

// connect has openssl s_client open a connection with a good certificate, send a request and end, and gives what it says.
func connect(t *testing.T, s *server, args ...string) (said string, ok bool) {
	t.Helper()
	dir := t.TempDir()
	pair := s.Client("ee/pbgb", certs.RoleUnit, "alice")
	key, err := certs.EncodePrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "tls.crt", string(certs.EncodeChain(pair.Leaf)))
	write(t, dir, "tls.key", string(key))
	write(t, dir, "roots.pem", string(s.ServerRootsPEM()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	args = append([]string{"s_client", "-connect", s.addr, "-servername", "localhost", "-CAfile", filepath.Join(dir, "roots.pem"), "-verify_return_error",
		"-cert", filepath.Join(dir, "tls.crt"), "-key", filepath.Join(dir, "tls.key"), "-quiet", "-ign_eof"}, args...)
	cmd := exec.CommandContext(ctx, OpenSSL(t), args...)
	cmd.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err == nil && strings.Contains(out.String(), "200 OK")
}

// Another TLS implementation is let in with TLS 1.3 and with nothing older (row M11).
func TestOpenSSLRefused(t *testing.T) {
	p := New(t)
	s := newServer(t, p, p.Trust("", "ee"))
	for _, args := range [][]string{{}, {"-tls1_3"}, {"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}} {
		if said, ok := connect(t, s, args...); !ok || !strings.Contains(said, alice) {
			t.Errorf("%v: %s", args, said)
		}
	}
	refused := [][]string{
		{"-tls1_2"}, {"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"}, {"-tls1", "-cipher", "DEFAULT@SECLEVEL=0"},
		{"-no_tls1_3"}, {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"}, {"-tls1_2", "-cipher", "AES128-SHA"},
	}
	for _, args := range refused {
		if said, ok := connect(t, s, args...); ok || !strings.Contains(said, "protocol version") && !strings.Contains(said, "no protocols available") {
			t.Errorf("%v: %s", args, said)
		}
	}
}
