package doctor_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/doctor"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patient is a profile of its own on an exchange that runs.
type patient struct {
	t   *testing.T
	x   *exchangetest.Exchange
	dir string
	cfg doctor.ProfileConfig
}

func newPatient(t *testing.T, x *exchangetest.Exchange, agency, role string) *patient {
	p := &patient{t: t, x: x, dir: filepath.Join(t.TempDir(), "profile")}
	must(t, os.CopyFS(p.dir, os.DirFS(x.World.Profile(agency, role))))
	for _, name := range []string{client.FileTLSKey, client.FileSign, client.FileDecrypt, client.FileApprove} {
		if err := os.Chmod(p.path(name), 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	p.cfg = doctor.ProfileConfig{Dir: p.dir, Now: x.Clock.Now}
	return p
}

func (p *patient) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *patient) write(name string, data []byte) {
	p.t.Helper()
	must(p.t, os.WriteFile(p.path(name), data, 0o600))
}

// edit changes profile.yaml.
func (p *patient) edit(old, next string) {
	p.t.Helper()
	raw, err := os.ReadFile(p.path(client.FileProfile))
	must(p.t, err)
	changed := strings.Replace(string(raw), old, next, 1)
	if changed == string(raw) {
		p.t.Fatalf("no %q in %s", old, raw)
	}
	p.write(client.FileProfile, []byte(changed))
}

// past is the authority of Estonia some time ago.
func (p *patient) past(ago time.Duration) *certs.CA {
	p.t.Helper()
	ca, err := certs.LoadCA(filepath.Join(p.x.World.Dir, "ca", "ee"), func() time.Time { return p.x.Clock.Now().Add(-ago) })
	must(p.t, err)
	return ca
}

func (p *patient) issue(ca *certs.CA, validity time.Duration) {
	p.t.Helper()
	key, err := certs.GenerateKey()
	must(p.t, err)
	leaf, err := ca.IssueClient(certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: certs.RoleUnit, Name: "desk"}, key.Public(), validity)
	must(p.t, err)
	p.replace(leaf, key)
}

func (p *patient) replace(leaf *x509.Certificate, key crypto.Signer) {
	p.t.Helper()
	must(p.t, certs.ReplaceKeyPair(p.path(client.FileTLSCert), p.path(client.FileTLSKey), []*x509.Certificate{leaf}, key))
}

