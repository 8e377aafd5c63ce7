package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/store"
)

var drafts = map[string]func(*testing.T, Fresh){
	"drafts/revisions":             draftRevisions,
	"drafts/a stale revision":      draftConflict,
	"drafts/saved concurrently":    draftRace,
	"drafts/applied":               draftApplied,
	"drafts/of a new connector":    draftNew,
	"drafts/only the latest kept":  draftPruned,
	"drafts/recent alerts":         sampleAlerts,
	"drafts/states that are heard": sampleStates,
}

func draftOf(connector, text string) store.Draft {
	return store.Draft{Connector: connector, Base: 1, Text: text, Author: "ann"}
}

func wantConflict(t *testing.T, what string, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("%s: %v, not a conflict", what, err)
	}
}

func draftRevisions(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	if _, err := f.db.LatestDraft(t.Context(), tickets); fault.KindOf(err) != fault.NotFound {
		t.Errorf("before the first: %v", err)
	}
	first := must(f.db.SaveDraft(t.Context(), draftOf(tickets, "one: ü\n")))(t)
	if first.Revision != 1 || first.At.IsZero() || first.Text != "one: ü\n" || first.Base != 1 || first.Author != "ann" {
		t.Errorf("saved %+v", first)
	}
	edited := first
	edited.Text, edited.Author = "two: 2\n", "bob"
	second := must(f.db.SaveDraft(t.Context(), edited))(t)
	if got := must(f.db.LatestDraft(t.Context(), tickets))(t); got != second || got.Revision != 2 {
		t.Errorf("latest %+v, saved %+v", got, second)
	}
	if got := must(f.db.DraftRevision(t.Context(), tickets, 1))(t); got != first {
		t.Errorf("revision 1 is %+v", got)
	}
	if _, err := f.db.DraftRevision(t.Context(), tickets, 9); fault.KindOf(err) != fault.NotFound {
		t.Errorf("revision 9: %v", err)
	}
	other := must(f.db.SaveDraft(t.Context(), draftOf(files, "x: 1\n")))(t)
	if list := must(f.db.Drafts(t.Context()))(t); !slices.Equal(list, []store.Draft{other, second}) {
		t.Errorf("drafts %+v", list)
	}
	if err := f.db.DiscardDraft(t.Context(), tickets, 2, "cy"); err != nil {
		t.Fatal(err)
	}
	ended := must(f.db.LatestDraft(t.Context(), tickets))(t)
	if ended.Revision != 3 || ended.Ended != store.DraftDiscarded || ended.Author != "cy" || ended.Text != "two: 2\n" {
		t.Errorf("discarded %+v", ended)
	}
	if list := must(f.db.Drafts(t.Context()))(t); !slices.Equal(list, []store.Draft{other}) {
		t.Errorf("drafts after one was discarded: %+v", list)
	}
	again := must(f.db.SaveDraft(t.Context(), draftOf(tickets, "three: 3\n")))(t)
	if again.Revision != 4 {
		t.Errorf("the next draft begins at revision %d", again.Revision)
	}
}

func draftConflict(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	first := must(f.db.SaveDraft(t.Context(), draftOf(tickets, "a: 1\n")))(t)
	_, err := f.db.SaveDraft(t.Context(), draftOf(tickets, "b: 1\n"))
	wantConflict(t, "a second draft", err)
	must(f.db.SaveDraft(t.Context(), first))(t)
	_, err = f.db.SaveDraft(t.Context(), first)
	wantConflict(t, "an edit of revision 1", err)
	wantConflict(t, "revision 1 discarded", f.db.DiscardDraft(t.Context(), tickets, 1, "ann"))
	if err := f.db.DiscardDraft(t.Context(), tickets, 2, "ann"); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Revision = 2
	_, err = f.db.SaveDraft(t.Context(), second)
	wantConflict(t, "an edit of a discarded draft", err)
	wantConflict(t, "discarded twice", f.db.DiscardDraft(t.Context(), tickets, 2, "ann"))
	if err := f.db.DiscardDraft(t.Context(), files, 1, "ann"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a draft that never was: %v", err)
	}
}

