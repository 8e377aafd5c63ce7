package browser

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// alertmanager starts a real Alertmanager with a whole configuration and returns
// its address.
func alertmanager(t *testing.T, config string) string {
	t.Helper()
	script := os.Getenv("TIELINE_TEST_ALERTMANAGER_SCRIPT")
	if script == "" {
		t.Fatal("TIELINE_TEST_ALERTMANAGER_SCRIPT names no test/peers/alertmanager.sh")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "as-copied.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, verb string) (string, error) {
		cmd := exec.CommandContext(ctx, script, verb, filepath.Join(dir, "am"))
		cmd.Env = append(os.Environ(), "AM_CONFIG="+file, "AM_WEBHOOK=", "AM_PORT=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() {
		if out, err := run(context.Background(), "destroy"); err != nil {
			t.Errorf("stop Alertmanager: %v: %s", err, out)
		}
	})
	out, err := run(t.Context(), "start")
	_, rest, ok := strings.Cut(out, "AM_URL=")
	if err != nil || !ok {
		t.Fatalf("start Alertmanager with\n%s\n%v: %s", config, err, out)
	}
	address, _, _ := strings.Cut(rest, "\n")
	return address
}

// TestAlertmanagerAsTheConsoleSays copies the configuration that the console
// shows, token and all, into a real Alertmanager, and sees its alert come in.
func TestAlertmanagerAsTheConsoleSays(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-a-test"
	s := newSite(t, "sqlite", siteOptions{env: []string{"AM_WEB_TOKEN=" + token}})
	document := strings.Replace(s.document("web", ""), "{name: web, kind: generic}", "{name: am-web, kind: alertmanager, token: 'env:AM_WEB_TOKEN'}", 1)
	if err := s.apply(document); err != nil {
		t.Fatal(err)
	}
	p := s.signIn(t, operator)
	p.open("/connectors/web/sources")
	p.sees("This server has the token", "A whole alertmanager.yml", "/etc/alertmanager/tieline-am-web.token")
	config := evaluate[string](p, `[...document.querySelectorAll(".copy pre")].find(e => e.textContent.startsWith("route:")).textContent`)
	for _, server := range s.Servers {
		if !strings.Contains(config, server.URL+"/v1/sources/am-web") {
			t.Errorf("server %s is not in the configuration:\n%s", server.Name, config)
		}
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	am := alertmanager(t, strings.ReplaceAll(config, "/etc/alertmanager/tieline-am-web.token", file))
	alert := `[{"labels": {"alertname": "DiskFull", "severity": "critical"}, "annotations": {"summary": "/var on db3 is full"}}]`
	resp, err := http.Post(am+"/api/v2/alerts", "application/json", strings.NewReader(alert))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(fmt.Errorf("Alertmanager answers %s", resp.Status))
	}
	p.open("/alerts")
	p.sees("/var on db3 is full", "am-web", "web 1")
}
