package demo

import (
	"fmt"
	"math/rand/v2"
)

// problem is a kind of alert, with how it develops while it is open.
type problem struct {
	name     string
	host     string // prefix of the hosts that have it
	hosts    int
	severity []string // as it develops
	summary  string   // with the host and a figure
	from, by float64  // the figure when it opens, and its greatest step
}

var problems = []problem{
	{"DiskFillingUp", "db", 4, []string{"warning", "critical"}, "/var/lib/data on %s is %.0f %% full", 86, 4},
	{"HighLatency", "api", 8, []string{"warning"}, "requests on %s take %.1f s at the 99th percentile", 1.2, 0.9},
	{"ErrorRate", "web", 12, []string{"warning", "critical"}, "%s answers %.1f %% of requests with 5xx", 2, 3},
	{"NodeDown", "worker", 30, []string{"critical"}, "%s does not answer; last seen %.0f s ago", 45, 60},
	{"ReplicationLag", "db", 4, []string{"warning", "critical"}, "%s is %.0f s behind its primary", 20, 40},
	{"CertificateExpires", "edge", 6, []string{"info", "warning"}, "the certificate of %s ends in %.0f days", 14, 0},
	{"QueueGrowing", "mq", 3, []string{"warning"}, "%s holds %.0f thousand messages", 12, 25},
	{"MemoryPressure", "worker", 30, []string{"warning", "critical"}, "%s uses %.0f %% of its memory", 91, 3},
	{"BackupMissed", "backup", 2, []string{"critical"}, "%s is %.0f h past its last good backup", 26, 2},
	{"LinkFlapping", "switch", 10, []string{"warning"}, "a port of %s went down %.0f times in 5 min", 6, 4},
}

// incident is one alert's life in the stream: one occurrence of a problem.
type incident struct {
	problem
	key    string
	on     string // host
	number int    // of the latest observation
	last   int    // number of the observation that closes it
	figure float64
}

// newIncident draws one that is told 2 to 5 times, the last time as closed.
func newIncident(r *rand.Rand, serial int) *incident {
	p := problems[r.IntN(len(problems))]
	host := fmt.Sprintf("%s-%02d", p.host, 1+r.IntN(p.hosts))
	return &incident{
		problem: p, on: host, key: fmt.Sprintf("%s/%s/%05d", p.name, host, serial),
		last: 2 + r.IntN(4), figure: p.from + r.Float64(),
	}
}

// next makes the following observation.
func (i *incident) next(r *rand.Rand) observation {
	i.number++
	i.figure += r.Float64() * i.by
	severity := i.severity[min(i.number-1, len(i.severity)-1)]
	o := observation{
		Key: i.key, Status: "open", Severity: severity, Summary: fmt.Sprintf(i.summary, i.on, i.figure),
		Labels:      map[string]string{"alertname": i.name, "host": i.on},
		Annotations: map[string]string{"number": fmt.Sprint(i.number)},
	}
	if i.number == i.last {
		o.Status = "closed"
	}
	return o
}
