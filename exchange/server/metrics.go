package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the server does. It is a prometheus.Collector: its
// owner registers it. Labels are bounded: operations, statuses and problems
// of this API.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	problems *prometheus.CounterVec
	inFlight prometheus.Gauge
	received prometheus.Counter
	sent     prometheus.Counter

	limited     *prometheus.CounterVec
	connections *prometheus.GaugeVec
	refused     *prometheus.CounterVec
	seen        *seen
}

// NewMetrics returns metrics that nobody has registered.
func NewMetrics() *Metrics {
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liaison_http_requests_total", Help: "Requests answered, by operation and status; status 0 was cut off."},
			[]string{"operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "liaison_http_request_duration_seconds", Help: "Time from the end of a request's header to the end of its answer.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5, 30}},
			[]string{"operation"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liaison_http_problems_total", Help: "Refusals, by problem type."},
			[]string{"problem"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "liaison_http_requests_in_flight", Help: "Requests that are being answered."}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liaison_http_received_bytes_total", Help: "Bytes of bodies that were read."}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liaison_http_sent_bytes_total", Help: "Bytes of bodies that were promised by Content-Length."}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liaison_http_limited_total", Help: "Requests refused with 429, by the limit that was reached."},
			[]string{"limit"}),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "liaison_http_connections", Help: "Connections, in their handshake or open."},
			[]string{"state"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liaison_http_connections_refused_total", Help: "Connections not taken or not kept: too many handshakes of a source at a time (source) or in a minute (rate), handshake not finished, too many connections of an identity, crowded out, much said for nothing, cut off since certificate or agency are not accepted any more."},
			[]string{"reason"}),
		seen: &seen{clock: time.Now, by: map[string]sighting{}},
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.problems, m.inFlight, m.received, m.sent, m.limited, m.connections, m.refused, m.seen}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

// observe counts a request that is over.
func (m *Metrics) observe(c *call, took time.Duration) {
	m.requests.WithLabelValues(c.op.id, strconv.Itoa(c.status)).Inc()
	m.duration.WithLabelValues(c.op.id).Observe(took.Seconds())
	if c.problem != nil {
		m.problems.WithLabelValues(c.problem.Type).Inc()
	}
	m.received.Add(float64(c.body.n))
	m.sent.Add(float64(c.sent))
}