// TestProfileFaults plants faults, one each in a good profile: each is found, with its own way to mend it.
func TestProfileFaults(t *testing.T) {
	x := exchangetest.New(t)
	for _, c := range []struct {
		name, check, text, fix string
		plant                  func(p *patient)
	}{
		{"expired leaf", "certificate", "expired at", "renew the certificate", func(p *patient) { p.issue(p.past(4*time.Minute), time.Minute) }},
		{"a leaf that ends in two days", "certificate", "good for 1 days", "liaison certs renew", func(p *patient) { p.issue(p.past(0), 47*time.Hour) }},
		{"wrong anchor", "certificate", "expected a chain to", "have the certificate issued by an authority of ee", func(p *patient) {
			ca, err := certs.NewCA("ee", p.x.Clock.Now, 365*24*time.Hour)
			must(p.t, err)
			p.write("anchors/ee.pem", certs.EncodeChain(ca.Certificate()))
			must(p.t, os.Remove(p.path("anchors", "ee.crl")))
		}},
		{"key that others read", "private file", "others may read", "chmod 600 ", func(p *patient) { must(p.t, os.Chmod(p.path(client.FileSign), 0o644)) }},
		{"skewed clock", "clock", "differ by 10m", "NTP", func(p *patient) { p.cfg.Now = func() time.Time { return p.x.Clock.Now().Add(10 * time.Minute) } }},
		{"stale revocation list", "revocation list", "is stale", "get the newest list from the authority of ee", func(p *patient) {
			list, err := p.past(3*time.Minute).CRL(big.NewInt(1), p.x.Clock.Now().Add(-time.Minute))
			must(p.t, err)
			p.write("anchors/ee.crl", list)
		}},
		{"missing key", "private key", "missing: a unit needs it", "liaison certs request", func(p *patient) { must(p.t, os.Remove(p.path(client.FileSign))) }},
		{"damaged key", "private key", "", "restore the file from a backup", func(p *patient) { p.write(client.FileDecrypt, []byte("{}")) }},
		{"wrong log key", "log key", "", "compare log.vkey", func(p *patient) {
			keys, err := (&client.Profile{Dir: p.dir}).LedgerKeys()
			must(p.t, err)
			_, other, err := audit.GenerateKey(keys.Origin())
			must(p.t, err)
			p.write(client.FileLedger, []byte(other+"\n"))
		}},
		{"unreachable server", "connection", "refused", "firewall", func(p *patient) { p.edit(p.x.Node.Addr(), "127.0.0.1:1") }},
		{"full disk", "disk", "MiB free", "make room", func(p *patient) { p.cfg.MinFree = math.MaxInt64 }},
		{"certificate of another agency", "profile", "its certificate for ee/pbgb", "correct agency in profile.yaml", func(p *patient) { p.edit("ee/pbgb", "lv/vp") }},
		{"key of another certificate", "certificate", "the private key is not the certificate's", "the same request side by side", func(p *patient) {
			key, err := certs.GenerateKey()
			must(p.t, err)
			private, err := certs.EncodePrivateKey(key)
			must(p.t, err)
			p.write(client.FileTLSKey, private)
		}},
		{"key that is not registered", "registered key", "does not have key", "liaison keys publish", func(p *patient) {
			key, err := envelope.GenerateSigning(envelope.ES256)
			must(p.t, err)
			private, err := key.MarshalPrivate()
			must(p.t, err)
			p.write(client.FileSign, private)
		}},
		{"no key that decrypts", "registered key", "no encryption key that this profile can open", "restore decrypt.jwks", func(p *patient) {
			key, err := envelope.GenerateEncryption()
			must(p.t, err)
			set, err := envelope.MarshalPrivateSet([]envelope.PrivateKey{key})
			must(p.t, err)
			p.write(client.FileDecrypt, set)
		}},
		{"roots of another server", "connection", "", "server-roots.pem is the one", func(p *patient) {
			ca, err := certs.NewCA("exchange", p.x.Clock.Now, 365*24*time.Hour)
			must(p.t, err)
			p.write(client.FileServerRoots, certs.EncodeChain(ca.Certificate()))
		}},
		{"revoked", "certificate", "revoked at", "get a new certificate", func(p *patient) {
			pair, err := certs.LoadKeyPair(p.path(client.FileTLSCert), p.path(client.FileTLSKey))
			must(p.t, err)
			ca := p.past(0)
			ca.Revoke(pair.Leaf.SerialNumber)
			list, err := ca.CRL(big.NewInt(1), p.x.Clock.Now().Add(time.Hour))
			must(p.t, err)
			p.write("anchors/ee.crl", list)
		}},
		{"no profile", "profile", "", "liaison init", func(p *patient) { must(p.t, os.Remove(p.path(client.FileProfile))) }},
		{"no anchors", "anchor", "", "<jurisdiction>.pem", func(p *patient) { must(p.t, os.RemoveAll(p.path(client.DirAnchors))) }},
		{"a directory that others write", "directory", "others may write into it", "chmod go-w", func(p *patient) { must(p.t, os.Chmod(p.dir, 0o777)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPatient(t, x, "ee/pbgb", certs.RoleUnit)
			c.plant(p)
			found := doctor.Profile(t.Context(), p.cfg)
			for _, f := range found {
				bad := f.State == doctor.Fault || c.check == "directory" && f.State == doctor.Warning
				if f.Check == c.check && bad && strings.Contains(f.Text, c.text) && strings.Contains(f.Fix, c.fix) {
					return
				}
			}
			t.Errorf("not found: %s, %q, fix %q, in\n%s", c.check, c.text, c.fix, lines(found))
		})
	}
}

func lines(found []doctor.Finding) string {
	var b strings.Builder
	for _, f := range found {
		b.WriteString(string(f.State) + " " + f.Check + " " + f.Subject + ": " + f.Text + " | " + f.Fix + "\n")
	}
	return b.String()
}

// A good profile has no fault, the doctor changes nothing, and looks at everything.
func TestProfileGood(t *testing.T) {
	x := exchangetest.New(t)
	for _, role := range []string{certs.RoleUnit, certs.RoleDPO} {
		p := newPatient(t, x, "ee/pbgb", role)
		before := snapshot(t, p.dir)
		found := doctor.Profile(t.Context(), p.cfg)
		checks := map[string]bool{}
		for _, f := range found {
			checks[f.Check] = true
			if f.State != doctor.OK {
				t.Errorf("%s: %+v", role, f)
			}
		}
		want := []string{"private file", "profile", "anchor", "revocation list", "server roots", "certificate", "log key", "disk", "clock", "connection", "ledger"}
		if role == certs.RoleUnit {
			want = append(want, "private key", "registered key")
		}
		for _, check := range want {
			if !checks[check] {
				t.Errorf("%s: %s was not looked at", role, check)
			}
		}
		if snapshot(t, p.dir) != before {
			t.Errorf("%s: the doctor changed the profile", role)
		}
	}
}

// snapshot is all that a directory holds.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		b.WriteString(path + "\n" + string(data))
		return err
	}))
	return b.String()
}

