package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tieline/test/cluster"
)

// requestTracker is the real Request Tracker that the test command starts.
type requestTracker struct {
	t                       *testing.T
	url, token, script, dir string
}

func newRequestTracker(t *testing.T) *requestTracker {
	t.Helper()
	env := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			t.Fatalf("%s is not set: start Request Tracker with test/peers/rt.sh, or run test/run.sh", name)
		}
		return value
	}
	return &requestTracker{
		t: t, url: env("TIELINE_TEST_RT_URL"), token: env("TIELINE_TEST_RT_TOKEN"),
		script: env("TIELINE_TEST_RT_SCRIPT"), dir: env("TIELINE_TEST_RT_DIR"),
	}
}

func (rt *requestTracker) run(verb string) {
	rt.t.Helper()
	if out, err := exec.Command(rt.script, verb, rt.dir).CombinedOutput(); err != nil {
		rt.t.Fatalf("rt.sh %s: %v\n%s", verb, err, out)
	}
}

// rtTicket is a ticket as RT shows it; Status "rejected" or a merge ends a twin.
type rtTicket struct{ ID, Status, Subject string }

// tickets returns what RT has whose subject starts with a prefix, ended twins left out.
func (rt *requestTracker) tickets(prefix string) []rtTicket {
	rt.t.Helper()
	var found []rtTicket
	for page := 1; ; page++ {
		query := url.Values{
			"query":    {fmt.Sprintf("Queue='Alerts' AND Subject LIKE '%s'", prefix)},
			"fields":   {"Subject,Status"},
			"per_page": {"100"}, "page": {fmt.Sprint(page)},
		}
		req, err := http.NewRequest(http.MethodGet, rt.url+"/REST/2.0/tickets?"+query.Encode(), nil)
		if err != nil {
			rt.t.Fatal(err)
		}
		req.Header.Set("Authorization", "token "+rt.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			rt.t.Fatal(err)
		}
		var answer struct {
			Items []rtTicket
			Pages float64
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil {
			rt.t.Fatal(err)
		}
		for _, item := range answer.Items {
			if strings.HasPrefix(item.Subject, prefix) && item.Status != "rejected" && item.Status != "deleted" {
				found = append(found, item)
			}
		}
		if float64(page) >= answer.Pages {
			return found
		}
	}
}

// document is the connector to RT; subjects start with the source's name.
func (rt *requestTracker) document(source string) string {
	return fmt.Sprintf(`
name: %[1]s
sources:
  - name: %[1]s
    kind: generic
remote:
  kind: rt
  endpoints: [%[2]s]
  token: env:TIELINE_TEST_RT_TOKEN
  settings:
    queue: Alerts
fields:
  subject: "{{ .Summary }}"
states:
  open: open
  closed: resolved
limits:
  window: 20s
  timeout: 10s
  settle: 15s
  concurrency: 4
high_availability:
  polling_interval: 1s
  tolerance: 3
`, source, rt.url)
}

// TestRequestTrackerFrozenInACreate freezes RT while creates are on their way,
// kills the Active, lets the successor take over, and wakes RT, which then
// carries out what it had been sent: still one ticket for each alert.
func TestRequestTrackerFrozenInACreate(t *testing.T) {
	rt := newRequestTracker(t)
	r := onPostgres(t)
	source := fmt.Sprintf("rt-%d", time.Now().Unix())
	r.must(r.Apply(r.ctx, rt.document(source)))
	_, err := r.WaitActive(r.ctx, source, nil)
	r.must(err)

	const alerts = 12
	feed := func(first, count int) {
		feeder := &cluster.Feeder{Cluster: r.Cluster, Source: source, Ledger: r.ledger, Alerts: first + count, First: first, Batch: 4, Workers: 2}
		r.must(feeder.Run(r.ctx))
	}
	feed(0, alerts/2)
	rt.run("pause")
	defer rt.run("resume")
	feed(alerts/2, alerts/2)
	r.pause(2 * time.Second) // creates are now in RT's listening queue, unanswered
	old := r.Cluster.Active(r.ctx, source)
	if old == nil {
		t.Fatal("nobody is Active while RT is frozen")
	}
	old.Kill()
	_, err = r.WaitActive(r.ctx, source, func(s *cluster.Server) bool { return s != old })
	r.must(err)
	r.pause(2 * time.Second)
	rt.run("resume")
	r.must(old.Start())

	r.checkTickets(rt, source, alerts)
}

// checkTickets waits until RT shows one live ticket for each alert, resolved
// where the alert closed, and stays so for a settle time.
func (r *rig) checkTickets(rt *requestTracker, source string, alerts int) {
	r.t.Helper()
	steady := time.Time{}
	for {
		problem := ticketProblem(rt.tickets(source), source, alerts)
		switch {
		case problem != "":
			steady = time.Time{}
		case steady.IsZero():
			steady = time.Now()
		case time.Since(steady) > 15*time.Second:
			r.tell("%d alerts, one ticket each", alerts)
			return
		}
		select {
		case <-r.ctx.Done():
			r.t.Errorf("Request Tracker did not come to show one ticket for each alert: %s", problem)
			return
		case <-time.After(time.Second):
		}
	}
}

func ticketProblem(tickets []rtTicket, source string, alerts int) string {
	byName := map[string][]rtTicket{}
	for _, ticket := range tickets {
		name, _, _ := strings.Cut(ticket.Subject, ":")
		byName[name] = append(byName[name], ticket)
	}
	for n := range alerts {
		name := fmt.Sprintf("%s-%06d", source, n)
		found := byName[name]
		if len(found) != 1 {
			return fmt.Sprintf("%s has %d tickets: %v", name, len(found), found)
		}
		if closed := n%3 != 0; closed != (found[0].Status == "resolved") {
			return fmt.Sprintf("%s is closed: %v, its ticket %v", name, closed, found[0])
		}
	}
	return ""
}
