package exchange_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestInvariant2ReceiptsOutliveACrash takes what is on disk at the moment
// after the last answer, as a crash would leave it, and goes on from there:
// every receipt that left still verifies, belongs to the one history, and is
// given again byte for byte.
func TestInvariant2ReceiptsOutliveACrash(t *testing.T) {
	t.Parallel()
	x := start(t)
	ee, lv := x.As("ee/pbgb", certs.RoleUnit), x.As("lv/vp", certs.RoleUnit)
	var sealed []*envelope.Sealed
	var receipts []*client.Receipt
	for range 5 {
		s := x.Seal(draft(x, demo.EEtoLVUA))
		sent, err := ee.PostSealed(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		sealed, receipts = append(sealed, s), append(receipts, sent.Receipt)
	}
	d, err := lv.Package(t.Context(), sealed[0].JTI)
	if err != nil {
		t.Fatal(err)
	}
	acknowledgement := acknowledgementOf(t, x, "lv/vp", d)
	first := acknowledge(t, x, d.ID, acknowledgement)
	receipts = append(receipts, receiptOf(t, x, first))
	denied := x.Seal(draft(x, demo.ITtoBY))
	sent, err := x.As("it/dcpc", certs.RoleUnit).PostSealed(t.Context(), denied)
	if err == nil {
		t.Fatal("Italy to Belarus was accepted")
	}
	receipts = append(receipts, sent.Receipt)

	image := t.TempDir()
	for _, name := range []string{"exchange.db", "exchange.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(x.World.Dir, "state", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(image, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x.Stop()
	if err := os.RemoveAll(filepath.Join(x.World.Dir, "state")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(image, filepath.Join(x.World.Dir, "state")); err != nil {
		t.Fatal(err)
	}
	x.Start()

	ee = x.As("ee/pbgb", certs.RoleUnit) // knows the newest head from its profile
	for i, s := range sealed {
		again, err := ee.PostSealed(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Repeat || again.Receipt.Text != receipts[i].Text {
			t.Errorf("package %d: repeat %v, receipt changed", i, again.Repeat)
		}
	}
	second := acknowledge(t, x, d.ID, acknowledgement)
	if second.Status != 200 || string(second.Body) != string(first.Body) {
		t.Errorf("acknowledgement again: %d %s\nfirst: %s", second.Status, second.Body, first.Body)
	}
	verifyReceipts(t, x, receipts)
}

// verifyReceipts verifies receipts with the ledger's public key alone, and
// proves that the ledger as it is now extends the head in each.
func verifyReceipts(t testing.TB, x *exchangetest.Exchange, receipts []*client.Receipt) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(x.World.Dir, "ledger", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := audit.ParseKeys(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := x.As("ua/npu", certs.RoleDPO)
	head, err := c.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hashes := c.Hashes(t.Context(), head)
	for i, r := range receipts {
		parsed, err := audit.ParseReceipt(r.Text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parsed.Verify(keys, nil)
		if err != nil {
			t.Errorf("receipt %d: %v", i, err)
			continue
		}
		if err := audit.VerifyExtends(v.Checkpoint, head, hashes); err != nil {
			t.Errorf("receipt %d is of another history: %v", i, err)
		}
	}
}
