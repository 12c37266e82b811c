package server

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/certs"
)

// What is shown of identities: those seen within a day, and of these the 500
// whose certificates end soonest, so that nobody can fill the memory of who
// asks for metrics.
const (
	seenFor = 24 * time.Hour
	maxSeen = 500
)

// seen remembers when the certificates of callers end.
type seen struct {
	clock func() time.Time

	mu     sync.Mutex
	by     map[string]sighting // by identity
	missed float64             // identities that there was no room for
}

type sighting struct {
	ends, last time.Time
}

var (
	identityDays = prometheus.NewDesc("liaison_identity_expiry_days",
		"Days until the certificate of an identity expires, of identities seen within a day: the 500 that expire soonest.", []string{"identity"}, nil)
	identitiesMissed = prometheus.NewDesc("liaison_identities_not_shown_total",
		"Sightings of identities that liaison_identity_expiry_days had no room for.", nil, nil)
)

// see remembers a caller.
func (s *seen) see(p certs.Peer) {
	now, id := s.clock(), p.Identity.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.by[id]; !known && len(s.by) >= maxSeen && !s.room(now, p.Certificate.NotAfter) {
		s.missed++
		return
	}
	s.by[id] = sighting{p.Certificate.NotAfter, now}
}

// room makes room for a certificate that ends at a time, if any known one is
// out of date or ends later.
func (s *seen) room(now, ends time.Time) bool {
	s.forget(now)
	if len(s.by) < maxSeen {
		return true
	}
	var latest string
	for id, at := range s.by {
		if latest == "" || at.ends.After(s.by[latest].ends) {
			latest = id
		}
	}
	if !s.by[latest].ends.After(ends) {
		return false
	}
	delete(s.by, latest)
	return true
}

func (s *seen) forget(now time.Time) {
	for id, at := range s.by {
		if now.Sub(at.last) > seenFor {
			delete(s.by, id)
		}
	}
}

// Describe implements prometheus.Collector.
func (s *seen) Describe(ch chan<- *prometheus.Desc) {
	ch <- identityDays
	ch <- identitiesMissed
}

// Collect implements prometheus.Collector.
func (s *seen) Collect(ch chan<- prometheus.Metric) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	for id, at := range s.by {
		ch <- prometheus.MustNewConstMetric(identityDays, prometheus.GaugeValue, at.ends.Sub(now).Hours()/24, id)
	}
	ch <- prometheus.MustNewConstMetric(identitiesMissed, prometheus.CounterValue, s.missed)
}
