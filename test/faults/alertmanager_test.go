package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/ledger"
)

// TestAlertmanagerThroughAFailover feeds a real Alertmanager, which pushes to
// the servers through its own list of receivers, while the Active is killed:
// every alert's ticket is there once, and resolved where the alert ended.
func TestAlertmanagerThroughAFailover(t *testing.T) {
	r := onPostgres(t)
	am := startAlertmanager(t, r)
	r.must(r.Apply(r.ctx, am.document(r)))
	_, err := r.WaitActive(r.ctx, "am", nil)
	r.must(err)

	const alerts = 60
	for n := range alerts {
		am.post(n, 1, time.Time{})
		r.ledger.Promise(ledger.Promise{Alert: am.name(n), Number: 1, At: time.Now()})
		if n == alerts/2 {
			dead := r.Active(r.ctx, "am")
			if dead == nil {
				t.Fatal("nobody is Active")
			}
			dead.Kill()
		}
	}
	for n := 0; n < alerts; n += 2 {
		am.post(n, 2, time.Now())
		r.ledger.Promise(ledger.Promise{Alert: am.name(n), Number: 2, Closed: true, At: time.Now()})
	}
	r.rest()
	r.audit(1)
}

type alertmanager struct {
	t   *testing.T
	url string
	dir string
}

// startAlertmanager starts one whose receiver is every server of the rig.
func startAlertmanager(t *testing.T, r *rig) *alertmanager {
	t.Helper()
	script, err := filepath.Abs("../peers/alertmanager.sh")
	if err != nil {
		t.Fatal(err)
	}
	am := &alertmanager{t: t, dir: filepath.Join(os.TempDir(), fmt.Sprintf("tieline-faults-am-%d", os.Getpid()))}
	r.must(os.MkdirAll(am.dir, 0o755))
	config := filepath.Join(am.dir, "tieline.yml")
	r.must(os.WriteFile(config, []byte(am.config(r)), 0o644))
	cmd := exec.Command(script, "start", am.dir, "http://127.0.0.1:1/unused")
	cmd.Env = append(os.Environ(), "AM_CONFIG="+config)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	r.must(err)
	t.Cleanup(func() { _ = exec.Command(script, "destroy", am.dir).Run() })
	for _, line := range strings.Split(string(out), "\n") {
		if value, ok := strings.CutPrefix(line, "AM_URL="); ok {
			am.url = value
		}
	}
	if am.url == "" {
		t.Fatalf("Alertmanager's script told no AM_URL:\n%s", out)
	}
	return am
}

func (am *alertmanager) config(r *rig) string {
	var receivers strings.Builder
	for _, s := range r.Servers {
		fmt.Fprintf(&receivers, "      - url: %s/v1/sources/am\n        send_resolved: true\n", s.URL)
	}
	return `
route:
  receiver: tieline
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: tieline
    webhook_configs:
` + receivers.String()
}

func (am *alertmanager) document(r *rig) string {
	return fmt.Sprintf(`
name: am
sources:
  - name: am
    kind: alertmanager
    url: %s
    compare: 5s
%s
fields:
  name: "{{ .Labels.instance }}"
  number: '{{ if eq .Status "closed" }}2{{ else }}1{{ end }}'
high_availability:
  polling_interval: %s
  tolerance: %d
`, am.url, r.desk.Remote(), polling, tolerance)
}

func (am *alertmanager) name(n int) string { return fmt.Sprintf("db%03d", n) }

func (am *alertmanager) post(n, number int, ends time.Time) {
	am.t.Helper()
	alert := map[string]any{
		"labels":      map[string]string{"alertname": "DiskFull", "instance": am.name(n), "severity": "critical"},
		"annotations": map[string]string{"summary": "disk full on " + am.name(n)},
	}
	if !ends.IsZero() {
		alert["endsAt"] = ends.Format(time.RFC3339)
	}
	body, err := json.Marshal([]any{alert})
	if err != nil {
		am.t.Fatal(err)
	}
	resp, err := http.Post(am.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		am.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		am.t.Fatalf("Alertmanager answered %s", resp.Status)
	}
}
