package node_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// canary stands in all that an exchange keeps of persons.
const canary = "CANARY-kapteeni-Tammsaare-7481-pimedal-teel"

// sightings counts the canary below some paths, as it is and in base64 at each
// offset.
func sightings(t *testing.T, paths ...string) (n int, where []string) {
	t.Helper()
	forms := [][]byte{[]byte(canary[:24]), []byte(canary[10:34])}
	for offset := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString([]byte(strings.Repeat("x", offset) + canary))
			forms = append(forms, []byte(s[4:24]), []byte(s[24:len(s)-4]))
		}
	}
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			raw, err := os.ReadFile(path)
			if os.IsNotExist(err) { // it comes and goes while the exchange runs
				return nil
			}
			found := 0
			for _, form := range forms {
				found += bytes.Count(raw, form)
			}
			if n += found; found > 0 {
				where = append(where, path)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return n, where
}

// TestErasedIsNowhere: what an order erased is in no file of the exchange, its
// search index and its witnesses included, nor in what the security monitor was
// told, nor in a backup that is made afterwards. One that was made before has
// it, until it is deleted.
func TestErasedIsNowhere(t *testing.T) {
	t.Parallel()
	told := filepath.Join(t.TempDir(), "siem.jsonl")
	x := exchangetest.New(t, exchangetest.Witnessed(nil), exchangetest.Configure(func(c *node.Config) { c.SIEM = &node.SIEM{File: told} }))
	ctx := t.Context()
	cfg, err := x.World.NodeConfig()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i := range 12 { // marked and others in turn, small and large
		d := x.Draft(demo.EEtoLV)
		d.Message.Text = strings.Repeat("large ", i*2<<10)
		if i%2 == 0 {
			d.Officer, d.Justification, d.About["case_ref"] = canary, canary+" says why this package was sent", canary
		}
		sent, err := x.As("ee/pbgb", certs.RoleUnit).PostSealed(ctx, x.Seal(d))
		if err != nil {
			t.Fatal(err)
		}
		ids[sent.ID()] = i%2 == 0
	}
	monitored(t, x, told)
	indexed(t, x, len(ids))
	before, after := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "after")
	if _, err := node.Backup(ctx, cfg, before, node.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{cfg.State, before} {
		if n, _ := sightings(t, path); n < 6 {
			t.Fatalf("%s has the canary %d times: the test shows nothing", path, n)
		}
	}
	never := []string{told, filepath.Join(x.World.Dir, "witnesses"), filepath.Join(cfg.State, "search"), filepath.Dir(cfg.LedgerKey)}
	if n, where := sightings(t, never...); n > 0 {
		t.Errorf("it never belonged there: %d times in %v", n, where)
	}

	for id, marked := range ids {
		if marked {
			order(t, x, "ee/pbgb", func(o *envelope.Erasure) { o.Package = id })
		}
	}
	for _, agency := range []string{"ee/pbgb", "lv/vp"} {
		under, err := x.As(agency, certs.RoleDPO).Consult(ctx, client.ConsultInput{Reason: "Look how long the log is"})
		if err != nil {
			t.Fatal(err)
		}
		order(t, x, agency, func(o *envelope.Erasure) { o.From, o.To = 1, int64(under.Receipt.Entry.Seq) })
	}
	monitored(t, x, told)
	indexed(t, x, 0)
	for n, where := sightings(t, cfg.State); n > 0; n, where = sightings(t, cfg.State) { // the log is cut as soon as nobody reads
		if x.Node.Service().Tidy(ctx); ctx.Err() != nil {
			t.Fatalf("what was erased is still there: %d times in %v", n, where)
		}
	}
	if _, err := node.Backup(ctx, cfg, after, node.BackupOptions{WithKeys: true}); err != nil {
		t.Fatal(err)
	}
	x.Stop()
	if n, where := sightings(t, after, told, x.World.Dir); n > 0 {
		t.Errorf("what was erased is still there: %d times in %v", n, where)
	}
	if strings.Contains(x.Log.String(), "CANARY") {
		t.Error("it stands in the log of the program")
	}
	if n, _ := sightings(t, before); n < 6 {
		t.Error("the backup of before was changed")
	}
}

// order has an agency erase something.
func order(t *testing.T, x *exchangetest.Exchange, agency string, edit func(*envelope.Erasure)) {
	t.Helper()
	if done, err := x.As(agency, certs.RoleDPO).Erase(t.Context(), x.Order(agency, edit)); err != nil || done.Erased == 0 {
		t.Fatalf("%s: %+v, %v", agency, done, err)
	}
}

// monitored waits until the monitor was told all, and the witnesses were asked.
func monitored(t *testing.T, x *exchangetest.Exchange, path string) {
	t.Helper()
	x.Ask()
	told(t, path, int(x.Node.LedgerSize()))
}

// indexed waits until so many packages of Estonia are found.
func indexed(t *testing.T, x *exchangetest.Exchange, want int) {
	t.Helper()
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	under, err := dpo.Consult(t.Context(), client.ConsultInput{Reason: "Look whether the log is indexed"})
	if err != nil {
		t.Fatal(err)
	}
	for {
		page, err := dpo.Search(t.Context(), under.ID, client.SearchInput{Query: "action:package.send", Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) == want {
			return
		}
	}
}
