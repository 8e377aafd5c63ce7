package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// peerTime bounds waiting for the real Alertmanager.
const peerTime = 30 * time.Second

// env returns what the tests against a real Alertmanager need; test/run.sh sets it.
func env(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: these tests need a real Alertmanager; test/run.sh starts one", name)
	}
	return value
}

// peer is a real Alertmanager and one problem of this test's own.
type peer struct {
	url    string
	labels map[string]string
	parts  source.Parts
}

func newPeer(t *testing.T, settings map[string]string) *peer {
	t.Helper()
	p := &peer{url: env(t, "TIELINE_TEST_ALERTMANAGER_URL")}
	p.labels = map[string]string{
		"alertname": "Test" + strings.ReplaceAll(uuid.NewString(), "-", ""), "instance": `dä"b\1`, "severity": "critical",
	}
	var err error
	p.parts, err = New(source.Settings{Name: "am", URL: p.url, Values: settings})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// post makes Alertmanager have the alert; a zero end means firing.
func (p *peer) post(t *testing.T, ends time.Time) {
	t.Helper()
	a := map[string]any{
		"labels": p.labels, "annotations": map[string]string{"summary": "a test", "description": "more"},
		"generatorURL": "http://prom/graph?x=1",
	}
	if !ends.IsZero() {
		a["endsAt"] = ends.Format(time.RFC3339Nano)
	}
	body, _ := json.Marshal([]any{a})
	response, err := http.Post(p.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("Alertmanager answered %s", response.Status)
	}
}

// listed returns the test's alert as the list has it.
func (p *peer) listed(t *testing.T) (alert.Observation, bool) {
	t.Helper()
	open, incarnation, err := p.parts.Lister.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if incarnation == "" {
		t.Error("no incarnation")
	}
	i := slices.IndexFunc(open, func(o alert.Observation) bool { return o.Labels["alertname"] == p.labels["alertname"] })
	if i < 0 {
		return alert.Observation{}, false
	}
	return open[i], true
}

// webhooks listens where Alertmanager posts, and gives the observations of the
// test's alert.
func (p *peer) webhooks(t *testing.T) <-chan alert.Observation {
	t.Helper()
	listener, err := net.Listen("tcp", env(t, "TIELINE_TEST_ALERTMANAGER_WEBHOOK"))
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan alert.Observation, 100)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		observations, err := p.parts.Adapter.Parse(body, source.Limits{})
		if err != nil {
			t.Errorf("a real webhook is refused: %s\n%s", fault.Message(err), body)
		}
		for _, o := range observations {
			if o.Labels["alertname"] == p.labels["alertname"] {
				heard <- o
			}
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return heard
}

func hear(t *testing.T, heard <-chan alert.Observation, status alert.Status) alert.Observation {
	t.Helper()
	timeout := time.After(peerTime)
	for {
		select {
		case o := <-heard:
			if o.Status == status {
				return o
			}
		case <-timeout:
			t.Fatalf("no webhook with the alert %s within %v", status, peerTime)
		}
	}
}

// TestRealWebhookAndList: what Alertmanager pushes and what it lists are the
// same observation, so that a comparison finds nothing new.
func TestRealWebhookAndList(t *testing.T) {
	p := newPeer(t, map[string]string{"receiver": "hook"})
	heard := p.webhooks(t)
	p.post(t, time.Time{})
	pushed := hear(t, heard, alert.Open)
	listed, ok := p.listed(t)
	if !ok {
		t.Fatal("the alert is not in the list")
	}
	if diff := cmp.Diff(pushed, listed); diff != "" {
		t.Errorf("pushed and listed differ (-pushed +listed):\n%s", diff)
	}
	if want := fingerprint(p.labels); pushed.Key != want || pushed.Severity != "critical" || pushed.URL != "http://prom/graph?x=1" {
		t.Errorf("observation = %+v, want key %s", pushed, want)
	}

	p.post(t, time.Now())
	closed := hear(t, heard, alert.Closed)
	if closed.EndsAt.IsZero() || closed.Key != pushed.Key {
		t.Errorf("closed = %+v", closed)
	}
	if _, ok := p.listed(t); ok {
		t.Error("a resolved alert is listed as open")
	}
}

func TestRealListOfAnotherReceiver(t *testing.T) {
	p := newPeer(t, map[string]string{"receiver": "hoo"})
	p.post(t, time.Time{})
	if _, ok := p.listed(t); ok {
		t.Error("the list has an alert of another receiver")
	}
}

// silences returns the states of the test's silences.
func (p *peer) silences(t *testing.T, id alert.ID) []string {
	t.Helper()
	response, err := http.Get(p.url + "/api/v2/silences")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all []silence
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, s := range all {
		if strings.Contains(s.Comment, id.String()) {
			states = append(states, s.Status.State)
			if !strings.HasPrefix(s.Comment, "acknowledged in ticket 17, connector c ") || len(s.Matchers) != len(p.labels) {
				t.Errorf("silence = %+v", s)
			}
		}
	}
	slices.Sort(states)
	return states
}

func (p *peer) write(t *testing.T, a alert.Alert, state string) {
	t.Helper()
	u := source.Update{Key: "tl-1-1", Alert: a, State: state, Ticket: "17", Connector: "c", Revision: 1}
	if err := p.parts.Writer.Write(t.Context(), u); err != nil {
		t.Fatalf("write %s: %v", state, err)
	}
}

// TestRealSilence: an acknowledgement silences once, and ends with it; the alert
// counts as open all the while.
func TestRealSilence(t *testing.T) {
	p := newPeer(t, map[string]string{"silence": "30m"})
	p.post(t, time.Time{})
	a := alert.Alert{ID: alert.NewID(), Status: alert.Open, Content: alert.Content{Labels: p.labels}}
	want := func(step string, states ...string) {
		t.Helper()
		if diff := cmp.Diff(states, p.silences(t, a.ID)); diff != "" {
			t.Fatalf("silences %s (-want +got):\n%s", step, diff)
		}
		if _, ok := p.listed(t); !ok {
			t.Fatalf("%s the alert is not listed as open", step)
		}
	}
	p.write(t, a, "open")
	want("before anything")
	p.write(t, a, "acknowledged")
	p.write(t, a, "acknowledged")
	want("once acknowledged", "active")
	p.write(t, a, "open")
	p.write(t, a, "open")
	want("once open again", "expired")
	p.write(t, a, "acknowledged")
	want("acknowledged again", "active", "expired")
	other := a
	other.ID = alert.NewID()
	p.write(t, other, "open")
	want("after another alert's update", "active", "expired")
	a.Status = alert.Closed
	p.write(t, a, "acknowledged")
	want("once closed", "expired", "expired")
}

// TestRealSilenceEndsWithItsAlert: the same problem firing again is announced,
// although it was acknowledged before.
func TestRealSilenceEndsWithItsAlert(t *testing.T) {
	p := newPeer(t, map[string]string{"receiver": "hook"})
	heard := p.webhooks(t)
	p.post(t, time.Time{})
	first := hear(t, heard, alert.Open)
	if _, announced := p.announced(t); !announced {
		t.Error("an alert that was pushed is not announced")
	}
	a := alert.Alert{ID: alert.NewID(), Status: alert.Open, Content: alert.Content{Labels: p.labels}}
	p.write(t, a, source.Acknowledged)
	p.awaitAnnounced(t, false)
	if _, listed := p.listed(t); !listed {
		t.Error("a silenced alert is not listed")
	}
	p.post(t, time.Now())
	a.Status = alert.Closed
	p.write(t, a, source.Ended)
	p.write(t, a, source.Ended)
	if diff := cmp.Diff([]string{"expired"}, p.silences(t, a.ID)); diff != "" {
		t.Fatalf("silences once closed (-want +got):\n%s", diff)
	}
	p.post(t, time.Time{})
	if o := p.awaitAnnounced(t, true); o.Key != first.Key {
		t.Errorf("fired again: %+v", o)
	}
}

// announced returns the test's alert as it is announced.
func (p *peer) announced(t *testing.T) (alert.Observation, bool) {
	t.Helper()
	open, err := p.parts.Lister.(source.Announcer).Announced(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range open {
		if o.Labels["alertname"] == p.labels["alertname"] {
			return o, true
		}
	}
	return alert.Observation{}, false
}

// awaitAnnounced waits until the test's alert is announced, or no longer: a
// silence takes Alertmanager a moment.
func (p *peer) awaitAnnounced(t *testing.T, want bool) alert.Observation {
	t.Helper()
	for end := time.Now().Add(peerTime); ; time.Sleep(50 * time.Millisecond) {
		o, is := p.announced(t)
		if is == want {
			return o
		}
		if time.Now().After(end) {
			t.Fatalf("announced: %v, want %v", is, want)
		}
	}
}

func TestListWithAlertmanagerAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	parts, err := New(source.Settings{Name: "am", URL: fmt.Sprintf("http://user:hunter2@%s", address)})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = parts.Lister.List(context.Background())
	if fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "hunter2") || !strings.Contains(fault.Message(err), address) {
		t.Errorf("err = %v", err)
	}
}
