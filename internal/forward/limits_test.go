package forward_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/remote"
)

func TestAPoisonAlertStopsOnlyItself(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		poison := w.raise(nil, "poison")
		panics := w.raise(nil, "panics")
		w.remote.Disturb(func(c forwardtest.Call) forwardtest.Behaviour {
			switch c.Key {
			case w.key(poison):
				return forwardtest.Behaviour{Fail: refused("desk: the subject is too long")}
			case w.key(panics):
				if c.Op == "create" {
					panic("nil map")
				}
			}
			return forwardtest.Behaviour{}
		})
		var good []alert.ID
		for i := range 20 {
			good = append(good, w.raise(a, fmt.Sprint(i)))
		}
		after(time.Second)
		for _, id := range good {
			w.settled(id)
		}
		if got := w.link(poison).Parked; got != "refused: desk: the subject is too long" {
			t.Fatalf("parked %q", got)
		}
		after(time.Hour)
		if got := w.link(panics); got.Parked == "" {
			t.Fatalf("an adapter that always panics is tried for ever: %+v", got)
		}
	})
}

func TestRetriesBackOffAndPark(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(func(forwardtest.Call) forwardtest.Behaviour {
			return forwardtest.Behaviour{Fail: retry("desk: 503")}
		})
		id := w.raise(a, "disk")
		after(time.Hour / 2)
		w.calls("create", 5)
		calls := w.remote.Calls("create")
		if first, last := calls[1].At.Sub(calls[0].At), calls[4].At.Sub(calls[3].At); last < 4*first {
			t.Errorf("waits grew from %v to %v only", first, last)
		}
		if got := w.link(id).Parked; got != "gave up after 5 attempts: desk: 503" {
			t.Fatalf("parked %q", got)
		}
	})
}

func TestAMappingErrorParksUntilTheDocumentChanges(t *testing.T) {
	bubble(t, func(w *world) {
		w.setup.Mapping = forwardtest.Mapping{Fail: func(*alert.Alert) error { return errors.New("fields.team: no such label") }}
	}, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		if got := w.link(id).Parked; got != "mapping: fields.team: no such label" {
			t.Fatalf("parked %q", got)
		}
		mended := w.setup
		mended.Version, mended.Mapping = 2, forwardtest.Mapping{}
		w.setups.Replace(&mended)
		after(2 * time.Second)
		w.settled(id)
	})
}

// TestWarmingChangesNothing: it goes the way of a claim and takes nothing, while
// another server is Active, or nobody; a server that is Active needs none.
func TestWarmingChangesNothing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		next := forward.New(forward.Config{Connector: desk, Group: w.group, Store: w.store, Setups: w.setups})
		id := w.raise(nil, "disk")
		before := w.link(id)
		next.Warm(t.Context())
		if got := w.link(id); got.Claim != before.Claim || got.Stage != before.Stage {
			t.Errorf("warming made %+v of %+v", got, before)
		}
		if w.store.Calls("Claim") != 1 || w.store.Calls("Claimed") != 1 {
			t.Errorf("%d claims, %d readings", w.store.Calls("Claim"), w.store.Calls("Claimed"))
		}
		a := w.activate("a")
		after(time.Second)
		w.settled(id)
		claims := w.store.Calls("Claim")
		a.f.Warm(t.Context())
		if n := w.store.Calls("Claim"); n != claims {
			t.Error("an Active was warmed")
		}
	})
}

func TestNothingIsClaimedWithoutASetup(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.setups.Replace(nil)
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Minute)
		if n := w.store.Calls("Claim"); n != 0 {
			t.Fatalf("%d claims", n)
		}
		w.setups.Replace(&w.setup)
		after(time.Second)
		w.settled(id)
	})
}

func TestTheBreakerClaimsNothingButProbes(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		var states []forward.BreakerState
		a := w.activateWith("a", func(c *forward.Config) {
			c.Observer.Breaker = func(s forward.BreakerState) { states = append(states, s) }
		})
		w.remote.Disturb(func(forwardtest.Call) forwardtest.Behaviour { return forwardtest.Behaviour{Fail: down()} })
		var ids []alert.ID
		for i := range 200 {
			ids = append(ids, w.raise(nil, fmt.Sprint(i)))
		}
		a.f.Wake()
		after(time.Minute)
		if n := len(w.remote.Calls("create")); n < 6 || n > 40 {
			t.Fatalf("%d calls of a remote that was down for a minute", n)
		}
		if s := a.f.BreakerState(); s == forward.BreakerClosed {
			t.Fatalf("breaker %s", s)
		}
		w.remote.Disturb(nil)
		after(time.Minute)
		for _, id := range ids {
			w.settled(id)
			if l := w.link(id); l.Attempts != 0 || l.Parked != "" {
				t.Fatalf("an outage counted against %+v", l)
			}
		}
		if len(states) != 2 || states[0] != forward.BreakerOpen || states[1] != forward.BreakerClosed {
			t.Fatalf("states %v", states)
		}
	})
}

func TestRetryAfterPausesTheWholeRemote(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{
			Fail: &remote.Failure{Class: remote.Retry, Shared: true, Status: 429, After: time.Minute, Msg: "desk: 429"},
		}))
		first := w.raise(a, "disk")
		after(time.Second)
		second := w.raise(a, "cpu")
		after(57 * time.Second)
		w.calls("create", 1)
		after(5 * time.Second)
		w.settled(first)
		w.settled(second)
	})
}

func TestTheRateIsKept(t *testing.T) {
	bubble(t, func(w *world) {
		w.setup.Mapping = forwardtest.Mapping{Bounds: connector.Limits{Rate: 10, Burst: 1}}
	}, func(t *testing.T, w *world) {
		a := w.activate("a")
		for i := range 100 {
			w.raise(nil, fmt.Sprint(i))
		}
		a.f.Wake()
		after(5 * time.Second)
		if n := len(w.remote.Calls("create")); n < 48 || n > 52 {
			t.Fatalf("%d calls in 5 s at 10 a second", n)
		}
		after(10 * time.Second)
		w.tickets(100)
		w.calls("look", 0)
	})
}

func TestTheDatabaseIsLeftAloneWhileNothingHappens(t *testing.T) {
	bubble(t, func(w *world) { w.setup.Poll = 15 * time.Second }, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.raise(a, "disk")
		after(2 * time.Minute)
		before, progress := w.store.Total(), a.term.ProgressCount()
		after(10 * time.Minute)
		if n := w.store.Total() - before; n > 10*60/30+3 {
			t.Errorf("%d statements in 10 idle minutes", n)
		}
		if n := a.term.ProgressCount() - progress; n < 10*60/5 {
			t.Errorf("progress was told %d times in 10 minutes", n)
		}
	})
}

func TestALostWakeUpCostsOnePoll(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.activate("a")
		after(time.Second)
		id := w.raise(nil, "disk")
		after(31 * time.Second)
		w.settled(id)
	})
}
