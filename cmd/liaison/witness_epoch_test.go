package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// command is the program with arguments, as a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProcess+"=1")
	return cmd
}

// prints runs the program, and returns all that it says.
func prints(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := command(t, args...).CombinedOutput()
	return string(out), err
}

// says runs the program and fails unless it says each text.
func says(t *testing.T, args []string, texts ...string) string {
	t.Helper()
	out, err := prints(t, args...)
	if err != nil {
		t.Fatalf("liaison %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("liaison %s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
	return out
}

// witnessProcess is a witness that runs as a process of its own.
type witnessProcess struct {
	cmd     *exec.Cmd
	log     *exchangetest.Log
	Address string
	VKey    string
	dir     string
}

// runWitness starts a witness; listen keeps its address over a restart.
func runWitness(t *testing.T, dir, listen string) *witnessProcess {
	t.Helper()
	p := &witnessProcess{cmd: command(t, "witness", "run", dir, "--listen", listen), log: &exchangetest.Log{}, dir: dir}
	out, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(io.TeeReader(out, p.log))
	for p.Address == "" && lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), p); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
	}
	if p.Address == "" {
		t.Fatalf("the witness does not run: %s", p.log)
	}
	go func() { _, _ = io.Copy(p.log, out) }()
	return p
}

func (p *witnessProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// TestWitnessesMeetANewEpoch, with the real program: an exchange is lost, and
// goes on from a backup as a new epoch. No witness follows by itself: each says
// that it does not know that ledger, and cosigns nothing; the exchange says so,
// too. Once the operators of the witnesses have added it, the new ledger is
// witnessed; the old one is ended, and never watched again.
func TestWitnessesMeetANewEpoch(t *testing.T) {
	const origin2 = "demo.liaison.example/ledger-2"
	w, err := demo.Build(demo.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := w.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Witnesses = &node.Witnesses{Quorum: 1, Every: node.Duration(50 * time.Millisecond)}
	var witnesses []*witnessProcess
	for _, agency := range demo.Witnessing {
		p := runWitness(t, w.WitnessDir(agency), "127.0.0.1:0")
		witnesses = append(witnesses, p)
		cfg.Witnesses.Members = append(cfg.Witnesses.Members, node.WitnessMember{VKey: p.VKey, URL: "http://" + p.Address})
	}
	config := filepath.Join(w.Dir, demo.ConfigFile)
	if err := node.WriteConfig(config, cfg); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.LedgerKey+exchange.ErasureListSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server := startServer(t, w)
	ee, dpo := w.Profile("ee/pbgb", certs.RoleUnit), w.Profile("ee/pbgb", certs.RoleDPO)
	dir := t.TempDir()
	send := func(receipt string) []string {
		t.Helper()
		return []string{"send", "--profile", ee, "--to", "lv/vp", "--meta", filepath.Join(w.Dir, "meta", "ee-lv.json"), "--reason", "Findings of the joint investigation", "--receipt", filepath.Join(dir, receipt), "Hello Riga"}
	}
	upgrade := func(receipt string) []string {
		return []string{"receipt", "upgrade", filepath.Join(dir, receipt), "--profile", ee, "--wait", "60s", "-o", filepath.Join(dir, "witnessed-"+receipt)}
	}
	says(t, send("first.txt"))
	says(t, upgrade("first.txt"), "included and witnessed by")
	backup := filepath.Join(dir, "backup")
	says(t, []string{"backup", "--config", config, "-o", backup})
	says(t, send("lost.txt"))
	says(t, upgrade("lost.txt"), "included and witnessed by") // so the witnesses know more than the backup has
	server.Kill()

	// The state is lost.
	if err := os.RemoveAll(cfg.State); err != nil {
		t.Fatal(err)
	}
	says(t, []string{"restore", backup, "--config", config, "--new-epoch", "--origin", origin2}, "goes on as "+origin2)
	newKey, err := os.ReadFile(cfg.LedgerKey + ".vkey")
	if err != nil {
		t.Fatal(err)
	}
	server = startServer(t, w)
	for _, role := range []string{certs.RoleUnit, certs.RoleDPO} { // as docs/operations.md says
		profile := w.Profile("ee/pbgb", role)
		old, err := os.ReadFile(filepath.Join(profile, client.FileLedger))
		if err == nil {
			err = os.WriteFile(filepath.Join(profile, client.FileFormer), old, 0o600)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(profile, client.FileLedger), newKey, 0o600)
		}
		if err == nil {
			_ = os.Remove(filepath.Join(profile, client.FileCheckpoint))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	says(t, send("second.txt"))

	// Nobody follows by itself.
	for _, p := range witnesses {
		for !strings.Contains(p.log.String(), "does not watch asks for a cosignature") {
			if _, err := prints(t, "witness", "show", p.dir); err != nil || t.Context().Err() != nil {
				t.Fatalf("the witness says nothing of the new ledger: %s", p.log)
			}
		}
		if !strings.Contains(p.log.String(), origin2) {
			t.Errorf("it does not say which: %s", p.log)
		}
		if out := says(t, []string{"witness", "show", p.dir}, demo.Origin); strings.Contains(out, origin2) {
			t.Errorf("it follows by itself: %s", out)
		}
	}
	if !strings.Contains(server.Log.String(), "does not watch this ledger: give it the ledger's verifier key") {
		t.Errorf("the exchange does not say why: %s", server.Log)
	}
	says(t, []string{"doctor", "--config", config}, "no head had its quorum of 1 of 2 yet", "of a new epoch's ledger each has to be told")
	if out, err := prints(t, "receipt", "upgrade", filepath.Join(dir, "second.txt"), "--profile", ee); err == nil {
		t.Errorf("it is witnessed by nobody: %s", out)
	}
	verify := []string{"audit", "verify", "--profile", dpo, "--reason", "Check after the loss of the state"}
	if out := says(t, verify); strings.Contains(out, "cosigned the head") && !strings.Contains(out, "0 of 2") {
		t.Errorf("%s", out)
	}

	// Their operators were told why, and add it.
	keyFile := filepath.Join(dir, "new.vkey")
	if err := os.WriteFile(keyFile, newKey, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, p := range witnesses {
		says(t, []string{"witness", "watch", p.dir, "--log-key", keyFile}, origin2+" is watched", "another ledger than "+demo.Origin, "nothing has proven", "Start the witness again")
		p.kill()
		witnesses[i] = runWitness(t, p.dir, p.Address)
	}
	says(t, upgrade("second.txt"), "included and witnessed by")
	says(t, verify, "of 2 cosigned the head")
	for _, p := range witnesses {
		says(t, []string{"witness", "show", p.dir}, demo.Origin, origin2)
		says(t, []string{"witness", "end", p.dir, "--ledger", demo.Origin}, "is kept")
		if out, err := prints(t, "witness", "watch", p.dir, "--log-key", filepath.Join(w.Dir, "ledger", "log.vkey")); err == nil || !strings.Contains(out, "has ended") {
			t.Errorf("the ended ledger is watched again: %v %s", err, out)
		}
		if out := says(t, []string{"witness", "show", p.dir}, origin2); slices.Contains(strings.Fields(out), demo.Origin) {
			t.Errorf("it has ended: %s", out)
		}
		says(t, []string{"doctor", "--witness", p.dir}, "head of ", origin2)
	}
	old, err := os.ReadFile(filepath.Join(dir, "witnessed-lost.txt"))
	if err != nil || !bytes.Contains(old, []byte("witness.demo.liaison.example/")) {
		t.Fatalf("%s %v", old, err)
	}
	former, err := filepath.Glob(cfg.LedgerKey + ".former-*.vkey")
	if err != nil || len(former) != 1 {
		t.Fatal(former, err)
	}
	says(t, []string{"receipt", "verify", filepath.Join(dir, "witnessed-lost.txt"), "--log-key", former[0]}, "included")
}
