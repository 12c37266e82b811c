package client

import (
	"crypto"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// profile writes the profile of a unit of the test exchange.
func (x *testExchange) profile(dir, agency string) ProfileFiles {
	x.t.Helper()
	pair := x.pki.Client(agency, certs.RoleUnit, "alice")
	key, err := certs.EncodePrivateKey(pair.PrivateKey.(crypto.Signer))
	must(x.t, err)
	sign, err := x.sig[agency].private.MarshalPrivate()
	must(x.t, err)
	decrypt, err := envelope.MarshalPrivateSet([]envelope.PrivateKey{x.enc[agency].private})
	must(x.t, err)
	files := ProfileFiles{TLSCert: certs.EncodeChain(pair.Leaf), TLSKey: key, ServerRoots: x.pki.ServerRootsPEM(), Sign: sign, Decrypt: decrypt,
		Ledger: []byte(x.ledger.vkey + "\n"), Anchors: map[string][]byte{}}
	for _, j := range []string{"ee", "lv", "ua"} {
		files.Anchors[j] = certs.EncodeChain(x.pki.CA(j).Certificate())
	}
	must(x.t, WriteProfile(Profile{Dir: dir, Server: x.server.URL, Agency: agency, Officer: "o-17"}, files))
	return files
}

func TestProfile(t *testing.T) {
	x := newTestExchange(t)
	dir := filepath.Join(t.TempDir(), "profiles", "ee-pbgb-unit")
	files := x.profile(dir, "ee/pbgb")
	c, err := FromProfile(dir)
	must(t, err)
	defer c.Close()
	if c.Agency() != "ee/pbgb" || c.Exchange() != testOrigin {
		t.Errorf("%s on %s", c.Agency(), c.Exchange())
	}
	sent, err := c.Send(t.Context(), x.input("lv/vp"))
	must(t, err)
	must(t, sent.Close())
	note, err := os.ReadFile(filepath.Join(dir, FileCheckpoint))
	must(t, err)
	if _, err := c.ledger.open(note); err != nil {
		t.Errorf("log.checkpoint: %v", err)
	}
	for _, name := range privateFiles[:3] {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if err := WriteProfile(Profile{Dir: dir, Server: x.server.URL, Agency: "ee/pbgb"}, files); !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwritten: %v", err)
	}
}

// TestProfileErrors: what is wrong names the file and a fix.
func TestProfileErrors(t *testing.T) {
	x := newTestExchange(t)
	_, witness, err := audit.GenerateWitnessKey("w.example/witness")
	must(t, err)
	write := func(name, text string) func(dir string) (string, error) {
		return func(dir string) (string, error) {
			return name, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
		}
	}
	remove := func(name string) func(dir string) (string, error) {
		return func(dir string) (string, error) { return name, os.RemoveAll(filepath.Join(dir, name)) }
	}
	mode := func(name string, mode os.FileMode) func(dir string) (string, error) {
		return func(dir string) (string, error) { return name, os.Chmod(filepath.Join(dir, name), mode) }
	}
	profile := "server: https://127.0.0.1:1\nagency: ee/pbgb\n"
	for name, spoil := range map[string]func(dir string) (string, error){
		"no profile":           remove(FileProfile),
		"unknown member":       write(FileProfile, profile+"role: unit\n"),
		"member twice":         write(FileProfile, profile+"agency: lv/vp\n"),
		"not https":            write(FileProfile, "server: http://127.0.0.1:1\nagency: ee/pbgb\n"),
		"no agency":            write(FileProfile, "server: https://127.0.0.1:1\n"),
		"bad officer":          write(FileProfile, profile+"officer: \"Jane Doe\"\n"),
		"no certificate":       remove(FileTLSCert),
		"no roots":             remove(FileServerRoots),
		"bad roots":            write(FileServerRoots, "no PEM"),
		"no anchors":           remove(DirAnchors),
		"bad anchor":           write(DirAnchors+"/lv.pem", "no PEM"),
		"no ledger key":        remove(FileLedger),
		"bad ledger key":       write(FileLedger, "x+1+y"),
		"bad signing key":      write(FileSign, "{}"),
		"bad decryption keys":  write(FileDecrypt, "[]"),
		"bad witnesses":        write(FileWitnesses, "witnesses: [x]\n"),
		"unknown witness data": write(FileWitnesses, "witnesses: ["+witness+"]\nk: 1\n"),
		"others read tls.key":  mode(FileTLSKey, 0o604),
		"the group reads it":   mode(FileSign, 0o640),
		"others write it":      mode(FileDecrypt, 0o602),
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "p")
			x.profile(dir, "ee/pbgb")
			file, err := spoil(dir)
			must(t, err)
			_, err = FromProfile(dir)
			var bad *ProfileError
			if !errors.As(err, &bad) || bad.Fix == "" || bad.File != filepath.Join(dir, file) {
				t.Errorf("error: %#v", err)
			}
			if err != nil && strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("error on several lines: %v", err)
			}
		})
	}
	t.Run("what may be absent", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "p")
		x.profile(dir, "ee/pbgb")
		for _, name := range []string{FileSign, FileDecrypt} {
			must(t, os.Remove(filepath.Join(dir, name)))
		}
		must(t, os.WriteFile(filepath.Join(dir, FileWitnesses), []byte("witnesses:\n  - "+witness+"\n"), 0o644))
		c, err := FromProfile(dir)
		must(t, err)
		if len(c.witnesses) != 1 {
			t.Errorf("%d witnesses", len(c.witnesses))
		}
		c.Close()
	})
}
