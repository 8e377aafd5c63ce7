package faults

import (
	"bytes"
	"context"
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
// the servers through its own list of receivers, while the Active is killed
// again and again: every alert's ticket is there once, and resolved where the
// alert ended.
func TestAlertmanagerThroughAFailover(t *testing.T) {
	alertmanagerThrough(onPostgres(t), (*rig).killActive)
}

// TestAlertmanagerThroughAFreeze has the Active stand still instead: it answers what
// Alertmanager gave up on long ago, and others took, when it runs on.
func TestAlertmanagerThroughAFreeze(t *testing.T) {
	alertmanagerThrough(onPostgres(t), (*rig).freezeActive)
}

func alertmanagerThrough(r *rig, fault func(*rig, int)) {
	am := startAlertmanager(r.t, r)
	r.must(r.Apply(r.ctx, am.document(r)))
	r.connector = "am"
	r.active()
	r.during(am.feed, func(round int) { fault(r, round) })
}

// flock is how many alerts Alertmanager is given, in the short and the long form.
type flock struct {
	groups, size int           // of Alertmanager's notifications
	pause        time.Duration // between two groups
}

func flockSize() flock {
	if *long {
		return flock{groups: 100, size: 20, pause: time.Second}
	}
	return flock{groups: 10, size: 6, pause: 200 * time.Millisecond}
}

// feed opens every alert, group by group, and then closes every other one.
func (am *alertmanager) feed(ctx context.Context) error {
	for _, number := range []int{1, 2} {
		for group := range am.flock.groups {
			if err := am.post(ctx, group, number); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(am.flock.pause / time.Duration(number)):
			}
		}
	}
	return nil
}

type alertmanager struct {
	url    string
	dir    string
	ledger *ledger.Ledger
	flock  flock
}

// startAlertmanager starts one whose receiver is every server of the rig.
func startAlertmanager(t *testing.T, r *rig) *alertmanager {
	t.Helper()
	script, err := filepath.Abs("../peers/alertmanager.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tieline-faults-am")
	r.must(err)
	am := &alertmanager{dir: dir, ledger: r.ledger, flock: flockSize()}
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
global:
  resolve_timeout: 3h
route:
  receiver: tieline
  group_by: [site]
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

// post tells of a group: all its alerts firing (1), or every other one resolved (2).
// Alertmanager's answer is the promise: from there on it pushes until it is heard.
func (am *alertmanager) post(ctx context.Context, group, number int) error {
	var alerts []map[string]any
	var promises []ledger.Promise
	for n := group * am.flock.size; n < (group+1)*am.flock.size; n += number {
		name := fmt.Sprintf("db%04d", n)
		alert := map[string]any{
			"labels":      map[string]string{"alertname": "DiskFull", "instance": name, "severity": "critical", "site": fmt.Sprint(group)},
			"annotations": map[string]string{"summary": "disk full on " + name},
		}
		if number == 2 {
			alert["endsAt"] = time.Now().Format(time.RFC3339Nano)
		}
		alerts = append(alerts, alert)
		promises = append(promises, ledger.Promise{Alert: name, Number: number, Closed: number == 2, At: time.Now()})
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, am.url+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("Alertmanager answered %s", resp.Status)
	}
	am.ledger.Promise(promises...)
	return nil
}
