package alerts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/store"
)

// TestTimelineSteps: the steps between raised and closed that nobody wrote down
// stand among those that are stored, each at its place.
func TestTimelineSteps(t *testing.T) {
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	sent := func(seconds int, connector, server string, epoch int64, kind string, took time.Duration) Event {
		return Event{At: at(seconds), Connector: connector, Server: server, Epoch: epoch, Kind: kind, Took: took}
	}
	a := alert.Alert{Source: "am", AcceptedBy: "ams1", AcceptedAt: at(0), StartsAt: at(900)} // the source's clock is ahead
	matches := []store.Match{
		{Connector: "desk", At: at(0), Version: 3, Document: "name: desk\nsubscription: labels.team == \"web\"\n", Window: 30 * time.Second},
		{Connector: "late", At: at(6), Version: 1, Document: "name: late\n"},
		{Connector: "gone", At: at(0)},
	}
	events := []Event{
		sent(5, "desk", "ams1", 4, "looked", time.Second), sent(5, "desk", "ams1", 4, "sent", 2*time.Second),
		{At: at(6), Kind: "changed", Server: "fra1", Revision: 2},
		sent(8, "desk", "fra1", 5, "failed", time.Second),
		{At: at(9), Connector: "desk", Kind: "retried"},
		sent(20, "late", "fra1", 2, "sent", 12*time.Second),
		{At: at(21), Kind: "closed", Server: "fra1", Revision: 3},
		sent(23, "desk", "fra1", 5, "sent", 0),
	}
	var got []string
	for _, e := range withSteps(a, events, matches) {
		got = append(got, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", e.Kind, e.Connector, e.Server)), " "))
	}
	want := []string{
		"raised", "accepted ams1", "matched desk", "matched gone",
		"claimed desk ams1", "looked desk ams1", "sent desk ams1",
		"changed fra1", "matched late", "claimed desk fra1", "failed desk fra1",
		"claimed late fra1", "retried desk", "sent late fra1",
		"closed fra1", "claimed desk fra1", "sent desk fra1",
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the timeline is\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, e := range withSteps(a, events, matches) {
		text := map[string]string{
			"matched desk": `labels.team == "web" (version 3 of the document)`, "matched late": "every alert of its sources (version 1",
			"matched gone": "its subscription takes the alert", "claimed desk": "a send may start for 30 s after it", "raised ": "by its own clock",
		}[e.Kind+" "+e.Connector]
		if !strings.Contains(e.Text, text) {
			t.Errorf("%s %s says %q, not %q", e.Kind, e.Connector, e.Text, text)
		}
		if e.Kind == "claimed" && e.Epoch == 4 && !e.At.Equal(at(2)) {
			t.Errorf("claimed at %s, not before the calls of 3 s that were recorded at %s", e.At, at(5))
		}
	}
}

// TestTimelineKeepsWhatIsStored: stamps of a database whose clock was put back
// move no stored event.
func TestTimelineKeepsWhatIsStored(t *testing.T) {
	events := []Event{{At: now.Add(time.Minute), Kind: "one"}, {At: now, Kind: "two"}, {At: now.Add(time.Second), Kind: "three"}}
	var got []string
	for _, e := range withSteps(alert.Alert{AcceptedAt: now}, events, []store.Match{{Connector: "desk", At: now}}) {
		got = append(got, e.Kind)
	}
	if text := strings.Join(got, " "); text != "accepted one two matched three" {
		t.Errorf("the timeline is %q", text)
	}
}
