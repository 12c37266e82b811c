package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// TestRefusalsAreExplained: whatever is wrong with certificates on either side, an officer is told what failed, what was
// expected and what to do; the server has said to nobody why.
func TestRefusalsAreExplained(t *testing.T) {
	d := newDesks(t)
	now := d.Clock.Now
	for _, c := range []struct {
		name  string
		code  int
		says  []string
		plant func(t *testing.T, profile string)
	}{
		{"expired", exitNotFound, []string{"tls.crt is at fault: expired at", "fix: ", "renew the certificate"}, func(t *testing.T, profile string) {
			ca, err := certs.LoadCA(filepath.Join(d.World.Dir, "ca", "ee"), func() time.Time { return now().Add(-4 * time.Minute) })
			must(t, err)
			issueInto(t, ca, profile, time.Minute)
		}},
		{"another authority of the same name", exitNotFound, []string{"tls.crt is at fault: ", "expected a chain to", "Liaison CA ee", "issued by an authority of ee"}, func(t *testing.T, profile string) {
			ca, err := certs.NewCA("ee", now, time.Hour)
			must(t, err)
			issueInto(t, ca, profile, time.Minute)
		}},
		{"a server of another authority", exitUnverified, []string{"server-roots.pem", "fix: check that server-roots.pem is the one", "the address is the server's"}, func(t *testing.T, profile string) {
			ca, err := certs.NewCA("exchange", now, time.Hour)
			must(t, err)
			must(t, certs.WritePublic(filepath.Join(profile, client.FileServerRoots), certs.EncodeChain(ca.Certificate())))
		}},
		{"a key of another certificate", exitFailed, []string{"the private key is not the certificate's", "the same request side by side"}, func(t *testing.T, profile string) {
			key, err := certs.GenerateKey()
			must(t, err)
			private, err := certs.EncodePrivateKey(key)
			must(t, err)
			must(t, certs.WriteSecret(filepath.Join(profile, client.FileTLSKey), private))
		}},
		{"a key that others read", exitFailed, []string{"sign.jwk", "others may read", "chmod 600"}, func(t *testing.T, profile string) {
			must(t, os.Chmod(filepath.Join(profile, client.FileSign), 0o644))
		}},
		{"no anchors", exitFailed, []string{"anchors", "put <jurisdiction>.pem there"}, func(t *testing.T, profile string) {
			must(t, os.RemoveAll(filepath.Join(profile, client.DirAnchors)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			me := d.ee.on(t)
			me.profile = filepath.Join(t.TempDir(), "profile")
			must(t, os.CopyFS(me.profile, os.DirFS(d.ee.profile)))
			for _, name := range []string{client.FileTLSKey, client.FileSign, client.FileDecrypt, client.FileApprove} { // os.CopyFS gives them to all
				must(t, os.Chmod(filepath.Join(me.profile, name), 0o600))
			}
			c.plant(t, me.profile)
			me.run("inbox").exits(c.code).complains(c.says...)
			me.run("send", "--to", "lv/vp", "--meta", d.meta("ee-lv.json"), "--officer", "desk-1", "--reason", testReason, "Hello").exits(c.code).complains(c.says...)
		})
	}
	t.Run("suspended", func(t *testing.T) {
		d.Admission(node.Admission{ID: "ee/pbgb", Roles: []string{certs.RoleUnit, certs.RoleDPO}, Suspended: true})
		must(t, d.Node.Reload(t.Context()))
		d.ee.on(t).run("inbox").exits(exitNotFound).complains("the agency is suspended", "fix: by your own anchors", "Ask the operator")
	})
	for line := range strings.Lines(d.Log.String()) {
		if strings.Contains(line, "expired at") {
			return
		}
	}
	t.Error("the server's log does not have the reason")
}

// issueInto puts a fresh pair of desk-1 into a profile.
func issueInto(t *testing.T, ca *certs.CA, profile string, validity time.Duration) {
	t.Helper()
	key, err := certs.GenerateKey()
	must(t, err)
	leaf, err := ca.IssueClient(certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleUnit, Name: "desk-1"}, key.Public(), validity)
	must(t, err)
	must(t, certs.ReplaceKeyPair(filepath.Join(profile, client.FileTLSCert), filepath.Join(profile, client.FileTLSKey), []*x509.Certificate{leaf}, key))
}
