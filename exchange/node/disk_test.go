package node_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
	"github.com/liaison-exchange/liaison/exchange/node"
)

const moreThanThereIs = 1 << 62

func ledgerSize(t *testing.T, x *exchangetest.Exchange) int64 {
	t.Helper()
	lines := strings.Split(string(x.Do(x.HTTP("ee/pbgb", certs.RoleUnit), http.MethodGet, api.RouteCheckpoint, nil, nil).Body), "\n")
	if len(lines) < 2 {
		t.Fatal(lines)
	}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Below the soft mark packages wait, but for urgent ones, and all else goes
// on (row E5).
func TestScarceDisk(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) { c.Disk.Soft = moreThanThereIs }))
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	routine := x.Post(ee, x.PartsOf(x.Sealed(demo.EEtoLV)))
	if p := x.Problem(routine); routine.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "urgent packages only") || routine.Header.Get("Retry-After") != "60" {
		t.Errorf("a routine package: %d %+v", routine.Status, p)
	}
	d := x.Draft(demo.EEtoLV)
	d.About["urgency"] = map[string]any{"level": "urgent", "ground": "life"}
	d.Texts = map[string]string{"urgency": "They may leave with the child today at nine."}
	if urgent := x.Post(ee, x.PartsOf(x.Seal(d))); urgent.Status == http.StatusServiceUnavailable {
		t.Errorf("an urgent package: %d %s", urgent.Status, urgent.Body)
	}
	if list := x.Do(ee, http.MethodGet, api.RoutePackages+"?box=inbox", nil, nil); list.Status != http.StatusOK {
		t.Errorf("the inbox: %d", list.Status)
	}
	if status, ready := admin(t, x, api.RouteReady+"?verbose"); status != http.StatusOK || !strings.Contains(ready, "[!] disk: ") {
		t.Errorf("ready %d %s", status, ready)
	}
}

// Below the hard mark nothing is done that would be recorded: no entry is
// written, not of the refusal either. What everybody may read is served.
func TestSpentDisk(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Configure(func(c *node.Config) { c.Disk.Soft, c.Disk.Hard = moreThanThereIs, moreThanThereIs }))
	ee := x.HTTP("ee/pbgb", certs.RoleUnit)
	entries := ledgerSize(t, x)
	for _, a := range []*exchangetest.Answer{
		x.Post(ee, x.PartsOf(x.Sealed(demo.EEtoLV))),
		x.Do(ee, http.MethodGet, api.RoutePackages+"?box=inbox", nil, nil),
	} {
		if p := x.Problem(a); a.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "no room left") {
			t.Errorf("%d %+v", a.Status, p)
		}
	}
	if grown := ledgerSize(t, x) - entries; grown != 0 {
		t.Errorf("%d entries", grown)
	}
	for _, path := range []string{api.RouteAgencies, api.RouteCheckpoint} {
		if a := x.Do(ee, http.MethodGet, path, nil, nil); a.Status != http.StatusOK {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	if status, ready := admin(t, x, api.RouteReady+"?verbose"); status != http.StatusServiceUnavailable || !strings.Contains(ready, "[-] disk: ") {
		t.Errorf("ready %d %s", status, ready)
	}
	_, metrics := admin(t, x, api.RouteMetrics)
	for _, name := range []string{"liaison_disk_free_bytes ", `liaison_disk_mark_bytes{mark="hard"} `, "liaison_database_log_bytes "} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("no metric %s", name)
		}
	}
}
