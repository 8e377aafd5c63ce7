package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tieline/internal/ha"
)

// TestHistoryKeepsUntilWhenTheActiveLived shows that what tells of the end of an
// Active is noted before its row, or the lease's, forgets it.
func TestHistoryKeepsUntilWhenTheActiveLived(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "north")
		join(t, db, "south")
		north, south := openSession(t, db, "north"), openSession(t, db, "south")
		mustTake(t, north, "desk", "north")
		run(t, db, "UPDATE server SET heartbeat_at = 1000000 WHERE name = 'north'")
		take := func(s ha.Session, server string, ended time.Duration) {
			t.Helper()
			g, err := s.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			asked := takeOf(g, "desk", server)
			asked.Ended = ended
			if _, err := s.Take(t.Context(), asked); err != nil {
				t.Fatal(err)
			}
		}
		take(south, "south", 0)
		take(north, "north", time.Minute)
		// Its process is followed by two more, of which the first notes the end.
		for _, boot := range []string{"second", "second", "third"} {
			run(t, db, "UPDATE server SET heartbeat_at = 2000000 WHERE name = 'north'")
			again := joining("north")
			again.Boot = boot
			if err := db.Join(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
		events, err := db.AvailabilityEvents(t.Context(), HistoryQuery{Connector: "desk", Signs: true})
		if err != nil {
			t.Fatal(err)
		}
		taken := map[int64]time.Time{}
		var signs []AvailabilityEvent
		for _, e := range events {
			if e.Reason == LastHeard || e.Reason == SeenEnding {
				signs = append(signs, e)
			} else if e.To != "" {
				taken[e.Epoch] = e.At
			}
		}
		want := []AvailabilityEvent{
			{Connector: "desk", Epoch: 1, From: "north", Reason: LastHeard, At: time.UnixMicro(1000000).UTC()},
			{Connector: "desk", Epoch: 2, From: "south", Reason: SeenEnding},
			{Connector: "desk", Epoch: 3, From: "north", Reason: LastHeard, At: time.UnixMicro(2000000).UTC()},
		}
		byEpoch := cmpopts.SortSlices(func(a, b AvailabilityEvent) bool { return a.Epoch < b.Epoch })
		exactly := cmp.FilterValues(func(a, b time.Time) bool { return a.IsZero() || b.IsZero() }, cmp.Ignore())
		if diff := cmp.Diff(want, signs, byEpoch, exactly, cmpopts.IgnoreFields(AvailabilityEvent{}, "ID")); diff != "" {
			t.Fatalf("what is known of the ends (-want +got):\n%s", diff)
		}
		for _, e := range signs {
			if early := taken[3].Sub(e.At); e.Reason == SeenEnding && (early < 59*time.Second || early > 10*time.Minute) {
				t.Errorf("what was seen to end a minute before stands %s before the take-over", early)
			}
		}
		told, err := db.AvailabilityHistory(t.Context(), "", 100)
		if err != nil || len(told) != len(events)-len(signs) {
			t.Errorf("of %d events with %d signs the history tells %d (%v)", len(events), len(signs), len(told), err)
		}
	})
}
