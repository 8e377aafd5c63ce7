package alert

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
)

func edited() Alert {
	return Alert{ID: uuid.New(), Status: Open, Revision: 3, Content: Content{
		Severity: "critical", Summary: "as told", Labels: map[string]string{"team": "db"}, Annotations: map[string]string{"note": "n"},
	}}
}

func TestEdit(t *testing.T) {
	a := edited()
	next, changes, err := a.Edit(map[string]string{"summary": "shorter", "labels.team": "storage", "severity": "critical"})
	if err != nil || next.Revision != 4 || next.Summary != "shorter" || next.Labels["team"] != "storage" {
		t.Fatalf("%+v %v", next, err)
	}
	if want := []string{`labels.team: "db" -> "storage"`, `summary: "as told" -> "shorter"`}; !slices.Equal(changes, want) {
		t.Errorf("changes %q", changes)
	}
	if a.Labels["team"] != "db" || a.Edits != nil {
		t.Error("the alert that was edited changed with it")
	}
	again, _, _ := next.Edit(map[string]string{"summary": "shorter still"})
	if again.Edits["summary"] != (Edit{From: "as told", To: "shorter still"}) {
		t.Errorf("a second edit forgot what the source said: %+v", again.Edits)
	}
	if said := again.Edits.Revert(again.Content); !said.Equal(a.Content) {
		t.Errorf("reverted: %+v", said)
	}
	same, changes, err := a.Edit(map[string]string{"summary": "as told"})
	if err != nil || changes != nil || same.Revision != a.Revision {
		t.Errorf("no change: %+v %v %v", same, changes, err)
	}
	back, _, _ := again.Edit(map[string]string{"summary": "as told", "labels.team": "db"})
	if back.Edits != nil || back.Revision != 6 || !back.Content.Equal(a.Content) {
		t.Errorf("edited back: %+v", back)
	}
	if _, _, err := a.Edit(map[string]string{"labels.none": "x"}); err == nil {
		t.Error("a label the alert does not have was edited")
	}
}

// TestEditAndSource: an edit stands while the source repeats itself, and what
// the source says anew counts.
func TestEditAndSource(t *testing.T) {
	a, _, err := edited().Edit(map[string]string{"summary": "shorter"})
	if err != nil {
		t.Fatal(err)
	}
	say := func(status Status, change func(*Content)) (Alert, Change) {
		c := edited().Content
		if change != nil {
			change(&c)
		}
		return Apply(&a, Observation{Status: status, Content: c})
	}
	if next, change := say(Open, nil); change != Repeated || next.Summary != "shorter" || next.Revision != a.Revision {
		t.Errorf("a repeat: %s %+v", change, next)
	}
	if next, change := say(Open, func(c *Content) { c.Severity = "info" }); change != Changed || next.Summary != "shorter" || next.Severity != "info" {
		t.Errorf("another field changes: %s %+v", change, next)
	}
	if next, change := say(Open, func(c *Content) { c.Summary = "worse" }); change != Changed || next.Summary != "worse" {
		t.Errorf("the same field changes: %s %+v", change, next)
	}
	if next, change := say(Closed, nil); change != Ended || next.Summary != "shorter" || !reflect.DeepEqual(next.Edits, a.Edits) {
		t.Errorf("it closes: %s %+v", change, next)
	}
	a.Status = Closed
	if next, change := say(Open, nil); change != Raised || next.Summary != "as told" || next.Edits != nil {
		t.Errorf("it fires again: %s %+v", change, next)
	}
}

func TestFields(t *testing.T) {
	c := edited().Content
	want := []string{"severity", "summary", "description", "url", "labels.team", "annotations.note"}
	if got := c.Fields(); !slices.Equal(got, want) {
		t.Errorf("fields %q", got)
	}
	if c.Field("labels.team") != "db" || c.Field("annotations.note") != "n" || c.Field("nothing") != "" || c.Field("url") != "" {
		t.Error("a field has another value")
	}
}

func TestGiveUp(t *testing.T) {
	parked := NewLink(LinkID{Connector: "desk", Alert: uuid.New(), Side: Remote}, 2)
	parked.Parked, parked.Attempts, parked.Failure = "refused: 403", 1, "403"
	for name, change := range map[string]func(*Link){
		"not parked":     func(l *Link) { l.Parked = "" },
		"maybe a ticket": func(l *Link) { l.Stage = Uncertain },
		"looked once":    func(l *Link) { l.Stage = Looked },
		"has a ticket":   func(l *Link) { l.Stage, l.Ticket = Settled, "7" },
		"assigned":       func(l *Link) { l.Ticket = "7" },
		"claimed":        func(l *Link) { l.Claim.ID = uuid.New() },
		"evidence":       func(l *Link) { l.Evidence = "?" },
		"the way back":   func(l *Link) { l.Side = Source },
	} {
		l := parked
		change(&l)
		if got, ok := l.GiveUp("otto", "noise"); ok || !reflect.DeepEqual(got, l) {
			t.Errorf("%s: given up: %+v", name, got)
		}
	}
	l, ok := parked.GiveUp("otto", "noise")
	if !ok || l.Skipped != "given up by otto: noise" || l.Due() || l.Parked != "" || !l.GivenUp() {
		t.Fatalf("given up: %v %+v", ok, l)
	}
	if l = l.Want(5); l.Due() {
		t.Error("a later revision makes it due")
	}
	l, ok = l.TakeUp()
	if !ok || !l.Due() || l.Wanted != 5 || l.Stage != Fresh {
		t.Errorf("taken up: %v %+v", ok, l)
	}
	l.Skipped = "it closed before it was sent"
	if _, ok := l.TakeUp(); ok {
		t.Error("a link that nobody gave up was taken up")
	}
}
