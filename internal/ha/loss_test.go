package ha

import (
	"testing"
	"time"
)

// TestL8LostHeartbeatsAreTold restores the rows of a while ago in another
// history: the server knows which of its heartbeats had been confirmed.
func TestL8LostHeartbeatsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		lost  int64
		since time.Duration
	}{
		"none":              {0, time.Second},
		"the last two":      {2, 3 * time.Second},
		"all that it knows": {beatsKept, -1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, Settings{Polling: time.Second, Tolerance: 3})
			d.group.Leases = nil // nothing is asked but heartbeats
			d.ask()
			for range beatsKept + 50 {
				d.pass(time.Second)
				d.ask()
			}
			if _, told := d.k.Lost(); told {
				t.Fatal("a loss is told of a history that did not change")
			}
			d.pass(time.Second)
			d.group.Identity = "another"
			d.group.Servers[0].Beat -= c.lost
			d.k.Answer(d.now, Reread{}, Answer{Group: d.copy()})
			if got, told := d.k.Lost(); !told || got != (Loss{Beats: c.lost, Since: c.since}) {
				t.Errorf("told %v: %+v, want %d heartbeats and %v", told, got, c.lost, c.since)
			}
			if _, again := d.k.Lost(); again {
				t.Error("it is told twice")
			}
		})
	}
}
