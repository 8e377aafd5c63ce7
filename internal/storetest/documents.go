package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tieline/internal/fault"
	"tieline/internal/store"
)

var documents = map[string]func(*testing.T, Fresh){
	"documents/versions":             documentVersions,
	"documents/a stale base":         documentConflict,
	"documents/the lease row":        documentLease,
	"documents/saved concurrently":   documentRace,
	"documents/none of an empty one": documentNone,
	"documents/a shorter window":     documentWindow,
}

func documentVersions(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	d := document(tickets)
	d.Text, d.Who, d.Comment = "name: tickets\ndescription: ü\n", "bob", "second"
	saved := must(f.db.SaveDocument(t.Context(), d))(t)
	if saved.Version != 2 || saved.Who != "bob" || saved.Text != d.Text || saved.At.IsZero() {
		t.Errorf("saved %+v", saved)
	}
	docs, generation, err := f.db.Documents(t.Context())
	if err != nil || generation != 3 || len(docs) != 2 || docs[0].Connector != files || docs[1] != saved {
		t.Errorf("documents %+v, generation %d: %v", docs, generation, err)
	}
	history := must(f.db.DocumentHistory(t.Context(), tickets))(t)
	if len(history) != 2 || history[0] != saved || history[1].Version != 1 || history[1].Comment != "first" {
		t.Errorf("history %+v", history)
	}
	first := must(f.db.Document(t.Context(), tickets, 1))(t)
	current := must(f.db.Document(t.Context(), tickets, 0))(t)
	if first != history[1] || current != saved {
		t.Errorf("version 1 is %+v, the current one %+v", first, current)
	}
	_, err = f.db.Document(t.Context(), tickets, 9)
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("version 9: %v", err)
	}
	if _, err = f.db.DocumentHistory(t.Context(), "nosuch"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("history of no connector: %v", err)
	}
}

// documentWindow: a successor waits for the longest window a predecessor may
// still send within, whatever the newest document says (rules C3 and C4).
func documentWindow(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	for _, step := range []struct{ saved, want time.Duration }{
		{5 * time.Second, 20 * time.Second}, {time.Minute, time.Minute}, {time.Second, time.Minute},
	} {
		d := document(tickets)
		d.Settings.Window = step.saved
		must(f.db.SaveDocument(t.Context(), d))(t)
		g := must(f.db.ReadGroup(t.Context()))(t)
		if got := g.Settings[tickets].Window; got != step.want {
			t.Errorf("after a window of %s the group waits for %s, not %s", step.saved, got, step.want)
		}
	}
}

func documentConflict(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	d := document(tickets)
	d.Base = 1
	if v := must(f.db.SaveDocument(t.Context(), d))(t).Version; v != 2 {
		t.Fatalf("version %d", v)
	}
	_, err := f.db.SaveDocument(t.Context(), d)
	if fault.KindOf(err) != fault.Conflict {
		t.Fatalf("base 1 of version 2: %v", err)
	}
	g := must(f.db.Group(t.Context()))(t)
	if g.Generation != 3 {
		t.Errorf("a refused document raised the generation to %d", g.Generation)
	}
}

func documentLease(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	if n := f.count("SELECT count(*) FROM lease WHERE epoch = 0 AND beat = 0 AND server = '' AND identity <> ''"); n != 2 {
		t.Errorf("%d released leases, not 2", n)
	}
	term := f.term(tickets, "alpha")
	must(f.db.SaveDocument(t.Context(), document(tickets)))(t)
	if n := f.count("SELECT count(*) FROM lease WHERE connector = $1 AND epoch = $2 AND server = 'alpha'", tickets, term.Epoch); n != 1 {
		t.Errorf("a new document touched the lease")
	}
}

// documentRace saves from several processes, each from the version it read:
// versions are never lost and never twice.
func documentRace(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	const each = 5
	var wg sync.WaitGroup
	for n, db := range []*store.DB{f.db, f.open(), f.open()} {
		wg.Go(func() {
			for i := 0; i < each; {
				current, err := db.Document(t.Context(), tickets, 0)
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
				d := document(tickets)
				d.Base, d.Comment = current.Version, fmt.Sprintf("%d/%d", n, i)
				_, err = db.SaveDocument(t.Context(), d)
				var f *fault.Error
				if errors.As(err, &f) && f.Kind == fault.Conflict {
					continue
				}
				if err != nil {
					t.Errorf("save: %v", err)
					return
				}
				i++
			}
		})
	}
	wg.Wait()
	history := must(f.db.DocumentHistory(t.Context(), tickets))(t)
	if len(history) != 1+3*each || history[0].Version != 1+3*each {
		t.Errorf("%d versions, the newest is %d", len(history), history[0].Version)
	}
	if g := must(f.db.Group(t.Context()))(t); g.Generation != 2+3*each {
		t.Errorf("generation %d", g.Generation)
	}
}

func documentNone(t *testing.T, fresh Fresh) {
	db := openStore(t, fresh(t))
	docs, generation, err := db.Documents(t.Context())
	if err != nil || generation != 0 || len(docs) != 0 {
		t.Errorf("%d documents of generation %d: %v", len(docs), generation, err)
	}
}
