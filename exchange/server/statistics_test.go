package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// Each report comes in lines and as a table, of the reader's own log.
func testStatistics(t *testing.T, w *wire) {
	w.as("ee/pbgb", "unit").post(w.seal(demo.EEtoLVUA)).want(t, http.StatusCreated)
	dpo := w.as("ee/pbgb", "dpo")
	under := []string{api.HeaderConsultation, dpo.consult("")}
	for _, kind := range report.Kinds() {
		path := api.RouteAuditStatistics + "?report=" + kind.Name
		r := dpo.get(path, under...).want(t, http.StatusOK)
		lines := bytes.Split(bytes.TrimSpace(r.body), []byte("\n"))
		var head, last api.StatisticsLine
		if err := json.Unmarshal(lines[0], &head); err != nil || head.Head == nil || head.Head.Owner != "ee/pbgb" || head.Head.Exchange != demo.Origin || len(head.Head.Columns) < 4 {
			t.Fatalf("%s: %v: %s", kind.Name, err, r.body)
		}
		if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || last.Summary == nil || last.Summary.Rows != len(lines)-2 || last.Summary.Entries == 0 || len(last.Summary.Notes) == 0 {
			t.Errorf("%s: %v: %s", kind.Name, err, r.body)
		}
		table := dpo.get(path+"&format=csv&to=2099-01-01T00:00:00Z", under...).want(t, http.StatusOK)
		rows, err := csv.NewReader(bytes.NewReader(table.body)).ReadAll()
		if err != nil || len(rows) < 1 || len(rows[0]) != len(head.Head.Columns) || table.header.Get("Content-Type") != api.MediaCSV {
			t.Errorf("%s: %v: %s", kind.Name, err, table.body)
		}
	}
	if r := dpo.get(api.RouteAuditStatistics+"?report=transfers", under...); !strings.Contains(string(r.body), `"ua/npu"`) || strings.Contains(string(r.body), `"lv/vp"`) {
		t.Errorf("the register of transfers: %s", r.body)
	}
	if r := dpo.get(api.RouteAuditStatistics+"?report=transfers&to=2001-01-01T00:00:00Z", under...); strings.Contains(string(r.body), `"row"`) {
		t.Errorf("transfers of another time: %s", r.body)
	}
	for _, q := range []string{"", "?report=none", "?report=transfers&key=k", "?report=breach&host=" + strings.Repeat("h", 257), "?report=transfers&from=2026-01-01", "?report=transfers&format=xml",
		"?report=transfers&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "?report=transfers&owner=lv", "?report=breach&host=a%0Ab"} {
		dpo.get(api.RouteAuditStatistics+q, under...).want(t, http.StatusBadRequest)
	}
	dpo.get(api.RouteAuditStatistics+"?report=transfers").want(t, http.StatusForbidden)
	dpo.get(api.RouteAuditStatistics+"?report=transfers&owner=lv/vp", under...).want(t, http.StatusNotFound)
	w.as("lv/vp", "dpo").get(api.RouteAuditStatistics+"?report=transfers", under...).want(t, http.StatusForbidden)
}
