package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/certs/certstest"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// documented are the commands of docs/pki.md, block by block.
func documented(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/pki.md")
	must(t, err)
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != 5 {
		t.Fatalf("%d blocks of commands", len(blocks))
	}
	return blocks
}

// shellCommands runs a block of commands in a directory, as a reader would.
func shellCommands(t *testing.T, dir, commands string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", commands)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PROFILE=profile")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, commands, said)
	}
}

// TestOwnPKI follows docs/pki.md to the letter beside an exchange that runs: what openssl makes serves from end to end, until
// it is revoked.
func TestOwnPKI(t *testing.T) {
	certstest.OpenSSL(t)
	blocks := documented(t)
	x := exchangetest.New(t)
	dir := t.TempDir()
	profile := filepath.Join(dir, "profile")
	me := shell{t: t, profile: profile, now: x.Clock.Now}
	me.run("init", "--dir", profile, "--agency", "ee/pbgb", "--role", "unit", "--name", "desk-1", "--server", "https://"+x.Node.Addr()).exits(exitDone)
	for _, block := range blocks[:4] {
		shellCommands(t, dir, block)
	}
	// Who is believed: the national authority instead of the demo's, by the exchange and by the profile.
	demo := x.World.Profile("ee/pbgb", certs.RoleUnit)
	must(t, os.CopyFS(filepath.Join(profile, client.DirAnchors), os.DirFS(filepath.Join(demo, client.DirAnchors))))
	copyFile(t, filepath.Join(demo, client.FileServerRoots), filepath.Join(profile, client.FileServerRoots))
	copyFile(t, filepath.Join(demo, client.FileLedger), filepath.Join(profile, client.FileLedger))
	copyFile(t, filepath.Join(dir, "tls.crt"), filepath.Join(profile, client.FileTLSCert))
	copyFile(t, filepath.Join(dir, "tls.key"), filepath.Join(profile, client.FileTLSKey))
	cfg, err := x.World.NodeConfig()
	must(t, err)
	believe := func() {
		t.Helper()
		for _, anchors := range []string{cfg.Anchors, filepath.Join(profile, client.DirAnchors)} {
			copyFile(t, filepath.Join(dir, "root.crt"), filepath.Join(anchors, "ee.pem"))
		}
		for _, lists := range []string{cfg.Revocations, filepath.Join(profile, client.DirAnchors)} {
			copyFile(t, filepath.Join(dir, "ee.crl"), filepath.Join(lists, "ee.crl"))
		}
		_ = x.Node.Reload(t.Context()) // the demo's own keys of ee are not believed any more, which it tells
	}
	believe()
	keys := me.run("keys", "export").exits(exitDone)
	x.Publish("ee/pbgb", []byte(keys.out))
	must(t, x.Node.Reload(t.Context()))

	me.run("certs", "show", profile).exits(exitDone).says("tls.crt: good", "sign.crt: good", "decrypt.crt: good", "EE police issuing")
	if r := me.run("doctor"); strings.Contains(r.out, "fault") {
		t.Errorf("the doctor: %s", r.out)
	}
	me.run("send", "--to", "lv/vp", "--meta", filepath.Join(x.World.Dir, "meta", "ee-lv.json"), "--officer", "desk-1", "--reason", testReason, "Hello Riga").
		exits(exitDone).says("lv/vp: delivered")

	shellCommands(t, dir, blocks[4])
	copyFile(t, filepath.Join(dir, "ee.crl"), filepath.Join(cfg.Revocations, "ee.crl"))
	must(t, x.Node.Reload(t.Context()))
	me.run("inbox").exits(exitNotFound).complains("fix: ", "by your own anchors", "a newer revocation list")
	copyFile(t, filepath.Join(dir, "ee.crl"), filepath.Join(profile, client.DirAnchors, "ee.crl"))
	me.run("inbox").exits(exitNotFound).complains("tls.crt is at fault: revoked at", "get a new certificate")
	me.run("certs", "show", filepath.Join(profile, client.FileTLSCert)).exits(exitUnverified).says("REFUSED: revoked at")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, certs.WriteSecret(to, data))
}
