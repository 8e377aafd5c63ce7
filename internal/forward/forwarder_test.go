package forward_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/remote"
)

func TestAnAlertIsCreatedUpdatedAndResolved(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		w.store.Change(id, alert.Content{Summary: "disk full"})
		a.f.Wake()
		after(time.Second)
		w.settled(id)
		w.store.Close(id)
		a.f.Wake()
		after(time.Second)
		got := w.remote.Tickets()
		if len(got) != 1 || got[0].State != "resolved" || got[0].Revision != 3 || len(got[0].Comments) != 1 {
			t.Fatalf("tickets %+v", got)
		}
		if l := w.link(id); l.Due() || l.Heard != "resolved" {
			t.Fatalf("link %+v", l)
		}
		w.calls("update", 2)
		if kinds := eventKinds(w.store.Events(linkID(id))); kinds != "sent sent sent" {
			t.Fatalf("timeline: %s", kinds)
		}
	})
}

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
		if got := w.link(poison).Parked; got != "desk: the subject is too long" {
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
		after(time.Hour)
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
		w.tickets(4) // the concurrency
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

func TestNotesGoInOrderAfterTheState(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(nil, "disk")
		w.store.Say(desk, id, "one")
		w.store.Say(desk, id, "two")
		w.remote.Disturb(once("note", forwardtest.Behaviour{Fail: retry("desk: 503")}))
		a.f.Wake()
		after(time.Minute)
		w.settled(id)
		if got := fmt.Sprint(w.remote.Tickets()[0].Notes); got != "[one two]" {
			t.Fatalf("notes %s", got)
		}
	})
}

func TestAPersonsStateSurvivesAChangeOfContent(t *testing.T) {
	bubble(t, func(w *world) { w.setup.Poll = 10 * time.Second }, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(15 * time.Second)
		w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "stalled" })
		after(15 * time.Second)
		w.store.Change(id, alert.Content{Summary: "disk full"})
		a.f.Wake()
		after(time.Second)
		if got := w.remote.Tickets()[0]; got.State != "stalled" || got.Revision != 2 {
			t.Fatalf("ticket %+v", got)
		}
		// Neither does a verification after a lost answer undo it.
		w.store.Edit(linkID(id), func(l *alert.Link) { *l, _ = l.Suspect() })
		a.f.Wake()
		after(time.Minute)
		if got := w.remote.Tickets()[0]; got.State != "stalled" {
			t.Fatalf("ticket %+v", got)
		}
		w.settled(id)
	})
}

func TestNewsIsBroughtBackAndNeverEchoes(t *testing.T) {
	bubble(t, func(w *world) { w.setup.Poll = 10 * time.Second }, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(15 * time.Second)
		if got := w.source.Written(); len(got) != 0 {
			t.Fatalf("our own create came back: %+v", got)
		}
		w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "stalled" })
		after(11 * time.Second)
		got := w.source.Written()
		if len(got) != 1 || got[0].State != "stalled" || got[0].Ticket != "1" || got[0].Alert.ID != id {
			t.Fatalf("written back %+v", got)
		}
		updates := len(w.remote.Calls("update"))
		w.remote.Edit("1", func(*forwardtest.Ticket) {}) // news without anything new
		after(5 * time.Minute)
		if n := len(w.source.Written()); n != 1 {
			t.Fatalf("written back %d times", n)
		}
		if n := len(w.remote.Calls("update")); n != updates {
			t.Fatal("the write-back echoed to the remote")
		}
	})
}

func TestALostReceiveAnswerLosesNoNews(t *testing.T) {
	for _, f := range []forwardtest.Fault{forwardtest.Before, forwardtest.After} {
		bubble(t, func(w *world) { w.setup.Poll = 10 * time.Second }, func(t *testing.T, w *world) {
			a := w.activate("a")
			id := w.raise(a, "disk")
			after(15 * time.Second)
			w.store.Disturb(loseOnce("Receive", f))
			w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "stalled" })
			after(30 * time.Second)
			if heard := w.link(id).Heard; heard != "stalled" {
				t.Fatalf("heard %q", heard)
			}
			if n := len(w.source.Written()); n != 1 {
				t.Fatalf("written back %d times", n)
			}
		})
	}
}

