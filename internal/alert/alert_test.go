package alert

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func observed(s Status, summary string, starts, ends time.Time) Observation {
	return Observation{Source: "am", Key: "k", Status: s, StartsAt: starts, EndsAt: ends, Content: Content{Summary: summary}}
}

func TestApply(t *testing.T) {
	open := &Alert{ID: NewID(), Source: "am", Key: "k", Status: Open, Revision: 2, Seen: 5, StartsAt: noon, Content: Content{Summary: "full"}}
	closed := &Alert{ID: NewID(), Source: "am", Key: "k", Status: Closed, Revision: 3, Seen: 6, StartsAt: noon, EndsAt: noon.Add(time.Hour), Content: Content{Summary: "full"}}
	later := noon.Add(2 * time.Hour)
	tests := []struct {
		name         string
		latest       *Alert
		o            Observation
		change       Change
		status       Status
		revision     int64
		seen         int64
		sameAlert    bool
		wantPrevious ID
	}{
		{name: "first word opens", o: observed(Open, "full", noon, time.Time{}), change: Raised, status: Open, revision: 1, seen: 1},
		{name: "first word is a closing", o: observed(Closed, "full", noon, later), change: Missed, status: Closed, revision: 1, seen: 1},
		{name: "repeat grows only seen", latest: open, o: observed(Open, "full", noon, time.Time{}), change: Repeated, status: Open, revision: 2, seen: 6, sameAlert: true},
		{name: "new content grows the revision", latest: open, o: observed(Open, "fuller", noon, time.Time{}), change: Changed, status: Open, revision: 3, seen: 6, sameAlert: true},
		{name: "closing", latest: open, o: observed(Closed, "full", noon, later), change: Ended, status: Closed, revision: 3, seen: 6, sameAlert: true},
		{name: "closing that ended before this one began", latest: open, o: observed(Closed, "full", noon.Add(-time.Hour), noon.Add(-time.Minute)), change: Stale, status: Open, revision: 2, seen: 5, sameAlert: true},
		{name: "closing without times", latest: open, o: observed(Closed, "full", time.Time{}, time.Time{}), change: Ended, status: Closed, revision: 3, seen: 6, sameAlert: true},
		{name: "fires again", latest: closed, o: observed(Open, "full", later, time.Time{}), change: Raised, status: Open, revision: 1, seen: 1, wantPrevious: closed.ID},
		{name: "closing repeated", latest: closed, o: observed(Closed, "full", noon, noon.Add(time.Hour)), change: Repeated, status: Closed, revision: 3, seen: 7, sameAlert: true},
		{name: "a later problem opened and closed unheard", latest: closed, o: observed(Closed, "full", later, later.Add(time.Minute)), change: Missed, status: Closed, revision: 1, seen: 1, wantPrevious: closed.ID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, change := Apply(tt.latest, tt.o)
			if change != tt.change || got.Status != tt.status || got.Revision != tt.revision || got.Seen != tt.seen {
				t.Errorf("got %s %s revision %d seen %d, want %s %s %d %d", change, got.Status, got.Revision, got.Seen, tt.change, tt.status, tt.revision, tt.seen)
			}
			if same := tt.latest != nil && got.ID == tt.latest.ID; same != tt.sameAlert {
				t.Errorf("same alert: %v, want %v", same, tt.sameAlert)
			}
			if !tt.sameAlert && got.Previous != tt.wantPrevious {
				t.Errorf("previous %s, want %s", got.Previous, tt.wantPrevious)
			}
		})
	}
}

// TestALateClosingOfAnEarlierStart: the source closed and opened it again, of
// which the repeat with a later start is all that was heard.
func TestALateClosingOfAnEarlierStart(t *testing.T) {
	for name, content := range map[string]string{"repeated": "full", "changed": "fuller"} {
		open := Alert{ID: NewID(), Status: Open, Revision: 1, StartsAt: noon, Content: Content{Summary: "full"}}
		again, _ := Apply(&open, observed(Open, content, noon.Add(10*time.Minute), time.Time{}))
		if !again.StartsAt.Equal(noon.Add(10 * time.Minute)) {
			t.Errorf("%s: it starts at %s, want the later start", name, again.StartsAt)
		}
		if _, change := Apply(&again, observed(Closed, "full", noon, noon.Add(5*time.Minute))); change != Stale {
			t.Errorf("%s: the closing of the earlier start is %s, want stale", name, change)
		}
		if got, _ := Apply(&again, observed(Open, "full", noon, time.Time{})); !got.StartsAt.Equal(again.StartsAt) {
			t.Errorf("%s: a late word about the earlier start moved it to %s", name, got.StartsAt)
		}
	}
}

func TestApplyKeepsContentOfAnEmptyClosing(t *testing.T) {
	open := &Alert{ID: NewID(), Status: Open, Revision: 1, Content: Content{Summary: "full", Severity: "critical"}}
	got, _ := Apply(open, Observation{Status: Closed})
	if !got.Content.Equal(open.Content) {
		t.Errorf("a closing without content left %+v", got.Content)
	}
}

func TestApplyDoesNotTouchItsInput(t *testing.T) {
	open := Alert{ID: NewID(), Status: Open, Revision: 1, Content: Content{Summary: "full"}}
	before := open
	Apply(&open, observed(Closed, "empty", noon, noon))
	if open.Status != before.Status || open.Revision != before.Revision || !open.Content.Equal(before.Content) {
		t.Errorf("input changed to %+v", open)
	}
}