// TestExchangeFaults: the same for an exchange.
func TestExchangeFaults(t *testing.T) {
	for _, c := range []struct {
		name, check, text, fix string
		plant                  func(t *testing.T, x *exchangetest.Exchange, cfg node.Config, d *doctor.ExchangeConfig)
	}{
		{"key that others read", "private file", "others may read", "chmod 600", func(t *testing.T, _ *exchangetest.Exchange, cfg node.Config, _ *doctor.ExchangeConfig) {
			must(t, os.Chmod(cfg.LedgerKey, 0o644))
		}},
		{"damaged ledger key", "log key", "", "restore the ledger's key", func(t *testing.T, _ *exchangetest.Exchange, cfg node.Config, _ *doctor.ExchangeConfig) {
			must(t, os.WriteFile(cfg.LedgerKey, []byte("x"), 0o600))
		}},
		{"expired", "certificate", "expired", "renew the certificate", func(_ *testing.T, x *exchangetest.Exchange, _ node.Config, d *doctor.ExchangeConfig) {
			d.Now = func() time.Time { return x.Clock.Now().Add(40 * 24 * time.Hour) }
		}},
		{"stale list", "revocation list", "", "newest", func(_ *testing.T, x *exchangetest.Exchange, _ node.Config, d *doctor.ExchangeConfig) {
			d.Now = func() time.Time { return x.Clock.Now().Add(400 * 24 * time.Hour) }
		}},
		{"full disk", "disk", "MiB free", "make room", func(_ *testing.T, _ *exchangetest.Exchange, _ node.Config, d *doctor.ExchangeConfig) {
			d.MinFree = math.MaxInt64
		}},
		{"keys of another", "registry", "key", "certificate", func(t *testing.T, x *exchangetest.Exchange, cfg node.Config, _ *doctor.ExchangeConfig) {
			keys, err := os.ReadFile(filepath.Join(cfg.Registry, "lv-vp", node.KeysFile))
			must(t, err)
			x.Publish("ee/pbgb", keys)
		}},
		{"damaged anchor", "anchor", "", "PEM", func(t *testing.T, _ *exchangetest.Exchange, cfg node.Config, _ *doctor.ExchangeConfig) {
			must(t, os.WriteFile(filepath.Join(cfg.Anchors, "ee.pem"), []byte("x"), 0o644))
		}},
		{"no configuration", "configuration", "", "correct the file", func(_ *testing.T, _ *exchangetest.Exchange, _ node.Config, d *doctor.ExchangeConfig) {
			d.File += ".absent"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchangetest.New(t)
			cfg, err := x.World.NodeConfig()
			must(t, err)
			x.Stop()
			d := doctor.ExchangeConfig{File: filepath.Join(x.World.Dir, "exchange.yaml"), Now: x.Clock.Now}
			if n := doctor.Faults(doctor.Exchange(t.Context(), d)); n != 0 {
				t.Errorf("%d faults before:\n%s", n, lines(doctor.Exchange(t.Context(), d)))
			}
			c.plant(t, x, cfg, &d)
			found := doctor.Exchange(t.Context(), d)
			for _, f := range found {
				if f.Check == c.check && f.State == doctor.Fault && strings.Contains(f.Text, c.text) && strings.Contains(f.Fix, c.fix) {
					return
				}
			}
			t.Errorf("not found: %s, %q, fix %q, in\n%s", c.check, c.text, c.fix, lines(found))
		})
	}
}
