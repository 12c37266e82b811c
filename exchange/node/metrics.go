package node

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liaison-exchange/liaison/certs"
)

// metrics tell the operator what will expire, and what was refused. It is a
// prometheus.Collector that looks when it is asked.
type metrics struct {
	node    *Node
	reloads *prometheus.CounterVec
}

func newMetrics(n *Node) *metrics {
	return &metrics{node: n, reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "liaison_reloads_total", Help: "Loads of trust (certificate, anchors), registry, revocations and policies, by result: ok, failed."},
		[]string{"part", "result"})}
}

// reloaded counts a load.
func (m *metrics) reloaded(part string, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.reloads.WithLabelValues(part, result).Inc()
}

var (
	certificateDays = prometheus.NewDesc("liaison_certificate_expiry_days",
		"Days until a certificate of the exchange expires: its own (server) and each anchor.", []string{"kind", "jurisdiction", "subject", "fingerprint"}, nil)
	keyDays = prometheus.NewDesc("liaison_key_expiry_days",
		"Days until the first and the last of an agency's keys in use lapse, by use.", []string{"agency", "use", "which"}, nil)
	listAge = prometheus.NewDesc("liaison_revocation_list_age_seconds",
		"Time since a revocation list was issued.", []string{"jurisdiction", "issuer", "key"}, nil)
	listDays = prometheus.NewDesc("liaison_revocation_list_due_days",
		"Days until the next revocation list is due.", []string{"jurisdiction", "issuer", "key"}, nil)
	listState = prometheus.NewDesc("liaison_revocation_list_state",
		"1 for the state of a revocation list: fresh, aging (past half of its time), overdue (in its grace), lapsed, missing.", []string{"jurisdiction", "issuer", "key", "state"}, nil)
	listFault = prometheus.NewDesc("liaison_revocation_file_refused",
		"1 while the newest file of a jurisdiction's revocation lists cannot be used.", []string{"jurisdiction"}, nil)
	refusals = prometheus.NewDesc("liaison_certificate_refusals_total",
		"Client certificates refused, in a handshake or later, by the check that failed.", []string{"check"}, nil)
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.reloads.Describe(ch)
	for _, d := range []*prometheus.Desc{certificateDays, keyDays, listAge, listDays, listState, listFault, refusals,
		policyInfo, policySeq, policyAge, policyRefusals, witnessUp, witnessAge, witnessedAge, witnessedBehind, witnessesMissing} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.reloads.Collect(ch)
	now := m.node.cfg.Clock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	m.certificates(gauge, now)
	m.lists(gauge, now)
	m.keys(gauge, now)
	m.policies(ch, gauge, now)
	m.witnesses(gauge, now)
	for check, count := range m.node.gate.Refusals() {
		ch <- prometheus.MustNewConstMetric(refusals, prometheus.CounterValue, float64(count), string(check))
	}
}

type gauge func(d *prometheus.Desc, value float64, labels ...string)

func days(from, until time.Time) float64 { return until.Sub(from).Hours() / 24 }

func (m *metrics) certificates(set gauge, now time.Time) {
	trust := m.node.gate.Trust()
	if leaf, err := x509.ParseCertificate(trust.Server.Certificate[0]); err == nil {
		set(certificateDays, days(now, leaf.NotAfter), "server", trust.Anchors.Operator(), leaf.Subject.String(), certs.Fingerprint(leaf))
	}
	for _, j := range trust.Anchors.Jurisdictions() {
		seen := map[string]bool{}
		for _, anchor := range trust.Anchors.Of(j) {
			fingerprint := certs.Fingerprint(anchor.Certificate)
			if !seen[fingerprint] {
				set(certificateDays, days(now, anchor.Certificate.NotAfter), "anchor", j, anchor.Certificate.Subject.String(), fingerprint)
			}
			seen[fingerprint] = true
		}
	}
}

func (m *metrics) lists(set gauge, now time.Time) {
	refused := map[string]bool{}
	for _, s := range m.node.gate.Trust().Revocations.Status() {
		refused[s.Jurisdiction] = refused[s.Jurisdiction] || s.Err != nil
		for _, state := range certs.CRLStates() {
			is := 0.0
			if s.State(now) == state {
				is = 1
			}
			set(listState, is, s.Jurisdiction, s.Issuer, s.IssuerKey, string(state))
		}
		if s.IssuerKey != "" {
			set(listAge, now.Sub(s.ThisUpdate).Seconds(), s.Jurisdiction, s.Issuer, s.IssuerKey)
			set(listDays, days(now, s.NextUpdate), s.Jurisdiction, s.Issuer, s.IssuerKey)
		}
	}
	for j, is := range refused {
		value := 0.0
		if is {
			value = 1
		}
		set(listFault, value, j)
	}
}

// keys shows when the next key of an agency lapses, and when it will have none
// for a use any more, if it does nothing.
func (m *metrics) keys(set gauge, now time.Time) {
	registry, err := m.node.service.Registry(context.Background())
	if err != nil {
		return
	}
	for _, a := range registry.Agencies() {
		ends := map[string][]time.Time{}
		for _, k := range registry.Keys(a.ID) {
			if end := k.End(); k.TrustedAt(now) && !end.IsZero() {
				ends[k.Use] = append(ends[k.Use], end)
			}
		}
		for use, all := range ends {
			set(keyDays, days(now, slices.MinFunc(all, time.Time.Compare)), a.ID, use, "first")
			set(keyDays, days(now, slices.MaxFunc(all, time.Time.Compare)), a.ID, use, "last")
		}
	}
}
