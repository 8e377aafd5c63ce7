package forward_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/ha"
)

func TestC1AClaimOfAnEndedTermBringsNothingAndEndsTheWork(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		w.store.TakeOver(desk, "b") // a does not know yet
		id := w.raise(a, "disk")
		a.over = true
		if err := <-a.done; !errors.Is(err, forward.ErrDeposed) {
			t.Fatalf("Run = %v, want ErrDeposed", err)
		}
		w.calls("create", 0)
		w.stage(id, alert.Fresh)
	})
}

func TestC2ALostClaimAnswerIsReadAgain(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		w.store.Disturb(loseOnce("Claim", forwardtest.After))
		id := w.raise(a, "disk")
		after(time.Second)
		w.settled(id)
		w.tickets(1)
		w.calls("look", 0) // known to be ours: nothing was uncertain
	})
}

func TestC2AClaimThatNeverArrivedIsMadeAgain(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		w.store.Disturb(loseOnce("Claim", forwardtest.Before))
		id := w.raise(a, "disk")
		after(time.Second)
		w.settled(id)
		w.tickets(1)
	})
}

func TestC3NothingIsSentAfterTheWindow(t *testing.T) {
	bubble(t, func(w *world) {
		w.setup.Mapping = forwardtest.Mapping{Fail: func(a *alert.Alert) error {
			time.Sleep(time.Millisecond) // where the process is frozen, below
			return nil
		}}
	}, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		id := w.raise(a, "disk")
		synctest.Wait() // claimed, and now mapping
		if w.link(id).Claim.ID == uuid.Nil {
			t.Fatal("not claimed")
		}
		a.clock.Jump(window)
		w.store.Disturb(func(s string) forwardtest.Fault {
			if s == "Claim" {
				return forwardtest.Before
			}
			return forwardtest.None
		})
		after(10 * time.Millisecond)
		w.calls("", 0)
		if l := w.link(id); l.Claim.ID != uuid.Nil || l.Stage != alert.Fresh {
			t.Fatalf("the claim was not given back unsent: %+v", l)
		}
		w.store.Disturb(nil)
		after(time.Second)
		w.settled(id)
	})
}

func TestC3TheWindowBeginsBeforeTheClaimIsSent(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		frozen := false
		w.store.Disturb(func(s string) forwardtest.Fault {
			if s == "Claim" && !frozen {
				frozen = true
				a.clock.Jump(window) // the claim is under way that long
			}
			return forwardtest.None
		})
		id := w.raise(a, "disk")
		synctest.Wait()
		if calls := w.store.Calls("Claim"); calls < 3 {
			t.Fatalf("%d claims: the first one was used after its window", calls)
		}
		after(time.Second)
		w.settled(id)
		w.tickets(1)
	})
}

func TestC3ACallEndsWithinTheWindow(t *testing.T) {
	for left, calls := range map[time.Duration]int{call: 0, call + time.Second: 1} {
		bubble(t, func(w *world) {
			w.setup.Mapping = forwardtest.Mapping{Fail: func(*alert.Alert) error {
				time.Sleep(time.Millisecond) // where the process is frozen, below
				return nil
			}}
		}, func(t *testing.T, w *world) {
			a := w.activate("a")
			synctest.Wait()
			w.raise(a, "disk")
			synctest.Wait()
			a.clock.Jump(window - left)
			w.store.Disturb(func(s string) forwardtest.Fault {
				if s == "Claim" {
					return forwardtest.Before
				}
				return forwardtest.None
			})
			after(10 * time.Millisecond)
			if n := len(w.remote.Calls("create")); n != calls {
				t.Fatalf("%d calls with %v left of the window, want %d", n, left, calls)
			}
		})
	}
}

func TestC4ANewTermLeavesEarlierClaimsAloneForAWindow(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Take: time.Second}))
		id := w.raise(a, "disk")
		after(time.Millisecond)
		w.calls("create", 1)
		w.store.Disturb(func(s string) forwardtest.Fault { // a is cut off: it can record nothing
			if s == "Record" {
				return forwardtest.Before
			}
			return forwardtest.None
		})
		a.lose()
		b := w.activate("b")
		other := w.raise(b, "cpu")
		after(window - time.Second)
		if w.link(id).Claim.Epoch != 1 {
			t.Fatal("the claim of the earlier term was touched within its window")
		}
		w.calls("create", 2) // fresh links are worked at once
		w.calls("look", 0)
		after(2 * time.Second)
		if w.store.Calls("Expire") != 1 {
			t.Fatalf("%d sweeps, want 1", w.store.Calls("Expire"))
		}
		w.store.Disturb(nil)
		after(4 * settle)
		w.settled(id)
		w.settled(other)
		w.tickets(2)
	})
}

