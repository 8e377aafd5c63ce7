package main

import (
	"encoding/json"
	"fmt"

	"tieline/internal/alert"
)

// observation returns the n-th alert of the benchmarks: about 600 bytes of
// labels and annotations, as a Prometheus rule of a usual size makes.
func observation(n int) alert.Observation {
	return alert.Observation{
		Source: "bench", Key: fmt.Sprintf("bench-%08d", n), Status: alert.Open,
		Content: alert.Content{
			Severity:    "critical",
			Summary:     fmt.Sprintf("Disk /var on db%04d.example.net will be full in four hours", n%10000),
			Description: "The file system /var has less than 8 % left and fills at 1.2 GB per hour; the last backup of this host was taken two days ago.",
			Labels: map[string]string{
				"alertname": "DiskWillFillIn4Hours", "instance": fmt.Sprintf("db%04d.example.net:9100", n%10000),
				"job": "node", "severity": "critical", "team": "storage", "site": "ams1", "mountpoint": "/var", "fstype": "ext4",
			},
			Annotations: map[string]string{"runbook": "https://runbooks.example.net/storage/disk-will-fill", "dashboard": "https://grafana.example.net/d/node"},
			URL:         "https://prometheus.example.net/graph?g0.expr=predict_linear",
		},
	}
}

func bodyOf(o alert.Observation) string {
	b, err := json.Marshal(o.Content)
	if err != nil {
		panic(err) // a struct of strings and maps of strings always marshals
	}
	return string(b)
}
