package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/cmd/liaison/doctor"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/witness"
)

// expects fails unless a finding of a check and a subject, which may be a part
// of it, has a state and says something.
func expects(t *testing.T, found []doctor.Finding, check, subject string, state doctor.State, text string) {
	t.Helper()
	for _, f := range found {
		if f.Check == check && strings.Contains(f.Subject, subject) && f.State == state && strings.Contains(f.Text, text) && (state == doctor.OK) == (f.Fix == "") {
			return
		}
	}
	t.Errorf("not found: %s of %s, %s, %q in\n%s", check, subject, state, text, lines(found))
}

// TestWitnessesOfAnExchange: who can be asked, how old what they cosigned is,
// and from when on nothing new is taken.
func TestWitnessesOfAnExchange(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Witnessed(nil))
	x.Ask()
	cfg, err := x.World.NodeConfig()
	must(t, err)
	file := filepath.Join(x.World.Dir, demo.ConfigFile)
	examine := func(later time.Duration) []doctor.Finding {
		t.Helper()
		must(t, node.WriteConfig(file, cfg))
		return doctor.Exchange(t.Context(), doctor.ExchangeConfig{File: file, Now: func() time.Time { return x.Clock.Now().Add(later) }})
	}
	expects(t, examine(0), "witnesses", demo.ConfigFile, doctor.Warning, "there are none")
	cfg.Witnesses = x.Witnesses.Config
	found := examine(0)
	for _, name := range []string{"/lv/vp", "/ua/npu"} {
		expects(t, found, "witness", name, doctor.OK, "answers at http://")
		expects(t, found, "cosignature", name, doctor.OK, "on the head of ")
	}
	expects(t, found, "witnesses", ".witnessed", doctor.OK, "1 of 2 cosign; the newest head that had its quorum")
	expects(t, examine(11*time.Minute), "witnesses", ".witnessed", doctor.Warning, "11m")
	expects(t, examine(4*time.Hour+time.Minute), "witnesses", ".witnessed", doctor.Fault, "more than the 4h0m0s for which the exchange goes on")
	x.Witnesses.Down(true, "lv/vp")
	found = examine(0)
	expects(t, found, "witness", "/lv/vp", doctor.Warning, "not reached")
	expects(t, found, "witness", "/ua/npu", doctor.OK, "answers")
	if n := doctor.Faults(found); n != 0 {
		t.Errorf("one witness that is down is %d faults", n)
	}

	kept := cfg.LedgerKey + ".witnessed"
	raw, err := os.ReadFile(kept)
	must(t, err)
	must(t, os.WriteFile(kept, []byte(strings.Replace(string(raw), demo.Origin, demo.Origin+"-2", 1)), 0o600))
	expects(t, examine(0), "witnesses", ".witnessed", doctor.Fault, "not of this ledger")
	must(t, os.WriteFile(kept, []byte(`{"since":"`+audit.FormatTime(x.Clock.Now())+`"}`), 0o600))
	expects(t, examine(0), "witnesses", ".witnessed", doctor.Warning, "no head had its quorum of 1 of 2 yet")
	expects(t, examine(5*time.Hour), "witnesses", ".witnessed", doctor.Fault, "no head had its quorum")
	must(t, os.Remove(kept))
	expects(t, examine(0), "witnesses", ".witnessed", doctor.Warning, "no witness has been asked yet")
}

// TestWitness: the directory of a witness of one's own, while it runs or not.
func TestWitness(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Witnessed(nil))
	x.Ask()
	examine := func(dir string, later time.Duration) []doctor.Finding {
		t.Helper()
		before := ""
		if _, err := os.Stat(dir); err == nil {
			before = snapshot(t, dir)
		}
		found := doctor.Witness(doctor.WitnessConfig{Dir: dir, Now: func() time.Time { return x.Clock.Now().Add(later) }})
		if before != "" && snapshot(t, dir) != before {
			t.Error("the doctor changed the directory")
		}
		return found
	}
	running := x.World.WitnessDir("lv/vp")
	found := examine(running, time.Minute)
	if n := doctor.Faults(found); n != 0 {
		t.Errorf("%d faults:\n%s", n, lines(found))
	}
	expects(t, found, "running", "lv-vp", doctor.OK, "a process serves")
	expects(t, found, "ledger", demo.Origin, doctor.OK, "1m")
	expects(t, found, "verifier key", witness.FileVKey, doctor.OK, "witness.demo.liaison.example/lv/vp+")
	expects(t, examine(running, time.Hour), "ledger", demo.Origin, doctor.Warning, "nobody asks")

	own := filepath.Join(t.TempDir(), "own")
	expects(t, examine(own, 0), "private file", witness.FileKey, doctor.Fault, "no such file")
	_, err := witness.Init(own, "witness.it.example/dcpc")
	must(t, err)
	found = examine(own, 0)
	expects(t, found, "running", "own", doctor.Warning, "no process")
	expects(t, found, "ledger", "own", doctor.Warning, "no ledger is watched")
	raw, err := os.ReadFile(filepath.Join(x.World.Dir, "ledger", "log.vkey"))
	must(t, err)
	keys, err := audit.ParseKeys(raw)
	must(t, err)
	must(t, witness.Watch(own, keys))
	expects(t, examine(own, 0), "ledger", demo.Origin, doctor.Warning, "no head of it was ever cosigned")
	must(t, os.WriteFile(filepath.Join(own, witness.FileVKey), []byte("x\n"), 0o644))
	expects(t, examine(own, 0), "verifier key", witness.FileVKey, doctor.Fault, "not the public key")
	heads, err := filepath.Glob(filepath.Join(own, "*.head"))
	must(t, err)
	must(t, os.Remove(heads[0]))
	expects(t, examine(own, 0), "witness", "own", doctor.Fault, "gone")
	must(t, os.Chmod(filepath.Join(own, witness.FileKey), 0o640))
	expects(t, examine(own, 0), "private file", witness.FileKey, doctor.Fault, "others may read")
}
