package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// copiedLog is a small log that was copied by command, and how to verify it.
type copiedLog struct {
	dir, profile string
	offline      shell
	key          string
}

func newCopiedLog(t *testing.T) copiedLog {
	t.Helper()
	x := exchangetest.New(t, exchangetest.Witnessed(nil))
	_, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(x.Draft(demo.EEtoLV)))
	must(t, err)
	x.Ask()
	dpo := shell{t: t, profile: x.World.Profile("ee/pbgb", certs.RoleDPO), now: x.Clock.Now}
	dir := filepath.Join(t.TempDir(), "copy")
	dpo.run("audit", "copy", dir, "--reason", testReason).exits(exitDone).says("whole and unchanged", "2 of 2 cosigned the head")
	key, err := os.ReadFile(filepath.Join(x.World.Dir, "ledger", "log.vkey"))
	must(t, err)
	return copiedLog{dir: dir, profile: dpo.profile, offline: shell{t: t, profile: dpo.profile, now: x.Clock.Now}, key: strings.TrimSpace(string(key))}
}

// verify is the command without its process: the report.
func (c copiedLog) verify(t *testing.T) auditReport {
	t.Helper()
	return lines[auditReport](c.offline.run("audit", "verify", "--dir", c.dir, "--json"))[0]
}

// TestCopyEveryByte: whichever byte of whichever file of a copy is another, a file is cut off or gone, the verifier says so.
func TestCopyEveryByte(t *testing.T) {
	t.Parallel()
	c := newCopiedLog(t)
	if r := c.verify(t); r.Verdict != "whole" || r.Witnessed != 2 || r.Seen == 0 {
		t.Fatalf("%+v", r)
	}
	var files []string
	must(t, filepath.WalkDir(c.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	}))
	if len(files) < 5 {
		t.Fatalf("only %q", files)
	}
	for _, file := range files {
		good, err := os.ReadFile(file)
		must(t, err)
		name, err := filepath.Rel(c.dir, file)
		must(t, err)
		spoil := func(what string, data []byte) {
			t.Helper()
			must(t, os.WriteFile(file, data, 0o600))
			r := c.verify(t)
			if r.Verdict != "faulty" || len(r.Faults) == 0 || r.Faults[0].Kind.Means() == "" || r.Faults[0].Kind.Do() == "" {
				t.Fatalf("%s, %s: %+v", name, what, r)
			}
		}
		for at := 0; at < len(good); at += 1 + len(good)/150 {
			harmed := bytes.Clone(good)
			harmed[at] ^= 1 << (at % 7)
			if harmless(good, harmed) {
				continue
			}
			spoil("a byte", harmed)
		}
		spoil("cut off", good[:len(good)/2])
		spoil("empty", nil)
		must(t, os.WriteFile(file, good, 0o600))
	}
	if r := c.verify(t); r.Verdict != "whole" {
		t.Errorf("as it was: %+v", r)
	}
}

// harmless: lines that verify as they did. A cosignature whose name is
// another's, or that is of an unknown key, is none of the witness's.
func harmless(good, harmed []byte) bool {
	a, b := bytes.LastIndex(good, []byte("— witness.")), 0
	for b < len(good) && good[b] == harmed[b] {
		b++
	}
	first := bytes.Index(good, []byte("— witness."))
	return a >= 0 && b >= first
}

// TestVerifyHeads: a copy is held against the newest head that the profile has verified, and against the witnesses.
func TestVerifyHeads(t *testing.T) {
	t.Parallel()
	c := newCopiedLog(t)
	seen := filepath.Join(c.profile, client.FileCheckpoint)
	kept, err := os.ReadFile(seen)
	must(t, err)
	faulty := func(what string, kind audit.FaultKind, text string) {
		t.Helper()
		r := c.offline.run("audit", "verify", "--dir", c.dir)
		r.exits(exitUnverified).says("NOT proven", text, "("+string(kind)+")", "means  ", "do     ")
	}
	// Another head of the same size, signed by the same ledger.
	cp, err := os.ReadFile(filepath.Join(c.dir, copiedCheckpoint))
	must(t, err)
	keys, err := audit.ParseKeys([]byte(c.key))
	must(t, err)
	head, err := audit.OpenCheckpoint(cp, keys)
	must(t, err)
	skey, err := os.ReadFile(filepath.Join(c.profile, "..", "..", "ledger", "ledger.key"))
	must(t, err)
	signer, err := audit.NewSigner(strings.TrimSpace(string(skey)))
	must(t, err)
	head.Root[0] ^= 1
	for _, size := range []int64{head.Size, head.Size - 1} {
		other, err := signer.Checkpoint(size, head.Root)
		must(t, err)
		must(t, os.WriteFile(seen, other, 0o600))
		faulty("another head was seen", audit.FaultHead, "newest head that this profile has verified")
	}
	newer, err := signer.Checkpoint(head.Size+100, head.Root)
	must(t, err)
	must(t, os.WriteFile(seen, newer, 0o600))
	c.offline.run("audit", "verify", "--dir", c.dir).exits(exitDone).says("it is newer")
	must(t, os.WriteFile(seen, kept, 0o600))

	note, err := os.ReadFile(filepath.Join(c.dir, copiedWitnessed))
	must(t, err)
	other, err := signer.Checkpoint(head.Size-1, head.Root)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(c.dir, copiedWitnessed), append(other, note[bytes.Index(note, []byte("— witness.")):]...), 0o600))
	faulty("cosignatures of another head", audit.FaultCosignature, "wrong cosignature")
	must(t, os.WriteFile(filepath.Join(c.dir, copiedWitnessed), other, 0o600))
	faulty("another head, of the ledger alone", audit.FaultHead, "newest witnessed head")
	must(t, os.Remove(filepath.Join(c.dir, copiedWitnessed)))
	must(t, os.WriteFile(filepath.Join(c.profile, client.FileWitnesses), nil, 0o600))
	c.offline.run("audit", "verify", "--dir", c.dir).exits(exitDone).says("none known to you")
}
