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
