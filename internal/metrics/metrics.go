// Package metrics counts what the hops do, for Prometheus.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"baton.dev/baton/internal/hop"
)

// Metrics is the metrics of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	settled  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	answered *prometheus.HistogramVec
}

// New returns the metrics of this process, at zero.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baton_hop_settled_total",
			Help: "Deliveries settled, by hop, outcome (done, retry, dead, return) and the reason of a dead letter.",
		}, []string{"hop", "outcome", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "baton_hop_duration_seconds",
			Help:    "From the start of a hop to its settlement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18), // 0.5 ms to 65 s
		}, []string{"hop"}),
		answered: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "baton_http_request_duration_seconds",
			Help:    "HTTP requests answered, by method and status; a long poll takes as long as it waits.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18),
		}, []string{"method", "code"}),
	}
	m.registry.MustRegister(m.settled, m.duration, m.answered,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe counts one settled delivery. It is for [hop.Config.Observe].
func (m *Metrics) Observe(s hop.Settled) {
	m.settled.WithLabelValues(string(s.Hop), string(s.Outcome.Kind), string(s.Outcome.Reason)).Inc()
	m.duration.WithLabelValues(string(s.Hop)).Observe(s.Duration.Seconds())
}

// Instrument returns the handler with its answers counted.
func (m *Metrics) Instrument(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.answered, h)
}

// Handler answers /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
