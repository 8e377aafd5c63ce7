package forward_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/connector"
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
