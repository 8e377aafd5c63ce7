// Package metrics is what Tieline tells Prometheus. Everything registers on a
// passed-in registry, and every label has bounded values: connectors, sources,
// and fixed vocabularies.
//
// What changes with each event is counted as it happens. What can be read at
// any time (state, epoch, backlog) is read when Prometheus asks, so that
// nothing runs while nobody looks.
package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tieline/internal/ha"
)

// scrapeTime bounds the reading of the backlog: a slow database must not hold
// back the metrics that would show it.
const scrapeTime = 2 * time.Second

// Metrics counts events. Its methods may be used by many goroutines.
type Metrics struct {
	takeovers  *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	accepted   *prometheus.CounterVec
	requests   *prometheus.CounterVec
	omitted    *prometheus.CounterVec
}

// New registers the counters.
func New(r prometheus.Registerer, version string) *Metrics {
	m := &Metrics{
		takeovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tieline_takeovers_total", Help: "Times this server became Active, by reason.",
		}, []string{"connector", "reason"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tieline_deliveries_total", Help: "Calls to the remote system, by outcome.",
		}, []string{"connector", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tieline_delivery_seconds", Help: "From an alert's change being accepted to the remote system having it, by the database's clock.",
			Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800},
		}, []string{"connector"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tieline_observations_total", Help: "Observations taken in, by what they did.",
		}, []string{"source", "change"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tieline_intake_requests_total", Help: "Intake requests, by status code.",
		}, []string{"source", "code"}),
		omitted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tieline_omitted_alerts_total", Help: "Alerts that a source said it left out of a request (Alertmanager: truncatedAlerts).",
		}, []string{"source"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tieline_build_info", Help: "Always 1; the label has the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(m.takeovers, m.deliveries, m.latency, m.accepted, m.requests, m.omitted, build)
	return m
}

// Takeover counts a change of Active in this server's favour.
func (m *Metrics) Takeover(connector string, reason ha.Reason) {
	m.takeovers.WithLabelValues(connector, string(reason)).Inc()
}

// Delivery counts one call to the remote. Outcome is of a fixed vocabulary.
func (m *Metrics) Delivery(connector, outcome string) {
	m.deliveries.WithLabelValues(connector, outcome).Inc()
}

// Delivered observes how long an accepted change took to arrive.
func (m *Metrics) Delivered(connector string, took time.Duration) {
	m.latency.WithLabelValues(connector).Observe(took.Seconds())
}

// Accepted counts an observation by what it did (alert.Change).
func (m *Metrics) Accepted(source, change string) {
	m.accepted.WithLabelValues(source, change).Inc()
}

// Request counts an intake request by its status code.
func (m *Metrics) Request(source, code string) {
	m.requests.WithLabelValues(source, code).Inc()
}

// Omitted counts the alerts that a source left out of a request.
func (m *Metrics) Omitted(source string, n int) {
	m.omitted.WithLabelValues(source).Add(float64(n))
}

// Connector is what can be read of one connector at any time.
type Connector struct {
	Name    string
	State   string // "Active", "Passive", "Offline" of this server
	Epoch   int64
	Version int64 // of the document this server runs
	Breaker int   // the remote's: 0 closed, 1 half-open, 2 open
}

// Backlog is what remains to be done for one connector.
type Backlog struct {
	Due, InFlight, Parked int64
	OldestDue             time.Duration
}

// Reader gives the present values.
type Reader interface {
	Connectors() []Connector
	HeartbeatAge() time.Duration
	Backlog(ctx context.Context) (map[string]Backlog, error)
}

var (
	descState     = desc("tieline_state", "1 for the state this server is in.", "connector", "state")
	descEpoch     = desc("tieline_epoch", "Epoch of the lease, as this server last read it.", "connector")
	descVersion   = desc("tieline_document_version", "Version of the document this server runs.", "connector")
	descBreaker   = desc("tieline_breaker", "The remote's breaker as the Active has it: 0 closed, 1 half-open (one link is tried), 2 open. 0 where this server is not Active.", "connector")
	descHeartbeat = desc("tieline_heartbeat_age_seconds", "Since this server's last confirmed heartbeat.")
	descDue       = desc("tieline_links_due", "Links with something to send, not claimed.", "connector")
	descFlight    = desc("tieline_links_in_flight", "Links claimed for sending.", "connector")
	descParked    = desc("tieline_links_parked", "Links that need a person.", "connector")
	descOldest    = desc("tieline_oldest_due_seconds", "Since the oldest change was accepted that is due to be sent, also where tries of it fail; 0 = nothing is. It is looked for among the first and the last 50 due links.", "connector")
	descUp        = desc("tieline_database_up", "1 when the database answered this scrape.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Observe registers a collector that reads the present values at each scrape.
func Observe(r prometheus.Registerer, from Reader) { r.MustRegister(collector{from}) }

type collector struct{ from Reader }

func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descState, descEpoch, descVersion, descBreaker, descHeartbeat, descDue, descFlight, descParked, descOldest, descUp} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, k := range c.from.Connectors() {
		for _, state := range []string{"Active", "Passive", "Offline"} {
			gauge(descState, flag(k.State == state), k.Name, state)
		}
		gauge(descEpoch, float64(k.Epoch), k.Name)
		gauge(descVersion, float64(k.Version), k.Name)
		gauge(descBreaker, float64(k.Breaker), k.Name)
	}
	gauge(descHeartbeat, c.from.HeartbeatAge().Seconds())
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	backlog, err := c.from.Backlog(ctx)
	gauge(descUp, flag(err == nil))
	for name, b := range backlog {
		gauge(descDue, float64(b.Due), name)
		gauge(descFlight, float64(b.InFlight), name)
		gauge(descParked, float64(b.Parked), name)
		gauge(descOldest, b.OldestDue.Seconds(), name)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
