package server

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/certs"
)

// However many identities come, those whose certificates end soonest are
// shown, and no more than there is room for.
func TestSeenIsBounded(t *testing.T) {
	now := time.Now()
	s := &seen{clock: func() time.Time { return now }, by: map[string]sighting{}}
	see := func(n int, lasts time.Duration) {
		s.see(certs.Peer{Identity: certs.Identity{Jurisdiction: "ee", Agency: "pbgb", Role: "unit", Name: fmt.Sprintf("u%d", n)},
			Certificate: &x509.Certificate{NotAfter: now.Add(lasts)}})
	}
	shown := func() map[string]float64 {
		r := prometheus.NewPedanticRegistry()
		r.MustRegister(s)
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		days := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "liaison_identity_expiry_days" {
					days[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
				}
			}
		}
		return days
	}
	for n := range 2 * maxSeen {
		see(n, time.Duration(2*maxSeen-n)*24*time.Hour)
	}
	days := shown()
	if len(days) != maxSeen || days["spiffe://ee/pbgb/unit/u999"] != 1 || days["spiffe://ee/pbgb/unit/u500"] != 500 {
		t.Errorf("%d shown, of the last %v days, of the first kept %v", len(days), days["spiffe://ee/pbgb/unit/u999"], days["spiffe://ee/pbgb/unit/u500"])
	}
	see(5000, 600*24*time.Hour)
	if s.missed != 1 || len(shown()) != maxSeen {
		t.Errorf("%v missed, %d shown", s.missed, len(shown()))
	}
	now = now.Add(seenFor + time.Second)
	see(1, 5*24*time.Hour)
	if days := shown(); len(days) != 1 || days["spiffe://ee/pbgb/unit/u1"] != 5 {
		t.Errorf("a day later: %v", days)
	}
}
