package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestWitnessed: the witnessed head and who vouches for it, as any party reads them.
func TestWitnessed(t *testing.T) {
	x := exchangetest.New(t, exchangetest.Witnessed(nil))
	w := &wire{Exchange: x, t: t, address: x.Node.Addr()}
	ee := w.as("ee/pbgb", "unit")
	x.Witnesses.Down(true, "lv/vp")
	x.Ask()
	head := ee.get(api.RouteWitnessed).want(t, http.StatusOK)
	if !strings.Contains(string(head.body), "\n— witness.demo.liaison.example/ua/npu ") || head.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s\n%s", head.header.Get("Cache-Control"), head.body)
	}
	var got api.Witnesses
	ee.get(api.RouteWitnesses).want(t, http.StatusOK).decode(t, &got)
	if got.Quorum != 1 || got.ToleranceSeconds != 4*3600 || got.Missing || got.Since == "" || len(got.Witnesses) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, one := range got.Witnesses {
		if up := strings.HasSuffix(one.Name, "ua/npu"); one.Cosigns != up || (one.Size == got.Size) != up || !strings.HasPrefix(one.VKey, one.Name+"+") {
			t.Errorf("%+v", one)
		}
	}
	x.Witnesses.Down(true, "ua/npu")
	x.Clock.Advance(4*time.Hour + time.Minute)
	x.Ask()
	ee.get(api.RouteWitnesses).want(t, http.StatusOK).decode(t, &got)
	if !got.Missing || got.Witnesses[0].Cosigns || got.Witnesses[1].Cosigns {
		t.Errorf("%+v", got)
	}
	ee.get(api.RouteWitnessed).want(t, http.StatusOK) // it stays
}
