package forward_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/remote"
)

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

// TestWhatASourceShowsEndsWithTheAlert: an acknowledgement that outlived its
// alert would keep the next occurrence from being noticed. It ends also when its
// own writing was still under way, or unanswered, as the alert closed.
func TestWhatASourceShowsEndsWithTheAlert(t *testing.T) {
	polled := func(w *world) { w.setup.Poll = 10 * time.Second }
	acknowledged := func(t *testing.T, w *world) alert.ID {
		id := w.raise(w.activate("a"), "disk")
		after(15 * time.Second)
		w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "acknowledged" })
		return id
	}
	last := func(t *testing.T, w *world, id alert.ID) {
		t.Helper()
		got := w.source.Written()
		if len(got) == 0 || got[len(got)-1].State != "closed" || got[len(got)-1].Alert.Status != alert.Closed {
			t.Fatalf("written back %+v", got)
		}
		back := alert.LinkID{Connector: desk, Alert: id, Side: alert.Source}
		if l := w.store.LinkOf(back); l.Due() || l.Told != "closed" {
			t.Fatalf("the source's link is not at rest: %+v", l)
		}
	}
	t.Run("told", func(t *testing.T) {
		bubble(t, polled, func(t *testing.T, w *world) {
			id := acknowledged(t, w)
			after(11 * time.Second)
			w.store.Close(id)
			after(time.Minute)
			last(t, w, id)
			w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "stalled" }) // nobody brings it back
			after(time.Minute)
			last(t, w, id)
			if n := len(w.source.Written()); n != 2 {
				t.Fatalf("written back %d times", n)
			}
		})
	})
	t.Run("of unknown outcome", func(t *testing.T) {
		bubble(t, polled, func(t *testing.T, w *world) {
			id := acknowledged(t, w)
			w.source.Refuse(errSource)
			after(11 * time.Second)
			w.store.Close(id)
			w.source.Refuse(nil)
			after(4 * settle)
			last(t, w, id)
		})
	})
	t.Run("never told", func(t *testing.T) {
		bubble(t, polled, func(t *testing.T, w *world) {
			id := acknowledged(t, w)
			w.store.Close(id)
			after(time.Minute)
			if got := w.source.Written(); len(got) != 0 {
				t.Fatalf("written back %+v", got)
			}
		})
	})
}

// TestTheTimelineTellsWhereACallWent: also one that failed.
func TestTheTimelineTellsWhereACallWent(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.remote.Disturb(once("create", forwardtest.Behaviour{
			Take: 7 * time.Millisecond, Fail: &remote.Failure{Class: remote.Retry, Msg: "desk: busy"},
		}))
		id := w.raise(w.activate("a"), "disk")
		after(time.Minute)
		events := w.store.Events(linkID(id))
		if len(events) != 2 || events[0].Kind != "failed" || events[1].Kind != "sent" {
			t.Fatalf("events %+v", events)
		}
		for _, e := range events {
			if e.Endpoint != "http://desk" {
				t.Errorf("%s at %q", e.Kind, e.Endpoint)
			}
		}
		if events[0].Took != 7*time.Millisecond {
			t.Errorf("took %v", events[0].Took)
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

// TestNewsThatReachesNobodyIsToldInTheLog: once, in one line of bounded length.
func TestNewsThatReachesNobodyIsToldInTheLog(t *testing.T) {
	bubble(t, func(w *world) { w.setup.Poll = 10 * time.Second }, func(t *testing.T, w *world) {
		var log bytes.Buffer
		a := w.activateWith("a", func(c *forward.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
		w.raise(a, "disk")
		after(15 * time.Second)
		w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "stalled" })
		after(15 * time.Second)
		if log.Len() > 0 {
			t.Fatalf("our own ticket's news: %s", &log)
		}
		for range 7 {
			w.remote.Edit(w.remote.Make(alert.NewKey(uuid.New(), desk, alert.NewID())), func(*forwardtest.Ticket) {})
		}
		after(time.Minute)
		w.remote.Edit("1", func(t *forwardtest.Ticket) { t.State = "open" }) // the poll reads some of those again
		after(time.Minute)
		var line struct {
			Level, Connector string
			Epoch            int64
			Count            int
			Tickets          []string
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil {
			t.Fatalf("not one line: %v: %s", err, &log)
		}
		if line.Level != "WARN" || line.Connector != desk || line.Epoch != a.term.Epoch || line.Count != 7 ||
			!slices.Equal(line.Tickets, []string{"2", "3", "4", "5", "6"}) {
			t.Errorf("the log says %s", &log)
		}
	})
}

// TestWhatASourceNeverToldIsTakenFromItsList: at the second comparison that
// finds it, where the source announces it.
func TestWhatASourceNeverToldIsTakenFromItsList(t *testing.T) {
	compared := func(w *world) {
		w.setup.Sources[0].Lister, w.setup.Sources[0].Compare = w.source, time.Minute
	}
	bubble(t, compared, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var told []alert.Observation
		taken := func() []alert.Observation {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(told)
		}
		a := w.activateWith("a", func(c *forward.Config) {
			c.Accept = func(_ context.Context, os []alert.Observation) error {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, os...)
				return nil
			}
		})
		w.raise(a, "cpu")
		w.source.Show("run 1", "cpu", "disk", "muted")
		w.source.Mute("muted")
		after(30 * time.Second)
		if found := taken(); len(found) > 0 {
			t.Fatalf("taken in at first sight: %+v", found)
		}
		w.source.Show("run 1", "cpu", "muted")
		after(time.Minute)
		w.source.Show("run 1", "cpu", "disk", "muted")
		after(time.Minute)
		if found := taken(); len(found) > 0 {
			t.Fatalf("taken in though it had gone in between: %+v", found)
		}
		after(time.Minute)
		if found := taken(); len(found) != 1 || found[0].Key != "disk" || found[0].Status != alert.Open {
			t.Fatalf("taken in %+v", found)
		}
	})
}

// TestWhatASourceLeftOutIsFetchedAtOnce: when the source says that it pushed only a
// part, its list is read at once; nothing is concluded from what is absent.
func TestWhatASourceLeftOutIsFetchedAtOnce(t *testing.T) {
	compared := func(w *world) {
		w.setup.Sources[0].Lister, w.setup.Sources[0].Compare = w.source, time.Minute
	}
	bubble(t, compared, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var told []string
		a := w.activateWith("a", func(c *forward.Config) {
			c.Accept = func(_ context.Context, os []alert.Observation) error {
				mu.Lock()
				defer mu.Unlock()
				for _, o := range os {
					told = append(told, o.Key)
				}
				return nil
			}
		})
		known := w.raise(a, "cpu")
		w.source.Show("run 1", "cpu", "disk", "muted")
		w.source.Mute("muted")
		after(30 * time.Second) // the first comparison is over
		w.source.Show("run 1", "disk", "net", "muted")
		a.f.FetchOmitted("prom")
		a.f.FetchOmitted("another")
		after(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(told, []string{"disk", "net"}) {
			t.Errorf("taken in %v", told)
		}
		if w.store.Alert(known).Status != alert.Open {
			t.Error("an alert was closed at one absence")
		}
	})
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
		forgotten := w.remote.Make(w.key(alert.NewID()))                                                  // a resolved one
		w.remote.Edit(forgotten, func(t *forwardtest.Ticket) { t.State = "resolved" })                    //
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
		if r.Missing != 1 || r.LeftOpen != 1 || r.Twins != 1 || r.Strangers != 1 || r.Forgotten != 1 ||
			len(r.Open) != 1 || r.Marked != 3 {
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
