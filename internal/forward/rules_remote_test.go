package forward_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward/forwardtest"
)

// refusing is a database that refuses outcomes of one alert.

func TestC6AnUnknownCreateIsLookedUpTwiceBeforeAnother(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Fail: unknown("desk: timed out")}))
		id := w.raise(a, "disk")
		after(2 * time.Second)
		w.stage(id, alert.Looked)
		w.calls("create", 1)
		w.calls("look", 1)
		after(settle)
		w.calls("create", 2)
		w.calls("look", 2)
		w.stage(id, alert.Verify) // looked at once more later
		after(2 * settle)
		w.settled(id)
		w.tickets(1)
	})
}

func TestC6AnUnknownCreateThatHappenedIsFound(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Lose: true}))
		id := w.raise(a, "disk")
		after(call + 3*settle)
		w.settled(id)
		w.tickets(1)
		w.calls("create", 1)
	})
}

func TestC6ALateCreateIsFoundBeforeAnotherIsMade(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Stall: call + 3*time.Second}))
		id := w.raise(a, "disk")
		after(call + 5*settle)
		w.settled(id)
		w.tickets(1)
		w.calls("create", 1)
	})
}

func TestC6AnUnknownUpdateIsReadBackASettleTimeLater(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		w.remote.Disturb(once("update", forwardtest.Behaviour{Lose: true}))
		w.store.Change(id, alert.Content{Summary: "disk full"})
		a.f.Wake()
		after(call + time.Second)
		w.stage(id, alert.Verify)
		w.calls("compare", 0)
		after(settle + time.Second)
		w.settled(id)
		w.calls("update", 1)
		w.calls("compare", 1)
	})
}

func TestC6ALateOlderUpdateIsNoticedAndMended(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		w.remote.Disturb(once("update", forwardtest.Behaviour{Stall: call + 3*time.Second}))
		w.store.Change(id, alert.Content{Summary: "disk 90 %"})
		a.f.Wake()
		after(call / 2)
		w.store.Change(id, alert.Content{Summary: "disk full"}) // revision 3, while 2 is stalled
		a.f.Wake()
		after(call + 3*settle)
		w.settled(id)
		w.calls("update", 2)
	})
}

func TestC6AClaimThatExpiredAtASettledLinkIsVerified(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		// a is cut off from the database while its update is on its way.
		w.store.Disturb(func(s string) forwardtest.Fault {
			if s == "Record" {
				return forwardtest.Before
			}
			return forwardtest.None
		})
		w.remote.Disturb(once("update", forwardtest.Behaviour{Fail: unknown("desk: timed out")}))
		w.store.Change(id, alert.Content{Summary: "disk full"})
		a.f.Wake()
		after(time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		a.lose()
		_ = a.f.Close(ctx) // the process dies
		w.store.Disturb(nil)
		w.activate("b")
		after(window + time.Second)
		w.stage(id, alert.Verify)
		w.calls("look", 0) // before the settle time has passed
		after(settle + time.Second)
		w.settled(id)
	})
}

func TestC7TwinsAreCommittedThenMergedIntoTheLowest(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		w.remote.Make(w.key(id))
		w.remote.Make(w.key(id))
		var committed []string
		w.remote.Disturb(func(c forwardtest.Call) forwardtest.Behaviour {
			if c.Op == "merge" && committed == nil {
				committed = w.link(id).Twins
			}
			return forwardtest.Behaviour{}
		})
		w.store.Edit(linkID(id), func(l *alert.Link) { *l, _ = l.Suspect() })
		a.f.Wake()
		after(3 * settle)
		w.settled(id)
		w.calls("merge", 2)
		if w.link(id).Ticket != "1" || len(w.link(id).Twins) != 0 {
			t.Fatalf("survivor: %+v", w.link(id))
		}
		if len(committed) != 2 {
			t.Fatalf("twins %v were committed before the first merge, want 2", committed)
		}
	})
}

func TestC7ATwinsNewsNeverReachesTheAlert(t *testing.T) {
	bubble(t, func(w *world) { w.setup.Poll = 10 * time.Second }, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		twin := w.remote.Make(w.key(id))
		w.remote.Edit(twin, func(t *forwardtest.Ticket) { t.State, t.Open = "resolved", false })
		after(time.Minute)
		if heard := w.link(id).Heard; heard != "open" {
			t.Fatalf("the link heard %q from the twin", heard)
		}
		if got := w.source.Written(); len(got) != 0 {
			t.Fatalf("the source was told %+v", got)
		}
	})
}

func TestC8AnExpiredCreateEndsWithLookSettleLook(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		id := w.raise(nil, "disk")
		w.store.Edit(linkID(id), func(l *alert.Link) { l.Claim = alert.Claim{ID: uuid.New(), Epoch: 0} })
		w.activate("b")
		after(window + time.Second)
		w.stage(id, alert.Looked)
		w.calls("look", 1)
		w.calls("create", 0)
		after(settle)
		w.calls("look", 2)
		w.calls("create", 1)
		after(2 * settle)
		w.calls("look", 3)
		w.settled(id)
	})
}

func TestC9WritesToASourceFollowTheSameRules(t *testing.T) {
	bubble(t, func(w *world) { w.setup.Poll = 10 * time.Second }, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(15 * time.Second)
		w.source.Refuse(errSource)
		w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "stalled" })
		after(11 * time.Second)
		back := alert.LinkID{Connector: desk, Alert: id, Side: alert.Source}
		if l := w.store.LinkOf(back); l.Stage != alert.Uncertain || l.Claim.ID != uuid.Nil {
			t.Fatalf("a write of unknown outcome left %+v", l)
		}
		w.source.Refuse(nil)
		after(4 * settle)
		l := w.store.LinkOf(back)
		if l.Due() || l.Told != "stalled" {
			t.Fatalf("the source was not told: %+v", l)
		}
		written := w.source.Written()
		for _, u := range written {
			if u.Key != written[0].Key || u.State != "stalled" || u.Ticket != "1" {
				t.Fatalf("written %+v", written)
			}
		}
	})
}

func TestC10KeysAreTheGroupsAndTheAlerts(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		got, ours := w.remote.Tickets()[0].Key.Alert(w.group, desk)
		if !ours || got != id {
			t.Fatalf("key %q names %v", w.remote.Tickets()[0].Key, got)
		}
		if _, ours := w.remote.Tickets()[0].Key.Alert(uuid.New(), desk); ours {
			t.Fatal("another group takes the key for its own")
		}
	})
}
