package storetest

import (
	"testing"

	"tieline/internal/alert"
	"tieline/internal/intake"
	"tieline/internal/store"
)

func acceptSweep(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(5, tickets)
	if behind := must(f.db.Behind(t.Context(), 2, 10))(t); len(behind) != 0 {
		t.Fatalf("%d are behind their own generation", len(behind))
	}
	must(f.db.SaveDocument(t.Context(), document(files)))(t)
	behind := must(f.db.Behind(t.Context(), 3, 3))(t)
	if len(behind) != 3 {
		t.Fatalf("%d are behind, not 3", len(behind))
	}
	all := must(f.db.Behind(t.Context(), 3, 10))(t)
	var items []store.Rerouted
	for _, a := range all {
		items = append(items, store.Rerouted{Alert: a.ID, Route: func(a *alert.Alert) []intake.Routing {
			if a.ID == ids[0] {
				return nil
			}
			return to(tickets, files)(a)
		}})
	}
	if err := f.db.Reroute(t.Context(), "alpha", 3, items); err != nil {
		t.Fatalf("reroute: %v", err)
	}
	if n := len(must(f.db.Behind(t.Context(), 3, 10))(t)); n != 0 {
		t.Errorf("%d are still behind", n)
	}
	if n := len(f.detail(ids[0]).Links); n != 1 {
		t.Errorf("what no longer matches has %d links", n)
	}
	for _, id := range ids[1:] {
		if l := f.link(id, files, alert.Remote); l.Stage != alert.Fresh || l.DueAt.IsZero() || l.Wanted != 1 {
			t.Errorf("link %+v", l)
		}
	}
	// Nothing is evaluated with an older generation again.
	called := false
	err := f.db.Reroute(t.Context(), "alpha", 2, []store.Rerouted{{Alert: ids[0], Route: func(*alert.Alert) []intake.Routing {
		called = true
		return nil
	}}})
	if err != nil || called {
		t.Errorf("rerouted with an older generation: %v", err)
	}
}

func acceptBehind(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.accept(to(tickets), observe("now", alert.Open, "x"), observe("late", alert.Open, "x"))
	f.accept(to(tickets), observe("now", alert.Closed, "x")) // by generation 2, which is the newest
	must(f.db.SaveDocument(t.Context(), document(files)))(t)
	late := f.accept(to(tickets), observe("late", alert.Closed, "x"))[0].ID // by generation 2, which is not
	behind := must(f.db.Behind(t.Context(), 3, 10))(t)
	if len(behind) != 1 || behind[0].ID != late || behind[0].Generation != 2 {
		t.Errorf("behind: %+v", behind)
	}
}
