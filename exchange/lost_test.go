package exchange_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestDecisionIsOfItsTime: after a long upload policy is asked again, and the
// decision that is recorded is of the time of the record.
func TestDecisionIsOfItsTime(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := x.Parts(exchangetest.PartsConfig{})
	in := incoming(x.PartsOf(x.Seal(draft(x, demo.EEtoLV))))
	in.before = func() { x.Clock.Advance(time.Hour) }
	got, err := p.Service.Post(t.Context(), x.Caller("ee/pbgb", certs.RoleUnit), in)
	if err != nil {
		t.Fatal(err)
	}
	var row *exchange.DecisionRow
	err = p.Store.View(t.Context(), func(rows exchange.Reader) (err error) {
		row, err = rows.Decision(got.Outcomes[0].Decision)
		return err
	})
	if err != nil || row == nil {
		t.Fatalf("%v, %v", row, err)
	}
	if age := x.Clock.Now().Sub(row.At); age > 30*time.Minute {
		t.Errorf("the decision is %s old", age)
	}
}

// TestLostBlob: bytes that cannot be had are not said to be released.
func TestLostBlob(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLV)
	d.Attachments = files(attached)
	sent := post(t, x, d)
	lv := x.As("lv/vp", certs.RoleUnit)
	accept(t, lv, sent.ID())
	blobs, err := filepath.Glob(filepath.Join(x.World.Dir, "state", "blobs", "*", sent.ID()+".*"))
	if err != nil || len(blobs) != 1 {
		t.Fatalf("%q, %v", blobs, err)
	}
	if err := os.Remove(blobs[0]); err != nil {
		t.Fatal(err)
	}
	header := under(consult(t, lv, sent.ID()))
	refused(t, x, x.Do(x.HTTP("lv/vp", certs.RoleUnit), http.MethodGet, api.AttachmentPath(sent.ID(), 0), header, nil), api.Unavailable)
	for _, e := range ledgerEntries(t, x.Parts(exchangetest.PartsConfig{}).Store) {
		if strings.Contains(line(e), string(exchange.ActAttachment)) {
			t.Errorf("the log says %s", line(e))
		}
	}
}
