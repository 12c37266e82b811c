package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/store"
)

// A restoration that dies is a child process, this test binary itself.
const (
	restoreConfig = "LIAISON_TEST_RESTORE_CONFIG" // configuration of the exchange
	restoreFrom   = "LIAISON_TEST_RESTORE_FROM"   // the backup
	restoreStep   = "LIAISON_TEST_RESTORE_STEP"   // where it kills itself; empty: nowhere
	restoreHalt   = "LIAISON_TEST_RESTORE_HALT"   // where it stops until its input ends; empty: nowhere
)

func init() {
	path := os.Getenv(restoreConfig)
	if path == "" {
		return
	}
	cfg, err := node.LoadConfig(path)
	if err == nil {
		node.AtEachStep(func(step string) {
			fmt.Println(step)
			if step == os.Getenv(restoreStep) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // the signal is on its way
			}
			if step == os.Getenv(restoreHalt) {
				_, _ = io.Copy(io.Discard, os.Stdin)
			}
		})
		_, err = node.Restore(context.Background(), cfg, os.Getenv(restoreFrom), node.Restoration{NewEpoch: true, Origin: secondOrigin})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// restoreIn restores in a child process and returns the steps that it came to.
func restoreIn(t *testing.T, config, backup, step string) (steps []string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), restoreConfig+"="+config, restoreFrom+"="+backup, restoreStep+"="+step)
	var complaint strings.Builder
	child.Stderr = &complaint
	out, err := child.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, &complaint)
	}
	return strings.Fields(string(out)), err
}

// TestRestoreKilledAtEachStep kills a restoration with SIGKILL after each of
// its steps. Whoever comes next, the same restore or a start, ends at the same
// place: one new epoch, its key in the place of the former one, which is kept,
// and nothing left over. Never is there no key; nothing starts with one of
// another ledger than the state's, since the plan comes first.
func TestRestoreKilledAtEachStep(t *testing.T) {
	t.Parallel()
	lost, backup := loss(t)
	config, whole := lost()
	steps, err := restoreIn(t, config, backup, "")
	if err != nil || len(steps) < 8 {
		t.Fatal(steps, err)
	}
	former := epochIsWhole(t, whole, backup)
	t.Log(steps)
	planned := slices.Index(steps, "planned")
	for i, step := range steps {
		config, cfg := lost()
		reached, err := restoreIn(t, config, backup, step)
		if err == nil || !slices.Equal(reached, steps[:i+1]) {
			t.Fatalf("%s: it came to %v, %v", step, reached, err)
		}
		if _, err := os.Stat(cfg.LedgerKey); err != nil {
			t.Errorf("%s: there is no key: %v", step, err)
		}
		switch {
		case i < planned: // a start has nothing to start on, and makes nothing
			if _, err := node.Start(t.Context(), cfg); !errors.Is(err, node.ErrRestoring) {
				t.Errorf("%s: a start: %v", step, err)
			}
			if _, err := os.Stat(cfg.State); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: a start made a state: %v", step, err)
			}
			_, err = restoreIn(t, config, backup, "")
		case i%2 == 0:
			_, err = restoreIn(t, config, backup, "")
		default:
			_, err = node.FinishRestore(cfg) // as a start does
		}
		if err != nil {
			t.Errorf("%s: the next one: %v", step, err)
			continue
		}
		if again := epochIsWhole(t, cfg, backup); again != former {
			t.Errorf("%s: another key is kept", step)
		}
	}
	startFinishes(t, lost, backup)
}

// loss is an exchange whose state is lost: each call of lost makes another copy
// of what is left of it, and of the backup there is one.
func loss(t *testing.T) (lost func() (config string, cfg node.Config), backup string) {
	t.Helper()
	x := exchangetest.New(t, exchangetest.Witnessed(nil))
	marked(t, x)
	x.Ask() // so that there is a head that witnesses have cosigned
	cfg, err := x.World.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	backup = filepath.Join(t.TempDir(), "backup")
	if _, err := node.Backup(t.Context(), cfg, backup, node.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	marked(t, x) // is lost
	x.Ask()
	x.Stop()
	if err := os.WriteFile(cfg.LedgerKey+exchange.ErasureListSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(cfg.State); err != nil {
		t.Fatal(err)
	}
	return func() (config string, cfg node.Config) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "world")
		copyTree(t, x.World.Dir, dir)
		config = filepath.Join(dir, demo.ConfigFile)
		raw, err := os.ReadFile(config)
		if err == nil {
			err = os.WriteFile(config, []byte(strings.ReplaceAll(string(raw), x.World.Dir, dir)), 0o600)
		}
		if err == nil {
			cfg, err = node.LoadConfig(config)
		}
		if err != nil {
			t.Fatal(err)
		}
		return config, cfg
	}, backup
}

