package intake

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
)

func TestRoute(t *testing.T) {
	routes := table(t, 1,
		document(t, "waits", "sources: [{name: s, kind: generic}, {name: other, kind: generic}]\nlifecycle: {close: {wait: 90s}, skip_closed_unsent: true}"),
		document(t, "plain", "sources: [{name: s, kind: generic}]"),
		document(t, "fails", "sources: [{name: s, kind: generic}]\nsubscription: labels.absent == \"x\""),
		document(t, "elsewhere", "sources: [{name: other, kind: generic}]"),
	)
	const skipped = "the alert closed before it was sent"
	tests := map[string]struct {
		alert alert.Alert
		want  []Routing
	}{
		"open":   {alert.Alert{Source: "s", Status: alert.Open}, []Routing{{Connector: "plain"}, {Connector: "waits"}}},
		"closed": {alert.Alert{Source: "s", Status: alert.Closed}, []Routing{{Connector: "plain"}, {Connector: "waits", DelaySeconds: 90, Skip: skipped}}},
		"other":  {alert.Alert{Source: "other", Status: alert.Open}, []Routing{{Connector: "elsewhere"}, {Connector: "waits"}}},
		"nobody": {alert.Alert{Source: "unknown", Status: alert.Open}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, routes.Route(&test.alert)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDoors(t *testing.T) {
	doors := table(t, 1,
		document(t, "a", "sources: [{name: open, kind: generic}, {name: am, kind: alertmanager, token: env:AM}, {name: shared, kind: generic, token: env:ONE}]"),
		document(t, "b", "sources: [{name: shared, kind: generic, token: env:OTHER}, {name: am, kind: alertmanager, token: env:AM}]"),
		document(t, "c", "sources: [{name: absent, kind: generic, token: env:ABSENT}, {name: odd, kind: generic, settings: {x: y}}, {name: new, kind: telex}]"),
		document(t, "d", "sources: [{name: shared, kind: generic, token: env:ONE}]"),
	)
	for name, problem := range map[string]string{
		"open": "", "am": "", "shared": "two connectors describe it differently", "absent": "its token cannot be read",
		"odd": "its settings cannot be used", "new": "its kind is not known",
	} {
		door, ok := doors.Door(name)
		if !ok || door.Problem != problem || (problem == "" && door.Adapter == nil) {
			t.Errorf("door %s: %v, problem %q; want %q", name, ok, door.Problem, problem)
		}
	}
	if door, _ := doors.Door("am"); door.Token.IsZero() {
		t.Error("am asks for no token")
	}
	if _, ok := doors.Door("nobody"); ok {
		t.Error("a source that nobody lists has a door")
	}
}

func TestCheckSources(t *testing.T) {
	doc := document(t, "a", "sources: [{name: x, kind: generic}, {name: s, kind: generic, token: env:A}]").Document()
	others := []*connector.Document{
		document(t, "a", "sources: [{name: s, kind: alertmanager}]").Document(), // its own version before
		document(t, "b", "sources: [{name: s, kind: generic, token: env:B}]").Document(),
		document(t, "c", "sources: [{name: s, kind: generic, token: env:A, url: \"http://x\"}]").Document(),
	}
	want := []fault.Problem{{Path: "sources[1]", Message: "connector b lists source s with another kind or token; a source has one of each"}}
	if diff := cmp.Diff(want, CheckSources(doc, others)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestSweepReachesAlertsBehind: an alert taken in under a document that did not
// want it is forwarded under the next one.
func TestSweepReachesAlertsBehind(t *testing.T) {
	s := newFakeStore()
	router := NewRouter()
	gate := NewGate(Config{Store: s, Router: router})
	router.Swap(table(t, 1, document(t, "a", "sources: [{name: s, kind: generic}]\nsubscription: severity == \"info\"")))
	accepted, err := gate.Accept(t.Context(), firing("k"))
	if err != nil {
		t.Fatal(err)
	}
	var woken []string
	sweeper := &Sweeper{Store: s, Router: router, Server: "one", Log: slog.New(slog.DiscardHandler), Wake: func(names []string) { woken = names }}
	for _, step := range []struct {
		table *Table
		want  int
	}{
		{table(t, 1), 0}, // nothing is behind
		{NewTable(TableConfig{Generation: 2, Broken: []string{"b"}}), 0}, // not by a server that cannot evaluate all
		{table(t, 2, document(t, "a", "sources: [{name: s, kind: generic}]")), 1},
		{table(t, 2, document(t, "a", "sources: [{name: s, kind: generic}]")), 0},
	} {
		router.Swap(step.table)
		if n, err := sweeper.Sweep(t.Context()); n != step.want || err != nil {
			t.Errorf("swept %d, %v; want %d", n, err, step.want)
		}
	}
	if diff := cmp.Diff([]Routing{{Connector: "a"}}, s.links[accepted[0].ID]); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a"}, woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}

// TestABrokenTableStampsOlder: what a server with a broken document takes in is
// behind for every other.
func TestABrokenTableStampsOlder(t *testing.T) {
	s := newFakeStore()
	gate := newGate(t, s)
	gate.cfg.Router.Swap(NewTable(TableConfig{Generation: 5, Broken: []string{"b"}}))
	if _, err := gate.Accept(t.Context(), firing("k")); err != nil {
		t.Fatal(err)
	}
	if behind, _ := s.Behind(t.Context(), 5, 10); len(behind) != 1 {
		t.Errorf("%d alerts are behind, want 1", len(behind))
	}
}

// TestSweeperRuns: at the start and several times after each change, so that
// alerts which an older server takes in meanwhile are found.
func TestSweeperRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		router := NewRouter()
		gate := NewGate(Config{Store: s, Router: router})
		router.Swap(table(t, 1))
		changed := make(chan struct{})
		active := false
		sweeper := &Sweeper{
			Store: s, Router: router, Server: "one", Log: slog.New(slog.DiscardHandler), Wake: func([]string) {},
			Active: func() bool { return active }, Changed: changed,
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			sweeper.Run(ctx)
		}()
		behind := func() int {
			synctest.Wait()
			n, _ := s.Behind(ctx, 2, 10)
			return len(n)
		}
		if _, err := gate.Accept(ctx, firing("before")); err != nil {
			t.Fatal(err)
		}
		router.Swap(table(t, 2))
		changed <- struct{}{}
		if behind() != 1 {
			t.Error("a server that is not Active swept")
		}
		active = true
		changed <- struct{}{}
		if behind() != 0 {
			t.Error("not swept after the change")
		}
		router.Swap(table(t, 1)) // a server behind takes one in
		if _, err := gate.Accept(ctx, firing("after")); err != nil {
			t.Fatal(err)
		}
		router.Swap(table(t, 2))
		time.Sleep(2 * time.Second)
		if behind() != 0 {
			t.Error("not swept again")
		}
		cancel()
		<-ended
	})
}
