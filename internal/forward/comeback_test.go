package forward_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/remote"
)

// broken answers every write with a 500, of unknown outcome and not of the
// remote as a whole, so that attempts run out.
func broken(c forwardtest.Call) forwardtest.Behaviour {
	if c.Op == "create" || c.Op == "update" {
		return forwardtest.Behaviour{Fail: &remote.Failure{Class: remote.Unknown, Status: 500, Msg: "desk: 500"}}
	}
	return forwardtest.Behaviour{}
}

// exhausted raises alerts at a broken remote until all of them are parked.
func (w *world) exhausted(s *server, many int) []alert.ID {
	w.t.Helper()
	w.remote.Disturb(broken)
	var ids []alert.ID
	for i := range many {
		ids = append(ids, w.raise(s, fmt.Sprint("during the outage ", i)))
	}
	after(30 * time.Minute)
	for _, id := range ids {
		if got := w.link(id).Parked; forward.CauseOf(got) != forward.CauseRemote {
			w.t.Fatalf("parked %q", got)
		}
	}
	return ids
}

func TestLinksThatGaveUpComeBackOnceAnotherWriteSucceeds(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		ids := w.exhausted(a, 20)
		w.remote.Disturb(nil)
		w.settledAfter(w.raise(a, "after it"), time.Second)
		after(time.Minute)
		for _, id := range ids {
			w.settled(id)
		}
	})
}

func (w *world) settledAfter(id alert.ID, d time.Duration) {
	w.t.Helper()
	after(d)
	w.settled(id)
}

func TestLinksThatGaveUpComeBackWithoutASign(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		ids := w.exhausted(w.activate("a"), 3)
		w.remote.Disturb(nil)
		after(forward.ComebackMost)
		for _, id := range ids {
			w.settled(id)
		}
	})
}

func TestLinksThatGaveUpComeBackUnderTheNextActive(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		ids := w.exhausted(a, 3)
		_ = a.lose()
		w.remote.Disturb(nil)
		b := w.activate("b")
		w.settledAfter(w.raise(b, "after it"), time.Second)
		after(time.Minute)
		for _, id := range ids {
			w.settled(id)
		}
	})
}

func TestComingBackSurvivesALostAnswer(t *testing.T) {
	for _, f := range []forwardtest.Fault{forwardtest.Before, forwardtest.After} {
		bubble(t, nil, func(t *testing.T, w *world) {
			a := w.activate("a")
			ids := w.exhausted(a, 3)
			w.remote.Disturb(nil)
			w.store.Disturb(loseOnce("Unpark", f))
			w.settledAfter(w.raise(a, "after it"), time.Second)
			after(time.Minute)
			for _, id := range ids {
				w.settled(id)
			}
		})
	}
}

func TestAPoisonAlertComesBackAfterPausesThatGrow(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		after(time.Second)
		poison := w.raise(nil, "poison")
		w.remote.Disturb(func(c forwardtest.Call) forwardtest.Behaviour {
			if c.Op == "create" && c.Key == w.key(poison) {
				return forwardtest.Behaviour{Fail: retry("desk: 500")}
			}
			return forwardtest.Behaviour{}
		})
		const hours = 10
		for i := range hours * 60 {
			good := w.raise(a, fmt.Sprint(i))
			after(time.Minute)
			w.settled(good)
		}
		tries := 0
		for _, c := range w.remote.Calls("create") {
			if c.Key == w.key(poison) {
				tries++
			}
		}
		// Five attempts a round; rounds at most an hour apart, but for the first few.
		if most := 5 * (hours + 5); tries < 5*(hours-1) || tries > most {
			t.Fatalf("%d tries in %d hours, want at most %d", tries, hours, most)
		}
	})
}

func TestTheDatabaseIsNotAskedForLinksThatNeverGaveUp(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.settledAfter(w.raise(a, "disk"), time.Minute)
		before := w.store.Calls("Unpark")
		for i := range 60 * 3 {
			w.settledAfter(w.raise(a, fmt.Sprint(i)), time.Minute)
		}
		if n := w.store.Calls("Unpark") - before; n != 0 {
			t.Fatalf("%d statements", n)
		}
	})
}

func TestARefusalIsTriedAgainOnceWhenTheDocumentChanges(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		after(time.Second)
		bad := w.raise(nil, "bad")
		doubled := w.raise(nil, "doubled")
		w.remote.Disturb(func(c forwardtest.Call) forwardtest.Behaviour {
			if c.Key == w.key(doubled) {
				return forwardtest.Behaviour{Fail: &remote.Failure{Class: remote.Permanent, Status: 201, Msg: "desk: its answer cannot be read; the ticket was probably made"}}
			}
			return forwardtest.Behaviour{Fail: refused("desk: no such queue")}
		})
		a.f.Wake()
		after(6 * time.Hour)
		w.calls("create", 2)
		mended := w.setup
		mended.Version = 2
		w.setups.Replace(&mended)
		after(6 * time.Hour)
		w.calls("create", 3)
		if got := w.link(bad).Parked; got != "refused: desk: no such queue" {
			t.Fatalf("parked %q", got)
		}
		w.remote.Disturb(nil)
		again := w.setup
		again.Version = 3
		w.setups.Replace(&again)
		after(time.Minute)
		w.settled(bad)
		if got := w.link(doubled).Parked; forward.CauseOf(got) != forward.CauseOther || !strings.Contains(got, "probably made") {
			t.Fatalf("parked %q", got)
		}
	})
}
