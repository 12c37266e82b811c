package exchange_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// TestManifestSaysWhatTheReceiptProves: each word of a manifest, which people
// and their tools read, is that of the export's entry, and of the file: one
// that differs both where it is made and where it is verified would hold.
func TestManifestSaysWhatTheReceiptProves(t *testing.T) {
	t.Parallel()
	x := start(t)
	for range 3 {
		post(t, x, draft(x, demo.EEtoLV))
	}
	dpo := x.As("ee/pbgb", certs.RoleDPO)
	under := consult(t, dpo, "")
	from, to := x.Clock.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond), x.Clock.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	x.Clock.Advance(2 * time.Hour)
	long := `action:package.send -case:"` + strings.Repeat("a long case ", 30) + `"` // in several details of the entry
	for _, c := range []struct {
		format, query string
		count         uint64
	}{{report.Lines, "action:package.send", 3}, {report.Table, long, 3}, {report.Lines, "action:package.deliver", 0}} {
		file, receipt := export(t, dpo, under, client.ExportQuery{Format: c.format, Query: c.query, From: from, To: to}, "")
		r, err := audit.ParseReceipt(receipt.Text)
		if err != nil {
			t.Fatal(err)
		}
		raw, m, err := report.MakeManifest(r, dpo.LogKeys(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var said map[string]any
		if err := json.Unmarshal(raw, &said); err != nil {
			t.Fatal(err)
		}
		first, last := "0", "0"
		if c.count > 0 && c.format == report.Lines {
			lines := strings.Split(strings.TrimSpace(file), "\n")
			first, last = seqOf(t, lines[0]), seqOf(t, lines[len(lines)-1])
		} else if c.count > 0 {
			rows := strings.Split(strings.TrimSpace(file), "\n")
			first, last = strings.Trim(strings.Split(rows[1], ",")[0], `"`), strings.Trim(strings.Split(rows[len(rows)-1], ",")[0], `"`)
		}
		sum, e := sha256.Sum256([]byte(file)), receipt.Entry
		want := map[string]any{
			"format": "liaison-export/1", "exchange": demo.Origin, "owner": "ee/pbgb", "at": e.Time, "by": "spiffe://ee/pbgb/dpo/demo", "officer": reader, "justification": why,
			"case_ref": caseRef, "consultation": under, "query": c.query, "from": audit.FormatTime(from), "to": audit.FormatTime(to), "kind": c.format, "entries": float64(c.count),
			"first": first, "last": last, "bytes": strconv.Itoa(len(file)), "sha256": hex.EncodeToString(sum[:]), "checkpoint": string(r.Checkpoint), "receipt": receipt.Text,
		}
		for name, w := range want {
			if said[name] != w {
				t.Errorf("%s of %s: %v, not %v", c.format, name, said[name], w)
			}
			delete(said, name)
		}
		if len(said) > 0 {
			t.Errorf("the manifest says more than was thought of: %v", said)
		}
		if m.Of != "ee/pbgb" || m.Query != c.query || m.Format != c.format || m.Bytes != int64(len(file)) || string(m.SHA256) != string(sum[:]) || m.Entry.Count != c.count {
			t.Errorf("proven is %+v", m)
		}
	}
}

// seqOf is the number of the entry in a line of an export.
func seqOf(t *testing.T, line string) string {
	t.Helper()
	item, err := report.ParseLine([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(item.Seq, 10)
}
