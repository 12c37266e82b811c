package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

const secondOrigin = "demo.liaison.example/ledger-2"

// marked seals a package that has a canary in its statement.
func marked(t *testing.T, x *exchangetest.Exchange) *client.Sent {
	t.Helper()
	d := x.Draft(demo.EEtoLV)
	d.Officer, d.Justification = "CANARY-7481", "CANARY-7481 says why this package was sent"
	d.Message.Text = strings.Repeat("large ", 20<<10) // a blob
	sent, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(t.Context(), x.Seal(d))
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// TestBackupAndRestore: a backup is made under load; the exchange goes on,
// erases, and is lost. What is restored is whole, what was erased stays erased,
// old receipts verify against the old key, and the new ledger says what it
// lost.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	ctx := t.Context()
	cfg, err := x.World.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	first := marked(t, x)
	kept := marked(t, x)
	backup := filepath.Join(t.TempDir(), "backup")
	var load sync.WaitGroup
	begun, stop := make(chan struct{}), make(chan struct{})
	load.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(ctx, x.Sealed(demo.EEtoLV)); err != nil {
				t.Error(err)
				return
			}
			if n == 2 {
				close(begun)
			}
		}
	})
	<-begun
	m, err := node.Backup(ctx, cfg, backup, node.BackupOptions{})
	close(stop)
	load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if m.Size < 8 || m.Exchange != demo.Origin || len(m.Files) < 3 {
		t.Errorf("%+v", m)
	}
	if raw := tree(t, backup); bytes.Contains(raw, []byte("PRIVATE+KEY")) {
		t.Error("a key stands in the backup")
	}
	// The exchange goes on: it erases the first package and its entry.
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	for _, edit := range []func(*envelope.Erasure){
		func(o *envelope.Erasure) { o.Package = first.ID() },
		func(o *envelope.Erasure) {
			o.From, o.To = int64(first.Receipt.Entry.Seq), int64(first.Receipt.Entry.Seq)
		},
	} {
		if _, err := dpo.Erase(ctx, x.Order("ee/pbgb", edit)); err != nil {
			t.Fatal(err)
		}
	}
	late := marked(t, x)
	oldKeys, err := audit.ParseKeys([]byte(m.LogKey))
	if err != nil {
		t.Fatal(err)
	}
	x.Stop()
	lost := cfg.State + ".lost"
	if _, err := node.Restore(ctx, cfg, backup, node.Restoration{}); !errors.Is(err, node.ErrStateThere) {
		t.Errorf("over a state: %v", err)
	}
	if err := os.Rename(cfg.State, lost); err != nil {
		t.Fatal(err)
	}
	// Behind what was signed: refused, and nothing is left of the attempt.
	if _, err := node.Restore(ctx, cfg, backup, node.Restoration{}); !errors.Is(err, audit.ErrBehind) {
		t.Errorf("behind: %v", err)
	}
	list := cfg.LedgerKey + exchange.ErasureListSuffix
	saved, err := os.ReadFile(list)
	if err != nil || strings.Contains(string(saved), "CANARY") || !strings.Contains(string(saved), " package "+first.ID()) {
		t.Fatalf("%s, %v", saved, err)
	}
	if err := os.Rename(list, list+".away"); err != nil {
		t.Fatal(err)
	}
	epoch := node.Restoration{NewEpoch: true, Origin: secondOrigin}
	if _, err := node.Restore(ctx, cfg, backup, epoch); !errors.Is(err, node.ErrNoList) {
		t.Errorf("without a list: %v", err)
	}
	if err := os.Rename(list+".away", list); err != nil {
		t.Fatal(err)
	}
	damaged(t, cfg, backup, epoch)
	if _, err := os.Stat(cfg.State); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused attempt left a state: %v", err)
	}
	cfg.Clock = x.Clock.Now
	done, err := node.Restore(ctx, cfg, backup, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if done.Exchange != secondOrigin || done.Lost == 0 || done.ErasedAgain != 2 || done.Kept != m.Size {
		t.Errorf("%+v", done)
	}
	// What was erased stays erased: only the other package's canary is there.
	newKeys, err := audit.ParseKeys([]byte(done.LogKey))
	if err != nil {
		t.Fatal(err)
	}
	x.Start()
	x.Stop()
	p := x.Parts(exchangetest.PartsConfig{})
	err = p.Store.View(ctx, func(rows exchange.Reader) error {
		gone, err := rows.Package(first.ID())
		if err != nil || gone == nil || !gone.Erased || gone.ContentBlob != "" {
			t.Errorf("%+v, %v", gone, err)
		}
		if there, err := rows.Package(kept.ID()); err != nil || there == nil || there.Erased {
			t.Errorf("%+v, %v", there, err)
		}
		if never, err := rows.Package(late.ID()); err != nil || never != nil {
			t.Errorf("%+v, %v", never, err)
		}
		row, err := rows.Entry("ee/pbgb", first.Receipt.Entry.Seq)
		if err != nil || row.Entry != nil || row.Salt != nil || row.Erasure == nil || row.Erasure.Why != "restored" {
			t.Errorf("%+v, %v", row, err)
		}
		verifyAll(t, rows, newKeys, p.Journal.Checkpoint(), x.World.Agencies)
		return epochEntry(t, rows, done, m)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(blobPath(cfg.State, first.ID())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the erased content is there: %v", err)
	}
	p.Close()
	// Receipts of before verify against the key of before, and no other.
	for _, sent := range []*client.Sent{first, kept, late} {
		r, err := audit.ParseReceipt(sent.Receipt.Text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Verify(oldKeys, nil); err != nil {
			t.Errorf("old receipt: %v", err)
		}
		if _, err := r.Verify(newKeys, nil); err == nil {
			t.Error("an old receipt verifies against the new key")
		}
	}
	secondLoss(t, x, cfg, backup)
}

// secondLoss loses the restored state, and restores the same backup once more:
// what was erased in the first epoch stays erased, and numbers that the second
// one gave anew are not taken for those of the first.
func secondLoss(t *testing.T, x *exchangetest.Exchange, cfg node.Config, backup string) {
	t.Helper()
	if err := os.Rename(cfg.State, cfg.State+".lost-2"); err != nil {
		t.Fatal(err)
	}
	done, err := node.Restore(t.Context(), cfg, backup, node.Restoration{NewEpoch: true, Origin: "demo.liaison.example/ledger-3"})
	if err != nil || done.ErasedAgain < 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	x.Start()
}

// epochEntry: the first entry of the epoch names the old head and what is lost.
func epochEntry(t *testing.T, rows exchange.Reader, done *node.Restored, m *node.BackupManifest) error {
	t.Helper()
	row, err := rows.EntryAt(m.Size)
	if err != nil {
		return err
	}
	e, err := audit.ParseEntry(row.Entry)
	if err != nil {
		return err
	}
	if e.Action != string(exchange.ActEpoch) || e.Owner != demo.Operator || e.Exchange != secondOrigin || e.Details["former"] != demo.Origin || e.Details["lost"] == "" || e.Details["kept"] == "" {
		t.Errorf("%+v", e)
	}
	return nil
}

// verifyAll proves the logs of all owners by the new head, and what they had
// before by their former origin.
func verifyAll(t *testing.T, rows exchange.Reader, keys audit.Keys, note []byte, owners []string) {
	t.Helper()
	head, err := audit.OpenCheckpoint(note, keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, owner := range owners {
		all, err := rows.Entries(owner, 0, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		items := func(yield func(audit.Item, error) bool) {
			for _, r := range all {
				if !yield(audit.Item{Owner: r.Owner, Seq: r.Seq, Index: r.Index, Commitment: r.Commitment, Entry: r.Entry, Salt: r.Salt, Erased: r.Entry == nil}, nil) {
					return
				}
			}
		}
		log := audit.OwnerLog{Owner: owner, Checkpoint: head, Hashes: rows}
		if len(all) > 0 {
			if report, err := audit.VerifyOwner(items, log); err == nil && report.Err() == nil && owner == "ee/pbgb" {
				t.Errorf("%s: entries of another ledger went unnoticed", owner)
			}
		}
		log.Former = []string{demo.Origin}
		report, err := audit.VerifyOwner(items, log)
		if err = errors.Join(err, report.Err()); err != nil {
			t.Errorf("%s: %v", owner, err)
		}
	}
}

// damaged: a backup of which any file differs in a byte, is cut, or is gone, is
// refused, wherever that is: also where no entry and no page of SQLite would
// tell.
func damaged(t *testing.T, cfg node.Config, backup string, how node.Restoration) {
	t.Helper()
	var m node.BackupManifest
	raw, err := os.ReadFile(filepath.Join(backup, "backup.json"))
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil || len(m.Files) < 3 {
		t.Fatal(m, err)
	}
	for _, f := range m.Files {
		path := filepath.Join(backup, filepath.FromSlash(f.Path))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		harm := bytes.Clone(whole)
		harm[len(harm)/2] ^= 1
		for what, raw := range map[string][]byte{"a byte": harm, "cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 0), "gone": nil} {
			err := os.WriteFile(path, raw, 0o600)
			if raw == nil {
				err = os.Remove(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := node.Restore(t.Context(), cfg, backup, how); !errors.Is(err, node.ErrBackup) {
				t.Errorf("%s, %s: %v", f.Path, what, err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// blobPath is where the content of a package lies.
func blobPath(state, id string) string {
	found, err := filepath.Glob(filepath.Join(state, "blobs", id[len(id)-2:], id+".*"))
	if err != nil || len(found) == 0 {
		return filepath.Join(state, "blobs", "none")
	}
	return found[0]
}

// tree is all bytes below a directory.
func tree(t *testing.T, dir string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		all = append(all, raw...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRestoreOfTheWhole: a backup of all that was signed goes on as it was.
func TestRestoreOfTheWhole(t *testing.T) {
	t.Parallel()
	x := exchangetest.New(t)
	sent := marked(t, x)
	cfg, err := x.World.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	x.Stop()
	backup := filepath.Join(t.TempDir(), "backup")
	if _, err := node.Backup(context.WithoutCancel(t.Context()), cfg, backup, node.BackupOptions{WithKeys: true}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(tree(t, backup), []byte("PRIVATE+KEY")) {
		t.Error("the keys were asked for")
	}
	if err := os.RemoveAll(cfg.State); err != nil {
		t.Fatal(err)
	}
	done, err := node.Restore(t.Context(), cfg, backup, node.Restoration{NoErasures: true})
	if err != nil || done.Former != "" || done.Lost != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	x.Start()
	if d, err := x.As("lv/vp", certs.RoleUnit).Package(t.Context(), sent.ID()); err != nil || d.State != "delivered" {
		t.Errorf("%+v, %v", d, err)
	}
}
