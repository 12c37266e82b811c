package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// An export is the log of the reader's agency, each line verifiable; its
// receipt follows it, over HTTP/2 and HTTP/1.1.
func testExport(t *testing.T, w *wire) {
	w.as("ee/pbgb", "unit").post(w.seal(demo.EEtoLV)).want(t, http.StatusCreated)
	for _, dpo := range []*caller{w.as("ee/pbgb", "dpo"), w.plain("ee/pbgb", "dpo")} {
		under := []string{api.HeaderConsultation, dpo.consult("")}
		r := dpo.get(api.RouteAuditExport, under...).want(t, http.StatusOK)
		text, err := base64.StdEncoding.DecodeString(r.trailer.Get(api.HeaderReceipt))
		must(t, err)
		receipt, err := audit.ParseReceipt(string(text))
		must(t, err)
		entry, err := audit.ParseEntry(receipt.Entry)
		must(t, err)
		lines := bytes.Split(bytes.TrimSpace(r.body), []byte("\n"))
		if entry.Action != report.ActionExport || entry.Outcome != report.Exported || entry.Count != uint64(len(lines)) || r.header.Get(api.HeaderExportLast) == "" {
			t.Errorf("%s: %d lines, %+v", r.proto, len(lines), entry)
		}
		for _, line := range lines {
			var item api.AuditItem
			if err := json.Unmarshal(line, &item); err != nil || item.Owner != "ee/pbgb" {
				t.Fatalf("%v: %s", err, line)
			}
			if again, err := json.Marshal(item); err != nil || !bytes.Equal(again, line) {
				t.Errorf("%s is not the form of the API, %s", line, again)
			}
			if _, err := report.ParseLine(line); err != nil {
				t.Error(err)
			}
		}
		table := dpo.get(api.RouteAuditExport+"?format=csv&q=action:package.send&from=2020-01-01T00:00:00Z", under...).want(t, http.StatusOK)
		rows, err := csv.NewReader(bytes.NewReader(table.body)).ReadAll()
		if err != nil || len(rows) < 2 || len(rows[0]) != len(rows[1]) || rows[1][3] != "package.send" || table.header.Get("Content-Type") != api.MediaCSV {
			t.Errorf("%v: %s", err, table.body)
		}
		for _, q := range []string{"?q=color:red", "?q=action", "?format=pdf", "?from=yesterday", "?last=0", "?after=5", "?after=5&last=4", "?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
			"?owner=lv", "?q=action:" + strings.Repeat("%3C", 600)} {
			dpo.get(api.RouteAuditExport+q, under...).want(t, http.StatusBadRequest)
		}
		dpo.get(api.RouteAuditExport+"?owner=lv/vp", under...).want(t, http.StatusNotFound)
		dpo.get(api.RouteAuditExport).want(t, http.StatusForbidden)
		w.as("lv/vp", "dpo").get(api.RouteAuditExport, under...).want(t, http.StatusForbidden)
	}
}
