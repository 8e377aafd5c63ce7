package forward_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
)

func eventKinds(events []forward.Event) string {
	text := ""
	for _, e := range events {
		text += " " + e.Kind
	}
	return text[min(1, len(text)):]
}

func TestAStormOfChangesCollapses(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(func(forwardtest.Call) forwardtest.Behaviour { return forwardtest.Behaviour{Take: time.Second} })
		id := w.raise(a, "disk")
		for i := range 50 {
			after(10 * time.Millisecond)
			w.store.Change(id, alert.Content{Summary: fmt.Sprint("disk ", i)})
			a.f.Wake()
		}
		after(3 * time.Second)
		w.settled(id)
		w.calls("update", 1)
	})
}

func TestCallsForOneAlertNeverOverlap(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		var mu sync.Mutex
		last := map[alert.Key]int64{}
		w.remote.Disturb(func(c forwardtest.Call) forwardtest.Behaviour {
			mu.Lock()
			defer mu.Unlock()
			if c.Draft.Revision < last[c.Key] {
				t.Errorf("revision %d after %d", c.Draft.Revision, last[c.Key])
			}
			last[c.Key] = c.Draft.Revision
			return forwardtest.Behaviour{Take: 7 * time.Millisecond}
		})
		var ids []alert.ID
		for i := range 20 {
			ids = append(ids, w.raise(a, fmt.Sprint(i)))
		}
		for round := range 20 {
			after(5 * time.Millisecond)
			for _, id := range ids {
				w.store.Change(id, alert.Content{Summary: fmt.Sprint(round)})
			}
			a.f.Wake()
		}
		after(time.Second)
		for _, id := range ids {
			w.settled(id)
		}
	})
}

func TestDrainFinishesWhatIsInFlightAndGivesTheRestBack(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(func(forwardtest.Call) forwardtest.Behaviour {
			return forwardtest.Behaviour{Take: 200 * time.Millisecond}
		})
		var ids []alert.ID
		for i := range 12 {
			ids = append(ids, w.raise(nil, fmt.Sprint(i)))
		}
		a.f.Wake()
		after(time.Millisecond)
		progress := a.term.ProgressCount()
		close(a.drain)
		a.over = true
		if err := <-a.done; err != nil {
			t.Fatalf("Run = %v", err)
		}
		after(time.Second) // what is left to be recorded needs no term
		w.tickets(4)       // the concurrency
		settled := 0
		for _, id := range ids {
			l := w.link(id)
			if l.Claim.ID != uuid.Nil {
				t.Fatalf("left claimed: %+v", l)
			}
			if l.Stage == alert.Settled {
				settled++
			} else if l.Stage != alert.Fresh {
				t.Fatalf("given back as %+v", l)
			}
		}
		if settled != 4 {
			t.Fatalf("%d recorded, want 4", settled)
		}
		if a.term.ProgressCount() == progress {
			t.Fatal("no progress was told while draining")
		}
		b := w.activate("b")
		after(time.Second)
		for _, id := range ids {
			w.settled(id)
		}
		w.calls("look", 0)
		_ = b
	})
}

func TestLatencyIsToldForFirstDeliveries(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		var latencies []time.Duration
		id := w.raise(nil, "disk")
		time.Sleep(3 * time.Second)
		w.activateWith("a", func(c *forward.Config) {
			c.Observer.Delivered = func(d time.Duration) { latencies = append(latencies, d) }
		})
		synctest.Wait()
		w.settled(id)
		if len(latencies) != 1 || latencies[0] != 3*time.Second {
			t.Fatalf("latencies %v", latencies)
		}
	})
}

func TestATermOfTheSameServerFollowsAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Take: time.Second}))
		id := w.raise(a, "disk")
		after(time.Millisecond)
		a.lose()
		again := w.begin("a", a.f)
		other := w.raise(again, "cpu")
		after(2 * time.Second)
		w.settled(id)
		w.settled(other)
		w.calls("look", 0)
	})
}
