package node_test

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/node"
)

// TestRestoreWhereItCannot: what stands in the way of a restoration is said
// before anything has changed, or is none of its business.
func TestRestoreWhereItCannot(t *testing.T) {
	t.Parallel()
	lost, backup := loss(t)
	t.Run("beside what it cannot open", func(t *testing.T) {
		config, cfg := lost()
		tooDeep(t, filepath.Dir(cfg.State))
		if _, err := restoreIn(t, config, backup, ""); err != nil {
			t.Fatal(err)
		}
		epochIsWhole(t, cfg, backup)
	})
	t.Run("a state with a slash at its end", func(t *testing.T) {
		config, cfg := lost()
		raw, err := os.ReadFile(config)
		if err == nil {
			line := regexp.MustCompile("(?m)^state: .*$")
			err = os.WriteFile(config, line.ReplaceAll(raw, []byte("state: "+cfg.State+"/")), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if again, err := node.LoadConfig(config); err != nil || again.State != cfg.State {
			t.Errorf("%s: %v", again.State, err)
		}
		if _, err := restoreIn(t, config, backup, ""); err != nil {
			t.Fatal(err)
		}
		epochIsWhole(t, cfg, backup)
	})
	t.Run("a link", func(t *testing.T) {
		_, cfg := lost()
		if err := os.Symlink(t.TempDir(), cfg.State); err != nil {
			t.Fatal(err)
		}
		refused(t, cfg, backup, node.ErrNoPlace)
	})
	t.Run("a mount point", func(t *testing.T) {
		if err := node.ClearPlace(node.Config{State: "/dev/"}); !errors.Is(err, node.ErrNoPlace) {
			t.Error(err)
		}
	})
	t.Run("an empty directory", func(t *testing.T) {
		config, cfg := lost()
		if err := os.Mkdir(cfg.State, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := restoreIn(t, config, backup, ""); err != nil {
			t.Fatal(err)
		}
		epochIsWhole(t, cfg, backup)
	})
	t.Run("something came into its place", func(t *testing.T) { // since the plan
		config, cfg := lost()
		if _, err := restoreIn(t, config, backup, "planned"); err == nil {
			t.Fatal("it was not killed")
		}
		stands := filepath.Join(cfg.State, "stands")
		if err := errors.Join(os.Mkdir(cfg.State, 0o700), os.WriteFile(stands, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		keyStays(t, cfg, func() {
			if _, err := node.FinishRestore(cfg); err == nil || !strings.Contains(err.Error(), "where something is") {
				t.Error(err)
			}
		})
		if err := os.Remove(stands); err != nil {
			t.Fatal(err)
		}
		if _, err := node.FinishRestore(cfg); err != nil {
			t.Fatal(err)
		}
		epochIsWhole(t, cfg, backup)
	})
	t.Run("what was to be put there is gone", func(t *testing.T) {
		config, cfg := lost()
		if _, err := restoreIn(t, config, backup, "planned"); err == nil {
			t.Fatal("it was not killed")
		}
		beside := cfg.State + ".restoring"
		if err := os.Rename(beside, cfg.State+"-away"); err != nil {
			t.Fatal(err)
		}
		keyStays(t, cfg, func() {
			refused(t, cfg, backup, node.ErrRestoring)
			if _, err := node.Start(t.Context(), cfg); !errors.Is(err, node.ErrRestoring) {
				t.Errorf("a start: %v", err)
			}
		})
		if err := os.Rename(cfg.State+"-away", beside); err != nil { // as it says
			t.Fatal(err)
		}
		if _, err := node.FinishRestore(cfg); err != nil {
			t.Fatal(err)
		}
		epochIsWhole(t, cfg, backup)
	})
	t.Run("beside another one", func(t *testing.T) {
		config, cfg := lost()
		for _, at := range []string{"unpacked", "planned", "moved", "taken"} {
			besideAnother(t, config, cfg, backup, at)
			epochIsWhole(t, cfg, backup)
			config, cfg = lost()
		}
	})
}

// tooDeep makes directories whose path nobody can open, whoever asks.
func tooDeep(t *testing.T, dir string) {
	t.Helper()
	at, err := os.OpenRoot(dir)
	for n := 0; err == nil && n < 20; n++ {
		name := strings.Repeat("d", 250)
		var below *os.Root
		if err = at.Mkdir(name, 0o700); err == nil {
			below, err = at.OpenRoot(name)
		}
		err = errors.Join(err, at.Close())
		at = below
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
}

// refused: a restoration is refused, and nothing is in the place of the state.
func refused(t *testing.T, cfg node.Config, backup string, want error) {
	t.Helper()
	if _, err := node.Restore(t.Context(), cfg, backup, node.Restoration{NewEpoch: true, Origin: secondOrigin}); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	if _, err := os.Stat(filepath.Join(cfg.State, "exchange.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a state: %v", err)
	}
	if _, err := os.Stat(cfg.State + ".restoring"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

// keyStays: what f does leaves the ledger's key, and the plan that is to be
// carried out.
func keyStays(t *testing.T, cfg node.Config, f func()) {
	t.Helper()
	before, err := os.ReadFile(cfg.LedgerKey)
	if err != nil {
		t.Fatal(err)
	}
	f()
	if after, err := os.ReadFile(cfg.LedgerKey); err != nil || string(after) != string(before) {
		t.Errorf("the key is another: %v", err)
	}
	if _, err := os.Stat(cfg.State + ".restoring.json"); err != nil {
		t.Errorf("the plan is gone: %v", err)
	}
}

// besideAnother: while a restoration stands at a step, a second one and a start
// are refused, and it ends as if it had been alone.
func besideAnother(t *testing.T, config string, cfg node.Config, backup, at string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first := exec.CommandContext(t.Context(), self)
	first.Env = append(os.Environ(), restoreConfig+"="+config, restoreFrom+"="+backup, restoreHalt+"="+at)
	first.Stderr = os.Stderr
	goOn, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && lines.Text() != at {
	}
	if lines.Text() != at {
		t.Fatalf("it never came to %s", at)
	}
	if _, err := node.Restore(t.Context(), cfg, backup, node.Restoration{NewEpoch: true, Origin: secondOrigin}); !errors.Is(err, node.ErrRestores) {
		t.Errorf("%s: a second one: %v", at, err)
	}
	if _, err := node.Start(t.Context(), cfg); !errors.Is(err, node.ErrRestores) {
		t.Errorf("%s: a start: %v", at, err)
	}
	if err := goOn.Close(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := first.Wait(); err != nil {
		t.Errorf("%s: %v", at, err)
	}
}

// TestDiscardTakesThePlanFirst: what a plan needs goes after the plan, or stays.
func TestDiscardTakesThePlanFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := node.Config{State: filepath.Join(dir, "state"), LedgerKey: filepath.Join(dir, "key")}
	beside, plan := cfg.State+".restoring", cfg.State+".restoring.json"
	stuck := filepath.Join(plan, "in the way")
	if err := errors.Join(os.Mkdir(beside, 0o700), os.MkdirAll(stuck, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := node.Discard(cfg); err == nil {
		t.Error("the plan was removed")
	}
	if _, err := os.Stat(beside); err != nil {
		t.Errorf("what the plan needs is gone: %v", err)
	}
	if err := errors.Join(os.RemoveAll(plan), os.WriteFile(plan, nil, 0o600), node.Discard(cfg)); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