func TestOnlyTwoAbsencesCloseAnAlert(t *testing.T) {
	compared := func(w *world) {
		w.setup.Sources[0].Lister, w.setup.Sources[0].Compare = w.source, time.Minute
	}
	t.Run("gone", func(t *testing.T) {
		bubble(t, compared, func(t *testing.T, w *world) {
			a := w.activate("a")
			stays, goes := w.raise(a, "cpu"), w.raise(a, "disk")
			w.source.Show("run 1", "cpu", "disk")
			after(90 * time.Second)
			w.source.Show("run 1", "cpu")
			after(time.Minute)
			if w.store.Alert(goes).Status != alert.Open {
				t.Fatal("closed after one absence")
			}
			after(time.Minute)
			if w.store.Alert(goes).Status != alert.Closed || w.store.Alert(stays).Status != alert.Open {
				t.Fatal("not closed, or the wrong one")
			}
			if got := w.link(goes); got.Told != "resolved" {
				t.Fatalf("the ticket was not resolved: %+v", got)
			}
		})
	})
	t.Run("seen in between", func(t *testing.T) {
		bubble(t, compared, func(t *testing.T, w *world) {
			a := w.activate("a")
			id := w.raise(a, "disk")
			w.source.Show("run 1")
			after(30 * time.Second)
			for range 5 {
				w.store.See(id)
				after(time.Minute)
			}
			if w.store.Alert(id).Status != alert.Open {
				t.Fatal("closed although the source repeated it")
			}
		})
	})
	t.Run("restarted", func(t *testing.T) {
		bubble(t, compared, func(t *testing.T, w *world) {
			a := w.activate("a")
			id := w.raise(a, "disk")
			w.source.Show("run 1", "disk")
			after(30 * time.Second)
			w.source.Show("run 2")
			after(2 * time.Minute)
			if w.store.Alert(id).Status != alert.Open {
				t.Fatal("closed just after the source's restart")
			}
			after(time.Minute)
			if w.store.Alert(id).Status != alert.Closed {
				t.Fatal("never closed")
			}
		})
	})
}

func TestAResolvedTicketIsReopened(t *testing.T) {
	table := map[string]connector.Refire{"resolved": {Action: "reopen"}}
	for _, f := range []forwardtest.Fault{forwardtest.None, forwardtest.Before, forwardtest.After} {
		bubble(t, func(w *world) { w.setup.Mapping = forwardtest.Mapping{Table: table} }, func(t *testing.T, w *world) {
			a := w.activate("a")
			first := w.raise(a, "disk")
			after(time.Second)
			w.store.Close(first)
			w.store.Disturb(loseOnce("Adopt", f))
			second := w.raise(a, "disk") // while the close is still to be told
			after(time.Minute)
			w.tickets(1)
			l := w.link(second)
			if got := w.remote.Tickets()[0]; !got.Open || l.Ticket != got.ID || l.Due() {
				t.Fatalf("ticket %+v, link %+v", got, l)
			}
			if w.link(first).Skipped == "" {
				t.Fatal("the earlier link still has the ticket")
			}
			w.store.Edit(linkID(second), func(l *alert.Link) { *l, _ = l.Suspect() })
			a.f.Wake()
			after(time.Minute)
			w.tickets(1) // it carries the earlier alert's key, and is known by its id
			if w.link(second).Stage != alert.Settled {
				t.Fatalf("link %+v", w.link(second))
			}
		})
	}
}

func TestAFlappingAlertKeepsItsOpenTicket(t *testing.T) {
	table := map[string]connector.Refire{"open": {Action: "comment"}}
	bubble(t, func(w *world) { w.setup.Mapping = forwardtest.Mapping{Table: table} }, func(t *testing.T, w *world) {
		a := w.activate("a")
		first := w.raise(a, "disk")
		after(time.Second)
		w.store.Close(first)
		w.store.Delay(linkID(first), 5*time.Minute) // the document's close.wait
		second := w.raise(a, "disk")
		after(10 * time.Minute)
		w.tickets(1)
		got := w.remote.Tickets()[0]
		if !got.Open || w.link(second).Ticket != got.ID || fmt.Sprint(got.Comments) != "[The alert fired again.]" {
			t.Fatalf("ticket %+v, link %+v", got, w.link(second))
		}
	})
}

