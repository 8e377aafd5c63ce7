package metrics

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tieline/internal/ha"
)

type reading struct{ err error }

func (reading) Connectors() []Connector {
	return []Connector{{Name: "desk", State: "Active", Epoch: 7, Version: 3, Breaker: 2}}
}
func (reading) HeartbeatAge() time.Duration { return 1500 * time.Millisecond }
func (r reading) Backlog(context.Context) (map[string]Backlog, error) {
	if r.err != nil {
		return nil, r.err
	}
	return map[string]Backlog{"desk": {Due: 5, InFlight: 2, Parked: 1, OldestDue: 4 * time.Second}}, nil
}

// scraped returns what Prometheus would read.
func scraped(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestReadAtScrape(t *testing.T) {
	r := prometheus.NewRegistry()
	Observe(r, reading{})
	wantLines(t, scraped(t, r),
		`tieline_state{connector="desk",state="Active"} 1`,
		`tieline_state{connector="desk",state="Offline"} 0`,
		`tieline_epoch{connector="desk"} 7`,
		`tieline_document_version{connector="desk"} 3`,
		`tieline_breaker{connector="desk"} 2`,
		`tieline_heartbeat_age_seconds 1.5`,
		`tieline_links_due{connector="desk"} 5`,
		`tieline_links_in_flight{connector="desk"} 2`,
		`tieline_links_parked{connector="desk"} 1`,
		`tieline_oldest_due_seconds{connector="desk"} 4`,
		`tieline_database_up 1`,
	)
}

func TestScrapeWithoutDatabase(t *testing.T) {
	r := prometheus.NewRegistry()
	Observe(r, reading{err: errors.New("away")})
	text := scraped(t, r)
	wantLines(t, text, "tieline_database_up 0", `tieline_epoch{connector="desk"} 7`)
	if strings.Contains(text, "tieline_links_due{") {
		t.Error("a backlog was told that nobody read")
	}
}

func TestCounters(t *testing.T) {
	r := prometheus.NewRegistry()
	m := New(r, "1.2.3")
	m.Takeover("desk", ha.ReasonPresence)
	m.Delivery("desk", "sent")
	m.Delivered("desk", 3*time.Millisecond)
	m.Accepted("prom", "raised")
	m.Request("prom", "200")
	wantLines(t, scraped(t, r),
		`tieline_takeovers_total{connector="desk",reason="presence lost"} 1`,
		`tieline_deliveries_total{connector="desk",outcome="sent"} 1`,
		`tieline_delivery_seconds_bucket{connector="desk",le="0.0025"} 0`,
		`tieline_delivery_seconds_bucket{connector="desk",le="0.005"} 1`,
		`tieline_observations_total{change="raised",source="prom"} 1`,
		`tieline_intake_requests_total{code="200",source="prom"} 1`,
		`tieline_build_info{version="1.2.3"} 1`,
	)
}