func TestC4HoldsOfEarlierTermsEndASettleTimeAfterTheSweep(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		id := w.raise(nil, "disk")
		w.store.Edit(linkID(id), func(l *alert.Link) {
			l.Stage, l.Hold = alert.Looked, alert.Hold{Epoch: 99, Until: time.Second}
		})
		b := w.activate("b")
		after(window + settle - time.Second)
		w.calls("look", 0)
		after(2 * time.Second)
		w.calls("look", 1)
		after(2 * settle)
		w.settled(id)
		_ = b
	})
}

func TestC4AClaimStuckInTheSameTermIsRecovered(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		after(window + time.Second)
		id := w.raise(nil, "disk")
		// A claim statement of a's own that it gave up on, carried out late.
		w.store.Edit(linkID(id), func(l *alert.Link) { l.Claim = alert.Claim{ID: uuid.New(), Epoch: a.term.Epoch} })
		after(window / 2)
		w.calls("", 0)
		after(2*window + 10*time.Minute)
		w.settled(id)
		w.tickets(1)
	})
}

func TestC5OutcomesAreRecordedAfterTheTermWasLost(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Take: time.Second}))
		id := w.raise(a, "disk")
		after(time.Millisecond)
		if err := a.lose(); err != nil {
			t.Fatalf("Run = %v", err)
		}
		after(2 * time.Second)
		w.settled(id)
		if got := w.store.Recorded(desk, id); len(got) != 1 || got[0] != alert.Mine {
			t.Fatalf("recorded %v, want mine", got)
		}
	})
}

func TestC5TheRecorderSurvivesADatabaseOutage(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		w.store.Disturb(func(s string) forwardtest.Fault {
			if s == "Record" {
				return forwardtest.Before
			}
			return forwardtest.None
		})
		id := w.raise(a, "disk")
		after(time.Hour)
		w.tickets(1)
		w.store.Disturb(nil)
		after(time.Second)
		w.settled(id)
		w.calls("look", 0)
	})
}

func TestC5ALostRecordAnswerOnlyCostsALook(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		synctest.Wait()
		w.store.Disturb(loseOnce("Record", forwardtest.After))
		id := w.raise(a, "disk")
		after(time.Second)
		w.settled(id)
		w.tickets(1)
		w.calls("create", 1)
	})
}

func TestC5TheResultOfAReplacedClaimIsEvidence(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		w.remote.Disturb(once("create", forwardtest.Behaviour{Take: time.Millisecond}))
		id := w.raise(a, "disk")
		synctest.Wait()
		w.store.Disturb(func(s string) forwardtest.Fault {
			if s == "Record" {
				return forwardtest.Before
			}
			return forwardtest.None
		})
		after(2 * time.Millisecond) // created, and not recorded
		a.lose()
		w.store.Edit(linkID(id), func(l *alert.Link) { *l = l.Expire(alert.Hold{}) })
		w.store.Disturb(nil)
		after(time.Second)
		if got := w.store.Recorded(desk, id); len(got) != 1 || got[0] != alert.Evident {
			t.Fatalf("recorded %v, want evidence", got)
		}
		w.activate("b")
		after(2 * settle)
		w.settled(id)
		w.tickets(1)
	})
}

func TestC5AnOutcomeTheDatabaseRefusesHoldsUpNoOther(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		poison := &refusing{Store: w.store}
		a := w.activateWith("a", func(c *forward.Config) { c.Store = poison })
		synctest.Wait()
		poisoned := w.raise(nil, "poison")
		poison.alert.Store(&poisoned)
		var others []alert.ID
		for range 9 {
			others = append(others, w.raise(a, "disk"))
			w.store.Close(others[len(others)-1]) // so that the next is a new alert
		}
		after(time.Minute)
		for _, id := range others {
			if l := w.link(id); l.Due() || l.Claim.ID != uuid.Nil {
				t.Fatalf("held up: %+v", l)
			}
		}
		if w.link(poisoned).Claim.ID == uuid.Nil {
			t.Fatal("the refused outcome's claim is gone")
		}
		poison.alert.Store(&uuid.Nil)
		after(time.Minute)
		w.settled(poisoned)
	})
}

// refusing is a database that refuses outcomes of one alert.
type refusing struct {
	*forwardtest.Store
	alert atomic.Pointer[alert.ID]
}

func (r *refusing) Record(ctx context.Context, t ha.Term, entries []forward.Entry) ([]alert.Recorded, error) {
	for _, e := range entries {
		if e.Outcome.Alert == *r.alert.Load() {
			return nil, errors.New("value out of range")
		}
	}
	return r.Store.Record(ctx, t, entries)
}

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
		got, ours := w.remote.Tickets()[0].Key.Alert(w.group)
		if !ours || got != id {
			t.Fatalf("key %q names %v", w.remote.Tickets()[0].Key, got)
		}
		if _, ours := w.remote.Tickets()[0].Key.Alert(uuid.New()); ours {
			t.Fatal("another group takes the key for its own")
		}
	})
}
