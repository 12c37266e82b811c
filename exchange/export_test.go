package exchange_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// export exports as a data-protection officer.
func export(t testing.TB, c *client.Client, consultation string, q client.ExportQuery, had string) (string, *client.Receipt) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(had)
	sum := sha256.New()
	sum.Write([]byte(had))
	receipt, _, err := c.Export(t.Context(), consultation, q, &b, sum)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), receipt
}

// TestExport: a file has what its query says, of the reader's own log, and two
// entries tell of it; its manifest proves it, and a byte that differs is found.
func TestExport(t *testing.T) {
	t.Parallel()
	x := start(t)
	for range 3 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	post(t, x, draft(x, demo.EEtoLVUA))
	o := observe(t, x)
	dpo := x.As("lv/vp", certs.RoleDPO)
	under := consult(t, dpo, "")
	o.next(t)
	file, receipt := export(t, dpo, under, client.ExportQuery{Format: report.Lines, Query: "action:package.deliver (recipient:ua/npu OR recipient:none/none)"}, "")
	if n := strings.Count(file, "\n"); n != 1 || receipt.Entry.Count != 1 {
		t.Errorf("%d lines, %+v", n, receipt.Entry)
	}
	for _, e := range o.expect(t, "an export", "lv/vp audit.export begun", "lv/vp audit.export exported") {
		if e.Operation != audit.Disclosure || e.Details["query"] == "" || e.Details["format"] != "jsonl" || e.Officer != reader || e.Justification != why || e.CaseRef != caseRef {
			t.Errorf("%+v", e)
		}
	}
	all, receipt := export(t, dpo, under, client.ExportQuery{Format: report.Lines}, "")
	for line := range strings.Lines(all) {
		item, err := report.ParseLine([]byte(line))
		if err != nil || item.Owner != "lv/vp" {
			t.Errorf("%v: %s", err, line)
		}
	}
	r, err := audit.ParseReceipt(receipt.Text)
	if err != nil {
		t.Fatal(err)
	}
	manifest, m, err := report.MakeManifest(r, dpo.LogKeys(), nil)
	if err != nil || m.Of != "lv/vp" || m.Entry.Count != uint64(strings.Count(all, "\n")) || m.Bytes != int64(len(all)) {
		t.Fatalf("%+v, %v", m, err)
	}
	for i := range manifest {
		changed := bytes.Clone(manifest)
		changed[i] ^= 1
		if _, err := report.VerifyManifest(changed, dpo.LogKeys(), nil); err == nil {
			t.Errorf("byte %d of the manifest is changed, and it holds: %s", i, changed)
		}
	}
	if _, _, err := report.MakeManifest(mustReceipt(t, consulting(t, dpo)), dpo.LogKeys(), nil); !errors.Is(err, report.ErrManifest) {
		t.Errorf("a receipt of something else makes a manifest: %v", err)
	}
}

func mustReceipt(t testing.TB, text string) audit.Receipt {
	t.Helper()
	r, err := audit.ParseReceipt(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// consulting is the receipt of a consultation.
func consulting(t testing.TB, c *client.Client) string {
	t.Helper()
	opened, err := c.Consult(t.Context(), client.ConsultInput{Officer: reader, Reason: why})
	if err != nil {
		t.Fatal(err)
	}
	return opened.Receipt.Text
}

// TestExportGoesOn: what was cut off anywhere goes on and becomes the same
// file, by the same digest, in both formats.
func TestExportGoesOn(t *testing.T) {
	t.Parallel()
	x := start(t)
	for range 3 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	under := consult(t, dpo, "")
	for _, format := range []string{report.Lines, report.Table} {
		q := client.ExportQuery{Format: format, To: x.Clock.Now()}
		x.Clock.Advance(1)
		var whole bytes.Buffer
		first, last, err := dpo.Export(t.Context(), under, q, &whole, sha256.New())
		if err != nil || last == 0 {
			t.Fatal(last, err)
		}
		lines := strings.SplitAfter(whole.String(), "\n")
		for cut := 2; cut < len(lines)-1; cut++ {
			had := strings.Join(lines[:cut], "")
			q.After, q.Last = uint64(cut), last
			if format == report.Table {
				q.After-- // its first line is the heading
			}
			file, receipt := export(t, dpo, under, q, had)
			if file != whole.String() || receipt.Entry.Count != first.Entry.Count || receipt.Entry.Details["sha256"] != first.Entry.Details["sha256"] {
				t.Errorf("%s cut behind line %d: %d bytes, not %d", format, cut, len(file), whole.Len())
			}
		}
		q.After, q.Last = 2, last
		if _, _, err := dpo.Export(t.Context(), under, q, &whole, sha256.New()); !errors.As(err, new(*client.VerifyError)) {
			t.Errorf("%s: another begin of the file is taken: %v", format, err)
		}
	}
}

// TestExportedFormulas: nothing that a sender writes is a formula in a table.
func TestExportedFormulas(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLV)
	d.Justification = `=cmd|' /C calc'!A0;=1 and so on, "quoted", for the test`
	post(t, x, d)
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	file, _ := export(t, dpo, consult(t, dpo, ""), client.ExportQuery{Format: report.Table, Query: "action:package.send"}, "")
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][9] != `'=cmd|'' /C calc'!A0;'=1 and so on, "quoted", for the test` {
		t.Errorf("%v: %s", err, file)
	}
}

// TestExportBrokenOff: who goes away leaves an entry that says how far it
// came, and gives everything back.
func TestExportBrokenOff(t *testing.T) {
	t.Parallel()
	x := start(t, exchangetest.Unwatched())
	for range 40 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	under := consult(t, dpo, "")
	for range 3 { // more than there are places
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := dpo.Export(ctx, under, client.ExportQuery{Format: report.Lines}, stopper{cancel}, sha256.New())
		if err == nil {
			t.Fatal("it is whole")
		}
		cancel()
	}
	x.Restart() // waits for what the three have left
	dpo = x.As("ee/pbgb", certs.RoleDPO)
	file, _ := export(t, dpo, consult(t, dpo, ""), client.ExportQuery{Format: report.Lines, Query: "action:audit.export"}, "")
	begun, ended := 0, 0
	for line := range strings.Lines(file) {
		item, err := report.ParseLine([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		switch e, err := audit.ParseEntry(item.Entry); {
		case err != nil:
			t.Fatal(err)
		case e.Outcome == "begun":
			begun++
		case e.Outcome == "broken_off" || e.Outcome == report.Exported: // all may have gone out before the exchange knew
			ended++
			if e.Details["sha256"] == "" || e.Details["bytes"] == "" {
				t.Errorf("%+v", e)
			}
		}
	}
	if begun != 3 || ended != 3 {
		t.Errorf("%d begun, %d ended", begun, ended)
	}
}

// stopper stops at the first byte.
type stopper struct{ stop func() }

func (s stopper) Write([]byte) (int, error) {
	s.stop()
	return 0, errors.New("no room")
}
