// Package metrics counts what the hops do, for Prometheus.
package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
)

// Metrics is the metrics of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	settled  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	answered *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	calls    *prometheus.HistogramVec
	breakers *prometheus.GaugeVec
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
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baton_attempts_total",
			Help: "Attempts that called a model, by target, error code (ok: none), and whether they were a shadow's.",
		}, []string{"target", "code", "shadow"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "baton_attempt_duration_seconds",
			Help:    "Calls of models, by target, and whether they were a shadow's.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16), // 5 ms to 164 s
		}, []string{"target", "shadow"}),
		breakers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "baton_breaker_open",
			Help: "Breakers of targets, as this process sees them: 0 closed, 0.5 half-open, 1 open.",
		}, []string{"target"}),
	}
	m.registry.MustRegister(m.settled, m.duration, m.answered, m.attempts, m.calls, m.breakers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe counts one settled delivery. It is for [hop.Config.Observe].
func (m *Metrics) Observe(s hop.Settled) {
	m.settled.WithLabelValues(string(s.Hop), string(s.Outcome.Kind), string(s.Outcome.Reason)).Inc()
	m.duration.WithLabelValues(string(s.Hop)).Observe(s.Duration.Seconds())
}

// Attempted counts one attempt at a target. It is for [infer.Config.Observe].
func (m *Metrics) Attempted(a infer.Attempt) {
	code, shadow := a.Code, strconv.FormatBool(a.Shadow)
	if code == "" {
		code = "ok"
	}
	m.attempts.WithLabelValues(a.Target, code, shadow).Inc()
	m.calls.WithLabelValues(a.Target, shadow).Observe(a.Latency.Seconds())
}

// Breaker takes note of a breaker's move. It is for [health.Config.Observe].
func (m *Metrics) Breaker(target string, _, to health.State) {
	m.breakers.WithLabelValues(target).Set(map[health.State]float64{health.HalfOpen: 0.5, health.Open: 1}[to])
}

// Instrument returns the handler with its answers counted.
func (m *Metrics) Instrument(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.answered, h)
}

// Handler answers /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