// draftRace saves from several processes on the same revision: one of them has
// it, the others hear of it.
func draftRace(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	const rounds = 4
	dbs := []*store.DB{f.db, f.open(), f.open()}
	var revision int64
	for round := range rounds {
		var wg sync.WaitGroup
		var saved atomic.Int64
		for n, db := range dbs {
			wg.Go(func() {
				d := draftOf(tickets, fmt.Sprintf("by: %d\n", n))
				d.Revision = revision
				switch _, err := db.SaveDraft(t.Context(), d); {
				case err == nil:
					saved.Add(1)
				case fault.KindOf(err) != fault.Conflict:
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		revision = must(f.db.LatestDraft(t.Context(), tickets))(t).Revision
		if saved.Load() != 1 || revision != int64(round+1) {
			t.Fatalf("round %d: %d saved, revision %d", round, saved.Load(), revision)
		}
	}
}

func draftApplied(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	must(f.db.SaveDraft(t.Context(), draftOf(tickets, "a: 1\n")))(t)
	d := document(tickets)
	d.Base, d.Draft, d.Who = 1, 7, "dee"
	_, err := f.db.SaveDocument(t.Context(), d)
	wantConflict(t, "another revision applied", err)
	d.Base, d.Draft = 9, 1
	_, err = f.db.SaveDocument(t.Context(), d)
	wantConflict(t, "a stale base", err)
	if got := must(f.db.LatestDraft(t.Context(), tickets))(t); got.Ended != "" {
		t.Fatalf("a refused document ended the draft: %+v", got)
	}
	d.Base = 1
	if v := must(f.db.SaveDocument(t.Context(), d))(t).Version; v != 2 {
		t.Errorf("version %d", v)
	}
	if got := must(f.db.LatestDraft(t.Context(), tickets))(t); got.Ended != store.DraftApplied || got.Author != "dee" || got.Revision != 2 {
		t.Errorf("the draft after it was applied: %+v", got)
	}
	d.Base = 2
	_, err = f.db.SaveDocument(t.Context(), d)
	wantConflict(t, "applied twice", err)
	if v := must(f.db.Document(t.Context(), tickets, 0))(t).Version; v != 2 {
		t.Errorf("a refused draft made version %d", v)
	}
}

func draftNew(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	d := document(tickets)
	d.Base = store.NoBase
	_, err := f.db.SaveDocument(t.Context(), d)
	wantConflict(t, "a new connector that is there", err)
	draft := draftOf("fresh", "name: fresh\n")
	draft.Base = 0
	saved := must(f.db.SaveDraft(t.Context(), draft))(t)
	n := document("fresh")
	n.Base, n.Draft = store.NoBase, saved.Revision
	if v := must(f.db.SaveDocument(t.Context(), n))(t).Version; v != 1 {
		t.Errorf("version %d", v)
	}
}

func draftPruned(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	d := draftOf(tickets, "n: 0\n")
	for range 103 {
		d = must(f.db.SaveDraft(t.Context(), d))(t)
	}
	if n := f.count("SELECT count(*) FROM draft WHERE connector = $1", tickets); n != 100 || d.Revision != 103 {
		t.Errorf("%d revisions are kept, the newest is %d", n, d.Revision)
	}
	f.exec("UPDATE draft SET at = at - 1000000")
	before := must(f.db.Glance(t.Context()))(t).Documents
	must(f.db.SaveDraft(t.Context(), d))(t)
	if after := must(f.db.Glance(t.Context()))(t).Documents; after <= before {
		t.Errorf("a save that pushes an old revision out is not seen: %d, then %d", before, after)
	}
}

func sampleAlerts(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	if list := must(f.db.RecentAlerts(t.Context(), []string{"prom"}, 5))(t); len(list) != 0 {
		t.Errorf("an empty database has %d alerts", len(list))
	}
	ids := f.raise(4, tickets)
	other := observe("elsewhere", alert.Open, "another source")
	other.Source = "other"
	f.accept(to(tickets), other)
	var got []alert.ID
	for _, a := range must(f.db.RecentAlerts(t.Context(), []string{"prom", "nosuch"}, 3))(t) {
		got = append(got, a.ID)
		if a.Severity != "critical" || a.Labels["alertname"] != "DiskFull" || a.AcceptedAt.IsZero() {
			t.Errorf("alert %+v", a)
		}
	}
	if len(got) != 3 || slices.ContainsFunc(got, func(id alert.ID) bool { return !slices.Contains(ids, id) }) {
		t.Errorf("alerts %v, of %v", got, ids)
	}
	if list := must(f.db.RecentAlerts(t.Context(), []string{"prom", "other"}, 50))(t); len(list) != 5 || list[0].Source != "other" {
		t.Errorf("alerts of both sources: %d, the newest of %s", len(list), list[0].Source)
	}
	if list := must(f.db.RecentAlerts(t.Context(), nil, 5))(t); len(list) != 0 {
		t.Errorf("no source has %d alerts", len(list))
	}
	last := must(f.db.LastAccepted(t.Context(), []string{"prom", "other", "silent"}))(t)
	if len(last) != 2 || last["prom"].IsZero() || last["other"].Before(last["prom"]) {
		t.Errorf("last accepted %v", last)
	}
}

func sampleStates(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.raise(3, tickets, files)
	f.exec("UPDATE link SET heard = 'stalled' WHERE connector = $1 AND side = 'remote'", tickets)
	f.exec("UPDATE link SET heard = 'gone' WHERE connector = $1", files)
	got := must(f.db.HeardStates(t.Context(), tickets, 2))(t)
	if len(got) != 1 || got["stalled"] != 2 {
		t.Errorf("heard %v", got)
	}
}