// copyTree copies a directory, modes included.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		return errors.Join(err, os.Chmod(filepath.Join(to, rel), info.Mode().Perm()))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// startFinishes: a start in the midst of the exchange of keys finishes it, and
// serves.
func startFinishes(t *testing.T, lost func() (string, node.Config), backup string) {
	t.Helper()
	config, cfg := lost()
	if _, err := restoreIn(t, config, backup, "taken.anchor"); err == nil {
		t.Fatal("it was not killed")
	}
	var err error
	if cfg.Policies, err = exchangetest.Policies(); err != nil {
		t.Fatal(err)
	}
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n.Origin() != secondOrigin {
		t.Errorf("it serves %s", n.Origin())
	}
	if err := n.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// epochIsWhole: the state has one new epoch, signed by the key in its place,
// the former one is kept with all that is its own, and nothing else is there.
// It returns the former key.
func epochIsWhole(t *testing.T, cfg node.Config, backup string) (former string) {
	t.Helper()
	key, err := os.ReadFile(cfg.LedgerKey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(strings.TrimSpace(string(key)))
	if err != nil || signer.Origin() != secondOrigin {
		t.Fatalf("the key: %v", err)
	}
	vkey, err := os.ReadFile(cfg.LedgerKey + ".vkey")
	if err != nil || strings.TrimSpace(string(vkey)) != signer.VerifierKey() {
		t.Errorf("the verifier key: %s %v", vkey, err)
	}
	s, err := store.Open(t.Context(), store.Config{Dir: cfg.State})
	if err != nil {
		t.Fatal(err)
	}
	j, err := exchange.OpenJournal(t.Context(), exchange.JournalConfig{Store: s, Signer: signer, AnchorPath: cfg.LedgerKey + ".anchor"})
	if err != nil {
		t.Fatal(err)
	}
	var m node.BackupManifest
	raw, err := os.ReadFile(filepath.Join(backup, "backup.json"))
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	epochs := 0
	err = s.View(t.Context(), func(r exchange.Reader) error {
		head, err := r.Head()
		for i := int64(0); i < head.Size && err == nil; i++ {
			var row *exchange.EntryRow
			if row, err = r.EntryAt(i); err == nil && strings.Contains(string(row.Entry), `"action":"`+string(exchange.ActEpoch)+`"`) {
				epochs++
			}
		}
		if head.Size <= m.Size {
			t.Errorf("%d entries after a backup of %d", head.Size, m.Size)
		}
		return err
	})
	if err = errors.Join(err, j.Close(), s.Close()); err != nil || epochs != 1 {
		t.Errorf("%d epochs were opened, %v", epochs, err)
	}
	found, err := filepath.Glob(cfg.LedgerKey + "*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range found {
		if base := filepath.Base(path); !strings.HasSuffix(base, ".search") && !strings.HasSuffix(base, exchange.ErasureListSuffix) {
			names = append(names, base[len(filepath.Base(cfg.LedgerKey)):])
		}
	}
	kept := ""
	for _, n := range names {
		if strings.HasPrefix(n, ".former-") && !strings.Contains(n[1:], ".") {
			kept = n
		}
	}
	if want := []string{"", ".anchor", kept, kept + ".anchor", kept + ".vkey", kept + ".witnessed", ".vkey"}; kept == "" || !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(want))) {
		t.Errorf("beside the key: %q, want %q", names, want)
	}
	if left, err := filepath.Glob(cfg.State + ".*"); err != nil || len(left) > 0 {
		t.Errorf("beside the state: %v %v", left, err)
	}
	old, err := os.ReadFile(cfg.LedgerKey + kept)
	if err != nil {
		t.Fatal(err)
	}
	return string(old)
}