func TestALinkedTicketNamesTheEarlierOne(t *testing.T) {
	table := map[string]connector.Refire{"resolved": {Action: "linked"}}
	bubble(t, func(w *world) { w.setup.Mapping = forwardtest.Mapping{Table: table} }, func(t *testing.T, w *world) {
		a := w.activate("a")
		first := w.raise(a, "disk")
		after(time.Second)
		w.store.Close(first)
		a.f.Wake()
		after(time.Second)
		second := w.raise(a, "disk")
		after(time.Second)
		w.settled(second)
		if got := w.remote.Tickets()[1].RefersTo; got != w.link(first).Ticket {
			t.Fatalf("refers to %q", got)
		}
	})
}

func TestADeletedTicketOfAnOpenAlertIsMadeAnew(t *testing.T) {
	table := map[string]connector.Refire{"deleted": {Action: "new"}}
	bubble(t, func(w *world) { w.setup.Mapping = forwardtest.Mapping{Table: table} }, func(t *testing.T, w *world) {
		a := w.activate("a")
		id := w.raise(a, "disk")
		after(time.Second)
		w.remote.Delete("1")
		w.store.Change(id, alert.Content{Summary: "disk full"})
		a.f.Wake()
		after(5 * settle)
		w.settled(id)
	})
}

func TestRemotesWithoutLookUpAreToldAgain(t *testing.T) {
	for _, g := range []remote.Guarantee{remote.Idempotent, remote.AtLeastOnce} {
		t.Run(g.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.remote.Promise.Guarantee = g
				w.setup.Remote = forwardtest.Blind{R: w.remote}
			}, func(t *testing.T, w *world) {
				a := w.activate("a")
				w.remote.Disturb(once("create", forwardtest.Behaviour{Lose: true}))
				id := w.raise(a, "disk")
				after(call / 2)
				w.store.Change(id, alert.Content{Summary: "disk full"}) // an idempotent remote drops it from a second create
				after(4 * settle)
				l := w.link(id)
				if l.Due() || l.Claim.ID != uuid.Nil {
					t.Fatalf("link %+v", l)
				}
				if g == remote.Idempotent {
					w.settled(id)
					w.tickets(1)
				}
				shown := false
				for _, ticket := range w.remote.Tickets() {
					shown = shown || ticket.ID == l.Ticket && ticket.Revision == 2
				}
				if !shown {
					t.Fatalf("no ticket shows the newest revision: %+v", w.remote.Tickets())
				}
			})
		})
	}
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

func TestReconcileMarksAndSendsNothing(t *testing.T) {
	table := map[string]connector.Refire{"deleted": {Action: "new"}}
	bubble(t, func(w *world) { w.setup.Mapping = forwardtest.Mapping{Table: table} }, func(t *testing.T, w *world) {
		a := w.activate("a")
		var ids []alert.ID
		for i := range 6 {
			ids = append(ids, w.raise(a, fmt.Sprint(i)))
			after(time.Second)
		}
		w.store.Close(ids[1])
		a.f.Wake()
		after(time.Second)
		w.remote.Make(w.key(ids[2]))                                                                      // a twin
		w.remote.Make(w.key(alert.NewID()))                                                               // a stranger
		w.remote.Disturb(nil)                                                                             //
		w.remote.Edit("2", func(t *forwardtest.Ticket) { t.State, t.Open, t.Revision = "open", true, 1 }) // a late older write
		w.remote.Delete("1")
		before := len(w.remote.Calls("create")) + len(w.remote.Calls("update"))
		r, err := a.f.Reconcile(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(w.remote.Calls("create")) + len(w.remote.Calls("update")); n != before {
			t.Fatal("the run sent something itself")
		}
		if r.Missing != 1 || r.LeftOpen != 1 || r.Twins != 1 || r.Strangers != 1 || r.Marked != 3 {
			t.Fatalf("report %+v", r)
		}
		after(5 * settle)
		for i, id := range ids {
			if i != 1 {
				w.settled(id)
			}
		}
		if got := w.remote.Tickets(); got[0].State != "resolved" {
			t.Fatalf("the late write was not mended: %+v", got[0])
		}
	})
}

func TestReconcileIsTheActives(t *testing.T) {
	f := forward.New(forward.Config{Connector: desk})
	if _, err := f.Reconcile(context.Background()); fault.KindOf(err) != fault.Refused {
		t.Errorf("Reconcile = %v", err)
	}
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
